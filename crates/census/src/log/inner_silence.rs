//! The silence between the lines of one file.

use super::short::find;
use crate::{Interval, Millis};

/// The first line of a server that starts: before it there was none to write.
const START: &[u8] = b"starting PostgreSQL ";

/// The longest times between two lines, as far as lines were read.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct InnerSilence {
    pub(super) longest: Option<Interval>,
    /// The longest one but that.
    pub(super) second: Millis,
    pub(super) steps: usize,
    last: Option<Millis>,
}

impl InnerSilence {
    /// Takes the next line, and when it was written.
    pub(super) fn add(&mut self, at: Millis, line: &[u8]) {
        let Some(last) = self.last.replace(at) else { return };
        let length = at - last;
        let longest = self.longest.map_or(0, |longest| longest.length());
        self.steps += 1;
        if length <= self.second || is_start(line) {
            return;
        }
        if length > longest {
            self.second = longest;
            self.longest = Some(Interval { from: last, to: at });
        } else {
            self.second = length;
        }
    }
}

fn is_start(line: &[u8]) -> bool {
    let end = memchr::memchr(b'\n', line).unwrap_or(line.len());
    line.get(..end).is_some_and(|line| find(line, START).is_some())
}
