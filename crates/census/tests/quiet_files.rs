//! Files of a quiet server: what is not in them was not there.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use hostssl_census::{
    Census, CensusLimits, CensusReport, CensusVerdict, LogEnd, LogReader, MissingReason, Requirements, SourceKind,
};

const TLS: &str = " SSL enabled (protocol=TLSv1.3, cipher=TLS_AES_256_GCM_SHA384, bits=256)";
const HOUR: u64 = 3_600;
const DAYS: u64 = 8 * 24 * HOUR;

/// The time of so many seconds, within January 1970.
fn time(at: u64) -> String {
    let (day, hour, minute, second) = (at / 86_400 + 1, at / HOUR % 24, at / 60 % 60, at % 60);
    format!("1970-01-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

/// The beginning of a line of a session that began then, by `%c` or by `%p`.
fn head(at: u64, began: u64, has_session: bool) -> String {
    let pid = began % 30_000 + 5;
    if has_session {
        format!("{}-{began:08x}.{pid:x}-LOG:  ", time(at))
    } else {
        format!("{} [{pid}] LOG:  ", time(at))
    }
}

/// A session of so many seconds, as its lines with their times.
fn session(began: u64, length: u64, has_session: bool) -> [(u64, String); 3] {
    let (first, last) = (head(began, began, has_session), head(began + length, began, has_session));
    let clock = format!("{}:{:02}:{:02}.000", length / HOUR, length / 60 % 60, length % 60);
    [
        (began, format!("{first}connection received: host=10.0.0.4 port=7\n")),
        (began, format!("{first}connection authorized: user=app database=shop application_name=web{TLS}\n")),
        (
            began + length,
            format!("{last}disconnection: session time: {clock} user=app database=shop host=10.0.0.4 port=7\n"),
        ),
    ]
}

fn checkpoint(at: u64) -> (u64, String) {
    (at, format!("{}checkpoint starting: time\n", head(at, 0, true)))
}

/// The report of lines in files of an hour.
fn hourly(mut lines: Vec<(u64, String)>) -> CensusReport {
    lines.sort_by_key(|(at, _)| *at);
    let mut reader = LogReader::new(Census::new(CensusLimits::default(), None), None);
    for hour in 0..DAYS / HOUR {
        let file: String = lines.iter().filter(|(at, _)| *at / HOUR == hour).map(|(_, line)| line.as_str()).collect();
        reader.begin(SourceKind::LogFile, format!("file {hour}"));
        reader.feed(file.as_bytes());
        reader.end(LogEnd::Whole);
    }
    reader.finish().finish(Requirements::default())
}

#[test]
fn an_hour_in_which_sessions_only_end_has_all_its_connections() {
    for has_session in [true, false] {
        let checkpoints = (0..DAYS / 300).map(|at| checkpoint(at * 300 + 7));
        // A session every three hours, which ends in another file.
        let sessions = (0..DAYS / (3 * HOUR)).map(|at| session(at * 3 * HOUR + 40, 5 * HOUR / 2, has_session));
        let lines: Vec<_> = checkpoints.chain(sessions.flatten()).collect();
        let report = hourly(lines.clone());
        assert_eq!(report.verdict, CensusVerdict::Safe, "{}: {:#?}", report.reason, report.sources);
        // One that began and ended at the edges of files, and of which only the end was logged.
        for (began, length) in [(80 * HOUR - 10, 20), (80 * HOUR - 50, 10), (80 * HOUR + 3, 4), (80 * HOUR + 900, 1)] {
            let [_, _, end] = session(began, length, has_session);
            let report = hourly(lines.iter().cloned().chain([end]).collect());
            assert_eq!(report.verdict, CensusVerdict::NeedsObservation, "{began}, {has_session}");
            let lacks = report.sources.iter().flat_map(|source| &source.missing);
            assert!(lacks.clone().any(|one| one.reason == MissingReason::LogConnectionsOff), "{began}");
        }
    }
}

#[test]
fn text_in_a_folder_of_logs_is_skipped_and_what_may_be_a_log_is_not() {
    // Too few files to learn from when the server begins one, and a gap of minutes between each.
    let sessions = (0..DAYS / 1_500).flat_map(|at| session(at * 1_500 + 700, 1, true));
    let lines: Vec<(u64, String)> = sessions.collect();
    let half = |is_first: bool| -> String {
        lines.iter().filter(|(at, _)| (*at < DAYS / 2) == is_first).map(|(_, line)| line.as_str()).collect()
    };
    let read = |is_named: bool, other: &[u8]| {
        let mut reader = LogReader::new(Census::new(CensusLimits::default(), None), None);
        for (name, text) in [("a.log", half(true).as_bytes()), ("README", other), ("b.log", half(false).as_bytes())] {
            if is_named {
                reader.begin(SourceKind::LogFile, name);
            } else {
                reader.begin_found(SourceKind::LogFile, name);
            }
            reader.feed(text);
            reader.end(LogEnd::Whole);
        }
        reader.finish().finish(Requirements::default())
    };
    let page = b"These are the logs of the database of the shop.\nAsk before you remove one of them.\n";
    let report = read(false, page);
    assert_eq!(report.verdict, CensusVerdict::Safe, "{}", report.reason);
    let skipped = report.sources.iter().find(|source| source.name == "README").unwrap();
    assert_eq!((skipped.is_complete, skipped.missing[0].reason), (false, MissingReason::Skipped));
    for (is_named, other) in
        [(true, &page[..]), (false, b"\xfd7zXZ\0\0\x04 packed"), (false, b"{\"log\": \"a line\"}\n")]
    {
        let report = read(is_named, other);
        assert_eq!(report.verdict, CensusVerdict::NeedsObservation, "{}", report.reason);
    }
}
