//! Where to look.

use crate::SubscriptionId;
use std::sync::Arc;

/// What the user asked to look at. Empty lists mean "everything that the identity can see".
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scope {
    /// Tenant ids; none means the home tenant.
    pub tenants: Vec<String>,
    /// Management group names.
    pub management_groups: Vec<String>,
    /// Subscription ids or display names.
    pub subscriptions: Vec<String>,
    /// Resource group names.
    pub resource_groups: Vec<String>,
    /// Server names.
    pub servers: Vec<String>,
}

impl Scope {
    /// Whether a server of this name in this resource group is asked for. Azure compares both without case.
    #[must_use]
    pub fn admits(&self, resource_group: &str, server: &str) -> bool {
        let named =
            |names: &[String], name: &str| names.is_empty() || names.iter().any(|n| n.eq_ignore_ascii_case(name));
        named(&self.resource_groups, resource_group) && named(&self.servers, server)
    }
}

/// The state of a subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubscriptionState {
    /// In normal use.
    Enabled,
    /// Any other word of Azure's (`Warned`, `PastDue`, `Disabled`, …). Such a subscription still lists and reads.
    Other(Arc<str>),
}

/// One subscription that the identity can see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// Its id.
    pub id: SubscriptionId,
    /// Its display name, which need not be unique.
    pub name: Arc<str>,
    /// The tenant whose token can read it.
    pub tenant: Arc<str>,
    /// Its state.
    pub state: SubscriptionState,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_scope_admits_everything_and_names_compare_without_case() {
        assert!(Scope::default().admits("any", "thing"));
        let scope = Scope { resource_groups: vec!["Shop".into()], servers: vec!["orders".into()], ..Scope::default() };
        assert!(scope.admits("SHOP", "Orders"));
        assert!(!scope.admits("other", "orders"));
        assert!(!scope.admits("shop", "billing"));
    }
}
