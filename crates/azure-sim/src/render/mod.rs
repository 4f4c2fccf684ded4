//! Bodies of resources, written straight into a string.

mod arm;
mod configuration;
mod cosmos;
mod flexible;
mod horizon;
mod parameter;
mod single;

pub(crate) use arm::{endpoints, management_group, provider, resource_group, subscription, tenant};
pub(crate) use configuration::configuration;
pub(crate) use parameter::{cosmos_node_parameter, cosmos_parameter, parameter};

use crate::estate::{Mutable, Record};
use crate::fleet::Kind;
use crate::json::{put, string};

/// The end of every simulated host name. RFC 6761 reserves `.invalid` permanently, so that following such a name never
/// reaches a real server.
pub(crate) const NOWHERE: &str = "invalid";

/// A server with everything around its properties.
pub(crate) fn server(out: &mut String, record: &Record) {
    let mutable = record.lock();
    out.push('{');
    match record.kind {
        Kind::Flexible => {
            flexible::sku(out, record);
            flexible::system_data(out, &mutable);
        }
        Kind::Single => single::sku(out),
        Kind::Cosmos | Kind::Horizon | Kind::ParameterGroup => {}
    }
    out.push_str(r#""properties":"#);
    properties(out, record, &mutable);
    put!(out, r#","location":"#);
    string(out, display_location(record));
    if !record.tags.is_empty() {
        out.push_str(r#","tags":"#);
        tags(out, record);
    }
    out.push_str(r#","id":"#);
    string(out, &record.id);
    out.push_str(r#","name":"#);
    string(out, record.name());
    put!(out, r#","type":"{}/{}"}}"#, record.kind.provider(), record.kind.type_segment());
}

/// The name that clients connect to; of a cluster, that of its coordinator.
pub(crate) fn host_name(record: &Record) -> String {
    match record.kind {
        Kind::Flexible => flexible::host_name(record),
        Kind::Single => single::host_name(record),
        Kind::Cosmos => cosmos::host_name(record),
        Kind::Horizon | Kind::ParameterGroup => horizon::host_name(record),
    }
}

/// The properties alone, as Resource Graph has them.
pub(crate) fn properties(out: &mut String, record: &Record, mutable: &Mutable) {
    match record.kind {
        Kind::Flexible => flexible::properties(out, record, mutable),
        Kind::Single => single::properties(out, record, mutable),
        Kind::Cosmos => cosmos::properties(out, record, mutable),
        Kind::Horizon => horizon::cluster(out, record, mutable),
        Kind::ParameterGroup => horizon::parameter_group(out, record, mutable),
    }
}

/// The tags as an object.
pub(crate) fn tags(out: &mut String, record: &Record) {
    out.push('{');
    for (index, (name, value)) in record.tags.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        string(out, name);
        out.push(':');
        string(out, value);
    }
    out.push('}');
}

/// Flexible servers spell their region out where it is known how (seen in recordings); others use the short form.
fn display_location(record: &Record) -> &str {
    if record.kind != Kind::Flexible {
        return &record.location;
    }
    match &*record.location {
        "westeurope" => "West Europe",
        "northeurope" => "North Europe",
        "eastus2" => "East US 2",
        "canadacentral" => "Canada Central",
        "swedencentral" => "Sweden Central",
        "southeastasia" => "Southeast Asia",
        "germanywestcentral" => "Germany West Central",
        other => other,
    }
}
