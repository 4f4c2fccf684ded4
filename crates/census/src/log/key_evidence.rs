//! Whether what a prefix has for the process id of a line joins the lines of one session.

use super::prefix::{Prefix, PrefixPart, SessionKey};
use super::wording::WORDINGS;
use std::collections::{HashMap, HashSet};

/// What the lines say of the key of a prefix, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum KeyEvidence {
    /// It joins lines of different sessions.
    Refuted,
    /// There is no key.
    None,
    /// No line tells.
    Unproven,
    /// It joins sessions: of so many keys, among so many of all lines.
    Proven(KeyNumbers),
}

/// How many keys there are. A number of the machine or of the year is the same in all lines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct KeyNumbers {
    of_sessions: usize,
    of_lines: usize,
    sessions: usize,
}

/// So many sessions with one key are not those of a process id.
const SAME: usize = 3;

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
    /// The keys of sessions that came in, and of all lines. After a start of the server they are others.
    keys: HashSet<(usize, SessionKey)>,
    all_keys: HashSet<(usize, SessionKey)>,
    /// What no process does: *received* twice, *authorized* twice, or without *received* where that is logged.
    torn: usize,
}

/// What the lines say of the key of a prefix.
pub(super) fn evidence(prefix: &Prefix, lines: &[&[u8]]) -> KeyEvidence {
    if !prefix.has_key() {
        return KeyEvidence::None;
    }
    let counts = count(prefix, lines);
    let sessions = counts.joined + counts.alone;
    let numbers = KeyNumbers { of_sessions: counts.keys.len(), of_lines: counts.all_keys.len(), sessions };
    // A session id has a form of its own.
    if prefix.parts.contains(&PrefixPart::Session) {
        return KeyEvidence::Proven(numbers);
    }
    let is_same = counts.keys.len() == 1 && counts.received.max(sessions) >= SAME;
    if is_same || counts.torn * 4 > sessions || counts.again * 3 > counts.received * 2 {
        return KeyEvidence::Refuted;
    }
    if sessions == 0 { KeyEvidence::Unproven } else { KeyEvidence::Proven(numbers) }
}

fn count(prefix: &Prefix, lines: &[&[u8]]) -> KeyCounts {
    let mut counts = KeyCounts::default();
    // Whether the session of a key was authorized.
    let mut sessions: HashMap<SessionKey, bool> = HashMap::new();
    let mut starts = 0;
    for line in lines {
        let Some(split) = prefix.split(line) else { continue };
        let begins = |text: &str| split.message.starts_with(text.as_bytes());
        if begins("starting PostgreSQL") || begins("database system is ready") {
            sessions.clear();
            starts += 1;
        }
        let Some(key) = split.head.key else { continue };
        counts.all_keys.insert((starts, key));
        if WORDINGS.iter().any(|wording| begins(wording.received)) {
            counts.received += 1;
            counts.keys.insert((starts, key));
            match sessions.insert(key, false) {
                Some(true) => counts.again += 1,
                Some(false) => counts.torn += 1,
                None => {}
            }
        } else if WORDINGS.iter().any(|wording| begins(wording.authorized) || begins(wording.replication)) {
            match sessions.insert(key, true) {
                Some(false) => counts.joined += 1,
                None if counts.received == 0 => {
                    counts.alone += 1;
                    counts.keys.insert((starts, key));
                }
                Some(true) | None => counts.torn += 1,
            }
        } else if WORDINGS.iter().any(|wording| begins(wording.disconnection)) {
            sessions.remove(&key);
        }
    }
    counts
}
