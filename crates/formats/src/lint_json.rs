//! What `hostssl plan check` objects to, as JSON: frozen.

use hostssl_remediation::{Lint, Plan};
use serde::Serialize;
use serde_json::Value;

#[derive(Debug, Serialize)]
struct Objection<'a> {
    code: &'static str,
    warning: bool,
    step: Option<u32>,
    server: Option<&'a str>,
    message: &'a str,
}

/// The objections to a plan as one JSON value, in their order.
///
/// # Errors
///
/// None that an objection can cause.
pub fn value(plan: &Plan, objections: &[Lint]) -> Result<Value, serde_json::Error> {
    let objections = objections.iter().map(|one| Objection {
        code: one.code.as_str(),
        warning: one.code.is_warning(),
        step: one.step,
        server: one.step.and_then(|id| plan.step(id)).map(|step| step.server.as_str()),
        message: one.message.as_str(),
    });
    serde_json::to_value(objections.collect::<Vec<_>>())
}
