//! What is waived, as people and programs read it: still a failure, everywhere.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod common;

use common::audit;
use hostssl_audit::{apply_waivers, gate, read_waivers};
use hostssl_formats::{Text, audit_csv, audit_json, audit_junit, audit_markdown, audit_sarif, audit_text, waiver_text};
use hostssl_model::{AuditReport, Waiver};
use hostssl_test_support::schema::Schema;
use jiff::civil::date;
use serde_json::Value;

const FILE: &str = "
[[waiver]]
control = 'require-secure-transport'
scope = '/subscriptions/11111111-2222-4333-8444-555555555555/resourceGroups/g/providers/Microsoft.DBforPostgreSQL/flexibleServers/ledger'
owner = 'shop'
approver = ['shop', 'security']
expires = '2027-01-01'
reason = 'until the | next <b>release</b>'
ticket = 'SEC-1'
[[waiver]]
control = 'minimum-tls-version'
scope = '/subscriptions/11111111-2222-4333-8444-555555555555'
owner = 'shop'
approver = 'shop'
expires = '2027-01-01'
reason = 'mine'
[[waiver]]
control = 'pending-restart'
scope = '/subscriptions/11111111-2222-4333-8444-555555555555'
owner = 'shop'
approver = 'security'
expires = '2026-01-01'
reason = 'long ago'
";

/// The waivers of the file, for the subscription of the servers here.
fn waivers() -> Vec<Waiver> {
    let mut waivers = read_waivers(FILE, date(2026, 11, 28), 365).unwrap();
    for waiver in &mut waivers {
        waiver.scope = waiver.scope.replace("11111111-2222-4333-8444-555555555555", "s");
    }
    waivers
}

fn report() -> AuditReport {
    let mut report = audit("waived", &[("billing", "on", "TLSv1"), ("ledger", "off", "TLSv1.2")]);
    apply_waivers(&mut report, "w.toml", waivers());
    report.overlay.gate = Some(gate(&report, &[], None));
    report
}

fn written(write: impl Fn(&mut dyn std::io::Write, &AuditReport) -> std::io::Result<()>) -> String {
    let mut out = Vec::new();
    write(&mut out, &report()).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn people_read_what_is_waived_and_what_is_not() {
    let text = written(|out, report| audit_text::write(out, report, &Text::plain()));
    let list = written(|out, _| waiver_text::write(out, &waivers(), &Text::plain()));
    insta::assert_snapshot!(format!("{text}---\n{list}"));
    let markdown = written(audit_markdown::write);
    assert!(markdown.contains("## Failed controls that are waived") && !markdown.contains("<b>"), "{markdown}");
}

#[test]
fn programs_read_the_failure_and_its_waiver() {
    let json = audit_json::value(&report()).unwrap();
    Schema::generated("audit-v1", &audit_json::schema()).assert_accepts(&json);
    let finding = &json["servers"][1]["findings"][0];
    assert_eq!((&finding["outcome"], &finding["waiver"]["state"]), (&"fail".into(), &"in-effect".into()));
    assert_eq!((&json["summary"]["fail"], &json["exit"]["code"]), (&2.into(), &3.into()));
    let read = audit_json::read(json.to_string().as_bytes()).unwrap();
    let states = |report: &AuditReport| -> Vec<_> {
        let findings = report.servers.iter().flat_map(|server| &server.findings);
        findings.map(|one| one.waiver.as_ref().map(|waiver| waiver.state)).collect()
    };
    assert_eq!(states(&read), states(&report()), "what a baseline has waived is read again");
    let decided: Vec<&Value> =
        json["exit"]["decidedBy"].as_array().unwrap().iter().map(|finding| &finding["control"]).collect();
    assert_eq!(decided, ["minimum-tls-version"]);
    insta::assert_json_snapshot!(json["waivers"]);
    let sarif: Value = serde_json::from_str(&written(audit_sarif::write)).unwrap();
    let of = |status: &str| {
        let results = sarif["runs"][0]["results"].as_array().unwrap();
        results.iter().filter(|result| result["suppressions"][0]["status"] == status).count()
    };
    assert_eq!((of("accepted"), of("rejected")), (1, 1));
    let junit = written(audit_junit::write);
    assert!(
        junit.contains("skipped message=\"fails: require_secure_transport = off (waived until 2027-01-01"),
        "{junit}"
    );
    assert_eq!(junit.matches("<failure").count(), 1, "{junit}");
}

#[test]
fn spreadsheets_have_the_waiver_beside_the_failure() {
    let text = written(audit_csv::write);
    let mut rows = csv::Reader::from_reader(text.as_bytes());
    let place = |heading: &str, headings: &csv::StringRecord| headings.iter().position(|one| one == heading).unwrap();
    let headings = rows.headers().unwrap().clone();
    let columns = ["name", "control", "controlOutcome", "waivedUntil"].map(|heading| place(heading, &headings));
    let waiver = place("waiver", &headings);
    let mut waived = Vec::new();
    for row in rows.records().map(Result::unwrap).filter(|row| !row[waiver].is_empty()) {
        waived.push(columns.map(|column| row[column].to_owned()).join(" "));
    }
    // What one person alone has approved waives nothing, and is shown.
    assert_eq!(
        waived,
        ["billing minimum-tls-version fail ", "ledger require-secure-transport fail 2027-01-01"],
        "{text}"
    );
}
