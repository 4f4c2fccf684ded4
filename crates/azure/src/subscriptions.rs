//! The subscriptions that an identity can see.

use crate::error::one_line;
use crate::paging::{Listing, list};
use crate::{Arm, ArmError, Quota};
use hostssl_model::{Subscription, SubscriptionId, SubscriptionState};
use serde::Deserialize;

/// The api-version of `Microsoft.Resources/subscriptions`.
pub(crate) const SUBSCRIPTIONS: &str = "2022-12-01";
/// The api-version of `Microsoft.Management/managementGroups`.
const MANAGEMENT_GROUPS: &str = "2020-05-01";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    subscription_id: String,
    #[serde(default)]
    display_name: Option<String>,
    #[serde(default)]
    tenant_id: Option<String>,
    #[serde(default)]
    state: Option<String>,
}

/// Lists every subscription of the token's tenant. Disabled ones are among them: they can be read.
pub async fn list_subscriptions(arm: &Arm) -> Listing<Subscription> {
    let url = arm.url(["subscriptions"], SUBSCRIPTIONS);
    unwrap_entries(list(arm, url, &Quota::TenantReads, read_subscription).await)
}

/// Lists the ids of the subscriptions below a management group, at any depth.
pub async fn subscriptions_of_management_group(arm: &Arm, group: &str) -> Listing<SubscriptionId> {
    let path = ["providers", "Microsoft.Management", "managementGroups", group, "descendants"];
    let url = arm.url(path, MANAGEMENT_GROUPS);
    let listing = list(arm, url, &Quota::TenantReads, read_descendant).await;
    let Listing { items, error } = unwrap_entries(listing);
    Listing { items: items.into_iter().flatten().collect(), error }
}

/// Lists the names of the management groups that the identity can see.
pub async fn list_management_groups(arm: &Arm) -> Listing<String> {
    #[derive(Deserialize)]
    struct Group {
        name: String,
    }
    let url = arm.url(["providers", "Microsoft.Management", "managementGroups"], MANAGEMENT_GROUPS);
    let read = |entry: &str| {
        let group: Result<Group, _> = serde_json::from_str(entry);
        group
            .map(|group| one_line(&group.name))
            .map_err(|error| ArmError::Malformed(format!("a management group cannot be read: {error}")))
    };
    unwrap_entries(list(arm, url, &Quota::TenantReads, read).await)
}

fn read_subscription(entry: &str) -> Result<Subscription, ArmError> {
    let entry: Entry = serde_json::from_str(entry)
        .map_err(|error| ArmError::Malformed(format!("a subscription cannot be read: {error}")))?;
    let plain = entry.subscription_id.chars().all(|c| c.is_ascii_hexdigit() || c == '-');
    if !plain || entry.subscription_id.is_empty() {
        return Err(ArmError::Malformed("a subscription has an id that is not a GUID".to_owned()));
    }
    let state = match entry.state.as_deref() {
        None => SubscriptionState::Other("unknown".into()),
        Some(word) if word.eq_ignore_ascii_case("Enabled") => SubscriptionState::Enabled,
        Some(word) => SubscriptionState::Other(word.into()),
    };
    Ok(Subscription {
        name: one_line(entry.display_name.as_deref().unwrap_or(&entry.subscription_id)).into(),
        id: SubscriptionId::new(&entry.subscription_id),
        tenant: entry.tenant_id.as_deref().unwrap_or_default().into(),
        state,
    })
}

/// A descendant is a subscription or another group; `None` for a group.
fn read_descendant(entry: &str) -> Result<Option<SubscriptionId>, ArmError> {
    #[derive(Deserialize)]
    struct Descendant {
        name: String,
        #[serde(rename = "type")]
        kind: String,
    }
    let descendant: Descendant = serde_json::from_str(entry)
        .map_err(|error| ArmError::Malformed(format!("a descendant of the group cannot be read: {error}")))?;
    // `/subscriptions` and `Microsoft.Management/managementGroups/subscriptions` are both in use.
    let is_subscription = descendant.kind.to_ascii_lowercase().ends_with("/subscriptions");
    Ok(is_subscription.then(|| SubscriptionId::new(&descendant.name)))
}

/// Keeps what could be read, and the first error.
fn unwrap_entries<T>(listing: Listing<Result<T, ArmError>>) -> Listing<T> {
    let (good, bad): (Vec<_>, Vec<_>) = listing.items.into_iter().partition(Result::is_ok);
    let count = bad.len();
    let first = bad.into_iter().find_map(Result::err).map(|error| match error {
        ArmError::Malformed(what) if count > 1 => ArmError::Malformed(format!("{what} ({count} such entries)")),
        other => other,
    });
    Listing { items: good.into_iter().flatten().collect(), error: listing.error.or(first) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subscription_without_a_name_is_called_by_its_id() {
        let subscription = read_subscription(r#"{"subscriptionId":"AAAAAAAA-0000-0000-0000-000000000000"}"#).unwrap();
        assert_eq!(subscription.id.as_str(), "aaaaaaaa-0000-0000-0000-000000000000");
        assert_eq!(subscription.name.as_ref(), "AAAAAAAA-0000-0000-0000-000000000000");
    }

    #[test]
    fn an_id_that_would_leave_its_place_in_a_path_is_refused() {
        assert!(read_subscription(r#"{"subscriptionId":"../tenants"}"#).is_err());
        assert!(read_subscription(r#"{"subscriptionId":""}"#).is_err());
    }

    #[test]
    fn groups_among_the_descendants_are_no_subscriptions() {
        let read = |kind: &str| read_descendant(&format!(r#"{{"name":"n","type":"{kind}"}}"#)).unwrap();
        assert!(read("/subscriptions").is_some());
        assert!(read("Microsoft.Management/managementGroups/subscriptions").is_some());
        assert!(read("Microsoft.Management/managementGroups").is_none());
    }
}
