//! The permissions that the requests of this crate need, each under the name that Azure's roles use.

use hostssl_model::{Kind, ParameterName};

/// List subscriptions.
pub const READ_SUBSCRIPTIONS: &str = "Microsoft.Resources/subscriptions/read";
/// List what is below a management group.
pub const READ_DESCENDANTS: &str = "Microsoft.Management/managementGroups/descendants/read";
/// List and read flexible servers.
pub const READ_FLEXIBLE_SERVERS: &str = "Microsoft.DBforPostgreSQL/flexibleServers/read";
/// Read a parameter of a flexible server.
pub const READ_CONFIGURATIONS: &str = "Microsoft.DBforPostgreSQL/flexibleServers/configurations/read";
/// List and read single servers.
pub const READ_SERVERS: &str = "Microsoft.DBforPostgreSQL/servers/read";
/// List the databases of a flexible server, to name them when its listeners are probed.
pub const READ_DATABASES: &str = "Microsoft.DBforPostgreSQL/flexibleServers/databases/read";
/// The same of a single server.
pub const READ_SINGLE_SERVER_DATABASES: &str = "Microsoft.DBforPostgreSQL/servers/databases/read";
/// List and read Azure Cosmos DB for PostgreSQL clusters.
pub const READ_SERVER_GROUPS: &str = "Microsoft.DBforPostgreSQL/serverGroupsv2/read";
/// Read a parameter of an Azure Cosmos DB for PostgreSQL cluster.
pub const READ_SERVER_GROUP_CONFIGURATIONS: &str = "Microsoft.DBforPostgreSQL/serverGroupsv2/configurations/read";
/// List and read HorizonDB clusters.
pub const READ_HORIZON_CLUSTERS: &str = "Microsoft.HorizonDb/clusters/read";
/// Read the parameter group of a HorizonDB cluster.
pub const READ_PARAMETER_GROUPS: &str = "Microsoft.HorizonDb/parameterGroups/read";
/// Query Resource Graph, which shows what the identity can read anyway.
pub const QUERY_RESOURCE_GRAPH: &str = "Microsoft.ResourceGraph/resources/read";

/// Change a parameter of a flexible server.
pub const WRITE_CONFIGURATIONS: &str = "Microsoft.DBforPostgreSQL/flexibleServers/configurations/write";
/// Change a single server. Azure offers nothing narrower: it also allows to reset the administrator's password.
pub const WRITE_SERVERS: &str = "Microsoft.DBforPostgreSQL/servers/write";
/// Change a parameter of an Azure Cosmos DB for PostgreSQL cluster's coordinator.
pub const WRITE_COORDINATOR_CONFIGURATIONS: &str =
    "Microsoft.DBforPostgreSQL/serverGroupsv2/coordinatorConfigurations/write";
/// Change a parameter of an Azure Cosmos DB for PostgreSQL cluster's workers.
pub const WRITE_NODE_CONFIGURATIONS: &str = "Microsoft.DBforPostgreSQL/serverGroupsv2/nodeConfigurations/write";
/// Ask how an operation is doing. It must be granted on the subscription: the status is not below the server.
pub const READ_OPERATIONS: &str = "Microsoft.DBforPostgreSQL/locations/azureAsyncOperation/read";
/// The same by the other address.
pub const READ_OPERATION_RESULTS: &str = "Microsoft.DBforPostgreSQL/locations/operationResults/read";
/// List locks, so that a plan leaves out what is locked.
pub const READ_LOCKS: &str = "Microsoft.Authorization/locks/read";
/// Ask what the identity itself may do, so that a run that may not write is refused before its first write.
pub const READ_PERMISSIONS: &str = "Microsoft.Authorization/permissions/read";

/// List and download the log files of a flexible server. A role that can read the server has it (Azure, "Download PostgreSQL
/// server logs").
pub const READ_LOG_FILES: &str = "Microsoft.DBforPostgreSQL/flexibleServers/logFiles/read";

/// Read the events of the Activity Log: who changed a server. It is granted on the subscription, and Reader has it.
pub const READ_ACTIVITY_LOG: &str = "Microsoft.Insights/eventtypes/values/read";

/// List the assignments of Azure Policy that apply to a subscription. Reader has it.
pub const READ_POLICY_ASSIGNMENTS: &str = "Microsoft.Authorization/policyAssignments/read";

/// Open the initiatives and the organization's own policy definitions that are assigned. Reader has both.
pub const READ_POLICY_DEFINITIONS: [&str; 2] =
    ["Microsoft.Authorization/policyDefinitions/read", "Microsoft.Authorization/policySetDefinitions/read"];

/// What telling of policies that would refuse clients needs, beside what lists servers.
pub const POLICIES: [&str; 3] = [READ_POLICY_ASSIGNMENTS, READ_POLICY_DEFINITIONS[0], READ_POLICY_DEFINITIONS[1]];

/// What saying who changed a server needs, beside what lists servers.
pub const WHO: [&str; 1] = [READ_ACTIVITY_LOG];

/// What a plan needs beside [`AUDIT`].
pub const PLAN: [&str; 1] = [READ_LOCKS];

/// What applying a plan needs beside [`AUDIT`] and [`PLAN`].
pub const APPLY: [&str; 7] = [
    WRITE_CONFIGURATIONS,
    WRITE_SERVERS,
    WRITE_COORDINATOR_CONFIGURATIONS,
    WRITE_NODE_CONFIGURATIONS,
    READ_OPERATIONS,
    READ_OPERATION_RESULTS,
    READ_PERMISSIONS,
];

/// What a census of clients from downloaded log files needs, beside what lists servers.
pub const CLIENTS: [&str; 1] = [READ_LOG_FILES];

/// What planning and applying needs beside [`AUDIT`].
pub const REMEDIATE: [&str; 8] = [
    WRITE_CONFIGURATIONS,
    WRITE_SERVERS,
    WRITE_COORDINATOR_CONFIGURATIONS,
    WRITE_NODE_CONFIGURATIONS,
    READ_OPERATIONS,
    READ_OPERATION_RESULTS,
    READ_LOCKS,
    READ_PERMISSIONS,
];

/// The permission that a write of this setting needs; `None` where nothing can be written.
#[must_use]
pub fn write_action(kind: Kind, name: ParameterName) -> Option<&'static str> {
    match (kind, name) {
        (Kind::Flexible | Kind::ElasticCluster, _) => Some(WRITE_CONFIGURATIONS),
        (Kind::Single, ParameterName::SslEnforcement | ParameterName::MinimalTlsVersion) => Some(WRITE_SERVERS),
        (Kind::CosmosCluster, ParameterName::SslMinProtocolVersion) => Some(WRITE_COORDINATOR_CONFIGURATIONS),
        (Kind::CosmosCluster, ParameterName::NodeSslMinProtocolVersion) => Some(WRITE_NODE_CONFIGURATIONS),
        _ => None,
    }
}

/// The permission that listing the databases of such a server needs; `None` where Azure lists none.
#[must_use]
pub fn list_databases_action(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::Flexible | Kind::ElasticCluster => Some(READ_DATABASES),
        Kind::Single => Some(READ_SINGLE_SERVER_DATABASES),
        Kind::CosmosCluster | Kind::Horizon => None,
    }
}

/// What an audit by the lists of each subscription needs, with probes, and no more.
pub const AUDIT: [&str; 10] = [
    READ_SUBSCRIPTIONS,
    READ_FLEXIBLE_SERVERS,
    READ_CONFIGURATIONS,
    READ_DATABASES,
    READ_SERVERS,
    READ_SINGLE_SERVER_DATABASES,
    READ_SERVER_GROUPS,
    READ_SERVER_GROUP_CONFIGURATIONS,
    READ_HORIZON_CLUSTERS,
    READ_PARAMETER_GROUPS,
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_remediator_may_plan_and_apply_and_nothing_else() {
        let parts: BTreeSet<&str> = PLAN.into_iter().chain(APPLY).collect();
        assert_eq!(parts, BTreeSet::from(REMEDIATE));
    }
}
