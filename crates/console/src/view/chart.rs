//! Charts as SVG in the page. Each has a table or words beside it that say the same.

use super::When;
use hostssl_store::{AuditEntry, Enforcement, HistoryEntry, Tally};
use std::fmt;

/// Tenths of a percent, written as a percentage. Charts have no units of their own, so that hatching is never distorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Share(u64);

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0 / 10, self.0 % 10)
    }
}

/// A part of a bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) class: &'static str,
    pub(crate) x: Share,
    pub(crate) width: Share,
}

/// The whole of a bar.
const ALL: u64 = 1000;
/// The least part of a bar that can be seen.
const LEAST: u64 = 5;

/// One bar of enforced, unknown and not enforced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bar(pub(crate) Vec<Part>);

impl Bar {
    /// The shares of a tally. Whatever is not zero can be seen.
    pub(crate) fn of(tally: &Tally) -> Self {
        let shares = shares(tally);
        let servers = tally.servers().max(1);
        let mut parts = Vec::new();
        let mut x = 0;
        for (index, (class, count)) in shares.iter().enumerate().filter(|(_, (_, count))| *count > 0) {
            let behind = shares.iter().skip(index + 1).filter(|(_, count)| *count > 0).count() as u64;
            let room = ALL.saturating_sub(x + behind * LEAST);
            let width = if behind == 0 { room } else { (count * ALL / servers).clamp(LEAST, room.max(LEAST)) };
            parts.push(Part { class, x: Share(x), width: Share(width) });
            x += width;
        }
        Self(parts)
    }
}

/// From best to worst, so that green, hatched and red stand in one order everywhere.
fn shares(tally: &Tally) -> [(&'static str, u64); 3] {
    [("yes", tally.enforced), ("unknown", tally.unknown), ("no", tally.not_enforced)]
}

/// A run in the chart over time.
#[derive(Debug, Clone)]
pub(crate) struct Point {
    pub(crate) id: String,
    pub(crate) at: When,
    pub(crate) tally: Tally,
    pub(crate) x: Share,
    pub(crate) width: Share,
    /// From the bottom up.
    pub(crate) stack: Vec<Slice>,
}

/// A part of a column.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Slice {
    pub(crate) class: &'static str,
    pub(crate) y: Share,
    pub(crate) height: Share,
}

/// Runs over time.
#[derive(Debug, Clone)]
pub(crate) struct Trend {
    pub(crate) points: Vec<Point>,
}

impl Trend {
    /// The runs, oldest first.
    pub(crate) fn of(audits: &[AuditEntry]) -> Self {
        let most = audits.iter().map(|audit| audit.tally.servers()).max().unwrap_or_default().max(1);
        // A few runs do not become a few walls.
        let slots = (audits.len() as u64).max(12);
        let pitch = ALL / slots;
        let points = (0_u64..).zip(audits).map(|(index, audit)| {
            let mut top = ALL;
            let mut stack = Vec::new();
            for (class, servers) in shares(&audit.tally).into_iter().filter(|(_, servers)| *servers > 0) {
                let height = (servers * ALL / most).max(LEAST).min(top);
                top -= height;
                stack.push(Slice { class, y: Share(top), height: Share(height) });
            }
            let width = Share(pitch.saturating_sub(pitch / 7).max(1));
            Point {
                id: audit.id.clone(),
                at: When(audit.started_ms),
                tally: audit.tally,
                x: Share(index * pitch),
                width,
                stack,
            }
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
        for (enforced, not_enforced, unknown) in [(9_999, 1, 0), (1, 0, 9_999), (0, 5, 0), (100_000, 1, 1), (1, 1, 1)] {
            let bar = Bar::of(&Tally { enforced, not_enforced, unknown });
            assert!(bar.0.iter().all(|part| part.width >= Share(LEAST)), "{bar:?}");
            assert_eq!(bar.0.iter().map(|part| part.width.0).sum::<u64>(), ALL, "{bar:?}");
        }
        assert_eq!(Bar::of(&Tally::default()).0, []);
        assert_eq!(Share(1000).to_string(), "100.0");
    }
}
