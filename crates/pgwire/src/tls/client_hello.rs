//! Encoder for ClientHello (RFC 8446 section 4.1.2, RFC 5246 section 7.4.1.2).

use super::{CipherSuite, NamedGroup, ProtocolVersion};
use crate::EncodeError;

/// What to say in the extension `key_share` of a TLS 1.3 hello (RFC 8446 section 4.2.8).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeyShare {
    /// An empty list. The server answers with a HelloRetryRequest that names version, suite and group, and neither side
    /// spends a key exchange on the question.
    #[default]
    Empty,
    /// A share for P-256: the base point of the curve, whose private key is 1. Enough to see a ServerHello, and worth
    /// nothing for a conversation, which this crate cannot hold anyway.
    P256,
}

/// A ClientHello that offers exactly one version (1.3), or one version and what the server makes of it (up to 1.2).
#[derive(Clone, Debug)]
pub struct ClientHello<'a> {
    /// The version offered. Up to TLS 1.2 a server may answer with an older one (RFC 5246 appendix E.1).
    pub version: ProtocolVersion,
    /// The cipher suites in order of preference.
    pub suites: &'a [CipherSuite],
    /// The groups in order of preference.
    pub groups: &'a [NamedGroup],
    /// The key share of a TLS 1.3 hello.
    pub key_share: KeyShare,
    /// The name for the extension `server_name`; `None` for a server known by its address (RFC 6066 section 3).
    pub server_name: Option<&'a str>,
    /// Protocols for the extension ALPN, such as `postgresql`.
    pub alpn: &'a [&'a [u8]],
    /// 32 random bytes.
    pub random: [u8; 32],
}

/// Signature schemes offered: all that a server may have a certificate for, the old ones last, because the question is
/// what it does and not what it should do.
const SIGNATURE_SCHEMES: &[u16] = &[
    0x0403, 0x0503, 0x0603, 0x0807, 0x0808, 0x0804, 0x0805, 0x0806, 0x0809, 0x080a, 0x080b, 0x0401, 0x0501, 0x0601,
    0x0303, 0x0301, 0x0203, 0x0201,
];

/// Uncompressed base point of P-256 (SEC 2 version 2.0, section 2.4.2).
const P256_BASE_POINT: [u8; 65] = [
    0x04, 0x6b, 0x17, 0xd1, 0xf2, 0xe1, 0x2c, 0x42, 0x47, 0xf8, 0xbc, 0xe6, 0xe5, 0x63, 0xa4, 0x40, 0xf2, 0x77, 0x03,
    0x7d, 0x81, 0x2d, 0xeb, 0x33, 0xa0, 0xf4, 0xa1, 0x39, 0x45, 0xd8, 0x98, 0xc2, 0x96, 0x4f, 0xe3, 0x42, 0xe2, 0xfe,
    0x1a, 0x7f, 0x9b, 0x8e, 0xe7, 0xeb, 0x4a, 0x7c, 0x0f, 0x9e, 0x16, 0x2b, 0xce, 0x33, 0x57, 0x6b, 0x31, 0x5e, 0xce,
    0xcb, 0xb6, 0x40, 0x68, 0x37, 0xbf, 0x51, 0xf5,
];

/// Signalling suite for secure renegotiation (RFC 5746 section 3.3), which needs no extension.
const EMPTY_RENEGOTIATION_INFO_SCSV: u16 = 0x00ff;

impl ClientHello<'_> {
    /// The whole record to send.
    ///
    /// # Errors
    ///
    /// [`EncodeError::TooLong`] when the hello does not fit in one record.
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        let mut body = Vec::with_capacity(512);
        put16(&mut body, self.version.min(ProtocolVersion::Tls12).wire());
        body.extend(self.random);
        body.push(0); // no session to resume
        vec16(&mut body, |body| {
            for suite in self.suites {
                put16(body, suite.0);
            }
            if self.version < ProtocolVersion::Tls13 {
                put16(body, EMPTY_RENEGOTIATION_INFO_SCSV);
            }
        })?;
        body.extend([1, 0]); // one compression method: none
        // SSL 3.0 knows no extensions, and a server that speaks nothing newer may stumble over them.
        if self.version > ProtocolVersion::Ssl3 {
            vec16(&mut body, |body| self.extensions(body))?;
        }

        let mut record = vec![22];
        // RFC 8446 section 5.1: 0x0301 for the sake of old servers, which read nothing else.
        put16(&mut record, self.version.min(ProtocolVersion::Tls10).wire());
        vec16(&mut record, |record| {
            record.push(1); // client_hello
            record.push(0);
            // The lengths above have two bytes, so the third is 0 unless vec16 has failed.
            put16(record, u16::try_from(body.len()).unwrap_or(u16::MAX));
            record.extend(&body);
        })?;
        if record.len() > super::MAX_RECORD_LENGTH {
            return Err(EncodeError::TooLong { what: "ClientHello", max: super::MAX_RECORD_LENGTH });
        }
        Ok(record)
    }

    fn extensions(&self, out: &mut Vec<u8>) {
        if let Some(name) = self.server_name {
            extension(out, 0, |out| {
                let _ = vec16(out, |out| {
                    out.push(0); // host_name
                    let _ = vec16(out, |out| out.extend(name.bytes()));
                });
            });
        }
        extension(out, 10, |out| {
            let _ = vec16(out, |out| self.groups.iter().for_each(|group| put16(out, group.0)));
        });
        extension(out, 11, |out| out.extend([1, 0])); // ec_point_formats: uncompressed
        if self.version >= ProtocolVersion::Tls12 {
            extension(out, 13, |out| {
                let _ = vec16(out, |out| SIGNATURE_SCHEMES.iter().for_each(|&scheme| put16(out, scheme)));
            });
        }
        if !self.alpn.is_empty() {
            extension(out, 16, |out| {
                let _ = vec16(out, |out| {
                    for protocol in self.alpn {
                        out.push(u8::try_from(protocol.len()).unwrap_or(u8::MAX));
                        out.extend(protocol.iter().take(usize::from(u8::MAX)));
                    }
                });
            });
        }
        if self.version == ProtocolVersion::Tls13 {
            extension(out, 43, |out| out.extend([2, 0x03, 0x04])); // supported_versions: 1.3 only
            extension(out, 51, |out| {
                let _ = vec16(out, |out| {
                    if self.key_share == KeyShare::P256 {
                        put16(out, NamedGroup::SECP256R1.0);
                        let _ = vec16(out, |out| out.extend(P256_BASE_POINT));
                    }
                });
            });
        }
    }
}

fn put16(out: &mut Vec<u8>, value: u16) {
    out.extend(value.to_be_bytes());
}

fn extension(out: &mut Vec<u8>, kind: u16, fill: impl FnOnce(&mut Vec<u8>)) {
    put16(out, kind);
    // A part that is too long makes the whole too long, and encode() refuses that.
    let _ = vec16(out, fill);
}

/// Appends a two-byte length and what `fill` appends.
fn vec16(out: &mut Vec<u8>, fill: impl FnOnce(&mut Vec<u8>)) -> Result<(), EncodeError> {
    let at = out.len();
    put16(out, 0);
    fill(out);
    let length = out.len() - at - 2;
    let Ok(length) = u16::try_from(length) else {
        return Err(EncodeError::TooLong { what: "ClientHello", max: super::MAX_RECORD_LENGTH });
    };
    for (slot, byte) in out.iter_mut().skip(at).zip(length.to_be_bytes()) {
        *slot = byte;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::{ContentType, TlsRecord};
    use proptest::prelude::*;

    fn hello(version: ProtocolVersion) -> Vec<u8> {
        let suites: Vec<_> = CipherSuite::of_version(version).collect();
        let groups: Vec<_> = NamedGroup::of_version(version).collect();
        ClientHello {
            version,
            suites: &suites,
            groups: &groups,
            key_share: KeyShare::P256,
            server_name: Some("db.example"),
            alpn: &[b"postgresql"],
            random: [7; 32],
        }
        .encode()
        .unwrap()
    }

    #[test]
    fn is_one_handshake_record_with_true_lengths() {
        for version in ProtocolVersion::ALL {
            let bytes = hello(version);
            let (record, used) = TlsRecord::decode(&bytes).unwrap().unwrap();
            assert_eq!((record.content_type, used), (ContentType::Handshake, bytes.len()));
            let length = record.payload.len() - 4;
            assert_eq!(&record.payload[..4], &[1, 0, (length >> 8) as u8, length as u8]);
            assert_eq!(record.payload[4..6], version.min(ProtocolVersion::Tls12).wire().to_be_bytes());
        }
    }

    #[test]
    fn ssl_3_carries_no_extensions_and_tls_1_3_names_its_version() {
        let contains = |bytes: &[u8], part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
        assert!(!contains(&hello(ProtocolVersion::Ssl3), b"postgresql"));
        assert_eq!(hello(ProtocolVersion::Ssl3)[1..3], [3, 0]);
        assert!(contains(&hello(ProtocolVersion::Tls13), &[0, 43, 0, 3, 2, 3, 4]));
        assert!(contains(&hello(ProtocolVersion::Tls12), b"\x00\x10\x00\x0d\x00\x0b\x0apostgresql"));
        assert!(!contains(&hello(ProtocolVersion::Tls12), &[0, 43, 0, 3, 2, 3, 4]));
    }

    #[test]
    fn refuses_what_fits_in_no_record() {
        let suites = vec![CipherSuite(1); 40_000];
        let hello = ClientHello {
            version: ProtocolVersion::Tls12,
            suites: &suites,
            groups: &[],
            key_share: KeyShare::Empty,
            server_name: None,
            alpn: &[],
            random: [0; 32],
        };
        assert!(matches!(hello.encode(), Err(EncodeError::TooLong { .. })));
    }

    proptest! {
        #[test]
        fn every_hello_is_a_record(suites in proptest::collection::vec(any::<u16>(), 0..300), name in "[a-z.]{0,300}") {
            let suites: Vec<_> = suites.into_iter().map(CipherSuite).collect();
            for version in ProtocolVersion::ALL {
                let hello = ClientHello {
                    version, suites: &suites, groups: &[NamedGroup::X25519], key_share: KeyShare::Empty,
                    server_name: Some(&name), alpn: &[], random: [1; 32],
                };
                let bytes = hello.encode().unwrap();
                let (_, used) = TlsRecord::decode(&bytes).unwrap().unwrap();
                prop_assert_eq!(used, bytes.len());
            }
        }
    }
}
