//! The silence between the lines of one file.

use super::short::find;
use crate::{Interval, Millis};

/// The first line of a server that starts: there was none to write before it, if that is what it says.
const START: &[u8] = b"starting PostgreSQL ";
/// Starts that are held. A silence before more of them is judged as any other.
const MOST_STARTS: usize = 64;

/// The longest times between two lines, as far as lines were read.
#[derive(Debug, Clone, Default)]
pub(super) struct InnerSilence {
    pub(super) longest: Option<Interval>,
    /// The longest one but that.
    pub(super) second: Millis,
    pub(super) steps: usize,
    last: Option<Millis>,
    /// Silences that end with the start of a server.
    starts: Vec<Interval>,
}

impl InnerSilence {
    /// Takes the next line, and when it was written.
    pub(super) fn add(&mut self, at: Millis, line: &[u8]) {
        let Some(last) = self.last.replace(at) else { return };
        self.steps += 1;
        if at - last <= self.second {
            return;
        }
        let silence = Interval { from: last, to: at };
        if self.starts.len() < MOST_STARTS && is_start(line) {
            self.starts.push(silence);
        } else {
            self.note(silence);
        }
    }

    /// Takes the silences before starts too, but for those in which the server is known to have been down.
    pub(super) fn settle(&mut self, down: &[Interval]) {
        for silence in std::mem::take(&mut self.starts) {
            if !down.iter().any(|down| down.from < silence.to && silence.to <= down.to) {
                self.note(silence);
            }
        }
    }

    fn note(&mut self, silence: Interval) {
        let longest = self.longest.map_or(0, |longest| longest.length());
        if silence.length() > longest {
            self.second = longest;
            self.longest = Some(silence);
        } else {
            self.second = self.second.max(silence.length());
        }
    }
}

fn is_start(line: &[u8]) -> bool {
    let end = memchr::memchr(b'\n', line).unwrap_or(line.len());
    line.get(..end).is_some_and(|line| find(line, START).is_some())
}
