//! What makes a client distinct, and how clients are sorted.

use crate::verdict::index;
use crate::{Backend, Client, SessionTls, Sighting};
use hostssl_pgwire::own_names::OWN_APPLICATION;
use hostssl_pgwire::tls::ProtocolVersion;
use std::borrow::Borrow;
use std::hash::{Hash, Hasher};

/// What makes a client distinct.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) user: Option<String>,
    pub(crate) database: Option<String>,
    pub(crate) application: Option<String>,
    pub(crate) address: Option<String>,
    pub(crate) backend: Backend,
    pub(crate) tls: SessionTls,
}

/// The same in texts that lie elsewhere: a client is looked up for every one of its sessions, and is made once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct KeyRef<'a> {
    pub(crate) user: Option<&'a str>,
    pub(crate) database: Option<&'a str>,
    pub(crate) application: Option<&'a str>,
    pub(crate) address: Option<&'a str>,
    pub(crate) backend: Backend,
    pub(crate) tls: SessionTls,
}

/// Either of both, for a map of the first.
pub(crate) trait ClientKey {
    fn parts(&self) -> KeyRef<'_>;
}

impl ClientKey for Key {
    fn parts(&self) -> KeyRef<'_> {
        let Self { user, database, application, address, backend, tls } = self;
        let [user, database, application, address] = [user, database, application, address].map(|name| name.as_deref());
        KeyRef { user, database, application, address, backend: *backend, tls: *tls }
    }
}

impl ClientKey for KeyRef<'_> {
    fn parts(&self) -> KeyRef<'_> {
        *self
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.parts().hash(state);
    }
}

impl Hash for dyn ClientKey + '_ {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.parts().hash(state);
    }
}

impl PartialEq for dyn ClientKey + '_ {
    fn eq(&self, other: &Self) -> bool {
        self.parts() == other.parts()
    }
}

impl Eq for dyn ClientKey + '_ {}

impl<'a> Borrow<dyn ClientKey + 'a> for Key {
    fn borrow(&self) -> &(dyn ClientKey + 'a) {
        self
    }
}

impl<'a> From<&'a Sighting> for KeyRef<'a> {
    fn from(sighting: &'a Sighting) -> Self {
        let Sighting { user, database, application, address, backend, tls, .. } = sighting;
        let [user, database, application, address] = [user, database, application, address].map(|name| name.as_deref());
        Self { user, database, application, address, backend: *backend, tls: *tls }
    }
}

impl KeyRef<'_> {
    pub(crate) fn to_key(self) -> Key {
        let [user, database, application, address] =
            [self.user, self.database, self.application, self.address].map(|name| name.map(ToOwned::to_owned));
        Key { user, database, application, address, backend: self.backend, tls: self.tls }
    }

    /// Whether a session is a login of this program, which always uses TLS, and never a version below 1.2: rustls has none. A client
    /// that has its name, and uses less or what is not known, is a client that may be refused.
    pub(crate) fn is_own(&self, protocol: Option<&str>) -> bool {
        let ours = [ProtocolVersion::Tls12, ProtocolVersion::Tls13].map(ProtocolVersion::name);
        let is_modern = protocol.is_some_and(|protocol| ours.contains(&protocol));
        self.tls == SessionTls::Tls && is_modern && self.application == Some(OWN_APPLICATION)
    }
}

impl Key {
    /// The names that the end of a session has too.
    pub(crate) fn names(&self) -> SessionNames {
        SessionNames { user: self.user.clone(), database: self.database.clone(), address: self.address.clone() }
    }
}

/// Who is known only by the end of a session.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct SessionNames {
    pub(crate) user: Option<String>,
    pub(crate) database: Option<String>,
    pub(crate) address: Option<String>,
}

/// How clients are sorted: those in plaintext first, then by name.
pub(crate) type ClientOrder<'a> = (usize, [Option<&'a str>; 4], Backend);

/// By what a client is sorted.
pub(crate) fn order(client: &Client) -> ClientOrder<'_> {
    let Client { user, database, application, address, .. } = client;
    let names = [user, database, application, address].map(|name| name.as_deref());
    (index(client.tls), names, client.backend)
}
