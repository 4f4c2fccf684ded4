//! A server that passes in an audit, and that an earlier probe saw accept clients without TLS: no format reads as a pass.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop at the first surprise")]

mod common;

use common::audit;
use hostssl_formats::{Text, audit_json, audit_junit, audit_markdown, audit_sarif, audit_text};
use hostssl_model::{AuditReport, KnownStanding, Standing, WorstListener};
use hostssl_test_support::schema::Schema;
use serde_json::Value;

fn report() -> AuditReport {
    let mut report =
        audit("01a2b3c4-d5e6-7000-8000-000000000001", &[("pg-a", "on", "TLSv1.2"), ("pg-b", "on", "TLSv1.3")]);
    report.servers[1].known = Some(KnownStanding {
        standing: Standing::AcceptsPlaintext,
        wire: Some(WorstListener::Optional),
        probed_ms: None,
    });
    report
}

fn json(report: &AuditReport) -> Value {
    let value = audit_json::value(report).unwrap();
    Schema::generated("audit-v1", &audit_json::schema()).assert_accepts(&value);
    value["exit"].clone()
}

fn text(write: impl FnOnce(&mut Vec<u8>) -> std::io::Result<()>) -> String {
    let mut out = Vec::new();
    write(&mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn json_says_why_the_code_is_4_and_of_which_servers() {
    let mut report = report();
    let id = report.servers[1].server.id.as_str().to_owned();
    let exit = json(&report);
    assert_eq!((&exit["code"], &exit["reason"]), (&4.into(), &"earlier-plaintext".into()));
    assert_eq!(exit["earlierPlaintext"], serde_json::json!([id]));
    // What could not be checked is a reason of its own; the servers are named all the same.
    report.run.complete = false;
    let exit = json(&report);
    assert_eq!((&exit["reason"], &exit["earlierPlaintext"][0]), (&"incomplete".into(), &id.into()));
    report.run.complete = true;
    report.servers[1].known = None;
    let exit = json(&report);
    assert_eq!((&exit["code"], exit.get("earlierPlaintext")), (&0.into(), None));
}

#[test]
fn code_scanning_and_test_pages_do_not_read_it_as_a_pass() {
    let sarif: Value = serde_json::from_str(&text(|out| audit_sarif::write(out, &report()))).unwrap();
    let invocation = &sarif["runs"][0]["invocations"][0];
    assert_eq!((&invocation["executionSuccessful"], &invocation["exitCode"]), (&false.into(), &4.into()));
    let notification = &invocation["toolExecutionNotifications"][0];
    assert_eq!(notification["descriptor"]["id"], "earlier-plaintext");
    let words = "pg-b: an earlier probe connected without TLS, and this audit did not probe it since";
    assert_eq!(notification["message"]["text"], words);
    let junit = text(|out| audit_junit::write(out, &report()));
    assert!(junit.contains(r#"<error message="an earlier probe connected without TLS"#), "{junit}");
    assert!(junit.contains(r#"type="earlier-plaintext""#) && junit.contains(r#"errors="1""#), "{junit}");
}

#[test]
fn the_line_of_the_coverage_says_it() {
    let words = "complete, but an earlier probe connected without TLS to pg-b";
    let table = text(|out| audit_text::write(out, &report(), &Text::plain()));
    assert!(table.contains(&format!("coverage: {words}")), "{table}");
    let markdown = text(|out| audit_markdown::write(out, &report()));
    assert!(
        markdown.contains("Coverage: **complete**, but an earlier probe connected without TLS to pg"),
        "{markdown}"
    );
}
