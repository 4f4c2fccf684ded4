//! The path of a request: sign-in, tenant, rate, faults, handler, headers, counters.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::Ordering;
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::header::AUTHORIZATION;
use axum::http::{Method, Response, StatusCode};
use futures::FutureExt as _;
use tokio::time::Instant;

use super::Inner;
use crate::call::{self, Call};
use crate::fault::{Place, Rules};
use crate::long_running::Operations;
use crate::operation::Operation;
use crate::path::{self, SubscriptionPart, Target};
use crate::reply::{Content, Reply};
use crate::throttle::Verdict;
use crate::token::{self, Principal};
use crate::{authority, distort, headers, log_analytics, logs, read, refuse, write};

/// The longest body that is read, in bytes.
const MAX_BODY: usize = 1 << 20;

/// The answer of a handler. A panic in it becomes a 500 and harms no other request.
pub(super) async fn shielded(handler: impl Future<Output = Response<Body>>) -> Response<Body> {
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
    pub(super) async fn handle(&self, request: Request) -> Response<Body> {
        let (parts, body) = request.into_parts();
        if !self.scenario.latency.is_zero() {
            tokio::time::sleep(self.scenario.latency).await;
        }
        if let Err(error) = self.follow_world() {
            tracing::warn!(%error, "the simulated world cannot be read");
        }
        let decoded = path::decode(parts.uri.path());
        let target = path::parse(&decoded);
        let operation = call::operation(&parts.method, &target);
        let body = if parts.method == Method::GET { Ok(bytes::Bytes::new()) } else { to_bytes(body, MAX_BODY).await };
        let sequence = self.sequence.fetch_add(1, Ordering::Relaxed);
        let counted = operation.unwrap_or(Operation::Unknown);
        let mut throttle = None;
        let reply = match (call::base(&parts), body, operation) {
            (None, ..) => Reply::gateway(StatusCode::BAD_REQUEST, "InvalidHostHeader", "The request names no host."),
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
                    principal: Principal { tenant: String::new(), object: String::new() },
                    faults: Vec::new(),
                };
                self.answer(call, &mut throttle).await
            }
        };
        let status = if matches!(reply.content, Content::Reset | Content::Refused) { 0 } else { reply.status.as_u16() };
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
        if let Target::LogFile(server, file) = call.target {
            return logs::download(&call, self, server, file);
        }
        let header = call.headers.get(AUTHORIZATION);
        let header = header.and_then(|value| value.to_str().ok());
        if let Target::LogAnalytics(workspace) = call.target {
            if let Err(refusal) = token::authenticate_for(header, self.clock.unix(), token::log_analytics_audience) {
                return refuse::token(refusal, call.base);
            }
            return log_analytics::answer(&call, self, workspace);
        }
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

    /// Applies what other processes wrote to the world that is shared with them.
    pub(crate) fn follow_world(&self) -> std::io::Result<()> {
        self.world.as_ref().map_or(Ok(()), |world| world.follow(&self.estate, self.clock.now()))
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
            SubscriptionPart::Server(group, kind, name, _) => {
                (Some(group), self.estate.server(subscription, group, kind, name).map(|(index, _)| index))
            }
            SubscriptionPart::AsyncOperation(name) | SubscriptionPart::OperationResult(name) => {
                (None, self.operations().server_of(name))
            }
            _ => (None, None),
        };
        Place { subscription: Some(subscription), group, server }
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
        (token::issue(tenant, client, audience, now, lifetime), now.saturating_add(lifetime))
    }

    /// Takes a request out of its bucket; `None` when nothing is throttled.
    pub(crate) fn take(&self, call: &Call<'_>) -> Option<Verdict> {
        let throttle = self.scenario.throttle?;
        let write = call.operation.is_write();
        let rate = if write { throttle.writes } else { throttle.reads };
        let key = (call.place.subscription, call.principal.object.clone(), write);
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
        self.operations.lock().unwrap_or_else(PoisonError::into_inner)
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
