//! Applies, resumes and undoes: walks a plan's steps, records every act before or right after it, and never writes
//! twice.

mod drive;
mod error;
mod event;
mod options;
mod pool;
mod recorder;
mod second_look;

pub(crate) use error::Abort;
pub use error::ExecuteError;
pub use event::{EventSink, ExecutionEvent};
pub use options::ExecutorOptions;

use crate::{
    Approved, Clock, Direction, Journal, JournalError, JournalEvent, JournalRecord, Judge, LoadedRun, NewRun,
    NotStarted, ParameterWriter, Plan, Report, RunId, RunPace, RunPhase, RunState, SafeText, Step, StepEvent,
    StepOutcome,
};
use drive::{Drive, DriveResult};
use futures::{TryStreamExt, stream};
use hostssl_model::{Principal, ResourceId, Stop};
use pool::Pool;
use recorder::RunRecorder;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::sync::watch;

/// What to do with the steps that had not begun when a run was stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnResume {
    /// Continue with them.
    Continue,
    /// Leave them: settle only what was in progress, by reading. Nothing is written.
    SettleOnly,
}

impl LoadedRun {
    /// Reads a run from the journal that it will be continued with, and holds it to every rule again.
    ///
    /// # Errors
    ///
    /// [`ExecuteError::NoSuchRun`], [`ExecuteError::Damaged`], or [`ExecuteError::Journal`] when the journal cannot be
    /// read.
    pub async fn read(journal: &dyn Journal, run: &RunId) -> Result<Self, ExecuteError> {
        let stored = journal.load(run).await.map_err(|source| match source {
            JournalError::NoSuchRun(run) => ExecuteError::NoSuchRun(run),
            source => ExecuteError::Journal { source, partial: None },
        })?;
        stored.load().map_err(ExecuteError::Damaged)
    }
}

/// Everything that it takes to change servers.
pub struct Executor<'a, W: ParameterWriter> {
    /// Reads and writes settings.
    pub writer: &'a W,
    /// Keeps the run.
    pub journal: &'a dyn Journal,
    /// Gives the time.
    pub clock: &'a dyn Clock,
    /// Probes listeners, if requested.
    pub judge: Option<&'a dyn Judge>,
    /// Receives what happens.
    pub events: &'a dyn EventSink,
    /// Given when the run is to end.
    pub stop: watch::Receiver<Option<Stop>>,
    /// The pace and the patience.
    pub options: ExecutorOptions,
}

impl<W: ParameterWriter> Executor<'_, W> {
    /// Applies an approved plan as a new run.
    ///
    /// # Errors
    ///
    /// [`ExecuteError`] when the journal refuses or another run must be settled first. A step that does not end well is
    /// no error: the report says so.
    pub async fn apply(&self, approved: &Approved<Plan>, run: &RunId, by: &Principal) -> Result<Report, ExecuteError> {
        let plan = approved.plan();
        let first = JournalRecord {
            at_ms: self.clock.now_ms(),
            event: JournalEvent::RunStarted { reason: approved.reason().cloned(), pace: self.pace() },
        };
        let mut state = RunState::new(plan.steps().len());
        state.advance(&first).map_err(ExecuteError::Defect)?;
        let new = NewRun { id: run, plan, principal: by, first: &first, approvals: approved.rule() };
        let recorder = RunRecorder::new(self, run, plan, state);
        let begun = recorder.timing_a_stop(recorder.begin(&new)).await;
        begun.map_err(|source| match source {
            JournalError::Unfinished(run) => ExecuteError::Unfinished(run),
            JournalError::NotApproved(source) => ExecuteError::NotApproved(source),
            source => ExecuteError::Journal { source, partial: None },
        })?;
        self.events.emit(&ExecutionEvent::Begun(run));
        let walked = async { self.walk_and_finish(&recorder, Pool::new(&recorder.places), &BTreeSet::new()).await };
        let walked = recorder.timing_a_stop(walked).await;
        recorder.conclude(walked)
    }

    fn pace(&self) -> Option<RunPace> {
        let soak_ms = u64::try_from(self.options.soak.as_millis()).unwrap_or(u64::MAX);
        let pace = RunPace { soak_ms, probes: self.judge.is_some() };
        (pace != RunPace::default()).then_some(pace)
    }

    /// Continues a run that was stopped, as it was loaded from this executor's journal: settles by reading what was in
    /// progress, then does `rest`. The undo of a run is completed. The servers to forget are not checked: their steps
    /// end as they are. Of a run that has ended, it reads again what could not be read again, or
    /// forgets it, and nothing else. Without a soak of its own, it soaks as the run was to.
    ///
    /// # Errors
    ///
    /// [`ExecuteError::NothingToResume`] when it has ended and nothing is left to read; otherwise as for [`Executor::apply`].
    pub async fn resume(
        &self,
        loaded: LoadedRun,
        rest: OnResume,
        forgotten: &[ResourceId],
    ) -> Result<Report, ExecuteError> {
        let run = &loaded.id;
        let phase = loaded.state.phase();
        if !loaded.state.can_resume() {
            return Err(ExecuteError::NothingToResume(run.clone()));
        }
        let soak = Duration::from_millis(loaded.state.pace().soak_ms);
        let soak = if self.options.soak.is_zero() { soak } else { self.options.soak };
        let (writer, journal, clock, judge) = (self.writer, self.journal, self.clock, self.judge);
        let options = ExecutorOptions { soak, ..self.options };
        let executor =
            Executor { writer, journal, clock, judge, events: self.events, stop: self.stop.clone(), options };
        let recorder = RunRecorder::new(&executor, run, &loaded.plan, loaded.state).with(rest, forgotten);
        let walked = recorder.timing_a_stop(executor.walk_on(&recorder, phase, rest)).await;
        recorder.conclude(walked)
    }

    /// Undoes exactly what a run changed, as it was loaded from this executor's journal, in reverse order, and only
    /// where the value is still what the run left. What an earlier undo could not restore is retried. What a stopped
    /// run had not begun is not begun. The servers to forget stay as they are. Where nothing is left to undo, no undo is
    /// recorded.
    ///
    /// # Errors
    ///
    /// [`ExecuteError::NotEnded`] while a write is not settled; otherwise as for [`Executor::apply`].
    pub async fn undo(
        &self,
        loaded: LoadedRun,
        forgotten: &[ResourceId],
        reason: Option<&str>,
    ) -> Result<Report, ExecuteError> {
        let run = &loaded.id;
        let phase = loaded.state.phase();
        let recorder = RunRecorder::new(self, run, &loaded.plan, loaded.state).with(OnResume::Continue, forgotten);
        let settled = phase == RunPhase::Applying && !recorder.has_open();
        if !settled && !matches!(phase, RunPhase::Finished | RunPhase::UndoFinished) {
            return Err(ExecuteError::NotEnded(run.clone()));
        }
        let walked = async {
            if settled {
                self.end_waiting(&recorder, NotStarted::NotContinued).await?;
            }
            // The record of an undo says that something was restored: where nothing is left to restore, there is none.
            if !recorder.has_undoable() {
                return Ok(());
            }
            recorder.record_run(JournalEvent::UndoStarted { reason: reason.map(SafeText::new) }).await?;
            self.end_forgotten(&recorder, Direction::Undo).await?;
            self.walk_back(&recorder, false).await
        };
        let walked = recorder.timing_a_stop(walked).await;
        recorder.conclude(walked)
    }

    fn is_stopped(&self) -> bool {
        self.stop.borrow().is_some()
    }

    async fn walk_on(&self, recorder: &RunRecorder<'_, W>, phase: RunPhase, rest: OnResume) -> Result<(), Abort> {
        if !phase.is_unfinished() {
            return self.look_at_unread_again(recorder, phase.direction()).await;
        }
        recorder.record_run(JournalEvent::RunResumed).await?;
        self.end_forgotten(recorder, phase.direction()).await?;
        if phase == RunPhase::Undoing {
            return self.walk_back(recorder, true).await;
        }
        // What was in progress comes first, whatever else has happened: it is the servers' state already.
        let mut pool = Pool::new(&recorder.places);
        let mut settling = BTreeSet::new();
        for steps in recorder.plan.waves().flat_map(by_server) {
            if steps.iter().any(|step| recorder.is_open(step)) {
                settling.extend(steps.iter().map(|step| step.id));
                pool.push(self.settle_server(recorder, steps, rest));
            }
        }
        match rest {
            OnResume::Continue => {
                self.until_others_may_begin(recorder, &mut pool).await?;
                // A canary that could not be read again held up the rest.
                self.look_at_unread_again(recorder, Direction::Apply).await?;
                self.walk_and_finish(recorder, pool, &settling).await
            }
            OnResume::SettleOnly => {
                pool.until_done().await?;
                // A run that was killed or stopped kept no note of what was still to be looked at.
                self.look_at_all_again(recorder, recorder.plan.steps(), Direction::Apply).await?;
                self.end_waiting(recorder, NotStarted::NotContinued).await
            }
        }
    }

    /// A step that only waits does not hold up the others; but the canary decides about all of them.
    async fn until_others_may_begin(&self, recorder: &RunRecorder<'_, W>, pool: &mut Pool<'_>) -> Result<(), Abort> {
        pool.until_idle().await?;
        if self.options.canary_gate && recorder.canary_is_open() {
            pool.until_done().await?;
        }
        Ok(())
    }

    /// Wave by wave, beside what is in the pool already, but the steps that are `settling` there; then says of everything that
    /// did not begin why.
    async fn walk_and_finish<'s>(
        &'s self,
        recorder: &'s RunRecorder<'_, W>,
        mut pool: Pool<'s>,
        settling: &BTreeSet<u32>,
    ) -> Result<(), Abort> {
        let mut waves = recorder.plan.waves().peekable();
        let mut first = true;
        while let Some(wave) = waves.next() {
            while wave.iter().any(|step| recorder.waits_for_needed(step)) && pool.until_next().await? {}
            if self.halted(recorder, !first).is_some() {
                break;
            }
            let mut groups = by_server(wave);
            let number = wave.first().map_or(0, |step| step.wave);
            self.events.emit(&ExecutionEvent::Wave { wave: number, servers: groups.len() });
            groups.retain(|steps| !steps.iter().any(|step| settling.contains(&step.id)));
            let later = number > 1;
            groups.into_iter().for_each(|steps| pool.push(self.drive_server(recorder, steps, later)));
            self.until_others_may_begin(recorder, &mut pool).await?;
            first = false;
            // A run that is over anyway does not soak.
            if waves.peek().is_some() && self.halted(recorder, true).is_none() {
                self.soak(self.options.soak).await;
                self.look_again(recorder, wave, Direction::Apply).await?;
            }
        }
        pool.until_done().await?;
        self.drive_rest_of_settled(recorder, &mut pool, settling).await?;
        let held_up = self.halted(recorder, true) == Some(NotStarted::Interrupted);
        self.look_at_all_again(recorder, recorder.plan.steps(), Direction::Apply).await?;
        let why = self.halted(recorder, true);
        // Stopped, held up by a canary that could not be read again in time, or with a write that could not be settled:
        // a resumed run continues with the rest.
        let interrupted = why == Some(NotStarted::Interrupted) || held_up && why.is_none();
        if interrupted && !recorder.all_ended(Direction::Apply) || recorder.has_open() {
            return Ok(());
        }
        self.end_waiting(recorder, why.unwrap_or(NotStarted::Interrupted)).await
    }

    /// What was settled beside the others has left the rest of its server alone if the canary was not known then.
    async fn drive_rest_of_settled<'s>(
        &'s self,
        recorder: &'s RunRecorder<'_, W>,
        pool: &mut Pool<'s>,
        settling: &BTreeSet<u32>,
    ) -> Result<(), Abort> {
        if self.halted(recorder, true).is_some() {
            return Ok(());
        }
        let is_left = |step: &&Step| settling.contains(&step.id) && step.is_executable() && recorder.is_waiting(step);
        for steps in recorder.plan.waves().flat_map(by_server).filter(|steps| steps.iter().any(&is_left)) {
            let later = steps.first().is_some_and(|step| step.wave > 1);
            pool.push(self.drive_server(recorder, steps, later));
        }
        pool.until_done().await
    }

    async fn soak(&self, delay: Duration) {
        if !delay.is_zero() {
            self.events.emit(&ExecutionEvent::Soaking { delay });
            self.sleep_until_stopped(delay).await;
        }
    }

    /// Ends the steps of the servers to forget before anything else: a run that is stopped or held up before it comes to them
    /// would leave them to the next resume, which was not told.
    async fn end_forgotten(&self, recorder: &RunRecorder<'_, W>, direction: Direction) -> Result<(), Abort> {
        let is_left = |step: &&Step| match direction {
            Direction::Apply => recorder.is_open(step) || step.is_executable() && recorder.is_waiting(step),
            Direction::Undo => recorder.is_undoing(step),
        };
        let gone = recorder.plan.steps().iter().filter(|step| recorder.forgets(&step.server)).filter(is_left);
        recorder.record_many(gone.map(|step| ended(step, direction, StepOutcome::Forgotten)).collect()).await
    }

    /// Done when the run is to end.
    async fn stopped(&self) {
        if self.stop.clone().wait_for(Option::is_some).await.is_err() {
            // No sender is left that could stop it.
            std::future::pending::<()>().await;
        }
    }

    async fn sleep_until_stopped(&self, delay: Duration) {
        tokio::select! {
            () = self.clock.sleep(delay) => {}
            () = self.stopped() => {}
        }
    }

    /// Ends what did not begin, and the run when nothing is in progress any more.
    async fn end_waiting(&self, recorder: &RunRecorder<'_, W>, why: NotStarted) -> Result<(), Abort> {
        let waiting: Vec<JournalEvent> = recorder
            .plan
            .steps()
            .iter()
            .filter(|step| recorder.is_waiting(step))
            .map(|step| {
                let why = if step.is_executable() { why } else { NotStarted::Manual };
                ended(step, Direction::Apply, StepOutcome::NotStarted { why })
            })
            .collect();
        recorder.record_many(waiting).await?;
        if recorder.all_ended(Direction::Apply) { recorder.record_run(JournalEvent::RunFinished).await } else { Ok(()) }
    }

    /// A step that was in progress, and then, unless the run is only settled, the rest of its server's steps in the wave.
    async fn settle_server(
        &self,
        recorder: &RunRecorder<'_, W>,
        steps: Vec<&Step>,
        rest: OnResume,
    ) -> Result<(), Abort> {
        for step in steps.iter().filter(|step| recorder.is_open(step)) {
            if self.drive(recorder, step, Direction::Apply).await? == DriveResult::Open {
                return Ok(());
            }
        }
        let later = steps.first().is_some_and(|step| step.wave > 1);
        match rest {
            OnResume::Continue => self.drive_server(recorder, steps, later).await,
            OnResume::SettleOnly => Ok(()),
        }
    }

    /// The steps of one server, one after the other.
    async fn drive_server(
        &self,
        recorder: &RunRecorder<'_, W>,
        steps: Vec<&Step>,
        later_wave: bool,
    ) -> Result<(), Abort> {
        let mut blocked = None;
        for step in steps {
            let hold = blocked
                .or_else(|| self.halted(recorder, later_wave))
                .or_else(|| recorder.lacks_needed(step).then_some(NotStarted::ReplicaSetNotDone));
            match hold {
                // A resumed run continues with it.
                Some(NotStarted::Interrupted) => return Ok(()),
                Some(why) if recorder.is_waiting(step) => {
                    let end = ended(step, Direction::Apply, StepOutcome::NotStarted { why });
                    recorder.record_many(vec![end]).await?;
                }
                Some(_) => {}
                None => {
                    if self.drive(recorder, step, Direction::Apply).await? == DriveResult::Open {
                        return Ok(());
                    }
                }
            }
            if recorder.ended_badly(step) {
                blocked = blocked.or(Some(NotStarted::EarlierStepFailed));
            }
        }
        Ok(())
    }

    /// Whether, and why, nothing new may begin.
    fn halted(&self, recorder: &RunRecorder<'_, W>, after_canary: bool) -> Option<NotStarted> {
        if self.is_stopped() {
            return Some(NotStarted::Interrupted);
        }
        if after_canary && self.options.canary_gate && recorder.canary_failed() {
            // A canary whose end is not known yet has not failed: what comes behind it stays for the one who resumes the
            // run.
            let open = recorder.canary_is_open();
            return Some(if open { NotStarted::Interrupted } else { NotStarted::CanaryFailed });
        }
        let failed = recorder.failures() >= self.options.max_failures.max(1);
        failed.then_some(NotStarted::TooManyFailures)
    }

    /// The waves backwards, and within a server the steps backwards. A failed step does not stop the
    /// rest. Of an undo that was killed, what it had restored is looked at too: no one knows whether that was done. An
    /// earlier undo that ended has looked already.
    async fn walk_back(&self, recorder: &RunRecorder<'_, W>, was_killed: bool) -> Result<(), Abort> {
        let undoing: Vec<&Step> = recorder.plan.steps().iter().filter(|step| recorder.is_undoing(step)).collect();
        for wave in undoing.chunk_by(|one, next| one.wave == next.wave).rev() {
            let mut groups: BTreeMap<&ResourceId, Vec<&Step>> = BTreeMap::new();
            for step in wave.iter().rev() {
                groups.entry(&step.server).or_default().push(step);
            }
            let mut pool = Pool::new(&recorder.places);
            groups.into_values().for_each(|steps| pool.push(self.drive_all(recorder, steps, Direction::Undo)));
            pool.until_done().await?;
            self.look_again(recorder, wave.iter().copied(), Direction::Undo).await?;
        }
        let looked_at = if was_killed { recorder.plan.steps().iter().collect() } else { undoing };
        self.look_at_all_again(recorder, looked_at.iter().copied(), Direction::Undo).await?;
        self.look_at_unread_again(recorder, Direction::Undo).await?;
        if recorder.all_ended(Direction::Undo) { recorder.record_run(JournalEvent::UndoFinished).await } else { Ok(()) }
    }

    /// Some steps of one server, one after the other, whatever becomes of them.
    async fn drive_all(
        &self,
        recorder: &RunRecorder<'_, W>,
        steps: Vec<&Step>,
        direction: Direction,
    ) -> Result<(), Abort> {
        for step in steps {
            self.drive(recorder, step, direction).await?;
        }
        Ok(())
    }

    async fn drive(
        &self,
        recorder: &RunRecorder<'_, W>,
        step: &Step,
        direction: Direction,
    ) -> Result<DriveResult, Abort> {
        Drive::new(self, recorder, step, direction).run().await
    }

    /// Runs some futures at a time. The first that halts drops the others: without the journal nothing may continue.
    async fn in_parallel<F: Future<Output = Result<(), Abort>>>(
        &self,
        work: impl Iterator<Item = F>,
    ) -> Result<(), Abort> {
        let most = self.options.max_parallel.max(1);
        stream::iter(work.map(Ok)).try_buffer_unordered(most).try_for_each(|()| async { Ok(()) }).await
    }
}

fn ended(step: &Step, direction: Direction, ending: StepOutcome) -> JournalEvent {
    JournalEvent::Step { step: step.id, direction, act: StepEvent::Ended { ending } }
}

fn by_server(wave: &[Step]) -> Vec<Vec<&Step>> {
    let mut groups: Vec<Vec<&Step>> = Vec::new();
    let mut places: BTreeMap<&ResourceId, usize> = BTreeMap::new();
    for step in wave {
        let place = *places.entry(&step.server).or_insert(groups.len());
        match groups.get_mut(place) {
            Some(group) => group.push(step),
            None => groups.push(vec![step]),
        }
    }
    groups
}
