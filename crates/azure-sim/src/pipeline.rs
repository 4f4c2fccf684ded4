//! The path of a request: sign-in, tenant, rate, faults, handler, headers, counters.

use std::panic::AssertUnwindSafe;

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::header::AUTHORIZATION;
use axum::http::{Method, Response, StatusCode};
use futures::FutureExt as _;

use crate::call::{self, Call};
use crate::fault::Place;
use crate::operation::Operation;
use crate::path::{self, SubscriptionPart, Target};
use crate::reply::{Content, Reply};
use crate::state::AzureState;
use crate::token::{self, Principal};
use crate::{activity, authority, distort, headers, log_analytics, logs, read, refuse, write};

/// The longest body that is read, in bytes.
const MAX_BODY: usize = 1 << 20;

/// The answer of a handler. A panic in it becomes a 500 and harms no other request.
pub(crate) async fn shielded(handler: impl Future<Output = Response<Body>>) -> Response<Body> {
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

/// Answers a request.
pub(crate) async fn handle(state: &AzureState, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    if !state.scenario.latency.is_zero() {
        tokio::time::sleep(state.scenario.latency).await;
    }
    if let Err(error) = state.follow_world() {
        tracing::warn!(%error, "the simulated world cannot be read");
    }
    let decoded = path::decode(parts.uri.path());
    let target = path::parse(&decoded);
    let operation = call::operation(&parts.method, &target);
    let body = if parts.method == Method::GET { Ok(bytes::Bytes::new()) } else { to_bytes(body, MAX_BODY).await };
    let sequence = state.next_sequence();
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
                place: place(state, &target),
                principal: Principal { tenant: String::new(), object: String::new(), app: String::new() },
                sequence,
                faults: Vec::new(),
            };
            answer(state, call, &mut throttle).await
        }
    };
    let status = if matches!(reply.content, Content::Reset | Content::Refused) { 0 } else { reply.status.as_u16() };
    state.journal.count(parts.method.as_str(), counted, status);
    tracing::debug!(method = %parts.method, operation = %counted, status, "request");
    headers::finish(reply, state, sequence, counted, &target, throttle).into_response()
}

/// Goes through sign-in, throttling and faults to the handler.
async fn answer(state: &AzureState, mut call: Call<'_>, throttle: &mut Option<u32>) -> Reply {
    if matches!(call.operation, Operation::SignIn | Operation::Endpoints) {
        call.faults = strike(state, &call);
        if let Some(reply) = distort::instead(&call, state).await {
            return reply;
        }
        return distort::afterwards(&call, authority::answer(&call, state));
    }
    if let Target::LogFile(server, file) = call.target {
        return logs::download(&call, state, server, file);
    }
    let header = call.headers.get(AUTHORIZATION);
    let header = header.and_then(|value| value.to_str().ok());
    if let Target::LogAnalytics(workspace) = call.target {
        if let Err(refusal) = token::authenticate_for(header, state.clock.unix(), token::log_analytics_audience) {
            return refuse::token(refusal, call.base);
        }
        return log_analytics::answer(&call, state, workspace);
    }
    match token::authenticate(header, state.clock.unix()) {
        Ok(principal) => call.principal = principal,
        Err(refusal) => return refuse::token(refusal, call.base),
    }
    if let Some(reply) = refuse::tenant(&call, state) {
        return reply;
    }
    if let Some(reply) = refuse::throttled(&call, state, throttle) {
        return reply;
    }
    call.faults = strike(state, &call);
    let reply = match distort::instead(&call, state).await {
        Some(reply) => reply,
        None => match refuse::version(&call, state) {
            Some(reply) => reply,
            None if call.operation.is_write() => {
                let reply = write::answer(&call, state);
                activity::record(&call, state, &reply);
                reply
            }
            None => read::answer(&call, state),
        },
    };
    if call.operation.is_write() {
        write::journal(&call, state, &reply);
    }
    distort::afterwards(&call, reply)
}

/// The subscription, the group and the server that a path is about.
fn place<'a>(state: &AzureState, target: &Target<'a>) -> Place<'a> {
    let Target::Subscription(id, part) = *target else {
        return Place::default();
    };
    let Some((subscription, _)) = state.estate.subscription(id) else {
        return Place::default();
    };
    let (group, server) = match part {
        SubscriptionPart::ResourceGroup(group)
        | SubscriptionPart::Servers(Some(group), _)
        | SubscriptionPart::Locks(Some(group))
        | SubscriptionPart::Policies(Some(group)) => (Some(group), None),
        SubscriptionPart::Server(group, kind, name, _) => {
            (Some(group), state.estate.server(subscription, group, kind, name).map(|(index, _)| index))
        }
        SubscriptionPart::AsyncOperation(name) | SubscriptionPart::OperationResult(name) => {
            (None, state.operations().server_of(name))
        }
        _ => (None, None),
    };
    Place { subscription: Some(subscription), group, server }
}

fn strike(state: &AzureState, call: &Call<'_>) -> Vec<crate::fault::Fault> {
    let mut rules = state.rules();
    if rules.is_empty() {
        return Vec::new();
    }
    rules.strike(call.operation, call.place)
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
