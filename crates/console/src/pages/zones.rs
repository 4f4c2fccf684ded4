//! Zones: from where servers are probed that are not reached from here, what was seen from there, and what was not.

mod listing;
mod prober_rows;

use crate::guard::{Fields, Session, Upload};
use crate::reply::{Failure, page, see_other};
use crate::shared::Shared;
use crate::trouble::Trouble;
use crate::view::{Ago, Shell, plural};
use crate::zone_list::{list_of_zone, nothing_in};
use crate::zones::newest_ms;
use askama::Template;
use axum::Extension;
use axum::extract::{Path, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use hostssl_model::is_zone_name;
use hostssl_ops::Looks;
use jiff::Timestamp;
use listing::ZoneListing;
use prober_rows::ProberListing;
use std::sync::Arc;

#[derive(Template)]
#[template(path = "zones.html")]
struct ZonesPage {
    shell: Shell,
    listing: ZoneListing,
    probers: ProberListing,
    /// Why the files could not be read.
    trouble: Option<Trouble>,
    /// What was just brought.
    taken: Option<Taken>,
    /// Whether a file can be brought.
    takes: bool,
    /// When the newest audit began.
    audited: Option<Ago>,
}

/// What was just brought.
struct Taken {
    zone: String,
    looks: String,
    oldest: Ago,
    newest: Ago,
}

pub(crate) async fn show(State(shared): State<Shared>, shell: Shell) -> Result<Response, Failure> {
    render(&shared, shell, None).await
}

async fn render(shared: &Shared, shell: Shell, taken: Option<Taken>) -> Result<Response, Failure> {
    let source = shared.options.zones.clone();
    let takes = source.is_some();
    let cache = shared.clone();
    let (listing, probers, trouble, began_ms) = shared
        .ask(move |store| {
            let files = source.as_ref().map_or_else(|| Ok(Arc::default()), |source| cache.zones.files(source, store));
            let (files, trouble) = match files {
                Ok(files) => (files, None),
                Err(trouble) => (Arc::default(), Some(trouble)),
            };
            let oldest_ms = source.as_ref().map_or(i64::MIN, |source| source.oldest_ms(Timestamp::now()));
            let audited = cache.zones.servers(store)?;
            let listing = ZoneListing::of(&files, &audited.servers, &audited.known, oldest_ms);
            let probers = ProberListing::of(store.probers()?, oldest_ms);
            Ok((listing, probers, trouble, audited.began_ms))
        })
        .await?;
    let audited = began_ms.map(Ago::new);
    page(&ZonesPage { shell: shell.titled("Zones", "zones"), listing, probers, trouble, taken, takes, audited })
}

/// Takes in what a machine in a zone saw.
pub(crate) async fn take(
    State(shared): State<Shared>,
    Extension(session): Extension<Session>,
    Extension(Upload(bytes)): Extension<Upload>,
    shell: Shell,
) -> Result<Response, Failure> {
    let source = shared.options.zones.clone().ok_or_else(Failure::not_found)?;
    let person = session.person().to_owned();
    let taken = shared
        .ask(move |store| {
            let taken = source.take(store, &bytes);
            if let Ok(looks) = &taken {
                tracing::info!(person, zone = &*looks.zone, looks = looks.looks.len(), "took in looks from a zone");
            }
            Ok(taken)
        })
        .await?;
    let looks = taken.map_err(|trouble| Failure::of_zones("Nothing was taken", &trouble))?;
    render(&shared, Shell { has_zones: true, here: "/zones".to_owned(), ..shell }, Some(Taken::of(&looks))).await
}

/// Removes an uploaded file that no audit counts.
pub(crate) async fn remove(
    State(shared): State<Shared>,
    Extension(session): Extension<Session>,
    Extension(fields): Extension<Fields>,
) -> Result<Response, Failure> {
    let source = shared.options.zones.clone().ok_or_else(Failure::not_found)?;
    let (person, file) = (session.person().to_owned(), fields.value("file").to_owned());
    let removed = shared
        .ask(move |store| {
            let removed = source.remove(store, &file);
            if removed.is_ok() {
                tracing::info!(person, file, "removed looks from a zone that no rule names");
            }
            Ok(removed)
        })
        .await?;
    removed.map_err(|trouble| Failure::of_zones("Nothing was removed", &trouble))?;
    Ok(see_other("/zones"))
}

impl Taken {
    fn of(looks: &Looks) -> Self {
        let times = looks.looks.iter().filter_map(|(_, look)| look.vantage.as_ref()).map(|from| from.observed_ms);
        Self {
            zone: looks.zone.to_string(),
            looks: plural(looks.looks.len() as u64, "look"),
            oldest: Ago::new(times.min().unwrap_or_default()),
            newest: Ago::new(newest_ms(looks)),
        }
    }
}

/// The list of what has to be probed in a zone: Azure is asked for it, as `hostssl zones targets` does.
pub(crate) async fn targets(State(shared): State<Shared>, Path(zone): Path<String>) -> Result<Response, Failure> {
    let source = shared.options.zones.clone().filter(|_| is_zone_name(&zone)).ok_or_else(no_such_zone)?;
    let files = shared.ask(move |store| Ok(source.files(store))).await?;
    let failed = |trouble: Trouble| Failure::of_zones("There is no list", &trouble);
    let rules = files.map_err(failed)?.rules.unwrap_or_default();
    if !rules.iter().any(|rule| *rule.zone == *zone) {
        return Err(no_such_zone());
    }
    let _turn = shared.reports.clone().acquire_owned().await.map_err(|_| Failure::defect())?;
    let (list, is_whole) = list_of_zone(shared.context.clone(), rules, zone.clone()).await.map_err(failed)?;
    if list.targets.is_empty() {
        return Err(failed(nothing_in(&zone, is_whole)));
    }
    let mut bytes = Vec::new();
    list.write(&mut bytes).map_err(|error| failed(Trouble::new(error.to_string(), "try again")))?;
    let part = if is_whole { "" } else { "-incomplete" };
    let name = format!("attachment; filename=\"{zone}{part}.json\"");
    Ok(([(CONTENT_TYPE, "application/json".to_owned()), (CONTENT_DISPOSITION, name)], bytes).into_response())
}

fn no_such_zone() -> Failure {
    Failure::nothing_kept("No rule names this zone.", "Load the page Zones again: the file of zones may have changed.")
        .leading_to("/zones", "Zones")
}
