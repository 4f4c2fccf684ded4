//! Certificates in PEM, under the labels that OpenSSL reads.

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

/// The labels of certificates (PEM_X509_INFO_read_bio). The second is of the time before OpenSSL 0.9.5; the third carries settings
/// of trust behind the certificate.
const LABELS: [&str; 3] = ["CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE"];

/// All certificates of a file, in DER; other sections are skipped. `None` when a section is malformed.
///
/// Settings of trust stay behind the DER of their certificate, so that it counts as one that cannot be read.
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
        found.push(CertificateDer::from_pem_slice(section.as_bytes()).ok()?.to_vec());
        rest = after;
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels() {
        let section = |label: &str| format!("-----BEGIN {label}-----\nAQID\n-----END {label}-----\n");
        let text =
            ["# a comment", &section("X509 CERTIFICATE"), &section("X509 CRL"), &section("CERTIFICATE")].join("\n");
        assert_eq!(certificates(text.as_bytes()), Some(vec![vec![1, 2, 3]; 2]));
        assert_eq!(certificates(section("TRUSTED CERTIFICATE").as_bytes()), Some(vec![vec![1, 2, 3]]));
        assert_eq!(certificates(b"nothing"), Some(Vec::new()));
        for bad in
            ["-----BEGIN CERTIFICATE-----\nAQID\n", "-----BEGIN CERTIFICATE-----\nA?\n-----END CERTIFICATE-----\n"]
        {
            assert_eq!(certificates(bad.as_bytes()), None, "{bad}");
        }
    }
}
