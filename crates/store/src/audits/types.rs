//! What lists and pages ask for, and what they get.

use super::document::{StoredBlind, StoredFinding, StoredReading};
use super::listener::StoredListener;
use hostssl_model::{Outcome, Principal, Scope, ServerReport, SslEnforcement, Summary};

/// The id of a kept audit: the run's id.
pub type AuditId = String;

/// Whether clients can be kept from connecting without TLS, as far as an audit saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Enforcement {
    /// The server refuses them.
    Enforced,
    /// It was not seen.
    Unknown,
    /// The server lets them in.
    NotEnforced,
}

impl Enforcement {
    /// Every one, from best to worst.
    pub const ALL: [Self; 3] = [Self::Enforced, Self::Unknown, Self::NotEnforced];

    /// The word in addresses and formats.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Enforced => "enforced",
            Self::Unknown => "unknown",
            Self::NotEnforced => "not-enforced",
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == word)
    }

    /// What the control `require-secure-transport` says; where the profile does not hold it, what is declared. A switch
    /// that waits for a restart is declared on and enforces nothing, so the control goes first.
    #[must_use]
    pub fn of(report: &ServerReport) -> Self {
        let control = report.findings.iter().find(|finding| finding.control == "require-secure-transport");
        match control.map(|finding| finding.outcome) {
            Some(Outcome::Pass) => Self::Enforced,
            Some(Outcome::Fail) => Self::NotEnforced,
            Some(Outcome::Unknown) => Self::Unknown,
            Some(Outcome::NotApplicable) | None => match report.ssl_enforcement {
                SslEnforcement::Enabled => Self::Enforced,
                SslEnforcement::Disabled => Self::NotEnforced,
                SslEnforcement::Unknown => Self::Unknown,
            },
        }
    }

    pub(crate) fn code(self) -> i64 {
        match self {
            Self::Enforced => 0,
            Self::Unknown => 1,
            Self::NotEnforced => 2,
        }
    }

    pub(crate) fn from_code(code: i64) -> Self {
        match code {
            0 => Self::Enforced,
            2 => Self::NotEnforced,
            _ => Self::Unknown,
        }
    }
}

/// How many servers enforce.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// They do.
    pub enforced: u64,
    /// They do not.
    pub not_enforced: u64,
    /// It was not seen.
    pub unknown: u64,
}

impl Tally {
    /// All together.
    #[must_use]
    pub fn servers(&self) -> u64 {
        self.enforced + self.not_enforced + self.unknown
    }

    pub(crate) fn count(&mut self, enforcement: Enforcement) {
        match enforcement {
            Enforcement::Enforced => self.enforced += 1,
            Enforcement::NotEnforced => self.not_enforced += 1,
            Enforcement::Unknown => self.unknown += 1,
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
    /// When it began, in milliseconds since 1970-01-01T00:00:00Z.
    pub started_ms: i64,
    /// When it ended, in RFC 3339.
    pub finished_at: String,
    /// Who looked; one for each tenant.
    pub principals: Vec<Principal>,
    /// The cloud.
    pub cloud: String,
    /// Where it looked.
    pub scope: Scope,
    /// The rules.
    pub profile: String,
    /// The version of the program.
    pub tool_version: String,
    /// Whether everything in scope was seen.
    pub complete: bool,
    /// Whether it was stopped before it had seen everything.
    pub stopped: bool,
    /// Whether nothing narrowed its scope.
    pub whole: bool,
    /// How many subscriptions it looked at.
    pub subscriptions: u64,
    /// Servers by the worst of their controls.
    pub summary: Summary,
    /// Servers by enforcement.
    pub tally: Tally,
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
    pub kind: String,
    /// Where it is.
    pub location: String,
    /// Azure's word for its state; empty where Azure did not say.
    pub state: String,
    /// Its worst control.
    pub outcome: Outcome,
    /// Whether it enforces.
    pub enforcement: Enforcement,
    /// Its lowest TLS version in Azure's words; empty when it was not seen.
    pub minimal_tls: String,
    /// Why it was not seen, when it was not: a stable code; otherwise empty.
    pub reason: String,
    /// Since when its enforcement is so, as far as kept audits tell, in milliseconds since 1970-01-01T00:00:00Z.
    pub since_ms: i64,
    /// What its worst listener does with clients without TLS: the verdict's word, `unseen` when one could not be seen and
    /// none is worse, empty when nobody looked.
    pub wire: String,
}

/// Which servers to list. Empty means all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServerFilter {
    /// A part of the name, the resource group or the subscription, in any case.
    pub search: String,
    /// Kinds.
    pub kinds: Vec<String>,
    /// A subscription's id.
    pub subscription: String,
    /// Worst controls.
    pub outcome: Option<Outcome>,
    /// Enforcement.
    pub enforcement: Option<Enforcement>,
    /// Azure's word for the state.
    pub state: String,
    /// Why it was not seen.
    pub reason: String,
    /// What its worst listener does, in the words of [`ServerRow::wire`].
    pub wire: String,
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

/// A page of servers.
#[derive(Debug, Clone, Default)]
pub struct ServerPage {
    /// The rows.
    pub rows: Vec<ServerRow>,
    /// How many pass the filter.
    pub total: u64,
    /// Of those, how many enforce.
    pub tally: Tally,
}

/// What is there to filter by, with how many servers each.
#[derive(Debug, Clone, Default)]
pub struct Facets {
    /// Kinds.
    pub kinds: Vec<(String, u64)>,
    /// States.
    pub states: Vec<(String, u64)>,
    /// Reasons why servers were not seen.
    pub reasons: Vec<(String, u64)>,
    /// What the worst listener does.
    pub wires: Vec<(String, u64)>,
    /// Subscriptions: id, name and servers.
    pub subscriptions: Vec<(String, String, u64)>,
}

/// One server in one audit, with all that is kept.
#[derive(Debug, Clone)]
pub struct ServerDetail {
    /// What lists show.
    pub row: ServerRow,
    /// The name that clients connect to.
    pub fqdn: Option<String>,
    /// Its part in replication.
    pub role: String,
    /// The id of its primary.
    pub primary: Option<String>,
    /// What was read.
    pub readings: Vec<StoredReading>,
    /// What was seen on the wire; empty when nobody looked.
    pub wire: Vec<StoredListener>,
    /// What the controls said.
    pub findings: Vec<StoredFinding>,
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
    pub minimal_tls: String,
    /// Why it was not seen.
    pub reason: String,
    /// Whether what was observed differs from the audit before.
    pub changed: bool,
}

/// What the newest audit that saw a server says of it, for lists of what was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewestLook {
    /// When that audit began, in milliseconds since 1970-01-01T00:00:00Z.
    pub started_ms: i64,
    /// Whether the server enforces.
    pub enforcement: Enforcement,
    /// What its worst listener does, in the words of [`ServerRow::wire`].
    pub wire: String,
}

/// A server whose enforcement differs between two audits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerChange {
    /// As it is in the later audit, or, when it is not there, in the earlier one.
    pub row: ServerRow,
    /// In the earlier audit; `None` when it was not there.
    pub before: Option<Enforcement>,
    /// In the later audit; `None` when it is not there.
    pub after: Option<Enforcement>,
}

/// A gap of the coverage, as it was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredGap {
    /// What was not seen.
    pub scope: String,
    /// Why.
    pub blind: StoredBlind,
}

/// Gaps of one reason together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GapGroup {
    /// The stable code of the reason.
    pub reason: String,
    /// The action that is missing, when that is the reason.
    pub permission: Option<String>,
    /// How many things were not seen.
    pub count: u64,
    /// One line of one of them.
    pub detail: String,
    /// What one of them is.
    pub scope: String,
}

/// What of a place, such as a subscription, was not seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaceGap {
    /// Its id.
    pub scope: String,
    /// The subscription's name, when it is a subscription that is known.
    pub name: Option<String>,
    /// The stable code of the reason.
    pub reason: String,
    /// How many looks failed.
    pub count: u64,
    /// The actions that are missing.
    pub permissions: Vec<String>,
    /// One line of one of them.
    pub detail: String,
}

/// An audit judged by other rules.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rejudged {
    /// Servers by the worst of their controls, by those rules.
    pub summary: Summary,
    /// How many servers end differently than they did then.
    pub total: u64,
    /// The first of those, by name.
    pub differ: Vec<JudgedOtherwise>,
}

/// A server that ends differently by other rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JudgedOtherwise {
    /// Its key.
    pub key: String,
    /// Its name.
    pub name: String,
    /// Its worst control then.
    pub before: Outcome,
    /// Its worst control by the other rules.
    pub after: Outcome,
}

/// How one control ended on all servers of an audit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ControlTally {
    /// Passed.
    pub pass: u64,
    /// Failed.
    pub fail: u64,
    /// Not seen.
    pub unknown: u64,
    /// Nothing to say.
    pub not_applicable: u64,
}
