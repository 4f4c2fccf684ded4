//! The files of one log in a row: between which of them nothing is missing, and where a file is.
//!
//! A server begins a new file at regular times, or when the last one is full. A file that is missing leaves a hole of a whole such
//! time, or a file that was begun when no other one had ended. Where neither is so, the log was only silent between two files,
//! and it does not matter for how long beside what is usual for it.

use super::file_facts::FileFacts;
use super::file_name;
use super::log_file::{LEAP, SAME};
use crate::observed_time::NEXT_FILE;
use crate::{Interval, Millis};
use std::collections::BTreeMap;

const SECOND: Millis = 1_000;
/// Times that a clock has as its offset are whole numbers of these.
const ZONE_STEP: Millis = 15 * 60 * SECOND;
/// The longest part of the time of a file that its beginning may be off.
const SLACK: Millis = 50;
/// Fewer times between files than these do not say what is usual.
const FEWEST_STEPS: usize = 5;
/// Fewer lines than these neither.
const FEWEST_LINES: usize = 30;
/// A server writes its last line within so much time when it has said when it ends.
pub(super) const ENDING: Millis = 60 * SECOND;
/// Files at both sides of a gap whose silence says what is usual there.
const NEIGHBOURS: usize = 8;
/// A log is silent between two files for so many times as long as it is otherwise around them.
const UNUSUAL: Millis = 3;

/// What is known of the time between two files of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FileLink {
    /// No file is missing between them.
    Whole,
    /// A file is.
    Missing,
    /// The server was killed, at some time after the last line of the first file.
    Killed,
    /// A file that is there is empty, where the log is not silent for so long otherwise.
    Emptied { empty: usize },
}

/// Two files, by their sources, and what is known of the time between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileGap {
    pub(super) before: usize,
    pub(super) after: usize,
    pub(super) link: FileLink,
}

/// The files of all logs in their rows.
pub(super) fn rows(files: &[FileFacts]) -> impl Iterator<Item = FileRow<'_>> {
    let mut logs: BTreeMap<String, Vec<&FileFacts>> = BTreeMap::new();
    for file in files {
        logs.entry(file_name::log_of(&file.name)).or_default().push(file);
    }
    logs.into_values().map(FileRow::of)
}

/// A file of a row, which was begun then: by its name, or by its first line.
#[derive(Debug, Clone, Copy)]
struct Place<'a> {
    begun: Millis,
    file: &'a FileFacts,
}

/// The files of one log in their order.
pub(super) struct FileRow<'a> {
    places: Vec<Place<'a>>,
    is_named: bool,
}

/// Two files with lines that have only empty ones between them, by their places.
#[derive(Debug, Clone, Copy)]
struct Pair {
    before: usize,
    after: usize,
    gap: Interval,
}

impl<'a> FileRow<'a> {
    fn of(files: Vec<&'a FileFacts>) -> Self {
        let named = files.iter().map(|file| Some(Place { begun: file_name::time_of(&file.name)?, file }));
        let named: Option<Vec<Place<'a>>> = named.collect();
        let mut places = named.unwrap_or_default();
        places.sort_by_key(|place| (place.begun, place.file.time));
        let is_named = !places.is_empty() && places.iter().zip(places.iter().skip(1)).all(|(a, b)| a.begun < b.begun);
        if !is_named {
            let lines = files.into_iter().filter_map(|file| Some(Place { begun: file.time?.from, file }));
            places = lines.collect();
            places.sort_by_key(|place| (place.begun, place.file.time));
        }
        Self { places, is_named }
    }

    /// What is known of the times between its files.
    pub(super) fn links(&self) -> Vec<FileGap> {
        let (period, zone, pairs) = (self.period(), self.zone_of_full_ones(), self.pairs());
        let between = |pair: &Pair| {
            let source = |at: usize| self.places.get(at).map(|place| place.file.source);
            let link = self.link(pair, &pairs, period, zone)?;
            Some(FileGap { before: source(pair.before)?, after: source(pair.after)?, link })
        };
        pairs.iter().filter_map(between).collect()
    }

    fn link(&self, pair: &Pair, pairs: &[Pair], period: Option<Millis>, zone: Option<Millis>) -> Option<FileLink> {
        let [first, second] = [self.places.get(pair.before)?, self.places.get(pair.after)?];
        if second.file.starts {
            return self.link_to_start(pair, pairs);
        }
        // It was written elsewhere until the next file.
        if first.file.moves.iter().any(|one| one.next.is_none()) {
            return None;
        }
        // A server that has ended begins another file when it starts, and that file says so.
        if first.file.stops || period.is_some_and(|period| self.has_hole(pair, period)) {
            return Some(FileLink::Missing);
        }
        if zone.is_some_and(|zone| self.is_begun_at_end(pair, zone)) {
            return Some(FileLink::Whole);
        }
        // Files are begun when the last one is full, and at no time otherwise.
        if zone.is_some() && period.is_none() && pair.gap.length() > NEXT_FILE {
            return Some(FileLink::Missing);
        }
        let period = period.filter(|period| self.has_all(pair, *period))?;
        if !self.is_named && 10 * pair.gap.length() >= 9 * period {
            return None;
        }
        let silence = self.silence_around(pair, pairs)?;
        if pair.after == pair.before + 1 {
            return (pair.gap.length() <= (UNUSUAL * silence).max(NEXT_FILE)).then_some(FileLink::Whole);
        }
        // An empty file may be one whose lines were lost.
        let is_usual = pair.gap.length() <= (silence + silence / 8).max(NEXT_FILE);
        let empty = self.places.get(pair.before + 1)?.file.source;
        Some(if is_usual { FileLink::Whole } else { FileLink::Emptied { empty } })
    }

    /// The same where the second file begins with the start of a server.
    fn link_to_start(&self, pair: &Pair, pairs: &[Pair]) -> Option<FileLink> {
        let [first, second] = [self.places.get(pair.before)?.file, self.places.get(pair.after)?.file];
        // What was up after the last line was another run, or wrote other lines.
        let is_last = |last_up: Millis| last_up <= pair.gap.from + SAME;
        if let Some(down) = second.down {
            return (!(first.stops && is_last(down.from))).then_some(FileLink::Missing);
        }
        let killed = second.killed?;
        if !is_last(killed) {
            return Some(FileLink::Missing);
        }
        // One that was stopped at once says that it has ended, and is found as if it had been killed.
        if first.stops {
            return Some(FileLink::Whole);
        }
        // It may have lived for any time after its last line.
        let silence = self.silence_around(pair, pairs)?;
        (pair.gap.length() > (silence + silence / 2).max(NEXT_FILE)).then_some(FileLink::Killed)
    }

    /// A time within a file, by its source, in which nothing was written, where the log is never silent for nearly so long otherwise.
    pub(super) fn hole(&self) -> Option<(usize, Interval)> {
        let inner = || self.places.iter().map(|place| (place.file.source, &place.file.inner));
        let (source, hole) = inner()
            .filter_map(|(source, inner)| Some((source, inner.longest()?)))
            .max_by_key(|(_, longest)| longest.length())?;
        let others = inner().filter_map(|(other, inner)| {
            let (longest, second) = inner.most()?;
            Some(if other == source { second } else { longest })
        });
        let gaps = self.pairs().into_iter().map(|pair| pair.gap.length());
        let usual = others.chain(gaps).max().unwrap_or_default();
        let steps: usize = inner().map(|(_, inner)| inner.steps).sum();
        let is_unusual = hole.length() > (UNUSUAL * usual).max(LEAP) && steps >= FEWEST_LINES;
        is_unusual.then_some((source, hole))
    }

    fn pairs(&self) -> Vec<Pair> {
        let lines: Vec<(usize, Interval)> =
            self.places.iter().enumerate().filter_map(|(at, place)| Some((at, place.file.time?))).collect();
        let pair = |(one, next): (&(usize, Interval), &(usize, Interval))| {
            let gap = Interval { from: one.1.to, to: next.1.from };
            (gap.from <= gap.to).then_some(Pair { before: one.0, after: next.0, gap })
        };
        lines.iter().zip(lines.iter().skip(1)).filter_map(pair).collect()
    }

    /// The time from the beginning of each file to that of the next one.
    fn steps(&self) -> Vec<Millis> {
        self.places.iter().zip(self.places.iter().skip(1)).map(|(one, next)| next.begun - one.begun).collect()
    }

    /// How long each file is written, where all are for the same time, but for those that a server began when it started.
    fn period(&self) -> Option<Millis> {
        let steps = self.steps();
        let period = if self.is_named { most_common(&steps)? } else { median(&steps)? };
        let shortest = if self.is_named { period - period / SLACK } else { period / 2 };
        let is_usual = |step: &&Millis| (shortest..=self.longest_step(period)).contains(*step);
        let usual = steps.iter().filter(is_usual).count();
        let starts = |at: usize| self.places.get(at).is_some_and(|place| place.file.starts);
        // One that was begun when the last one was full leaves the rest of its time to the next one.
        let is_full = |at: usize| self.is_full(at) || at.checked_sub(1).is_some_and(|before| self.is_full(before));
        let are_explained =
            steps.iter().enumerate().all(|(at, step)| *step >= shortest || starts(at) || starts(at + 1) || is_full(at));
        let is_known = usual >= FEWEST_STEPS && 2 * usual >= steps.len() && are_explained && self.is_filled(period);
        is_known.then_some(period)
    }

    /// Whether the next file was begun when this one ended, in whatever zone.
    fn is_full(&self, at: usize) -> bool {
        let next = self.places.get(at + 1).filter(|_| self.is_named);
        let offset = next.zip(self.places.get(at)).and_then(|(next, one)| Some(next.begun - one.file.time?.to));
        offset.is_some_and(|offset| nearest_zone(offset).is_some_and(|zone| is_at_once(offset, zone)))
    }

    /// The longest time between the beginnings of two files that follow each other. First lines come some time after it.
    fn longest_step(&self, period: Millis) -> Millis {
        if self.is_named { period + period / SLACK } else { period + period / 2 }
    }

    /// Whether the files are written over the whole time of one. If every other file is missing, they are written for half of it.
    fn is_filled(&self, period: Millis) -> bool {
        let times = self.places.iter().filter_map(|place| {
            let time = place.file.time?;
            Some((time.from - place.begun, time.to - place.begun))
        });
        let times: Vec<(Millis, Millis)> = times.collect();
        let first = times.iter().map(|(from, _)| *from).min().unwrap_or_default();
        let mut lasts: Vec<Millis> = times.iter().map(|(_, to)| to - first).collect();
        lasts.sort_unstable();
        // One file may have a time that is wrong.
        lasts.get(lasts.len() * 9 / 10).is_some_and(|last| 10 * last > 6 * period)
    }

    /// Whether a file that was begun between these two is not there.
    fn has_hole(&self, pair: &Pair, period: Millis) -> bool {
        // Clocks are set forward in spring: then no time is missing.
        self.is_named
            && self.longest_step_within(pair) > self.longest_step(period)
            && pair.gap.length() + ZONE_STEP.min(period / 8) >= period
    }

    fn longest_step_within(&self, pair: &Pair) -> Millis {
        let begun = |at: usize| self.places.get(at).map_or(0, |place| place.begun);
        (pair.before..pair.after).map(|at| begun(at + 1) - begun(at)).max().unwrap_or_default()
    }

    /// Whether every file between these two is there.
    fn has_all(&self, pair: &Pair, period: Millis) -> bool {
        self.longest_step_within(pair) <= self.longest_step(period)
    }

    /// The longest silence in the files around two, and between them.
    fn silence_around(&self, pair: &Pair, pairs: &[Pair]) -> Option<Millis> {
        let at = pairs.iter().position(|one| one.before == pair.before)?;
        let around = at.saturating_sub(NEIGHBOURS)..(at + NEIGHBOURS + 1).min(pairs.len());
        let gaps = around.clone().filter(|other| *other != at).filter_map(|other| pairs.get(other));
        let files = pairs.get(around).unwrap_or_default().iter().flat_map(|pair| [pair.before, pair.after]);
        let silences = files.filter_map(|at| self.places.get(at)?.file.silence);
        gaps.map(|pair| pair.gap.length()).chain(silences).max()
    }

    /// How much later than the last line of a file the name of the next one says that it was begun, where files are begun when
    /// the last one is full: the offset of the zone of the names.
    fn zone_of_full_ones(&self) -> Option<Millis> {
        let places = self.places.iter().zip(self.places.iter().skip(1)).filter(|_| self.is_named);
        let offsets: Vec<Millis> = places
            .filter(|(_, next)| !next.file.starts)
            .filter_map(|(one, next)| Some(next.begun - one.file.time?.to))
            .collect();
        let near = |offset: &Millis| nearest_zone(*offset).filter(|zone| is_at_once(*offset, *zone));
        let zones: Vec<Millis> = offsets.iter().filter_map(near).collect();
        let zone = most_common(&zones)?;
        let same = zones.iter().filter(|one| **one == zone).count();
        // By chance one of hundreds is at once in some zone, and hardly any in that of all servers of a cloud.
        (same >= if zone == 0 { 1 } else { 3 } && 10 * same >= 7 * offsets.len()).then_some(zone)
    }

    /// Whether the second file was begun when the first one ended.
    fn is_begun_at_end(&self, pair: &Pair, zone: Millis) -> bool {
        let begun = self.places.get(pair.after).map(|place| place.begun - pair.gap.from);
        pair.after == pair.before + 1 && begun.is_some_and(|begun| is_at_once(begun, zone))
    }
}

fn nearest_zone(offset: Millis) -> Option<Millis> {
    let zone = (offset + ZONE_STEP / 2).div_euclid(ZONE_STEP) * ZONE_STEP;
    (zone.abs() <= 15 * 60 * 60 * SECOND).then_some(zone)
}

/// The offset of the zone of the names of files: most are begun shortly before their first lines.
pub(super) fn zone_of_names(files: &[FileFacts]) -> Option<Millis> {
    let offset = |file: &FileFacts| nearest_zone(file_name::time_of(&file.name)? - file.time?.from);
    most_common(&files.iter().filter_map(offset).collect::<Vec<_>>())
}

/// Whether the name of a file says that it was begun then.
pub(super) fn is_begun_at(name: &str, at: Millis, zone: Millis) -> bool {
    file_name::time_of(name).is_some_and(|begun| is_at_once(begun - at, zone))
}

/// Names and times may be of whole seconds.
fn is_at_once(offset: Millis, zone: Millis) -> bool {
    (offset - zone).abs() <= 2 * SECOND
}

fn most_common(values: &[Millis]) -> Option<Millis> {
    let mut counts: BTreeMap<Millis, usize> = BTreeMap::new();
    for value in values {
        *counts.entry(*value).or_default() += 1;
    }
    counts.into_iter().max_by_key(|(value, count)| (*count, -value)).map(|(value, _)| value)
}

fn median(values: &[Millis]) -> Option<Millis> {
    let mut values = values.to_vec();
    values.sort_unstable();
    values.get(values.len() / 2).copied()
}
