//! Reads: everything that changes nothing.

use axum::http::StatusCode;

use crate::call::Call;
use crate::estate::{Record, SubscriptionRecord, TenantRecord};
use crate::fault::{Fault, ResolvedScope};
use crate::fleet::{GraphView, Kind, ProviderState, ServerState};
use crate::graph;
use crate::json::{put, quoted};
use crate::parameters::{self, COSMOS, FLEXIBLE, Parameter, SINGLE};
use crate::path::{GroupPart, Plane, ServerPart, SubscriptionPart, Target};
use crate::refuse::FLEXIBLE_VERSIONS;
use crate::render;
use crate::reply::{self, Reply};
use crate::simulation::Inner;
use crate::write;

/// Answers a read.
pub(crate) fn answer(call: &Call<'_>, simulation: &Inner) -> Reply {
    let estate = &simulation.estate;
    let Some((_, tenant)) = estate.tenant(&call.principal.tenant) else {
        return reply::no_such_path();
    };
    match call.target {
        Target::Tenants => call.page(simulation.scenario.page_size, estate.tenants.iter(), render::tenant),
        Target::Subscriptions => {
            call.page(simulation.scenario.page_size, subscriptions_of(simulation, tenant), |out, subscription| {
                render::subscription(out, tenant, subscription)
            })
        }
        Target::ManagementGroups => management_groups(call, simulation, tenant),
        Target::ManagementGroup(name, part) => management_group(call, simulation, tenant, name, part),
        Target::ResourceGraph => graph::answer(call, simulation),
        Target::Subscription(id, part) => match estate.subscription(id) {
            Some((index, subscription)) => under_subscription(call, simulation, tenant, index, subscription, part),
            None => reply::subscription_not_found(id),
        },
        _ => reply::no_such_path(),
    }
}

fn subscriptions_of<'a>(
    simulation: &'a Inner,
    tenant: &'a TenantRecord,
) -> impl Iterator<Item = &'a SubscriptionRecord> {
    let all = &simulation.estate.subscriptions;
    tenant.subscriptions.iter().filter_map(|index| all.get(*index as usize))
}

fn under_subscription(
    call: &Call<'_>,
    simulation: &Inner,
    tenant: &TenantRecord,
    index: usize,
    subscription: &SubscriptionRecord,
    part: SubscriptionPart<'_>,
) -> Reply {
    let page_size = simulation.scenario.page_size;
    match part {
        SubscriptionPart::Itself => {
            let mut body = String::new();
            render::subscription(&mut body, tenant, subscription);
            Reply::json(body)
        }
        SubscriptionPart::ResourceGroups => {
            call.page(page_size, subscription.groups.iter(), |out, (name, location)| {
                render::resource_group(out, &subscription.id, name, location);
            })
        }
        SubscriptionPart::ResourceGroup(name) => match group(subscription, name) {
            Some((name, location)) => {
                let mut body = String::new();
                render::resource_group(&mut body, &subscription.id, name, location);
                Reply::json(body)
            }
            None => reply::group_not_found(name),
        },
        SubscriptionPart::Provider(namespace) => provider(simulation, subscription, namespace),
        SubscriptionPart::Servers(in_group, kind) => servers(call, simulation, subscription, in_group, kind),
        SubscriptionPart::Server(in_group, kind, name, part) => {
            if let Some(refused) = unavailable(subscription, kind) {
                return refused;
            }
            if group(subscription, in_group).is_none() {
                return reply::group_not_found(in_group);
            }
            match simulation.estate.server(index, in_group, kind, name) {
                Some((at, record)) if record.graph != GraphView::Stale => server(call, simulation, at, record, part),
                _ => reply::resource_not_found(kind, name, in_group),
            }
        }
        SubscriptionPart::AsyncOperation(name) => write::poll(call, simulation, name),
        SubscriptionPart::OperationResult(name) => write::result(call, simulation, name),
        SubscriptionPart::Capabilities(_) => Reply::json(CAPABILITIES.to_owned()),
        SubscriptionPart::CheckName => check_name(call, simulation),
        SubscriptionPart::Locks(in_group) => locks(call, simulation, index, in_group, None),
        SubscriptionPart::Policies(in_group) => policies(call, simulation, index, in_group, None),
    }
}

fn group<'a>(subscription: &'a SubscriptionRecord, name: &str) -> Option<&'a (Box<str>, Box<str>)> {
    subscription.groups.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))
}

/// Refuses a kind whose provider the subscription does not have.
pub(crate) fn unavailable(subscription: &SubscriptionRecord, kind: Kind) -> Option<Reply> {
    let state = match kind {
        Kind::Flexible | Kind::Single | Kind::Cosmos => subscription.postgres,
        Kind::Horizon | Kind::ParameterGroup => subscription.horizon,
    };
    match state {
        ProviderState::Registered => None,
        ProviderState::NotRegistered => Some(Reply::gateway(
            StatusCode::CONFLICT,
            "MissingSubscriptionRegistration",
            &format!("The subscription is not registered to use namespace '{}'.", kind.provider()),
        )),
        ProviderState::Unsupported => Some(Reply::gateway(
            StatusCode::NOT_FOUND,
            "InvalidResourceType",
            &format!(
                "The resource type '{}' could not be found in the namespace '{}'.",
                kind.type_segment(),
                kind.provider()
            ),
        )),
    }
}

fn provider(simulation: &Inner, subscription: &SubscriptionRecord, namespace: &str) -> Reply {
    let known = Kind::ALL.into_iter().find(|kind| kind.provider().eq_ignore_ascii_case(namespace));
    let (namespace, state) = match known {
        Some(kind) if kind.provider() == Kind::Horizon.provider() => (kind.provider(), subscription.horizon),
        Some(kind) => (kind.provider(), subscription.postgres),
        None => (namespace, ProviderState::Unsupported),
    };
    if state == ProviderState::Unsupported {
        return Reply::gateway(
            StatusCode::NOT_FOUND,
            "InvalidResourceNamespace",
            &format!("The resource namespace '{namespace}' is invalid."),
        );
    }
    let versions = simulation.scenario.flexible_versions.clone();
    let versions = versions.unwrap_or_else(|| FLEXIBLE_VERSIONS.iter().map(|version| (*version).to_owned()).collect());
    let mut body = String::new();
    render::provider(&mut body, &subscription.id, namespace, state, &versions);
    Reply::json(body)
}

fn servers(
    call: &Call<'_>,
    simulation: &Inner,
    subscription: &SubscriptionRecord,
    in_group: Option<&str>,
    kind: Kind,
) -> Reply {
    if let Some(refused) = unavailable(subscription, kind) {
        return refused;
    }
    if let Some(name) = in_group
        && group(subscription, name).is_none()
    {
        return reply::group_not_found(name);
    }
    let listed = simulation
        .estate
        .servers_of(subscription)
        .map(|(_, record)| record)
        .filter(|record| record.kind == kind && record.graph != GraphView::Stale)
        .filter(|record| in_group.is_none_or(|name| record.group().eq_ignore_ascii_case(name)));
    call.page(simulation.scenario.page_size, listed, render::server)
}

fn server(call: &Call<'_>, simulation: &Inner, index: usize, record: &Record, part: ServerPart<'_>) -> Reply {
    match part {
        ServerPart::Itself => {
            let mut body = String::new();
            render::server(&mut body, record);
            Reply::json(body)
        }
        ServerPart::Configurations => configurations(call, simulation, record),
        ServerPart::Configuration(plane, name) => configuration(record, plane, name),
        ServerPart::Replicas => {
            let replicas = simulation.estate.subscriptions.get(record.subscription as usize);
            let replicas = replicas
                .into_iter()
                .flat_map(|subscription| simulation.estate.servers_of(subscription))
                .map(|(_, candidate)| candidate)
                .filter(|candidate| candidate.replica_of.as_deref() == Some(&*record.id));
            call.page(simulation.scenario.page_size, replicas, render::server)
        }
        ServerPart::FirewallRules => Reply::json(r#"{"value":[]}"#.to_owned()),
        ServerPart::Locks => {
            let group = Some(record.group());
            locks(call, simulation, record.subscription as usize, group, Some((index, record)))
        }
        ServerPart::Policies => {
            let group = Some(record.group());
            policies(call, simulation, record.subscription as usize, group, Some((index, record)))
        }
    }
}

/// Refuses to read parameters in a state in which the service has none to give.
fn unreadable(record: &Record) -> Option<Reply> {
    if record.kind != Kind::Flexible {
        return None;
    }
    match record.lock().state {
        ServerState::Stopped | ServerState::Stopping | ServerState::Updating => {
            Some(reply::server_stopped(record.name()))
        }
        ServerState::Provisioning => Some(reply::internal_error()),
        _ => None,
    }
}

fn configurations(call: &Call<'_>, simulation: &Inner, record: &Record) -> Reply {
    if let Some(refused) = unreadable(record) {
        return refused;
    }
    let page_size = simulation.scenario.page_size;
    let mutable = record.lock();
    if record.kind == Kind::Cosmos {
        let pairs = COSMOS.iter().filter_map(|coordinator| {
            let name = coordinator.name.strip_prefix("coordinator:")?;
            Some((name, coordinator, role(Plane::Node, name)?))
        });
        return call.page(page_size, pairs, |out, (name, coordinator, node)| {
            render::cosmos_parameter(out, record, &mutable, name, coordinator, node);
        });
    }
    let table = if record.kind == Kind::Single { SINGLE } else { FLEXIBLE };
    call.page(page_size, table.iter(), |out, parameter| {
        render::parameter(out, record, &mutable, parameter);
    })
}

fn configuration(record: &Record, plane: Plane, name: &str) -> Reply {
    if let Some(refused) = unreadable(record) {
        return refused;
    }
    match render_configuration(record, plane, name) {
        Some(body) => Reply::json(body),
        None => no_such_parameter(record, name),
    }
}

/// The body of one parameter.
pub(crate) fn render_configuration(record: &Record, plane: Plane, name: &str) -> Option<String> {
    let mut body = String::with_capacity(768);
    let mutable = record.lock();
    if record.kind == Kind::Cosmos {
        match plane {
            Plane::Server => {
                let coordinator = role(Plane::Coordinator, name)?;
                let node = role(Plane::Node, name)?;
                let name = coordinator.name.strip_prefix("coordinator:")?;
                render::cosmos_parameter(&mut body, record, &mutable, name, coordinator, node);
            }
            Plane::Coordinator | Plane::Node => {
                let parameter = role(plane, name)?;
                let (_, name) = parameter.name.split_once(':')?;
                let collection = if plane == Plane::Node { "nodeConfigurations" } else { "coordinatorConfigurations" };
                render::cosmos_node_parameter(&mut body, record, &mutable, collection, name, parameter);
            }
        }
    } else {
        let parameter = plain(record.kind, name)?;
        render::parameter(&mut body, record, &mutable, parameter);
    }
    Some(body)
}

/// A parameter of a role of a server group.
pub(crate) fn role(plane: Plane, name: &str) -> Option<&'static Parameter> {
    let prefix = if plane == Plane::Node { "node" } else { "coordinator" };
    parameters::find(Kind::Cosmos, &format!("{prefix}:{name}"))
}

/// A parameter that is addressed as one; a single server's properties are not.
pub(crate) fn plain(kind: Kind, name: &str) -> Option<&'static Parameter> {
    let parameter = parameters::find(kind, name)?;
    let property = parameters::SINGLE_PROPERTIES.iter().any(|property| std::ptr::eq(property, parameter));
    (!property).then_some(parameter)
}

/// 404 for a parameter that the server does not have. What the real service says was not seen.
pub(crate) fn no_such_parameter(record: &Record, name: &str) -> Reply {
    Reply::error(
        StatusCode::NOT_FOUND,
        "ResourceNotFound",
        &format!(
            "The requested resource of type '{}/{}/configurations' with name '{name}' was not found.",
            record.kind.provider(),
            record.kind.type_segment()
        ),
    )
}

fn management_groups(call: &Call<'_>, simulation: &Inner, tenant: &TenantRecord) -> Reply {
    let root = std::iter::once((tenant.id.as_str(), "Tenant Root Group"));
    let below = tenant.groups.iter().map(|group| (group.name.as_str(), group.display_name.as_str()));
    call.page(simulation.scenario.page_size, root.chain(below), |out, (name, display_name)| {
        render::management_group(out, &tenant.id, name, display_name);
    })
}

fn management_group(call: &Call<'_>, simulation: &Inner, tenant: &TenantRecord, name: &str, part: GroupPart) -> Reply {
    let Some(within) = group_names(tenant, name) else {
        return Reply::gateway(
            StatusCode::NOT_FOUND,
            "NotFound",
            &format!("The management group '{name}' could not be found."),
        );
    };
    let parent_of =
        |subscription: &SubscriptionRecord| subscription.management_group.as_deref().unwrap_or(&tenant.id).to_owned();
    let own = within.first().copied().unwrap_or_default().to_owned();
    let below = subscriptions_of(simulation, tenant)
        .map(|subscription| (subscription, parent_of(subscription)))
        .filter(|(_, parent)| within.iter().any(|name| name.eq_ignore_ascii_case(parent)));
    let size = simulation.scenario.page_size;
    match part {
        GroupPart::Itself => {
            let display = tenant
                .groups
                .iter()
                .find(|group| group.name.eq_ignore_ascii_case(name))
                .map_or("Tenant Root Group", |group| &group.display_name);
            let mut body = String::new();
            render::management_group(&mut body, &tenant.id, &own, display);
            Reply::json(body)
        }
        GroupPart::Subscriptions => {
            let direct = below.filter(|(_, parent)| parent.eq_ignore_ascii_case(&own));
            call.page(size, direct, |out, (subscription, _)| {
                put!(
                    out,
                    r#"{{"id":{},"name":{},"type":"Microsoft.Management/managementGroups/subscriptions","properties":{{"displayName":{},"parent":{{"id":{}}},"state":"Active","tenant":{}}}}}"#,
                    quoted(&format!("{}/subscriptions/{}", group_id(&own), subscription.id)),
                    quoted(&subscription.id),
                    quoted(&subscription.name),
                    quoted(&group_id(&own)),
                    quoted(&tenant.id)
                );
            })
        }
        GroupPart::Descendants => {
            let groups =
                tenant.groups.iter().filter(|group| within.iter().skip(1).any(|name| *name == group.name)).map(
                    |group| {
                        let parent = group.parent.as_deref().unwrap_or(&tenant.id);
                        descendant(
                            "Microsoft.Management/managementGroups",
                            &group_id(&group.name),
                            &group.name,
                            &group.display_name,
                            parent,
                        )
                    },
                );
            let subscriptions = below.map(|(subscription, parent)| {
                descendant(
                    "Microsoft.Management/managementGroups/subscriptions",
                    &format!("/subscriptions/{}", subscription.id),
                    &subscription.id,
                    &subscription.name,
                    &parent,
                )
            });
            call.page(size, groups.chain(subscriptions), |out, text| out.push_str(&text))
        }
    }
}

/// The group called `name` and all below it, in their own spelling; `None` when there is none.
pub(crate) fn group_names<'a>(tenant: &'a TenantRecord, name: &str) -> Option<Vec<&'a str>> {
    let start = if tenant.id.eq_ignore_ascii_case(name) {
        tenant.id.as_str()
    } else {
        let found = tenant.groups.iter().find(|group| group.name.eq_ignore_ascii_case(name))?;
        found.name.as_str()
    };
    let mut names = vec![start];
    // Groups may be listed in any order: go on until a pass finds nothing new.
    loop {
        let before = names.len();
        for group in &tenant.groups {
            let parent = group.parent.as_deref().unwrap_or(&tenant.id);
            let below = names.iter().any(|name| name.eq_ignore_ascii_case(parent));
            if below && !names.contains(&group.name.as_str()) {
                names.push(&group.name);
            }
        }
        if names.len() == before {
            return Some(names);
        }
    }
}

fn group_id(name: &str) -> String {
    format!("/providers/Microsoft.Management/managementGroups/{name}")
}

fn descendant(kind: &str, id: &str, name: &str, display_name: &str, parent: &str) -> String {
    format!(
        r#"{{"id":{},"type":"{kind}","name":{},"properties":{{"displayName":{},"parent":{{"id":{}}}}}}}"#,
        quoted(id),
        quoted(name),
        quoted(display_name),
        quoted(&group_id(parent))
    )
}

/// The locks that a scope lists: those on it, above it and, for a subscription or group, below it.
fn locks(
    call: &Call<'_>,
    simulation: &Inner,
    subscription: usize,
    group: Option<&str>,
    server: Option<(usize, &Record)>,
) -> Reply {
    let found = assignments(simulation, subscription, group, server, |fault| match fault {
        Fault::ReadOnlyLock => Some("ReadOnly"),
        Fault::DeleteLock => Some("CanNotDelete"),
        _ => None,
    });
    call.page(simulation.scenario.page_size, found.into_iter(), |out, (scope, level)| {
        put!(
            out,
            r#"{{"properties":{{"level":"{level}","notes":"simulated"}},"id":{},"type":"Microsoft.Authorization/locks","name":"simulated-{level}"}}"#,
            quoted(&format!("{scope}/providers/Microsoft.Authorization/locks/simulated-{level}"))
        );
    })
}

fn policies(
    call: &Call<'_>,
    simulation: &Inner,
    subscription: usize,
    group: Option<&str>,
    server: Option<(usize, &Record)>,
) -> Reply {
    let found =
        assignments(simulation, subscription, group, server, |fault| (*fault == Fault::PolicyDenied).then_some("deny"));
    call.page(simulation.scenario.page_size, found.into_iter(), |out, (scope, _)| {
        put!(
            out,
            r#"{{"properties":{{"displayName":"Simulated deny policy","policyDefinitionId":"/providers/Microsoft.Authorization/policyDefinitions/simulated-deny","scope":{scope},"enforcementMode":"Default"}},"id":{id},"type":"Microsoft.Authorization/policyAssignments","name":"simulated-deny"}}"#,
            scope = quoted(&scope),
            id = quoted(&format!("{scope}/providers/Microsoft.Authorization/policyAssignments/simulated-deny"))
        );
    })
}

/// Scopes and labels of the rules in force that touch a scope.
fn assignments(
    simulation: &Inner,
    subscription: usize,
    group: Option<&str>,
    server: Option<(usize, &Record)>,
    label: impl Fn(&Fault) -> Option<&'static str>,
) -> Vec<(String, &'static str)> {
    let estate = &simulation.estate;
    let Some(record) = estate.subscriptions.get(subscription) else {
        return Vec::new();
    };
    let root = format!("/subscriptions/{}", record.id);
    simulation
        .rules()
        .in_force()
        .filter_map(|(scope, fault)| {
            let label = label(fault)?;
            let scope = match scope {
                ResolvedScope::Everywhere => root.clone(),
                ResolvedScope::Subscription(index) if *index == subscription => root.clone(),
                ResolvedScope::Group(index, name) if *index == subscription => group
                    .is_none_or(|wanted| wanted.eq_ignore_ascii_case(name))
                    .then(|| format!("{root}/resourceGroups/{name}"))?,
                ResolvedScope::Server(index) => {
                    let locked = estate.servers.get(*index)?;
                    let below = locked.subscription as usize == subscription
                        && group.is_none_or(|wanted| wanted.eq_ignore_ascii_case(locked.group()))
                        && server.is_none_or(|(wanted, _)| wanted == *index);
                    below.then(|| locked.id.to_string())?
                }
                _ => return None,
            };
            Some((scope, label))
        })
        .collect()
}

fn check_name(call: &Call<'_>, simulation: &Inner) -> Reply {
    let body: serde_json::Value = match serde_json::from_slice(call.body) {
        Ok(body) => body,
        Err(_) => return reply::bad_request("The request content is not valid JSON."),
    };
    let Some(name) = body.get("name").and_then(serde_json::Value::as_str) else {
        return reply::bad_request("The member 'name' is missing.");
    };
    let taken = simulation.estate.servers.iter().any(|record| record.name().eq_ignore_ascii_case(name));
    Reply::json(format!(
        r#"{{"name":{},"type":"Microsoft.DBforPostgreSQL/flexibleServers","nameAvailable":{},"message":"{}"}}"#,
        quoted(name),
        !taken,
        if taken { "Specified server name is already used." } else { "" }
    ))
}

/// Enough for a client that asks which versions and editions there are.
const CAPABILITIES: &str = r#"{"value":[{"name":"FlexibleServerCapabilities","supportedServerEditions":[{"name":"GeneralPurpose","defaultSkuName":"Standard_D4ds_v5","supportedStorageEditions":[{"name":"ManagedDisk","defaultStorageSizeMb":131072,"supportedStorageMb":[{"supportedIops":500,"storageSizeMb":131072,"defaultIopsTier":"P10","supportedIopsTiers":[{"name":"P10","iops":500}]}]}],"supportedServerSkus":[{"name":"Standard_D2ds_v5","vCores":2,"supportedIops":3200,"supportedMemoryPerVcoreMb":4096,"supportedZones":["1","2","3"],"supportedHaMode":["SameZone","ZoneRedundant"]}]}],"supportedServerVersions":[{"name":"14","supportedVersionsToUpgrade":["15","16","17"]},{"name":"15","supportedVersionsToUpgrade":["16","17"]},{"name":"16","supportedVersionsToUpgrade":["17"]},{"name":"17","supportedVersionsToUpgrade":[]}],"supportedFeatures":[],"fastProvisioningSupported":"Disabled","geoBackupSupported":"Enabled","zoneRedundantHaSupported":"Enabled","zoneRedundantHaAndGeoBackupSupported":"Enabled","storageAutoGrowthSupported":"Enabled","onlineResizeSupported":"Enabled","restricted":"Disabled"}]}"#;
