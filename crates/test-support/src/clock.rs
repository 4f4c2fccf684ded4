//! Time that passes only when everyone waits.

use async_trait::async_trait;
use hostssl_remediation::Clock;
use std::time::Duration;
use tokio::time::Instant;

/// Virtual time: Tokio's paused clock.
pub struct VirtualClock {
    began_ms: i64,
    began: Instant,
}

impl VirtualClock {
    /// A clock that says the first minute of 2026, which is a minute after the fleets of these tests were observed.
    pub fn new() -> Self {
        Self::at(1_767_225_660_000)
    }

    /// A clock that says `began_ms` now, in milliseconds since 1970.
    pub fn at(began_ms: i64) -> Self {
        Self { began_ms, began: Instant::now() }
    }
}

#[async_trait]
impl Clock for VirtualClock {
    fn now_ms(&self) -> i64 {
        self.began_ms + i64::try_from(self.began.elapsed().as_millis()).unwrap()
    }

    fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}
