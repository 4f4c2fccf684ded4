//! Sessions that began before the observation, of which only the end is known: who of those that are known they may be.

use crate::Backend;
use crate::SessionTls;
use crate::client_key::{Key, SessionNames};
use crate::log::speaks_of_tls_behind;
use std::collections::{HashMap, HashSet};

/// The sessions that were seen whole, by the names that the end of a session has too.
#[derive(Debug, Default)]
pub(crate) struct KnownSessions {
    of_clients: HashMap<SessionNames, Known>,
    /// By users and addresses: the messages of replication have no database.
    of_replication: HashMap<(Option<String>, Option<String>), Known>,
}

#[derive(Debug, Default)]
struct Known {
    is_present: bool,
    /// One of them is in plaintext, or it is unknown.
    is_any_without_tls: bool,
    applications: HashSet<Option<String>>,
}

impl KnownSessions {
    /// Adds a client whose sessions were seen whole. One that is not present explains none, but what it did is known.
    pub(crate) fn add(&mut self, key: &Key, is_present: bool) {
        self.of_clients.entry(key.names()).or_default().add(key, is_present);
        if key.backend == Backend::Replication {
            let names = (key.user.clone(), key.address.clone());
            self.of_replication.entry(names).or_default().add(key, is_present);
        }
    }

    /// Whether a session that began before is no news: all that are known of its user, database and address use TLS, and its
    /// application is one of theirs. Where the format has none at the end of a session, the names must do.
    pub(crate) fn explain(&self, key: &Key) -> bool {
        self.known(key).any(|known| known.explains(key.application.as_deref()))
    }

    /// Whether the application name at the end of a session goes on into the server's words about TLS, with which the
    /// session of a known client began.
    pub(crate) fn are_imitated_by(&self, key: &Key) -> bool {
        let Some(field) = key.application.as_deref() else { return false };
        let mut applications = self.known(key).flat_map(|known| &known.applications);
        applications.any(|known| speaks_of_tls_behind(known.as_deref().unwrap_or_default(), field))
    }

    fn known(&self, key: &Key) -> impl Iterator<Item = &Known> {
        let replication = self.of_replication.get(&(key.user.clone(), key.address.clone()));
        self.of_clients.get(&key.names()).into_iter().chain(replication)
    }
}

impl Known {
    fn add(&mut self, key: &Key, is_present: bool) {
        self.is_present |= is_present;
        self.is_any_without_tls |= !matches!(key.tls, SessionTls::Tls | SessionTls::Local);
        self.applications.insert(key.application.clone());
    }

    fn explains(&self, application: Option<&str>) -> bool {
        // A driver may set its name after it has connected: then the beginning of its sessions has none.
        let is_one_of_them = application.is_none_or(|name| {
            let mut known = self.applications.iter();
            known.any(|one| one.as_deref().is_none_or(|one| one == name) && !speaks_of_tls_behind("", name))
        });
        self.is_present && !self.is_any_without_tls && is_one_of_them
    }
}
