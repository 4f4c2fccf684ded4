//! Files that `logrotate` has numbered: a number that is missing is a file that is missing, however quiet the log is.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod common;

use common::census_of;
use hostssl_census::{CensusReport, CensusVerdict, MissingReason, Requirements};

const TLS: &str = " SSL enabled (protocol=TLSv1.3, cipher=TLS_AES_256_GCM_SHA384, bits=256)";
const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAYS: u64 = 8 * 24 * HOUR;

/// A session every ten minutes or so, from then until then.
fn sessions(from: u64, to: u64) -> String {
    let session = |at: u64| {
        let (day, hour, minute, second) = (at / 86_400 + 1, at / HOUR % 24, at / MINUTE % 60, at % 60);
        let head = format!("1970-01-{day:02} {hour:02}:{minute:02}:{second:02} UTC [{}] LOG:  ", at / 60 % 30_000);
        format!(
            "{head}connection received: host=10.0.0.4 port=7\n{head}connection authorized: user=app database=shop application_name=web{TLS}\n"
        )
    };
    (0..DAYS / 600)
        .map(|number| number * 600 + number % 7 * 31)
        .filter(|at| (from..to).contains(at))
        .map(session)
        .collect()
}

/// A log that is rotated at these times, the oldest file first.
fn rotated(times: &[u64]) -> Vec<(String, String)> {
    let ends = times.iter().skip(1).copied().chain([DAYS]);
    let file = |(number, (from, to)): (usize, (u64, u64))| {
        let name = match times.len() - 1 - number {
            0 => "log/postgresql.log".to_owned(),
            1 => "log/postgresql.log.1".to_owned(),
            packed => format!("log/postgresql.log.{packed}.gz"),
        };
        (name, sessions(from, to))
    };
    times.iter().copied().zip(ends).enumerate().map(file).collect()
}

fn read(files: &[(String, String)]) -> CensusReport {
    census_of(files.iter().cloned()).finish(Requirements::default())
}

#[test]
fn a_number_that_is_missing_is_a_file_that_is_missing() {
    for (name, times) in [
        ("every half-hour", (0..DAYS / 1_800).map(|number| number * 1_800).collect::<Vec<_>>()),
        ("when they are full", (0..DAYS / 2_700).map(|number| number * 2_700 + number % 5 * 300).collect()),
    ] {
        let whole = rotated(&times);
        let report = read(&whole);
        assert_eq!(report.verdict, CensusVerdict::Safe, "{name}: {}", report.reason);
        for missing in [60, 100, whole.len() - 2] {
            let mut files = whole.clone();
            let (gone, _) = files.remove(missing);
            let report = read(&files);
            assert_eq!(report.verdict, CensusVerdict::NeedsObservation, "{name}, {gone}: {}", report.reason);
            assert!(report.reason.contains("a file of the log is missing"), "{}", report.reason);
            // One that is empty is there.
            files.insert(missing, (gone, String::new()));
            let mut lacks = read(&files).sources.into_iter().flat_map(|source| source.missing);
            assert!(!lacks.any(|one| one.detail.starts_with("a file of the log is missing")), "{name}");
        }
    }
}

#[test]
fn nothing_is_missing_where_another_file_has_the_time() {
    let times: Vec<u64> = (0..DAYS / 1_800).map(|number| number * 1_800).collect();
    let mut files = rotated(&times);
    files.remove(100);
    let report = read(&files);
    let mut lacks = report.sources.iter().flat_map(|source| &source.missing);
    assert!(lacks.any(|one| one.reason == MissingReason::MissingFile));
    assert_eq!(report.verdict, CensusVerdict::NeedsObservation, "{}", report.reason);
    // A whole copy of the log has what that file had.
    files.push(("whole.log".to_owned(), sessions(0, DAYS)));
    let report = read(&files);
    assert_eq!(report.verdict, CensusVerdict::Safe, "{}", report.reason);
}
