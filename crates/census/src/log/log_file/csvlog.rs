//! Records of csvlog, which may take several lines.

use super::super::csv;
use super::super::join::Joiner;
use super::super::line_facts::LineFacts;
use super::super::message::{ConnectionOrigin, parse};
use super::super::prefix::SessionKey;
use super::super::record_fields::Columns;
use super::super::short::find;
use super::super::startup_failure;
use super::super::unread::{each_candidate, is_of_a_language};
use super::super::wording::NEEDLES;
use super::{LONGEST_LINE, LineSink, LogFile, STRIDE, is_message, is_severity_of_others};
use crate::log_time::stamp;
use memchr::{memchr, memchr_iter, memrchr};

/// The time of a record is in its first bytes.
const HEAD: usize = 40;
/// `2026-11-30 10:1`: those of the same ten minutes begin alike.
const TEN_MINUTES: usize = 15;

impl LogFile {
    pub(super) fn csv_lines(&mut self, region: &[u8], sink: &mut LineSink<'_>) {
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
        self.read_record_time(record);
        let is_about_connections = NEEDLES.is_match(record);
        if !is_about_connections && find(record, startup_failure::SEVERITY.as_bytes()).is_none() {
            return each_candidate(record, b'"', |_| self.foreign_csv_record(record, sink.joiner));
        }
        let Some(fields) = csv::record(without_end(record)) else {
            self.unread.records += u64::from(is_about_connections);
            return;
        };
        self.keep_rules(&fields.message);
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
            has_names: false,
            has_fields: true,
            source: self.source,
        };
        self.take(line, &message, sink.census, sink.joiner);
    }

    /// Reads the times of some records, and of two that have ten minutes between them.
    fn read_record_time(&mut self, record: &[u8]) {
        let head = record.get(..record.len().min(HEAD)).unwrap_or_default();
        let is_other = self.head.get(..TEN_MINUTES) != head.get(..TEN_MINUTES);
        if !is_other && self.since_time < STRIDE {
            self.head.clear();
            self.head.extend_from_slice(head);
            return;
        }
        self.since_time = 0;
        let before = std::mem::replace(&mut self.head, head.to_vec());
        for head in [before.as_slice(), head] {
            let Some(time) = self.time_of(head) else { continue };
            self.observe(time);
            self.inner.add(time, record);
        }
    }

    fn foreign_csv_record(&mut self, record: &[u8], joiner: &mut Joiner) {
        let Some(fields) = csv::record(without_end(record)) else { return };
        if !is_severity_of_others(&fields.severity) && is_of_a_language(&fields.message) {
            self.foreign(joiner);
        }
    }
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

/// Whether the number of quotation marks is odd.
pub(super) fn is_odd(line: &[u8]) -> bool {
    memchr_iter(b'"', line).count() % 2 == 1
}
