//! `Microsoft.DBforPostgreSQL/flexibleServers`, elastic clusters included, in the shape of the 2024 and 2025 versions.

use crate::estate::{Mutable, Record};
use crate::fleet::ServerState;
use crate::json::{put, quoted, string};
use crate::render::NOWHERE;

/// The SKU, with a comma behind it.
pub(super) fn sku(out: &mut String, record: &Record) {
    let name = if record.nodes > 0 { "Standard_D4ds_v5" } else { "Standard_D2ds_v5" };
    put!(out, r#""sku":{{"name":"{name}","tier":"GeneralPurpose"}},"#);
}

/// When it was made, with a comma behind it.
pub(super) fn system_data(out: &mut String, mutable: &Mutable) {
    put!(
        out,
        r#""systemData":{{"createdAt":"2025-03-{:02}T08:15:30.1234567Z"}},"#,
        mutable.predecessors.saturating_add(1).min(31)
    );
}

/// The properties.
pub(super) fn properties(out: &mut String, record: &Record, mutable: &Mutable) {
    let role = match (record.is_replica(), record.replicas) {
        (true, _) => "AsyncReplica",
        (false, 0) => "None",
        (false, _) => "Primary",
    };
    // A replica can have no replicas in this simulation, and a primary has five at most.
    let capacity = if record.is_replica() { 0 } else { 5u8.saturating_sub(record.replicas) };
    // While an operation runs, the server is not ready for another one.
    let state = match mutable.state {
        ServerState::Ready if mutable.busy() => ServerState::Updating,
        state => state,
    };
    out.push_str(r#"{"fullyQualifiedDomainName":"#);
    string(out, &host_name(record));
    put!(
        out,
        r#","version":"{}","minorVersion":"{}","administratorLogin":"pgadmin","state":"{}","availabilityZone":"1""#,
        record.version,
        minor(record.version),
        state.as_str()
    );
    out.push_str(r#","storage":{"type":"","iops":500,"tier":"P10","storageSizeGB":128,"autoGrow":"Disabled"}"#);
    out.push_str(r#","authConfig":{"activeDirectoryAuth":"Disabled","passwordAuth":"Enabled"}"#);
    out.push_str(r#","dataEncryption":{"type":"SystemManaged"}"#);
    out.push_str(r#","backup":{"backupRetentionDays":7,"geoRedundantBackup":"Disabled","earliestRestoreDate":"2026-04-01T04:00:00.0000000+00:00"}"#);
    network(out, record);
    out.push_str(r#","highAvailability":{"mode":"Disabled","state":"NotEnabled"}"#);
    out.push_str(r#","maintenanceWindow":{"customWindow":"Disabled","dayOfWeek":0,"startHour":0,"startMinute":0}"#);
    put!(
        out,
        r#","replicationRole":"{role}","replicaCapacity":{capacity},"replica":{{"role":"{role}","capacity":{capacity}"#
    );
    if record.is_replica() {
        out.push_str(r#","replicationState":"Active""#);
    }
    out.push('}');
    if let Some(source) = &record.replica_of {
        put!(out, r#","sourceServerResourceId":{}"#, quoted(source));
    }
    if record.nodes > 0 {
        put!(out, r#","cluster":{{"clusterSize":{},"defaultDatabaseName":"postgres"}}"#, record.nodes);
    }
    out.push_str(r#","privateEndpointConnections":[]}"#);
}

/// The name to connect to. In a virtual network it is in a private zone, whose first label says nothing.
pub(super) fn host_name(record: &Record) -> String {
    if record.private {
        format!("{}.contoso.postgres.database.azure.com.{NOWHERE}", record.name())
    } else {
        format!("{}.postgres.database.azure.com.{NOWHERE}", record.name())
    }
}

fn network(out: &mut String, record: &Record) {
    if !record.private {
        out.push_str(r#","network":{"publicNetworkAccess":"Enabled"}"#);
        return;
    }
    let head = record.id.split("/providers/").next().unwrap_or_default();
    put!(
        out,
        r#","network":{{"publicNetworkAccess":"Disabled","delegatedSubnetResourceId":{},"privateDnsZoneArmResourceId":{}}}"#,
        quoted(&format!("{head}/providers/Microsoft.Network/virtualNetworks/vnet-data/subnets/postgres")),
        quoted(&format!("{head}/providers/Microsoft.Network/privateDnsZones/contoso.postgres.database.azure.com"))
    );
}

/// A minor version for each major one, none of them meant to be the newest.
fn minor(major: u8) -> u8 {
    match major {
        14 => 20,
        15 => 15,
        16 => 11,
        17 => 7,
        _ => 1,
    }
}
