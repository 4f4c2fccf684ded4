//! A simulation for the console: it lasts as long as the console, takes the time that makes progress visible, and has a
//! past.

pub(crate) mod past;
pub(crate) mod world;

use crate::args::LimitArgs;
use crate::connect::tenants_of;
use crate::error::CliError;
use azure_core::http::{AsyncRawResponse, HttpClient, Transport, request::Request};
use hostssl_azure::StopSignal;
use hostssl_azure_sim::{Scenario, SimTransport, Simulation};
use hostssl_ops::Tenant;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// The time of an answer when progress is shown. Without it, the simulation would end before the page shows it.
const PACE: Duration = Duration::from_millis(180);

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
        Ok(Self { scenario: scenario.name.clone(), simulation: world::open_in(scenario, directory)? })
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
