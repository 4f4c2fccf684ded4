//! Two audits compared, as people and programs read it.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod common;

use common::audit;
use hostssl_audit::{diff, gate};
use hostssl_formats::{Text, audit_json, audit_markdown, audit_text, diff_json, diff_text};
use hostssl_model::{AuditReport, FailOn, Gap, GapScope, Reason, Unchecked};
use hostssl_test_support::schema::Schema;
use serde_json::Value;
use std::io::Write as _;

fn before() -> AuditReport {
    audit(
        "earlier",
        &[("billing", "on", "TLSv1.2"), ("ledger", "off", "TLSv1.2"), ("old", "off", "TLSv1"), ("x", "on", "TLSv1.2")],
    )
}

fn after() -> AuditReport {
    let mut after = audit(
        "later",
        &[
            ("billing", "off", "TLSv1.2"),
            ("ledger", "on", "TLSv1.2"),
            ("old", "off", "TLSv1.1"),
            ("young", "on", "TLSv1.3"),
        ],
    );
    let subscription = after.subscriptions[0].id.as_str().into();
    let why = Unchecked::new(Reason::Throttled, "Azure asked \u{1b}[31mto wait");
    after.gaps.push(Gap { scope: GapScope::Subscription(subscription), unchecked: why });
    after.run.complete = false;
    after
}

#[test]
fn people_read_what_is_worse_first() {
    let (before, after) = (before(), after());
    let mut out = Vec::new();
    diff_text::write(&mut out, &before, &after, &diff(&before, &after), &Text::plain()).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert!(!text.contains('\u{1b}'));
    insta::assert_snapshot!(text);
}

#[test]
fn the_schema_is_the_committed_one_and_comparisons_keep_to_it() {
    let schema = Schema::generated("diff-v1", &diff_json::schema());
    let (before, after) = (before(), after());
    let compared = diff(&before, &after);
    let mut out = Vec::new();
    diff_json::write(&mut out, &before, &after, &compared).unwrap();
    let written: Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(written, diff_json::value(&before, &after, &compared).unwrap());
    schema.assert_accepts(&written);
    schema.assert_refuses(&written, |wrong| wrong["changes"][0]["difference"] = "better".into());
    // The counts are those of the changes.
    let changes = written["changes"].as_array().unwrap();
    for (word, member) in [("new", "new"), ("not-visible", "notVisible"), ("fixed", "fixed"), ("added", "added")] {
        let counted = changes.iter().filter(|change| change["difference"] == word).count();
        assert_eq!(written["summary"][member], counted, "{word}");
    }
}

/// The later audit, which fails for what the earlier one does not know.
fn gated(fail_on: &[FailOn]) -> AuditReport {
    let mut after = after();
    after.overlay.gate = Some(gate(&after, fail_on, Some(&before())));
    after
}

#[test]
fn a_gate_says_which_findings_decide() {
    let report = gated(&[FailOn::New]);
    let mut out = Vec::new();
    audit_text::write(&mut out, &report, &Text::plain()).unwrap();
    writeln!(out, "---").unwrap();
    audit_markdown::write(&mut out, &report).unwrap();
    insta::assert_snapshot!(String::from_utf8(out).unwrap());
    let written = audit_json::value(&report).unwrap();
    Schema::generated("audit-v1", &audit_json::schema()).assert_accepts(&written);
    insta::assert_json_snapshot!(written["exit"]);
}

#[test]
fn a_gate_that_nothing_counts_for_is_incomplete_where_something_was_not_seen() {
    let written = audit_json::value(&gated(&[FailOn::Never])).unwrap();
    assert_eq!((&written["exit"]["code"], &written["exit"]["reason"]), (&4.into(), &"incomplete".into()));
    assert_eq!(written["exit"]["decidedBy"], serde_json::json!([]));
}

#[test]
fn an_audit_that_is_read_from_its_json_compares_as_it_did() {
    let report = after();
    let text = audit_json::value(&report).unwrap().to_string();
    let again = audit_json::read(text.as_bytes()).unwrap();
    let compared = diff(&report, &again);
    assert!(compared.changes.is_empty() && compared.not_compared.is_empty(), "{compared:?}");
    assert_eq!((&again.run.scope, &again.gaps), (&report.run.scope, &report.gaps));
    let other = text.replacen("hostssl/audit/v1", "hostssl/audit/v2", 1);
    assert!(audit_json::read(other.as_bytes()).unwrap_err().to_string().contains("hostssl/audit/v2"));
    let half = text.get(..text.len() / 2).unwrap();
    assert!(audit_json::read(half.as_bytes()).is_err(), "half of a file is not a baseline");
    // A word that this version does not know is not a pass, and not a known failure.
    let odd = text.replace("\"outcome\":\"fail\"", "\"outcome\":\"odd\"");
    let odd = audit_json::read(odd.as_bytes()).unwrap();
    assert_eq!(gate(&report, &[FailOn::New], Some(&odd)).baseline.unwrap().known, 0);
    // A control of a later version is named where it was found, and the audit is not whole without it.
    let newer = text.replace("\"control\":\"require-secure-transport\"", "\"control\":\"key-size\"");
    let newer = audit_json::read(newer.as_bytes()).unwrap();
    assert_eq!((newer.gaps.len(), newer.run.complete), (report.gaps.len() + report.servers.len(), false));
    assert!(newer.gaps.last().unwrap().unchecked.detail.contains("the control `key-size`"), "{:?}", newer.gaps);
}
