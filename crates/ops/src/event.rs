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
}
