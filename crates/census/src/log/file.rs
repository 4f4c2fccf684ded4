//! One log file: what format it has, its lines, its time.

use super::LogEnd;
use super::columns::Columns;
use super::csv;
use super::infer::infer;
use super::join::{ConnectionTally, Joiner, LineFacts, session_id, text};
use super::json;
use super::message::{ConnectionOrigin, LogMessage, parse};
use super::prefix::{Prefix, SessionKey};
use super::unread::{Unread, each_candidate, has_message_inside, is_of_a_language, is_whole_format};
use super::wording::{NEEDLES, find_piece, is_log_severity, is_severity};
use crate::refused::RefusedKey;
use crate::time::stamp;
use crate::{Backend, Census, Coverage, Millis, MissingReason, Source};
use memchr::{memchr, memchr_iter, memmem, memrchr};
use std::borrow::Cow;

/// Bytes by which the format is found out.
const SAMPLE: usize = 64 << 10;
/// Bytes after which a file without a line of a log is none. A statement of a megabyte may come first.
const MOST_SAMPLE: usize = 4 << 20;
/// The longest line or record that is held. A message about a connection is far shorter.
const LONGEST_LINE: usize = 1 << 20;
/// How often the time is read, in bytes.
const STRIDE: usize = 4 << 10;
/// Times of two readings that are further apart than this make the lines between them worth reading.
const LEAP: Millis = 60 * 60 * 1_000;
/// What was written for so long without a single connection was written without `log_connections`.
pub(super) const DAY: Millis = 23 * LEAP;
/// Prefixes of one file, when its configuration was changed in the middle.
const MOST_PREFIXES: usize = 8;

/// Where the lines go.
pub(super) struct LineSink<'a> {
    pub(super) census: &'a mut Census,
    pub(super) joiner: &'a mut Joiner,
}

#[derive(Debug)]
enum Format {
    /// Not known yet.
    Sampling,
    Stderr,
    Csv,
    Json,
    /// Nothing of this is a log.
    None,
}

/// A file that is being read.
#[derive(Debug)]
pub(super) struct LogFile {
    source: usize,
    format: Format,
    /// The prefix that was given, or those that were found.
    prefixes: Vec<Prefix>,
    is_prefix_given: bool,
    sample: Vec<u8>,
    /// The beginning of a line whose end has not come yet.
    carry: Vec<u8>,
    /// The line in `carry` is too long: its rest is left out.
    is_skipping: bool,
    /// An odd number of quotation marks was seen: the record continues after the line break.
    is_quoted: bool,
    /// Whether the last record of csvlog is not whole.
    is_cut: bool,
    /// The record of csvlog whose lines have come so far.
    record: Vec<u8>,
    /// That record is too long: its rest is left out.
    is_skipping_record: bool,
    coverage: Coverage,
    last_time: Option<Millis>,
    since_time: usize,
    bytes: u64,
    long_lines: u64,
    unread: Unread,
    other_prefix: u64,
    is_zone_unknown: bool,
    settings: Vec<String>,
    before: Option<ConnectionTally>,
}

impl LogFile {
    pub(super) fn new(source: usize, prefix: Option<Prefix>) -> Self {
        Self {
            source,
            format: Format::Sampling,
            is_prefix_given: prefix.is_some(),
            prefixes: prefix.into_iter().collect(),
            sample: Vec::new(),
            carry: Vec::new(),
            is_skipping: false,
            is_quoted: false,
            is_cut: false,
            record: Vec::new(),
            is_skipping_record: false,
            coverage: Coverage::default(),
            last_time: None,
            since_time: 0,
            bytes: 0,
            long_lines: 0,
            unread: Unread::default(),
            other_prefix: 0,
            is_zone_unknown: false,
            settings: Vec::new(),
            before: None,
        }
    }

    pub(super) fn feed(&mut self, bytes: &[u8], sink: &mut LineSink<'_>) {
        self.before.get_or_insert(sink.joiner.tally);
        self.bytes += bytes.len() as u64;
        if !matches!(self.format, Format::Sampling) {
            return self.chunk(bytes, sink);
        }
        self.sample.extend_from_slice(bytes);
        if self.sample.len() >= SAMPLE && self.find_out(self.sample.len() >= MOST_SAMPLE) {
            let sample = std::mem::take(&mut self.sample);
            self.chunk(&sample, sink);
        }
    }

    /// Finds out the format; says whether it did.
    fn find_out(&mut self, is_last: bool) -> bool {
        // Editors of Windows begin a file with a byte order mark.
        if self.sample.starts_with(b"\xef\xbb\xbf") {
            self.sample.drain(..3);
        }
        let lines = self.sample.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        // The first line may be the rest of one.
        for line in lines.clone().take(4) {
            if line.starts_with(b"{")
                && json::with_record(line, |record| stamp(record.timestamp.as_bytes())).flatten().is_some()
            {
                self.format = Format::Json;
                return true;
            }
            let is_csv = |line| csv::record(line).is_some_and(|record| stamp(&record.time).is_some());
            if is_csv(line.strip_suffix(b"\r").unwrap_or(line)) {
                self.format = Format::Csv;
                return true;
            }
        }
        if self.prefixes.is_empty() {
            self.prefixes.extend(infer(&self.sample));
        } else if !lines.clone().any(|line| self.prefixes.iter().any(|prefix| prefix.split(line).is_some())) {
            // The given prefix fits no line. Whether it is a log at all says the message at the end.
            if infer(&self.sample).is_none() && is_last {
                self.format = Format::None;
                return true;
            }
        }
        if !self.prefixes.is_empty() {
            self.format = Format::Stderr;
            return true;
        }
        if is_last {
            self.format = Format::None;
        }
        is_last
    }

    /// Takes bytes of which the format is known.
    fn chunk(&mut self, bytes: &[u8], sink: &mut LineSink<'_>) {
        if matches!(self.format, Format::None) {
            return;
        }
        let mut rest = bytes;
        if self.is_skipping || !self.carry.is_empty() {
            let Some(end) = memchr(b'\n', rest) else { return self.hold(rest) };
            let (line, behind) = rest.split_at(end + 1);
            self.hold(line);
            rest = behind;
            if self.is_skipping {
                self.is_skipping = false;
                self.carry.clear();
            } else {
                let carry = std::mem::take(&mut self.carry);
                self.region(&carry, sink);
            }
        }
        let Some(last) = memrchr(b'\n', rest) else { return self.hold(rest) };
        let (region, tail) = rest.split_at(last + 1);
        self.region(region, sink);
        self.hold(tail);
    }

    /// Holds the beginning of a line.
    fn hold(&mut self, part: &[u8]) {
        if !self.is_skipping && self.carry.len() + part.len() > LONGEST_LINE {
            self.is_skipping = true;
            self.long_lines += 1;
            self.unread.begin_skipping();
            if matches!(self.format, Format::Csv) {
                self.is_quoted ^= is_odd(&self.carry);
                self.unread.skip(&std::mem::take(&mut self.record));
            }
            self.unread.skip(&std::mem::take(&mut self.carry));
        }
        if self.is_skipping {
            self.unread.skip(part);
            if matches!(self.format, Format::Csv) {
                self.is_quoted ^= is_odd(part);
            }
        } else {
            self.carry.extend_from_slice(part);
        }
    }

    /// Takes whole lines.
    fn region(&mut self, region: &[u8], sink: &mut LineSink<'_>) {
        // PostgreSQL writes no NUL: bytes were lost, and a line may hide among them.
        self.unread.records += u64::from(memchr(0, region).is_some());
        match self.format {
            Format::Stderr => {
                self.read_times(region);
                each_hit(region, |line| self.stderr_line(line, sink.census, sink.joiner));
                each_candidate(region, b'\n', |line| self.foreign_stderr_line(line, sink.joiner));
            }
            Format::Json => {
                self.read_times(region);
                each_hit(region, |line| self.json_line(line, sink.census, sink.joiner));
                each_escaped(region, |line| self.json_line(line, sink.census, sink.joiner));
                each_candidate(region, b'"', |line| self.foreign_json_line(line, sink.joiner));
            }
            Format::Csv => self.csv_lines(region, sink),
            Format::Sampling | Format::None => {}
        }
    }

    /// Reads the time of some lines, and of all where it leaps.
    fn read_times(&mut self, region: &[u8]) {
        let mut from = 0;
        for at in (0..region.len()).step_by(STRIDE).chain([region.len()]) {
            // The last whole line that begins before `at`; at 0 the first.
            let head = region.get(..at.saturating_sub(1)).unwrap_or_default();
            let start = memrchr(b'\n', head).map_or(0, |found| found + 1);
            if start < from {
                continue;
            }
            let Some(time) = region.get(start..).and_then(|line| self.time_of(line)) else { continue };
            if self.last_time.is_some_and(|last| (time - last).abs() > LEAP) {
                let between = region.get(from..start).unwrap_or_default();
                for line in between.split(|byte| *byte == b'\n') {
                    if let Some(time) = self.time_of(line) {
                        self.coverage.observe(time);
                    }
                }
            }
            self.observe(time);
            from = start;
        }
    }

    fn observe(&mut self, time: Millis) {
        self.coverage.observe(time);
        self.last_time = Some(time);
    }

    fn time_of(&self, line: &[u8]) -> Option<Millis> {
        match self.format {
            Format::Stderr => self.prefixes.iter().find_map(|prefix| prefix.time(first_line(line))),
            Format::Json => stamp(line.strip_prefix(b"{\"timestamp\":\"")?).map(|stamp| stamp.at),
            Format::Csv => stamp(line).map(|stamp| stamp.at),
            Format::Sampling | Format::None => None,
        }
    }

    fn stderr_line(&mut self, line: &[u8], census: &mut Census, joiner: &mut Joiner) {
        // The server puts a tab before each line of a message that goes on: whatever it holds is somebody's text. But a line
        // break can be lost behind it, and a log can be indented: a whole message there may be the server's.
        if let Some(text) = line.strip_prefix(b"\t") {
            let whole = self.prefixes.iter().find_map(|prefix| prefix.split(text));
            let is_whole = whole.is_some_and(|one| parse(one.severity, one.message, Columns::default()).is_some());
            self.unread.glued += u64::from(is_whole || has_message_inside(text, None));
            return;
        }
        let Some(split) = self.prefixes.iter().find_map(|prefix| prefix.split(line)) else {
            if NEEDLES.is_match(line) {
                self.other_prefix(line, census, joiner);
            }
            return;
        };
        let columns = Columns { user: split.head.user, database: split.head.database };
        let message = parse(split.severity, split.message, columns);
        if has_message_inside(split.message, message.as_ref()) {
            self.unread.glued += 1;
            if message == Some(LogMessage::Damaged) {
                return;
            }
        }
        let Some(message) = message else {
            if is_log_severity(split.severity) && is_of_a_language(split.message) {
                self.foreign(joiner);
            }
            return;
        };
        self.is_zone_unknown |= split.head.is_zone_unknown;
        let host = split
            .head
            .host
            .map(|host| if host == b"[local]" { ConnectionOrigin::Local } else { ConnectionOrigin::Host(host) });
        let line = LineFacts {
            at: split.head.at,
            // A name may have made up the key too.
            key: split.head.key.filter(|_| !split.is_ambiguous),
            origin: host,
            application: None,
            is_ambiguous: split.is_ambiguous,
            has_fields: false,
            source: self.source,
        };
        self.take(line, &message, census, joiner);
    }

    /// A line about connections that has another prefix: the configuration was changed, unless a prefix was given.
    fn other_prefix(&mut self, line: &[u8], census: &mut Census, joiner: &mut Joiner) {
        // A line that only quotes such a message does not begin like one.
        let is_message = |prefix: &Prefix| {
            let split = prefix.split(line);
            split.is_some_and(|split| parse(split.severity, split.message, Columns::default()).is_some())
        };
        let Some(prefix) = infer(line).filter(is_message) else {
            self.unread.records += 1;
            return;
        };
        if self.is_prefix_given || self.prefixes.len() >= MOST_PREFIXES {
            self.other_prefix += 1;
        } else {
            self.prefixes.push(prefix);
            self.stderr_line(line, census, joiner);
        }
    }

    fn json_line(&mut self, line: &[u8], census: &mut Census, joiner: &mut Joiner) {
        let read = json::with_record(line, |record| {
            let message = record.message.as_deref().unwrap_or_default().as_bytes();
            let bytes = |field: &Option<Cow<'_, str>>| field.as_deref().map(|text| text.as_bytes().to_vec());
            let (user, database) = (bytes(&record.user), bytes(&record.dbname));
            let columns = Columns { user: user.as_deref(), database: database.as_deref() };
            let severity = record.error_severity.as_bytes();
            let Some(message) = parse(severity, message, columns) else {
                self.unread.records += u64::from(!is_severity_of_others(severity) && is_message(message));
                return;
            };
            let session = record.session_id.as_deref().and_then(|id| SessionKey::parse(id.as_bytes()));
            let host = record.remote_host.as_deref().map(|host| match record.remote_port {
                None if host == "[local]" => ConnectionOrigin::Local,
                _ => ConnectionOrigin::Host(host.as_bytes()),
            });
            let application = bytes(&record.application_name);
            let at = stamp(record.timestamp.as_bytes()).map(|stamp| {
                self.is_zone_unknown |= !stamp.zone_known;
                stamp.at
            });
            let line = LineFacts {
                at,
                key: session.or(record.pid.map(SessionKey::of_pid)),
                origin: host,
                application: application.as_deref(),
                is_ambiguous: false,
                has_fields: true,
                source: self.source,
            };
            self.take(line, &message, census, joiner);
        });
        self.unread.records += u64::from(read.is_none());
    }

    fn csv_lines(&mut self, region: &[u8], sink: &mut LineSink<'_>) {
        for line in region.split_inclusive(|byte| *byte == b'\n') {
            // Inside of a quoted field every quotation mark is doubled, so a line that is a whole record there can only
            // mean that the record before it was cut off.
            if self.is_quoted && is_whole_record(line) {
                self.unread.records += 1;
                self.record.clear();
                self.is_quoted = false;
                self.is_skipping_record = false;
            }
            let was_inside = self.is_quoted;
            self.is_quoted ^= is_odd(line);
            if !was_inside && !self.is_quoted {
                self.csv_record(line, sink);
                continue;
            }
            if !self.is_skipping_record && self.record.len() + line.len() > LONGEST_LINE {
                self.is_skipping_record = true;
                self.long_lines += 1;
                self.unread.begin_skipping();
                self.unread.skip(&std::mem::take(&mut self.record));
            }
            if self.is_skipping_record {
                self.unread.skip(line);
                self.is_skipping_record = self.is_quoted;
                continue;
            }
            self.record.extend_from_slice(line);
            if !self.is_quoted {
                let record = std::mem::take(&mut self.record);
                self.csv_record(&record, sink);
            }
        }
    }

    fn csv_record(&mut self, record: &[u8], sink: &mut LineSink<'_>) {
        self.since_time += record.len();
        if self.last_time.is_none() || self.since_time >= STRIDE {
            self.since_time = 0;
            if let Some(time) = self.time_of(record) {
                self.observe(time);
            }
        }
        if !NEEDLES.is_match(record) {
            return each_candidate(record, b'"', |_| self.foreign_csv_record(record, sink.joiner));
        }
        let Some(fields) = csv::record(without_end(record)) else {
            self.unread.records += 1;
            return;
        };
        let columns = Columns { user: Some(&fields.user), database: Some(&fields.database) };
        let Some(message) = parse(&fields.severity, &fields.message, columns) else {
            let is_unknown = !is_severity_of_others(&fields.severity) && is_message(&fields.message);
            self.unread.records += u64::from(is_unknown);
            return;
        };
        let pid = std::str::from_utf8(&fields.pid).ok().and_then(|pid| pid.parse().ok());
        let at = stamp(&fields.time).map(|stamp| {
            self.is_zone_unknown |= !stamp.zone_known;
            stamp.at
        });
        if let Some(at) = at {
            self.observe(at);
        }
        let host = match &*fields.from {
            b"" => None,
            b"[local]" => Some(ConnectionOrigin::Local),
            from => Some(ConnectionOrigin::Host(memrchr(b':', from).and_then(|at| from.get(..at)).unwrap_or(from))),
        };
        let line = LineFacts {
            at,
            key: SessionKey::parse(&fields.session).or(pid.map(SessionKey::of_pid)),
            origin: host,
            application: Some(&*fields.application).filter(|name| !name.is_empty()),
            is_ambiguous: false,
            has_fields: true,
            source: self.source,
        };
        self.take(line, &message, sink.census, sink.joiner);
    }

    /// A line that ends as a message does which has no known words.
    fn foreign_stderr_line(&mut self, line: &[u8], joiner: &mut Joiner) {
        if line.first() == Some(&b'\t') || NEEDLES.is_match(line) {
            return;
        }
        let is_foreign = match self.prefixes.iter().find_map(|prefix| prefix.split(line)) {
            Some(split) => is_log_severity(split.severity) && is_of_a_language(split.message),
            // A severity that is not known either.
            None => is_whole_format(line),
        };
        if is_foreign {
            self.foreign(joiner);
        }
    }

    fn foreign_json_line(&mut self, line: &[u8], joiner: &mut Joiner) {
        let is_foreign = |record: &json::JsonRecord<'_>| {
            let message = record.message.as_deref().unwrap_or_default().as_bytes();
            !is_severity_of_others(record.error_severity.as_bytes()) && is_of_a_language(message)
        };
        if !NEEDLES.is_match(line) && json::with_record(line, is_foreign) == Some(true) {
            self.foreign(joiner);
        }
    }

    fn foreign_csv_record(&mut self, record: &[u8], joiner: &mut Joiner) {
        let Some(fields) = csv::record(without_end(record)) else { return };
        if !is_severity_of_others(&fields.severity) && is_of_a_language(&fields.message) {
            self.foreign(joiner);
        }
    }

    fn foreign(&mut self, joiner: &mut Joiner) {
        self.unread.foreign += 1;
        joiner.tally.foreign += 1;
    }

    fn take(&mut self, line: LineFacts<'_>, message: &LogMessage<'_>, census: &mut Census, joiner: &mut Joiner) {
        if let Some(at) = line.at {
            self.observe(at);
        }
        match message {
            // A name in the prefix imitates the end of the prefix: these two say nothing then that could be believed.
            LogMessage::Received(_) | LogMessage::Disconnected(_) | LogMessage::Refused(_) if line.is_ambiguous => {}
            LogMessage::Received(origin) => joiner.received(line, *origin, census),
            LogMessage::Authorized(authorized) => joiner.authorized(line, authorized, census),
            LogMessage::Disconnected(parting) => joiner.disconnected(line, parting.as_ref(), census),
            LogMessage::Refused(refused) => {
                let key = RefusedKey {
                    user: refused.user.map(text),
                    database: refused.database.map(text),
                    address: Some(text(refused.host)),
                    backend: if refused.is_replication { Backend::Replication } else { Backend::Client },
                };
                census.add_refused(key, session_id(line.key, line.at), line.at);
            }
            LogMessage::Damaged => self.unread.records += 1,
            LogMessage::Setting(value) => {
                let value = match *value {
                    b"" => "off, its default".to_owned(),
                    value => String::from_utf8_lossy(value).into_owned(),
                };
                if !logs_authorization(&value) && self.settings.len() < 4 {
                    self.settings.push(value);
                }
            }
        }
    }

    /// Ends the file, and notes what it lacks.
    pub(super) fn end(mut self, end: LogEnd, sink: &mut LineSink<'_>) {
        let before = *self.before.get_or_insert(sink.joiner.tally);
        if matches!(self.format, Format::Sampling) {
            self.find_out(true);
            let sample = std::mem::take(&mut self.sample);
            self.chunk(&sample, sink);
        }
        // The last line need not end. A half one is no line of a log.
        if !self.is_skipping && !self.carry.is_empty() {
            let mut line = std::mem::take(&mut self.carry);
            if end == LogEnd::Whole {
                let is_record = self.is_quoted || csv::record(line.strip_suffix(b"\r").unwrap_or(&line)).is_some();
                self.is_cut = !is_record;
                line.push(b'\n');
                self.region(&line, sink);
            }
        }
        if matches!(self.format, Format::Csv) && (self.is_quoted || self.is_cut) {
            self.unread.records += 1;
        }
        self.coverage.close();
        let after = sink.joiner.tally;
        let (bytes, format) = (self.bytes, self.describe());
        let Some(source) = sink.census.source_mut(self.source) else { return };
        source.format = format;
        if let LogEnd::Broken(why) = end {
            source.lacks(MissingReason::Truncated, format!("reading stopped before the end: {why}"));
        }
        if bytes == 0 {
            return source.lacks(MissingReason::Empty, "the file is empty");
        }
        self.note(source, before, after);
        source.coverage = self.coverage;
    }

    fn note(&self, source: &mut Source, before: ConnectionTally, after: ConnectionTally) {
        if matches!(self.format, Format::None) {
            return source.lacks(MissingReason::NotALog, "it contains no line of a PostgreSQL log");
        }
        let authorized = after.authorized - before.authorized;
        if let Some(value) = self.settings.first() {
            let detail = format!("log_connections was set to '{value}': connections after that are not in the log");
            source.lacks(MissingReason::LogConnectionsOff, detail);
        } else if authorized == 0
            && self.unread.foreign == 0
            && (after.disconnected > before.disconnected || self.coverage.observed() > DAY)
        {
            let detail = "no line says that a connection was authorized: log_connections is off";
            source.lacks(MissingReason::LogConnectionsOff, detail);
        }
        if self.other_prefix > 0 {
            let detail = format!("{} about connections without the prefix", counted(self.other_prefix, "line"));
            source.lacks(MissingReason::MixedPrefixes, detail);
        }
        self.unread.note(source);
        if matches!(self.format, Format::Stderr) {
            if !self.prefixes.iter().all(Prefix::has_time) {
                source
                    .lacks(MissingReason::NoTime, "lines do not say when they were written: log_line_prefix lacks %m");
            }
            if !self.prefixes.iter().all(Prefix::has_key) {
                let detail = "lines do not say which session they are of: log_line_prefix lacks %c and %p";
                source.lacks(MissingReason::NoSession, detail);
            }
        }
        let spans = self.coverage.spans().len();
        if spans > 1 {
            let gaps = spans - 1;
            let plural = if gaps == 1 { "time" } else { "times" };
            source.lacks(
                MissingReason::Gap,
                format!("nothing was written for a long time, {gaps} {plural}; that time is not counted"),
            );
        }
        if self.is_zone_unknown {
            source.lacks(MissingReason::TimeZone, "the time zone of its lines is not known; times are read as UTC");
        }
        if self.long_lines > 0 {
            source.lacks(MissingReason::LongLines, format!("left out {} over 1 MiB", counted(self.long_lines, "line")));
        }
        if authorized > 0 {
            source.lacks(
                MissingReason::Imitation,
                match self.format {
                    Format::Stderr => {
                        "a client in plaintext that puts the server's words about TLS at the end of its application name \
                         looks like one with TLS here; csvlog and jsonlog tell the two apart once the session has ended"
                    }
                    _ => {
                        "a client in plaintext whose application name imitates the server's words about TLS, and which \
                         changes it before it disconnects, looks like one with TLS"
                    }
                },
            );
            source.lacks(
                MissingReason::OlderSessions,
                "a session that began before the log and has not ended is not in it",
            );
        }
    }

    /// The format in words.
    fn describe(&self) -> String {
        match self.format {
            Format::Csv => "csvlog".to_owned(),
            Format::Json => "jsonlog".to_owned(),
            Format::Sampling | Format::None => String::new(),
            Format::Stderr => {
                let how = if self.is_prefix_given { "given" } else { "found" };
                let prefixes: Vec<String> = self.prefixes.iter().map(|prefix| format!("'{prefix}'")).collect();
                format!("stderr, log_line_prefix {} ({how})", prefixes.join(", "))
            }
        }
    }
}

/// Whether a value of `log_connections` has authorized connections logged: a list since PostgreSQL 18.
fn logs_authorization(value: &str) -> bool {
    let mut words = value.split(',').map(|word| word.trim().to_ascii_lowercase());
    words.any(|word| matches!(word.as_str(), "on" | "true" | "yes" | "1" | "all" | "authorization"))
}

/// Calls `take` with each line that may be about a connection.
fn each_hit(region: &[u8], mut take: impl FnMut(&[u8])) {
    let mut at = 0;
    while let Some(hit) = find_piece(region, at) {
        let start = region.get(at..hit).and_then(|head| memrchr(b'\n', head)).map_or(at, |found| at + found + 1);
        let end = region.get(hit..).and_then(|tail| memchr(b'\n', tail)).map_or(region.len(), |found| hit + found);
        let line = region.get(start..end).unwrap_or_default();
        take(line.strip_suffix(b"\r").unwrap_or(line));
        at = (end + 1).min(region.len());
    }
}

/// Calls `take` with each line of jsonlog whose characters beyond ASCII are escaped, as a program that passes logs on may do, so
/// that no piece is found in it as it stands. PostgreSQL itself escapes control characters alone: `\u00…`.
fn each_escaped(region: &[u8], mut take: impl FnMut(&[u8])) {
    let mut at = 0;
    while let Some(hit) = region.get(at..).and_then(|rest| memmem::find(rest, b"\\u")).map(|found| at + found) {
        let end = region.get(hit..).and_then(|tail| memchr(b'\n', tail)).map_or(region.len(), |found| hit + found);
        if region.get(hit + 2..hit + 4).is_some_and(|digits| digits == b"00") {
            at = hit + 2;
            continue;
        }
        let start = region.get(..hit).and_then(|head| memrchr(b'\n', head)).map_or(0, |found| found + 1);
        let line = region.get(start..end).unwrap_or_default();
        if !NEEDLES.is_match(line) {
            take(line.strip_suffix(b"\r").unwrap_or(line));
        }
        at = (end + 1).min(region.len());
    }
}

/// A number with its noun.
fn counted(number: u64, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// Whether a line is by itself a record of csvlog with quoted text in it.
fn is_whole_record(line: &[u8]) -> bool {
    let line = without_end(line);
    memchr(b'"', line).is_some() && csv::record(line).is_some_and(|record| stamp(&record.time).is_some())
}

/// A line without its line break.
fn without_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Whether a text begins with the words of a message about a connection.
fn is_message(text: &[u8]) -> bool {
    NEEDLES.find(text).is_some_and(|found| found.start() == 0)
}

/// Whether a word is a severity that messages about connections do not have; one that is not known may be theirs.
fn is_severity_of_others(word: &[u8]) -> bool {
    is_severity(word) && !is_log_severity(word)
}

fn first_line(text: &[u8]) -> &[u8] {
    memchr(b'\n', text).and_then(|end| text.get(..end)).unwrap_or(text)
}

/// Whether the number of quotation marks is odd.
fn is_odd(line: &[u8]) -> bool {
    memchr_iter(b'"', line).count() % 2 == 1
}
