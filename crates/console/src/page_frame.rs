//! The frame of a page, out of the request for it: apart from the frame itself, which knows neither requests nor state.

use crate::guard::session::Session;
use crate::reply::Failure;
use crate::shared::Shared;
use crate::view::Shell;
use axum::extract::FromRequestParts;
use axum::http::header::COOKIE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method};

impl FromRequestParts<Shared> for Shell {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, Failure> {
        let session = parts.extensions.get::<Session>().ok_or_else(Failure::signed_out)?;
        let options = &shared.options;
        Ok(Self {
            title: String::new(),
            section: "",
            person: Some(session.person().to_owned()),
            role: session.role(),
            by_proxy: session.by_proxy(),
            csrf: session.token().to_owned(),
            theme: theme(&parts.headers),
            // What was posted cannot be come back to.
            here: match parts.uri.path_and_query() {
                Some(path) if parts.method == Method::GET => path.as_str().to_owned(),
                _ => "/".to_owned(),
            },
            simulated: options.simulated.as_ref().map(|simulated| simulated.scenario.clone()),
            running: shared
                .audits
                .running()
                .map(|job| job.id.clone())
                .filter(|id| parts.uri.path() != format!("/runs/{id}")),
            can_probe: options.wire.is_some(),
            has_zones: options.zones.as_ref().is_some_and(|zones| zones.is_used(&shared.store)),
            changing: shared
                .changes
                .running()
                .map(|job| job.id.clone())
                .filter(|run| parts.uri.path() != format!("/applies/{run}")),
            allow_changes: options.allow_changes,
            version: options.version.clone(),
        })
    }
}

fn theme(headers: &HeaderMap) -> &'static str {
    let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    let value = lines.flat_map(|line| line.split(';')).find_map(|pair| pair.trim().strip_prefix("hostssl-theme="));
    match value {
        Some("dark") => "dark",
        Some("light") => "light",
        _ => "",
    }
}
