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
    /// It begins with the start of a server.
    pub(super) starts: bool,
    /// The time before it in which the server was down.
    pub(super) down: Option<Interval>,
    /// It begins with a server that was killed before, and was up then.
    pub(super) killed: Option<Millis>,
    /// Times of which lines are missing in it.
    pub(super) lost: Vec<LostRun>,
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

/// A time in which the server was up and of which the log has nothing, as it says when it starts again.
#[derive(Debug, Clone, Copy)]
pub(super) struct LostRun {
    pub(super) time: Interval,
    /// When it was up.
    pub(super) last_up: Millis,
}
