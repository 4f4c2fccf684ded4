//! What makes a client distinct, and how clients are sorted.

use crate::verdict::index;
use crate::{Backend, Client, SessionTls};
use hostssl_pgwire::own_names::OWN_APPLICATION;
use hostssl_pgwire::tls::ProtocolVersion;

/// What makes a client distinct.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    pub(crate) user: Option<String>,
    pub(crate) database: Option<String>,
    pub(crate) application: Option<String>,
    pub(crate) address: Option<String>,
    pub(crate) backend: Backend,
    pub(crate) tls: SessionTls,
}

impl Key {
    /// Whether a session is a login of this program, which always uses TLS, and never a version below 1.2: rustls has none. A client
    /// that has its name, and uses less or what is not known, is a client that may be refused.
    pub(crate) fn is_own(&self, protocol: Option<&str>) -> bool {
        let ours = [ProtocolVersion::Tls12, ProtocolVersion::Tls13].map(ProtocolVersion::name);
        let is_modern = protocol.is_some_and(|protocol| ours.contains(&protocol));
        self.tls == SessionTls::Tls && is_modern && self.application.as_deref() == Some(OWN_APPLICATION)
    }

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
