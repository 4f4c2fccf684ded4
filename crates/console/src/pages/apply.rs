//! One run that changes servers: live while it goes on, then every step with its receipts, and the way back.

mod in_progress;
mod ordered;
mod words;

use super::plan::{plan_of, reason};
use crate::follow::follow;
use crate::guard::{Fields, Session};
use crate::job::{JobStatus, StopCause};
use crate::jobs::change::{ChangeKind, ChangeWork, update};
use crate::jobs::run_progress::RunProgress;
use crate::reply::{Failure, page, see_other};
use crate::shared::Shared;
use crate::trouble::Trouble;
use crate::view::{Badge, Shell, When, effect, identity_words, plural};
use askama::Template;
use axum::Extension;
use axum::extract::{Path, State};
use axum::response::Response;
use hostssl_model::chain;
use hostssl_remediation::{
    Consent, Direction, LoadedRun, Plan, RunEnd, RunId, RunOutcome, Step, StepEffect, StepReport, StepState,
};
use hostssl_store::{AuditStore, NewestLook, Order, OrderAct, StoreError, StoreReader, WriteReceipt, server_key};
use in_progress::live;
use jiff::Timestamp;
use ordered::{order_rows, stopped_by, stopped_by_failures};
use std::collections::BTreeMap;
use std::sync::Arc;
pub(super) use words::end_words;
use words::step_badge;

/// Steps on a page.
const SHOWN: usize = 200;

#[derive(Template)]
#[template(path = "apply.html")]
struct RunPage {
    shell: Shell,
    run: String,
    /// What the plan does, in words.
    effect: String,
    plan: String,
    by: String,
    /// Everything that the token says of that identity.
    identity: String,
    began: When,
    last: When,
    last_ms: i64,
    badge: Badge,
    heading: &'static str,
    /// Whether the run was, or is to be, restored.
    undoing: bool,
    said: &'static str,
    todo: &'static str,
    counts: Vec<(&'static str, u32)>,
    steps: Vec<StepRow>,
    more: usize,
    /// How many steps there are to restored.
    undoable: usize,
    undo_label: String,
    /// Whether that makes a server less strict, so that it takes a reason.
    undo_loosens: bool,
    /// Why it was approved.
    reason: Option<String>,
    /// Why it was undone.
    undo_reason: Option<String>,
    can_undo: bool,
    can_resume: bool,
    /// Whether it goes on in another process.
    reloads: bool,
    /// Whether a console works on it, or did, that obeys a stop.
    can_stop: bool,
    trouble: Option<Trouble>,
    /// Whether the wire of any server was looked at since.
    looked: bool,
    /// Who ordered what, and when.
    orders: Vec<(&'static str, String, When)>,
    /// Who or what stopped it, and after how many steps.
    stopped: Option<String>,
}

struct StepRow {
    key: String,
    server: String,
    parameter: &'static str,
    before: String,
    after: String,
    /// Whether it makes the server less strict, as an undo does.
    loosens: bool,
    badge: Badge,
    reason: Option<String>,
    /// What the wire did since.
    wire: Option<Badge>,
    receipts: Vec<ReceiptRow>,
}

struct ReceiptRow {
    receipt: WriteReceipt,
    way: &'static str,
    sent: When,
    read_back: Option<When>,
}

/// Who has accepted that clients of a server may be refused.
fn accepted_text(accepted: &Consent) -> String {
    format!("clients may be refused: accepted by {}: {}", accepted.by, accepted.reason)
}

pub(crate) async fn show(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    shell: Shell,
) -> Result<Response, Failure> {
    let job = shared.changes.find(&id);
    if let Some(job) = job.clone().filter(|job| job.is_running()) {
        return live(shell, job);
    }
    let plan = job.as_ref().and_then(|job| plan_of(&shared, job));
    let stopped = job.as_ref().and_then(|job| {
        let status = job.status();
        status.stop.map(|cause| cause.after(status.progress.ended, status.progress.steps, "step"))
    });
    let attempt = job.and_then(|job| match job.status() {
        JobStatus { end: Some(Err(trouble)), progress, .. } => Some((trouble, progress.begun, job.started_ms)),
        _ => None,
    });
    match (shared.ask(move |store| read(store, &id)).await, attempt) {
        (Ok(Some((loaded, receipts))), attempt) => {
            // What kept someone from working on it is past once it has ended, or the journal has more.
            let is_open = loaded.state.phase().is_unfinished();
            let trouble = attempt
                .filter(|(_, begun, started_ms)| if *begun { is_open } else { loaded.times_ms.1 <= *started_ms })
                .map(|(trouble, ..)| trouble);
            let mut shown = run_page(shell, &loaded, receipts, trouble);
            let keys: Vec<String> = shown.steps.iter().map(|row| row.key.clone()).collect();
            let run = loaded.id.clone();
            let (looks, orders, approvals, is_changing) = shared
                .ask(move |store| {
                    let looks = store.newest_looks(&keys)?;
                    Ok((looks, store.orders(&run)?, store.run_approvals(&run)?, is_open && store.is_changing()))
                })
                .await?;
            shown.look(&looks);
            // The process that holds the lock works on the one run that has not ended, whatever stopped it before.
            let elsewhere = is_open && is_changing;
            if elsewhere {
                shown.continues_elsewhere();
            }
            let stopped = stopped.filter(|_| !elsewhere);
            let orders_tell = |orders: &[Order]| if elsewhere { None } else { stopped_by(orders, &loaded) };
            let stopped = stopped.or_else(|| orders_tell(&orders)).or_else(|| stopped_by_failures(&loaded));
            shown.stopped = stopped.filter(|_| loaded.report().outcome != RunOutcome::Done);
            shown.can_stop = is_open && orders.last().is_some_and(|order| order.act != OrderAct::Stop);
            shown.orders = order_rows(approvals, orders);
            page(&shown)
        }
        (_, Some((trouble, true, _))) => Err(Failure::broken_off(&trouble)),
        (_, Some((trouble, false, _))) => {
            let failure = Failure::not_begun(&trouble);
            // What keeps it from beginning may be the state itself; that is told already.
            if let Ok(Some(run)) = shared.ask(AuditStore::unfinished).await {
                return Err(failure.leading_to(format!("/applies/{}", run.id), "Show the run that has not ended"));
            }
            Err(plan.map_or(failure.clone(), |plan| failure.leading_to(plan, "Back to the plan")))
        }
        (Err(failure), None) => Err(failure),
        (Ok(None), None) => Err(Failure::nothing_kept(
            "There is no such run.",
            "If the console stopped while it was signing in for this run, nothing was written: plan again. The run may also be in another state directory. Search all runs.",
        )
        .leading_to("/runs", "Runs")),
    }
}

/// How far it is, as server-sent events.
pub(crate) async fn events(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    Extension(session): Extension<Session>,
) -> Result<Response, Failure> {
    let job = shared.changes.find(&id).ok_or_else(Failure::no_such_run)?;
    let mut before = Arc::new(BTreeMap::new());
    follow(&shared, &session, job.follow(), move |now| update(now, &mut before))
}

/// Begins nothing new; what is in progress is followed to its end.
pub(crate) async fn stop(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    Extension(session): Extension<Session>,
) -> Result<Response, Failure> {
    let here = shared.changes.find(&id).filter(|job| job.is_running());
    if here.is_none() {
        stop_elsewhere(&shared, id.clone(), session.person().to_owned()).await?;
    }
    if let Some(job) = here {
        let person = session.person().to_owned();
        job.stop_for(StopCause::Person(person.clone()));
        let (run, plan) = (job.work.run.clone(), job.work.plan.hash().clone());
        let at_ms = Timestamp::now().as_millisecond();
        // Kept after the stop itself, which must not wait for a disk. Where it cannot be kept the run stops all the same, and
        // its page must not say otherwise. A run that ends before its own order is kept has nothing to stop.
        let stop = Order { run, at_ms, act: OrderAct::Stop, person, plan };
        let kept = match job.is_ordered().await {
            true => shared.ask(move |store| store.keep_order(&stop)).await,
            false => Ok(()),
        };
        if let Err(error) = kept {
            tracing::warn!(?error, run = id, "an order to stop a run could not be kept");
        }
    }
    Ok(see_other(&format!("/applies/{id}")))
}

/// Orders a stop that the console obeys that works on the run. Where none does, there is nothing to stop.
async fn stop_elsewhere(shared: &Shared, id: String, person: String) -> Result<(), Failure> {
    let order = move |store: &AuditStore| {
        let Some((loaded, _)) = read(store, &id)? else { return Ok(()) };
        if !loaded.state.phase().is_unfinished() {
            return Ok(());
        }
        let (run, plan, at_ms) = (loaded.id, loaded.plan.hash().clone(), Timestamp::now().as_millisecond());
        store.keep_order(&Order { run, at_ms, act: OrderAct::Stop, person, plan })
    };
    shared.ask(order).await
}

/// Restores what the run changed.
pub(crate) async fn undo(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    Extension(session): Extension<Session>,
    Extension(fields): Extension<Fields>,
) -> Result<Response, Failure> {
    start_change(&shared, id, &session, &fields, ChangeKind::Undo { reason: reason(&fields) }).await
}

/// Resumes a run that was interrupted.
pub(crate) async fn resume(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    Extension(session): Extension<Session>,
    Extension(fields): Extension<Fields>,
) -> Result<Response, Failure> {
    start_change(&shared, id, &session, &fields, ChangeKind::Resume).await
}

async fn start_change(
    shared: &Shared,
    id: String,
    session: &Session,
    fields: &Fields,
    kind: ChangeKind,
) -> Result<Response, Failure> {
    let address = format!("/applies/{id}");
    let asked = id.clone();
    let (loaded, _) = shared.ask(move |store| read(store, &asked)).await?.ok_or_else(Failure::no_such_run)?;
    // A form that is posted twice, or from a page that is not how the run stands any more, does nothing.
    if fields.value("seen") != loaded.times_ms.1.to_string() {
        return Ok(see_other(&address));
    }
    let can_begin = match &kind {
        ChangeKind::Undo { .. } => loaded.state.steps().iter().any(StepState::is_undoable),
        ChangeKind::Resume | ChangeKind::Apply(_) => loaded.state.can_resume(),
    };
    // An order that comes to nothing is not kept.
    if !can_begin {
        return Ok(see_other(&address));
    }
    let from = match &kind {
        ChangeKind::Undo { reason } => {
            if reason.is_none() && loaded.undo_may_loosen() {
                return Err(Failure::reason_needed_to_undo().leading_to(address, "Show the run"));
            }
            RunProgress::to_undo(&loaded)
        }
        ChangeKind::Resume | ChangeKind::Apply(_) => RunProgress::to_resume(&loaded),
    };
    let change = ChangeWork {
        from,
        run: loaded.id,
        plan: loaded.plan,
        kind,
        on_behalf: session.name().map(ToOwned::to_owned),
        max_failures: 1,
    };
    match shared.changes.start(&shared.context, session.person(), change) {
        Ok(_) => Ok(see_other(&address)),
        Err(running) if running.id == id => Ok(see_other(&address)),
        Err(running) => Err(Failure::change_in_progress(&running.work.run)),
    }
}

fn read(store: &AuditStore, id: &str) -> Result<Option<(LoadedRun, Vec<WriteReceipt>)>, StoreError> {
    let Ok(run) = RunId::new(id) else { return Ok(None) };
    store.check()?;
    let reader = match StoreReader::open(store.directory()) {
        Err(StoreError::NoState(_)) => return Ok(None),
        opened => opened?,
    };
    let stored = match reader.load(&run) {
        // A moment ago it may have begun in another console.
        Err(StoreError::NoSuchRun(_)) if store.directory().shared().is_some() => {
            store.follow()?;
            reader.load(&run)
        }
        stored => stored,
    };
    let stored = match stored {
        Err(StoreError::NoSuchRun(_)) => return Ok(None),
        stored => stored?,
    };
    let receipts = reader.receipts(&run)?;
    let loaded = stored.load().map_err(|error| StoreError::Corrupt(chain(&error)))?;
    Ok(Some((loaded, receipts)))
}

/// The rows of the steps: what needs a person comes first.
fn step_rows(plan: &Plan, reports: Vec<StepReport>, receipts: Vec<WriteReceipt>) -> Vec<StepRow> {
    let mut by_step: BTreeMap<u32, Vec<ReceiptRow>> = BTreeMap::new();
    for receipt in receipts {
        by_step.entry(receipt.step).or_default().push(ReceiptRow::from(receipt));
    }
    let mut reported: Vec<(&Step, StepReport)> = plan.steps().iter().zip(reports).collect();
    reported.sort_by_key(|(step, report)| (report.is_done(), step.id));
    let rows = reported.into_iter().map(|(step, report)| {
        let badge = step_badge(&report);
        let accepted = report.accepted.as_ref().filter(|_| report.may_refuse_clients()).map(accepted_text);
        let (before, after) =
            if report.undoing { (report.after, report.before) } else { (report.before, report.after) };
        StepRow {
            key: server_key(&step.server),
            server: step.server.name().to_owned(),
            parameter: step.parameter.key(),
            loosens: StepEffect::of(step.parameter, &before, &after).may_loosen(),
            before,
            after,
            badge,
            reason: report.reason.or(accepted),
            wire: None,
            receipts: by_step.remove(&step.id).unwrap_or_default(),
        }
    });
    rows.collect()
}

fn run_page(shell: Shell, loaded: &LoadedRun, receipts: Vec<WriteReceipt>, trouble: Option<Trouble>) -> RunPage {
    let report = loaded.report();
    let phase = loaded.state.phase();
    let summary = report.summary;
    let manual_only = report.is_manual_only();
    let manual = report.steps.iter().filter(|step| step.manual).count();
    let manual = u32::try_from(manual).unwrap_or(u32::MAX);
    let way = report.way();
    let (badge, said, todo) = end_words(RunEnd::of(&report));
    let mut steps = step_rows(&loaded.plan, report.steps, receipts);
    let more = steps.len().saturating_sub(SHOWN);
    steps.truncate(SHOWN);
    let undoable = loaded.state.steps().iter().filter(|step: &&StepState| step.is_undoable()).count();
    let counts = [
        ("applied", summary.applied),
        ("already as planned", summary.already),
        ("changed since the plan", summary.changed_since_plan),
        ("refused", summary.refused),
        ("failed", summary.failed),
        ("timed out", summary.timed_out.saturating_sub(summary.open)),
        ("not started", summary.not_started.saturating_sub(manual)),
        ("manual", manual),
        ("undone", summary.undone),
        ("stuck", summary.stuck),
        ("not settled", summary.open),
        ("of them not read again", summary.not_read_again),
        ("of them not probed", summary.not_probed),
    ];
    let can_resume = loaded.state.can_resume();
    let heading = match (report.outcome, way) {
        (RunOutcome::Done, Direction::Apply) => "Verified",
        (RunOutcome::Incomplete, Direction::Apply) if manual_only => "Verified",
        (RunOutcome::Done, Direction::Undo) => "Undone",
        (_, Direction::Apply) => "Run",
        (_, Direction::Undo) => "Undo",
    };
    RunPage {
        shell: shell.titled(heading, "runs"),
        run: report.run,
        effect: effect(&loaded.plan),
        plan: report.plan,
        identity: identity_words(std::slice::from_ref(&loaded.principal)),
        by: format!("{} ({})", loaded.principal.name, loaded.principal.method),
        began: When(loaded.times_ms.0),
        last: When(loaded.times_ms.1),
        last_ms: loaded.times_ms.1,
        badge,
        heading,
        undoing: way == Direction::Undo,
        said,
        todo,
        counts: counts.into_iter().filter(|(_, count)| *count > 0).collect(),
        steps,
        more,
        undoable,
        undo_loosens: loaded.undo_may_loosen(),
        reason: report.reason,
        undo_reason: report.undo_reason,
        undo_label: format!("Undo {}", plural(undoable as u64, "step")),
        can_undo: !phase.is_unfinished() && undoable > 0,
        can_resume,
        reloads: false,
        can_stop: false,
        trouble,
        looked: false,
        orders: Vec::new(),
        stopped: None,
    }
}

impl RunPage {
    /// Says that another process is working on the run, which no one else can resume until then.
    fn continues_elsewhere(&mut self) {
        self.said = "Another process is working on this run.";
        self.todo = "This page reloads every five seconds. To stop a run of the command line, press Ctrl-C there.";
        self.reloads = true;
        self.can_resume = false;
        self.trouble = None;
    }

    /// Adds what the wire did after the last entry of the run.
    fn look(&mut self, looks: &BTreeMap<String, NewestLook>) {
        for row in &mut self.steps {
            let look = looks.get(&row.key).filter(|look| look.started_ms >= self.last_ms && look.wire.is_some());
            row.wire = look.and_then(|look| look.wire.as_ref()).map(Badge::from);
            self.looked |= row.wire.is_some();
        }
    }
}

impl From<WriteReceipt> for ReceiptRow {
    fn from(receipt: WriteReceipt) -> Self {
        Self {
            way: receipt.direction.as_str(),
            sent: When(receipt.intended_at_ms),
            read_back: receipt.observed_at_ms.map(When),
            receipt,
        }
    }
}
