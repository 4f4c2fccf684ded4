//! Overview: which servers enforce, which do not, which cannot be seen, and what changed.

mod headline;
mod overdue;
mod parts;

use super::plan::left_out_words;
use super::server::in_short;
use super::{Asked, CHANGES, offers_probe};
use crate::elsewhere::{WorkElsewhere, work_elsewhere};
use crate::reply::{Failure, page};
use crate::shared::Shared;
use crate::view::{Ago, Badge, Bar, Shell, Trend, count, plural, reason_words, server_reason_words};
use crate::waivers::WaiverNote;
use askama::Template;
use axum::extract::State;
use axum::response::Response;
use headline::{Beside, Headline, beside, shift};
use hostssl_census::CensusVerdict;
use hostssl_model::{AuditAsked, GapScope, Standing, Standings, Word};
use hostssl_ops::{OtherServers, Readiness};
use hostssl_remediation::RunPhase;
use hostssl_store::{
    AuditEntry, AuditStore, CensusEntry, Facets, Page, PlaceGap, ServerChange, ServerFilter, ServerReason, ServerSort,
    StoreError,
};
use overdue::Overdue;
pub(crate) use parts::tag_link;
use parts::{Breakdown, breakdowns, by_tag, link};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Changes on the overview; the rest is a link away.
const SHOWN: u32 = 8;
/// Servers that are named for each reason why they could not be checked.
const UNSEEN: u32 = 3;
/// Places that could not be read; the rest is on the page of the run.
const PLACES: usize = 6;
/// Runs in the chart.
const RUNS: u32 = 30;

#[derive(Template)]
#[template(path = "overview.html")]
struct Overview {
    shell: Shell,
    overdue: Option<Overdue>,
    elsewhere: Vec<WorkElsewhere>,
    latest: Option<Latest>,
}

/// A run that changed servers after an audit, or has not ended.
pub(crate) struct Overtaken {
    pub(crate) run: String,
    pub(crate) ago: Ago,
    /// Whether it must end before any other may begin.
    pub(crate) open: bool,
    /// Whether it is being restored.
    pub(crate) undoing: bool,
}

/// The present, and what follows from it.
struct Latest {
    audit: AuditEntry,
    /// The answer, in one line.
    answer: String,
    /// How that differs from the previous audit.
    headline: Option<Headline>,
    servers: String,
    subscriptions: String,
    /// Servers that count as an earlier audit saw them, since a later one could not search for them or check everything.
    out_of_sight: u64,
    ago: Ago,
    figures: Vec<Figure>,
    /// Servers that are declared to enforce and not proven to, in words; empty when there is none.
    beside: Vec<Beside>,
    bar: Bar,
    trend: Trend,
    /// The parts of the fleet, the worst first.
    parts: Vec<Breakdown>,
    /// `None` while it is being worked out.
    readiness: Option<Arc<Readiness>>,
    /// Servers that are ready and not named.
    more: u64,
    /// What is known of the clients of the servers that are ready and named, in the same order.
    clients: Vec<(Badge, String)>,
    /// The ready servers by what is known of their clients: words, number, class.
    census: Vec<(&'static str, String, &'static str)>,
    /// What keeps the others that do not enforce from being ready, with those servers.
    not_ready: Vec<(&'static str, &'static str, Unready)>,
    /// Why servers are unknown: all of them, by their own reason.
    reasons: Vec<Reason>,
    /// What else could not be checked of servers whose setting is known.
    also: Vec<Reason>,
    /// The newest audit of some controls alone, if it is no older.
    narrowed: Option<Narrowed>,
    /// The run that changed servers after the audit, and when.
    changed: Option<Overtaken>,
    /// Whether the next audit is offered with a probe.
    probes: bool,
    /// When the last probe was, if this audit made none.
    probed: Option<Ago>,
    /// How many more places there are.
    more_places: usize,
    places: Vec<Place>,
    /// Places of which a list could not be read although nothing was missed there.
    harmless: Vec<Place>,
    unchecked: String,
    changes: Option<Changes>,
    /// What the file of waivers waives, when there is one.
    waivers: Option<WaiverNote>,
}

/// An audit of some controls alone.
struct Narrowed {
    run: String,
    ago: Ago,
    /// Which controls.
    only: String,
}

/// Servers that no plan writes to.
struct Unready {
    servers: String,
    first: Vec<(String, String)>,
    more: u64,
}

/// Why servers could not be checked, and which.
struct Reason {
    link: String,
    words: String,
    servers: String,
    first: Vec<(String, String)>,
    more: bool,
}

struct Figure {
    badge: Badge,
    number: String,
    /// How many more or fewer than in the previous audit, and the class of that.
    shift: Option<(&'static str, String)>,
    standing: Standing,
    /// What that is.
    definition: &'static str,
}

/// A place that could not be read, or not completely.
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
    /// Servers that did not enforce and are out of sight now.
    lost: u64,
}

/// Which tag to break the fleet down by; without one, that which most servers have.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ByTag {
    by: String,
}

pub(crate) async fn show(
    State(shared): State<Shared>,
    Asked(tag): Asked<ByTag>,
    shell: Shell,
) -> Result<Response, Failure> {
    let asker = shared.clone();
    let latest = shared.ask(move |store| look(&asker, store, &tag.by)).await?;
    let newest_ms = latest.as_ref().map(|latest| latest.audit.started_ms);
    let overdue = Overdue::of(newest_ms, jiff::Timestamp::now().as_millisecond(), shared.options.audit_every);
    let mut elsewhere = work_elsewhere(&shared).await?;
    elsewhere.retain(|one| !one.is_silent());
    page(&Overview { shell: shell.titled("Overview", "overview"), overdue, elsewhere, latest })
}

fn look(shared: &Shared, store: &AuditStore, tag: &str) -> Result<Option<Latest>, StoreError> {
    let Some(audit) = store.latest()? else { return Ok(None) };
    let facets = store.facets(&audit)?;
    let readiness = shared.readiness(&audit);
    let changed = changed_after(store, &audit)?;
    let changes = store.previous(&audit)?.map(|previous| changes(store, &audit, previous)).transpose()?;
    let before = changes.as_ref().map(|changes| changes.previous.known_standings());
    // Servers of another scope are no part of what is compared with the audit before.
    let own = store.present_of(&audit)?.standings;
    let lost = changes.as_ref().map_or(0, |changes| changes.lost);
    let places = store.place_gaps(&audit, u32::MAX)?.into_iter().map(Place::from);
    let (mut places, harmless): (Vec<Place>, Vec<Place>) = places.partition(|place| place.missed);
    let standings = audit.standings;
    let unchecked = unchecked(unchecked_servers(&standings, &facets), &places);
    let more_places = places.len().saturating_sub(PLACES);
    places.truncate(PLACES);
    let figure = |standing: Standing| Figure {
        badge: standing.into(),
        number: count(standings.count(standing)),
        shift: before.and_then(|before| shift(standing, &own, &before)),
        standing,
        definition: definition(standing, &audit.asked),
    };
    let past = store.trend(&audit, RUNS)?;
    let since = past.first().map_or(audit.started_ms, |first| first.started_ms);
    let now_ms = jiff::Timestamp::now().as_millisecond();
    let censuses = store.census_entries(now_ms)?;
    Ok(Some(Latest {
        clients: readiness.iter().flat_map(|one| &one.first).map(|one| in_short(censuses.get(&one.key))).collect(),
        census: readiness.as_ref().map(|one| census_of(one, &censuses)).unwrap_or_default(),
        answer: answer(&standings, &audit.asked),
        headline: before.map(|before| Headline::of(&own, &before, lost)),
        servers: plural(standings.servers(), "server"),
        subscriptions: plural(audit.subscriptions, "subscription"),
        out_of_sight: store.out_of_sight(&audit)?,
        ago: Ago::new(audit.started_ms),
        figures: FIGURES.map(figure).into(),
        beside: beside(&standings, &own, before.as_ref()),
        bar: Bar::of(&standings),
        trend: Trend::of(&past, &own, &store.run_marks(since)?, now_ms),
        parts: breakdowns(
            &facets,
            by_tag(&store.tags(&audit)?, tag, &standings),
            standings.servers(),
            now_ms,
            hostssl_ops::expiry_days(&audit),
        ),
        more: readiness.as_ref().map_or(0, |one| one.ready.saturating_sub(one.first.len() as u64)),
        not_ready: readiness.as_ref().map(|one| not_ready(one)).unwrap_or_default(),
        readiness,
        reasons: reasons(store, &audit, &facets.unknown, Some(Standing::Unknown))?,
        also: reasons(store, &audit, &beyond(&facets), None)?,
        narrowed: narrowed_since(store, &audit)?,
        changed,
        probes: offers_probe(store)?,
        probed: last_probe(store, &audit)?.map(Ago::new),
        unchecked,
        more_places,
        places,
        harmless,
        changes,
        waivers: shared.waivers(store, &audit)?.note(),
        audit,
    }))
}

/// Servers that could be enforced as far as their state and settings go, by what is known of their clients.
fn census_of(
    readiness: &Readiness,
    censuses: &BTreeMap<String, CensusEntry>,
) -> Vec<(&'static str, String, &'static str)> {
    let verdicts = || readiness.keys.iter().map(|key| censuses.get(key).map(|entry| entry.verdict));
    let number = |wanted: &dyn Fn(Option<CensusVerdict>) -> bool| verdicts().filter(|one| wanted(*one)).count() as u64;
    let counted = [
        ("safe to enforce", number(&|one| one == Some(CensusVerdict::Safe)), "yes"),
        ("with clients in plaintext", number(&|one| one == Some(CensusVerdict::Breaks)), "no"),
        (
            "whose clients were not observed enough",
            number(&|one| matches!(one, None | Some(CensusVerdict::NeedsObservation))),
            "unknown",
        ),
    ];
    counted
        .into_iter()
        .filter(|(_, servers, _)| *servers > 0)
        .map(|(words, n, class)| (words, count(n), class))
        .collect()
}

/// The four figures, the worst first. What is declared and not proven stands beside the last.
const FIGURES: [Standing; 4] = [Standing::AcceptsPlaintext, Standing::NotEnforced, Standing::Unknown, Standing::Proven];

/// What it means that servers stand there: what an audit did not ask was not looked for in vain.
pub(crate) fn definition(standing: Standing, asked: &AuditAsked) -> &'static str {
    match standing {
        Standing::Unknown if !asked.asks_enforcement() => "The audit did not ask for the setting.",
        standing => standing.definition(),
    }
}

/// The answer to the question that brought the reader here.
fn answer(standings: &Standings, asked: &AuditAsked) -> String {
    let (servers, open) = (standings.servers(), standings.open());
    let of = plural(servers, "server");
    match (open, standings.unknown) {
        (0, 1..) if !asked.asks_enforcement() => {
            format!("Only {} was checked; whether {of} enforce TLS was not asked", asked.only_words())
        }
        _ if servers == 0 => "No PostgreSQL server was found".to_owned(),
        (0, 0) if standings.proven == servers => format!("All {of} enforce TLS, proven by probes"),
        (0, 0) => format!("All {of} are declared to enforce TLS"),
        (0, unknown) => format!("No server is known to accept plaintext; {} unknown", count(unknown)),
        (open, _) => format!("{} of {of} {} not enforce TLS", count(open), if open == 1 { "does" } else { "do" }),
    }
}

/// The newest audit, if it was asked for some controls alone: what it says of those stands beside what the others found.
fn narrowed_since(store: &AuditStore, audit: &AuditEntry) -> Result<Option<Narrowed>, StoreError> {
    let (newest, _) = store.audits(Page { number: 0, size: 1 })?;
    let narrowed = newest.into_iter().find(|one| one.asked.is_narrowed() && one.started_ms >= audit.started_ms);
    Ok(narrowed.map(|one| Narrowed { ago: Ago::new(one.started_ms), only: one.asked.only_words(), run: one.id }))
}

/// When servers were last probed, in milliseconds since 1970-01-01T00:00:00Z, if the newest audit did not.
fn last_probe(store: &AuditStore, audit: &AuditEntry) -> Result<Option<i64>, StoreError> {
    let probed = store.newest_probe()?;
    Ok(probed.filter(|at_ms| *at_ms < audit.started_ms))
}

/// A reason, and how many servers have it.
type CountedReason = (Word<ServerReason>, u64);

/// Reasons of servers whose setting is known: a comparison or a probe that was not possible.
fn beyond(facets: &Facets) -> Vec<CountedReason> {
    let unknown = |reason: &Word<ServerReason>| {
        facets.unknown.iter().find(|(one, _)| one == reason).map_or(0, |(_, servers)| *servers)
    };
    let rest = facets.reasons.iter().map(|(one, servers)| (one.clone(), servers.saturating_sub(unknown(one))));
    rest.filter(|(_, servers)| *servers > 0).collect()
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
    let unready = |others: &OtherServers| Unready {
        servers: plural(others.servers, "server"),
        first: others.first.clone(),
        more: others.servers.saturating_sub(others.first.len() as u64),
    };
    let manual = ("set manually", "hostssl cannot change such clusters", &readiness.manual);
    let left_out = readiness.left_out.iter().map(|(reason, others)| (left_out_words(*reason), "", others));
    std::iter::once(manual)
        .filter(|(.., others)| others.servers > 0)
        .chain(left_out)
        .map(|(words, why, others)| (words, why, unready(others)))
        .collect()
}

/// The reasons, each with the first servers that it is about; with a standing, those that stand there.
fn reasons(
    store: &AuditStore,
    audit: &AuditEntry,
    counted: &[CountedReason],
    standing: Option<Standing>,
) -> Result<Vec<Reason>, StoreError> {
    let standings: Vec<Standing> = match standing {
        Some(one) => vec![one],
        None => Standing::ALL.into_iter().filter(|one| *one != Standing::Unknown).collect(),
    };
    let named = |reason: &Word<ServerReason>| -> Result<Vec<(String, String)>, StoreError> {
        let filter =
            ServerFilter { reason: Some(reason.clone()), standings: standings.clone(), ..ServerFilter::default() };
        let rows = store.servers(audit, &filter, ServerSort::Name, false, Page { number: 0, size: UNSEEN })?.rows;
        Ok(rows.into_iter().map(|row| (row.key, row.name)).collect())
    };
    let reason = |(reason, servers): &CountedReason| {
        let first = named(reason)?;
        let mut fields = vec![("reason", reason.as_str())];
        fields.extend(standing.map(|one| ("standing", one.as_str())));
        Ok(Reason {
            words: marked(reason, server_reason_words(reason)),
            servers: count(*servers),
            more: *servers > first.len() as u64,
            first,
            link: link(&fields),
        })
    };
    counted.iter().map(reason).collect()
}

/// The words of a reason; of one that this version does not know, with a note of that.
fn marked<T>(reason: &Word<T>, words: &str) -> String {
    match reason {
        Word::Known(_) => words.to_owned(),
        Word::Other(word) => format!("{word}, not known to this version"),
    }
}

impl Latest {
    /// Reasons with the words above them.
    fn unchecked_servers(&self) -> [(&'static str, &[Reason]); 2] {
        [("The setting could not be read", &self.reasons), ("The setting is known, but", &self.also)]
    }
}

impl From<PlaceGap> for Place {
    fn from(gap: PlaceGap) -> Self {
        let is_subscription = matches!(gap.scope, GapScope::Subscription(_));
        let name = match (gap.name, gap.scope) {
            (Some(name), _) => name,
            (None, GapScope::AllSubscriptions) => "All subscriptions".to_owned(),
            (None, scope) => scope.to_string(),
        };
        // Azure's own words are long; the run's page has them.
        let what = match gap.count {
            1 => marked(&gap.reason, reason_words(&gap.reason)),
            count => format!("{count} lists cannot be read"),
        };
        let missed = gap.reason.known().is_none_or(hostssl_model::Reason::leaves_incomplete);
        Self { name, what, permissions: gap.permissions, missed, is_subscription }
    }
}

/// Servers of which something could not be checked, as the command line counts them: the setting, a probe or a comparison.
fn unchecked_servers(standings: &Standings, facets: &Facets) -> u64 {
    let sum = |reasons: &[CountedReason]| reasons.iter().map(|(_, servers)| *servers).sum::<u64>();
    // An unknown server says why; one that does not is counted all the same.
    sum(&facets.reasons) + standings.unknown.saturating_sub(sum(&facets.unknown))
}

/// What could not be checked, in one phrase.
fn unchecked(servers: u64, places: &[Place]) -> String {
    let missed = |subscription: bool| {
        places.iter().filter(|place| place.missed && place.is_subscription == subscription).count() as u64
    };
    let found = [(servers, "server"), (missed(true), "subscription"), (missed(false), "other place")]
        .into_iter()
        .filter(|(number, _)| *number > 0);
    found.map(|(number, noun)| plural(number, noun)).collect::<Vec<_>>().join(" and ")
}

fn changes(store: &AuditStore, audit: &AuditEntry, previous: AuditEntry) -> Result<Changes, StoreError> {
    let (mut listed, total) = store.changes(audit, &previous, CHANGES)?;
    listed.truncate(SHOWN as usize);
    let more = total.saturating_sub(listed.len() as u64);
    let listed = listed.into_iter().map(|change| {
        let (words, after) = change_words(&change);
        (change, words, after)
    });
    Ok(Changes { listed: listed.collect(), more, lost: store.lost_sight(audit, &previous)?, previous })
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
