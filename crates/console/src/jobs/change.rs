//! Servers being changed: an approved plan applied, a run undone or resumed. One at a time, with the lock of the state
//! directory held no longer than that.

use super::run_progress::{RunProgress, word_of};
use super::tenant_of;
use crate::job::{Job, JobContext, JobStatus, JobWork, StopCause, run_context};
use crate::trouble::Trouble;
use hostssl_model::Unchecked;
use hostssl_ops::Stop;
use hostssl_ops::{AuditRequest, Discovery, Remediation, RemediationError, Tenant, audit_and_probe};
use hostssl_remediation::{
    Approved, Clock as _, Direction, ExecuteError, ExecutionEvent, ExecutorOptions, JournalEvent, JournalRecord,
    LoadedRun, OnResume, Plan, Report, RunId, StepEvent, SystemClock,
};
use hostssl_store::{Order, OrderAct, Store, StoreError};
use serde::Serialize;
use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Changes that are remembered, for their pages, after they ended.
const MAX_CHANGES: usize = 20;
/// How long the audit afterwards may take.
const AUDIT: Duration = Duration::from_secs(120);
/// How much of it the probes may take; what was not probed by then is unknown.
const PROBE: Duration = Duration::from_secs(60);
/// How often a change looks for a stop that was ordered in another console.
const OBEYS_EVERY: Duration = Duration::from_secs(1);
/// Servers of a plan up to which they are probed afterwards.
const MAX_PROBED: usize = 500;

/// What is done to a run.
pub(crate) enum ChangeKind {
    /// Begin it with this plan.
    Apply(Box<Approved<Plan>>),
    /// Restore what it changed, for a reason that the journal keeps.
    Undo { reason: Option<String> },
    /// Settle what was in progress, then go on.
    Resume,
}

/// A change of servers.
pub(crate) struct ChangeWork {
    pub(crate) run: RunId,
    pub(crate) plan: Plan,
    pub(crate) kind: ChangeKind,
    /// How far the run is when this begins.
    pub(crate) from: RunProgress,
    /// The name for the journal, when it knows more than the tenant's identity.
    pub(crate) on_behalf: Option<String>,
    pub(crate) max_failures: usize,
}

/// How far a change is.
#[derive(Debug, Clone)]
pub(crate) struct ChangeProgress {
    /// Steps in all.
    pub(crate) steps: usize,
    /// Steps that ended.
    pub(crate) ended: usize,
    /// Of those, the ones that failed.
    pub(crate) failed: usize,
    /// What goes on, in words.
    pub(crate) note: String,
    /// The word of each step that has begun.
    pub(crate) words: Arc<BTreeMap<u32, &'static str>>,
    /// Why steps ended as they did.
    pub(crate) reasons: Arc<BTreeMap<u32, String>>,
    /// When the first step of this change began, and how many had ended before.
    pub(crate) pace: Option<(Instant, usize)>,
    /// Whether the order to make it is kept.
    pub(crate) ordered: bool,
    /// Whether the journal has anything of it.
    pub(crate) begun: bool,
}

impl ChangeProgress {
    /// How long the rest takes at the pace so far, in words; empty while that cannot be said.
    pub(crate) fn left(&self) -> String {
        let pace = self.pace.map(|(since, before)| (since.elapsed(), self.ended.saturating_sub(before)));
        let rest = self.steps.saturating_sub(self.ended);
        pace.and_then(|(elapsed, done)| time_left(elapsed, done, rest)).map(about).unwrap_or_default()
    }
}

/// Steps after which a pace is known.
const KNOWN_PACE: usize = 3;

/// How long the rest takes, when so many steps took so long.
fn time_left(elapsed: Duration, done: usize, rest: usize) -> Option<Duration> {
    let (done, rest) = (u32::try_from(done).ok()?, u32::try_from(rest).ok()?);
    (done as usize >= KNOWN_PACE && rest > 0).then(|| elapsed.saturating_mul(rest) / done)
}

/// A time that is left, in words: no more exact than it is known.
fn about(left: Duration) -> String {
    match left.as_secs().div_ceil(60) {
        0 | 1 => "less than a minute left".to_owned(),
        minutes @ 2..=90 => format!("about {minutes} minutes left"),
        minutes => format!("about {} hours left", (minutes + 30) / 60),
    }
}

/// What live pages receive.
#[derive(Serialize)]
struct ChangeUpdate<'a> {
    found: usize,
    looked: usize,
    failed: usize,
    note: &'a str,
    left: String,
    steps: BTreeMap<u32, &'static str>,
}

/// The data of an event, with the steps whose word is another one than in `before`, and whether it is the last one.
pub(crate) fn update(
    status: &JobStatus<ChangeProgress, ()>,
    before: &mut Arc<BTreeMap<u32, &'static str>>,
) -> (String, bool) {
    let ChangeProgress { steps, ended, failed, ref note, ref words, .. } = status.progress;
    let left = status.progress.left();
    let moved = words.iter().filter(|(step, word)| before.get(step) != Some(word));
    let moved = moved.map(|(step, word)| (*step, *word)).collect();
    *before = words.clone();
    status.update(&ChangeUpdate { found: steps, looked: ended, failed, note, left, steps: moved })
}

pub(crate) type ChangeJob = Job<ChangeWork>;

/// The changes of this process.
#[derive(Default)]
pub(crate) struct Changes(Mutex<VecDeque<Arc<ChangeJob>>>);

impl Changes {
    /// Starts a change.
    ///
    /// # Errors
    ///
    /// The change that is in progress already.
    pub(crate) fn start(
        &self,
        context: &Arc<JobContext>,
        by: &str,
        change: ChangeWork,
    ) -> Result<Arc<ChangeJob>, Arc<ChangeJob>> {
        let RunProgress { ref steps, ended, failed, ref words, ref reasons, .. } = change.from;
        let progress = ChangeProgress {
            steps: steps.len(),
            ended,
            failed,
            note: "Signing in".to_owned(),
            words: Arc::new(words.clone()),
            reasons: Arc::new(reasons.clone()),
            pace: None,
            ordered: false,
            begun: false,
        };
        let mut changes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = changes.iter().find(|job| job.is_running()) {
            return Err(running.clone());
        }
        let job = Job::new(change.run.to_string(), by, change, progress);
        job.spawn(context);
        changes.push_back(job.clone());
        if changes.len() > MAX_CHANGES {
            changes.pop_front();
        }
        Ok(job)
    }

    /// The newest change of this run.
    pub(crate) fn find(&self, run: &str) -> Option<Arc<ChangeJob>> {
        let changes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        changes.iter().rev().find(|job| job.id == run).cloned()
    }

    /// The one in progress.
    pub(crate) fn running(&self) -> Option<Arc<ChangeJob>> {
        let changes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        changes.iter().find(|job| job.is_running()).cloned()
    }
}

impl ChangeJob {
    /// Whether it ended without a trace in the journal, so that the same may be tried again.
    pub(crate) fn came_to_nothing(&self) -> bool {
        let status = self.status();
        matches!(status.end, Some(Err(_))) && !status.progress.begun
    }

    /// Waits until the order to make this change is kept, and says whether it is: no other order of its run comes before.
    pub(crate) async fn is_ordered(&self) -> bool {
        let mut status = self.follow();
        let settled = status.wait_for(|status| status.progress.ordered || status.end.is_some()).await;
        settled.is_ok_and(|status| status.progress.ordered)
    }

    fn set_note(&self, note: &str) {
        self.note(|progress| note.clone_into(&mut progress.note));
    }

    /// The order as it is kept: with the person, who may be another one than began the run.
    fn order(&self) -> Order {
        Order {
            run: self.work.run.clone(),
            at_ms: self.started_ms,
            act: match self.work.kind {
                ChangeKind::Apply(_) => OrderAct::Apply,
                ChangeKind::Undo { .. } => OrderAct::Undo,
                ChangeKind::Resume => OrderAct::Resume,
            },
            person: self.started_by.clone(),
            plan: self.work.plan.hash().clone(),
        }
    }

    fn show(&self, event: &ExecutionEvent<'_>) {
        match event {
            ExecutionEvent::Begun(_) => {}
            ExecutionEvent::Wave { wave, servers } => {
                let noun = if *servers == 1 { "server" } else { "servers" };
                self.set_note(&format!("Wave {wave}: {servers} {noun}"));
            }
            ExecutionEvent::NotReadAgain { step, why } => {
                let name = hostssl_formats::safe(step.server.name());
                tracing::warn!(server = %name, why, "a value could not be read once more: whether it stayed is not known");
                self.set_note(&format!(
                    "{name}: it could not be read once more, so it is not known whether the value stayed"
                ));
            }
            ExecutionEvent::Waiting { step, why, delay } => {
                let name = hostssl_formats::safe(step.server.name());
                self.set_note(&format!("{name}: {why}; retrying in {} s", delay.as_secs()));
            }
            ExecutionEvent::Soaking { delay } => {
                self.set_note(&format!("Waiting {} s, then reading the values of the wave again", delay.as_secs()));
            }
            ExecutionEvent::JournalBusy { .. } => {
                self.set_note("Waiting: another process is writing to the state, or its store cannot be reached");
            }
            ExecutionEvent::Recorded(record) => self.count(record),
        }
    }

    fn count(&self, record: &JournalRecord) {
        let RunProgress { way, ref steps, .. } = self.work.from;
        self.note(|progress| {
            progress.begun = true;
            let JournalEvent::Step { step, act, .. } = &record.event else { return };
            progress.pace.get_or_insert((Instant::now(), progress.ended));
            if let StepEvent::Ended { ending } = act
                && let Some(reason) = ending.reason(way == Direction::Undo)
            {
                Arc::make_mut(&mut progress.reasons).insert(*step, reason);
            }
            if let StepEvent::NotReadAgain { why } = act {
                Arc::make_mut(&mut progress.reasons).insert(*step, format!("not read again: {why}"));
            }
            if let (StepEvent::Ended { ending }, true) = (act, steps.contains(step)) {
                progress.ended = (progress.ended + 1).min(progress.steps);
                progress.failed += usize::from(ending.is_failure());
            }
            Arc::make_mut(&mut progress.words).insert(*step, word_of(act, way));
        });
    }
}

impl JobWork for ChangeWork {
    const NAME: &'static str = "change";
    const AFTER_DEFECT: &'static str = "resume the run, and report what the console wrote to its terminal";
    type Progress = ChangeProgress;
    /// The journal says how it ended.
    type Outcome = ();

    async fn run(&self, job: &ChangeJob, context: &JobContext) -> Result<(), Trouble> {
        let untouched = |error: StoreError| {
            let Trouble { what, hint } = error.into();
            Trouble { what: format!("nothing was written: {what}"), hint }
        };
        // To open a directory that was moved away would make another one.
        context.store.check().map_err(untouched)?;
        // Before Azure is asked anything, because another process that changes servers with this directory goes first.
        let store = Store::open(context.store.directory()).map_err(untouched)?;
        // Another console may have applied the plan since this one looked.
        if matches!(self.kind, ChangeKind::Apply(_))
            && let Some(run) = context.store.run_of_plan(self.plan.hash()).map_err(untouched)?
        {
            return Err(Trouble::new(format!("run {run} has applied this plan"), "look at its page under Runs"));
        }
        context.store.keep_order(&job.order()).map_err(untouched)?;
        job.note(|progress| progress.ordered = true);
        // Its other end is dropped, so that this client is never stopped: what is in progress is followed to its end.
        let never = watch::channel(None).1;
        let mut stopped = job.stop_signal();
        let tenants = tokio::select! {
            tenants = (context.connect)(never) => tenants?,
            _ = stopped.wait_for(Option::is_some) => return Err(Trouble::new(
                "it was stopped while signing in, so nothing was written",
                "go back to the plan to apply it",
            )),
        };
        let tenant = tenant_of(&tenants, self.plan.principal().tenant.as_deref())?;
        let report = tokio::select! {
            report = self.change(job, context, tenant, &store) => report?,
            never = self.obey_stops(job, context) => match never {},
        };
        drop(store);
        self.audit_changed(job, context, tenant, &report).await;
        Ok(())
    }
}

impl ChangeWork {
    async fn change(
        &self,
        job: &ChangeJob,
        context: &JobContext,
        tenant: &Tenant,
        store: &Store,
    ) -> Result<Report, Trouble> {
        job.set_note("Checking what the identity may change");
        let clock = SystemClock::new();
        let events = |event: &ExecutionEvent<'_>| job.show(event);
        let untold = |unchecked: &Unchecked| {
            tracing::warn!(detail = %unchecked.detail, "Azure does not say what this identity may change");
        };
        let max_failures = if self.from.way == Direction::Undo { usize::MAX } else { self.max_failures };
        let remediation = Remediation {
            tenant,
            on_behalf: self.on_behalf.as_deref(),
            journal: store,
            clients: Some(store.reader()),
            clock: &clock,
            judge: None,
            events: &events,
            on_untold: &untold,
            stop: job.stop_signal(),
            options: ExecutorOptions { max_failures, ..ExecutorOptions::default() },
        };
        let done = match &self.kind {
            ChangeKind::Apply(approved) => remediation.apply(approved, &self.run, context.options.max_plan_age).await,
            ChangeKind::Undo { reason } => remediation.undo(self.load(store).await?, &[], reason.as_deref()).await,
            ChangeKind::Resume => remediation.resume(self.load(store).await?, OnResume::Continue, &[]).await,
        };
        tracing::info!(run = %self.run, at = clock.now_ms(), by = %job.started_by, "a change of servers ended");
        done.map_err(|error| {
            if let RemediationError::Execute(ExecuteError::Journal { partial: Some(_), .. }) = &error {
                job.note(|progress| progress.begun = true);
            }
            Trouble::from(error)
        })
    }

    /// Stops when someone orders it in another console.
    async fn obey_stops(&self, job: &ChangeJob, context: &JobContext) -> Infallible {
        let mut known = None;
        loop {
            // Where it cannot be read, it is asked again.
            if let Ok(orders) = context.store.orders(&self.run) {
                // What was ordered before this change began is past.
                let known = *known.get_or_insert(orders.len());
                let stop = orders.iter().skip(known).find(|order| order.act == OrderAct::Stop);
                if let Some(stop) = stop {
                    job.stop_for(StopCause::Person(stop.person.clone()));
                }
            }
            tokio::time::sleep(OBEYS_EVERY).await;
        }
    }

    async fn load(&self, store: &Store) -> Result<LoadedRun, Trouble> {
        LoadedRun::read(store, &self.run).await.map_err(|error| RemediationError::from(error).into())
    }

    /// Keeps how the servers are now, probed too if the console can, so that their pages are true.
    async fn audit_changed(&self, job: &ChangeJob, context: &JobContext, tenant: &Tenant, report: &Report) {
        let summary = report.summary;
        if summary.applied + summary.undone + summary.changed_since_plan + summary.open == 0 {
            return;
        }
        job.set_note("Auditing the servers again");
        let wire = context.options.wire.as_ref().filter(|_| self.plan.servers() <= MAX_PROBED);
        let (give, stop) = watch::channel(None);
        tokio::spawn(async move {
            tokio::time::sleep(PROBE).await;
            give.send_replace(Some(Stop::Deadline));
            // While this end is kept, the signal stays as it is.
            give.closed().await;
        });
        let probe = wire.and_then(|wire| (wire.probe)(stop).ok());
        let profile = wire.filter(|_| probe.is_some()).map_or(&context.options.profile, |wire| &wire.profile);
        let request =
            AuditRequest { scope: self.plan.scope().clone(), profile: profile.clone(), discovery: Discovery::Lists };
        let run = run_context(uuid::Uuid::now_v7().to_string(), jiff::Timestamp::now(), &context.options);
        let mut ignore = |_: hostssl_ops::AuditEvent<'_>| ();
        let tenants = std::slice::from_ref(tenant);
        let audited = audit_and_probe(tenants, &request, probe.as_ref(), run, &mut ignore);
        match tokio::time::timeout(AUDIT, audited).await {
            Ok(Ok(report)) => {
                if let Err(error) = context.store.save(&report) {
                    tracing::warn!(%error, "the audit after a change could not be kept");
                }
            }
            Ok(Err(error)) => tracing::warn!(%error, "the audit after a change failed"),
            Err(_) => tracing::warn!("the audit after a change took too long"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_that_is_left_is_said_when_it_is_known() {
        let seconds = Duration::from_secs;
        assert_eq!(time_left(seconds(60), 2, 100), None);
        assert_eq!(time_left(seconds(60), 3, 0), None);
        assert_eq!(time_left(seconds(60), 6, 12), Some(seconds(120)));
        let told = [1, 60, 61, 600, 5400, 5401, 36_000].map(|left| about(seconds(left)));
        assert_eq!(
            told,
            [
                "less than a minute left",
                "less than a minute left",
                "about 2 minutes left",
                "about 10 minutes left",
                "about 90 minutes left",
                "about 2 hours left",
                "about 10 hours left"
            ]
        );
    }
}
