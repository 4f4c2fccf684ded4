//! A server: what it is, its status, and what was found of it.

use super::listener::Look;
use super::waiver::Waiver;
use crate::earlier_look::instant;
use crate::standards::{remediation, requirements_of};
use hostssl_model as model;
#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::Serialize;

/// The status of one server, in the words of `summary.standings`.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
enum Standing {
    AcceptsPlaintext,
    NotEnforced,
    Unknown,
    Unproven,
    NotProbed,
    Proven,
}

impl From<model::Standing> for Standing {
    fn from(standing: model::Standing) -> Self {
        match standing {
            model::Standing::AcceptsPlaintext => Self::AcceptsPlaintext,
            model::Standing::NotEnforced => Self::NotEnforced,
            model::Standing::Unknown => Self::Unknown,
            model::Standing::Unproven => Self::Unproven,
            model::Standing::NotProbed => Self::NotProbed,
            model::Standing::Proven => Self::Proven,
        }
    }
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase")]
pub(crate) struct Server<'a> {
    /// The resource id, in Azure's spelling. Compare without case.
    id: &'a str,
    name: &'a str,
    resource_group: &'a str,
    subscription_id: String,
    /// Its display name, which need not be unique; absent where it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    subscription_name: Option<&'a str>,
    location: &'a str,
    kind: Kind,
    /// Azure's word; null where Azure did not say.
    state: Option<&'a str>,
    /// The name that clients connect to; null where Azure did not say.
    fqdn: Option<&'a str>,
    role: Role,
    /// Whether clients must use TLS, as declared.
    ssl_enforcement: SslEnforcement,
    /// `TLS1_0`, `TLS1_1`, `TLS1_2`, `TLS1_3` or `TLSEnforcementDisabled`; null if it could not be read.
    minimal_tls_version: Option<&'static str>,
    /// The settings whose declared value waits for a restart, so that it is not in effect; only when there is one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    waiting_for_restart: Vec<&'static str>,
    /// Its status, from what Azure declares and what the probes of this run observed.
    standing: Standing,
    /// Its status by all that was known when the audit ended; absent if that is no more than the run itself observed.
    #[serde(skip_serializing_if = "Option::is_none")]
    known: Option<Known>,
    /// The worst control: fail, then unknown, then pass.
    outcome: ServerOutcome,
    findings: Vec<Finding<'a>>,
    /// What a probe observed of its listeners; absent if the run did not probe.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    wire: Vec<Look<'a>>,
    /// From where it can be reached, as Azure declares it; absent where Azure did not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    network: Option<Network<'a>>,
}

/// What was known of a server beside what the run observed: the newest evidence of each kind stands, from earlier probes too.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase")]
struct Known {
    /// Its status.
    standing: Standing,
    /// What its worst listener does with clients without TLS by the newest looks; absent if no look counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    wire: Option<&'static str>,
    /// When the newest of the looks that accept plaintext was taken, or otherwise the oldest of all, in RFC 3339; absent if that was
    /// not kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    probed_at: Option<String>,
}

impl From<model::KnownStanding> for Known {
    fn from(known: model::KnownStanding) -> Self {
        Self {
            standing: known.standing.into(),
            wire: known.wire.map(model::WorstListener::as_str),
            probed_at: known.probed_ms.map(instant),
        }
    }
}

/// From where a server can be reached.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase")]
struct Network<'a> {
    /// Whether it has an endpoint on the Internet; null where Azure did not say.
    public_access: Option<bool>,
    /// The resource id of the subnet that it is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    subnet: Option<&'a str>,
    /// The resource id of the private DNS zone that has its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    private_dns_zone: Option<&'a str>,
    /// The resource ids of the private endpoints that lead to it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    private_endpoints: Vec<&'a str>,
}

impl<'a> Network<'a> {
    fn of(network: &'a model::NetworkAccess) -> Option<Self> {
        (*network != model::NetworkAccess::default()).then(|| Self {
            public_access: network.public_access,
            subnet: network.subnet(),
            private_dns_zone: network.dns_zone(),
            private_endpoints: network.endpoints().iter().map(AsRef::as_ref).collect(),
        })
    }
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase")]
struct Finding<'a> {
    /// The id of the control.
    control: &'static str,
    outcome: Outcome,
    severity: Severity,
    /// The evidence: what Azure declares, or what a probe confirmed as well.
    confidence: Confidence,
    /// The observed value.
    observed: Option<&'a str>,
    /// What would pass; only when the outcome is fail.
    expected: Option<&'a str>,
    /// What to do about it; only when the outcome is fail.
    #[serde(skip_serializing_if = "Option::is_none")]
    remediation: Option<String>,
    /// The requirements of standards that are not met, one text each; only when the outcome is fail. `controls` has those of
    /// every control.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    standards: Vec<String>,
    /// Why it is unknown: a stable word, the same as in `gaps`. Only when the outcome is unknown.
    reason: Option<&'static str>,
    /// The action that the principal lacks, when that is the reason.
    missing_permission: Option<&'a str>,
    /// The same in every run for this control on this server.
    fingerprint: String,
    /// The waiver for a failure, whether or not it is in effect. It does not change the outcome.
    #[serde(skip_serializing_if = "Option::is_none")]
    waiver: Option<Waiver<'a>>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
enum Kind {
    Flexible,
    ElasticCluster,
    Single,
    CosmosCluster,
    Horizon,
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
enum Role {
    None,
    Primary,
    Replica,
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
enum SslEnforcement {
    Enabled,
    Disabled,
    Unknown,
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
enum ServerOutcome {
    Pass,
    Fail,
    Unknown,
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
enum Outcome {
    Pass,
    Fail,
    Unknown,
    NotApplicable,
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(super) enum Severity {
    Low,
    Medium,
    High,
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
enum Confidence {
    Declared,
    WireConfirmed,
}

impl<'a> Server<'a> {
    /// A server in the subscription of this name.
    pub(crate) fn of(report: &'a model::ServerReport, subscription_name: Option<&'a str>) -> Self {
        let server = &report.server;
        Self {
            id: server.id.as_str(),
            name: server.name(),
            resource_group: server.id.resource_group(),
            subscription_id: server.subscription().to_string(),
            subscription_name,
            location: &server.location,
            kind: match server.kind {
                model::Kind::Flexible => Kind::Flexible,
                model::Kind::ElasticCluster => Kind::ElasticCluster,
                model::Kind::Single => Kind::Single,
                model::Kind::CosmosCluster => Kind::CosmosCluster,
                model::Kind::Horizon => Kind::Horizon,
            },
            state: server.state.as_ref().map(model::ServerState::as_str),
            fqdn: server.fqdn.as_deref(),
            role: match server.role {
                model::ReplicationRole::None => Role::None,
                model::ReplicationRole::Primary => Role::Primary,
                model::ReplicationRole::Replica => Role::Replica,
            },
            ssl_enforcement: match report.ssl_enforcement {
                model::SslEnforcement::Enabled => SslEnforcement::Enabled,
                model::SslEnforcement::Disabled => SslEnforcement::Disabled,
                model::SslEnforcement::Unknown => SslEnforcement::Unknown,
            },
            minimal_tls_version: report.minimal_tls_version.map(model::Floor::as_azure),
            waiting_for_restart: report.waiting().map(model::ParameterName::key).collect(),
            standing: model::Standing::seen(report).into(),
            known: report.known.map(Known::from),
            outcome: match report.outcome {
                model::Outcome::Fail => ServerOutcome::Fail,
                model::Outcome::Unknown => ServerOutcome::Unknown,
                model::Outcome::Pass | model::Outcome::NotApplicable => ServerOutcome::Pass,
            },
            findings: report.findings.iter().map(|finding| Finding::new(finding, report)).collect(),
            wire: report.wire.iter().map(Look::from).collect(),
            network: Network::of(&server.network),
        }
    }
}

impl From<model::Severity> for Severity {
    fn from(severity: model::Severity) -> Self {
        match severity {
            model::Severity::Low => Self::Low,
            model::Severity::Medium => Self::Medium,
            model::Severity::High => Self::High,
        }
    }
}

impl<'a> Finding<'a> {
    fn new(finding: &'a model::Finding, report: &model::ServerReport) -> Self {
        Self {
            control: finding.control.as_str(),
            outcome: match finding.outcome {
                model::Outcome::Pass => Outcome::Pass,
                model::Outcome::Fail => Outcome::Fail,
                model::Outcome::Unknown => Outcome::Unknown,
                model::Outcome::NotApplicable => Outcome::NotApplicable,
            },
            severity: finding.severity.into(),
            confidence: match finding.confidence {
                model::Confidence::Declared => Confidence::Declared,
                model::Confidence::WireConfirmed => Confidence::WireConfirmed,
            },
            observed: finding.observed.as_deref(),
            expected: finding.expected.as_deref(),
            remediation: remediation(report, finding),
            standards: match finding.outcome {
                model::Outcome::Fail => requirements_of(finding.control),
                _ => Vec::new(),
            },
            reason: finding.unchecked.as_ref().map(|unchecked| unchecked.reason.as_str()),
            missing_permission: finding
                .unchecked
                .as_ref()
                .and_then(|unchecked| unchecked.missing_permission.as_deref()),
            fingerprint: finding.fingerprint(&report.server.id),
            waiver: finding.waiver.as_deref().map(Waiver::from),
        }
    }
}
