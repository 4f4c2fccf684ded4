//! The log reader against logs that are out of order, cut, interleaved, and made to deceive.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may stop at the first surprise")]

use hostssl_census::{
    Backend, Census, CensusLimits, CensusReport, CensusVerdict, Client, Doubt, LogEnd, LogReader, MissingReason,
    Prefix, Requirements, SessionTls, SourceKind,
};
use hostssl_test_support::corpus::smoke;
use proptest::prelude::*;
use std::fmt::Write;

const SSL: &str = " SSL enabled (protocol=TLSv1.3, cipher=TLS_AES_256_GCM_SHA384, bits=256)";

fn read_with(files: &[&[u8]], prefix: Option<&str>, piece: usize, limits: CensusLimits) -> CensusReport {
    let prefix = prefix.map(|prefix| prefix.parse::<Prefix>().unwrap());
    let mut reader = LogReader::new(Census::new(limits, None), prefix);
    for (index, file) in files.iter().enumerate() {
        reader.begin(SourceKind::LogFile, format!("file {index}"));
        file.chunks(piece).for_each(|piece| reader.feed(piece));
        reader.end(LogEnd::Whole);
    }
    reader.finish().finish(Requirements::default())
}

fn read(files: &[&str]) -> CensusReport {
    let files: Vec<&[u8]> = files.iter().map(|file| file.as_bytes()).collect();
    read_with(&files, None, 1 << 16, CensusLimits::default())
}

/// One session, with Azure's prefix.
fn session(at: u64, pid: u32, host: &str, rest: &str) -> [String; 3] {
    let head = format!("{}-{at:08x}.{pid:x}-LOG:  ", time(at));
    [
        format!("{head}connection received: host={host} port={pid}\n"),
        format!("{head}connection authorized: {rest}\n"),
        format!("{head}disconnection: session time: 0:00:01.000 user=app database=shop host={host} port={pid}\n"),
    ]
}

/// The time of so many seconds, within January 1970.
fn time(at: u64) -> String {
    let (day, hour, minute, second) = (at / 86_400 + 1, at / 3_600 % 24, at / 60 % 60, at % 60);
    format!("1970-01-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

fn only(report: &CensusReport) -> &Client {
    assert_eq!(report.clients.len(), 1, "{:#?}", report.clients);
    &report.clients[0]
}

fn lacks(report: &CensusReport, reason: MissingReason) -> bool {
    report.sources.iter().flat_map(|source| &source.missing).any(|missing| missing.reason == reason)
}

#[test]
fn a_client_in_plaintext_breaks_and_says_who_it_is() {
    let log = session(5, 7, "10.0.0.4", "user=app database=shop application_name=billing").concat();
    let report = read(&[&log]);
    assert_eq!(report.verdict, CensusVerdict::Breaks);
    let client = only(&report);
    assert_eq!(client.user.as_deref(), Some("app"));
    assert_eq!(client.database.as_deref(), Some("shop"));
    assert_eq!(client.application.as_deref(), Some("billing"));
    assert_eq!(client.address.as_deref(), Some("10.0.0.4"));
    assert_eq!((client.backend, client.tls, client.first_seen), (Backend::Client, SessionTls::Plaintext, Some(5_000)));
    assert_eq!(report.sources[0].format, "stderr, log_line_prefix '%t-%c-' (found)");
}

#[test]
fn a_failed_attempt_is_no_client() {
    // What libpq leaves with sslmode=prefer and a wrong password: two attempts, one of them in plaintext.
    let mut log = String::new();
    for pid in [8, 9] {
        let head = format!("{}-00000005.{pid:x}-", time(5));
        writeln!(log, "{head}LOG:  connection received: host=10.0.0.4 port={pid}").unwrap();
        writeln!(log, "{head}FATAL:  password authentication failed for user \"app\"").unwrap();
    }
    let report = read(&[&log]);
    assert!(report.clients.is_empty());
    assert_eq!(report.verdict, CensusVerdict::NeedsObservation);
}

/// One session that the server ended before it began, in each format, with another end of the message.
fn ended_before_it_began(fatal: &str, code: &str, pid: u32, at: u64) -> [String; 3] {
    let authorized = "connection authorized: user=app database=shop";
    let time = time(at);
    let messages = [
        ("LOG", "00000", "connection received: host=10.0.0.4 port=5"),
        ("LOG", "00000", authorized),
        ("FATAL", code, fatal),
    ];
    let (mut stderr, mut csv, mut json) = (String::new(), String::new(), String::new());
    for (line, (severity, code, message)) in messages.into_iter().enumerate() {
        writeln!(stderr, "{time} [{pid}] {severity}:  {message}").unwrap();
        let (quoted, escaped) = (message.replace('"', "\"\""), message.replace('"', "\\\""));
        let moment = time.replace(" UTC", ".500 UTC");
        writeln!(csv, "{moment},\"app\",\"shop\",{pid},\"10.0.0.4:5\",{at:x}.{pid:x},{},\"startup\",{time},1/1,0,{severity},{code},\"{quoted}\",,,,,,,,,\"\",\"client backend\",,0", line + 1).unwrap();
        writeln!(json, "{{\"timestamp\":\"{moment}\",\"user\":\"app\",\"dbname\":\"shop\",\"pid\":{pid},\"remote_host\":\"10.0.0.4\",\"remote_port\":5,\"session_id\":\"{at:x}.{pid:x}\",\"error_severity\":\"{severity}\",\"state_code\":\"{code}\",\"message\":\"{escaped}\"}}").unwrap();
    }
    [stderr, csv, json]
}

#[test]
fn a_session_that_ended_before_it_began_is_no_client() {
    let failures = [
        ("3D000", "database \"shop\" does not exist"),
        ("42501", "permission denied for database \"shop\""),
        ("42501", "role \"app\" is not permitted to log in"),
        ("42501", "must be superuser or replication role to start walsender"),
    ];
    for (code, fatal) in failures {
        let goes_on = ended_before_it_began("terminating connection due to administrator command", "57P01", 7, 50);
        for (log, more) in ended_before_it_began(fatal, code, 7, 50).iter().zip(&goes_on) {
            let report = read(&[log]);
            assert!(report.clients.is_empty(), "{log}\n{:#?}", report.clients);
            // The same in two files; and a session that did begin counts, whatever ended it.
            assert_eq!(read(&[log, log]).clients.len(), 0, "{log}");
            assert_eq!(only(&read(&[more])).tls, SessionTls::Plaintext, "{more}");
        }
    }
    // Another database or user, another process, or much later: nothing ties them.
    let ends = ["database \"pay\" does not exist", "role \"pay\" is not permitted to log in"];
    for log in ends.iter().flat_map(|fatal| ended_before_it_began(fatal, "3D000", 7, 50)) {
        assert_eq!(only(&read(&[&log])).tls, SessionTls::Plaintext, "{log}");
    }
    let [stderr, ..] = ended_before_it_began(failures[0].1, "3D000", 7, 50);
    let late = stderr.replace("00:00:50 UTC [7] FATAL", "00:00:57 UTC [7] FATAL");
    let other = stderr.replace("[7] FATAL", "[8] FATAL");
    for log in [late, other] {
        assert_eq!(only(&read(&[&log])).tls, SessionTls::Plaintext, "{log}");
    }
}

/// Whoever reaches the port can have a line written, with a line break in the name of a user, where the prefix has names.
#[test]
fn a_line_that_a_name_may_have_written_hides_no_client_in_plaintext() {
    let began = "2026-07-24 10:03:00.004 UTC [4242] app@shop LOG:  connection authorized: user=app database=shop\n";
    let forged = "2026-07-24 10:03:00.500 UTC [4300] \n";
    let failed = "2026-07-24 10:03:00.500 UTC [4242] app@shop FATAL:  role \"app\" is not permitted to log in\n";
    let log = [began, forged, failed].concat();
    for prefix in [Some("%m [%p] %q%u@%d "), None] {
        let report = read_with(&[log.as_bytes()], prefix, 1 << 16, CensusLimits::default());
        assert!(matches!(only(&report).tls, SessionTls::Plaintext | SessionTls::Unknown), "{prefix:?}");
    }
    let without_names = [began, failed].concat().replace("app@shop ", "");
    assert!(read(&[&without_names]).clients.is_empty(), "a failed attempt is no client");
}

#[test]
fn what_a_client_writes_as_a_setting_is_not_repeated() {
    let session = session(5, 7, "10.0.0.4", "user=app database=shop").concat();
    let line = |value: &str| {
        format!("{session}{}-00000006.7-LOG:  parameter \"log_connections\" changed to \"{value}\"\n", time(6))
    };
    let details = |value: &str| {
        let report = read(&[&line(value)]);
        let missing = report.sources.iter().flat_map(|source| &source.missing);
        missing.map(|missing| missing.detail.clone()).collect::<Vec<_>>().join("\n")
    };
    assert!(details("off").contains("was set to 'off'"), "{}", details("off"));
    let secret = details("pw=hunter2");
    assert!(secret.contains("to a value that hostssl does not know") && !secret.contains("hunter2"), "{secret}");
}

/// User, database and password are right: it comes back in plaintext when the limit has passed.
#[test]
fn a_client_that_only_hits_a_limit_counts() {
    let limits = [
        ("55000", "database \"shop\" is not currently accepting connections"),
        ("53300", "too many connections for role \"app\""),
        ("53300", "too many connections for database \"shop\""),
        ("53300", "remaining connection slots are reserved for roles with the SUPERUSER attribute"),
    ];
    for log in limits.iter().flat_map(|(code, fatal)| ended_before_it_began(fatal, code, 7, 50)) {
        let report = read(&[&log]);
        assert_eq!(only(&report).tls, SessionTls::Plaintext, "{log}");
        assert_ne!(report.verdict, CensusVerdict::Safe, "{log}");
    }
}

#[test]
fn a_log_and_its_twin_in_another_run_are_the_same_sessions() {
    let plain = |at: u64| ended_before_it_began("terminating connection due to administrator command", "57P01", 7, at);
    let [stderr, csv, json] = plain(50);
    let look = |log: &str| {
        let mut reader = LogReader::new(Census::default(), None);
        reader.begin(SourceKind::LogFile, "a log");
        reader.feed(log.as_bytes());
        reader.end(LogEnd::Whole);
        reader.finish().keep(60_000)
    };
    let mut kept = look(&stderr);
    for other in [&csv, &json, &stderr] {
        kept.merge(look(other));
    }
    let sightings = |kept: &hostssl_census::KeptCensus| -> Vec<u64> {
        kept.judge(Requirements::default(), None).clients.iter().map(|client| client.sightings).collect()
    };
    assert_eq!(sightings(&kept), [1]);
    // A process id that comes again is another session.
    kept.merge(look(&plain(58)[0]));
    assert_eq!(sightings(&kept), [2]);
}

#[test]
fn a_week_of_tls_is_safe_and_less_is_not() {
    let week = |days: u64| -> String {
        (0..=days * 24)
            .map(|hour| session(hour * 3_600, 7, "10.0.0.4", &format!("user=app database=shop{SSL}")).concat())
            .collect()
    };
    let report = read(&[&week(7)]);
    assert_eq!(report.verdict, CensusVerdict::Safe, "{}", report.reason);
    assert_eq!(only(&report).sightings, 169);
    assert_eq!(read(&[&week(3)]).verdict, CensusVerdict::NeedsObservation);
    // A log of the same week that says nothing of connections.
    let silent: String =
        (0..=168u64).map(|hour| format!("{}-0.1-LOG:  checkpoint starting: time\n", time(hour * 3_600))).collect();
    let report = read(&[&silent]);
    assert_eq!(report.verdict, CensusVerdict::NeedsObservation);
    assert!(lacks(&report, MissingReason::LogConnectionsOff));
    let off = format!("{}{}-0.1-LOG:  parameter \"log_connections\" changed to \"off\"\n", week(7), time(604_801));
    assert_eq!(read(&[&off]).verdict, CensusVerdict::NeedsObservation);
}

#[test]
fn the_time_before_connections_were_logged_is_no_observation() {
    // Eight days of logs by the hour; connections are logged from the last day on, or from the first.
    let hour = |hour: u64| -> String {
        let lines = (0..60).map(|minute| hour * 3_600 + minute * 60);
        lines.map(|at| format!("{}-{at:08x}.1-LOG:  checkpoint starting: time\n", time(at))).collect()
    };
    let with = |hour_of: u64| {
        let session = session(hour_of * 3_600 + 1, 7, "10.0.0.4", &format!("user=app database=shop{SSL}")).concat();
        format!("{}{session}", hour(hour_of))
    };
    let from = |first: u64, step: u64| -> Vec<String> {
        let is_with = |at: u64| at >= first && (at - first).is_multiple_of(step);
        (0..8 * 24).map(|at| if is_with(at) { with(at) } else { hour(at) }).collect()
    };
    for (hours, expected) in [
        (from(7 * 24, 1), CensusVerdict::NeedsObservation),
        (from(0, 1), CensusVerdict::Safe),
        // Someone comes once a day.
        (from(2, 24), CensusVerdict::Safe),
        (from(2, 7 * 24), CensusVerdict::NeedsObservation),
    ] {
        let apart: Vec<&str> = hours.iter().map(String::as_str).collect();
        for report in [read(&apart), read(&[&hours.concat()])] {
            assert_eq!(report.verdict, expected, "{}", report.reason);
            assert_eq!(lacks(&report, MissingReason::Gap), expected == CensusVerdict::NeedsObservation);
        }
    }
}

#[test]
fn a_day_that_is_missing_is_no_observation() {
    let day = |day: u64| -> String {
        (0..24)
            .map(|hour| session(day * 86_400 + hour * 3_600, 7, "h", &format!("user=a database=b{SSL}")).concat())
            .collect()
    };
    let all: Vec<String> = (0..8).map(day).collect();
    let of = |days: &[usize]| read(&days.iter().map(|day| all[*day].as_str()).collect::<Vec<_>>()).verdict;
    assert_eq!(of(&[7, 3, 1, 0, 2, 4, 6, 5]), CensusVerdict::Safe);
    assert_eq!(of(&[0, 1, 2, 4, 5, 6]), CensusVerdict::NeedsObservation);
}

#[test]
fn lines_of_a_session_may_lie_in_two_files_in_any_order() {
    let [received, authorized, ended] = session(5, 7, "10.0.0.4", "user=app database=shop");
    let (first, second) = (received, format!("{authorized}{ended}"));
    for files in [[&first, &second], [&second, &first]] {
        let report = read(&[files[0], files[1]]);
        assert_eq!(only(&report).address.as_deref(), Some("10.0.0.4"));
        assert_eq!(only(&report).tls, SessionTls::Plaintext);
    }
    // Without the line that ends it, the address is in the other file alone.
    for files in [[first.as_str(), authorized.as_str()], [authorized.as_str(), first.as_str()]] {
        let report = read(&files);
        assert_eq!((only(&report).tls, only(&report).address.as_deref()), (SessionTls::Plaintext, Some("10.0.0.4")));
    }
    let report = read(&[&authorized]);
    assert_eq!((only(&report).tls, only(&report).doubt), (SessionTls::Unknown, Some(Doubt::NoAddress)));
    assert_eq!(report.verdict, CensusVerdict::NeedsObservation);
}

#[test]
fn nothing_is_counted_twice() {
    let log = session(5, 7, "10.0.0.4", "user=app database=shop").concat();
    let report = read(&[&log, &log]);
    assert_eq!(only(&report).sightings, 1);
}

#[test]
fn a_process_id_that_comes_again_is_another_session() {
    let line = |at: u64, message: &str| format!("{} [77] LOG:  {message}\n", time(at));
    let log = [
        line(1, "connection received: host=10.0.0.1 port=1"),
        line(1, "connection authorized: user=a database=d"),
        line(9, "database system is ready to accept connections"),
        line(9, "connection received: host=10.0.0.2 port=2"),
        line(9, &format!("connection authorized: user=b database=d{SSL}")),
        // Its received line is lost, and the refused attempt before it was an hour ago.
        line(5_000, "connection received: host=10.0.0.3 port=3"),
        line(9_000, "connection authorized: user=c database=d"),
    ]
    .concat();
    let report = read(&[&log]);
    let seen: Vec<_> =
        report.clients.iter().map(|c| (c.user.as_deref().unwrap(), c.address.as_deref(), c.tls)).collect();
    assert_eq!(
        seen,
        [
            ("a", Some("10.0.0.1"), SessionTls::Plaintext),
            ("c", None, SessionTls::Unknown),
            ("b", Some("10.0.0.2"), SessionTls::Tls)
        ]
    );
}

#[test]
fn sessions_that_began_before_are_known_by_those_that_came_after() {
    let [_, _, end] = session(5, 7, "10.0.0.4", "");
    let again = session(50, 8, "10.0.0.4", &format!("user=app database=shop{SSL}")).concat();
    assert_eq!(only(&read(&[&format!("{end}{again}")])).tls, SessionTls::Tls);
    let other = session(50, 8, "10.0.0.9", &format!("user=app database=shop{SSL}")).concat();
    let report = read(&[&format!("{end}{other}")]);
    assert_eq!(report.verdict, CensusVerdict::NeedsObservation);
    assert!(report.clients.iter().any(|client| client.doubt == Some(Doubt::BeganBefore)));
}

#[test]
fn a_whole_line_in_a_name_is_a_name() {
    let fake = session(6, 8, "10.9.9.9", &format!("user=ghost database=d{SSL}"))[1].trim_end().to_owned();
    let log = session(5, 7, "10.0.0.4", &format!("user=app database=shop application_name={fake}")).concat();
    // The same words in a statement, on a line of its own and on one that goes on.
    let head = format!("{}-00000005.7-", time(5));
    let log = format!("{log}{head}LOG:  statement: select '{fake}\n\t{fake}\n'\n");
    let report = read(&[&log]);
    // The application name ends in the words of the server: in this format nobody can tell.
    assert!(report.clients.iter().all(|client| client.user.as_deref() != Some("ghost")), "{:#?}", report.clients);
    assert!(lacks(&report, MissingReason::Imitation));
}

#[test]
fn a_session_cannot_log_itself_another_identity() {
    // RAISE LOG 'connection authorized: …' in PL/pgSQL.
    let [received, authorized, ended] = session(5, 7, "10.0.0.4", "user=app database=shop");
    let forged = authorized.replace("user=app database=shop", &format!("user=ghost database=shop{SSL}"));
    let report = read(&[&[received, authorized, forged, ended].concat()]);
    assert_eq!((only(&report).user.as_deref(), only(&report).tls), (Some("app"), SessionTls::Plaintext));
}

/// A record of csvlog.
fn csv(at: u64, user: &str, database: &str, message: &str, application: &str) -> String {
    let quote = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    format!(
        "{},{},{},7,\"10.0.0.4:7\",00000005.7,1,\"x\",1970-01-01 00:00:05 UTC,3/1,0,LOG,00000,{},,,,,,,,,{},\"client backend\",,0\n",
        time(at).replace(" UTC", ".000 UTC"),
        quote(user),
        quote(database),
        quote(message),
        quote(application)
    )
}

#[test]
fn fields_of_csvlog_find_out_a_name_that_imitates_tls() {
    let log = |tail: &str, field: &str| {
        [
            csv(5, "", "", "connection received: host=10.0.0.4 port=7", ""),
            csv(
                5,
                "x database=prod",
                "shop",
                &format!("connection authorized: user=x database=prod database=shop application_name={tail}"),
                "",
            ),
            csv(
                6,
                "x database=prod",
                "shop",
                "disconnection: session time: 0:00:01.000 user=x database=prod database=shop host=10.0.0.4 port=7",
                field,
            ),
        ]
        .concat()
    };
    let lie = format!("x{SSL}");
    let report = read(&[&log(&lie, &lie[..63])]);
    let client = only(&report);
    assert_eq!((client.tls, client.user.as_deref()), (SessionTls::Plaintext, Some("x database=prod")));
    assert_eq!(client.database.as_deref(), Some("shop"));
    // Honest, and with both.
    assert_eq!(only(&read(&[&log(&lie, "x")])).tls, SessionTls::Tls);
    let both = read(&[&log(&format!("x{SSL}{SSL}"), &lie[..63])]);
    assert_eq!((only(&both).tls, only(&both).doubt), (SessionTls::Unknown, Some(Doubt::ImitatedTls)));
}

#[test]
fn a_statement_of_several_lines_is_no_record() {
    let inner = csv(6, "ghost", "d", "connection authorized: user=ghost database=d", "");
    let statement = csv(5, "a", "b", &format!("statement: select '\n{inner}'"), "");
    let log = [
        csv(5, "", "", "connection received: host=10.0.0.4 port=7", ""),
        csv(5, "a", "b", "connection authorized: user=a database=b", ""),
        statement,
    ]
    .concat();
    assert_eq!(only(&read(&[&log])).user.as_deref(), Some("a"));
}

#[test]
fn a_log_in_another_language_is_read() {
    let head = format!("{}-00000005.7-", time(5));
    let log = format!(
        "{head}LOG:  Verbindung empfangen: Host=10.0.0.4 Port=7\n\
         {head}LOG:  Verbindung autorisiert: Benutzer=app Datenbank=shop application_name=psql \
         SSL an (Protokoll=TLSv1.3, Verschlüsselungsmethode=TLS_AES_256_GCM_SHA384, Bits=256)\n"
    );
    assert_eq!((only(&read(&[&log])).tls, only(&read(&[&log])).user.as_deref()), (SessionTls::Tls, Some("app")));
    let head = head.replace('-', "|");
    let russian = format!("{head}СООБЩЕНИЕ:  подключение авторизовано: пользователь=app база=shop приложение=psql\n");
    assert_eq!(only(&read(&[&russian])).application.as_deref(), Some("psql"));
}

#[test]
fn what_is_no_log_is_said() {
    let other = "<html>\n<body>connection authorized: user=a database=b</body>\n".repeat(50);
    for file in [other.as_str(), "", "\n\n", "{\"a\":1}\n", "a,b,c\n"] {
        let report = read(&[file]);
        assert_eq!(report.verdict, CensusVerdict::NeedsObservation, "{file:.20}");
        assert!(report.clients.is_empty());
        assert!(lacks(&report, if file.is_empty() { MissingReason::Empty } else { MissingReason::NotALog }));
    }
}

#[test]
fn a_prefix_that_changes_in_the_middle_is_found_out_again() {
    let first = session(5, 7, "10.0.0.4", "user=a database=b").concat();
    let second = format!(
        "{0} [9] LOG:  connection received: host=10.0.0.5 port=9\n{0} [9] LOG:  connection authorized: user=c database=d\n",
        time(50)
    );
    let log = format!("{}{second}", first.repeat(600));
    let report = read(&[&log]);
    assert_eq!(report.clients.len(), 2);
    assert_eq!(report.clients[1].address.as_deref(), Some("10.0.0.5"));
    // With a prefix that was given, such lines are counted, and the source is not whole.
    let report = read_with(&[log.as_bytes()], Some("%t-%c-"), 4096, CensusLimits::default());
    assert_eq!(report.clients.len(), 1);
    assert!(lacks(&report, MissingReason::MixedPrefixes) && !report.sources[0].is_complete);
}

#[test]
fn memory_is_bounded_and_what_is_beyond_is_counted() {
    let log: String =
        (0..50u32).map(|pid| session(5, pid, "10.0.0.4", &format!("user=u{pid} database=d")).concat()).collect();
    let report = read_with(&[log.as_bytes()], None, 1000, CensusLimits { clients: 20 });
    assert_eq!((report.clients.len(), report.unlisted), (20, [30, 0, 0, 0]));
    assert_eq!(report.verdict, CensusVerdict::Breaks);
    assert!(lacks(&report, MissingReason::MoreClients));
}

#[test]
fn a_line_without_an_end_takes_no_memory_and_hides_nothing() {
    let log = session(5, 7, "10.0.0.4", "user=app database=shop").concat();
    let mut reader = LogReader::new(Census::default(), None);
    reader.begin(SourceKind::LogFile, "long");
    reader.feed(log.as_bytes());
    let head = format!("{}-00000005.7-LOG:  statement: ", time(6));
    reader.feed(head.as_bytes());
    let piece = vec![b'x'; 1 << 20];
    for _ in 0..64 {
        reader.feed(&piece);
    }
    reader.feed(b"\n");
    reader.feed(session(9, 8, "10.0.0.5", "user=b database=c").concat().as_bytes());
    reader.end(LogEnd::Broken("unexpected end of file".to_owned()));
    let report = reader.finish().finish(Requirements::default());
    assert_eq!(report.clients.len(), 2);
    assert!(lacks(&report, MissingReason::LongLines) && lacks(&report, MissingReason::Truncated));
    assert!(!report.sources[0].is_complete);
}

#[test]
fn the_smoke_of_the_fuzz_target_does_not_stop() {
    smoke("server_log", 4_000, |bytes| {
        let whole = read_with(&[bytes], None, usize::MAX, CensusLimits { clients: 8 });
        assert!(whole.verdict != CensusVerdict::Safe || whole.observed > 0);
    });
}

fn plans() -> impl Strategy<Value = Vec<(u8, bool, bool, bool)>> {
    prop::collection::vec((0..4u8, any::<bool>(), any::<bool>(), any::<bool>()), 1..12)
}

proptest! {
    /// Whatever the interleaving, the size of the pieces and the order of the files: each session once, as it was.
    #[test]
    fn sessions_are_found_however_their_lines_lie(
        plan in plans(),
        order in prop::collection::vec(any::<prop::sample::Index>(), 40),
        piece in 1..300usize,
        cut in any::<prop::sample::Index>(),
        is_reversed in any::<bool>(),
    ) {
        let mut queues: Vec<Vec<String>> = Vec::new();
        let mut expected: Vec<(String, SessionTls)> = Vec::new();
        for (pid, (user, is_tls, is_local, fails)) in (10u32..).zip(&plan) {
            let tls = if *is_tls && !*is_local { SSL } else { "" };
            let [mut received, authorized, mut ended] =
                session(100, pid, "10.0.0.4", &format!("user=u{user} database=shop{tls}"));
            ended = ended.replace("user=app", &format!("user=u{user}"));
            if *is_local {
                received = received.replace(&format!("10.0.0.4 port={pid}"), "[local]");
                ended = ended.replace(&format!("10.0.0.4 port={pid}"), "[local]");
            }
            if *fails {
                queues.push(vec![received]);
                continue;
            }
            let state = if *is_local { SessionTls::Local } else if *is_tls { SessionTls::Tls } else { SessionTls::Plaintext };
            expected.push((format!("u{user}"), state));
            queues.push(vec![received, authorized, ended]);
        }
        queues.iter_mut().for_each(|queue| queue.reverse());
        let mut lines = Vec::new();
        for index in order.iter().cycle() {
            queues.retain(|queue| !queue.is_empty());
            if queues.is_empty() {
                break;
            }
            let at = index.index(queues.len());
            lines.extend(queues[at].pop());
        }
        let cut = cut.index(lines.len() + 1);
        let (first, second) = (lines[..cut].concat(), lines[cut..].concat());
        let files: Vec<&[u8]> =
            if is_reversed { vec![second.as_bytes(), first.as_bytes()] } else { vec![first.as_bytes(), second.as_bytes()] };
        let report = read_with(&files, Some("%t-%c-"), piece, CensusLimits::default());
        let mut found: Vec<(String, SessionTls)> = report
            .clients
            .iter()
            .flat_map(|client| {
                let one = (client.user.clone().unwrap(), client.tls);
                std::iter::repeat_n(one, usize::try_from(client.sightings).unwrap())
            })
            .collect();
        found.sort();
        expected.sort();
        prop_assert_eq!(found, expected);
    }
}

/// A row of csvlog about a connection with TLS.
fn row(at: u64, tls: &str) -> String {
    let time = time(at);
    format!(
        "{time},\"app\",\"shop\",{pid},\"10.0.0.4:{pid}\",{at:08x}.{pid:x},2,\"authentication\",{time},3/1,0,LOG,00000,\"connection authorized: user=app database=shop application_name=x{tls}\",,,,,,,,,\"\",\"client backend\",,0\n",
        pid = 100 + at % 1_000
    )
}

/// Eight days of rows with TLS.
fn rows() -> Vec<String> {
    (0..8 * 24).map(|hour| row(hour * 3_600, SSL)).collect()
}

#[test]
fn a_row_of_csvlog_that_was_cut_hides_nothing_and_is_said() {
    let whole = rows();
    assert_eq!(read(&[&whole.concat()]).verdict, CensusVerdict::Safe);
    let cut = format!(
        "{},\"app\",\"shop\",7,\"10.0.0.4:7\",00000001.7,2,\"idle\",x,3/1,0,LOG,00000,\"statement: select x\n",
        time(690_000)
    );
    let plaintext = row(690_100, "");
    // In the middle, the rows behind it count.
    let report = read(&[&[whole.concat(), cut.clone(), plaintext.clone(), plaintext].concat()]);
    assert_eq!(report.verdict, CensusVerdict::Breaks);
    assert!(lacks(&report, MissingReason::Damaged));
    // At the end, nobody knows what it was.
    let report = read(&[&[whole.concat(), cut].concat()]);
    assert_eq!(report.verdict, CensusVerdict::NeedsObservation);
    let last = row(690_100, "");
    for end in [60, 120, last.len() - 40] {
        let report = read(&[&[whole.concat(), last[..end].to_owned()].concat()]);
        assert_eq!(report.verdict, CensusVerdict::NeedsObservation, "cut at {end}");
    }
    // Quotation marks inside that are not doubled.
    let odd = last.replace("application_name=x", "application_name=\"x");
    let even = last.replace("application_name=x", "application_name=\"x\"");
    for damaged in [odd, even] {
        let report = read(&[&[whole.concat(), damaged, row(690_200, SSL)].concat()]);
        assert_eq!(report.verdict, CensusVerdict::NeedsObservation);
    }
}

#[test]
fn a_row_inside_of_a_message_is_no_row() {
    let forged = row(690_000, "").replace('"', "\"\"");
    let statement = format!(
        "{},\"app\",\"shop\",7,\"10.0.0.4:7\",00000001.7,2,\"idle\",x,3/1,0,LOG,00000,\"statement: select '\n{forged}'\",,,,,,,,,\"\",\"client backend\",,0\n",
        time(690_000)
    );
    let report = read(&[&[rows().concat(), statement, row(690_300, SSL)].concat()]);
    assert_eq!(report.verdict, CensusVerdict::Safe, "{}", report.reason);
}

#[test]
fn lines_about_connections_that_cannot_be_read_are_said() {
    let day = |hour: u64| session(hour * 3_600, 7, "10.0.0.4", &format!("user=app database=shop{SSL}")).concat();
    let good: String = (0..8 * 24).map(day).collect();
    assert_eq!(read(&[&good]).verdict, CensusVerdict::Safe);
    for bad in ["garbage connection authorized: user=app database=shop\n", "LOG:  connection auth\0orized: user=app\n"]
    {
        let report = read(&[&format!("{good}{bad}{}", day(8 * 24))]);
        assert_eq!(report.verdict, CensusVerdict::NeedsObservation, "{bad}");
        assert!(lacks(&report, MissingReason::Damaged));
    }
}

#[test]
fn a_log_from_the_future_or_of_the_past_proves_nothing() {
    let judged = |now: i64| {
        let mut reader = LogReader::new(Census::new(CensusLimits::default(), None), None);
        reader.begin(SourceKind::LogFile, "log".to_owned());
        reader.feed(rows().concat().as_bytes());
        reader.end(LogEnd::Whole);
        reader.finish().finish(Requirements { now: Some(now), ..Requirements::default() })
    };
    let day = 86_400_000;
    assert_eq!(judged(5 * day).verdict, CensusVerdict::NeedsObservation);
    assert_eq!(judged(8 * day + day / 2).verdict, CensusVerdict::Safe);
    assert!(!judged(8 * day + day / 2).reason.contains("ago"));
    assert_eq!(judged(9 * day).verdict, CensusVerdict::NeedsObservation);
    let old = judged(400 * day);
    assert_eq!(old.verdict, CensusVerdict::NeedsObservation);
    // What it showed is said, with when that was.
    assert!(old.reason.contains("every client used TLS in 7d 23h"), "{}", old.reason);
    assert!(old.reason.contains("ended 392d 1h ago"), "{}", old.reason);
    assert_eq!(old.window.map(|window| (window.from, window.to)), Some((0, 8 * day - 3_600_000)));
}

#[test]
fn logs_of_other_programs_are_none() {
    let nginx = "10.0.0.4 - - [16/Sep/2026:19:02:12 +0000] \"GET /connection/received HTTP/1.1\" 200 5\n";
    let bouncer = "2026-09-16 19:02:12.000 UTC [9] LOG C-0x5581: shop/app@10.0.0.4:5 login attempt: db=shop user=app tls=no\n\
                   2026-09-16 19:02:12.100 UTC [9] LOG C-0x5581: shop/app@10.0.0.4:5 closing because: client close request\n";
    let mysql =
        "2026-09-16T19:02:12.000000Z 8 [Note] [MY-010914] [Server] Aborted connection 8 to db: 'shop' user: 'app'\n";
    let syslog = "Sep 16 19:02:12 db sshd[7]: Connection received: host=10.0.0.4 port=5\n";
    for log in [nginx, bouncer, mysql, syslog] {
        let report = read(&[&log.repeat(100)]);
        assert!(report.clients.is_empty(), "{log}");
        assert!(lacks(&report, MissingReason::NotALog) && report.verdict == CensusVerdict::NeedsObservation, "{log}");
    }
}

#[test]
fn a_clock_that_jumps_adds_no_observation() {
    let day = |from: u64| -> String {
        (0..24).map(|hour| session(from + hour * 3_600, 7, "h", &format!("user=a database=b{SSL}")).concat()).collect()
    };
    // A day, then two weeks ahead for one line, then back, then the next day.
    let jump = session(86_400 * 16, 9, "h", &format!("user=a database=b{SSL}")).concat();
    let report = read(&[&format!("{}{jump}{}", day(0), day(86_400))]);
    assert_eq!(report.verdict, CensusVerdict::NeedsObservation, "{}", report.reason);
    assert!(report.observed < 3 * 86_400_000, "{}", report.observed);
    assert_eq!(report.clients.iter().map(|client| client.sightings).sum::<u64>(), 49);
}

#[test]
fn log_connections_that_is_turned_off_in_any_language_and_format_is_no_all_clear() {
    let log: String = (0..8 * 24)
        .map(|hour| session(hour * 3_600, 7, "10.0.0.4", &format!("user=app database=shop{SSL}")).concat())
        .collect();
    assert_eq!(read(&[&log]).verdict, CensusVerdict::Safe);
    let head = format!("{}-0.1-", time(7 * 86_400));
    for line in [
        "LOG:  Parameter »log_connections« auf »off« gesetzt",
        "СООБЩЕНИЕ:  параметр \"log_connections\" принял значение \"off\"",
        "LOG:  parameter \"log_connections\" removed from configuration file, reset to default",
        "LOG:  parameter \"log_connections\" changed to \"receipt\"",
    ] {
        let report = read(&[&format!("{log}{head}{line}\n")]);
        assert_eq!(report.verdict, CensusVerdict::NeedsObservation, "{line}");
        assert!(lacks(&report, MissingReason::LogConnectionsOff), "{line}");
    }
    let harmless = "LOG:  statement: select \"log_connections\" from \"off\"";
    assert_eq!(read(&[&format!("{log}{head}{harmless}\n")]).verdict, CensusVerdict::Safe);
    // jsonlog escapes the quotation marks.
    let json = |at: u64, message: &str| {
        let message = message.replace('"', "\\\"");
        format!(
            "{{\"timestamp\":\"{}\",\"pid\":7,\"session_id\":\"{at:08x}.7\",\"error_severity\":\"LOG\",\"message\":\"{message}\"}}\n",
            time(at)
        )
    };
    let json_log: String =
        (0..8 * 24).map(|hour| json(hour * 3_600, &format!("connection authorized: user=a database=b{SSL}"))).collect();
    assert_eq!(read(&[&json_log]).verdict, CensusVerdict::Safe);
    let off = json(7 * 86_400, "parameter \"log_connections\" changed to \"off\"");
    assert_eq!(read(&[&format!("{json_log}{off}")]).verdict, CensusVerdict::NeedsObservation);
}

/// Eight days of sessions with TLS, each a group of lines.
fn week() -> Vec<[String; 3]> {
    (0..8 * 24)
        .map(|hour| session(hour * 3_600, 7, "10.0.0.4", &format!("user=app database=shop application_name=web{SSL}")))
        .collect()
}

#[test]
fn a_line_break_that_was_lost_hides_nothing() {
    let good: String = week().iter().map(|lines| lines.concat()).collect();
    assert_eq!(read(&[&good]).verdict, CensusVerdict::Safe);
    let [received, authorized, ended] = session(690_000, 9, "10.0.0.9", "user=bad database=shop application_name=psql");
    let other = format!("{}-0.1-LOG:  checkpoint starting: time", time(690_000));
    let statement = format!("{}-0.1-LOG:  statement: select 1", time(690_000));
    let without = |line: &str| line.trim_end().to_owned();
    let off = format!("{}-0.1-LOG:  parameter \"log_connections\" changed to \"off\"\n", time(690_000));
    for glued in [
        format!("{}{authorized}{ended}", without(&received)),
        // Bytes around the line break are lost too.
        format!("{}{}", &received[..received.len() - 2], &authorized[10..]),
        format!("{}connection authorized: user=bad database=shop\n", without(&received)),
        format!("{other}{authorized}"),
        format!("{statement}{authorized}"),
        format!("{}{authorized}", without(&ended)),
        format!("{other}{off}"),
    ] {
        let report = read(&[&format!("{good}{glued}")]);
        assert_eq!(report.verdict, CensusVerdict::NeedsObservation, "{glued}: {}", report.reason);
        assert!(lacks(&report, MissingReason::Damaged), "{glued}");
        assert!(report.sources.iter().all(|source| !source.is_complete));
    }
    // Someone who reads logs writes such words in statements, which is not damage.
    let quote =
        format!("{}-0.1-LOG:  statement: select 'connection authorized: user=bad database=shop'\n", time(690_000));
    assert_eq!(read(&[&format!("{good}{quote}")]).verdict, CensusVerdict::Safe);
}

#[test]
fn a_line_that_is_too_long_hides_no_connection() {
    let good: String = week().iter().map(|lines| lines.concat()).collect();
    let head = format!("{}-0.1-LOG:  statement: ", time(690_000));
    let harmless = format!("{good}{head}{}\n", "select 'connection' ".repeat(60_000));
    let [received, authorized, _] = session(690_000, 9, "10.0.0.9", "user=bad database=shop");
    let pair = format!("{} {} ", received.trim_end(), authorized.trim_end());
    let all = format!("{good}{}\n", pair.repeat(7_000));
    let one = format!("{good}{head}{}{pair}{}\n", "x".repeat(1_050_000), "x".repeat(1_050_000));
    for piece in [10_000, 1 << 20] {
        let read = |log: &str| read_with(&[log.as_bytes()], None, piece, CensusLimits::default());
        let report = read(&harmless);
        assert_eq!(report.verdict, CensusVerdict::Safe, "{}", report.reason);
        assert!(lacks(&report, MissingReason::LongLines));
        for log in [&all, &one] {
            let report = read(log);
            assert_eq!(report.verdict, CensusVerdict::NeedsObservation, "pieces of {piece}: {}", report.reason);
            assert!(lacks(&report, MissingReason::Damaged));
        }
    }
    // A record of csvlog of many lines.
    let lines = "connection authorized: user=bad database=shop\n".repeat(24_000);
    let record = csv(690_000, "app", "shop", &format!("statement: select '\n{lines}'"), "psql");
    let plain = csv(690_000, "app", "shop", &format!("statement: select '\n{}'", "select 1\n".repeat(120_000)), "psql");
    let judged = |record: String| {
        let log = format!("{}{record}{}", rows().concat(), row(690_300, SSL));
        read_with(&[log.as_bytes()], None, 5_000, CensusLimits::default())
    };
    let report = judged(record);
    assert!(lacks(&report, MissingReason::LongLines) && lacks(&report, MissingReason::Damaged), "{report:#?}");
    assert_eq!(report.verdict, CensusVerdict::NeedsObservation);
    let report = judged(plain);
    assert!(lacks(&report, MissingReason::LongLines));
    assert_eq!(report.verdict, CensusVerdict::Safe, "{}", report.reason);
}

#[test]
fn a_language_that_is_not_known_is_no_all_clear() {
    let good: String = week().iter().map(|lines| lines.concat()).collect();
    let head = |severity: &str| format!("{}-000aae60.9-{severity}:  ", time(690_000));
    let received = "yhteys vastaanotettu: osoite=10.0.0.9 portti=50123";
    let authorized = "yhteys hyväksytty: käyttäjä=bad tietokanta=shop application_name=psql";
    for severity in ["LOG", "LOKI"] {
        for message in [received, authorized] {
            let report = read(&[&format!("{good}{}{message}\n", head(severity))]);
            // A severity that is not known is found by the end of the line alone.
            if severity == "LOKI" && message == authorized {
                continue;
            }
            assert_eq!(report.verdict, CensusVerdict::NeedsObservation, "{severity} {message}");
            assert!(report.reason.contains("language"), "{}", report.reason);
        }
    }
    // The reason is not that connections are not logged.
    let all: String = (0..8 * 24u64)
        .map(|hour| {
            let head = format!("{}-{:08x}.9-LOG:  ", time(hour * 3_600), hour * 3_600);
            format!("{head}{received}\n{head}{authorized}\n")
        })
        .collect();
    let report = read(&[&all]);
    assert!(lacks(&report, MissingReason::Damaged) && !lacks(&report, MissingReason::LogConnectionsOff), "{report:#?}");
    assert!(report.reason.contains("language"), "{}", report.reason);
    // In the formats with fields of their own.
    let csv_log = format!("{}{}", rows().concat(), csv(690_000, "", "", received, ""));
    let json = |at: u64, message: &str| {
        format!(
            "{{\"timestamp\":\"{}\",\"pid\":7,\"session_id\":\"{at:08x}.7\",\"error_severity\":\"LOG\",\"message\":\"{message}\"}}\n",
            time(at)
        )
    };
    let good: String =
        (0..8 * 24).map(|hour| json(hour * 3_600, &format!("connection authorized: user=a database=b{SSL}"))).collect();
    assert_eq!(
        read(&[&format!("{good}{}", json(690_000, "statement: select b from c where a=5"))]).verdict,
        CensusVerdict::Safe
    );
    for log in [csv_log, format!("{good}{}", json(690_000, received))] {
        let report = read(&[&log]);
        assert_eq!(report.verdict, CensusVerdict::NeedsObservation, "{}", report.reason);
        assert!(report.reason.contains("language"), "{}", report.reason);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whichever line break is lost, and however many bytes around it: nobody in plaintext turns into an all-clear.
    #[test]
    fn no_lost_line_break_makes_a_server_safe(
        at in 0..8 * 24usize,
        which in 0..2usize,
        before in 0..30usize,
        behind in 0..60usize,
        piece in 1..100_000usize,
    ) {
        let mut hours = week();
        let plain = session(at as u64 * 3_600 + 60, 9, "10.0.0.9", "user=bad database=shop application_name=psql");
        let mut lines = plain.to_vec();
        let next = lines.remove(which + 1);
        let line = lines[which].trim_end().to_owned();
        lines[which] = format!("{}{}", &line[..line.len() - before.min(line.len())], &next[behind.min(next.len())..]);
        hours[at][2].push_str(&lines.concat());
        let log: String = hours.iter().map(|lines| lines.concat()).collect();
        let report = read_with(&[log.as_bytes()], None, piece, CensusLimits::default());
        prop_assert_ne!(report.verdict, CensusVerdict::Safe, "{}", report.reason);
    }
}

#[test]
fn a_login_of_hostssl_is_no_client() {
    let own = |hour: u64| {
        session(hour * 3_600, 7, "10.0.0.4", &format!("user=monitor database=postgres application_name=hostssl{SSL}"))
    };
    let log: String = (0..8 * 24).map(|hour| own(hour).concat()).collect();
    let report = read(&[&log]);
    assert!(report.clients.is_empty(), "{:#?}", report.clients);
    assert_eq!(report.verdict, CensusVerdict::NeedsObservation, "{}", report.reason);
    // Its name alone hides nobody.
    let plain = session(690_000, 9, "10.0.0.4", "user=app database=shop application_name=hostssl").concat();
    assert_eq!(read(&[&format!("{log}{plain}")]).verdict, CensusVerdict::Breaks);
    // Nor does it hide one whose TLS is older than any of ours: a floor would refuse it.
    let ssl = SSL.replace("TLSv1.3", "TLSv1.1");
    let old =
        session(690_000, 9, "10.0.0.4", &format!("user=app database=shop application_name=hostssl{ssl}")).concat();
    let clients = read(&[&format!("{log}{old}")]).clients;
    assert_eq!(clients.len(), 1, "{clients:#?}");
}

#[test]
fn catalogues_that_are_not_kept_up_are_read() {
    let good: String = week().iter().map(|lines| lines.concat()).collect();
    for (severity, received, authorized) in [
        ("LOG", "conexão recebida: host=10.0.0.9 porta=5", "conexão autorizada: usuário=bad banco de dados=shop"),
        ("LOG", "bağlantı alındı: istemci=10.0.0.9 port=5", "bağlantı tanımı: kullanıcı=bad veritabanı=shop"),
        (
            "DZIENNIK",
            "odebrano połączenie: host=10.0.0.9 port=5",
            "zautoryzowano połączenie: użytkownik=bad baza danych=shop",
        ),
        ("DZIENNIK", "odebrano połączenie: host=10.0.0.9 port=5", "connection authorized: user=bad database=shop"),
        ("LOG", "koneksi yang diteruma: host=10.0.0.9 port=5", "koneksi terautorisasi: user=bad, database=shop"),
    ] {
        let head = format!("{}-000aae60.9-{severity}:  ", time(690_000));
        let report = read(&[&format!("{good}{head}{received}\n{head}{authorized}\n")]);
        assert_eq!(report.verdict, CensusVerdict::Breaks, "{authorized}: {}", report.reason);
        let client = &report.clients[0];
        assert_eq!((client.user.as_deref(), client.database.as_deref()), (Some("bad"), Some("shop")), "{authorized}");
    }
}
