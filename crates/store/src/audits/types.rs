//! What lists and pages ask for, and what they get.

use super::unchecked::StoredUnchecked;
pub use hostssl_model::Enforcement;
use hostssl_model::{
    AuditAsked, Coded, ControlId, Floor, GapScope, Kind, Outcome, ParameterName, Principal, Reason, Scope, Standing,
    Standings, Summary, WireVersion, Word, WorstListener,
};
use std::collections::{BTreeMap, BTreeSet};

/// The id of a kept audit: the run's id.
pub type AuditId = String;

/// Why something about a server could not be checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerReason {
    /// Its own reason.
    Own(Reason),
    /// Everything of it was read, but not the primary that it is compared with.
    OfPrimary,
}

const OF_PRIMARY: &str = "primary-unknown";

impl Coded for ServerReason {
    fn code(self) -> &'static str {
        match self {
            Self::Own(reason) => reason.as_str(),
            Self::OfPrimary => OF_PRIMARY,
        }
    }

    fn of_code(code: &str) -> Option<Self> {
        if code == OF_PRIMARY { Some(Self::OfPrimary) } else { Reason::from_code(code).map(Self::Own) }
    }
}

/// How many servers enforce, by what is declared alone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EnforcementTally {
    /// They do.
    pub enforced: u64,
    /// They do not.
    pub not_enforced: u64,
    /// It could not be checked.
    pub unknown: u64,
}

impl EnforcementTally {
    /// All together.
    #[must_use]
    pub fn servers(&self) -> u64 {
        self.enforced + self.not_enforced + self.unknown
    }

    pub(crate) fn add(&mut self, enforcement: Enforcement, servers: u64) {
        match enforcement {
            Enforcement::Enforced => self.enforced += servers,
            Enforcement::NotEnforced => self.not_enforced += servers,
            Enforcement::Unknown => self.unknown += servers,
        }
    }
}

/// A kept audit, without its servers.
#[derive(Debug, Clone)]
pub struct AuditEntry {
    pub(crate) num: i64,
    /// Its id.
    pub id: AuditId,
    /// When it began, in RFC 3339.
    pub started_at: String,
    /// When it began, in milliseconds since 1970-01-01T00:00:00Z, as far as it tells the order: an audit of a clock that was ahead
    /// comes before the next one that was kept.
    pub started_ms: i64,
    /// When it ended, in RFC 3339.
    pub finished_at: String,
    /// The identities that ran it, one for each tenant.
    pub principals: Vec<Principal>,
    /// The cloud.
    pub cloud: String,
    /// Its scope.
    pub scope: Scope,
    /// The rules.
    pub profile: String,
    /// What it was asked for otherwise than its profile and the usual way say.
    pub asked: AuditAsked,
    /// The version of the program.
    pub tool_version: String,
    /// Whether everything in scope was checked.
    pub complete: bool,
    /// The fingerprints of the failures that waivers covered when it was made.
    pub waived: BTreeSet<String>,
    /// Whether it was stopped before it had seen everything.
    pub stopped: bool,
    /// Whether nothing narrowed its scope.
    pub whole: bool,
    /// How many subscriptions it read.
    pub subscriptions: u64,
    /// Servers by the worst of their controls.
    pub summary: Summary,
    /// Servers by what is declared.
    pub tally: EnforcementTally,
    /// Servers by where they stand, by all that was known when the audit was kept.
    pub standings: Standings,
    /// Of the newest audit: that lists and counts are of the present, which began with it. What other audits, probes
    /// and runs have shown since, or had shown before, stands beside what it saw. The number changes with the present.
    pub present: Option<i64>,
}

impl AuditEntry {
    /// Whether it was kept before another one, whatever their clocks said.
    #[must_use]
    pub fn is_before(&self, other: &Self) -> bool {
        (self.started_ms, self.num) < (other.started_ms, other.num)
    }

    /// When it began by its own clock, in milliseconds since 1970-01-01T00:00:00Z: for people, not for the order.
    #[must_use]
    pub fn told_ms(&self) -> i64 {
        self.started_at.parse().map_or(self.started_ms, jiff::Timestamp::as_millisecond)
    }

    /// Where its servers stood; of an audit that an older version kept, only what was declared is known.
    #[must_use]
    pub fn known_standings(&self) -> Standings {
        if self.standings.servers() > 0 {
            return self.standings;
        }
        Standings {
            not_probed: self.tally.enforced,
            not_enforced: self.tally.not_enforced,
            unknown: self.tally.unknown,
            ..Standings::default()
        }
    }
}

/// A server in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerRow {
    /// Its name in addresses: hexadecimal digits that depend on its id alone.
    pub key: String,
    /// Its id, as Azure spelled it.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its resource group.
    pub resource_group: String,
    /// Its subscription's id.
    pub subscription_id: String,
    /// Its subscription's name.
    pub subscription: String,
    /// Its kind.
    pub kind: Word<Kind>,
    /// Where it is.
    pub location: String,
    /// Azure's word for its state; empty where Azure did not say.
    pub state: String,
    /// Its worst control.
    pub outcome: Outcome,
    /// Whether it enforces.
    pub enforcement: Enforcement,
    /// The lowest TLS version that it declares; `None` when that was not read.
    pub minimal_tls: Option<Word<Floor>>,
    /// Why something about it could not be checked, if so.
    pub reason: Option<Word<ServerReason>>,
    /// Since when its enforcement is so, as far as kept audits show, in milliseconds since 1970-01-01T00:00:00Z.
    pub since_ms: i64,
    /// What its worst listener does with clients without TLS; `None` when none was probed.
    pub wire: Option<Word<WorstListener>>,
    /// Where it stands, by the evidence of every kind.
    pub standing: Standing,
    /// The settings whose value waits for a restart.
    pub pending: Vec<Word<ParameterName>>,
    /// The controls that fail.
    pub failing: Vec<Word<ControlId>>,
    /// When the audit that saw it began, in milliseconds since 1970-01-01T00:00:00Z.
    pub seen_ms: i64,
    /// When the oldest evidence of its listeners that stands was gathered; `None` without any, and in lists of the
    /// past.
    pub probed_ms: Option<i64>,
    /// When a run changed it, and which, if that is newer than the audit.
    pub changed: Option<(i64, String)>,
    /// When the first certificate of its listeners expires, as far as it was seen.
    pub expires_ms: Option<i64>,
    /// The lowest version that one of its listeners accepted; `None` when none was seen.
    pub accepts: Option<Word<WireVersion>>,
}

impl ServerRow {
    fn waits(&self, which: fn(ParameterName) -> bool) -> bool {
        self.pending.iter().filter_map(Word::known).any(which)
    }

    /// Whether the switch waits for a restart.
    #[must_use]
    pub fn switch_waits(&self) -> bool {
        self.waits(ParameterName::is_switch)
    }

    /// Whether the lowest TLS version waits for a restart.
    #[must_use]
    pub fn floor_waits(&self) -> bool {
        self.waits(ParameterName::is_floor)
    }
}

/// Which servers to list. Empty means all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServerFilter {
    /// A part of the name, the resource group or the subscription, in any case.
    pub search: String,
    /// A kind.
    pub kind: Option<Word<Kind>>,
    /// A subscription's id.
    pub subscription: String,
    /// Worst controls.
    pub outcome: Option<Outcome>,
    /// Enforcement.
    pub enforcement: Option<Enforcement>,
    /// Azure's word for the state.
    pub state: String,
    /// Why it could not be checked.
    pub reason: Option<Word<ServerReason>>,
    /// What its worst listener does.
    pub wire: Option<Word<WorstListener>>,
    /// Where it stands. Empty means anywhere.
    pub standings: Vec<Standing>,
    /// A control that fails.
    pub failing: Option<Word<ControlId>>,
    /// Its lowest TLS version, as it is declared.
    pub floor: Option<Word<Floor>>,
    /// A certificate that expires before this moment, in milliseconds since 1970-01-01T00:00:00Z. Only in the present.
    pub expires_before_ms: Option<i64>,
    /// A certificate that expires at this moment or later. Only in the present.
    pub expires_from_ms: Option<i64>,
    /// Name and value of a tag that it has.
    pub tag: Option<(String, String)>,
    /// The name of a tag that it does not have.
    pub untagged: String,
    /// Servers of which no certificate is known. Only in the present.
    pub no_certificate: bool,
}

/// What a list of servers is sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ServerSort {
    /// Not enforced first, then unknown, then enforced.
    #[default]
    Urgency,
    /// By name.
    Name,
    /// By resource group.
    ResourceGroup,
    /// By subscription.
    Subscription,
    /// By kind.
    Kind,
    /// By state.
    State,
    /// By the lowest TLS version.
    Tls,
    /// By what its worst listener does, the worst first.
    Wire,
    /// By how many controls fail, the most first.
    Failing,
    /// By how long it has been so.
    Since,
}

/// A part of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// From 0.
    pub number: u32,
    /// Rows on a page.
    pub size: u32,
}

impl Page {
    /// How many rows come before it.
    pub(crate) fn offset(self) -> i64 {
        i64::from(self.number) * i64::from(self.size)
    }
}

/// A page of servers.
#[derive(Debug, Clone, Default)]
pub struct ServerPage {
    /// The rows.
    pub rows: Vec<ServerRow>,
    /// How many pass the filter.
    pub total: u64,
    /// Of those, how many enforce, by what is declared.
    pub tally: EnforcementTally,
    /// Of those, how many stand where.
    pub standings: Standings,
}

/// What is there to filter by, with how many servers each.
#[derive(Debug, Clone, Default)]
pub struct Facets {
    /// Kinds.
    pub kinds: Vec<(Word<Kind>, u64)>,
    /// States.
    pub states: Vec<(String, u64)>,
    /// Reasons why servers, or something about them, could not be checked.
    pub reasons: Vec<(Word<ServerReason>, u64)>,
    /// Of those, the reasons of servers that stand unknown: together they are all of them.
    pub unknown: Vec<(Word<ServerReason>, u64)>,
    /// The lowest TLS versions that are declared.
    pub floors: Vec<(Word<Floor>, u64)>,
    /// What the worst listener does.
    pub wires: Vec<(Word<WorstListener>, u64)>,
    /// Subscriptions: id, name and servers.
    pub subscriptions: Vec<(String, String, u64)>,
    /// Ids of subscriptions with how many servers stand where.
    pub by_subscription: BTreeMap<String, Standings>,
    /// Kinds with how many servers stand where.
    pub by_kind: Vec<(Word<Kind>, Standings)>,
    /// When certificates expire, in milliseconds since 1970-01-01T00:00:00Z, in order: the first of each server.
    pub expiries: Vec<i64>,
}

/// A name of tags, and the servers that have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagName {
    /// As one of the servers spells it.
    pub name: String,
    /// How many servers have it.
    pub servers: u64,
    /// Its values in order, with how many servers stand where.
    pub values: Vec<(String, Standings)>,
}

/// One server in one audit of its history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryEntry {
    /// The audit.
    pub audit: AuditId,
    /// When it began, in RFC 3339.
    pub started_at: String,
    /// The rules.
    pub profile: String,
    /// Azure's word for the state.
    pub state: String,
    /// The worst control.
    pub outcome: Outcome,
    /// Whether it enforced.
    pub enforcement: Enforcement,
    /// The lowest TLS version.
    pub minimal_tls: Option<Word<Floor>>,
    /// Why it could not be checked.
    pub reason: Option<Word<ServerReason>>,
    /// Where it stood, by all that was known then.
    pub standing: Standing,
    /// Whether that audit probed it.
    pub probed: bool,
    /// What is different from the previous observation, in words: settings with both values, and what else changed.
    pub changes: Vec<String>,
}

/// A value that a run wrote on a server and read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerWrite {
    /// The run.
    pub run: String,
    /// Who ordered it, or the identity that wrote where no person was kept.
    pub by: String,
    /// When it was read back, in milliseconds since 1970-01-01T00:00:00Z.
    pub at_ms: i64,
    /// The setting.
    pub setting: ParameterName,
    /// The value before, as Azure spelled it.
    pub before: String,
    /// The value that was read back.
    pub after: String,
    /// Whether it was an undo.
    pub undo: bool,
    /// The id that Azure gave the request, where its answer came.
    pub request_id: Option<String>,
    /// When it was going to be written, in milliseconds since 1970-01-01T00:00:00Z.
    pub intended_ms: i64,
    /// The object id of the identity that wrote.
    pub identity: Option<String>,
}

/// A run that changed servers, for a chart over time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunMark {
    /// The run.
    pub run: String,
    /// When its last value was read back, in milliseconds since 1970-01-01T00:00:00Z.
    pub at_ms: i64,
    /// How many values it wrote.
    pub values: u64,
    /// Whether they were undone.
    pub undo: bool,
}

/// What the newest audit that saw a server says of it, for lists of what was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewestLook {
    /// When that audit began, in milliseconds since 1970-01-01T00:00:00Z.
    pub started_ms: i64,
    /// Whether the server enforces.
    pub enforcement: Enforcement,
    /// What its worst listener does, in the words of [`ServerRow::wire`].
    pub wire: Option<Word<WorstListener>>,
}

/// A server whose enforcement differs between two audits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerChange {
    /// As it is in the later audit, or, when it is not there, in the earlier one.
    pub row: ServerRow,
    /// In the earlier audit; `None` when it was not there.
    pub before: Option<Standing>,
    /// In the later audit; `None` when it is not there.
    pub after: Option<Standing>,
}

/// A gap of the coverage, as it was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredGap {
    /// What could not be checked.
    pub scope: GapScope,
    /// The subscription's name, when it is a subscription that is known.
    pub name: Option<String>,
    /// Why.
    pub unchecked: StoredUnchecked,
}

/// Gaps of one reason together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GapGroup {
    /// The stable code of the reason.
    pub reason: Word<Reason>,
    /// The actions that are missing, when that is the reason.
    pub permissions: Vec<String>,
    /// Servers of which something could not be checked, each once.
    pub servers: u64,
    /// Other places of which something could not be checked, such as subscriptions, each once.
    pub places: u64,
}

/// What of a place, such as a subscription, could not be checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaceGap {
    /// Its id.
    pub scope: GapScope,
    /// The subscription's name, when it is a subscription that is known.
    pub name: Option<String>,
    /// The stable code of the reason.
    pub reason: Word<Reason>,
    /// How many observations failed.
    pub count: u64,
    /// The actions that are missing.
    pub permissions: Vec<String>,
}

/// How one control ended on all servers of an audit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ControlTally {
    /// Passed.
    pub pass: u64,
    /// Failed.
    pub fail: u64,
    /// Could not be checked.
    pub unknown: u64,
    /// Nothing to say.
    pub not_applicable: u64,
}
