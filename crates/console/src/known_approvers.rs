//! Whose approvals of a plan count, by how this console was started.

use crate::guard::ListedPeople;
use crate::options::ConsoleOptions;
use crate::user_role::Role;
use hostssl_remediation::{Approvers, plain_name};
use hostssl_store::{AuditStore, ListedRole, StoreError};

/// Who is an approver: the people of `--link` by the roles that it gives them, and behind a proxy everyone else by what it said last.
pub(crate) fn known_approvers(listed: &ListedPeople, is_behind_proxy: bool) -> Approvers {
    let why =
        |role: Role| (role < Role::Approver).then(|| format!("--link of this console gives this name the role {role}"));
    let named = listed.names().filter_map(|name| Some((plain_name(name), why(listed.greatest_role(name)?))));
    let others = (!is_behind_proxy).then(|| "--link of this console does not have this name".to_owned());
    Approvers { named: named.collect(), others }
}

/// Keeps the same for what begins a run without a list of its own, such as `hostssl apply`. A console in which the person who applies a
/// plan approves it keeps nothing: it says nothing of who approves.
pub(crate) fn keep_known_approvers(store: &AuditStore, options: &ConsoleOptions) -> Result<(), StoreError> {
    if options.approvals < 2 {
        return Ok(());
    }
    let listed = ListedPeople::of(options);
    let role = |name: &str| {
        let role = listed.greatest_role(name)?;
        Some(ListedRole {
            person: name.to_owned(),
            role: role.as_str().to_owned(),
            may_approve: role >= Role::Approver,
        })
    };
    let roles: Vec<ListedRole> = listed.names().filter_map(role).collect();
    store.keep_listed_roles(&roles, options.proxies.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::ConsoleOptions;

    #[test]
    fn who_is_no_approver_any_more_is_told_why() {
        let people = [("Ada", Role::Approver), ("bob", Role::Viewer), ("ada", Role::Viewer)];
        let people = people.map(|(name, role)| (name.to_owned(), role));
        let listed = ListedPeople::of(&ConsoleOptions { people: people.into(), ..ConsoleOptions::for_tests() });
        let links = known_approvers(&listed, false);
        let bob = Some("--link of this console gives this name the role viewer".to_owned());
        assert_eq!(links.named, [("ada".to_owned(), None), ("bob".to_owned(), bob)].into());
        assert_eq!(links.others.unwrap(), "--link of this console does not have this name");
        assert_eq!(known_approvers(&listed, true).others, None);
    }
}
