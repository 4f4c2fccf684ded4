//! The checkpoints that a server logs: each has a line when it starts and one when it is complete, which says how long it took. Where one
//! of the two is missing, lines are, however short the time.

use super::LogFile;
use crate::log::file_facts::{LostLines, LostWhy};
use crate::{Interval, Millis};

/// What both lines have, also where they are about restartpoints.
pub(super) const WORDS: &[u8] = b"point ";
const STARTING: [&[u8]; 2] = [b"checkpoint starting: ", b"restartpoint starting: "];
const COMPLETE: [&[u8]; 2] = [b"checkpoint complete: wrote ", b"restartpoint complete: wrote "];
const TOTAL: &[u8] = b" total=";
/// Times are measured a little before they are logged.
const SLACK: Millis = 3_000;
/// Before it had so many of them with both lines, the log may not have been told to have them.
const FEWEST: usize = 3;

/// What is known of the checkpoints of a file so far.
#[derive(Debug, Default)]
pub(super) struct Checkpoints {
    /// The last line of one.
    last: Option<Millis>,
    /// When the one in progress started.
    started: Option<Millis>,
    paired: usize,
}

impl Checkpoints {
    /// The server starts again: one that was in progress has no end.
    pub(super) fn restart(&mut self) {
        (self.started, self.last) = (None, None);
    }

    /// Takes the next line. Returns the time of which lines are missing.
    fn take(&mut self, at: Millis, message: &[u8]) -> Option<Interval> {
        let begins = |words: [&[u8]; 2]| words.iter().any(|words| message.starts_with(words));
        if begins(STARTING) {
            let (open, last) = (self.started.replace(at), self.last.replace(at));
            return open.and(self.lost(last, at));
        }
        let total = Some(message).filter(|_| begins(COMPLETE)).and_then(total)?;
        let (open, last) = (self.started.take(), self.last.replace(at));
        if open.is_some_and(|open| (at - total - open).abs() <= SLACK) {
            self.paired += 1;
            return None;
        }
        // The file may begin in the middle of it.
        self.lost(last, at)
    }

    fn lost(&self, last: Option<Millis>, at: Millis) -> Option<Interval> {
        let from = last.filter(|last| self.paired >= FEWEST && *last < at)?;
        Some(Interval { from, to: at })
    }
}

impl LogFile {
    /// Takes a line that may be about a checkpoint.
    pub(super) fn checkpoint(&mut self, line: &[u8]) {
        let Some(line) = self.server_line(line) else { return };
        if [STARTING, COMPLETE].concat().iter().any(|words| line.message.starts_with(words)) {
            self.restarts.is_up(line.at);
        }
        if let Some(time) = self.checkpoints.take(line.at, &line.message) {
            self.restarts.lose(LostLines { time, why: LostWhy::HalfCheckpoint });
        }
    }
}

/// How long it took: `write=269.9 s, sync=0.1 s, total=270.1 s`.
fn total(message: &[u8]) -> Option<Millis> {
    let at = memchr::memmem::find(message, TOTAL)? + TOTAL.len();
    let rest = message.get(at..)?;
    let end = rest.iter().position(|byte| !byte.is_ascii_digit() && *byte != b'.')?;
    let (seconds, millis) = std::str::from_utf8(rest.get(..end)?).ok()?.split_once('.')?;
    let millis: Millis = Some(millis).filter(|digits| digits.len() == 3)?.parse().ok()?;
    Some(seconds.parse::<Millis>().ok()?.checked_mul(1_000)? + millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_without_one_of_its_lines_shows_that_lines_are_missing() {
        let start = |at: Millis| (at, "checkpoint starting: time".to_owned());
        let end = |at: Millis, seconds: Millis| {
            let words = format!(
                "checkpoint complete: wrote 5 buffers (0.0%); write=0.5 s, total={seconds}.004 s; sync files=3"
            );
            (at, words)
        };
        let whole = |at: Millis| [start(at), end(at + 270_010, 270)];
        let of = |lines: Vec<(Millis, String)>| {
            let mut checkpoints = Checkpoints::default();
            let mut take = |(at, words): &(Millis, String)| checkpoints.take(*at, words.as_bytes());
            lines.iter().filter_map(&mut take).collect::<Vec<_>>()
        };
        let three: Vec<_> = (0..3).flat_map(|number| whole(number * 300_000)).collect();
        let with = |more: &[(Millis, String)]| of([&three, more].concat());
        let lost = |from: Millis, to: Millis| vec![Interval { from, to }];
        assert_eq!(with(&whole(900_000)), []);
        assert_eq!(with(&[start(900_000)]), []);
        assert_eq!(with(&[start(900_000), start(1_500_000)]), lost(900_000, 1_500_000));
        assert_eq!(with(&[end(2_000_000, 270)]), lost(870_010, 2_000_000));
        assert_eq!(with(&[start(900_000), end(2_000_000, 270)]), lost(900_000, 2_000_000));
        // Fewer do not say that both lines are logged.
        assert_eq!(of(vec![end(5, 270), start(300_000), start(600_000)]), []);
    }
}
