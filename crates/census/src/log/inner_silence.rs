//! The silence between the lines of one file.

use super::log_file::STARTS;
use super::short::find;
use crate::observed_time::TOLERANCE;
use crate::{Interval, Millis};

/// Starts that are held. A silence before more of them is judged as any other.
const MOST_STARTS: usize = 64;

/// The longest times between two lines: of all, as far as they were read, and of those about connections, each of which is.
#[derive(Debug, Clone, Default)]
pub(super) struct InnerSilence {
    all: LongestSteps,
    connections: LongestSteps,
    pub(super) steps: usize,
    last: Option<Millis>,
    last_connection: Option<Millis>,
    /// Silences that end with the start of a server.
    starts: Vec<Interval>,
}

/// The longest time between two lines, and the longest one but that.
#[derive(Debug, Clone, Copy, Default)]
struct LongestSteps {
    longest: Option<Interval>,
    second: Millis,
}

impl LongestSteps {
    fn take(&mut self, silence: Interval) {
        let longest = self.longest.map_or(0, |longest| longest.length());
        if silence.length() > longest {
            self.second = longest;
            self.longest = Some(silence);
        } else {
            self.second = self.second.max(silence.length());
        }
    }
}

impl InnerSilence {
    /// The longest silence. Where not every line was read, it may be shorter.
    pub(super) fn longest(&self) -> Option<Interval> {
        self.all.longest
    }

    /// How long the longest silence is at most, and the longest but that.
    pub(super) fn most(&self) -> Option<(Millis, Millis)> {
        let all = self.all.longest?;
        let Some(connections) = self.connections.longest else { return Some((all.length(), self.all.second)) };
        let longest = all.length().min(connections.length());
        // Both are of the same silence, and so the others are not.
        let is_same = connections.contains(&all) || all.contains(&connections);
        let second = if is_same { self.all.second.min(self.connections.second) } else { self.all.second };
        Some((longest, second))
    }

    /// Takes the time of the next line about a connection.
    pub(super) fn add_connection(&mut self, at: Millis) {
        if let Some(last) = self.last_connection.replace(at) {
            self.connections.take(Interval { from: last, to: at.max(last) });
        }
    }

    /// Takes the next line, and when it was written.
    pub(super) fn add(&mut self, at: Millis, line: &[u8]) {
        let Some(last) = self.last.replace(at) else { return };
        self.steps += 1;
        // Nothing of a whole day counts as observed, nor does a clock that jumps.
        if at - last > 24 * TOLERANCE {
            return;
        }
        if at - last <= self.all.second {
            return;
        }
        let silence = Interval { from: last, to: at };
        if self.starts.len() < MOST_STARTS && begins_with_start(line) {
            self.starts.push(silence);
        } else {
            self.all.take(silence);
        }
    }

    /// Takes the silences before starts too, but for those in which the server is known to have been down.
    pub(super) fn settle(&mut self, down: &[Interval]) {
        for silence in std::mem::take(&mut self.starts) {
            if !down.iter().any(|down| down.from < silence.to && silence.to <= down.to) {
                self.all.take(silence);
            }
        }
    }
}

/// Whether a server starts with this line: there was none to write before it, if that is what it says.
fn begins_with_start(line: &[u8]) -> bool {
    let end = memchr::memchr(b'\n', line).unwrap_or(line.len());
    line.get(..end).is_some_and(|line| find(line, STARTS[0]).is_some())
}
