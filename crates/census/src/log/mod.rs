//! The log reader: bytes of server logs become sightings.
//!
//! It looks for the few messages about connections first and splits into lines only around them, so that a log full of
//! statements costs little more than a search. Statement texts are never kept.

mod alternating;
mod between_files;
mod csv;
mod file_facts;
mod file_name;
mod file_number;
mod file_row;
mod infer;
mod inner_silence;
mod join;
mod joined_session;
mod json_record;
mod judged;
mod key_evidence;
mod line_facts;
mod line_heads;
mod log_file;
mod lost;
mod message;
mod other_text;
mod prefix;
mod read_lines;
mod record_fields;
mod refusal;
mod short;
mod side_by_side;
mod startup_failure;
mod syslog_chunk;
mod unlogged;
mod unread;
mod wording;

pub(crate) use joined_session::speaks_of_tls_behind;
pub use prefix::{InvalidPrefix, Prefix};
pub use wording::PIECES as CONNECTION_PIECES;

use crate::verdict::covered;
use crate::{Census, Coverage, Millis, MissingReason, Source, SourceKind};
use file_facts::FileFacts;
use join::Joiner;
use log_file::LogFile;

/// How far from a logged connection time counts, where others were logged before and after. Two that are a day and an hour apart, as those of a daily
/// job, have nothing between them that does not count.
const NEAR: Millis = log_file::DAY / 2 + 60 * 60 * 1_000;

/// How a log file ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogEnd {
    /// It was read to its end.
    Whole,
    /// Reading stopped before its end, for this reason.
    Broken(String),
}

/// Reads the logs of one server, one after the other, in any order.
///
/// # Examples
///
/// ```
/// use hostssl_census::{Census, LogEnd, LogReader, Requirements, SourceKind, CensusVerdict};
///
/// let mut reader = LogReader::new(Census::default(), None);
/// reader.begin(SourceKind::LogFile, "postgresql.log");
/// reader.feed(b"2026-09-16 19:02:12 UTC-6aaae7b4.1dc3-LOG:  connection received: host=10.0.0.4 port=5\n");
/// reader.feed(b"2026-09-16 19:02:12 UTC-6aaae7b4.1dc3-LOG:  connection authorized: user=app database=shop\n");
/// reader.end(LogEnd::Whole);
/// let report = reader.finish().finish(Requirements::default());
/// assert_eq!(report.verdict, CensusVerdict::Breaks);
/// assert_eq!(report.clients[0].address.as_deref(), Some("10.0.0.4"));
/// ```
#[derive(Debug)]
pub struct LogReader {
    census: Census,
    joiner: Joiner,
    prefix: Option<Prefix>,
    file: Option<LogFile>,
    /// The files of this reader, as sources of the census.
    sources: Vec<usize>,
    /// What places them among each other.
    files: Vec<FileFacts>,
}

impl LogReader {
    /// A reader that counts into `census`. Without a prefix, each file's is found out.
    #[must_use]
    pub fn new(census: Census, prefix: Option<Prefix>) -> Self {
        Self { census, joiner: Joiner::default(), prefix, file: None, sources: Vec::new(), files: Vec::new() }
    }

    /// Begins a file.
    pub fn begin(&mut self, kind: SourceKind, name: impl Into<String>) {
        self.end(LogEnd::Whole);
        let source = self.census.add_source(Source::new(kind, name));
        self.sources.push(source);
        self.file = Some(LogFile::new(source, self.prefix.clone()));
    }

    /// Begins a file that no one has named, such as one in a folder of logs. If it is text that is certainly no log of a server, it is
    /// skipped, and nothing is missing without it.
    pub fn begin_found(&mut self, kind: SourceKind, name: impl Into<String>) {
        self.begin(kind, name);
        self.file.iter_mut().for_each(LogFile::skip_others);
    }

    /// Takes the next bytes of the file, in pieces of any size.
    pub fn feed(&mut self, bytes: &[u8]) {
        let Self { census, joiner, file, .. } = self;
        if let Some(file) = file {
            file.feed(bytes, &mut log_file::LineSink { census, joiner });
        }
    }

    /// Ends the file.
    pub fn end(&mut self, end: LogEnd) {
        let Self { census, joiner, file, files, .. } = self;
        if let Some(file) = file.take() {
            files.push(file.end(end, &mut log_file::LineSink { census, joiner }));
        }
    }

    /// Says what the last file covers, where that is known better than by the times of its lines.
    pub fn covers(&mut self, coverage: Coverage) {
        if let Some(source) = self.sources.last().and_then(|last| self.census.source_mut(*last)) {
            source.coverage = coverage;
        }
    }

    /// Ends the reading and returns the census. Time that is far from every connection in the logs does not count: its logs may
    /// have been written before `log_connections` was turned on.
    #[must_use]
    pub fn finish(mut self) -> Census {
        self.end(LogEnd::Whole);
        self.joiner.finish(&mut self.census);
        self.joiner.side_by_side.note(&self.files, &mut self.census);
        alternating::note(&self.files, &mut self.census);
        between_files::note(&self.files, &mut self.census);
        let files: Vec<&Source> = self.sources.iter().filter_map(|place| self.census.sources().get(*place)).collect();
        let complete: Vec<&Source> = files.iter().copied().filter(|source| source.is_complete).collect();
        let whole = covered(&complete, self.census.sources()).spans();
        for place in &self.sources {
            let Some(source) = self.census.source_mut(*place) else { continue };
            self.joiner.lost.note(*place, source, &whole);
        }
        // What cannot be read is noted where it stands, and may be all of them.
        if self.joiner.tally.authorized == 0 && self.joiner.tally.foreign > 0 {
            return self.census;
        }
        if self.joiner.tally.authorized == 0 {
            let detail = if self.joiner.tally.received > 0 {
                "connections are logged as received, but not as authorized: log_connections leaves that out"
            } else {
                "no line says that a connection was authorized: log_connections is off, or no client connected"
            };
            for source in self.sources {
                let Some(source) = self.census.source_mut(source) else { continue };
                // The lines may be there, and were not matched: the server's settings are not to blame.
                if ![MissingReason::MixedPrefixes, MissingReason::NotALog, MissingReason::Skipped]
                    .iter()
                    .any(|reason| source.has(*reason))
                {
                    source.lacks(MissingReason::LogConnectionsOff, detail);
                }
            }
            return self.census;
        }
        for source in self.sources {
            let Some(source) = self.census.source_mut(source) else { continue };
            let observed = source.coverage.observed();
            source.coverage.keep_near(&self.joiner.logged, NEAR, log_file::DAY);
            if source.coverage.observed() < observed {
                let detail = "no connection was logged for more than a day, as if log_connections was off; that time does \
                              not count";
                source.lacks(MissingReason::Gap, detail);
            }
            for part in self.joiner.unlogged.leave_out(source) {
                self.census.add_source(part);
            }
        }
        self.census
    }
}
