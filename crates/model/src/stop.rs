//! Why work ends before it is done.

use std::fmt;
use tokio::sync::watch;

/// How work is told to stop, by whoever holds the sender: while it holds `None`, the work goes on.
pub type StopSignal = watch::Receiver<Option<Stop>>;

/// Waits until work is told to stop, and says why. When nobody is left who could tell it, this waits indefinitely.
pub async fn stopped(signal: &mut StopSignal) -> Stop {
    match signal.wait_for(Option::is_some).await.map(|given| *given) {
        Ok(Some(stop)) => stop,
        _ => std::future::pending().await,
    }
}

/// Why a run ends before its work is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stop {
    /// A person interrupted it.
    Interrupted,
    /// Its deadline was reached.
    Deadline,
}

impl Stop {
    /// The human-readable name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Interrupted => "interrupted",
            Self::Deadline => "deadline reached",
        }
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
