//! The parameters of one server, read by name: the whole list is about 400 KB a server.

use crate::arm_client::SendTurn;
use crate::servers::{get_in_known_version, read_server};
use crate::{AcceptedWrite, Arm, ArmError, Listed, Quota, ResourceType, permissions, write};
use azure_core::http::Method;
use futures::future::join_all;
use hostssl_model::{Kind, Origin, Parameter, ParameterName, Reading, Reason, ResourceId, Unchecked};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// Reads these settings of a server and returns one reading for each, in order. What could not be read is a reading
/// too.
pub async fn read_parameters(
    arm: &Arm,
    listed: &Listed,
    names: &[ParameterName],
) -> Vec<(ParameterName, Reading<Parameter>)> {
    if names.is_empty() {
        return Vec::new();
    }
    let server = &listed.posture.server;
    match server.kind {
        Kind::Flexible | Kind::ElasticCluster => {
            let reads = names.iter().map(|name| async { (*name, read_configuration(arm, &server.id, *name).await) });
            join_all(reads).await
        }
        Kind::Single => read_single_server(arm, &server.id, names).await,
        Kind::CosmosCluster => read_cluster_configuration(arm, &server.id, names).await,
        Kind::Horizon => read_parameter_group(arm, listed, names).await,
    }
}

/// Reads one setting of a server of which the id and the kind are known.
///
/// # Errors
///
/// The [`Unchecked`] that says why it could not be read. A HorizonDB cluster's settings are in a parameter group, of
/// which its id says nothing.
pub async fn read_parameter(
    arm: &Arm,
    id: &ResourceId,
    kind: Kind,
    name: ParameterName,
) -> Result<Parameter, Unchecked> {
    let reading = match kind {
        Kind::Flexible | Kind::ElasticCluster => Some(read_configuration(arm, id, name).await),
        Kind::Single => read_single_server(arm, id, &[name]).await.pop().map(|(_, reading)| reading),
        Kind::CosmosCluster => read_cluster_configuration(arm, id, &[name]).await.pop().map(|(_, reading)| reading),
        Kind::Horizon => None,
    };
    match reading {
        Some(Reading::Known(parameter)) => Ok(parameter),
        Some(Reading::Unknown(unchecked)) => Err(unchecked),
        None => Err(not_returned(name)),
    }
}

/// Sends one write of a setting, as the value of `origin`. Whether it has the wished effect is only known by reading
/// again.
///
/// # Errors
///
/// [`WriteParameterError`]; its [`ArmError`] as for [`write()`].
pub async fn write_parameter(
    arm: &Arm,
    id: &ResourceId,
    kind: Kind,
    name: ParameterName,
    (value, origin): (&str, Origin),
    turn: Option<SendTurn>,
) -> Result<AcceptedWrite, WriteParameterError> {
    let (resource_type, tail, body) = match (kind, name) {
        (Kind::Flexible | Kind::ElasticCluster, _) => {
            let body = json!({"properties": {"value": value, "source": origin.as_str()}});
            (ResourceType::FlexibleServers, Some(["configurations", name.as_str()]), body)
        }
        (Kind::Single, ParameterName::SslEnforcement) => {
            (ResourceType::Servers, None, json!({"properties": {"sslEnforcement": value}}))
        }
        (Kind::Single, ParameterName::MinimalTlsVersion) => {
            (ResourceType::Servers, None, json!({"properties": {"minimalTlsVersion": value}}))
        }
        (Kind::CosmosCluster, ParameterName::SslMinProtocolVersion | ParameterName::NodeSslMinProtocolVersion) => {
            let of_nodes = name == ParameterName::NodeSslMinProtocolVersion;
            let part = if of_nodes { "nodeConfigurations" } else { "coordinatorConfigurations" };
            let tail = [part, ParameterName::SslMinProtocolVersion.as_str()];
            (ResourceType::ServerGroups, Some(tail), json!({"properties": {"value": value}}))
        }
        _ => return Err(WriteParameterError::NotWritable { kind, name }),
    };
    let version = arm.versions().current(resource_type);
    let url = arm.url(segments(id).chain(tail.into_iter().flatten()), version);
    Ok(write(arm, Method::Patch, url, &body, &id.subscription(), turn).await?)
}

/// A setting was not written.
#[derive(Debug, Clone, thiserror::Error)]
pub enum WriteParameterError {
    /// Nothing was sent: this kind of server has no such setting that a write could change.
    #[error("{name} of {kind} cannot be written")]
    NotWritable {
        /// The kind of server.
        kind: Kind,
        /// The setting.
        name: ParameterName,
    },
    /// What [`write()`] says.
    #[error(transparent)]
    Arm(#[from] ArmError),
}

/// The path of a resource, as the client takes it.
fn segments(id: &ResourceId) -> impl Iterator<Item = &str> {
    id.as_str().split('/').skip(1)
}

#[derive(Deserialize)]
struct Configuration {
    #[serde(default)]
    name: Option<String>,
    properties: ConfigurationProperties,
    /// The other members, for the excerpt.
    #[serde(flatten)]
    rest: Map<String, Value>,
}

impl Configuration {
    /// The answer without what is the same for every server: descriptions and links.
    fn excerpt(&self) -> String {
        let mut answer = self.rest.clone();
        answer.remove("systemData");
        answer.insert("name".to_owned(), self.name.as_deref().into());
        let mut properties = self.properties.rest.clone();
        for of_every_server in ["description", "documentationLink"] {
            properties.remove(of_every_server);
        }
        properties.insert("value".to_owned(), self.properties.value.as_deref().into());
        if !self.properties.is_config_pending_restart.is_null() {
            properties.insert("isConfigPendingRestart".to_owned(), self.properties.is_config_pending_restart.clone());
        }
        answer.insert("properties".to_owned(), properties.into());
        excerpt(&answer.into())
    }
}

/// The longest excerpt that is kept, in bytes.
const MAX_EXCERPT: usize = 4 << 10;

/// A value as text; nothing when it is too long to be what it should be.
fn excerpt(value: &Value) -> String {
    Some(value.to_string()).filter(|text| text.len() <= MAX_EXCERPT).unwrap_or_default()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ConfigurationProperties {
    value: Option<String>,
    // Old providers send the text "True" here instead of a boolean.
    #[serde(default)]
    is_config_pending_restart: Value,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// A value in effect, with the entry of Azure's answer that holds it.
fn with_excerpt(name: ParameterName, value: &str, entry: &impl Serialize) -> Parameter {
    Parameter::in_effect(name, value).with_excerpt(excerpt(&serde_json::to_value(entry).unwrap_or_default()))
}

async fn read_configuration(arm: &Arm, id: &ResourceId, name: ParameterName) -> Reading<Parameter> {
    let url = |version: &str| arm.url(segments(id).chain(["configurations", name.as_str()]), version);
    let answer = get_in_known_version(arm, &id.subscription(), ResourceType::FlexibleServers, url).await;
    match answer {
        Ok(Configuration { name: Some(other), .. }) if !other.eq_ignore_ascii_case(name.as_str()) => {
            Reading::Unknown(Unchecked::new(
                Reason::MalformedAnswer,
                format!("asked for {name}, Azure answered about another parameter"),
            ))
        }
        Ok(configuration) if configuration.rest.get("id").is_some_and(|at| !is_below(at, id)) => Reading::Unknown(
            Unchecked::new(Reason::MalformedAnswer, "asked for one server, Azure answered about another"),
        ),
        Ok(configuration) if configuration.properties.value.is_some() => {
            let properties = &configuration.properties;
            let parameter = Parameter::in_effect(name, properties.value.as_deref().unwrap_or_default());
            let pending_restart = is_true(&properties.is_config_pending_restart);
            let source = properties.rest.get("source").and_then(Value::as_str);
            let origin = source.map_or(Origin::UserOverride, Origin::of_azure);
            let parameter = parameter.waiting_for_restart(pending_restart).of_origin(origin);
            Reading::Known(parameter.with_excerpt(configuration.excerpt()))
        }
        Ok(_) => Reading::Unknown(not_returned(name)),
        Err(error) => Reading::Unknown(unseen(&error, permissions::READ_CONFIGURATIONS)),
    }
}

async fn read_single_server(
    arm: &Arm,
    id: &ResourceId,
    names: &[ParameterName],
) -> Vec<(ParameterName, Reading<Parameter>)> {
    let url = |version: &str| arm.url(segments(id), version);
    let document: Result<Value, ArmError> =
        get_in_known_version(arm, &id.subscription(), ResourceType::Servers, url).await;
    let listed = document.map(|document| read_server(&document.to_string(), ResourceType::Servers));
    let reading = |name: ParameterName| match &listed {
        Ok(Ok(listed)) if listed.posture.server.id != *id => Reading::Unknown(Unchecked::new(
            Reason::MalformedAnswer,
            "asked for one server, Azure answered about another",
        )),
        Ok(Ok(listed)) => listed.posture.reading(name).cloned().unwrap_or_else(|| Reading::Unknown(not_returned(name))),
        Ok(Err(odd)) => Reading::Unknown(Unchecked::new(Reason::MalformedAnswer, odd.0.as_str())),
        Err(error) => Reading::Unknown(unseen(error, ResourceType::Servers.read_action())),
    };
    names.iter().map(|name| (*name, reading(*name))).collect()
}

#[derive(Deserialize)]
struct ClusterConfiguration {
    properties: ClusterConfigurationProperties,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ClusterConfigurationProperties {
    server_role_group_configurations: Vec<RoleConfiguration>,
}

#[derive(Deserialize, Serialize)]
struct RoleConfiguration {
    role: String,
    value: Option<String>,
}

/// One request returns the coordinator's and the workers' value.
async fn read_cluster_configuration(
    arm: &Arm,
    id: &ResourceId,
    names: &[ParameterName],
) -> Vec<(ParameterName, Reading<Parameter>)> {
    let path = || segments(id).chain(["configurations", ParameterName::SslMinProtocolVersion.as_str()]);
    let (subscription, url) = (id.subscription(), |version: &str| arm.url(path(), version));
    let answer: Result<ClusterConfiguration, _> =
        get_in_known_version(arm, &subscription, ResourceType::ServerGroups, url).await;
    let reading = |name: ParameterName| {
        let role = match name {
            ParameterName::SslMinProtocolVersion => "Coordinator",
            ParameterName::NodeSslMinProtocolVersion => "Worker",
            _ => return Reading::Unknown(not_returned(name)),
        };
        let configuration = match &answer {
            Ok(configuration) => configuration,
            Err(error) => return Reading::Unknown(unseen(error, permissions::READ_SERVER_GROUP_CONFIGURATIONS)),
        };
        let of_role = configuration.properties.server_role_group_configurations.iter();
        let found = of_role.filter(|c| c.role.eq_ignore_ascii_case(role)).find_map(|c| Some((c, c.value.as_deref()?)));
        match found {
            Some((configuration, value)) => Reading::Known(with_excerpt(name, value, configuration)),
            None => Reading::Unknown(not_returned(name)),
        }
    };
    names.iter().map(|name| (*name, reading(*name))).collect()
}

#[derive(Deserialize)]
struct GroupDocument {
    properties: GroupProperties,
}

#[derive(Deserialize)]
struct GroupProperties {
    parameters: Vec<GroupParameter>,
}

#[derive(Deserialize, Serialize)]
struct GroupParameter {
    name: String,
    value: Option<String>,
}

async fn read_parameter_group(
    arm: &Arm,
    listed: &Listed,
    names: &[ParameterName],
) -> Vec<(ParameterName, Reading<Parameter>)> {
    let Some(group) = &listed.parameter_group else {
        let unchecked =
            Unchecked::new(Reason::NotReturned, "Azure does not say which parameter group the cluster uses");
        return names.iter().map(|name| (*name, Reading::Unknown(unchecked.clone()))).collect();
    };
    let url = arm.url(segments(group), arm.versions().current(ResourceType::HorizonClusters));
    let answer = arm.get::<GroupDocument>(url, &Quota::Reads(group.subscription())).await;
    let reading = |name: ParameterName| match &answer {
        Ok(document) => {
            let mut parameters = document.properties.parameters.iter();
            let found = parameters.find(|parameter| parameter.name.eq_ignore_ascii_case(name.as_str()));
            match found.and_then(|parameter| Some((parameter, parameter.value.as_deref()?))) {
                Some((parameter, value)) => Reading::Known(with_excerpt(name, value, parameter)),
                None => Reading::Unknown(not_returned(name)),
            }
        }
        Err(error) => Reading::Unknown(unseen(error, permissions::READ_PARAMETER_GROUPS)),
    };
    names.iter().map(|name| (*name, reading(*name))).collect()
}

/// Whether an id is one of something that belongs to the server.
fn is_below(id: &Value, server: &ResourceId) -> bool {
    let (id, server) = (id.as_str().unwrap_or_default().to_ascii_lowercase(), server.to_lowercase());
    id.strip_prefix(server.as_str()).is_some_and(|rest| rest.starts_with('/'))
}

fn is_true(value: &Value) -> bool {
    value.as_bool().unwrap_or_else(|| value.as_str().is_some_and(|text| text.eq_ignore_ascii_case("true")))
}

/// Why a setting of a server that was listed could not be read. That server exists, so its type is offered.
fn unseen(error: &ArmError, action: &str) -> Unchecked {
    let unchecked = error.unchecked(action);
    if unchecked.reason == Reason::NotOffered {
        Unchecked { reason: Reason::AzureError, ..unchecked }
    } else {
        unchecked
    }
}

fn not_returned(name: ParameterName) -> Unchecked {
    Unchecked::new(Reason::NotReturned, format!("Azure's answer does not contain {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boolean_may_come_as_text() {
        assert!(is_true(&Value::from(true)));
        assert!(is_true(&Value::from("True")));
        assert!(!is_true(&Value::from("False")));
        assert!(!is_true(&Value::Null));
    }
}
