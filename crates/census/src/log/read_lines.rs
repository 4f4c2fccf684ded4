//! Lines of authorized sessions that were read before, in whatever file: a line counts once.

use super::joined_session::{Seen, SessionOrigin};
use crate::seed::SeededHash;
use std::collections::HashMap;
use std::hash::BuildHasher;

/// Lines that are remembered.
const MOST: usize = 512 << 10;

/// What was authorized, as a digest of the process id, the second and all that the line says; and where from, where that is known.
#[derive(Debug, Default)]
pub(super) struct ReadLines(HashMap<u64, Origin, SeededHash>);

/// Where a session came from, as a digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Origin {
    /// No line says it.
    Unknown,
    Local,
    Host(u32),
}

impl ReadLines {
    /// Whether this was not read before, and remembers it.
    ///
    /// A line without its origin is known where another file has it with an address: not every file need have the lines that say it.
    /// It is not known where another file has it from the machine itself. If what was taken for a process id is none, the two may be
    /// different sessions, and this one may have come over the network in plaintext.
    pub(super) fn is_new(&mut self, pid: u32, seen: &Seen, origin: Option<&SessionOrigin>) -> bool {
        let line = self.digest(pid, seen);
        let origin = self.origin(origin);
        match self.0.get(&line).copied() {
            Some(Origin::Host(_)) if origin == Origin::Unknown => false,
            Some(known) if known == origin => false,
            None | Some(Origin::Unknown) => {
                self.insert(line, origin);
                true
            }
            // Several sessions have this process id at once: their lines are told apart by their origins.
            Some(_) => {
                let apart = self.0.hasher().hash_one((line, origin));
                let is_new = !self.0.contains_key(&apart);
                self.insert(apart, origin);
                is_new
            }
        }
    }

    /// Notes the address of the session of a line, which a later line of it says: another file may have both in one.
    pub(super) fn learn(&mut self, pid: u32, seen: &Seen, origin: &SessionOrigin) {
        let (line, learned) = (self.digest(pid, seen), self.origin(Some(origin)));
        if let (Origin::Host(_), Some(known @ Origin::Unknown)) = (learned, self.0.get_mut(&line)) {
            *known = learned;
        }
    }

    fn insert(&mut self, line: u64, origin: Origin) {
        if self.0.len() >= MOST {
            self.0.clear();
        }
        self.0.insert(line, origin);
    }

    fn digest(&self, pid: u32, seen: &Seen) -> u64 {
        self.0.hasher().hash_one((pid, seen.at.map(|at| at.div_euclid(1_000)), seen.said.parts()))
    }

    fn origin(&self, origin: Option<&SessionOrigin>) -> Origin {
        match origin {
            None => Origin::Unknown,
            Some(SessionOrigin::Local) => Origin::Local,
            Some(SessionOrigin::Host(host)) => {
                Origin::Host(u32::try_from(self.0.hasher().hash_one(host) >> 32).unwrap_or_default())
            }
        }
    }
}
