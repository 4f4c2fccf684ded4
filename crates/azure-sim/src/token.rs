//! The simulated authority: what Entra ID does for a service principal or a managed identity.
//!
//! Tokens are JSON Web Tokens without a signature (RFC 7519 section 6). They prove nothing; they only carry tenant,
//! principal, audience and lifetime so that a client can be told that it holds the wrong one.

use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use crate::json::{put, quoted};
use crate::random::Guid;
use crate::reply::{Content, Reply};

/// The client id in [`environment`](crate::environment); the authority takes any other as well.
pub const CLIENT_ID: &str = "11111111-1111-4111-8111-111111111111";

/// What the application is called, whichever client id it has.
pub(crate) const APP_NAME: &str = "simulated-app";

/// The longest token that is looked at, in bytes.
const MAX_TOKEN: usize = 16 * 1_024;

/// The hosts of ARM in the clouds, as audiences.
const AUDIENCES: &[&str] = &[
    "management.azure.com",
    "management.core.windows.net",
    "management.usgovcloudapi.net",
    "management.core.usgovcloudapi.net",
    "management.chinacloudapi.cn",
    "management.core.chinacloudapi.cn",
    "management.sovcloud-api.fr",
];

/// Who a token stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Principal {
    /// The tenant's id.
    pub(crate) tenant: String,
    /// The object id.
    pub(crate) object: String,
    /// The application id; empty where the token has none.
    pub(crate) app: String,
}

/// Why a token was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// None was sent, or it is not a token of ours.
    Invalid,
    /// It is for another audience.
    Audience,
    /// It was good once.
    Expired,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
}

#[derive(Deserialize)]
struct Claims {
    aud: String,
    iss: String,
    exp: i64,
    tid: String,
    oid: String,
    #[serde(default)]
    appid: String,
}

/// A token for `client` in `tenant`, good for `audience` until `now + lifetime`, all times in seconds since 1970.
pub(crate) fn issue(tenant: &str, client: &str, audience: &str, now: i64, lifetime: i64) -> String {
    let mut claims = String::with_capacity(400);
    put!(
        &mut claims,
        r#"{{"aud":{},"iss":{},"iat":{now},"nbf":{now},"exp":{},"appid":{client},"app_displayname":{},"azp":{client},"idtyp":"app","oid":"{object}","sub":"{object}","tid":{},"ver":"2.0"}}"#,
        quoted(audience),
        quoted(&format!("https://sts.simulated.invalid/{tenant}/v2.0")),
        now.saturating_add(lifetime),
        quoted(APP_NAME),
        quoted(tenant),
        client = quoted(client),
        object = object_id(client),
    );
    format!("{}.{}.", URL_SAFE_NO_PAD.encode(r#"{"typ":"JWT","alg":"none"}"#), URL_SAFE_NO_PAD.encode(claims))
}

/// The object id of a client: different clients have different ones.
fn object_id(client: &str) -> Guid {
    let salt = client.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte.to_ascii_lowercase())).wrapping_mul(0x0100_0000_01b3)
    });
    Guid::numbered(salt, 0)
}

/// Who sent the request to ARM, by the value of its `Authorization` header.
pub(crate) fn authenticate(header: Option<&str>, now: i64) -> Result<Principal, Refusal> {
    authenticate_for(header, now, arm_audience)
}

/// Who sent the request to a service whose audiences `is_audience` knows.
pub(crate) fn authenticate_for(
    header: Option<&str>,
    now: i64,
    is_audience: fn(&str) -> bool,
) -> Result<Principal, Refusal> {
    let claims = header
        .filter(|value| value.len() <= MAX_TOKEN)
        .and_then(|value| {
            let (scheme, token) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
        })
        .and_then(claims)
        .ok_or(Refusal::Invalid)?;
    if !is_audience(&claims.aud) {
        return Err(Refusal::Audience);
    }
    if claims.exp <= now {
        return Err(Refusal::Expired);
    }
    Ok(Principal { tenant: claims.tid, object: claims.oid, app: claims.appid })
}

fn claims(token: &str) -> Option<Claims> {
    let mut parts = token.split('.');
    let (header, payload, signature) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || !signature.is_empty() {
        return None;
    }
    let header: Header = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).ok()?).ok()?;
    let claims: Claims = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
    let ours = claims.iss == format!("https://sts.simulated.invalid/{}/v2.0", claims.tid);
    (header.alg == "none" && ours).then_some(claims)
}

/// Whether a token for `audience` is for ARM: one of the clouds, or an ARM on this machine.
fn arm_audience(audience: &str) -> bool {
    let Some(rest) = audience.strip_prefix("https://") else {
        return false;
    };
    let host = rest.split('/').next().unwrap_or_default();
    let name = host.split(':').next().unwrap_or_default();
    AUDIENCES.contains(&host) || name == "localhost" || name == "127.0.0.1"
}

/// Whether a token for `audience` is for the query API of Log Analytics: that of the public cloud, or one on this
/// machine.
pub(crate) fn log_analytics_audience(audience: &str) -> bool {
    let name = audience.strip_prefix("https://").and_then(|rest| rest.split([':', '/']).next());
    matches!(name, Some("api.loganalytics.io" | "localhost" | "127.0.0.1"))
}

/// Whether a token for `audience` is for logging in to databases, in any of the clouds.
pub(crate) fn database_audience(audience: &str) -> bool {
    let host = audience.strip_prefix("https://").map(|rest| rest.trim_end_matches('/'));
    let suffix = host.and_then(|host| host.strip_prefix("ossrdbms-aad.database."));
    matches!(suffix, Some("windows.net" | "usgovcloudapi.net" | "chinacloudapi.cn"))
}

/// The audience that a `scope` parameter of the version 2 protocol asks for: all before `/.default`.
pub(crate) fn audience_of_scope(scope: &str) -> Option<&str> {
    scope.split(' ').find_map(|scope| scope.strip_suffix("/.default")).filter(|audience| !audience.is_empty())
}

/// The OpenID configuration of `tenant` under `base`.
pub(crate) fn openid_configuration(base: &str, tenant: &str) -> Reply {
    let mut body = String::new();
    let root = quoted(&format!("{base}/{tenant}"));
    let root = root.trim_matches('"');
    put!(
        &mut body,
        r#"{{"issuer":"{root}/v2.0","authorization_endpoint":"{root}/oauth2/v2.0/authorize","token_endpoint":"{root}/oauth2/v2.0/token","device_authorization_endpoint":"{root}/oauth2/v2.0/devicecode","jwks_uri":"{root}/discovery/v2.0/keys","response_types_supported":["code","id_token"],"subject_types_supported":["pairwise"],"id_token_signing_alg_values_supported":["RS256"],"token_endpoint_auth_methods_supported":["client_secret_post","private_key_jwt"],"tenant_region_scope":"SIM","cloud_instance_name":"simulated"}}"#
    );
    Reply::json(body)
}

/// An error of the authority. `description` must hold nothing that JSON escapes: a client borrows it from the body.
pub(crate) fn refuse(status: StatusCode, error: &str, code: u32, description: &str) -> Reply {
    let mut body = String::new();
    put!(
        &mut body,
        r#"{{"error":"{error}","error_description":{},"error_codes":[{code}],"timestamp":"simulated","trace_id":"{}","correlation_id":"{}"}}"#,
        quoted(&format!("AADSTS{code}: {description}")),
        Guid::numbered(1, u64::from(code)),
        Guid::numbered(2, u64::from(code)),
    );
    Reply::with(status, Content::Json(body))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_700_000_000;
    const TENANT: &str = "10000000-0000-4000-8000-000000000001";

    fn token(audience: &str) -> String {
        format!("Bearer {}", issue(TENANT, CLIENT_ID, audience, NOW, 60))
    }

    #[test]
    fn our_tokens_are_taken_until_they_expire() {
        let token = token("https://management.azure.com/");
        let principal = authenticate(Some(&token), NOW + 59).unwrap();
        assert_eq!(principal.tenant, TENANT);
        assert_eq!(principal.object.len(), 36);
        assert_eq!(authenticate(Some(&token), NOW + 60), Err(Refusal::Expired));
    }

    #[test]
    fn audiences_of_every_cloud_and_of_this_machine_are_taken() {
        for audience in [
            "https://management.core.windows.net//",
            "https://management.usgovcloudapi.net",
            "https://localhost:18443/",
            "https://127.0.0.1:1",
        ] {
            assert!(authenticate(Some(&token(audience)), NOW).is_ok(), "{audience}");
        }
        for audience in ["https://graph.microsoft.com", "http://localhost", "https://localhost.evil.invalid"] {
            assert_eq!(authenticate(Some(&token(audience)), NOW), Err(Refusal::Audience), "{audience}");
        }
    }

    #[test]
    fn what_is_not_a_token_of_ours_is_refused() {
        let good = token("https://management.azure.com");
        let signed = format!("{good}c2lnbmVk");
        let foreign = format!(
            "Bearer {}.{}.",
            URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#),
            URL_SAFE_NO_PAD.encode(
                r#"{"aud":"https://management.azure.com","iss":"https://elsewhere","exp":9999999999,"tid":"t","oid":"o"}"#
            )
        );
        let long = format!("Bearer {}", "a".repeat(MAX_TOKEN));
        for header in [
            None,
            Some(""),
            Some("Bearer"),
            Some("Bearer "),
            Some("Basic abc"),
            Some("Bearer a.b"),
            Some("Bearer a.b.c.d"),
            Some(signed.as_str()),
            Some(foreign.as_str()),
            Some(long.as_str()),
        ] {
            assert_eq!(authenticate(header, NOW), Err(Refusal::Invalid), "{header:?}");
        }
    }

    #[test]
    fn scopes_name_an_audience() {
        assert_eq!(
            audience_of_scope("https://management.core.windows.net//.default"),
            Some("https://management.core.windows.net/")
        );
        assert_eq!(audience_of_scope("openid https://a/.default offline_access"), Some("https://a"));
        assert_eq!(audience_of_scope("openid"), None);
    }

    #[test]
    fn principals_differ_by_client() {
        assert_ne!(object_id("a"), object_id("b"));
        assert_eq!(object_id("A"), object_id("a"));
    }
}
