//! The simulator's clock: real time to start with, then the time of the async runtime.
//!
//! Tests pause the runtime's clock and move it themselves; token expiry, buckets and long-running operations follow.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

/// Wall-clock and monotonic time that advance together.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    wall: Timestamp,
    started: Instant,
}

impl Clock {
    /// A clock that starts now.
    pub(crate) fn start() -> Self {
        Self { wall: Timestamp::now(), started: Instant::now() }
    }

    /// Time since the simulation was made.
    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// The wall-clock time.
    pub(crate) fn now(&self) -> Timestamp {
        self.wall.checked_add(self.elapsed()).unwrap_or(Timestamp::MAX)
    }

    /// The wall-clock time in seconds since 1970.
    pub(crate) fn unix(&self) -> i64 {
        self.now().as_second()
    }
}

/// `time` as the operation bodies write it, for example `2026-04-16T22:56:18.523Z`.
pub(crate) fn iso(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}
