//! Which clients are known, of those of which only a part of a session was seen.

use super::{KeptCensus, KeptClient};
use crate::began_before::KnownSessions;
use crate::client_key::Key;
use crate::sessions::are_among;
use crate::{Doubt, SessionTls};
use std::collections::HashSet;

/// What is known of sessions that were seen whole: those of clients that count, because a client that left before may have come back
/// another way. Of a session with TLS it does not matter when it began.
pub(super) struct Settled {
    known: KnownSessions,
    sessions: HashSet<u32>,
}

impl Settled {
    pub(super) fn of(kept: &KeptCensus, counts: &impl Fn(&KeptClient) -> bool) -> Self {
        let doubtful = kept.clients.values().any(KeptClient::is_half_seen);
        let whole = || kept.clients.iter().filter(|(_, client)| doubtful && !client.is_half_seen());
        let mut known = KnownSessions::default();
        whole().for_each(|(key, client)| known.add(key, counts(client)));
        Self {
            known,
            sessions: whole()
                .filter(|(key, client)| matches!(key.tls, SessionTls::Tls | SessionTls::Local) || counts(client))
                .flat_map(|(_, client)| client.days.values())
                .flat_map(|sessions| sessions.hashes().iter().copied())
                .collect(),
        }
    }

    /// Whether a client of which only a part of its sessions was seen is one that is known, so that it is not news.
    pub(super) fn explains(&self, key: &Key, client: &KeptClient) -> bool {
        if !client.is_half_seen() {
            return false;
        }
        let began_before = client.doubt == Some(Doubt::BeganBefore);
        // The line that looked like one about TLS is in another file.
        if began_before && self.known.are_imitated_by(key) {
            return false;
        }
        (began_before && self.known.explain(key)) || are_among(client.days.values(), &self.sessions)
    }
}

impl KeptClient {
    /// Whether a line of its sessions is in a file that was not read with the others.
    fn is_half_seen(&self) -> bool {
        matches!(self.doubt, Some(Doubt::BeganBefore | Doubt::NoAddress))
    }
}
