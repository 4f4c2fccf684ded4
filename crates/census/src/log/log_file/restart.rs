//! A server that starts writes another file, and says until when it ran before: nothing is missing in between.

use super::super::csv;
use super::super::json_record;
use super::super::short::find;
use super::{LogFile, LogFormat};
use crate::log_time::stamp;
use crate::observed_time::TOLERANCE;
use crate::{Interval, Millis};

/// Lines at the beginning of a file among which a server says that it starts.
const FIRST_LINES: usize = 24;
/// What a server says of its last end, and for how long it is believed. One that was killed says when it wrote to the disk last.
const ENDS: [(&str, Millis); 3] = [
    ("database system was shut down at ", 24 * TOLERANCE),
    ("database system was shut down in recovery at ", 24 * TOLERANCE),
    ("database system was interrupted; last known up at ", TOLERANCE),
];

impl LogFile {
    /// The time before the file in which the server was down.
    pub(super) fn down_before(&self, sample: &[u8]) -> Option<Interval> {
        let lines = sample.split(|byte| *byte == b'\n').take(FIRST_LINES);
        let mut lines = lines.filter(|line| ENDS.iter().any(|(words, _)| find(line, words.as_bytes()).is_some()));
        lines.find_map(|line| self.message_of(line, down))
    }

    /// What `read` makes of the time and the message of a line.
    fn message_of<T>(&self, line: &[u8], read: impl Fn(Millis, &[u8]) -> Option<T>) -> Option<T> {
        match self.format {
            LogFormat::Stderr => {
                let split = self.prefixes.iter().find_map(|prefix| prefix.split(line))?;
                read(split.head.at?, split.message)
            }
            LogFormat::Csv => {
                let record = csv::record(line.strip_suffix(b"\r").unwrap_or(line))?;
                read(stamp(&record.time)?.at, &record.message)
            }
            LogFormat::Json => json_record::with_record(line, |record| {
                read(stamp(record.timestamp.as_bytes())?.at, record.message.as_deref()?.as_bytes())
            })?,
            LogFormat::Sampling | LogFormat::None => None,
        }
    }
}

/// From the last end of the server until this line.
fn down(at: Millis, message: &[u8]) -> Option<Interval> {
    let (end, most) = ENDS.iter().find_map(|(words, most)| {
        let said = message.strip_prefix(words.as_bytes())?;
        Some((stamp(said)?.at, *most))
    })?;
    (0..=most).contains(&(at - end)).then_some(Interval { from: end, to: at })
}
