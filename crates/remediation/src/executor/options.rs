//! The pace and the patience of the executor.

use std::time::Duration;
use tokio::sync::watch;

/// Turns true when the user interrupts. What is under way then gets [`ExecutorOptions::stop_patience`]; nothing new
/// begins.
pub type StopSignal = watch::Receiver<bool>;

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
    /// How long a journal that somebody else is writing to is waited for.
    pub journal_patience: Duration,
    /// How long an operation may take.
    pub operation_patience: Duration,
    /// How long the new value may take to be read after the operation has ended well.
    pub verify_patience: Duration,
    /// How long after a write without an answer its value may still appear. Only then, and only if the value is still
    /// the old one, it is written once more. Longer than any operation takes; a write while one still runs is refused
    /// by Azure besides, because a server takes one operation at a time.
    pub grace: Duration,
    /// How long an operation that nobody has seen end may still take effect. Within it, a value that is back to what it was
    /// is no proof that it stays so.
    pub longest_operation: Duration,
    /// How long the wire may contradict the new value.
    pub judge_patience: Duration,
    /// How long what is under way may take after the user interrupted.
    pub stop_patience: Duration,
    /// The first wait before asking again, where Azure names none; each wait is half as long again.
    pub first_wait: Duration,
    /// The longest of these waits.
    pub longest_wait: Duration,
}

impl Default for ExecutorOptions {
    fn default() -> Self {
        Self {
            max_parallel: 16,
            max_failures: 1,
            canary_gate: true,
            busy_patience: Duration::from_mins(10),
            read_patience: Duration::from_mins(2),
            journal_patience: Duration::from_mins(10),
            operation_patience: Duration::from_mins(15),
            verify_patience: Duration::from_mins(1),
            grace: Duration::from_mins(5),
            longest_operation: Duration::from_hours(24),
            judge_patience: Duration::from_mins(1),
            stop_patience: Duration::from_secs(30),
            first_wait: Duration::from_secs(1),
            longest_wait: Duration::from_secs(10),
        }
    }
}
