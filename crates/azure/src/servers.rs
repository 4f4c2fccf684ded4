//! Discovery: the servers of a subscription.

use crate::error::one_line;
use crate::paging::{Listing, list};
use crate::{Arm, ArmError, Quota, ResourceType};
use azure_core::http::Url;
use hostssl_model::{
    Kind, NetworkAccess, Parameter, ParameterName, Posture, PrivateNetwork, Reading, Reason, ReplicationRole,
    ResourceId, Server, ServerState, SubscriptionId, Tags, Unchecked,
};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Value;

/// A server as it was listed: with the readings that the list itself holds.
#[derive(Debug, Clone)]
pub struct Listed {
    /// The server and what the list said of it.
    pub posture: Posture,
    /// HorizonDB: the parameter group that holds the parameters of the cluster.
    pub parameter_group: Option<ResourceId>,
}

/// An entry of a list that is not a server: the reason, for a report.
#[derive(Debug, Clone)]
pub struct NotAServer(pub String);

/// Lists the servers of a type in a subscription, or in one of its resource groups.
///
/// Every entry comes back: one that could not be understood as [`NotAServer`], because a server that is dropped in
/// silence would count as one that does not exist.
pub async fn list_servers(
    arm: &Arm,
    subscription: &SubscriptionId,
    resource_group: Option<&str>,
    resource_type: ResourceType,
) -> Listing<Result<Listed, NotAServer>> {
    list_entries(arm, subscription, resource_group, resource_type, |entry| read_server(entry, resource_type)).await
}

/// Lists the servers of a type as Azure's own JSON documents.
pub async fn list_documents(
    arm: &Arm,
    subscription: &SubscriptionId,
    resource_group: Option<&str>,
    resource_type: ResourceType,
) -> Listing<Value> {
    // Entries of a page are JSON already, or the page would not have been one.
    let read = |entry: &str| serde_json::from_str(entry).unwrap_or(Value::Null);
    list_entries(arm, subscription, resource_group, resource_type, read).await
}

/// Reads one server as Azure's own JSON document.
///
/// # Errors
///
/// [`ArmError`], a 404 among them, when it could not be read.
pub async fn get_document(
    arm: &Arm,
    subscription: &SubscriptionId,
    resource_group: &str,
    resource_type: ResourceType,
    name: &str,
) -> Result<Value, ArmError> {
    let url = |version: &str| {
        let parent = ["subscriptions", subscription.as_str(), "resourceGroups", resource_group, "providers"];
        arm.url(parent.into_iter().chain([resource_type.provider(), resource_type.name(), name]), version)
    };
    get_in_known_version(arm, subscription, resource_type, url).await
}

/// Reads a document in the newest api-version that this program and that Resource Manager both know.
pub(crate) async fn get_in_known_version<T: DeserializeOwned>(
    arm: &Arm,
    subscription: &SubscriptionId,
    resource_type: ResourceType,
    url: impl Fn(&str) -> Url,
) -> Result<T, ArmError> {
    let quota = Quota::Reads(subscription.clone());
    let mut version = arm.versions().current(resource_type);
    loop {
        let answer = arm.get(url(version), &quota).await;
        match answer.as_ref().err().and_then(|error| arm.versions().after(error, resource_type, version)) {
            Some(older) => version = older,
            None => return answer,
        }
    }
}

async fn list_entries<T>(
    arm: &Arm,
    subscription: &SubscriptionId,
    resource_group: Option<&str>,
    resource_type: ResourceType,
    read: impl Fn(&str) -> T,
) -> Listing<T> {
    let quota = Quota::Reads(subscription.clone());
    let mut version = arm.versions().current(resource_type);
    loop {
        let url = list_url(arm, subscription, resource_group, resource_type, version);
        let listing = list(arm, url, &quota, &read).await;
        match listing.error.as_ref().and_then(|error| arm.versions().after(error, resource_type, version)) {
            Some(older) => version = older,
            None => return listing,
        }
    }
}

fn list_url(
    arm: &Arm,
    subscription: &SubscriptionId,
    resource_group: Option<&str>,
    resource_type: ResourceType,
    version: &str,
) -> Url {
    let mut path = vec!["subscriptions", subscription.as_str()];
    if let Some(group) = resource_group {
        path.extend(["resourceGroups", group]);
    }
    path.extend(["providers", resource_type.provider(), resource_type.name()]);
    arm.url(path, version)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    id: String,
    #[serde(default)]
    location: Option<String>,
    #[serde(default)]
    properties: Option<Value>,
    #[serde(default)]
    tags: Value,
    #[serde(default)]
    system_data: Value,
}

/// What is read of `properties`, whichever type it is of. A member of another JSON type than expected counts as absent.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Properties {
    state: Option<String>,
    user_visible_state: Option<String>,
    fully_qualified_domain_name: Option<String>,
    replication_role: Option<String>,
    replica: Option<ReplicaProperties>,
    source_server_resource_id: Option<String>,
    master_server_id: Option<String>,
    source_resource_id: Option<String>,
    cluster: Option<IgnoredAny>,
    ssl_enforcement: Option<String>,
    minimal_tls_version: Option<String>,
    server_names: Vec<ServerName>,
    server_role_groups: Vec<ServerRoleGroup>,
    parameter_group: Option<ParameterGroup>,
    administrator_login: Option<String>,
    network: Option<NetworkProperties>,
    public_network_access: Option<String>,
    enable_public_ip_access: Option<bool>,
    private_endpoint_connections: Vec<PrivateEndpointConnection>,
}

/// A flexible server has its network in a member of its own.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct NetworkProperties {
    public_network_access: Option<String>,
    delegated_subnet_resource_id: Option<String>,
    private_dns_zone_arm_resource_id: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct PrivateEndpointConnection {
    properties: PrivateEndpointProperties,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct PrivateEndpointProperties {
    private_endpoint: PrivateEndpoint,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct PrivateEndpoint {
    id: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ReplicaProperties {
    role: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct ServerName {
    fully_qualified_domain_name: Option<String>,
}

/// Before its GA, a Cosmos DB for PostgreSQL cluster named its nodes by role.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct ServerRoleGroup {
    server_names: Vec<ServerName>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ParameterGroup {
    id: Option<String>,
}

/// Reads one entry of a list, or one document, as a server of this type.
///
/// # Errors
///
/// [`NotAServer`] when it has no usable id. Anything else that is odd leaves a server with less known about it.
pub fn read_server(entry: &str, resource_type: ResourceType) -> Result<Listed, NotAServer> {
    let entry: Entry = serde_json::from_str(entry).map_err(|error| {
        NotAServer(format!("an entry among the {} cannot be read: {error}", resource_type.plural()))
    })?;
    let id = ResourceId::try_from(entry.id.as_str())
        .map_err(|error| NotAServer(format!("an entry among the {}: {error}", resource_type.plural())))?;
    let properties = read_properties(entry.properties.unwrap_or_default());
    let kind = match resource_type {
        ResourceType::FlexibleServers if properties.cluster.is_some() => Kind::ElasticCluster,
        ResourceType::FlexibleServers => Kind::Flexible,
        ResourceType::Servers => Kind::Single,
        ResourceType::ServerGroups => Kind::CosmosCluster,
        ResourceType::HorizonClusters => Kind::Horizon,
    };
    let (role, primary) = replication(&properties);
    let readings = if kind == Kind::Single { properties_of_single_server(&properties) } else { Vec::new() };
    let parameter_group = properties.parameter_group.as_ref().and_then(|group| group.id.as_deref());
    let first_name = || {
        let of_roles = properties.server_role_groups.iter().flat_map(|group| &group.server_names);
        properties.server_names.iter().chain(of_roles).find_map(|name| name.fully_qualified_domain_name.as_deref())
    };
    let state = properties.state.as_deref().or(properties.user_visible_state.as_deref());
    let server = Server {
        kind,
        location: one_line(&entry.location.unwrap_or_default()).into(),
        state: state.map(|word| ServerState::new(&one_line(word))),
        fqdn: properties.fully_qualified_domain_name.as_deref().or_else(first_name).map(|name| one_line(name).into()),
        role,
        primary,
        tags: read_tags(&entry.tags),
        administrator: properties.administrator_login.as_deref().filter(|name| is_user(name)).map(Into::into),
        created_at: entry.system_data["createdAt"].as_str().map(|time| one_line(time).into()),
        network: network(&properties),
        id,
    };
    Ok(Listed {
        parameter_group: parameter_group.and_then(|id| ResourceId::try_from(id).ok()),
        posture: Posture { server, readings, wire: Vec::new() },
    })
}

/// Azure's words are `Enabled` and `Disabled`; older types have a Boolean (`enablePublicIpAccess`).
fn network(properties: &Properties) -> NetworkAccess {
    let own = properties.network.as_ref();
    let line =
        |text: &Option<String>| text.as_deref().filter(|text| !text.is_empty()).map(|text| one_line(text).into());
    let access =
        own.and_then(|own| own.public_network_access.as_deref()).or(properties.public_network_access.as_deref());
    let public_access = match access {
        Some(word) if word.eq_ignore_ascii_case("Enabled") => Some(true),
        Some(word) if word.eq_ignore_ascii_case("Disabled") => Some(false),
        Some(_) => None,
        None => properties.enable_public_ip_access,
    };
    let endpoints = properties.private_endpoint_connections.iter();
    let private = PrivateNetwork {
        subnet: own.and_then(|own| line(&own.delegated_subnet_resource_id)),
        dns_zone: own.and_then(|own| line(&own.private_dns_zone_arm_resource_id)),
        endpoints: endpoints.filter_map(|one| line(&one.properties.private_endpoint.id)).collect(),
    };
    let private = (private != PrivateNetwork::default()).then(|| Box::new(private));
    NetworkAccess { public_access, private }
}

/// Whether a name can be sent as that of a user: PostgreSQL cuts names off at 63 bytes (NAMEDATALEN).
fn is_user(name: &str) -> bool {
    (1..=63).contains(&name.len()) && !name.contains(char::is_control)
}

/// A tag whose value is not a text is left out: Azure knows none.
fn read_tags(tags: &Value) -> Tags {
    let members = tags.as_object().into_iter().flatten();
    members.filter_map(|(name, value)| Some((one_line(name), one_line(value.as_str()?)))).collect()
}

/// Reads the properties; where one has an unexpected type, reads them one by one and leaves out those.
fn read_properties(properties: Value) -> Properties {
    let Value::Object(members) = properties else { return Properties::default() };
    if let Ok(read) = Properties::deserialize(&Value::Object(members.clone())) {
        return read;
    }
    let alone = |name: &String, value: &Value| {
        let single = Value::Object([(name.clone(), value.clone())].into_iter().collect());
        Properties::deserialize(&single).is_ok()
    };
    let usable = members.into_iter().filter(|(name, value)| alone(name, value)).collect();
    Properties::deserialize(&Value::Object(usable)).unwrap_or_default()
}

/// Azure's words: None, Primary, AsyncReplica, GeoAsyncReplica (flexible); "", Master, Replica (single).
fn replication(properties: &Properties) -> (ReplicationRole, Option<ResourceId>) {
    let word = properties.replica.as_ref().and_then(|replica| replica.role.as_deref());
    let word = word.or(properties.replication_role.as_deref()).unwrap_or_default().to_ascii_lowercase();
    let source = [&properties.source_server_resource_id, &properties.master_server_id, &properties.source_resource_id];
    let source = source.into_iter().flatten().find_map(|id| ResourceId::try_from(id.as_str()).ok());
    if word.contains("replica") {
        return (ReplicationRole::Replica, source);
    }
    (if matches!(word.as_str(), "primary" | "master") { ReplicationRole::Primary } else { ReplicationRole::None }, None)
}

/// A single server's settings are properties of the server itself, so that the list holds them.
fn properties_of_single_server(properties: &Properties) -> Vec<(ParameterName, Reading<Parameter>)> {
    let reading = |name: ParameterName, value: &Option<String>| {
        let reading = match value {
            Some(value) => {
                let excerpt = serde_json::json!({ "properties": { name.as_str(): value } }).to_string();
                Reading::Known(Parameter::in_effect(name, value).with_excerpt(excerpt))
            }
            None => {
                Reading::Unknown(Unchecked::new(Reason::NotReturned, format!("Azure's answer does not contain {name}")))
            }
        };
        (name, reading)
    };
    vec![
        reading(ParameterName::SslEnforcement, &properties.ssl_enforcement),
        reading(ParameterName::MinimalTlsVersion, &properties.minimal_tls_version),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "/subscriptions/s/resourceGroups/g/providers/Microsoft.DBforPostgreSQL/flexibleServers/orders";

    fn read(properties: &str, resource_type: ResourceType) -> Listed {
        let entry = format!(r#"{{"id":"{ID}","location":"West Europe","properties":{properties}}}"#);
        read_server(&entry, resource_type).unwrap()
    }

    #[test]
    fn the_network_is_read_as_each_type_has_it() {
        let network = |properties: &str, resource_type| read(properties, resource_type).posture.server.network;
        let injected = network(
            r#"{"network":{"publicNetworkAccess":"Disabled","delegatedSubnetResourceId":"/v/virtualNetworks/n/subnets/db",
                "privateDnsZoneArmResourceId":"/z/contoso"},"privateEndpointConnections":[]}"#,
            ResourceType::FlexibleServers,
        );
        assert_eq!((injected.public_access, injected.is_private()), (Some(false), true));
        assert_eq!(injected.virtual_network(), Some("/v/virtualNetworks/n"));
        assert_eq!(injected.dns_zone(), Some("/z/contoso"));
        let open = network(r#"{"network":{"publicNetworkAccess":"Enabled"}}"#, ResourceType::FlexibleServers);
        assert_eq!(open, NetworkAccess { public_access: Some(true), private: None });
        let endpoint = r#"[{"id":"/c","properties":{"privateEndpoint":{"id":"/pe/a"}}},{"properties":{}},{}]"#;
        let single = format!(r#"{{"publicNetworkAccess":"Disabled","privateEndpointConnections":{endpoint}}}"#);
        let single = network(&single, ResourceType::Servers);
        assert_eq!((single.is_private(), single.endpoints()), (true, &["/pe/a".into()][..]));
        let cluster = network(r#"{"enablePublicIpAccess":false}"#, ResourceType::ServerGroups);
        assert!(cluster.is_private());
    }

    #[test]
    fn an_odd_network_says_nothing_and_loses_no_server() {
        for odd in [
            r#"{"network":7}"#,
            r#"{"network":{"publicNetworkAccess":"Sometimes"}}"#,
            r#"{"privateEndpointConnections":{"a":1}}"#,
            r#"{"network":{"delegatedSubnetResourceId":""}}"#,
            "{}",
        ] {
            assert_eq!(
                read(odd, ResourceType::FlexibleServers).posture.server.network,
                NetworkAccess::default(),
                "{odd}"
            );
        }
    }

    #[test]
    fn a_replica_names_its_primary() {
        let properties = format!(r#"{{"replicationRole":"AsyncReplica","sourceServerResourceId":"{ID}"}}"#);
        let server = read(&properties, ResourceType::FlexibleServers).posture.server;
        assert_eq!((server.role, server.primary), (ReplicationRole::Replica, ResourceId::try_from(ID).ok()));
    }

    #[test]
    fn the_time_of_creation_is_read_where_azure_says_it() {
        let created = |data: &str| {
            let entry = format!(r#"{{"id":"{ID}","systemData":{data}}}"#);
            read_server(&entry, ResourceType::FlexibleServers).unwrap().posture.server.created_at
        };
        let time = "2025-03-01T08:15:30.1234567Z";
        assert_eq!(created(&format!(r#"{{"createdAt":"{time}"}}"#)).as_deref(), Some(time));
        for nothing in ["null", "{}", "7", r#"{"createdAt":7}"#] {
            assert_eq!(created(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn tags_are_read_and_odd_ones_cost_themselves_alone() {
        let tags = |tags: &str| {
            let entry = format!(r#"{{"id":"{ID}","tags":{tags}}}"#);
            read_server(&entry, ResourceType::FlexibleServers).unwrap().posture.server.tags
        };
        let read = tags(r#"{"environment":"production","odd":7,"note":"a\u001b[2Jb"}"#);
        assert_eq!(read.iter().collect::<Vec<_>>(), [("environment", "production"), ("note", "a [2Jb")]);
        assert!(tags("null").is_empty() && tags("[1]").is_empty());
    }

    #[test]
    fn an_elastic_cluster_is_a_flexible_server_with_a_cluster() {
        let kind = |properties| read(properties, ResourceType::FlexibleServers).posture.server.kind;
        assert_eq!(kind(r#"{"cluster":{"clusterSize":3}}"#), Kind::ElasticCluster);
        assert_eq!(kind(r#"{"cluster":null}"#), Kind::Flexible);
    }

    #[test]
    fn a_member_of_an_unexpected_type_costs_that_member_alone() {
        let listed = read(r#"{"state":7,"sslEnforcement":"Enabled","serverNames":"x"}"#, ResourceType::Servers);
        assert!(listed.posture.server.state.is_none());
        let reading = listed.posture.reading(ParameterName::SslEnforcement);
        assert_eq!(reading, Some(&Reading::Known(Parameter::in_effect(ParameterName::SslEnforcement, "Enabled"))));
    }

    #[test]
    fn what_has_no_usable_id_is_told_and_not_dropped() {
        for entry in ["{}", "7", r#"{"id":"/x"}"#, r#"{"id":["a"]}"#] {
            assert!(read_server(entry, ResourceType::Servers).is_err(), "{entry}");
        }
    }

    #[test]
    fn a_2019_single_server_has_no_minimal_tls_version() {
        let listed = read(r#"{"sslEnforcement":"Disabled","userVisibleState":"Ready"}"#, ResourceType::Servers);
        assert!(matches!(
            listed.posture.reading(ParameterName::MinimalTlsVersion),
            Some(Reading::Unknown(Unchecked { reason: Reason::NotReturned, .. }))
        ));
    }
}
