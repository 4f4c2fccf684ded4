//! What a file says of the start of a server: it counts only if the server has written it, and nothing contradicts it.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod common;

use common::census_of_unnamed;
use hostssl_census::{CensusReport, CensusVerdict, Requirements};

const TLS: &str = " SSL enabled (protocol=TLSv1.3, cipher=TLS_AES_256_GCM_SHA384, bits=256)";
const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAYS: u64 = 8 * 24 * HOUR;

/// The time of so many seconds, within January 1970.
fn time(at: u64) -> String {
    let (day, hour, minute, second) = (at / 86_400 + 1, at / HOUR % 24, at / MINUTE % 60, at % 60);
    format!("1970-01-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

fn line(at: u64, pid: u64, severity: &str, message: &str) -> String {
    format!("{} [{pid}] {severity}:  {message}\n", time(at))
}

/// A session every two minutes.
fn sessions(range: std::ops::Range<u64>) -> String {
    sessions_every(120, range)
}

fn sessions_every(step: u64, range: std::ops::Range<u64>) -> String {
    let session = |at: u64| {
        let pid = 1_000 + at / 120 % 20_000;
        let authorized = format!("connection authorized: user=app database=shop application_name=web{TLS}");
        line(at, pid, "LOG", "connection received: host=10.0.0.4 port=7") + &line(at, pid, "LOG", &authorized)
    };
    (0..DAYS / step).map(|at| at * step).filter(|at| range.contains(at)).map(session).collect()
}

fn read(files: &[String]) -> CensusReport {
    census_of_unnamed(files).finish(Requirements::default())
}

/// What a server writes that starts, and was shut down before.
fn start(at: u64, ended: u64) -> String {
    line(at, 10, "LOG", "starting PostgreSQL 17.2 on x86_64-pc-linux-gnu, compiled by gcc (GCC) 13.2.0, 64-bit")
        + &line(at, 10, "LOG", "listening on IPv4 address \"0.0.0.0\", port 5432")
        + &line(at, 13, "LOG", &format!("database system was shut down at {}", time(ended)))
        + &line(at, 10, "LOG", "database system is ready to accept connections")
}

fn stop(at: u64) -> String {
    line(at, 10, "LOG", "received fast shutdown request") + &line(at, 10, "LOG", "database system is shut down")
}

#[test]
fn words_of_a_server_that_a_client_has_logged_are_not_believed() {
    let (down, up) = (96 * HOUR, 96 * HOUR + 40 * MINUTE);
    let first = sessions(0..down) + &stop(down);
    let said = format!("database system was shut down at {}", time(down));
    let begins = "starting PostgreSQL 17.2";
    let context = line(up, 77, "CONTEXT", "PL/pgSQL function inline_code_block line 1 at RAISE");
    for (name, words, expected) in [
        ("the server", start(up, down), CensusVerdict::Safe),
        ("one session", line(up, 77, "LOG", begins) + &line(up, 77, "LOG", &said), CensusVerdict::NeedsObservation),
        (
            "two sessions",
            line(up, 77, "LOG", begins) + &context + &line(up, 78, "LOG", &said),
            CensusVerdict::NeedsObservation,
        ),
        (
            "a statement",
            line(up, 77, "LOG", &format!("statement: select '{begins}\n\t{begins}")) + &line(up, 78, "LOG", &said),
            CensusVerdict::NeedsObservation,
        ),
    ] {
        let report = read(&[first.clone(), words + &sessions(up..DAYS)]);
        assert_eq!(report.verdict, expected, "{name}: {}", report.reason);
    }
}

#[test]
fn a_copy_that_was_restored_was_not_down_while_the_log_was_written() {
    // It was shut down and copied, went on, and the copy was started later. Two hours are missing in between.
    let (copied, failed, up) = (74 * HOUR, 96 * HOUR, 96 * HOUR + 300);
    let files = |missing: std::ops::Range<u64>| {
        [
            sessions(0..copied) + &stop(copied),
            start(copied + 30, copied) + &sessions(copied + 30..missing.start),
            sessions(missing.end..failed) + &stop(failed),
            start(up, copied) + &sessions(up..DAYS),
        ]
    };
    let report = read(&files(80 * HOUR..82 * HOUR));
    assert_eq!(report.verdict, CensusVerdict::NeedsObservation, "{}", report.reason);
}

#[test]
fn a_run_of_the_server_of_which_the_log_is_not_there_is_missed() {
    // It ended, ran again for a quarter of an hour, and the log of that is gone.
    let (ended, again, up) = (96 * HOUR, 96 * HOUR + 15 * MINUTE, 96 * HOUR + 15 * MINUTE + 10);
    let first = sessions_every(900, 0..ended) + &stop(ended);
    let killed = start(up, again).replace("was shut down at", "was interrupted; last known up at");
    for (name, second, expected) in [
        ("whole", start(up, ended), CensusVerdict::Safe),
        ("ended once more", start(up, again), CensusVerdict::NeedsObservation),
        ("killed", killed, CensusVerdict::NeedsObservation),
    ] {
        let report = read(&[first.clone(), second + &sessions_every(900, up..DAYS)]);
        assert_eq!(report.verdict, expected, "{name}: {}", report.reason);
    }
}
