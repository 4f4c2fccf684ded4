//! The plain facts of a certificate.

use hostssl_pgwire::text::safe_str;
use x509_parser::prelude::X509Certificate;
use x509_parser::public_key::PublicKey;

use crate::report::{CertificateReport, Weakness};

/// The report with all that can be read off the certificate alone.
pub(super) fn describe(certificate: &X509Certificate<'_>, now: i64) -> CertificateReport {
    let validity = certificate.validity();
    let (key_type, key_bits) = key(certificate);
    let self_issued = certificate.issuer().as_raw() == certificate.subject().as_raw();
    CertificateReport {
        expired: validity.not_after.timestamp() < now,
        not_yet_valid: validity.not_before.timestamp() > now,
        self_signed: self_issued && certificate.verify_signature(None).is_ok(),
        not_before: rfc3339(validity.not_before.timestamp()),
        not_after: rfc3339(validity.not_after.timestamp()),
        expires_at: Some(validity.not_after.timestamp()),
        key_type: Some(key_type),
        key_bits,
        signature_algorithm: Some(signature_algorithm(&certificate.signature_algorithm.algorithm.to_id_string())),
        subject: Some(safe_str(&certificate.subject().to_string())),
        issuer: Some(safe_str(&certificate.issuer().to_string())),
        ..CertificateReport::default()
    }
}

/// The weaknesses of the certificate alone.
pub(super) fn weaknesses(certificate: &X509Certificate<'_>, report: &CertificateReport) -> Vec<Weakness> {
    let mut found = Vec::new();
    for (is_so, weakness) in [
        (report.expired, Weakness::CertificateExpired),
        (report.not_yet_valid, Weakness::CertificateNotYetValid),
        (report.self_signed, Weakness::CertificateSelfSigned),
        (weak_key(report), Weakness::CertificateWeakKey),
        // What a self-signed certificate says of itself needs no signature.
        (weak_signature(report) && !is_self_issued(certificate), Weakness::CertificateWeakSignature),
    ] {
        if is_so {
            found.push(weakness);
        }
    }
    found
}

/// Why OpenSSL refuses the certificate at security level 2, the default of OpenSSL 3.2 and of Debian (SSL_CTX_set_security_level(3)):
/// 112 bits of security for keys and signatures.
pub(super) fn refused_by_openssl(report: &CertificateReport) -> Option<String> {
    if weak_key(report) {
        let (kind, bits) = (report.key_type.as_deref().unwrap_or("its"), report.key_bits.unwrap_or_default());
        return Some(format!("{kind} key of {bits} bits, too weak for OpenSSL's security level 2"));
    }
    if weak_signature(report) && report.subject != report.issuer {
        let algorithm = report.signature_algorithm.as_deref().unwrap_or("its signature");
        return Some(format!("{algorithm} is too weak for OpenSSL's security level 2"));
    }
    None
}

/// The same of any certificate of a chain.
pub(super) fn has_weak_key(certificate: &X509Certificate<'_>) -> bool {
    let (kind, bits) = key(certificate);
    is_weak_key(&kind, bits)
}

/// The same of any certificate of a chain.
pub(super) fn has_weak_signature(certificate: &X509Certificate<'_>) -> bool {
    is_weak_signature(&signature_algorithm(&certificate.signature_algorithm.algorithm.to_id_string()))
}

fn is_self_issued(certificate: &X509Certificate<'_>) -> bool {
    certificate.issuer().as_raw() == certificate.subject().as_raw()
}

fn weak_key(report: &CertificateReport) -> bool {
    report.key_type.as_deref().is_some_and(|kind| is_weak_key(kind, report.key_bits))
}

fn is_weak_key(kind: &str, bits: Option<u32>) -> bool {
    let least = match kind {
        "RSA" | "DSA" => 2048,
        "EC" => 224,
        _ => 0,
    };
    bits.is_some_and(|bits| bits < least)
}

fn weak_signature(report: &CertificateReport) -> bool {
    report.signature_algorithm.as_deref().is_some_and(is_weak_signature)
}

fn is_weak_signature(algorithm: &str) -> bool {
    ["md2", "md4", "md5", "sha1", "SHA1"].iter().any(|weak| algorithm.contains(weak))
}

fn key(certificate: &X509Certificate<'_>) -> (String, Option<u32>) {
    let info = certificate.public_key();
    let bits = |bits: usize| u32::try_from(bits).ok();
    match info.parsed() {
        Ok(PublicKey::RSA(key)) => {
            // The size of the modulus in bits, not rounded up to bytes.
            let modulus: Vec<u8> = key.modulus.iter().copied().skip_while(|&byte| byte == 0).collect();
            let spare = modulus.first().map_or(0, |byte| byte.leading_zeros() as usize);
            ("RSA".to_owned(), bits((modulus.len() * 8).saturating_sub(spare)))
        }
        Ok(PublicKey::EC(point)) => {
            let curve = info.algorithm.parameters.as_ref().and_then(|any| any.as_oid().ok());
            let size = match curve.map(|oid| oid.to_id_string()).as_deref() {
                Some("1.3.132.0.35") => 521,
                Some("1.3.132.0.33") => 224,
                _ => point.key_size(),
            };
            ("EC".to_owned(), bits(size))
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

fn rfc3339(seconds: i64) -> Option<String> {
    /// The last second of the year 9999: "no end" (RFC 5280, section 4.1.2.5), and more than jiff's clock has.
    const NO_END: i64 = 253_402_300_799;
    match jiff::Timestamp::from_second(seconds) {
        Ok(time) => Some(time.to_string()),
        Err(_) => (seconds == NO_END).then(|| "9999-12-31T23:59:59Z".to_owned()),
    }
}

/// What webpki says, in words: its errors print the names of their variants, such as `UnknownIssuer` for "unknown issuer".
pub(super) fn in_words(error: &webpki::Error) -> String {
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
