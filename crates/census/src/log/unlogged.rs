//! Times that end with a change of the settings of a log: connections may have been left out before it.

use super::message::LogMessage;
use super::wording::LoggedSetting;
use crate::observed_time::NEXT_FILE;
use crate::{Coverage, Interval, Millis, MissingReason, Source};

/// Changes that are remembered, and files.
const MOST: usize = 4_096;

/// The last lines of a file about connections so far.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct LastLogged {
    /// Those that were authorized.
    authorized: LastTimes,
    /// Any of them.
    any: LastTimes,
}

/// When the last line was written, and the last one of an earlier second.
#[derive(Debug, Clone, Copy, Default)]
struct LastTimes {
    last: Option<Millis>,
    earlier: Option<Millis>,
}

impl LastTimes {
    fn add(&mut self, at: Millis) {
        if self.last.is_none_or(|last| second(last) < second(at)) {
            self.earlier = self.last;
            self.last = Some(at);
        }
    }

    /// The last one before the second of a change: lines of several processes are a little out of order.
    fn before(self, change: Millis) -> Option<Millis> {
        [self.last, self.earlier].into_iter().flatten().find(|at| second(*at) < second(change))
    }
}

fn second(at: Millis) -> Millis {
    at.div_euclid(1_000)
}

impl LastLogged {
    pub(super) fn message(&mut self, at: Millis, message: &LogMessage<'_>) {
        match message {
            LogMessage::Authorized(_) => self.authorized(at),
            LogMessage::Received(_) | LogMessage::Authenticated | LogMessage::Disconnected(_) => self.any(at),
            LogMessage::Setting(..) | LogMessage::Refused(_) | LogMessage::NotBegun(_) | LogMessage::Damaged => {}
        }
    }

    pub(super) fn authorized(&mut self, at: Millis) {
        self.authorized.add(at);
        self.any.add(at);
    }

    pub(super) fn any(&mut self, at: Millis) {
        self.any.add(at);
    }

    /// When a line showed last that connections were logged, before a change.
    fn before(self, setting: LoggedSetting, change: Millis) -> Option<Millis> {
        match setting {
            LoggedSetting::Connections => self.authorized.before(change),
            LoggedSetting::MinMessages | LoggedSetting::Destination | LoggedSetting::Place => self.any.before(change),
        }
    }
}

/// What is remembered of the changes in all files.
#[derive(Debug, Default)]
pub(super) struct UnloggedTimes {
    changes: Vec<Change>,
    files: Vec<LastLogged>,
}

/// A change after which connections are logged.
#[derive(Debug)]
struct Change {
    at: Millis,
    setting: LoggedSetting,
    /// When they were logged before, in its file.
    before: Option<Millis>,
}

impl UnloggedTimes {
    /// From now on connections are logged: they may have been left out before.
    pub(super) fn until(&mut self, at: Millis, setting: LoggedSetting, logged: LastLogged) {
        if self.changes.len() < MOST {
            self.changes.push(Change { at, setting, before: logged.before(setting, at) });
        }
    }

    /// A file ended, whose last lines are these.
    pub(super) fn end_file(&mut self, logged: LastLogged) {
        if self.files.len() < MOST && logged.any.last.is_some() {
            self.files.push(logged);
        }
    }

    /// Leaves these times out of what a file covers. What of it is left out is another source, unless it is the whole file.
    pub(super) fn leave_out(&self, source: &mut Source) -> Vec<Source> {
        let mut parts = Vec::new();
        for change in self.changes.iter().filter(|_| source.is_complete) {
            let before = || self.files.iter().filter_map(|file| file.before(change.setting, change.at)).max();
            let time = Interval { from: change.before.or_else(before).unwrap_or(Millis::MIN), to: change.at };
            // The other setting may have had any value, and hidden nothing.
            if change.setting != LoggedSetting::Connections && time.length() <= NEXT_FILE {
                continue;
            }
            let excluded = source.coverage.exclude(time);
            if excluded.is_empty() {
                continue;
            }
            let detail = match change.setting {
                LoggedSetting::Connections => {
                    "log_connections was turned on later: connections before that are not in the log"
                }
                LoggedSetting::MinMessages => {
                    "log_min_messages was changed, and may have left out connections before that"
                }
                LoggedSetting::Destination | LoggedSetting::Place => {
                    "log_destination or the place of the log was changed: it may have been written elsewhere before that"
                }
            };
            if source.coverage.window().is_none() {
                source.coverage = Coverage::apart(excluded);
                source.lacks(MissingReason::LogConnectionsOff, detail);
                break;
            }
            parts.push(part_of(source, excluded, detail));
        }
        parts
    }
}

/// A part of the time of a source in which connections may be missing.
pub(super) fn part_of(source: &Source, time: Vec<Interval>, detail: &str) -> Source {
    let mut part = Source::new(source.kind, format!("{}, in part", source.name));
    part.format.clone_from(&source.format);
    part.coverage = Coverage::apart(time);
    part.lacks(MissingReason::LogConnectionsOff, detail);
    part
}
