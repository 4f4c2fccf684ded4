//! What stands in the way of a write: locks, and permissions that the identity does not have.

use crate::error::one_line;
use crate::paging::{Listing, list};
use crate::{Arm, ArmError, Quota};
use hostssl_model::{ManagementLock, SubscriptionId};
use serde::Deserialize;

/// The api-version of `Microsoft.Authorization/locks`.
const LOCKS: &str = "2020-05-01";
/// The api-version of `Microsoft.Authorization/permissions`.
const PERMISSIONS: &str = "2022-04-01";
/// What follows the scope in the id of a lock.
const LOCK_SUFFIX: &str = "/providers/Microsoft.Authorization/locks/";

/// Lists the locks of a subscription and of everything below it.
pub async fn list_locks(arm: &Arm, subscription: &SubscriptionId) -> Listing<ManagementLock> {
    let path = ["subscriptions", subscription.as_str(), "providers", "Microsoft.Authorization", "locks"];
    list(arm, arm.url(path, LOCKS), &Quota::Reads(subscription.clone()), read_lock).await.readable()
}

fn read_lock(entry: &str) -> Result<ManagementLock, ArmError> {
    #[derive(Deserialize)]
    struct Entry {
        id: String,
        name: String,
        properties: Properties,
    }
    #[derive(Deserialize)]
    struct Properties {
        level: String,
    }
    let odd = || ArmError::Malformed("a lock cannot be read".to_owned());
    let entry: Entry = serde_json::from_str(entry).map_err(|_| odd())?;
    let end = entry.id.to_ascii_lowercase().rfind(&LOCK_SUFFIX.to_ascii_lowercase()).ok_or_else(odd)?;
    let scope = entry.id.get(..end).ok_or_else(odd)?;
    let read_only = entry.properties.level.eq_ignore_ascii_case("ReadOnly");
    Ok(ManagementLock { scope: scope.to_owned(), name: one_line(&entry.name), read_only })
}

/// What one role lets the identity do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Permission {
    /// What it grants; `*` stands for anything.
    pub actions: Vec<String>,
    /// What it does not grant of that.
    pub not_actions: Vec<String>,
}

/// Asks what the identity itself may do at a scope: a subscription, resource group or resource, by its id.
///
/// # Errors
///
/// [`ArmError`] when Azure does not say; it requires [`READ_PERMISSIONS`](crate::permissions::READ_PERMISSIONS).
pub async fn list_permissions(arm: &Arm, scope: &str) -> Result<Vec<Permission>, ArmError> {
    let tail = ["providers", "Microsoft.Authorization", "permissions"];
    let path = scope.split('/').filter(|segment| !segment.is_empty()).chain(tail);
    let subscription = SubscriptionId::new(scope.split('/').nth(2).unwrap_or_default());
    let read = |entry: &str| serde_json::from_str::<Permission>(entry);
    let listing = list(arm, arm.url(path, PERMISSIONS), &Quota::Reads(subscription), read).await;
    if let Some(error) = listing.error {
        return Err(error);
    }
    let odd = |_| ArmError::Malformed("a permission cannot be read".to_owned());
    listing.items.into_iter().collect::<Result<_, _>>().map_err(odd)
}

/// Whether any role grants an action. Azure adds roles up: what one excludes another may grant ("How Azure RBAC
/// determines if a user has access to a resource").
#[must_use]
pub fn allows(permissions: &[Permission], action: &str) -> bool {
    let matches = |patterns: &[String]| patterns.iter().any(|pattern| matches_action(pattern, action));
    permissions.iter().any(|role| matches(&role.actions) && !matches(&role.not_actions))
}

/// Whether a pattern such as `Microsoft.DBforPostgreSQL/*/read` covers an action, without case.
fn matches_action(pattern: &str, action: &str) -> bool {
    let (pattern, action) = (pattern.to_ascii_lowercase(), action.to_ascii_lowercase());
    let mut parts = pattern.split('*');
    let Some(mut rest) = action.strip_prefix(parts.next().unwrap_or_default()) else {
        return false;
    };
    let Some(last) = parts.next_back() else {
        return rest.is_empty();
    };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = rest.get(at + part.len()..).unwrap_or_default(),
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(actions: &[&str], not_actions: &[&str]) -> Permission {
        let owned = |words: &[&str]| words.iter().map(ToString::to_string).collect();
        Permission { actions: owned(actions), not_actions: owned(not_actions) }
    }

    #[test]
    fn roles_add_up_and_each_excludes_only_its_own() {
        let write = "Microsoft.DBforPostgreSQL/flexibleServers/configurations/write";
        assert!(allows(&[role(&["*"], &[])], write));
        assert!(!allows(&[role(&["*/read"], &[])], write));
        assert!(!allows(&[role(&["*"], &["*/write"])], write));
        assert!(allows(&[role(&["*"], &["*/write"]), role(&[&write.to_uppercase()], &[])], write));
        assert!(!allows(&[], write));
    }

    #[test]
    fn a_star_stands_for_anything_between() {
        let covers = |pattern| matches_action(pattern, "Microsoft.DBforPostgreSQL/servers/write");
        assert!(covers("microsoft.dbforpostgresql/*"));
        assert!(covers("*/servers/*"));
        assert!(covers("Microsoft.*/servers/write"));
        assert!(covers("Microsoft.DBforPostgreSQL/servers/write*"));
        assert!(!covers("Microsoft.DBforPostgreSQL/servers"));
        assert!(!covers("*/write/*/write"));
        assert!(!covers("Microsoft.Compute/*"));
    }

    #[test]
    fn a_lock_says_where_it_is() {
        let entry = r#"{"id":"/subscriptions/s/resourceGroups/g/providers/Microsoft.Authorization/locks/keep","name":"keep","properties":{"level":"ReadOnly"}}"#;
        let lock = read_lock(entry).unwrap();
        assert_eq!(
            lock,
            ManagementLock { scope: "/subscriptions/s/resourceGroups/g".into(), name: "keep".into(), read_only: true }
        );
        assert!(read_lock(r#"{"id":"x","name":"n","properties":{"level":"ReadOnly"}}"#).is_err());
    }
}
