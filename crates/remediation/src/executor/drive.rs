//! One step, one way: from wherever the journal says that it stands to its end.

mod judge;
mod settle;
mod wait;

use super::recorder::Recorder;
use super::{ExecutionEvent, Executor, Halt};
use crate::{
    Accepted, Act, Direction, Ending, NotStarted, OperationHandle, ParameterRef, RefusedBy, SafeText, Stage, Step,
    Track, WriteError,
};
use hostssl_model::{Parameter, Reason, Unchecked, same_value};
use std::time::Duration;
use wait::Pace;

/// How the driver left a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Left {
    /// It has ended.
    Ended,
    /// The user interrupted and the write is still under way.
    Open,
}

/// What to do after a stage was looked at.
enum Next {
    /// Look at the stage again: something was recorded.
    Again,
    /// Leave it open.
    Leave,
}

/// What the answer to a write told about its operation. Never leaves memory.
struct Operation {
    /// `None` when the answer said that it is done.
    handle: Option<OperationHandle>,
    retry_after: Option<Duration>,
}

/// What a value is to a step.
enum Sight {
    /// The wanted value.
    Wanted(Parameter),
    /// The value before.
    Before(Parameter),
    /// A third one.
    Other(SafeText),
    /// Not seen.
    Unchecked(Unchecked),
}

pub(super) struct Drive<'a> {
    executor: &'a Executor<'a>,
    recorder: &'a Recorder<'a>,
    step: &'a Step,
    direction: Direction,
    before: &'a str,
    wanted: &'a str,
    began: Duration,
    operation: Option<Operation>,
    busy: Pace,
    unreadable_since: Option<Duration>,
}

impl<'a> Drive<'a> {
    pub(super) fn new(
        executor: &'a Executor<'a>,
        recorder: &'a Recorder<'a>,
        step: &'a Step,
        direction: Direction,
    ) -> Self {
        let (before, wanted) = match direction {
            Direction::Apply => (&*step.before, &*step.after),
            Direction::Undo => (&*step.after, &*step.undo),
        };
        Self {
            executor,
            recorder,
            step,
            direction,
            before,
            wanted,
            began: executor.clock.elapsed(),
            operation: None,
            busy: Pace::new(&executor.options),
            unreadable_since: None,
        }
    }

    /// Drives the step to its end, or until the user's patience ends.
    pub(super) async fn run(mut self) -> Result<Left, Halt> {
        if self.wait_for_earlier_writes().await?.is_leave() {
            return self.end_interrupted().await;
        }
        loop {
            let track = self.recorder.track(self.step, self.direction)?;
            let next = match &track.stage {
                Stage::Ended(_) => return Ok(Left::Ended),
                Stage::Planned => self.try_to_write(&track).await?,
                Stage::Intended => self.settle_unanswered(&track).await?,
                Stage::InFlight => self.await_operation().await?,
                Stage::Observed { pending_restart, .. } => self.judge_observed(*pending_restart).await?,
            };
            if next.is_leave() {
                return Ok(Left::Open);
            }
        }
    }

    /// Re-reads, and writes when the value is still the one before.
    async fn try_to_write(&mut self, track: &Track) -> Result<Next, Halt> {
        let clean = track.unanswered == 0;
        if clean && self.is_interrupted() {
            return self.end(Ending::NotStarted { why: NotStarted::Interrupted }).await;
        }
        match self.look().await {
            Sight::Wanted(_) if clean && self.may_still_take_effect(track) => {
                let detail = "the value from before is there, but the run's own write was accepted and was not seen to \
                              end: it may still take effect";
                self.end(Ending::TimedOut { detail: SafeText::new(detail) }).await
            }
            Sight::Wanted(_) if clean => self.end(Ending::Already).await,
            Sight::Wanted(parameter) => self.observed(&parameter).await,
            Sight::Before(_) if self.is_interrupted() => Ok(Next::Leave),
            Sight::Before(parameter) => {
                self.unreadable_since = None;
                self.write(&parameter).await
            }
            Sight::Other(found) => self.end(Ending::Changed { found }).await,
            Sight::Unchecked(blind) => self.could_not_read_before_writing(&blind, clean).await,
        }
    }

    /// Whether an accepted write of the way there may still come through on the way back.
    fn may_still_take_effect(&self, track: &Track) -> bool {
        let longest = i64::try_from(self.executor.options.longest_operation.as_millis()).unwrap_or(i64::MAX);
        track.running_since_ms.is_some_and(|since| self.executor.clock.now_ms().saturating_sub(since) < longest)
    }

    /// Records the intent, then writes. The one place where anything is written.
    async fn write(&mut self, before: &Parameter) -> Result<Next, Halt> {
        self.record(vec![Act::Intent { found: SafeText::new(before.value()) }]).await?;
        match self.executor.writer.write(self.place(), self.wanted).await {
            Ok(Accepted { request_id, operation, retry_after }) => {
                self.operation = Some(Operation { handle: operation, retry_after });
                self.record(vec![Act::Accepted { request_id }]).await?;
                Ok(Next::Again)
            }
            // Nothing is recorded: the intent stands, and its outcome is unknown, as after a crash.
            Err(WriteError::Lost { .. }) => Ok(Next::Again),
            Err(WriteError::Busy) => self.try_later("the server is busy with another operation", None).await,
            Err(WriteError::Throttled { after }) => self.try_later("Azure throttled the write", after).await,
            Err(error) => {
                let ending = ending_of(&error);
                self.record(vec![Act::Rejected { detail: SafeText::new(&error.to_string()) }, Act::Ended { ending }])
                    .await?;
                Ok(Next::Again)
            }
        }
    }

    /// After a rejection that says "later".
    async fn try_later(&mut self, why: &str, after: Option<Duration>) -> Result<Next, Halt> {
        let rejected = Act::Rejected { detail: SafeText::new(why) };
        let spent = self.since(self.began);
        let left = self.executor.options.busy_patience.saturating_sub(spent);
        let delay = after.unwrap_or_else(|| self.busy.next());
        if left.is_zero() || after.is_some_and(|after| after > left) {
            let detail = SafeText::new(&format!("{why}, for {} s", spent.as_secs()));
            self.record(vec![rejected, Act::Ended { ending: Ending::TimedOut { detail } }]).await?;
            return Ok(Next::Again);
        }
        self.record(vec![rejected]).await?;
        self.executor.events.emit(&ExecutionEvent::Waiting { step: self.step, why, delay });
        self.pause(delay.min(left)).await;
        Ok(Next::Again)
    }

    async fn could_not_read_before_writing(&mut self, blind: &Unchecked, clean: bool) -> Result<Next, Halt> {
        let detail = SafeText::new(&format!("{}: {}", blind.reason, blind.detail));
        let refused = |by, name: &str| Ending::Refused { by, name: SafeText::new(name), detail: detail.clone() };
        match blind.reason {
            Reason::Stopped => self.end(refused(RefusedBy::Stopped, "")).await,
            Reason::Permission => {
                let action = blind.missing_permission.as_deref().unwrap_or("read");
                self.end(refused(RefusedBy::Permission, action)).await
            }
            reason if !may_pass(reason) => self.end(Ending::Failed { detail }).await,
            _ => {
                let now = self.executor.clock.elapsed();
                let since = *self.unreadable_since.get_or_insert(now);
                if self.since(since) < self.executor.options.read_patience {
                    if !clean && self.is_interrupted() {
                        return Ok(Next::Leave);
                    }
                    let delay = self.busy.next();
                    self.pause(delay).await;
                    return Ok(Next::Again);
                }
                let ending = if clean { Ending::Failed { detail } } else { Ending::TimedOut { detail } };
                self.end(ending).await
            }
        }
    }

    /// Reads, and says what the value is to this step.
    async fn look(&self) -> Sight {
        match self.executor.writer.read(self.place()).await {
            Ok(parameter) if same_value(parameter.value(), self.wanted) => Sight::Wanted(parameter),
            Ok(parameter) if same_value(parameter.value(), self.before) => Sight::Before(parameter),
            Ok(parameter) => Sight::Other(SafeText::new(parameter.value())),
            Err(blind) => Sight::Unchecked(blind),
        }
    }

    /// Records that the wanted value was read after a write, and ends the step when nobody asks the wire.
    async fn observed(&self, parameter: &Parameter) -> Result<Next, Halt> {
        let pending_restart = parameter.pending_restart;
        let mut acts = vec![Act::Observed { found: SafeText::new(parameter.value()), pending_restart }];
        if !self.asks_the_wire() {
            acts.push(Act::Ended { ending: judge::reached(pending_restart, None) });
        }
        self.record(acts).await?;
        Ok(Next::Again)
    }

    async fn end(&self, ending: Ending) -> Result<Next, Halt> {
        self.record(vec![Act::Ended { ending }]).await?;
        Ok(Next::Again)
    }

    /// After an interruption before anything was done.
    async fn end_interrupted(&self) -> Result<Left, Halt> {
        self.end(Ending::NotStarted { why: NotStarted::Interrupted }).await?;
        Ok(Left::Ended)
    }

    async fn record(&self, acts: Vec<Act>) -> Result<(), Halt> {
        self.recorder.record(self.step, self.direction, acts).await
    }

    fn place(&self) -> ParameterRef<'a> {
        ParameterRef::from(self.step)
    }
}

impl Next {
    fn is_leave(&self) -> bool {
        matches!(self, Self::Leave)
    }
}

/// Whether looking again may help.
fn may_pass(reason: Reason) -> bool {
    match reason {
        Reason::Busy
        | Reason::Throttled
        | Reason::Deadline
        | Reason::Network
        | Reason::AzureError
        | Reason::MalformedAnswer
        | Reason::NotReturned
        | Reason::Creating
        | Reason::Unreachable
        | Reason::Inconclusive => true,
        Reason::Stopped
        | Reason::Permission
        | Reason::Vanished
        | Reason::Interrupted
        | Reason::SignIn
        | Reason::NotOffered
        | Reason::EventuallyConsistent
        | Reason::NoSubscription
        | Reason::NotProbed
        | Reason::Unresolved => false,
    }
}

/// How a step ends whose write was certainly not accepted.
fn ending_of(error: &WriteError) -> Ending {
    let refused =
        |by, name: &SafeText, detail: &SafeText| Ending::Refused { by, name: name.clone(), detail: detail.clone() };
    match error {
        WriteError::Locked { by, detail } => refused(RefusedBy::Lock, by, detail),
        WriteError::Policy { assignment, detail } => refused(RefusedBy::Policy, assignment, detail),
        WriteError::Permission { action, detail } => refused(RefusedBy::Permission, action, detail),
        WriteError::Stopped { detail } => refused(RefusedBy::Stopped, &SafeText::new(""), detail),
        WriteError::Failed { detail } => Ending::Failed { detail: detail.clone() },
        WriteError::Busy | WriteError::Throttled { .. } | WriteError::Lost { .. } => {
            Ending::Failed { detail: SafeText::new(&error.to_string()) }
        }
    }
}
