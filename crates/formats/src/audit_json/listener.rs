//! What was seen on the wire, as it stands in the audit's JSON.

use hostssl_model as model;
#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::Serialize;

/// One observation of one listener.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase")]
pub(super) struct Look<'a> {
    /// 5432, or 6432 of a pooler.
    port: u16,
    /// The address that was probed; null if none was found.
    address: Option<&'a str>,
    /// RFC 3339.
    observed_at: &'a str,
    /// What it does with clients in plaintext; null when that could not be checked.
    verdict: Option<Verdict>,
    /// Why it could not be checked: a stable word, as in `gaps`. Null if it was checked.
    reason: Option<&'static str>,
    /// The reason for the verdict, or for its absence, in one line of text.
    detail: &'a str,
    /// The versions that it was asked about, the oldest first. Empty when none was.
    versions: Vec<Version>,
    /// Its certificate; null if none was received.
    certificate: Option<Certificate<'a>>,
    /// The zone where it was taken; absent if the audit took it itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    zone: Option<&'a str>,
    /// The prober that took it; absent if the audit took it itself, or if it was carried here in a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    prober: Option<&'a str>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
enum Verdict {
    /// Clients in plaintext are refused, and clients with TLS are accepted.
    Enforced,
    /// Clients in plaintext are accepted, and TLS is offered.
    Optional,
    /// Clients in plaintext are accepted, and TLS is not offered.
    PlaintextOnly,
    /// It offers TLS, and then no handshake is possible or safe.
    BrokenTls,
    /// It answers, but not conclusively.
    Inconclusive,
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase")]
struct Version {
    /// `SSLv3`, `TLSv1`, `TLSv1.1`, `TLSv1.2` or `TLSv1.3`.
    version: &'static str,
    support: Support,
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
enum Support {
    Accepted,
    Refused,
    Unknown,
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase")]
struct Certificate<'a> {
    /// Whether libpq's `sslmode=verify-full` accepts it; null if that could not be judged.
    verify_full: Option<bool>,
    /// Why not, or what decided.
    reason: Option<&'a str>,
    /// RFC 3339.
    not_after: Option<&'a str>,
    /// Whole days until it expires; negative once it has expired.
    days_left: Option<i64>,
    /// The root in which its chain ends, RFC 4514.
    root: Option<&'a str>,
}

impl<'a> From<&'a model::WireObservation> for Look<'a> {
    fn from(look: &'a model::WireObservation) -> Self {
        let (seen, unchecked) = match &look.listener {
            model::Reading::Known(listener) => (Some(listener), None),
            model::Reading::Unknown(unchecked) => (None, Some(unchecked)),
        };
        Self {
            port: look.port,
            address: look.address.as_deref(),
            observed_at: &look.observed_at,
            verdict: seen.map(|listener| match listener.transport {
                model::WireTransport::Enforced => Verdict::Enforced,
                model::WireTransport::Optional => Verdict::Optional,
                model::WireTransport::PlaintextOnly => Verdict::PlaintextOnly,
                model::WireTransport::BrokenTls => Verdict::BrokenTls,
                model::WireTransport::Inconclusive => Verdict::Inconclusive,
            }),
            reason: unchecked.map(|unchecked| unchecked.reason.as_str()),
            detail: seen
                .map(|listener| listener.why.as_ref())
                .or(unchecked.map(|b| b.detail.as_ref()))
                .unwrap_or_default(),
            versions: seen.iter().flat_map(|listener| &listener.versions).map(Version::from).collect(),
            certificate: seen.and_then(|listener| listener.certificate.as_ref()).map(Certificate::from),
            zone: look.vantage.as_ref().map(|vantage| &*vantage.zone),
            prober: look.vantage.as_ref().and_then(|vantage| vantage.prober.as_deref()),
        }
    }
}

impl From<&(model::WireVersion, model::Acceptance)> for Version {
    fn from((version, seen): &(model::WireVersion, model::Acceptance)) -> Self {
        Self {
            version: match version {
                model::WireVersion::Ssl3 => "SSLv3",
                model::WireVersion::Tls(version) => version.as_postgresql(),
            },
            support: match seen {
                model::Acceptance::Accepted => Support::Accepted,
                model::Acceptance::Refused => Support::Refused,
                model::Acceptance::Unknown => Support::Unknown,
            },
        }
    }
}

impl<'a> From<&'a model::WireCertificate> for Certificate<'a> {
    fn from(certificate: &'a model::WireCertificate) -> Self {
        Self {
            verify_full: certificate.verify_full,
            reason: certificate.reason.as_deref(),
            not_after: certificate.not_after.as_deref(),
            days_left: certificate.days_left,
            root: certificate.root.as_deref(),
        }
    }
}
