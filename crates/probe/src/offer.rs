//! What a connection asks for, and the handshake that it gets.

use hostssl_pgwire::frontend::{Replication, StartupMessage};
use hostssl_pgwire::tls::{CipherSuite, NamedGroup, ProtocolVersion};

/// A login to try, without ever authenticating.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Startup {
    /// The user to name.
    pub(crate) user: String,
    /// The database to name; physical replication needs none.
    pub(crate) database: Option<String>,
    /// Whether to ask for replication.
    pub(crate) replication: Replication,
}

impl Startup {
    /// The message to send.
    #[must_use]
    pub(crate) fn message(&self) -> StartupMessage {
        StartupMessage::login(&self.user, self.database.as_deref(), self.replication)
    }

    /// The startup in words, for reasons and transcripts.
    #[must_use]
    pub(crate) fn describe(&self) -> String {
        let what = match self.replication {
            Replication::None => "",
            Replication::Physical => "replication ",
            Replication::Logical => "logical replication ",
        };
        match &self.database {
            Some(database) => format!("{what}user \"{}\", database \"{database}\"", self.user),
            None => format!("{what}user \"{}\"", self.user),
        }
    }
}

/// A completed handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Handshake {
    /// The version.
    pub(crate) version: ProtocolVersion,
    /// The cipher suite.
    pub(crate) suite: CipherSuite,
    /// The group of the key exchange.
    pub(crate) group: Option<NamedGroup>,
    /// The application protocol.
    pub(crate) alpn: Option<Vec<u8>>,
    /// The certificates in DER, the server's own first.
    pub(crate) chain: Vec<Vec<u8>>,
    /// Whether the server's signature over the handshake was checked, or why it could not be.
    pub(crate) key_proof: Result<(), String>,
    /// The server asked for a certificate of ours.
    pub(crate) certificate_requested: bool,
}
