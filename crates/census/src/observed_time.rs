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
    /// How long it is.
    pub(crate) fn length(&self) -> Millis {
        self.to.saturating_sub(self.from)
    }

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
    /// Its spans are apart for a reason, and are not joined, however near they are.
    is_apart: bool,
    /// Between the lines of which the time was observed, and between those about connections.
    silence: Silence,
    noted: Silence,
    last_noted: Option<Millis>,
}

impl Coverage {
    /// Spans that are apart for a reason, and stay as they are.
    pub(crate) fn apart(spans: Vec<Interval>) -> Self {
        Self { spans: joined_within(spans, |_| 0), is_apart: true, ..Self::default() }
    }

    /// The time in which what is between its spans is known not to be covered.
    pub(crate) fn apart_within(&self) -> Option<Interval> {
        self.window().filter(|_| self.is_apart)
    }

    /// Leaves out a time that lies within, so that what is before it and behind it is apart. Returns what of it was covered.
    pub(crate) fn exclude(&mut self, time: Interval) -> Vec<Interval> {
        let (mut kept, mut excluded) = (Vec::new(), Vec::new());
        for span in self.spans() {
            let inside = Interval { from: span.from.max(time.from), to: span.to.min(time.to) };
            if inside.from >= inside.to {
                kept.push(span);
                continue;
            }
            excluded.push(inside);
            kept.extend((span.from < inside.from).then_some(Interval { to: inside.from, ..span }));
            kept.extend((inside.to < span.to).then_some(Interval { from: inside.to, ..span }));
        }
        if !excluded.is_empty() {
            *self = Self { silence: self.silence, noted: self.noted, ..Self::apart(kept) };
        }
        excluded
    }

    /// Takes the time of the next line about a connection, each of which is read.
    pub(crate) fn note(&mut self, at: Millis) {
        if let Some(last) = self.last_noted {
            self.noted.step(at - last);
        }
        self.last_noted = self.last_noted.max(Some(at));
    }

    /// Takes the times of all lines of a file: they say how long it is silent between them.
    pub(crate) fn measure(&mut self, times: impl Iterator<Item = Millis>) {
        let mut all = Self::default();
        times.for_each(|at| all.observe(at));
        self.merge(&all);
        (self.silence, self.noted) = (all.silence, Silence::default());
    }

    /// Its spans as they were observed, with what is known of the silence between lines.
    pub(crate) fn measured(&self) -> impl Iterator<Item = MeasuredSpan> {
        // Neither are all lines, so that the log was silent for the shorter time at most.
        let known = [self.silence, self.noted].into_iter().filter_map(Silence::longest);
        let silence = known.min();
        let spans = joined_within(self.spans.iter().chain(&self.open).copied().collect(), |_| 0);
        spans.into_iter().map(move |time| MeasuredSpan { time, silence })
    }

    /// Takes the time of the next line of a log. Neighbours belong together unless a day is between them, or the clock
    /// went back.
    pub fn observe(&mut self, at: Millis) {
        match &mut self.open {
            Some(span) if at >= span.to && at - span.to <= SILENCE => {
                self.silence.step(at - span.to);
                span.to = at;
            }
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
            self.spans = self.spans();
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
        let tolerance = if self.is_apart { 0 } else { TOLERANCE };
        joined_within(self.spans.iter().chain(&self.open).copied().collect(), |_| tolerance)
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

    /// The times between its spans.
    pub(crate) fn gaps(&self) -> impl Iterator<Item = Interval> {
        let spans = self.spans();
        let gaps: Vec<Interval> = spans
            .iter()
            .zip(spans.iter().skip(1))
            .map(|(one, next)| Interval { from: one.to, to: next.from })
            .collect();
        gaps.into_iter()
    }

    /// Whether so much was observed.
    #[must_use]
    pub fn is_enough(&self, required: Millis) -> bool {
        is_whole(self.observed(), required)
    }
}

/// Whether a time is as long as required. A log that ends some minutes early is the whole day's.
pub(crate) fn is_whole(length: Millis, required: Millis) -> bool {
    length > 0 && length + TOLERANCE.min(required / 8) >= required
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

/// Two files of a log are no further apart than this where nothing is between them.
pub(crate) const NEXT_FILE: Millis = 60 * 1_000;
/// A log is silent between two files for so many times as long as it is otherwise.
const UNUSUAL: Millis = 3;
/// Fewer lines, or gaps between files, than these do not say what is usual.
const FEWEST_STEPS: usize = 8;
const FEWEST_GAPS: usize = 5;

/// How long a log is silent between two lines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Silence {
    steps: usize,
    longest: Millis,
}

impl Silence {
    fn step(&mut self, length: Millis) {
        if (0..=SILENCE).contains(&length) {
            self.steps += 1;
            self.longest = self.longest.max(length);
        }
    }

    fn longest(self) -> Option<Millis> {
        // Few lines do not say that it is never silent for longer, but that it was silent for so long.
        (self.steps >= FEWEST_STEPS || self.longest >= NEXT_FILE).then_some(self.longest)
    }
}

/// A span that was observed without a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct MeasuredSpan {
    pub(crate) time: Interval,
    /// The longest time between two of its lines, where enough were read to tell.
    pub(crate) silence: Option<Millis>,
}

/// What is known of the time between two spans.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum GapDoubt {
    /// Nothing.
    None,
    /// There is an empty file, which may be the one of this time.
    Empty,
    /// There is a file that cannot be read, which may be the one of this time.
    Unread,
    /// Something was written then that is not covered.
    Hidden,
}

/// Joins spans that overlap.
pub(crate) fn overlapping(mut spans: Vec<MeasuredSpan>) -> Vec<MeasuredSpan> {
    spans.sort_unstable();
    let mut whole: Vec<MeasuredSpan> = Vec::new();
    for span in spans {
        match whole.last_mut() {
            Some(last) if span.time.from <= last.time.to => {
                last.time.to = last.time.to.max(span.time.to);
                last.silence = last.silence.max(span.silence);
            }
            _ => whole.push(span),
        }
    }
    whole
}

/// Joins the spans of a log where it was only silent between them: for not much longer than it is within the spans at both sides,
/// or between others. A longer silence may be that of a file that is missing.
pub(crate) fn bridged(spans: Vec<MeasuredSpan>, doubt: impl Fn(Interval) -> GapDoubt) -> Vec<Interval> {
    let spans = overlapping(spans);
    let gap_at = |at: usize| {
        spans.get(at).zip(spans.get(at + 1)).map(|(one, next)| Interval { from: one.time.to, to: next.time.from })
    };
    let short = |gap: Interval| Some(gap.length()).filter(|length| *length <= TOLERANCE);
    let mut gaps: Vec<Millis> = (0..spans.len()).filter_map(gap_at).filter_map(short).collect();
    gaps.sort_unstable();
    let usual = gaps.get(gaps.len() / 2).copied().filter(|_| gaps.len() >= FEWEST_GAPS).unwrap_or_default();
    // A span that is far shorter than the gap at one side says nothing of such a silence. The gap at its other side does.
    let silence = |at: usize, other: Option<usize>, gap: Interval| {
        let span = spans.get(at).filter(|span| 2 * span.time.length() >= gap.length());
        span.and_then(|span| span.silence).or_else(|| other.and_then(gap_at).and_then(short))
    };
    let is_joined = |at: usize, gap: Interval| {
        let silence = silence(at, at.checked_sub(1), gap).max(silence(at + 1, Some(at + 1), gap));
        let silence = silence.map(|silence| silence.max(usual));
        let times =
            |factor: Millis| silence.map_or(TOLERANCE, |silence| (factor * silence).clamp(NEXT_FILE, TOLERANCE));
        let most = match doubt(gap) {
            GapDoubt::None => times(UNUSUAL),
            GapDoubt::Empty => times(1),
            GapDoubt::Unread => NEXT_FILE,
            GapDoubt::Hidden => 0,
        };
        gap.length() <= most
    };
    let mut joined: Vec<Interval> = Vec::new();
    for (at, span) in spans.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|before| gap_at(before).filter(|gap| is_joined(before, *gap)));
        match joined.last_mut().filter(|_| before.is_some()) {
            Some(last) => last.to = last.to.max(span.time.to),
            None => joined.push(span.time),
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
