//! Changes: small forms that carry the token of their session.

use super::fields::Fields;
use super::session::Session;
use super::upload::{boundary_of, read_form};
use crate::reply::Failure;
use crate::user_role::Role;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::Method;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::Response;

/// The largest form, in bytes. A thousand chosen servers fit.
const MAX_FORM: usize = 256 << 10;
/// The largest form with a file, in bytes. The looks of ten thousand servers fit.
const MAX_UPLOAD: usize = 32 << 20;
/// Where the one form with a file goes.
const UPLOADS: &str = "/zones/looks";
/// The field with the session's token.
const TOKEN: &str = "csrf";

/// Lets a POST pass when it is a form with the token of its session.
pub(crate) async fn check_form(request: Request, next: Next) -> Result<Response, Failure> {
    if request.method() != Method::POST {
        return Ok(next.run(request).await);
    }
    let (mut parts, body) = request.into_parts();
    let kind = parts.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if parts.uri.path() == UPLOADS {
        return with_upload(parts, body, next).await;
    }
    let essence = kind.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(Failure::bad_form());
    }
    let bytes = to_bytes(body, MAX_FORM).await.map_err(|_| Failure::too_large())?;
    let fields = Fields::read(&bytes);
    check_token(&parts, &fields)?;
    parts.extensions.insert(fields);
    Ok(next.run(Request::from_parts(parts, Body::empty())).await)
}

/// Lets the one form pass that brings a file. Those who may not bring one do not make the console read it.
async fn with_upload(mut parts: Parts, body: Body, next: Next) -> Result<Response, Failure> {
    let role = parts.extensions.get::<Session>().map(Session::role).ok_or_else(Failure::signed_out)?;
    if role < Role::Planner {
        return Err(Failure::role_needed(Role::Planner, role));
    }
    let kind = parts.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let boundary = boundary_of(kind).ok_or_else(Failure::bad_form)?.to_owned();
    let bytes = to_bytes(body, MAX_UPLOAD).await.map_err(|_| Failure::large_looks(MAX_UPLOAD))?;
    let (fields, upload) = read_form(&bytes, &boundary).ok_or_else(Failure::bad_form)?;
    check_token(&parts, &fields)?;
    parts.extensions.insert(fields);
    parts.extensions.insert(upload);
    Ok(next.run(Request::from_parts(parts, Body::empty())).await)
}

fn check_token(parts: &Parts, fields: &Fields) -> Result<(), Failure> {
    let right = parts.extensions.get::<Session>().is_some_and(|session| session.is_token(fields.value(TOKEN)));
    if right { Ok(()) } else { Err(Failure::wrong_token()) }
}
