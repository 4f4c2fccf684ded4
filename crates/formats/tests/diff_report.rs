//! Two audits compared, as people and programs read it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop at the first surprise")]

mod common;

use common::audit;
use hostssl_audit::{ActivityRead, SubscriptionActivity, Who, diff, gate, name_authors};
use hostssl_formats::server_history_text::{RunWrite, ServerEvent, ServerHistory};
use hostssl_formats::{
    Text, audit_json, audit_markdown, audit_text, diff_json, diff_text, server_history_json, server_history_text,
};
use hostssl_model::{
    Act, Activity, ActivityEnd, AuditReport, Caller, CallerKind, FailOn, Gap, GapScope, Reason, Unchecked,
};
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
fn audits_of_different_clouds_are_told_apart() {
    let (before, mut after) = (before(), after());
    after.run.cloud = "simulated/contoso".into();
    let compared = diff(&before, &after);
    let notes = diff_text::notes(&before, &after, &compared);
    let told = "the audits are of different clouds, AzureCloud and simulated/contoso, so nothing is compared";
    assert!(notes[0].starts_with(told), "{notes:?}");
    assert_eq!(diff_text::counts(&compared), "no change");
    let json = diff_json::value(&before, &after, &compared).unwrap();
    assert_eq!((&json["apart"], &json["after"]["cloud"]), (&Value::from("clouds"), &Value::from("simulated/contoso")));
    after.overlay.gate = Some(gate(&after, &[FailOn::New], Some(&before)));
    let doubts = hostssl_formats::gate_text::doubts(&after);
    assert!(doubts[0].contains("another cloud, AzureCloud and not simulated/contoso"), "{doubts:?}");
    // All of it counts as new, and none of it as known.
    assert_eq!(after.overlay.gate.as_ref().and_then(|gate| gate.baseline.as_ref()).map(|one| one.known), Some(0));
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

/// The comparison with an operation that made one change, and none in the log for the others.
fn with_authors<'a>(before: &'a AuditReport, after: &'a AuditReport) -> hostssl_audit::Diff<'a> {
    let mut compared = diff(before, after);
    let server = &compared.changes.iter().find(|change| change.server.name() == "billing").unwrap().server.id;
    let operation = Activity {
        server: server.clone(),
        at: "2026-11-24T09:00:01.500000Z".into(),
        act: Act::Setting("require_secure_transport".into()),
        operation: "Microsoft.DBforPostgreSQL/flexibleServers/configurations/write".into(),
        end: ActivityEnd::Succeeded,
        caller: Caller {
            kind: CallerKind::Person,
            name: "ann@contoso.example".into(),
            object_id: None,
            tool: Some("Azure portal"),
        },
        requests: Vec::new(),
    };
    let log = SubscriptionActivity { found: vec![operation], ..SubscriptionActivity::default() };
    let subscription = server.subscription().as_str().to_ascii_lowercase();
    let read = ActivityRead { subscriptions: [(subscription, log)].into() };
    name_authors(&mut compared, before, after, &read);
    compared
}

#[test]
fn people_read_who_made_a_change_or_why_that_is_not_known() {
    let (before, after) = (before(), after());
    let compared = with_authors(&before, &after);
    let mut out = Vec::new();
    diff_text::write(&mut out, &before, &after, &compared, &Text::plain()).unwrap();
    insta::assert_snapshot!(String::from_utf8(out).unwrap());
    let schema = Schema::generated("diff-v1", &diff_json::schema());
    let written = diff_json::value(&before, &after, &compared).unwrap();
    schema.assert_accepts(&written);
    let of = |name: &str| {
        let changes = written["changes"].as_array().unwrap();
        changes.iter().find(|change| change["name"] == name).unwrap()["who"].clone()
    };
    assert_eq!(of("billing")["operations"][0]["by"], "ann@contoso.example");
    assert_eq!(of("ledger")["notKnown"]["reason"], "not-in-log");
    schema.assert_refuses(&written, |wrong| wrong["changes"][0]["who"]["operations"] = "ann".into());
}

#[test]
fn a_history_of_a_server_keeps_to_its_schema_and_says_what_is_missing() {
    let schema = Schema::generated("server-history-v1", &server_history_json::schema());
    let (before, after) = (before(), after());
    let compared = with_authors(&before, &after);
    let change = compared.changes.iter().find(|change| change.server.name() == "billing").unwrap();
    let Some(Who::Known(found)) = &change.who else { panic!("nothing is known") };
    let run = || RunWrite {
        run: "run-1",
        by: "ada",
        at: "2026-11-24T09:00:05Z".into(),
        setting: "require_secure_transport",
        before: "off",
        after: "on",
        undo: false,
    };
    let why = Unchecked {
        missing_permission: Some("Microsoft.Insights/eventtypes/values/read".into()),
        ..Unchecked::new(Reason::Permission, "no")
    };
    let history = |unread| ServerHistory {
        server: &change.server.id,
        cloud: "AzureCloud",
        since: "2026-08-26T09:00:00.000000Z".into(),
        until: "2026-11-24T09:00:00.000000Z".into(),
        unread,
        entries: vec![
            ServerEvent { operation: None, run: Some(run()) },
            ServerEvent { operation: found.first(), run: None },
        ],
    };
    let (whole, part) = (history(None), history(Some(&why)));
    for (history, complete) in [(&whole, true), (&part, false)] {
        let written = server_history_json::value(history).unwrap();
        schema.assert_accepts(&written);
        assert_eq!(written["complete"], complete);
    }
    let mut out = Vec::new();
    server_history_text::write(&mut out, &whole, &Text::plain()).unwrap();
    server_history_text::write(&mut out, &part, &Text::plain()).unwrap();
    insta::assert_snapshot!(String::from_utf8(out).unwrap());
    let mut linked = Vec::new();
    server_history_text::write(&mut linked, &whole, &Text { links: true, ..Text::plain() }).unwrap();
    let linked = String::from_utf8(linked).unwrap();
    let link = format!("\u{1b}]8;;https://portal.azure.com/#resource{}\u{1b}\\", change.server.id);
    assert!(linked.starts_with(&link), "{linked:?}");
}
