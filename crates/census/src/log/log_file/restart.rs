//! A server that starts writes another file, and says until when it ran before: nothing is missing in between.

use super::super::csv;
use super::super::json_record::{self, JsonRecord};
use super::super::prefix::SessionKey;
use super::super::short::find;
use super::super::syslog_chunk::is_later_piece;
use super::super::wording::is_log_severity;
use super::{LogFile, LogFormat};
use crate::log_time::{LeadingTime, stamp};
use crate::observed_time::TOLERANCE;
use crate::{Interval, Millis};

/// Lines at the beginning of a file among which a server says that it starts.
const FIRST_LINES: usize = 24;
/// What a server says of its last end if it ended in an orderly way. One that was killed knows only when it wrote to the disk last,
/// and may have served clients long after that.
const ENDS: [&[u8]; 2] = [b"database system was shut down at ", b"database system was shut down in recovery at "];
/// What a server says that was killed, with when it wrote to the disk last.
const KILLED: [&[u8]; 2] = [
    b"database system was interrupted; last known up at ",
    b"database system shutdown was interrupted; last known up at ",
];
/// For how long that is believed.
const LONGEST: Millis = 24 * TOLERANCE;
/// The first line of a server that starts, since version 12 and before.
pub(in crate::log) const STARTS: [&[u8]; 2] = [b"starting PostgreSQL ", b"listening on "];
/// The last line of a server that ends.
pub(super) const STOP: &[u8] = b"database system is shut down";
/// What it tells clients that come too early.
const TOO_EARLY: [&[u8]; 2] = [b"the database system is starting up", b"the database system is not yet accepting"];
/// What a session logs that has begun before, and that may say anything of the server.
const CONNECTION: &[u8] = b"connection ";

/// That a file begins with the start of a server.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ServerStart {
    /// The time before the file in which the server was down.
    pub(super) down: Option<Interval>,
    /// Until when it was up at least, where it was killed before.
    pub(super) killed: Option<Millis>,
}

/// Until when a server was up.
#[derive(Debug, Clone, Copy)]
pub(super) struct LastUp {
    pub(super) at: Millis,
    /// It may have been up for longer.
    pub(super) was_killed: bool,
}

/// What the server itself has logged.
pub(super) struct ServerLine {
    pub(super) at: Millis,
    is_zone_known: bool,
    pub(super) key: Option<SessionKey>,
    pub(super) message: Vec<u8>,
}

impl ServerLine {
    fn new(stamp: LeadingTime, key: Option<SessionKey>, message: &[u8]) -> Self {
        Self { at: stamp.at, is_zone_known: stamp.zone_known, key, message: message.to_vec() }
    }
}

impl LogFile {
    /// The start of a server with which the file begins. What a client has logged is in the same words: but it is all of one process, and
    /// the server puts where it came from, or the statement, behind it.
    pub(super) fn start_of(&self, sample: &[u8]) -> Option<ServerStart> {
        let lines = sample.split(|byte| *byte == b'\n').take(FIRST_LINES).filter(|line| !line.is_empty());
        let mut lines = lines.take_while(|line| find(line, CONNECTION).is_none());
        let first = lines.find_map(|line| self.server_line(line).filter(|line| is_start(&line.message)))?;
        let mut start = None;
        for line in lines {
            if self.is_too_early(line) {
                continue;
            }
            let Some(line) = self.server_line(line) else { return start.filter(|_| !self.is_of_a_client(line)) };
            let start = start.get_or_insert_with(ServerStart::default);
            let Some(last_up) = last_up(&line) else { continue };
            if last_up.was_killed {
                start.killed = Some(last_up.at);
                continue;
            }
            // The process that says so is a child of the one that starts.
            let is_another = line.key.zip(first.key).is_none_or(|(one, other)| one != other);
            start.down = down(last_up.at, line.at);
            start.down = start.down.filter(|_| is_another && first.message.starts_with(STARTS[0]));
            return Some(*start);
        }
        start
    }

    /// A line in which a server says how it ended last.
    pub(super) fn last_up(&self, line: &[u8]) -> Option<(ServerLine, LastUp)> {
        let line = self.server_line(line)?;
        let last_up = last_up(&line)?;
        Some((line, last_up))
    }

    /// Whether a line that is none of the server belongs to what a client has logged.
    pub(super) fn is_of_a_client(&self, line: &[u8]) -> bool {
        match self.format {
            LogFormat::Stderr => line.starts_with(b"\t") || self.prefixes.iter().any(|one| one.split(line).is_some()),
            _ => true,
        }
    }

    pub(super) fn is_too_early(&self, line: &[u8]) -> bool {
        let is_it = |message: &[u8]| TOO_EARLY.iter().any(|words| message.starts_with(words));
        match self.format {
            LogFormat::Stderr => {
                self.prefixes.iter().find_map(|prefix| prefix.split(line)).is_some_and(|split| is_it(split.message))
            }
            LogFormat::Csv => csv::record(line).is_some_and(|record| is_it(&record.message)),
            LogFormat::Json => {
                let message =
                    |record: &JsonRecord<'_>| record.message.as_deref().is_some_and(|text| is_it(text.as_bytes()));
                json_record::with_record(line, message).unwrap_or_default()
            }
            LogFormat::Sampling | LogFormat::None => false,
        }
    }

    /// Whether a line is the last one of a server that ends.
    pub(super) fn is_stop(&self, line: &[u8]) -> bool {
        self.server_line(line).is_some_and(|line| line.message == STOP)
    }

    /// A line that the server itself has logged, as far as the format tells.
    pub(super) fn server_line(&self, line: &[u8]) -> Option<ServerLine> {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        match self.format {
            LogFormat::Stderr if is_later_piece(&self.prefixes, line) => None,
            LogFormat::Stderr => {
                let split = self.prefixes.iter().find_map(|prefix| prefix.split(line))?;
                let is_client = split.head.user.is_some_and(|user| !user.is_empty());
                let split = Some(split).filter(|split| is_log_severity(split.severity) && !is_client)?;
                let (at, is_zone_known) = (split.head.at?, !split.head.is_zone_unknown);
                Some(ServerLine { at, is_zone_known, key: split.head.key, message: split.message.to_vec() })
            }
            LogFormat::Csv => {
                let record = csv::record(line)?;
                let record = Some(record).filter(|one| is_log_severity(&one.severity) && one.user.is_empty())?;
                let key = SessionKey::parse(&record.session);
                Some(ServerLine::new(stamp(&record.time)?, key, &record.message))
            }
            LogFormat::Json => json_record::with_record(line, |record| {
                if !is_log_severity(record.error_severity.as_bytes()) || record.user.is_some() {
                    return None;
                }
                let key = record.session_id.as_deref().and_then(|id| SessionKey::parse(id.as_bytes()));
                Some(ServerLine::new(stamp(record.timestamp.as_bytes())?, key, record.message.as_deref()?.as_bytes()))
            })?,
            LogFormat::Sampling | LogFormat::None => None,
        }
    }
}

/// Whether it is the first line of a server that starts.
pub(super) fn is_start(message: &[u8]) -> bool {
    STARTS.iter().any(|words| message.starts_with(words))
}

/// Until when a server was up, as it says when it starts.
fn last_up(line: &ServerLine) -> Option<LastUp> {
    let behind = |words: &[&[u8]]| words.iter().find_map(|words| line.message.strip_prefix(*words)).and_then(stamp);
    let ended = behind(&ENDS).map(|end| (end, false)).or_else(|| Some((behind(&KILLED)?, true)));
    // Two times of which the zone is not known may still be compared.
    let (end, was_killed) = ended.filter(|(end, _)| end.zone_known == line.is_zone_known)?;
    Some(LastUp { at: end.at, was_killed })
}

/// From the last end of the server until the line that says so.
fn down(end: Millis, at: Millis) -> Option<Interval> {
    (0..=LONGEST).contains(&(at - end)).then_some(Interval { from: end, to: at })
}
