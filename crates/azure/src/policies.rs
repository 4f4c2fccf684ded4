//! Assignments of Azure Policy that turn enforcement on by themselves.

use crate::error::one_line;
use crate::paging::{Listing, list};
use crate::{Arm, ArmError, Quota};
use hostssl_model::{ParameterName, ResourceId, SubscriptionId};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// The api-version of `Microsoft.Authorization/policyAssignments`.
const ASSIGNMENTS: &str = "2022-06-01";
/// *Configure PostgreSQL flexible server to enable specified configuration* (Azure/azure-policy, policyDefinitions/PostgreSQL,
/// effect deployIfNotExists): the setting is a parameter, and the value is *on*.
const ENABLES: &str = "a8f89ff4-3d6e-4d7b-8c5a-2e9b1f4c8d3a";
/// The same, *to specified value*: that is a parameter too.
const SETS: &str = "a7d3e5b1-8c4f-4a2b-9d6e-1f3c5a8b2e7d";

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

/// Lists the assignments of the built-in policies that turn enforcement on, those of management groups above the subscription
/// included. Initiatives are not opened.
pub async fn list_enforcing_policies(arm: &Arm, subscription: &SubscriptionId) -> Listing<EnforcingPolicy> {
    let path = ["subscriptions", subscription.as_str(), "providers", "Microsoft.Authorization", "policyAssignments"];
    let quota = Quota::Reads(subscription.clone());
    let Listing { items, error } = list(arm, arm.url(path, ASSIGNMENTS), &quota, read_assignment).await.readable();
    Listing { items: items.into_iter().flatten().collect(), error }
}

/// An assignment, if it turns enforcement on.
fn read_assignment(entry: &str) -> Result<Option<EnforcingPolicy>, ArmError> {
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
        parameters: Option<BTreeMap<String, Parameter>>,
    }
    #[derive(Deserialize)]
    struct Parameter {
        #[serde(default)]
        value: Value,
    }
    let odd = || ArmError::Malformed("a policy assignment cannot be read".to_owned());
    let Entry { id, name, properties } = serde_json::from_str(entry).map_err(|_| odd())?;
    let definition = properties.policy_definition_id.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
    let values: Vec<Value> =
        properties.parameters.into_iter().flatten().map(|(_, parameter)| parameter.value).collect();
    let has = |wanted: &str| values.iter().any(|one| one.as_str().is_some_and(|one| one.eq_ignore_ascii_case(wanted)));
    let is_on = definition == ENABLES || (definition == SETS && has("on"));
    // DoNotEnforce reports, and deploys nothing.
    let is_asleep = properties.enforcement_mode.is_some_and(|mode| mode.eq_ignore_ascii_case("DoNotEnforce"));
    if !is_on || is_asleep || has("Disabled") || !has(ParameterName::RequireSecureTransport.as_str()) {
        return Ok(None);
    }
    let own = || id.to_lowercase().rfind("/providers/microsoft.authorization/policyassignments/");
    let scope = match properties.scope {
        Some(scope) => scope,
        None => id.get(..own().ok_or_else(odd)?).ok_or_else(odd)?.to_owned(),
    };
    let shown = properties.display_name.filter(|name| !name.trim().is_empty()).unwrap_or(name);
    let not_scopes = properties.not_scopes.unwrap_or_default();
    Ok(Some(EnforcingPolicy { name: one_line(&shown), scope, not_scopes }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(properties: Value) -> Option<EnforcingPolicy> {
        let id = "/subscriptions/s/providers/Microsoft.Authorization/policyAssignments/tls";
        let entry = json!({"id": id, "name": "tls", "properties": properties}).to_string();
        read_assignment(&entry).unwrap()
    }

    fn assigned(definition: &str, parameters: Value, mode: &str) -> Option<EnforcingPolicy> {
        read(json!({
            "displayName": "TLS\u{1b}[2J on",
            "policyDefinitionId": format!("/providers/Microsoft.Authorization/policyDefinitions/{definition}"),
            "enforcementMode": mode,
            "parameters": parameters,
        }))
    }

    #[test]
    fn only_what_turns_enforcement_on_by_itself_is_taken() {
        let tls = json!({"configurationName": {"value": "require_secure_transport"}});
        let found = assigned(ENABLES, tls.clone(), "Default").unwrap();
        assert!(!found.name.contains('\u{1b}'), "{found:?}");
        assert_eq!(found.scope, "/subscriptions/s");
        let to = |value: &str| json!({"name": {"value": "REQUIRE_SECURE_TRANSPORT"}, "to": {"value": value}, "list": {"value": ["x"]}});
        assert!(assigned(SETS, to("ON"), "Default").is_some());
        for other in [
            assigned(SETS, to("off"), "Default"),
            assigned(ENABLES, tls.clone(), "DoNotEnforce"),
            assigned(ENABLES, json!({"configurationName": {"value": "logfiles.download_enable"}}), "Default"),
            assigned("c29c38cb-74a7-4505-9a06-e588ab86620a", tls, "Default"),
            read(json!({"policyDefinitionId": "x"})),
        ] {
            assert_eq!(other, None);
        }
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
