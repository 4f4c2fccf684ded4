//! Charts as SVG in the page. Each has a table or words beside it that say the same.

use super::When;
use hostssl_store::{AuditEntry, Enforcement, HistoryEntry, Tally};

/// A part of a bar, in units of a thousandth of its width.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) class: &'static str,
    pub(crate) x: u64,
    pub(crate) width: u64,
}

/// One bar of enforced, unknown and not enforced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bar(pub(crate) Vec<Part>);

impl Bar {
    /// The shares of a tally. Whatever is not zero can be seen.
    pub(crate) fn of(tally: &Tally) -> Self {
        let shares = [("yes", tally.enforced), ("unknown", tally.unknown), ("no", tally.not_enforced)];
        let all = tally.servers().max(1);
        let mut parts = Vec::new();
        let mut x = 0;
        for (class, servers) in shares.into_iter().filter(|(_, servers)| *servers > 0) {
            let width = (servers * 1000 / all).max(4);
            parts.push(Part { class, x, width });
            x += width;
        }
        if let Some(last) = parts.last_mut() {
            last.width = 1000_u64.saturating_sub(last.x).max(4);
        }
        Self(parts)
    }
}

/// A run in the chart over time.
#[derive(Debug, Clone)]
pub(crate) struct Point {
    pub(crate) id: String,
    pub(crate) at: When,
    pub(crate) tally: Tally,
    pub(crate) x: u64,
    pub(crate) width: u64,
    /// y and height of enforced, unknown and not enforced, from the bottom up.
    pub(crate) stack: [(&'static str, u64, u64); 3],
}

/// Runs over time.
#[derive(Debug, Clone)]
pub(crate) struct Trend {
    pub(crate) points: Vec<Point>,
}

/// The chart's size in its own units.
const WIDTH: u64 = 600;
const HEIGHT: u64 = 120;

impl Trend {
    /// The runs, oldest first.
    pub(crate) fn of(audits: &[AuditEntry]) -> Self {
        let most = audits.iter().map(|audit| audit.tally.servers()).max().unwrap_or_default().max(1);
        // A few runs do not become a few walls.
        let slots = (audits.len() as u64).max(12);
        let (pitch, gap) = (WIDTH / slots, if slots > 40 { 1 } else { 4 });
        let points = (0_u64..).zip(audits).map(|(index, audit)| {
            let height = |servers: u64| servers * HEIGHT / most;
            let tally = audit.tally;
            let (yes, unknown, no) = (height(tally.enforced), height(tally.unknown), height(tally.not_enforced));
            let stack = [
                ("yes", HEIGHT.saturating_sub(yes), yes),
                ("unknown", HEIGHT.saturating_sub(yes + unknown), unknown),
                ("no", HEIGHT.saturating_sub(yes + unknown + no), no),
            ];
            let (x, width) = (index * pitch, pitch.saturating_sub(gap).max(1));
            Point { id: audit.id.clone(), at: When(audit.started_ms), tally, x, width, stack }
        });
        Self { points: points.collect() }
    }
}

/// A server over time: a cell for each run, the newest on the right.
#[derive(Debug, Clone)]
pub(crate) struct Strip(pub(crate) Vec<Cell>);

/// A run in a strip.
#[derive(Debug, Clone)]
pub(crate) struct Cell {
    pub(crate) x: u64,
    pub(crate) class: &'static str,
}

impl Strip {
    /// The entries, newest first.
    pub(crate) fn of(history: &[HistoryEntry]) -> Self {
        let cell = |(index, entry): (u64, &HistoryEntry)| Cell {
            x: index * 12,
            class: match entry.enforcement {
                Enforcement::Enforced => "yes",
                Enforcement::Unknown => "unknown",
                Enforcement::NotEnforced => "no",
            },
        };
        Self((0_u64..).zip(history.iter().rev()).map(cell).collect())
    }

    pub(crate) fn width(&self) -> u64 {
        (self.0.len() as u64 * 12).max(12)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_full_and_hides_nothing() {
        let bar = Bar::of(&Tally { enforced: 9_999, not_enforced: 1, unknown: 0 });
        assert_eq!(bar.0.len(), 2);
        assert!(bar.0.iter().all(|part| part.width >= 4));
        let last = bar.0.last().unwrap();
        assert!(last.x + last.width >= 1000);
        assert_eq!(Bar::of(&Tally::default()).0, []);
    }
}
