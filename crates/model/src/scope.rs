//! The scope of a run.

use crate::{Server, SubscriptionId, matches_pattern, matches_tag, selects};
use std::sync::Arc;

/// What the user asked to look at. Empty lists mean "everything that the identity can see".
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scope {
    /// Tenant ids; none means the home tenant.
    pub tenants: Vec<String>,
    /// Management group names.
    pub management_groups: Vec<String>,
    /// Subscription ids, display names, or patterns of names.
    pub subscriptions: Vec<String>,
    /// Resource group names, or patterns.
    pub resource_groups: Vec<String>,
    /// Server names, or patterns.
    pub servers: Vec<String>,
    /// Tags that servers have, as `NAME=VALUE`. Values of one name are alternatives; each name must have one.
    pub tags: Vec<String>,
    /// Servers that are left out: names, patterns, or tags as `NAME=VALUE`.
    pub except: Vec<String>,
}

impl Scope {
    /// Whether a server is asked for. Whether it is left out again is for [`Scope::excepts`] to say.
    #[must_use]
    pub fn admits(&self, server: &Server) -> bool {
        let name_of = |tag: &String| tag.split('=').next().unwrap_or_default().to_lowercase();
        let tagged = self.tags.iter().all(|tag| {
            let alternatives = self.tags.iter().filter(|other| name_of(other) == name_of(tag));
            alternatives.into_iter().any(|tag| matches_tag(tag, server))
        });
        self.admits_name(server.id.resource_group(), server.name()) && tagged
    }

    /// Whether a server of this name in this resource group may be asked for, as far as names show.
    #[must_use]
    pub fn admits_name(&self, resource_group: &str, server: &str) -> bool {
        let named = |names: &[String], name: &str| names.is_empty() || names.iter().any(|n| matches_pattern(n, name));
        named(&self.resource_groups, resource_group) && named(&self.servers, server)
    }

    /// The selector that leaves a server out.
    #[must_use]
    pub fn excepts(&self, server: &Server) -> Option<&str> {
        self.except.iter().find(|selector| selects(selector, server)).map(String::as_str)
    }

    /// Whether single servers are chosen or left out, so that a selector may match none.
    #[must_use]
    pub fn selects_servers(&self) -> bool {
        [&self.resource_groups, &self.servers, &self.tags, &self.except].iter().any(|names| !names.is_empty())
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
    use crate::{Kind, ReplicationRole, ResourceId};

    fn server(group: &str, name: &str) -> Server {
        let id = format!("/subscriptions/s/resourceGroups/{group}/providers/Microsoft.DBforPostgreSQL/servers/{name}");
        Server {
            id: ResourceId::try_from(id.as_str()).unwrap(),
            kind: Kind::Single,
            location: "x".into(),
            state: None,
            fqdn: None,
            role: ReplicationRole::None,
            primary: None,
            tags: [("env", "staging"), ("team", "shop")].into_iter().collect(),
            administrator: None,
            created_at: None,
            network: crate::NetworkAccess::default(),
        }
    }

    #[test]
    fn an_empty_scope_admits_everything_and_names_compare_without_case() {
        assert!(Scope::default().admits(&server("any", "thing")));
        let scope = Scope { resource_groups: vec!["Shop".into()], servers: vec!["orders".into()], ..Scope::default() };
        assert!(scope.admits(&server("SHOP", "Orders")));
        assert!(!scope.admits(&server("other", "orders")));
        assert!(!scope.admits(&server("shop", "billing")));
    }

    #[test]
    fn values_of_a_tag_are_alternatives_and_every_tag_counts() {
        let tags = |tags: &[&str]| Scope { tags: tags.iter().map(|t| (*t).to_owned()).collect(), ..Scope::default() };
        let orders = server("shop", "orders");
        assert!(tags(&["env=test", "ENV=Staging", "team=sh*"]).admits(&orders));
        assert!(!tags(&["env=staging", "team=finance"]).admits(&orders));
        assert!(!tags(&["owner=me"]).admits(&orders));
    }

    #[test]
    fn what_is_left_out_is_said_by_its_selector() {
        let scope = Scope { except: vec!["bill*".into(), "env=staging".into()], ..Scope::default() };
        assert_eq!(scope.excepts(&server("shop", "orders")), Some("env=staging"));
        assert_eq!(scope.excepts(&server("shop", "Billing")), Some("bill*"));
        assert!(scope.selects_servers() && !Scope::default().selects_servers());
    }
}
