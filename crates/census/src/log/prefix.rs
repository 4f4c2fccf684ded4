//! `log_line_prefix`: what a line of a stderr log begins with.

use super::short::{find, rfind};
use super::wording::is_severity;
use crate::Millis;
use crate::log_time::stamp;
use std::fmt;

/// One part of a prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PrefixPart {
    /// Fixed text.
    Literal(Vec<u8>),
    /// `%t` or `%m`: the time of the line.
    Time { has_millis: bool },
    /// `%s`: when the session began.
    SessionStart,
    /// `%n`: the time of the line as a number.
    Epoch,
    /// `%p`.
    Pid,
    /// `%c`.
    Session,
    /// A number or another word without a space, of which nothing is needed: `%l`, `%x`, `%v`, `%e`, `%P`, `%Q`.
    Word(char),
    /// A text of any kind: names, `%i`, `%b`.
    Free(Field),
}

/// What a text in a prefix is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    /// `%u`
    User,
    /// `%d`
    Database,
    /// `%h`
    Host,
    /// `%r`: the host, and the port in parentheses.
    HostAndPort,
    /// Anything else, of which the letter is kept, or what could not be told apart.
    Other(Option<char>),
}

/// The prefix of the lines of a log, as `log_line_prefix` describes it.
///
/// # Examples
///
/// ```
/// let prefix: hostssl_census::Prefix = "%m [%p] ".parse()?;
/// assert_eq!(prefix.to_string(), "%m [%p] ");
/// # Ok::<(), hostssl_census::InvalidPrefix>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prefix {
    pub(super) parts: Vec<PrefixPart>,
}

/// A prefix that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPrefix {
    /// An escape that PostgreSQL does not have.
    #[error("log_line_prefix has no escape %{0}")]
    UnknownEscape(char),
    /// A `%` at the end.
    #[error("the prefix ends in the middle of an escape")]
    Unfinished,
}

/// Which session a line is of: `%c` is never used again, a process id is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct SessionKey {
    /// When the process began, from `%c`; 0 if only the process id is known.
    pub(crate) start: u64,
    /// The process id.
    pub(crate) pid: u32,
}

impl SessionKey {
    /// Reads `6aaae7b4.1dc3`.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let (key, length) = Self::parse_prefix(bytes)?;
        (length == bytes.len()).then_some(key)
    }

    /// Reads it at the beginning, with its length.
    pub(super) fn parse_prefix(bytes: &[u8]) -> Option<(Self, usize)> {
        let (start, first) = hex(bytes, 16)?;
        let rest = bytes.get(first..)?.strip_prefix(b".")?;
        let (pid, second) = hex(rest, 8)?;
        Some((Self { start, pid: u32::try_from(pid).ok()? }, first + 1 + second))
    }

    /// The key of a process id alone.
    pub(crate) fn of_pid(pid: u32) -> Self {
        Self { start: 0, pid }
    }

    /// Whether it can belong to another session some time later.
    pub(crate) fn is_reused(self) -> bool {
        self.start == 0
    }
}

fn hex(bytes: &[u8], most: usize) -> Option<(u64, usize)> {
    let length = bytes.iter().take(most).take_while(|byte| byte.is_ascii_hexdigit()).count();
    let digits = bytes.get(..length).filter(|digits| !digits.is_empty())?;
    let value = digits.iter().fold(0u64, |value, byte| {
        let digit = (*byte as char).to_digit(16).unwrap_or_default();
        value << 4 | u64::from(digit)
    });
    Some((value, length))
}

/// What the prefix of one line says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Head<'a> {
    pub(super) at: Option<Millis>,
    /// The zone of the time is one that several regions use.
    pub(super) is_zone_unknown: bool,
    pub(super) key: Option<SessionKey>,
    pub(super) host: Option<&'a [u8]>,
    pub(super) user: Option<&'a [u8]>,
    pub(super) database: Option<&'a [u8]>,
}

/// A line that is split into its prefix, severity and message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Split<'a> {
    pub(super) head: Head<'a>,
    pub(super) severity: &'a [u8],
    pub(super) message: &'a [u8],
    /// There is another way to split the line: a name in its prefix holds what looks like the end of the prefix.
    pub(super) is_ambiguous: bool,
}

/// The longest text in a prefix: names have up to 63 bytes, and several of them may be one part.
const LONGEST_TEXT: usize = 512;
/// The most ways that are tried to split one line.
const MOST_STEPS: usize = 4_096;

impl Prefix {
    /// Splits a line; `None` if it does not begin with this prefix and a severity.
    pub(super) fn split<'a>(&self, line: &'a [u8]) -> Option<Split<'a>> {
        let mut search = Search { line, first: None, is_ambiguous: false, steps: 0 };
        search.run(&self.parts, 0, Head::default());
        let (head, severity_at, message_at) = search.first?;
        Some(Split {
            head,
            severity: line.get(severity_at..message_at - 3)?,
            message: line.get(message_at..)?,
            is_ambiguous: search.is_ambiguous,
        })
    }

    /// The time at the beginning of a line, whatever is behind it.
    pub(super) fn time(&self, line: &[u8]) -> Option<Millis> {
        match self.parts.first() {
            Some(PrefixPart::Time { .. }) => stamp(line).map(|stamp| stamp.at),
            Some(PrefixPart::Epoch) => epoch(line).map(|(at, _)| at),
            _ => self.split(line)?.head.at,
        }
    }

    /// Whether no part of it is a text of any kind: lines that begin alike up to their message are then split alike.
    pub(super) fn is_fixed(&self) -> bool {
        !self.parts.iter().any(|part| matches!(part, PrefixPart::Free(_)))
    }

    /// Whether lines say when they were written.
    pub(super) fn has_time(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, PrefixPart::Time { .. } | PrefixPart::Epoch))
    }

    /// Whether lines say which session they are of.
    pub(super) fn has_key(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, PrefixPart::Session | PrefixPart::Pid))
    }

    /// Whether the names that were asked for stand in it, as they were sent: line breaks too.
    pub(super) fn may_have_names(&self) -> bool {
        let is_name = |field: &Field| matches!(field, Field::User | Field::Database | Field::Other(None));
        self.parts.iter().any(|part| matches!(part, PrefixPart::Free(field) if is_name(field)))
    }
}

struct Search<'a> {
    line: &'a [u8],
    first: Option<(Head<'a>, usize, usize)>,
    is_ambiguous: bool,
    steps: usize,
}

impl<'a> Search<'a> {
    /// Matches `parts` from `at` on. Returns when two ways are found: more do not matter.
    fn run(&mut self, parts: &[PrefixPart], at: usize, head: Head<'a>) {
        self.steps += 1;
        if self.steps > MOST_STEPS || self.is_ambiguous {
            return;
        }
        let Some(rest) = self.line.get(at..) else { return };
        let Some((part, others)) = parts.split_first() else { return self.end(at, head) };
        match part {
            PrefixPart::Free(field) => self.run_free(*field, others, at, head),
            PrefixPart::Literal(text) if rest.starts_with(text) => self.run(others, at + text.len(), head),
            PrefixPart::Time { .. } => {
                if let Some(stamp) = stamp(rest) {
                    let head = Head { at: Some(stamp.at), is_zone_unknown: !stamp.zone_known, ..head };
                    self.run(others, at + stamp.length, head);
                }
            }
            PrefixPart::SessionStart => {
                // Background processes have one too.
                if let Some(stamp) = stamp(rest) {
                    self.run(others, at + stamp.length, head);
                }
            }
            PrefixPart::Epoch => {
                if let Some((time, length)) = epoch(rest) {
                    self.run(others, at + length, Head { at: Some(time), ..head });
                }
            }
            PrefixPart::Session => {
                if let Some((key, length)) = SessionKey::parse_prefix(rest) {
                    self.run(others, at + length, Head { key: Some(key), ..head });
                }
            }
            PrefixPart::Pid => {
                let spaces = rest.iter().take_while(|byte| **byte == b' ').count();
                let digits: &[u8] = rest.get(spaces..).unwrap_or_default();
                let length = digits.iter().take(10).take_while(|byte| byte.is_ascii_digit()).count();
                let number =
                    digits.get(..length).and_then(|d| std::str::from_utf8(d).ok()).and_then(|d| d.parse().ok());
                if let Some(pid) = number {
                    let behind = self.spaces_of_padding(others, at + spaces + length);
                    let key = head.key.or(Some(SessionKey::of_pid(pid)));
                    self.run(others, behind, Head { key, ..head });
                }
            }
            PrefixPart::Word(_) => {
                let spaces = rest.iter().take_while(|byte| **byte == b' ').count();
                let next = literal(others);
                let word = rest.get(spaces..).unwrap_or_default();
                let length = word
                    .iter()
                    .take(LONGEST_TEXT)
                    .take_while(|byte| !byte.is_ascii_whitespace() && Some(**byte) != next)
                    .count();
                let behind = self.spaces_of_padding(others, at + spaces + length);
                self.run(others, behind, head);
            }
            PrefixPart::Literal(_) => {}
        }
    }

    /// `%-10p` pads on the right, and then a literal that does not begin with a space follows.
    fn spaces_of_padding(&self, others: &[PrefixPart], at: usize) -> usize {
        if literal(others) == Some(b' ') {
            return at;
        }
        let rest = self.line.get(at..).unwrap_or_default();
        at + rest.iter().take_while(|byte| **byte == b' ').count()
    }

    fn run_free(&mut self, field: Field, others: &[PrefixPart], at: usize, head: Head<'a>) {
        let rest = self.line.get(at..).unwrap_or_default();
        let most = rest.len().min(LONGEST_TEXT);
        let try_length = |search: &mut Self, length: usize| {
            let text = rest.get(..length).map(trim);
            search.run(others, at + length, with(head, field, text));
        };
        match others.first() {
            // Only where the fixed text behind it is.
            Some(PrefixPart::Literal(text)) => {
                let window = rest.get(..(most + text.len()).min(rest.len())).unwrap_or_default();
                let mut from = 0;
                while let Some(found) = window.get(from..).and_then(|part| find(part, text)) {
                    try_length(self, from + found);
                    from += found + 1;
                }
            }
            // Only before a severity.
            None => {
                let mut from = 0;
                while let Some(found) = rest.get(from..).and_then(|part| find(part, b":  ")) {
                    let end = from + found;
                    // The severity is the word before the colon; what is before the word is the text.
                    for start in (0..end).rev().take(24) {
                        if start <= most && rest.get(start..end).is_some_and(is_severity) {
                            let is_start = start == 0
                                || rest
                                    .get(start - 1)
                                    .is_some_and(|byte| byte.is_ascii() && !byte.is_ascii_alphabetic());
                            if is_start {
                                try_length(self, start);
                            }
                        }
                    }
                    from = end + 3;
                    if from > most {
                        break;
                    }
                }
            }
            Some(_) => (0..=most).for_each(|length| try_length(self, length)),
        }
    }

    /// All parts are matched: a severity must follow.
    fn end(&mut self, at: usize, head: Head<'a>) {
        let rest = self.line.get(at..).unwrap_or_default();
        let window = rest.get(..rest.len().min(48)).unwrap_or_default();
        let Some(length) = find(window, b":  ") else { return };
        if !window.get(..length).is_some_and(is_severity) {
            return;
        }
        let message = at + length + 3;
        match self.first {
            // The same place, reached in another way, is no other reading of the message.
            Some((_, _, known)) if known == message => {}
            Some(_) => self.is_ambiguous = true,
            None => self.first = Some((head, at, message)),
        }
    }
}

fn with<'a>(head: Head<'a>, field: Field, text: Option<&'a [u8]>) -> Head<'a> {
    let known = text.filter(|text| !text.is_empty() && *text != b"[unknown]");
    match field {
        Field::User => Head { user: known, ..head },
        Field::Database => Head { database: known, ..head },
        Field::Host => Head { host: known, ..head },
        Field::HostAndPort => {
            let host = known.map(|text| rfind(text, b"(").and_then(|at| text.get(..at)).unwrap_or(text));
            Head { host, ..head }
        }
        Field::Other(_) => head,
    }
}

fn trim(text: &[u8]) -> &[u8] {
    text.trim_ascii()
}

fn literal(parts: &[PrefixPart]) -> Option<u8> {
    match parts.first() {
        Some(PrefixPart::Literal(text)) => text.first().copied(),
        _ => None,
    }
}

/// `1789585332.007`
pub(super) fn epoch(bytes: &[u8]) -> Option<(Millis, usize)> {
    let digits = bytes.get(..10)?;
    let fraction = bytes.get(10..14)?;
    let number = |digits: &[u8]| -> Option<i64> {
        digits.iter().try_fold(0i64, |value, byte| byte.is_ascii_digit().then(|| value * 10 + i64::from(byte - b'0')))
    };
    let seconds = number(digits)?;
    let millis = number(fraction.strip_prefix(b".")?)?;
    Some((seconds * 1_000 + millis, 14))
}

impl std::str::FromStr for Prefix {
    type Err = InvalidPrefix;

    fn from_str(text: &str) -> Result<Self, InvalidPrefix> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut characters = text.chars().peekable();
        while let Some(character) = characters.next() {
            if character != '%' {
                literal.push(character);
                continue;
            }
            // A width such as %-10u pads the value with spaces, which are left off.
            while characters.next_if(|c| *c == '-' || c.is_ascii_digit()).is_some() {}
            let part = match characters.next().ok_or(InvalidPrefix::Unfinished)? {
                '%' => {
                    literal.push('%');
                    continue;
                }
                // Background processes stop here; connections are never theirs.
                'q' => continue,
                't' => PrefixPart::Time { has_millis: false },
                'm' => PrefixPart::Time { has_millis: true },
                'n' => PrefixPart::Epoch,
                's' => PrefixPart::SessionStart,
                'p' => PrefixPart::Pid,
                'c' => PrefixPart::Session,
                word @ ('l' | 'x' | 'v' | 'e' | 'P' | 'Q') => PrefixPart::Word(word),
                'u' => PrefixPart::Free(Field::User),
                'd' => PrefixPart::Free(Field::Database),
                'h' => PrefixPart::Free(Field::Host),
                'r' => PrefixPart::Free(Field::HostAndPort),
                other @ ('a' | 'i' | 'b' | 'L') => PrefixPart::Free(Field::Other(Some(other))),
                other => return Err(InvalidPrefix::UnknownEscape(other)),
            };
            if !literal.is_empty() {
                parts.push(PrefixPart::Literal(std::mem::take(&mut literal).into_bytes()));
            }
            parts.push(part);
        }
        if !literal.is_empty() {
            parts.push(PrefixPart::Literal(literal.into_bytes()));
        }
        Ok(Self { parts })
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in &self.parts {
            match part {
                PrefixPart::Literal(text) => f.write_str(&String::from_utf8_lossy(text).replace('%', "%%"))?,
                PrefixPart::Time { has_millis: true } => f.write_str("%m")?,
                PrefixPart::Time { has_millis: false } => f.write_str("%t")?,
                PrefixPart::SessionStart => f.write_str("%s")?,
                PrefixPart::Epoch => f.write_str("%n")?,
                PrefixPart::Pid => f.write_str("%p")?,
                PrefixPart::Session => f.write_str("%c")?,
                PrefixPart::Word(letter) => write!(f, "%{letter}")?,
                PrefixPart::Free(Field::User) => f.write_str("%u")?,
                PrefixPart::Free(Field::Database) => f.write_str("%d")?,
                PrefixPart::Free(Field::Host) => f.write_str("%h")?,
                PrefixPart::Free(Field::HostAndPort) => f.write_str("%r")?,
                PrefixPart::Free(Field::Other(Some(letter))) => write!(f, "%{letter}")?,
                PrefixPart::Free(Field::Other(None)) => f.write_str("\u{2026}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split<'a>(prefix: &str, line: &'a str) -> Option<Split<'a>> {
        prefix.parse::<Prefix>().unwrap().split(line.as_bytes())
    }

    #[test]
    fn prefixes_that_people_use_are_split() {
        let message = "connection received: host=10.0.0.1 port=5";
        let lines = [
            ("%t-%c-", "2026-09-16 19:02:12 UTC-6aaae7b4.1dc3-"),
            ("%m [%p] ", "2026-09-16 19:02:12.345 UTC [7619] "),
            ("%m [%p] %q%u@%d ", "2026-09-16 19:02:12.345 UTC [7619] [unknown]@[unknown] "),
            (
                "%t [%p]: [%l-1] user=%u,db=%d,app=%a,client=%h ",
                "2026-09-16 19:02:12 UTC [7619]: [3-1] user=app,db=shop,app=[unknown],client=10.0.0.1 ",
            ),
            ("%n|%p|%r|%e|", "1789585332.345|7619|10.0.0.1(5)|00000|"),
            ("<%-10u %5p %m>", "<app         7619 2026-09-16 19:02:12.345 CEST>"),
            ("pid=%p %v %x %s: %m ", "pid=7619 3/12 0 2026-09-16 19:02:11 UTC: 2026-09-16 19:02:12.345 UTC "),
            ("", ""),
        ];
        for (prefix, head) in lines {
            let line = format!("{head}LOG:  {message}");
            let found = split(prefix, &line).unwrap_or_else(|| panic!("{prefix}"));
            assert_eq!((found.severity, found.message), (&b"LOG"[..], message.as_bytes()), "{prefix}");
            assert!(!found.is_ambiguous, "{prefix}");
            if !prefix.is_empty() {
                assert_eq!(found.head.key.unwrap().pid, 7619, "{prefix}");
                assert!(found.head.at.is_some(), "{prefix}");
            }
        }
        let found = split("%n|%p|%r|", "1789585332.345|7619|10.0.0.1(5)|LOG:  x").unwrap();
        assert_eq!(found.head.host, Some(&b"10.0.0.1"[..]));
    }

    #[test]
    fn a_name_that_imitates_a_line_is_found_out() {
        let lie = "2026-09-16 19:02:12 UTC [1] app=x LOG:  connection authorized: user=a database=b LOG:  statement: x";
        assert!(split("%t [%p] app=%a ", lie).unwrap().is_ambiguous);
        // Without a name in the prefix there is one way only.
        assert!(!split("%t [%p] ", "2026-09-16 19:02:12 UTC [1] LOG:  a LOG:  b").unwrap().is_ambiguous);
    }

    #[test]
    fn nonsense_is_refused() {
        assert_eq!("%y".parse::<Prefix>(), Err(InvalidPrefix::UnknownEscape('y')));
        assert_eq!("%t %".parse::<Prefix>(), Err(InvalidPrefix::Unfinished));
        assert!(split("%t ", "hello").is_none());
    }
}
