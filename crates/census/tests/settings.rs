//! Logs whose settings were changed while they were written: what was left out before is unknown.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod common;

use common::census_of;
use hostssl_census::{
    Census, CensusLimits, CensusReport, CensusVerdict, KeptCensus, LogEnd, LogReader, Millis, MissingReason,
    Requirements, SourceKind,
};
use std::fmt::Write as _;

const TLS: &str = " SSL enabled (protocol=TLSv1.3, cipher=TLS_AES_256_GCM_SHA384, bits=256)";
const HOUR: u64 = 3_600;
const DAY: u64 = 24 * HOUR;

/// The time of so many seconds, within January 1970.
fn time(at: u64) -> String {
    let (day, hour, minute, second) = (at / DAY + 1, at / HOUR % 24, at / 60 % 60, at % 60);
    format!("1970-01-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

fn setting(at: u64, name: &str, change: &str) -> (u64, String) {
    (at, format!("parameter \"{name}\" {change}"))
}

/// A log of some days with a checkpoint every ten minutes, a session where `has_session`, and another line.
fn log(days: u64, step: u64, has_session: impl Fn(u64) -> bool, other: &(u64, String)) -> String {
    let mut log = String::new();
    for at in (0..days * DAY).step_by(usize::try_from(step).unwrap()) {
        let head = format!("{} [{}] LOG:  ", time(at), 1_000 + at / step % 20_000);
        if has_session(at) {
            let _ = writeln!(log, "{head}connection received: host=10.0.0.4 port=5");
            let _ = writeln!(log, "{head}connection authorized: user=app database=shop application_name=web{TLS}");
        }
        if (at..at + step).contains(&other.0) {
            let _ = writeln!(log, "{} [7] LOG:  {}", time(other.0), other.1);
        }
        let _ = writeln!(log, "{} [7] LOG:  checkpoint starting: time", time(at + step - 1));
    }
    log
}

/// The reports of a log, whole and by the day, at once and kept.
fn reports(log: &str, days: u64, window: u64) -> Vec<CensusReport> {
    let now = Millis::try_from(days * DAY).unwrap() * 1_000;
    let requirements = Requirements { window: Millis::try_from(window).unwrap() * 1_000, now: Some(now) };
    let daily: Vec<String> = (0..days)
        .map(|day| {
            let date = time(day * DAY)[..10].to_owned();
            log.split_inclusive('\n').filter(|line| line.starts_with(&date)).collect()
        })
        .collect();
    let read = |files: &[&str]| {
        let mut reader = LogReader::new(Census::new(CensusLimits::default(), None), None);
        for (number, file) in files.iter().enumerate() {
            reader.begin(SourceKind::LogFile, format!("file {number}"));
            reader.feed(file.as_bytes());
            reader.end(LogEnd::Whole);
        }
        reader.finish()
    };
    let back: Vec<&str> = daily.iter().rev().map(String::as_str).collect();
    let forth: Vec<&str> = daily.iter().map(String::as_str).collect();
    let files: [&[&str]; 3] = [&[log], &forth, &back];
    let judge = |files: &[&str]| {
        let mut kept = read(files).keep(now);
        kept.merge(read(files).keep(now));
        let kept = KeptCensus::from_json(&kept.to_json()).unwrap();
        [read(files).finish(requirements), kept.judge(requirements, None)]
    };
    files.into_iter().flat_map(judge).collect()
}

fn assert_all(name: &str, reports: &[CensusReport], expected: CensusVerdict) {
    for (way, report) in reports.iter().enumerate() {
        assert_eq!(report.verdict, expected, "{name}, {way}: {}", report.reason);
    }
}

#[test]
fn the_time_before_connections_were_logged_does_not_count() {
    // Turned on after a day of two, and after two days of eight, of twelve, and within an hour of the night.
    for (days, on, window, expected) in [
        (2, 22 * HOUR, DAY, CensusVerdict::Safe),
        (2, 45 * HOUR, DAY, CensusVerdict::NeedsObservation),
        (8, 45 * HOUR, 7 * DAY, CensusVerdict::NeedsObservation),
        (12, 45 * HOUR, 7 * DAY, CensusVerdict::Safe),
    ] {
        let off = log(days, 600, |at| at >= on, &setting(on - 5, "log_connections", "changed to \"on\""));
        let reports = reports(&off, days, window);
        assert_all(&format!("{days} days, {on}"), &reports, expected);
    }
    let off = |at: u64| !(100 * HOUR..100 * HOUR + 1_800).contains(&at);
    for value in ["on", "t", "all", "receipt,authentication,authorization"] {
        let change = setting(100 * HOUR + 1_799, "log_connections", &format!("changed to \"{value}\""));
        let reports = reports(&log(8, 600, off, &change), 8, 7 * DAY);
        assert_all(value, &reports, CensusVerdict::NeedsObservation);
        let is_said = reports[0].sources.iter().flat_map(|source| &source.missing);
        assert!(is_said.clone().any(|missing| missing.reason == MissingReason::LogConnectionsOff));
    }
}

#[test]
fn the_time_in_which_the_severity_may_have_hidden_connections_does_not_count() {
    let hidden = |at: u64| !(100 * HOUR..110 * HOUR).contains(&at);
    for change in ["removed from configuration file, reset to default", "changed to \"warning\"", "changed to \"log\""]
    {
        let line = setting(110 * HOUR, "log_min_messages", change);
        assert_all(change, &reports(&log(8, 600, hidden, &line), 8, 7 * DAY), CensusVerdict::NeedsObservation);
        // Connections were logged until then.
        let line = setting(110 * HOUR + 4, "log_min_messages", change);
        assert_all(change, &reports(&log(8, 600, |_| true, &line), 8, 7 * DAY), CensusVerdict::Safe);
    }
    let line = setting(100 * HOUR, "log_min_messages", "changed to \"fatal\"");
    let reports = reports(&log(8, 600, |_| true, &line), 8, 7 * DAY);
    assert_all("fatal", &reports, CensusVerdict::NeedsObservation);
    let reason = &reports[0].reason;
    assert!(reason.contains("log_min_messages was set to 'fatal'"), "{reason}");
}

/// A log of eight days with a session every five minutes, but for a time in which nothing is written, and another line.
fn log_with_hole(hole: std::ops::Range<u64>, other: &(u64, String)) -> String {
    let sessions = (0..8 * DAY).step_by(300).filter(|at| !hole.contains(at)).map(|at| {
        let head = format!("{} [{}] LOG:  ", time(at), 1_000 + at / 300 % 20_000);
        let authorized = format!("connection authorized: user=app database=shop application_name=web{TLS}");
        (at, format!("{head}connection received: host=10.0.0.4 port=5\n{head}{authorized}\n"))
    });
    let mut lines: Vec<(u64, String)> = sessions.collect();
    lines.push((other.0, format!("{} [7] LOG:  {}\n", time(other.0), other.1)));
    lines.sort();
    lines.into_iter().map(|(_, line)| line).collect()
}

fn read(files: &[(&str, &str)]) -> CensusReport {
    census_of(files.iter().copied()).finish(Requirements::default())
}

#[test]
fn the_time_in_which_the_log_was_written_elsewhere_does_not_count() {
    let away = 100 * HOUR + 20..100 * HOUR + 1_480;
    let (begins, ends) = (away.start, away.end);
    for (at, name, change) in [
        (begins, "log_directory", "changed to \"/mnt/other\""),
        (begins, "log_filename", "changed to \"other-%a.log\""),
        (begins, "log_filename", "removed from configuration file, reset to default"),
        (begins, "syslog_facility", "changed to \"local7\""),
        (begins, "log_destination", "changed to \"csvlog\""),
        (begins, "log_destination", "changed to \"syslog, jsonlog\""),
        (ends, "log_destination", "changed to \"stderr\""),
        (ends, "log_destination", "changed to \"csvlog, Stderr\""),
        (ends, "log_destination", "removed from configuration file, reset to default"),
    ] {
        let change = setting(at, name, change);
        let found = reports(&log_with_hole(away.clone(), &change), 8, 7 * DAY);
        assert_all(&format!("{name}, {}", change.1), &found, CensusVerdict::NeedsObservation);
        // It went on within a minute.
        let near = (if at == begins { 100 * HOUR - 20 } else { 100 * HOUR + 20 }, change.1.clone());
        let report = read(&[("log", &log_with_hole(0..0, &near))]);
        assert_eq!(report.verdict, CensusVerdict::Safe, "{}: {}", near.1, report.reason);
    }
}

#[test]
fn a_log_that_was_moved_counts_where_both_places_are_read() {
    let change = setting(100 * HOUR - 20, "log_directory", "changed to \"/mnt/other\"");
    for (hole, expected) in
        [(0..0, CensusVerdict::Safe), (100 * HOUR..100 * HOUR + 600, CensusVerdict::NeedsObservation)]
    {
        let log = log_with_hole(hole, &change);
        let at = log.find("log_directory").map(|at| at + log[at..].find('\n').unwrap() + 1).unwrap();
        let report = read(&[("log/pg.log", &log[..at]), ("other/pg.log", &log[at..])]);
        assert_eq!(report.verdict, expected, "{}", report.reason);
    }
}
