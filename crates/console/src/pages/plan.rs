//! Plans: asked for, made, reviewed, approved.

mod affected;
mod ask;
mod review;

pub(crate) use ask::{canary, check_again, exclude, for_many, for_one, reason};
pub(crate) use review::{effect, words as left_out_words};

use super::Asked;
use crate::follow::follow;
use crate::guard::{Fields, Session};
use crate::job::StopCause;
use crate::jobs::change::{ChangeJob, ChangeKind, ChangeWork};
use crate::jobs::plan::{PlanJob, PlanProgress, PlanToReview};
use crate::jobs::run_progress::RunProgress;
use crate::reply::{Failure, page, see_other};
use crate::shared::Shared;
use crate::trouble::Trouble;
use crate::view::{Ago, Shell, When, plural};
use askama::Template;
use axum::Extension;
use axum::extract::{Path, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use hostssl_remediation::{Approved, Plan, RunId, Step};
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
}

/// Every plan that is kept.
pub(crate) async fn list(
    State(shared): State<Shared>,
    Asked(_): Asked<Nothing>,
    shell: Shell,
) -> Result<Response, Failure> {
    let row = |job: Arc<PlanJob>| {
        let ready = job.ready();
        let state = match (&ready, job.status().end) {
            (Some(ready), _) if ready.plan.is_empty() => "nothing to write".to_owned(),
            (Some(ready), _) if is_stale(&shared, &ready.plan) => "too old to be applied".to_owned(),
            (Some(_), _) => "ready for review".to_owned(),
            (None, Some(_)) => "could not be made".to_owned(),
            (None, None) => "being made".to_owned(),
        };
        let run = applied(&job).map(|change| change.id.clone());
        PlanRow {
            id: job.id.clone(),
            at: When(job.started_ms),
            by: job.started_by.clone(),
            what: match &ready {
                Some(ready) => effect(&ready.plan),
                None => plural(job.work.order.servers.len() as u64, "server"),
            },
            state: if run.is_some() { "applied".to_owned() } else { state },
            run,
        }
    };
    let plans = shared.plans.all().into_iter().map(row).collect();
    page(&PlansPage { shell: shell.titled("Plans", "plans"), plans })
}

/// One plan, being made or to be reviewed.
pub(crate) async fn show(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    Asked(looked): Asked<PlanQuery>,
    shell: Shell,
) -> Result<Response, Failure> {
    let job = shared.plans.find(&id).ok_or_else(no_such_plan)?;
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
            // A plan is in memory. Where the state cannot be read, its clients are unknown.
            let censuses = shared.ask(move |store| store.census_entries(now_ms)).await.unwrap_or_default();
            let review = Review::of(&ready, shared.options.max_plan_age, &looked, &censuses);
            let observed = ready.plan.observed_at().parse::<Timestamp>().map_or(0, Timestamp::as_millisecond);
            page(&PlanPage {
                shell: shell.titled(review.title.clone(), "plans"),
                stale: is_stale(&shared, &ready.plan),
                run: applied(&job).map(|change| change.id.clone()),
                looked: Ago::new(observed),
                no_loosening: shared.options.no_loosening,
                review,
                ready,
                job,
            })
        }
    }
}

/// How far the planning is, as server-sent events.
pub(crate) async fn events(State(shared): State<Shared>, Path(id): Path<String>) -> Result<Response, Failure> {
    let job = shared.plans.find(&id).ok_or_else(no_such_plan)?;
    follow(&shared, job.follow(), |now| now.update(&now.progress))
}

/// Gives up planning.
pub(crate) async fn stop(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    Extension(session): Extension<Session>,
) -> Result<Response, Failure> {
    let job = shared.plans.find(&id).ok_or_else(no_such_plan)?;
    job.stop_for(StopCause::Person(session.person().to_owned()));
    Ok(see_other(&format!("/plans/{id}")))
}

/// The plan's file, to the byte what `hostssl plan --out` writes.
pub(crate) async fn file(State(shared): State<Shared>, Path(id): Path<String>) -> Result<Response, Failure> {
    let job = shared.plans.find(&id).ok_or_else(no_such_plan)?;
    let ready = job.ready().ok_or_else(no_such_plan)?;
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
    let job = shared.plans.find(&id).ok_or_else(no_such_plan)?;
    let ready = job.ready().ok_or_else(no_such_plan)?;
    let approved = Approved::new(ready.plan.clone(), fields.value("hash"))
        .map_err(|_| Failure::not_this_plan().leading_to(format!("/plans/{id}"), "Show the plan"))?;
    let max_failures = match fields.value("max-failures") {
        "" => 1,
        text => text.parse().ok().filter(|n| (1..=MAX_FAILURES).contains(n)).ok_or_else(Failure::bad_form)?,
    };
    let approved = approved.because(job.work.order.reason.as_deref());
    let mut slot = job.run();
    if let Some(change) = slot.as_ref().filter(|change| !change.came_to_nothing()) {
        return Ok(see_other(&format!("/applies/{}", change.id)));
    }
    if ready.plan.is_empty() {
        return Err(Failure::empty_plan().leading_to(format!("/plans/{id}"), "Show the plan"));
    }
    if is_stale(&shared, &ready.plan) {
        let stale = Failure::stale_plan(shared.options.max_plan_age);
        return Err(stale.leading_to(format!("/plans/{id}"), "Show the plan"));
    }
    if ready.plan.steps().iter().any(Step::loosens) {
        let show = format!("/plans/{id}");
        if shared.options.no_loosening {
            return Err(Failure::no_loosening().leading_to(show, "Show the plan"));
        }
        if job.work.order.reason.is_none() {
            return Err(Failure::reason_needed().leading_to(show, "Show the plan"));
        }
    }
    if !is_sound(&ready, shared.options.max_plan_age) {
        return Err(Failure::unsound_plan().leading_to(format!("/plans/{id}"), "Show the plan"));
    }
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

/// The run that applied it, unless that came to nothing.
fn applied(job: &PlanJob) -> Option<Arc<ChangeJob>> {
    job.run().as_ref().filter(|change| !change.came_to_nothing()).cloned()
}

/// Whether what the plan rests on is older than is accepted. The apply asks again, by the same rule.
fn is_stale(shared: &Shared, plan: &Plan) -> bool {
    let observed = plan.observed_at().parse::<Timestamp>().map_or(0, Timestamp::as_millisecond);
    let age = Timestamp::now().as_millisecond().saturating_sub(observed);
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
        "The newest fifty plans are kept, until the console stops. Without being applied, a plan changes nothing. Plan again from the server or from All resources.",
    )
}
