//! Audits of a few servers.
#![allow(unreachable_pub, missing_docs, reason = "a module of several tests")]

use hostssl_model::{
    AuditAsked, AuditReport, AuditRun, Overlay, Scope, Subscription, SubscriptionId, SubscriptionState, Summary,
};
use hostssl_test_support::fleet::{PlannerKnowledge, flexible};
use std::sync::Arc;

/// An audit of servers, each with the values of its switch and its lowest version.
pub fn audit(id: &str, servers: &[(&str, &str, &str)]) -> AuditReport {
    let servers =
        PlannerKnowledge::new(servers.iter().map(|(name, on, floor)| flexible(name, on, floor)).collect()).reports();
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
        run: AuditRun {
            id: id.into(),
            started_at: "2026-11-24T09:00:00Z".into(),
            finished_at: "2026-11-24T09:00:02Z".into(),
            principals: Vec::new(),
            cloud: "AzureCloud".into(),
            scope: Scope::default(),
            profile: "baseline@1".into(),
            asked: AuditAsked::default(),
            tool_version: "0.1.0".into(),
            complete: true,
        },
        summary,
        subscriptions: subscriptions.into_iter().collect(),
        servers,
        gaps: Vec::new(),
        overlay: Overlay::default(),
    }
}
