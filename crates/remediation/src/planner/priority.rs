//! Which servers are tried first: never production by accident.

use crate::purpose::{self, Tier};
use hostssl_model::{ResourceId, Server, Subscription, selects};
use std::collections::{BTreeMap, BTreeSet};

/// How a plan orders its servers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WaveOrder {
    /// The canary, by name, pattern, tag (`NAME=VALUE`) or resource id, where a person chose it: these servers are the first wave.
    pub canary: Vec<String>,
    /// Servers that come last: where the canary of the last run failed, another server is to try.
    pub last: BTreeSet<ResourceId>,
    /// How many clients were observed of each server: of servers that are alike otherwise, the one with the fewest comes
    /// first, and one whose clients were not observed after them.
    pub clients: BTreeMap<ResourceId, u64>,
    /// A wave holds servers of one group only.
    pub by: Option<WaveBy>,
}

/// Whether a person's choice of the canary is this server.
#[must_use]
pub fn is_canary(selector: &str, server: &Server) -> bool {
    selects(selector, server) || server.id.as_str().eq_ignore_ascii_case(selector)
}

/// What makes servers one group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WaveBy {
    /// The value of a tag.
    Tag(String),
    /// The subscription.
    Subscription,
    /// Azure's region.
    Region,
}

impl WaveBy {
    /// The group of a server.
    pub(super) fn group(&self, server: &Server) -> String {
        match self {
            Self::Tag(key) => server.tags.get(key).unwrap_or_default().to_owned(),
            Self::Subscription => server.subscription().to_string(),
            Self::Region => server.location.replace(' ', ""),
        }
        .to_lowercase()
    }
}

/// How much depends on a server: by its tags, then its name, its resource group, and the name of its subscription.
pub(super) fn tier(server: &Server, subscription: Option<&Subscription>) -> Tier {
    let names = [server.name(), server.id.resource_group()];
    purpose::tier(|name| server.tags.get(name), names.into_iter().chain(subscription.map(|one| &*one.name)))
}
