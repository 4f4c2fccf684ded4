//! The model of one of Resource Manager's token buckets: pure, so that it can be tested without a clock.
//!
//! Azure documents, per subscription, principal and kind of operation, 250 reads refilled at 25 a second, 200 writes
//! refilled at 10 a second ("Understand how Azure Resource Manager throttles requests"). Production shows other sizes
//! in its `x-ms-ratelimit-remaining-*` headers, and those are the truth: the bucket starts from the document and
//! follows the headers.

use std::time::Duration;

/// What a bucket starts from, before any header was seen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Documented {
    /// Requests that may be sent at once.
    pub(crate) capacity: f64,
    /// Requests that come back each second.
    pub(crate) per_second: f64,
}

/// How long the refill rate is watched before it is believed.
const WINDOW: Duration = Duration::from_secs(1);
/// The learned rate is used with this margin. What it leaves unused shows in the next header and is used then.
const MARGIN: f64 = 0.9;
/// The slowest pace: one request in five seconds, so that a wrong estimate cannot stall a run.
const SLOWEST: f64 = 0.2;
/// A hold asked for by `Retry-After` is kept up to this long; the caller's deadline cuts it further.
const LONGEST_HOLD: Duration = Duration::from_secs(3600);

/// One bucket. Times are durations since any fixed moment.
#[derive(Debug)]
pub(crate) struct Bucket {
    documented: Documented,
    level: f64,
    capacity: f64,
    per_second: f64,
    updated: Duration,
    held_until: Duration,
    in_flight: u32,
    window: Option<Window>,
}

/// The start of the stretch over which the refill rate is measured.
#[derive(Debug, Clone, Copy)]
struct Window {
    since: Duration,
    remaining: u64,
    served: u64,
}

impl Bucket {
    pub(crate) fn new(documented: Documented, now: Duration) -> Self {
        Self {
            documented,
            level: documented.capacity,
            capacity: documented.capacity,
            per_second: documented.per_second,
            updated: now,
            held_until: Duration::ZERO,
            in_flight: 0,
            window: None,
        }
    }

    /// How long Azure has asked to wait from now on.
    pub(crate) fn held_for(&self, now: Duration) -> Option<Duration> {
        self.held_until.checked_sub(now).filter(|left| !left.is_zero())
    }

    /// Takes one token, or says how long to wait before asking again.
    pub(crate) fn take(&mut self, now: Duration) -> Result<(), Duration> {
        if now < self.held_until {
            return Err(self.held_until - now);
        }
        self.refill(now);
        if self.level >= 1.0 {
            self.level -= 1.0;
            self.in_flight += 1;
            return Ok(());
        }
        Err(Duration::from_secs_f64(((1.0 - self.level) / self.pace()).max(0.001)))
    }

    /// Records an answer that was not a refusal, and what it said is left.
    pub(crate) fn answered(&mut self, remaining: Option<u64>, now: Duration) {
        self.in_flight = self.in_flight.saturating_sub(1);
        let Some(remaining) = remaining else { return };
        self.refill(now);
        self.learn(remaining, now);
        // Requests in progress may or may not be counted in `remaining` already: assume they are not.
        self.level = (remaining as f64 - f64::from(self.in_flight)).max(0.0);
        self.capacity = self.capacity.max(self.level);
    }

    /// Records a refusal (HTTP 429): nothing more is sent for `hold`.
    pub(crate) fn refused(&mut self, hold: Duration, now: Duration) {
        self.in_flight = self.in_flight.saturating_sub(1);
        // Time spent held refills the bucket as well: count from now on, not from the end of the hold.
        self.refill(now);
        self.level = 0.0;
        self.window = None;
        // One burst draws many refusals at once; slow down once for all of them.
        if now >= self.held_until {
            self.per_second = (self.per_second / 2.0).max(SLOWEST);
        }
        self.held_until = self.held_until.max(now + hold.min(LONGEST_HOLD));
    }

    /// Sends nothing for `hold`, because the bucket is known to be empty until then. No request was refused.
    pub(crate) fn hold(&mut self, hold: Duration, now: Duration) {
        self.held_until = self.held_until.max(now + hold.min(LONGEST_HOLD));
    }

    /// Records that a request ended without an answer.
    pub(crate) fn lost(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    fn pace(&self) -> f64 {
        (self.per_second * MARGIN).max(SLOWEST)
    }

    fn refill(&mut self, now: Duration) {
        let elapsed = now.saturating_sub(self.updated).as_secs_f64();
        self.level = (self.level + elapsed * self.pace()).min(self.capacity);
        self.updated = now;
    }

    fn learn(&mut self, remaining: u64, now: Duration) {
        let Some(window) = &mut self.window else {
            // The first header: size and refill rate of a bucket are documented to go together.
            self.capacity = (remaining + 1) as f64;
            let scale = self.capacity / self.documented.capacity;
            self.per_second = (self.documented.per_second * scale).max(SLOWEST);
            self.window = Some(Window { since: now, remaining, served: 0 });
            return;
        };
        window.served += 1;
        let elapsed = now.saturating_sub(window.since);
        if elapsed < WINDOW {
            return;
        }
        // What came back is what was spent, less what the level fell by.
        let returned = window.served as f64 + remaining as f64 - window.remaining as f64;
        let measured = (returned / elapsed.as_secs_f64()).max(SLOWEST);
        self.per_second = f64::midpoint(self.per_second, measured);
        *window = Window { since: now, remaining, served: 0 };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const READS: Documented = Documented { capacity: 250.0, per_second: 25.0 };

    fn at(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn without_headers_the_document_holds() {
        let mut bucket = Bucket::new(READS, at(0));
        let burst = (0..1000).filter(|_| bucket.take(at(0)).is_ok()).count();
        assert_eq!(burst, 250);
        assert!(bucket.take(at(0)).is_err());
        let after_a_second = (0..1000).filter(|_| bucket.take(at(1000)).is_ok()).count();
        assert!((20..=25).contains(&after_a_second), "{after_a_second}");
    }

    #[test]
    fn more_room_than_documented_is_used_where_it_is_shown() {
        let mut bucket = Bucket::new(READS, at(0));
        bucket.take(at(0)).unwrap();
        bucket.answered(Some(1099), at(50));
        assert_eq!((0..5000).filter(|_| bucket.take(at(50)).is_ok()).count(), 1099);
    }

    #[test]
    fn less_room_than_documented_is_respected_at_once() {
        let mut bucket = Bucket::new(READS, at(0));
        bucket.take(at(0)).unwrap();
        bucket.answered(Some(19), at(50));
        assert_eq!((0..5000).filter(|_| bucket.take(at(50)).is_ok()).count(), 19);
    }

    #[test]
    fn a_refusal_holds_for_as_long_as_azure_says() {
        let mut bucket = Bucket::new(READS, at(0));
        bucket.take(at(0)).unwrap();
        bucket.refused(at(3000), at(100));
        assert_eq!(bucket.take(at(1100)), Err(at(2000)));
        assert!(bucket.take(at(3100)).is_ok());
    }

    #[test]
    fn a_burst_of_refusals_slows_down_once() {
        let mut bucket = Bucket::new(READS, at(0));
        for _ in 0..100 {
            bucket.take(at(0)).unwrap();
        }
        for _ in 0..100 {
            bucket.refused(at(1000), at(10));
        }
        assert!(bucket.per_second > 12.0, "{}", bucket.per_second);
    }

    /// Runs a client with one request in flight at a time of `latency` against a true bucket, and counts refusals.
    fn run(capacity: f64, per_second: f64, requests: u32, latency: Duration) -> (Duration, u32) {
        let (mut now, mut level, mut updated) = (Duration::ZERO, capacity, Duration::ZERO);
        let (mut done, mut refusals) = (0, 0);
        let mut bucket = Bucket::new(READS, now);
        while done < requests {
            if let Err(wait) = bucket.take(now) {
                now += wait;
                continue;
            }
            now += latency;
            level = f64::min(capacity, level + (now - updated).as_secs_f64() * per_second);
            updated = now;
            if level >= 1.0 {
                level -= 1.0;
                done += 1;
                bucket.answered(Some(level as u64), now);
            } else {
                refusals += 1;
                bucket.refused(Duration::from_secs(1), now);
            }
        }
        (now, refusals)
    }

    #[test]
    fn a_small_bucket_is_emptied_as_fast_as_it_fills_and_almost_never_refuses() {
        for (capacity, per_second, requests) in
            [(20.0, 4.0, 184), (5.0, 0.5, 40), (250.0, 25.0, 2000), (1100.0, 110.0, 6000)]
        {
            let (took, refusals) = run(capacity, per_second, requests, at(2));
            let ideal = (f64::from(requests) - capacity) / per_second;
            assert!(took.as_secs_f64() < ideal * 1.1 + 2.0, "{capacity}: {took:?} for {ideal} s");
            assert!(refusals <= requests / 50, "{capacity}: {refusals} refusals");
        }
    }
}
