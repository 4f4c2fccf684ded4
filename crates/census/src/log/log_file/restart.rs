//! A server that starts writes another file, and says until when it ran before: nothing is missing in between.

use super::super::csv;
use super::super::json_record;
use super::super::short::find;
use super::super::wording::is_log_severity;
use super::{LogFile, LogFormat};
use crate::log_time::stamp;
use crate::observed_time::TOLERANCE;
use crate::{Interval, Millis};

/// Lines at the beginning of a file among which a server says that it starts.
const FIRST_LINES: usize = 24;
/// What a server says of its last end if it ended in an orderly way. One that was killed knows only when it wrote to the disk last,
/// and may have served clients long after that.
const ENDS: [&str; 2] = ["database system was shut down at ", "database system was shut down in recovery at "];
/// For how long that is believed.
const LONGEST: Millis = 24 * TOLERANCE;
/// The first line of a server that starts, since version 12.
const START: &[u8] = b"starting PostgreSQL ";
/// What a session logs that has begun before, and that may say anything of the server.
const CONNECTION: &[u8] = b"connection ";

impl LogFile {
    /// The time before the file in which the server was down. Only a file that begins with the start of a server says so: what a
    /// client has logged is in the same words.
    pub(super) fn down_before(&self, sample: &[u8]) -> Option<Interval> {
        let has = |line: &[u8], words: &[u8]| find(line, words).is_some();
        let lines = sample.split(|byte| *byte == b'\n').take(FIRST_LINES);
        let mut lines = lines.take_while(|line| !has(line, CONNECTION)).skip_while(|line| !has(line, START));
        let line = lines.find(|line| ENDS.iter().any(|words| has(line, words.as_bytes())))?;
        self.message_of(line, down)
    }

    /// What `read` makes of the time and the message of a line that the server itself has logged.
    fn message_of<T>(&self, line: &[u8], read: impl Fn(Millis, &[u8]) -> Option<T>) -> Option<T> {
        match self.format {
            LogFormat::Stderr => {
                let split = self.prefixes.iter().find_map(|prefix| prefix.split(line))?;
                let split = Some(split).filter(|split| is_log_severity(split.severity))?;
                read(split.head.at?, split.message)
            }
            LogFormat::Csv => {
                let record = csv::record(line.strip_suffix(b"\r").unwrap_or(line))?;
                let record = Some(record).filter(|one| is_log_severity(&one.severity) && one.user.is_empty())?;
                read(stamp(&record.time)?.at, &record.message)
            }
            LogFormat::Json => json_record::with_record(line, |record| {
                if !is_log_severity(record.error_severity.as_bytes()) || record.user.is_some() {
                    return None;
                }
                read(stamp(record.timestamp.as_bytes())?.at, record.message.as_deref()?.as_bytes())
            })?,
            LogFormat::Sampling | LogFormat::None => None,
        }
    }
}

/// From the last end of the server until this line.
fn down(at: Millis, message: &[u8]) -> Option<Interval> {
    let end = ENDS.iter().find_map(|words| Some(stamp(message.strip_prefix(words.as_bytes())?)?.at))?;
    (0..=LONGEST).contains(&(at - end)).then_some(Interval { from: end, to: at })
}
