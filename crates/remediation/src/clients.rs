//! What a step means to the clients of its server, and who has accepted that.

use crate::SafeText;
use hostssl_model::TlsVersion;

/// What the client census says about making a server stricter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ClientVerdict {
    /// Every observed client continues to work.
    Safe,
    /// Clients are refused.
    Breaks,
    /// Too little was seen to say.
    NeedsObservation,
}

impl ClientVerdict {
    /// Every verdict.
    pub const ALL: [Self; 3] = [Self::Safe, Self::Breaks, Self::NeedsObservation];

    /// The name in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Safe => "safe",
            Self::Breaks => "breaks",
            Self::NeedsObservation => "needs-observation",
        }
    }
}

/// What the census says about one control of one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientImpact {
    /// Whether clients are refused.
    pub verdict: ClientVerdict,
    /// Why, in one sentence.
    pub reason: SafeText,
    /// The clients that would be refused or might be: the first [`MAX_CLIENTS`].
    pub clients: Vec<AffectedClient>,
    /// The number of clients that are not listed.
    pub more: u32,
}

/// Clients that a step names. The census has all of them.
pub const MAX_CLIENTS: usize = 20;

impl ClientImpact {
    /// The impact where the clients were not observed.
    #[must_use]
    pub fn unobserved() -> Self {
        let reason = SafeText::new("no client data is available");
        Self { verdict: ClientVerdict::NeedsObservation, reason, clients: Vec::new(), more: 0 }
    }

    /// Whether the census says that no client is refused.
    #[must_use]
    pub fn is_safe(&self) -> bool {
        self.verdict == ClientVerdict::Safe
    }
}

/// A client that a step may refuse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AffectedClient {
    /// The user, if it is known.
    pub user: Option<SafeText>,
    /// The database, if there is one and it is known.
    pub database: Option<SafeText>,
    /// The application name that the client gave.
    pub application: Option<SafeText>,
    /// The address or host name.
    pub address: Option<SafeText>,
    /// How it connects.
    pub tls: ClientEncryption,
    /// When it was seen last, in RFC 3339.
    pub last_seen: Option<String>,
}

/// How a client connects, as far as it was observed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientEncryption {
    /// Without TLS.
    Plaintext,
    /// With or without TLS: that could not be determined.
    Unknown,
    /// With TLS, in this version at the lowest, if that is known.
    Tls(Option<TlsVersion>),
}

impl ClientEncryption {
    /// The name in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plaintext => "plaintext",
            Self::Unknown => "unknown",
            Self::Tls(None) => "tls",
            Self::Tls(Some(version)) => version.as_postgresql(),
        }
    }

    /// The one with this name in JSON.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let versions = TlsVersion::ALL.into_iter().map(|version| Self::Tls(Some(version)));
        [Self::Plaintext, Self::Unknown, Self::Tls(None)].into_iter().chain(versions).find(|one| one.as_str() == name)
    }
}

/// A person's acceptance that a step may refuse clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consent {
    /// Why.
    pub reason: SafeText,
    /// Who said it.
    pub by: SafeText,
}
