//! A custom role in the form that `az role definition create` takes: frozen.

use serde::Serialize;
use serde_json::Value;

/// A role that permits these actions, and none on data.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct CustomRole<'a> {
    name: &'a str,
    description: &'a str,
    is_custom: bool,
    actions: &'a [&'a str],
    not_actions: [&'a str; 0],
    data_actions: [&'a str; 0],
    not_data_actions: [&'a str; 0],
    assignable_scopes: &'a [String],
}

impl<'a> CustomRole<'a> {
    /// A role of this name, which can be assigned in these scopes.
    #[must_use]
    pub fn new(name: &'a str, description: &'a str, actions: &'a [&'a str], assignable_scopes: &'a [String]) -> Self {
        let (not_actions, data_actions, not_data_actions) = ([], [], []);
        Self {
            name,
            description,
            is_custom: true,
            actions,
            not_actions,
            data_actions,
            not_data_actions,
            assignable_scopes,
        }
    }

    /// The role as one JSON value.
    ///
    /// # Errors
    ///
    /// None that a role can cause.
    pub fn value(&self) -> Result<Value, serde_json::Error> {
        serde_json::to_value(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_has_the_members_that_the_azure_cli_takes() {
        let (actions, scopes) = (["A/read"], ["/subscriptions/s".to_owned()]);
        let role = CustomRole::new("auditor", "Reads.", &actions, &scopes).value().unwrap();
        let text = r#"{"Actions":["A/read"],"AssignableScopes":["/subscriptions/s"],"DataActions":[],"Description":"Reads.","IsCustom":true,"Name":"auditor","NotActions":[],"NotDataActions":[]}"#;
        assert_eq!(role.to_string(), text);
    }
}
