//! The headers that every answer of ARM carries.

use axum::http::header::HeaderValue;

use crate::operation::Operation;
use crate::path::Target;
use crate::random::Guid;
use crate::reply::Reply;
use crate::state::AzureState;

/// What is left of the buckets when nothing is throttled: the sizes that production showed in 2026, less one.
const READS_LEFT: u32 = 1_099;
const WRITES_LEFT: u32 = 799;
/// All principals together have so many times the bucket of one.
const GLOBAL_FACTOR: u32 = 15;

/// Adds identifiers and rate-limit headers. `remaining` is what the bucket had left after this request, if any.
pub(crate) fn finish(
    mut reply: Reply,
    simulation: &AzureState,
    sequence: u64,
    operation: Operation,
    target: &Target<'_>,
    remaining: Option<u32>,
) -> Reply {
    let request = Guid::numbered(0x5eed, sequence).to_string();
    let correlation = Guid::numbered(0xc0de, sequence).to_string();
    let routing = format!("SIMULATED:{}:{request}", simulation.clock.now().strftime("%Y%m%dT%H%M%SZ"));
    set(&mut reply, "x-ms-request-id", &request);
    set(&mut reply, "x-ms-correlation-request-id", &correlation);
    set(&mut reply, "x-ms-routing-request-id", &routing);
    for (name, value) in [
        ("cache-control", "no-cache"),
        ("pragma", "no-cache"),
        ("expires", "-1"),
        ("strict-transport-security", "max-age=31536000; includeSubDomains"),
        ("x-content-type-options", "nosniff"),
    ] {
        reply.headers.push((name, HeaderValue::from_static(value)));
    }
    let shown = simulation.scenario.throttle.is_none_or(|throttle| throttle.headers);
    if shown && !matches!(operation, Operation::SignIn | Operation::Endpoints) {
        remainders(&mut reply, operation, target, remaining);
    }
    reply
}

fn remainders(reply: &mut Reply, operation: Operation, target: &Target<'_>, remaining: Option<u32>) {
    let write = operation.is_write();
    let left = remaining.unwrap_or(if write { WRITES_LEFT } else { READS_LEFT });
    let (own, global) = match (matches!(target, Target::Subscription(..)), write) {
        (true, false) => {
            ("x-ms-ratelimit-remaining-subscription-reads", "x-ms-ratelimit-remaining-subscription-global-reads")
        }
        (true, true) => {
            ("x-ms-ratelimit-remaining-subscription-writes", "x-ms-ratelimit-remaining-subscription-global-writes")
        }
        (false, _) => ("x-ms-ratelimit-remaining-tenant-reads", "x-ms-ratelimit-remaining-tenant-global-reads"),
    };
    set(reply, own, &left.to_string());
    // The largest global bucket seen was the own bucket's size times the factor, less one.
    let all = left.saturating_add(1).saturating_mul(GLOBAL_FACTOR) - 1;
    set(reply, global, &all.to_string());
}

fn set(reply: &mut Reply, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        reply.headers.push((name, value));
    }
}
