//! Locks and policy assignments, which are faults seen from the side of their lists.

use crate::call::Call;
use crate::estate::Record;
use crate::fault::{Fault, Place, ResolvedScope};
use crate::fleet::Kind;
use crate::json::{put, quoted};
use crate::operation::Operation;
use crate::reply::Reply;
use crate::state::AzureState;

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
        _ => None,
    });
    call.page(simulation.scenario.page_size, found.into_iter(), |out, (scope, name)| {
        let (title, definition, parameters) = match name {
            "simulated-deny" => ("Simulated deny policy", "simulated-deny", "{}"),
            _ => ("Simulated policy that enforces TLS", ENABLES_CONFIGURATION, r#"{"configurationName":{"value":"require_secure_transport"}}"#),
        };
        put!(
            out,
            r#"{{"properties":{{"displayName":"{title}","policyDefinitionId":"/providers/Microsoft.Authorization/policyDefinitions/{definition}","scope":{scope},"notScopes":[],"parameters":{parameters},"enforcementMode":"Default"}},"id":{id},"type":"Microsoft.Authorization/policyAssignments","name":"{name}"}}"#,
            scope = quoted(&scope),
            id = quoted(&format!("{scope}/providers/Microsoft.Authorization/policyAssignments/{name}"))
        );
    })
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
