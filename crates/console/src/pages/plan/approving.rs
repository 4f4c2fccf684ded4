//! Approving a plan, where more than one person has to, and withdrawing that.

use super::{check_plan, no_such_plan, plan_job};
use crate::guard::{Fields, Session};
use crate::jobs::plan::PlanJob;
use crate::jobs::plan_order::PlanToReview;
use crate::reply::{Failure, see_other};
use crate::shared::Shared;
use axum::Extension;
use axum::extract::{Path, State};
use axum::response::Response;
use hostssl_remediation::{ApprovalRule, PlanApprovals, is_same_person};
use jiff::Timestamp;

/// What a plan takes: as many approvals as here, or where it was made.
pub(super) fn rule_of(shared: &Shared, job: &PlanJob, ready: &PlanToReview) -> ApprovalRule {
    shared.approval_rule(ready.approvals, &job.started_by)
}

/// Whether the person who is signed in can approve a plan.
pub(super) fn can_approve(session: &Session, job: &PlanJob, approvals: &PlanApprovals) -> Result<(), &'static str> {
    if session.name().is_none() {
        return Err("You are signed in without a name, so you cannot approve plans.");
    }
    if is_same_person(session.person(), &job.started_by) {
        return Err("You made this plan, so someone else has to approve it.");
    }
    if approvals.has(session.person()) { Err("You have approved this plan.") } else { Ok(()) }
}

/// Approves the plan whose hash is named, where more than one person has to.
pub(crate) async fn approve(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    Extension(session): Extension<Session>,
    Extension(fields): Extension<Fields>,
) -> Result<Response, Failure> {
    let address = format!("/plans/{id}");
    let job = plan_job(&shared, &id).await?;
    let ready = job.ready().ok_or_else(no_such_plan)?;
    check_plan(&shared, &job, &ready, &fields)
        .map_err(|failure| failure.leading_to(address.clone(), "Show the plan"))?;
    // Two without a name may be one person.
    if session.name().is_none() || is_same_person(session.person(), &job.started_by) {
        return Err(Failure::own_plan().leading_to(address, "Show the plan"));
    }
    if session.by_proxy() {
        // Another console may have heard otherwise of the person since this session began.
        let session = session.clone();
        shared.ask_sessions(move |sessions| sessions.keep_proxied_role(&session)).await?;
    }
    let (hash, person) = (ready.plan.hash().clone(), session.person().to_owned());
    let at_ms = Timestamp::now().as_millisecond();
    if let Some(run) = shared.ask(move |store| store.approve_plan(&hash, &person, at_ms)).await? {
        return Err(Failure::applied_already(&run));
    }
    tracing::info!(person = session.person(), plan = ready.plan.hash().as_str(), "approved a plan");
    Ok(see_other(&address))
}

/// Withdraws the own approval of the plan whose hash is named. That takes neither a recent plan nor a sound one.
pub(crate) async fn withdraw(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    Extension(session): Extension<Session>,
    Extension(fields): Extension<Fields>,
) -> Result<Response, Failure> {
    let address = format!("/plans/{id}");
    let job = plan_job(&shared, &id).await?;
    let ready = job.ready().ok_or_else(no_such_plan)?;
    let hash = ready.plan.hash().clone();
    if hash.as_str() != fields.value("hash") {
        return Err(Failure::not_this_plan().leading_to(address, "Show the plan"));
    }
    let (plan, person) = (hash.clone(), session.person().to_owned());
    let at_ms = Timestamp::now().as_millisecond();
    let done = shared
        .ask(move |store| {
            let given = store.plan_approvals(&hash)?.into_iter().filter(|one| one.withdrawn_ms.is_none());
            // As it was spelt then, which may have been in more than one way.
            let mut done = false;
            for own in given.filter(|one| is_same_person(&one.person, &person)) {
                done |= store.withdraw_approval(&hash, &own.person, at_ms)?;
            }
            Ok(if done { Ok(()) } else { Err(store.run_of_plan(&hash)?) })
        })
        .await?;
    match done {
        Ok(()) => {
            tracing::info!(person = session.person(), plan = plan.as_str(), "withdrew the approval of a plan");
            Ok(see_other(&address))
        }
        Err(Some(run)) => Err(Failure::applied_already(&run)),
        Err(None) => Err(Failure::not_approved().leading_to(address, "Show the plan")),
    }
}
