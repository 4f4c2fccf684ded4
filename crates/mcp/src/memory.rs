//! What this server has read so far, so that the next part of it need not be read again, whether it is kept or not.

use crate::source::{ToolAudit, ToolPlan};
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
        remember(&self.audits, Remembered { scenario, of: audit })
    }

    pub(crate) fn plan(&self, scenario: Option<String>, plan: ToolPlan) -> Arc<Remembered<ToolPlan>> {
        remember(&self.plans, Remembered { scenario, of: plan })
    }

    /// The newest audit of this scenario.
    pub(crate) fn newest_audit(&self, scenario: Option<&str>) -> Option<Arc<Remembered<ToolAudit>>> {
        find(&self.audits, |one| one.scenario.as_deref() == scenario)
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

fn remember<T>(all: &Mutex<VecDeque<Arc<T>>>, new: T) -> Arc<T> {
    let new = Arc::new(new);
    let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
    all.truncate(MOST - 1);
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

    #[test]
    fn the_newest_are_remembered() {
        let all = Mutex::default();
        (0..6).for_each(|number| drop(remember(&all, number)));
        assert_eq!(find(&all, |one| *one > 2).as_deref(), Some(&5), "the newest first");
        assert_eq!(find(&all, |one| *one == 1), None);
        assert_eq!(find(&all, |one| *one == 2).as_deref(), Some(&2));
    }
}
