//! Plans: asked for, made, reviewed, approved.

mod affected;
mod approving;
mod ask;
mod review;

pub(crate) use approving::{approve, withdraw};
pub(crate) use ask::{canary, check_again, exclude, for_many, for_one, reason};
pub(crate) use review::words as left_out_words;

use super::Asked;
use super::work_page::show_elsewhere;
use crate::elsewhere::{WorkElsewhere, find_elsewhere, work_elsewhere};
use crate::follow::follow;
use crate::guard::{Fields, Session};
use crate::job::StopCause;
use crate::jobs::change::{ChangeJob, ChangeKind, ChangeWork};
use crate::jobs::kept_plan::observed_ms;
use crate::jobs::plan::{PlanJob, PlanProgress};
use crate::jobs::plan_order::PlanToReview;
use crate::jobs::run_progress::RunProgress;
use crate::reply::{Failure, page, see_other};
use crate::shared::Shared;
use crate::trouble::Trouble;
use crate::view::{Ago, Shell, When, effect, plural};
use approving::{can_approve, rule_of};
use askama::Template;
use axum::Extension;
use axum::extract::{Path, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use hostssl_remediation::{ApprovalRule, Approved, Plan, PlanApproval, PlanApprovals, RunId, Step};
use hostssl_store::{AuditStore, KeptPlanEntry, StoreError, WorkKind};
use jiff::Timestamp;
use review::{Review, is_sound};
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;

/// Failed steps after which a run stops, at most.
const MAX_FAILURES: usize = 10_000;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Nothing {}

/// Which steps of a plan to show.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct PlanQuery {
    /// Part of a server's or a resource group's name.
    q: String,
    /// The wave to show; 0 for the first.
    wave: u32,
}

#[derive(Template)]
#[template(path = "plans.html")]
struct PlansPage {
    shell: Shell,
    plans: Vec<PlanRow>,
    /// The plans that other consoles make now.
    elsewhere: Vec<WorkElsewhere>,
}

struct PlanRow {
    id: String,
    at: When,
    by: String,
    what: String,
    state: String,
    run: Option<String>,
}

#[derive(Template)]
#[template(path = "plan_live.html")]
struct PlanningPage {
    shell: Shell,
    job: Arc<PlanJob>,
    progress: PlanProgress,
    stopping: bool,
}

#[derive(Template)]
#[template(path = "plan_lost.html")]
struct LostPage {
    shell: Shell,
    job: Arc<PlanJob>,
    trouble: Trouble,
}

#[derive(Template)]
#[template(path = "plan.html")]
struct PlanPage {
    shell: Shell,
    job: Arc<PlanJob>,
    ready: Arc<PlanToReview>,
    review: Review,
    looked: Ago,
    /// Whether it is too old to be applied.
    stale: bool,
    /// The run that applied it.
    run: Option<String>,
    /// Whether the console refuses to make servers less strict.
    no_loosening: bool,
    approvals: PlanApprovals,
    /// Those that counted when its run began.
    counted: Option<Vec<PlanApproval>>,
    /// Whether the reader can approve it, or why not.
    can_approve: Result<(), &'static str>,
    /// Whether the reader has approved it, and no run of it has begun.
    can_withdraw: bool,
}

/// Every plan that is kept.
pub(crate) async fn list(
    State(shared): State<Shared>,
    Asked(_): Asked<Nothing>,
    shell: Shell,
) -> Result<Response, Failure> {
    let rules = shared.clone();
    let kept = shared
        .ask(move |store| {
            let plans = store.kept_plans()?.into_iter();
            let with_state = |plan: KeptPlanEntry| {
                let rule = rules.approval_rule(plan.approvals, &plan.made_by);
                Ok((state_of(store, &plan, &rule)?, plan))
            };
            plans.map(with_state).collect::<Result<Vec<_>, StoreError>>()
        })
        .await?;
    let mut plans: Vec<PlanRow> = kept.into_iter().map(|(state, plan)| kept_row(&shared, plan, state)).collect();
    // What is being made here, could not be made, or could not be kept.
    let here = shared.plans.all().into_iter().filter(|job| plans.iter().all(|row| row.id != job.id));
    let here: Vec<PlanRow> = here.map(|job| row_of_job(&shared, &job)).collect();
    plans.extend(here);
    plans.sort_by_key(|row| std::cmp::Reverse(row.at.0));
    let mut elsewhere = work_elsewhere(&shared).await?;
    elsewhere.retain(|one| one.kind == WorkKind::Plan);
    page(&PlansPage { shell: shell.titled("Plans", "plans"), plans, elsewhere })
}

/// What the state knows of a plan beside itself.
struct KeptState {
    run: Option<RunId>,
    approvals: PlanApprovals,
}

fn state_of(store: &AuditStore, plan: &KeptPlanEntry, rule: &ApprovalRule) -> Result<KeptState, StoreError> {
    let approvals = rule.count(store.plan_approvals(&plan.hash)?);
    Ok(KeptState { run: store.run_of_plan(&plan.hash)?, approvals })
}

fn kept_row(shared: &Shared, plan: KeptPlanEntry, KeptState { run, approvals }: KeptState) -> PlanRow {
    let state = match &run {
        Some(_) => "applied".to_owned(),
        None if plan.writes == 0 => "nothing to write".to_owned(),
        None if is_old(shared, plan.observed_ms) => "too old to be applied".to_owned(),
        None if approvals.missing() > 0 => approvals.words(),
        None if approvals.are_apart() => "approved, ready to apply".to_owned(),
        None => "ready for review".to_owned(),
    };
    let run = run.map(|run| run.to_string());
    PlanRow { id: plan.id, at: When(plan.made_ms), by: plan.made_by, what: plan.title, state, run }
}

fn row_of_job(shared: &Shared, job: &PlanJob) -> PlanRow {
    let ready = job.ready();
    let state = match (&ready, job.status().end) {
        (Some(ready), _) if ready.plan.is_empty() => "nothing to write",
        (Some(ready), _) if is_stale(shared, &ready.plan) => "too old to be applied",
        (Some(_), _) => "ready for review",
        (None, Some(_)) => "could not be made",
        (None, None) => "being made",
    };
    let run = applied(job).map(|change| change.id.clone());
    let planned = || plural(job.work.order.servers.len() as u64, "server");
    PlanRow {
        id: job.id.clone(),
        at: When(job.started_ms),
        by: job.started_by.clone(),
        what: ready.as_ref().map_or_else(planned, |ready| effect(&ready.plan)),
        state: if run.is_some() { "applied".to_owned() } else { state.to_owned() },
        run,
    }
}

/// A plan that is made here, or was kept by any console of the state.
pub(super) async fn plan_job(shared: &Shared, id: &str) -> Result<Arc<PlanJob>, Failure> {
    if let Some(job) = shared.plans.find(id) {
        return Ok(job);
    }
    let asked = id.to_owned();
    let find = move |store: &AuditStore| {
        let found = match store.kept_plan(&asked)? {
            None if store.directory().shared().is_some() => {
                // A moment ago it may have been made in another console.
                store.follow()?;
                store.kept_plan(&asked)?
            }
            found => found,
        };
        Ok(found.map(PlanJob::restored))
    };
    let kept = shared.ask(find).await?.ok_or_else(no_such_plan)?;
    Ok(shared.plans.add(kept.ok_or_else(Failure::unreadable_plan)?))
}

/// One plan, being made or to be reviewed.
pub(crate) async fn show(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    Asked(looked): Asked<PlanQuery>,
    Extension(session): Extension<Session>,
    shell: Shell,
) -> Result<Response, Failure> {
    if shared.plans.find(&id).is_none()
        && let Some(work) = find_elsewhere(&shared, WorkKind::Plan, &id).await?
    {
        return show_elsewhere(shell, work);
    }
    let job = plan_job(&shared, &id).await?;
    let status = job.status();
    let stopping = status.is_stopping();
    match status.end {
        None => {
            let shell = shell.titled("Planning", "plans");
            page(&PlanningPage { shell, job, progress: status.progress, stopping })
        }
        Some(Err(trouble)) => page(&LostPage { shell: shell.titled("No plan", "plans"), job, trouble }),
        Some(Ok(ready)) => {
            let now_ms = Timestamp::now().as_millisecond();
            let hash = ready.plan.hash().clone();
            let kept = move |store: &AuditStore| {
                let run = store.run_of_plan(&hash)?;
                let counted = run.as_ref().map(|run| store.run_approvals(run)).transpose()?;
                Ok((store.census_entries(now_ms)?, store.plan_approvals(&hash)?, run, counted))
            };
            let (censuses, approvals, run, counted) = shared.ask(kept).await?;
            let review = Review::of(&ready, shared.options.max_plan_age, &looked, &censuses);
            let approvals = rule_of(&shared, &job, &ready).count(approvals);
            let run = applied(&job).map(|change| change.id.clone()).or_else(|| run.map(|run| run.to_string()));
            page(&PlanPage {
                shell: shell.titled(review.title.clone(), "plans"),
                stale: is_stale(&shared, &ready.plan),
                can_withdraw: run.is_none() && approvals.has(session.person()),
                run,
                looked: Ago::new(observed_ms(&ready.plan)),
                no_loosening: shared.options.no_loosening,
                can_approve: can_approve(&session, &job, &approvals),
                approvals,
                counted,
                review,
                ready,
                job,
            })
        }
    }
}

/// How far the planning is, as server-sent events.
pub(crate) async fn events(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    Extension(session): Extension<Session>,
) -> Result<Response, Failure> {
    let job = plan_job(&shared, &id).await?;
    follow(&shared, &session, job.follow(), |now| now.update(&now.progress))
}

/// Gives up planning.
pub(crate) async fn stop(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    Extension(session): Extension<Session>,
) -> Result<Response, Failure> {
    let job = plan_job(&shared, &id).await?;
    job.stop_for(StopCause::Person(session.person().to_owned()));
    Ok(see_other(&format!("/plans/{id}")))
}

/// The plan's file, to the byte what `hostssl plan --out` writes.
pub(crate) async fn file(State(shared): State<Shared>, Path(id): Path<String>) -> Result<Response, Failure> {
    let job = plan_job(&shared, &id).await?;
    let ready = job.ready().ok_or_else(no_such_plan)?;
    shared.ask(AuditStore::check).await?;
    let head = [(CONTENT_TYPE, "application/json"), (CONTENT_DISPOSITION, "attachment; filename=\"plan.json\"")];
    Ok((head, ready.plan.to_json()).into_response())
}

/// Approves the plan whose hash is named and begins its run; a form that is posted twice begins one.
pub(crate) async fn apply(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    Extension(session): Extension<Session>,
    Extension(fields): Extension<Fields>,
) -> Result<Response, Failure> {
    let job = plan_job(&shared, &id).await?;
    let ready = job.ready().ok_or_else(no_such_plan)?;
    let show = || format!("/plans/{id}");
    let max_failures = match fields.value("max-failures") {
        "" => 1,
        text => text.parse().ok().filter(|n| (1..=MAX_FAILURES).contains(n)).ok_or_else(Failure::bad_form)?,
    };
    let hash = ready.plan.hash().clone();
    let kept = move |store: &AuditStore| {
        // An approval may have been withdrawn in another console a moment ago.
        store.follow()?;
        Ok((store.plan_approvals(&hash)?, store.run_of_plan(&hash)?))
    };
    let (approvals, elsewhere) = shared.ask(kept).await?;
    let rule = rule_of(&shared, &job, &ready);
    let approvals = rule.count(approvals);
    let mut slot = job.run();
    let begun = slot.as_ref().filter(|change| !change.came_to_nothing()).map(|change| change.id.clone());
    if let Some(run) = begun.or_else(|| elsewhere.map(|run| run.to_string())) {
        return Ok(see_other(&format!("/applies/{run}")));
    }
    check_plan(&shared, &job, &ready, &fields).map_err(|failure| failure.leading_to(show(), "Show the plan"))?;
    if approvals.missing() > 0 {
        return Err(Failure::approvals_missing(&approvals.words()).leading_to(show(), "Show the plan"));
    }
    let approved = Approved::new(ready.plan.clone(), fields.value("hash"))
        .map_err(|_| Failure::not_this_plan().leading_to(show(), "Show the plan"))?;
    let approved = approved.because(job.work.order.reason.as_deref()).counted_by(rule);
    let run = RunId::new(&uuid::Uuid::now_v7().to_string()).map_err(|_| Failure::defect())?;
    let change = ChangeWork {
        run,
        plan: ready.plan.clone(),
        kind: ChangeKind::Apply(Box::new(approved)),
        from: RunProgress::new(&ready.plan),
        on_behalf: session.name().map(ToOwned::to_owned),
        max_failures,
    };
    let change = shared
        .changes
        .start(&shared.context, session.person(), change)
        .map_err(|running| Failure::change_in_progress(&running.work.run))?;
    let address = format!("/applies/{}", change.id);
    *slot = Some(change);
    Ok(see_other(&address))
}

/// Whether a plan may be approved and applied: it is the one of the form, recent, sound, and allowed here.
fn check_plan(shared: &Shared, job: &PlanJob, ready: &PlanToReview, fields: &Fields) -> Result<(), Failure> {
    if ready.plan.hash().as_str() != fields.value("hash") {
        return Err(Failure::not_this_plan());
    }
    if ready.plan.is_empty() {
        return Err(Failure::empty_plan());
    }
    if is_stale(shared, &ready.plan) {
        return Err(Failure::stale_plan(shared.options.max_plan_age));
    }
    if ready.plan.steps().iter().any(Step::loosens) {
        if shared.options.no_loosening {
            return Err(Failure::no_loosening());
        }
        if job.work.order.reason.is_none() {
            return Err(Failure::reason_needed());
        }
    }
    if is_sound(ready, shared.options.max_plan_age) { Ok(()) } else { Err(Failure::unsound_plan()) }
}

/// The run that applied it, unless that came to nothing.
fn applied(job: &PlanJob) -> Option<Arc<ChangeJob>> {
    job.run().as_ref().filter(|change| !change.came_to_nothing()).cloned()
}

/// Whether what the plan rests on is older than is accepted. The apply asks again, by the same rule.
fn is_stale(shared: &Shared, plan: &Plan) -> bool {
    is_old(shared, observed_ms(plan))
}

fn is_old(shared: &Shared, observed_ms: i64) -> bool {
    let age = Timestamp::now().as_millisecond().saturating_sub(observed_ms);
    Duration::from_millis(u64::try_from(age).unwrap_or(0)) > shared.options.max_plan_age
}

/// The address of the plan that a change was to apply, when that is kept.
pub(crate) fn plan_of(shared: &Shared, change: &Arc<ChangeJob>) -> Option<String> {
    let is_its = |job: &&Arc<PlanJob>| job.run().as_ref().is_some_and(|one| Arc::ptr_eq(one, change));
    shared.plans.all().iter().find(is_its).map(|job| format!("/plans/{}", job.id))
}

pub(super) fn no_such_plan() -> Failure {
    Failure::nothing_kept(
        "There is no such plan.",
        "The newest 50 plans are kept. If another console is still making this one, reload the page in a moment. A plan changes nothing until it is applied. Plan again from the server or from All resources.",
    )
}
