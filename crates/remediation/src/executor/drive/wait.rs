//! Waiting: every wait is bounded, and ends early when the user interrupts.

use super::{Drive, Next};
use crate::ExecutorOptions;
use crate::executor::{ExecutionEvent, Halt};
use std::time::Duration;

/// No wait is shorter, so that a `Retry-After: 0` makes no busy loop.
const SHORTEST: Duration = Duration::from_millis(100);
/// No wait that Azure asks for while an operation runs is longer; the value is looked at in between.
const LONGEST_ASKED: Duration = Duration::from_mins(5);

/// Waits that grow by half up to a limit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    next: Duration,
    longest: Duration,
}

impl Pace {
    pub(super) fn new(options: &ExecutorOptions) -> Self {
        Self { next: options.first_wait, longest: options.longest_wait.max(options.first_wait) }
    }

    /// The next wait.
    pub(super) fn next(&mut self) -> Duration {
        let now = self.next;
        self.next = (now * 3 / 2).min(self.longest);
        now
    }

    /// The next wait, or the one that Azure asks for.
    pub(super) fn next_or(&mut self, asked: Option<Duration>) -> Duration {
        let own = self.next();
        asked.map_or(own, |asked| asked.clamp(SHORTEST, LONGEST_ASKED))
    }
}

impl Drive<'_> {
    /// How long ago a moment is.
    pub(super) fn since(&self, moment: Duration) -> Duration {
        self.executor.clock.elapsed().saturating_sub(moment)
    }

    pub(super) fn is_interrupted(&self) -> bool {
        self.recorder.interrupted_at().is_some()
    }

    /// Whether the user interrupted so long ago that what is under way is left.
    pub(super) fn is_out_of_patience(&self) -> bool {
        let at = self.recorder.interrupted_at();
        at.is_some_and(|at| self.since(at) >= self.executor.options.stop_patience)
    }

    /// Waits, but not beyond what the user's patience allows.
    pub(super) async fn pause(&self, delay: Duration) {
        let delay = delay.max(SHORTEST);
        if let Some(at) = self.recorder.interrupted_at() {
            let left = self.executor.options.stop_patience.saturating_sub(self.since(at));
            self.executor.clock.sleep(delay.min(left.max(SHORTEST))).await;
            return;
        }
        let mut stop = self.executor.stop.clone();
        let interrupted = async {
            if stop.wait_for(|stopped| *stopped).await.is_err() {
                // Nobody is left who could interrupt.
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            () = self.executor.clock.sleep(delay) => {}
            () = interrupted => {}
        }
    }

    /// When an earlier way of this step ended without anybody knowing whether its last write took effect, what is read
    /// now may still change by itself: waits until the grace for that write is over.
    pub(super) async fn wait_for_earlier_writes(&self) -> Result<Next, Halt> {
        let track = self.recorder.track(self.step, self.direction)?;
        let Some(since) = track.unsettled_since_ms.filter(|_| !track.is_open() && track.ending().is_none()) else {
            return Ok(Next::Again);
        };
        loop {
            let left = self.grace_left(since);
            if left.is_zero() {
                return Ok(Next::Again);
            }
            if self.is_interrupted() {
                return Ok(Next::Leave);
            }
            let why = "an earlier write of this step may still take effect";
            self.executor.events.emit(&ExecutionEvent::Waiting { step: self.step, why, delay: left });
            self.pause(left).await;
        }
    }

    /// How much of the grace for a write that was sent then is left. A clock that was set back makes it longer, never
    /// longer than the whole.
    pub(super) fn grace_left(&self, sent_ms: i64) -> Duration {
        let gone = self.executor.clock.now_ms().saturating_sub(sent_ms);
        self.executor.options.grace.saturating_sub(Duration::from_millis(u64::try_from(gone).unwrap_or(0)))
    }
}
