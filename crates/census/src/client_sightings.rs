//! Everything that was seen of one client.

use crate::client_key::Key;
use crate::log_time::{DAY, earliest};
use crate::sessions::DailySessions;
use crate::{Client, Doubt, Millis, SessionId};
use std::collections::BTreeMap;

/// Versions of TLS of one client that are told apart: there are six.
const MOST_PROTOCOLS: usize = 8;

/// Everything that was seen of a client.
#[derive(Debug, Default)]
pub(crate) struct ClientSightings {
    pub(crate) first: Option<Millis>,
    pub(crate) last: Option<Millis>,
    pub(crate) sightings: u64,
    pub(crate) sources: Vec<usize>,
    pub(crate) doubt: Option<Doubt>,
    /// The sessions of each day since 1970; those without a time under `None`.
    pub(crate) days: BTreeMap<Option<i64>, DailySessions>,
    /// When each version of TLS was last seen, and with which cipher.
    pub(crate) protocols: BTreeMap<String, (Option<Millis>, Option<String>)>,
}

/// What a sighting says beside who the client is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look<'a> {
    pub(crate) source: usize,
    pub(crate) id: SessionId,
    pub(crate) at: Option<Millis>,
    pub(crate) protocol: Option<&'a str>,
    pub(crate) cipher: Option<&'a str>,
    pub(crate) doubt: Option<Doubt>,
}

impl ClientSightings {
    /// Counts one more.
    pub(crate) fn add(&mut self, look: Look<'_>) {
        let Look { source, id, at, protocol, cipher, doubt } = look;
        self.sightings += 1;
        if !self.sources.contains(&source) {
            self.sources.push(source);
        }
        self.last = self.last.max(at);
        self.first = earliest(self.first, at);
        self.doubt = self.doubt.max(doubt);
        self.days.entry(at.map(|at| at.div_euclid(DAY))).or_default().add(id);
        let Some(protocol) = protocol else { return };
        if let Some((known_at, known)) = self.protocols.get_mut(protocol) {
            if (*known_at, known.as_deref()) < (at, cipher) {
                *known_at = at;
                if known.as_deref() != cipher {
                    *known = cipher.map(ToOwned::to_owned);
                }
            }
        } else if self.protocols.len() < MOST_PROTOCOLS {
            self.protocols.insert(protocol.to_owned(), (at, cipher.map(ToOwned::to_owned)));
        }
    }

    /// The client of this key that was seen so.
    pub(crate) fn into_client(self, key: Key) -> Client {
        let Key { user, database, application, address, backend, tls } = key;
        let mut sources = self.sources;
        sources.sort_unstable();
        let lowest_protocol = self.protocols.keys().next().cloned();
        let newest = self.protocols.into_iter().max_by_key(|(_, (at, _))| *at);
        let (protocol, cipher) = newest.map_or((None, None), |(protocol, (_, cipher))| (Some(protocol), cipher));
        Client {
            user,
            database,
            application,
            address,
            backend,
            tls,
            protocol,
            cipher,
            lowest_protocol,
            first_seen: self.first,
            last_seen: self.last,
            sightings: self.sightings,
            is_estimate: false,
            sources,
            doubt: self.doubt,
        }
    }
}
