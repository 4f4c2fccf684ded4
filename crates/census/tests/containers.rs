//! Logs as the tools of containers show them: what they put before or around a line is no part of the server's.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use hostssl_census::{
    Census, CensusLimits, CensusReport, CensusVerdict, LogEnd, LogReader, Requirements, SessionTls, SourceKind,
};

const TLS: &str = " SSL enabled (protocol=TLSv1.3, cipher=TLS_AES_256_GCM_SHA384, bits=256)";

/// The time of so many seconds, within January 1970.
fn time(at: u64) -> String {
    let (day, hour, minute, second) = (at / 86_400 + 1, at / 3_600 % 24, at / 60 % 60, at % 60);
    format!("1970-01-{day:02} {hour:02}:{minute:02}:{second:02}.123 UTC")
}

/// Eight days of sessions with TLS, and one in plaintext among two others that come in at once.
fn lines() -> Vec<(u64, String)> {
    let line = |at: u64, pid: u64, message: &str| (at, format!("{} [{pid}] LOG:  {message}", time(at)));
    let tls = format!("connection authorized: user=app database=shop application_name=web{TLS}");
    let mut lines = Vec::new();
    for number in 0..8 * 48 {
        let (at, pid) = (number * 1_800, 1_000 + number);
        lines.push(line(at, pid, "connection received: host=10.0.0.4 port=5"));
        lines.push(line(at, pid, &tls));
        lines.push(line(at + 9, 7, "checkpoint starting: time"));
    }
    let at = 6 * 86_400 + 77;
    for (pid, message) in [
        (31_000, "connection received: host=10.0.0.9 port=5"),
        (31_001, "connection received: host=10.0.0.4 port=6"),
        (31_001, &tls),
        (31_002, "connection received: host=[local]"),
        (31_000, "connection authorized: user=legacy database=shop application_name=cron"),
    ] {
        lines.push(line(at, pid, message));
    }
    lines.sort_by_key(|(at, _)| *at);
    lines
}

/// What a tool puts before a line of some time.
type Head = fn(u64) -> String;

/// The time as these tools write it.
fn date(at: u64) -> String {
    time(at)[..19].replace(' ', "T")
}

fn read(log: &str) -> CensusReport {
    let mut reader = LogReader::new(Census::new(CensusLimits::default(), None), None);
    reader.begin(SourceKind::LogFile, "log");
    reader.feed(log.as_bytes());
    reader.end(LogEnd::Whole);
    reader.finish().finish(Requirements::default())
}

#[test]
fn a_number_that_is_the_same_in_all_lines_is_no_process_id() {
    let heads: [(&str, Head, bool); 6] = [
        ("docker compose logs", |_| "db-1  | ".to_owned(), true),
        ("a pod of several", |_| "pg-0 postgres ".to_owned(), true),
        ("a machine", |_| "node 12 ".to_owned(), true),
        ("a machine in brackets", |_| "[17] ".to_owned(), true),
        ("kubectl logs --timestamps", |at| format!("{}.123456789Z ", date(at)), false),
        ("CRI", |at| format!("{}.123456789+01:00 stderr F ", date(at)), false),
    ];
    for (name, head, has_session) in heads {
        let log: String = lines().iter().map(|(at, line)| format!("{}{line}\n", head(*at))).collect();
        let report = read(&log);
        let legacy = report.clients.iter().find(|client| client.user.as_deref() == Some("legacy")).unwrap();
        let expected =
            if has_session { (SessionTls::Plaintext, Some("10.0.0.9")) } else { (SessionTls::Unknown, None) };
        let format = &report.sources[0].format;
        assert_eq!((legacy.tls, legacy.address.as_deref()), expected, "{name}: {format}: {legacy:?}");
        assert_ne!(report.verdict, CensusVerdict::Safe, "{name}");
        let tls: String = lines()
            .iter()
            .filter(|(_, line)| !line.contains("[3100"))
            .map(|(at, line)| format!("{}{line}\n", head(*at)))
            .collect();
        let expected = if has_session { CensusVerdict::Safe } else { CensusVerdict::NeedsObservation };
        let report = read(&tls);
        assert_eq!(report.verdict, expected, "{name}: {}", report.reason);
    }
}
