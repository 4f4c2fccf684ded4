//! Charts as SVG in the page. Each has a table or words beside it that say the same.

use super::{When, count};
use hostssl_model::{Standing, Standings};
use hostssl_store::{AuditEntry, HistoryEntry, RunMark};
use std::fmt;

/// Tenths of a percent, written as a percentage. Charts have no units of their own, so that hatching is never distorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Share(u64);

impl Share {
    /// So many tenths of a percent.
    pub(super) fn of(tenths: u64) -> Self {
        Self(tenths)
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0 / 10, self.0 % 10)
    }
}

/// A part of a bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BarPart {
    pub(crate) class: &'static str,
    pub(crate) x: Share,
    pub(crate) width: Share,
}

/// The whole of a bar.
const ALL: u64 = 1000;
/// The least part of a bar that can be seen.
const LEAST: u64 = 5;

/// One bar of where servers stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bar(pub(crate) Vec<BarPart>);

impl Bar {
    /// The shares of the servers. Whatever is not zero can be seen.
    pub(crate) fn of(standings: &Standings) -> Self {
        Self::up_to(standings, standings.servers())
    }

    /// The same, as long as these servers are among so many.
    pub(crate) fn up_to(standings: &Standings, most: u64) -> Self {
        let (shares, servers) = (shares(standings), standings.servers().max(1));
        let visible = shares.iter().filter(|(_, count)| *count > 0).count() as u64;
        let whole = (ALL * servers / most.max(servers)).max(LEAST * visible).min(ALL);
        let mut parts = Vec::new();
        let mut x = 0;
        for (index, (class, count)) in shares.iter().enumerate().filter(|(_, (_, count))| *count > 0) {
            let behind = shares.iter().skip(index + 1).filter(|(_, count)| *count > 0).count() as u64;
            let room = whole.saturating_sub(x + behind * LEAST);
            let width = if behind == 0 { room } else { (count * whole / servers).clamp(LEAST, room.max(LEAST)) };
            parts.push(BarPart { class, x: Share(x), width: Share(width) });
            x += width;
        }
        Self(parts)
    }
}

/// From best to worst, so that colours stand in one order everywhere.
fn shares(standings: &Standings) -> [(&'static str, u64); 6] {
    [
        ("yes", standings.proven),
        ("half", standings.not_probed),
        ("weak", standings.unproven),
        ("unknown", standings.unknown),
        ("no", standings.not_enforced),
        ("worst", standings.accepts_plaintext),
    ]
}

/// What the colours of a chart over time say, from the worst to the best: class and words.
pub(crate) const LEGEND: [(&str, &str); 6] = [
    ("worst", "declared on, accepts plaintext"),
    ("no", "not enforced"),
    ("unknown", "unknown"),
    ("weak", "enforced, not proven"),
    ("half", "enforced, not probed"),
    ("yes", "enforced and proven"),
];

/// The class of a standing's colour.
fn class_of(standing: Standing) -> &'static str {
    match standing {
        Standing::Proven => "yes",
        Standing::NotProbed => "half",
        Standing::Unproven => "weak",
        Standing::Unknown => "unknown",
        Standing::NotEnforced => "no",
        Standing::AcceptsPlaintext => "worst",
    }
}

/// What was known between one audit and the next.
#[derive(Debug, Clone)]
pub(crate) struct Point {
    pub(crate) id: String,
    pub(crate) at: When,
    pub(crate) standings: Standings,
    pub(crate) x: Share,
    pub(crate) width: Share,
    /// From the bottom up.
    pub(crate) stack: Vec<Slice>,
    /// What a reader who points at it sees, in the order of the legend.
    pub(crate) figures: Vec<TipLine>,
    /// Whether it is the present.
    pub(crate) now: bool,
}

/// Servers of one colour at one point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TipLine {
    pub(crate) class: &'static str,
    pub(crate) words: &'static str,
    pub(crate) servers: String,
    /// How many more or fewer than at the point before; empty when as many.
    pub(crate) change: String,
}

/// From where on what is said of a place in the chart is on its left.
const RIGHT: Share = Share(ALL / 2);

impl ChangeMark {
    /// Whether what is said of it is on its left.
    pub(crate) fn is_right(&self) -> bool {
        self.x > RIGHT
    }
}

impl Point {
    /// Whether what is said of it is on its left.
    pub(crate) fn is_right(&self) -> bool {
        self.x.0 + self.width.0 > RIGHT.0
    }

    /// Where what is said of it stands: beside its column.
    pub(crate) fn tip_x(&self) -> Share {
        if self.is_right() { self.x } else { Share(self.x.0 + self.width.0) }
    }

    /// The date and the figures in one line, for a reader who points at it.
    pub(crate) fn words(&self) -> String {
        let figures = Standing::ALL.into_iter().filter_map(|standing| {
            let servers = self.standings.count(standing);
            (servers > 0).then(|| format!("{} {}", count(servers), standing.words()))
        });
        let figures = figures.collect::<Vec<_>>().join(", ");
        if self.now { format!("Now: {figures}") } else { format!("{}: {figures}", self.at.text()) }
    }
}

/// A part of a column.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Slice {
    pub(crate) class: &'static str,
    pub(crate) y: Share,
    pub(crate) height: Share,
}

/// A run that changed servers.
#[derive(Debug, Clone)]
pub(crate) struct ChangeMark {
    pub(crate) run: String,
    pub(crate) x: Share,
    pub(crate) at: When,
    pub(crate) words: String,
}

/// A date, or a number of servers, beside the chart.
#[derive(Debug, Clone)]
pub(crate) struct Tick {
    pub(crate) at: Share,
    pub(crate) words: String,
    /// Which end of the words stands there: `start`, `middle` or `end`.
    pub(crate) anchor: &'static str,
}

/// Audits over time, to scale. What an audit saw holds until the next one.
#[derive(Debug, Clone)]
pub(crate) struct Trend {
    pub(crate) points: Vec<Point>,
    pub(crate) marks: Vec<ChangeMark>,
    pub(crate) dates: Vec<Tick>,
    pub(crate) numbers: Vec<Tick>,
}

/// Dates below the chart.
const DATES: i64 = 4;

impl Trend {
    /// The audits, oldest first, and the present, which is that of the last one and what was seen since.
    pub(crate) fn of(audits: &[AuditEntry], present: &Standings, marks: &[RunMark], now_ms: i64) -> Self {
        let first = audits.first().map_or(now_ms, |audit| audit.started_ms).min(now_ms);
        let span = u64::try_from(now_ms - first).unwrap_or_default().max(1);
        let place = |at_ms: i64| u64::try_from(at_ms - first).unwrap_or_default().min(span) * ALL / span;
        let mut points: Vec<Point> = Vec::new();
        for audit in audits {
            let standings = audit.known_standings();
            points.push(Point::new(audit.id.clone(), When(audit.started_ms), standings, place(audit.started_ms)));
        }
        // The last one lasts until now, and is what is known now.
        if let Some(last) = points.last_mut() {
            (last.standings, last.now) = (*present, true);
        }
        let ends: Vec<u64> = points.iter().skip(1).map(|point| point.x.0).chain([ALL]).collect();
        let most = points.iter().map(|point| point.standings.servers()).max().unwrap_or_default().max(1);
        let mut before = None;
        for (point, end) in points.iter_mut().zip(ends) {
            point.width = Share(end.saturating_sub(point.x.0).max(LEAST));
            point.stack(most);
            point.figures = figures(&point.standings, before.as_ref());
            before = Some(point.standings);
        }
        let mark = |mark: &RunMark| {
            let values = format!("{} {}", count(mark.values), if mark.values == 1 { "value" } else { "values" });
            let what = if mark.undo { "restored" } else { "changed" };
            ChangeMark {
                run: mark.run.clone(),
                x: Share(place(mark.at_ms)),
                at: When(mark.at_ms),
                words: format!("{values} {what} by a run"),
            }
        };
        let number =
            |servers: u64| Tick { at: Share(ALL - servers * ALL / most), words: count(servers), anchor: "start" };
        Self {
            marks: marks.iter().filter(|mark| mark.at_ms >= first).map(mark).collect(),
            dates: moments(first, now_ms),
            numbers: if most > 1 { vec![number(most), number(most / 2)] } else { vec![number(most)] },
            points,
        }
    }
}

/// The moments of an axis from the first one to now. Within minutes, several have the same words: these are told once.
fn moments(first: i64, now_ms: i64) -> Vec<Tick> {
    let span = (now_ms - first).max(1);
    let moment = |index: i64| When(first + span * index / DATES);
    let tick = |index: i64| {
        let at = moment(index);
        let (words, anchor) = match index {
            0 => (at.day(), "start"),
            DATES => ("now".to_owned(), "end"),
            _ => (day_or_hour(at, moment(index - 1)), "middle"),
        };
        let share = u64::try_from(index * i64::try_from(ALL).unwrap_or(i64::MAX) / DATES).unwrap_or_default();
        Tick { at: Share(share), words, anchor }
    };
    let mut ticks: Vec<Tick> = (0..=DATES).map(tick).collect();
    ticks.dedup_by(|tick, before| tick.words == before.words);
    ticks
}

/// The words for a moment of the axis: a day is said once, and what follows on it is an hour.
fn day_or_hour(at: When, before: When) -> String {
    if at.day() == before.day() { at.hour() } else { at.day() }
}

/// What there is of each colour, the worst first, and what changed since the point before.
fn figures(now: &Standings, before: Option<&Standings>) -> Vec<TipLine> {
    let before = before.map(shares);
    let one = |(index, (class, words)): (usize, (&'static str, &'static str))| {
        // The legend goes from worst to best, the shares from best to worst.
        let index = LEGEND.len() - 1 - index;
        let servers = shares(now).get(index).map_or(0, |(_, servers)| *servers);
        let then = before.and_then(|shares| shares.get(index).map(|(_, servers)| *servers));
        let change = then.map_or_else(String::new, |then| change(servers, then));
        (servers > 0 || !change.is_empty()).then(|| TipLine { class, words, servers: count(servers), change })
    };
    LEGEND.into_iter().enumerate().filter_map(one).collect()
}

/// How many more or fewer, with its sign; empty when as many.
pub(crate) fn change(now: u64, before: u64) -> String {
    match now.cmp(&before) {
        std::cmp::Ordering::Greater => format!("+{}", count(now - before)),
        std::cmp::Ordering::Less => format!("\u{2212}{}", count(before - now)),
        std::cmp::Ordering::Equal => String::new(),
    }
}

impl Point {
    fn new(id: String, at: When, standings: Standings, x: u64) -> Self {
        Self { id, at, standings, x: Share(x), width: Share(0), stack: Vec::new(), figures: Vec::new(), now: false }
    }

    fn stack(&mut self, most: u64) {
        let mut top = ALL;
        for (class, servers) in shares(&self.standings).into_iter().filter(|(_, servers)| *servers > 0) {
            let height = (servers * ALL / most).max(LEAST).min(top);
            top -= height;
            self.stack.push(Slice { class, y: Share(top), height: Share(height) });
        }
    }
}

/// A server over time: a cell for each run, the newest on the right.
#[derive(Debug, Clone)]
pub(crate) struct Strip(pub(crate) Vec<ChartCell>);

/// A run in a strip.
#[derive(Debug, Clone)]
pub(crate) struct ChartCell {
    pub(crate) x: u64,
    pub(crate) class: &'static str,
    pub(crate) words: String,
}

impl Strip {
    /// The entries, newest first.
    pub(crate) fn of(history: &[HistoryEntry]) -> Self {
        let cell = |(index, entry): (u64, &HistoryEntry)| ChartCell {
            x: index * 12,
            class: class_of(entry.standing),
            words: format!("{}: {}", entry.started_at.get(..16).unwrap_or_default(), entry.standing.words()),
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
    fn a_point_says_what_changed_since_the_one_before() {
        let then = Standings { proven: 4, not_enforced: 2, unknown: 1, ..Standings::default() };
        let now = Standings { proven: 5, not_enforced: 1, accepts_plaintext: 1, ..Standings::default() };
        let figure_texts = |figures: Vec<TipLine>| -> Vec<String> {
            figures.into_iter().map(|one| format!("{} {} {}", one.class, one.servers, one.change)).collect()
        };
        assert_eq!(figure_texts(figures(&then, None)), ["no 2 ", "unknown 1 ", "yes 4 "]);
        // What there is none of any more is told once.
        let expected = ["worst 1 +1", "no 1 \u{2212}1", "unknown 0 \u{2212}1", "yes 5 +1"];
        assert_eq!(figure_texts(figures(&now, Some(&then))), expected);
        let classes: Vec<&str> = shares(&now).into_iter().rev().map(|(class, _)| class).collect();
        assert_eq!(classes, LEGEND.map(|(class, _)| class), "the legend is in the order of the stack");
    }

    #[test]
    fn an_axis_says_each_day_once() {
        const HOUR: i64 = 3_600_000;
        assert_eq!(day_or_hour(When(30 * HOUR), When(25 * HOUR)), "06:00 UTC");
        assert_eq!(day_or_hour(When(50 * HOUR), When(25 * HOUR)), "3 Jan");
    }

    #[test]
    fn no_two_moments_of_an_axis_have_the_same_words() {
        let words = |now_ms: i64| -> Vec<String> { moments(0, now_ms).into_iter().map(|tick| tick.words).collect() };
        assert_eq!(words(60_000), ["1 Jan", "00:00 UTC", "now"]);
        let days = words(4 * 86_400_000);
        assert_eq!((days.first(), days.last(), days.len()), (Some(&"1 Jan".to_owned()), Some(&"now".to_owned()), 5));
    }

    #[test]
    fn a_bar_is_full_and_hides_nothing() {
        for (proven, not_enforced, unknown) in [(9_999, 1, 0), (1, 0, 9_999), (0, 5, 0), (100_000, 1, 1), (1, 1, 1)] {
            let standings = Standings { proven, not_enforced, unknown, accepts_plaintext: 1, ..Standings::default() };
            let bar = Bar::of(&standings);
            assert!(bar.0.iter().all(|part| part.width >= Share(LEAST)), "{bar:?}");
            assert_eq!(bar.0.iter().map(|part| part.width.0).sum::<u64>(), ALL, "{bar:?}");
            let short = Bar::up_to(&standings, standings.servers() * 2);
            assert!(short.0.iter().map(|part| part.width.0).sum::<u64>() <= ALL / 2 + 4 * LEAST, "{short:?}");
        }
        assert_eq!(Bar::of(&Standings::default()).0, []);
        assert_eq!(Share(1000).to_string(), "100.0");
    }
}
