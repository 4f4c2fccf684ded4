//! For whom this console was started: a sign-in of before, or of another console, holds here only while that agrees with it.

use super::session::SessionUser;
use crate::options::ConsoleOptions;
use crate::user_role::Role;
use hostssl_remediation::is_same_person;

/// The people of `--link`.
#[derive(Debug, Clone, Default)]
pub(crate) struct ListedPeople {
    people: Vec<(String, Role)>,
    /// How many people have to approve a plan: from two on, all who approve are listed.
    approvals: u32,
}

impl ListedPeople {
    pub(crate) fn of(options: &ConsoleOptions) -> Self {
        Self { people: options.people.clone(), approvals: options.approvals }
    }

    /// Whether the console was started for someone of this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.roles(name).next().is_some()
    }

    /// The names, each as often as it was given.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.people.iter().map(|(name, _)| name.as_str())
    }

    /// What someone of this name may do at most, if the console was started for them.
    pub(crate) fn greatest_role(&self, name: &str) -> Option<Role> {
        self.roles(name).max()
    }

    /// Whether someone who signed in by a link, or has one, may be here.
    pub(crate) fn admits(&self, user: &SessionUser, is_invited: bool) -> bool {
        let Some(name) = &user.name else { return self.people.is_empty() };
        if self.has(name) {
            return self.roles(name).any(|role| role == user.role);
        }
        is_invited && (user.role < Role::Approver || self.approvals < 2)
    }

    fn roles<'a>(&'a self, name: &'a str) -> impl Iterator<Item = Role> + 'a {
        self.people.iter().filter(move |(other, _)| is_same_person(other, name)).map(|(_, role)| *role)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listed_name_has_its_role_and_an_invited_one_that_of_its_link() {
        let ada = ("Ada".to_owned(), Role::Planner);
        let listed = |approvals| ListedPeople { people: vec![ada.clone()], approvals };
        let may =
            |listed: &ListedPeople, name, role, is_invited| listed.admits(&SessionUser::named(name, role), is_invited);
        for is_invited in [false, true] {
            assert!(may(&listed(1), " ada", Role::Planner, is_invited));
            // Neither more nor less than what the name has now.
            assert!(!may(&listed(1), "ada", Role::Approver, is_invited));
            assert!(!may(&listed(1), "ada", Role::Viewer, is_invited));
            assert_eq!(may(&listed(1), "zoe", Role::Approver, is_invited), is_invited);
            assert_eq!(may(&listed(2), "zoe", Role::Planner, is_invited), is_invited);
            // Who approves is named at the start.
            assert!(!may(&listed(2), "zoe", Role::Approver, is_invited));
        }
        assert!(!listed(1).admits(&SessionUser::local(), false));
        assert!(ListedPeople::default().admits(&SessionUser::local(), false));
        assert!(!may(&ListedPeople::default(), "ada", Role::Planner, false), "it was taken off every list");
    }
}
