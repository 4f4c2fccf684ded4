//! Logs as the tools of containers show them: what they put before or around a line is no part of the server's.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod common;

use common::census_of_unnamed;
use hostssl_census::{CensusReport, CensusVerdict, MissingReason, Requirements, SessionTls};

use serde_json::json;

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
    census_of_unnamed([log]).finish(Requirements::default())
}

#[test]
fn a_number_that_is_the_same_in_all_lines_is_no_process_id() {
    let heads: [(&str, Head); 6] = [
        ("docker compose logs", |_| "db-1  | ".to_owned()),
        ("a pod of several", |_| "pg-0 postgres ".to_owned()),
        ("a machine", |_| "node 12 ".to_owned()),
        ("a machine in brackets", |_| "[17] ".to_owned()),
        ("kubectl logs --timestamps", |at| format!("{}.123456789Z ", date(at))),
        ("CRI", |at| format!("{}.123456789+01:00 stderr F ", date(at))),
    ];
    for (name, head) in heads {
        let log: String = lines().iter().map(|(at, line)| format!("{}{line}\n", head(*at))).collect();
        let report = read(&log);
        let legacy = report.clients.iter().find(|client| client.user.as_deref() == Some("legacy")).unwrap();
        let expected = (SessionTls::Plaintext, Some("10.0.0.9"));
        let format = &report.sources[0].format;
        assert_eq!((legacy.tls, legacy.address.as_deref()), expected, "{name}: {format}: {legacy:?}");
        assert_ne!(report.verdict, CensusVerdict::Safe, "{name}");
        let tls: String = lines()
            .iter()
            .filter(|(_, line)| !line.contains("[3100"))
            .map(|(at, line)| format!("{}{line}\n", head(*at)))
            .collect();
        let report = read(&tls);
        assert_eq!(report.verdict, CensusVerdict::Safe, "{name}: {}", report.reason);
    }
}

#[test]
fn the_time_of_the_server_is_found_behind_that_of_a_tool() {
    let docker: Head = |at| format!("{}.123456789Z ", date(at));
    let kubernetes: Head = |at| format!("{}.123456789Z stderr F ", date(at));
    let offset: Head = |at| format!("{}.123456789+00:00 stderr F ", date(at));
    for head in [docker, kubernetes, offset] {
        for names in ["", "app@shop "] {
            let line = |(at, line): &(u64, String)| {
                format!("{}{}\n", head(*at), line.replace("LOG:", &format!("{names}LOG:")))
            };
            let lines = lines();
            // Without the session in plaintext.
            let lines = lines.iter().filter(|(_, line)| !line.contains("[31000]"));
            let report = read(&lines.map(line).collect::<String>());
            assert_eq!(
                report.verdict,
                CensusVerdict::Safe,
                "{}{names}: {}, {:?}",
                head(0),
                report.reason,
                report.sources[0]
            );
        }
    }
}

#[test]
fn lines_inside_of_json_are_no_log_and_how_to_unpack_them_is_said() {
    let wrap = |wrapped: &dyn Fn(&str) -> serde_json::Value| -> String {
        lines().iter().map(|(_, line)| format!("{}\n", wrapped(line))).collect()
    };
    for (name, log, command) in [
        ("docker", wrap(&|line| json!({"log": format!("{line}\n"), "stream": "stderr"})), "jq -r .log"),
        ("journal", wrap(&|line| json!({"_PID": "12", "MESSAGE": line, "PRIORITY": "6"})), "journalctl -o cat"),
        ("operator", wrap(&|line| json!({"level": "info", "record": {"message": line}})), "unpack them first"),
        ("sequence", wrap(&|line| json!({"MESSAGE": line})).replace("{\"M", "\u{1e}{\"M"), "journalctl -o cat"),
    ] {
        let report = read(&log);
        assert_eq!((report.verdict, report.clients.len()), (CensusVerdict::NeedsObservation, 0), "{name}");
        let missing = &report.sources[0].missing;
        assert_eq!(missing.iter().map(|one| one.reason).collect::<Vec<_>>(), [MissingReason::NotALog], "{name}");
        assert!(missing[0].detail.contains(command), "{name}: {}", missing[0].detail);
    }
}

#[test]
fn what_is_behind_the_words_about_tls_is_no_plaintext() {
    for behind in ["\\n\"", "\",\"stream\":\"stderr\"}", " (db-1)", "\u{1b}[0m", " x"] {
        let log: String = lines().iter().map(|(_, line)| format!("{line}{behind}\n")).collect();
        let report = read(&log.replace("user=legacy database=shop", &format!("user=legacy database=shop{TLS}")));
        let is_plain = |client: &hostssl_census::Client| client.tls == SessionTls::Plaintext;
        assert!(!report.clients.iter().any(is_plain), "{behind}: {:?}", report.clients);
        assert_ne!(report.verdict, CensusVerdict::Safe, "{behind}");
    }
}

/// A record of csvlog.
fn csv(at: u64, user: &str, message: &str) -> String {
    let time = time(at);
    format!(
        "{time},\"{user}\",\"shop\",9,\"10.0.0.9:5\",{at:x}.9,1,\"x\",{time},3/1,0,LOG,00000,\"{message}\",,,,,,,,,\"\",\"client backend\",,0\n"
    )
}

#[test]
fn a_log_of_records_may_begin_with_a_long_one() {
    let json = |at: u64, message: &str| {
        let record = json!({"timestamp": time(at), "pid": 9, "session_id": format!("{at:x}.9"), "error_severity": "LOG",
            "remote_host": "10.0.0.9", "remote_port": 5, "message": message});
        format!("{record}\n")
    };
    for count in [1, 3, 6, 400, 20_000] {
        let statement = format!("statement: select\n{}1", "a,\n".repeat(count));
        let rest = ["connection received: host=10.0.0.9 port=5", "connection authorized: user=legacy database=shop"];
        let text = csv(5, "app", &statement) + &rest.map(|message| csv(9, "legacy", message)).concat();
        let cut = text.split_inclusive('\n').skip(1).collect::<String>();
        let noise = "out of memory\n".repeat(count.min(400)) + &rest.map(|message| json(9, message)).concat();
        for (name, log) in [("csvlog", &text), ("jsonlog behind other lines", &noise)] {
            let report = read(log);
            assert_eq!(report.verdict, CensusVerdict::Breaks, "{name}, {count}: {:?}", report.sources[0].missing);
        }
        assert_ne!(read(&cut).verdict, CensusVerdict::Safe, "{count}");
        assert!(!read(&cut).sources[0].format.is_empty(), "{count}: the rest of a record comes first");
    }
}

#[test]
fn a_later_piece_of_a_message_in_syslog_is_no_line() {
    let syslog = |at: u64, pid: u64, piece: &str, text: &str| {
        format!("Jan {:>2} {} db1 postgres[{pid}]: [{piece}] {text}\n", at / 86_400 + 1, &time(at)[11..19])
    };
    let log: String = (0..8 * 48)
        .flat_map(|number| {
            let (at, pid) = (number * 1_800, 1_000 + number);
            let line = |message: &str| format!("{} [{pid}] LOG:  {message}", time(at));
            let authorized = format!("connection authorized: user=app database=shop application_name=web{TLS}");
            [
                syslog(at, pid, "5-1", &line("connection received: host=10.0.0.4 port=5")),
                syslog(at, pid, "6-1", &line(&authorized)),
                syslog(at, pid, "7-1", &line("statement: select 1,")),
                syslog(at, pid, "7-2", "#011       2"),
            ]
        })
        .collect();
    assert_eq!(read(&log).verdict, CensusVerdict::Safe, "{}", read(&log).reason);
    // A statement so long that syslog splits it, whose rest looks like lines.
    let forged =
        |text: &str| log.clone() + &syslog(8 * 86_400, 77, "9-3", &format!("{} [78] {text}", time(8 * 86_400)));
    for text in [
        &format!("LOG:  connection authorized: user=other database=shop application_name=web{TLS}"),
        "LOG:  connection received: host=[local]",
        "FATAL:  role \"batch\" is not permitted to log in",
    ] {
        let report = read(&forged(text));
        assert_eq!(report.verdict, CensusVerdict::NeedsObservation, "{text}: {}", report.reason);
        assert_eq!(report.clients.len(), 1, "{text}");
    }
    let report = read(&forged("LOG:  checkpoint starting: time"));
    assert_eq!(report.window, read(&log).window, "its time is no time of the log");
}
