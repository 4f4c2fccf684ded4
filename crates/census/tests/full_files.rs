//! Files that are begun at regular times, and some when the last one is full: which is missing is known all the same.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod common;

use common::census_of;
use hostssl_census::{CensusReport, CensusVerdict, Requirements};

const TLS: &str = " SSL enabled (protocol=TLSv1.3, cipher=TLS_AES_256_GCM_SHA384, bits=256)";
const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAYS: u64 = 8 * 24 * HOUR;

fn stamp(at: u64) -> [u64; 4] {
    [at / 86_400 + 1, at / HOUR % 24, at / MINUTE % 60, at % 60]
}

fn name(at: u64) -> String {
    let [day, hour, minute, second] = stamp(at);
    format!("postgresql-1970-01-{day:02}_{hour:02}{minute:02}{second:02}.log")
}

fn session(at: u64) -> String {
    let [day, hour, minute, second] = stamp(at);
    let head = format!("1970-01-{day:02} {hour:02}:{minute:02}:{second:02} UTC [{}] LOG:  ", at / 60 % 30_000);
    format!(
        "{head}connection received: host=10.0.0.4 port=7\n{head}connection authorized: user=app database=shop application_name=web{TLS}\n"
    )
}

fn checkpoint(at: u64) -> String {
    let [day, hour, minute, second] = stamp(at);
    format!("1970-01-{day:02} {hour:02}:{minute:02}:{second:02} UTC [2] LOG:  checkpoint starting: time\n")
}

/// A log with a session at each of these times, in files that were begun then.
fn log(sessions: &[u64], begun: &[u64]) -> Vec<(String, String)> {
    let ends = begun.iter().skip(1).copied().chain([DAYS]);
    let file = |(from, to): (&u64, u64)| {
        let text = sessions.iter().filter(|at| (*from..to).contains(*at)).map(|at| session(*at)).collect();
        (name(*from), text)
    };
    begun.iter().zip(ends).map(file).collect()
}

fn read(files: &[(String, String)]) -> CensusReport {
    census_of(files.iter().cloned()).finish(Requirements::default())
}

fn assert_verdict(name: &str, files: &[(String, String)], expected: CensusVerdict) {
    let report = read(files);
    assert_eq!(report.verdict, expected, "{name}: {}", report.reason);
}

/// One every 17 minutes, and a little earlier or later: a file may be missing without a silence that is unusual.
fn regular() -> Vec<u64> {
    (0..DAYS / 1_020).map(|number| number * 1_020 + number % 41).collect()
}

#[test]
fn one_full_file_hides_no_missing_one() {
    let sessions = regular();
    // One of half an hour each, of which one was full and another begun in the middle.
    let mut begun: Vec<u64> = (0..DAYS / (30 * MINUTE)).map(|number| number * 30 * MINUTE).collect();
    let full = *sessions.iter().find(|at| **at > 50 * HOUR + 10 * MINUTE).unwrap();
    begun.push(full);
    begun.sort_unstable();
    let mut files = log(&sessions, &begun);
    let before = begun.iter().position(|at| *at == full).unwrap() - 1;
    files[before].1.push_str(&checkpoint(full));
    assert_verdict("whole", &files, CensusVerdict::Safe);
    let at = begun.iter().position(|at| *at == 100 * HOUR).unwrap();
    let mut without = files;
    without.remove(at);
    assert_verdict("without one", &without, CensusVerdict::NeedsObservation);
}

#[test]
fn a_missing_one_of_full_files_is_missed() {
    let sessions = regular();
    // Each is begun when the last one has two sessions.
    let begun: Vec<u64> = sessions.iter().step_by(2).copied().collect();
    let files = log(&sessions, &begun);
    let mut last = files.clone();
    // The last line of each is written when the next one is begun.
    for (file, next) in last.iter_mut().zip(begun.iter().skip(1)) {
        file.1.push_str(&checkpoint(*next));
    }
    assert_verdict("whole", &last, CensusVerdict::Safe);
    last.remove(100);
    assert_verdict("without one", &last, CensusVerdict::NeedsObservation);
}
