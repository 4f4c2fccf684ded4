//! What is known of a file once it was read.

use super::inner_silence::InnerSilence;
use crate::{Interval, Millis};

/// What is known of a file.
#[derive(Debug, Clone, Default)]
pub(super) struct FileFacts {
    /// The file as a source of the census.
    pub(super) source: usize,
    pub(super) name: String,
    /// From its first line to its last one; `None` if it is empty.
    pub(super) time: Option<Interval>,
    /// The longest time between two of its lines.
    pub(super) silence: Option<Millis>,
    /// The same where it is known, with its place.
    pub(super) inner: InnerSilence,
    /// Changes after which the log may be written elsewhere.
    pub(super) moves: Vec<Move>,
    /// Connections were authorized in it.
    pub(super) has_connections: bool,
    /// The file of the rules by which they were (`pg_hba.conf`).
    pub(super) rules: Option<String>,
    /// It begins with the start of a server.
    pub(super) starts: bool,
    /// The time before it in which the server was down.
    pub(super) down: Option<Interval>,
    /// It begins with a server that was killed before, and was up then.
    pub(super) killed: Option<Millis>,
    /// Times of which lines are missing in it.
    pub(super) lost: Vec<LostLines>,
    /// It ends with the end of a server.
    pub(super) stops: bool,
}

/// A change after which the log may be written elsewhere.
#[derive(Debug, Clone, Copy)]
pub(super) struct Move {
    pub(super) at: Millis,
    /// The next line here.
    pub(super) next: Option<Millis>,
}

/// A time of which lines are missing.
#[derive(Debug, Clone, Copy)]
pub(super) struct LostLines {
    pub(super) time: Interval,
    pub(super) why: LostWhy,
}

/// How that is known.
#[derive(Debug, Clone, Copy)]
pub(super) enum LostWhy {
    /// The server says when it starts again that it was up then.
    LastUp(Millis),
    /// The log is never silent for nearly so long otherwise.
    Silence,
    /// The server had ended, and served again without a line that says that it starts.
    NoStart,
    /// One of the two lines of a checkpoint is missing.
    HalfCheckpoint,
}
