//! Failures that someone has accepted for a time.

use crate::{ControlId, ResourceId, coded};
use std::sync::Arc;

coded! {
    /// Whether a waiver holds.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub enum WaiverState {
        /// It is in effect.
        InEffect = "in-effect",
        /// It has expired, or its expiry date is missing or malformed.
        Expired = "expired",
        /// It lasts longer than the profile allows.
        TooLong = "too-long",
        /// Only the owner of the server has approved it.
        OwnerOnly = "owner-only",
    }
}

coded! {
    /// Why an audit did not use a waiver.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub enum UnusedWaiver {
        /// The audit has no server in its scope.
        NoServer = "no-server",
        /// The audit did not check its control, or could not everywhere in its scope.
        NotJudged = "not-judged",
        /// Nothing in its scope fails that control.
        NothingFails = "nothing-fails",
        /// Another waiver covers the same failures.
        Covered = "covered",
    }
}

/// A failure that someone has accepted: of one control, on a server or on all servers of a resource group or a
/// subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiver {
    /// The control.
    pub control: ControlId,
    /// The id of a server, a resource group or a subscription.
    pub scope: String,
    /// Who is responsible for the server.
    pub owner: String,
    /// Why the failure is accepted.
    pub reason: String,
    /// Who has accepted it.
    pub approvers: Vec<String>,
    /// The last day on which it is valid, as it is written; empty when there is none.
    pub expires: String,
    /// What protects the data in the meantime.
    pub compensating_control: Option<String>,
    /// Where it was decided.
    pub ticket: Option<String>,
    /// The line of the file on which it begins.
    pub line: u32,
    /// Whether it holds.
    pub state: WaiverState,
}

impl Waiver {
    /// Whether it holds.
    #[must_use]
    pub fn is_in_effect(&self) -> bool {
        self.state == WaiverState::InEffect
    }

    /// Whether a server is in its scope.
    #[must_use]
    pub fn covers(&self, server: &ResourceId) -> bool {
        let scope = self.scope.trim_end_matches('/');
        let parts = server.as_str().split_at_checked(scope.len());
        // As ids are compared: without the case of ASCII letters, and of no others.
        parts.is_some_and(|(start, rest)| {
            start.eq_ignore_ascii_case(scope) && (rest.is_empty() || rest.starts_with('/'))
        })
    }
}

/// The waivers of one file, and their use.
#[derive(Debug, Clone)]
pub struct WaiverFile {
    /// Its name, as it was given.
    pub name: String,
    /// Every waiver, in the order of the file.
    pub waivers: Vec<WaiverUse>,
}

/// A waiver, and the number of failures that it covers.
#[derive(Debug, Clone)]
pub struct WaiverUse {
    /// The waiver.
    pub waiver: Arc<Waiver>,
    /// The number of failures that it covers, whether or not it is in effect.
    pub failures: u64,
    /// Why there are none.
    pub unused: Option<UnusedWaiver>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_covers_what_is_below_it_and_no_neighbour() {
        let server = "/subscriptions/S/resourceGroups/g/providers/Microsoft.DBforPostgreSQL/flexibleServers/pg-a";
        let id = ResourceId::try_from(server).unwrap();
        let covers = |scope: &str| {
            let waiver = Waiver {
                control: ControlId::RequireSecureTransport,
                scope: scope.into(),
                owner: String::new(),
                reason: String::new(),
                approvers: Vec::new(),
                expires: String::new(),
                compensating_control: None,
                ticket: None,
                line: 1,
                state: WaiverState::InEffect,
            };
            waiver.covers(&id)
        };
        for scope in [server, "/subscriptions/s", "/SUBSCRIPTIONS/s/resourcegroups/G/"] {
            assert!(covers(scope), "{scope}");
        }
        for scope in [
            "/subscriptions/s2",
            "/subscriptions/\u{17f}",
            "/subscriptions/s/resourceGroups/gg",
            &server[..server.len() - 1],
            &format!("{server}b"),
        ] {
            assert!(!covers(scope), "{scope}");
        }
    }
}
