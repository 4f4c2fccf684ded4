//! What happens during a run, for whoever shows or records it.

use hostssl_model::{ServerReport, Subscription};

/// One thing that happened.
#[derive(Debug)]
pub enum Event<'a> {
    /// The subscriptions in scope are known.
    Subscriptions(usize),
    /// Servers were found; their settings are read next.
    Found(usize),
    /// One server was looked at.
    Looked,
    /// A subscription is done: these are its servers, in the order of their ids.
    Subscription(usize, &'a Subscription, &'a [ServerReport]),
}
