//! Azure Policy assignments that keep servers enforced: as Azure's JSON, Bicep and Terraform.
//!
//! The definitions are Microsoft's own, from the repository Azure/azure-policy, built-in-policies/policyDefinitions/PostgreSQL.

use hostssl_model::{ParameterName, is_guid};
use serde_json::{Value, json};
use std::io::{self, Write};

/// A policy that Azure has built in.
#[derive(Debug, Clone, Copy)]
pub struct BuiltInPolicy {
    /// The id of its definition.
    pub definition: &'static str,
    /// The name of its assignment here.
    pub name: &'static str,
    /// Its display name in Azure.
    pub title: &'static str,
    /// The setting that it turns on; only for one that changes servers.
    pub turns_on: Option<ParameterName>,
}

/// Policies that report, and change nothing.
pub const REPORTING: [BuiltInPolicy; 3] = [
    BuiltInPolicy {
        definition: "c29c38cb-74a7-4505-9a06-e588ab86620a",
        name: "pg-flexible-ssl-audit",
        title: "Enforce SSL connection should be enabled for PostgreSQL flexible servers",
        turns_on: None,
    },
    BuiltInPolicy {
        definition: "a43d5475-c569-45ce-a268-28fa79f4e87a",
        name: "pg-flexible-tls12-audit",
        title: "PostgreSQL flexible servers should be running TLS version 1.2 or newer",
        turns_on: None,
    },
    BuiltInPolicy {
        definition: "d158790f-bfb0-486c-8631-2dc6b4e8e6af",
        name: "pg-single-ssl-audit",
        title: "Enforce SSL connection should be enabled for PostgreSQL database servers",
        turns_on: None,
    },
];

/// The policy that turns enforcement on by itself, whichever clients connect.
pub const ENFORCING: BuiltInPolicy = BuiltInPolicy {
    definition: "a8f89ff4-3d6e-4d7b-8c5a-2e9b1f4c8d3a",
    name: "pg-flexible-ssl-deploy",
    title: "Configure PostgreSQL flexible server to enable specified configuration",
    turns_on: Some(ParameterName::RequireSecureTransport),
};

/// The role that the definition of [`ENFORCING`] asks for: Contributor.
const CONTRIBUTOR: &str = "b24988ac-6180-42a0-ab88-20f7382dd24c";

/// The limits of assignments that only report.
pub const CAVEATS: [&str; 2] = [
    "Azure has no built-in policy that denies: nothing here prevents enforcement from being turned off",
    "these check only flexible and single servers, and only what is declared; `hostssl audit --probe` checks the rest",
];

/// The risks of the assignment that enforces.
pub const ENFORCING_CAVEATS: [&str; 3] = [
    "pg-flexible-ssl-deploy enforces even while clients connect in plaintext: `hostssl clients` lists the clients that would be refused",
    "its identity must be Contributor of the whole scope, and servers that exist already need a remediation task",
    "its condition is on the server: turning off the parameter alone may not trigger it until the next evaluation",
];

/// Where policies are assigned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PolicyScope {
    /// A management group, by its name.
    ManagementGroup(String),
    /// A subscription, by its id.
    Subscription(String),
    /// A resource group: its subscription and its name.
    ResourceGroup(String, String),
}

/// The text is none of these.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not the id of a management group, a subscription or a resource group")]
pub struct InvalidPolicyScope(String);

impl PolicyScope {
    /// Reads an id, as Azure writes it.
    ///
    /// # Errors
    ///
    /// [`InvalidPolicyScope`] when the text is something else.
    pub fn read(text: &str) -> Result<Self, InvalidPolicyScope> {
        let invalid = || InvalidPolicyScope(text.chars().take(200).collect());
        let parts: Vec<&str> = text.trim_end_matches('/').split('/').collect();
        let lower: Vec<String> = parts.iter().map(|part| part.to_lowercase()).collect();
        // What Azure allows in such names, and no template gives another meaning.
        let named =
            |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.()".contains(c));
        let found = match (lower.iter().map(String::as_str).collect::<Vec<_>>().as_slice(), parts.as_slice()) {
            (["", "providers", "microsoft.management", "managementgroups", _], [.., name]) if named(name) => {
                Self::ManagementGroup((*name).to_owned())
            }
            (["", "subscriptions", _], [.., id]) if is_guid(id) => Self::Subscription((*id).to_owned()),
            (["", "subscriptions", _, "resourcegroups", _], [_, _, id, _, name]) if is_guid(id) && named(name) => {
                Self::ResourceGroup((*id).to_owned(), (*name).to_owned())
            }
            _ => return Err(invalid()),
        };
        Ok(found)
    }

    /// The id.
    #[must_use]
    pub fn id(&self) -> String {
        match self {
            Self::ManagementGroup(name) => format!("/providers/Microsoft.Management/managementGroups/{name}"),
            Self::Subscription(id) => format!("/subscriptions/{id}"),
            Self::ResourceGroup(id, name) => format!("/subscriptions/{id}/resourceGroups/{name}"),
        }
    }
}

fn parameters(policy: &BuiltInPolicy) -> Option<Value> {
    policy.turns_on.map(|name| json!({"configurationName": {"value": name.as_str()}}))
}

fn definition_id(policy: &BuiltInPolicy) -> String {
    format!("/providers/Microsoft.Authorization/policyDefinitions/{}", policy.definition)
}

/// Assignments as Resource Manager takes them, each by a PUT of its `id`. `location` is where the identity of one that changes
/// servers is kept.
#[must_use]
pub fn value(policies: &[BuiltInPolicy], scope: &PolicyScope, location: &str) -> Value {
    let one = |policy: &BuiltInPolicy| {
        let id = format!("{}/providers/Microsoft.Authorization/policyAssignments/{}", scope.id(), policy.name);
        let properties = json!({"displayName": policy.title, "policyDefinitionId": definition_id(policy)});
        let mut assignment = json!({"id": id, "name": policy.name, "properties": properties});
        if let Some(parameters) = parameters(policy) {
            assignment["properties"]["parameters"] = parameters;
            assignment["location"] = location.into();
            assignment["identity"] = json!({"type": "SystemAssigned"});
        }
        assignment
    };
    policies.iter().map(one).collect()
}

/// Writes assignments as a Bicep file, which is deployed at the scope.
///
/// # Errors
///
/// Whatever the writer returns.
pub fn write_bicep(
    out: &mut dyn Write,
    policies: &[BuiltInPolicy],
    scope: &PolicyScope,
    location: &str,
) -> io::Result<()> {
    let (target, role_scope) = match scope {
        PolicyScope::ManagementGroup(_) => ("managementGroup", "tenantResourceId"),
        PolicyScope::Subscription(_) => ("subscription", "subscriptionResourceId"),
        PolicyScope::ResourceGroup(..) => ("resourceGroup", "subscriptionResourceId"),
    };
    write_caveats(out, "//", policies)?;
    writeln!(out, "// Deploy it at {}.", scope.id())?;
    writeln!(out, "targetScope = '{target}'")?;
    for policy in policies {
        let symbol = symbol(policy);
        writeln!(out, "\nresource {symbol} 'Microsoft.Authorization/policyAssignments@2022-06-01' = {{")?;
        writeln!(out, "  name: '{}'", policy.name)?;
        if policy.turns_on.is_some() {
            writeln!(out, "  location: '{location}'\n  identity: {{\n    type: 'SystemAssigned'\n  }}")?;
        }
        writeln!(out, "  properties: {{\n    displayName: '{}'", policy.title)?;
        writeln!(
            out,
            "    policyDefinitionId: tenantResourceId('Microsoft.Authorization/policyDefinitions', '{}')",
            policy.definition
        )?;
        if let Some(name) = policy.turns_on.map(ParameterName::as_str) {
            writeln!(
                out,
                "    parameters: {{\n      configurationName: {{\n        value: '{name}'\n      }}\n    }}"
            )?;
        }
        writeln!(out, "  }}\n}}")?;
        if policy.turns_on.is_some() {
            writeln!(out, "\nresource {symbol}Role 'Microsoft.Authorization/roleAssignments@2022-04-01' = {{")?;
            writeln!(out, "  name: guid({symbol}.id, '{CONTRIBUTOR}')\n  properties: {{")?;
            writeln!(out, "    principalId: {symbol}.identity.principalId\n    principalType: 'ServicePrincipal'")?;
            writeln!(
                out,
                "    roleDefinitionId: {role_scope}('Microsoft.Authorization/roleDefinitions', '{CONTRIBUTOR}')"
            )?;
            writeln!(out, "  }}\n}}")?;
        }
    }
    Ok(())
}

/// Writes assignments for Terraform, as the provider `azurerm` takes them.
///
/// # Errors
///
/// Whatever the writer returns.
pub fn write_terraform(
    out: &mut dyn Write,
    policies: &[BuiltInPolicy],
    scope: &PolicyScope,
    location: &str,
) -> io::Result<()> {
    let (kind, member) = match scope {
        PolicyScope::ManagementGroup(_) => ("azurerm_management_group_policy_assignment", "management_group_id"),
        PolicyScope::Subscription(_) => ("azurerm_subscription_policy_assignment", "subscription_id"),
        PolicyScope::ResourceGroup(..) => ("azurerm_resource_group_policy_assignment", "resource_group_id"),
    };
    write_caveats(out, "#", policies)?;
    for policy in policies {
        let name = policy.name.replace('-', "_");
        writeln!(out, "\nresource \"{kind}\" \"{name}\" {{\n  name                 = \"{}\"", policy.name)?;
        writeln!(out, "  display_name         = \"{}\"", policy.title)?;
        writeln!(out, "  {member:<20} = \"{}\"", scope.id())?;
        writeln!(out, "  policy_definition_id = \"{}\"", definition_id(policy))?;
        if let Some(parameter) = policy.turns_on.map(ParameterName::as_str) {
            writeln!(out, "  location             = \"{location}\"")?;
            writeln!(
                out,
                "  parameters           = jsonencode({{ configurationName = {{ value = \"{parameter}\" }} }})"
            )?;
            writeln!(out, "\n  identity {{\n    type = \"SystemAssigned\"\n  }}")?;
        }
        writeln!(out, "}}")?;
        if policy.turns_on.is_some() {
            writeln!(out, "\nresource \"azurerm_role_assignment\" \"{name}\" {{")?;
            writeln!(out, "  scope                = \"{}\"", scope.id())?;
            writeln!(out, "  role_definition_name = \"Contributor\"")?;
            writeln!(out, "  principal_id         = {kind}.{name}.identity[0].principal_id\n}}")?;
        }
    }
    Ok(())
}

/// The caveats of policies, those that change servers last.
pub fn caveats(policies: &[BuiltInPolicy]) -> impl Iterator<Item = &'static str> {
    let enforces = policies.iter().any(|policy| policy.turns_on.is_some());
    CAVEATS.into_iter().chain(ENFORCING_CAVEATS.into_iter().filter(move |_| enforces))
}

fn write_caveats(out: &mut dyn Write, comment: &str, policies: &[BuiltInPolicy]) -> io::Result<()> {
    caveats(policies).try_for_each(|caveat| writeln!(out, "{comment} {caveat}"))
}

/// A name as Bicep takes it: `pgFlexibleSslAudit`.
fn symbol(policy: &BuiltInPolicy) -> String {
    let mut upper = false;
    let mut symbol = String::new();
    for letter in policy.name.chars() {
        match letter {
            '-' => upper = true,
            letter if upper => {
                symbol.extend(letter.to_uppercase());
                upper = false;
            }
            letter => symbol.push(letter),
        }
    }
    symbol
}
