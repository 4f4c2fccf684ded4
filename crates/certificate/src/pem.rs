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

#[cfg(test)]
mod tests {
    use super::*;

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
