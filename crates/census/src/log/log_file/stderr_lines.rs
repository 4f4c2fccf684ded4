//! Lines of stderr: a prefix, a severity, a message.

use super::super::infer::infer;
use super::super::join::Joiner;
use super::super::line_facts::LineFacts;
use super::super::message::{ConnectionOrigin, LogMessage, parse};
use super::super::prefix::{Prefix, Split};
use super::super::record_fields::Columns;
use super::super::syslog_chunk::is_later_piece;
use super::super::unread::{has_message_inside, is_of_a_language, is_whole_format};
use super::super::wording::{NEEDLES, WORDINGS, is_log_severity};
use super::{LogFile, MOST_PREFIXES};
use crate::Census;

impl LogFile {
    pub(super) fn stderr_line(&mut self, line: &[u8], census: &mut Census, joiner: &mut Joiner) {
        // The server puts a tab before each line of a message that goes on: whatever it holds is someone's text. But a line
        // break can be lost behind it, and a log can be indented: a whole message there may be the server's.
        if let Some(text) = line.strip_prefix(b"\t") {
            let whole = self.prefixes.iter().find_map(|prefix| prefix.split(text));
            let is_whole = whole.is_some_and(|one| parse(one.severity, one.message, Columns::default()).is_some());
            self.unread.glued += u64::from(is_whole || has_message_inside(text, None));
            return;
        }
        let Some(split) = self.last_head.split(&self.prefixes, line) else {
            if NEEDLES.is_match(line) {
                self.other_prefix(line, census, joiner);
            }
            return;
        };
        if is_later_piece(&self.prefixes, line) {
            self.unread.glued += u64::from(parse(split.severity, split.message, Columns::default()).is_some());
            return;
        }
        self.keep_rules(split.message);
        if let Some(judged) = self.judged.get(&split) {
            let line = self.facts(line, &split);
            return self.take_judged(line, judged, census, joiner);
        }
        let columns = Columns { user: split.head.user, database: split.head.database };
        let message = parse(split.severity, split.message, columns);
        let is_glued = has_message_inside(split.message, message.as_ref());
        if is_glued {
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
        if !is_glued {
            self.judged.keep(&split, &message);
        }
        let line = self.facts(line, &split);
        self.take(line, &message, census, joiner);
    }

    /// What a line that is read says beside its message.
    fn facts<'a>(&mut self, line: &[u8], split: &Split<'a>) -> LineFacts<'a> {
        self.read_at.add(line);
        self.is_zone_unknown |= split.head.is_zone_unknown;
        let host = split
            .head
            .host
            .map(|host| if host == b"[local]" { ConnectionOrigin::Local } else { ConnectionOrigin::Host(host) });
        LineFacts {
            at: split.head.at,
            // A name may have made up the key too.
            key: split.head.key.filter(|_| !split.is_ambiguous),
            origin: host,
            application: None,
            is_ambiguous: split.is_ambiguous,
            has_names: self.prefixes.iter().any(Prefix::may_have_names),
            has_fields: false,
            source: self.source,
        }
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

    /// A line that ends as a message does which has no known words.
    pub(super) fn foreign_stderr_line(&mut self, line: &[u8], joiner: &mut Joiner) {
        // Nearly all lines that end so were read as one of these messages.
        if line.first() == Some(&b'\t') || self.read_at.has(line) || is_later_piece(&self.prefixes, line) {
            return;
        }
        let split = self.last_head.split(&self.prefixes, line);
        // Nearly all lines that end so are these two, and their words need not be searched for.
        let [received, disconnection] = [WORDINGS[0].received, WORDINGS[0].disconnection].map(str::as_bytes);
        let is_known = |message: &[u8]| message.starts_with(received) || message.starts_with(disconnection);
        if split.is_some_and(|split| is_known(split.message)) || NEEDLES.is_match(line) {
            return;
        }
        let is_foreign = match split {
            Some(split) => is_log_severity(split.severity) && is_of_a_language(split.message),
            // A severity that is not known either.
            None => is_whole_format(line),
        };
        if is_foreign {
            self.foreign(joiner);
        }
    }
}
