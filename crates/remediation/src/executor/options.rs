//! The pace and the patience of the executor.

use std::time::Duration;

/// How many at a time, when to give up, and how long to wait for what.
#[derive(Debug, Clone, Copy)]
pub struct ExecutorOptions {
    /// How many servers of a wave are changed at a time.
    pub max_parallel: usize,
    /// After how many failed, refused or timed-out steps nothing new begins; at least 1.
    pub max_failures: usize,
    /// Whether every step of the first wave must end as applied or already before the second wave begins.
    pub canary_gate: bool,
    /// How long a write that Azure does not accept, because the server is busy or the identity throttled, is retried.
    pub busy_patience: Duration,
    /// How long a read that fails before anything was written is retried.
    pub read_patience: Duration,
    /// How long to wait for a journal that another process is writing to.
    pub journal_patience: Duration,
    /// How long an operation may take.
    pub operation_patience: Duration,
    /// How long the new value may take to be read after the operation has ended well.
    pub verify_patience: Duration,
    /// How long after a write without an answer its value may still appear. Only then, and only if the value is still
    /// the old one, it is written once more. Longer than any operation takes; a write while one still runs is refused
    /// by Azure besides, because a server takes one operation at a time.
    pub grace: Duration,
    /// The same while the server says that it is ready, so that no operation runs on it: long enough for a write that
    /// is still on its way, and for a value that is read from a copy. Azure has done a change of a parameter after 11 s
    /// at most, where it was recorded.
    pub ready_grace: Duration,
    /// How long after an accepted write, of which the status is unknown, a server that says that it is ready and has
    /// the old value is waited for.
    pub ready_patience: Duration,
    /// How long the value may be unreadable after a write before the step is left open until the run is resumed.
    pub unseen_patience: Duration,
    /// How long after the last step ended all values are read once more before the report.
    pub second_look: Duration,
    /// How long to wait after each wave, before its values are read again, so that clients have met what was changed.
    pub soak: Duration,
    /// How long an operation whose end is unknown may still take effect. Within it, a value that is back to what it was
    /// is not proof that it stays so.
    pub longest_operation: Duration,
    /// How long the wire may contradict the new value.
    pub judge_patience: Duration,
    /// How long what is in progress may take after the run was stopped.
    pub stop_patience: Duration,
    /// The first wait before asking again, where Azure names none; each wait is half as long again.
    pub first_wait: Duration,
    /// The longest of these waits.
    pub longest_wait: Duration,
}

impl Default for ExecutorOptions {
    fn default() -> Self {
        Self {
            max_parallel: 100,
            max_failures: 1,
            canary_gate: true,
            busy_patience: Duration::from_mins(10),
            read_patience: Duration::from_mins(2),
            journal_patience: Duration::from_mins(10),
            operation_patience: Duration::from_mins(15),
            verify_patience: Duration::from_mins(1),
            grace: Duration::from_mins(5),
            ready_grace: Duration::from_secs(40),
            ready_patience: Duration::from_mins(2),
            unseen_patience: Duration::from_mins(10),
            second_look: Duration::from_millis(500),
            soak: Duration::ZERO,
            longest_operation: Duration::from_hours(24),
            judge_patience: Duration::from_mins(1),
            stop_patience: Duration::from_secs(30),
            first_wait: Duration::from_secs(1),
            longest_wait: Duration::from_secs(10),
        }
    }
}
