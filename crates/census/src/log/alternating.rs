//! Logs of two servers that never cover the same time: a server writes to one place at a time, and does not come back to one without a word.

use super::file_facts::FileFacts;
use super::file_number::numbered;
use super::file_row::ENDING;
use crate::{Census, Interval, MissingReason};
use std::collections::{BTreeMap, BTreeSet};

/// Files that are compared.
const MOST_FILES: usize = 4_000;

/// Notes each file that was written between those of another log, while that log was not.
pub(super) fn note(files: &[FileFacts], census: &mut Census) {
    let mut timed: Vec<(Interval, &FileFacts)> =
        files.iter().filter(|file| file.has_connections).filter_map(|file| Some((file.time?, file))).collect();
    timed.sort_by_key(|(time, file)| (*time, file.source));
    timed.truncate(MOST_FILES);
    let by_name: Vec<Option<String>> = timed.iter().map(|(_, file)| Some(place_of(&file.name))).collect();
    let by_rules: Vec<Option<String>> = timed.iter().map(|(_, file)| file.rules.clone()).collect();
    for places in [by_name, by_rules] {
        for (at, other) in between_others(&timed, &places) {
            let Some((_, file)) = timed.get(at) else { continue };
            let Some(source) = census.source_mut(file.source) else { continue };
            let detail = format!(
                "{} was written between files of another log, such as {other}: they seem to be of two servers. Read the logs of each \
                 server separately",
                source.name
            );
            source.lacks(MissingReason::MixedServers, detail);
        }
    }
}

/// The files that lie between two of another place, with the name of one of these.
fn between_others(timed: &[(Interval, &FileFacts)], places: &[Option<String>]) -> Vec<(usize, String)> {
    // The first and the last file of each place.
    let mut ends: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for (at, place) in places.iter().enumerate() {
        let Some(place) = place.as_deref() else { continue };
        ends.entry(place).or_insert((at, at)).1 = at;
    }
    ends.retain(|_, (first, last)| first < last);
    let beside = beside(timed, places);
    let mut found = Vec::new();
    for (at, (time, _)) in timed.iter().enumerate() {
        let Some(own) = places.get(at).and_then(Option::as_deref).filter(|_| time.length() > ENDING) else { continue };
        let other = ends.iter().find(|(place, (first, last))| {
            (*first < at && at < *last)
                && **place != own
                && !beside.contains(&(own.min(place), own.max(place)))
                && !has_moved(timed.iter().zip(places).take(at), place)
        });
        let name = other.and_then(|(_, (first, _))| Some(timed.get(*first)?.1.name.clone()));
        found.extend(name.map(|name| (at, name)));
    }
    found
}

/// Places that were written to at the same time: their files are compared by their sessions.
fn beside<'a>(timed: &[(Interval, &FileFacts)], places: &'a [Option<String>]) -> BTreeSet<(&'a str, &'a str)> {
    let mut beside = BTreeSet::new();
    let all = || timed.iter().zip(places);
    for (at, ((time, _), own)) in all().enumerate() {
        let later = all().skip(at + 1).take_while(|((other, _), _)| other.from + ENDING < time.to);
        for (own, other) in later.filter_map(|((_, _), other)| own.as_deref().zip(other.as_deref())) {
            beside.insert((own.min(other), own.max(other)));
        }
    }
    beside
}

/// Whether a log says at its end that it is written elsewhere from then on.
fn has_moved<'a>(
    before: impl DoubleEndedIterator<Item = (&'a (Interval, &'a FileFacts), &'a Option<String>)>,
    place: &str,
) -> bool {
    let last = before.rev().find(|(_, own)| own.as_deref() == Some(place));
    last.is_some_and(|((_, file), _)| file.moves.iter().any(|one| one.next.is_none()))
}

/// What the files of one log have in common in their names: all but dates, the words for them, and the number of `logrotate`. Other numbers
/// are those of a version or a port.
fn place_of(name: &str) -> String {
    let (name, _) = numbered(name);
    let mut place = String::with_capacity(name.len());
    let mut is_date = false;
    let mut rest = name.as_str();
    while let Some(first) = rest.chars().next() {
        let is_of_run = |c: char| {
            if first.is_ascii_digit() {
                c.is_ascii_digit()
            } else {
                first.is_ascii_alphabetic() && c.is_ascii_alphabetic()
            }
        };
        let length = rest.find(|c| !is_of_run(c)).unwrap_or(rest.len()).max(first.len_utf8());
        let (run, behind) = rest.split_at(length);
        rest = behind;
        if first.is_ascii_digit() {
            is_date = is_date || is_year(run) || run.len() >= 6;
            if !is_date {
                place.push_str(run);
            }
        } else if first.is_ascii_alphabetic() && !(is_date && run == "t") {
            is_date = false;
            if !super::file_name::is_date_word(run) {
                place.push_str(run);
            }
        } else if !is_date {
            place.push_str(run);
        }
    }
    place
}

fn is_year(digits: &str) -> bool {
    digits.len() == 4 && (digits.starts_with("19") || digits.starts_with("20"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_of_a_log_has_no_dates_and_all_other_numbers() {
        for names in [
            ["/a/postgresql-2026-11-30_103015.log", "/a/postgresql-2026-12-01_000000.log"],
            ["postgresql-15-main.log.3.gz", "postgresql-15-main.log"],
            ["2026/11/30/10.csv", "2026/11/29/23.csv"],
            ["postgresql-Mon.log", "postgresql-Tue.log"],
            ["a/postgresql-20261130T1000.log", "a/postgresql-20261129T0900.log"],
        ] {
            assert_eq!(place_of(names[0]), place_of(names[1]));
        }
        for names in [
            ["postgresql-15-main.log.3.gz", "postgresql-17-main.log.4.gz"],
            ["postgresql-15-2026-11-30.log", "postgresql-17-2026-11-30.log"],
            ["postgresql-5432.log", "postgresql-5433.log"],
            ["a/2026-11-30.log", "b/2026-11-30.log"],
        ] {
            assert_ne!(place_of(names[0]), place_of(names[1]));
        }
    }
}
