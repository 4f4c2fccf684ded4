//! Assignments of Azure Policy that turn enforcement on by themselves.

mod definitions;

use crate::error::one_line;
use crate::paging::{Listing, list};
use crate::{Arm, ArmError, Quota};
use definitions::{Definitions, Given, Values, values_of};
use hostssl_model::{ResourceId, SubscriptionId};
use serde::Deserialize;
use std::collections::BTreeMap;

/// The api-version of `Microsoft.Authorization/policyAssignments`.
const ASSIGNMENTS: &str = "2022-06-01";
/// The type of resource that both are about.
const FLEXIBLE_SERVERS: &str = "Microsoft.DBforPostgreSQL/flexibleServers";

/// A policy assignment that turns `require_secure_transport` on, whichever clients connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnforcingPolicy {
    /// Its display name, or its name where it has none.
    pub name: String,
    /// Where it is assigned: a management group, a subscription or what is below, by its id.
    scope: String,
    /// What it leaves out, by ids.
    not_scopes: Vec<String>,
}

impl EnforcingPolicy {
    /// Whether it is about a server of the subscription that listed it.
    #[must_use]
    pub fn covers(&self, server: &ResourceId) -> bool {
        // Above the subscription, Azure has decided that it applies: the subscription lists it.
        let is_above = !self.scope.to_ascii_lowercase().starts_with("/subscriptions/");
        server.arm_type().eq_ignore_ascii_case(FLEXIBLE_SERVERS)
            && (is_above || is_within(server, &self.scope))
            && !self.not_scopes.iter().any(|scope| is_within(server, scope))
    }
}

/// Whether a server is at this id or below it.
fn is_within(server: &ResourceId, scope: &str) -> bool {
    let (server, scope) = (server.to_lowercase(), scope.trim_end_matches('/').to_lowercase());
    server.strip_prefix(&scope).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// An assignment, and what it assigns with which values.
#[derive(Debug, Clone, PartialEq)]
struct Assigned {
    policy: EnforcingPolicy,
    /// The id of the policy definition or of the initiative.
    definition: String,
    values: Values,
}

/// Lists the assignments that turn enforcement on, those of management groups above the subscription included: of the two built-in
/// policies, of initiatives that have one of them, and of definitions of the organization's own that write the setting.
pub async fn list_enforcing_policies(arm: &Arm, subscription: &SubscriptionId) -> Listing<EnforcingPolicy> {
    let path = ["subscriptions", subscription.as_str(), "providers", "Microsoft.Authorization", "policyAssignments"];
    let quota = Quota::Reads(subscription.clone());
    let Listing { items, mut error } = list(arm, arm.url(path, ASSIGNMENTS), &quota, read_assignment).await.readable();
    let mut definitions = Definitions::new(arm, &quota);
    let mut found = Vec::new();
    for assigned in items.into_iter().flatten() {
        match definitions.turn_it_on(&assigned).await {
            Ok(true) => found.push(assigned.policy),
            Ok(false) => {}
            Err(unread) => error = error.or(Some(unread)),
        }
    }
    Listing { items: found, error }
}

/// An assignment, unless it only reports.
fn read_assignment(entry: &str) -> Result<Option<Assigned>, ArmError> {
    #[derive(Deserialize)]
    struct Entry {
        id: String,
        name: String,
        properties: Properties,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Properties {
        #[serde(default)]
        display_name: Option<String>,
        policy_definition_id: String,
        #[serde(default)]
        scope: Option<String>,
        #[serde(default)]
        not_scopes: Option<Vec<String>>,
        #[serde(default)]
        enforcement_mode: Option<String>,
        #[serde(default)]
        parameters: Option<BTreeMap<String, Given>>,
    }
    let odd = || ArmError::Malformed("a policy assignment cannot be read".to_owned());
    let Entry { id, name, properties } = serde_json::from_str(entry).map_err(|_| odd())?;
    // DoNotEnforce reports, and deploys nothing.
    let is_asleep = properties.enforcement_mode.is_some_and(|mode| mode.eq_ignore_ascii_case("DoNotEnforce"));
    if is_asleep {
        return Ok(None);
    }
    let own = || id.to_lowercase().rfind("/providers/microsoft.authorization/policyassignments/");
    let scope = match properties.scope {
        Some(scope) => scope,
        None => id.get(..own().ok_or_else(odd)?).ok_or_else(odd)?.to_owned(),
    };
    let shown = properties.display_name.filter(|name| !name.trim().is_empty()).unwrap_or(name);
    let not_scopes = properties.not_scopes.unwrap_or_default();
    let policy = EnforcingPolicy { name: one_line(&shown), scope, not_scopes };
    Ok(Some(Assigned { policy, definition: properties.policy_definition_id, values: values_of(properties.parameters) }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_assignment_says_what_it_assigns_where_and_with_which_values() {
        let read = |mode: &str| {
            let id = "/subscriptions/s/providers/Microsoft.Authorization/policyAssignments/tls";
            let properties = json!({
                "displayName": "TLS\u{1b}[2J on",
                "policyDefinitionId": "/providers/Microsoft.Authorization/policyDefinitions/x",
                "enforcementMode": mode,
                "parameters": {"configurationName": {"value": "require_secure_transport"}},
            });
            let entry = json!({"id": id, "name": "tls", "properties": properties}).to_string();
            read_assignment(&entry).unwrap()
        };
        let found = read("Default").unwrap();
        assert!(!found.policy.name.contains('\u{1b}'), "{found:?}");
        assert_eq!((found.policy.scope.as_str(), found.values.len()), ("/subscriptions/s", 1));
        assert_eq!(read("DoNotEnforce"), None);
        assert!(read_assignment(r#"{"id":"x"}"#).is_err(), "what cannot be read is not left out silently");
    }

    #[test]
    fn an_assignment_covers_what_is_below_it_and_not_left_out() {
        let server = |group: &str| {
            let id = format!(
                "/subscriptions/S/resourceGroups/{group}/providers/Microsoft.DBforPostgreSQL/flexibleServers/pg"
            );
            ResourceId::try_from(id.as_str()).unwrap()
        };
        let at = |scope: &str, not: &str| EnforcingPolicy {
            name: "x".into(),
            scope: scope.into(),
            not_scopes: vec![not.into()],
        };
        assert!(at("/subscriptions/s", "/subscriptions/s/resourceGroups/other").covers(&server("shop")));
        assert!(!at("/subscriptions/s/resourceGroups/sho", "/x").covers(&server("shop")), "no part of a name");
        assert!(!at("/subscriptions/s", "/subscriptions/s/resourceGroups/shop").covers(&server("Shop")));
        assert!(at("/providers/Microsoft.Management/managementGroups/mg", "/x").covers(&server("shop")));
    }
}
