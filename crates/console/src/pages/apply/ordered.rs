//! What people ordered of a run, and what stopped it.

use crate::job::StopCause;
use crate::jobs::run_progress::RunProgress;
use crate::view::{When, count, plural};
use hostssl_remediation::{LoadedRun, PlanApproval, StepStatus as RunStatus};
use hostssl_store::{Order, OrderAct};
use std::collections::BTreeSet;

/// Who stopped a run after how much, when its last order says so.
pub(super) fn stopped_by(orders: &[Order], loaded: &LoadedRun) -> Option<String> {
    let stop = orders.last().filter(|order| order.act == OrderAct::Stop)?;
    if loaded.state.phase().is_unfinished() {
        return Some(format!("Stop requested by {}", stop.person));
    }
    let RunProgress { ended, steps, .. } = RunProgress::to_resume(loaded);
    let unstarted = loaded.report().summary.not_started as usize;
    Some(StopCause::Person(stop.person.clone()).after(ended.saturating_sub(unstarted), steps.len(), "step"))
}

/// That a run stopped because of failures, and after how much. One that has not ended may be in progress in another
/// process, and a step of it that is open has not failed.
pub(super) fn stopped_by_failures(loaded: &LoadedRun) -> Option<String> {
    if loaded.state.phase().is_unfinished() {
        return None;
    }
    let (summary, steps) = (loaded.report().summary, RunProgress::to_resume(loaded).steps.len());
    let failures = u64::from((summary.refused + summary.failed + summary.timed_out).saturating_sub(summary.open));
    let executable = loaded.plan.steps().iter().filter(|step| step.is_executable()).map(|step| step.id);
    let executable: BTreeSet<u32> = executable.collect();
    let rest = loaded.report().steps.into_iter().filter(|step| executable.contains(&step.id));
    let rest = rest.filter(|step| step.status == RunStatus::NotStarted).count();
    (failures > 0 && rest > 0).then(|| {
        let (done, of) = (count(steps.saturating_sub(rest) as u64), plural(steps as u64, "step"));
        format!("Stopped by {} after {done} of {of}", plural(failures, "failure"))
    })
}

/// Whose approvals of the plan counted when the run began, and who ordered what.
pub(super) fn order_rows(approvals: Vec<PlanApproval>, orders: Vec<Order>) -> Vec<(&'static str, String, When)> {
    let is_apart = !approvals.is_empty();
    let approved = approvals.into_iter().map(|one| ("Approved", one.person, When(one.at_ms)));
    approved.chain(orders.into_iter().map(|order| order_row(order, is_apart))).collect()
}

/// Where no one had approved the plan before, its apply approved it.
fn order_row(order: Order, is_approved: bool) -> (&'static str, String, When) {
    let words = match order.act {
        OrderAct::Apply if is_approved => "Apply requested",
        OrderAct::Apply => "Approved",
        OrderAct::Undo => "Undo requested",
        OrderAct::Resume => "Resume requested",
        OrderAct::Stop => "Stop requested",
    };
    (words, order.person, When(order.at_ms))
}
