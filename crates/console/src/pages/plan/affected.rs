//! Clients that a plan refuses, or spares by leaving their servers out.

use hostssl_formats::plan_text::{AFFECTED_SERVERS, first_clients};
use hostssl_remediation::ClientImpact;

/// Servers with the clients that are refused, or would be.
pub(super) struct Affected {
    /// Server, its first clients, and how many more it has.
    pub(super) servers: Vec<(String, Vec<String>, u64)>,
    /// Servers that are not shown.
    pub(super) more: usize,
}

impl Affected {
    pub(super) fn of<'a>(affected: impl Iterator<Item = (&'a str, Option<&'a ClientImpact>)>) -> Self {
        let all: Vec<(&str, &ClientImpact)> = affected
            .filter_map(|(name, impact)| Some((name, impact.filter(|impact| !impact.clients.is_empty())?)))
            .collect();
        let row = |(name, impact): &(&str, &ClientImpact)| {
            let (named, more) = first_clients(impact);
            ((*name).to_owned(), named, more)
        };
        Self {
            servers: all.iter().take(AFFECTED_SERVERS).map(row).collect(),
            more: all.len().saturating_sub(AFFECTED_SERVERS),
        }
    }
}
