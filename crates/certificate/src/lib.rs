//! Judges a server's certificate: whether libpq accepts it with `sslmode=verify-full`, and whether RFC 9525 does.
//!
//! Pure: certificates in DER, roots, a host and a time in; an [`Assessment`] out. No I/O, no clock.

mod algorithm;
mod azure;
mod bundle;
mod certificate_names;
mod chain;
mod constraints;
mod der;
mod describe;
mod distinguished_name;
mod general_name;
pub mod name;
mod pem;
mod roots;
mod x509;

use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

pub use algorithm::is_checkable;
pub use azure::{AZURE_ROOTS, azure_roots};
pub use bundle::{BundleContents, azure_bundle};
pub use name::{CertificateName, NameMatch};
pub use roots::{RootError, RootStore};

use chain::ChainFault;
pub use describe::CertificateFacts;
use x509::Certificate;

/// What a judgement rests on.
#[derive(Clone, Copy, Debug)]
pub struct CertificateEvidence<'a> {
    /// The certificates as the server sent them, in DER, its own first.
    pub chain: &'a [Vec<u8>],
    /// The host as the user named it; empty when only an address was given.
    pub host: &'a str,
    /// The roots to trust. None at all leaves the chain unjudged.
    pub roots: &'a [RootStore],
    /// Seconds since 1970.
    pub now: i64,
    /// Whether libpq would check revocation lists: `sslcrl`, `sslcrldir` or `~/.postgresql/root.crl`. They are not read
    /// here, so that a certificate which is good otherwise is left unjudged.
    pub revocation_lists: bool,
    /// Whether the server's proof that it holds the key was checked, or why not.
    pub key_proof: Result<(), &'a str>,
}

/// One rule's judgement of a certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Judgement {
    /// Whether the rule accepts it; `None` when it could not be judged.
    pub ok: Option<bool>,
    /// Why not, or what decided. It may hold text of the server: escape it before it is shown.
    pub reason: Option<String>,
}

/// Whether the chain verifies with one store of roots alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RootCheck {
    /// The name that the caller gave to the store.
    pub store: String,
    /// Whether a path to one of its roots exists.
    pub verifies: bool,
}

/// A fact about a certificate or its chain that weakens the protection of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Flaw {
    /// The validity period has ended.
    Expired,
    /// The validity period has not begun.
    NotYetValid,
    /// It is signed with its own key.
    SelfSigned,
    /// No path to a given root exists.
    Untrusted,
    /// An issuer was neither sent nor given.
    ChainIncomplete,
    /// It does not name the host.
    HostMismatch,
    /// Its names match only by libpq's older rules, not by RFC 9525.
    LegacyName,
    /// An RSA key below 2048 bits, an EC key below 224.
    WeakKey,
    /// A signature with MD5 or SHA-1.
    WeakSignature,
    /// The server did not prove in a way that could be checked that it holds the key.
    KeyUnproven,
}

/// What there is to say about a server's certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Assessment {
    /// As libpq judges it with `sslmode=verify-full`.
    pub verify_full: Judgement,
    /// As RFC 9525 and RFC 5280 have it.
    pub rfc9525: Judgement,
    /// Whether a path to a given root exists, the dates of the server's own certificate left aside; `None` when no
    /// roots were given, or when the question could not be decided.
    pub chain_ok: Option<bool>,
    /// Whether the name matches, by libpq's rules; `None` when the certificate cannot be read.
    pub host_ok: Option<bool>,
    /// What can be read off the certificate alone; `None` when it cannot be read.
    pub facts: Option<CertificateFacts>,
    /// The subject of the root in which the path ends, RFC 4514.
    pub root: Option<String>,
    /// Each store of roots on its own, when several were given.
    pub root_checks: Vec<RootCheck>,
    /// What weakens the protection, in no order.
    pub flaws: Vec<Flaw>,
}

/// Judges a certificate as libpq's `verify-full` and as RFC 9525 do, and lists its flaws.
///
/// The two can differ: see [`name`] for the names, and for the chain that webpki, which stands for the RFC, refuses
/// some certificates that OpenSSL takes. `None` when there is no certificate.
#[must_use]
pub fn judge(evidence: &CertificateEvidence<'_>) -> Option<Assessment> {
    let leaf = evidence.chain.first()?;
    let Some(certificate) = Certificate::read(leaf) else {
        let unreadable = || Judgement { ok: Some(false), reason: Some("the certificate cannot be read".to_owned()) };
        return Some(Assessment {
            verify_full: unreadable(),
            rfc9525: unreadable(),
            flaws: vec![Flaw::Untrusted],
            ..Assessment::default()
        });
    };

    let facts = CertificateFacts::of(&certificate);
    let common_name = certificate_names::first_common_name(&certificate);
    let name_match =
        name::match_host(evidence.host, &certificate_names::alternative_names(&certificate), common_name.as_deref());
    let mut assessment = Assessment { host_ok: Some(name_match.is_match()), ..Assessment::default() };
    let path = judge_chain(evidence, &mut assessment);
    let strict = judge_strictly(evidence);
    let fault = path.as_ref().err();
    assessment.verify_full = verify_full(evidence, &facts, assessment.chain_ok, &name_match, fault);
    let open = fault.filter(|fault| fault.is_open());
    assessment.rfc9525 = rfc9525(evidence, assessment.chain_ok, &strict, &name_match, open);

    let mut flaws = facts.flaws(evidence.now);
    if assessment.host_ok == Some(false) {
        flaws.push(Flaw::HostMismatch);
    } else if matches!(strict, Err(Strict::Name(_))) {
        flaws.push(Flaw::LegacyName);
    }
    if assessment.chain_ok == Some(false) {
        flaws.push(Flaw::Untrusted);
        if path == Err(ChainFault::MissingIssuer) {
            flaws.push(Flaw::ChainIncomplete);
        }
    }
    if evidence.key_proof.is_err() {
        flaws.push(Flaw::KeyUnproven);
    }
    assessment.flaws = flaws;
    assessment.facts = Some(facts);
    Some(assessment)
}

/// Judges the path by OpenSSL's rules, with all stores and with each alone.
fn judge_chain(evidence: &CertificateEvidence<'_>, assessment: &mut Assessment) -> Result<(), ChainFault> {
    if evidence.roots.is_empty() {
        return Ok(());
    }
    let all: Vec<_> = evidence.roots.iter().collect();
    let path = chain::judge(evidence.chain, &all, evidence.now);
    assessment.chain_ok = match path {
        Ok(_) => Some(true),
        Err(ref fault) if fault.is_open() => None,
        Err(_) => Some(false),
    };
    if evidence.roots.len() > 1 {
        assessment.root_checks = all
            .iter()
            .map(|store| RootCheck {
                store: store.name().to_owned(),
                verifies: path.is_ok() && chain::judge(evidence.chain, &[store], evidence.now).is_ok(),
            })
            .collect();
    }
    assessment.root = Some(path?.root);
    Ok(())
}

fn verify_full(
    evidence: &CertificateEvidence<'_>,
    facts: &CertificateFacts,
    chain_ok: Option<bool>,
    name_match: &NameMatch,
    chain: Option<&ChainFault>,
) -> Judgement {
    let open = match chain.filter(|fault| fault.is_open()) {
        Some(fault) => Some(fault.to_string()),
        None if evidence.revocation_lists => Some(REVOCATION.to_owned()),
        None => evidence.key_proof.err().map(unproven),
    };
    let fault = if let Some(fault) = chain.filter(|fault| !fault.is_open()) {
        Some(fault.to_string())
    } else if facts.has_expired(evidence.now) {
        Some("the certificate has expired".to_owned())
    } else if facts.is_not_yet_valid(evidence.now) {
        Some("the certificate is not valid yet".to_owned())
    } else if let Some(weak) = facts.refused_by_openssl() {
        Some(weak)
    } else if evidence.host.is_empty() {
        Some("no host name was given to check it against; libpq refuses hostaddr alone".to_owned())
    } else if let NameMatch::Malformed(fault) = name_match {
        Some((*fault).to_owned())
    } else if !name_match.is_match() {
        Some(format!("the certificate does not name \"{}\"", evidence.host))
    } else {
        None
    };
    match (fault, name_match) {
        (Some(reason), _) => Judgement { ok: Some(false), reason: Some(reason) },
        // What this program cannot check is not a fault of the server: a false signature ends the handshake.
        (None, _) if open.is_some() => Judgement { ok: None, reason: open },
        (None, _) if chain_ok.is_none() => {
            Judgement { ok: None, reason: Some("no roots were given to verify the chain".to_owned()) }
        }
        (None, NameMatch::CommonName) => Judgement {
            ok: Some(true),
            reason: Some("the common name is used, because no alternative name is of the host's type".to_owned()),
        },
        (None, _) => Judgement { ok: Some(true), reason: None },
    }
}

const REVOCATION: &str = "libpq would check revocation lists, which hostssl does not read";

fn unproven(why: &str) -> String {
    format!("the server's proof of its key could not be checked: {why}")
}

/// Why webpki refuses.
#[derive(Debug)]
enum Strict {
    Chain(String),
    NameConstraint,
    Name(String),
}

/// RFC 5280 and RFC 9525 by webpki. The chain is not judged without roots; the name is always.
fn judge_strictly(evidence: &CertificateEvidence<'_>) -> Result<(), Strict> {
    let chain_fault = |error: webpki::Error| match error {
        webpki::Error::NameConstraintViolation => Strict::NameConstraint,
        error => Strict::Chain(describe::in_words(&error)),
    };
    let leaf = CertificateDer::from(evidence.chain.first().map(Vec::as_slice).unwrap_or_default());
    let leaf = webpki::EndEntityCert::try_from(&leaf).map_err(chain_fault)?;
    if !evidence.roots.is_empty() {
        let anchors: Vec<_> = evidence.roots.iter().flat_map(|store| store.anchors().iter().cloned()).collect();
        let between: Vec<_> =
            evidence.chain.iter().skip(1).take(16).map(|der| CertificateDer::from(der.as_slice())).collect();
        let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(u64::try_from(evidence.now).unwrap_or(0)));
        let usage = webpki::KeyUsage::server_auth();
        leaf.verify_for_usage(webpki::ALL_VERIFICATION_ALGS, &anchors, &between, now, usage, None, None)
            .map_err(chain_fault)?;
    }
    let host = ServerName::try_from(evidence.host)
        .map_err(|_| Strict::Name("the host is neither a DNS name nor an address".to_owned()))?;
    leaf.verify_is_valid_for_subject_name(&host)
        .map_err(|_| Strict::Name(format!("no alternative name matches \"{}\"", evidence.host)))
}

fn rfc9525(
    evidence: &CertificateEvidence<'_>,
    chain_ok: Option<bool>,
    strict: &Result<(), Strict>,
    name_match: &NameMatch,
    chain: Option<&ChainFault>,
) -> Judgement {
    let open = |reason: String| Judgement { ok: None, reason: Some(reason) };
    let reason = match strict {
        Err(Strict::Chain(_)) if chain == Some(&ChainFault::Unsupported) => {
            return open(ChainFault::Unsupported.to_string());
        }
        Err(Strict::Chain(why)) => why.clone(),
        Err(Strict::NameConstraint) => "a name constraint of an issuer excludes the name".to_owned(),
        Err(Strict::Name(why)) if *name_match == NameMatch::CommonName => {
            format!("{why}; the common name is not used")
        }
        Err(Strict::Name(why)) => why.clone(),
        Ok(()) if chain_ok.is_none() => return open("no roots were given to verify the chain".to_owned()),
        Ok(()) if evidence.key_proof.is_err() => return open(unproven(evidence.key_proof.err().unwrap_or_default())),
        Ok(()) => {
            return Judgement { ok: Some(true), reason: None };
        }
    };
    Judgement { ok: Some(false), reason: Some(reason) }
}

#[cfg(test)]
mod tests;
