//! What need not be read again of the lines of a stderr log: the lines of a session begin alike, and each is looked at twice.

use super::prefix::{Head, Prefix, SessionKey, Split};
use crate::Millis;

/// The beginning of the line that was split last, up to its message.
#[derive(Debug, Default)]
pub(super) struct LastHead {
    text: Vec<u8>,
    severity_at: usize,
    at: Option<Millis>,
    is_zone_unknown: bool,
    key: Option<SessionKey>,
}

impl LastHead {
    /// Splits a line by the first of these prefixes that fits.
    pub(super) fn split<'a>(&mut self, prefixes: &[Prefix], line: &'a [u8]) -> Option<Split<'a>> {
        let [prefix] = prefixes else { return prefixes.iter().find_map(|prefix| prefix.split(line)) };
        if !prefix.is_fixed() {
            return prefix.split(line);
        }
        self.known(line).or_else(|| {
            let split = prefix.split(line)?;
            self.remember(line, &split);
            Some(split)
        })
    }

    /// The same split, if the line begins in the same way. Every part of a fixed prefix ends before the message does, so that
    /// nothing behind changes where it ends.
    fn known<'a>(&self, line: &'a [u8]) -> Option<Split<'a>> {
        if self.text.is_empty() {
            return None;
        }
        let message = line.strip_prefix(self.text.as_slice())?;
        let severity = line.get(self.severity_at..self.text.len() - 3)?;
        let head = Head { at: self.at, is_zone_unknown: self.is_zone_unknown, key: self.key, ..Head::default() };
        Some(Split { head, severity, message, is_ambiguous: false })
    }

    fn remember(&mut self, line: &[u8], split: &Split<'_>) {
        self.text.clear();
        if split.is_ambiguous {
            return;
        }
        let length = line.len() - split.message.len();
        self.text.extend_from_slice(line.get(..length).unwrap_or_default());
        self.severity_at = length.saturating_sub(split.severity.len() + 3);
        (self.at, self.is_zone_unknown, self.key) = (split.head.at, split.head.is_zone_unknown, split.head.key);
    }
}

/// The lines of a region that were read as messages, in their order, by where they are in memory.
#[derive(Debug, Default)]
pub(super) struct ReadAt {
    places: Vec<usize>,
    next: usize,
}

impl ReadAt {
    /// Another region begins.
    pub(super) fn clear(&mut self) {
        self.places.clear();
        self.next = 0;
    }

    /// A line was read.
    pub(super) fn add(&mut self, line: &[u8]) {
        self.places.push(line.as_ptr().addr());
    }

    /// Whether a line was read. The lines that are asked about come in their order too.
    pub(super) fn has(&mut self, line: &[u8]) -> bool {
        let place = line.as_ptr().addr();
        while self.places.get(self.next).is_some_and(|read| *read < place) {
            self.next += 1;
        }
        self.places.get(self.next) == Some(&place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Lines that fit a prefix, nearly do, or do not, of which many begin alike.
    fn line() -> impl Strategy<Value = String> {
        let time =
            prop::sample::select(vec!["2026-09-16 19:02:12 UTC", "2026-09-16 19:02:12.345 IST", "2026-09-16 19:02:1"]);
        let session = prop::sample::select(vec!["6aaae7b4.1dc3", "6aaae7b4.1dc", "6aaae7b4.", "7619", "76191"]);
        let between = prop::sample::select(vec!["-", "- ", " [", ""]);
        let end = prop::sample::select(vec!["-", "] ", "- ", " "]);
        let severity = prop::sample::select(vec!["LOG", "FATAL", "LO", "DEBUG5", "LOG:  LOG"]);
        let message = prop::sample::select(vec!["connection received: host=h port=5", "", ":  x", " x"]);
        (time, between, session, end, severity, message).prop_map(|(time, between, session, end, severity, message)| {
            format!("{time}{between}{session}{end}{severity}:  {message}")
        })
    }

    proptest! {
        #[test]
        fn a_line_is_split_as_if_none_came_before_it(
            prefix in prop::sample::select(vec!["%t-%c-", "%m [%p] ", "%t-%p- ", "%t-%l-%c", "%q", "%t %u-"]),
            lines in prop::collection::vec(line(), 1..40),
        ) {
            let prefixes: [Prefix; 1] = [prefix.parse().unwrap()];
            let mut last = LastHead::default();
            for line in &lines {
                prop_assert_eq!(last.split(&prefixes, line.as_bytes()), prefixes[0].split(line.as_bytes()), "{}", line);
            }
        }
    }

    #[test]
    fn lines_that_were_read_are_told_from_others() {
        let region = b"a\nb\nc\nd\n";
        let line = |at: usize| &region[at..=at];
        let mut read = ReadAt::default();
        read.add(line(2));
        read.add(line(6));
        assert_eq!([0, 2, 4, 6].map(|at| read.has(line(at))), [false, true, false, true]);
        read.clear();
        assert!(!read.has(line(2)));
    }
}
