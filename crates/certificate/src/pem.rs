//! Certificates in PEM, as OpenSSL reads them from a file of roots.

mod private_keys;
mod sections;

use crate::der;
use private_keys::{is_key_label, is_readable};
pub(crate) use sections::PemFault;
use sections::{PemSection, sections};
use x509_parser::prelude::{CertificateRevocationList, FromDer as _};

/// All certificates of a file, in DER, as OpenSSL finds them (PEM_X509_INFO_read_bio). Revocation lists and
/// keys, which it reads too, must be well-formed; sections of other labels only need to be sections.
///
/// OpenSSL does not look at what follows a certificate within its section, and so it is left out; but settings of trust stay, so
/// that a certificate with some counts as one that cannot be read.
pub(crate) fn certificates(pem: &[u8]) -> Result<Vec<Vec<u8>>, PemFault> {
    let mut found = Vec::new();
    for PemSection { line, label, header, mut data } in sections(pem)? {
        let fault = |why| Err(PemFault { line, why });
        match label.as_slice() {
            // The second label is of the time before OpenSSL 0.9.5; the third carries settings of trust behind the certificate.
            b"CERTIFICATE" | b"X509 CERTIFICATE" | b"TRUSTED CERTIFICATE" | b"X509 CRL" if !header.is_empty() => {
                return fault("the section has a header");
            }
            b"CERTIFICATE" | b"X509 CERTIFICATE" => {
                if let Some((_, behind)) = der::first(&data) {
                    data.truncate(data.len() - behind.len());
                }
                found.push(data);
            }
            b"TRUSTED CERTIFICATE" => found.push(data),
            b"X509 CRL" if CertificateRevocationList::from_der(&data).is_err() => {
                return fault("the revocation list cannot be read");
            }
            label if is_key_label(label) && !is_readable(label, &header, &data) => {
                return fault("the private key cannot be read");
            }
            _ => {}
        }
    }
    Ok(found)
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
            assert_eq!(certificates(encoded(&der).as_bytes()), Ok(vec![der]));
        }
    }

    const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nBAEHCQ==\n-----END CERTIFICATE-----\n";

    fn section(label: &str) -> String {
        CERTIFICATE.replace("CERTIFICATE", label)
    }

    #[test]
    fn labels() {
        let text = ["# a comment", &section("X509 CERTIFICATE"), &section("X"), CERTIFICATE].join("\n");
        assert_eq!(certificates(text.as_bytes()), Ok(vec![vec![4, 1, 7]; 2]));
        assert_eq!(certificates(section("TRUSTED CERTIFICATE").as_bytes()), Ok(vec![vec![4, 1, 7, 9]]));
        assert_eq!(certificates(b"nothing"), Ok(Vec::new()));
        assert_eq!(certificates(b""), Ok(Vec::new()));
        for label in ["X509 CRL", "RSA PRIVATE KEY", "DSA PRIVATE KEY", "EC PRIVATE KEY"] {
            let text = [CERTIFICATE, &section(label)].concat();
            assert_eq!(certificates(text.as_bytes()).unwrap_err().line, 4, "{label}");
        }
        let header = "KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nA";
        let encrypted = section("RSA PRIVATE KEY").replace("KEY-----\nB", header);
        assert_eq!(certificates(encrypted.as_bytes()), Ok(Vec::new()));
    }

    #[test]
    fn what_openssl_takes() {
        for (from, to) in [
            ("\n", "\r\n"),
            ("\n", " \t\n"),
            ("BAEH", " B A\nE\rH "),
            ("-----BEGIN", "\u{feff}-----BEGIN"),
            ("-----BEGIN", "-----BEGIN X\n-----BEGIN"),
            ("BAEH", "\nBAEH"),
            ("==\n", "==\n-----BEGIN CERTIFICATE-----\n"),
        ] {
            let text = CERTIFICATE.replace(from, to);
            assert_eq!(certificates(text.as_bytes()), Ok(vec![vec![4, 1, 7]]), "{text:?}");
        }
        // Neither of the second ones begins a section.
        for second in [format!(" {CERTIFICATE}"), format!("root: {CERTIFICATE}"), format!("\0\n{CERTIFICATE}")] {
            let text = [CERTIFICATE, &second].concat();
            assert_eq!(certificates(text.as_bytes()), Ok(vec![vec![4, 1, 7]]), "{text:?}");
        }
    }

    #[test]
    fn what_openssl_refuses() {
        let fault = |text: &str| certificates(text.as_bytes()).map_err(|fault| fault.line);
        for (from, to, line) in [
            ("-----END CERTIFICATE-----\n", "", 1),
            ("-----END CERTIFICATE-----\n", "-----END CERTIFICATE----------BEGIN CERTIFICATE-----\n", 3),
            ("-----END CERTIFICATE-----\n", "-----END CERTIFICATE-----x\n", 3),
            ("-----END CERTIFICATE-----\n", "-----END X509 CERTIFICATE-----\n", 3),
            ("-----END", " -----END", 1),
            ("BAEHCQ==", "BAEHCQ", 1),
            ("BAEHCQ==", "BA?HCQ==", 1),
            ("BAEHCQ==", "BAEHCQ===", 1),
            ("BAEHCQ==", "BAEHCQ==\nBAEH", 1),
            ("BAEHCQ==", "BAEHCQ==\n", 1),
            ("BAEHCQ==", "BAEH\n\nCQ==", 1),
            ("BAEHCQ==", "", 1),
            ("BAEHCQ==", "-----BEGIN CERTIFICATE-----\nBAEHCQ==", 1),
            ("BAEHCQ==", "x: y\n\nBAEHCQ==", 1),
            ("BAEHCQ==", "x: y\nBAEHCQ==", 1),
            ("BAEHCQ==", "\nBAEH\nCQ==", 4),
            ("BAEHCQ==", "\nBAEHCQ==\n\n", 4),
        ] {
            let text = CERTIFICATE.replace(from, to);
            assert_eq!(fault(&text), Err(line), "{text:?}");
        }
        // All of it is one line of BEGIN.
        let old_mac = CERTIFICATE.replace('\n', "\r");
        assert_eq!(fault(&old_mac), Err(1));
        assert_eq!(fault(&[CERTIFICATE, "-----BEGIN X-----\nAAAA\n"].concat()), Err(4));
    }
}
