//! Algorithms of keys and signatures: which belong together, how strong OpenSSL counts them, and which can be checked here.

use x509_parser::oid_registry::OID_SIG_ED25519;
use x509_parser::prelude::{AlgorithmIdentifier, SubjectPublicKeyInfo};
use x509_parser::public_key::PublicKey;
use x509_parser::signature_algorithm::SignatureAlgorithm;

/// Bits of security that OpenSSL's security level 2 demands of keys and signatures. It is the default of OpenSSL 3.2 and of
/// Debian (SSL_CTX_set_security_level(3)).
const LEVEL_2: u32 = 112;

/// The kind of key that an algorithm is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    Rsa,
    RsaPss,
    Ec,
    Dsa,
    Ed25519,
    Ed448,
    Unknown,
}

impl Family {
    pub(crate) fn of_key(key: &SubjectPublicKeyInfo<'_>) -> Self {
        match key.algorithm.algorithm.to_id_string().as_str() {
            "1.2.840.113549.1.1.1" => Self::Rsa,
            "1.2.840.113549.1.1.10" => Self::RsaPss,
            "1.2.840.10045.2.1" => Self::Ec,
            "1.2.840.10040.4.1" => Self::Dsa,
            "1.3.101.112" => Self::Ed25519,
            "1.3.101.113" => Self::Ed448,
            _ => Self::Unknown,
        }
    }

    pub(crate) fn of_signature(algorithm: &AlgorithmIdentifier<'_>) -> Self {
        match algorithm.algorithm.to_id_string().as_str() {
            // PKCS #1 with MD5, SHA-1, SHA-256, -384, -512 and -224.
            "1.2.840.113549.1.1.4"
            | "1.2.840.113549.1.1.5"
            | "1.2.840.113549.1.1.11"
            | "1.2.840.113549.1.1.12"
            | "1.2.840.113549.1.1.13"
            | "1.2.840.113549.1.1.14" => Self::Rsa,
            "1.2.840.113549.1.1.10" => Self::RsaPss,
            "1.2.840.10045.4.1"
            | "1.2.840.10045.4.3.1"
            | "1.2.840.10045.4.3.2"
            | "1.2.840.10045.4.3.3"
            | "1.2.840.10045.4.3.4" => Self::Ec,
            "1.2.840.10040.4.3" | "2.16.840.1.101.3.4.3.1" | "2.16.840.1.101.3.4.3.2" => Self::Dsa,
            "1.3.101.112" => Self::Ed25519,
            "1.3.101.113" => Self::Ed448,
            _ => Self::Unknown,
        }
    }

    /// Whether a key of the family `key` can have made a signature of this one (check_sig_alg_match in v3_purp.c).
    pub(crate) fn matches(self, key: Self) -> Option<bool> {
        match (self, key) {
            (Self::Unknown, _) | (_, Self::Unknown) => None,
            (Self::RsaPss, Self::Rsa) => Some(true),
            (signature, key) => Some(signature == key),
        }
    }
}

/// Whether a key or a signature meets OpenSSL's security level 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strength {
    Enough,
    TooWeak,
    Unknown,
}

impl Strength {
    fn of(bits: Option<u32>) -> Self {
        match bits {
            Some(bits) if bits >= LEVEL_2 => Self::Enough,
            Some(_) => Self::TooWeak,
            None => Self::Unknown,
        }
    }
}

/// How strong OpenSSL counts a key (EVP_PKEY_get_security_bits).
pub(crate) fn key_strength(key: &SubjectPublicKeyInfo<'_>) -> Strength {
    /// The least modulus that OpenSSL counts as 112 bits: it rounds what the formula of SP 800-56B, appendix D, gives to
    /// multiples of 8 (ossl_ifc_ffc_compute_security_bits in rsa_lib.c).
    const LEAST_RSA: usize = 1963;
    Strength::of(match Family::of_key(key) {
        Family::Rsa | Family::RsaPss => match key.parsed() {
            Ok(PublicKey::RSA(rsa)) => Some(if modulus_bits(rsa.modulus) >= LEAST_RSA { LEVEL_2 } else { 0 }),
            _ => None,
        },
        Family::Ec => curve_bits(key).map(|bits| bits / 2),
        Family::Ed25519 => Some(128),
        Family::Ed448 => Some(224),
        Family::Dsa | Family::Unknown => None,
    })
}

/// The size of a modulus in bits, not rounded up to bytes.
pub(crate) fn modulus_bits(modulus: &[u8]) -> usize {
    let spare = modulus.iter().take_while(|&&byte| byte == 0).count();
    let rest = modulus.get(spare..).unwrap_or_default();
    (rest.len() * 8).saturating_sub(rest.first().map_or(0, |byte| byte.leading_zeros() as usize))
}

/// The bits of the order of a named curve.
pub(crate) fn curve_bits(key: &SubjectPublicKeyInfo<'_>) -> Option<u32> {
    let curve = key.algorithm.parameters.as_ref()?.as_oid().ok()?;
    Some(match curve.to_id_string().as_str() {
        "1.2.840.10045.3.1.1" => 192,
        "1.3.132.0.33" => 224,
        "1.2.840.10045.3.1.7" | "1.3.132.0.10" => 256,
        "1.3.132.0.34" => 384,
        "1.3.132.0.35" => 521,
        // brainpoolP256r1, P320r1, P384r1, P512r1 (RFC 5639).
        "1.3.36.3.3.2.8.1.1.7" => 256,
        "1.3.36.3.3.2.8.1.1.9" => 320,
        "1.3.36.3.3.2.8.1.1.11" => 384,
        "1.3.36.3.3.2.8.1.1.13" => 512,
        _ => return None,
    })
}

/// Whether a key on an elliptic curve spells the curve out instead of naming it, which OpenSSL refuses in a chain.
pub(crate) fn has_explicit_curve(key: &SubjectPublicKeyInfo<'_>) -> bool {
    Family::of_key(key) == Family::Ec && key.algorithm.parameters.as_ref().is_none_or(|any| any.as_oid().is_err())
}

/// How strong OpenSSL counts a signature: by its digest (X509_get_signature_info).
pub(crate) fn signature_strength(algorithm: &AlgorithmIdentifier<'_>) -> Strength {
    match Family::of_signature(algorithm) {
        Family::Unknown => Strength::Unknown,
        Family::RsaPss => match SignatureAlgorithm::try_from(algorithm) {
            Ok(SignatureAlgorithm::RSASSA_PSS(parameters)) => {
                match parameters.hash_algorithm_oid().to_id_string().as_str() {
                    "2.16.840.1.101.3.4.2.1"
                    | "2.16.840.1.101.3.4.2.2"
                    | "2.16.840.1.101.3.4.2.3"
                    | "2.16.840.1.101.3.4.2.4" => Strength::Enough,
                    "1.3.14.3.2.26" => Strength::TooWeak,
                    _ => Strength::Unknown,
                }
            }
            _ => Strength::Unknown,
        },
        _ => match algorithm.algorithm.to_id_string().as_str() {
            // MD5 counts 39 bits, SHA-1 63: with RSA, DSA and ECDSA.
            "1.2.840.113549.1.1.4" | "1.2.840.113549.1.1.5" | "1.2.840.10040.4.3" | "1.2.840.10045.4.1" => {
                Strength::TooWeak
            }
            _ => Strength::Enough,
        },
    }
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
