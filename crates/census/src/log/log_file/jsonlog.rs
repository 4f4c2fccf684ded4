//! Lines of jsonlog: an object each.

use super::super::join::Joiner;
use super::super::json_record;
use super::super::line_facts::LineFacts;
use super::super::message::{ConnectionOrigin, parse};
use super::super::prefix::SessionKey;
use super::super::record_fields::Columns;
use super::super::unread::is_of_a_language;
use super::super::wording::NEEDLES;
use super::{LogFile, is_message, is_severity_of_others};
use crate::Census;
use crate::log_time::stamp;
use memchr::{memchr, memmem, memrchr};
use std::borrow::Cow;

impl LogFile {
    pub(super) fn json_line(&mut self, line: &[u8], census: &mut Census, joiner: &mut Joiner) {
        let read = json_record::with_record(line, |record| {
            let message = record.message.as_deref().unwrap_or_default().as_bytes();
            let bytes = |field: &Option<Cow<'_, str>>| field.as_deref().map(|text| text.as_bytes().to_vec());
            let (user, database) = (bytes(&record.user), bytes(&record.dbname));
            let columns = Columns { user: user.as_deref(), database: database.as_deref() };
            let severity = record.error_severity.as_bytes();
            self.keep_rules(message);
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
                has_names: false,
                has_fields: true,
                source: self.source,
            };
            self.take(line, &message, census, joiner);
        });
        self.unread.records += u64::from(read.is_none());
    }

    pub(super) fn foreign_json_line(&mut self, line: &[u8], joiner: &mut Joiner) {
        let is_foreign = |record: &json_record::JsonRecord<'_>| {
            let message = record.message.as_deref().unwrap_or_default().as_bytes();
            !is_severity_of_others(record.error_severity.as_bytes()) && is_of_a_language(message)
        };
        if !NEEDLES.is_match(line) && json_record::with_record(line, is_foreign) == Some(true) {
            self.foreign(joiner);
        }
    }
}

/// Calls `take` with each line of jsonlog whose characters beyond ASCII are escaped, as a program that passes logs on may do, so
/// that no piece is found in it as it stands. PostgreSQL itself escapes control characters alone: `\u00…`.
pub(super) fn each_escaped(region: &[u8], mut take: impl FnMut(&[u8])) {
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
