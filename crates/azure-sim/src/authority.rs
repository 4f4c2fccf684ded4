//! Signing in: the endpoints of the simulated authority.

use axum::http::StatusCode;
use axum::http::header::AUTHORIZATION;

use crate::call::{Call, parameter};
use crate::json::{put, quoted};
use crate::path::Target;
use crate::render;
use crate::reply::{self, Reply};
use crate::state::AzureState;
use crate::token;

/// Answers what needs no token.
pub(crate) fn answer(call: &Call<'_>, simulation: &AzureState) -> Reply {
    match call.target {
        Target::OpenId(tenant) => openid(call, simulation, tenant),
        Target::Token(tenant) => grant(call, simulation, tenant),
        Target::ManagedIdentity => managed_identity(call, simulation),
        Target::PipelineIdentity => pipeline_identity(call, simulation),
        Target::Endpoints => endpoints(call),
        _ => reply::no_such_path(),
    }
}

fn openid(call: &Call<'_>, simulation: &AzureState, tenant: &str) -> Reply {
    let shared = ["common", "organizations"].iter().any(|name| tenant.eq_ignore_ascii_case(name));
    match simulation.estate.tenant(tenant) {
        Some((_, record)) => token::openid_configuration(call.base, &record.id),
        None if shared => token::openid_configuration(call.base, "{tenantid}"),
        None => unknown_tenant(tenant),
    }
}

fn unknown_tenant(tenant: &str) -> Reply {
    // What comes from the path must not bring anything that JSON would have to escape.
    let shown: String = tenant.chars().filter(|c| c.is_ascii_alphanumeric() || "-.".contains(*c)).take(64).collect();
    token::refuse(
        StatusCode::BAD_REQUEST,
        "invalid_request",
        90_002,
        &format!("Tenant '{shown}' not found in the simulated directory."),
    )
}

/// The client credentials grant, by secret or by assertion.
fn grant(call: &Call<'_>, simulation: &AzureState, tenant: &str) -> Reply {
    let Some((_, record)) = simulation.estate.tenant(tenant) else {
        return unknown_tenant(tenant);
    };
    let form = std::str::from_utf8(call.body).unwrap_or_default();
    let field = |name: &str| parameter(form, name).filter(|value| !value.is_empty());
    if field("grant_type").as_deref() != Some("client_credentials") {
        return token::refuse(
            StatusCode::BAD_REQUEST,
            "unsupported_grant_type",
            70_003,
            "The simulated authority knows the client_credentials grant only.",
        );
    }
    let Some(client) = field("client_id") else {
        return token::refuse(
            StatusCode::BAD_REQUEST,
            "invalid_request",
            900_144,
            "The request body must contain the parameter 'client_id'.",
        );
    };
    // An assertion is taken on trust: there is no party that could have signed it.
    let proven = match (field("client_secret"), field("client_assertion")) {
        (Some(secret), _) => *secret == simulation.scenario.client_secret,
        (None, Some(_)) => true,
        (None, None) => false,
    };
    if !proven {
        return token::refuse(
            StatusCode::UNAUTHORIZED,
            "invalid_client",
            7_000_215,
            "Invalid client secret provided. The simulated authority expects the secret of its scenario.",
        );
    }
    let scope = field("scope");
    let Some(audience) = scope.as_deref().and_then(token::audience_of_scope) else {
        return token::refuse(
            StatusCode::BAD_REQUEST,
            "invalid_scope",
            70_011,
            "The provided value for the input parameter 'scope' is not valid.",
        );
    };
    let (issued, _) = simulation.issue(&record.id, &client, audience);
    let lifetime = simulation.scenario.token_lifetime.as_secs();
    let mut body = String::with_capacity(issued.len() + 128);
    put!(
        &mut body,
        r#"{{"token_type":"Bearer","expires_in":{lifetime},"ext_expires_in":{lifetime},"access_token":"{issued}"}}"#
    );
    Reply::json(body)
}

/// The App Service form of managed identity (api-version 2019-08-01): the header proves that the caller is inside.
fn managed_identity(call: &Call<'_>, simulation: &AzureState) -> Reply {
    let inside = call.headers.get("x-identity-header").is_some_and(|value| !value.is_empty());
    if !inside {
        return Reply::error(
            StatusCode::UNAUTHORIZED,
            "InvalidIdentityHeader",
            "The header X-IDENTITY-HEADER is missing.",
        );
    }
    let Some(resource) = call.parameter("resource").filter(|value| !value.is_empty()) else {
        return reply::bad_request("The query parameter 'resource' is missing.");
    };
    let Some(tenant) = simulation.estate.tenants.first() else {
        return unknown_tenant("none");
    };
    let client = call.parameter("client_id");
    let client = client.as_deref().unwrap_or(token::CLIENT_ID);
    let (issued, expires) = simulation.issue(&tenant.id, client, &resource);
    let mut body = String::with_capacity(issued.len() + 256);
    put!(
        &mut body,
        r#"{{"access_token":"{issued}","client_id":{},"expires_on":"{expires}","resource":{},"token_type":"Bearer"}}"#,
        quoted(client),
        quoted(&resource)
    );
    Reply::json(body)
}

/// The token that a pipeline trades for an Azure one.
fn pipeline_identity(call: &Call<'_>, simulation: &AzureState) -> Reply {
    if !call.headers.contains_key(AUTHORIZATION) {
        return Reply::error(StatusCode::UNAUTHORIZED, "Unauthorized", "The system access token is missing.");
    }
    let Some(tenant) = simulation.estate.tenants.first() else {
        return unknown_tenant("none");
    };
    let (issued, _) = simulation.issue(&tenant.id, token::CLIENT_ID, "api://AzureADTokenExchange");
    Reply::json(format!(r#"{{"oidcToken":"{issued}"}}"#))
}

/// Versions up to 2019-05-01 gave a list of clouds, later ones the one cloud that was asked.
fn endpoints(call: &Call<'_>) -> Reply {
    let mut body = String::new();
    render::endpoints(&mut body, call.base);
    let old = call.parameter("api-version").is_some_and(|version| &*version > "2018" && &*version < "2020");
    Reply::json(if old { format!("[{body}]") } else { body })
}
