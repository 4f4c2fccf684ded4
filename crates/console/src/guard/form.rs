//! Changes: small forms that carry the token of their session.

use super::session::Session;
use crate::reply::Failure;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::Method;
use axum::http::header::CONTENT_TYPE;
use axum::middleware::Next;
use axum::response::Response;
use std::sync::Arc;

/// The largest form, in bytes. A thousand chosen servers fit.
const MAX_FORM: usize = 256 << 10;
/// The field with the session's token.
const TOKEN: &str = "csrf";

/// The fields of a form that passed.
#[derive(Debug, Clone)]
pub(crate) struct Fields(Arc<Vec<(String, String)>>);

impl Fields {
    pub(crate) fn read(bytes: &[u8]) -> Self {
        Self(Arc::new(form_urlencoded::parse(bytes).into_owned().collect()))
    }

    /// The first value of a field; empty when it is not there.
    pub(crate) fn value(&self, name: &str) -> &str {
        self.0.iter().find(|(field, _)| field == name).map_or("", |(_, value)| value)
    }

    /// Whether a field is there, perhaps empty.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(field, _)| field == name)
    }

    /// Every value of a field.
    pub(crate) fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(field, _)| field == name).map(|(_, value)| value.as_str())
    }
}

/// Lets a POST pass when it is a form with the token of its session.
pub(crate) async fn check_form(request: Request, next: Next) -> Result<Response, Failure> {
    if request.method() != Method::POST {
        return Ok(next.run(request).await);
    }
    let (mut parts, body) = request.into_parts();
    let kind = parts.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(Failure::bad_form());
    }
    let bytes = to_bytes(body, MAX_FORM).await.map_err(|_| Failure::too_large())?;
    let fields = Fields::read(&bytes);
    let right = parts.extensions.get::<Session>().is_some_and(|session| session.is_token(fields.value(TOKEN)));
    if !right {
        return Err(Failure::wrong_token());
    }
    parts.extensions.insert(fields);
    Ok(next.run(Request::from_parts(parts, Body::empty())).await)
}
