//! What a log says of connections where it cannot be read: it is never a pass.
//!
//! A message may stand where no message begins because a line break was lost; in a line that is too long to be held; or it may be
//! in a language whose words are not known. Every such place makes the source one that did not show every connection.

use super::message::LogMessage;
use super::short::{find, rfind};
use super::wording::{NEEDLES, WORDINGS, Wording, find_piece, is_log_severity, is_severity};
use crate::{MissingReason, Source};
use memchr::{memchr_iter, memrchr};

/// Longer than any of the messages' words.
const LONGEST_NEEDLE: usize = 160;
/// Between a severity and the words by which a message is known: the quotation mark of a setting, `no pg_hba.conf entry …`.
const LONGEST_LEAD: usize = 64;

/// What a file says of connections that could not be read, counted.
#[derive(Debug, Default)]
pub(super) struct Unread {
    /// Lines and records that are damaged.
    pub(super) records: u64,
    /// Lines with another message inside of the one with which they begin.
    pub(super) glued: u64,
    /// Messages in the form of those about connections, in other words than any that are known.
    pub(super) foreign: u64,
    /// Lines that were too long to be held, with a message in it.
    skipped: u64,
    /// Whether the line that is being skipped is counted there.
    is_counted: bool,
    /// The last bytes of what was skipped: a message may lie across two pieces.
    tail: Vec<u8>,
}

impl Unread {
    /// A line that is too long begins.
    pub(super) fn begin_skipping(&mut self) {
        self.is_counted = false;
        self.tail.clear();
    }

    /// Looks at a piece of it, which is left out.
    pub(super) fn skip(&mut self, piece: &[u8]) {
        if self.is_counted {
            return;
        }
        self.tail.extend(piece.iter().take(LONGEST_NEEDLE));
        if holds_message(&self.tail) || holds_message(piece) {
            self.is_counted = true;
            self.skipped += 1;
            self.tail.clear();
            return;
        }
        if piece.len() > LONGEST_NEEDLE {
            self.tail.clear();
            self.tail.extend(piece.iter().skip(piece.len() - LONGEST_NEEDLE));
        } else {
            let beyond = self.tail.len().saturating_sub(LONGEST_NEEDLE);
            self.tail.drain(..beyond);
        }
    }

    /// Whether what was skipped has a message about a connection.
    pub(super) fn has_skipped(&self) -> bool {
        self.skipped > 0
    }

    /// Notes at the source what could not be read.
    pub(super) fn note(&self, source: &mut Source) {
        let counts = [
            (self.records, "about connections could not be read", "record", "records"),
            (
                self.glued,
                "another message about connections inside, as if a line break was lost",
                "line with",
                "lines with",
            ),
            (self.skipped, "over 1 MiB about connections skipped", "line", "lines"),
            (
                self.foreign,
                "like one about connections, in a language that hostssl does not know, which cannot be read",
                "message",
                "messages",
            ),
        ];
        let parts: Vec<String> = counts
            .into_iter()
            .filter(|(count, ..)| *count > 0)
            .map(|(count, what, one, many)| format!("{count} {} {what}", if count == 1 { one } else { many }))
            .collect();
        if !parts.is_empty() {
            source.lacks(MissingReason::Damaged, parts.join("; "));
        }
    }
}

/// Whether a text has the words of a message about a connection anywhere.
fn holds_message(text: &[u8]) -> bool {
    find_piece(text, 0).is_some_and(|at| {
        let from = at.saturating_sub(LONGEST_NEEDLE);
        text.get(from..).is_some_and(|text| NEEDLES.is_match(text))
    })
}

/// Whether a message of a stderr log has another one inside, which no reader would see.
///
/// A message about a connection quotes no other one, except in a name that is made to deceive. Other messages do: a statement
/// about logs is an everyday thing, but there the words do not follow a severity.
pub(super) fn has_message_inside(text: &[u8], message: Option<&LogMessage<'_>>) -> bool {
    // One piece is that of the message itself.
    let behind = match message {
        Some(
            LogMessage::Received(_) | LogMessage::Authorized(_) | LogMessage::Disconnected(_) | LogMessage::Damaged,
        ) => own_words(text),
        _ => 0,
    };
    let Some(rest) = text.get(behind..).filter(|rest| find_piece(rest, 0).is_some()) else { return false };
    NEEDLES.find_iter(rest).any(|found| behind > 0 || follows_severity(rest.get(..found.start()).unwrap_or_default()))
}

/// Where the words by which a message is known end: those at its beginning, of which nearly all are English.
fn own_words(text: &[u8]) -> usize {
    let Wording { received, authorized, disconnection, .. } = &WORDINGS[0];
    let english = [received, disconnection, authorized].into_iter().find(|words| text.starts_with(words.as_bytes()));
    english.map_or_else(|| NEEDLES.find(text).map_or(0, |own| own.end()), |words| words.len())
}

/// Whether a text ends with a severity, as a line does before its message.
fn follows_severity(text: &[u8]) -> bool {
    let lead = text.get(text.len().saturating_sub(LONGEST_LEAD)..).unwrap_or_default();
    let Some(colon) = rfind(lead, b":  ") else { return false };
    let before = lead.get(..colon).unwrap_or_default();
    (0..before.len()).any(|start| before.get(start..).is_some_and(is_severity))
}

/// Calls `take` with the lines that may end like a message about a connection that came in: `…=5432` or `…=[local]` before `end`,
/// which is a line break or the quotation mark of a field. Nearly all lines end in another way.
pub(super) fn each_candidate(region: &[u8], end: u8, mut take: impl FnMut(&[u8])) {
    for at in memchr_iter(end, region) {
        let text = region.get(..at).unwrap_or_default();
        if !ends_like_origin(text.strip_suffix(b"\r").unwrap_or(text)) {
            continue;
        }
        let start = memrchr(b'\n', text).map_or(0, |found| found + 1);
        let behind = region.get(at..).unwrap_or_default();
        let stop = memchr::memchr(b'\n', behind).map_or(region.len(), |found| at + found);
        let line = region.get(start..stop).unwrap_or_default();
        take(line.strip_suffix(b"\r").unwrap_or(line));
    }
}

fn ends_like_origin(text: &[u8]) -> bool {
    let value = match text.last() {
        Some(b']') => text.strip_suffix(b"[local]"),
        Some(byte) if byte.is_ascii_digit() => {
            let digits = text.iter().rev().take(6).take_while(|byte| byte.is_ascii_digit()).count();
            text.get(..text.len() - digits).filter(|_| digits < 6)
        }
        _ => None,
    };
    value.is_some_and(|head| head.last() == Some(&b'='))
}

/// Whether a message has the form that all languages share: `WORDS: HOST=… PORT=5432`, or `WORDS: USER=… … application_name=…`,
/// which hardly any catalogue translates.
pub(super) fn is_of_a_language(message: &[u8]) -> bool {
    let Some(colon) = find(message, b": ") else { return false };
    let (words, rest) = (message.get(..colon).unwrap_or_default(), message.get(colon + 2..).unwrap_or_default());
    let is_words =
        words.iter().all(|byte| is_letter(*byte) || b" '-".contains(byte)) && words.iter().any(|b| *b != b' ');
    let Some(value) = behind_name(rest).filter(|_| is_words) else { return false };
    if find(value, b" application_name=").is_some() {
        return true;
    }
    match memchr::memchr(b' ', value) {
        None => value == b"[local]",
        Some(space) => value.get(space + 1..).and_then(behind_name).is_some_and(|port| {
            space > 0 && !port.is_empty() && port.len() <= 5 && port.iter().all(u8::is_ascii_digit)
        }),
    }
}

/// The same of a line whose severity is not known either.
pub(super) fn is_whole_format(line: &[u8]) -> bool {
    let Some(at) = find(line, b":  ") else { return false };
    let head = line.get(..at).unwrap_or_default();
    let is_known =
        (0..head.len()).any(|start| head.get(start..).is_some_and(|word| is_severity(word) && !is_log_severity(word)));
    !is_known && line.get(at + 3..).is_some_and(is_of_a_language)
}

/// What is behind `NAME=`, where a name is one word.
fn behind_name(text: &[u8]) -> Option<&[u8]> {
    let equals = memchr::memchr(b'=', text)?;
    let name = text.get(..equals).filter(|name| !name.is_empty())?;
    name.iter().all(|byte| is_letter(*byte) || *byte == b'_').then(|| text.get(equals + 1..))?
}

/// A letter of any language: logs need not be UTF-8.
fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || !byte.is_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::message::parse;
    use crate::log::record_fields::Columns;

    #[test]
    fn a_message_inside_of_another_is_found() {
        let inside = |text: &str| {
            has_message_inside(text.as_bytes(), parse(b"LOG", text.as_bytes(), Columns::default()).as_ref())
        };
        let head = "2026-09-16 19:02:12 UTC-6aaae7b4.1dc3-LOG:  ";
        let authorized = "connection authorized: user=app database=shop";
        for glued in [
            format!("connection received: host=10.0.0.4 port=5{head}{authorized}"),
            format!("connection received: host=10.0.0.4 port=5{authorized}"),
            format!("{authorized} application_name=psql{head}connection received: host=10.0.0.4 port=5"),
            format!("disconnection: session time: 0:00:01 user=a database=b host=h port=5{head}{authorized}"),
            format!("replication connection authorized: user=rep{head}replication connection authorized: user=rep"),
            format!("checkpoint starting: time{head}{authorized}"),
            format!("checkpoint starting: time{head}parameter \"log_connections\" changed to \"off\""),
            format!("statement: select 1{head}Verbindung autorisiert: Benutzer=app Datenbank=shop"),
        ] {
            assert!(inside(&glued), "{glued}");
        }
        for whole in [
            "connection received: host=10.0.0.4 port=5",
            authorized,
            "replication connection authorized: user=rep application_name=connection pool",
            "statement: select * from logs where message like 'connection authorized: user=%'",
            "statement: show log_connections",
            "checkpoint complete: wrote 5 buffers",
            "parameter \"log_connections\" changed to \"on\"",
        ] {
            assert!(!inside(whole), "{whole}");
        }
    }

    #[test]
    fn what_is_skipped_is_searched_across_its_pieces() {
        let text = format!("{}connection authorized: user=app{}", "x".repeat(500), "y".repeat(500));
        for size in [1, 7, 160, 161, 400, 2_000] {
            let mut unread = Unread::default();
            for _ in 0..2 {
                unread.begin_skipping();
                text.as_bytes().chunks(size).for_each(|piece| unread.skip(piece));
            }
            assert_eq!(unread.skipped, 2, "pieces of {size}");
            unread.begin_skipping();
            "no connection at all ".repeat(100).as_bytes().chunks(size).for_each(|piece| unread.skip(piece));
            assert_eq!(unread.skipped, 2, "pieces of {size}");
        }
    }

    #[test]
    fn a_message_of_a_language_that_is_not_known_is_told_by_its_form() {
        for foreign in [
            "alınan bağlantı: istemci=10.0.0.9 port=5",
            "yhteys vastaanotettu: osoite=::1 portti=50123",
            "yhteys vastaanotettu: osoite=[local]",
            "yhteys hyväksytty: käyttäjä=app tietokanta=shop application_name=psql",
            "σύνδεση : χρήστης=db.example θύρα=5",
        ] {
            assert!(is_of_a_language(foreign.as_bytes()), "{foreign}");
            assert!(is_whole_format(format!("2026-09-16 19:02:12 UTC [7] LOKI:  {foreign}").as_bytes()), "{foreign}");
            let mut lines = 0;
            each_candidate(format!("a=1\nx\n[7] LOKI:  {foreign}\n").as_bytes(), b'\n', |_| lines += 1);
            assert_eq!(lines, if foreign.contains("application_name") { 1 } else { 2 });
        }
        for other in [
            "statement: update t set a=3 where id=5",
            "duration: 0.1 ms  statement: select a from b where c=5",
            "checkpoint complete: wrote 5 buffers (0.0%); write=0.2 s, sync=0",
            "connection ready: setup total=1.2 ms, fork=0.1 ms, authentication=0",
            "automatic vacuum of table \"a.b\": index scans=0 pages=5",
            "parameters: a=1",
            "job: id=5",
            "",
        ] {
            assert!(!is_of_a_language(other.as_bytes()), "{other}");
        }
        assert!(!is_whole_format("2026-09-16 19:02:12 UTC [7] STATEMENT:  a: b=c d=5".as_bytes()));
    }
}
