//! How long a run with a deadline waits for another process that writes to the state.

use std::time::{Duration, Instant};

/// What a run has for the state that has used up its time, or nearly: an audit that was stopped at its deadline is kept
/// too, and another process takes a second for a large one.
const LEAST: Duration = Duration::from_secs(2);

/// Until when a run waits, in all that it reads and keeps at its end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StatePatience {
    until: Option<Instant>,
}

impl StatePatience {
    /// What is left at `now` to a run that began at `began`.
    pub(crate) fn of(began: Instant, deadline: Duration, now: Instant) -> Self {
        // A time that no clock reaches is none.
        let end = began.checked_add(deadline);
        Self { until: end.and_then(|end| Some(end.max(now.checked_add(LEAST)?))) }
    }

    /// All of a deadline, for a run that begins now.
    pub(crate) fn from_now(deadline: Duration) -> Self {
        let now = Instant::now();
        Self::of(now, deadline, now)
    }

    /// As long as the state itself waits.
    pub(crate) const fn without_end() -> Self {
        Self { until: None }
    }

    /// How long one more call may wait.
    pub(crate) fn left(self) -> Duration {
        self.until.map_or(Duration::MAX, |until| until.saturating_duration_since(Instant::now()))
    }

    /// Whether the run has no more time. SQLite counts in milliseconds, and may be back a moment early.
    pub(crate) fn is_over(self) -> bool {
        self.left() < Duration::from_millis(100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_bounds_the_wait_and_leaves_a_moment_to_keep_what_was_seen() {
        let began = Instant::now();
        let after = |seconds| began + Duration::from_secs(seconds);
        let until = |deadline, now| StatePatience::of(began, Duration::from_secs(deadline), after(now)).until;
        assert_eq!(until(60, 10), Some(after(60)));
        assert_eq!(until(60, 59), Some(after(61)), "it has nearly used its time up");
        assert_eq!(until(60, 90), Some(after(92)), "it was stopped at its deadline");
        assert_eq!(StatePatience::of(began, Duration::MAX, began).left(), Duration::MAX);
        assert!(StatePatience { until: Some(began) }.is_over());
    }
}
