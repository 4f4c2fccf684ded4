//! `Microsoft.DBforPostgreSQL/servers`, Single Server, in the shape of the 2021 recordings.

use crate::estate::{Mutable, Record};
use crate::fleet::ServerState;
use crate::json::{put, quoted, string};
use crate::parameters::SINGLE_PROPERTIES;
use crate::render::NOWHERE;

/// The SKU, with a comma behind it.
pub(super) fn sku(out: &mut String) {
    out.push_str(r#""sku":{"name":"GP_Gen5_2","tier":"GeneralPurpose","family":"Gen5","capacity":2},"#);
}

/// The properties.
pub(super) fn properties(out: &mut String, record: &Record, mutable: &Mutable) {
    let state = match mutable.state {
        // Single Server has four words for its state.
        ServerState::Dropping => "Dropping",
        ServerState::Disabled => "Disabled",
        ServerState::Inaccessible => "Inaccessible",
        _ => "Ready",
    };
    let role = match (record.is_replica(), record.replicas) {
        (true, _) => "Replica",
        (false, 0) => "None",
        (false, _) => "Master",
    };
    out.push_str(r#"{"administratorLogin":"pgadmin","storageProfile":{"storageMB":51200,"backupRetentionDays":7,"geoRedundantBackup":"Disabled","storageAutogrow":"Enabled"}"#);
    put!(out, r#","version":"{}""#, record.version);
    for property in SINGLE_PROPERTIES {
        put!(out, r#","{}":{}"#, property.name, quoted(mutable.current(property).value));
    }
    put!(out, r#","userVisibleState":"{state}","fullyQualifiedDomainName":"#);
    string(out, &host_name(record));
    put!(
        out,
        r#","earliestRestoreDate":"2026-04-01T04:00:00.000+00:00","replicationRole":"{role}","masterServerId":{}"#,
        quoted(record.replica_of.as_deref().unwrap_or_default())
    );
    put!(
        out,
        r#","replicaCapacity":{},"byokEnforcement":"Disabled","privateEndpointConnections":[],"infrastructureEncryption":"Disabled"}}"#,
        if record.is_replica() { 0 } else { 5 }
    );
}

/// The name to connect to.
pub(super) fn host_name(record: &Record) -> String {
    format!("{}.postgres.database.azure.com.{NOWHERE}", record.name())
}
