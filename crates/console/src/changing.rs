//! Servers being changed: an approved plan applied, a run put back or gone on with. In a thread of its own, one at a time,
//! with the lock of the state directory held no longer than that.

mod standing;

pub(crate) use standing::Standing;

use crate::live::Trouble;
use crate::planning::{chain, no_thread, runtime};
use crate::state::Shared;
use hostssl_azure::Stop;
use hostssl_ops::{AuditRequest, Discovery, Remediation, RemediationError, Stamp, Tenant, audit_and_probe};
use hostssl_remediation::{
    Act, Approved, Clock as _, Direction, Event, ExecuteError, ExecutionEvent, ExecutorOptions, JournalError, Plan,
    Record, Report, Rest, RunId, SystemClock,
};
use hostssl_store::{Order as KeptOrder, OrderAct, Store, StoreError};
use jiff::Timestamp;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// Changes that are remembered, for their pages, after they ended.
const MAX_CHANGES: usize = 20;
/// How long the look afterwards may take.
const LOOK: Duration = Duration::from_secs(120);
/// How much of it the wire may take; what was not looked at by then is unknown.
const WIRE: Duration = Duration::from_secs(60);
/// Servers of a plan up to which the wire is looked at afterwards.
const MAX_PROBED: usize = 500;

/// What is done to a run.
pub(crate) enum Work {
    /// Begin it with this plan.
    Apply(Box<Approved<Plan>>),
    /// Put back what it changed.
    Undo,
    /// Settle what was under way, then go on.
    Resume,
}

/// How far a change is.
#[derive(Debug, Clone, Default)]
pub(crate) struct Progress {
    /// Steps in all.
    pub(crate) steps: usize,
    /// Steps that ended.
    pub(crate) ended: usize,
    /// Of those, the ones that did not end well.
    pub(crate) failed: usize,
    /// What goes on, in words.
    pub(crate) note: String,
    pub(crate) stopping: bool,
    /// Where each step stands that has begun.
    pub(crate) words: Arc<BTreeMap<u32, &'static str>>,
    /// Whether the journal has anything of it.
    pub(crate) begun: bool,
    pub(crate) end: Option<End>,
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    /// The journal says how.
    Told,
    /// It could not be begun or gone on with.
    Lost(Trouble),
}

/// What live pages are told.
#[derive(Serialize)]
pub(crate) struct Told<'a> {
    found: usize,
    looked: usize,
    failed: usize,
    note: &'a str,
    stopping: bool,
    steps: BTreeMap<u32, &'static str>,
}

impl Progress {
    /// As JSON, with the steps that stand elsewhere than `before` says.
    pub(crate) fn told(&self, before: &mut Arc<BTreeMap<u32, &'static str>>) -> String {
        let moved = self.words.iter().filter(|(step, word)| before.get(step) != Some(word));
        let steps = moved.map(|(step, word)| (*step, *word)).collect();
        *before = self.words.clone();
        let (found, looked) = (self.steps, self.ended);
        let told = Told { found, looked, failed: self.failed, note: &self.note, stopping: self.stopping, steps };
        serde_json::to_string(&told).unwrap_or_default()
    }
}

/// A change that was started here.
pub(crate) struct Change {
    pub(crate) run: RunId,
    pub(crate) plan: Plan,
    pub(crate) way: Direction,
    /// The steps that go that way.
    pub(crate) steps: BTreeSet<u32>,
    pub(crate) by: String,
    pub(crate) started_ms: i64,
    progress: watch::Sender<Progress>,
    stop: watch::Sender<bool>,
}

/// What a change is given.
pub(crate) struct Order {
    pub(crate) run: RunId,
    pub(crate) plan: Plan,
    pub(crate) work: Work,
    /// Where the run stands before.
    pub(crate) standing: Standing,
    /// Who is signed in to the console.
    pub(crate) by: String,
    /// The name for the journal, when it knows more than the tenant's identity.
    pub(crate) on_behalf: Option<String>,
    pub(crate) max_failures: usize,
}

/// The changes of this process.
#[derive(Default)]
pub(crate) struct Changes(Mutex<VecDeque<Arc<Change>>>);

impl Changes {
    /// The newest change of this run.
    pub(crate) fn find(&self, run: &str) -> Option<Arc<Change>> {
        lock(&self.0).iter().rev().find(|change| change.run.as_str() == run).cloned()
    }

    /// The one under way.
    pub(crate) fn running(&self) -> Option<Arc<Change>> {
        lock(&self.0).iter().find(|change| change.is_running()).cloned()
    }

    /// Adds one, unless another is under way.
    fn add(&self, change: Arc<Change>) -> Result<(), Arc<Change>> {
        let mut changes = lock(&self.0);
        if let Some(running) = changes.iter().find(|change| change.is_running()) {
            return Err(running.clone());
        }
        changes.push_back(change);
        if changes.len() > MAX_CHANGES {
            changes.pop_front();
        }
        Ok(())
    }
}

impl Change {
    /// Starts a change.
    ///
    /// # Errors
    ///
    /// The change that is under way already.
    pub(crate) fn start(shared: &Shared, order: Order) -> Result<Arc<Self>, Arc<Self>> {
        let Standing { way, steps, ended, failed, words } = order.standing.clone();
        let progress = Progress {
            steps: steps.len(),
            ended,
            failed,
            note: "Signing in".to_owned(),
            words: Arc::new(words),
            ..Progress::default()
        };
        let change = Arc::new(Self {
            run: order.run.clone(),
            plan: order.plan.clone(),
            way,
            steps,
            by: order.by.clone(),
            started_ms: Timestamp::now().as_millisecond(),
            progress: watch::Sender::new(progress),
            stop: watch::Sender::new(false),
        });
        shared.changes.add(change.clone())?;
        let (shared, started) = (shared.clone(), change.clone());
        let spawned = std::thread::Builder::new().name("hostssl-change".into()).spawn(move || {
            let guard = EndsAnyway(&started);
            let end = match started.work(&shared, &order) {
                Ok(()) => End::Told,
                Err(trouble) => End::Lost(trouble),
            };
            started.end(end);
            drop(guard);
        });
        if spawned.is_err() {
            change.end(End::Lost(no_thread()));
        }
        Ok(change)
    }

    pub(crate) fn is_running(&self) -> bool {
        self.progress.borrow().end.is_none()
    }

    pub(crate) fn progress(&self) -> Progress {
        self.progress.borrow().clone()
    }

    pub(crate) fn follow(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    /// Begins nothing new; what is under way is followed to its end.
    pub(crate) fn stop(&self) {
        self.stop.send_replace(true);
        self.progress.send_modify(|progress| progress.stopping = true);
    }

    /// Whether it ended without a trace in the journal, so that the same may be tried again.
    pub(crate) fn came_to_nothing(&self) -> bool {
        let progress = self.progress.borrow();
        matches!(progress.end, Some(End::Lost(_))) && !progress.begun
    }

    fn end(&self, end: End) {
        self.progress.send_modify(|progress| progress.end = Some(end));
    }

    fn say(&self, note: &str) {
        self.progress.send_modify(|progress| note.clone_into(&mut progress.note));
    }

    fn work(&self, shared: &Shared, order: &Order) -> Result<(), Trouble> {
        let runtime = runtime()?;
        let done = runtime.block_on(async {
            let untouched = |error: StoreError| Trouble {
                what: format!("nothing was written: {}", chain(&error)),
                hint: error.hint().to_owned(),
            };
            // To open a directory that was moved away would make another one.
            shared.store.check().map_err(untouched)?;
            // Before Azure is asked anything, because whoever else changes servers with this directory goes first.
            let store = Store::open(shared.store.directory()).map_err(untouched)?;
            shared.store.keep_order(&self.ordered(order)).map_err(untouched)?;
            let (stop, deadline) = (self.stop.clone(), shared.options.deadline);
            tokio::spawn(async move {
                tokio::time::sleep(deadline).await;
                stop.send_replace(true);
            });
            // Its other end is dropped, so that this client is never stopped: what is under way is followed.
            let never = watch::channel(None).1;
            let mut stopped = self.stop.subscribe();
            let tenants = tokio::select! {
                tenants = (shared.connect)(never) => tenants?,
                _ = stopped.wait_for(|stop| *stop) => return Err(Trouble {
                    what: "it was stopped while signing in, so nothing was written".into(),
                    hint: "go back to the plan to apply it".into(),
                }),
            };
            let wanted = self.plan.principal().tenant.as_deref();
            let is_wanted = |tenant: &&Tenant| tenant.principal.tenant.as_deref() == wanted;
            let tenant = tenants.iter().find(is_wanted).or(tenants.first()).ok_or_else(|| Trouble {
                what: "nobody is signed in to Azure, so nothing was written".into(),
                hint: "start the console with a tenant that the identity can sign in to".into(),
            })?;
            let report = self.change(shared, order, tenant, &store).await?;
            drop(store);
            self.look_again(shared, tenant, &report).await;
            Ok(())
        });
        runtime.shutdown_background();
        done
    }

    /// The order as it is kept: with the person, who may be another one than began the run.
    fn ordered(&self, order: &Order) -> KeptOrder {
        KeptOrder {
            run: self.run.clone(),
            at_ms: self.started_ms,
            act: match order.work {
                Work::Apply(_) => OrderAct::Apply,
                Work::Undo => OrderAct::Undo,
                Work::Resume => OrderAct::Resume,
            },
            person: self.by.clone(),
            plan: self.plan.hash().clone(),
        }
    }

    async fn change(&self, shared: &Shared, order: &Order, tenant: &Tenant, store: &Store) -> Result<Report, Trouble> {
        self.say("Asking Azure what the identity may change");
        let clock = SystemClock::new();
        let events = |event: &ExecutionEvent<'_>| self.note(event);
        let untold = |blind: &hostssl_model::Unchecked| {
            tracing::warn!(detail = %blind.detail, "Azure does not say what this identity may change");
        };
        let max_failures = if self.way == Direction::Undo { usize::MAX } else { order.max_failures };
        let remediation = Remediation {
            tenant,
            on_behalf: order.on_behalf.as_deref(),
            journal: store,
            clock: &clock,
            judge: None,
            events: &events,
            on_untold: &untold,
            stop: self.stop.subscribe(),
            options: ExecutorOptions { max_failures, ..ExecutorOptions::default() },
        };
        let done = match &order.work {
            Work::Apply(approved) => remediation.apply(approved, &self.run, shared.options.max_plan_age).await,
            Work::Undo => remediation.undo(&self.run).await,
            Work::Resume => remediation.resume(&self.run, Rest::Continue).await,
        };
        tracing::info!(run = %self.run, at = clock.now_ms(), by = %self.by, "a change of servers ended");
        done.map_err(|error| {
            if let RemediationError::Execute(ExecuteError::Journal { partial: Some(_), .. }) = &error {
                self.progress.send_modify(|progress| progress.begun = true);
            }
            trouble_of(&error)
        })
    }

    /// Keeps how the servers are now, on the wire too if the console can look there, so that their pages are true.
    async fn look_again(&self, shared: &Shared, tenant: &Tenant, report: &Report) {
        let summary = report.summary;
        if summary.applied + summary.undone + summary.changed_since_plan + summary.open == 0 {
            return;
        }
        self.say("Looking at the servers again");
        let look = shared.options.wire.as_ref().filter(|_| self.plan.servers() <= MAX_PROBED);
        let (give, stop) = watch::channel(None);
        tokio::spawn(async move {
            tokio::time::sleep(WIRE).await;
            give.send_replace(Some(Stop::Deadline));
            // While this end is kept, the signal stays as it is.
            give.closed().await;
        });
        let probe = look.and_then(|look| (look.probe)(stop).ok());
        let request = AuditRequest {
            scope: self.plan.scope().clone(),
            profile: look.filter(|_| probe.is_some()).map_or(&shared.options.profile, |look| &look.profile).clone(),
            discovery: Discovery::Lists,
        };
        let stamp = Stamp {
            id: uuid::Uuid::now_v7().to_string(),
            started_at: format!("{:.6}", Timestamp::now()),
            now: &|| format!("{:.6}", Timestamp::now()),
            tool_version: &shared.options.version,
        };
        let mut unheard = |_: hostssl_ops::Event<'_>| ();
        let tenants = std::slice::from_ref(tenant);
        let looked = audit_and_probe(tenants, &request, probe.as_ref(), stamp, &mut unheard);
        match tokio::time::timeout(LOOK, looked).await {
            Ok(Ok(report)) => {
                if let Err(error) = shared.store.save(&report) {
                    tracing::warn!(%error, "the look after a change could not be kept");
                }
            }
            Ok(Err(error)) => tracing::warn!(%error, "there was no look after a change"),
            Err(_) => tracing::warn!("the look after a change took too long"),
        }
    }

    fn note(&self, event: &ExecutionEvent<'_>) {
        match event {
            ExecutionEvent::Wave { wave, servers } => {
                let noun = if *servers == 1 { "server" } else { "servers" };
                self.say(&format!("Wave {wave}: {servers} {noun}"));
            }
            ExecutionEvent::Waiting { step, why, delay } => {
                let name = hostssl_formats::safe(step.server.name());
                self.say(&format!("{name}: {why}; again in {} s", delay.as_secs()));
            }
            ExecutionEvent::Recorded(record) => self.recorded(record),
        }
    }

    fn recorded(&self, record: &Record) {
        self.progress.send_modify(|progress| {
            progress.begun = true;
            let Event::Step { step, act, .. } = &record.event else { return };
            if let (Act::Ended { ending }, true) = (act, self.steps.contains(step)) {
                progress.ended = (progress.ended + 1).min(progress.steps);
                progress.failed += usize::from(ending.is_failure());
            }
            Arc::make_mut(&mut progress.words).insert(*step, standing::word_of(act, self.way));
        });
    }
}

/// What kept a change from its work, and what to do.
fn trouble_of(error: &RemediationError) -> Trouble {
    let what = chain(error);
    let hint = match error {
        RemediationError::Mismatch(_) => "nothing was written; plan again, here and now".to_owned(),
        RemediationError::OtherPlace(_) => "start the console where the run was made".to_owned(),
        RemediationError::NotPermitted(_) => {
            "ask for the role that hostssl role remediate prints, or plan without these servers".to_owned()
        }
        RemediationError::Execute(error) => match error {
            ExecuteError::Journal { source: JournalError::Unfinished(run), .. } => {
                format!("resume run {run} first: it has not ended")
            }
            ExecuteError::Journal { .. } => "mend the state directory, then resume the run if it had begun".to_owned(),
            ExecuteError::Damaged(_) => {
                "keep a copy of the state directory, and look at the servers by hand".to_owned()
            }
            ExecuteError::NothingToResume(_) => "nothing is to be done".to_owned(),
            ExecuteError::NotEnded(_) => "resume the run first".to_owned(),
            ExecuteError::Defect(_) => "please report it with what the console wrote to its terminal".to_owned(),
        },
    };
    Trouble { what, hint }
}

/// If the work panics, pages must not show it under way for ever.
struct EndsAnyway<'a>(&'a Change);

impl Drop for EndsAnyway<'_> {
    fn drop(&mut self) {
        if self.0.is_running() {
            self.0.end(End::Lost(Trouble {
                what: "the change ended by a defect of hostssl".into(),
                hint: "resume the run, and please report what the console wrote to its terminal".into(),
            }));
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
