//! Signing in and out, links for others, and the theme.

use crate::guard::{Fields, Session, session_cookie};
use crate::reply::{Failure, page, see_other};
use crate::state::Shared;
use crate::view::{Shell, theme_cookie};
use askama::Template;
use axum::Extension;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::header::SET_COOKIE;
use axum::response::Response;
use serde::Deserialize;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Link {
    token: String,
}

/// The largest form with a token, in bytes.
const MAX_FORM: usize = 4 << 10;

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage {
    shell: Shell,
    token: String,
    allow_changes: bool,
}

#[derive(Template)]
#[template(path = "link.html")]
struct NewLink {
    shell: Shell,
    path: String,
}

/// The page that a link leads to. Whatever fetches links ahead of people, such as mail scanners and chats, gets this page:
/// only its button uses the link up.
pub(crate) async fn ask_to_sign_in(
    State(shared): State<Shared>,
    super::Asked(link): super::Asked<Link>,
) -> Result<Response, Failure> {
    if !shared.sessions.is_open(&link.token) {
        return Err(Failure::used_link());
    }
    let shell = Shell::bare("Sign in".to_owned());
    page(&SignInPage { shell, token: link.token, allow_changes: shared.options.allow_changes })
}

/// Uses up a link. The form is this console's own page, so that browsers send the SameSite=Strict cookie with the redirect.
pub(crate) async fn sign_in(State(shared): State<Shared>, request: Request) -> Result<Response, Failure> {
    let bytes = to_bytes(request.into_body(), MAX_FORM).await.map_err(|_| Failure::too_large())?;
    let fields = Fields::read(&bytes);
    let secret = shared.sessions.sign_in(fields.value("token")).ok_or_else(Failure::used_link)?;
    let cookie = session_cookie(&shared.options, shared.port, &secret).ok_or_else(Failure::defect)?;
    let mut response = see_other("/");
    response.headers_mut().append(SET_COOKIE, cookie);
    Ok(response)
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
