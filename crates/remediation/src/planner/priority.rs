//! Which servers are tried first: never production by accident.

use hostssl_model::{ResourceId, Server, Subscription};
use std::collections::{BTreeMap, BTreeSet};

/// How a plan orders its servers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WaveOrder {
    /// The canary, by name or resource id, where a person chose it: these servers are the first wave.
    pub canary: Vec<String>,
    /// Servers that come last: where the canary of the last run failed, another server is to try.
    pub last: BTreeSet<ResourceId>,
    /// How many clients were observed of each server: of servers that are alike otherwise, the one with the fewest comes
    /// first, and one whose clients were not observed after them.
    pub clients: BTreeMap<ResourceId, u64>,
    /// A wave holds servers of one group only.
    pub by: Option<WaveBy>,
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

/// How much depends on a server, as far as names and tags show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Tier {
    /// It is for development, tests or trials.
    NonProduction,
    /// Nothing says what it is for.
    Unknown,
    /// It is in production use.
    Production,
}

/// Tags that say what a server is for.
const TAGS: [&str; 6] = ["environment", "env", "stage", "tier", "lifecycle", "criticality"];
const NON_PRODUCTION: [&str; 22] = [
    "nonproduction",
    "nonprod",
    "preproduction",
    "preprod",
    "dev",
    "develop",
    "development",
    "devel",
    "test",
    "testing",
    "tst",
    "qa",
    "qs",
    "uat",
    "stage",
    "staging",
    "stg",
    "sandbox",
    "sbx",
    "demo",
    "lab",
    "int",
];
const PRODUCTION: [&str; 6] = ["production", "prod", "prd", "live", "critical", "missioncritical"];

/// What is said of a server: by its tags, then its name, its resource group, and the name of its subscription.
pub(super) fn tier(server: &Server, subscription: Option<&Subscription>) -> Tier {
    let tags = TAGS.iter().filter_map(|name| server.tags.get(name));
    let names = [server.name(), server.id.resource_group()];
    tags.chain(names)
        .chain(subscription.map(|one| &*one.name))
        .map(said)
        .find(|tier| *tier != Tier::Unknown)
        .unwrap_or(Tier::Unknown)
}

/// What one text says. `non-prod` and `pre-prod` are not production.
fn said(text: &str) -> Tier {
    let lower = text.to_lowercase();
    let words: Vec<&str> = lower
        .split(|c: char| !c.is_alphanumeric())
        .map(|word| word.trim_end_matches(|c: char| c.is_ascii_digit()))
        .filter(|word| !word.is_empty())
        .collect();
    let negated =
        words.windows(2).any(|pair| matches!(pair, ["non" | "pre" | "not", word] if PRODUCTION.contains(word)));
    if negated || words.iter().any(|word| NON_PRODUCTION.contains(word)) {
        Tier::NonProduction
    } else if words.iter().any(|word| PRODUCTION.contains(word)) {
        Tier::Production
    } else {
        Tier::Unknown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_say_what_a_server_is_for() {
        for production in ["prod", "Production", "pgf-prod-01", "live", "shop_PRD2"] {
            assert_eq!(said(production), Tier::Production, "{production}");
        }
        for other in ["dev", "pgf-test3", "non-prod", "nonprod", "pre-prod", "UAT", "staging-prod-copy"] {
            assert_eq!(said(other), Tier::NonProduction, "{other}");
        }
        for nothing in ["", "orders", "product-catalog", "reproduction", "device", "contest"] {
            assert_eq!(said(nothing), Tier::Unknown, "{nothing}");
        }
    }
}
