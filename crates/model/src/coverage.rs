//! What could not be looked at, and why.

use std::fmt;
use std::sync::Arc;

/// Why something could not be seen. The code is stable: it stands in JSON and in scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// The server is stopped, and Azure does not tell a stopped server's parameters.
    Stopped,
    /// The identity lacks a permission, which [`Unchecked::missing_permission`] names.
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
    pub const ALL: [Self; 20] = [
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
        Self::NotProbed,
        Self::Unresolved,
        Self::Unreachable,
        Self::Inconclusive,
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
pub struct Unchecked {
    /// Why nothing was seen.
    pub reason: Reason,
    /// The exact action that is missing, such as `Microsoft.DBforPostgreSQL/flexibleServers/configurations/read`.
    pub missing_permission: Option<Arc<str>>,
    /// One line for people: what Azure or the network said, safe to print.
    pub detail: Arc<str>,
}

impl Unchecked {
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
    pub blind: Unchecked,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A new reason does not compile here before it is counted, and then belongs into [`Reason::ALL`].
    #[test]
    fn every_reason_is_read_back_from_its_code() {
        let number = |reason: Reason| match reason {
            Reason::Stopped => 0,
            Reason::Permission => 1,
            Reason::Vanished => 2,
            Reason::Creating => 3,
            Reason::Busy => 4,
            Reason::Throttled => 5,
            Reason::Deadline => 6,
            Reason::Interrupted => 7,
            Reason::Network => 8,
            Reason::SignIn => 9,
            Reason::AzureError => 10,
            Reason::MalformedAnswer => 11,
            Reason::NotReturned => 12,
            Reason::NotOffered => 13,
            Reason::EventuallyConsistent => 14,
            Reason::NoSubscription => 15,
            Reason::NotProbed => 16,
            Reason::Unresolved => 17,
            Reason::Unreachable => 18,
            Reason::Inconclusive => 19,
        };
        for (index, reason) in Reason::ALL.into_iter().enumerate() {
            assert_eq!(number(reason), index);
            assert_eq!(Reason::from_code(reason.as_str()), Some(reason));
        }
        assert_eq!(Reason::ALL.len(), 20);
        assert_eq!(Reason::from_code("of another version"), None);
    }
}
