//! Management groups and what is below them.

use axum::http::StatusCode;

use super::subscriptions_of;
use crate::call::Call;
use crate::estate::{SubscriptionRecord, TenantRecord};
use crate::json::{put, quoted};
use crate::path::GroupPart;
use crate::render;
use crate::reply::Reply;
use crate::state::AzureState;

/// The root group and all below it.
pub(super) fn management_groups(call: &Call<'_>, simulation: &AzureState, tenant: &TenantRecord) -> Reply {
    let root = std::iter::once((tenant.id.as_str(), "Tenant Root Group"));
    let below = tenant.groups.iter().map(|group| (group.name.as_str(), group.display_name.as_str()));
    call.page(simulation.scenario.page_size, root.chain(below), |out, (name, display_name)| {
        render::management_group(out, &tenant.id, name, display_name);
    })
}

/// One group, or what is under it.
pub(super) fn management_group(
    call: &Call<'_>,
    simulation: &AzureState,
    tenant: &TenantRecord,
    name: &str,
    part: GroupPart,
) -> Reply {
    let Some(within) = tenant.group_names(name) else {
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
