//! For how long nothing was heard of what other consoles work on, by the clock of this machine.

use hostssl_store::WorkInProgress;
use jiff::Timestamp;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// When each piece of work was heard of here: the clocks of two machines may differ, so that a console is not believed to be alive
/// because its clock is ahead.
#[derive(Default)]
pub(crate) struct HeardOf(Mutex<HashMap<String, Heard>>);

/// A note, and how old it was when it was seen here first.
#[derive(Debug, Clone, Copy)]
struct Heard {
    noted_ms: i64,
    age: Duration,
    seen: Instant,
}

impl Heard {
    fn of(noted_ms: i64, before: Option<Self>, now_ms: i64, now: Instant) -> Self {
        if let Some(before) = before.filter(|before| before.noted_ms == noted_ms) {
            return before;
        }
        let age = Duration::from_millis(u64::try_from(now_ms.saturating_sub(noted_ms)).unwrap_or_default());
        // What was not there when it was looked before is no older than that.
        let longest = before.map_or(Duration::MAX, |before| now.saturating_duration_since(before.seen));
        Self { noted_ms, age: age.min(longest), seen: now }
    }

    fn age_at(&self, now: Instant) -> Duration {
        self.age + now.saturating_duration_since(self.seen)
    }
}

impl HeardOf {
    /// For how long nothing was heard of each of these, which are all that there are.
    pub(crate) fn ages(&self, work: &[WorkInProgress]) -> Vec<Duration> {
        let (now_ms, now) = (Timestamp::now().as_millisecond(), Instant::now());
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let heard: HashMap<String, Heard> = work
            .iter()
            .map(|one| (one.id.clone(), Heard::of(one.heard_ms, known.get(&one.id).copied(), now_ms, now)))
            .collect();
        *known = heard;
        work.iter().map(|one| known.get(&one.id).map_or(Duration::ZERO, |heard| heard.age_at(now))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn what_is_not_heard_grows_old_whatever_the_clocks_say() {
        let start = Instant::now();
        // Its clock is an hour ahead.
        let first = Heard::of(3_600_000, None, 0, start);
        assert_eq!(first.age_at(start + 90 * SECOND), 90 * SECOND);
        let same = Heard::of(3_600_000, Some(first), 90_000, start + 90 * SECOND);
        assert_eq!(same.age_at(start + 90 * SECOND), 90 * SECOND);
        let next = Heard::of(3_605_000, Some(same), 95_000, start + 95 * SECOND);
        assert_eq!(next.age_at(start + 95 * SECOND), Duration::ZERO);
        // Its clock is an hour behind: what is new since the last look is no older than that.
        let first = Heard::of(-3_600_000, None, 0, start);
        assert_eq!(first.age_at(start), 3_600 * SECOND);
        let next = Heard::of(-3_595_000, Some(first), 5_000, start + 5 * SECOND);
        assert_eq!(next.age_at(start + 7 * SECOND), 7 * SECOND);
    }
}
