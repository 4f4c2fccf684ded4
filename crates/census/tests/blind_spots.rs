//! Logs in which a client in plaintext may hide: none of them is safe.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod common;

use common::census_of_unnamed;
use hostssl_census::{Census, CensusLimits, CensusReport, CensusVerdict, LogEnd, LogReader, Requirements, SourceKind};
use serde_json::json;

const TLS: &str = "TLSv1.3, cipher=TLS_AES_256_GCM_SHA384, bits=256";
const HOUR: u64 = 3_600;

/// The time of so many seconds, within January 1970.
fn time(at: u64) -> String {
    let (day, hour, minute, second) = (at / 86_400 + 1, at / HOUR % 24, at / 60 % 60, at % 60);
    format!("1970-01-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

fn line(at: u64, pid: u64, message: &str) -> String {
    format!("{}-{at:08x}.{pid:x}-LOG:  {message}\n", time(at))
}

/// A session with TLS.
fn session(at: u64) -> String {
    line(at, 7, "connection received: host=10.0.0.4 port=7")
        + &line(at, 7, &format!("connection authorized: user=app database=shop SSL enabled (protocol={TLS})"))
}

/// A session each hour.
fn hours(range: std::ops::Range<u64>) -> String {
    range.map(|hour| session(hour * HOUR)).collect()
}

fn read(files: &[&[u8]]) -> CensusReport {
    census_of_unnamed(files).finish(Requirements::default())
}

fn verdict(files: &[&str]) -> (CensusVerdict, String) {
    let files: Vec<&[u8]> = files.iter().map(|file| file.as_bytes()).collect();
    let report = read(&files);
    (report.verdict, report.reason)
}

#[test]
fn a_file_that_cannot_be_read_is_not_bridged_by_those_around_it() {
    let (before, middle, after) = (hours(0..96), hours(96..97), hours(97..192));
    assert_eq!(verdict(&[&before, &middle, &after]).0, CensusVerdict::Safe);
    let switched = middle.clone() + &line(96 * HOUR + 60, 9, "parameter \"log_connections\" changed to \"off\"");
    let lost = middle.replace("host=10.0.0.4 port=7\n", "host=10.0.0.4 port\0\0\0");
    for (name, file) in
        [("switched off", &*switched), ("damaged", &*lost), ("another program's", "\u{fd}7zXZ no log\n")]
    {
        let (verdict, reason) = verdict(&[&before, file, &after]);
        assert_eq!(verdict, CensusVerdict::NeedsObservation, "{name}: {reason}");
        assert!(reason.contains("file 1"), "{name}: {reason}");
    }
    // A file from before the week that is judged takes nothing away.
    let old = lost.replace("1970-01-05", "1970-01-01");
    assert_eq!(verdict(&[&old, &hours(23..192)]).0, CensusVerdict::Safe);
}

#[test]
fn a_line_break_that_is_lost_behind_a_tab_is_noticed() {
    let plain = line(96 * HOUR + 60, 9, "connection authorized: user=legacy database=shop");
    let log = hours(0..192);
    for hidden in [format!("\tfrom t {plain}"), format!("\t{plain}")] {
        let (verdict, reason) = verdict(&[&(log.clone() + &hidden)]);
        assert_eq!(verdict, CensusVerdict::NeedsObservation, "{hidden}: {reason}");
    }
    let text = "\tSELECT 'connection authorized: user=legacy database=shop'\n";
    assert_eq!(verdict(&[&(log + text)]).0, CensusVerdict::Safe, "a statement about logs is an everyday thing");
}

#[test]
fn two_days_without_a_connection_are_no_observation() {
    let checkpoints: String = (75..121).map(|hour| line(hour * HOUR + 5, 1, "checkpoint starting: time")).collect();
    let received: String =
        (75..121).map(|hour| line(hour * HOUR + 5, 9, "connection received: host=h port=9")).collect();
    for quiet in [checkpoints, received] {
        let (verdict, reason) = verdict(&[&(hours(0..75) + &quiet + &hours(121..176))]);
        assert_eq!(verdict, CensusVerdict::NeedsObservation, "{reason}");
    }
}

#[test]
fn a_process_id_that_comes_again_is_another_session() {
    let at = |at: u64, host: &str, rest: &str| {
        format!("{} [105] {host} LOG:  connection authorized: user={rest}\n", time(at).replace(" UTC", ".000 UTC"))
    };
    let tls = format!("app database=shop SSL enabled (protocol={TLS})");
    let mut reader = LogReader::new(Census::new(CensusLimits::default(), None), Some("%m [%p] %h ".parse().unwrap()));
    reader.begin(SourceKind::LogFile, "log");
    reader.feed((at(5, "10.0.0.4", &tls) + &at(4 * 24 * HOUR, "10.9.9.9", "legacy database=old")).as_bytes());
    reader.end(LogEnd::Whole);
    let report = reader.finish().finish(Requirements::default());
    assert_eq!((report.verdict, report.clients.len()), (CensusVerdict::Breaks, 2), "{:#?}", report.clients);
}

#[test]
fn a_name_as_long_as_its_field_may_go_on_into_words_about_tls() {
    let record = |name: &str, message: &str| {
        let record = json!({
            "timestamp": time(5), "user": "legacy", "dbname": "shop", "pid": 9, "remote_host": "10.9.9.9",
            "remote_port": 9, "session_id": "5.9", "error_severity": "LOG", "message": message,
            "application_name": name,
        });
        record.to_string() + "\n"
    };
    for length in [10, 62, 63, 70] {
        let name = "A".repeat(length);
        let field: String = format!("{name} SSL enabled (protocol={TLS})").chars().take(63).collect();
        let claim = format!(
            "connection authorized: user=legacy database=shop application_name={name} SSL enabled (protocol={TLS})"
        );
        let parting = "disconnection: session time: 0:00:01.000 user=legacy database=shop host=10.9.9.9 port=9";
        let report = read(&[(record("", &claim) + &record(&field, parting)).as_bytes()]);
        assert_ne!(report.clients[0].tls, hostssl_census::SessionTls::Tls, "{length}: {:#?}", report.clients);
    }
}

#[test]
fn json_with_escaped_characters_is_read() {
    let message = "接続の認証完了: ユーザー=legacy データベース=shop";
    let escaped: String =
        message.chars().map(|c| if c.is_ascii() { c.to_string() } else { format!("\\u{:04x}", c as u32) }).collect();
    for message in [message, &escaped] {
        let log = format!(
            "{{\"timestamp\":\"{}\",\"user\":\"legacy\",\"dbname\":\"shop\",\"pid\":9,\"remote_host\":\"10.9.9.9\",\"remote_port\":9,\
             \"session_id\":\"5.9\",\"error_severity\":\"LOG\",\"message\":\"{message}\"}}\n",
            time(5)
        );
        let report = read(&[log.as_bytes()]);
        assert_eq!(report.clients.len(), 1, "{log}: {}", report.reason);
    }
}

#[test]
fn lines_without_the_given_prefix_do_not_accuse_the_settings_of_the_server() {
    let mut reader =
        LogReader::new(Census::new(CensusLimits::default(), None), Some("%m %r from %d ".parse().unwrap()));
    reader.begin(SourceKind::LogFile, "log");
    reader.feed(hours(0..192).as_bytes());
    reader.end(LogEnd::Whole);
    let report = reader.finish().finish(Requirements::default());
    assert_eq!(report.verdict, CensusVerdict::NeedsObservation);
    assert!(report.reason.contains("without the prefix"), "{}", report.reason);
    let missing: Vec<&str> = report.sources[0].missing.iter().map(|missing| missing.reason.as_str()).collect();
    assert!(!missing.contains(&"log-connections-off"), "{missing:?}");
}

#[test]
fn a_session_that_was_authenticated_and_never_authorized_is_unknown() {
    let came = |at: u64, pid: u64, host: &str| {
        line(at, pid, &format!("connection received: {host}"))
            + &line(at, pid, "connection authenticated: identity=\"evil\" method=scram-sha-256 (pg_hba.conf:7)")
    };
    let log = hours(0..192);
    let other = came(191 * HOUR - 60, 9, "host=10.9.9.9 port=9");
    let (answer, reason) = verdict(&[&(log.clone() + &other)]);
    assert_eq!(answer, CensusVerdict::NeedsObservation, "{reason}");
    let report = read(&[(log.clone() + &other).as_bytes()]);
    let unknown: Vec<_> = report.clients.iter().filter(|client| client.doubt.is_some()).collect();
    assert_eq!(unknown.len(), 1);
    assert_eq!(unknown[0].doubt.unwrap().as_str(), "never-authorized");
    assert_eq!(unknown[0].address.as_deref(), Some("10.9.9.9"));
    // One that is authorized, one of the machine itself, and one whose next line is still to come.
    let tls =
        line(190 * HOUR, 8, &format!("connection authorized: user=app database=shop SSL enabled (protocol={TLS})"));
    for fine in [
        came(190 * HOUR, 8, "host=10.0.0.4 port=8") + &tls,
        came(190 * HOUR, 8, "host=[local]"),
        came(191 * HOUR + 5, 8, "host=10.0.0.4 port=8"),
    ] {
        let (answer, reason) = verdict(&[&(log.clone() + &fine)]);
        // A file that is read twice says the same.
        let twice = log.clone() + &fine;
        assert_eq!(
            (answer, verdict(&[&twice, &twice]).0),
            (CensusVerdict::Safe, CensusVerdict::Safe),
            "{fine}: {reason}"
        );
    }
}
