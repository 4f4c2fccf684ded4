//! Overview: which servers enforce, which do not, which cannot be seen, and what changed.

use super::CHANGES;
use super::plan::left_out_words;
use crate::readiness::{Others, Readiness};
use crate::reply::{Failure, page};
use crate::state::Shared;
use crate::view::{Ago, Badge, Bar, Shell, Trend, count, coverage_of, plural, words_of_reason};
use askama::Template;
use axum::extract::State;
use axum::response::Response;
use hostssl_model::GapScope;
use hostssl_model::Standing;
use hostssl_store::{
    AuditEntry, AuditStore, Enforcement, Facets, Page, PlaceGap, RunPhase, ServerChange, ServerFilter, ServerSort,
    StoreError,
};
use std::sync::Arc;

/// Changes on the overview; the rest is a link away.
const SHOWN: u32 = 8;
/// Servers that are named for each reason why they were not seen.
const UNSEEN: u32 = 3;
/// Places that were not seen; the rest is on the run's page.
const PLACES: usize = 6;
/// Runs in the chart.
const RUNS: u32 = 30;

#[derive(Template)]
#[template(path = "overview.html")]
struct Overview {
    shell: Shell,
    latest: Option<Latest>,
}

/// A run that changed servers after an audit, or has not ended.
pub(crate) struct Overtaken {
    pub(crate) run: String,
    pub(crate) ago: Ago,
    /// Whether it must end before any other may begin.
    pub(crate) open: bool,
    /// Whether it is being put back.
    pub(crate) undoing: bool,
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
    /// `None` while it is being worked out.
    readiness: Option<Arc<Readiness>>,
    /// Servers that are ready and not named.
    more: u64,
    /// What keeps the others that do not enforce from being ready, with those servers.
    not_ready: Vec<(&'static str, &'static str, Unready)>,
    /// Servers that were not seen, by reason.
    reasons: Vec<Reason>,
    /// The run that changed servers after the audit, and when.
    changed: Option<Overtaken>,
    /// Servers that are declared to enforce TLS and do not, as the wire showed.
    contradicted: u64,
    /// How many more there are.
    more_places: usize,
    places: Vec<Place>,
    unseen: String,
    changes: Option<Changes>,
}

/// Servers that no plan writes to.
struct Unready {
    servers: String,
    first: Vec<(String, String)>,
    more: u64,
}

/// Why servers were not seen, and which.
struct Reason {
    code: String,
    words: &'static str,
    servers: String,
    first: Vec<(String, String)>,
    more: bool,
}

struct Figure {
    badge: Badge,
    number: String,
    enforcement: &'static str,
}

/// A place that was not seen, or not whole.
struct Place {
    name: String,
    what: String,
    permissions: Vec<String>,
    /// Whether servers may have been missed.
    missed: bool,
    is_subscription: bool,
}

struct Changes {
    previous: AuditEntry,
    listed: Vec<(ServerChange, &'static str, Badge)>,
    more: u64,
}

pub(crate) async fn show(State(shared): State<Shared>, shell: Shell) -> Result<Response, Failure> {
    let asker = shared.clone();
    let latest = shared.ask(move |store| look(&asker, store)).await?;
    page(&Overview { shell: shell.titled("Overview", "overview"), latest })
}

fn look(shared: &Shared, store: &AuditStore) -> Result<Option<Latest>, StoreError> {
    let Some(audit) = store.latest()? else { return Ok(None) };
    let facets = store.facets(&audit)?;
    let readiness = shared.readiness(&audit);
    let changed = changed_after(store, &audit)?;
    let changes = store.previous(&audit)?.map(|previous| changes(store, &audit, previous)).transpose()?;
    let mut places: Vec<Place> = store.place_gaps(&audit, u32::MAX)?.into_iter().map(Place::from).collect();
    let unseen = unseen(audit.summary.unknown, &places);
    let contradicted = contradicted(store, &audit)?;
    let more_places = places.len().saturating_sub(PLACES);
    places.truncate(PLACES);
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
        more: readiness.as_ref().map_or(0, |one| one.ready.saturating_sub(one.first.len() as u64)),
        not_ready: readiness.as_ref().map(|one| not_ready(one)).unwrap_or_default(),
        readiness,
        reasons: reasons(store, &audit, &facets)?,
        changed,
        unseen,
        more_places,
        contradicted,
        places,
        changes,
        audit,
    }))
}

/// The run that changed servers last, if that was after the audit began: what the audit says of them is not true any more.
pub(crate) fn changed_after(store: &AuditStore, audit: &AuditEntry) -> Result<Option<Overtaken>, StoreError> {
    let last = match store.unfinished()? {
        Some(run) => Some(run),
        None => store.last_change()?.filter(|run| run.last_at_ms > audit.started_ms),
    };
    Ok(last.map(|run| Overtaken {
        run: run.id.to_string(),
        ago: Ago::new(run.last_at_ms),
        open: run.phase.is_unfinished(),
        undoing: run.phase == RunPhase::Undoing,
    }))
}

fn not_ready(readiness: &Readiness) -> Vec<(&'static str, &'static str, Unready)> {
    let unready = |others: &Others| Unready {
        servers: plural(others.servers, "server"),
        first: others.first.clone(),
        more: others.servers.saturating_sub(others.first.len() as u64),
    };
    let by_hand = ("set by hand", "hostssl writes no setting of such clusters", &readiness.by_hand);
    let left_out = readiness.left_out.iter().map(|(reason, others)| (left_out_words(*reason), "", others));
    std::iter::once(by_hand)
        .filter(|(.., others)| others.servers > 0)
        .chain(left_out)
        .map(|(words, why, others)| (words, why, unready(others)))
        .collect()
}

/// The reasons, each with the first servers that it is about.
fn reasons(store: &AuditStore, audit: &AuditEntry, facets: &Facets) -> Result<Vec<Reason>, StoreError> {
    let named = |code: &String| -> Result<Vec<(String, String)>, StoreError> {
        let filter = ServerFilter { reason: code.clone(), ..ServerFilter::default() };
        let rows = store.servers(audit, &filter, ServerSort::Name, false, Page { number: 0, size: UNSEEN })?.rows;
        Ok(rows.into_iter().map(|row| (row.key, row.name)).collect())
    };
    let reason = |(code, servers): &(String, u64)| {
        let first = named(code)?;
        Ok(Reason {
            words: words_of(code),
            servers: count(*servers),
            more: *servers > first.len() as u64,
            first,
            code: code.clone(),
        })
    };
    facets.reasons.iter().map(reason).collect()
}

/// The words of a reason that this version knows.
fn words_of(reason: &str) -> &'static str {
    hostssl_model::Reason::from_code(reason).map_or("not known to this version", words_of_reason)
}

impl From<PlaceGap> for Place {
    fn from(gap: PlaceGap) -> Self {
        let is_subscription = matches!(gap.scope, GapScope::Subscription(_));
        let name = match (gap.name, gap.scope) {
            (Some(name), _) => name,
            (None, GapScope::AllSubscriptions) => "All subscriptions".to_owned(),
            (None, scope) => scope.to_string(),
        };
        // Azure's own words come behind a colon, and are long; the run's page has them.
        let first = gap.detail.split(": ").next().unwrap_or_default();
        let what = match gap.count {
            1 => first.to_owned(),
            count => format!("{count} lists cannot be read"),
        };
        let missed = gap.reason.known().is_none_or(hostssl_model::Reason::blinds);
        Self { name, what, permissions: gap.permissions, missed, is_subscription }
    }
}

/// What was not seen, in one phrase.
fn unseen(servers: u64, places: &[Place]) -> String {
    let missed = |subscription: bool| {
        places.iter().filter(|place| place.missed && place.is_subscription == subscription).count() as u64
    };
    let told = [(servers, "server"), (missed(true), "subscription"), (missed(false), "other place")]
        .into_iter()
        .filter(|(number, _)| *number > 0);
    told.map(|(number, noun)| plural(number, noun)).collect::<Vec<_>>().join(", ")
}

/// How many of the servers that are declared to enforce TLS let clients in without it, as the audit saw on the wire.
fn contradicted(store: &AuditStore, audit: &AuditEntry) -> Result<u64, StoreError> {
    let mut servers = 0;
    for wire in ["optional", "plaintext-only"] {
        let enforcement = Some(Enforcement::Enforced);
        let filter = ServerFilter { enforcement, wire: wire.to_owned(), ..ServerFilter::default() };
        servers += store.servers(audit, &filter, ServerSort::Name, false, Page { number: 0, size: 1 })?.total;
    }
    Ok(servers)
}

fn changes(store: &AuditStore, audit: &AuditEntry, previous: AuditEntry) -> Result<Changes, StoreError> {
    let (mut listed, total) = store.changes(audit, &previous, CHANGES)?;
    listed.truncate(SHOWN as usize);
    let more = total.saturating_sub(listed.len() as u64);
    let listed = listed.into_iter().map(|change| {
        let (words, after) = change_words(&change);
        (change, words, after)
    });
    Ok(Changes { listed: listed.collect(), more, previous })
}

/// A change in words, and where the server stands now.
pub(crate) fn change_words(change: &ServerChange) -> (&'static str, Badge) {
    let words = match (change.before, change.after) {
        (None, Some(_)) => "new",
        (_, None) => "no longer listed",
        (Some(_), Some(Standing::AcceptsPlaintext)) => "accepts plaintext",
        (Some(Standing::Unknown), Some(Standing::NotEnforced)) => "not enforced",
        (Some(_), Some(Standing::NotEnforced)) => "switched off",
        (Some(_), Some(Standing::Unknown)) => "could not be read",
        (Some(_), Some(_)) => "now enforced",
    };
    (words, change.after.unwrap_or(Standing::Unknown).into())
}
