//! Why work ends before it is done.

use std::fmt;

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
