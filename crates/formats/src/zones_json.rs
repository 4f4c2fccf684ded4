//! Zones and what they cover, as JSON, version 1: frozen. The schema is committed as `docs/schemas/zones-v1.schema.json`.

use hostssl_model::{Gap, Server, ZoneRule};
#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

/// The name and version of the format.
pub const SCHEMA: &str = "hostssl/zones/v1";

/// The rules of zones, and, where Azure was asked, what they cover.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    /// Name and version of this format.
    schema: &'static str,
    /// In the order in which they are tried: the first that matches a server decides.
    rules: Vec<Rule<'a>>,
    /// Private servers that no rule matches: nothing can be proven of them from outside. Present where Azure was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    uncovered: Option<Vec<Uncovered<'a>>>,
    /// What could not be listed. Present where Azure was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    gaps: Option<Vec<Missing<'a>>>,
}

/// One rule.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase")]
struct Rule<'a> {
    /// The zone.
    zone: &'a str,
    /// The line of the file where it stands.
    line: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    subnet: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    virtual_network: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    private_dns_zone: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    private_endpoint: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subscription: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    location: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    server: Option<&'a str>,
    /// How many servers it decides for. Present where Azure was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    servers: Option<usize>,
}

/// A private server that no rule matches.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase")]
struct Uncovered<'a> {
    /// The resource id.
    id: &'a str,
    /// The resource id of the subnet that it is in; null where it is in none.
    subnet: Option<&'a str>,
    /// The resource ids of the private endpoints that lead to it.
    private_endpoints: Vec<&'a str>,
}

/// What could not be listed.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
struct Missing<'a> {
    /// What could not be listed, as in an audit.
    scope: String,
    /// A stable word, as in an audit.
    reason: &'static str,
    /// What Azure said, in one line.
    detail: &'a str,
}

/// What rules cover.
#[derive(Debug, Clone, Copy)]
pub struct ZoneCoverage<'a> {
    /// For each rule, how many servers it decides for.
    pub servers: &'a [usize],
    /// Private servers that no rule matches.
    pub uncovered: &'a [&'a Server],
    /// What could not be listed.
    pub gaps: &'a [Gap],
}

/// The rules, and what they cover, as one JSON value.
///
/// # Errors
///
/// None that a rule can cause.
pub fn value(rules: &[ZoneRule], coverage: Option<&ZoneCoverage<'_>>) -> Result<Value, serde_json::Error> {
    let rules = rules.iter().enumerate().map(|(number, rule)| Rule {
        zone: &rule.zone,
        line: rule.line,
        subnet: rule.subnet.as_deref(),
        virtual_network: rule.virtual_network.as_deref(),
        private_dns_zone: rule.private_dns_zone.as_deref(),
        private_endpoint: rule.private_endpoint.as_deref(),
        subscription: rule.subscription.as_deref(),
        location: rule.location.as_deref(),
        server: rule.server.as_deref(),
        servers: coverage.and_then(|coverage| coverage.servers.get(number).copied()),
    });
    serde_json::to_value(Document {
        schema: SCHEMA,
        rules: rules.collect(),
        uncovered: coverage.map(|coverage| coverage.uncovered.iter().map(|server| Uncovered::of(server)).collect()),
        gaps: coverage.map(|coverage| coverage.gaps.iter().map(Missing::of).collect()),
    })
}

impl<'a> Uncovered<'a> {
    fn of(server: &'a Server) -> Self {
        let private_endpoints = server.network.endpoints().iter().map(AsRef::as_ref).collect();
        Self { id: server.id.as_str(), subnet: server.network.subnet(), private_endpoints }
    }
}

impl<'a> Missing<'a> {
    fn of(gap: &'a Gap) -> Self {
        Self { scope: gap.scope.to_string(), reason: gap.unchecked.reason.as_str(), detail: &gap.unchecked.detail }
    }
}

/// The JSON Schema of the format.
#[cfg(feature = "schema")]
#[must_use]
pub fn schema() -> Value {
    crate::schema::of::<Document<'_>>(SCHEMA)
}
