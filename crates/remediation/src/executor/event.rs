//! What happens during a run, as it happens.

use crate::{JournalRecord, RunId, Step};
use std::time::Duration;

/// Receives what happens, while it happens.
pub trait EventSink: Send + Sync {
    /// Takes one event. It must not block.
    fn emit(&self, event: &ExecutionEvent<'_>);
}

impl<F: Fn(&ExecutionEvent<'_>) + Send + Sync> EventSink for F {
    fn emit(&self, event: &ExecutionEvent<'_>) {
        self(event);
    }
}

/// What happens during a run.
#[derive(Debug)]
pub enum ExecutionEvent<'a> {
    /// The journal has a new run: from now on it can be shown, resumed and undone.
    Begun(&'a RunId),
    /// A wave begins.
    Wave {
        /// Its number.
        wave: u32,
        /// How many servers it has.
        servers: usize,
    },
    /// Nothing happens for a time after a wave, so that clients meet what was changed, and what sets it back has its
    /// time.
    Soaking {
        /// How long.
        delay: Duration,
    },
    /// The journal waits for another process that writes to it.
    JournalBusy {
        /// For how long already.
        waited: Duration,
    },
    /// Something was recorded in the journal.
    Recorded(&'a JournalRecord),
    /// The value of a step that ended well could not be read once more: whether it stayed is not known.
    NotReadAgain {
        /// The step.
        step: &'a Step,
        /// Why.
        why: &'a str,
    },
    /// A step waits before it tries again.
    Waiting {
        /// The step.
        step: &'a Step,
        /// Why.
        why: &'a str,
        /// How long.
        delay: Duration,
    },
}
