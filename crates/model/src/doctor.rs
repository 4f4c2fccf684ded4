//! What hostssl needs in order to work, check by check: the report of `hostssl doctor`.

use crate::{AuditEnd, Hint, coded};

coded! {
    /// One thing that is checked.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum DoctorCheckId {
        /// The state directory is there, or can be made, is private, and can be written.
        StateDirectory = "state-directory",
        /// There is room for audits.
        StateSpace = "state-space",
        /// The version of what is kept there is one that this program writes.
        StateVersion = "state-version",
        /// No other process is changing servers with it.
        StateLock = "state-lock",
        /// The store that several machines share, if one is named: it can be used, and lets no one in in plaintext.
        Store = "store",
        /// The file of `--ca-file` can be used.
        CaFile = "ca-file",
        /// How requests to Resource Manager leave this machine.
        Proxy = "proxy",
        /// The name of Resource Manager has an address.
        ManagementName = "management-name",
        /// Resource Manager answers.
        ManagementEndpoint = "management-endpoint",
        /// The clock of this machine agrees with that of Resource Manager.
        Clock = "clock",
        /// The chosen way of signing in gives a token.
        SignIn = "sign-in",
        /// The identity sees the subscriptions in scope.
        Subscriptions = "subscriptions",
        /// What an audit reads.
        RightsAudit = "rights-audit",
        /// What a plan reads beside that.
        RightsPlan = "rights-plan",
        /// What `apply` and `undo` write and follow.
        RightsApply = "rights-apply",
        /// What the census of clients reads.
        RightsClients = "rights-clients",
        /// A listener of a server answers.
        Listener = "listener",
    }
}

coded! {
    /// What a check ends with.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub enum DoctorStatus {
        /// It was checked, and nothing is wrong.
        Ok = "ok",
        /// It was checked: something works less well than it could, or some commands cannot be used.
        Warning = "warning",
        /// It was checked, and commands fail or see less because of it.
        Failed = "failed",
        /// It was not checked, which is never the same as ok.
        Skipped = "skipped",
    }
}

/// One check, and what it ended with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DoctorCheck {
    /// Which.
    pub id: DoctorCheckId,
    /// What it ended with.
    pub status: DoctorStatus,
    /// The facts, or why there are none.
    pub detail: String,
    /// What to do, where something is wrong.
    pub fix: Option<Hint>,
    /// Whether it was skipped although it matters: what it would have shown is not known.
    pub is_unknown: bool,
}

impl DoctorCheck {
    fn new(id: DoctorCheckId, status: DoctorStatus, detail: impl Into<String>, fix: Option<Hint>) -> Self {
        Self { id, status, detail: detail.into(), fix, is_unknown: false }
    }

    /// Nothing is wrong.
    #[must_use]
    pub fn ok(id: DoctorCheckId, detail: impl Into<String>) -> Self {
        Self::new(id, DoctorStatus::Ok, detail, None)
    }

    /// Something could be better.
    #[must_use]
    pub fn warning(id: DoctorCheckId, detail: impl Into<String>, fix: impl Into<Hint>) -> Self {
        Self::new(id, DoctorStatus::Warning, detail, Some(fix.into()))
    }

    /// Something is wrong.
    #[must_use]
    pub fn failed(id: DoctorCheckId, detail: impl Into<String>, fix: impl Into<Hint>) -> Self {
        Self::new(id, DoctorStatus::Failed, detail, Some(fix.into()))
    }

    /// There is nothing to check: it was not asked for, or does not apply here.
    #[must_use]
    pub fn not_applicable(id: DoctorCheckId, why: impl Into<String>) -> Self {
        Self::new(id, DoctorStatus::Skipped, why, None)
    }

    /// It should have been checked, and could not be.
    #[must_use]
    pub fn unknown(id: DoctorCheckId, why: impl Into<String>, fix: Option<Hint>) -> Self {
        Self { is_unknown: true, ..Self::new(id, DoctorStatus::Skipped, why, fix) }
    }
}

/// Every check of one run.
#[derive(Debug, Clone)]
pub struct DoctorReport {
    /// When it was made, in RFC 3339.
    pub checked_at: String,
    /// The version of hostssl.
    pub tool_version: String,
    /// The cloud.
    pub cloud: String,
    /// In the order in which one depends on another.
    pub checks: Vec<DoctorCheck>,
}

impl DoctorReport {
    /// How many checks ended so.
    #[must_use]
    pub fn count(&self, status: DoctorStatus) -> usize {
        self.checks.iter().filter(|check| check.status == status).count()
    }

    /// Whether nothing that matters was skipped.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        !self.checks.iter().any(|check| check.is_unknown)
    }

    /// What it ends with, as an audit does. A warning does not count; what could not be checked does.
    #[must_use]
    pub fn end(&self) -> AuditEnd {
        if self.count(DoctorStatus::Failed) > 0 {
            AuditEnd::Findings
        } else if self.is_complete() {
            AuditEnd::Pass
        } else {
            AuditEnd::Incomplete
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_not_be_checked_is_no_pass() {
        let id = DoctorCheckId::Clock;
        let report = |checks| DoctorReport {
            checked_at: String::new(),
            tool_version: String::new(),
            cloud: String::new(),
            checks,
        };
        let (ok, warning) = (DoctorCheck::ok(id, ""), DoctorCheck::warning(id, "", ""));
        let (failed, unknown) = (DoctorCheck::failed(id, "", ""), DoctorCheck::unknown(id, "", None));
        let not_asked = DoctorCheck::not_applicable(id, "");
        assert_eq!(report(vec![ok.clone(), warning, not_asked]).end(), AuditEnd::Pass);
        assert_eq!(report(vec![ok, unknown.clone()]).end(), AuditEnd::Incomplete);
        assert_eq!(report(vec![unknown, failed]).end(), AuditEnd::Findings);
    }
}
