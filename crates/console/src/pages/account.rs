//! Signing in and out, links for others, and the theme.

use crate::guard::{Fields, Session, SessionUser, session_cookie};
use crate::reply::{Failure, page, see_other};
use crate::shared::Shared;
use crate::user_role::Role;
use crate::view::{Shell, theme_cookie};
use askama::Template;
use axum::Extension;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::header::SET_COOKIE;
use axum::response::{IntoResponse, Response};
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
    person: String,
    role: Role,
    allow_changes: bool,
}

#[derive(Template)]
#[template(path = "link.html")]
pub(super) struct NewLink {
    shell: Shell,
    person: String,
    role: Role,
    /// Whether it is for the one who asked.
    own: bool,
    path: String,
}

impl NewLink {
    /// A new link that signs in this person, made by a session.
    pub(super) async fn of(
        shared: &Shared,
        shell: Shell,
        identity: SessionUser,
        maker: &Session,
    ) -> Result<Self, Failure> {
        let own = identity == *maker.identity();
        let (person, role) = (identity.person().to_owned(), identity.role);
        let maker = maker.clone();
        let token = shared.ask_sessions(move |sessions| sessions.new_link(identity, Some(&maker))).await?;
        let title = if own { "Sign in elsewhere" } else { "Sign-in link" };
        Ok(Self { shell: shell.titled(title, ""), person, role, own, path: format!("/sign-in?token={token}") })
    }
}

/// The page that a link leads to. Whatever fetches links ahead of people, such as mail scanners and chats, gets this page:
/// only its button uses the link up.
pub(crate) async fn ask_to_sign_in(
    State(shared): State<Shared>,
    super::Asked(link): super::Asked<Link>,
) -> Result<Response, Failure> {
    let token = link.token.clone();
    let whose = shared.ask_sessions(move |sessions| sessions.whose(&token)).await?.ok_or_else(Failure::used_link)?;
    page(&SignInPage {
        shell: Shell::bare("Sign in".to_owned()),
        token: link.token,
        person: whose.person().to_owned(),
        role: whose.role,
        allow_changes: shared.options.allow_changes,
    })
}

/// Uses up a link. The form is this console's own page, so that browsers send the SameSite=Strict cookie with the redirect.
pub(crate) async fn sign_in(State(shared): State<Shared>, request: Request) -> Result<Response, Failure> {
    let bytes = to_bytes(request.into_body(), MAX_FORM).await.map_err(|_| Failure::too_large())?;
    let fields = Fields::read(&bytes);
    let token = fields.value("token").to_owned();
    let begun = shared.ask_sessions(move |sessions| sessions.sign_in(&token)).await?;
    let (secret, session) = begun.ok_or_else(Failure::used_link)?;
    let cookie = session_cookie(&shared.options, shared.port, &secret).ok_or_else(Failure::defect)?;
    let mut response = see_other("/");
    response.headers_mut().append(SET_COOKIE, cookie);
    // For the log, and for the connection, which is now someone's.
    response.extensions_mut().insert(session);
    Ok(response)
}

/// Ends the session.
pub(crate) async fn sign_out(State(shared): State<Shared>, Extension(session): Extension<Session>) -> Response {
    let ended = shared.ask_sessions(move |sessions| sessions.sign_out(session.id())).await;
    // Where the state cannot be written, the browser has no session any more all the same, and this console knows none.
    let mut response = ended.map_or_else(IntoResponse::into_response, |()| see_other("/"));
    if let Some(cookie) = session_cookie(&shared.options, shared.port, "") {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    response
}

/// Makes a link for another browser of the same person.
pub(crate) async fn link(
    State(shared): State<Shared>,
    Extension(session): Extension<Session>,
    shell: Shell,
) -> Result<Response, Failure> {
    // The proxy signs people in everywhere.
    if session.by_proxy() {
        return Err(Failure::not_found());
    }
    page(&NewLink::of(&shared, shell, session.identity().clone(), &session).await?)
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
