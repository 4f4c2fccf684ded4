//! Every harmful character of Unicode in every text from outside that an audit has.

use hostssl_audit::{Profile, apply_waivers, gate, read_waivers, server_report};
use hostssl_model::untrusted::HARMFUL;
use hostssl_model::{
    AuditAsked, AuditReport, AuditRun, Gap, GapScope, Kind, NetworkAccess, Outcome, Overlay, Parameter,
    ParameterName as Name, Posture, Principal, PrivateNetwork, Reading, Reason, ReplicationRole, ResourceId, Scope,
    Server, ServerState, Subscription, SubscriptionId, SubscriptionState, Summary, Unchecked, Waiver, Word,
};
use jiff::civil::date;
use std::sync::Arc;

/// Every harmful character, each between letters.
pub fn hostile() -> String {
    let all = HARMFUL.iter().flat_map(|&(first, last)| first..=last);
    all.flat_map(|c| ['x', c]).chain(['x']).collect()
}

/// An audit of one server.
pub fn audit() -> AuditReport {
    let hostile = hostile();
    let id = "/subscriptions/s/resourceGroups/g/providers/Microsoft.DBforPostgreSQL/flexibleServers/orders";
    let unseen = Unchecked::new(Reason::AzureError, hostile.as_str());
    let posture = Posture {
        server: Server {
            id: ResourceId::try_from(id).unwrap(),
            kind: Kind::Flexible,
            location: hostile.as_str().into(),
            state: Some(ServerState::new(&hostile)),
            fqdn: Some(hostile.as_str().into()),
            role: ReplicationRole::None,
            primary: None,
            tags: [(hostile.as_str(), hostile.as_str())].into_iter().collect(),
            administrator: Some(hostile.as_str().into()),
            created_at: None,
            network: NetworkAccess {
                public_access: Some(false),
                private: Some(Box::new(PrivateNetwork {
                    subnet: Some(hostile.as_str().into()),
                    dns_zone: Some(hostile.as_str().into()),
                    endpoints: vec![hostile.as_str().into()],
                })),
            },
        },
        readings: vec![
            (
                Name::RequireSecureTransport,
                Reading::Known(Parameter::in_effect(Name::RequireSecureTransport, &hostile)),
            ),
            (Name::SslMinProtocolVersion, Reading::Known(Parameter::in_effect(Name::SslMinProtocolVersion, &hostile))),
            (Name::SslMaxProtocolVersion, Reading::Unknown(unseen.clone())),
        ],
        wire: Vec::new(),
    };
    let servers = vec![server_report(&posture, None, &Profile::find_for("baseline", false).unwrap())];
    let mut summary = Summary::default();
    servers.iter().for_each(|server| summary.count(server.outcome));
    let principal = Principal {
        name: hostile.clone(),
        object_id: Some(hostile.clone()),
        tenant: Some(hostile.clone()),
        method: "cli".into(),
    };
    let mut report = AuditReport {
        run: AuditRun {
            id: "r".into(),
            started_at: "2026-01-01T00:00:00Z".into(),
            finished_at: "2026-01-01T00:00:01Z".into(),
            principals: vec![principal],
            cloud: hostile.clone(),
            scope: Scope { servers: vec![hostile.clone()], ..Scope::default() },
            profile: "baseline@1".into(),
            asked: AuditAsked::default(),
            tool_version: "0".into(),
            complete: false,
        },
        summary,
        subscriptions: vec![Arc::new(Subscription {
            id: SubscriptionId::new("s"),
            name: hostile.as_str().into(),
            tenant: hostile.as_str().into(),
            state: SubscriptionState::Enabled,
        })],
        servers,
        gaps: vec![Gap { scope: GapScope::read(&hostile), unchecked: unseen }],
        overlay: Overlay::default(),
    };
    apply_waivers(&mut report, &hostile, waivers());
    let mut baseline = report.clone();
    (baseline.run.id, baseline.run.profile) = (hostile.clone(), hostile);
    report.overlay.gate = Some(gate(&report, &[], Some(&baseline)));
    report
}

/// A waiver with a last day that is any text; the reader refuses the harmful in all others.
pub fn waivers() -> Vec<Waiver> {
    let entry = "[[waiver]]\ncontrol = 'require-secure-transport'\nowner = 'a'\nreason = 'b'\napprover = 'c'\n\
                 scope = '/subscriptions/11111111-2222-4333-8444-555555555555'\nexpires = ";
    let expires: String = hostile().chars().map(|c| format!("\\U{:08X}", u32::from(c))).collect();
    let mut waivers = read_waivers(&format!("{entry}\"{expires}\"\n"), date(2026, 1, 1), 365).unwrap();
    assert_eq!(waivers[0].expires, hostile());
    waivers[0].scope = "/subscriptions/s".into();
    waivers[0].ticket = Some(hostile());
    waivers[0].compensating_control = Some(hostile());
    waivers
}

/// The same of an audit of some controls alone, in words of a newer version.
pub fn narrowed() -> AuditReport {
    let mut report = audit();
    report.run.asked.only = vec![Word::read(&hostile())];
    report
}

/// The same servers with another value and another name of the profile: a failure that is compared.
pub fn changed_since() -> AuditReport {
    let mut later = audit();
    later.overlay = Overlay::default();
    for finding in later.servers.iter_mut().flat_map(|server| &mut server.findings) {
        finding.outcome = Outcome::Fail;
        finding.observed = Some(format!("{}y", hostile()).into());
        finding.expected = Some(hostile().into());
        finding.unchecked = None;
    }
    (later.run.id, later.run.profile, later.run.tool_version) = (hostile(), hostile(), hostile());
    later
}
