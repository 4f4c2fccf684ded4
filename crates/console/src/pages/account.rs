//! Signing in and out, links for others, and the theme.

use crate::guard::{Fields, Session, session_cookie};
use crate::reply::{Failure, page, see_other};
use crate::state::Shared;
use crate::view::{Shell, theme_cookie};
use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, Method};
use axum::response::Response;
use serde::Deserialize;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Link {
    token: String,
}

#[derive(Template)]
#[template(path = "signed_in.html")]
struct SignedIn {
    shell: Shell,
}

#[derive(Template)]
#[template(path = "link.html")]
struct NewLink {
    shell: Shell,
    path: String,
}

/// Uses up a link. The answer is a page that goes on by itself and no redirect: browsers keep a SameSite=Strict cookie
/// back when a redirect goes on from another site's link, such as one in a chat.
pub(crate) async fn sign_in(
    State(shared): State<Shared>,
    method: Method,
    headers: HeaderMap,
    super::Asked(link): super::Asked<Link>,
) -> Result<Response, Failure> {
    if method == Method::HEAD || is_ahead(&headers) {
        return Err(Failure::signed_out());
    }
    let secret = shared.sessions.sign_in(&link.token).ok_or_else(Failure::used_link)?;
    let mut response = page(&SignedIn { shell: Shell::bare("Signed in".to_owned()) })?;
    let cookie = session_cookie(&shared.options, shared.port, &secret).ok_or_else(Failure::defect)?;
    response.headers_mut().append(SET_COOKIE, cookie);
    Ok(response)
}

/// Whether the browser asks before anybody has opened the link (W3C, Prefetch, `Sec-Purpose`; older ones say `Purpose`).
fn is_ahead(headers: &HeaderMap) -> bool {
    ["sec-purpose", "purpose", "x-moz"]
        .iter()
        .flat_map(|name| headers.get_all(*name))
        .any(|value| value.as_bytes().starts_with(b"prefetch"))
}

/// Ends the session.
pub(crate) async fn sign_out(State(shared): State<Shared>, Extension(session): Extension<Session>) -> Response {
    shared.sessions.end(&session);
    let mut response = see_other("/");
    if let Some(cookie) = session_cookie(&shared.options, shared.port, "") {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    response
}

/// Makes a link for another browser.
pub(crate) async fn link(
    State(shared): State<Shared>,
    Extension(session): Extension<Session>,
    shell: Shell,
) -> Result<Response, Failure> {
    // Whoever signs in elsewhere by it would have no name.
    if session.by_proxy() {
        return Err(Failure::not_found());
    }
    let token = shared.sessions.new_link().map_err(|_| Failure::defect())?;
    page(&NewLink { shell: shell.titled("Sign in elsewhere", ""), path: format!("/sign-in?token={token}") })
}

/// Remembers a theme and goes back.
pub(crate) async fn theme(Extension(fields): Extension<Fields>) -> Response {
    let back = fields.value("here");
    // A path of this console, and not another host by `//` or `/\`.
    let harmless = |c: char| c.is_ascii_graphic() && c != '\\';
    let ours = back.starts_with('/') && !back.starts_with("//") && back.chars().all(harmless);
    let mut response = see_other(if ours { back } else { "/" });
    response.headers_mut().append(SET_COOKIE, theme_cookie(fields.value("theme")));
    response
}
