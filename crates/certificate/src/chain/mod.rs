//! Whether a path leads from a server's certificate to a root, as OpenSSL decides it for libpq.
//!
//! OpenSSL builds one path and does not turn back: what is wrong with that path is final, even if another would do. So
//! the question has two halves: which path it builds ([`paths`]), and what it says of it ([`openssl_checks`]). Where several
//! roots share a name, the path depends on their order, and on the version of OpenSSL: then all possible paths are
//! judged, and the question stays open unless they agree.
//!
//! webpki answers the same question by stricter rules (RFC 5280 without leniency); it is asked too, for the judgement
//! by RFC 9525.

mod openssl_checks;
mod paths;

use std::rc::Rc;

use crate::roots::RootStore;
use crate::x509::Certificate;
use paths::Paths;

/// The most certificates that a server may send: OpenSSL takes 100 kB of them (max_cert_list), some 100 of the usual
/// size.
const MAX_SENT: usize = 200;

/// Why no path was found, or none that is good.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ChainFault {
    #[error("malformed certificate")]
    Malformed,
    #[error("self-signed, and not among the given roots")]
    SelfSigned,
    #[error("the chain ends in a self-signed certificate that is not among the given roots")]
    SelfSignedRoot,
    #[error("an issuer is missing: it was neither sent nor is among the given roots")]
    MissingIssuer,
    #[error("the issuer's key does not verify the signature")]
    Signature,
    #[error("a date in the chain is not in UTC with seconds, as OpenSSL requires")]
    OddDate,
    #[error("an issuer has expired")]
    IssuerExpired,
    #[error("an issuer is not valid yet")]
    IssuerNotYetValid,
    #[error("an issuer is not allowed to issue")]
    NotAnIssuer,
    #[error("the chain is longer than an issuer allows")]
    PathLength,
    #[error("the certificate is not for servers")]
    Purpose,
    #[error("a critical extension is unknown")]
    CriticalExtension,
    #[error("an elliptic curve has explicit parameters instead of a name")]
    ExplicitCurve,
    #[error("a certificate of the chain has a key or a signature too weak for OpenSSL's security level 2")]
    Weak,
    #[error("a name constraint of an issuer excludes the name")]
    NameConstraint,
    /// No fault of the server: the question stays open.
    #[error("a signature is by an algorithm or a key size that hostssl cannot check")]
    Unsupported,
    /// No fault of the server: the question stays open.
    #[error("a certificate of the chain, or an extension of one, cannot be read by hostssl")]
    Unreadable,
    /// No fault of the server: the question stays open.
    #[error("the chain is longer than hostssl follows")]
    TooComplex,
    /// No fault of the server: the question stays open.
    #[error("an issuer constrains names, and whether this one is excluded could not be determined")]
    Constrained,
    /// OpenSSL takes the first root that fits and does not turn back; which one is first depends on its version.
    #[error("several roots have the same name: which one OpenSSL uses could not be determined")]
    Ambiguous,
}

impl ChainFault {
    /// Whether it is not a fault but a question that this program cannot answer.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self, Self::Unsupported | Self::Unreadable | Self::TooComplex | Self::Constrained | Self::Ambiguous)
    }
}

/// A path to a root.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Path {
    /// The subject of the root.
    pub(crate) root: String,
}

/// Judges the path from the first of `sent` to a root in `stores`, at `now` in seconds since 1970. The dates of the
/// first certificate are not checked.
pub(crate) fn judge(sent: &[Vec<u8>], stores: &[&RootStore], now: i64) -> Result<Path, ChainFault> {
    let mut certificates = sent.iter().take(MAX_SENT).map(|der| Certificate::read(der).map(Rc::new));
    let Some(Some(leaf)) = certificates.next() else {
        return Err(ChainFault::Malformed);
    };
    let others: Option<Vec<_>> = certificates.collect();
    let mut verdicts = Vec::new();
    match others {
        // A TLS client reads all certificates before it looks at any, and ends the handshake if one is malformed.
        None => verdicts.push(Err(ChainFault::Unreadable)),
        Some(_) if sent.len() > MAX_SENT => verdicts.push(Err(ChainFault::TooComplex)),
        Some(others) => {
            for built in Paths::of(leaf, &others, stores, now) {
                verdicts.push(built.and_then(|path| openssl_checks::check(&path, now).map(|()| path)));
            }
        }
    }
    agreed(verdicts)
        .map(|path| Path { root: path.last().map(|root| root.parsed.subject().to_string()).unwrap_or_default() })
}

/// What all verdicts say; an open question where they do not agree.
fn agreed<T>(verdicts: Vec<Result<T, ChainFault>>) -> Result<T, ChainFault> {
    let open = verdicts.iter().find_map(|verdict| verdict.as_ref().err().filter(|fault| fault.is_open()));
    let (good, all) = (verdicts.iter().filter(|verdict| verdict.is_ok()).count(), verdicts.len());
    if let Some(open) = open {
        return Err(open.clone());
    }
    if good != 0 && good != all {
        return Err(ChainFault::Ambiguous);
    }
    verdicts.into_iter().next().unwrap_or(Err(ChainFault::MissingIssuer))
}
