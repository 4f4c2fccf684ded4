//! Files that were written at the same time: those of one server show the same sessions, in whatever format. One that lacks sessions
//! which another has is of another server, or not whole, and says nothing of what it does not have.

use super::file_facts::FileFacts;
use crate::seed::SeededHash;
use crate::{Census, Interval, Millis, MissingReason};
use std::collections::BTreeMap;
use std::hash::BuildHasher;
use std::rc::Rc;

const MINUTE: Millis = 60 * 1_000;
/// At the ends of a file, the line of a session may lie in the file beside it.
const EDGES: (Millis, Millis) = (2 * 1_000, MINUTE);
/// Minutes with sessions that are remembered, of all files.
const MOST: usize = 1 << 20;
/// Files of which the times are compared with those of others.
const MOST_PAIRS: usize = 100_000;

/// The sessions that began in each minute, of each file.
#[derive(Debug, Default)]
pub(super) struct SideBySide {
    hash: SeededHash,
    files: Vec<FileSessions>,
    count: usize,
}

#[derive(Debug, Default)]
struct FileSessions {
    source: usize,
    minutes: Vec<(i64, Sessions)>,
    /// A session has no process id.
    is_unkeyed: bool,
}

/// How many sessions, and a digest of their process ids in whatever order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Sessions {
    count: u32,
    digest: u64,
}

impl SideBySide {
    /// A session was authorized.
    pub(super) fn add(&mut self, source: usize, at: Option<Millis>, pid: Option<u32>) {
        if self.files.last().is_none_or(|file| file.source != source) {
            self.files.push(FileSessions { source, ..FileSessions::default() });
        }
        let Some(file) = self.files.last_mut() else { return };
        let (Some(at), Some(pid)) = (at, pid) else {
            file.is_unkeyed = true;
            return;
        };
        let minute = at.div_euclid(MINUTE);
        let digest = self.hash.hash_one(pid);
        match file.minutes.last_mut() {
            Some((last, sessions)) if *last == minute => sessions.add(1, digest),
            _ if self.count < MOST => {
                self.count += 1;
                file.minutes.push((minute, Sessions { count: 1, digest }));
            }
            _ => file.is_unkeyed = true,
        }
    }

    /// Notes each file that lacks sessions which another has.
    pub(super) fn note(&self, files: &[FileFacts], census: &mut Census) {
        let mut timed: Vec<(Interval, &FileFacts)> = files.iter().filter_map(|file| Some((file.time?, file))).collect();
        timed.sort_by_key(|(time, _)| *time);
        let mut known = BTreeMap::new();
        let mut pairs = 0;
        for (at, (time, file)) in timed.iter().enumerate() {
            for (later, other) in timed.iter().skip(at + 1).take_while(|(later, _)| later.from + EDGES.0 < time.to) {
                let both = Interval { from: later.from + EDGES.0, to: later.to.min(time.to) - EDGES.1 };
                if both.length() < MINUTE {
                    continue;
                }
                pairs += 1;
                if pairs > MOST_PAIRS {
                    return timed.iter().for_each(|(_, file)| not_compared(file, census));
                }
                let [one, two] = [file, other].map(|file| {
                    let minutes = || self.minutes(file.source).map(Rc::new);
                    known.entry(file.source).or_insert_with(minutes).clone()
                });
                let (Some(one), Some(two)) = (one, two) else { continue };
                let lacks = compare(&one, &two, both);
                for (lacks, file, other) in [(lacks[0], file, other), (lacks[1], other, file)] {
                    if lacks {
                        mark(file.source, &other.name, census);
                    }
                }
            }
        }
    }

    /// The sessions of a file by the minute; `None` where they cannot be compared.
    fn minutes(&self, source: usize) -> Option<BTreeMap<i64, Sessions>> {
        let mut minutes: BTreeMap<i64, Sessions> = BTreeMap::new();
        for file in self.files.iter().filter(|file| file.source == source) {
            if file.is_unkeyed {
                return None;
            }
            for (minute, sessions) in &file.minutes {
                minutes.entry(*minute).or_default().add(sessions.count, sessions.digest);
            }
        }
        Some(minutes)
    }
}

impl Sessions {
    fn add(&mut self, count: u32, digest: u64) {
        self.count = self.count.saturating_add(count);
        self.digest = self.digest.wrapping_add(digest);
    }
}

/// Whether the first lacks sessions of the second, and the other way round, in more than one of ten minutes: one at the end of
/// a minute may be in the next one, where its times are written with other digits.
fn compare(one: &BTreeMap<i64, Sessions>, two: &BTreeMap<i64, Sessions>, both: Interval) -> [bool; 2] {
    let minutes = both.from.div_euclid(MINUTE) + 1..both.to.div_euclid(MINUTE);
    if minutes.is_empty() {
        return [false; 2];
    }
    let (mut lacks, mut all) = ([0, 0], 0);
    let of = |sessions: &BTreeMap<i64, Sessions>, minute: &i64| sessions.get(minute).copied().unwrap_or_default();
    let others = two.range(minutes.clone()).filter(|(minute, _)| !one.contains_key(minute));
    for (minute, _) in one.range(minutes.clone()).chain(others) {
        let (mine, theirs) = (of(one, minute), of(two, minute));
        all += 1;
        if mine != theirs {
            lacks[0] += usize::from(mine.count <= theirs.count);
            lacks[1] += usize::from(theirs.count <= mine.count);
        }
    }
    lacks.map(|lacks| 10 * lacks > all)
}

/// With so many files of the same time, it is not known whether one server has written them all.
fn not_compared(file: &FileFacts, census: &mut Census) {
    let Some(source) = census.source_mut(file.source) else { return };
    let detail = format!(
        "too many files cover the same time, so that {} was not compared with all others: read the logs of each server separately",
        source.name
    );
    source.lacks(MissingReason::MixedServers, detail);
}

fn mark(source: usize, other: &str, census: &mut Census) {
    let Some(source) = census.source_mut(source) else { return };
    let detail = format!(
        "{} lacks connections that {other} has at the same time: they seem to be of two servers, or lines are missing",
        source.name
    );
    source.lacks(MissingReason::MixedServers, detail);
}
