//! What a scope that the command line fixes lets calls see of what is kept.

use crate::args::ScopeArgs;
use hostssl_model::{Scope, matches_pattern};

impl ScopeArgs {
    /// Whether it names anything.
    pub(super) fn is_fixed(&self) -> bool {
        [&self.tenant, &self.management_group, &self.subscription, &self.resource_group]
            .iter()
            .any(|parts| !parts.is_empty())
    }

    /// Whether an audit of this scope can have seen only servers of this one. It goes by what was asked for, since what belongs
    /// to a tenant or a management group is known to Azure alone; so it refuses an audit that names the same place otherwise.
    pub(super) fn holds(&self, audited: &Scope) -> bool {
        if !self.is_fixed() {
            return true;
        }
        // Without a tenant, the home tenant is meant: an audit that names one may be of another.
        let same_home = !self.tenant.is_empty() || audited.tenants.is_empty();
        let parts = [
            (&self.tenant, &audited.tenants),
            (&self.management_group, &audited.management_groups),
            (&self.subscription, &audited.subscriptions),
            (&self.resource_group, &audited.resource_groups),
        ];
        same_home && parts.into_iter().all(|(fixed, audited)| fixed.is_empty() || are_within(fixed, audited))
    }
}

fn are_within(fixed: &[String], audited: &[String]) -> bool {
    let is_pattern = |name: &str| name.contains(['*', '?']);
    let is_within = |name: &String| {
        fixed.iter().any(|one| one.eq_ignore_ascii_case(name) || (!is_pattern(name) && matches_pattern(one, name)))
    };
    !audited.is_empty() && audited.iter().all(is_within)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(all: &[&str]) -> Vec<String> {
        all.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn an_audit_is_within_a_fixed_scope_only_if_its_own_scope_says_so() {
        let fixed = ScopeArgs { subscription: texts(&["prod-*", "shop"]), ..ScopeArgs::default() };
        let of = |subscriptions: &[&str]| Scope { subscriptions: texts(subscriptions), ..Scope::default() };
        for (inside, outside) in [("prod-*", "*"), ("prod-a", "prod-a*"), ("SHOP", "shop-2")] {
            assert!(fixed.holds(&of(&[inside])), "{inside}");
            assert!(!fixed.holds(&of(&[outside])), "{outside}");
            assert!(!fixed.holds(&of(&[inside, outside])), "{outside}");
        }
        assert!(!fixed.holds(&Scope::default()), "an audit of everything");
        assert!(fixed.holds(&Scope { resource_groups: texts(&["rg"]), ..of(&["shop"]) }), "a narrower one");
        assert!(!fixed.holds(&Scope { tenants: texts(&["other"]), ..of(&["shop"]) }), "another tenant");
        let group = ScopeArgs { resource_group: texts(&["rg-a"]), ..ScopeArgs::default() };
        assert!(!group.holds(&of(&["shop"])));
        assert!(ScopeArgs::default().holds(&of(&["*"])), "nothing is fixed");
    }
}
