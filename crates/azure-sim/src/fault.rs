//! Faults: what goes wrong, where, for which operations, how often.
//!
//! Faults are deterministic: a rule applies to every request that matches it until it is used up. Each one is a form
//! of trouble that real callers of ARM have met.

use std::time::Duration;

use crate::operation::Operation;

/// One thing that goes wrong. Signing in is struck only by a rule that names it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// 400 `ServerStoppedError` when parameters are read or written.
    Stopped,
    /// 403 `AuthorizationFailed` with the action in the message. By default when parameters are read.
    Forbidden,
    /// 404 `ResourceNotFound` for anything but a list: the server was there a moment ago.
    Vanished,
    /// 500 `InternalServerError` when parameters are read, as while a server is being made.
    InternalError,
    /// 429, with this many seconds in `Retry-After` if any. By default for every operation.
    Throttled {
        /// Whole seconds; `None` leaves the header out.
        retry_after: Option<u64>,
    },
    /// This status and an error in ARM's shape; 503, 502 and 504 make sense. By default for every operation.
    Unavailable {
        /// The HTTP status.
        status: u16,
    },
    /// An HTML page instead of JSON, as from a front door. By default for every read.
    Html {
        /// The HTTP status, which may well be 200.
        status: u16,
    },
    /// No connection is made: nothing of the request is sent. By default for every operation. Served over a socket, the
    /// connection is reset instead.
    ConnectionRefused,
    /// The connection breaks before the answer. By default for every read.
    ConnectionReset,
    /// The body breaks off in the middle of the connection. By default for every read.
    TruncatedBody,
    /// A whole body that is half a JSON document. By default for every read.
    TruncatedJson,
    /// Lists whose `nextLink` never ends: the same page under ever new links.
    EndlessNextLink,
    /// Lists whose `nextLink` is the page itself.
    NextLinkLoop,
    /// Lists whose `nextLink` leads to this host, where a token must not be sent.
    NextLinkElsewhere {
        /// Host and, if need be, port.
        host: String,
    },
    /// A body of this many bytes more than asked for, still JSON. By default for every read.
    HugeBody {
        /// Additional bytes.
        bytes: usize,
    },
    /// No answer, ever. By default for every read.
    NeverAnswer,
    /// The body comes byte by byte with this pause between two. By default for every read.
    Drip {
        /// The pause.
        pause: Duration,
    },
    /// The answer comes this much later. By default for every operation.
    Delay {
        /// The delay.
        delay: Duration,
    },
    /// Parameters without `value`, lists without `value`.
    MissingValue,
    /// `isDynamicConfig` and its sisters as strings (`"True"`), numbers as strings.
    WrongTypes,
    /// Values in capitals (`"ON"`).
    UpperCaseValue,
    /// 401 `ExpiredAuthenticationToken` though the token is good. By default for every operation.
    TokenRejected,

    /// A ReadOnly lock: writes get 409 `ScopeLocked`. It can be listed too.
    ReadOnlyLock,
    /// A CanNotDelete lock: it can be listed and blocks nothing that hostssl does.
    DeleteLock,
    /// A policy denies writes: 403 `RequestDisallowedByPolicy` with `additionalInfo`.
    PolicyDenied,
    /// An assignment of the built-in policy that turns enforcement on at the next remediation: it is listed, and does nothing.
    PolicyEnforces,
    /// The same by an initiative that has that policy among others.
    InitiativeEnforces,
    /// The same by a policy definition of the organization's own.
    OwnPolicyEnforces,
    /// Writes get `ServerIsBusy`.
    Busy,
    /// Writes are accepted and fail in the end: polls get 200 with `status` `Failed` and this error.
    OperationFails {
        /// The error's code.
        code: String,
        /// The error's message.
        message: String,
    },
    /// Writes are accepted, are said to succeed, and change nothing.
    OperationIgnored,
    /// Writes take this long.
    OperationTakes {
        /// The time from acceptance to the end.
        duration: Duration,
    },
    /// Polls say this word instead of `InProgress`.
    UnknownStatus {
        /// The word, such as `Restarting`.
        word: String,
    },
    /// The server stops while the write is in progress; the operation fails with `ServerIsNotReady`.
    StopsMeanwhile,
    /// Writes are accepted and the connection breaks before the answer.
    ResetAfterAccept,
    /// Writes take effect, and this long after that the values are what they were before, as a policy or another tool
    /// sets them.
    GoesBack {
        /// The time from the end of the operation to that.
        after: Duration,
    },
    /// Writes are done at once: 200 with the resource in the body, no operation to poll.
    Immediate,
}

/// Where a fault strikes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FaultScope {
    /// Everywhere.
    Everywhere,
    /// In one subscription, by its id.
    Subscription(String),
    /// In one resource group, by its resource id.
    ResourceGroup(String),
    /// On one server, by its resource id.
    Server(String),
}

/// A fault, where it strikes and how often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FaultRule {
    /// Where.
    pub scope: FaultScope,
    /// What.
    pub fault: Fault,
    /// For which operations; `None` leaves it to the fault.
    pub operations: Option<Vec<Operation>>,
    /// How many times; `None` is without limit.
    pub times: Option<u32>,
}

impl FaultRule {
    /// A rule without limit, for the operations that the fault is about.
    #[must_use]
    pub fn new(scope: FaultScope, fault: Fault) -> Self {
        Self { scope, fault, operations: None, times: None }
    }

    /// A rule for one server.
    pub fn on_server(id: impl Into<String>, fault: Fault) -> Self {
        Self::new(FaultScope::Server(id.into()), fault)
    }

    /// A rule for one subscription.
    pub fn on_subscription(id: impl Into<String>, fault: Fault) -> Self {
        Self::new(FaultScope::Subscription(id.into()), fault)
    }

    /// The same rule for these operations only.
    #[must_use]
    pub fn during(mut self, operations: impl Into<Vec<Operation>>) -> Self {
        self.operations = Some(operations.into());
        self
    }

    /// The same rule for the first `times` matching requests only.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }
}

impl Fault {
    /// Whether the fault is about `operation` when its rule does not say.
    fn concerns(&self, operation: Operation) -> bool {
        // A client that is told to sign in again must be able to.
        let arm = !matches!(operation, Operation::SignIn | Operation::Endpoints);
        match self {
            Self::Stopped => operation.reads_parameters() || operation == Operation::UpdateConfiguration,
            Self::Forbidden | Self::InternalError => operation.reads_parameters(),
            Self::Vanished => operation.on_server(),
            Self::Throttled { .. }
            | Self::Unavailable { .. }
            | Self::Delay { .. }
            | Self::TokenRejected
            | Self::ConnectionRefused => arm,
            Self::Html { .. }
            | Self::ConnectionReset
            | Self::TruncatedBody
            | Self::TruncatedJson
            | Self::HugeBody { .. }
            | Self::NeverAnswer
            | Self::Drip { .. } => arm && !operation.is_write(),
            Self::EndlessNextLink | Self::NextLinkLoop | Self::NextLinkElsewhere { .. } => operation.is_list(),
            Self::MissingValue => operation.reads_parameters() || operation.is_list(),
            Self::WrongTypes | Self::UpperCaseValue => operation.reads_parameters(),
            // A lock is consulted by scope and by writes; listing it must not use a rule up.
            Self::ReadOnlyLock | Self::DeleteLock | Self::PolicyDenied => operation.is_write(),
            Self::PolicyEnforces | Self::InitiativeEnforces | Self::OwnPolicyEnforces => false,
            Self::UnknownStatus { .. } => matches!(operation, Operation::PollOperation | Operation::GetOperationResult),
            Self::Busy
            | Self::OperationFails { .. }
            | Self::OperationIgnored
            | Self::OperationTakes { .. }
            | Self::GoesBack { .. }
            | Self::StopsMeanwhile
            | Self::ResetAfterAccept
            | Self::Immediate => operation.is_write(),
        }
    }
}

/// Which place a request is about, by indexes into the fleet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Place<'a> {
    pub(crate) subscription: Option<usize>,
    pub(crate) group: Option<&'a str>,
    pub(crate) server: Option<usize>,
}

/// A scope with its ids looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ResolvedScope {
    Everywhere,
    Subscription(usize),
    Group(usize, String),
    Server(usize),
}

impl ResolvedScope {
    fn covers(&self, place: Place<'_>) -> bool {
        match self {
            Self::Everywhere => true,
            Self::Subscription(index) => place.subscription == Some(*index),
            Self::Group(index, group) => {
                place.subscription == Some(*index) && place.group.is_some_and(|at| at.eq_ignore_ascii_case(group))
            }
            Self::Server(index) => place.server == Some(*index),
        }
    }
}

/// The rules in force.
#[derive(Debug, Default)]
pub(crate) struct Rules(Vec<Active>);

#[derive(Debug)]
struct Active {
    scope: ResolvedScope,
    fault: Fault,
    operations: Option<Vec<Operation>>,
    left: Option<u32>,
}

impl Rules {
    /// Adds a rule.
    pub(crate) fn add(&mut self, scope: ResolvedScope, rule: FaultRule) {
        self.0.push(Active { scope, fault: rule.fault, operations: rule.operations, left: rule.times });
    }

    /// Removes every rule.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Whether there is no rule.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The faults that strike this request, each counted once.
    pub(crate) fn strike(&mut self, operation: Operation, place: Place<'_>) -> Vec<Fault> {
        let mut struck = Vec::new();
        for rule in &mut self.0 {
            let concerned = match &rule.operations {
                Some(operations) => operations.contains(&operation),
                None => rule.fault.concerns(operation),
            };
            if !concerned || !rule.scope.covers(place) || rule.left == Some(0) {
                continue;
            }
            if let Some(left) = &mut rule.left {
                *left -= 1;
            }
            struck.push(rule.fault.clone());
        }
        struck
    }

    /// Whether a rule forbids an operation at a place, without using the rule up.
    pub(crate) fn forbids(&self, operation: Operation, place: Place<'_>) -> bool {
        self.0.iter().any(|rule| {
            rule.fault == Fault::Forbidden
                && rule.left != Some(0)
                && rule.operations.as_ref().is_some_and(|operations| operations.contains(&operation))
                && rule.scope.covers(place)
        })
    }

    /// The scopes and faults of the rules in force, for the lists of locks and policies.
    pub(crate) fn in_force(&self) -> impl Iterator<Item = (&ResolvedScope, &Fault)> {
        self.0.iter().filter(|rule| rule.left != Some(0)).map(|rule| (&rule.scope, &rule.fault))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place<'_> = Place { subscription: Some(1), group: Some("RG"), server: Some(9) };

    fn rules(scope: ResolvedScope, rule: FaultRule) -> Rules {
        let mut rules = Rules::default();
        rules.add(scope, rule);
        rules
    }

    #[test]
    fn a_count_is_used_up_by_matching_requests_only() {
        let rule = FaultRule::new(FaultScope::Everywhere, Fault::Unavailable { status: 503 })
            .during([Operation::GetConfiguration])
            .times(2);
        let mut rules = rules(ResolvedScope::Everywhere, rule);
        assert!(rules.strike(Operation::GetServer, PLACE).is_empty());
        for _ in 0..2 {
            assert_eq!(rules.strike(Operation::GetConfiguration, PLACE).len(), 1);
        }
        assert!(rules.strike(Operation::GetConfiguration, PLACE).is_empty());
        assert_eq!(rules.in_force().count(), 0);
    }

    #[test]
    fn scopes_cover_what_is_in_them() {
        let busy = || FaultRule::new(FaultScope::Everywhere, Fault::Busy);
        let covered = [
            ResolvedScope::Everywhere,
            ResolvedScope::Subscription(1),
            ResolvedScope::Group(1, "rg".to_owned()),
            ResolvedScope::Server(9),
        ];
        for scope in covered {
            assert_eq!(rules(scope.clone(), busy()).strike(Operation::UpdateServer, PLACE), [Fault::Busy], "{scope:?}");
        }
        for scope in [
            ResolvedScope::Subscription(2),
            ResolvedScope::Group(2, "rg".to_owned()),
            ResolvedScope::Group(1, "other".to_owned()),
            ResolvedScope::Server(8),
        ] {
            let mut rules = rules(scope.clone(), busy());
            assert!(rules.strike(Operation::UpdateServer, PLACE).is_empty(), "{scope:?}");
        }
    }

    #[test]
    fn faults_know_what_they_are_about() {
        assert!(Fault::Stopped.concerns(Operation::GetConfiguration));
        assert!(!Fault::Stopped.concerns(Operation::GetServer));
        assert!(Fault::Vanished.concerns(Operation::GetServer));
        assert!(!Fault::Vanished.concerns(Operation::ListServers));
        assert!(!Fault::Html { status: 200 }.concerns(Operation::UpdateConfiguration));
        assert!(Fault::EndlessNextLink.concerns(Operation::ListSubscriptions));
        assert!(Fault::TokenRejected.concerns(Operation::ListSubscriptions));
        assert!(!Fault::TokenRejected.concerns(Operation::SignIn));
    }
}
