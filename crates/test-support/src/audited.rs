//! Fleets of servers and the reports of audits of them.

use hostssl_audit::{Profile, server_report};
use hostssl_model::{
    AuditAsked, AuditReport, AuditRun, Gap, Kind, Overlay, Parameter, ParameterName as Name, Posture, Principal,
    Reading, Reason, ReplicationRole, ResourceId, Scope, Server, ServerState, Subscription, SubscriptionId,
    SubscriptionState, Summary, Unchecked, WireListener, WireObservation, WireTransport,
};
use std::sync::Arc;

/// In the order of the names.
pub const SUBSCRIPTIONS: [(&str, &str); 2] =
    [("Alpha", "11111111-1111-4111-8111-111111111111"), ("Finance", "22222222-2222-4222-8222-222222222222")];

/// The reason of the server that may not be read.
pub fn forbidden() -> Unchecked {
    let mut unchecked = Unchecked::new(Reason::Permission, "Azure answered HTTP 403");
    unchecked.missing_permission = Some("Microsoft.DBforPostgreSQL/flexibleServers/configurations/read".into());
    unchecked
}

/// Servers as they are.
pub struct AuditedFleet(Vec<Posture>);

impl AuditedFleet {
    /// Five servers: two enforce, two do not, one cannot be read.
    pub fn small() -> Self {
        let mut fleet = Self(Vec::new());
        fleet.add("catalog", "off");
        fleet.add("orders", "on");
        let primary = fleet.id("orders");
        fleet.add("replica", "off");
        let replica = fleet.find("replica");
        (replica.server.role, replica.server.primary) = (ReplicationRole::Replica, Some(primary));
        let mut legacy = posture(1, "Legacy", Kind::Single);
        legacy.readings = vec![
            (Name::SslEnforcement, Reading::Known(Parameter::in_effect(Name::SslEnforcement, "Enabled"))),
            (Name::MinimalTlsVersion, Reading::Known(Parameter::in_effect(Name::MinimalTlsVersion, "TLS1_2"))),
        ];
        let mut payroll = posture(1, "payroll", Kind::Flexible);
        payroll.readings = [Name::RequireSecureTransport, Name::SslMinProtocolVersion, Name::SslMaxProtocolVersion]
            .map(|name| (name, Reading::Unknown(forbidden())))
            .to_vec();
        fleet.0.extend([legacy, payroll]);
        fleet.sort();
        fleet
    }

    /// Many servers, one in ten of which does not enforce.
    pub fn large(servers: usize) -> Self {
        let mut fleet = Self(Vec::new());
        for number in 0..servers {
            fleet.push(&format!("server-{number:05}"), if number % 10 == 0 { "off" } else { "on" });
        }
        fleet.sort();
        fleet
    }

    pub fn add(&mut self, name: &str, require: &str) {
        self.push(name, require);
        self.sort();
    }

    fn push(&mut self, name: &str, require: &str) {
        let mut posture = posture(0, name, Kind::Flexible);
        posture.readings = vec![
            (Name::RequireSecureTransport, switch(require)),
            known(Name::SslMinProtocolVersion, "TLSv1.2"),
            known(Name::SslMaxProtocolVersion, ""),
        ];
        self.0.push(posture);
    }

    pub fn remove(&mut self, name: &str) {
        self.0.retain(|posture| posture.server.name() != name);
    }

    pub fn set(&mut self, name: &str, require: &str) {
        self.find(name).readings[0].1 = switch(require);
    }

    /// What a probe sees of the server from now on: for each port what it does, or that it could not be reached. None is a
    /// server that is not probed.
    pub fn probe(&mut self, name: &str, ports: &[(u16, Option<WireTransport>)]) {
        let look = |(port, transport): &(u16, Option<WireTransport>)| WireObservation {
            port: *port,
            address: None,
            observed_at: "2026-11-01T00:00:00Z".into(),
            vantage: None,
            listener: match transport {
                Some(transport) => Reading::Known(WireListener {
                    transport: *transport,
                    why: "seen".into(),
                    versions: Vec::new(),
                    certificate: None,
                }),
                None => Reading::Unknown(Unchecked::new(Reason::Unreachable, "no answer")),
            },
        };
        self.find(name).wire = ports.iter().map(look).collect();
    }

    /// Gives a server another id.
    pub fn rename(&mut self, name: &str, id: &ResourceId) {
        self.find(name).server.id = id.clone();
        self.sort();
    }

    /// Puts a reading in place.
    pub fn read(&mut self, name: &str, setting: Name, reading: Reading<Parameter>) {
        for (read, now) in self.find(name).readings.iter_mut().filter(|(read, _)| *read == setting) {
            (*read, *now) = (setting, reading.clone());
        }
    }

    /// Turns the switch of every `step`th server, beginning with the `first`.
    pub fn flip(&mut self, first: usize, step: usize) {
        for posture in self.0.iter_mut().skip(first).step_by(step) {
            let on = matches!(&posture.readings[0].1, Reading::Known(parameter) if parameter.value() == "on");
            posture.readings[0].1 = switch(if on { "off" } else { "on" });
        }
    }

    pub fn id(&self, name: &str) -> ResourceId {
        self.0.iter().find(|posture| posture.server.name() == name).unwrap().server.id.clone()
    }

    /// The id of the audit of this minute.
    pub fn run_id(minute: u64) -> String {
        format!("01890000-0000-7000-8000-{minute:012}")
    }

    /// The report of an audit in this minute, by the baseline.
    pub fn report(&self, minute: u64) -> AuditReport {
        self.report_by(minute, &Profile::find("baseline").unwrap())
    }

    /// The same by another profile.
    pub fn report_by(&self, minute: u64, profile: &Profile) -> AuditReport {
        let primary = |posture: &Posture| {
            let id = posture.server.primary.as_ref()?;
            self.0.iter().find(|other| other.server.id == *id).cloned().map(Reading::Known)
        };
        let servers: Vec<_> =
            self.0.iter().map(|posture| server_report(posture, primary(posture).as_ref(), profile)).collect();
        let mut summary = Summary::default();
        servers.iter().for_each(|server| summary.count(server.outcome));
        let unseen = |posture: &&Posture| matches!(posture.readings[0].1, Reading::Unknown(_));
        let gap = |posture: &Posture| Gap { scope: (&posture.server.id).into(), unchecked: forbidden() };
        let gaps: Vec<Gap> = self.0.iter().filter(unseen).map(gap).collect();
        let at = |second: u64| {
            format!("2026-11-{:02}T{:02}:{:02}:{second:02}Z", 1 + minute / 1440, minute / 60 % 24, minute % 60)
        };
        let run = AuditRun {
            id: Self::run_id(minute),
            started_at: at(0),
            finished_at: at(2),
            principals: vec![Principal {
                name: "reader@contoso.example".into(),
                object_id: None,
                tenant: Some("t".into()),
                method: "cli".into(),
            }],
            cloud: "AzureCloud".into(),
            scope: Scope::default(),
            profile: profile.to_string(),
            asked: AuditAsked::default(),
            tool_version: "0.1.0".into(),
            complete: gaps.is_empty(),
        };
        let subscription = |(name, id): &(&str, &str)| {
            Arc::new(Subscription {
                id: SubscriptionId::new(id),
                name: (*name).into(),
                tenant: "t".into(),
                state: SubscriptionState::Enabled,
            })
        };
        let subscriptions = SUBSCRIPTIONS.iter().map(subscription).collect();
        AuditReport { run, summary, subscriptions, servers, gaps, overlay: Overlay::default() }
    }

    fn find(&mut self, name: &str) -> &mut Posture {
        self.0.iter_mut().find(|posture| posture.server.name() == name).unwrap()
    }

    fn sort(&mut self) {
        self.0.sort_by_cached_key(|posture| posture.server.id.to_lowercase());
    }
}

fn switch(value: &str) -> Reading<Parameter> {
    let excerpt =
        format!(r#"{{"name":"require_secure_transport","properties":{{"source":"user-override","value":"{value}"}}}}"#);
    Reading::Known(Parameter::in_effect(Name::RequireSecureTransport, value).with_excerpt(excerpt))
}

fn known(name: Name, value: &str) -> (Name, Reading<Parameter>) {
    (name, Reading::Known(Parameter::in_effect(name, value)))
}

fn posture(subscription: usize, name: &str, kind: Kind) -> Posture {
    let of_type = if kind == Kind::Single { "servers" } else { "flexibleServers" };
    let (group, subscription) = (["Shop", "Finance"][subscription], SUBSCRIPTIONS[subscription].1);
    let id = format!(
        "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.DBforPostgreSQL/{of_type}/{name}"
    );
    Posture {
        server: Server {
            id: ResourceId::try_from(id.as_str()).unwrap(),
            kind,
            location: "westeurope".into(),
            state: Some(ServerState::new("Ready")),
            fqdn: Some(format!("{name}.postgres.database.azure.com").into()),
            role: ReplicationRole::None,
            primary: None,
            tags: [("environment", "production")].into_iter().collect(),
            administrator: None,
            created_at: None,
            network: hostssl_model::NetworkAccess::default(),
        },
        readings: Vec::new(),
        wire: Vec::new(),
    }
}
