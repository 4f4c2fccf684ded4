//! What is known of the time between the files of a log, as what they cover.

use super::file_facts::{FileFacts, LostLines, LostWhy, Move};
use super::file_number;
use super::file_row::{ENDING, FileGap, FileLink, is_begun_at, rows, zone_of_names};
use super::unlogged::part_of;
use crate::log_time::shown;
use crate::observed_time::NEXT_FILE;
use crate::{Census, Coverage, Interval, Millis, MissingReason, Source};

/// Files that are missing and listed.
const MOST_MISSING: usize = 64;
/// A server writes its first line when it has begun.
const STARTING: Millis = 1_000;

/// Notes where nothing is missing between two files, and where a file is.
pub(super) fn note(files: &[FileFacts], census: &mut Census) {
    for file in files {
        let Some(down) = file.down.filter(|down| !is_written_in(*down, file, files)) else { continue };
        if let Some(source) = census.source_mut(file.source) {
            source.coverage.add(down);
        }
    }
    for file in files {
        file.lost.iter().take(MOST_MISSING).for_each(|lost| lose(file.source, *lost, census));
    }
    let (mut whole, mut others) = (Vec::new(), Vec::new());
    for row in rows(files) {
        let (joined, apart): (Vec<FileGap>, Vec<FileGap>) =
            row.links().into_iter().partition(|one| one.link == FileLink::Whole);
        whole.extend(joined);
        others.extend(apart);
        if let Some((source, hole)) = row.hole() {
            lose(source, LostLines { time: hole, why: LostWhy::Silence }, census);
        }
    }
    let zone = zone_of_names(files);
    for file in files {
        for time in file.moves.iter().filter_map(|one| written_elsewhere(*one, file, (files, zone))) {
            elsewhere(file.source, time, census);
        }
    }
    let holes = file_number::holes(files);
    let meets_hole = |whole: &FileGap| {
        holes.iter().any(|hole| times(whole, census).zip(times(hole, census)).is_some_and(|(one, two)| one.meets(&two)))
    };
    whole.retain(|one| !meets_hole(one));
    others.retain(|other| !holes.iter().any(|hole| (hole.before, hole.after) == (other.before, other.after)));
    others.extend(holes);
    for FileGap { before, after, .. } in whole {
        join(before, after, census);
    }
    for between in others.into_iter().take(MOST_MISSING) {
        separate(between, census);
    }
}

/// Whether another file was written while the server is said to have been down: it was restored from an older copy since.
fn is_written_in(down: Interval, file: &FileFacts, files: &[FileFacts]) -> bool {
    let others = files.iter().filter(|other| other.source != file.source).filter_map(|other| other.time);
    others.into_iter().any(|time| time.to > down.from + ENDING && time.from < down.to - STARTING)
}

/// The time after a change in which the log may have been written elsewhere: until the next line here, or in another file.
fn written_elsewhere(one: Move, file: &FileFacts, (files, zone): (&[FileFacts], Option<Millis>)) -> Option<Interval> {
    let others = files.iter().filter(|other| other.source != file.source);
    let later = others.filter_map(|other| Some((other.time.filter(|time| time.to > one.at)?.from, other)));
    let next = one.next.or_else(|| {
        let (from, next) = later.min_by_key(|(from, _)| *from)?;
        Some(if zone.is_some_and(|zone| is_begun_at(&next.name, one.at, zone)) { one.at } else { from })
    })?;
    let time = Interval { from: one.at, to: next };
    (time.to - time.from > NEXT_FILE).then_some(time)
}

/// Leaves out a time in which the log may have been written elsewhere.
fn elsewhere(source: usize, time: Interval, census: &mut Census) {
    let Some(source) = census.source_mut(source) else { return };
    let detail = format!(
        "log_destination or the place of the log was changed: it may have been written elsewhere from {} to {} UTC",
        shown(time.from),
        shown(time.to)
    );
    source.coverage.exclude(time);
    let part = part_of(source, vec![time], &detail);
    census.add_source(part);
}

fn gap(before: usize, after: usize, census: &Census) -> Option<(Interval, [&Source; 2])> {
    let sources = [census.sources().get(before)?, census.sources().get(after)?];
    let [one, next] = sources.map(|source| source.coverage.window());
    let gap = Interval { from: one?.to, to: next?.from };
    (gap.from <= gap.to).then_some((gap, sources))
}

fn times(between: &FileGap, census: &Census) -> Option<Interval> {
    gap(between.before, between.after, census).map(|(gap, _)| gap)
}

fn join(before: usize, after: usize, census: &mut Census) {
    let whole = gap(before, after, census).filter(|(_, sources)| sources.iter().all(|source| source.is_complete));
    let Some((gap, _)) = whole else { return };
    if let Some(source) = census.source_mut(after) {
        source.coverage.add(gap);
    }
}

/// Leaves out a time of which lines are missing.
fn lose(source: usize, lost: LostLines, census: &mut Census) {
    let Some(source) = census.source_mut(source) else { return };
    let time = lost.time;
    let lines = format!("lines are missing from {} to {} UTC", shown(time.from), shown(time.to));
    let detail = match lost.why {
        LostWhy::LastUp(at) => {
            format!("{lines}: the server started then, and says that it was up at {} UTC", shown(at))
        }
        LostWhy::Silence => format!(
            "nothing was written from {} to {} UTC, and the log is never silent for nearly so long otherwise: lines may be missing",
            shown(time.from),
            shown(time.to)
        ),
        LostWhy::NoStart => {
            format!("{lines}: the server ended, and served again without a line that says that it started")
        }
        LostWhy::HalfCheckpoint => format!("{lines}: a checkpoint has only one of its two lines"),
    };
    // It did not count anyway.
    let excluded = source.coverage.exclude(time);
    if excluded.is_empty() {
        return;
    }
    let mut part = Source::new(source.kind, format!("{}, in part", source.name));
    part.format.clone_from(&source.format);
    part.lacks(MissingReason::MissingFile, detail);
    part.coverage = Coverage::apart(excluded);
    census.add_source(part);
}

fn separate(between: FileGap, census: &mut Census) {
    let FileGap { before, after, link } = between;
    let Some((gap, [one, next])) = gap(before, after, census) else { return };
    let unknown = format!(
        "nothing is known of {} to {} UTC, between {} and {}",
        shown(gap.from),
        shown(gap.to),
        one.name,
        next.name
    );
    let empty = match link {
        FileLink::Emptied { empty } => census.sources().get(empty),
        FileLink::Whole | FileLink::Missing | FileLink::Killed => None,
    };
    let detail = match empty {
        Some(empty) => format!("{} is empty, and the log is not silent for so long otherwise: {unknown}", empty.name),
        None if link == FileLink::Killed => {
            format!("the server was killed, and the log is not silent for so long otherwise: {unknown}")
        }
        None => format!("a file of the log is missing: {unknown}"),
    };
    let mut source = Source::new(next.kind, format!("between {} and {}", one.name, next.name));
    source.lacks(MissingReason::MissingFile, detail);
    source.coverage = Coverage::apart(vec![gap]);
    census.add_source(source);
}
