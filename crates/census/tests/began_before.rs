//! Sessions of which one file has the beginning and another the end, or none the beginning.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod common;

use common::census_of_unnamed;
use hostssl_census::{Census, CensusReport, CensusVerdict, Doubt, KeptCensus, Millis, Requirements, SessionTls};
use serde_json::json;

const TLS: &str = " SSL enabled (protocol=TLSv1.3, cipher=TLS_AES_256_GCM_SHA384, bits=256)";
const HOUR: u64 = 3_600;
const DAYS: u64 = 8 * 24 * HOUR;

/// The time of so many seconds, within January 1970.
fn time(at: u64) -> String {
    let (day, hour, minute, second) = (at / 86_400 + 1, at / HOUR % 24, at / 60 % 60, at % 60);
    format!("1970-01-{day:02} {hour:02}:{minute:02}:{second:02}.000 UTC")
}

/// A line in one of three formats.
struct Line<'a> {
    at: u64,
    began: u64,
    user: &'a str,
    message: String,
    /// The application name of now.
    field: &'a str,
}

fn written(format: &str, line: &Line<'_>) -> String {
    let Line { at, began, user, message, field } = line;
    let pid = if began % 1_200 == 0 { 100 + began / 1_200 } else { 20_000 + began % 10_000 };
    let time = time(*at);
    match format {
        "stderr" => format!("{time} [{pid}] LOG:  {message}\n"),
        "csvlog" => format!(
            "{time},\"{user}\",\"shop\",{pid},\"10.0.0.4:5\",{began:x}.{pid:x},1,\"x\",{time},3/1,0,LOG,00000,\"{message}\",,,,,,,,,\"{field}\",\"client backend\",,0\n"
        ),
        _ => {
            let record = json!({"timestamp": time, "user": user, "dbname": "shop", "pid": pid, "remote_host": "10.0.0.4",
                "remote_port": 5, "session_id": format!("{began:x}.{pid:x}"), "error_severity": "LOG", "message": message,
                "application_name": field});
            format!("{record}\n")
        }
    }
}

fn begin(format: &str, at: u64, user: &str, rest: &str) -> String {
    let received = "connection received: host=10.0.0.4 port=5".to_owned();
    let authorized = format!("connection authorized: user={user} database=shop{rest}");
    let line = |message| written(format, &Line { at, began: at, user, message, field: "" });
    line(received) + &line(authorized)
}

fn end(format: &str, began: u64, at: u64, user: &str, field: &str) -> String {
    // The first one began before the log did.
    let hours = if began == 7 { 300 } else { (at - began) / HOUR };
    let message =
        format!("disconnection: session time: {hours}:00:00.000 user={user} database=shop host=10.0.0.4 port=5");
    written(format, &Line { at, began, user, message, field })
}

/// Sessions with TLS every twenty minutes.
fn tls(format: &str, range: std::ops::Range<u64>, name: &str) -> String {
    let name = if name.is_empty() { String::new() } else { format!(" application_name={name}") };
    range.step_by(20 * 60).map(|at| begin(format, at, "app", &format!("{name}{TLS}"))).collect()
}

fn census(files: &[&str]) -> Census {
    census_of_unnamed(files)
}

/// The reports of files at once, kept, and of each kept by itself in this order.
fn reports(files: &[&str]) -> [CensusReport; 3] {
    let now = Millis::try_from(DAYS).unwrap() * 1_000;
    let requirements = Requirements { now: Some(now), ..Requirements::default() };
    let mut apart = KeptCensus::default();
    files.iter().for_each(|file| apart.merge(census(&[file]).keep(now)));
    [
        census(files).finish(requirements),
        census(files).keep(now).judge(requirements, None),
        apart.judge(requirements, None),
    ]
}

fn has_doubt(report: &CensusReport, doubt: Doubt) -> bool {
    report.clients.iter().any(|client| client.doubt == Some(doubt) && client.tls == SessionTls::Unknown)
}

#[test]
fn a_session_that_began_before_is_explained_by_its_own_program_with_tls_alone() {
    for format in ["stderr", "csvlog", "jsonlog"] {
        let has_field = format != "stderr";
        for (name, known, field, is_explained) in [
            ("the same", "web", "web", true),
            ("a driver that sets its name later", "", "PostgreSQL JDBC Driver", true),
            ("without a name", "web", "", true),
            ("another program", "web", "worker", !has_field),
        ] {
            let log = tls(format, 0..DAYS, known) + &end(format, 7, DAYS - 5, "app", field);
            for report in reports(&[&log]) {
                let expected = if is_explained { CensusVerdict::Safe } else { CensusVerdict::NeedsObservation };
                assert_eq!(report.verdict, expected, "{format}, {name}: {}", report.reason);
                assert_eq!(
                    has_doubt(&report, Doubt::BeganBefore),
                    !is_explained,
                    "{format}, {name}: {:?}",
                    report.clients
                );
            }
        }
        // One of the same names in plaintext.
        let log = tls(format, 0..DAYS, "web")
            + &begin(format, DAYS - 60, "app", " application_name=web")
            + &end(format, 7, DAYS - 5, "app", "web");
        for report in reports(&[&log]) {
            assert!(has_doubt(&report, Doubt::BeganBefore), "{format}: {:#?}", report.clients);
        }
    }
}

#[test]
fn a_name_that_imitates_tls_is_found_out_in_whatever_order_the_files_come() {
    for (format, name) in [("csvlog", "x"), ("jsonlog", "x"), ("csvlog", ""), ("jsonlog", &*"y".repeat(50))] {
        let lie = format!("{name} SSL enabled (protocol=TLSv1.3, cipher=AES128, bits=128)");
        let field = &lie[..lie.len().min(63)];
        let began = 96 * HOUR - 100;
        let first =
            tls(format, 0..96 * HOUR, "web") + &begin(format, began, "evil", &format!(" application_name={lie}"));
        let second = tls(format, 96 * HOUR..DAYS, "web") + &end(format, began, DAYS - 60, "evil", field);
        for files in [[&*first, &*second], [&*second, &*first]] {
            for (way, report) in ["at once", "kept", "apart"].iter().zip(reports(&files)) {
                assert_ne!(
                    report.verdict,
                    CensusVerdict::Safe,
                    "{format}, {name}, {way}, {}: {:?}",
                    files[0] == first,
                    report.clients
                );
            }
            assert_eq!(reports(&files)[0].verdict, CensusVerdict::Breaks, "{format}");
        }
        // An honest one.
        let first = first.replace(&lie, &format!("{name}x{TLS}"));
        let second = second.replace(field, &format!("{name}x"));
        for files in [[&*first, &*second], [&*second, &*first]] {
            for (way, report) in ["at once", "kept", "apart"].iter().zip(reports(&files)) {
                assert_eq!(report.verdict, CensusVerdict::Safe, "{format}, {way}: {}", report.reason);
            }
        }
    }
}

#[test]
fn a_session_logs_no_other_where_its_line_was_read_in_another_file() {
    let said = "connection authorized: user=evil database=shop application_name=z";
    let files = ["csvlog", "stderr"].map(|format| {
        let sessions = (0..DAYS).step_by(20 * 60).map(|at| {
            let words = Line { at, began: at, user: "app", message: said.to_owned(), field: "web" };
            let words = if at % (48 * HOUR) == 0 { written(format, &words) } else { String::new() };
            begin(format, at, "app", &format!(" application_name=web{TLS}"))
                + &words
                + &end(format, at, at + 1, "app", "web")
        });
        sessions.collect::<String>()
    });
    for order in [[0, 1], [1, 0], [1, 1]] {
        let report = &reports(&order.map(|at: usize| files[at].as_str()))[0];
        assert_eq!(report.verdict, CensusVerdict::Safe, "{order:?}: {:?}", report.clients);
        assert_eq!(report.clients.len(), 1, "{order:?}: {:?}", report.clients);
    }
}
