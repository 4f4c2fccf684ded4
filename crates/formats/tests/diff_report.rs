//! Two audits compared, as people and programs read it.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use hostssl_audit::diff;
use hostssl_formats::{Text, diff_json, diff_text};
use hostssl_model::{
    AuditReport, Gap, GapScope, Reason, Run, Scope, Subscription, SubscriptionId, SubscriptionState, Summary, Unchecked,
};
use hostssl_test_support::fleet::{Known, flexible};
use hostssl_test_support::schema::Schema;
use serde_json::Value;
use std::sync::Arc;

fn audit(id: &str, servers: &[(&str, &str, &str)]) -> AuditReport {
    let servers = Known::new(servers.iter().map(|(name, on, floor)| flexible(name, on, floor)).collect()).reports();
    let mut summary = Summary::default();
    servers.iter().for_each(|server| summary.count(server.outcome));
    let subscriptions = servers.first().map(|server| {
        Arc::new(Subscription {
            id: SubscriptionId::new(server.server.subscription().as_str()),
            name: "Shop".into(),
            tenant: "t".into(),
            state: SubscriptionState::Enabled,
        })
    });
    AuditReport {
        run: Run {
            id: id.into(),
            started_at: "2026-11-24T09:00:00Z".into(),
            finished_at: "2026-11-24T09:00:02Z".into(),
            principals: Vec::new(),
            cloud: "AzureCloud".into(),
            scope: Scope::default(),
            profile: "baseline@1".into(),
            tool_version: "0.1.0".into(),
            complete: true,
        },
        summary,
        subscriptions: subscriptions.into_iter().collect(),
        servers,
        gaps: Vec::new(),
    }
}

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
    after.gaps.push(Gap { scope: GapScope::Subscription(subscription), blind: why });
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
