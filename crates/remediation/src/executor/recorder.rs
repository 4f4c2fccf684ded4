//! The state of a run in memory, which is always what the journal holds.

use super::pool::Places;
use super::{Abort, ExecuteError, ExecutionEvent, Executor, OnResume};
use crate::report::report;
use crate::{
    Direction, InvalidTransition, JournalError, JournalEvent, JournalRecord, LONGEST_APPEND, NewRun, ParameterWriter,
    Plan, Report, RunId, RunState, SafeText, Step, StepEvent, StepState, Track,
};
use hostssl_model::ResourceId;
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

/// How many records are appended at once where many are due.
const BATCH: usize = 1000;

/// What is left after the last append for the report.
const END: Duration = Duration::from_secs(1);

/// Why a record was not waited for any longer.
const STOPPED_MEANWHILE: &str = "another process has been writing to it since the run was stopped";

/// Appends to the journal first and then moves the state on, so that a report never knows more than the journal.
pub(super) struct RunRecorder<'a, W: ParameterWriter> {
    executor: &'a Executor<'a, W>,
    run: &'a RunId,
    pub(super) plan: &'a Plan,
    state: Mutex<State>,
    interrupted_at: OnceLock<Duration>,
    pub(super) places: Places,
    rest: OnResume,
    /// Whether another process wrote the records so far, so that some may be missing.
    resumed: bool,
    forgotten: BTreeSet<ResourceId>,
}

struct State {
    run: RunState,
    failures: usize,
}

impl<'a, W: ParameterWriter> RunRecorder<'a, W> {
    pub(super) fn new(executor: &'a Executor<'a, W>, run: &'a RunId, plan: &'a Plan, state: RunState) -> Self {
        let failures = state.steps().iter().filter(|step| has_failed(step)).count();
        let state = Mutex::new(State { run: state, failures });
        let places = Places::new(executor.options.max_parallel);
        let (rest, forgotten) = (OnResume::Continue, BTreeSet::new());
        Self { executor, run, plan, state, interrupted_at: OnceLock::new(), places, rest, resumed: false, forgotten }
    }

    /// The same for a run that is continued, or undone, in this way.
    pub(super) fn with(mut self, rest: OnResume, forgotten: &[ResourceId]) -> Self {
        self.rest = rest;
        self.resumed = true;
        self.forgotten = forgotten.iter().cloned().collect();
        self
    }

    /// Whether nothing more may be written.
    pub(super) fn only_settles(&self) -> bool {
        self.rest == OnResume::SettleOnly
    }

    /// Whether a step that has no record may have been written all the same.
    pub(super) fn may_lack_records(&self, direction: Direction) -> bool {
        self.resumed && direction == Direction::Apply
    }

    /// Whether a person said that a server is to be forgotten.
    pub(super) fn forgets(&self, server: &ResourceId) -> bool {
        self.forgotten.contains(server)
    }

    /// Records acts of one step, all or nothing.
    pub(super) async fn record(&self, step: &Step, direction: Direction, acts: Vec<StepEvent>) -> Result<(), Abort> {
        let events = acts.into_iter().map(|act| JournalEvent::Step { step: step.id, direction, act });
        self.append(events.collect()).await
    }

    /// Records events of many steps, which need not be all or nothing.
    pub(super) async fn record_many(&self, events: Vec<JournalEvent>) -> Result<(), Abort> {
        let mut events = events.into_iter().peekable();
        while events.peek().is_some() {
            self.append(events.by_ref().take(BATCH).collect()).await?;
        }
        Ok(())
    }

    /// Records an event of the run as a whole, while no step is being driven.
    pub(super) async fn record_run(&self, event: JournalEvent) -> Result<(), Abort> {
        let record = JournalRecord { at_ms: self.executor.clock.now_ms(), event };
        let mut next = self.lock().run.clone();
        next.advance(&record).map_err(Abort::Defect)?;
        self.write(std::slice::from_ref(&record)).await?;
        self.lock().run = next;
        Ok(())
    }

    async fn append(&self, events: Vec<JournalEvent>) -> Result<(), Abort> {
        let at_ms = self.executor.clock.now_ms();
        let records: Vec<JournalRecord> = events.into_iter().map(|event| JournalRecord { at_ms, event }).collect();
        let changed = self.lock().run.preview_steps(&records).map_err(Abort::Defect)?;
        self.write(&records).await?;
        let mut state = self.lock();
        let failed_now =
            |(id, next): (&u32, &StepState)| has_failed(next) && !state.run.step(*id).is_some_and(has_failed);
        let failures = changed.iter().filter(|entry| failed_now(*entry)).count();
        state.failures += failures;
        state.run.commit_steps(changed);
        Ok(())
    }

    async fn write(&self, records: &[JournalRecord]) -> Result<(), Abort> {
        let ask = async || self.executor.journal.append(self.run, records).await;
        // One that is being tried, and one behind it, end within the patience too.
        let patience = self.executor.options.stop_patience.saturating_sub(LONGEST_APPEND * 2 + END);
        let appended = tokio::select! {
            biased;
            appended = self.patiently(patience, ask) => appended,
            // What was asked for may still be kept: then the journal knows more than the report, which is right.
            () = self.out_of_patience() => Err(JournalError::Busy(STOPPED_MEANWHILE.into())),
        };
        appended.map_err(Abort::Journal)?;
        for record in records {
            self.executor.events.emit(&ExecutionEvent::Recorded(record));
        }
        Ok(())
    }

    /// Keeps the new run. Nothing is in progress yet, so that a stop ends the wait for the journal.
    pub(super) async fn begin(&self, new: &NewRun<'_>) -> Result<(), JournalError> {
        self.patiently(Duration::ZERO, async || self.executor.journal.begin(new).await).await
    }

    /// Asks the journal until it is not busy any more, for as long as the executor is patient: another process's audit
    /// that is being saved must not end a run. `SQLite` has waited a while each time.
    async fn patiently(
        &self,
        after_stop: Duration,
        ask: impl AsyncFn() -> Result<(), JournalError>,
    ) -> Result<(), JournalError> {
        let (clock, options) = (self.executor.clock, &self.executor.options);
        let began = clock.elapsed();
        loop {
            let answer = ask().await;
            let waited = clock.elapsed().saturating_sub(began);
            let patience_left = match self.interrupted_at() {
                Some(at) => after_stop.saturating_sub(clock.elapsed().saturating_sub(at)),
                None => options.journal_patience.saturating_sub(waited),
            };
            match answer {
                Err(JournalError::Busy(_)) if !patience_left.is_zero() => {
                    self.executor.events.emit(&ExecutionEvent::JournalBusy { waited });
                    clock.sleep(options.first_wait.min(patience_left)).await;
                }
                answer => return answer,
            }
        }
    }

    /// Does the work of a run, and notes the moment of a stop when it comes, whatever the work awaits then: all patience
    /// is counted from that moment.
    pub(super) async fn timing_a_stop<T>(&self, work: impl Future<Output = T>) -> T {
        let noted = async {
            self.executor.stopped().await;
            self.interrupted_at();
            std::future::pending::<Infallible>().await
        };
        tokio::select! {
            biased;
            never = noted => match never {},
            done = work => done,
        }
    }

    /// Done when the run was stopped, and the patience with what was in progress is over.
    pub(super) async fn out_of_patience(&self) {
        self.executor.stopped().await;
        let (clock, patience) = (self.executor.clock, self.executor.options.stop_patience);
        let gone = self.interrupted_at().map_or(patience, |at| clock.elapsed().saturating_sub(at));
        clock.sleep(patience.saturating_sub(gone)).await;
    }

    /// The report, or the error with what the journal holds.
    pub(super) fn conclude(self, walked: Result<(), Abort>) -> Result<Report, ExecuteError> {
        let made = report(self.run, self.plan, &self.lock().run);
        match walked {
            Ok(()) => Ok(made),
            Err(Abort::Journal(source)) => Err(ExecuteError::Journal { source, partial: Some(Box::new(made)) }),
            Err(Abort::Defect(invalid)) => Err(ExecuteError::Defect(invalid)),
        }
    }

    /// One way of a step, as it stands.
    pub(super) fn track(&self, step: &Step, direction: Direction) -> Result<Track, Abort> {
        self.with_track(step, direction, Track::clone).ok_or(Abort::Defect(InvalidTransition::NoSuchStep(step.id)))
    }

    fn with_track<R>(&self, step: &Step, direction: Direction, at: impl FnOnce(&Track) -> R) -> Option<R> {
        self.lock().run.step(step.id).and_then(|found| found.track(direction)).map(at)
    }

    /// Whether nothing has happened to a step, and nothing will by itself.
    pub(super) fn is_waiting(&self, step: &Step) -> bool {
        self.with_track(step, Direction::Apply, |track| track.ending().is_none() && !track.is_open()) == Some(true)
    }

    /// Whether a write of a step is, or may be, in progress.
    pub(super) fn is_open(&self, step: &Step) -> bool {
        self.with_track(step, Direction::Apply, Track::is_open) == Some(true)
    }

    /// Whether a step is being undone and has not ended.
    pub(super) fn is_undoing(&self, step: &Step) -> bool {
        self.with_track(step, Direction::Undo, |track| track.ending().is_none()) == Some(true)
    }

    pub(super) fn all_ended(&self, direction: Direction) -> bool {
        let state = self.lock();
        state.run.steps().iter().filter_map(|at| at.track(direction)).all(|track| track.ending().is_some())
    }

    pub(super) fn failures(&self) -> usize {
        self.lock().failures
    }

    /// Whether a step of the first wave ended, or stands, otherwise than well. A value that could not be read again has
    /// not been seen to stay.
    pub(super) fn canary_failed(&self) -> bool {
        let canary = self.plan.waves().next().unwrap_or_default();
        canary.iter().any(|step| !self.succeeded(step.id) || self.not_read_again(step, Direction::Apply).is_some())
    }

    /// Whether a step of the plan is open.
    pub(super) fn has_open(&self) -> bool {
        self.plan.steps().iter().any(|step| self.is_open(step))
    }

    /// Whether something is left to undo.
    pub(super) fn has_undoable(&self) -> bool {
        self.lock().run.steps().iter().any(StepState::is_undoable)
    }

    /// Whether a step that must have ended well may still do so.
    pub(super) fn waits_for_needed(&self, step: &Step) -> bool {
        step.needs.iter().filter_map(|id| self.plan.step(*id)).any(|needed| self.is_open(needed))
    }

    /// Whether the end of a step of the first wave is not known: it has not ended, for whatever reason, or could not be
    /// read again.
    pub(super) fn canary_is_open(&self) -> bool {
        let canary = self.plan.waves().next().unwrap_or_default();
        let is_open = |track: &Track| track.ending().is_none() || track.not_read_again.is_some();
        canary.iter().any(|step| self.with_track(step, Direction::Apply, is_open) == Some(true))
    }

    /// Whether a step ended well in this direction, so that its value should be there still.
    pub(super) fn holds(&self, step: &Step, direction: Direction) -> bool {
        let well = |track: &Track| track.ending().is_some_and(crate::StepOutcome::is_success);
        self.with_track(step, direction, well) == Some(true)
    }

    /// Why the value of a step could not be read again, where that is so.
    pub(super) fn not_read_again(&self, step: &Step, direction: Direction) -> Option<SafeText> {
        self.with_track(step, direction, |track| track.not_read_again.clone()).flatten()
    }

    /// Whether a step that must have ended well has not.
    pub(super) fn lacks_needed(&self, step: &Step) -> bool {
        step.needs.iter().any(|id| !self.succeeded(*id))
    }

    /// Whether a step ended otherwise than well.
    pub(super) fn ended_badly(&self, step: &Step) -> bool {
        let badly = |track: &Track| track.ending().is_some_and(|ending| !ending.is_success());
        self.with_track(step, Direction::Apply, badly) == Some(true)
    }

    fn succeeded(&self, id: u32) -> bool {
        self.lock().run.step(id).and_then(|at| at.apply.ending()).is_some_and(crate::StepOutcome::is_success)
    }

    /// When the user interrupted, by the clock's [`elapsed`](crate::Clock::elapsed).
    pub(super) fn interrupted_at(&self) -> Option<Duration> {
        self.executor.is_stopped().then(|| *self.interrupted_at.get_or_init(|| self.executor.clock.elapsed()))
    }

    /// Every change is a plain assignment, so a panic elsewhere leaves nothing half-done behind.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn has_failed(step: &StepState) -> bool {
    step.apply.ending().is_some_and(crate::StepOutcome::is_failure)
}
