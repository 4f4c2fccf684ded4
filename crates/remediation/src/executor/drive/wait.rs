//! Waiting: every wait is bounded, and ends early on an interrupt or at the deadline.

use super::{Drive, Flow};
use crate::executor::{Abort, ExecutionEvent};
use crate::{ExecutorOptions, ParameterWriter};
use std::time::Duration;

/// No wait is shorter, so that a `Retry-After: 0` makes no busy loop.
const SHORTEST: Duration = Duration::from_millis(100);
/// No wait that Azure asks for while an operation runs is longer; the value is read in between.
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

/// How something ended that may be dropped.
pub(super) enum Bounded<T> {
    Done(T),
    /// It took longer than it may.
    TooLong,
    /// The run was stopped.
    Stopped,
}

/// How long ago a write was sent, by a clock that never jumps: the wall clock, which the journal has, is read once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sent {
    seen: Duration,
    age_then: Duration,
}

impl<W: ParameterWriter> Drive<'_, W> {
    /// How long ago a moment is.
    pub(super) fn since(&self, moment: Duration) -> Duration {
        self.executor.clock.elapsed().saturating_sub(moment)
    }

    pub(super) fn is_interrupted(&self) -> bool {
        self.recorder.interrupted_at().is_some()
    }

    /// Whether the run was stopped so long ago that what is in progress is left.
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
        tokio::select! {
            () = self.executor.clock.sleep(delay) => {}
            () = self.executor.stopped() => {}
        }
    }

    /// Does what may be dropped, for as long as it may take: until it is done, or the patience after a stop is over.
    pub(super) async fn while_patient<T>(&self, limit: Duration, work: impl Future<Output = T>) -> Bounded<T> {
        tokio::select! {
            biased;
            done = work => Bounded::Done(done),
            () = self.recorder.out_of_patience() => Bounded::Stopped,
            () = self.executor.clock.sleep(limit) => Bounded::TooLong,
        }
    }

    /// The same until the run is stopped at all: for what begins something new.
    pub(super) async fn until_stopped<T>(&self, limit: Duration, work: impl Future<Output = T>) -> Bounded<T> {
        tokio::select! {
            biased;
            () = self.executor.stopped() => Bounded::Stopped,
            done = work => Bounded::Done(done),
            () = self.executor.clock.sleep(limit) => Bounded::TooLong,
        }
    }

    /// When an earlier way of this step ended without anyone knowing whether its last write took effect, what is read
    /// now may still change by itself: waits until the grace for that write is over.
    pub(super) async fn wait_for_earlier_writes(&self) -> Result<Flow, Abort> {
        let track = self.recorder.track(self.step, self.direction)?;
        let Some(since) = track.unsettled_since_ms.filter(|_| !track.is_open() && track.ending().is_none()) else {
            return Ok(Flow::Again);
        };
        let sent = self.sent_at(since);
        loop {
            if self.is_interrupted() {
                return Ok(Flow::Leave);
            }
            let Some(left) = self.grace_left(sent).await else { return Ok(Flow::Again) };
            let why = "an earlier write of this step may still take effect";
            self.executor.events.emit(&ExecutionEvent::Waiting { step: self.step, why, delay: left });
            self.recorder.places.aside(self.pause(left)).await;
        }
    }

    /// A moment of the journal's clock. One that lies in the future, because a clock was set back, is now.
    pub(super) fn sent_at(&self, sent_ms: i64) -> Sent {
        let gone = self.executor.clock.now_ms().saturating_sub(sent_ms);
        let age_then = Duration::from_millis(u64::try_from(gone).unwrap_or(0));
        Sent { seen: self.executor.clock.elapsed(), age_then }
    }

    /// How long ago it was.
    pub(super) fn age(&self, sent: Sent) -> Duration {
        sent.age_then.saturating_add(self.since(sent.seen))
    }

    /// How long a write without an answer may still take effect, at most; `None` when it cannot any more. A server that
    /// says that it is ready runs no operation, so that a write which has not shown after some seconds never arrived.
    pub(super) async fn grace_left(&self, sent: Sent) -> Option<Duration> {
        let (options, age) = (&self.executor.options, self.age(sent));
        if age >= options.grace {
            return None;
        }
        if age < options.ready_grace {
            return Some(options.ready_grace.saturating_sub(age));
        }
        if self.is_ready().await { None } else { Some(options.grace.saturating_sub(age).min(options.longest_wait)) }
    }

    /// Whether the server says that nothing runs on it.
    pub(super) async fn is_ready(&self) -> bool {
        self.readiness().await == Some(true)
    }

    /// Whether the server says that something runs on it.
    pub(super) async fn is_at_work(&self) -> bool {
        self.readiness().await == Some(false)
    }

    async fn readiness(&self) -> Option<bool> {
        let asked = self.executor.writer.is_ready(self.place());
        match self.while_patient(self.executor.options.read_patience, asked).await {
            Bounded::Done(told) => told,
            Bounded::TooLong | Bounded::Stopped => None,
        }
    }
}
