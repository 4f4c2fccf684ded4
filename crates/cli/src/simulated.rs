//! A simulation with a past, for the console: an estate that changed over a month, audited every few days.

use crate::args::{LimitArgs, TalkArgs};
use crate::connect::{named_scenario, tenants_of};
use crate::error::CliError;
use azure_core::http::{AsyncRawResponse, HttpClient, Transport, request::Request};
use hostssl_audit::Profile;
use hostssl_azure::StopSignal;
use hostssl_azure_sim::{SimTransport, Simulation};
use hostssl_engine::{AuditRequest, Discovery, Stamp, Tenant, audit};
use hostssl_model::Scope;
use hostssl_store::AuditStore;
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How long ago the audits of the past were, in hours; the newest last.
const PAST: [i64; 14] = [720, 670, 612, 556, 503, 441, 388, 335, 270, 219, 164, 98, 47, 3];
/// Estates beyond this many servers get a short past: each audit of it takes its time.
const LARGE: usize = 500;
/// What an answer takes when somebody watches. The simulation would be done before anybody saw it begin.
const PACE: Duration = Duration::from_millis(180);

/// A simulated Azure that goes on as long as the console.
pub(crate) struct Simulated {
    scenario: String,
    simulation: Simulation,
}

impl Simulated {
    pub(crate) fn new(scenario: &str) -> Result<Self, CliError> {
        Ok(Self { scenario: scenario.to_owned(), simulation: Simulation::new(named_scenario(scenario)?) })
    }

    pub(crate) fn simulation(&self) -> &Simulation {
        &self.simulation
    }

    pub(crate) fn scenario(&self) -> &str {
        &self.scenario
    }

    /// Signed-in clients; with a pace, answers take the time that makes progress visible.
    pub(crate) async fn tenants(
        &self,
        limits: &LimitArgs,
        stop: &StopSignal,
        paced: bool,
    ) -> Result<Vec<Tenant>, CliError> {
        let transport = SimTransport::new(&self.simulation);
        let transport =
            if paced { Transport::new(Arc::new(Paced(transport))) } else { Transport::new(Arc::new(transport)) };
        tenants_of(&self.simulation, transport, &self.scenario, &[], limits, stop).await
    }

    /// Audits the estate at several moments of the last month, with servers that were not as they are now.
    pub(crate) async fn make_history(
        &self,
        store: &AuditStore,
        profile: &Profile,
        talk: &TalkArgs,
    ) -> Result<(), CliError> {
        if store.latest()?.is_some() {
            return Ok(());
        }
        let servers = self.simulation.server_ids();
        let past = if servers.len() > LARGE { &PAST[PAST.len() - 3..] } else { &PAST[..] };
        if !talk.quiet {
            say!("simulating a past of {} audits of {} servers", past.len(), servers.len());
        }
        let (_never, stop) = watch::channel(None);
        let limits = LimitArgs { deadline: Duration::from_secs(3600), concurrency: 256 };
        let tenants = self.tenants(&limits, &stop, false).await?;
        let changes = self.changes(&servers, past.len());
        changes.iter().for_each(|change| self.set(change, true));
        for (index, hours) in past.iter().enumerate() {
            changes.iter().filter(|change| change.at == index).for_each(|change| self.set(change, false));
            self.look(store, profile, &tenants, *hours).await?;
        }
        Ok(())
    }

    async fn look(
        &self,
        store: &AuditStore,
        profile: &Profile,
        tenants: &[Tenant],
        hours: i64,
    ) -> Result<(), CliError> {
        let began = Timestamp::now() - SignedDuration::from_hours(hours);
        let request = AuditRequest { scope: Scope::default(), profile: profile.clone(), discovery: Discovery::Lists };
        let stamp = Stamp {
            id: uuid::Uuid::new_v7(uuid::Timestamp::from_unix(
                uuid::NoContext,
                u64::try_from(began.as_second()).unwrap_or_default(),
                u32::try_from(began.subsec_nanosecond()).unwrap_or_default(),
            ))
            .to_string(),
            started_at: format!("{began:.6}"),
            now: &|| format!("{:.6}", began + SignedDuration::from_millis(2_400)),
            tool_version: env!("CARGO_PKG_VERSION"),
        };
        let report = audit(tenants, &request, stamp, &mut |_| ()).await?;
        store.save(&report)?;
        Ok(())
    }

    /// What was different once: of servers whose switch can be turned, some were off and were turned on one after the
    /// other, and one that is off now was on until lately.
    fn changes(&self, servers: &[String], audits: usize) -> Vec<Change> {
        let mut changes = Vec::new();
        let mut off_until_lately = true;
        for id in servers {
            let switch = ["require_secure_transport", "sslEnforcement"]
                .into_iter()
                .find_map(|name| self.simulation.parameter(id, name).ok().map(|value| (name, value)));
            let Some((parameter, now)) = switch else { continue };
            let (on, off) = if parameter == "sslEnforcement" { ("Enabled", "Disabled") } else { ("on", "off") };
            let is_on = now.eq_ignore_ascii_case(on);
            let number = changes.len();
            let (before, at) = match (is_on, off_until_lately) {
                (true, _) => (off, 1 + number * 2 % (audits - 1).max(1)),
                (false, true) => {
                    off_until_lately = false;
                    (on, audits - 1)
                }
                (false, false) => continue,
            };
            if number < 60 {
                changes.push(Change { server: id.clone(), parameter, before, now, at });
            }
        }
        changes
    }

    fn set(&self, change: &Change, before: bool) {
        let value = if before { change.before } else { &change.now };
        // The server was found with this parameter a moment ago.
        let _ = self.simulation.set_parameter(&change.server, change.parameter, value);
    }
}

/// A setting that was otherwise until the audit of this number.
struct Change {
    server: String,
    parameter: &'static str,
    before: &'static str,
    now: String,
    at: usize,
}

/// A transport whose answers take their time.
#[derive(Debug)]
struct Paced(SimTransport);

#[async_trait::async_trait]
impl HttpClient for Paced {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        tokio::time::sleep(PACE).await;
        self.0.execute_request(request).await
    }
}
