//! Paces requests so that Resource Manager has no reason to refuse them.
//!
//! One [`Bucket`] for each subscription and kind of operation: a subscription that is throttled holds back no other.

use crate::bucket::{Bucket, Documented};
use hostssl_model::SubscriptionId;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

/// Which of Azure's buckets a request draws from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Quota {
    /// Reads of one subscription.
    Reads(SubscriptionId),
    /// Writes to one subscription.
    Writes(SubscriptionId),
    /// Reads that belong to no subscription: tenants, management groups, the list of subscriptions.
    TenantReads,
    /// Queries of Azure Resource Graph.
    ResourceGraph,
}

impl Quota {
    /// The response header that says how much is left.
    pub(crate) fn header(&self) -> &'static str {
        match self {
            Self::Reads(_) => "x-ms-ratelimit-remaining-subscription-reads",
            Self::Writes(_) => "x-ms-ratelimit-remaining-subscription-writes",
            Self::TenantReads => "x-ms-ratelimit-remaining-tenant-reads",
            Self::ResourceGraph => "x-ms-user-quota-remaining",
        }
    }

    /// The response header that says when an empty quota is full again, where there is one.
    pub(crate) fn reset_header(&self) -> Option<&'static str> {
        matches!(self, Self::ResourceGraph).then_some("x-ms-user-quota-resets-after")
    }

    fn documented(&self) -> Documented {
        match self {
            Self::Reads(_) | Self::TenantReads => Documented { capacity: 250.0, per_second: 25.0 },
            Self::Writes(_) => Documented { capacity: 200.0, per_second: 10.0 },
            // "Guidance for throttled requests in Azure Resource Graph": 15 queries in 5 seconds.
            Self::ResourceGraph => Documented { capacity: 15.0, per_second: 3.0 },
        }
    }
}

/// All buckets of one principal.
#[derive(Debug)]
pub(crate) struct RequestLimiter {
    epoch: Instant,
    lanes: Mutex<HashMap<Quota, Arc<Lane>>>,
}

/// One bucket and those who wait for it.
#[derive(Debug)]
struct Lane {
    bucket: Mutex<Bucket>,
    /// Held by the one who is next; the others queue behind it in order of arrival.
    turn: tokio::sync::Mutex<()>,
    changed: Notify,
}

/// The right to send one request. Must be given its result; dropping it counts as "no answer".
#[derive(Debug)]
pub(crate) struct Permit {
    lane: Arc<Lane>,
    epoch: Instant,
    settled: bool,
}

impl RequestLimiter {
    pub(crate) fn new() -> Self {
        Self { epoch: Instant::now(), lanes: Mutex::new(HashMap::new()) }
    }

    /// Waits until a request may be sent.
    pub(crate) async fn permit(&self, quota: &Quota) -> Permit {
        let lane = self.lane(quota);
        {
            let _turn = lane.turn.lock().await;
            loop {
                let changed = lane.changed.notified();
                let taken = lock(&lane.bucket).take(self.epoch.elapsed());
                let Err(wait) = taken else { break };
                tokio::select! {
                    () = sleep(wait) => {}
                    () = changed => {}
                }
            }
        }
        Permit { lane, epoch: self.epoch, settled: false }
    }

    /// How long Azure has asked to wait with such requests from now on.
    pub(crate) fn held_for(&self, quota: &Quota) -> Option<Duration> {
        lock(&self.lane(quota).bucket).held_for(self.epoch.elapsed())
    }

    fn lane(&self, quota: &Quota) -> Arc<Lane> {
        let mut lanes = lock(&self.lanes);
        if let Some(lane) = lanes.get(quota) {
            return Arc::clone(lane);
        }
        let bucket = Mutex::new(Bucket::new(quota.documented(), self.epoch.elapsed()));
        let lane = Arc::new(Lane { bucket, turn: tokio::sync::Mutex::new(()), changed: Notify::new() });
        lanes.insert(quota.clone(), Arc::clone(&lane));
        lane
    }
}

impl Permit {
    /// An answer came, and this is what it said is left.
    pub(crate) fn answered(mut self, remaining: Option<u64>) {
        self.settle(|bucket, now| bucket.answered(remaining, now));
    }

    /// An answer came and said that nothing is left for `hold`.
    pub(crate) fn spent(mut self, hold: Duration) {
        self.settle(|bucket, now| {
            bucket.answered(Some(0), now);
            bucket.hold(hold, now);
        });
    }

    /// Azure refused; nothing more is sent from this bucket for `hold`.
    pub(crate) fn refused(mut self, hold: Duration) {
        self.settle(|bucket, now| bucket.refused(hold, now));
    }

    fn settle(&mut self, how: impl FnOnce(&mut Bucket, Duration)) {
        how(&mut lock(&self.lane.bucket), self.epoch.elapsed());
        self.settled = true;
        self.lane.changed.notify_waiters();
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if !self.settled {
            self.settle(|bucket, _| bucket.lost());
        }
    }
}

/// Locks, also after another task died while holding the lock: buckets are estimates at any time.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reads(name: &str) -> Quota {
        Quota::Reads(SubscriptionId::new(name))
    }

    #[tokio::test(start_paused = true)]
    async fn one_held_bucket_does_not_hold_the_others() {
        let limiter = RequestLimiter::new();
        limiter.permit(&reads("a")).await.refused(Duration::from_secs(30));
        assert_eq!(
            (limiter.held_for(&reads("a")), limiter.held_for(&reads("b"))),
            (Some(Duration::from_secs(30)), None)
        );
        let start = Instant::now();
        limiter.permit(&reads("b")).await.answered(None);
        assert_eq!(start.elapsed(), Duration::ZERO);
        limiter.permit(&reads("a")).await.answered(None);
        assert!(start.elapsed() >= Duration::from_secs(30));
        assert_eq!(limiter.held_for(&reads("a")), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_header_that_shows_room_wakes_those_who_wait() {
        let limiter = Arc::new(RequestLimiter::new());
        let first = limiter.permit(&reads("a")).await;
        limiter.permit(&reads("a")).await.answered(Some(0));
        let waiting = {
            let limiter = Arc::clone(&limiter);
            tokio::spawn(async move { limiter.permit(&reads("a")).await.answered(None) })
        };
        tokio::task::yield_now().await;
        let start = Instant::now();
        first.answered(Some(500));
        waiting.await.unwrap();
        assert!(start.elapsed() < Duration::from_millis(5), "{:?}", start.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_permit_that_is_dropped_is_not_in_flight_for_ever() {
        let limiter = RequestLimiter::new();
        for _ in 0..100 {
            drop(limiter.permit(&reads("a")).await);
        }
        limiter.permit(&reads("a")).await.answered(Some(50));
        let start = Instant::now();
        for _ in 0..50 {
            limiter.permit(&reads("a")).await.answered(None);
        }
        assert_eq!(start.elapsed(), Duration::ZERO);
    }
}
