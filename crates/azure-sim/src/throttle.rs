//! Token buckets, as ARM has them since 2024: each (subscription, principal, operation type) has its own.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

/// Buckets and windows kept at one time.
const MAX_PRINCIPALS: usize = 100_000;

/// How fast a bucket empties and fills.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// Requests that a full bucket allows at once.
    pub capacity: u32,
    /// Requests that flow back each second.
    pub per_second: f64,
}

/// Throttling of ARM. The documented rates are 250 and 25 a second for reads, 200 and 10 for writes; those seen in
/// production in 2026 had larger buckets.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Throttle {
    /// The bucket of reads.
    pub reads: Rate,
    /// The bucket of writes.
    pub writes: Rate,
    /// Whether the `x-ms-ratelimit-remaining-*` headers are sent.
    pub headers: bool,
    /// Whether a 429 says how long to wait.
    pub retry_after: bool,
}

impl Default for Throttle {
    fn default() -> Self {
        Self {
            reads: Rate { capacity: 250, per_second: 25.0 },
            writes: Rate { capacity: 200, per_second: 10.0 },
            headers: true,
            retry_after: true,
        }
    }
}

/// The quota of Resource Graph: so many queries in each window of time, for each principal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GraphQuota {
    /// Queries in a window; documented as 15.
    pub queries: u32,
    /// The window; documented as 5 seconds.
    pub window: Duration,
}

impl Default for GraphQuota {
    fn default() -> Self {
        Self { queries: 15, window: Duration::from_secs(5) }
    }
}

/// What a bucket says to one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Continue; so many are left after this one.
    Allowed { remaining: u32 },
    /// Come back after so many whole seconds, at least one.
    Refused { retry_after: u64 },
}

/// Which bucket: the subscription (`None` is tenant scope), the principal, and whether it writes.
pub(crate) type BucketKey = (Option<usize>, String, bool);

/// All buckets.
#[derive(Debug, Default)]
pub(crate) struct Buckets(HashMap<BucketKey, Bucket>);

impl Buckets {
    /// Takes one request out of a bucket.
    pub(crate) fn take(&mut self, key: BucketKey, rate: Rate, now: Instant) -> Verdict {
        // Anyone can make up principals; forgetting all buckets now and then is the price of a bound.
        if self.0.len() >= MAX_PRINCIPALS {
            self.0.clear();
        }
        self.0.entry(key).or_insert_with(|| Bucket::full(rate, now)).take(rate, now)
    }
}

#[derive(Debug)]
struct Bucket {
    level: f64,
    at: Instant,
}

impl Bucket {
    fn full(rate: Rate, now: Instant) -> Self {
        Self { level: f64::from(rate.capacity), at: now }
    }

    fn take(&mut self, rate: Rate, now: Instant) -> Verdict {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.at = now;
        self.level = (self.level + passed * rate.per_second).min(f64::from(rate.capacity));
        // The level is a sum of products of floats: one that should be a whole number may be a hair below it.
        if self.level + 1e-9 >= 1.0 {
            self.level -= 1.0;
            return Verdict::Allowed { remaining: whole(self.level) };
        }
        let wait = (1.0 - self.level) / rate.per_second.max(1e-6);
        Verdict::Refused { retry_after: u64::from(whole((wait - 1e-6).ceil())).max(1) }
    }
}

/// The whole part of a number that is neither negative nor large.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the value is clamped to the range of the target first"
)]
fn whole(value: f64) -> u32 {
    value.clamp(0.0, f64::from(u32::MAX)) as u32
}

/// Fixed windows of Resource Graph queries, by principal.
#[derive(Debug, Default)]
pub(crate) struct Windows(HashMap<String, (Instant, u32)>);

impl Windows {
    /// Counts one query: whether it may run, how many are left, and the time until the window ends.
    pub(crate) fn take(&mut self, principal: &str, quota: GraphQuota, now: Instant) -> (bool, u32, Duration) {
        if self.0.len() >= MAX_PRINCIPALS {
            self.0.clear();
        }
        let (start, used) = self.0.entry(principal.to_owned()).or_insert_with(|| (now, 0));
        if now.saturating_duration_since(*start) >= quota.window {
            (*start, *used) = (now, 0);
        }
        let left = quota.window.saturating_sub(now.saturating_duration_since(*start));
        if *used >= quota.queries {
            return (false, 0, left);
        }
        *used += 1;
        (true, quota.queries - *used, left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { capacity: 3, per_second: 0.5 };

    fn key() -> BucketKey {
        (Some(0), "p".to_owned(), false)
    }

    #[tokio::test(start_paused = true)]
    async fn a_bucket_empties_and_fills_at_its_rate() {
        let mut buckets = Buckets::default();
        let mut take = || buckets.take(key(), RATE, Instant::now());
        assert_eq!(take(), Verdict::Allowed { remaining: 2 });
        assert_eq!(take(), Verdict::Allowed { remaining: 1 });
        assert_eq!(take(), Verdict::Allowed { remaining: 0 });
        assert_eq!(take(), Verdict::Refused { retry_after: 2 });
        tokio::time::advance(Duration::from_millis(1_500)).await;
        assert_eq!(take(), Verdict::Refused { retry_after: 1 });
        tokio::time::advance(Duration::from_millis(500)).await;
        assert_eq!(take(), Verdict::Allowed { remaining: 0 });
        tokio::time::advance(Duration::from_secs(1_000)).await;
        assert_eq!(take(), Verdict::Allowed { remaining: 2 });
    }

    #[test]
    fn waiting_as_long_as_told_is_enough_at_any_rate() {
        for per_second in [0.1, 0.3, 1.0, 7.0, 25.0] {
            let rate = Rate { capacity: 1, per_second };
            let mut buckets = Buckets::default();
            let mut now = Instant::now();
            buckets.take(key(), rate, now);
            for _ in 0..50 {
                let Verdict::Refused { retry_after } = buckets.take(key(), rate, now) else {
                    panic!("the bucket is empty at {per_second}");
                };
                now += Duration::from_secs(retry_after);
                let verdict = buckets.take(key(), rate, now);
                assert!(matches!(verdict, Verdict::Allowed { .. }), "{per_second}");
            }
        }
    }

    #[test]
    fn buckets_do_not_share() {
        let mut buckets = Buckets::default();
        let now = Instant::now();
        let rate = Rate { capacity: 1, per_second: 1.0 };
        for key in [
            (Some(0), "p".to_owned(), false),
            (Some(1), "p".to_owned(), false),
            (Some(0), "q".to_owned(), false),
            (Some(0), "p".to_owned(), true),
            (None, "p".to_owned(), false),
        ] {
            assert_eq!(buckets.take(key, rate, now), Verdict::Allowed { remaining: 0 });
        }
    }

    #[tokio::test(start_paused = true)]
    async fn graph_windows_start_anew() {
        let mut windows = Windows::default();
        let quota = GraphQuota { queries: 2, ..GraphQuota::default() };
        let mut take = || windows.take("p", quota, Instant::now());
        assert_eq!(take(), (true, 1, Duration::from_secs(5)));
        assert_eq!(take(), (true, 0, Duration::from_secs(5)));
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(take(), (false, 0, Duration::from_secs(3)));
        tokio::time::advance(Duration::from_secs(3)).await;
        assert_eq!(take(), (true, 1, Duration::from_secs(5)));
    }
}
