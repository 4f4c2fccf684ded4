//! A census in every format, and the frozen schema.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use hostssl_census::{Census, CensusLimits, LogEnd, LogReader, Requirements, SourceKind};
use hostssl_formats::clients::{ClientsReport, ServerClients};
use hostssl_formats::{Text, clients_csv, clients_json, clients_sheet, clients_text};
use hostssl_test_support::schema::Schema;
use serde_json::Value;

const SSL: &str = " SSL enabled (protocol=TLSv1.3, cipher=TLS_AES_256_GCM_SHA384, bits=256)";

fn server(name: &str, owner: Option<&str>, sessions: &[(&str, &str, &str)]) -> ServerClients {
    let mut reader = LogReader::new(Census::new(CensusLimits::default(), None), None);
    reader.begin(SourceKind::LogFile, format!("{name}.log"));
    for (index, (time, host, rest)) in sessions.iter().enumerate() {
        let head = format!("{time} UTC-6aaae7b4.{index:x}-LOG:  ");
        reader
            .feed(format!("{head}connection received: host={host}\n{head}connection authorized: {rest}\n").as_bytes());
    }
    reader.end(LogEnd::Whole);
    let census = reader.finish().finish(Requirements::default());
    ServerClients { id: None, name: name.to_owned(), owner: owner.map(Into::into), census, hidden: [0; 4] }
}

fn report() -> ClientsReport {
    let tls = format!("user=app database=shop application_name=web{SSL}");
    let hourly: Vec<String> =
        (10..18).flat_map(|day| (0..24).map(move |hour| format!("2026-09-{day} {hour:02}:00:00"))).collect();
    let week: Vec<(&str, &str, &str)> =
        hourly.iter().map(|time| (time.as_str(), "10.0.0.4 port=1", tls.as_str())).collect();
    let mixed = [
        ("2026-09-16 19:02:12", "10.0.0.4 port=1", tls.as_str()),
        ("2026-09-16 19:02:13", "10.0.0.5 port=1", "user=report database=shop application_name=PostgreSQL JDBC Driver"),
        (
            "2026-09-16 19:02:14",
            "10.0.0.6 port=1",
            "user==cmd|'/c calc'!A1 database=shop application_name=\u{1b}[31m<b>|x",
        ),
        ("2026-09-16 19:02:15", "[local]", "user=postgres database=postgres application_name=psql"),
    ];
    ClientsReport {
        id: "0".to_owned(),
        started_at: "2026-09-17T00:00:00Z".to_owned(),
        finished_at: "2026-09-17T00:00:01Z".to_owned(),
        principal: None,
        cloud: None,
        window: 7 * 86_400_000,
        since: None,
        servers: vec![
            server("pg-safe", None, &week),
            server("pg-breaks", Some("team a"), &mixed),
            server("pg-short", None, &mixed[..1]),
            server("pg-nothing", None, &[]),
        ],
    }
}

fn written(write: impl FnOnce(&mut dyn std::io::Write) -> std::io::Result<()>) -> String {
    let mut out = Vec::new();
    write(&mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn people_read_verdicts_first() {
    insta::assert_snapshot!(written(|out| clients_text::write(out, &report(), &Text::plain())));
}

#[test]
fn a_team_reads_what_to_change() {
    let sheet = written(|out| clients_sheet::write(out, &report()));
    insta::assert_snapshot!(sheet);
    assert!(!sheet.contains("<b>") && !sheet.contains('\u{1b}'));
}

#[test]
fn csv_has_a_row_for_each_client_and_no_formula() {
    let csv = written(|out| clients_csv::write(out, &report()));
    // One of the week, four, one, and the server of which nothing was seen.
    assert_eq!(csv.lines().count(), 1 + 1 + 4 + 1 + 1);
    assert!(csv.contains(",'=cmd|") && !csv.contains('\u{1b}'));
}

#[test]
fn tsv_has_the_rows_of_csv_without_headings() {
    let tsv = written(|out| clients_csv::write_tabs(out, &report()));
    let rows: Vec<Vec<&str>> = tsv.lines().map(|line| line.split('\t').collect()).collect();
    assert_eq!(rows.len(), 1 + 4 + 1 + 1);
    assert!(rows.iter().all(|row| row.len() == 20), "{tsv}");
    assert!(tsv.contains("\t'=cmd|") && !tsv.contains('\u{1b}'));
    assert!(rows.iter().all(|row| ["safe", "breaks", "needs-observation"].contains(&row[2])), "{tsv}");
}

#[test]
fn the_schema_is_the_committed_one_and_reports_keep_to_it() {
    let schema = Schema::generated("clients-v1", &clients_json::schema());
    let value = clients_json::value(&report()).unwrap();
    schema.assert_accepts(&value);
    let verdicts: Vec<&Value> = value["servers"].as_array().unwrap().iter().map(|server| &server["verdict"]).collect();
    assert_eq!(verdicts, ["safe", "breaks", "needs-observation", "needs-observation"]);
    schema.assert_refuses(&value, |wrong| wrong["servers"][0]["verdict"] = "fine".into());
}

/// A week with TLS, and a client in plaintext two days before it.
fn with_an_earlier_client() -> ClientsReport {
    let mut reader = LogReader::new(Census::new(CensusLimits::default(), None), None);
    reader.begin(SourceKind::ArmLogFile, "log");
    let mut session = 0;
    let mut connect = |time: &str, rest: &str| {
        session += 1;
        let head = format!("{time} UTC-6aaae7b4.{session:x}-LOG:  ");
        let host = "host=10.0.0.5 port=1";
        reader.feed(format!("{head}connection received: {host}\n{head}connection authorized: {rest}\n").as_bytes());
    };
    connect("2026-09-08 02:00:00", "user=nightly database=shop application_name=psycopg2 <b>");
    for hour in 0..8 * 24 {
        let time = format!("2026-09-{} {:02}:00:00", 10 + hour / 24, hour % 24);
        connect(&time, &format!("user=app database=shop application_name=web{SSL}"));
    }
    reader.end(LogEnd::Whole);
    let census = reader.finish().keep(0).judge(Requirements::default(), None);
    let server = ServerClients { id: None, name: "pg-earlier".to_owned(), owner: None, census, hidden: [0; 4] };
    ClientsReport { servers: vec![server], ..report() }
}

#[test]
fn a_file_that_is_no_log_is_named() {
    let mut reader = LogReader::new(Census::default(), None);
    reader.begin(SourceKind::LogFile, "page.log");
    reader.feed(b"<html>\n");
    reader.end(LogEnd::Whole);
    let census = reader.finish().finish(Requirements::default());
    let server = ServerClients { id: None, name: "page.log".to_owned(), owner: None, census, hidden: [0; 4] };
    let report = ClientsReport { servers: vec![server], ..report() };
    let text = written(|out| clients_text::write(out, &report, &Text::plain()));
    assert!(text.contains("source: log file page.log") && text.contains("(not-a-log)"), "{text}");
    assert!(!text.contains("log_connections"), "{text}");
}

#[test]
fn clients_beyond_those_that_are_shown_are_counted_by_their_state() {
    let mut report = with_an_earlier_client();
    let census = &mut report.servers[0].census;
    let [client] = census.clients.clone().try_into().unwrap();
    census.clients.clear();
    for (tls, count) in [(hostssl_census::SessionTls::Plaintext, 485), (hostssl_census::SessionTls::Tls, 101)] {
        let named = |number: i32| hostssl_census::Client { tls, user: Some(format!("u{number}")), ..client.clone() };
        census.clients.extend((0..count).map(named));
    }
    let text = written(|out| clients_text::write(out, &report, &Text::plain()));
    assert!(text.contains("  and 385 more plaintext clients, 1 more tls client; -o csv lists them all\n"), "{text}");
}

#[test]
fn a_client_that_was_not_observed_since_is_named_with_its_change() {
    let mut report = with_an_earlier_client();
    let text = written(|out| clients_text::write(out, &report, &Text::plain()));
    let (_, earlier) = text.split_once("last seen before that time, and not with TLS since:").unwrap();
    assert!(earlier.contains("nightly") && earlier.contains("2026-09-08 02:00"), "{text}");
    assert!(text.contains("needs-observation") && text.contains("fix 1 client of"), "{text}");
    let value = clients_json::value(&report).unwrap();
    Schema::generated("clients-v1", &clients_json::schema()).assert_accepts(&value);
    let server = &value["servers"][0];
    assert_eq!((&server["verdict"], server["clients"].as_array().unwrap().len()), (&"needs-observation".into(), 1));
    assert_eq!((&server["earlier"][0]["user"], &server["earlier"][0]["tls"]), (&"nightly".into(), &"plaintext".into()));
    report.keep_only(hostssl_census::SessionTls::Tls);
    assert!(clients_json::value(&report).unwrap()["servers"][0].get("earlier").is_none());
}

#[test]
fn a_server_in_azure_leads_to_its_page_where_the_terminal_has_links() {
    let mut report = report();
    let id = "/subscriptions/s/resourceGroups/g/providers/Microsoft.DBforPostgreSQL/flexibleServers/pg-safe";
    report.servers[0].id = Some(id.to_owned());
    let links = |cloud: Option<&str>| {
        let report = ClientsReport { cloud: cloud.map(str::to_owned), ..report.clone() };
        let mut out = Vec::new();
        clients_text::write(&mut out, &report, &Text { links: true, ..Text::plain() }).unwrap();
        String::from_utf8(out).unwrap().matches(&format!("https://portal.azure.com/#resource{id}")).count()
    };
    assert_eq!((links(Some("AzureCloud")), links(Some("simulated:demo")), links(None)), (1, 0, 0));
}
