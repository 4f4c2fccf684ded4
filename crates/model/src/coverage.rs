//! What could not be looked at, and why.

use std::fmt;
use std::sync::Arc;

/// Why something could not be seen. The code is stable: it stands in JSON and in scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// The server is stopped, and Azure does not tell a stopped server's parameters.
    Stopped,
    /// The identity lacks a permission, which [`Blind::missing_permission`] names.
    Permission,
    /// It was listed and is gone now (HTTP 404).
    Vanished,
    /// The server is still being created.
    Creating,
    /// The server is busy with another operation.
    Busy,
    /// Azure went on refusing (HTTP 429) until the retries or the time were used up.
    Throttled,
    /// The run's or the request's time was up before an answer came.
    Deadline,
    /// The run was interrupted before this could be read.
    Interrupted,
    /// No connection to Azure, or it broke.
    Network,
    /// The token was refused (HTTP 401) and a fresh one was refused too.
    SignIn,
    /// Azure answered with an error of its own.
    AzureError,
    /// Azure's answer could not be understood, or was too large.
    MalformedAnswer,
    /// Azure answered but left the value out.
    NotReturned,
    /// The resource provider or type does not exist there, so no server of that kind can. Nothing was missed.
    NotOffered,
    /// Resource Graph, used for discovery, is a copy that lags behind; it cannot vouch that no server is missing.
    EventuallyConsistent,
    /// The identity sees no subscription at all.
    NoSubscription,
    /// The wire was not looked at.
    NotProbed,
    /// The server's name has no address, as seen from here: a private zone, most likely.
    Unresolved,
    /// No connection to the server from here: a firewall, a network, a host that is down.
    Unreachable,
    /// The server answered on the wire, and what it answered decides nothing.
    Inconclusive,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 16] = [
        Self::Stopped,
        Self::Permission,
        Self::Vanished,
        Self::Creating,
        Self::Busy,
        Self::Throttled,
        Self::Deadline,
        Self::Interrupted,
        Self::Network,
        Self::SignIn,
        Self::AzureError,
        Self::MalformedAnswer,
        Self::NotReturned,
        Self::NotOffered,
        Self::EventuallyConsistent,
        Self::NoSubscription,
    ];

    /// The stable code, as it stands in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::Permission => "permission",
            Self::Vanished => "vanished",
            Self::Creating => "creating",
            Self::Busy => "busy",
            Self::Throttled => "throttled",
            Self::Deadline => "deadline",
            Self::Interrupted => "interrupted",
            Self::Network => "network",
            Self::SignIn => "sign-in",
            Self::AzureError => "azure-error",
            Self::MalformedAnswer => "malformed-answer",
            Self::NotReturned => "not-returned",
            Self::NotOffered => "not-offered",
            Self::EventuallyConsistent => "eventually-consistent",
            Self::NoSubscription => "no-subscription",
            Self::NotProbed => "not-probed",
            Self::Unresolved => "unresolved",
            Self::Unreachable => "unreachable",
            Self::Inconclusive => "inconclusive",
        }
    }

    /// The reason with this code, as [`Reason::as_str`] writes it.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == code)
    }

    /// Whether something may have been missed for this reason. [`Reason::NotOffered`] is told but leaves a run complete:
    /// where no provider is, no server can be.
    #[must_use]
    pub fn blinds(self) -> bool {
        self != Self::NotOffered
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One failed look: why, which permission would mend it, and what Azure said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blind {
    /// Why nothing was seen.
    pub reason: Reason,
    /// The exact action that is missing, such as `Microsoft.DBforPostgreSQL/flexibleServers/configurations/read`.
    pub missing_permission: Option<Arc<str>>,
    /// One line for people: what Azure or the network said, safe to print.
    pub detail: Arc<str>,
}

impl Blind {
    /// A failed look with a reason and one line for people.
    pub fn new(reason: Reason, detail: impl Into<Arc<str>>) -> Self {
        Self { reason, missing_permission: None, detail: detail.into() }
    }
}

/// A part of the scope that was not seen, or not seen whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// What was not seen: the id of a subscription, a server, or a tenant.
    pub scope: Arc<str>,
    /// Why.
    pub blind: Blind,
}
