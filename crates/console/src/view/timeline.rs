//! The sessions of a server, day by day, as a chart.

use super::chart::Share;
use super::{When, count};
use hostssl_census::{DayCount, Interval, Millis};

const DAY: Millis = 86_400_000;
/// Days in the chart: the newest.
const MOST_DAYS: i64 = 92;
/// The height of a chart, and of the least part of a column that can be seen, in thousandths.
const ALL: u64 = 1000;
const LEAST: u64 = 12;
/// The colours of sessions, in the order in which a day counts them: plaintext, unknown, TLS, local.
const CLASSES: [&str; 4] = ["no", "unknown", "yes", "none"];
const WORDS: [&str; 4] = ["in plaintext", "unknown", "with TLS", "local"];

/// Sessions by day.
pub(crate) struct Timeline {
    pub(crate) days: Vec<TimelineDay>,
    /// The most sessions of a day.
    pub(crate) most: String,
    pub(crate) first: String,
    pub(crate) last: String,
}

/// One day.
pub(crate) struct TimelineDay {
    pub(crate) x: Share,
    pub(crate) width: Share,
    /// What was seen, in one line.
    pub(crate) words: String,
    /// Whether no source saw anything of this day: then an empty column is not proof.
    pub(crate) unobserved: bool,
    /// Colour, place and height, from the bottom up.
    pub(crate) parts: Vec<(&'static str, Share, Share)>,
}

impl Timeline {
    /// The days on which there were sessions, and what was observed of the time between; `None` without any day.
    pub(crate) fn of(counts: &[DayCount], observed: &[Interval]) -> Option<Self> {
        let days = counts.iter().map(|count| count.day);
        let spans = observed.iter().flat_map(|span| [span.from, span.to]);
        let number = |at: Millis| at.div_euclid(DAY);
        let (first, last) = (days.clone().chain(spans.clone()).min()?, days.chain(spans).max()?);
        let last = number(last);
        let first = number(first).max(last - MOST_DAYS + 1);
        let columns = u64::try_from(last - first + 1).unwrap_or(1);
        let most = counts.iter().filter(|count| number(count.day) >= first).map(total).max().unwrap_or_default();
        let place = |index: u64| index * ALL / columns;
        let day = |index: u64| {
            let at = first.saturating_add(i64::try_from(index).unwrap_or_default()) * DAY;
            let sessions = counts.iter().find(|count| count.day == at).map_or([0; 4], |count| count.sessions);
            let unobserved = !observed.iter().any(|span| span.from < at + DAY && span.to >= at);
            TimelineDay {
                x: Share::of(place(index)),
                width: Share::of((place(index + 1) - place(index)).max(1)),
                words: words(at, sessions, unobserved),
                unobserved: unobserved && sessions == [0; 4],
                parts: stack(sessions, most),
            }
        };
        Some(Self {
            days: (0..columns).map(day).collect(),
            most: count(most),
            first: When(first * DAY).day(),
            last: When(last * DAY).day(),
        })
    }
}

fn total(count: &DayCount) -> u64 {
    count.sessions.iter().sum()
}

/// The parts of a column: what is safe at the bottom, plaintext on top, and all that is not zero can be seen.
fn stack(sessions: [u64; 4], most: u64) -> Vec<(&'static str, Share, Share)> {
    let mut parts = Vec::new();
    let mut top = ALL;
    let mut above = sessions.iter().filter(|sessions| **sessions > 0).count() as u64;
    for (class, sessions) in CLASSES.into_iter().zip(sessions).rev().filter(|(_, sessions)| *sessions > 0) {
        above -= 1;
        let room = top.saturating_sub(above * LEAST);
        let height = (sessions * ALL / most.max(1)).clamp(LEAST, room.max(LEAST));
        top = top.saturating_sub(height);
        parts.push((class, Share::of(top), Share::of(height)));
    }
    parts
}

fn words(at: Millis, sessions: [u64; 4], unobserved: bool) -> String {
    let told = WORDS.into_iter().zip(sessions).filter(|(_, sessions)| *sessions > 0);
    let told: Vec<String> = told.map(|(words, sessions)| format!("{} {words}", count(sessions))).collect();
    let told = match (told.is_empty(), unobserved) {
        (true, true) => "not observed".to_owned(),
        (true, false) => "no session".to_owned(),
        (false, _) => format!("sessions: {}", told.join(", ")),
    };
    format!("{}: {told}", When(at).day())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(day: i64, plaintext: u64, tls: u64) -> DayCount {
        DayCount { day: day * DAY, sessions: [plaintext, 0, tls, 0] }
    }

    #[test]
    fn one_plaintext_session_among_many_is_seen_and_a_day_without_a_source_is_told() {
        let observed = [Interval { from: 20_000 * DAY, to: 20_002 * DAY }];
        let chart = Timeline::of(&[day(20_000, 1, 100_000), day(20_003, 0, 5)], &observed).unwrap();
        assert_eq!(chart.days.len(), 4);
        let first = &chart.days[0];
        assert_eq!(first.parts.iter().map(|(class, ..)| *class).collect::<Vec<_>>(), ["yes", "no"]);
        assert!(first.parts.iter().all(|(_, _, height)| *height >= Share::of(LEAST)), "{:?}", first.parts);
        assert!(first.words.contains("1 in plaintext"), "{}", first.words);
        assert!(chart.days[1].words.ends_with("no session") && !chart.days[1].unobserved);
        // Nothing was observed on the last day but the sessions themselves.
        assert!(!chart.days[3].unobserved && chart.days[3].words.contains("5 with TLS"));
        let gap = Timeline::of(&[day(1, 0, 1), day(3, 0, 1)], &[]).unwrap();
        assert!(gap.days[1].unobserved && gap.days[1].words.ends_with("not observed"));
        assert!(Timeline::of(&[], &[]).is_none());
        assert_eq!(Timeline::of(&[day(0, 1, 0), day(5_000, 1, 0)], &[]).unwrap().days.len(), 92);
    }
}
