//! The simulated Azure: its state, its public face, and the way a request goes through it.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::header::AUTHORIZATION;
use axum::http::{Method, Response, StatusCode};
use futures::FutureExt as _;
use tokio::time::Instant;

use crate::call::{self, Call};
use crate::clock::Clock;
use crate::estate::{Estate, Record};
use crate::fault::{FaultRule, FaultScope, Place, ResolvedScope, Rules};
use crate::fleet::{FleetSource, ServerState};
use crate::journal::{Journal, Requests};
use crate::long_running::Operations;
use crate::operation::Operation;
use crate::path::{self, SubscriptionPart, Target};
use crate::reply::{Content, Reply};
use crate::scenario::Scenario;
use crate::throttle::{Buckets, Verdict, Windows};
use crate::token::{self, Principal};
use crate::{authority, distort, headers, parameters, read, refuse, write};

/// The longest body that is read, in bytes.
const MAX_BODY: usize = 1 << 20;

/// A simulated Azure. Clones share it.
#[derive(Debug, Clone)]
pub struct Simulation(Arc<Inner>);

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) scenario: Scenario,
    pub(crate) estate: Estate,
    pub(crate) clock: Clock,
    rules: Mutex<Rules>,
    buckets: Mutex<Buckets>,
    windows: Mutex<Windows>,
    operations: Mutex<Operations>,
    pub(crate) journal: Journal,
    sequence: AtomicU64,
}

/// Why a simulation could not be told something.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SimulationError {
    /// The caller named something that the fleet does not hold.
    #[error("the simulated fleet has no resource {0}")]
    NoSuchResource(String),
    /// The caller named a parameter that this kind of server does not have.
    #[error("the simulated server has no parameter {0}")]
    NoSuchParameter(String),
}

impl Simulation {
    /// Makes a simulation. A fault for something that the fleet does not hold is left out with a warning in the log.
    #[must_use]
    pub fn new(mut scenario: Scenario) -> Self {
        let empty = FleetSource::Listed(crate::fleet::Fleet::default());
        let estate = Estate::new(std::mem::replace(&mut scenario.fleet, empty));
        let faults = std::mem::take(&mut scenario.faults);
        let simulation = Self(Arc::new(Inner {
            scenario,
            estate,
            clock: Clock::start(),
            rules: Mutex::default(),
            buckets: Mutex::default(),
            windows: Mutex::default(),
            operations: Mutex::default(),
            journal: Journal::default(),
            sequence: AtomicU64::new(0),
        }));
        for rule in faults {
            if let Err(error) = simulation.inject(rule) {
                tracing::warn!(%error, "a fault of the scenario strikes nothing");
            }
        }
        simulation
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

    /// Sets a parameter as somebody else would, at once and without a request.
    ///
    /// # Errors
    ///
    /// When there is no such server or it has no such parameter.
    pub fn set_parameter(&self, id: &str, name: &str, value: &str) -> Result<(), SimulationError> {
        let record = self.record(id)?;
        let parameter = parameters::find(record.kind, name)
            .ok_or_else(|| SimulationError::NoSuchParameter(name.to_owned()))?;
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
        let parameter = parameters::find(record.kind, name)
            .ok_or_else(|| SimulationError::NoSuchParameter(name.to_owned()))?;
        Ok(record.lock().current(parameter).value.to_owned())
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

    fn record(&self, id: &str) -> Result<&Record, SimulationError> {
        let found = self.0.estate.server_by_id(id);
        found
            .map(|(_, record)| record)
            .ok_or_else(|| SimulationError::NoSuchResource(id.to_owned()))
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
                    let (index, _) = estate
                        .subscription(subscription)
                        .ok_or_else(|| missing(id))?;
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
        shielded(self.0.handle(request)).await
    }
}

/// The answer of a handler. A panic in it becomes a 500 and harms no other request.
async fn shielded(handler: impl Future<Output = Response<Body>>) -> Response<Body> {
    let handled = AssertUnwindSafe(handler).catch_unwind().await;
    handled.unwrap_or_else(|_| {
        tracing::error!("a handler of the simulator panicked");
        Reply::error(
            StatusCode::INTERNAL_SERVER_ERROR,
            "SimulatorPanicked",
            "The simulator has a defect: a handler panicked.",
        )
        .into_response()
    })
}

impl Inner {
    async fn handle(&self, request: Request) -> Response<Body> {
        let (parts, body) = request.into_parts();
        if !self.scenario.latency.is_zero() {
            tokio::time::sleep(self.scenario.latency).await;
        }
        let decoded = path::decode(parts.uri.path());
        let target = path::parse(&decoded);
        let operation = call::operation(&parts.method, &target);
        let body = if parts.method == Method::GET {
            Ok(bytes::Bytes::new())
        } else {
            to_bytes(body, MAX_BODY).await
        };
        let sequence = self.sequence.fetch_add(1, Ordering::Relaxed);
        let counted = operation.unwrap_or(Operation::Unknown);
        let mut throttle = None;
        let reply = match (call::base(&parts), body, operation) {
            (None, ..) => Reply::gateway(
                StatusCode::BAD_REQUEST,
                "InvalidHostHeader",
                "The request names no host.",
            ),
            (_, Err(_), _) => Reply::gateway(
                StatusCode::PAYLOAD_TOO_LARGE,
                "RequestContentTooLarge",
                "The request content could not be read or is longer than 1048576 bytes.",
            ),
            (_, _, None) => Reply::gateway(
                StatusCode::METHOD_NOT_ALLOWED,
                "MethodNotAllowed",
                &format!("The method '{}' is not allowed here.", parts.method),
            ),
            (Some(base), Ok(body), Some(operation)) => {
                let call = Call {
                    method: &parts.method,
                    path: parts.uri.path(),
                    query: parts.uri.query().unwrap_or_default(),
                    headers: &parts.headers,
                    body: &body,
                    base: &base,
                    target,
                    operation,
                    place: self.place(&target),
                    principal: Principal {
                        tenant: String::new(),
                        object: String::new(),
                    },
                    faults: Vec::new(),
                };
                self.answer(call, &mut throttle).await
            }
        };
        let status = if matches!(reply.content, Content::Reset) {
            0
        } else {
            reply.status.as_u16()
        };
        self.journal.count(parts.method.as_str(), counted, status);
        tracing::debug!(method = %parts.method, operation = %counted, status, "request");
        headers::finish(reply, self, sequence, counted, &target, throttle).into_response()
    }

    /// Goes through sign-in, throttling and faults to the handler.
    async fn answer(&self, mut call: Call<'_>, throttle: &mut Option<u32>) -> Reply {
        if matches!(call.operation, Operation::SignIn | Operation::Endpoints) {
            call.faults = self.strike(&call);
            if let Some(reply) = distort::instead(&call, self).await {
                return reply;
            }
            return distort::afterwards(&call, authority::answer(&call, self));
        }
        let header = call.headers.get(AUTHORIZATION);
        let header = header.and_then(|value| value.to_str().ok());
        match token::authenticate(header, self.clock.unix()) {
            Ok(principal) => call.principal = principal,
            Err(refusal) => return refuse::token(refusal, call.base),
        }
        if let Some(reply) = refuse::tenant(&call, self) {
            return reply;
        }
        if let Some(reply) = refuse::throttled(&call, self, throttle) {
            return reply;
        }
        call.faults = self.strike(&call);
        let reply = match distort::instead(&call, self).await {
            Some(reply) => reply,
            None => match refuse::version(&call, self) {
                Some(reply) => reply,
                None if call.operation.is_write() => write::answer(&call, self),
                None => read::answer(&call, self),
            },
        };
        if call.operation.is_write() {
            write::journal(&call, self, &reply);
        }
        distort::afterwards(&call, reply)
    }

    fn place<'a>(&self, target: &Target<'a>) -> Place<'a> {
        let Target::Subscription(id, part) = *target else {
            return Place::default();
        };
        let Some((subscription, _)) = self.estate.subscription(id) else {
            return Place::default();
        };
        let (group, server) = match part {
            SubscriptionPart::ResourceGroup(group)
            | SubscriptionPart::Servers(Some(group), _)
            | SubscriptionPart::Locks(Some(group))
            | SubscriptionPart::Policies(Some(group)) => (Some(group), None),
            SubscriptionPart::Server(group, kind, name, _) => (
                Some(group),
                self.estate
                    .server(subscription, group, kind, name)
                    .map(|(index, _)| index),
            ),
            SubscriptionPart::AsyncOperation(name) | SubscriptionPart::OperationResult(name) => {
                (None, self.operations().server_of(name))
            }
            _ => (None, None),
        };
        Place {
            subscription: Some(subscription),
            group,
            server,
        }
    }

    fn strike(&self, call: &Call<'_>) -> Vec<crate::fault::Fault> {
        let mut rules = self.rules();
        if rules.is_empty() {
            return Vec::new();
        }
        rules.strike(call.operation, call.place)
    }

    /// A token for `tenant`, and its end in seconds since 1970.
    pub(crate) fn issue(&self, tenant: &str, client: &str, audience: &str) -> (String, i64) {
        let now = self.clock.unix();
        let lifetime = i64::try_from(self.scenario.token_lifetime.as_secs()).unwrap_or(i64::MAX);
        (
            token::issue(tenant, client, audience, now, lifetime),
            now.saturating_add(lifetime),
        )
    }

    /// Takes a request out of its bucket; `None` when nothing is throttled.
    pub(crate) fn take(&self, call: &Call<'_>) -> Option<Verdict> {
        let throttle = self.scenario.throttle?;
        let write = call.operation.is_write();
        let rate = if write {
            throttle.writes
        } else {
            throttle.reads
        };
        let key = (
            call.place.subscription,
            call.principal.object.clone(),
            write,
        );
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        Some(buckets.take(key, rate, Instant::now()))
    }

    /// Counts a Resource Graph query of `principal`; `None` when there is no quota.
    pub(crate) fn graph_window(&self, principal: &str) -> Option<(bool, u32, Duration)> {
        let quota = self.scenario.graph_quota?;
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        Some(windows.take(principal, quota, Instant::now()))
    }

    pub(crate) fn rules(&self) -> MutexGuard<'_, Rules> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn operations(&self) -> MutexGuard<'_, Operations> {
        self.operations
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_an_answer() {
        let answer = shielded(async { panic!("on purpose") }).await;
        assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
    }
}
