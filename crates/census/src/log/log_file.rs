//! One log file: what format it has, its lines, its time.

mod checkpoints;
mod csvlog;
mod findings;
mod format;
mod inner_restart;
mod jsonlog;
mod restart;
mod settings;
mod stderr_lines;
mod times;

use super::LogEnd;
use super::csv;
use super::file_facts::{FileFacts, Move};
use super::infer::infer;
use super::inner_silence::InnerSilence;
use super::join::{ConnectionTally, Joiner};
use super::joined_session::{Seen, session_id, text};
use super::judged::{JudgedMessage, JudgedMessages};
use super::line_facts::LineFacts;
use super::line_heads::{LastHead, ReadAt};
use super::message::LogMessage;
use super::other_text::OtherText;
use super::prefix::Prefix;
use super::unlogged::LastLogged;
use super::unread::{Unread, each_candidate};
use super::wording::{NEEDLES, find_piece, is_log_severity, is_severity};
use crate::refused::RefusedKey;
use crate::{Backend, Census, Coverage, Millis, MissingReason};
use checkpoints::Checkpoints;
use csvlog::is_odd;
use inner_restart::InnerRestarts;
pub(super) use inner_restart::SAME;
use jsonlog::each_escaped;
use memchr::{memchr, memrchr};
pub(super) use restart::STARTS;
use restart::ServerStart;

/// Bytes by which the format is found out.
const SAMPLE: usize = 64 << 10;
/// Bytes after which a file without a line of a log is none. A statement of a megabyte may come first.
const MOST_SAMPLE: usize = 4 << 20;
/// The longest line or record that is held. A message about a connection is far shorter.
const LONGEST_LINE: usize = 1 << 20;
/// How often the time is read, in bytes.
const STRIDE: usize = 4 << 10;
/// Times of two readings that are further apart than this make the lines between them worth reading: such a log is small.
pub(super) const LEAP: Millis = 10 * 60 * 1_000;
/// What was written for so long without a single connection was written without `log_connections`.
pub(super) const DAY: Millis = 23 * 60 * 60 * 1_000;
/// A line by which a server says that it ends, with its prefix or its columns, is no longer.
const SHORT_LINE: usize = 1 << 10;
/// Prefixes of one file, when its configuration was changed in the middle.
const MOST_PREFIXES: usize = 8;

/// Where the lines go.
pub(super) struct LineSink<'a> {
    pub(super) census: &'a mut Census,
    pub(super) joiner: &'a mut Joiner,
}

#[derive(Debug)]
enum LogFormat {
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
    format: LogFormat,
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
    /// The beginning of the last record of csvlog.
    head: Vec<u8>,
    bytes: u64,
    long_lines: u64,
    unread: Unread,
    judged: JudgedMessages,
    last_head: LastHead,
    read_at: ReadAt,
    other_prefix: u64,
    is_zone_unknown: bool,
    /// The last line is about a connection, and has no end.
    is_half: bool,
    settings: Vec<String>,
    /// The last lines about connections.
    logged: LastLogged,
    before: Option<ConnectionTally>,
    /// How to unpack the log, where its lines are inside of others.
    wrapper: Option<&'static str>,
    /// The file begins with the start of a server.
    start: Option<ServerStart>,
    /// The last line so far, if it is short.
    last_line: Vec<u8>,
    /// Where every line is read that is far from the one before.
    inner: InnerSilence,
    restarts: InnerRestarts,
    checkpoints: Checkpoints,
    moves: Vec<Move>,
    rules: Option<String>,
    /// What it holds, where that may be skipped if it is no log.
    other: Option<OtherText>,
}

impl LogFile {
    pub(super) fn new(source: usize, prefix: Option<Prefix>) -> Self {
        Self {
            source,
            format: LogFormat::Sampling,
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
            head: Vec::new(),
            bytes: 0,
            long_lines: 0,
            unread: Unread::default(),
            judged: JudgedMessages::default(),
            last_head: LastHead::default(),
            read_at: ReadAt::default(),
            other_prefix: 0,
            is_zone_unknown: false,
            is_half: false,
            settings: Vec::new(),
            logged: LastLogged::default(),
            before: None,
            wrapper: None,
            start: None,
            last_line: Vec::new(),
            inner: InnerSilence::default(),
            restarts: InnerRestarts::default(),
            checkpoints: Checkpoints::default(),
            moves: Vec::new(),
            rules: None,
            other: None,
        }
    }

    /// If it is certainly no log, nothing is missing without it.
    pub(super) fn skip_others(&mut self) {
        self.other = Some(OtherText::default());
    }

    pub(super) fn feed(&mut self, bytes: &[u8], sink: &mut LineSink<'_>) {
        self.before.get_or_insert(sink.joiner.tally);
        self.bytes += bytes.len() as u64;
        if !matches!(self.format, LogFormat::Sampling) {
            return self.chunk(bytes, sink);
        }
        self.sample.extend_from_slice(bytes);
        if self.sample.len() >= SAMPLE && self.find_out(self.sample.len() >= MOST_SAMPLE) {
            self.begin(sink);
        }
    }

    /// Reads the bytes by which the format was found out.
    fn begin(&mut self, sink: &mut LineSink<'_>) -> Vec<u8> {
        let sample = std::mem::take(&mut self.sample);
        self.start = self.start_of(&sample);
        self.chunk(&sample, sink);
        sample
    }

    /// Finds out the format; says whether it did.
    fn find_out(&mut self, is_last: bool) -> bool {
        // Editors of Windows begin a file with a byte order mark.
        if self.sample.starts_with(b"\xef\xbb\xbf") {
            self.sample.drain(..3);
        }
        if let Some(format) = format::of_records(&self.sample) {
            self.format = format;
            return true;
        }
        self.wrapper = format::wrapper(&self.sample);
        if self.wrapper.is_some() {
            self.format = LogFormat::None;
            return true;
        }
        let mut lines = self.sample.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        if self.prefixes.is_empty() {
            self.prefixes.extend(infer(&self.sample));
        } else if !lines.any(|line| self.prefixes.iter().any(|prefix| prefix.split(line).is_some())) {
            // The given prefix fits no line. Whether it is a log at all says the message at the end.
            if infer(&self.sample).is_none() && is_last {
                self.format = LogFormat::None;
                return true;
            }
        }
        if !self.prefixes.is_empty() {
            self.format = LogFormat::Stderr;
            return true;
        }
        if is_last {
            self.format = LogFormat::None;
        }
        is_last
    }

    /// Takes bytes of which the format is known.
    fn chunk(&mut self, bytes: &[u8], sink: &mut LineSink<'_>) {
        if matches!(self.format, LogFormat::None) {
            return self.other.iter_mut().for_each(|other| other.look(bytes));
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
            if matches!(self.format, LogFormat::Csv) {
                self.is_quoted ^= is_odd(&self.carry);
                self.unread.skip(&std::mem::take(&mut self.record));
            }
            self.unread.skip(&std::mem::take(&mut self.carry));
        }
        if self.is_skipping {
            self.unread.skip(part);
            if matches!(self.format, LogFormat::Csv) {
                self.is_quoted ^= is_odd(part);
            }
        } else {
            self.carry.extend_from_slice(part);
        }
    }

    /// Takes whole lines.
    fn region(&mut self, region: &[u8], sink: &mut LineSink<'_>) {
        self.keep_last_line(region);
        // PostgreSQL writes no NUL: bytes were lost, and a line may hide among them.
        self.unread.records += u64::from(memchr(0, region).is_some());
        match self.format {
            LogFormat::Stderr => {
                self.read_times(region);
                self.read_at.clear();
                each_hit(region, |line| self.stderr_line(line, sink.census, sink.joiner));
                each_candidate(region, b'\n', |line| self.foreign_stderr_line(line, sink.joiner));
            }
            LogFormat::Json => {
                self.read_times(region);
                each_hit(region, |line| self.json_line(line, sink.census, sink.joiner));
                each_escaped(region, |line| self.json_line(line, sink.census, sink.joiner));
                each_candidate(region, b'"', |line| self.foreign_json_line(line, sink.joiner));
            }
            LogFormat::Csv => self.csv_lines(region, sink),
            LogFormat::Sampling | LogFormat::None => {}
        }
        self.find_after_moves(region);
        self.find_restarts(region);
    }

    fn foreign(&mut self, joiner: &mut Joiner) {
        self.unread.foreign += 1;
        joiner.tally.foreign += 1;
    }

    fn take(&mut self, line: LineFacts<'_>, message: &LogMessage<'_>, census: &mut Census, joiner: &mut Joiner) {
        if let Some(at) = line.at {
            self.observe(at);
            self.coverage.note(at);
            self.inner.add_connection(at);
            self.logged.message(at, message);
        }
        match message {
            // A name in the prefix imitates the end of the prefix: these two say nothing then that could be believed.
            LogMessage::Received(_)
            | LogMessage::Authenticated
            | LogMessage::Disconnected(_)
            | LogMessage::Refused(_)
            | LogMessage::NotBegun(_)
                if line.is_ambiguous => {}
            LogMessage::Received(origin) => joiner.received(line, *origin, census),
            LogMessage::Authenticated => joiner.authenticated(line, census),
            LogMessage::Authorized(authorized) => joiner.authorized(line, Seen::new(line, authorized), census),
            LogMessage::Disconnected(parting) => joiner.disconnected(line, parting.as_ref(), census),
            LogMessage::Refused(refused) => {
                let key = RefusedKey {
                    user: refused.user.map(text),
                    database: refused.database.map(text),
                    address: Some(text(refused.host)),
                    backend: if refused.is_replication { Backend::Replication } else { Backend::Client },
                };
                census.add_refused(key, session_id(line.key, line.at, false), line.at);
            }
            LogMessage::NotBegun(failure) => joiner.not_begun(line, *failure),
            LogMessage::Damaged => self.unread.records += 1,
            LogMessage::Setting(setting, value) => self.setting(line.at, *setting, value, joiner),
        }
    }

    /// The same for a message that was judged before.
    fn take_judged(&mut self, line: LineFacts<'_>, message: JudgedMessage, census: &mut Census, joiner: &mut Joiner) {
        if let Some(at) = line.at {
            self.observe(at);
            self.coverage.note(at);
            self.inner.add_connection(at);
            match message {
                JudgedMessage::Authorized(_) => self.logged.authorized(at),
                JudgedMessage::Authenticated => self.logged.any(at),
            }
        }
        match message {
            JudgedMessage::Authenticated if line.is_ambiguous => {}
            JudgedMessage::Authenticated => joiner.authenticated(line, census),
            JudgedMessage::Authorized(said) => joiner.authorized(line, Seen::of(line, said), census),
        }
    }

    /// Ends the file, and notes what it lacks. Returns what places it among others.
    pub(super) fn end(mut self, end: LogEnd, sink: &mut LineSink<'_>) -> FileFacts {
        let before = *self.before.get_or_insert(sink.joiner.tally);
        if matches!(self.format, LogFormat::Sampling) {
            self.find_out(true);
            let sample = self.begin(sink);
            let mut coverage = std::mem::take(&mut self.coverage);
            coverage.measure(sample.split(|byte| *byte == b'\n').filter_map(|line| self.time_of(line)));
            self.coverage = coverage;
        }
        // The last line need not end. A half one is not a line of a log.
        if !self.is_skipping && !self.carry.is_empty() {
            let mut line = std::mem::take(&mut self.carry);
            // The server ends each line. What the rest of this one would have said of TLS is unknown.
            let is_half =
                matches!(self.format, LogFormat::Stderr) && NEEDLES.is_match(&line) && line.last() != Some(&b')');
            self.is_half |= is_half;
            if end == LogEnd::Whole && !is_half {
                let is_record = self.is_quoted || csv::record(line.strip_suffix(b"\r").unwrap_or(&line)).is_some();
                self.is_cut = !is_record;
                line.push(b'\n');
                self.region(&line, sink);
            }
        }
        if matches!(self.format, LogFormat::Csv) && (self.is_quoted || self.is_cut) {
            self.unread.records += 1;
        }
        self.coverage.close();
        sink.joiner.unlogged.end_file(self.logged);
        let after = sink.joiner.tally;
        let (bytes, format) = (self.bytes, self.describe());
        let mut facts = FileFacts { source: self.source, ..FileFacts::default() };
        let Some(source) = sink.census.source_mut(self.source) else { return facts };
        facts.name.clone_from(&source.name);
        source.format = format;
        if let LogEnd::Broken(why) = end {
            source.lacks(MissingReason::Truncated, format!("reading stopped before the end: {why}"));
        }
        if self.is_half {
            let detail = "the last line is about a connection and has no end: the file was cut off there";
            source.lacks(MissingReason::Truncated, detail);
        }
        if bytes == 0 {
            source.lacks(MissingReason::Empty, "the file is empty");
            return facts;
        }
        self.note(source, before, after);
        facts.time = self.coverage.window();
        facts.has_connections = after.authorized > before.authorized;
        facts.rules = self.rules.take().filter(|file| !file.is_empty());
        facts.silence = self.coverage.measured().filter_map(|span| span.silence).max();
        (facts.starts, facts.stops) = (self.start.is_some(), self.is_stop(&self.last_line));
        self.inner.settle(&self.restarts.down);
        (facts.inner, facts.moves, facts.lost) = (self.inner, self.moves, self.restarts.lost);
        facts.down = self.start.and_then(|start| start.down);
        facts.killed = self.start.and_then(|start| start.killed);
        source.coverage = self.coverage;
        facts
    }
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
