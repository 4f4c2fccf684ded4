//! Whether a server can be enforced today.

use crate::log_time::shown;
use crate::observed_time::{GapDoubt, MeasuredSpan, NEXT_FILE, bridged, is_whole, joined_within};
use crate::{Client, Coverage, Interval, Millis, MissingReason, SessionTls, Source};
use serde::{Deserialize, Serialize};
use std::fmt::Write;

/// The answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CensusVerdict {
    /// Some client connects in plaintext: enforcement refuses it.
    Breaks,
    /// No plaintext client was seen, but too little was seen to say that there is none.
    NeedsObservation,
    /// Every connection of the whole window used TLS, or came from the server's own machine.
    Safe,
}

impl CensusVerdict {
    /// The word in the formats.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Breaks => "breaks",
            Self::NeedsObservation => "needs-observation",
            Self::Safe => "safe",
        }
    }
}

/// What `safe` needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Requirements {
    /// How much time must have been observed by sources that see every connection.
    pub window: Millis,
    /// The time of the judgement; without it, how long ago the observation ended is not considered.
    pub now: Option<Millis>,
}

/// An observation that ended longer ago than this says nothing about today. A plan may be no older either.
const STALE: Millis = 24 * 60 * 60 * 1_000;
/// Gaps that are named.
const MOST_GAPS: usize = 3;
/// Times further ahead than this come from a wrong clock.
pub(crate) const FUTURE: Millis = 24 * 60 * 60 * 1_000;

impl Default for Requirements {
    /// Seven days: a week has every weekly job in it.
    fn default() -> Self {
        Self { window: 7 * 24 * 60 * 60 * 1_000, now: None }
    }
}

/// What is judged.
pub(crate) struct CensusEvidence<'a> {
    pub(crate) clients: &'a [Client],
    /// Sightings of clients beyond those that are listed, of the time that is judged.
    pub(crate) unlisted: [u64; 4],
    pub(crate) sources: &'a [Source],
}

/// The verdict and its reason, in one sentence.
pub(crate) fn judge(evidence: &CensusEvidence<'_>, requirements: Requirements) -> (CensusVerdict, String) {
    let count = |tls: SessionTls| evidence.clients.iter().filter(|client| client.tls == tls).count();
    let beyond = |tls: SessionTls| evidence.unlisted.get(index(tls)).copied().unwrap_or_default() > 0;
    let (plaintext, unknown, with_tls) =
        (count(SessionTls::Plaintext), count(SessionTls::Unknown), count(SessionTls::Tls));
    if plaintext > 0 {
        let more = if beyond(SessionTls::Plaintext) { "more than " } else { "" };
        let verb = if plaintext == 1 { "connects" } else { "connect" };
        return (CensusVerdict::Breaks, format!("{more}{} {verb} in plaintext", clients(plaintext)));
    }
    if unknown > 0 {
        let reason = format!("whether {} would be refused could not be determined", clients(unknown));
        return (CensusVerdict::NeedsObservation, reason);
    }
    if beyond(SessionTls::Plaintext) || beyond(SessionTls::Unknown) {
        let reason =
            "more clients connected than are listed, and whether those would be refused could not be determined";
        return (CensusVerdict::NeedsObservation, reason.to_owned());
    }
    if evidence.clients.is_empty() {
        return (CensusVerdict::NeedsObservation, with_missing("no connection was observed", evidence.sources));
    }
    let complete: Vec<&Source> = evidence.sources.iter().filter(|source| source.is_complete).collect();
    let whole = covered(&complete, evidence.sources);
    let age = requirements.now.zip(whole.window()).map_or(0, |(now, window)| now - window.to);
    if age < -FUTURE {
        let reason = format!("the observation ends {} in the future: a clock is wrong", days(-age));
        return (CensusVerdict::NeedsObservation, reason);
    }
    if let Some(reason) = too_little(&whole, evidence.sources, requirements.window) {
        return (CensusVerdict::NeedsObservation, reason);
    }
    let others = if count(SessionTls::Local) > 0 { " or came over a local socket" } else { "" };
    let reason = if with_tls == 0 {
        format!("no client came over the network in {}", days(whole.observed()))
    } else {
        format!("every client used TLS{others} in {}", days(whole.observed()))
    };
    if age > STALE {
        let reason = format!("{reason}, but the newest observation ended {} ago: observe again", days(age));
        return (CensusVerdict::NeedsObservation, reason);
    }
    (CensusVerdict::Safe, reason)
}

/// Why what complete sources cover is too little to decide.
fn too_little(whole: &Coverage, sources: &[Source], required: Millis) -> Option<String> {
    // A week ago says nothing of the hours that are missing since.
    let mut judged = whole.clone();
    if let Some(window) = whole.window() {
        judged.cut(window.to.saturating_sub(required));
    }
    if judged.window().is_some_and(|window| is_whole(window.length(), required)) {
        if let Some(reason) = unread(sources, whole, required) {
            return Some(reason);
        }
        let longest = judged.gaps().max_by_key(Interval::length);
        if let Some(longest) = longest.filter(|_| judged.is_enough(required)) {
            let reason = format!(
                "nothing was logged for {}, from {} to {} UTC, longer than this log is usually silent",
                days(longest.length()),
                shown(longest.from),
                shown(longest.to)
            );
            return Some(with_empty(&reason, sources));
        }
    }
    if judged.is_enough(required) {
        return None;
    }
    let observed = judged.observed();
    let short = if observed == 0 && sources.iter().all(|source| !source.is_complete) {
        "an incomplete source is not counted".to_owned()
    } else {
        let short = format!("observed for {} of the required {}", days(observed), days(required));
        format!("{short}{}", largest_gaps(&judged))
    };
    Some(with_missing(&short, sources))
}

/// Which times are missing: the longest of them, and how many more there are.
fn largest_gaps(judged: &Coverage) -> String {
    let mut gaps: Vec<Interval> = judged.gaps().collect();
    gaps.sort_by_key(|gap| (-gap.length(), gap.from));
    let more = gaps.len().saturating_sub(MOST_GAPS);
    gaps.truncate(MOST_GAPS);
    gaps.sort_unstable();
    let mut named: Vec<String> =
        gaps.iter().map(|gap| format!("{} to {} UTC", shown(gap.from), shown(gap.to))).collect();
    match more {
        0 => {}
        1 => named.push("1 shorter gap".to_owned()),
        _ => named.push(format!("{more} shorter gaps")),
    }
    match named.as_slice() {
        [] => String::new(),
        [one] => format!("; nothing is known of {one}"),
        [others @ .., last] => format!("; nothing is known of {} and {last}", others.join(", ")),
    }
}

/// The time that these sources cover together, of all that are known. Files are joined where the log was only silent between them.
pub(crate) fn covered(sources: &[&Source], all: &[Source]) -> Coverage {
    let hidden: Vec<Interval> =
        all.iter().filter(|source| source.hides_lines()).flat_map(|source| source.coverage.spans()).collect();
    let unplaced = all.iter().filter(|source| source.is_file() && source.coverage.window().is_none());
    let unplaced = unplaced.filter_map(|source| match () {
        () if source.hides_lines() => Some(GapDoubt::Unread),
        () => source.has(MissingReason::Empty).then_some(GapDoubt::Empty),
    });
    let unplaced = unplaced.max().unwrap_or(GapDoubt::None);
    let spans: Vec<MeasuredSpan> = sources.iter().flat_map(|source| source.coverage.measured()).collect();
    let apart: Vec<Interval> = sources.iter().filter_map(|source| source.coverage.apart_within()).collect();
    Coverage::apart(bridged(spans, |gap| {
        let is_hidden = apart.iter().any(|within| within.contains(&gap)) || hidden.iter().any(|span| span.meets(&gap));
        if is_hidden { GapDoubt::Hidden } else { unplaced }
    }))
}

/// The time that any of the sources covers.
pub(crate) fn covered_by_any(sources: &[Source]) -> Coverage {
    covered(&sources.iter().collect::<Vec<_>>(), sources)
}

/// Why a part of the time that is judged is unknown: its log is there, and cannot be read. Files before and after it do not say
/// who connected meanwhile, however short it is.
fn unread(sources: &[Source], whole: &Coverage, required: Millis) -> Option<String> {
    let judged = whole.window().map(|window| Interval { from: window.to.saturating_sub(required), to: window.to })?;
    let complete = sources.iter().filter(|source| source.is_complete).flat_map(|source| source.coverage.spans());
    let complete = joined_within(complete.collect(), |_| 0);
    let is_hidden = |span: &Interval| span.meets(&judged) && !complete.iter().any(|whole| whole.contains(span));
    let mut ends = complete.iter().zip(complete.iter().skip(1));
    let has_hole = ends.any(|(before, after)| after.to >= judged.from && after.from - before.to > NEXT_FILE);
    sources.iter().find_map(|source| {
        let missing = source.missing.iter().find(|missing| missing.reason.hides_lines())?;
        let spans = source.coverage.spans();
        // A file of which nothing could be read may be the one of any hole.
        let hides = if spans.is_empty() { has_hole && source.is_file() } else { spans.iter().any(is_hidden) };
        hides.then(|| match missing.reason {
            MissingReason::MissingFile => missing.detail.clone(),
            _ => format!("a part of the log cannot be read ({}): {}", source.name, missing.detail),
        })
    })
}

/// Sightings of clients beyond those that are listed, in the order of [`SessionTls::ALL`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Unlisted {
    pub(crate) counts: [u64; 4],
    /// When the last of them was.
    pub(crate) until: [Option<Millis>; 4],
}

impl Unlisted {
    /// Counts one more. Without a time, it may have been at any.
    pub(crate) fn add(&mut self, tls: SessionTls, at: Option<Millis>) {
        if let Some(count) = self.counts.get_mut(index(tls)) {
            *count += 1;
        }
        self.still(tls, at);
    }

    /// Notes that one of those that were counted is still there.
    pub(crate) fn still(&mut self, tls: SessionTls, at: Option<Millis>) {
        if let Some(until) = self.until.get_mut(index(tls)) {
            *until = (*until).max(Some(at.unwrap_or(Millis::MAX)));
        }
    }

    /// Takes the larger of both: what is merged twice counts once.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.counts.iter_mut().zip(other.counts) {
            *mine = (*mine).max(theirs);
        }
        for (mine, theirs) in self.until.iter_mut().zip(other.until) {
            *mine = (*mine).max(theirs);
        }
    }

    /// The numbers of those states of which there may be a sighting since `from`.
    pub(crate) fn since(&self, from: Option<Millis>) -> [u64; 4] {
        let mut counts = self.counts;
        for (count, until) in counts.iter_mut().zip(self.until) {
            if until < from {
                *count = 0;
            }
        }
        counts
    }
}

/// The place of a state in [`SessionTls::ALL`].
pub(crate) fn index(tls: SessionTls) -> usize {
    SessionTls::ALL.iter().position(|one| *one == tls).unwrap_or_default()
}

fn clients(count: usize) -> String {
    if count == 1 { "1 client".to_owned() } else { format!("{count} clients") }
}

/// A reason, with the first thing that a source lacks.
fn with_missing(reason: &str, sources: &[Source]) -> String {
    let missing = sources.iter().flat_map(|source| &source.missing).find(|missing| missing.reason.blocks());
    missing.map_or_else(|| reason.to_owned(), |missing| format!("{reason}; {}", missing.detail))
}

/// A reason, with the name of a file that is empty.
fn with_empty(reason: &str, sources: &[Source]) -> String {
    let is_empty = |source: &&Source| source.has(MissingReason::Empty) && source.coverage.window().is_none();
    let empty = sources.iter().find(|source| source.is_file() && is_empty(source));
    empty.map_or_else(|| reason.to_owned(), |empty| format!("{reason}; {} is empty", empty.name))
}

/// A length of time as people say it: `6d 23h`, `3h 20m`.
pub(crate) fn days(length: Millis) -> String {
    let minutes = length / 60_000;
    let parts = [(minutes / 1_440, "d"), (minutes / 60 % 24, "h"), (minutes % 60, "m")];
    let mut text = String::new();
    for (value, unit) in parts.iter().skip_while(|(value, _)| *value == 0).take(2).filter(|(value, _)| *value > 0) {
        let space = if text.is_empty() { "" } else { " " };
        // Writing to a string cannot fail.
        let _ = write!(text, "{space}{value}{unit}");
    }
    if text.is_empty() { "less than a minute".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_gaps_are_named() {
        const HOUR: Millis = 60 * 60 * 1_000;
        let judged = |hours: &[(i64, i64)]| {
            let spans = hours.iter().map(|(from, to)| Interval { from: from * HOUR, to: to * HOUR });
            largest_gaps(&Coverage::apart(spans.collect()))
        };
        assert_eq!(judged(&[(0, 5)]), "");
        assert_eq!(judged(&[(0, 5), (7, 9)]), "; nothing is known of 1970-01-01 05:00 to 1970-01-01 07:00 UTC");
        assert_eq!(
            judged(&[(0, 1), (2, 3), (6, 7), (9, 10), (11, 12), (14, 15)]),
            "; nothing is known of 1970-01-01 03:00 to 1970-01-01 06:00 UTC, 1970-01-01 07:00 to 1970-01-01 09:00 UTC, \
             1970-01-01 12:00 to 1970-01-01 14:00 UTC and 2 shorter gaps"
        );
    }

    #[test]
    fn lengths_of_time_are_short() {
        let minute = 60_000;
        assert_eq!(days(7 * 1_440 * minute), "7d");
        assert_eq!(days((6 * 1_440 + 23 * 60 + 59) * minute), "6d 23h");
        assert_eq!(days(80 * minute), "1h 20m");
        assert_eq!(days(999), "less than a minute");
    }
}
