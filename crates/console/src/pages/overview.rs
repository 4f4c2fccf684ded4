//! Overview: which servers enforce, which do not, which cannot be seen, and what changed.

use super::{CHANGES, Row};
use crate::reply::{Failure, page};
use crate::state::Shared;
use crate::view::{Ago, Badge, Bar, Shell, Trend, count, coverage_of, plural, reason_words};
use askama::Template;
use axum::extract::State;
use axum::response::Response;
use hostssl_store::{
    AuditEntry, AuditStore, Enforcement, Page, PlaceGap, ServerChange, ServerFilter, ServerSort, StoreError,
};

/// Servers on the overview; the rest is a link away.
const SHOWN: u32 = 8;
/// Places that were not seen; the rest is on the run's page.
const PLACES: u32 = 6;
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
    not_enforced: Vec<(Ago, Row)>,
    more: u64,
    reasons: Vec<(String, &'static str, String)>,
    places: Vec<Place>,
    unseen: String,
    changes: Option<Changes>,
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
    let latest = shared.ask(look).await?;
    page(&Overview { shell: shell.titled("Overview", "overview"), latest })
}

fn look(store: &AuditStore) -> Result<Option<Latest>, StoreError> {
    let Some(audit) = store.latest()? else { return Ok(None) };
    let filter = ServerFilter { enforcement: Some(Enforcement::NotEnforced), ..ServerFilter::default() };
    let page = store.servers(&audit, &filter, ServerSort::Since, false, Page { number: 0, size: SHOWN })?;
    let facets = store.facets(&audit)?;
    let changes = store.previous(&audit)?.map(|previous| changes(store, &audit, previous)).transpose()?;
    let places: Vec<Place> = store.place_gaps(&audit, PLACES)?.into_iter().map(Place::from).collect();
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
        not_enforced: page.rows.into_iter().map(|row| (Ago::new(row.since_ms), Row::from(row))).collect(),
        reasons: facets
            .reasons
            .iter()
            .map(|(reason, servers)| (reason.clone(), words_of(reason), count(*servers)))
            .collect(),
        unseen: unseen(audit.summary.unknown, &places),
        places,
        changes,
        audit,
    }))
}

/// The words of a reason that this version knows.
fn words_of(reason: &str) -> &'static str {
    hostssl_model::Reason::from_code(reason).map_or("not known to this version", |reason| reason_words(reason.as_str()))
}

impl From<PlaceGap> for Place {
    fn from(gap: PlaceGap) -> Self {
        let is_subscription = gap.scope.to_ascii_lowercase().starts_with("/subscriptions/");
        let name = match (gap.name, gap.scope.as_str()) {
            (Some(name), _) => name,
            (None, "/subscriptions") => "All subscriptions".to_owned(),
            (None, scope) => scope.to_owned(),
        };
        // Azure's own words come behind a colon, and are long; the run's page has them.
        let first = gap.detail.split(": ").next().unwrap_or_default();
        let what = match gap.count {
            1 => first.to_owned(),
            count => format!("{count} lists cannot be read"),
        };
        Self { name, what, permissions: gap.permissions, missed: gap.reason != "not-offered", is_subscription }
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
