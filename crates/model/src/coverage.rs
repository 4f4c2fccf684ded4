//! What could not be checked, and why.

use crate::{ResourceId, SubscriptionId, coded};
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

coded! {
    /// Why something could not be seen. The code is stable: it stands in JSON and in scripts.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum Reason {
        /// The server is stopped, and Azure does not return a stopped server's parameters.
        Stopped = "stopped",
        /// The identity lacks a permission, which the report names.
        Permission = "permission",
        /// It was listed and is gone now (HTTP 404).
        Vanished = "vanished",
        /// The server is still being created.
        Creating = "creating",
        /// The server is busy with another operation.
        Busy = "busy",
        /// Azure went on refusing (HTTP 429) until the retries or the time were used up.
        Throttled = "throttled",
        /// The deadline of the run or the request was reached before an answer came.
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
        /// The server was left out on request. Nothing was missed.
        Excepted = "excepted",
        /// The listeners were not probed.
        NotProbed = "not-probed",
        /// The server's name has no address, as seen from here: a private zone, most likely.
        Unresolved = "unresolved",
        /// No connection to the server from here: a firewall, a network, a host that is down.
        Unreachable = "unreachable",
        /// Only private networks lead to the server, none of them from here, and no zone covers it.
        NoVantage = "no-vantage",
        /// The zone that the server is probed from has no answer, or none that is recent enough.
        ProberSilent = "prober-silent",
        /// The server answered on the wire, and what it answered decides nothing.
        Inconclusive = "inconclusive",
    }
}

impl Reason {
    /// Whether something may have been missed for this reason. [`Reason::NotOffered`] is reported but leaves a run
    /// complete: where no provider is, no server can be. So does [`Reason::Excepted`], which was requested.
    #[must_use]
    pub fn leaves_incomplete(self) -> bool {
        !matches!(self, Self::NotOffered | Self::Excepted)
    }

    /// Whether it says no more than that there was no way to a listener from one place.
    #[must_use]
    pub fn is_no_way(self) -> bool {
        matches!(self, Self::Unresolved | Self::Unreachable | Self::NoVantage | Self::ProberSilent)
    }
}

/// One failed observation: why, which permission would fix it, and what Azure said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unchecked {
    /// Why nothing was seen.
    pub reason: Reason,
    /// The exact action that is missing, such as `Microsoft.DBforPostgreSQL/flexibleServers/configurations/read`.
    pub missing_permission: Option<Arc<str>>,
    /// One line of text: what Azure or the network said, safe to print.
    pub detail: Arc<str>,
    /// Whether something was seen, and a newer version of hostssl kept it in words that this one does not know.
    pub is_of_newer: bool,
}

impl Unchecked {
    /// A failed observation with a reason and one line of text.
    pub fn new(reason: Reason, detail: impl Into<Arc<str>>) -> Self {
        Self { reason, missing_permission: None, detail: detail.into(), is_of_newer: false }
    }

    /// Why, for people: the permission that is missing, where that is known, and otherwise what Azure or the network said.
    /// Azure's own sentence about a permission has ids and little else; JSON has it.
    #[must_use]
    pub fn why(&self) -> Cow<'_, str> {
        match &self.missing_permission {
            Some(permission) => format!("needs {permission}").into(),
            None => Cow::Borrowed(&self.detail),
        }
    }

    /// What a newer version of hostssl wrote in words that this one does not know: what they say is unknown here.
    #[must_use]
    pub fn of_a_newer_version(words: &[String]) -> Self {
        let what = words.join(", ");
        let detail = format!("written by a newer hostssl, and not known to this one: {what}");
        Self { is_of_newer: true, ..Self::new(Reason::MalformedAnswer, detail) }
    }
}

/// What a gap is about. As text it is Azure's id where there is one: so it stands in JSON.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GapScope {
    /// Every subscription in scope.
    AllSubscriptions,
    /// A tenant, by its id.
    Tenant(Arc<str>),
    /// A management group, by its name.
    ManagementGroup(Arc<str>),
    /// A subscription, by its id; by what was asked for, where none of that name is known.
    Subscription(Arc<str>),
    /// A server.
    Server(ResourceId),
    /// A name that was asked for, or another word that stands for a place.
    Name(Arc<str>),
}

const SUBSCRIPTIONS: &str = "/subscriptions";
const TENANTS: &str = "/tenants/";
const MANAGEMENT_GROUPS: &str = "/providers/Microsoft.Management/managementGroups/";

impl GapScope {
    /// Reads the text, as [`Display`](fmt::Display) writes it.
    #[must_use]
    pub fn read(text: &str) -> Self {
        if text == SUBSCRIPTIONS {
            return Self::AllSubscriptions;
        }
        if let Some(id) = text.strip_prefix(TENANTS) {
            return Self::Tenant(id.into());
        }
        if let Some(name) = text.strip_prefix(MANAGEMENT_GROUPS) {
            return Self::ManagementGroup(name.into());
        }
        if let Ok(id) = ResourceId::try_from(text) {
            return Self::Server(id);
        }
        match text.strip_prefix(SUBSCRIPTIONS).and_then(|rest| rest.strip_prefix('/')) {
            Some(id) => Self::Subscription(id.into()),
            None => Self::Name(text.into()),
        }
    }

    /// Whether it is one server, which reports show in its own row.
    #[must_use]
    pub fn is_server(&self) -> bool {
        matches!(self, Self::Server(_))
    }
}

impl fmt::Display for GapScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AllSubscriptions => f.write_str(SUBSCRIPTIONS),
            Self::Tenant(id) => write!(f, "{TENANTS}{id}"),
            Self::ManagementGroup(name) => write!(f, "{MANAGEMENT_GROUPS}{name}"),
            Self::Subscription(id) => write!(f, "{SUBSCRIPTIONS}/{id}"),
            Self::Server(id) => id.fmt(f),
            Self::Name(name) => f.write_str(name),
        }
    }
}

impl From<&SubscriptionId> for GapScope {
    fn from(id: &SubscriptionId) -> Self {
        Self::Subscription(id.as_str().into())
    }
}

impl From<&ResourceId> for GapScope {
    fn from(id: &ResourceId) -> Self {
        Self::Server(id.clone())
    }
}

/// A part of the scope that could not be checked, or not wholly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// What could not be checked.
    pub scope: GapScope,
    /// Why.
    pub unchecked: Unchecked,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_scope_is_read_as_what_it_is() {
        let server = "/subscriptions/s/resourceGroups/g/providers/Microsoft.DBforPostgreSQL/flexibleServers/n";
        for (text, scope) in [
            ("/subscriptions", GapScope::AllSubscriptions),
            ("/tenants/t", GapScope::Tenant("t".into())),
            ("/providers/Microsoft.Management/managementGroups/m", GapScope::ManagementGroup("m".into())),
            ("/subscriptions/s", GapScope::Subscription("s".into())),
            (server, GapScope::from(&ResourceId::try_from(server).unwrap())),
            ("orders", GapScope::Name("orders".into())),
            ("Microsoft.DBforPostgreSQL/servers", GapScope::Name("Microsoft.DBforPostgreSQL/servers".into())),
        ] {
            assert_eq!(GapScope::read(text), scope);
        }
    }

    proptest! {
        /// Whatever stands in an old state or a report comes out as it went in.
        #[test]
        fn no_text_is_changed_by_reading_it(text in "(/subscriptions|/tenants/|/providers/)?[ -~é/]{0,40}") {
            prop_assert_eq!(GapScope::read(&text).to_string(), text);
        }
    }
}
