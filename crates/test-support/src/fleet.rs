//! Fleets as an audit would have seen them, judged by the real controls.

use hostssl_audit::{Profile, server_report};
use hostssl_model::{
    AuditAsked, AuditReport, AuditRun, Kind, Overlay, Parameter, ParameterName as Name, Posture, Principal, Reading,
    ReplicationRole, ResourceId, Scope, Server, ServerReport, ServerState, Subscription, Summary, Tags, TlsVersion,
};
use hostssl_remediation::{
    AcceptedBreakage, ClientImpact, Consent, FixableControl, Goal, InvalidPlan, Plan, PlanInputs, PlanOptions,
    PlanTarget, SafeText, WaivedFinding, WaveOrder, plan,
};
use std::collections::BTreeMap;
use std::sync::Arc;

/// 2026-01-01T00:00:00Z.
pub const NOW_MS: i64 = 1_767_225_600_000;
pub const NOW: &str = "2026-01-01T00:00:00Z";

pub fn id(kind: Kind, name: &str) -> ResourceId {
    let text = format!("/subscriptions/s/resourceGroups/g/providers/{}/{name}", kind.offering().arm_type);
    ResourceId::try_from(text.as_str()).unwrap()
}

/// A ready server with these values.
pub fn server(kind: Kind, name: &str, values: &[(Name, &str)]) -> Posture {
    let server = Server {
        id: id(kind, name),
        kind,
        location: "westeurope".into(),
        state: Some(ServerState::new("Ready")),
        fqdn: None,
        role: ReplicationRole::None,
        primary: None,
        tags: Tags::default(),
        administrator: None,
        created_at: None,
        network: hostssl_model::NetworkAccess::default(),
    };
    let readings =
        values.iter().map(|(name, value)| (*name, Reading::Known(Parameter::in_effect(*name, value)))).collect();
    Posture { server, readings, wire: Vec::new() }
}

pub fn flexible(name: &str, require: &str, floor: &str) -> Posture {
    let values = [
        (Name::RequireSecureTransport, require),
        (Name::SslMinProtocolVersion, floor),
        (Name::SslMaxProtocolVersion, ""),
    ];
    server(Kind::Flexible, name, &values)
}

pub fn single(name: &str, enforcement: &str, floor: &str) -> Posture {
    server(Kind::Single, name, &[(Name::SslEnforcement, enforcement), (Name::MinimalTlsVersion, floor)])
}

pub fn cosmos(name: &str, coordinator: &str, nodes: &str) -> Posture {
    let values = [(Name::SslMinProtocolVersion, coordinator), (Name::NodeSslMinProtocolVersion, nodes)];
    server(Kind::CosmosCluster, name, &values)
}

/// Makes a server a replica of another.
pub fn replica(mut posture: Posture, primary: &ResourceId) -> Posture {
    posture.server.role = ReplicationRole::Replica;
    posture.server.primary = Some(primary.clone());
    posture
}

pub fn in_state(mut posture: Posture, state: &str) -> Posture {
    posture.server.state = Some(ServerState::new(state));
    posture
}

pub fn fix(minimum_tls: TlsVersion) -> Goal {
    Goal::Fix { controls: FixableControl::AUDITED.to_vec(), minimum_tls }
}

/// Everything that the planner may know.
#[derive(Debug)]
pub struct PlannerKnowledge {
    pub postures: Vec<Posture>,
    pub goal: Goal,
    pub profile: &'static str,
    pub options: PlanOptions,
    pub order: WaveOrder,
    pub subscriptions: Vec<Arc<Subscription>>,
    pub waived: Vec<WaivedFinding>,
    pub excepted: BTreeMap<ResourceId, String>,
    pub locks: Vec<hostssl_model::ManagementLock>,
    pub forbidden: BTreeMap<ResourceId, &'static str>,
    pub clients: BTreeMap<(ResourceId, FixableControl), ClientImpact>,
    /// Whether someone has accepted that clients may be refused.
    pub accepts_breakage: bool,
    pub principal: Principal,
}

impl PlannerKnowledge {
    pub fn new(postures: Vec<Posture>) -> Self {
        Self {
            postures,
            goal: fix(TlsVersion::Tls1_2),
            profile: "baseline",
            options: PlanOptions::default(),
            order: WaveOrder::default(),
            subscriptions: Vec::new(),
            waived: Vec::new(),
            excepted: BTreeMap::new(),
            locks: Vec::new(),
            forbidden: BTreeMap::new(),
            clients: BTreeMap::new(),
            accepts_breakage: true,
            principal: Principal {
                name: "planner".into(),
                object_id: Some("11111111-0000-0000-0000-000000000000".into()),
                tenant: Some("tenant-1".into()),
                method: "cli".into(),
            },
        }
    }

    pub fn reports(&self) -> Vec<ServerReport> {
        let profile = Profile::find(self.profile).unwrap();
        self.postures.iter().map(|posture| server_report(posture, None, &profile)).collect()
    }

    /// An audit that saw all of it.
    pub fn audit(&self) -> AuditReport {
        AuditReport {
            run: AuditRun {
                id: "r".into(),
                started_at: NOW.into(),
                finished_at: "2026-01-01T00:00:01Z".into(),
                principals: Vec::new(),
                cloud: "AzureCloud".into(),
                scope: Scope::default(),
                profile: Profile::find(self.profile).unwrap().to_string(),
                asked: AuditAsked::default(),
                tool_version: "0".into(),
                complete: true,
            },
            summary: Summary::default(),
            subscriptions: Vec::new(),
            servers: self.reports(),
            gaps: Vec::new(),
            overlay: Overlay::default(),
        }
    }

    pub fn try_plan(&self) -> Result<Plan, InvalidPlan> {
        let reports = self.reports();
        let targets: Vec<PlanTarget<'_>> = self
            .postures
            .iter()
            .zip(&reports)
            .map(|(posture, report)| PlanTarget { posture, findings: &report.findings })
            .collect();
        let accepted = |posture: &Posture| AcceptedBreakage {
            server: posture.server.id.clone(),
            acceptance: Consent { reason: SafeText::new("a test"), by: SafeText::new("a tester") },
        };
        let accepted: Vec<AcceptedBreakage> =
            if self.accepts_breakage { self.postures.iter().map(accepted).collect() } else { Vec::new() };
        plan(&PlanInputs {
            goal: self.goal.clone(),
            targets: &targets,
            subscriptions: &self.subscriptions,
            waived: &self.waived,
            excepted: &self.excepted,
            open: &BTreeMap::new(),
            locks: &self.locks,
            forbidden: &self.forbidden,
            clients: &self.clients,
            accepted: &accepted,
            options: self.options,
            order: &self.order,
            reason: None,
            created_at: NOW,
            observed_at: NOW,
            principal: &self.principal,
            cloud: "AzureCloud",
            scope: &Scope::default(),
            profile: &Profile::find(self.profile).unwrap().to_string(),
        })
    }

    pub fn plan(&self) -> Plan {
        self.try_plan().unwrap()
    }
}
