//! `Microsoft.HorizonDb/clusters` and `/parameterGroups`, in the shape of the 2026 previews.

use crate::estate::{Mutable, Record};
use crate::json::{put, quoted, string};
use crate::parameters::HORIZON;
use crate::render::NOWHERE;

/// A cluster's properties. That it refers to its group by `parameterGroup.id` is an assumption: the public examples
/// show clusters without one.
pub(super) fn cluster(out: &mut String, record: &Record, mutable: &Mutable) {
    let name = record.name();
    let state = if mutable.state == crate::fleet::ServerState::Ready { "Succeeded" } else { mutable.state.as_str() };
    put!(
        out,
        r#"{{"administratorLogin":"horizonadmin","version":"{}","vCores":4,"replicaCount":2,"zonePlacementPolicy":"BestEffort","state":"{state}","fullyQualifiedDomainName":{},"readonlyEndpoint":{},"provisioningState":"Succeeded""#,
        record.version,
        quoted(&host_name(record)),
        quoted(&format!("{name}-ro.{}.horizondb.azure.com.{NOWHERE}", record.location))
    );
    if let Some(group) = &record.parameter_group {
        put!(out, r#","parameterGroup":{{"id":{}}}"#, quoted(group));
    }
    out.push('}');
}

/// The name to connect to.
pub(super) fn host_name(record: &Record) -> String {
    format!("{}.simulated.{}.horizondb.azure.com.{NOWHERE}", record.name(), record.location)
}

/// A parameter group's properties.
pub(super) fn parameter_group(out: &mut String, record: &Record, mutable: &Mutable) {
    out.push_str(r#"{"parameters":["#);
    for (index, parameter) in HORIZON.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        put!(out, r#"{{"name":"{}","description":"#, parameter.name);
        string(out, parameter.description);
        put!(
            out,
            r#","value":{},"dataType":"{}","allowedValues":{},"isDynamic":{},"isReadOnly":{},"documentationLink":"https://docs.simulated.invalid/{}""#,
            quoted(mutable.current(parameter).value),
            parameter.data_type.to_ascii_lowercase(),
            quoted(parameter.allowed),
            parameter.dynamic,
            parameter.read_only,
            parameter.name
        );
        if !parameter.unit.is_empty() {
            put!(out, r#","unit":"{}""#, parameter.unit);
        }
        out.push('}');
    }
    put!(
        out,
        r#"],"description":"Simulated parameter group","pgVersion":{},"version":{},"applyImmediately":true,"provisioningState":"Succeeded"}}"#,
        record.version,
        mutable.revision
    );
}
