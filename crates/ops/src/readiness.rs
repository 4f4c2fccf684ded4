//! Which servers that do not enforce could be enforced today: what the planner says of the facts that an audit kept.
//!
//! A plan reads the settings again, and more: locks, and what the identity may write.

use crate::remediation::verdict_of;
use hostssl_model::{ParameterName, Posture, Principal, Scope, ServerReport, Subscription, SubscriptionId, TlsVersion};
use hostssl_remediation::{
    ClientImpact, FixableControl, Goal, InvalidPlan, LeftOutReason, Plan, PlanInputs, PlanOptions, PlanTarget,
    SafeText, WaveOrder, plan,
};
use hostssl_store::{AuditEntry, AuditStore, CensusEntry, Enforcement, ServerFilter, StoreError, server_key};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Servers of each sort that are named.
const NAMED: usize = 8;
/// Servers that are planned at once: the memory stays small, however many there are.
const AT_ONCE: usize = 200;
/// Servers of a wave, where waves do not matter.
const ONE_WAVE: u32 = 1_000_000;

/// Which servers of an audit a plan to enforce would write to.
#[derive(Debug, Default)]
pub struct Readiness {
    /// Why the planner could not judge all of them, if so: then the counts are not of all servers.
    pub refused: Option<InvalidPlan>,
    /// How many servers a plan would write to.
    pub ready: u64,
    /// The keys of those, and of the servers that their clients alone keep from being ready.
    pub keys: BTreeSet<String>,
    /// The first of them, in the order of the list.
    pub first: Vec<ReadyServer>,
    /// Those that are set manually, because hostssl does not write there.
    pub manual: OtherServers,
    /// Why the planner leaves others out.
    pub left_out: Vec<(LeftOutReason, OtherServers)>,
}

/// A server that a plan would write to.
#[derive(Debug)]
pub struct ReadyServer {
    /// Its name in addresses.
    pub key: String,
    /// Its name.
    pub name: String,
    /// Its subscription's name.
    pub subscription: String,
    /// The setting that would be written.
    pub parameter: ParameterName,
    /// The setting's value, as it is spelled.
    pub before: String,
    /// The value that would be written.
    pub after: String,
    /// Whether it is a replica.
    pub replica: bool,
}

/// Servers that a plan would not write to.
#[derive(Debug, Default)]
pub struct OtherServers {
    /// How many.
    pub servers: u64,
    /// The first of them: key and name.
    pub first: Vec<(String, String)>,
}

impl OtherServers {
    fn add(&mut self, key: String, name: &str) {
        self.servers += 1;
        if self.first.len() < NAMED {
            self.first.push((key, name.to_owned()));
        }
    }
}

impl Readiness {
    /// Asks the planner about the servers of an audit that do not enforce, some at a time.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read.
    ///
    /// Censuses are judged as of `now_ms`, in milliseconds since 1970-01-01T00:00:00Z.
    pub fn of(store: &AuditStore, audit: &AuditEntry, now_ms: i64) -> Result<Self, StoreError> {
        let filter = ServerFilter { enforcement: Some(Enforcement::NotEnforced), ..ServerFilter::default() };
        let subscriptions = store.subscriptions(audit)?;
        let censuses = store.census_entries(now_ms)?;
        let mut found = Self::default();
        let mut some = Vec::with_capacity(AT_ONCE);
        store.each_server(audit, &filter, &mut |server| {
            // Those of another tenant or cloud are for a plan of theirs.
            if !subscriptions.iter().any(|one| one.id == server.server.subscription()) {
                return;
            }
            some.push(server);
            if some.len() == AT_ONCE {
                found.ask(audit, &subscriptions, &some, &censuses);
                some.clear();
            }
        })?;
        found.ask(audit, &subscriptions, &some, &censuses);
        found.left_out.sort_by_key(|(reason, _)| *reason);
        Ok(found)
    }

    fn ask(
        &mut self,
        audit: &AuditEntry,
        subscriptions: &[Arc<Subscription>],
        servers: &[ServerReport],
        censuses: &BTreeMap<String, CensusEntry>,
    ) {
        let clients = servers.iter().filter_map(|report| {
            let id = &report.server.id;
            let entry = censuses.get(&server_key(id))?;
            let impact = ClientImpact {
                verdict: verdict_of(entry.verdict),
                reason: SafeText::new(&entry.reason),
                ..ClientImpact::unobserved()
            };
            Some(((id.clone(), FixableControl::RequireSecureTransport), impact))
        });
        let clients: BTreeMap<_, _> = clients.collect();
        let scope = Scope::default();
        let postures: Vec<Posture> = servers.iter().map(ServerReport::posture).collect();
        let targets: Vec<PlanTarget<'_>> = postures
            .iter()
            .zip(servers)
            .map(|(posture, report)| PlanTarget { posture, findings: &report.findings })
            .collect();
        // A plan is for one tenant, so that each is asked about. Names do not matter, and must not be in the way.
        let tenants: BTreeSet<Option<&str>> = audit.principals.iter().map(|one| one.tenant.as_deref()).collect();
        for tenant in tenants {
            let principal = Principal {
                name: "reader".to_owned(),
                object_id: None,
                tenant: tenant.map(str::to_owned),
                method: "kept".to_owned(),
            };
            let inputs = PlanInputs {
                goal: Goal::Fix {
                    controls: vec![FixableControl::RequireSecureTransport],
                    minimum_tls: TlsVersion::Tls1_2,
                },
                targets: &targets,
                subscriptions,
                waived: &[],
                excepted: &BTreeMap::new(),
                open: &BTreeMap::new(),
                locks: &[],
                forbidden: &BTreeMap::new(),
                clients: &clients,
                accepted: &[],
                options: PlanOptions { canary_size: 1, wave_size: ONE_WAVE, max_servers: None },
                order: &WaveOrder::default(),
                reason: None,
                created_at: &audit.started_at,
                observed_at: &audit.started_at,
                principal: &principal,
                cloud: &audit.cloud,
                scope: &scope,
                profile: &audit.profile,
            };
            match plan(&inputs) {
                Ok(plan) => self.count(&plan, subscriptions),
                Err(error) => self.refused = Some(error),
            }
        }
    }

    fn count(&mut self, plan: &Plan, subscriptions: &[Arc<Subscription>]) {
        let named = |id: &SubscriptionId| {
            let found = subscriptions.iter().find(|one| one.id == *id);
            found.map_or_else(|| id.to_string(), |one| one.name.to_string())
        };
        let mut seen = BTreeSet::new();
        for step in plan.steps().iter().filter(|step| seen.insert(step.server.clone())) {
            let key = server_key(&step.server);
            if !step.is_executable() {
                self.manual.add(key, step.server.name());
                continue;
            }
            self.ready += 1;
            self.keys.insert(key.clone());
            if self.first.len() < NAMED {
                self.first.push(ReadyServer {
                    key,
                    name: step.server.name().to_owned(),
                    subscription: named(&step.server.subscription()),
                    parameter: step.parameter,
                    before: step.before.to_string(),
                    after: step.after.to_string(),
                    replica: step.replica_of.is_some(),
                });
            }
        }
        // Another tenant's servers are in the turn of its own principal.
        for one in plan.left_out().iter().filter(|one| one.reason != LeftOutReason::OtherTenant) {
            let others = match self.left_out.iter_mut().find(|(reason, _)| *reason == one.reason) {
                Some((_, others)) => others,
                None => {
                    self.left_out.push((one.reason, OtherServers::default()));
                    let Some((_, others)) = self.left_out.last_mut() else { continue };
                    others
                }
            };
            if matches!(one.reason, LeftOutReason::BreaksClients | LeftOutReason::NeedsObservation) {
                self.keys.insert(server_key(&one.server));
            }
            others.add(server_key(&one.server), one.server.name());
        }
    }
}
