//! What could not be looked at, and why.

use crate::coded;
use std::sync::Arc;

coded! {
    /// Why something could not be seen. The code is stable: it stands in JSON and in scripts.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum Reason {
        /// The server is stopped, and Azure does not tell a stopped server's parameters.
        Stopped = "stopped",
        /// The identity lacks a permission, which [`Unchecked::missing_permission`] names.
        Permission = "permission",
        /// It was listed and is gone now (HTTP 404).
        Vanished = "vanished",
        /// The server is still being created.
        Creating = "creating",
        /// The server is busy with another operation.
        Busy = "busy",
        /// Azure went on refusing (HTTP 429) until the retries or the time were used up.
        Throttled = "throttled",
        /// The run's or the request's time was up before an answer came.
        Deadline = "deadline",
        /// The run was interrupted before this could be read.
        Interrupted = "interrupted",
        /// No connection to Azure, or it broke.
        Network = "network",
        /// The token was refused (HTTP 401) and a fresh one was refused too.
        SignIn = "sign-in",
        /// Azure answered with an error of its own.
        AzureError = "azure-error",
        /// Azure's answer could not be understood, or was too large.
        MalformedAnswer = "malformed-answer",
        /// Azure answered but left the value out.
        NotReturned = "not-returned",
        /// The resource provider or type does not exist there, so no server of that kind can. Nothing was missed.
        NotOffered = "not-offered",
        /// Resource Graph, used for discovery, is a copy that lags behind; it cannot vouch that no server is missing.
        EventuallyConsistent = "eventually-consistent",
        /// The identity sees no subscription at all.
        NoSubscription = "no-subscription",
        /// The wire was not looked at.
        NotProbed = "not-probed",
        /// The server's name has no address, as seen from here: a private zone, most likely.
        Unresolved = "unresolved",
        /// No connection to the server from here: a firewall, a network, a host that is down.
        Unreachable = "unreachable",
        /// The server answered on the wire, and what it answered decides nothing.
        Inconclusive = "inconclusive",
    }
}

impl Reason {
    /// Whether something may have been missed for this reason. [`Reason::NotOffered`] is told but leaves a run complete:
    /// where no provider is, no server can be.
    #[must_use]
    pub fn blinds(self) -> bool {
        self != Self::NotOffered
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
