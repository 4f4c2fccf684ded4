//! The numbers that `logrotate` puts behind the name of a log: `postgresql.log`, `postgresql.log.1`, `postgresql.log.2.gz`. It counts
//! every file one further, so that a number that is not there is a file that is not there.

use super::file_facts::FileFacts;
use super::file_row::{FileGap, FileLink};
use super::log_file::SAME;
use crate::Interval;
use std::collections::BTreeMap;

/// What compressed files end with.
const PACKED: [&str; 6] = [".gz", ".xz", ".zst", ".bz2", ".lz4", ".z"];
/// Higher numbers are days or versions.
const HIGHEST: u32 = 9_999;

/// The name of a log and the number of a file of it; the file that is being written has 0.
pub(super) fn numbered(name: &str) -> (String, u32) {
    let lower = name.to_ascii_lowercase();
    let whole = PACKED.iter().find_map(|end| lower.strip_suffix(end)).unwrap_or(&lower);
    let number = |digits: &str| {
        let is_number = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
        digits.parse().ok().filter(|number| is_number && *number <= HIGHEST)
    };
    let numbered = whole.rsplit_once('.').and_then(|(log, digits)| Some((log, number(digits)?)));
    numbered.map_or_else(|| (whole.to_owned(), 0), |(log, number)| (log.to_owned(), number))
}

/// The gaps between files in which one is missing by its number.
pub(super) fn holes(files: &[FileFacts]) -> Vec<FileGap> {
    let mut logs: BTreeMap<String, BTreeMap<u32, &FileFacts>> = BTreeMap::new();
    for file in files {
        let (log, number) = numbered(&file.name);
        logs.entry(log).or_default().insert(number, file);
    }
    logs.values().flat_map(|numbers| holes_of(numbers)).collect()
}

fn holes_of(numbers: &BTreeMap<u32, &FileFacts>) -> Vec<FileGap> {
    // Files that are there and say nothing of their time leave no number out.
    let timed: Vec<(u32, Interval, usize)> =
        numbers.iter().filter_map(|(number, file)| Some((*number, file.time?, file.source))).collect();
    let pairs = || timed.iter().zip(timed.iter().skip(1));
    // The higher the number, the older the file.
    if !pairs().all(|((_, newer, _), (_, older, _))| older.from <= newer.from) {
        return Vec::new();
    }
    let is_missing = |newer: u32, older: u32| numbers.range(newer..older).count() < (older - newer) as usize;
    let hole = |((newer, next, after), (older, one, before)): (&(u32, Interval, usize), &(u32, Interval, usize))| {
        // Files that follow each other at once have none between them.
        let is_apart = next.from - one.to > SAME;
        (is_apart && is_missing(*newer, *older)).then_some(FileGap {
            before: *before,
            after: *after,
            link: FileLink::Missing,
        })
    };
    pairs().filter_map(hole).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_told_from_the_name_of_a_log() {
        for (name, log, number) in [
            ("/a/postgresql.log", "/a/postgresql.log", 0),
            ("/a/postgresql.log.1", "/a/postgresql.log", 1),
            ("/a/Postgresql.log.12.GZ", "/a/postgresql.log", 12),
            ("postgresql-17-main.log.3.xz", "postgresql-17-main.log", 3),
            ("postgresql.log.20261130", "postgresql.log.20261130", 0),
            ("postgresql.log.2026-11-30", "postgresql.log.2026-11-30", 0),
            ("postgresql.log.01", "postgresql.log.01", 0),
        ] {
            assert_eq!(numbered(name), (log.to_owned(), number), "{name}");
        }
    }
}
