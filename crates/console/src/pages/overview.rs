//! Overview: which servers enforce, which do not, which cannot be seen, and what changed.

use super::Row;
use crate::reply::{Failure, page};
use crate::state::Shared;
use crate::view::{Ago, Badge, Bar, Shell, Trend, count, coverage_of, plural, reason_words};
use askama::Template;
use axum::extract::State;
use axum::response::Response;
use hostssl_store::{
    AuditEntry, AuditStore, Enforcement, GapGroup, Page, ServerChange, ServerFilter, ServerSort, StoreError,
};

/// Servers on the overview; the rest is a link away.
const SHOWN: u32 = 8;
/// Runs in the chart.
const RUNS: u32 = 30;

#[derive(Template)]
#[template(path = "overview.html")]
struct Overview {
    shell: Shell,
    latest: Option<Latest>,
}

/// The latest audit and what follows from it.
struct Latest {
    audit: AuditEntry,
    ago: Ago,
    coverage: &'static str,
    figures: [Figure; 3],
    servers: String,
    subscriptions: String,
    bar: Bar,
    trend: Trend,
    not_enforced: Vec<Row>,
    more: u64,
    reasons: Vec<(String, &'static str, String)>,
    gaps: Vec<GapGroup>,
    changes: Option<Changes>,
}

struct Figure {
    badge: Badge,
    number: String,
    enforcement: &'static str,
}

struct Changes {
    previous: AuditEntry,
    listed: Vec<(ServerChange, &'static str, Badge)>,
    more: u64,
}

pub(crate) async fn show(State(shared): State<Shared>, shell: Shell) -> Result<Response, Failure> {
    let latest = shared.ask(look).await?;
    page(&Overview { shell: shell.titled("Overview", "overview"), latest })
}

fn look(store: &AuditStore) -> Result<Option<Latest>, StoreError> {
    let Some(audit) = store.latest()? else { return Ok(None) };
    let filter = ServerFilter { enforcement: Some(Enforcement::NotEnforced), ..ServerFilter::default() };
    let page = store.servers(&audit, &filter, ServerSort::Since, false, Page { number: 0, size: SHOWN })?;
    let facets = store.facets(&audit)?;
    let changes = store.previous(&audit)?.map(|previous| changes(store, &audit, previous)).transpose()?;
    let tally = audit.tally;
    let figure = |enforcement: Enforcement, servers: u64| Figure {
        badge: enforcement.into(),
        number: count(servers),
        enforcement: enforcement.as_str(),
    };
    Ok(Some(Latest {
        ago: Ago::new(audit.started_ms),
        coverage: coverage_of(&audit),
        figures: [
            figure(Enforcement::Enforced, tally.enforced),
            figure(Enforcement::NotEnforced, tally.not_enforced),
            figure(Enforcement::Unknown, tally.unknown),
        ],
        servers: plural(tally.servers(), "server"),
        subscriptions: plural(audit.subscriptions, "subscription"),
        bar: Bar::of(&tally),
        trend: Trend::of(&store.trend(&audit, RUNS)?),
        more: page.total.saturating_sub(page.rows.len() as u64),
        not_enforced: page.rows.into_iter().map(Row::from).collect(),
        reasons: facets
            .reasons
            .iter()
            .map(|(reason, servers)| (reason.clone(), words_of(reason), count(*servers)))
            .collect(),
        // What of whole subscriptions was not seen; the servers are counted by their own reasons.
        gaps: store.gap_groups(&audit)?.into_iter().filter(|gap| is_of_a_place(&gap.scope)).collect(),
        changes,
        audit,
    }))
}

/// The words of a reason that this version knows.
fn words_of(reason: &str) -> &'static str {
    hostssl_model::Reason::from_code(reason).map_or("not known to this version", |reason| reason_words(reason.as_str()))
}

/// Whether the id is not that of a server.
fn is_of_a_place(scope: &str) -> bool {
    !scope.to_ascii_lowercase().contains("/providers/")
}

fn changes(store: &AuditStore, audit: &AuditEntry, previous: AuditEntry) -> Result<Changes, StoreError> {
    let (listed, total) = store.changes(audit, &previous, SHOWN)?;
    let more = total.saturating_sub(listed.len() as u64);
    let listed = listed.into_iter().map(|change| {
        let (words, after) = change_words(&change);
        (change, words, after)
    });
    Ok(Changes { listed: listed.collect(), more, previous })
}

/// A change in words, and what the server is now.
pub(crate) fn change_words(change: &ServerChange) -> (&'static str, Badge) {
    use Enforcement::{Enforced, NotEnforced, Unknown};
    let words = match (change.before, change.after) {
        (Some(_), Some(Enforced)) => "now enforced",
        (Some(_), Some(NotEnforced)) => "switched off",
        (Some(_), Some(Unknown)) => "no longer seen",
        (None, Some(_)) => "new",
        (_, None) => "no longer listed",
    };
    (words, change.after.unwrap_or(Unknown).into())
}
