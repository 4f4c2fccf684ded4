//! Reads: everything that changes nothing.

mod assignments;
mod configurations;
mod databases;
mod groups;
mod provider;

pub(crate) use configurations::no_such_parameter;
pub(crate) use provider::unavailable;

use assignments::{locks, permissions, policies, policy_definition};
use configurations::{configuration, configurations};
pub(crate) use databases::OPEN_DATABASE;
use databases::databases;
use groups::{management_group, management_groups};
use provider::{CAPABILITIES, check_name, provider};

use crate::activity;
use crate::call::Call;
use crate::estate::{Record, SubscriptionRecord, TenantRecord};
use crate::fault::Place;
use crate::fleet::{GraphView, Kind};
use crate::graph;
use crate::logs;
use crate::long_running;
use crate::path::{ServerPart, SubscriptionPart, Target};
use crate::render;
use crate::reply::{self, Reply};
use crate::state::AzureState;

/// Answers a read.
pub(crate) fn answer(call: &Call<'_>, simulation: &AzureState) -> Reply {
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
    simulation: &'a AzureState,
    tenant: &'a TenantRecord,
) -> impl Iterator<Item = &'a SubscriptionRecord> {
    let all = &simulation.estate.subscriptions;
    tenant.subscriptions.iter().filter_map(|index| all.get(*index as usize))
}

fn under_subscription(
    call: &Call<'_>,
    simulation: &AzureState,
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
        // Registering changes nothing here: Azure's own providers are always registered, the others stay as they are.
        SubscriptionPart::Provider(namespace) | SubscriptionPart::Register(namespace) => {
            provider(simulation, subscription, namespace)
        }
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
        SubscriptionPart::AsyncOperation(name) => long_running::poll(call, simulation, name),
        SubscriptionPart::OperationResult(name) => long_running::result(call, simulation, name),
        SubscriptionPart::Capabilities(_) => Reply::json(CAPABILITIES.to_owned()),
        SubscriptionPart::CheckName => check_name(call, simulation),
        SubscriptionPart::Locks(in_group) => locks(call, simulation, index, in_group, None),
        SubscriptionPart::Policies(in_group) => policies(call, simulation, index, in_group, None),
        SubscriptionPart::PolicyDefinition(kind, name) => policy_definition(subscription.id.as_ref(), kind, name),
        SubscriptionPart::ActivityLog => activity::list(call, simulation, subscription),
        SubscriptionPart::Permissions(in_group) => {
            permissions(simulation, Place { subscription: Some(index), group: in_group, server: None })
        }
    }
}

fn group<'a>(subscription: &'a SubscriptionRecord, name: &str) -> Option<&'a (Box<str>, Box<str>)> {
    subscription.groups.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))
}

fn servers(
    call: &Call<'_>,
    simulation: &AzureState,
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

fn server(call: &Call<'_>, simulation: &AzureState, index: usize, record: &Record, part: ServerPart<'_>) -> Reply {
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
        ServerPart::Capabilities => Reply::json(CAPABILITIES.to_owned()),
        ServerPart::LogFiles => {
            let entries = logs::entries(simulation, record, call.base);
            call.page(simulation.scenario.page_size, entries.iter(), |out, entry| out.push_str(entry))
        }
        ServerPart::Databases => databases(call, simulation, record),
        ServerPart::FirewallRules => Reply::json(r#"{"value":[]}"#.to_owned()),
        ServerPart::Locks => {
            let group = Some(record.group());
            locks(call, simulation, record.subscription as usize, group, Some((index, record)))
        }
        ServerPart::Policies => {
            let group = Some(record.group());
            policies(call, simulation, record.subscription as usize, group, Some((index, record)))
        }
        ServerPart::Permissions => permissions(simulation, call.place),
    }
}
