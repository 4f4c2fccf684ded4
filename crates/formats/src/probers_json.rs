//! The probers in zones, as JSON, version 1: frozen. The schema is committed as `docs/schemas/probers-v1.schema.json`.

#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

/// The name and version of the format.
pub const SCHEMA: &str = "hostssl/probers/v1";

/// The probers, and what was refused of them.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
struct Document<'a> {
    /// Name and version of this format.
    schema: &'static str,
    /// The probers, in the order of their zones.
    probers: &'a [ListedProber],
    /// What was refused lately, the newest first.
    refusals: &'a [ListedRefusal],
}

/// One prober.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase")]
pub struct ListedProber {
    /// Its id.
    pub id: String,
    /// The zone that it is in.
    pub zone: String,
    /// `active`, `suspended` after three messages that no honest prober sends, or `revoked`.
    pub status: &'static str,
    /// The SHA-256 of its key, in hexadecimal digits.
    pub key_sha256: String,
    /// Its version.
    pub version: String,
    /// When it was enrolled, RFC 3339 in UTC.
    pub enrolled_at: String,
    /// When it was last heard of, RFC 3339 in UTC.
    pub last_contact: String,
    /// How many targets it was asked about lately.
    pub asked: u64,
    /// How many of them it answered with a look.
    pub answered: u64,
    /// How many of them it answered with a reason.
    pub without_look: u64,
    /// One of those reasons, with its target; null without any.
    pub example: Option<String>,
    /// How many messages it sent that no honest prober sends.
    pub violations: u32,
}

/// Something that was refused.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
pub struct ListedRefusal {
    /// The prober; null where it is not known.
    pub prober: Option<String>,
    /// When, RFC 3339 in UTC.
    pub at: String,
    /// Why.
    pub why: String,
}

/// The probers as one JSON value.
///
/// # Errors
///
/// None that a prober can cause.
pub fn value(probers: &[ListedProber], refusals: &[ListedRefusal]) -> Result<Value, serde_json::Error> {
    serde_json::to_value(Document { schema: SCHEMA, probers, refusals })
}

/// The JSON Schema of the format.
#[cfg(feature = "schema")]
#[must_use]
pub fn schema() -> Value {
    crate::schema::of::<Document<'_>>(SCHEMA)
}
