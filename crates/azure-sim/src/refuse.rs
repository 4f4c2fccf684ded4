//! What ARM refuses before it looks at a resource: tokens, tenants, rates, versions.

use axum::http::StatusCode;

use crate::call::Call;
use crate::fleet::Kind;
use crate::operation::Operation;
use crate::path::{SubscriptionPart, Target};
use crate::reply::{self, Reply};
use crate::state::AzureState;
use crate::throttle::Verdict;
use crate::token::Refusal;

/// 401 for a token that cannot be used.
pub(crate) fn token(refusal: Refusal, base: &str) -> Reply {
    let (code, message) = match refusal {
        Refusal::Invalid => {
            ("InvalidAuthenticationToken", "The access token is missing or is not one of the simulated authority.")
        }
        Refusal::Audience => (
            "InvalidAuthenticationTokenAudience",
            "The access token has been obtained for a resource other than Azure Resource Manager.",
        ),
        Refusal::Expired => ("ExpiredAuthenticationToken", "The access token expiry is earlier than the current time."),
    };
    let challenge = format!("Bearer authorization_uri=\"{base}/common\", error=\"invalid_token\"");
    Reply::gateway(StatusCode::UNAUTHORIZED, code, message).header("www-authenticate", &challenge)
}

/// Refuses a tenant that does not exist, and one that does not own the subscription, whose owner is then named.
pub(crate) fn tenant(call: &Call<'_>, simulation: &AzureState) -> Option<Reply> {
    let estate = &simulation.estate;
    let Some((own, _)) = estate.tenant(&call.principal.tenant) else {
        return Some(token(Refusal::Invalid, call.base));
    };
    let Target::Subscription(id, _) = call.target else {
        return None;
    };
    let Some((_, subscription)) = estate.subscription(id) else {
        return Some(reply::subscription_not_found(id));
    };
    if subscription.tenant as usize == own {
        return None;
    }
    let owner = estate.tenants.get(subscription.tenant as usize)?;
    let right = format!("{}/{}", call.base, owner.id);
    let message = format!(
        "The access token is from the wrong issuer '{}/{}'. It must match the tenant '{right}' associated with this \
         subscription. Please use the authority (URL) '{right}' to get the token.",
        call.base, call.principal.tenant
    );
    let challenge = format!(
        "Bearer authorization_uri=\"{right}\", error=\"invalid_token\", error_description=\"The authentication failed \
         because of missing 'Authorization' header or wrong tenant.\""
    );
    Some(
        Reply::gateway(StatusCode::UNAUTHORIZED, "InvalidAuthenticationTokenTenant", &message)
            .header("www-authenticate", &challenge),
    )
}

/// 429 when the bucket is empty; else notes in `remaining` what is left.
pub(crate) fn throttled(call: &Call<'_>, simulation: &AzureState, remaining: &mut Option<u32>) -> Option<Reply> {
    match simulation.take(call)? {
        Verdict::Allowed { remaining: left } => {
            *remaining = Some(left);
            None
        }
        Verdict::Refused { retry_after } => {
            *remaining = Some(0);
            let told = simulation.scenario.throttle.is_some_and(|throttle| throttle.retry_after);
            Some(too_many(call, told.then_some(retry_after), retry_after))
        }
    }
}

/// The 429 itself. `seconds` stands in the message even when the header is left out.
pub(crate) fn too_many(call: &Call<'_>, header: Option<u64>, seconds: u64) -> Reply {
    let (code, of) = match call.target {
        Target::Subscription(..) => ("SubscriptionRequestsThrottled", "subscription"),
        _ => ("TenantRequestsThrottled", "tenant"),
    };
    let reply = Reply::gateway(
        StatusCode::TOO_MANY_REQUESTS,
        code,
        &format!(
            "Number of requests for {of} and operation '{}' exceeded the limit. Please try again after '{seconds}' \
             seconds.",
            call.operation
        ),
    );
    match header {
        Some(seconds) => reply.header("retry-after", &seconds.to_string()),
        None => reply,
    }
}

/// 400 for an api-version that is missing or that the type does not have.
pub(crate) fn version(call: &Call<'_>, simulation: &AzureState) -> Option<Reply> {
    if call.operation == Operation::Unknown {
        return None;
    }
    let Some(version) = call.parameter("api-version").filter(|version| !version.is_empty()) else {
        return Some(Reply::gateway(
            StatusCode::BAD_REQUEST,
            "MissingApiVersionParameter",
            "The api-version query parameter (?api-version=) is required for all requests.",
        ));
    };
    if matches!(
        call.operation,
        Operation::ListLocks
            | Operation::ListPolicies
            | Operation::GetPolicyDefinition
            | Operation::ListPermissions
            | Operation::ListActivity
    ) {
        // These belong to Microsoft.Authorization and Microsoft.Insights, whose versions are their own.
        return None;
    }
    let kind = call.kind()?;
    let supported = match (kind, &simulation.scenario.flexible_versions) {
        (Kind::Flexible, Some(versions)) => {
            if versions.iter().any(|known| known.eq_ignore_ascii_case(&version)) {
                return None;
            }
            versions.join(", ")
        }
        (kind, _) => {
            let (oldest, supported) = known_versions(kind);
            if dated(&version).is_some_and(|date| date >= oldest) {
                return None;
            }
            supported.to_owned()
        }
    };
    let location = match call.target {
        Target::Subscription(_, SubscriptionPart::Server(..)) => "westeurope",
        _ => "",
    };
    Some(Reply::gateway(
        StatusCode::BAD_REQUEST,
        "NoRegisteredProviderFound",
        &format!(
            "No registered resource provider found for location '{location}' and API version '{version}' for type '{}'. \
             The supported api-versions are '{supported}'. The supported locations are 'westeurope, northeurope'.",
            kind.type_segment()
        ),
    ))
}

/// The oldest date that a type accepts, and what it says it supports.
fn known_versions(kind: Kind) -> (&'static str, &'static str) {
    match kind {
        Kind::Flexible => ("2020-01-01", FLEXIBLE_VERSIONS_TEXT),
        Kind::Single => ("2017-01-01", "2017-12-01"),
        Kind::Cosmos => ("2020-01-01", "2022-11-08, 2023-03-02-preview"),
        Kind::Horizon | Kind::ParameterGroup => ("2026-01-01", "2026-01-20-preview, 2026-05-01-preview"),
    }
}

/// The versions that a flexible server says it has when any is accepted.
pub(crate) const FLEXIBLE_VERSIONS: &[&str] =
    &["2021-06-01", "2022-12-01", "2024-08-01", "2025-08-01", "2026-04-01-preview"];
const FLEXIBLE_VERSIONS_TEXT: &str = "2021-06-01, 2022-12-01, 2024-08-01, 2025-08-01, 2026-04-01-preview";

/// The date that an api-version starts with.
fn dated(version: &str) -> Option<&str> {
    let date = version.get(..10)?;
    let form = date.bytes().enumerate().all(|(index, byte)| match index {
        4 | 7 => byte == b'-',
        _ => byte.is_ascii_digit(),
    });
    let tail = version.get(10..).unwrap_or_default();
    (form && (tail.is_empty() || tail.starts_with('-'))).then_some(date)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_start_with_a_date() {
        assert_eq!(dated("2025-08-01"), Some("2025-08-01"));
        assert_eq!(dated("2026-04-01-preview"), Some("2026-04-01"));
        for version in ["", "2025", "latest-xxxx", "2025-08-011", "2025/08/01"] {
            assert_eq!(dated(version), None, "{version}");
        }
        assert_eq!(FLEXIBLE_VERSIONS.join(", "), FLEXIBLE_VERSIONS_TEXT);
    }
}
