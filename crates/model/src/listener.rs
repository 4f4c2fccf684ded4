//! What the listeners of a server did on the wire, as a client without credentials sees it.

use crate::{Coded, Reading, TlsVersion, Vantage, coded};
use std::fmt;
use std::sync::Arc;

/// One observation of one listener. Its source is the wire, and not what Azure declares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WireObservation {
    /// The port: 5432, or 6432 of a pooler.
    pub port: u16,
    /// The address looked at; `None` when none was found.
    pub address: Option<Box<str>>,
    /// When, in RFC 3339.
    pub observed_at: Box<str>,
    /// What was observed, or why nothing was.
    pub listener: Reading<WireListener>,
    /// Where it was taken; `None` for a look that this program took itself.
    pub vantage: Option<Box<Vantage>>,
}

/// What one listener does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WireListener {
    /// What it does with clients that come in plaintext.
    pub transport: WireTransport,
    /// Why that is said, in one line of text.
    pub why: Arc<str>,
    /// The versions that it was asked about, each once, the oldest first. Empty without TLS.
    pub versions: Vec<(WireVersion, Acceptance)>,
    /// Its certificate, when one was seen.
    pub certificate: Option<WireCertificate>,
}

coded! {
    /// What a listener does with clients that come in plaintext. The proof covers the users and databases that were
    /// named, as seen from where the program ran.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub enum WireTransport {
        /// They are refused, and TLS leads on.
        Enforced = "enforced",
        /// They are accepted, and TLS is available.
        Optional = "optional",
        /// They are accepted, and there is no TLS.
        PlaintextOnly = "plaintext-only",
        /// It offers TLS, and then no handshake is possible or safe.
        BrokenTls = "broken-tls",
        /// It answers, but not conclusively.
        Inconclusive = "inconclusive",
    }
}

/// A version that a listener can be asked for, from the oldest to the newest. No setting of Azure can name SSL 3.0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WireVersion {
    /// SSL 3.0 (RFC 6101), prohibited by RFC 7568.
    Ssl3,
    /// A version of TLS.
    Tls(TlsVersion),
}

/// The word for the version that no setting of Azure can name.
const SSL3: &str = "SSL3";

impl WireVersion {
    /// Every version, the oldest first.
    pub const ALL: [Self; 5] = [
        Self::Ssl3,
        Self::Tls(TlsVersion::Tls1_0),
        Self::Tls(TlsVersion::Tls1_1),
        Self::Tls(TlsVersion::Tls1_2),
        Self::Tls(TlsVersion::Tls1_3),
    ];

    /// Human-readable: `TLS 1.2`.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Ssl3 => "SSL 3.0",
            Self::Tls(version) => version.words(),
        }
    }
}

/// Azure's words, and one more.
impl Coded for WireVersion {
    fn code(self) -> &'static str {
        match self {
            Self::Ssl3 => SSL3,
            Self::Tls(version) => version.as_azure(),
        }
    }

    fn of_code(code: &str) -> Option<Self> {
        if code == SSL3 { Some(Self::Ssl3) } else { TlsVersion::from_azure(code).map(Self::Tls) }
    }
}

impl fmt::Display for WireVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.words())
    }
}

/// Whether a listener takes what it is offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Acceptance {
    /// It does.
    Accepted,
    /// It does not.
    Refused,
    /// The answer is not conclusive.
    Unknown,
}

/// What is known of a listener's certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WireCertificate {
    /// Whether libpq's `sslmode=verify-full` takes it; `None` when that could not be judged.
    pub verify_full: Option<bool>,
    /// Why not, or what decided.
    pub reason: Option<Arc<str>>,
    /// The last second of its validity, in RFC 3339.
    pub not_after: Option<Arc<str>>,
    /// Whole days that are left of it; negative when it has expired.
    pub days_left: Option<i64>,
    /// The root in which its chain ends.
    pub root: Option<Arc<str>>,
}

coded! {
    /// What the worst listener of a server does with clients without TLS, from best to worst. What could not be probed
    /// is worse than what is proved.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum WorstListener {
        /// Every listener refuses them.
        Enforced = "enforced",
        /// One could not be probed.
        Unseen = "unseen",
        /// One answers, and what it answers decides nothing.
        Inconclusive = "inconclusive",
        /// One offers TLS, and then no handshake is possible or safe.
        BrokenTls = "broken-tls",
        /// One accepts them, and has TLS.
        Optional = "optional",
        /// One accepts them, and has no TLS.
        PlaintextOnly = "plaintext-only",
    }
}

impl WorstListener {
    /// Of these listeners; `None` when there is none.
    #[must_use]
    pub fn of(looks: &[WireObservation]) -> Option<Self> {
        looks.iter().map(|look| Self::from(&look.listener)).max()
    }

    /// The words for people.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Enforced => "refuses plaintext",
            Self::Unseen => "not reached",
            Self::Inconclusive => "inconclusive",
            Self::BrokenTls => "TLS is broken",
            Self::Optional => "accepts plaintext",
            Self::PlaintextOnly => "has no TLS",
        }
    }

    /// Whether it was seen on the wire that clients without TLS are accepted.
    #[must_use]
    pub fn accepts_plaintext(self) -> bool {
        matches!(self, Self::Optional | Self::PlaintextOnly)
    }
}

impl From<&Reading<WireListener>> for WorstListener {
    fn from(listener: &Reading<WireListener>) -> Self {
        match listener {
            Reading::Known(listener) => listener.transport.into(),
            Reading::Unknown(_) => Self::Unseen,
        }
    }
}

impl From<WireTransport> for WorstListener {
    fn from(transport: WireTransport) -> Self {
        match transport {
            WireTransport::Enforced => Self::Enforced,
            WireTransport::Optional => Self::Optional,
            WireTransport::PlaintextOnly => Self::PlaintextOnly,
            WireTransport::BrokenTls => Self::BrokenTls,
            WireTransport::Inconclusive => Self::Inconclusive,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Reason, Unchecked};

    #[test]
    fn the_worst_listener_speaks_for_the_server() {
        let look =
            |listener| WireObservation { port: 5432, address: None, observed_at: "".into(), listener, vantage: None };
        let seen = |transport| {
            look(Reading::Known(WireListener { transport, why: "".into(), versions: Vec::new(), certificate: None }))
        };
        let unseen = || look(Reading::Unknown(Unchecked::new(Reason::Unreachable, "no answer")));
        assert_eq!(WorstListener::of(&[]), None);
        assert_eq!(WorstListener::of(&[seen(WireTransport::Enforced)]), Some(WorstListener::Enforced));
        assert_eq!(WorstListener::of(&[seen(WireTransport::Enforced), unseen()]), Some(WorstListener::Unseen));
        assert_eq!(WorstListener::of(&[seen(WireTransport::Optional), unseen()]), Some(WorstListener::Optional));
        let all = [WireTransport::BrokenTls, WireTransport::PlaintextOnly, WireTransport::Optional].map(seen);
        assert_eq!(WorstListener::of(&all), Some(WorstListener::PlaintextOnly));
    }

    #[test]
    fn a_version_is_read_by_its_word_and_the_oldest_is_the_least() {
        for version in WireVersion::ALL {
            assert_eq!(WireVersion::of_code(version.code()), Some(version));
        }
        assert!(WireVersion::ALL.is_sorted_by(|a, b| a < b));
        assert_eq!(WireVersion::of_code("TLS1_4"), None);
    }

    #[test]
    fn a_listener_has_the_word_of_its_transport() {
        for transport in WireTransport::ALL {
            assert_eq!(WorstListener::from(transport).as_str(), transport.as_str());
        }
    }
}
