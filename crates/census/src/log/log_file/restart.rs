//! A server that starts writes another file, and says until when it ran before: nothing is missing in between.

use super::super::csv;
use super::super::json_record;
use super::super::prefix::SessionKey;
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
const ENDS: [&[u8]; 2] = [b"database system was shut down at ", b"database system was shut down in recovery at "];
/// What a server says that was killed.
const KILLED: &[u8] = b"database system was interrupted; last known up at ";
/// For how long that is believed.
const LONGEST: Millis = 24 * TOLERANCE;
/// The first line of a server that starts, since version 12 and before.
const STARTS: [&[u8]; 2] = [b"starting PostgreSQL ", b"listening on "];
/// The last line of a server that ends.
const STOP: &[u8] = b"database system is shut down";
/// What a session logs that has begun before, and that may say anything of the server.
const CONNECTION: &[u8] = b"connection ";

/// That a file begins with the start of a server.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ServerStart {
    /// The time before the file in which the server was down.
    pub(super) down: Option<Interval>,
    /// It was not ended in an orderly way before.
    pub(super) was_killed: bool,
}

/// What the server itself has logged.
struct ServerLine {
    at: Millis,
    key: Option<SessionKey>,
    message: Vec<u8>,
}

impl LogFile {
    /// The start of a server with which the file begins. What a client has logged is in the same words: but it is all of one process, and
    /// the server puts where it came from, or the statement, behind it.
    pub(super) fn start_of(&self, sample: &[u8]) -> Option<ServerStart> {
        let lines = sample.split(|byte| *byte == b'\n').take(FIRST_LINES).filter(|line| !line.is_empty());
        let mut lines = lines.take_while(|line| find(line, CONNECTION).is_none());
        let begins = |line: &ServerLine| STARTS.iter().any(|words| line.message.starts_with(words));
        let first = lines.find_map(|line| self.server_line(line).filter(begins))?;
        let mut start = None;
        for line in lines {
            let Some(line) = self.server_line(line) else { return start.filter(|_| !self.is_of_a_client(line)) };
            let start = start.get_or_insert_with(ServerStart::default);
            start.was_killed |= line.message.starts_with(KILLED);
            let Some(words) = ENDS.iter().find(|words| line.message.starts_with(words)) else { continue };
            // The process that says so is a child of the one that starts.
            let is_another = line.key.zip(first.key).is_none_or(|(one, other)| one != other);
            start.down = line.message.get(words.len()..).and_then(stamp).and_then(|end| down(end.at, line.at));
            start.down = start.down.filter(|_| is_another && first.message.starts_with(STARTS[0]));
            return Some(*start);
        }
        start
    }

    /// Whether a line that is none of the server belongs to what a client has logged.
    fn is_of_a_client(&self, line: &[u8]) -> bool {
        match self.format {
            LogFormat::Stderr => line.starts_with(b"\t") || self.prefixes.iter().any(|one| one.split(line).is_some()),
            _ => true,
        }
    }

    /// Whether a line is the last one of a server that ends.
    pub(super) fn is_stop(&self, line: &[u8]) -> bool {
        self.server_line(line).is_some_and(|line| line.message == STOP)
    }

    /// A line that the server itself has logged, as far as the format tells.
    fn server_line(&self, line: &[u8]) -> Option<ServerLine> {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        match self.format {
            LogFormat::Stderr => {
                let split = self.prefixes.iter().find_map(|prefix| prefix.split(line))?;
                let is_client = split.head.user.is_some_and(|user| !user.is_empty());
                let split = Some(split).filter(|split| is_log_severity(split.severity) && !is_client)?;
                Some(ServerLine { at: split.head.at?, key: split.head.key, message: split.message.to_vec() })
            }
            LogFormat::Csv => {
                let record = csv::record(line)?;
                let record = Some(record).filter(|one| is_log_severity(&one.severity) && one.user.is_empty())?;
                let key = SessionKey::parse(&record.session);
                Some(ServerLine { at: stamp(&record.time)?.at, key, message: record.message.to_vec() })
            }
            LogFormat::Json => json_record::with_record(line, |record| {
                if !is_log_severity(record.error_severity.as_bytes()) || record.user.is_some() {
                    return None;
                }
                let key = record.session_id.as_deref().and_then(|id| SessionKey::parse(id.as_bytes()));
                let message = record.message.as_deref()?.as_bytes().to_vec();
                Some(ServerLine { at: stamp(record.timestamp.as_bytes())?.at, key, message })
            })?,
            LogFormat::Sampling | LogFormat::None => None,
        }
    }
}

/// From the last end of the server until the line that says so.
fn down(end: Millis, at: Millis) -> Option<Interval> {
    (0..=LONGEST).contains(&(at - end)).then_some(Interval { from: end, to: at })
}
