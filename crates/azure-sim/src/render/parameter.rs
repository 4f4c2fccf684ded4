//! Parameters of servers and of server groups.

use crate::estate::{Current, Mutable, Record};
use crate::fleet::Kind;
use crate::json::{put, string};
use crate::parameters::{Parameter, SSL};

/// A parameter of a flexible or single server.
pub(crate) fn parameter(out: &mut String, record: &Record, mutable: &Mutable, parameter: &Parameter) {
    let mut current = mutable.current(parameter);
    if parameter.name == SSL {
        // The service itself turns it on, so production shows `on`, by a user's hand, over a default of `off`.
        current = Current { value: "on", overridden: true, pending_restart: false };
    }
    out.push_str(r#"{"properties":{"value":"#);
    string(out, current.value);
    out.push_str(r#","description":"#);
    string(out, parameter.description);
    out.push_str(r#","defaultValue":"#);
    string(out, parameter.default);
    put!(out, r#","dataType":"{}","allowedValues":"#, parameter.data_type);
    string(out, parameter.allowed);
    put!(out, r#","source":"{}""#, source(current.overridden));
    if record.kind == Kind::Single {
        // Strings, in capitals: so it is in every recording of version 2017-12-01.
        put!(
            out,
            r#","isConfigPendingRestart":"False","isDynamicConfig":"{}""#,
            if parameter.dynamic { "True" } else { "False" }
        );
    } else {
        put!(
            out,
            r#","isDynamicConfig":{},"isReadOnly":{},"isConfigPendingRestart":{}"#,
            parameter.dynamic,
            parameter.read_only,
            current.pending_restart
        );
        if !parameter.unit.is_empty() {
            put!(out, r#","unit":"{}""#, parameter.unit);
        }
        link(out, record, parameter);
    }
    out.push_str(r#"},"id":"#);
    string(out, &format!("{}/configurations/{}", record.id, parameter.name));
    put!(
        out,
        r#","name":"{}","type":"{}/{}/configurations"}}"#,
        parameter.name,
        record.kind.provider(),
        record.kind.type_segment()
    );
}

fn link(out: &mut String, record: &Record, parameter: &Parameter) {
    if parameter.page.is_empty() {
        put!(out, r#","documentationLink":"https://docs.simulated.invalid/{}""#, parameter.name);
        return;
    }
    put!(
        out,
        r#","documentationLink":"https://www.postgresql.org/docs/{}/runtime-config-{}.html#GUC-{}""#,
        record.version,
        parameter.page,
        parameter.name.to_ascii_uppercase().replace('_', "-")
    );
}

/// A parameter of a server group, with its value for each role. `name` is without the role's prefix.
pub(crate) fn cosmos_parameter(
    out: &mut String,
    record: &Record,
    mutable: &Mutable,
    name: &str,
    coordinator: &Parameter,
    node: &Parameter,
) {
    out.push_str(r#"{"properties":{"description":"#);
    string(out, coordinator.description);
    put!(
        out,
        r#","dataType":"{}","allowedValues":"{}","requiresRestart":false,"serverRoleGroupConfigurations":["#,
        coordinator.data_type,
        coordinator.allowed
    );
    for (index, (role, parameter)) in [("Coordinator", coordinator), ("Worker", node)].into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        let current = mutable.current(parameter);
        put!(out, r#"{{"role":"{role}","value":"#);
        string(out, current.value);
        put!(out, r#","defaultValue":"{}","source":"{}"}}"#, parameter.default, source(current.overridden));
    }
    out.push_str(r#"],"provisioningState":"Succeeded"}"#);
    cosmos_tail(out, record, "configurations", name);
}

/// A parameter of one role of a server group.
pub(crate) fn cosmos_node_parameter(
    out: &mut String,
    record: &Record,
    mutable: &Mutable,
    collection: &str,
    name: &str,
    parameter: &Parameter,
) {
    let current = mutable.current(parameter);
    out.push_str(r#"{"properties":{"value":"#);
    string(out, current.value);
    put!(
        out,
        r#","source":"{}","description":"{}","defaultValue":"{}","dataType":"{}","allowedValues":"{}","requiresRestart":false,"provisioningState":"Succeeded"}}"#,
        source(current.overridden),
        parameter.description,
        parameter.default,
        parameter.data_type,
        parameter.allowed
    );
    cosmos_tail(out, record, collection, name);
}

fn cosmos_tail(out: &mut String, record: &Record, collection: &str, name: &str) {
    out.push_str(r#","id":"#);
    string(out, &format!("{}/{collection}/{name}", record.id));
    put!(out, r#","name":"{name}","type":"{}/{}/{collection}"}}"#, record.kind.provider(), record.kind.type_segment());
}

fn source(overridden: bool) -> &'static str {
    if overridden { "user-override" } else { "system-default" }
}
