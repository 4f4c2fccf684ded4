//! The permissions that the requests of this crate need, each under the name that Azure's roles use.

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

/// What an audit by the lists of each subscription needs, and no more.
pub const AUDIT: [&str; 8] = [
    READ_SUBSCRIPTIONS,
    READ_FLEXIBLE_SERVERS,
    READ_CONFIGURATIONS,
    READ_SERVERS,
    READ_SERVER_GROUPS,
    READ_SERVER_GROUP_CONFIGURATIONS,
    READ_HORIZON_CLUSTERS,
    READ_PARAMETER_GROUPS,
];
