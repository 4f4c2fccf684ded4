//! What is to be said about a server's certificate. Pure: certificates in DER and a time in, a report out.

mod azure;
mod chain;
mod describe;
pub mod name;
mod root_files;
mod roots;

use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate};

pub use azure::{AZURE_ROOTS, azure_roots};
pub use name::{CertificateName, NameMatch};
pub use root_files::RootFiles;
pub use roots::{RootError, RootStore};

use crate::report::{CertificateReport, Judgement, RootCheck, Weakness};
use chain::ChainFault;
pub(crate) use chain::is_checkable;
use hostssl_pgwire::text::safe_str;

/// What a judgement rests on.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// The certificates as the server sent them, in DER, its own first.
    pub chain: &'a [Vec<u8>],
    /// The host as the user named it; empty when only an address was given.
    pub host: &'a str,
    /// The roots to trust. None at all leaves the chain unjudged.
    pub roots: &'a [RootStore],
    /// Seconds since 1970.
    pub now: i64,
    /// Whether the server's proof that it holds the key was checked, or why not.
    pub key_proof: Result<(), &'a str>,
}

/// Judges a certificate as libpq's `verify-full` and as RFC 9525 do, and lists its weaknesses.
///
/// The two can differ: see [`name`] for the names, and for the chain that webpki, which stands for the RFC, refuses some
/// certificates that OpenSSL takes. `None` when there is no certificate.
#[must_use]
pub fn judge(evidence: &Evidence<'_>) -> Option<(CertificateReport, Vec<Weakness>)> {
    let leaf = evidence.chain.first()?;
    let Ok((_, certificate)) = X509Certificate::from_der(leaf) else {
        let unreadable = || Judgement { ok: Some(false), reason: Some("the certificate cannot be read".to_owned()) };
        let report = CertificateReport {
            verify_full: unreadable(),
            rfc9525: unreadable(),
            chain: evidence.chain.to_vec(),
            ..CertificateReport::default()
        };
        return Some((report, vec![Weakness::CertificateUntrusted]));
    };

    let mut report = describe::describe(&certificate, evidence.now);
    report.chain = evidence.chain.to_vec();
    let mut weaknesses = describe::weaknesses(&certificate, &report);

    let names = Names::of(&certificate);
    let name_match = name::match_host(evidence.host, &names.alternative, names.common.as_deref());
    report.host_ok = Some(name_match.is_match());
    let path = judge_chain(evidence, &mut report);
    let strict = judge_strictly(evidence);
    if matches!(strict, Err(Strict::NameConstraint)) && report.chain_ok == Some(true) {
        // OpenSSL keeps name constraints too, and our own builder does not know them.
        report.chain_ok = Some(false);
    }

    // OpenSSL holds constraints against the common name too, and webpki stops at its first complaint.
    let undecided = name_match == NameMatch::CommonName || matches!(strict, Err(Strict::Chain(_)));
    let constraints_are_open = path == Ok(true) && undecided;
    report.verify_full = verify_full(evidence, &report, &name_match, path.as_ref().err(), constraints_are_open);
    let open = path.as_ref().err().filter(|fault| fault.is_open());
    report.rfc9525 = rfc9525(evidence, &report, &strict, &name_match, open);
    if report.host_ok == Some(false) {
        weaknesses.push(Weakness::CertificateHostMismatch);
    } else if matches!(strict, Err(Strict::Name(_))) {
        weaknesses.push(Weakness::CertificateLegacyName);
    }
    if report.chain_ok == Some(false) {
        weaknesses.push(Weakness::CertificateUntrusted);
        if path == Err(ChainFault::MissingIssuer) {
            weaknesses.push(Weakness::CertificateChainIncomplete);
        }
    }
    if evidence.key_proof.is_err() {
        weaknesses.push(Weakness::CertificateKeyUnproven);
    }
    Some((report, weaknesses))
}

/// Builds the path by OpenSSL's rules, with all stores and with each alone. Returns whether an issuer constrains names.
fn judge_chain(evidence: &Evidence<'_>, report: &mut CertificateReport) -> Result<bool, ChainFault> {
    if evidence.roots.is_empty() {
        return Ok(false);
    }
    let all: Vec<_> = evidence.roots.iter().collect();
    let path = chain::build(evidence.chain, &all, evidence.now);
    report.chain_ok = match path {
        Ok(_) => Some(true),
        Err(ref fault) if fault.is_open() => None,
        Err(_) => Some(false),
    };
    if evidence.roots.len() > 1 {
        report.root_checks = all
            .iter()
            .map(|store| RootCheck {
                store: store.name().to_owned(),
                verifies: path.is_ok() && chain::build(evidence.chain, &[store], evidence.now).is_ok(),
            })
            .collect();
    }
    let path = path?;
    report.root = Some(safe_str(&path.root));
    Ok(path.constrained)
}

fn verify_full(
    evidence: &Evidence<'_>,
    report: &CertificateReport,
    name_match: &NameMatch,
    chain: Option<&ChainFault>,
    constraints_are_open: bool,
) -> Judgement {
    let open = match chain.filter(|fault| fault.is_open()) {
        Some(fault) => Some(fault.to_string()),
        None if constraints_are_open => Some(CONSTRAINED.to_owned()),
        None => evidence.key_proof.err().map(unproven),
    };
    let fault = if let Some(fault) = chain.filter(|fault| !fault.is_open()) {
        Some(fault.to_string())
    } else if report.chain_ok == Some(false) {
        Some("a name constraint of an issuer excludes the name".to_owned())
    } else if report.expired {
        Some("the certificate has expired".to_owned())
    } else if report.not_yet_valid {
        Some("the certificate is not valid yet".to_owned())
    } else if let Some(weak) = describe::refused_by_openssl(report) {
        Some(weak)
    } else if evidence.host.is_empty() {
        Some("no host name was given to judge it by; libpq refuses hostaddr alone".to_owned())
    } else if let NameMatch::Malformed(fault) = name_match {
        Some((*fault).to_owned())
    } else if !name_match.is_match() {
        Some(format!("the certificate does not name \"{}\"", safe_str(evidence.host)))
    } else {
        None
    };
    match (fault, name_match) {
        (Some(reason), _) => Judgement { ok: Some(false), reason: Some(reason) },
        // What this program cannot check is no fault of the server: a false signature ends the handshake.
        (None, _) if open.is_some() => Judgement { ok: None, reason: open },
        (None, _) if report.chain_ok.is_none() => {
            Judgement { ok: None, reason: Some("no roots were given to judge the chain".to_owned()) }
        }
        (None, NameMatch::CommonName) => Judgement {
            ok: Some(true),
            reason: Some("the common name decides, as no alternative name has the host's kind".to_owned()),
        },
        (None, _) => Judgement { ok: Some(true), reason: None },
    }
}

const CONSTRAINED: &str = "an issuer constrains names, and whether this one is excluded could not be decided";

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
fn judge_strictly(evidence: &Evidence<'_>) -> Result<(), Strict> {
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
        .map_err(|_| Strict::Name(format!("no alternative name fits \"{}\"", safe_str(evidence.host))))
}

fn rfc9525(
    evidence: &Evidence<'_>,
    report: &CertificateReport,
    strict: &Result<(), Strict>,
    name_match: &NameMatch,
    chain: Option<&ChainFault>,
) -> Judgement {
    let open = |reason: String| Judgement { ok: None, reason: Some(reason) };
    let reason = match strict {
        Err(Strict::Chain(_)) if chain == Some(&ChainFault::Unsupported) => {
            return open(ChainFault::Unsupported.to_string());
        }
        Err(Strict::Chain(why)) => safe_str(why),
        Err(Strict::NameConstraint) => "a name constraint of an issuer excludes the name".to_owned(),
        Err(Strict::Name(why)) if *name_match == NameMatch::CommonName => {
            format!("{why}; the common name does not count")
        }
        Err(Strict::Name(why)) => why.clone(),
        Ok(()) if report.chain_ok.is_none() => return open("no roots were given to judge the chain".to_owned()),
        Ok(()) if evidence.key_proof.is_err() => return open(unproven(evidence.key_proof.err().unwrap_or_default())),
        Ok(()) => {
            return Judgement { ok: Some(true), reason: None };
        }
    };
    Judgement { ok: Some(false), reason: Some(reason) }
}

/// The tag of a DNS name among the general names (RFC 5280, section 4.2.1.6).
const DNS_NAME: u32 = 2;

/// The names in a certificate.
struct Names {
    alternative: Vec<CertificateName>,
    common: Option<Vec<u8>>,
}

impl Names {
    fn of(certificate: &X509Certificate<'_>) -> Self {
        let alternative = match certificate.subject_alternative_name() {
            Ok(Some(extension)) => extension
                .value
                .general_names
                .iter()
                .filter_map(|name| match name {
                    GeneralName::DNSName(name) => Some(CertificateName::Dns(name.as_bytes().to_vec())),
                    // A DNS name all the same for libpq, which then leaves the common name alone.
                    GeneralName::Invalid(tag, bytes) if tag.0 == DNS_NAME => Some(CertificateName::Dns(bytes.to_vec())),
                    GeneralName::IPAddress(bytes) => Some(CertificateName::Ip(bytes.to_vec())),
                    _ => None,
                })
                .collect(),
            _ => Vec::new(),
        };
        // libpq takes the first (X509_NAME_get_index_by_NID).
        let common = certificate.subject().iter_common_name().next().map(|name| name.as_slice().to_vec());
        Self { alternative, common }
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
