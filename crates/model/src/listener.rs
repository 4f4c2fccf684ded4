//! What the listeners of a server did on the wire, as a client without credentials sees it.

use crate::{Reading, TlsVersion};
use std::fmt;
use std::sync::Arc;

/// One look at one listener. Its source is the wire, and not what Azure declares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WireObservation {
    /// The port: 5432, or 6432 of a pooler.
    pub port: u16,
    /// The address looked at; `None` when none was found.
    pub address: Option<Box<str>>,
    /// When, in RFC 3339.
    pub observed_at: Box<str>,
    /// What was seen, or why the listener was not looked at, or told nothing.
    pub listener: Reading<WireListener>,
}

/// What one listener does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WireListener {
    /// What it does with clients that come in clear.
    pub transport: WireTransport,
    /// Why that is said, in one line for people.
    pub why: Arc<str>,
    /// The versions that it was asked about, each once, the oldest first. Empty without TLS.
    pub versions: Vec<(WireVersion, Acceptance)>,
    /// Its certificate, when one was seen.
    pub certificate: Option<WireCertificate>,
}

/// What a listener does with clients that come in clear. The proof covers the users and databases that were named, as seen
/// from where the program ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WireTransport {
    /// They are refused, and TLS leads on.
    Enforced,
    /// They are let in, and TLS is there for who asks.
    Optional,
    /// They are let in, and there is no TLS.
    PlaintextOnly,
    /// It offers TLS, and then no handshake is possible or safe.
    BrokenTls,
    /// It answers, and what it answers decides nothing.
    Inconclusive,
}

impl WireTransport {
    /// The name in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Enforced => "enforced",
            Self::Optional => "optional",
            Self::PlaintextOnly => "plaintext-only",
            Self::BrokenTls => "broken-tls",
            Self::Inconclusive => "inconclusive",
        }
    }
}

impl fmt::Display for WireTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
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

impl fmt::Display for WireVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ssl3 => f.write_str("SSL 3.0"),
            Self::Tls(version) => version.fmt(f),
        }
    }
}

/// Whether a listener takes what it is offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Acceptance {
    /// It does.
    Accepted,
    /// It does not.
    Refused,
    /// The answer does not tell.
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

/// The word of a listener of which nothing was seen.
const UNSEEN: &str = "unseen";

/// The word of the worst listener; empty when there is none. What was not seen is worse than what is
/// proved.
#[must_use]
pub fn worst_listener(looks: &[WireObservation]) -> &'static str {
    let word = |look: &WireObservation| match &look.listener {
        Reading::Known(listener) => listener.transport.as_str(),
        Reading::Unknown(_) => UNSEEN,
    };
    let rank = |word: &&str| match *word {
        "plaintext-only" => 5,
        "optional" => 4,
        "broken-tls" => 3,
        "inconclusive" => 2,
        "enforced" => 0,
        _ => 1,
    };
    looks.iter().map(word).max_by_key(rank).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Reason, Unchecked};

    #[test]
    fn the_worst_listener_speaks_for_the_server() {
        let look = |listener| WireObservation { port: 5432, address: None, observed_at: "".into(), listener };
        let seen = |transport| {
            look(Reading::Known(WireListener { transport, why: "".into(), versions: Vec::new(), certificate: None }))
        };
        let unseen = || look(Reading::Unknown(Unchecked::new(Reason::Unreachable, "no answer")));
        assert_eq!(worst_listener(&[]), "");
        assert_eq!(worst_listener(&[seen(WireTransport::Enforced)]), "enforced");
        assert_eq!(worst_listener(&[seen(WireTransport::Enforced), unseen()]), "unseen");
        assert_eq!(worst_listener(&[seen(WireTransport::Optional), unseen()]), "optional");
        let all = [WireTransport::BrokenTls, WireTransport::PlaintextOnly, WireTransport::Optional].map(seen);
        assert_eq!(worst_listener(&all), "plaintext-only");
    }
}
