//! What this server has read so far, so that the next part of it need not be read again, whether it is kept or not.

use crate::tool_source::{KnownAudit, ToolAudit, ToolPlan};
use jiff::Timestamp;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// How many audits are remembered, and how many plans.
const MOST: usize = 4;

/// The newest audits and plans.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    audits: Mutex<VecDeque<Arc<Remembered<ToolAudit>>>>,
    plans: Mutex<VecDeque<Arc<Remembered<ToolPlan>>>>,
}

/// Something, and the scenario of the simulated Azure that it is about.
#[derive(Debug)]
pub(crate) struct Remembered<T> {
    pub(crate) scenario: Option<String>,
    pub(crate) of: T,
}

impl Memory {
    pub(crate) fn audit(&self, scenario: Option<String>, audit: ToolAudit) -> Arc<Remembered<ToolAudit>> {
        remember(&self.audits, Remembered { scenario, of: audit }, |one| one.of.kept)
    }

    pub(crate) fn plan(&self, scenario: Option<String>, plan: ToolPlan) -> Arc<Remembered<ToolPlan>> {
        remember(&self.plans, Remembered { scenario, of: plan }, |_| false)
    }

    /// The audit of this scenario that began last, whenever it was remembered; of those that are not kept, the one that was made last.
    pub(crate) fn newest_audit(&self, scenario: Option<&str>) -> Option<Arc<Remembered<ToolAudit>>> {
        let all = self.audits.lock().unwrap_or_else(PoisonError::into_inner);
        let of_scenario = all.iter().rev().filter(|one| one.scenario.as_deref() == scenario);
        let later = |one: &Remembered<ToolAudit>, other: &Remembered<ToolAudit>| {
            (!one.of.kept && !other.of.kept) || began(&one.of) <= began(&other.of)
        };
        of_scenario.reduce(|one, other| if later(one, other) { other } else { one }).cloned()
    }

    /// The audit with this id.
    pub(crate) fn find_audit(&self, run: &str) -> Option<Arc<Remembered<ToolAudit>>> {
        find(&self.audits, |one| one.of.report.run.id == run)
    }

    /// The plan with this hash.
    pub(crate) fn find_plan(&self, hash: &str) -> Option<Arc<Remembered<ToolPlan>>> {
        find(&self.plans, |one| one.of.plan.hash().as_str() == hash)
    }
}

/// When an audit began; nothing where its report does not say so in a way that is understood.
fn began(audit: &ToolAudit) -> Option<Timestamp> {
    audit.report.run.started_at.parse().ok()
}

/// How an audit is told from one that came later.
pub(crate) fn known(audit: &ToolAudit) -> Option<KnownAudit> {
    Some(KnownAudit { run: audit.report.run.id.clone(), began: began(audit)? })
}

/// Remembers something. What is kept elsewhere too is forgotten first, and then what was remembered first.
fn remember<T>(all: &Mutex<VecDeque<Arc<T>>>, new: T, is_kept: impl Fn(&T) -> bool) -> Arc<T> {
    let new = Arc::new(new);
    let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
    if all.len() >= MOST {
        let oldest = all.len() - 1;
        let forgotten = all.iter().rposition(|one| is_kept(one)).unwrap_or(oldest);
        drop(all.remove(forgotten));
    }
    all.push_front(Arc::clone(&new));
    new
}

fn find<T>(all: &Mutex<VecDeque<Arc<T>>>, is: impl Fn(&T) -> bool) -> Option<Arc<T>> {
    let all = all.lock().unwrap_or_else(PoisonError::into_inner);
    all.iter().find(|one| is(one)).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hostssl_test_support::audited::AuditedFleet;

    #[test]
    fn the_newest_are_remembered() {
        let all = Mutex::default();
        (0..6).for_each(|number| drop(remember(&all, number, |_| false)));
        assert_eq!(find(&all, |one| *one > 2).as_deref(), Some(&5), "the newest first");
        assert_eq!(find(&all, |one| *one == 1), None);
        assert_eq!(find(&all, |one| *one == 2).as_deref(), Some(&2));
        (6..9).for_each(|number| drop(remember(&all, number, |one| *one != 2)));
        assert_eq!(find(&all, |one| *one == 2).as_deref(), Some(&2), "what is kept nowhere else stays");
    }

    #[test]
    fn of_audits_that_are_not_kept_the_last_one_is_the_newest_whatever_the_clock_said() {
        let memory = Memory::default();
        let audit = |minute, kept| {
            let report = AuditedFleet::small().report(minute);
            ToolAudit { report, kept, scenario: None, warnings: Vec::new() }
        };
        let newest = || memory.newest_audit(None).unwrap().of.report.run.id.clone();
        memory.audit(None, audit(9, false));
        memory.audit(None, audit(3, false));
        assert_eq!(newest(), AuditedFleet::run_id(3));
        // One that is kept was looked at, which makes it no newer.
        memory.audit(None, audit(2, true));
        assert_eq!(newest(), AuditedFleet::run_id(3));
    }
}
