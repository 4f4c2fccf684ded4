//! Who approved what, in an evidence pack: `runs/ID/approval.json`, and the head of `probes/ID.jsonl`. Frozen.

use crate::apply_json::RunApproval;
use hostssl_model::Principal;
#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::Serialize;

/// The name and version of the JSON.
#[cfg(feature = "schema")]
const SCHEMA: &str = "hostssl/evidence-approval/v1";

/// The approval of a run.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase")]
struct Approval<'a> {
    /// The id of the run.
    run: &'a str,
    /// The hash of the plan that was approved.
    approved_plan: &'a str,
    /// Who began it.
    principal: Person<'a>,
    /// Who approved its plan before it began or withdrew that, and what was ordered of it, in a console: in the order in which it was
    /// kept, which need not be that of the clocks.
    orders: Vec<PackedOrder<'a>>,
    /// The approvals that counted when it began; absent where its plan took one, that of the person who applied it.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    #[cfg_attr(feature = "schema", schemars(default))]
    approvals: &'a [RunApproval],
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase")]
struct Person<'a> {
    /// The display name.
    name: &'a str,
    /// The object id in the directory.
    object_id: Option<&'a str>,
    /// The tenant that issued the token.
    tenant: Option<&'a str>,
    /// The way of signing in.
    method: &'a str,
}

/// One order of a person.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
pub struct PackedOrder<'a> {
    /// When, in RFC 3339.
    pub at: &'a str,
    /// What: approve (the plan, where several people have to), withdraw (that approval), apply, undo, resume or stop.
    pub act: &'a str,
    /// Who.
    pub person: &'a str,
    /// The hash of the plan.
    pub plan: &'a str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ProbeHead<'a> {
    probe: &'a str,
    started_at: &'a str,
    tool_version: &'a str,
}

/// The JSON Schema of an approval.
#[cfg(feature = "schema")]
#[must_use]
pub fn schema() -> serde_json::Value {
    crate::schema::of::<Approval<'_>>(SCHEMA)
}

/// An approval as one JSON value.
///
/// # Errors
///
/// None that an approval can cause.
pub fn value(
    run: &str,
    approved_plan: &str,
    principal: &Principal,
    orders: Vec<PackedOrder<'_>>,
    approvals: &[RunApproval],
) -> Result<serde_json::Value, serde_json::Error> {
    let principal = Person {
        name: &principal.name,
        object_id: principal.object_id.as_deref(),
        tenant: principal.tenant.as_deref(),
        method: &principal.method,
    };
    serde_json::to_value(Approval { run, approved_plan, principal, orders, approvals })
}

/// The first line of a packed probe as one JSON value.
///
/// # Errors
///
/// None that a probe can cause.
pub fn probe_head(probe: &str, started_at: &str, tool_version: &str) -> Result<serde_json::Value, serde_json::Error> {
    serde_json::to_value(ProbeHead { probe, started_at, tool_version })
}
