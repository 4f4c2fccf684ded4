//! After a write: finding out what became of it, by polling and by reading. Nothing is taken for done unread.

use super::wait::Pace;
use super::{Drive, Next, Operation, Sight};
use crate::executor::Halt;
use crate::{Ending, OperationHandle, PollError, Progress, SafeText, Track};
use hostssl_model::Reason;
use std::time::Duration;

/// After how many polls without an answer only the value is looked at.
const POLLS_WITHOUT_ANSWER: u32 = 5;

/// How an operation ended, as far as polling tells.
enum Told {
    /// Well.
    Succeeded,
    /// Not well.
    Failed(SafeText),
    /// Nobody tells: only reading can.
    Nothing,
    /// The user's patience is over.
    Leave,
}

impl Drive<'_> {
    /// A write whose answer nobody saw: waits for its value to appear; when it has not for long enough, writes once
    /// more, and never a third time.
    pub(super) async fn settle_unanswered(&mut self, track: &Track) -> Result<Next, Halt> {
        let sent_ms = track.last_intent_ms.unwrap_or_else(|| self.executor.clock.now_ms());
        let mut pace = Pace::new(&self.executor.options);
        let mut blind_since = None;
        loop {
            let left = self.grace_left(sent_ms);
            match self.look().await {
                Sight::Wanted(parameter) => return self.observed(&parameter).await,
                Sight::Other(found) => return self.end(Ending::Changed { found }).await,
                Sight::Before(parameter) if left.is_zero() => {
                    if self.is_interrupted() {
                        return Ok(Next::Leave);
                    }
                    if track.unanswered < 2 {
                        return self.write(&parameter).await;
                    }
                    let detail =
                        "two writes got no answer, and the value has not changed: look at the server's activity log";
                    return self.end(Ending::TimedOut { detail: SafeText::new(detail) }).await;
                }
                Sight::Before(_) => blind_since = None,
                Sight::Unchecked(blind) => {
                    let now = self.executor.clock.elapsed();
                    let since = *blind_since.get_or_insert(now);
                    let over = left.is_zero() && self.since(since) >= self.executor.options.read_patience;
                    if over || blind.reason == Reason::Vanished {
                        let text = format!("the write got no answer and the value cannot be read: {}", blind.detail);
                        return self.end(Ending::TimedOut { detail: SafeText::new(&text) }).await;
                    }
                }
            }
            if self.is_out_of_patience() {
                return Ok(Next::Leave);
            }
            let wait = pace.next();
            self.pause(if left.is_zero() { wait } else { wait.min(left) }).await;
        }
    }

    /// An accepted write: polls when there is something to poll, then reads.
    pub(super) async fn await_operation(&mut self) -> Result<Next, Halt> {
        let began = self.executor.clock.elapsed();
        let told = match self.operation.take() {
            Some(Operation { handle: Some(handle), retry_after }) => self.poll(&handle, retry_after, began).await,
            Some(Operation { handle: None, .. }) => Told::Succeeded,
            // Another process sent the write, and only that one knew whom to ask.
            None => Told::Nothing,
        };
        let options = &self.executor.options;
        match told {
            Told::Leave => Ok(Next::Leave),
            Told::Succeeded => self.await_value(options.verify_patience, None).await,
            Told::Failed(why) => self.await_value(Duration::ZERO, Some(why)).await,
            Told::Nothing => {
                let left = options.operation_patience.saturating_sub(self.since(began));
                self.await_value_unsure(left).await
            }
        }
    }

    async fn poll(&self, handle: &OperationHandle, first: Option<Duration>, began: Duration) -> Told {
        let mut pace = Pace::new(&self.executor.options);
        let mut asked = first;
        let mut unanswered = 0;
        loop {
            let left = self.executor.options.operation_patience.saturating_sub(self.since(began));
            if left.is_zero() {
                return Told::Nothing;
            }
            if self.is_out_of_patience() {
                return Told::Leave;
            }
            self.pause(pace.next_or(asked).min(left)).await;
            match self.executor.writer.poll(handle).await {
                Ok(Progress::Succeeded) => return Told::Succeeded,
                Ok(Progress::Failed { detail }) => return Told::Failed(detail),
                Ok(Progress::Pending { retry_after }) => (asked, unanswered) = (retry_after, 0),
                Err(PollError::Forbidden | PollError::Gone) => return Told::Nothing,
                Err(PollError::Lost { after, .. }) => {
                    (asked, unanswered) = (after, unanswered + 1);
                    if unanswered >= POLLS_WITHOUT_ANSWER {
                        return Told::Nothing;
                    }
                }
            }
        }
    }

    /// The operation has ended: the value must be there, or appear within `patience`.
    async fn await_value(&self, patience: Duration, failure: Option<SafeText>) -> Result<Next, Halt> {
        let began = self.executor.clock.elapsed();
        let mut pace = Pace::new(&self.executor.options);
        loop {
            let sight = self.look().await;
            let over = self.since(began) >= patience;
            let blind_over = self.since(began) >= patience.max(self.executor.options.read_patience);
            match sight {
                Sight::Wanted(parameter) => return self.observed(&parameter).await,
                Sight::Other(found) => return self.end(Ending::Changed { found }).await,
                Sight::Before(parameter) if over => {
                    let detail = match failure {
                        Some(why) => why,
                        None => SafeText::new(&format!(
                            "Azure says that the operation succeeded, and the value is still {}",
                            parameter.value()
                        )),
                    };
                    return self.end(Ending::Failed { detail }).await;
                }
                Sight::Unchecked(blind) if blind_over || blind.reason == Reason::Vanished => {
                    let text = match failure {
                        Some(why) => format!("{why}; and the value cannot be read: {}", blind.detail),
                        None => format!("the operation ended, and the value cannot be read: {}", blind.detail),
                    };
                    return self.end(Ending::TimedOut { detail: SafeText::new(&text) }).await;
                }
                Sight::Before(_) | Sight::Unchecked(_) => {}
            }
            if self.is_out_of_patience() {
                return Ok(Next::Leave);
            }
            self.pause(pace.next()).await;
        }
    }

    /// Nobody tells how the operation goes: the value must appear within `patience`.
    async fn await_value_unsure(&self, patience: Duration) -> Result<Next, Halt> {
        let began = self.executor.clock.elapsed();
        let mut pace = Pace::new(&self.executor.options);
        loop {
            let sight = self.look().await;
            let left = patience.saturating_sub(self.since(began));
            match sight {
                Sight::Wanted(parameter) => return self.observed(&parameter).await,
                Sight::Other(found) => return self.end(Ending::Changed { found }).await,
                Sight::Before(_) if left.is_zero() => {
                    let detail = "Azure accepted the write, and the value has not changed in the time allowed";
                    return self.end(Ending::TimedOut { detail: SafeText::new(detail) }).await;
                }
                Sight::Unchecked(blind) if left.is_zero() || blind.reason == Reason::Vanished => {
                    let text = format!("Azure accepted the write, and the value cannot be read: {}", blind.detail);
                    return self.end(Ending::TimedOut { detail: SafeText::new(&text) }).await;
                }
                Sight::Before(_) | Sight::Unchecked(_) => {}
            }
            if self.is_out_of_patience() {
                return Ok(Next::Leave);
            }
            self.pause(pace.next().min(left)).await;
        }
    }
}
