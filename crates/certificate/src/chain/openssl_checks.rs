//! What OpenSSL says of a path that leads to a root (verify_chain in x509_vfy.c).

use x509_parser::error::X509Error;
use x509_parser::extensions::ParsedExtension;
use x509_parser::oid_registry::Oid;

use super::ChainFault;
use super::paths::CertificatePath;
use crate::algorithm::{Strength, has_explicit_curve, is_checkable};
use crate::constraints::{NameConstraints, Objection};
use crate::der;
use crate::x509::Certificate;

/// Checks a path, the server's certificate first. A fault counts before an open question: OpenSSL refuses either way.
pub(super) fn check(path: &CertificatePath<'_>, now: i64) -> Result<(), ChainFault> {
    let steps = [check_extensions, check_path_lengths, check_strengths, check_signatures, check_names];
    let mut outcome = check_dates(path, now);
    for step in steps {
        match (step(path), &outcome) {
            (Err(fault), _) if !fault.is_open() => return Err(fault),
            (Err(open), Ok(())) => outcome = Err(open),
            _ => {}
        }
        if outcome.as_ref().is_err_and(|fault| !fault.is_open()) {
            break;
        }
    }
    outcome
}

/// The dates of all but the first, of which only the form counts here.
fn check_dates(path: &CertificatePath<'_>, now: i64) -> Result<(), ChainFault> {
    if path.iter().any(|certificate| certificate.odd_dates) {
        return Err(ChainFault::OddDate);
    }
    for issuer in path.iter().skip(1) {
        if issuer.has_expired(now) {
            return Err(ChainFault::IssuerExpired);
        }
        if issuer.is_not_yet_valid(now) {
            return Err(ChainFault::IssuerNotYetValid);
        }
    }
    Ok(())
}

/// check_extensions: what each may be used for.
fn check_extensions(path: &CertificatePath<'_>) -> Result<(), ChainFault> {
    let last = path.len().saturating_sub(1);
    for (at, certificate) in path.iter().enumerate() {
        if certificate.unknown_critical {
            return Err(ChainFault::CriticalExtension);
        }
        if at > 0 && !may_issue(certificate, at == last) {
            return Err(ChainFault::NotAnIssuer);
        }
        if last > 0 && has_explicit_curve(certificate.parsed.public_key()) {
            return Err(ChainFault::ExplicitCurve);
        }
        if !serves_servers(certificate) || (at == 0 && !is_for_servers(certificate)) {
            return Err(ChainFault::Purpose);
        }
    }
    Ok(())
}

/// Each limit holds for the issuers below, those that are self-issued not counted.
fn check_path_lengths(path: &CertificatePath<'_>) -> Result<(), ChainFault> {
    let mut below: u32 = 0;
    for issuer in path.iter().skip(1) {
        let limit = issuer.parsed.basic_constraints().ok().flatten();
        if limit.and_then(|limit| limit.value.path_len_constraint).is_some_and(|limit| below > limit) {
            return Err(ChainFault::PathLength);
        }
        below += u32::from(!issuer.self_issued);
    }
    Ok(())
}

/// check_auth_level: every key, and every signature but that of the root.
fn check_strengths(path: &CertificatePath<'_>) -> Result<(), ChainFault> {
    let signed = path.len().saturating_sub(1);
    let keys = path.iter().map(|certificate| certificate.key_strength());
    let signatures = path.iter().take(signed).map(|certificate| certificate.signature_strength());
    let strengths: Vec<_> = keys.chain(signatures).collect();
    if strengths.contains(&Strength::TooWeak) {
        Err(ChainFault::Weak)
    } else if strengths.contains(&Strength::Unknown) {
        Err(ChainFault::Unsupported)
    } else {
        Ok(())
    }
}

/// internal_verify: every signature but that of the root.
fn check_signatures(path: &CertificatePath<'_>) -> Result<(), ChainFault> {
    let mut outcome = Ok(());
    for pair in path.windows(2) {
        let [certificate, issuer] = pair else { continue };
        match check_signature(certificate, issuer) {
            Err(fault) if fault.is_open() => outcome = Err(fault),
            other => other?,
        }
    }
    outcome
}

fn check_signature(certificate: &Certificate<'_>, issuer: &Certificate<'_>) -> Result<(), ChainFault> {
    let parsed = &certificate.parsed;
    // X509_verify: the algorithm is the one that was signed, and the value has whole bytes. x509-parser does not ask.
    if !der::has_one_algorithm(certificate.der) || parsed.signature_value.unused_bits != 0 {
        return Err(ChainFault::Signature);
    }
    match parsed.verify_signature(Some(issuer.parsed.public_key())) {
        Ok(()) => Ok(()),
        Err(X509Error::SignatureUnsupportedAlgorithm) => Err(ChainFault::Unsupported),
        Err(_) if !is_checkable(issuer.parsed.public_key()) => Err(ChainFault::Unsupported),
        Err(_) => Err(ChainFault::Signature),
    }
}

/// check_name_constraints: the constraints of all issuers, for all certificates below but the self-issued issuers.
fn check_names(path: &CertificatePath<'_>) -> Result<(), ChainFault> {
    let mut outcome = Ok(());
    for (at, issuer) in path.iter().enumerate().skip(1) {
        let Some(value) = issuer.name_constraints() else { continue };
        let Some(constraints) = NameConstraints::read(value) else {
            outcome = Err(ChainFault::Constrained);
            continue;
        };
        for (below, certificate) in path.iter().enumerate().take(at) {
            if below > 0 && certificate.self_issued {
                continue;
            }
            match constraints.check(certificate, below == 0) {
                Ok(()) => {}
                Err(Objection::Violation) => return Err(ChainFault::NameConstraint),
                Err(Objection::Undecided) => outcome = Err(ChainFault::Constrained),
            }
        }
    }
    outcome
}

/// Whether a certificate may issue others (check_ca). OpenSSL is lenient with the last of a path only: there, without basic
/// constraints, a self-signed certificate of version 1 will do, or the right to sign certificates, or Netscape's type.
fn may_issue(certificate: &Certificate<'_>, last: bool) -> bool {
    let usage = certificate.parsed.key_usage().ok().flatten().map(|usage| usage.value);
    if usage.is_some_and(|usage| !usage.key_cert_sign()) {
        return false;
    }
    if let Ok(Some(constraints)) = certificate.parsed.basic_constraints() {
        return constraints.value.ca;
    }
    let netscape = || netscape_type(certificate, |kind| kind.ssl_ca()) == Some(true);
    last && (certificate.has_version_1() && certificate.self_signed || usage.is_some() || netscape())
}

/// What Netscape's certificate type says, if it is there.
fn netscape_type(
    certificate: &Certificate<'_>,
    allows: impl Fn(&x509_parser::extensions::NSCertType) -> bool,
) -> Option<bool> {
    certificate.parsed.extensions().iter().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::NSCertType(kind) => Some(allows(kind)),
        _ => None,
    })
}

/// OpenSSL's purpose "sslserver" for the server's own certificate (check_purpose_ssl_server in v3_purp.c): each extension that is
/// there must allow it, and one that is not there allows everything.
fn is_for_servers(certificate: &Certificate<'_>) -> bool {
    let usage = certificate.parsed.key_usage().ok().flatten().map(|usage| usage.value);
    let may_shake_hands =
        usage.is_none_or(|usage| usage.digital_signature() || usage.key_encipherment() || usage.key_agreement());
    may_shake_hands && netscape_type(certificate, |kind| kind.ssl_server()) != Some(false)
}

/// Netscape's and Microsoft's "server gated crypto".
fn is_gated_crypto(usage: &Oid<'_>) -> bool {
    ["2.16.840.1.113730.4.1", "1.3.6.1.4.1.311.10.3.3"].contains(&usage.to_id_string().as_str())
}

/// Whether the extended key usage, of a leaf or of an issuer, is there for servers or not at all.
fn serves_servers(certificate: &Certificate<'_>) -> bool {
    match certificate.parsed.extended_key_usage() {
        // OpenSSL does not take anyExtendedKeyUsage for it, and takes the two that once unlocked strong ciphers.
        Ok(Some(usage)) => usage.value.server_auth || usage.value.other.iter().any(is_gated_crypto),
        Ok(None) => true,
        // Not reached: the path builder stops at certificates with such an extension.
        Err(_) => false,
    }
}
