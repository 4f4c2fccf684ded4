//! Which clients are known, of those of which only a part of a session was seen.

use super::{KeptCensus, KeptClient};
use crate::client_key::{Key, SessionNames};
use crate::sessions::are_among;
use crate::{Backend, Doubt, SessionTls};
use std::collections::HashSet;

/// What is known of sessions that were seen whole: those of clients that count, because a client that left before may have come back
/// another way. Of a session with TLS it does not matter when it began.
pub(super) struct Settled {
    names: HashSet<SessionNames>,
    /// Users and addresses of replication, whose messages have no database.
    replication: HashSet<(Option<String>, Option<String>)>,
    sessions: HashSet<u32>,
}

impl Settled {
    pub(super) fn of(kept: &KeptCensus, counts: &impl Fn(&KeptClient) -> bool) -> Self {
        let doubtful = kept.clients.values().any(KeptClient::is_half_seen);
        let whole = || kept.clients.iter().filter(|(_, client)| doubtful && !client.is_half_seen());
        let present = || whole().filter(|(_, client)| counts(client));
        Self {
            names: present().map(|(key, _)| key.names()).collect(),
            replication: present()
                .filter(|(key, _)| key.backend == Backend::Replication)
                .map(|(key, _)| (key.user.clone(), key.address.clone()))
                .collect(),
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
        let is_known = client.doubt == Some(Doubt::BeganBefore)
            && (self.names.contains(&key.names())
                || self.replication.contains(&(key.user.clone(), key.address.clone())));
        is_known || are_among(client.days.values(), &self.sessions)
    }
}

impl KeptClient {
    /// Whether a line of its sessions is in a file that was not read with the others.
    fn is_half_seen(&self) -> bool {
        matches!(self.doubt, Some(Doubt::BeganBefore | Doubt::NoAddress))
    }
}
