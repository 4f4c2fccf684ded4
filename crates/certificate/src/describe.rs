//! The plain facts of a certificate.

use x509_parser::error::X509Error;
use x509_parser::prelude::X509Certificate;
use x509_parser::public_key::PublicKey;

use crate::Flaw;
use crate::algorithm::{self, Strength, curve_bits, modulus_bits};
use crate::x509::Certificate;

/// What can be read off a certificate alone. The texts are the server's: escape them before they are shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFacts {
    /// Its subject, RFC 4514.
    pub subject: String,
    /// Its issuer, RFC 4514.
    pub issuer: String,
    /// The first second of its validity, in seconds since 1970.
    pub not_before: i64,
    /// The last second of its validity, in seconds since 1970.
    pub not_after: i64,
    /// `RSA`, `EC`, `Ed25519` and so on, or an object identifier.
    pub key_type: String,
    /// The size of the key in bits, where the kind of key has sizes.
    pub key_bits: Option<u32>,
    /// The algorithm of its signature as OpenSSL prints it, such as `sha256WithRSAEncryption`.
    pub signature_algorithm: String,
    /// It is signed with its own key, as far as its signature can be checked; else it looks so.
    pub self_signed: bool,
    /// Its issuer is its own subject.
    pub self_issued: bool,
    pub(crate) key_strength: Strength,
    pub(crate) signature_strength: Strength,
    /// Whether OpenSSL takes it for self-signed, and asks nothing of its signature.
    looks_self_signed: bool,
}

impl CertificateFacts {
    pub(crate) fn of(certificate: &Certificate<'_>) -> Self {
        let looks_self_signed = certificate.self_signed;
        let certificate = &certificate.parsed;
        let validity = certificate.validity();
        let (key_type, key_bits) = key(certificate);
        let self_issued = certificate.issuer().as_raw() == certificate.subject().as_raw();
        Self {
            subject: certificate.subject().to_string(),
            issuer: certificate.issuer().to_string(),
            not_before: validity.not_before.timestamp(),
            not_after: validity.not_after.timestamp(),
            key_type,
            key_bits,
            signature_algorithm: signature_algorithm(&certificate.signature_algorithm.algorithm.to_id_string()),
            self_signed: self_issued
                && match certificate.verify_signature(None) {
                    Err(X509Error::SignatureUnsupportedAlgorithm) => looks_self_signed,
                    checked => checked.is_ok(),
                },
            self_issued,
            key_strength: algorithm::key_strength(certificate.public_key()),
            signature_strength: algorithm::signature_strength(&certificate.signature_algorithm),
            looks_self_signed,
        }
    }

    /// Whether its validity has ended by `now`, in seconds since 1970.
    #[must_use]
    pub fn has_expired(&self, now: i64) -> bool {
        self.not_after < now
    }

    /// Whether its validity has not begun by `now`, in seconds since 1970.
    #[must_use]
    pub fn is_not_yet_valid(&self, now: i64) -> bool {
        self.not_before > now
    }

    /// The flaws of the certificate alone.
    pub(crate) fn flaws(&self, now: i64) -> Vec<Flaw> {
        let mut found = Vec::new();
        for (is_so, flaw) in [
            (self.has_expired(now), Flaw::Expired),
            (self.is_not_yet_valid(now), Flaw::NotYetValid),
            (self.self_signed, Flaw::SelfSigned),
            (self.has_weak_key(), Flaw::WeakKey),
            // What a self-signed certificate says of itself needs no signature.
            (self.has_weak_signature() && !self.self_issued, Flaw::WeakSignature),
        ] {
            if is_so {
                found.push(flaw);
            }
        }
        found
    }

    /// Why OpenSSL refuses the certificate at its security level 2, whatever the chain.
    pub(crate) fn refused_by_openssl(&self) -> Option<String> {
        if self.key_strength == Strength::TooWeak {
            let bits = self.key_bits.unwrap_or_default();
            return Some(format!("{} key of {bits} bits, too weak for OpenSSL's security level 2", self.key_type));
        }
        // ssl_security_cert_sig in t1_lib.c: "Don't check signature if self signed".
        if self.signature_strength == Strength::TooWeak && !self.looks_self_signed {
            return Some(format!("{} is too weak for OpenSSL's security level 2", self.signature_algorithm));
        }
        None
    }

    fn has_weak_key(&self) -> bool {
        is_weak_key(&self.key_type, self.key_bits)
    }

    fn has_weak_signature(&self) -> bool {
        is_weak_signature(&self.signature_algorithm)
    }
}

fn is_weak_key(kind: &str, bits: Option<u32>) -> bool {
    let least = match kind {
        "RSA" | "DSA" => 2048,
        "EC" => 224,
        _ => 0,
    };
    bits.is_some_and(|bits| bits < least)
}

fn is_weak_signature(algorithm: &str) -> bool {
    ["md2", "md4", "md5", "sha1", "SHA1"].iter().any(|weak| algorithm.contains(weak))
}

fn key(certificate: &X509Certificate<'_>) -> (String, Option<u32>) {
    let info = certificate.public_key();
    let bits = |bits: usize| u32::try_from(bits).ok();
    match info.parsed() {
        Ok(PublicKey::RSA(key)) => ("RSA".to_owned(), bits(modulus_bits(key.modulus))),
        Ok(PublicKey::EC(point)) => {
            let size = curve_bits(info).or(bits(point.key_size()));
            ("EC".to_owned(), size)
        }
        Ok(PublicKey::DSA(_)) => ("DSA".to_owned(), None),
        _ => match info.algorithm.algorithm.to_id_string().as_str() {
            "1.3.101.112" => ("Ed25519".to_owned(), Some(256)),
            "1.3.101.113" => ("Ed448".to_owned(), Some(456)),
            other => (other.to_owned(), None),
        },
    }
}

/// The name that OpenSSL prints for a signature algorithm, or its object identifier.
fn signature_algorithm(oid: &str) -> String {
    match oid {
        "1.2.840.113549.1.1.4" => "md5WithRSAEncryption",
        "1.2.840.113549.1.1.5" => "sha1WithRSAEncryption",
        "1.2.840.113549.1.1.10" => "rsassaPss",
        "1.2.840.113549.1.1.11" => "sha256WithRSAEncryption",
        "1.2.840.113549.1.1.12" => "sha384WithRSAEncryption",
        "1.2.840.113549.1.1.13" => "sha512WithRSAEncryption",
        "1.2.840.113549.1.1.14" => "sha224WithRSAEncryption",
        "1.2.840.10045.4.1" => "ecdsa-with-SHA1",
        "1.2.840.10045.4.3.1" => "ecdsa-with-SHA224",
        "1.2.840.10045.4.3.2" => "ecdsa-with-SHA256",
        "1.2.840.10045.4.3.3" => "ecdsa-with-SHA384",
        "1.2.840.10045.4.3.4" => "ecdsa-with-SHA512",
        "1.3.101.112" => "ED25519",
        "1.3.101.113" => "ED448",
        other => other,
    }
    .to_owned()
}

/// What webpki says, as text: its errors print the names of their variants, such as `UnknownIssuer` for "unknown
/// issuer".
pub(crate) fn in_words(error: &webpki::Error) -> String {
    let variant = format!("{error:?}");
    let name = variant.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
    let mut words = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.push(letter.to_ascii_lowercase());
    }
    words
}
