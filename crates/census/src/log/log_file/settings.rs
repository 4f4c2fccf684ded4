//! Changes of the settings that decide whether connections are logged.

use super::super::file_facts::Move;
use super::super::join::Joiner;
use super::super::wording::LoggedSetting;
use super::{LogFile, LogFormat};
use crate::Millis;

/// Changes that leave connections out from then on, of one file: the first says enough.
const MOST_SETTINGS: usize = 4;
/// Changes of where the log is written.
const MOST_MOVES: usize = 64;
/// Processes read a change, and write their last line where they did before, within so much time.
const AT_ONCE: Millis = 5 * 1_000;

impl LogFile {
    /// A setting was changed to `value`, which is empty if it was taken out of the file.
    pub(super) fn setting(&mut self, at: Option<Millis>, setting: LoggedSetting, value: &[u8], joiner: &mut Joiner) {
        let value = String::from_utf8_lossy(value);
        let (name, has_connections) = match setting {
            LoggedSetting::Destination | LoggedSetting::Place => return self.place(at, setting, &value, joiner),
            LoggedSetting::Connections => ("log_connections", logs_authorization(&value)),
            LoggedSetting::MinMessages => ("log_min_messages", logs_connections(&value)),
        };
        match at.filter(|_| has_connections) {
            Some(at) => joiner.unlogged.until(at, setting, self.logged),
            None if self.settings.len() < MOST_SETTINGS => {
                self.settings.push(match &*value {
                    "" => format!("{name} was set to 'off, its default'"),
                    value if is_known(value) => format!("{name} was set to '{value}'"),
                    // Anyone may have written the line, and anything into it.
                    _ => format!("{name} was set to a value that hostssl does not know"),
                });
            }
            None => {}
        }
    }

    /// The log is written elsewhere from now on, or was until now.
    fn place(&mut self, at: Option<Millis>, setting: LoggedSetting, value: &str, joiner: &mut Joiner) {
        let Some(at) = at else { return };
        let is_here = setting == LoggedSetting::Destination && self.is_among(value);
        let is_first = self.coverage.window().is_some_and(|window| at <= window.from + AT_ONCE);
        if is_here || setting == LoggedSetting::Place && is_first {
            joiner.unlogged.until(at, setting, self.logged);
        }
        if !is_here && self.moves.len() < MOST_MOVES {
            self.moves.push(Move { at, next: None });
        }
    }

    /// Whether a value of `log_destination` has this file written.
    fn is_among(&self, value: &str) -> bool {
        let format = match self.format {
            LogFormat::Csv => "csvlog",
            LogFormat::Json => "jsonlog",
            LogFormat::Stderr | LogFormat::Sampling | LogFormat::None => "stderr",
        };
        let is_default = value.is_empty() && format == "stderr";
        is_default || value.split(',').any(|word| word.trim().eq_ignore_ascii_case(format))
    }

    /// Keeps the file of the rules that the first session was accepted by: `… method=scram-sha-256 (/data/pg_hba.conf:7)`.
    pub(super) fn keep_rules(&mut self, message: &[u8]) {
        if self.rules.is_some() || !message.starts_with(b"connection authenticated: ") {
            return;
        }
        let text = String::from_utf8_lossy(message);
        let rules = text.rsplit_once(" (").and_then(|(_, rules)| rules.strip_suffix(')')?.rsplit_once(':'));
        // Others are included in it, and more than one may be.
        let rules = rules.map(|(file, _)| file).filter(|file| file.ends_with("/pg_hba.conf"));
        self.rules = Some(rules.unwrap_or_default().to_owned());
    }

    /// Finds the first line that is written here after such a change.
    pub(super) fn find_after_moves(&mut self, region: &[u8]) {
        let is_open = |one: &Move| one.next.is_none();
        let Some(first) = self.moves.iter().filter(|one| is_open(one)).map(|one| one.at).min() else { return };
        let times: Vec<Millis> = region
            .split(|byte| *byte == b'\n')
            .filter_map(|line| self.time_of(line))
            .filter(|at| *at > first + AT_ONCE)
            .collect();
        for one in self.moves.iter_mut().filter(|one| is_open(one)) {
            one.next = times.iter().copied().filter(|at| *at > one.at + AT_ONCE).min();
        }
    }
}

/// The words of the values of `log_connections` and `log_min_messages`.
const WORDS: [&str; 25] = [
    "all",
    "authentication",
    "authorization",
    "debug",
    "debug1",
    "debug2",
    "debug3",
    "debug4",
    "debug5",
    "error",
    "fatal",
    "false",
    "info",
    "log",
    "no",
    "notice",
    "off",
    "on",
    "panic",
    "receipt",
    "setup_durations",
    "true",
    "warning",
    "yes",
    "none",
];

fn is_known(value: &str) -> bool {
    let mut words = value.split([',', ' ']).filter(|word| !word.is_empty());
    words.all(|word| WORDS.contains(&word.to_ascii_lowercase().as_str()) || word == "0" || word == "1")
}

/// Whether a value of `log_connections` has authorized connections logged: a list since PostgreSQL 18.
fn logs_authorization(value: &str) -> bool {
    let mut words = value.split(',').map(|word| word.trim().to_ascii_lowercase());
    let is_true = |word: &str| {
        // A boolean may be shortened as long as it is unique.
        let is_short = |whole: &str| !word.is_empty() && whole.starts_with(word);
        is_short("true") || is_short("yes") || matches!(word, "on" | "1")
    };
    words.any(|word| is_true(&word) || matches!(word.as_str(), "all" | "authorization"))
}

/// Whether messages of the severity `LOG` are logged with a value of `log_min_messages`. Those about connections have it.
fn logs_connections(value: &str) -> bool {
    !["fatal", "panic"].iter().any(|severity| value.trim().eq_ignore_ascii_case(severity))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_as_the_server_reads_them() {
        for on in ["on", "ON", "t", "Tr", "true", "y", "yes", "1", "all", "receipt,authorization", "receipt, all"] {
            assert!(logs_authorization(on), "{on}");
        }
        for off in
            ["off", "of", "o", "f", "no", "0", "", "receipt", "receipt,authentication", "setup_durations", "truex"]
        {
            assert!(!logs_authorization(off), "{off}");
        }
        for hidden in ["fatal", "PANIC"] {
            assert!(!logs_connections(hidden), "{hidden}");
        }
        for shown in ["warning", "log", "error", "debug5", ""] {
            assert!(logs_connections(shown), "{shown}");
        }
    }
}
