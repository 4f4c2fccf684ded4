//! Audits of a few servers, judged by the real controls.
#![allow(unreachable_pub, dead_code, reason = "a module of several tests")]
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use hostssl_audit::{Profile, server_report};
use hostssl_model::{
    AuditAsked, AuditReport, AuditRun, Kind, Overlay, Parameter, ParameterName as Name, Posture, Reading, Reason,
    ReplicationRole, ResourceId, Scope, Server, Subscription, SubscriptionId, SubscriptionState, Summary, Tags,
    Unchecked,
};
use std::sync::Arc;

/// What an audit saw of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    On,
    Off,
    /// Off, and the lowest version is old, too.
    OffAndOld,
    /// Required, and the lowest version is old.
    Old,
    /// The same with a still older one.
    Older,
    Forbidden,
}

/// The subscription of every server.
pub const SUBSCRIPTION: &str = "11111111-2222-4333-8444-555555555555";

pub fn posture(name: &str, seen: Seen) -> Posture {
    let id = format!(
        "/subscriptions/{SUBSCRIPTION}/resourceGroups/g/providers/Microsoft.DBforPostgreSQL/flexibleServers/{name}"
    );
    let known = |name, value: &str| (name, Reading::Known(Parameter::in_effect(name, value)));
    let names = [Name::RequireSecureTransport, Name::SslMinProtocolVersion, Name::SslMaxProtocolVersion];
    let readings = match seen {
        Seen::Forbidden => {
            names.map(|name| (name, Reading::Unknown(Unchecked::new(Reason::Permission, "no authorization")))).to_vec()
        }
        Seen::On => vec![known(names[0], "on"), known(names[1], "TLSv1.2"), known(names[2], "")],
        Seen::Off => vec![known(names[0], "off"), known(names[1], "TLSv1.2"), known(names[2], "")],
        Seen::Old => vec![known(names[0], "on"), known(names[1], "TLSv1.1"), known(names[2], "")],
        Seen::Older => vec![known(names[0], "on"), known(names[1], "TLSv1"), known(names[2], "")],
        Seen::OffAndOld => vec![known(names[0], "off"), known(names[1], "TLSv1"), known(names[2], "")],
    };
    let server = Server {
        id: ResourceId::try_from(id.as_str()).unwrap(),
        kind: Kind::Flexible,
        location: "westeurope".into(),
        state: None,
        fqdn: None,
        role: ReplicationRole::None,
        primary: None,
        tags: Tags::default(),
        administrator: None,
        created_at: None,
        network: hostssl_model::NetworkAccess::default(),
    };
    Posture { server, readings, wire: Vec::new() }
}

pub fn audit(profile: &str, servers: &[(&str, Seen)]) -> AuditReport {
    let profile = Profile::find(profile).unwrap();
    let servers: Vec<_> =
        servers.iter().map(|(name, seen)| server_report(&posture(name, *seen), None, &profile)).collect();
    let mut summary = Summary::default();
    servers.iter().for_each(|server| summary.count(server.outcome));
    AuditReport {
        run: AuditRun {
            id: "r".into(),
            started_at: "2026-01-01T00:00:00Z".into(),
            finished_at: "2026-01-01T00:00:01Z".into(),
            principals: Vec::new(),
            cloud: "AzureCloud".into(),
            scope: Scope::default(),
            profile: profile.to_string(),
            asked: AuditAsked::default(),
            tool_version: "0".into(),
            complete: true,
        },
        summary,
        subscriptions: vec![Arc::new(Subscription {
            id: SubscriptionId::new(SUBSCRIPTION),
            name: "Shop".into(),
            tenant: "t".into(),
            state: SubscriptionState::Enabled,
        })],
        servers,
        gaps: Vec::new(),
        overlay: Overlay::default(),
    }
}

pub fn baseline(servers: &[(&str, Seen)]) -> AuditReport {
    audit("baseline@1", servers)
}
