//! Servers that start within a file, as in what a container writes: whether what they say of their last end is what the file says.

use super::restart::{STARTS, STOP, is_start};
use super::{LogFile, checkpoints};
use crate::log::file_facts::{LostLines, LostWhy};
use crate::observed_time::NEXT_FILE;
use crate::{Interval, Millis};
use memchr::{memchr, memmem, memrchr};

/// What a server says of itself when it starts, and when it has ended.
const SYSTEM: &[u8] = b"database system ";
/// What every server says of its last end, whichever it was.
const WORDS: &[u8] = b"database system was ";
/// What it says once it is up.
const READY: &[u8] = b"database system is ready ";
/// What no server says that has ended.
const AUTHORIZED: &[u8] = b"connection authorized: user=";
/// The bytes before such a line that are searched for the start of the server.
const REACH: usize = 8 << 10;
/// The lines among them.
const MOST_LINES: usize = 64;
/// Starts of one file that are looked at.
const MOST_STARTS: usize = 4_096;
/// Times of which lines are missing, and that are held.
const MOST_LOST: usize = 64;
/// Times that are said may be of whole seconds.
pub(in crate::log) const SAME: Millis = 1_000;

/// What is known of the starts of a server within a file.
#[derive(Debug, Default)]
pub(super) struct InnerRestarts {
    /// The last bytes that were read.
    recent: Vec<u8>,
    starts: usize,
    /// When the server ended that has not started again so far.
    stopped: Option<Millis>,
    /// Times in which the server was down.
    pub(super) down: Vec<Interval>,
    /// Times in which it was up, of which the file has nothing.
    pub(super) lost: Vec<LostLines>,
}

impl InnerRestarts {
    /// Notes a time of which lines are missing.
    pub(super) fn lose(&mut self, lost: LostLines) {
        if self.lost.len() < MOST_LOST {
            self.lost.push(lost);
        }
    }

    /// Takes the time of a line that only a server writes that is up.
    pub(super) fn is_up(&mut self, at: Millis) {
        // Lines of the same second may have been written before it ended.
        let Some(from) = self.stopped.filter(|stopped| at > *stopped + SAME) else { return };
        self.stopped = None;
        self.lose(LostLines { time: Interval { from, to: at }, why: LostWhy::NoStart });
    }

    fn remember(&mut self, region: &[u8]) {
        if region.len() >= REACH {
            self.recent.clear();
        }
        self.recent.extend_from_slice(region.get(region.len().saturating_sub(REACH)..).unwrap_or_default());
        if self.recent.len() > 2 * REACH {
            let beyond = self.recent.len() - REACH;
            self.recent.drain(..beyond);
        }
    }

    fn before(&self, region: &[u8]) -> Vec<u8> {
        let near = region.get(region.len().saturating_sub(REACH)..).unwrap_or_default();
        let missing = REACH - near.len();
        let recent = self.recent.get(self.recent.len().saturating_sub(missing)..).unwrap_or_default();
        [recent, near].concat()
    }
}

/// What is written before the line in which a server says how it ended.
struct Before {
    /// The last time before the server started.
    until: Millis,
    /// It was written when the server before had ended.
    is_end: bool,
    /// All lines since the start are the server's.
    is_of_server: bool,
}

impl LogFile {
    /// Looks for servers that start, and for checkpoints.
    pub(super) fn find_restarts(&mut self, region: &[u8]) {
        let mut ends = memmem::find_iter(region, SYSTEM).peekable();
        let mut points = memmem::find_iter(region, checkpoints::WORDS).peekable();
        let (mut next, mut read) = (0, 0);
        while let Some(hit) = [ends.peek(), points.peek()].into_iter().flatten().min().copied() {
            let is_end = ends.next_if_eq(&hit).is_some();
            points.next_if_eq(&hit);
            // A line may have the words more than once.
            if hit < next {
                continue;
            }
            let start = region.get(..hit).and_then(|head| memrchr(b'\n', head)).map_or(0, |found| found + 1);
            next = region.get(hit..).and_then(|tail| memchr(b'\n', tail)).map_or(region.len(), |found| hit + found);
            self.find_life(region.get(read..start).unwrap_or_default());
            read = next;
            let line = region.get(start..next).unwrap_or_default();
            if !is_end {
                self.checkpoint(line);
                continue;
            }
            if self.restarts.starts < MOST_STARTS {
                self.restart(region.get(..start).unwrap_or_default(), line);
            }
            self.end_or_start(line);
        }
        self.find_life(region.get(read..).unwrap_or_default());
        self.restarts.remember(region);
    }

    /// Notes that the server has ended, or that it starts again.
    fn end_or_start(&mut self, line: &[u8]) {
        let Some(line) = self.server_line(line) else { return };
        if line.message == STOP {
            self.restarts.stopped = Some(line.at);
        } else if line.message.starts_with(WORDS) {
            self.restarts.stopped = None;
        }
    }

    /// Looks for what follows the end of a server: its next start, or a session that says that lines are missing.
    fn find_life(&mut self, text: &[u8]) {
        let mut rest = text;
        while self.restarts.stopped.is_some() {
            let hits = [AUTHORIZED, STARTS[0], STARTS[1]].map(|words| memmem::find(rest, words));
            let Some(hit) = hits.into_iter().flatten().min() else { return };
            let start = rest.get(..hit).and_then(|head| memrchr(b'\n', head)).map_or(0, |found| found + 1);
            let end = rest.get(hit..).and_then(|tail| memchr(b'\n', tail)).map_or(rest.len(), |found| hit + found);
            let line = rest.get(start..end).unwrap_or_default();
            if self.server_line(line).is_some_and(|line| is_start(&line.message)) {
                self.restarts.stopped = None;
            } else if memmem::find(line, AUTHORIZED).is_some()
                && let Some(at) = self.time_of(line)
            {
                self.restarts.is_up(at);
            }
            rest = rest.get(end..).unwrap_or_default();
        }
    }

    /// Judges what a server says of its last end.
    fn restart(&mut self, before: &[u8], line: &[u8]) {
        let Some((line, last_up)) = self.last_up(line) else { return };
        self.restarts.starts += 1;
        self.checkpoints.restart();
        let Some(before) = self.before_start(&self.restarts.before(before), &line) else { return };
        let silence = Interval { from: before.until, to: line.at.max(before.until) };
        if last_up.at > before.until + SAME {
            // At least the line of its end is not there.
            self.restarts.lose(LostLines { time: silence, why: LostWhy::LastUp(last_up.at) });
        } else if before.is_of_server && (last_up.was_killed && before.is_end || last_up.is_end_near(before.until)) {
            self.restarts.down.push(silence);
        }
    }

    fn before_start(&self, text: &[u8], said: &super::restart::ServerLine) -> Option<Before> {
        let text = text.strip_suffix(b"\n").unwrap_or(text);
        let mut lines = text.rsplit(|byte| *byte == b'\n').filter(|line| !line.is_empty()).take(MOST_LINES).peekable();
        let mut is_of_server = true;
        let has_start = loop {
            let Some(line) = lines.next() else { break false };
            let Some(line) = self.server_line(line) else {
                is_of_server &= self.is_too_early(line) || !self.is_of_a_client(line);
                continue;
            };
            // The server was up before, and started its processes anew because one of them had crashed.
            if line.message.starts_with(WORDS) || line.message.starts_with(READY) {
                break false;
            }
            if is_start(&line.message) {
                // The process that says how it ended is a child of the one that starts.
                is_of_server &= line.key.zip(said.key).is_none_or(|(one, other)| one != other);
                // Before version 12, a server says only where it listens.
                let is_first = |next: &&&[u8]| !self.server_line(next).is_some_and(|line| is_start(&line.message));
                if lines.peek().as_ref().is_none_or(is_first) {
                    break true;
                }
            }
        };
        let mut times = lines.filter_map(|line| Some((self.time_of(line)?, line)));
        let (last, line) = times.next().filter(|_| has_start)?;
        let until = times.map(|(at, _)| at).take(8).fold(last, Millis::max);
        (until <= said.at).then(|| Before { until, is_end: self.is_stop(line), is_of_server })
    }
}

impl super::restart::LastUp {
    /// Whether the server ended when the log did: not much earlier, as where an older copy was restored.
    fn is_end_near(&self, until: Millis) -> bool {
        !self.was_killed && until - self.at <= NEXT_FILE
    }
}
