//! The simulated Azure: its public face, and what tests and demonstrations may do to it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::Response;
use jiff::Timestamp;

use crate::activity;
use crate::activity_log::{Actor, LoggedWrite, past_write};
use crate::estate::{Estate, Record};
use crate::fault::{FaultRule, FaultScope, ResolvedScope};
use crate::fleet::{FleetSource, Kind, ServerState};
use crate::journal::Requests;
use crate::parameters;
use crate::path::{self, SubscriptionPart, Target};
use crate::pipeline::{handle, shielded};
use crate::scenario::Scenario;
use crate::state::AzureState;
use crate::world::{self, World};

/// A simulated Azure. Clones share it.
#[derive(Debug, Clone)]
pub struct Simulation(Arc<AzureState>);

/// Why an order to a simulation was not possible.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SimulationError {
    /// The caller named something that the fleet does not hold.
    #[error("the simulated fleet has no resource {0}")]
    NoSuchResource(String),
    /// The caller named a parameter that this kind of server does not have.
    #[error("the simulated server has no parameter {0}")]
    NoSuchParameter(String),
    /// The file of a world that is kept cannot be written.
    #[error("the simulated world cannot be written: {0}")]
    NotKept(String),
}

impl Simulation {
    /// Makes a simulation. A fault for something that the fleet does not hold is left out with a warning in the log.
    #[must_use]
    pub fn new(scenario: Scenario) -> Self {
        Self::made(scenario, None)
    }

    /// The same as it was left by earlier processes: accepted writes are kept in the file `path`, which need not be
    /// there yet. Its folder must be there when the first write comes.
    ///
    /// # Errors
    ///
    /// When the file is there and cannot be read.
    pub fn kept(scenario: Scenario, path: PathBuf) -> io::Result<Self> {
        let simulation = Self::made(scenario, Some(World::new(path)));
        simulation.0.follow_world()?;
        Ok(simulation)
    }

    /// Forgets the writes that are kept in `path`. Every process that shares the file sees it.
    ///
    /// # Errors
    ///
    /// When the file is there and cannot be written.
    pub fn forget_changes(path: &Path) -> io::Result<()> {
        world::reset(path)
    }

    /// How many servers kept writes have made different from the scenario.
    #[must_use]
    pub fn changed(&self) -> usize {
        self.0.estate.changed()
    }

    fn made(mut scenario: Scenario, world: Option<World>) -> Self {
        let empty = FleetSource::Listed(crate::fleet::Fleet::default());
        let estate = Estate::new(std::mem::replace(&mut scenario.fleet, empty));
        let faults = std::mem::take(&mut scenario.faults);
        let past = std::mem::take(&mut scenario.past);
        let simulation = Self(Arc::new(AzureState::new(scenario, estate, world)));
        for rule in faults {
            if let Err(error) = simulation.inject(rule) {
                tracing::warn!(%error, "a fault of the scenario matches nothing");
            }
        }
        let begun = simulation.0.clock.now();
        for write in past {
            let at = begun.checked_sub(write.age).unwrap_or(Timestamp::MIN);
            match simulation.past_write(&write.server, write.parameter.as_deref(), at, write.by) {
                Ok(write) => simulation.0.activity.add(write),
                Err(error) => tracing::warn!(%error, "a write of the scenario's past is of no server"),
            }
        }
        simulation
    }

    /// Logs a write of the past, to a parameter or to the server itself. It changes nothing.
    ///
    /// # Errors
    ///
    /// When there is no such server, or the file of a world that is kept cannot be written.
    pub fn log_past_write(
        &self,
        id: &str,
        parameter: Option<&str>,
        at: Timestamp,
        by: Actor,
    ) -> Result<(), SimulationError> {
        let write = self.past_write(id, parameter, at, by)?;
        activity::keep(&self.0, write).map_err(|error| SimulationError::NotKept(error.to_string()))
    }

    /// Copies what this simulation was asked to write to the Activity Log of another, as if that had been at `at`.
    ///
    /// # Errors
    ///
    /// When the file of a world that is kept cannot be written.
    pub fn copy_writes(&self, to: &Self, from: usize, at: Timestamp) -> Result<(), SimulationError> {
        for write in self.0.activity.all().into_iter().filter(|write| !write.is_past).skip(from) {
            let write = LoggedWrite { at_ms: at.as_millisecond(), is_past: true, ..write };
            activity::keep(&to.0, write).map_err(|error| SimulationError::NotKept(error.to_string()))?;
        }
        Ok(())
    }

    /// How many writes reached servers of this simulation.
    #[must_use]
    pub fn logged_writes(&self) -> usize {
        self.0.activity.all().iter().filter(|write| !write.is_past).count()
    }

    fn past_write(
        &self,
        id: &str,
        parameter: Option<&str>,
        at: Timestamp,
        by: Actor,
    ) -> Result<LoggedWrite, SimulationError> {
        let record = self.record(id)?;
        let resource_type = format!("{}/{}", record.kind.provider(), record.kind.type_segment());
        // What hangs off a single server or a parameter group is a member of the resource itself.
        let parameter = parameter.filter(|_| !matches!(record.kind, Kind::Single | Kind::ParameterGroup));
        let (resource, operation) = match parameter {
            Some(name) => {
                (format!("{}/configurations/{name}", record.id), format!("{resource_type}/configurations/write"))
            }
            None => (record.id.to_string(), format!("{resource_type}/write")),
        };
        let number = self.0.activity.all().len() as u64;
        Ok(past_write(at, resource, operation, by, number))
    }

    /// The simulation as a service for any axum server. Every path is handled by one fallback.
    pub fn router(&self) -> Router {
        let simulation = self.clone();
        Router::new().fallback(move |request: Request| {
            let simulation = simulation.clone();
            async move { simulation.handle(request).await }
        })
    }

    /// Adds a fault.
    ///
    /// # Errors
    ///
    /// [`SimulationError::NoSuchResource`] when the fault's scope is not in the fleet.
    pub fn inject(&self, rule: FaultRule) -> Result<(), SimulationError> {
        let scope = self.resolve(&rule.scope)?;
        self.0.rules().add(scope, rule);
        Ok(())
    }

    /// Removes every fault, those of the scenario included.
    pub fn clear_faults(&self) {
        self.0.rules().clear();
    }

    /// What was asked so far.
    #[must_use]
    pub fn requests(&self) -> Requests {
        self.0.journal.snapshot()
    }

    /// Sets a parameter as others would, at once and without a request.
    ///
    /// # Errors
    ///
    /// When there is no such server or it has no such parameter.
    pub fn set_parameter(&self, id: &str, name: &str, value: &str) -> Result<(), SimulationError> {
        let record = self.record(id)?;
        let parameter =
            parameters::find(record.kind, name).ok_or_else(|| SimulationError::NoSuchParameter(name.to_owned()))?;
        record.lock().set(parameter, value, false);
        Ok(())
    }

    /// A parameter's value as the server itself has it.
    ///
    /// # Errors
    ///
    /// When there is no such server or it has no such parameter.
    pub fn parameter(&self, id: &str, name: &str) -> Result<String, SimulationError> {
        let record = self.record(id)?;
        let parameter =
            parameters::find(record.kind, name).ok_or_else(|| SimulationError::NoSuchParameter(name.to_owned()))?;
        Ok(record.lock().current(parameter).value.to_owned())
    }

    /// Serves the logs as they were so many days ago, for a past.
    pub fn set_log_age(&self, days: u32) {
        self.0.set_log_age(i64::from(days) * 86_400);
    }

    /// Lists and serves the files of `folder` as the logs of a server, instead of those of made-up clients: a real server
    /// stands behind it. They can be downloaded while `logfiles.download_enable` is on, like all others.
    ///
    /// # Errors
    ///
    /// When there is no such server.
    pub fn set_real_logs(&self, id: &str, folder: PathBuf) -> Result<(), SimulationError> {
        self.0.real_logs.set(self.record(id)?.name(), folder);
        Ok(())
    }

    /// Puts a server into a state, at once and without a request.
    ///
    /// # Errors
    ///
    /// When there is no such server.
    pub fn set_state(&self, id: &str, state: ServerState) -> Result<(), SimulationError> {
        self.record(id)?.lock().state = state;
        Ok(())
    }

    /// Deletes a server and makes another one of the same name, with the default of every parameter.
    ///
    /// # Errors
    ///
    /// When there is no such server.
    pub fn replace(&self, id: &str) -> Result<(), SimulationError> {
        self.record(id)?.lock().replace();
        Ok(())
    }

    /// The ids of all tenants.
    #[must_use]
    pub fn tenant_ids(&self) -> Vec<String> {
        let tenants = &self.0.estate.tenants;
        tenants.iter().map(|tenant| tenant.id.clone()).collect()
    }

    /// The ids of all subscriptions.
    #[must_use]
    pub fn subscription_ids(&self) -> Vec<String> {
        let all = &self.0.estate.subscriptions;
        all.iter().map(|one| one.id.to_string()).collect()
    }

    /// The resource ids of all servers, clusters and parameter groups, ordered.
    #[must_use]
    pub fn server_ids(&self) -> Vec<String> {
        let all = &self.0.estate.servers;
        all.iter().map(|one| one.id.to_string()).collect()
    }

    /// The client secret that signs in.
    #[must_use]
    pub fn client_secret(&self) -> &str {
        &self.0.scenario.client_secret
    }

    /// A token of the simulated authority for `tenant`, and its end in seconds since 1970.
    pub(crate) fn issue(&self, tenant: &str, client: &str, audience: &str) -> (String, i64) {
        self.0.issue(tenant, client, audience)
    }

    /// What is behind it, for the listeners.
    pub(crate) fn inner(&self) -> &AzureState {
        &self.0
    }

    fn record(&self, id: &str) -> Result<&Record, SimulationError> {
        let found = self.0.estate.server_by_id(id);
        found.map(|(_, record)| record).ok_or_else(|| SimulationError::NoSuchResource(id.to_owned()))
    }

    fn resolve(&self, scope: &FaultScope) -> Result<ResolvedScope, SimulationError> {
        let estate = &self.0.estate;
        let missing = |id: &str| SimulationError::NoSuchResource(id.to_owned());
        match scope {
            FaultScope::Everywhere => Ok(ResolvedScope::Everywhere),
            FaultScope::Subscription(id) => {
                let name = id.rsplit('/').next().unwrap_or_default();
                let (index, _) = estate.subscription(name).ok_or_else(|| missing(id))?;
                Ok(ResolvedScope::Subscription(index))
            }
            FaultScope::ResourceGroup(id) => match path::parse(id) {
                Target::Subscription(subscription, SubscriptionPart::ResourceGroup(group)) => {
                    let (index, _) = estate.subscription(subscription).ok_or_else(|| missing(id))?;
                    Ok(ResolvedScope::Group(index, group.to_owned()))
                }
                _ => Err(missing(id)),
            },
            FaultScope::Server(id) => {
                let (index, _) = estate.server_by_id(id).ok_or_else(|| missing(id))?;
                Ok(ResolvedScope::Server(index))
            }
        }
    }

    /// Answers a request.
    pub(crate) async fn handle(&self, request: Request) -> Response<Body> {
        shielded(handle(&self.0, request)).await
    }
}
