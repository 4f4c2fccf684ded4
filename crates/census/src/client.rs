//! One sighting of a client, and the clients that sightings add up to.

use crate::Millis;
use serde::{Deserialize, Serialize};

/// How a session was encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SessionTls {
    /// Without encryption, over the network. Enforcement refuses it.
    Plaintext,
    /// The evidence does not say.
    Unknown,
    /// With TLS.
    Tls,
    /// Over a Unix-domain socket of the server's own machine, which enforcement does not concern.
    Local,
}

impl SessionTls {
    /// Every state, worst first.
    pub const ALL: [Self; 4] = [Self::Plaintext, Self::Unknown, Self::Tls, Self::Local];

    /// The word in the formats.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plaintext => "plaintext",
            Self::Unknown => "unknown",
            Self::Tls => "tls",
            Self::Local => "local",
        }
    }
}

/// What serves the session at the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Backend {
    /// An ordinary session.
    Client,
    /// Physical or logical replication: a `walsender`.
    Replication,
    /// A session that a pooler holds for its own clients, which are not in the server's view.
    Pooler,
}

impl Backend {
    /// The word in the formats.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Replication => "replication",
            Self::Pooler => "pooler",
        }
    }
}

/// Why the evidence does not settle something about a sighting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Doubt {
    /// Not encrypted, but no line tells a network connection from one over a Unix-domain socket.
    NoAddress,
    /// The application name imitates the words with which the server says that TLS is on.
    ImitatedTls,
    /// The line can be read in two ways, because a name in its prefix imitates the end of the prefix.
    AmbiguousLine,
    /// The user or the database has the words in it that separate the two.
    AmbiguousNames,
    /// Encrypted by GSSAPI, which is not TLS.
    GssEncrypted,
    /// The line says something of TLS in words that this version does not know.
    UnknownWording,
    /// The session began before the observation did; only its end was seen.
    BeganBefore,
    /// It was authenticated, and no line says that it was accepted, which is the one that tells of encryption.
    NeverAuthorized,
}

impl Doubt {
    /// The word in the formats.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoAddress => "no-address",
            Self::ImitatedTls => "imitated-tls",
            Self::AmbiguousLine => "ambiguous-line",
            Self::AmbiguousNames => "ambiguous-names",
            Self::GssEncrypted => "gss-encrypted",
            Self::UnknownWording => "unknown-wording",
            Self::BeganBefore => "began-before",
            Self::NeverAuthorized => "never-authorized",
        }
    }

    /// What it means, in one sentence without a name from the log.
    #[must_use]
    pub fn explanation(self) -> &'static str {
        match self {
            Self::NoAddress => "not encrypted, but no line says whether it came over the network or a local socket",
            Self::ImitatedTls => "the application name imitates the server's own words about TLS",
            Self::AmbiguousLine => "a name in the line's prefix imitates a log line",
            Self::AmbiguousNames => {
                "the names of user and database can be read in two ways; csvlog and jsonlog tell them apart"
            }
            Self::GssEncrypted => "encrypted by GSSAPI, which is not TLS",
            Self::UnknownWording => "the line describes TLS in unknown words",
            Self::BeganBefore => "connected before the observation began; only the disconnection was logged",
            Self::NeverAuthorized => {
                "authenticated, but not logged as authorized: it was refused then, or log_connections leaves that out"
            }
        }
    }
}

/// One session that a source saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    /// The user, if it is known.
    pub user: Option<String>,
    /// The database, if the session has one and it is known.
    pub database: Option<String>,
    /// The application name that the client gave.
    pub application: Option<String>,
    /// The address or host name; `None` for a local socket or if it is not known.
    pub address: Option<String>,
    /// What served it.
    pub backend: Backend,
    /// How it was encrypted.
    pub tls: SessionTls,
    /// The version of TLS, such as `TLSv1.3`.
    pub protocol: Option<String>,
    /// The cipher suite.
    pub cipher: Option<String>,
    /// When.
    pub at: Option<Millis>,
    /// What the evidence does not settle.
    pub doubt: Option<Doubt>,
}

/// A distinct client, with everything that was seen of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// The user, if it is known.
    pub user: Option<String>,
    /// The database, if there is one and it is known.
    pub database: Option<String>,
    /// The application name that the client gave.
    pub application: Option<String>,
    /// The address or host name.
    pub address: Option<String>,
    /// What serves it.
    pub backend: Backend,
    /// How it was encrypted.
    pub tls: SessionTls,
    /// The version of TLS of the newest sighting.
    pub protocol: Option<String>,
    /// The cipher suite of the newest sighting.
    pub cipher: Option<String>,
    /// The lowest version of TLS of any sighting.
    pub lowest_protocol: Option<String>,
    /// When it was first seen.
    pub first_seen: Option<Millis>,
    /// When it was last seen.
    pub last_seen: Option<Millis>,
    /// How many sessions of it were seen.
    pub sightings: u64,
    /// Whether that number is an estimate, because there were more than are counted one by one.
    pub is_estimate: bool,
    /// The sources that saw it: positions in the report's list.
    pub sources: Vec<usize>,
    /// What the evidence does not settle.
    pub doubt: Option<Doubt>,
}
