//! One step, one way: from wherever the journal says that it stands to its end.

mod judge;
mod settle;
mod wait;

use super::recorder::RunRecorder;
use super::{Abort, ExecutionEvent, Executor};
use crate::{
    Accepted, Direction, LONGEST_WRITE, NotStarted, ParameterRef, ParameterWriter, RefusedBy, SafeText, Stage, Step,
    StepEvent, StepOutcome, Track, WriteError,
};
use hostssl_model::{Origin, Parameter, Reason, Unchecked, same_value};
use jiff::Timestamp;
use std::time::Duration;
use wait::{Bounded, Pace};

/// What was read longer ago than this is read again before it is written down as what was there.
const STALE: Duration = Duration::from_secs(5);

/// How a step says that its server is gone.
pub(super) const VANISHED: &str = "it is no longer there: it was deleted, renamed or moved";

/// How the driver left a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DriveResult {
    /// It has ended.
    Ended,
    /// It has not: the run was stopped, or the result of the write could not be read.
    Open,
}

/// What to do after a stage was examined.
enum Flow {
    /// Look at the stage again: something was recorded.
    Again,
    /// Leave it open.
    Leave,
}

/// What the answer to a write said about its operation. Never leaves memory.
struct Operation<T> {
    /// `None` when the answer said that it is done.
    handle: Option<T>,
    retry_after: Option<Duration>,
}

/// What a value is to a step.
enum Sight {
    /// The wanted value.
    Wanted(Parameter),
    /// The value before.
    Before(Parameter),
    /// A third one.
    Other(Parameter),
    /// Could not be checked.
    Unchecked(Unchecked),
}

pub(super) struct Drive<'a, W: ParameterWriter> {
    executor: &'a Executor<'a, W>,
    recorder: &'a RunRecorder<'a, W>,
    step: &'a Step,
    direction: Direction,
    before: &'a str,
    wanted: &'a str,
    began: Duration,
    operation: Option<Operation<W::Operation>>,
    busy: Pace,
    unreadable_since: Option<Duration>,
    /// Whether the server was seen to be the one that the plan was made for.
    identified: bool,
}

impl<'a, W: ParameterWriter> Drive<'a, W> {
    pub(super) fn new(
        executor: &'a Executor<'a, W>,
        recorder: &'a RunRecorder<'a, W>,
        step: &'a Step,
        direction: Direction,
    ) -> Self {
        let (before, wanted) = step.values(direction);
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
            identified: step.created_at.is_none(),
        }
    }

    /// Drives the step to its end, or until the patience ends.
    pub(super) async fn run(mut self) -> Result<DriveResult, Abort> {
        if self.wait_for_earlier_writes().await?.is_leave() {
            return Ok(DriveResult::Open);
        }
        loop {
            let track = self.recorder.track(self.step, self.direction)?;
            let next = match &track.stage {
                Stage::Ended(_) => return Ok(DriveResult::Ended),
                Stage::Planned => self.try_to_write(&track).await?,
                Stage::Intended => self.settle_unanswered(&track).await?,
                Stage::InFlight => self.await_operation(&track).await?,
                Stage::Observed { pending_restart, .. } => self.judge_observed(*pending_restart).await?,
            };
            if next.is_leave() {
                return Ok(DriveResult::Open);
            }
        }
    }

    /// Re-reads, and writes when the value is still the one before.
    async fn try_to_write(&mut self, track: &Track) -> Result<Flow, Abort> {
        let clean = track.unanswered == 0;
        if clean && self.is_interrupted() {
            return Ok(Flow::Leave);
        }
        if clean && self.recorder.only_settles() {
            return self.end(StepOutcome::NotStarted { why: NotStarted::NotContinued }).await;
        }
        match self.read_value().await {
            Sight::Wanted(_) if clean && self.may_still_take_effect(track) => {
                let detail = "the previous value is set, but the run's own write was accepted and its end is unknown: \
                              it may still take effect";
                self.end(StepOutcome::TimedOut { detail: SafeText::new(detail), vanished: false }).await
            }
            Sight::Wanted(_) if clean && self.recorder.may_lack_records(self.direction) => {
                self.end(StepOutcome::Unexplained).await
            }
            Sight::Wanted(parameter) if clean => {
                self.end(StepOutcome::Already { waits_for_restart: parameter.pending_restart }).await
            }
            Sight::Wanted(parameter) => self.observed(&parameter).await,
            Sight::Before(_) if self.is_interrupted() => Ok(Flow::Leave),
            Sight::Before(_) if self.recorder.only_settles() => {
                let detail = "the value has not changed, and the run was resumed only to settle";
                self.end(StepOutcome::TimedOut { detail: SafeText::new(detail), vanished: false }).await
            }
            Sight::Before(parameter) => {
                self.unreadable_since = None;
                self.write(&parameter).await
            }
            Sight::Other(found) if clean => {
                self.end(StepOutcome::Changed { found: SafeText::new(found.value()) }).await
            }
            Sight::Other(found) => self.overwritten(&found, false).await,
            Sight::Unchecked(unchecked) => self.could_not_read_before_writing(&unchecked, clean).await,
        }
    }

    /// Checks that the server is the one that the plan was made for, and not another that was created under its name
    /// since. `None` when it is, or Azure does not say.
    async fn identify(&mut self) -> Result<Option<Flow>, Abort> {
        if self.identified {
            return Ok(None);
        }
        let limit = self.executor.options.busy_patience;
        let told = match self.while_patient(limit, self.executor.writer.created_at(self.place())).await {
            Bounded::Done(told) => told,
            Bounded::TooLong => Err(Unchecked::new(Reason::Network, format!("no answer for {} s", limit.as_secs()))),
            Bounded::Stopped => Err(Unchecked::new(Reason::Interrupted, "the run was stopped")),
        };
        match told {
            Ok(Some(now)) if !self.step.created_at.as_deref().is_some_and(|planned| same_moment(planned, &now)) => {
                let planned = self.step.created_at.as_deref().unwrap_or_default();
                let detail = format!(
                    "another server has its name now: the plan is for one created at {planned}, this one was created at \
                     {now}; nothing was written"
                );
                Ok(Some(self.end(StepOutcome::Failed { detail: SafeText::new(&detail), vanished: false }).await?))
            }
            Ok(_) => {
                self.identified = true;
                Ok(None)
            }
            Err(unchecked) => {
                let clean = self.recorder.track(self.step, self.direction)?.unanswered == 0;
                Ok(Some(self.could_not_read_before_writing(&unchecked, clean).await?))
            }
        }
    }

    /// What is known of a server that is not in its place any more.
    async fn vanished(&self, unchecked: &Unchecked) -> SafeText {
        let asked = self.executor.writer.whereabouts(self.place());
        let limit = self.executor.options.read_patience;
        let found = match self.while_patient(limit, asked).await {
            Bounded::Done(found) => found,
            Bounded::TooLong | Bounded::Stopped => None,
        };
        SafeText::new(&match found {
            Some(id) => format!("{VANISHED}; a server with its name is now {id}: plan again"),
            None => format!("{VANISHED} ({})", unchecked.detail),
        })
    }

    /// Whether an accepted write of the way there may still come through on the way back.
    fn may_still_take_effect(&self, track: &Track) -> bool {
        let longest = i64::try_from(self.executor.options.longest_operation.as_millis()).unwrap_or(i64::MAX);
        track.running_since_ms.is_some_and(|since| self.executor.clock.now_ms().saturating_sub(since) < longest)
    }

    /// Makes sure of the server, waits for its turn, records the intent, then writes. The one place where anything is
    /// written.
    async fn write(&mut self, before: &Parameter) -> Result<Flow, Abort> {
        let (writer, asked) = (self.executor.writer, self.executor.clock.elapsed());
        if let Some(next) = self.identify().await? {
            return Ok(next);
        }
        let patience = self.executor.options.busy_patience.saturating_sub(self.since(self.began));
        match self.until_stopped(patience, writer.await_turn(self.place())).await {
            Bounded::Done(()) => {}
            Bounded::Stopped => return Ok(Flow::Leave),
            Bounded::TooLong => return self.too_late("Azure throttles the writes of this subscription").await,
        }
        if self.since(asked) > STALE {
            // Its turn is kept; what was read is too old to write down as what was there.
            return Ok(Flow::Again);
        }
        let (found, was_default) = (SafeText::new(before.value()), before.origin == Origin::SystemDefault);
        self.record(vec![StepEvent::Intent { found, was_default }]).await?;
        self.executor.journal.may_write().map_err(Abort::Journal)?;
        let written = writer.write(self.place(), self.wanted, self.origin()?);
        // A write that is dropped has an intent on record: it is open, and settled by reading like a lost answer. The right to send it
        // was only asked for so long.
        let limit = self.executor.options.operation_patience.min(LONGEST_WRITE);
        let answer = match self.while_patient(limit, written).await {
            Bounded::Done(answer) => answer,
            Bounded::TooLong => return Ok(Flow::Again),
            Bounded::Stopped => return Ok(Flow::Leave),
        };
        match answer {
            Ok(Accepted { request_id, operation, retry_after }) => {
                self.operation = Some(Operation { handle: operation, retry_after });
                self.record(vec![StepEvent::Accepted { request_id }]).await?;
                Ok(Flow::Again)
            }
            // Nothing is recorded: the intent stands, and its outcome is unknown, as after a crash.
            Err(WriteError::Lost { .. }) => Ok(Flow::Again),
            Err(WriteError::Busy) => self.try_later("the server is busy with another operation", None).await,
            Err(WriteError::Throttled { after }) => self.try_later("Azure throttled the write", after).await,
            Err(WriteError::NotSent { detail }) => {
                self.try_later(&format!("the write could not be sent: {detail}"), None).await
            }
            Err(error) => {
                let ending = ending_of(&error);
                self.record(vec![
                    StepEvent::Rejected { detail: SafeText::new(&error.to_string()) },
                    StepEvent::Ended { ending },
                ])
                .await?;
                Ok(Flow::Again)
            }
        }
    }

    /// Whose value it will be: an explicit one, except when undo restores the service's default.
    fn origin(&self) -> Result<Origin, Abort> {
        let restores =
            self.direction == Direction::Undo && self.recorder.track(self.step, Direction::Apply)?.was_default;
        Ok(if restores { Origin::SystemDefault } else { Origin::UserOverride })
    }

    /// Nothing was sent for as long as is waited.
    async fn too_late(&self, why: &str) -> Result<Flow, Abort> {
        let detail = SafeText::new(&format!("{why}, for {} s", self.since(self.began).as_secs()));
        self.end(StepOutcome::TimedOut { detail, vanished: false }).await
    }

    /// After a rejection that says "later".
    async fn try_later(&mut self, why: &str, after: Option<Duration>) -> Result<Flow, Abort> {
        let rejected = StepEvent::Rejected { detail: SafeText::new(why) };
        let spent = self.since(self.began);
        let left = self.executor.options.busy_patience.saturating_sub(spent);
        let delay = after.unwrap_or_else(|| self.busy.next());
        if left.is_zero() || after.is_some_and(|after| after > left) {
            let detail = match after {
                Some(after) if after > left => {
                    let (asked, left) = (after.as_secs(), left.as_secs());
                    format!("{why}, and asks to wait {asked} s, longer than the {left} s that were left for it")
                }
                _ => format!("{why}, for {} s", spent.as_secs()),
            };
            let detail = SafeText::new(&detail);
            self.record(vec![rejected, StepEvent::Ended { ending: StepOutcome::TimedOut { detail, vanished: false } }])
                .await?;
            return Ok(Flow::Again);
        }
        self.record(vec![rejected]).await?;
        self.executor.events.emit(&ExecutionEvent::Waiting { step: self.step, why, delay });
        self.pause(delay.min(left)).await;
        Ok(Flow::Again)
    }

    async fn could_not_read_before_writing(&mut self, unchecked: &Unchecked, clean: bool) -> Result<Flow, Abort> {
        if self.is_interrupted() {
            return Ok(Flow::Leave);
        }
        let detail = match unchecked.reason {
            Reason::Vanished => self.vanished(unchecked).await,
            reason => SafeText::new(&format!("{reason}: {}", unchecked.detail)),
        };
        let refused = |by, name: &str| StepOutcome::Refused { by, name: SafeText::new(name), detail: detail.clone() };
        // Azure says of a server that another operation runs on that it is stopped, when its settings are read.
        let is_busy = unchecked.reason == Reason::Stopped && self.is_at_work().await;
        match unchecked.reason {
            // The report names what refused, so the detail does not repeat it.
            Reason::Stopped if !is_busy => {
                let (by, name, detail) = (RefusedBy::Stopped, SafeText::new(""), SafeText::new(&unchecked.detail));
                self.end(StepOutcome::Refused { by, name, detail }).await
            }
            Reason::Permission => {
                let action = unchecked.missing_permission.as_deref().unwrap_or("read");
                self.end(refused(RefusedBy::Permission, action)).await
            }
            reason if !may_pass(reason) && !is_busy => {
                self.end(StepOutcome::Failed { detail, vanished: reason == Reason::Vanished }).await
            }
            _ => {
                let now = self.executor.clock.elapsed();
                let since = *self.unreadable_since.get_or_insert(now);
                // An outage of the sign-in or the network is everyone's, and passes: it is no reason to end every
                // step.
                let patience = match unchecked.reason {
                    Reason::SignIn | Reason::Network | Reason::Throttled | Reason::Stopped => {
                        self.executor.options.busy_patience
                    }
                    _ => self.executor.options.read_patience,
                };
                if self.since(since) < patience {
                    let delay = self.busy.next();
                    self.pause(delay).await;
                    return Ok(Flow::Again);
                }
                // Behind a write whose answer was lost it stays open.
                if clean { self.end(StepOutcome::Failed { detail, vanished: false }).await } else { Ok(Flow::Leave) }
            }
        }
    }

    /// Reads, and says what the value is to this step.
    async fn read_value(&self) -> Sight {
        let limit = self.executor.options.busy_patience;
        let read = match self.while_patient(limit, self.executor.writer.read(self.place())).await {
            Bounded::Done(read) => read,
            Bounded::TooLong => Err(Unchecked::new(Reason::Network, format!("no answer for {} s", limit.as_secs()))),
            Bounded::Stopped => Err(Unchecked::new(Reason::Interrupted, "the run was stopped")),
        };
        match read {
            Ok(parameter) if same_value(parameter.value(), self.wanted) => Sight::Wanted(parameter),
            Ok(parameter) if same_value(parameter.value(), self.before) => Sight::Before(parameter),
            Ok(parameter) => Sight::Other(parameter),
            Err(unchecked) => Sight::Unchecked(unchecked),
        }
    }

    /// Records that the wanted value was read after a write, and ends the step when listeners are not probed.
    async fn observed(&self, parameter: &Parameter) -> Result<Flow, Abort> {
        let pending_restart = parameter.pending_restart;
        let mut acts = vec![StepEvent::Observed { found: SafeText::new(parameter.value()), pending_restart }];
        if !self.asks_the_wire() {
            acts.push(StepEvent::Ended { ending: judge::reached(pending_restart, None) });
        }
        self.record(acts).await?;
        Ok(Flow::Again)
    }

    /// Records that a third value was read after a write: the write counts, and something else set the value after it.
    async fn overwritten(&self, parameter: &Parameter, accepted: bool) -> Result<Flow, Abort> {
        let (found, pending_restart) = (SafeText::new(parameter.value()), parameter.pending_restart);
        let ending = StepOutcome::Overwritten { found: found.clone(), accepted };
        self.record(vec![StepEvent::Observed { found, pending_restart }, StepEvent::Ended { ending }]).await?;
        Ok(Flow::Again)
    }

    async fn end(&self, ending: StepOutcome) -> Result<Flow, Abort> {
        self.record(vec![StepEvent::Ended { ending }]).await?;
        Ok(Flow::Again)
    }

    async fn record(&self, acts: Vec<StepEvent>) -> Result<(), Abort> {
        self.recorder.record(self.step, self.direction, acts).await
    }

    fn place(&self) -> ParameterRef<'a> {
        ParameterRef::from(self.step)
    }
}

impl Flow {
    fn is_leave(&self) -> bool {
        matches!(self, Self::Leave)
    }
}

/// Whether two times are one, however they are spelled.
fn same_moment(left: &str, right: &str) -> bool {
    match (left.parse::<Timestamp>(), right.parse::<Timestamp>()) {
        (Ok(left), Ok(right)) => left == right,
        _ => left.trim() == right.trim(),
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
        | Reason::SignIn
        | Reason::Interrupted
        | Reason::Inconclusive => true,
        Reason::Stopped
        | Reason::Permission
        | Reason::Vanished
        | Reason::NotOffered
        | Reason::EventuallyConsistent
        | Reason::NoSubscription
        | Reason::NotProbed
        | Reason::Excepted
        | Reason::NoVantage
        | Reason::ProberSilent
        | Reason::Unresolved => false,
    }
}

/// How a step ends whose write was certainly not accepted.
fn ending_of(error: &WriteError) -> StepOutcome {
    let refused = |by, name: &SafeText, detail: &SafeText| StepOutcome::Refused {
        by,
        name: name.clone(),
        detail: detail.clone(),
    };
    match error {
        WriteError::Locked { by, detail } => refused(RefusedBy::Lock, by, detail),
        WriteError::Policy { assignment, detail } => refused(RefusedBy::Policy, assignment, detail),
        WriteError::Permission { action, detail } => refused(RefusedBy::Permission, action, detail),
        WriteError::Stopped { detail } => refused(RefusedBy::Stopped, &SafeText::new(""), detail),
        WriteError::Failed { detail } => StepOutcome::Failed { detail: detail.clone(), vanished: false },
        WriteError::Busy | WriteError::Throttled { .. } | WriteError::NotSent { .. } | WriteError::Lost { .. } => {
            StepOutcome::Failed { detail: SafeText::new(&error.to_string()), vanished: false }
        }
    }
}
