//! Servers that start within a file, as in what a container writes: a time of which lines are missing is not one in which the server was
//! down.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use hostssl_census::{
    Census, CensusLimits, CensusReport, CensusVerdict, KeptCensus, LogEnd, LogReader, Requirements, SourceKind,
};
use serde_json::json;

const TLS: &str = " SSL enabled (protocol=TLSv1.3, cipher=TLS_AES_256_GCM_SHA384, bits=256)";
const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAYS: u64 = 8 * 24 * HOUR;
const DOWN: u64 = 96 * HOUR;

/// A line of a log: when, of which process, in which severity, and what.
type Line = (u64, u64, &'static str, String);

/// The time of so many seconds, within January 1970.
fn time(at: u64) -> String {
    let (day, hour, minute, second) = (at / 86_400 + 1, at / HOUR % 24, at / MINUTE % 60, at % 60);
    format!("1970-01-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

/// A session every ten minutes.
fn sessions(range: std::ops::Range<u64>) -> Vec<Line> {
    let session = |at: u64| {
        let pid = 1_000 + at / 600 % 20_000;
        let authorized = format!("connection authorized: user=app database=shop application_name=web{TLS}");
        [(at, pid, "LOG", "connection received: host=10.0.0.4 port=7".to_owned()), (at, pid, "LOG", authorized)]
    };
    (0..DAYS / 600).map(|at| at * 600).filter(|at| range.contains(at)).flat_map(session).collect()
}

fn stop(at: u64) -> Vec<Line> {
    ["received fast shutdown request", "database system is shut down"]
        .map(|words| (at, 1, "LOG", words.to_owned()))
        .to_vec()
}

/// What a server writes that starts.
fn start(at: u64, said: &str) -> Vec<Line> {
    let line = |pid, severity, words: &str| (at, pid, severity, words.to_owned());
    vec![
        line(1, "LOG", "starting PostgreSQL 17.2 on x86_64-pc-linux-gnu, compiled by gcc (GCC) 13.2.0, 64-bit"),
        line(1, "LOG", "listening on IPv4 address \"0.0.0.0\", port 5432"),
        line(30, "FATAL", "the database system is starting up"),
        line(29, "LOG", said),
        line(1, "LOG", "database system is ready to accept connections"),
    ]
}

fn stderr(lines: &[Line]) -> String {
    lines.iter().map(|(at, pid, severity, words)| format!("{} [{pid}] {severity}:  {words}\n", time(*at))).collect()
}

fn jsonlog(lines: &[Line]) -> String {
    let record = |(at, pid, severity, words): &Line| {
        let host = if words.starts_with("connection") { "\"remote_host\":\"10.0.0.4\"," } else { "" };
        format!(
            "{{\"timestamp\":\"{}\",{host}\"pid\":{pid},\"session_id\":\"{:x}.{pid:x}\",\"error_severity\":\"{severity}\",\"message\":{}}}\n",
            time(*at),
            at / HOUR,
            json!(words)
        )
    };
    lines.iter().map(record).collect()
}

/// The reports of files that are read at once, and that are kept twice.
fn reports(files: &[String]) -> [CensusReport; 2] {
    let mut reader = LogReader::new(Census::new(CensusLimits::default(), None), None);
    for (number, file) in files.iter().enumerate() {
        reader.begin(SourceKind::LogFile, format!("file {number}"));
        // Pieces that end within lines.
        file.as_bytes().chunks(1_021).for_each(|piece| reader.feed(piece));
        reader.end(LogEnd::Whole);
    }
    let census = reader.finish();
    let mut kept = census.keep(1);
    kept.merge(census.keep(2));
    let kept = KeptCensus::from_json(&kept.to_json()).unwrap();
    [census.finish(Requirements::default()), kept.judge(Requirements::default(), None)]
}

fn assert_all(name: &str, files: &[String], expected: CensusVerdict) {
    for report in reports(files) {
        assert_eq!(report.verdict, expected, "{name}: {}", report.reason);
    }
}

fn shut_down(at: u64) -> String {
    format!("database system was shut down at {}", time(at))
}

fn killed(at: u64) -> String {
    format!("database system was interrupted; last known up at {}", time(at))
}

#[test]
fn a_run_of_the_server_that_is_missing_within_a_file_is_missed() {
    use CensusVerdict::{NeedsObservation, Safe};
    for length in [20 * MINUTE, 50 * MINUTE, 5 * HOUR] {
        let up = DOWN + length;
        for (name, end, said, expected) in [
            ("whole", stop(DOWN), shut_down(DOWN), Safe),
            ("shut down at once", stop(DOWN), killed(DOWN - 400), Safe),
            ("another run", stop(DOWN), shut_down(up - 10), NeedsObservation),
            ("another run that was killed", stop(DOWN), killed(up - 300), NeedsObservation),
            ("no end", vec![], shut_down(up - 10), NeedsObservation),
            ("killed later", vec![], killed(up - 300), NeedsObservation),
        ] {
            let lines = [sessions(0..DOWN), end, start(up, &said), sessions(up..DAYS)].concat();
            for (format, text) in [("stderr", stderr(&lines)), ("jsonlog", jsonlog(&lines))] {
                assert_all(&format!("{name}, {format}, {length} s"), &[text], expected);
            }
        }
    }
}

#[test]
fn a_server_that_has_ended_and_serves_again_has_started_in_between() {
    use CensusVerdict::{NeedsObservation, Safe};
    let up = DOWN + HOUR / 2;
    let point = |words: &str| vec![(up, 27, "LOG", words.to_owned())];
    // The session of another second is in the log of the run that follows.
    let whole = |said: &str| start(up, said);
    // Libraries say something before the server says that it starts.
    let library = || point("pgaudit extension initialized");
    for (name, between, expected) in [
        ("sessions", vec![], NeedsObservation),
        ("a checkpoint", point("checkpoint starting: time"), NeedsObservation),
        ("a start", whole(&shut_down(DOWN)), Safe),
        ("a start with a library", [library(), whole(&shut_down(DOWN))].concat(), Safe),
        ("a start of an old version", point(&shut_down(DOWN)), Safe),
        ("two ends", [stop(up - 20), whole(&shut_down(DOWN))].concat(), Safe),
    ] {
        let lines = [sessions(0..DOWN), stop(DOWN), between, sessions(up..DAYS)].concat();
        for (format, text) in [("stderr", stderr(&lines)), ("jsonlog", jsonlog(&lines))] {
            assert_all(&format!("{name}, {format}"), &[text], expected);
        }
    }
    let [report, _] = reports(&[stderr(&[sessions(0..DOWN), stop(DOWN), sessions(up..DAYS)].concat())]);
    let expected = "lines are missing from 1970-01-05 00:00 to 1970-01-05 00:30 UTC: the server ended, and served again without a \
                    line that says that it started";
    assert_eq!(report.reason, expected);
}

#[test]
fn lines_that_are_missing_before_a_start_are_named() {
    let up = DOWN + 2 * HOUR;
    let lines = [sessions(0..DOWN), stop(DOWN), start(up, &shut_down(up - 10)), sessions(up..DAYS)].concat();
    let [report, _] = reports(&[stderr(&lines)]);
    let expected = "lines are missing from 1970-01-05 00:00 to 1970-01-05 02:00 UTC: the server started then, and says that it was up \
                    at 1970-01-05 01:59 UTC";
    assert_eq!(report.reason, expected);
}

#[test]
fn a_long_silence_before_a_server_that_was_killed_is_no_observation() {
    let up = DOWN + 5 * HOUR;
    let lines = |said: &str| [sessions(0..DOWN), start(up, said), sessions(up..DAYS)].concat();
    assert_all("killed", &[stderr(&lines(&killed(DOWN - 400)))], CensusVerdict::NeedsObservation);
    assert_all("an older copy", &[stderr(&lines(&shut_down(DOWN - 9 * HOUR)))], CensusVerdict::NeedsObservation);
    // What one session has logged is not the server's.
    let forged = stderr(&lines(&shut_down(DOWN - 600))).replace("[29]", "[1]");
    assert_all("of one process", &[forged], CensusVerdict::NeedsObservation);
}

#[test]
fn a_server_that_was_killed_between_two_files_was_up_for_an_unknown_time() {
    use CensusVerdict::{NeedsObservation, Safe};
    for (name, length, last_up, end, expected) in [
        ("soon", 5 * MINUTE, DOWN - 700, vec![], Safe),
        ("late", 25 * MINUTE, DOWN - 700, vec![], NeedsObservation),
        ("up after its last line", 5 * MINUTE, DOWN + 60, vec![], NeedsObservation),
        ("shut down at once", 25 * MINUTE, DOWN - 700, stop(DOWN), Safe),
        ("another run after that", 5 * MINUTE, DOWN + 60, stop(DOWN), NeedsObservation),
    ] {
        let up = DOWN + length;
        let first = [sessions(0..DOWN), end].concat();
        let second = [start(up, &killed(last_up)), sessions(up..DAYS)].concat();
        assert_all(name, &[stderr(&first), stderr(&second)], expected);
    }
}
