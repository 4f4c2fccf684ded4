//! What someone who is signed in may do.

use std::fmt;
use std::str::FromStr;

/// A role. Each may do what the ones before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Sees everything and changes nothing.
    Viewer,
    /// Starts audits and probes, makes plans, stops runs.
    Planner,
    /// Applies plans, undoes and resumes runs, gives access to others.
    Approver,
}

impl Role {
    /// Every role, the least first.
    pub const ALL: [Self; 3] = [Self::Viewer, Self::Planner, Self::Approver];

    /// The role's name in options, headers and pages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Planner => "planner",
            Self::Approver => "approver",
        }
    }

    /// Someone who has it, as a sentence begins.
    #[must_use]
    pub const fn who(self) -> &'static str {
        match self {
            Self::Viewer => "A viewer",
            Self::Planner => "A planner",
            Self::Approver => "An approver",
        }
    }

    /// What it may do, in one phrase.
    #[must_use]
    pub const fn may(self) -> &'static str {
        match self {
            Self::Viewer => "sees every server and changes nothing",
            Self::Planner => "starts audits and probes, makes plans, and stops runs",
            Self::Approver => "applies plans, undoes and resumes runs, and gives others access",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|role| role.as_str() == text);
        found.ok_or("a role is viewer, planner or approver")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_ordered_and_spelt_one_way() {
        assert!(Role::Viewer < Role::Planner && Role::Planner < Role::Approver);
        for role in Role::ALL {
            assert_eq!(role.as_str().parse(), Ok(role));
        }
        for text in ["", "Viewer", "admin", "approver "] {
            assert!(text.parse::<Role>().is_err(), "{text}");
        }
    }
}
