//! What applies on top of the outcomes of an audit: what was accepted for a time, and what decides how it
//! ends. Nothing here changes an outcome.

use std::collections::BTreeSet;

use crate::{AuditEnd, ControlId, WaiverFile, coded};

coded! {
    /// What makes an audit end with findings.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum FailOn {
        /// Any control that fails.
        Fail = "fail",
        /// A control of high severity that fails.
        High = "high",
        /// A control that fails, and did not in the baseline, or for another value.
        New = "new",
        /// A control that could not be checked, or a part of the scope. Otherwise the audit is incomplete, which is an
        /// end of its own.
        Unknown = "unknown",
        /// Nothing that fails. What could not be checked still makes the audit incomplete.
        Never = "never",
    }
}

/// What applies on top of an audit. If it is empty, the outcomes alone decide.
#[derive(Debug, Clone, Default)]
pub struct Overlay {
    /// The result of its gate.
    pub gate: Option<Gated>,
    /// The waivers that were applied to its findings.
    pub waivers: Option<WaiverFile>,
    /// Of a kept audit: the fingerprints of the failures that waivers covered when it was made. The waivers themselves are not kept.
    /// `None` of an audit that is made now.
    pub waived_then: Option<BTreeSet<String>>,
}

/// How an audit ends by the rules of a gate, and by which findings.
#[derive(Debug, Clone)]
pub struct Gated {
    /// The rules.
    pub fail_on: Vec<FailOn>,
    /// The earlier audit that decides which failures are new.
    pub baseline: Option<BaselineUse>,
    /// How the audit ends.
    pub end: AuditEnd,
    /// The findings that decide it, in the order of the report.
    pub decided_by: Vec<FindingPlace>,
}

/// Where a finding stands in a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FindingPlace {
    /// Among the servers.
    pub server: usize,
    /// Among the findings of that server.
    pub finding: usize,
}

/// The earlier audit against which new failures were identified, and whether it is comparable.
#[derive(Debug, Clone)]
pub struct BaselineUse {
    /// Its id.
    pub run: String,
    /// When it ended, in RFC 3339.
    pub finished_at: String,
    /// Which rules judged it.
    pub profile: String,
    /// Whether the same rules judge now.
    pub same_profile: bool,
    /// Whether it has the same cloud and the same scope, and tenants in common.
    pub same_scope: bool,
    /// Its cloud, where that is another one: then nothing of it is known here.
    pub other_cloud: Option<String>,
    /// Whether it has no tenant in common.
    pub other_tenants: bool,
    /// Controls that only one of the audits checked, or that their profiles judge differently. What fails of them counts as new.
    pub not_compared: Vec<ControlId>,
    /// Those of them that this audit did not check: it cannot say that they are as they were.
    pub not_checked: Vec<ControlId>,
    /// Controls of servers that it checked, and that could not be checked now.
    pub not_visible: u64,
    /// Failures that were in it already, with the same value.
    pub known: u64,
}

impl BaselineUse {
    /// Whether it has the same scope and the same rules, and all that it checked was checked again, so that what it does not
    /// contain is new.
    #[must_use]
    pub fn serves(&self) -> bool {
        self.same_profile && self.same_scope && self.not_checked.is_empty()
    }
}
