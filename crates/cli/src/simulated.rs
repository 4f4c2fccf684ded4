//! A simulation for the console: it lasts as long as the console, takes the time that makes progress visible, and has a
//! past.

pub(crate) mod kept_azure;
pub(crate) mod past;

use crate::args::{LimitArgs, TerminalArgs};
use crate::error::CliError;
use crate::simulated_azure::{Scenario, SimCredential, SimTransport, Simulation};
use azure_core::credentials::TokenCredential;
use azure_core::http::{AsyncRawResponse, HttpClient, Transport, request::Request};
use hostssl_azure::{Arm, Cloud, RequestLimits, StopSignal, principal_of};
use hostssl_model::{Hint, Principal};
use hostssl_ops::Tenant;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// The time of an answer when progress is shown. Without it, the simulation would end before the page shows it.
const PACE: Duration = Duration::from_millis(180);

/// The beginning of the name of a simulated cloud, before the scenario.
const CLOUD: &str = "simulated:";

/// The same options where what is shown was kept of this cloud: commands that are printed lead there.
pub(crate) fn of_cloud(terminal: &TerminalArgs, cloud: &str) -> TerminalArgs {
    TerminalArgs { again: terminal.again.clone().in_simulation(scenario_of(cloud)), ..terminal.clone() }
}

/// The name of the simulated cloud of a scenario.
pub(crate) fn cloud_of(scenario: &str) -> String {
    format!("{CLOUD}{scenario}")
}

/// The scenario of a simulated cloud.
pub(crate) fn scenario_of(cloud: &str) -> Option<&str> {
    cloud.strip_prefix(CLOUD)
}

/// A simulated Azure that lasts as long as the console.
pub(crate) struct LiveSimulation {
    scenario: String,
    simulation: Simulation,
}

impl LiveSimulation {
    /// One that nothing else changes.
    pub(crate) fn of(scenario: Scenario) -> Self {
        Self { scenario: scenario.name.clone(), simulation: Simulation::new(scenario) }
    }

    /// The one that commands share which have this state directory for simulations.
    pub(crate) fn open(scenario: Scenario, directory: &Path) -> Result<Self, CliError> {
        Ok(Self { scenario: scenario.name.clone(), simulation: kept_azure::open_in(scenario, directory)? })
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
        tenants_of(&self.simulation, transport, &self.scenario, &[], &limits.of_requests(), stop).await
    }
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

/// Clients of a simulated Azure inside this process: no socket, no account.
pub(crate) async fn tenants_of(
    simulation: &Simulation,
    transport: Transport,
    scenario: &str,
    tenants: &[String],
    limits: &RequestLimits,
    stop: &StopSignal,
) -> Result<Vec<Tenant>, CliError> {
    let mut cloud = Cloud::named("AzureCloud")?;
    cloud.name = cloud_of(scenario);
    let wanted =
        if tenants.is_empty() { simulation.tenant_ids().into_iter().take(1).collect() } else { tenants.to_vec() };
    let known = simulation.tenant_ids();
    let mut signed_in = Vec::new();
    for tenant in wanted {
        if !known.iter().any(|id| id.eq_ignore_ascii_case(&tenant)) {
            let message = format!("--tenant {tenant} matches no simulated tenant");
            return Err(CliError::usage(message, Hint::with("the simulated tenants are {}", &[&known.join(", ")])));
        }
        let credential: Arc<dyn TokenCredential> = Arc::new(SimCredential::new(simulation, tenant));
        let token = credential.get_token(&[&cloud.scope()], None).await.map_err(|error| {
            CliError::usage(error.to_string(), "leave --tenant out to use the simulated home tenant")
        })?;
        let principal = Principal { method: "simulated".to_owned(), ..principal_of(token.token.secret(), "simulated") };
        let arm = Arm::new(cloud.clone(), credential, transport.clone(), limits.clone(), stop.clone());
        signed_in.push(Tenant { arm, principal });
    }
    Ok(signed_in)
}
