//! Bars of how many servers have which status. Each has its figures in words beside it.

use super::class;
use crate::safe;
use hostssl_model::{AuditReport, GapScope, Standing, Standings};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// A bar of 1000 units, cut in parts.
pub(super) struct StackedBar {
    pub(super) parts: Vec<StackedPart>,
    /// The figures in words.
    pub(super) words: String,
}

/// A part of a bar.
pub(super) struct StackedPart {
    pub(super) class: &'static str,
    pub(super) x: u64,
    pub(super) width: u64,
}

impl StackedBar {
    /// The parts in the order of reports, the worst first. What is not zero can be seen.
    pub(super) fn of(standings: &Standings) -> Self {
        const ALL: u64 = 1000;
        const LEAST: u64 = 4;
        let servers = standings.servers().max(1);
        let mut parts: Vec<StackedPart> = Vec::new();
        let mut words = Vec::new();
        let mut before = 0;
        for standing in Standing::ALL {
            let count = standings.count(standing);
            if count == 0 {
                continue;
            }
            let x = parts.last().map_or(0, |part| part.x + part.width).max(before * ALL / servers);
            before += count;
            let width = (before * ALL / servers).saturating_sub(x).max(LEAST);
            parts.push(StackedPart { class: class(standing), x, width });
            words.push(format!("{count} {}", standing.words()));
        }
        Self { parts, words: words.join(", ") }
    }
}

/// A subscription with its servers.
pub(super) struct SubscriptionBar<'a> {
    pub(super) name: Cow<'a, str>,
    pub(super) id: Cow<'a, str>,
    pub(super) standings: Standings,
    pub(super) bar: StackedBar,
    /// Whether servers of it may be missing, since a list could not be read.
    pub(super) is_partial: bool,
}

impl<'a> SubscriptionBar<'a> {
    /// The subscriptions with servers and those that could not be read, those with the most that do not enforce first.
    pub(super) fn all(report: &'a AuditReport) -> Vec<Self> {
        let mut counted: BTreeMap<_, Standings> = BTreeMap::new();
        for server in &report.servers {
            counted.entry(server.server.subscription()).or_default().add(Standing::of(server), 1);
        }
        let bars = report.subscriptions.iter().filter_map(|subscription| {
            let is_partial = report.gaps.iter().any(|gap| {
                gap.unchecked.reason.leaves_incomplete()
                    && matches!(&gap.scope, GapScope::Subscription(id) if id.eq_ignore_ascii_case(subscription.id.as_str()))
            });
            let standings = counted.get(&subscription.id).copied().or(is_partial.then(Standings::default))?;
            let bar = StackedBar::of(&standings);
            let (name, id) = (safe(&subscription.name), safe(subscription.id.as_str()));
            Some(Self { name, id, standings, bar, is_partial })
        });
        let mut bars: Vec<Self> = bars.collect();
        bars.sort_by_key(|one| std::cmp::Reverse((one.standings.open(), one.is_partial, one.standings.unknown)));
        bars
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_follow_each_other_and_the_smallest_can_be_seen() {
        let bar =
            StackedBar::of(&Standings { accepts_plaintext: 1, unknown: 1, proven: 9_998, ..Standings::default() });
        let parts: Vec<(u64, u64)> = bar.parts.iter().map(|part| (part.x, part.width)).collect();
        assert_eq!(parts, [(0, 4), (4, 4), (8, 992)]);
        assert_eq!(bar.words, "1 declared on, accepts plaintext, 1 unknown, 9998 enforced and proven");
        assert!(StackedBar::of(&Standings::default()).parts.is_empty());
    }
}
