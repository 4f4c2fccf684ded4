//! `Microsoft.DBforPostgreSQL/serverGroupsv2`, Azure Cosmos DB for PostgreSQL, in the shape of version 2022-11-08.

use crate::estate::{Mutable, Record};
use crate::json::{put, quoted};
use crate::render::NOWHERE;

/// The properties. TLS is not among them: it is always on.
pub(super) fn properties(out: &mut String, record: &Record, mutable: &Mutable) {
    let name = record.name();
    put!(
        out,
        r#"{{"administratorLogin":"citus","provisioningState":"Succeeded","state":"{}","postgresqlVersion":"{}","citusVersion":"12.1","earliestRestoreTime":"2026-04-01T04:00:00Z""#,
        mutable.state.as_str(),
        record.version
    );
    put!(
        out,
        r#","enableHa":false,"enableShardsOnCoordinator":{},"coordinatorServerEdition":"GeneralPurpose","coordinatorStorageQuotaInMb":524288,"coordinatorVCores":4,"coordinatorEnablePublicIpAccess":true"#,
        record.nodes == 0
    );
    put!(
        out,
        r#","nodeCount":{},"nodeServerEdition":"MemoryOptimized","nodeStorageQuotaInMb":524288,"nodeVCores":8,"nodeEnablePublicIpAccess":false"#,
        record.nodes
    );
    out.push_str(r#","maintenanceWindow":{"customWindow":"Disabled","dayOfWeek":0,"startHour":0,"startMinute":0},"preferredPrimaryZone":"1","readReplicas":[],"privateEndpointConnections":[]"#);
    put!(
        out,
        r#","serverNames":[{{"name":{},"fullyQualifiedDomainName":{}}}"#,
        quoted(&format!("{name}-c")),
        quoted(&host_name(record))
    );
    for node in 0..record.nodes {
        put!(
            out,
            r#",{{"name":{},"fullyQualifiedDomainName":{}}}"#,
            quoted(&format!("{name}-w{node}")),
            quoted(&format!("w{node}-{name}.simulated.postgres.cosmos.azure.com.{NOWHERE}"))
        );
    }
    out.push_str("]}");
}

/// The name of the coordinator, to which clients connect.
pub(super) fn host_name(record: &Record) -> String {
    format!("c-{}.simulated.postgres.cosmos.azure.com.{NOWHERE}", record.name())
}
