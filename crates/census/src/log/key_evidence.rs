//! Whether what a prefix has for the process id of a line joins the lines of one session.

use super::prefix::{Prefix, PrefixPart, SessionKey};
use super::wording::WORDINGS;
use std::collections::HashMap;

/// What the lines say of the key of a prefix, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum KeyEvidence {
    /// It joins lines of different sessions.
    Refuted,
    /// There is no key.
    None,
    /// No line tells.
    Unproven,
    /// It joins so many sessions.
    Proven(usize),
}

/// What was seen of the lines with one key.
#[derive(Default)]
struct KeyCounts {
    received: usize,
    /// *authorized* that follows its *received*.
    joined: usize,
    /// *authorized* where nothing was received at all.
    alone: usize,
    /// *received* of a key that was authorized before: a process id that comes again.
    again: usize,
    /// What no process does: *received* twice, *authorized* twice, or without *received* where that is logged.
    torn: usize,
}

/// What the lines say of the key of a prefix.
pub(super) fn evidence(prefix: &Prefix, lines: &[&[u8]]) -> KeyEvidence {
    if !prefix.has_key() {
        return KeyEvidence::None;
    }
    let counts = count(prefix, lines);
    // A session id has a form of its own.
    let is_certain = prefix.parts.contains(&PrefixPart::Session);
    if is_certain {
        return KeyEvidence::Proven(counts.joined + counts.alone);
    }
    if counts.torn * 4 > counts.joined + counts.alone || counts.again * 3 > counts.received * 2 {
        return KeyEvidence::Refuted;
    }
    match counts.joined + counts.alone {
        0 => KeyEvidence::Unproven,
        sessions => KeyEvidence::Proven(sessions),
    }
}

fn count(prefix: &Prefix, lines: &[&[u8]]) -> KeyCounts {
    let mut counts = KeyCounts::default();
    // Whether the session of a key was authorized.
    let mut sessions: HashMap<SessionKey, bool> = HashMap::new();
    for line in lines {
        let Some(split) = prefix.split(line) else { continue };
        let begins = |text: &str| split.message.starts_with(text.as_bytes());
        if begins("starting PostgreSQL") || begins("database system is ready") {
            sessions.clear();
        }
        let Some(key) = split.head.key else { continue };
        if WORDINGS.iter().any(|wording| begins(wording.received)) {
            counts.received += 1;
            match sessions.insert(key, false) {
                Some(true) => counts.again += 1,
                Some(false) => counts.torn += 1,
                None => {}
            }
        } else if WORDINGS.iter().any(|wording| begins(wording.authorized) || begins(wording.replication)) {
            match sessions.insert(key, true) {
                Some(false) => counts.joined += 1,
                None if counts.received == 0 => counts.alone += 1,
                Some(true) | None => counts.torn += 1,
            }
        } else if WORDINGS.iter().any(|wording| begins(wording.disconnection)) {
            sessions.remove(&key);
        }
    }
    counts
}
