//! Logs from which lines, or the right prefix, are missing: none of them is a pass.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use hostssl_census::{
    Census, CensusLimits, CensusReport, CensusVerdict, Doubt, LogEnd, LogReader, MissingReason, Requirements,
    SessionTls, SourceKind,
};
use serde_json::json;

const SSL: &str = " SSL enabled (protocol=TLSv1.3, cipher=TLS_AES_256_GCM_SHA384, bits=256)";
/// What fits into a name.
const SHORT: &str = " SSL enabled (protocol=TLSv1.3, cipher=A, bits=1)";
const MINUTE: u64 = 60;
const HOUR: u64 = 3_600;
const WEEK: u64 = 7 * 24 * HOUR;

/// What a line says, and of which session.
#[derive(Clone)]
struct Event {
    at: u64,
    pid: u64,
    host: &'static str,
    names: &'static str,
    user: &'static str,
    message: String,
}

fn time(at: u64) -> String {
    let (day, hour, minute, second) = (at / 86_400 + 1, at / HOUR % 24, at / 60 % 60, at % 60);
    format!("1970-01-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

/// Received, authorized, and ended half a minute later.
fn session(at: u64, pid: u64, user: &'static str, tls: &str) -> [Event; 3] {
    let host = "10.0.0.4";
    let event = |at, names, message| Event { at, pid, host, names, user, message };
    [
        event(at, "[unknown]@[unknown]", format!("connection received: host={host} port={pid}")),
        event(at, "u@d", format!("connection authorized: user={user} database=shop application_name=psql{tls}")),
        event(
            at + 30,
            "u@d",
            format!("disconnection: session time: 0:00:30.000 user={user} database=shop host={host} port={pid}"),
        ),
    ]
}

/// A week with TLS, three sessions an hour, each with a process id of its own.
fn week() -> Vec<Event> {
    (0..WEEK / (20 * MINUTE) + 1).flat_map(|at| session(at * 20 * MINUTE, 1_000 + at, "app", SSL)).collect()
}

/// The lines in the order of their times, with a prefix made of `{t}`, `{p}`, `{c}`, `{h}`, `{r}`, `{n}` and `{l}`.
fn lines(events: &[Event], prefix: &str) -> String {
    let mut events = events.to_vec();
    events.sort_by_key(|event| event.at);
    let mut counts = std::collections::HashMap::new();
    let line = |event: &Event| {
        let count = counts.entry(event.pid).and_modify(|count| *count += 1).or_insert(1);
        // A session id has the time at which the session began.
        let began = if event.message.starts_with("disconnection") { event.at - 30 } else { event.at };
        let head = prefix
            .replace("{t}", &time(event.at))
            .replace("{p}", &event.pid.to_string())
            .replace("{c}", &format!("{began:08x}.{:x}", event.pid))
            .replace("{r}", &format!("{}({})", event.host, event.pid))
            .replace("{h}", event.host)
            .replace("{n}", event.names)
            .replace("{l}", &count.to_string());
        format!("{head}LOG:  {}\n", event.message)
    };
    events.iter().map(line).collect()
}

fn read(files: &[&str], prefix: Option<&str>) -> CensusReport {
    let mut reader =
        LogReader::new(Census::new(CensusLimits::default(), None), prefix.map(|text| text.parse().unwrap()));
    for (index, file) in files.iter().enumerate() {
        reader.begin(SourceKind::LogFile, format!("file {index}"));
        reader.feed(file.as_bytes());
        reader.end(LogEnd::Whole);
    }
    reader.finish().finish(Requirements::default())
}

fn lacks(report: &CensusReport, reason: MissingReason) -> bool {
    report.sources.iter().flat_map(|source| &source.missing).any(|missing| missing.reason == reason)
}

/// Each session with TLS, and after the first 150 one in plaintext around it.
fn interleaved() -> Vec<Event> {
    let pair = |at: u64| {
        let time = at * 20 * MINUTE;
        let [received, authorized, _] = session(time, 1_000 + 2 * at, "app", SSL);
        let [hidden, evil, _] = session(time, 1_001 + 2 * at, "evil", "");
        if at < 150 { vec![received, authorized] } else { vec![received, hidden, authorized, evil] }
    };
    (0..WEEK / (20 * MINUTE) + 1).flat_map(pair).collect()
}

#[test]
fn no_part_of_a_prefix_is_taken_for_a_process_id() {
    for (prefix, has_pid) in [
        ("{t}:{r}:{n}:[{p}]:", true),
        ("{t} {h} [{p}] ", true),
        ("{t} client={h},pid={p} ", true),
        ("{t} {n} [{p}] ", true),
        ("{t}|{n}|{p}|", true),
        ("{t} [{p}] {h} ", true),
        ("{p}:{t} {h} ", true),
        ("{t} {h} ", false),
        ("{t} {h}: ", false),
        ("{t} {r}: ", false),
        ("{t} [{l}] ", false),
    ] {
        let report = read(&[&lines(&interleaved(), prefix)], None);
        let format = &report.sources[0].format;
        let evil: u64 =
            report.clients.iter().filter(|one| one.user.as_deref() == Some("evil")).map(|one| one.sightings).sum();
        assert_eq!(evil, 355, "{prefix}: {format}: {:#?}", report.clients);
        let expected = if has_pid { CensusVerdict::Breaks } else { CensusVerdict::NeedsObservation };
        assert_eq!(
            (report.verdict, lacks(&report, MissingReason::NoSession)),
            (expected, !has_pid),
            "{prefix}: {format}"
        );
        let safe = read(&[&lines(&week(), prefix)], None);
        let expected = if has_pid { CensusVerdict::Safe } else { CensusVerdict::NeedsObservation };
        assert_eq!(safe.verdict, expected, "{prefix}: {}: {}", safe.sources[0].format, safe.reason);
    }
}

#[test]
fn a_key_that_several_sessions_share_drops_none_of_them() {
    // The prefix that was given has a part of the address for the process id.
    let report = read(&[&lines(&interleaved(), "{t} {h} ")], Some("%t 10.0.0.%p "));
    assert!(lacks(&report, MissingReason::NoSession), "{:#?}", report.sources);
    let evil: u64 =
        report.clients.iter().filter(|one| one.user.as_deref() == Some("evil")).map(|one| one.sightings).sum();
    assert_eq!((report.verdict == CensusVerdict::Safe, evil), (false, 355), "{:#?}", report.clients);
    // One of the machine itself beside one of the network.
    let [mut local, mine, _] = session(9, 7, "app", "");
    local.message = "connection received: host=[local]".to_owned();
    let [network, evil, _] = session(9, 7, "evil", "");
    for order in [[&network, &local, &evil, &mine], [&local, &network, &mine, &evil]] {
        let events: Vec<Event> = week().into_iter().chain(order.into_iter().cloned()).collect();
        let report = read(&[&lines(&events, "{t} {p} ")], Some("%t %p "));
        assert_ne!(report.verdict, CensusVerdict::Safe, "{:#?}", report.clients);
    }
}

#[test]
fn a_process_id_that_comes_again_without_its_receipt_is_counted() {
    // A server that is started again with `log_connections = authorization`.
    let few = |at: u64| 100 + at % 40;
    let before: Vec<Event> =
        (0..252).flat_map(|at| session(at * 20 * MINUTE, few(at), "app", SSL)[..2].to_vec()).collect();
    let after = (252..=504).map(|at| {
        let (user, tls) = if at == 300 { ("evil", "") } else { ("app", SSL) };
        session(at * 20 * MINUTE, few(at), user, tls)[1].clone()
    });
    let events: Vec<Event> = before.into_iter().chain(after).collect();
    let report = read(&[&lines(&events, "{t} [{p}] ")], None);
    assert_eq!(report.verdict, CensusVerdict::NeedsObservation, "{}", report.reason);
    assert!(report.clients.iter().any(|client| client.user.as_deref() == Some("evil")), "{:#?}", report.clients);
}

#[test]
fn lines_of_connections_that_are_missing_are_said() {
    let hole = 72 * HOUR..92 * HOUR;
    let only = |words: &'static str| -> Vec<Event> {
        week().into_iter().filter(|event| !hole.contains(&event.at) || event.message.starts_with(words)).collect()
    };
    let third: Vec<Event> =
        week().into_iter().enumerate().filter(|(index, _)| index % 9 != 1).map(|(_, event)| event).collect();
    for prefix in ["{t} [{p}] ", "{t}-{c}-"] {
        let log = |events: &[Event]| lines(events, prefix);
        assert_eq!(read(&[&log(&week())], None).verdict, CensusVerdict::Safe);
        for (name, events) in [
            ("ends alone", only("disconnection")),
            ("receipts alone", only("connection received")),
            ("every third", third.clone()),
        ] {
            let report = read(&[&log(&events)], None);
            assert_eq!(report.verdict, CensusVerdict::NeedsObservation, "{prefix}, {name}: {}", report.reason);
            assert!(lacks(&report, MissingReason::LogConnectionsOff), "{prefix}, {name}: {:#?}", report.sources);
        }
        // Files in any order, with sessions that lie across two of them, lack nothing.
        let days: Vec<String> = (0..8u64)
            .map(|day| {
                let of_day = |event: &&Event| (event.at + 15) / (24 * HOUR) == day;
                log(&week().iter().filter(of_day).cloned().collect::<Vec<_>>())
            })
            .collect();
        for order in [[0, 1, 2, 3, 4, 5, 6, 7], [7, 6, 5, 4, 3, 2, 1, 0], [3, 0, 6, 1, 7, 2, 5, 4]] {
            let files: Vec<&str> = order.iter().map(|day: &usize| days[*day].as_str()).collect();
            let report = read(&files, None);
            assert_eq!(report.verdict, CensusVerdict::Safe, "{prefix}, {order:?}: {}", report.reason);
        }
    }
}

#[test]
fn names_of_databases_and_of_replication_do_not_speak_of_tls() {
    let database = format!("d{SHORT}");
    let user = format!("r{SHORT}");
    let spread = "x database=y SSL enabled (protocol=TLSv1.3, cipher=A, bits=1,";
    for (words, user, database) in [
        (format!("connection authorized: user=evil database={database}"), "evil", &*database),
        (format!("replication connection authorized: user={user}"), &*user, ""),
        (format!("replication connection authorized: user={user} application_name=a"), &*user, ""),
        (format!("connection authorized: user={spread} database=z)"), spread, "z)"),
    ] {
        let received = "connection received: host=10.9.9.9 port=9";
        let head = format!("{}-00000009.9-LOG:  ", time(9));
        let stderr = format!("{head}{received}\n{head}{words}\n");
        let csv = |message: &str, user: &str, database: &str| {
            format!(
                "{},\"{user}\",\"{database}\",9,\"10.9.9.9:9\",9.9,1,\"x\",{},3/1,0,LOG,00000,\"{message}\",,,,,,,,,\"\",\"client backend\",,0\n",
                time(9),
                time(9)
            )
        };
        let json = |message: &str| {
            let record = json!({"timestamp": time(9), "user": user, "dbname": database, "pid": 9, "remote_host": "10.9.9.9",
                "remote_port": 9, "session_id": "9.9", "error_severity": "LOG", "message": message});
            format!("{record}\n")
        };
        let logs = [stderr, csv(received, "", "") + &csv(&words, user, database), json(received) + &json(&words)];
        for (format, log) in ["stderr", "csvlog", "jsonlog"].into_iter().zip(&logs) {
            let report = read(&[log], None);
            let tls = report.clients[0].tls;
            let is_said = if format == "stderr" { tls != SessionTls::Tls } else { tls == SessionTls::Plaintext };
            assert!(is_said && report.clients.len() == 1, "{format}: {words}: {:#?}", report.clients);
        }
    }
    // Honest ones, with the longest names.
    for words in [
        format!("connection authorized: user=app database=d{SSL}"),
        format!("replication connection authorized: user=r{SSL}"),
        format!(
            "connection authorized: user=app database=shop application_name=psql{}",
            SSL.replace("TLS_AES_256_GCM_SHA384", "AES256-SHA")
        ),
    ] {
        let head = format!("{}-00000009.9-LOG:  ", time(9));
        let report = read(&[&format!("{head}connection received: host=10.9.9.9 port=9\n{head}{words}\n")], None);
        assert_eq!((report.clients[0].tls, report.clients[0].doubt), (SessionTls::Tls, None), "{words}");
    }
    let cut = format!("{}-00000009.9-LOG:  connection authorized: user=app database=d{SHORT}\n", time(9));
    assert_eq!(read(&[&cut], None).clients[0].doubt, Some(Doubt::ImitatedTls));
}

#[test]
fn the_window_is_the_time_before_its_end() {
    let all = lines(
        &(0..30 * 24 * 3).flat_map(|at| session(at * 20 * MINUTE, 1_000 + at, "app", SSL)).collect::<Vec<_>>(),
        "{t}-{c}-",
    );
    let of = |days: std::ops::Range<u64>| -> String {
        let is_of = |line: &&str| days.clone().any(|day| line.starts_with(&time(day * 24 * HOUR)[..10]));
        all.lines().filter(is_of).map(|line| format!("{line}\n")).collect()
    };
    let old = of(0..7);
    assert_eq!(read(&[&old, &of(29..30)], None).verdict, CensusVerdict::NeedsObservation);
    assert_eq!(read(&[&old, &of(22..30)], None).verdict, CensusVerdict::Safe);
    let alternate: Vec<String> = (0..8).map(|day| of(2 * day..2 * day + 1)).collect();
    let files: Vec<&str> = alternate.iter().map(String::as_str).collect();
    assert_eq!(read(&files, None).verdict, CensusVerdict::NeedsObservation);
}

#[test]
fn a_half_line_at_the_end_accuses_no_client() {
    let log = lines(&week(), "{t}-{c}-");
    let at = log.rfind("connection authorized").unwrap();
    let whole = at + log[at..].find('\n').unwrap();
    for end in at..whole {
        let report = read(&[&log[..end]], None);
        assert_ne!(report.verdict, CensusVerdict::Breaks, "{}", &log[at..end]);
        assert!(report.clients.iter().all(|client| client.tls == SessionTls::Tls), "{}", &log[at..end]);
    }
    assert!(lacks(&read(&[&log[..whole - 5]], None), MissingReason::Truncated));
    let report = read(&[&log[..whole]], None);
    assert_eq!(report.verdict, CensusVerdict::Safe, "it ends as a message about TLS does: {}", report.reason);
}

/// The same events in csvlog, which has each address in a field.
fn records(events: &[Event]) -> String {
    let record = |event: &Event| {
        let is_known = !event.message.starts_with("connection received");
        let (user, database) = if is_known { (event.user, "shop") } else { ("", "") };
        let began = if event.message.starts_with("disconnection") { event.at - 30 } else { event.at };
        format!(
            "{},\"{user}\",\"{database}\",{pid},\"10.0.0.4:{pid}\",{began:x}.{pid:x},1,\"x\",{},3/1,0,LOG,00000,\"{}\",,,,,,,,,\"\",\"client backend\",,0\n",
            time(event.at).replace(" UTC", ".123 UTC"),
            time(event.at),
            event.message,
            pid = event.pid
        )
    };
    events.iter().map(record).collect()
}

#[test]
fn a_line_counts_once_where_two_files_have_it() {
    let log = lines(&week(), "{t} [{p}] ");
    let twice = read(&[&log, &log], None);
    assert_eq!((twice.verdict, twice.clients.len(), twice.clients[0].sightings), (CensusVerdict::Safe, 1, 505));
    let both = read(&[&records(&week()), &log], None);
    let counts: Vec<u64> = both.clients.iter().map(|client| client.sightings).collect();
    assert_eq!((both.verdict, counts), (CensusVerdict::Safe, vec![505]), "{}", both.reason);
}

/// Clients by user, with how often each was seen how.
fn found(report: &CensusReport) -> Vec<(&str, SessionTls, u64)> {
    report.clients.iter().map(|one| (one.user.as_deref().unwrap(), one.tls, one.sightings)).collect()
}

#[test]
fn a_session_counts_once_where_one_of_two_files_does_not_say_where_it_came_from() {
    let plain = (0..60).flat_map(|at| session(at * HOUR + 7, 9_000 + at, "legacy", ""));
    let events: Vec<Event> = week().into_iter().chain(plain).collect();
    let whole = [("legacy", SessionTls::Plaintext, 60), ("app", SessionTls::Tls, 505)];
    // `log_connections = authorization`, with and without `log_disconnections`.
    let of = |words: &[&str]| -> Vec<Event> {
        events.iter().filter(|event| words.iter().any(|word| event.message.contains(word))).cloned().collect()
    };
    for half in [of(&["authorized"]), of(&["authorized", "disconnection"])] {
        let log = lines(&half, "{t} [{p}] ");
        for other in [records(&events), records(&half), lines(&events, "{t} [{p}] ")] {
            assert_eq!(found(&read(&[&other, &log], None)), whole);
        }
        let report = read(&[&log, &lines(&events, "{t} [{p}] ")], None);
        assert_eq!(found(&report), whole);
        // The lines of the other file have another key, and are read later.
        let report = read(&[&log, &records(&events)], None);
        assert!(report.clients.iter().all(|one| one.tls != SessionTls::Unknown), "{:#?}", report.clients);
    }
    // One that only that file has is a client of its own.
    let [_, other, _] = session(61 * HOUR, 9_100, "legacy", "");
    let log = lines(&[of(&["authorized"]), vec![other]].concat(), "{t} [{p}] ");
    let report = read(&[&records(&events), &log], None);
    assert_eq!(found(&report).iter().filter(|(.., tls, _)| *tls == SessionTls::Unknown).count(), 1);
}

#[test]
fn without_a_key_no_session_explains_another() {
    let [received, authorized, _] = session(9, 7, "app", SSL);
    let [_, evil, _] = session(9, 8, "evil", "");
    let log = lines(&[received, authorized], "{t} {h} ") + &lines(&[evil], "{t} [unknown] ");
    let report = read(&[&log], Some("%t %h "));
    assert!(found(&report).iter().any(|(user, ..)| *user == "evil"), "{:#?}", report.clients);
}

#[test]
fn lines_inside_of_the_json_of_a_container_are_not_plaintext() {
    let log: String = lines(&week(), "{t}-{c}-")
        .lines()
        .map(|line| format!("{{\"log\":\"{line}\\n\",\"stream\":\"stderr\",\"time\":\"1970-01-01T00:00:00Z\"}}\n"))
        .collect();
    let report = read(&[&log], None);
    assert_eq!(report.verdict, CensusVerdict::NeedsObservation, "{:#?}", report.clients);
}
