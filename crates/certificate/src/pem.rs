//! Certificates in PEM, under the labels that OpenSSL reads.

use crate::der;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

/// The labels of certificates (PEM_X509_INFO_read_bio). The second is of the time before OpenSSL 0.9.5; the third carries settings
/// of trust behind the certificate.
const LABELS: [&str; 3] = ["CERTIFICATE", "X509 CERTIFICATE", TRUSTED];
const TRUSTED: &str = "TRUSTED CERTIFICATE";

/// All certificates of a file, in DER; other sections are skipped. `None` when a section is malformed.
///
/// OpenSSL does not look at what follows a certificate within its section, and so it is left out; but settings of trust stay, so
/// that a certificate with some counts as one that cannot be read.
pub(crate) fn certificates(pem: &[u8]) -> Option<Vec<Vec<u8>>> {
    let text = String::from_utf8_lossy(pem);
    let mut rest = &*text;
    let mut found = Vec::new();
    while let Some(at) = rest.find("-----BEGIN ") {
        let (label, after) = rest.get(at + "-----BEGIN ".len()..)?.split_once("-----")?;
        if !LABELS.contains(&label) {
            rest = after;
            continue;
        }
        let (body, after) = after.split_once(&format!("-----END {label}-----"))?;
        let section = format!("-----BEGIN CERTIFICATE-----{body}-----END CERTIFICATE-----\n");
        let mut der = CertificateDer::from_pem_slice(section.as_bytes()).ok()?.to_vec();
        if let Some((_, behind)) = der::first(&der).filter(|_| label != TRUSTED) {
            der.truncate(der.len() - behind.len());
        }
        found.push(der);
        rest = after;
    }
    Some(found)
}

/// A certificate in PEM: base64 in lines of 64 characters (RFC 7468, section 2).
pub(crate) fn encoded(der: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::from("-----BEGIN CERTIFICATE-----");
    for (index, group) in der.chunks(3).enumerate() {
        if index % 16 == 0 {
            text.push('\n');
        }
        let byte = |at: usize| u32::from(group.get(at).copied().unwrap_or_default());
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4usize {
            let six = (bits >> (18 - 6 * place)) & 63;
            let character = ALPHABET.get(six as usize).copied().unwrap_or(b'=');
            text.push(char::from(if place <= group.len() { character } else { b'=' }));
        }
    }
    text.push_str("\n-----END CERTIFICATE-----\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        let certificate = rcgen::generate_simple_self_signed(vec!["a".into()]).unwrap().cert;
        // rcgen breaks lines with a carriage return too.
        assert_eq!(encoded(certificate.der()), certificate.pem().replace('\r', ""));
        for length in 0..70u8 {
            let der = [vec![4, length], (0..length).collect()].concat();
            assert_eq!(certificates(encoded(&der).as_bytes()), Some(vec![der]));
        }
    }

    #[test]
    fn labels() {
        let section = |label: &str| format!("-----BEGIN {label}-----\nBAEHCQ==\n-----END {label}-----\n");
        let text =
            ["# a comment", &section("X509 CERTIFICATE"), &section("X509 CRL"), &section("CERTIFICATE")].join("\n");
        assert_eq!(certificates(text.as_bytes()), Some(vec![vec![4, 1, 7]; 2]));
        assert_eq!(certificates(section("TRUSTED CERTIFICATE").as_bytes()), Some(vec![vec![4, 1, 7, 9]]));
        assert_eq!(certificates(b"nothing"), Some(Vec::new()));
        for bad in
            ["-----BEGIN CERTIFICATE-----\nBAEHCQ==\n", "-----BEGIN CERTIFICATE-----\nA?\n-----END CERTIFICATE-----\n"]
        {
            assert_eq!(certificates(bad.as_bytes()), None, "{bad}");
        }
    }
}
