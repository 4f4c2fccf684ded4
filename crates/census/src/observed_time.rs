//! The time over which something was observed: spans, and the gaps between them.

use crate::Millis;
use serde::{Deserialize, Serialize};

/// A silence up to this long is that of a quiet server. One hour is also what Azure puts into one log file.
pub(crate) const TOLERANCE: Millis = 60 * 60 * 1_000;
/// A server that writes nothing at all for so long was off, or its log is not whole, or its clock jumped: within one
/// file.
const SILENCE: Millis = 24 * TOLERANCE;
/// The most spans that are held. A log whose clock keeps jumping does not fill the memory.
const MOST_SPANS: usize = 4_096;

/// A span of time, with both ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Interval {
    /// Its beginning.
    pub from: Millis,
    /// Its end, not before its beginning.
    pub to: Millis,
}

impl Interval {
    /// Whether all of another lies within it.
    pub(crate) fn contains(&self, other: &Self) -> bool {
        self.from <= other.from && other.to <= self.to
    }

    /// Whether both have a time in common.
    pub(crate) fn meets(&self, other: &Self) -> bool {
        self.from <= other.to && other.from <= self.to
    }
}

/// What a source covers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Coverage {
    spans: Vec<Interval>,
    open: Option<Interval>,
}

impl Coverage {
    /// Takes the time of the next line of a log. Neighbours belong together unless a day is between them, or the clock
    /// went back.
    pub fn observe(&mut self, at: Millis) {
        match &mut self.open {
            Some(span) if at >= span.to && at - span.to <= SILENCE => span.to = at,
            // Lines of several processes are a little out of order.
            Some(span) if at < span.to && span.to - at <= TOLERANCE => span.from = span.from.min(at),
            _ => {
                self.close();
                self.open = Some(Interval { from: at, to: at });
            }
        }
    }

    /// Ends the span that [`Self::observe`] is in: the next line is another file's.
    pub fn close(&mut self) {
        if let Some(span) = self.open.take() {
            self.add(span);
        }
    }

    /// Adds a whole span.
    pub fn add(&mut self, span: Interval) {
        self.spans.push(span);
        if self.spans.len() > MOST_SPANS {
            self.spans = joined(std::mem::take(&mut self.spans));
            self.spans.truncate(MOST_SPANS / 2);
        }
    }

    /// Adds what another covers.
    pub fn merge(&mut self, other: &Self) {
        self.spans.extend(other.spans.iter().chain(&other.open).copied());
    }

    /// Leaves out what was before `since`.
    pub fn cut(&mut self, since: Millis) {
        self.close();
        self.spans.retain(|span| span.to >= since);
        for span in &mut self.spans {
            span.from = span.from.max(since);
        }
    }

    /// Leaves out what is further than `reach` from everything that `other` covers, or further than `edge` before the first
    /// and behind the last of it.
    pub(crate) fn keep_near(&mut self, other: &Self, reach: Millis, edge: Millis) {
        let mut near = other.spans();
        let last = near.len().saturating_sub(1);
        for (at, span) in near.iter_mut().enumerate() {
            span.from = span.from.saturating_sub(if at == 0 { edge } else { reach });
            span.to = span.to.saturating_add(if at == last { edge } else { reach });
        }
        let near = joined(near);
        let overlap = |one: &Interval, two: &Interval| {
            let both = Interval { from: one.from.max(two.from), to: one.to.min(two.to) };
            (both.from <= both.to).then_some(both)
        };
        let spans = self.spans();
        self.open = None;
        self.spans = spans.iter().flat_map(|span| near.iter().filter_map(|near| overlap(span, near))).collect();
    }

    /// The spans in order, none of which touches another.
    #[must_use]
    pub fn spans(&self) -> Vec<Interval> {
        joined(self.spans.iter().chain(&self.open).copied().collect())
    }

    /// From the first to the last, with the gaps in between.
    #[must_use]
    pub fn window(&self) -> Option<Interval> {
        let spans = self.spans();
        Some(Interval { from: spans.first()?.from, to: spans.last()?.to })
    }

    /// The time that was observed, without the gaps.
    #[must_use]
    pub fn observed(&self) -> Millis {
        self.spans().iter().map(|span| span.to - span.from).sum()
    }

    /// Whether so much was observed. A log that ends some minutes early is the whole day's.
    #[must_use]
    pub fn is_enough(&self, required: Millis) -> bool {
        let observed = self.observed();
        observed > 0 && observed + TOLERANCE.min(required / 8) >= required
    }
}

/// Joins spans that overlap or are no further apart than a quiet server is silent.
pub(crate) fn joined(spans: Vec<Interval>) -> Vec<Interval> {
    joined_within(spans, |_| TOLERANCE)
}

/// Joins spans that overlap or are no further apart than may be between two that have this between them.
pub(crate) fn joined_within(mut spans: Vec<Interval>, tolerance: impl Fn(Interval) -> Millis) -> Vec<Interval> {
    spans.sort_unstable();
    let mut joined: Vec<Interval> = Vec::new();
    for span in spans {
        match joined.last_mut() {
            Some(last) if span.from <= last.to => last.to = last.to.max(span.to),
            Some(last) if span.from - last.to <= tolerance(Interval { from: last.to, to: span.from }) => {
                last.to = span.to;
            }
            _ => joined.push(span),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DAY: Millis = 24 * TOLERANCE;

    fn of(times: &[Millis]) -> Coverage {
        let mut coverage = Coverage::default();
        times.iter().for_each(|&at| coverage.observe(at));
        coverage
    }

    #[test]
    fn a_clock_that_jumps_makes_no_observation() {
        let coverage = of(&[0, TOLERANCE, 5_000 * DAY, TOLERANCE, 2 * TOLERANCE]);
        assert_eq!(coverage.observed(), 2 * TOLERANCE);
        assert!(!coverage.is_enough(7 * DAY));
    }

    #[test]
    fn files_are_joined_and_a_missing_one_is_a_gap() {
        let mut coverage = Coverage::default();
        for day in [6, 0, 1, 2, 4, 5] {
            coverage.observe(day * DAY + 20_000);
            coverage.observe((day + 1) * DAY - 20_000);
            coverage.close();
        }
        assert_eq!(coverage.spans().len(), 2);
        assert!(!coverage.is_enough(7 * DAY));
        coverage.add(Interval { from: 3 * DAY + 5, to: 4 * DAY });
        assert_eq!(coverage.spans().len(), 1);
        assert!(coverage.is_enough(7 * DAY), "the seconds before the first line and after the last do not count");
    }

    #[test]
    fn what_is_far_from_the_other_does_not_count() {
        let mut coverage = of(&[0, DAY, 2 * DAY, 3 * DAY, 4 * DAY]);
        coverage.keep_near(&of(&[3 * DAY, 4 * DAY]), DAY / 2, DAY);
        assert_eq!(coverage.spans(), [Interval { from: 2 * DAY, to: 4 * DAY }]);
        let mut holed = of(&[0, DAY, 2 * DAY, 3 * DAY, 4 * DAY]);
        let mut ends = of(&[0]);
        ends.merge(&of(&[4 * DAY]));
        holed.keep_near(&ends, DAY, DAY);
        assert_eq!(holed.observed(), 2 * DAY);
        holed.keep_near(&Coverage::default(), DAY, DAY);
        assert_eq!(holed.window(), None);
    }

    proptest! {
        #[test]
        fn order_does_not_matter_and_nothing_is_counted_twice(spans in prop::collection::vec((0..1000i64, 0..50i64), 1..20)) {
            let spans: Vec<Interval> =
                spans.iter().map(|(from, length)| Interval { from: from * TOLERANCE, to: (from + length) * TOLERANCE }).collect();
            let (mut forth, mut back) = (Coverage::default(), Coverage::default());
            spans.iter().for_each(|&span| forth.add(span));
            spans.iter().rev().chain(&spans).for_each(|&span| back.add(span));
            prop_assert_eq!(forth.spans(), back.spans());
            let window = forth.window().unwrap();
            prop_assert!(forth.observed() <= window.to - window.from);
        }
    }
}
