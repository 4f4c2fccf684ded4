//! Locks and policy assignments, which are faults seen from the side of their lists.

use crate::call::Call;
use crate::estate::Record;
use crate::fault::{Fault, Place, ResolvedScope};
use crate::fleet::Kind;
use crate::json::{put, quoted};
use crate::operation::Operation;
use crate::reply::Reply;
use crate::state::AzureState;
use axum::http::StatusCode;

/// The locks that a scope lists: those on it, above it and, for a subscription or group, below it.
pub(super) fn locks(
    call: &Call<'_>,
    simulation: &AzureState,
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

/// The built-in policy *Configure PostgreSQL flexible server to enable specified configuration*.
const ENABLES_CONFIGURATION: &str = "a8f89ff4-3d6e-4d7b-8c5a-2e9b1f4c8d3a";

/// The policy assignments that a scope lists, in the same way.
pub(super) fn policies(
    call: &Call<'_>,
    simulation: &AzureState,
    subscription: usize,
    group: Option<&str>,
    server: Option<(usize, &Record)>,
) -> Reply {
    let found = assignments(simulation, subscription, group, server, |fault| match fault {
        Fault::PolicyDenied => Some("simulated-deny"),
        Fault::PolicyEnforces => Some("simulated-enforce"),
        Fault::InitiativeEnforces => Some("simulated-initiative"),
        Fault::OwnPolicyEnforces => Some("simulated-own"),
        _ => None,
    });
    let id = simulation.estate.subscriptions.get(subscription).map(|one| one.id.to_string()).unwrap_or_default();
    call.page(simulation.scenario.page_size, found.into_iter(), |out, (scope, name)| {
        let own = |kind: &str| format!("/subscriptions/{id}/providers/Microsoft.Authorization/{kind}/{name}");
        let built_in = |name: &str| format!("/providers/Microsoft.Authorization/policyDefinitions/{name}");
        let (title, definition, parameters) = match name {
            "simulated-deny" => ("Simulated deny policy", built_in("simulated-deny"), "{}"),
            "simulated-initiative" => ("Simulated initiative that enforces TLS", own("policySetDefinitions"), r#"{"setting":{"value":"require_secure_transport"}}"#),
            "simulated-own" => ("Simulated policy of their own", own("policyDefinitions"), "{}"),
            _ => ("Simulated policy that enforces TLS", built_in(ENABLES_CONFIGURATION), r#"{"configurationName":{"value":"require_secure_transport"}}"#),
        };
        put!(
            out,
            r#"{{"properties":{{"displayName":"{title}","policyDefinitionId":"{definition}","scope":{scope},"notScopes":[],"parameters":{parameters},"enforcementMode":"Default"}},"id":{id},"type":"Microsoft.Authorization/policyAssignments","name":"{name}"}}"#,
            scope = quoted(&scope),
            id = quoted(&format!("{scope}/providers/Microsoft.Authorization/policyAssignments/{name}"))
        );
    })
}

/// A definition that assignments name: an initiative with the built-in policy and another one, or a policy of their own.
pub(super) fn policy_definition(subscription: &str, kind: &str, name: &str) -> Reply {
    let id = quoted(&format!("/subscriptions/{subscription}/providers/Microsoft.Authorization/{kind}/{name}"));
    let properties = match name {
        "simulated-initiative" => format!(
            r#"{{"policyType":"Custom","parameters":{{"setting":{{"type":"String","defaultValue":"log_checkpoints"}}}},"policyDefinitions":[{{"policyDefinitionReferenceId":"audit","policyDefinitionId":"/providers/Microsoft.Authorization/policyDefinitions/c29c38cb-74a7-4505-9a06-e588ab86620a","parameters":{{}}}},{{"policyDefinitionReferenceId":"enable","policyDefinitionId":"/providers/Microsoft.Authorization/policyDefinitions/{ENABLES_CONFIGURATION}","parameters":{{"configurationName":{{"value":"[parameters('setting')]"}}}}}}]}}"#
        ),
        "simulated-own" => r#"{"policyType":"Custom","parameters":{"effect":{"type":"String","defaultValue":"DeployIfNotExists"}},"policyRule":{"if":{"field":"type","equals":"Microsoft.DBforPostgreSQL/flexibleServers"},"then":{"effect":"[parameters('effect')]","details":{"type":"Microsoft.DBforPostgreSQL/flexibleServers/configurations","name":"require_secure_transport"}}}}"#.to_owned(),
        _ => {
            let what = format!("The policy definition '{name}' could not be found.");
            return Reply::error(StatusCode::NOT_FOUND, "PolicyDefinitionNotFound", &what);
        }
    };
    Reply::json(format!(r#"{{"id":{id},"name":{},"properties":{properties}}}"#, quoted(name)))
}

/// Reads that a role may leave out.
const READS: [Operation; 5] = [
    Operation::ListServers,
    Operation::GetConfiguration,
    Operation::ListDatabases,
    Operation::ListLogFiles,
    Operation::ListActivity,
];

/// What the caller may do at a place: everything but the writes that are forbidden there or on a server below, because
/// what is granted above holds below.
pub(super) fn permissions(simulation: &AzureState, place: Place<'_>) -> Reply {
    let rules = simulation.rules();
    let estate = &simulation.estate;
    let subscription = place.subscription.and_then(|index| estate.subscriptions.get(index));
    let below = subscription.into_iter().flat_map(|subscription| estate.servers_of(subscription));
    let below = below.filter(|(_, record)| place.group.is_none_or(|group| record.group().eq_ignore_ascii_case(group)));
    let below = below.filter(|(index, _)| place.server.is_none_or(|server| server == *index));
    let places: Vec<Place<'_>> =
        below.map(|(index, record)| Place { server: Some(index), group: Some(record.group()), ..place }).collect();
    let forbids = |operation| places.iter().chain([&place]).any(|place| rules.forbids(operation, *place));
    let mut excluded: Vec<&str> = Vec::new();
    if forbids(Operation::UpdateServer) {
        excluded.extend([r#""Microsoft.DBforPostgreSQL/servers/write""#, r#""*/flexibleServers/write""#]);
    }
    if forbids(Operation::UpdateConfiguration) {
        excluded.push(r#""*Configurations/write""#);
    }
    // What is forbidden to read on a server alone is still granted above it.
    let readable = |operation: Operation| !rules.forbids(operation, place);
    let unreadable = READS.into_iter().filter(|operation| !readable(*operation));
    let unreadable = unreadable.flat_map(|operation| Kind::ALL.map(|kind| quoted(&operation.action(Some(kind)))));
    let excluded = excluded.into_iter().map(ToOwned::to_owned).chain(unreadable).collect::<Vec<_>>();
    Reply::json(format!(r#"{{"value":[{{"actions":["*"],"notActions":[{}]}}]}}"#, excluded.join(",")))
}

/// Scopes and labels of the rules in force that touch a scope.
fn assignments(
    simulation: &AzureState,
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
