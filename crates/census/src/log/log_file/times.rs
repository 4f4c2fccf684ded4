//! When the lines of a file were written.

use super::{LEAP, LogFile, LogFormat, SHORT_LINE, STRIDE, first_line};
use crate::Millis;
use crate::log::syslog_chunk::is_later_piece;
use crate::log_time::stamp;
use memchr::memrchr;

impl LogFile {
    pub(super) fn keep_last_line(&mut self, region: &[u8]) {
        let lines = region.strip_suffix(b"\n").unwrap_or(region);
        let start = memrchr(b'\n', lines).map_or(0, |found| found + 1);
        self.last_line.clear();
        self.last_line.extend(lines.get(start..).filter(|line| line.len() <= SHORT_LINE).into_iter().flatten());
    }

    /// Reads the time of some lines, and of all where it leaps.
    pub(super) fn read_times(&mut self, region: &[u8]) {
        let mut from = 0;
        for at in (0..region.len()).step_by(STRIDE).chain([region.len()]) {
            // The last whole line that begins before `at`; at 0 the first.
            let head = region.get(..at.saturating_sub(1)).unwrap_or_default();
            let start = memrchr(b'\n', head).map_or(0, |found| found + 1);
            if start < from {
                continue;
            }
            let line = region.get(start..).unwrap_or_default();
            let Some(time) = self.time_of(line) else { continue };
            if self.last_time.is_some_and(|last| (time - last).abs() > LEAP) {
                let between = region.get(from..start).unwrap_or_default();
                for line in between.split(|byte| *byte == b'\n') {
                    if let Some(time) = self.time_of(line) {
                        self.coverage.observe(time);
                        self.inner.add(time, line);
                    }
                }
            }
            self.observe(time);
            self.inner.add(time, line);
            from = start;
        }
    }

    pub(super) fn observe(&mut self, time: Millis) {
        self.coverage.observe(time);
        self.last_time = Some(time);
    }

    pub(super) fn time_of(&self, line: &[u8]) -> Option<Millis> {
        match self.format {
            LogFormat::Stderr if is_later_piece(&self.prefixes, first_line(line)) => None,
            LogFormat::Stderr => self.prefixes.iter().find_map(|prefix| prefix.time(first_line(line))),
            LogFormat::Json => stamp(line.strip_prefix(b"{\"timestamp\":\"")?).map(|stamp| stamp.at),
            LogFormat::Csv => stamp(line).map(|stamp| stamp.at),
            LogFormat::Sampling | LogFormat::None => None,
        }
    }
}
