//! What happens during a run, to be shown or recorded.

use hostssl_model::{ServerReport, Subscription};

/// One thing that happened.
#[derive(Debug)]
pub enum AuditEvent<'a> {
    /// The subscriptions in scope are known.
    Subscriptions(usize),
    /// Servers were found; their settings are read next.
    Found(usize),
    /// One server was checked.
    Looked,
    /// A subscription is done: these are its servers, in the order of their ids.
    Subscription(usize, &'a Subscription, &'a [ServerReport]),
    /// All servers were checked; a plan reads this as well.
    Reading(PlanReading),
}

/// What a plan reads after the servers, and of how many subscriptions or servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlanReading {
    /// The locks of subscriptions.
    Locks(usize),
    /// The log settings of servers.
    LogSettings(usize),
    /// The permissions of the identity on servers.
    Permissions(usize),
}

impl std::fmt::Display for PlanReading {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (what, count, noun) = match self {
            Self::Locks(count) => ("locks", count, "subscription"),
            Self::LogSettings(count) => ("log settings", count, "server"),
            Self::Permissions(count) => ("permissions", count, "server"),
        };
        write!(f, "reading the {what} of {count} {noun}{}", if *count == 1 { "" } else { "s" })
    }
}
