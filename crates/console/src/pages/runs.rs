//! Runs: every audit that is kept, and the way to a new one.

use super::{Asked, Paging};
use crate::guard::Session;
use crate::live::Live;
use crate::reply::{Failure, page, see_other};
use crate::state::Shared;
use crate::view::{Bar, Shell, When, count, coverage_of, length};
use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use hostssl_store::{AuditEntry, Page};
use serde::Deserialize;

/// Rows on a page.
const SIZE: u32 = 50;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Numbered {
    page: u32,
}

#[derive(Template)]
#[template(path = "runs.html")]
struct Runs {
    shell: Shell,
    runs: Vec<RunRow>,
    paging: Paging,
}

struct RunRow {
    audit: AuditEntry,
    at: When,
    bar: Bar,
    enforced: String,
    not_enforced: String,
    unknown: String,
    coverage: &'static str,
    length: String,
    scope: String,
    people: String,
}

pub(crate) async fn list(
    State(shared): State<Shared>,
    Asked(numbered): Asked<Numbered>,
    shell: Shell,
) -> Result<Response, Failure> {
    let (audits, total) = shared.ask(move |store| store.audits(Page { number: numbered.page, size: SIZE })).await?;
    let paging = Paging::new(numbered.page, SIZE, total, |page| format!("/runs?page={page}"));
    page(&Runs { shell: shell.titled("Runs", "runs"), runs: audits.into_iter().map(RunRow::from).collect(), paging })
}

/// Starts an audit. An audit reads Azure and changes no server.
pub(crate) async fn start(State(shared): State<Shared>, Extension(session): Extension<Session>) -> Response {
    see_other(&format!("/runs/{}", Live::start(&shared, session.person()).id))
}

impl From<AuditEntry> for RunRow {
    fn from(audit: AuditEntry) -> Self {
        Self {
            at: When(audit.started_ms),
            bar: Bar::of(&audit.tally),
            enforced: count(audit.tally.enforced),
            not_enforced: count(audit.tally.not_enforced),
            unknown: count(audit.tally.unknown),
            coverage: coverage_of(&audit),
            length: length(&audit.started_at, &audit.finished_at),
            scope: scope_words(&audit),
            people: audit.principals.iter().map(|one| one.name.as_str()).collect::<Vec<_>>().join(", "),
            audit,
        }
    }
}

/// Where an audit looked, in words.
pub(crate) fn scope_words(audit: &AuditEntry) -> String {
    let scope = &audit.scope;
    let parts = [
        ("management group", &scope.management_groups),
        ("subscription", &scope.subscriptions),
        ("resource group", &scope.resource_groups),
        ("server", &scope.servers),
    ];
    let told = parts.into_iter().filter(|(_, names)| !names.is_empty());
    let told: Vec<String> = told.map(|(what, names)| format!("{what} {}", names.join(", "))).collect();
    if told.is_empty() { "everything visible".to_owned() } else { told.join("; ") }
}

pub(crate) fn no_such_run() -> Failure {
    Failure::nothing_kept(
        "No run of this name is kept here.",
        "It may have been deleted by --retain, or be in another state directory. Look among all runs.",
    )
}
