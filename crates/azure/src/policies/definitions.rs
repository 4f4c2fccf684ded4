//! What an assignment of Azure Policy does: by one of the two built-in policies, by an initiative that has one of them, or by a
//! definition of the organization's own that writes the setting in the same way.

use super::Assigned;
use crate::{Arm, ArmError, Quota};
use hostssl_model::ParameterName;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The api-version of policy definitions and initiatives.
const DEFINITIONS: &str = "2023-04-01";
/// *Configure PostgreSQL flexible server to enable specified configuration* (Azure/azure-policy, policyDefinitions/PostgreSQL,
/// effect deployIfNotExists): the setting is a parameter, and the value is *on*.
pub(super) const ENABLES: &str = "a8f89ff4-3d6e-4d7b-8c5a-2e9b1f4c8d3a";
/// The same, *to specified value*: that is a parameter too.
pub(super) const SETS: &str = "a7d3e5b1-8c4f-4a2b-9d6e-1f3c5a8b2e7d";
/// Where Microsoft's own definitions are.
const BUILT_IN: &str = "/providers/microsoft.authorization/policydefinitions/";
/// Definitions that are read for one subscription.
const MOST: usize = 64;

/// Values by the names of parameters, in lower case.
pub(super) type Values = BTreeMap<String, Value>;

/// Definitions that were read, by their ids in lower case. Each is read once.
pub(super) struct Definitions<'a> {
    arm: &'a Arm,
    quota: &'a Quota,
    read: BTreeMap<String, Arc<Document>>,
}

#[derive(Debug, Deserialize)]
struct Document {
    properties: Properties,
}

/// The members of an initiative, or the rule of a policy.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Properties {
    #[serde(default)]
    policy_definitions: Vec<Member>,
    #[serde(default)]
    policy_rule: Value,
    #[serde(default)]
    parameters: Option<BTreeMap<String, Declared>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Member {
    policy_definition_id: String,
    #[serde(default)]
    parameters: Option<BTreeMap<String, Given>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Declared {
    #[serde(default)]
    default_value: Value,
}

#[derive(Debug, Deserialize)]
pub(super) struct Given {
    #[serde(default)]
    value: Value,
}

/// The values that were given, by the names of the parameters in lower case: Azure compares them so.
pub(super) fn values_of(given: Option<BTreeMap<String, Given>>) -> Values {
    given.into_iter().flatten().map(|(name, given)| (name.to_ascii_lowercase(), given.value)).collect()
}

impl<'a> Definitions<'a> {
    pub(super) fn new(arm: &'a Arm, quota: &'a Quota) -> Self {
        Self { arm, quota, read: BTreeMap::new() }
    }

    /// Whether an assignment turns enforcement on by itself.
    ///
    /// # Errors
    ///
    /// When a definition that must be opened for that cannot be read.
    pub(super) async fn turn_it_on(&mut self, assigned: &Assigned) -> Result<bool, ArmError> {
        let Assigned { definition, values, .. } = assigned;
        if !definition.to_ascii_lowercase().contains("/policysetdefinitions/") {
            return self.policy_turns_it_on(definition, values).await;
        }
        let initiative = self.document(definition).await?;
        let given = initiative.with_defaults(values);
        for member in &initiative.properties.policy_definitions {
            let own = member.parameters.iter().flatten();
            let own = own.map(|(name, value)| (name.to_ascii_lowercase(), resolved(&value.value, &given))).collect();
            if self.policy_turns_it_on(&member.policy_definition_id, &own).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn policy_turns_it_on(&mut self, id: &str, values: &Values) -> Result<bool, ArmError> {
        let lower = id.to_ascii_lowercase();
        if let Some(name) = lower.strip_prefix(BUILT_IN) {
            let is_on = name == ENABLES || (name == SETS && has(values, "on"));
            return Ok(is_on
                && !has(values, "Disabled")
                && has(values, ParameterName::RequireSecureTransport.as_str()));
        }
        let own = self.document(id).await?;
        Ok(own.writes_the_setting(&own.with_defaults(values)))
    }

    async fn document(&mut self, id: &str) -> Result<Arc<Document>, ArmError> {
        let lower = id.to_ascii_lowercase();
        if let Some(known) = self.read.get(&lower) {
            return Ok(Arc::clone(known));
        }
        if self.read.len() >= MOST {
            return Err(ArmError::Malformed(format!("more than {MOST} policy definitions would have to be read")));
        }
        let path = id.strip_prefix('/').filter(|path| !path.split('/').any(|part| matches!(part, "" | "." | "..")));
        let path = path.ok_or_else(|| ArmError::Malformed("the id of a policy definition is not one".to_owned()))?;
        let url = self.arm.url(path.split('/'), DEFINITIONS);
        let document: Arc<Document> = Arc::new(self.arm.get(url, self.quota).await?);
        self.read.insert(lower, Arc::clone(&document));
        Ok(document)
    }
}

impl Document {
    /// What was given, and the defaults of what was not.
    fn with_defaults(&self, given: &Values) -> Values {
        let defaults = self.properties.parameters.iter().flatten();
        let defaults = defaults.map(|(name, declared)| (name.to_ascii_lowercase(), declared.default_value.clone()));
        defaults.chain(given.clone()).collect()
    }

    /// Whether a definition of the organization's own deploys the setting where it is missing. To which value, a template says that
    /// is not run here: it is taken for on, as no one has a policy that turns TLS off.
    fn writes_the_setting(&self, values: &Values) -> bool {
        let rule = &self.properties.policy_rule;
        let effect = resolved(&rule["then"]["effect"], values);
        let acts = effect
            .as_str()
            .is_some_and(|effect| ["deployIfNotExists", "modify"].iter().any(|one| one.eq_ignore_ascii_case(effect)));
        let text = rule.to_string().to_ascii_lowercase();
        let setting = ParameterName::RequireSecureTransport.as_str();
        acts && text.contains("microsoft.dbforpostgresql/flexibleservers/configurations")
            && (text.contains(setting) || has(values, setting))
    }
}

fn has(values: &Values, wanted: &str) -> bool {
    values.values().any(|one| one.as_str().is_some_and(|one| one.eq_ignore_ascii_case(wanted)))
}

/// A value, or that of the parameter that it names.
fn resolved(value: &Value, given: &Values) -> Value {
    let named = value.as_str().and_then(|text| text.trim().strip_prefix("[parameters('")?.strip_suffix("')]"));
    match named {
        Some(name) => given.get(&name.to_ascii_lowercase()).cloned().unwrap_or_default(),
        None => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn document(properties: Value) -> Document {
        serde_json::from_value(json!({"properties": properties})).unwrap()
    }

    #[test]
    fn a_definition_of_their_own_that_deploys_the_setting_is_found() {
        let own = |effect: &str, name: &str| {
            let own = document(json!({
                "parameters": {"effect": {"defaultValue": effect}},
                "policyRule": {
                    "if": {"field": "type", "equals": "Microsoft.DBforPostgreSQL/flexibleServers"},
                    "then": {"effect": "[parameters('effect')]", "details": {
                        "type": "Microsoft.DBforPostgreSQL/flexibleServers/configurations", "name": name}},
                },
            }));
            let values = own.with_defaults(&Values::new());
            own.writes_the_setting(&values)
        };
        assert!(own("DeployIfNotExists", "require_secure_transport"));
        assert!(!own("AuditIfNotExists", "require_secure_transport") && !own("Disabled", "require_secure_transport"));
        assert!(!own("deployIfNotExists", "log_connections"));
        assert!(!document(json!({})).writes_the_setting(&Values::new()));
    }

    #[test]
    fn what_is_given_counts_before_the_default() {
        let set = document(json!({"parameters": {"Tls": {"defaultValue": "log_checkpoints"}, "other": {}}}));
        let given = set.with_defaults(&[("tls".to_owned(), json!("require_secure_transport"))].into());
        assert_eq!(resolved(&json!("[parameters('TLS')]"), &given), "require_secure_transport");
        assert_eq!(resolved(&json!("plain"), &given), "plain");
        assert_eq!(resolved(&json!("[parameters('none')]"), &given), Value::Null);
    }
}
