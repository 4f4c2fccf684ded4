//! Whose approvals of a plan count, as far as this console knows.

use crate::guard::ListedPeople;
use crate::user_role::Role;
use hostssl_remediation::{PlanApproval, PlanApprovals, plain_name};
use std::collections::HashMap;

/// Who is an approver now: someone who approved may have lost that role.
#[derive(Debug, Clone)]
pub(crate) struct KnownApprovers {
    pub(crate) listed: ListedPeople,
    /// What a proxy said last of the people whom it signed in here, by their plain names; `None` without a proxy.
    pub(crate) proxied: Option<HashMap<String, Role>>,
}

impl KnownApprovers {
    /// Why an approval of this person does not count, if it does not.
    fn why_not(&self, person: &str) -> Option<String> {
        if let Some(role) = self.listed.greatest_role(person) {
            return (role < Role::Approver).then(|| format!("--link of this console gives this name the role {role}"));
        }
        match self.proxied.as_ref().map(|proxied| proxied.get(&plain_name(person))) {
            None => Some("--link of this console does not have this name".to_owned()),
            Some(Some(role)) if *role < Role::Approver => {
                Some(format!("the proxy gives this name the role {role} now"))
            }
            // The proxy may sign in more people than were here.
            Some(_) => None,
        }
    }
}

/// What a plan takes before it is applied.
#[derive(Debug, Clone)]
pub(crate) struct ApprovalRule {
    /// How many people have to approve it.
    pub(crate) needed: u32,
    /// Who made it, and so does not approve it.
    pub(crate) made_by: String,
    pub(crate) approvers: KnownApprovers,
}

impl ApprovalRule {
    /// How a plan with these approvals stands.
    pub(crate) fn count(&self, approvals: Vec<PlanApproval>) -> PlanApprovals {
        PlanApprovals::of(self.needed, &self.made_by, approvals, |person| self.approvers.why_not(person))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::ConsoleOptions;

    #[test]
    fn who_is_no_approver_any_more_is_told_why() {
        let people = [("ada", Role::Approver), ("bob", Role::Viewer)].map(|(name, role)| (name.to_owned(), role));
        let listed = ListedPeople::of(&ConsoleOptions { people: people.into(), ..ConsoleOptions::for_tests() });
        let links = KnownApprovers { listed: listed.clone(), proxied: None };
        assert_eq!(links.why_not(" ADA"), None);
        assert_eq!(links.why_not("bob").unwrap(), "--link of this console gives this name the role viewer");
        assert_eq!(links.why_not("eve").unwrap(), "--link of this console does not have this name");
        let said = [("eve", Role::Planner), ("zoe", Role::Approver)].map(|(name, role)| (name.to_owned(), role));
        let proxy = KnownApprovers { listed, proxied: Some(said.into()) };
        assert_eq!(proxy.why_not("Eve").unwrap(), "the proxy gives this name the role planner now");
        assert_eq!((proxy.why_not("zoe"), proxy.why_not("not seen here")), (None, None));
    }
}
