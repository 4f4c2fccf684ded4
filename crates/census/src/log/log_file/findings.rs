//! What a file lacks, and its format in words.

use super::super::join::ConnectionTally;
use super::super::other_text::OtherText;
use super::super::prefix::Prefix;
use super::{DAY, LogFile, LogFormat};
use crate::{MissingReason, Source};

impl LogFile {
    pub(super) fn note(&self, source: &mut Source, before: ConnectionTally, after: ConnectionTally) {
        if matches!(self.format, LogFormat::None) {
            if self.wrapper.is_none() && self.other.as_ref().is_some_and(OtherText::is_other) {
                source.is_complete = false;
                return source.lacks(MissingReason::Skipped, "skipped: it is text, and no log of PostgreSQL");
            }
            let detail = match self.wrapper {
                Some(command) => format!("its lines are JSON around those of a log: unpack them first{command}"),
                None => "it contains no line of a PostgreSQL log".to_owned(),
            };
            return source.lacks(MissingReason::NotALog, detail);
        }
        let authorized = after.authorized - before.authorized;
        // What was not matched may be the very lines that are missed, so it is the first thing to say.
        if self.other_prefix > 0 {
            let detail = format!("{} about connections without the prefix", counted(self.other_prefix, "line"));
            source.lacks(MissingReason::MixedPrefixes, detail);
        }
        if let Some(setting) = self.settings.first() {
            let detail = format!("{setting}: connections after that are not in the log");
            source.lacks(MissingReason::LogConnectionsOff, detail);
        } else if authorized == 0
            && self.unread.foreign == 0
            && self.other_prefix == 0
            // Sessions that only end here began before: which of them should have begun here is known only when all files are read.
            && self.coverage.observed() > DAY
        {
            let detail =
                "no line says that a connection was authorized: log_connections is off, or no client connected";
            source.lacks(MissingReason::LogConnectionsOff, detail);
        }
        self.unread.note(source);
        self.note_lines(source, after.torn - before.torn);
        if authorized > 0 {
            self.note_limits(source);
        }
    }

    /// What the lines do not say, or what was not read of them. `torn` sessions began before another of their key had ended.
    fn note_lines(&self, source: &mut Source, torn: u64) {
        if matches!(self.format, LogFormat::Stderr) {
            if !self.prefixes.iter().all(Prefix::has_time) {
                source
                    .lacks(MissingReason::NoTime, "lines do not say when they were written: log_line_prefix lacks %m");
            }
            if !self.prefixes.iter().all(Prefix::has_key) {
                let detail = if self.is_prefix_given {
                    "lines do not say which session they are of: log_line_prefix lacks %c and %p"
                } else {
                    "no process id was found in the prefix of its lines: if log_line_prefix has %p or %c, give it with \
                     --log-prefix"
                };
                source.lacks(MissingReason::NoSession, detail);
            }
            if torn > 0 {
                let detail = format!(
                    "{} with the process id of another that had not ended: log_line_prefix is not what it seems, give it with \
                     --log-prefix",
                    counted(torn, "session")
                );
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
    }

    /// What no log of this format can tell, however whole it is.
    fn note_limits(&self, source: &mut Source) {
        let detail = match self.format {
            LogFormat::Stderr => {
                "a client in plaintext that puts the server's words about TLS at the end of its application name \
                 looks like one with TLS here; csvlog and jsonlog tell the two apart once the session has ended"
            }
            _ => {
                "a client in plaintext whose application name imitates the server's words about TLS, and which \
                 changes it before it disconnects, looks like one with TLS"
            }
        };
        source.lacks(MissingReason::Imitation, detail);
        let detail = "a session that began before the log and has not ended is not in it";
        source.lacks(MissingReason::OlderSessions, detail);
    }

    /// The format in words.
    pub(super) fn describe(&self) -> String {
        match self.format {
            LogFormat::Csv => "csvlog".to_owned(),
            LogFormat::Json => "jsonlog".to_owned(),
            LogFormat::Sampling | LogFormat::None => String::new(),
            LogFormat::Stderr => {
                let how = if self.is_prefix_given { "given" } else { "found" };
                let prefixes: Vec<String> = self.prefixes.iter().map(|prefix| format!("'{prefix}'")).collect();
                format!("stderr, log_line_prefix {} ({how})", prefixes.join(", "))
            }
        }
    }
}

/// A number with its noun.
fn counted(number: u64, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}
