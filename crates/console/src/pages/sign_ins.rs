//! Who is signed in, links for others, and the end of sessions.

use super::account::NewLink;
use super::{Asked, PageQuery, Paging};
use crate::guard::session_store::SessionStore;
use crate::guard::{Fields, Session, SessionUser, is_name};
use crate::reply::{Failure, page, see_other};
use crate::shared::Shared;
use crate::user_role::Role;
use crate::view::{Ago, Shell};
use askama::Template;
use axum::Extension;
use axum::extract::{Path, State};
use axum::response::Response;

/// Sessions on a page.
const SIZE: usize = 50;

#[derive(Template)]
#[template(path = "sessions.html")]
struct SessionsPage {
    shell: Shell,
    rows: Vec<SessionRow>,
    /// The page of the list, from 0.
    number: u32,
    paging: Paging,
    roles: Vec<Role>,
    /// Whether there are links at all: behind a proxy that signs people in there are none.
    links: bool,
}

struct SessionRow {
    id: String,
    person: String,
    role: Role,
    by_proxy: bool,
    began: Ago,
    used: Ago,
    own: bool,
    /// Whether its person may be at this console, and at which others is not known here.
    admitted: bool,
}

/// Everyone who is signed in.
pub(crate) async fn list(
    State(shared): State<Shared>,
    Extension(session): Extension<Session>,
    Asked(query): Asked<PageQuery>,
    shell: Shell,
) -> Result<Response, Failure> {
    let row = |one: &Session, admitted| SessionRow {
        id: one.id().to_owned(),
        person: one.person().to_owned(),
        role: one.role(),
        by_proxy: one.by_proxy(),
        began: Ago::new(one.began_ms()),
        used: Ago::new(one.used_ms()),
        own: one.id() == session.id(),
        admitted,
    };
    let all = shared.ask_sessions(SessionStore::all).await?;
    // Where sessions have ended meanwhile, the page may be beyond the last one.
    let last = all.len().saturating_sub(1) / SIZE;
    let number = usize::try_from(query.page).map_or(last, |page| page.min(last));
    let shown = all.iter().skip(number * SIZE).take(SIZE);
    let rows = shown.map(|one| row(one, shared.sessions.holds(one))).collect();
    let (number, size) = (u32::try_from(number).unwrap_or(u32::MAX), u32::try_from(SIZE).unwrap_or(u32::MAX));
    let paging = Paging::new(number, size, all.len() as u64, |page| format!("/sessions?page={page}"));
    // With several approvals, those who approve are named at the start.
    let is_open = |role: &Role| *role < Role::Approver || shared.options.approvals < 2;
    let roles = Role::ALL.into_iter().filter(is_open).collect();
    page(&SessionsPage { shell: shell.titled("Sessions", ""), rows, number, paging, roles, links: !session.by_proxy() })
}

/// Makes a link for someone, with a name and a role.
pub(crate) async fn invite(
    State(shared): State<Shared>,
    Extension(session): Extension<Session>,
    Extension(fields): Extension<Fields>,
    shell: Shell,
) -> Result<Response, Failure> {
    // Where a proxy signs people in, it says who they are.
    if session.by_proxy() {
        return Err(Failure::not_found());
    }
    let name = fields.value("name").trim();
    let role = fields.value("role").parse().map_err(|_| Failure::bad_form())?;
    if !is_name(name) {
        return Err(Failure::bad_name().leading_to("/sessions", "Sessions"));
    }
    // Approvals and the journal record the name: it must not mean two people, or one with two roles.
    // An approver who could invite others could approve in their names.
    if shared.options.approvals > 1 && role == Role::Approver {
        return Err(Failure::approvers_are_named().leading_to("/sessions", "Sessions"));
    }
    let asked = name.to_owned();
    let held = shared.ask_sessions(move |sessions| sessions.roles_of(&asked)).await?;
    if let Some(other) = held.into_iter().find(|one| *one != role) {
        return Err(Failure::name_in_use(name, other).leading_to("/sessions", "Sessions"));
    }
    let identity = SessionUser::named(name, role);
    tracing::info!(person = session.person(), invited = name, %role, "made a sign-in link");
    page(&NewLink::of(&shared, shell, identity, &session).await?)
}

/// Ends a session, perhaps the own one, and the links that would bring its person back.
pub(crate) async fn end(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    Extension(fields): Extension<Fields>,
) -> Result<Response, Failure> {
    shared.ask_sessions(move |sessions| sessions.end(&id)).await?;
    let page = fields.value("page").parse().unwrap_or(0_u32);
    Ok(see_other(&if page > 0 { format!("/sessions?page={page}") } else { "/sessions".to_owned() }))
}
