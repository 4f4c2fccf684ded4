//! Crashes at every point of a run.

use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::Notify;

/// Crashes at one point: what gets there never continues, and all others are dropped by the harness.
#[derive(Debug, Default)]
pub struct Crash {
    passed: AtomicU64,
    at: AtomicU64,
    fired: Notify,
}

impl Crash {
    /// Crash at the `at`th point from now on; 0 for never.
    pub fn arm(&self, at: u64) {
        self.passed.store(0, Ordering::SeqCst);
        self.at.store(at, Ordering::SeqCst);
    }

    /// How many points were passed since it was armed.
    pub fn passed(&self) -> u64 {
        self.passed.load(Ordering::SeqCst)
    }

    pub async fn point(&self) {
        if self.passed.fetch_add(1, Ordering::SeqCst) + 1 == self.at.load(Ordering::SeqCst) {
            self.fired.notify_one();
            std::future::pending::<()>().await;
        }
    }

    /// Runs until it ends, or until the crash: then `None`, and it is dropped where it stands.
    pub async fn survive<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.fired.notified() => None,
            done = work => Some(done),
        }
    }
}
