//! Folds sightings into clients.

use crate::kept::KeptCensus;
use crate::refused::{Refusals, RefusedClient, RefusedKey};
use crate::seed::SeededHash;
use crate::sessions::DailySessions;
use crate::verdict::{CensusEvidence, Unlisted, index, judge};
use crate::{
    Backend, CensusVerdict, Client, Coverage, Doubt, Interval, Millis, Requirements, SessionId, SessionTls, Sighting,
};
use hostssl_pgwire::own_names::OWN_APPLICATION;
use hostssl_pgwire::tls::ProtocolVersion;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};

/// What a source of sightings is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SourceKind {
    /// A log file on disk, or standard input.
    LogFile,
    /// A log file that Resource Manager lists.
    ArmLogFile,
    /// `pg_stat_ssl` and `pg_stat_activity`.
    Sessions,
    /// Azure Monitor.
    LogAnalytics,
    /// `SHOW CLIENTS` of a PgBouncer.
    Pgbouncer,
}

impl SourceKind {
    /// The word in the formats.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LogFile => "log-file",
            Self::ArmLogFile => "arm-log-file",
            Self::Sessions => "sessions",
            Self::LogAnalytics => "log-analytics",
            Self::Pgbouncer => "pgbouncer",
        }
    }
}

/// What a source cannot say, as a stable word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MissingReason {
    /// It holds nothing.
    Empty,
    /// It is not a log of PostgreSQL.
    NotALog,
    /// Connections are not logged.
    LogConnectionsOff,
    /// It could not be read to its end.
    Truncated,
    /// Some of its lines could not be read.
    Damaged,
    /// Some of its lines have another prefix than the one that was given or found.
    MixedPrefixes,
    /// Its lines do not say when they were written.
    NoTime,
    /// Its lines do not say which session they are of.
    NoSession,
    /// The zone of its times is not known; they are read as UTC.
    TimeZone,
    /// Nothing was written for a time.
    Gap,
    /// Lines were too long to be held, and left out.
    LongLines,
    /// What a client chooses as its name can imitate words of the server.
    Imitation,
    /// Sessions that began before and have not ended are not in it.
    OlderSessions,
    /// More clients than are listed.
    MoreClients,
    /// Clients that come and go between two samples are not observed.
    Sampling,
    /// The role may not see all sessions.
    Privilege,
    /// The source could not be reached.
    Unreachable,
    /// The source is turned off.
    Disabled,
    /// The source is kept for a shorter time than it could be.
    ShortRetention,
}

impl MissingReason {
    /// Whether a source with this cannot vouch for having seen every connection.
    #[must_use]
    pub fn blocks(self) -> bool {
        match self {
            Self::NotALog
            | Self::LogConnectionsOff
            | Self::Truncated
            | Self::Damaged
            | Self::MixedPrefixes
            | Self::NoTime
            | Self::NoSession
            | Self::Sampling
            | Self::Privilege
            | Self::Unreachable
            | Self::Disabled => true,
            Self::Empty
            | Self::TimeZone
            | Self::Gap
            | Self::LongLines
            | Self::Imitation
            | Self::OlderSessions
            | Self::MoreClients
            | Self::ShortRetention => false,
        }
    }

    /// Whether lines were written that could not be read, or were left out by the server's settings.
    pub(crate) fn hides_lines(self) -> bool {
        matches!(self, Self::NotALog | Self::LogConnectionsOff | Self::Truncated | Self::Damaged | Self::MixedPrefixes)
    }

    /// The word in the formats.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::NotALog => "not-a-log",
            Self::LogConnectionsOff => "log-connections-off",
            Self::Truncated => "truncated",
            Self::Damaged => "damaged",
            Self::MixedPrefixes => "mixed-prefixes",
            Self::NoTime => "no-time",
            Self::NoSession => "no-session",
            Self::TimeZone => "time-zone",
            Self::Gap => "gap",
            Self::LongLines => "long-lines",
            Self::Imitation => "imitation",
            Self::OlderSessions => "older-sessions",
            Self::MoreClients => "more-clients",
            Self::Sampling => "sampling",
            Self::Privilege => "privilege",
            Self::Unreachable => "unreachable",
            Self::Disabled => "disabled",
            Self::ShortRetention => "short-retention",
        }
    }
}

/// Something that a source cannot say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// The stable word.
    pub reason: MissingReason,
    /// One sentence.
    pub detail: String,
}

/// Where sightings come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// What it is.
    pub kind: SourceKind,
    /// Its name, such as that of the file.
    pub name: String,
    /// In words, what was found out about its format; empty if there is nothing to say.
    pub format: String,
    /// The time that it covers.
    pub coverage: Coverage,
    /// Whether it shows every connection of that time.
    pub is_complete: bool,
    /// What it cannot say.
    pub missing: Vec<Missing>,
}

impl Source {
    /// Whether it is one file among others.
    pub(crate) fn is_file(&self) -> bool {
        matches!(self.kind, SourceKind::LogFile | SourceKind::ArmLogFile)
    }

    /// A source of which nothing is known yet.
    #[must_use]
    pub fn new(kind: SourceKind, name: impl Into<String>) -> Self {
        Self {
            kind,
            name: name.into(),
            format: String::new(),
            coverage: Coverage::default(),
            is_complete: true,
            missing: Vec::new(),
        }
    }

    /// Notes that it lacks something.
    pub fn lacks(&mut self, reason: MissingReason, detail: impl Into<String>) {
        self.is_complete &= !reason.blocks();
        if !self.missing.iter().any(|missing| missing.reason == reason) {
            self.missing.push(Missing { reason, detail: detail.into() });
        }
    }
}

/// Bounds of the memory of a census.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CensusLimits {
    /// Distinct clients that are listed of each state of TLS. The sightings of others are counted.
    pub clients: usize,
}

impl Default for CensusLimits {
    fn default() -> Self {
        Self { clients: 10_000 }
    }
}

/// What makes a client distinct.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    pub(crate) user: Option<String>,
    pub(crate) database: Option<String>,
    pub(crate) application: Option<String>,
    pub(crate) address: Option<String>,
    pub(crate) backend: Backend,
    pub(crate) tls: SessionTls,
}

impl Key {
    /// Whether a session is a login of this program, which always uses TLS, and never a version below 1.2: rustls has none. A client
    /// that has its name, and uses less or what is not known, is a client that may be refused.
    pub(crate) fn is_own(&self, protocol: Option<&str>) -> bool {
        let ours = [ProtocolVersion::Tls12, ProtocolVersion::Tls13].map(ProtocolVersion::name);
        let is_modern = protocol.is_some_and(|protocol| ours.contains(&protocol));
        self.tls == SessionTls::Tls && is_modern && self.application.as_deref() == Some(OWN_APPLICATION)
    }

    /// The names that the end of a session has too.
    pub(crate) fn names(&self) -> SessionNames {
        SessionNames { user: self.user.clone(), database: self.database.clone(), address: self.address.clone() }
    }
}

/// Who is known only by the end of a session.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct SessionNames {
    pub(crate) user: Option<String>,
    pub(crate) database: Option<String>,
    pub(crate) address: Option<String>,
}

/// Everything that was seen of a client.
#[derive(Debug, Default)]
pub(crate) struct ClientSightings {
    pub(crate) first: Option<Millis>,
    pub(crate) last: Option<Millis>,
    sightings: u64,
    pub(crate) sources: Vec<usize>,
    pub(crate) doubt: Option<Doubt>,
    /// The sessions of each day since 1970; those without a time under `None`.
    pub(crate) days: BTreeMap<Option<i64>, DailySessions>,
    /// When each version of TLS was last seen, and with which cipher.
    pub(crate) protocols: BTreeMap<String, (Option<Millis>, Option<String>)>,
}

/// A day, in milliseconds.
pub(crate) const DAY: Millis = 24 * 60 * 60 * 1_000;

/// The clients of one server, as they are found.
#[derive(Debug, Default)]
pub struct Census {
    limits: CensusLimits,
    since: Option<Millis>,
    clients: HashMap<Key, ClientSightings, SeededHash>,
    counts: [usize; 4],
    unlisted: Unlisted,
    /// Sessions of which only the end was seen.
    earlier: HashMap<SessionNames, (Key, ClientSightings)>,
    refused: Refusals,
    sources: Vec<Source>,
}

/// The result of the census of one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CensusReport {
    /// Whether enforcement is safe.
    pub verdict: CensusVerdict,
    /// Why, in one sentence.
    pub reason: String,
    /// From the first thing that was observed to the last.
    pub window: Option<Interval>,
    /// How much of the window was observed.
    pub observed: Millis,
    /// The sources.
    pub sources: Vec<Source>,
    /// The clients, those in plaintext first.
    pub clients: Vec<Client>,
    /// Clients that were last seen before the window, when enforcement would have refused them, or may have, and of which
    /// nothing newer is known. While there are any, nothing is safe.
    pub earlier: Vec<Client>,
    /// Sightings of clients that are not listed, in the order of [`SessionTls::ALL`].
    pub unlisted: [u64; 4],
    /// Clients that the server refused because they did not use TLS, the last one first. They change no verdict.
    pub refused: Vec<RefusedClient>,
    /// Refused attempts of clients that are not listed.
    pub refused_unlisted: u64,
}

impl Census {
    /// An empty census. What was seen before `since` does not count.
    #[must_use]
    pub fn new(limits: CensusLimits, since: Option<Millis>) -> Self {
        Self { limits, since, ..Self::default() }
    }

    /// Adds a source and returns its place.
    pub fn add_source(&mut self, source: Source) -> usize {
        self.sources.push(source);
        self.sources.len() - 1
    }

    /// A source that was added.
    pub fn source_mut(&mut self, place: usize) -> Option<&mut Source> {
        self.sources.get_mut(place)
    }

    /// The sources.
    #[must_use]
    pub fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// Counts a sighting of a source that does not say which session it is of.
    pub fn add(&mut self, source: usize, sighting: Sighting) {
        let id = SessionId::of_process(0, sighting.at);
        self.add_session(source, id, sighting);
    }

    /// Counts a sighting of a source. Where the census is kept, a session that was counted before does not count again.
    pub fn add_session(&mut self, source: usize, id: SessionId, sighting: Sighting) {
        if self.since.is_some_and(|since| sighting.at.is_some_and(|at| at < since)) {
            return;
        }
        let Sighting { user, database, application, address, backend, tls, protocol, cipher, at, doubt } = sighting;
        let key = Key { user, database, application, address, backend, tls };
        if key.is_own(protocol.as_deref()) {
            return;
        }
        let look = Look { source, id, at, protocol, cipher, doubt };
        if doubt == Some(Doubt::BeganBefore) {
            return self.add_earlier(key, look);
        }
        if let Some(seen) = self.clients.get_mut(&key) {
            return seen.again(look);
        }
        let Some(count) = self.counts.get_mut(index(tls)) else { return };
        if *count >= self.limits.clients {
            return self.unlisted.add(tls, at);
        }
        *count += 1;
        self.clients.entry(key).or_default().again(look);
    }

    /// Notes that a session which was counted is still there.
    pub fn add_again(&mut self, source: usize, id: SessionId, sighting: &Sighting) {
        let Sighting { user, database, application, address, backend, tls, .. } = sighting.clone();
        let key = Key { user, database, application, address, backend, tls };
        match self.clients.get_mut(&key) {
            Some(seen) => seen.last = seen.last.max(sighting.at),
            // It is beyond those that are listed, and was counted.
            None if self.counts.get(index(sighting.tls)).is_none_or(|count| *count >= self.limits.clients) => {
                self.unlisted.still(sighting.tls, sighting.at);
            }
            // It changed its application name meanwhile.
            None => self.add_session(source, id, sighting.clone()),
        }
    }

    /// Counts a client that was refused because it did not use TLS.
    pub(crate) fn add_refused(&mut self, key: RefusedKey, id: SessionId, at: Option<Millis>) {
        if self.since.is_some_and(|since| at.is_some_and(|at| at < since)) {
            return;
        }
        self.refused.add(key, id, at, self.limits.clients);
    }

    fn add_earlier(&mut self, key: Key, look: Look) {
        let names = key.names();
        if let Some((_, seen)) = self.earlier.get_mut(&names) {
            seen.again(look);
        } else if self.earlier.len() < self.limits.clients {
            let mut seen = ClientSightings::default();
            seen.again(look);
            self.earlier.insert(names, (key, seen));
        } else {
            self.unlisted.add(SessionTls::Unknown, look.at);
        }
    }

    /// What was found so far, to be kept and merged with other observations. `looked_at` is the time of this one.
    #[must_use]
    pub fn keep(&self, looked_at: Millis) -> KeptCensus {
        let earlier = self.earlier.values().map(|(key, seen)| (key, seen));
        let clients = self.clients.iter().chain(earlier);
        KeptCensus::of_look(clients, &self.sources, self.unlisted, self.settled_refusals(), looked_at)
    }

    fn settled_refusals(&self) -> Refusals {
        let mut refused = self.refused.clone();
        refused.settle(self.limits.clients);
        refused
    }

    /// Draws the verdict.
    #[must_use]
    pub fn finish(mut self, requirements: Requirements) -> CensusReport {
        self.settle_earlier();
        self.refused.settle(self.limits.clients);
        for source in &mut self.sources {
            source.coverage.close();
            if let Some(since) = self.since {
                source.coverage.cut(since);
            }
        }
        let beyond: u64 = self.unlisted.counts.iter().sum();
        if beyond > 0 {
            let detail =
                format!("{beyond} sightings are of clients beyond the {} that are listed", self.limits.clients);
            for source in &mut self.sources {
                source.lacks(MissingReason::MoreClients, detail.clone());
            }
        }
        let mut clients: Vec<Client> = self.clients.into_iter().map(|(key, seen)| seen.into_client(key)).collect();
        clients.sort_by(|a, b| order(a).cmp(&order(b)));
        let evidence = CensusEvidence { clients: &clients, unlisted: self.unlisted.counts, sources: &self.sources };
        let (verdict, reason) = judge(&evidence, requirements);
        let mut whole = Coverage::default();
        self.sources.iter().for_each(|source| whole.merge(&source.coverage));
        CensusReport {
            verdict,
            reason,
            window: whole.window(),
            observed: whole.observed(),
            sources: self.sources,
            refused: self.refused.shown(self.since, &clients),
            refused_unlisted: self.refused.unlisted,
            clients,
            earlier: Vec::new(),
            unlisted: self.unlisted.counts,
        }
    }

    /// Sessions that began before the observation are old news if the same client was seen since; otherwise it is
    /// unknown whether they use TLS.
    fn settle_earlier(&mut self) {
        let known: std::collections::HashSet<SessionNames> = self.clients.keys().map(Key::names).collect();
        // The message of a replication connection has no database.
        let replication: std::collections::HashSet<(Option<String>, Option<String>)> = self
            .clients
            .keys()
            .filter(|key| key.backend == Backend::Replication)
            .map(|key| (key.user.clone(), key.address.clone()))
            .collect();
        for (names, (key, seen)) in std::mem::take(&mut self.earlier) {
            if known.contains(&names) || replication.contains(&(names.user, names.address)) {
                continue;
            }
            self.clients.insert(key, seen);
        }
    }
}

/// What a sighting says beside who the client is.
struct Look {
    source: usize,
    id: SessionId,
    at: Option<Millis>,
    protocol: Option<String>,
    cipher: Option<String>,
    doubt: Option<Doubt>,
}

/// Versions of TLS of one client that are told apart: there are six.
const MOST_PROTOCOLS: usize = 8;

impl ClientSightings {
    fn again(&mut self, look: Look) {
        let Look { source, id, at, protocol, cipher, doubt } = look;
        self.sightings += 1;
        if !self.sources.contains(&source) {
            self.sources.push(source);
        }
        self.last = self.last.max(at);
        self.first = earliest(self.first, at);
        self.doubt = self.doubt.max(doubt);
        self.days.entry(at.map(|at| at.div_euclid(DAY))).or_default().add(id);
        if let Some(protocol) = protocol
            && (self.protocols.len() < MOST_PROTOCOLS || self.protocols.contains_key(&protocol))
        {
            let newest = self.protocols.entry(protocol).or_default();
            *newest = std::mem::take(newest).max((at, cipher));
        }
    }

    fn into_client(self, key: Key) -> Client {
        let Key { user, database, application, address, backend, tls } = key;
        let mut sources = self.sources;
        sources.sort_unstable();
        let lowest_protocol = self.protocols.keys().next().cloned();
        let newest = self.protocols.into_iter().max_by_key(|(_, (at, _))| *at);
        let (protocol, cipher) = newest.map_or((None, None), |(protocol, (_, cipher))| (Some(protocol), cipher));
        Client {
            user,
            database,
            application,
            address,
            backend,
            tls,
            protocol,
            cipher,
            lowest_protocol,
            first_seen: self.first,
            last_seen: self.last,
            sightings: self.sightings,
            is_estimate: false,
            sources,
            doubt: self.doubt,
        }
    }
}

/// The earlier of two times, where a time that is not known says nothing.
pub(crate) fn earliest(one: Option<Millis>, other: Option<Millis>) -> Option<Millis> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// How clients are sorted: those in plaintext first, then by name.
pub(crate) type ClientOrder<'a> = (usize, [Option<&'a str>; 4], Backend);

pub(crate) fn order(client: &Client) -> ClientOrder<'_> {
    let Client { user, database, application, address, .. } = client;
    let names = [user, database, application, address].map(|name| name.as_deref());
    (index(client.tls), names, client.backend)
}
