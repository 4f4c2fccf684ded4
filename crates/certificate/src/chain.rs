//! Whether a path leads from a server's certificate to a root, as OpenSSL builds it for libpq.
//!
//! webpki answers the same question by stricter rules (RFC 5280 without leniency); it is asked too, for the judgement by
//! RFC 9525. This builder follows OpenSSL where the two differ in ways that servers in the field show: a self-signed
//! certificate that is itself among the roots, certificates of version 1 as roots, a leaf that may issue.

use x509_parser::error::X509Error;
use x509_parser::extensions::ParsedExtension;
use x509_parser::oid_registry::{OID_SIG_ED25519, Oid};
use x509_parser::prelude::{FromDer as _, SubjectPublicKeyInfo, X509Certificate, X509Version};
use x509_parser::public_key::PublicKey;
use x509_parser::x509::X509Name;

use crate::describe::{has_weak_key, has_weak_signature};
use crate::roots::RootStore;

/// The most certificates in a path. OpenSSL's own limit is 100: what is longer than this stays open.
const MAX_DEPTH: usize = 20;

/// The most signatures checked for one chain: a hostile one may offer many issuers of one name.
const MAX_SIGNATURES: usize = 40;

/// Why no path was found.
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
    /// No fault of the server: the question stays open.
    #[error("a signature is by an algorithm or a key size that hostssl cannot check")]
    Unsupported,
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
    #[error("a certificate of the chain has a key or a signature too weak for OpenSSL's security level 2")]
    Weak,
    /// No fault of the server: the question stays open.
    #[error("the chain takes more steps than hostssl goes")]
    TooComplex,
    /// OpenSSL takes the first issuer that fits and does not turn back; which one is first depends on its version.
    #[error("several issuers of one name: which of them OpenSSL follows could not be decided")]
    Ambiguous,
}

impl ChainFault {
    /// Whether it is no fault but a question that this program cannot answer.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self, Self::Unsupported | Self::TooComplex | Self::Ambiguous)
    }
}

/// A path to a root.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Path {
    /// The subject of the root.
    pub(crate) root: String,
    /// Whether an issuer constrains the names that it may issue for.
    pub(crate) constrained: bool,
}

/// Builds a path from the first of `sent` to a root in `stores`, at `now` in seconds since 1970. The dates of the first
/// certificate are not looked at.
pub(crate) fn build(sent: &[Vec<u8>], stores: &[&RootStore], now: i64) -> Result<Path, ChainFault> {
    let mut parsed = Vec::with_capacity(sent.len());
    for der in sent.iter().take(MAX_DEPTH * 2) {
        match X509Certificate::from_der(der) {
            Ok((_, certificate)) => parsed.push((der.as_slice(), certificate)),
            Err(_) if parsed.is_empty() => return Err(ChainFault::Malformed),
            Err(_) => {}
        }
    }
    let Some(((leaf_der, leaf), others)) = parsed.split_first() else {
        return Err(ChainFault::Malformed);
    };
    if !is_for_servers(leaf) {
        return Err(ChainFault::Purpose);
    }
    let mut search =
        Search { others, stores, now, signatures: 0, open: None, constrained: false, turned_back: false, worst: None };
    match (search.extend(leaf_der, leaf, 0, &mut Vec::new()), search.open) {
        (Some(_), _) if search.turned_back => Err(ChainFault::Ambiguous),
        (Some(root), _) => Ok(Path { root, constrained: search.constrained }),
        // A path may lead on behind what could not be checked.
        (None, Some(open)) => Err(open),
        (None, None) => Err(search.worst.unwrap_or(ChainFault::MissingIssuer)),
    }
}

struct Search<'a> {
    others: &'a [(&'a [u8], X509Certificate<'a>)],
    stores: &'a [&'a RootStore],
    now: i64,
    signatures: usize,
    /// What could not be checked.
    open: Option<ChainFault>,
    /// Whether an issuer that was looked at constrains names.
    constrained: bool,
    /// Whether an issuer that fitted by its name led nowhere.
    turned_back: bool,
    /// The fault of the path that came furthest.
    worst: Option<ChainFault>,
}

impl Search<'_> {
    fn extend(
        &mut self,
        der: &[u8],
        certificate: &X509Certificate<'_>,
        issuers_below: usize,
        used: &mut Vec<usize>,
    ) -> Option<String> {
        if has_unknown_critical(certificate) {
            return self.fail(ChainFault::CriticalExtension);
        }
        let wanted = canonical(certificate.issuer());
        let self_issued = wanted == canonical(certificate.subject());
        let trusted: Vec<_> = self.stores.iter().flat_map(|store| store.with_subject(&wanted)).collect();
        if self_issued && trusted.contains(&der) {
            return Some(certificate.subject().to_string());
        }
        if used.len() >= MAX_DEPTH {
            self.open = Some(ChainFault::TooComplex);
            return self.fail(ChainFault::TooComplex);
        }
        let mut fault = match (self_issued, used.is_empty()) {
            (true, true) => ChainFault::SelfSigned,
            (true, false) => ChainFault::SelfSignedRoot,
            _ => ChainFault::MissingIssuer,
        };
        for root_der in trusted {
            let Ok((_, root)) = X509Certificate::from_der(root_der) else {
                continue;
            };
            if !fits(certificate, &root) {
                continue;
            }
            if has_unknown_critical(&root) {
                fault = ChainFault::CriticalExtension;
                self.turned_back = true;
                continue;
            }
            if canonical(root.issuer()) != canonical(root.subject()) {
                // libpq does not allow partial chains: a certificate that is not self-issued ends no path. OpenSSL still
                // uses it as a step.
                match self.step((der, certificate), &root, issuers_below) {
                    Ok(()) => {
                        used.push(usize::MAX);
                        let found = self.extend(root_der, &root, issuers_below + 1, used);
                        used.pop();
                        if found.is_some() {
                            return found;
                        }
                    }
                    Err(found) => fault = found,
                }
                self.turned_back = true;
                continue;
            }
            match self.step((der, certificate), &root, issuers_below) {
                Ok(()) => return Some(root.subject().to_string()),
                Err(found) => fault = found,
            }
            self.turned_back = true;
        }
        let others = self.others;
        for (index, (issuer_der, issuer)) in others.iter().enumerate() {
            let named = canonical(issuer.subject()) == wanted && fits(certificate, issuer);
            if used.contains(&index) || !named || *issuer_der == der {
                continue;
            }
            match self.step((der, certificate), issuer, issuers_below) {
                Ok(()) => {
                    used.push(index);
                    let found = self.extend(issuer_der, issuer, issuers_below + 1, used);
                    used.pop();
                    if found.is_some() {
                        return found;
                    }
                    fault = self.worst.clone().unwrap_or(fault);
                }
                Err(found) => fault = found,
            }
            self.turned_back = true;
        }
        self.fail(fault)
    }

    fn fail(&mut self, fault: ChainFault) -> Option<String> {
        self.worst = Some(fault);
        None
    }

    /// Whether `issuer` may have issued `certificate`, and did.
    fn step(
        &mut self,
        (der, certificate): (&[u8], &X509Certificate<'_>),
        issuer: &X509Certificate<'_>,
        issuers_below: usize,
    ) -> Result<(), ChainFault> {
        if !may_issue(issuer) {
            return Err(ChainFault::NotAnIssuer);
        }
        if !serves_servers(issuer) {
            return Err(ChainFault::Purpose);
        }
        let limit = issuer.basic_constraints().ok().flatten().and_then(|extension| extension.value.path_len_constraint);
        if limit.is_some_and(|limit| usize::try_from(limit).is_ok_and(|limit| issuers_below > limit)) {
            return Err(ChainFault::PathLength);
        }
        if issuer.validity().not_after.timestamp() < self.now {
            return Err(ChainFault::IssuerExpired);
        }
        if issuer.validity().not_before.timestamp() > self.now {
            return Err(ChainFault::IssuerNotYetValid);
        }
        self.constrained |= !matches!(issuer.name_constraints(), Ok(None));
        if !is_well_signed(der, certificate) {
            return Err(ChainFault::Signature);
        }
        self.signatures += 1;
        if self.signatures > MAX_SIGNATURES {
            return self.open_question(ChainFault::TooComplex);
        }
        // The root's own signature is not looked at; every key and all other signatures are (check_chain in x509_vfy.c).
        if has_weak_key(issuer) || has_weak_signature(certificate) {
            return Err(ChainFault::Weak);
        }
        match certificate.verify_signature(Some(issuer.public_key())) {
            Ok(()) => Ok(()),
            Err(X509Error::SignatureUnsupportedAlgorithm) => self.open_question(ChainFault::Unsupported),
            Err(_) if !is_checkable(issuer.public_key()) => self.open_question(ChainFault::Unsupported),
            Err(_) => Err(ChainFault::Signature),
        }
    }

    fn open_question(&mut self, fault: ChainFault) -> Result<(), ChainFault> {
        self.open = Some(fault.clone());
        Err(fault)
    }
}

/// A name as OpenSSL compares it (x509_name_canon): without regard to case, to the kind of string, and to spaces beyond one.
pub(crate) fn canonical(name: &X509Name<'_>) -> Vec<u8> {
    let mut canonical = Vec::new();
    for set in name.iter_rdn() {
        canonical.push(1);
        for attribute in set.iter() {
            canonical.extend(attribute.attr_type().as_bytes());
            canonical.push(0);
            match attribute.as_str() {
                Ok(text) => {
                    let words: Vec<_> = text.split_ascii_whitespace().collect();
                    canonical.extend(words.join(" ").to_ascii_lowercase().bytes());
                }
                Err(_) => canonical.extend(attribute.as_slice()),
            }
            canonical.push(2);
        }
    }
    canonical
}

/// Whether what `certificate` says of its issuer's key and serial number is true of `issuer` (X509_check_akid).
fn fits(certificate: &X509Certificate<'_>, issuer: &X509Certificate<'_>) -> bool {
    let told = certificate.extensions().iter().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::AuthorityKeyIdentifier(told) => Some(told),
        _ => None,
    });
    let Some(told) = told else { return true };
    let own = issuer.extensions().iter().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::SubjectKeyIdentifier(own) => Some(own),
        _ => None,
    });
    let other_key = told.key_identifier.as_ref().zip(own).is_some_and(|(told, own)| told.0 != own.0);
    let other_serial = told.authority_cert_serial.is_some_and(|serial| serial != issuer.raw_serial());
    !other_key && !other_serial
}

/// Whether the cryptography behind this crate can check signatures of the key: RSA of 2048 to 8192 bits, uncompressed points on
/// P-256 and P-384, and Ed25519 (the algorithms of ring). OpenSSL can check more.
#[must_use]
pub fn is_checkable(key: &SubjectPublicKeyInfo<'_>) -> bool {
    match key.parsed() {
        Ok(PublicKey::RSA(rsa)) => (2048..=8192).contains(&rsa.key_size()),
        // 4 begins an uncompressed point (SEC 1, 2.3.3), the one form that ring reads.
        Ok(PublicKey::EC(point)) => matches!(point.key_size(), 256 | 384) && point.data().first() == Some(&4),
        Ok(PublicKey::Unknown(_)) => key.algorithm.algorithm == OID_SIG_ED25519,
        Ok(_) | Err(_) => false,
    }
}

/// Whether a certificate may issue others. One of version 1 has no extensions to say so, and OpenSSL takes it if it is
/// self-issued.
fn may_issue(certificate: &X509Certificate<'_>) -> bool {
    if certificate.version() != X509Version::V3 {
        return canonical(certificate.issuer()) == canonical(certificate.subject());
    }
    let may_sign = match certificate.key_usage() {
        Ok(None) => None,
        Ok(Some(extension)) => Some(extension.value.key_cert_sign()),
        Err(_) => Some(false),
    };
    match certificate.basic_constraints() {
        Ok(Some(extension)) => extension.value.ca && may_sign != Some(false),
        // OpenSSL's check_ca: without basic constraints, the right to sign certificates is enough.
        Ok(None) => may_sign == Some(true),
        Err(_) => false,
    }
}

/// What X509_verify asks of a signature before it looks at the key: the algorithm is, byte for byte, the one that was
/// signed, and the value has whole bytes. x509-parser does not ask.
fn is_well_signed(der: &[u8], certificate: &X509Certificate<'_>) -> bool {
    let signed = certificate.tbs_certificate.as_ref();
    // Certificate ::= SEQUENCE { tbsCertificate, signatureAlgorithm, signatureValue }, the algorithm below 128 bytes.
    let outer = der.windows(signed.len().max(1)).position(|window| window == signed).and_then(|at| {
        let rest = der.get(at + signed.len()..)?;
        rest.get(..usize::from(*rest.get(1)?) + 2)
    });
    let same = outer.is_some_and(|outer| signed.windows(outer.len()).any(|window| window == outer));
    same && certificate.signature_value.unused_bits == 0
}

/// OpenSSL's purpose "sslserver" for a leaf (check_purpose_ssl_server in v3_purp.c): each extension that is there must allow
/// it, and one that is not there allows everything.
fn is_for_servers(certificate: &X509Certificate<'_>) -> bool {
    let may_shake_hands = match certificate.key_usage() {
        Ok(None) => true,
        Ok(Some(extension)) => {
            let usage = extension.value;
            usage.digital_signature() || usage.key_encipherment() || usage.key_agreement()
        }
        Err(_) => false,
    };
    let netscape = certificate.extensions().iter().all(|extension| match extension.parsed_extension() {
        ParsedExtension::NSCertType(kind) => kind.ssl_server(),
        _ => true,
    });
    serves_servers(certificate) && may_shake_hands && netscape
}

/// Netscape's and Microsoft's "server gated crypto".
fn is_gated_crypto(usage: &Oid<'_>) -> bool {
    ["2.16.840.1.113730.4.1", "1.3.6.1.4.1.311.10.3.3"].contains(&usage.to_id_string().as_str())
}

/// Whether the extended key usage, of a leaf or of an issuer, is there for servers or not at all.
fn serves_servers(certificate: &X509Certificate<'_>) -> bool {
    match certificate.extended_key_usage() {
        Ok(None) => true,
        // OpenSSL does not take anyExtendedKeyUsage for it, and takes the two that once unlocked strong ciphers.
        Ok(Some(extension)) => extension.value.server_auth || extension.value.other.iter().any(is_gated_crypto),
        Err(_) => false,
    }
}

fn has_unknown_critical(certificate: &X509Certificate<'_>) -> bool {
    certificate.extensions().iter().any(|extension| {
        extension.critical
            && matches!(
                extension.parsed_extension(),
                ParsedExtension::UnsupportedExtension { .. } | ParsedExtension::ParseError { .. }
            )
    })
}
