//! After a write: finding out what became of it, by polling and by reading. Nothing counts as done until it is read,
//! and what could not be read stays open.

use super::VANISHED;
use super::wait::{Bounded, Pace};
use super::{Drive, Flow, Operation, Sight};
use crate::executor::{Abort, ExecutionEvent};
use crate::{OperationProgress, ParameterWriter, PollError, SafeText, StepOutcome, Track};
use hostssl_model::{Reason, Unchecked};
use std::time::Duration;

/// After how many polls without an answer only the value is read.
const POLLS_WITHOUT_ANSWER: u32 = 5;
/// An operation that takes longer than this is not only polled: the value is read too.
const LONG_OPERATION: Duration = Duration::from_secs(30);

/// How an operation ended, as far as polling shows.
enum PollOutcome {
    /// Well, or the value is there.
    Succeeded,
    /// Not well.
    Failed(SafeText),
    /// Azure does not say: only reading shows it.
    Nothing,
    /// The patience after a stop is over.
    Leave,
}

impl<W: ParameterWriter> Drive<'_, W> {
    /// A write without an answer: waits for its value to appear; when it has not for long enough, writes once
    /// more, and never a third time.
    pub(super) async fn settle_unanswered(&mut self, track: &Track) -> Result<Flow, Abort> {
        let sent = self.sent_at(track.last_intent_ms.unwrap_or_else(|| self.executor.clock.now_ms()));
        let mut pace = Pace::new(&self.executor.options);
        let mut unseen_since = None;
        loop {
            let mut left = None;
            match self.read_value().await {
                Sight::Wanted(parameter) => return self.observed(&parameter).await,
                Sight::Other(found) => return self.overwritten(&found, false).await,
                Sight::Before(parameter) => {
                    unseen_since = None;
                    left = self.grace_left(sent).await;
                    if left.is_none() {
                        return self.write_again(track, &parameter).await;
                    }
                }
                Sight::Unchecked(unchecked) => {
                    if self.is_given_up(&mut unseen_since, &unchecked) {
                        let what = "the write got no answer";
                        return self.unseen(what, &unchecked).await;
                    }
                }
            }
            if self.is_out_of_patience() {
                return Ok(Flow::Leave);
            }
            let delay = pace.next();
            let delay = left.map_or(delay, |left| delay.min(left));
            let why = "a write got no answer; waiting for its value to appear";
            self.executor.events.emit(&ExecutionEvent::Waiting { step: self.step, why, delay });
            self.recorder.places.aside(self.pause(delay)).await;
        }
    }

    /// A write that never arrived is sent once more.
    async fn write_again(&mut self, track: &Track, parameter: &hostssl_model::Parameter) -> Result<Flow, Abort> {
        if self.is_interrupted() {
            return Ok(Flow::Leave);
        }
        let detail = if self.recorder.only_settles() {
            "the write got no answer and the value has not changed: it seems never to have arrived; nothing was \
             written again, because the run was resumed only to settle"
        } else if track.unanswered < 2 {
            return self.write(parameter).await;
        } else {
            "two writes got no answer, and the value has not changed: check the server's activity log"
        };
        self.end(StepOutcome::TimedOut { detail: SafeText::new(detail), vanished: false }).await
    }

    /// Whether the value has been unreadable for longer than the run waits.
    fn is_given_up(&self, unseen_since: &mut Option<Duration>, unchecked: &Unchecked) -> bool {
        let now = self.executor.clock.elapsed();
        let since = *unseen_since.get_or_insert(now);
        unchecked.reason == Reason::Vanished || self.since(since) >= self.executor.options.unseen_patience
    }

    /// The value could not be read. A server that is gone or stopped returns no value; every other step stays open, so
    /// that a resumed run reads it again.
    async fn unseen(&self, what: &str, unchecked: &Unchecked) -> Result<Flow, Abort> {
        if !matches!(unchecked.reason, Reason::Vanished | Reason::Stopped) {
            return Ok(Flow::Leave);
        }
        let text = match unchecked.reason {
            Reason::Vanished => format!("{what}; {VANISHED} ({})", unchecked.detail),
            _ => format!("{what}, and the value cannot be read: {}", unchecked.detail),
        };
        self.end(StepOutcome::TimedOut { detail: SafeText::new(&text), vanished: unchecked.reason == Reason::Vanished })
            .await
    }

    /// An accepted write: polls when there is something to poll, then reads.
    pub(super) async fn await_operation(&mut self, track: &Track) -> Result<Flow, Abort> {
        let began = self.executor.clock.elapsed();
        let told = match self.operation.take() {
            Some(Operation { handle: Some(handle), retry_after }) => self.poll(&handle, retry_after, began).await,
            Some(Operation { handle: None, .. }) => PollOutcome::Succeeded,
            // Another process sent the write, and only that one knew whom to ask.
            None => PollOutcome::Nothing,
        };
        match told {
            PollOutcome::Leave => Ok(Flow::Leave),
            PollOutcome::Succeeded => self.await_value(self.executor.options.verify_patience, None).await,
            PollOutcome::Failed(why) => self.await_value(Duration::ZERO, Some(why)).await,
            PollOutcome::Nothing => self.await_value_unsure(track, began).await,
        }
    }

    async fn poll(&self, handle: &W::Operation, first: Option<Duration>, began: Duration) -> PollOutcome {
        let mut pace = Pace::new(&self.executor.options);
        let mut asked = first;
        let mut unanswered = 0;
        loop {
            let left = self.executor.options.operation_patience.saturating_sub(self.since(began));
            if left.is_zero() {
                return PollOutcome::Nothing;
            }
            if self.is_out_of_patience() {
                return PollOutcome::Leave;
            }
            self.pause(pace.next_or(asked).min(left)).await;
            let answer = match self.while_patient(left, self.executor.writer.poll(handle)).await {
                Bounded::Done(answer) => answer,
                Bounded::TooLong => return PollOutcome::Nothing,
                Bounded::Stopped => return PollOutcome::Leave,
            };
            match answer {
                Ok(OperationProgress::Succeeded) => return PollOutcome::Succeeded,
                Ok(OperationProgress::Failed { detail }) => return PollOutcome::Failed(detail),
                Ok(OperationProgress::Pending { retry_after }) => {
                    (asked, unanswered) = (retry_after, 0);
                    let long = self.since(began) >= LONG_OPERATION;
                    if long && matches!(self.read_value().await, Sight::Wanted(_)) {
                        return PollOutcome::Succeeded;
                    }
                }
                Err(PollError::Forbidden | PollError::Gone) => return PollOutcome::Nothing,
                Err(PollError::Lost { after, .. }) => {
                    (asked, unanswered) = (after, unanswered + 1);
                    if unanswered >= POLLS_WITHOUT_ANSWER {
                        return PollOutcome::Nothing;
                    }
                }
            }
        }
    }

    /// The operation has ended: the value must be there, or appear within `patience`.
    async fn await_value(&self, patience: Duration, failure: Option<SafeText>) -> Result<Flow, Abort> {
        let began = self.executor.clock.elapsed();
        let mut pace = Pace::new(&self.executor.options);
        let mut unseen_since = None;
        loop {
            match self.read_value().await {
                Sight::Wanted(parameter) => return self.observed(&parameter).await,
                Sight::Other(found) => return self.overwritten(&found, true).await,
                Sight::Before(parameter) if self.since(began) >= patience => {
                    let detail = failure.unwrap_or_else(|| {
                        let value = parameter.value();
                        SafeText::new(&format!(
                            "Azure says that the operation succeeded, and the value is still {value}"
                        ))
                    });
                    return self.end(StepOutcome::Failed { detail, vanished: false }).await;
                }
                Sight::Before(_) => unseen_since = None,
                Sight::Unchecked(unchecked) if self.is_given_up(&mut unseen_since, &unchecked) => {
                    let what = failure.map_or_else(|| "the operation ended".to_owned(), |why| why.to_string());
                    return self.unseen(&what, &unchecked).await;
                }
                Sight::Unchecked(_) => {}
            }
            if self.is_out_of_patience() {
                return Ok(Flow::Leave);
            }
            self.pause(pace.next()).await;
        }
    }

    /// The status of the operation is unknown: the value must appear within the patience for operations, or as long as
    /// the server is not ready for another one.
    async fn await_value_unsure(&self, track: &Track, began: Duration) -> Result<Flow, Abort> {
        let options = &self.executor.options;
        let sent = self.sent_at(track.last_intent_ms.unwrap_or_else(|| self.executor.clock.now_ms()));
        let mut pace = Pace::new(options);
        loop {
            let left = options.operation_patience.saturating_sub(self.since(began));
            match self.read_value().await {
                Sight::Wanted(parameter) => return self.observed(&parameter).await,
                Sight::Other(found) => return self.overwritten(&found, true).await,
                Sight::Before(_) => {
                    let idle = self.age(sent) >= options.ready_patience && self.is_ready().await;
                    let detail = if idle {
                        "Azure accepted the write; the server is ready again, and the value has not changed"
                    } else {
                        "Azure accepted the write, and the value has not changed in the time allowed"
                    };
                    if idle || left.is_zero() {
                        return self
                            .end(StepOutcome::TimedOut { detail: SafeText::new(detail), vanished: false })
                            .await;
                    }
                }
                Sight::Unchecked(unchecked) if left.is_zero() || unchecked.reason == Reason::Vanished => {
                    return self.unseen("Azure accepted the write", &unchecked).await;
                }
                Sight::Unchecked(_) => {}
            }
            if self.is_out_of_patience() {
                return Ok(Flow::Leave);
            }
            self.pause(pace.next().min(left)).await;
        }
    }
}
