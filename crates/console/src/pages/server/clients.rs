//! The clients of a server: who would be refused, by whom that was seen, and what would have to change.

use crate::view::{Badge, Timeline, When, count, plural};
use hostssl_census::{
    Backend, CensusReport, CensusVerdict, Client, EarlierClient, EarlierFate, Fix, Interval, KeptCensus, RefusedClient,
    Requirements, Restriction, SessionTls, Source,
};
use hostssl_store::CensusEntry;

/// Clients on a page: those that enforcement would refuse come first.
const SHOWN: usize = 200;
/// Clients that are named before a change.
const NAMED: usize = 5;

/// What is known of the clients of a server.
pub(super) struct Clients {
    pub(super) badge: Badge,
    pub(super) reason: String,
    /// When the newest look was.
    pub(super) looked: When,
    /// From the first thing that was observed to the last.
    pub(super) window: Option<(When, When)>,
    pub(super) counts: Vec<(&'static str, String)>,
    pub(super) timeline: Option<Timeline>,
    pub(super) rows: Vec<ClientRow>,
    pub(super) more: usize,
    /// Clients that the server refused because they did not use TLS.
    pub(super) refused: Vec<RefusedRow>,
    /// Of how many more there is no row, and how many attempts are of clients that are not listed.
    pub(super) more_refused: (usize, u64),
    pub(super) sources: Vec<(String, &'static str, Vec<String>)>,
}

pub(super) struct ClientRow {
    pub(super) who: String,
    pub(super) application: Option<String>,
    pub(super) address: Option<String>,
    pub(super) badge: Badge,
    pub(super) version: Option<String>,
    pub(super) doubt: Option<&'static str>,
    /// What became of it, if it was last seen before the window; and when it was seen with TLS since.
    pub(super) fate: Option<(&'static str, Option<When>)>,
    pub(super) first: Option<When>,
    pub(super) last: Option<When>,
    pub(super) sightings: String,
    /// The driver, as its application name suggests, and the change that it needs.
    pub(super) fix: Option<(&'static str, &'static str)>,
}

/// A client that tried in vain.
pub(super) struct RefusedRow {
    pub(super) who: String,
    pub(super) address: Option<String>,
    pub(super) attempts: String,
    pub(super) first: Option<When>,
    pub(super) last: Option<When>,
    /// Whether the same user has connected from there with TLS since.
    pub(super) connected_since: bool,
}

/// Who would be refused, in short, beside a switch.
pub(super) struct Refused {
    pub(super) badge: Badge,
    pub(super) reason: String,
    pub(super) named: Vec<String>,
    pub(super) more: usize,
}

fn requirements(now_ms: i64) -> Requirements {
    Requirements { now: Some(now_ms), ..Requirements::default() }
}

impl Clients {
    pub(super) fn of(kept: &KeptCensus, now_ms: i64) -> Self {
        let report = kept.judge(requirements(now_ms), None);
        let (open, others): (Vec<EarlierClient>, Vec<EarlierClient>) =
            kept.earlier(requirements(now_ms), None).into_iter().partition(|one| one.fate == EarlierFate::Unknown);
        let number = |tls: SessionTls| report.clients.iter().filter(|client| client.tls == tls).count() as u64;
        let counts = [
            ("in plaintext", SessionTls::Plaintext),
            ("unknown", SessionTls::Unknown),
            ("with TLS", SessionTls::Tls),
            ("local", SessionTls::Local),
        ];
        let counts = counts.into_iter().map(|(words, tls)| (words, count(number(tls))));
        let missed = Some(open.len() as u64).filter(|missed| *missed > 0);
        let counts = counts.chain(missed.map(|missed| ("earlier, not observed since", count(missed))));
        let CensusReport { verdict, reason, window, sources, clients, .. } = &report;
        let observed: Vec<Interval> = sources.iter().flat_map(|source| source.coverage.spans()).collect();
        Self {
            badge: (*verdict).into(),
            reason: crate::reply::sentence(reason),
            looked: When(kept.looked_at()),
            window: window.map(|window| (When(window.from), When(window.to))),
            counts: counts.collect(),
            timeline: Timeline::of(&kept.timeline(), &observed),
            more: (clients.len() + open.len() + others.len()).saturating_sub(SHOWN),
            rows: rows(clients, &open, &others),
            refused: report.refused.iter().take(SHOWN).map(RefusedRow::from).collect(),
            more_refused: (report.refused.len().saturating_sub(SHOWN), report.refused_unlisted),
            sources: sources.iter().map(source_row).collect(),
        }
    }
}

/// Those who would be refused, those who may be, then the others; and of these last those who were seen before the window.
/// So the table has everyone who is in the chart above it in plaintext.
fn rows(clients: &[Client], unknown: &[EarlierClient], others: &[EarlierClient]) -> Vec<ClientRow> {
    let is_open = |client: &&Client| matches!(client.tls, SessionTls::Plaintext | SessionTls::Unknown);
    let now = |open: bool| clients.iter().filter(move |client| is_open(client) == open).map(ClientRow::from);
    let earlier = |some: &'_ [EarlierClient]| some.iter().map(ClientRow::from).collect::<Vec<_>>();
    now(true).chain(earlier(unknown)).chain(now(false)).chain(earlier(others)).take(SHOWN).collect()
}

impl From<&EarlierClient> for ClientRow {
    fn from(earlier: &EarlierClient) -> Self {
        let row = Self::from(&earlier.client);
        match earlier.fate {
            EarlierFate::Unknown => Self { fate: Some(("not observed since", None)), ..row },
            EarlierFate::WithTls(at) => {
                Self { badge: WAS_PLAINTEXT, fate: Some(("with TLS since, last", Some(When(at)))), fix: None, ..row }
            }
            EarlierFate::Gone => {
                Self { badge: WAS_PLAINTEXT, fate: Some(("absent for more than 35 days", None)), fix: None, ..row }
            }
        }
    }
}

/// What was known of a client until newer evidence replaced it.
const WAS_PLAINTEXT: Badge = Badge { class: "none", shape: "–", word: "not with TLS" };

impl Refused {
    /// What enforcing would refuse, as far as is known; without a census, that it is not known.
    pub(super) fn of(kept: Option<&KeptCensus>, now_ms: i64) -> Self {
        let Some(kept) = kept else {
            let reason = "No client of this server has been observed.".to_owned();
            return Self { badge: NOT_OBSERVED, reason, named: Vec::new(), more: 0 };
        };
        let report = kept.impact(Restriction::RequireTls, requirements(now_ms), None);
        let named = report.clients.iter().take(NAMED).map(|client| {
            let from = client.address.as_ref().map(|address| format!(" from {address}")).unwrap_or_default();
            let with = client.application.as_ref().map(|name| format!(", {name}")).unwrap_or_default();
            format!("{}{with}{from}", who(client))
        });
        Self {
            badge: report.verdict.into(),
            reason: crate::reply::sentence(&report.reason),
            named: named.collect(),
            more: report.clients.len().saturating_sub(NAMED),
        }
    }
}

/// Clients were not observed, or not for long enough.
const NOT_OBSERVED: Badge = Badge { class: "unknown", shape: "?", word: "not observed enough" };

impl From<CensusVerdict> for Badge {
    fn from(verdict: CensusVerdict) -> Self {
        match verdict {
            CensusVerdict::Breaks => Self { class: "no", shape: "✕", word: "clients would be refused" },
            CensusVerdict::NeedsObservation => NOT_OBSERVED,
            CensusVerdict::Safe => Self { class: "yes", shape: "✓", word: "safe to enforce" },
        }
    }
}

/// What a list says of the clients of a server.
pub(crate) fn in_short(entry: Option<&CensusEntry>) -> (Badge, String) {
    match entry {
        None => (NOT_OBSERVED, String::new()),
        Some(entry) if entry.verdict == CensusVerdict::Breaks => {
            (Badge { word: "in plaintext", ..entry.verdict.into() }, plural(entry.plaintext, "client"))
        }
        Some(entry) => (entry.verdict.into(), String::new()),
    }
}

fn who(client: &Client) -> String {
    who_of(client.user.as_deref(), client.database.as_deref(), client.backend)
}

fn who_of(user: Option<&str>, database: Option<&str>, backend: Backend) -> String {
    let user = user.unwrap_or("unknown user");
    match database {
        Some(database) => format!("{user} on {database}"),
        None if backend == Backend::Replication => format!("{user}, replication"),
        None => user.to_owned(),
    }
}

impl From<&RefusedClient> for RefusedRow {
    fn from(refused: &RefusedClient) -> Self {
        let more = if refused.is_estimate { "about " } else { "" };
        Self {
            who: who_of(refused.user.as_deref(), refused.database.as_deref(), refused.backend),
            address: refused.address.clone(),
            attempts: format!("{more}{}", count(refused.attempts)),
            first: refused.first_seen.map(When),
            last: refused.last_seen.map(When),
            connected_since: refused.has_connected_since,
        }
    }
}

impl From<&Client> for ClientRow {
    fn from(client: &Client) -> Self {
        let (class, shape, word) = match client.tls {
            SessionTls::Plaintext => ("no", "✕", "plaintext"),
            SessionTls::Unknown => ("unknown", "?", "unknown"),
            SessionTls::Tls => ("yes", "✓", "TLS"),
            SessionTls::Local => ("none", "–", "local"),
        };
        let more = if client.is_estimate { "about " } else { "" };
        Self {
            who: who(client),
            application: client.application.clone(),
            address: client.address.clone(),
            badge: Badge { class, shape, word },
            version: client.lowest_protocol.clone(),
            doubt: client.doubt.map(hostssl_census::Doubt::explanation),
            fate: None,
            first: client.first_seen.map(When),
            last: client.last_seen.map(When),
            sightings: format!("{more}{}", count(client.sightings)),
            fix: Fix::of(client).map(|fix| (fix.driver.title(), fix.change.require)),
        }
    }
}

fn source_row(source: &Source) -> (String, &'static str, Vec<String>) {
    let sees = if source.is_complete { "every connection" } else { "some connections" };
    (source.name.clone(), sees, source.missing.iter().map(|missing| crate::reply::sentence(&missing.detail)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_observed_is_never_safe() {
        assert_eq!(Refused::of(None, 0).badge.class, "unknown");
        assert_eq!(Refused::of(Some(&KeptCensus::default()), 0).badge.class, "unknown");
        assert_eq!(in_short(None).0.class, "unknown");
        assert_eq!(Badge::from(CensusVerdict::NeedsObservation).class, "unknown");
        let empty = Clients::of(&KeptCensus::default(), 0);
        assert!(empty.badge.class == "unknown" && empty.rows.is_empty() && empty.timeline.is_none());
    }
}
