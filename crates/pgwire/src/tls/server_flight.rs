//! Decoder for what a server sends in plaintext after a ClientHello.
//!
//! Up to TLS 1.2 that is its whole first flight, certificates included; in TLS 1.3 it is ServerHello or
//! HelloRetryRequest, and everything after is encrypted.

use super::{CipherSuite, ContentType, NamedGroup, ProtocolVersion, TlsRecord};
use crate::DecodeError;
use crate::cursor::Cursor;

/// The most bytes of a flight that are read. A flight with a long chain of RSA-4096 certificates has about 12 KiB.
pub const MAX_FLIGHT: usize = 64 * 1024;

/// The most records of a flight: only a peer that wastes time cuts it into single bytes.
const MAX_RECORDS: usize = 512;

/// The most certificates that are kept.
const MAX_CERTIFICATES: usize = 16;

/// The `random` that makes a ServerHello a HelloRetryRequest (RFC 8446 section 4.1.3): SHA-256 of that word.
const HELLO_RETRY_REQUEST: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2, 0x11,
    0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

/// An alert (RFC 8446 section 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alert {
    /// The description: 40 handshake_failure, 70 protocol_version, 116 certificate_required and so on.
    pub description: u8,
    /// Whether it ends the connection. A warning does not.
    pub fatal: bool,
}

impl Alert {
    /// 40: no common parameters.
    pub const HANDSHAKE_FAILURE: u8 = 40;
    /// 70: the version is known and not supported.
    pub const PROTOCOL_VERSION: u8 = 70;
    /// 116: TLS 1.3, the server demands a client certificate.
    pub const CERTIFICATE_REQUIRED: u8 = 116;
    /// 120: no protocol in common (RFC 7301).
    pub const NO_APPLICATION_PROTOCOL: u8 = 120;

    /// The name in the RFC, if it has one.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self.description {
            0 => "close_notify",
            10 => "unexpected_message",
            20 => "bad_record_mac",
            22 => "record_overflow",
            40 => "handshake_failure",
            41 => "no_certificate",
            42 => "bad_certificate",
            43 => "unsupported_certificate",
            44 => "certificate_revoked",
            45 => "certificate_expired",
            46 => "certificate_unknown",
            47 => "illegal_parameter",
            48 => "unknown_ca",
            49 => "access_denied",
            50 => "decode_error",
            51 => "decrypt_error",
            70 => "protocol_version",
            71 => "insufficient_security",
            80 => "internal_error",
            86 => "inappropriate_fallback",
            90 => "user_canceled",
            109 => "missing_extension",
            110 => "unsupported_extension",
            112 => "unrecognized_name",
            113 => "bad_certificate_status_response",
            116 => "certificate_required",
            120 => "no_application_protocol",
            _ => "unknown alert",
        }
    }

    fn decode(payload: &[u8]) -> Option<Self> {
        let mut cursor = Cursor::new(payload);
        let level = cursor.u8()?;
        let description = cursor.u8()?;
        // TLS 1.3 gives every alert but these two the meaning of a fatal one (RFC 8446 section 6).
        let warning = level == 1 && matches!(description, 0 | 90 | 100 | 112);
        Some(Self { description, fatal: !warning })
    }
}

/// What ServerHello says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerHello {
    /// The version chosen, as a number: a hostile one may be unknown.
    pub version: u16,
    /// The suite chosen.
    pub suite: CipherSuite,
    /// The group of the key share (TLS 1.3 only).
    pub group: Option<NamedGroup>,
    /// The application protocol (up to TLS 1.2; encrypted in 1.3).
    pub alpn: Option<Vec<u8>>,
    /// It asks for another ClientHello (TLS 1.3). Version, suite and group are chosen all the same.
    pub retry_request: bool,
}

impl ServerHello {
    /// The version chosen, if it has a name.
    #[must_use]
    pub fn tls_version(&self) -> Option<ProtocolVersion> {
        ProtocolVersion::from_wire(self.version)
    }

    fn decode(body: &[u8]) -> Option<Self> {
        let mut cursor = Cursor::new(body);
        let mut hello = Self {
            version: cursor.u16()?,
            suite: CipherSuite(0),
            group: None,
            alpn: None,
            retry_request: cursor.take(32)? == HELLO_RETRY_REQUEST,
        };
        if cursor.vec8()?.len() > 32 {
            return None;
        }
        hello.suite = CipherSuite(cursor.u16()?);
        cursor.u8()?; // compression
        if cursor.is_empty() {
            return Some(hello);
        }
        let mut extensions = Cursor::new(cursor.vec16()?);
        while !extensions.is_empty() {
            let kind = extensions.u16()?;
            let mut data = Cursor::new(extensions.vec16()?);
            match kind {
                16 => hello.alpn = Some(Cursor::new(data.vec16()?).vec8()?.to_vec()),
                43 => hello.version = data.u16()?,
                51 => hello.group = Some(NamedGroup(data.u16()?)),
                _ => {}
            }
        }
        Some(hello)
    }
}

/// What a server's first flight says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerFlight {
    /// ServerHello, if it came.
    pub hello: Option<ServerHello>,
    /// The certificates in DER, the server's own first (up to TLS 1.2).
    pub certificates: Vec<Vec<u8>>,
    /// The curve of ServerKeyExchange (up to TLS 1.2, RFC 8422 section 5.4).
    pub key_exchange_group: Option<NamedGroup>,
    /// A CertificateRequest came (up to TLS 1.2).
    pub certificate_requested: bool,
    /// A fatal alert ended it.
    pub alert: Option<Alert>,
}

impl ServerFlight {
    /// Decodes all that was received after a ClientHello. `None` until the flight is complete: at a fatal alert, after
    /// ServerHello in TLS 1.3, after ServerHelloDone before.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] when the bytes are not TLS, or exceed [`MAX_FLIGHT`].
    pub fn decode(bytes: &[u8]) -> Result<Option<Self>, DecodeError> {
        if bytes.len() > MAX_FLIGHT {
            return Err(DecodeError::Length { what: "TLS flight", length: bytes.len(), min: 0, max: MAX_FLIGHT });
        }
        let mut handshake = Vec::new();
        let mut alert = None;
        let mut encrypted = false;
        let mut rest = bytes;
        for records in 0.. {
            let Some((record, used)) = TlsRecord::decode(rest)? else {
                break;
            };
            if records == MAX_RECORDS {
                return Err(DecodeError::Malformed("TLS flight of too many records"));
            }
            rest = rest.get(used..).unwrap_or_default();
            match record.content_type {
                ContentType::Alert => {
                    alert = Some(Alert::decode(record.payload).ok_or(DecodeError::Malformed("TLS alert"))?)
                        .filter(|alert| alert.fatal);
                }
                ContentType::Handshake if record.payload.is_empty() => {
                    return Err(DecodeError::Malformed("TLS handshake record"));
                }
                ContentType::Handshake => handshake.extend_from_slice(record.payload),
                ContentType::ChangeCipherSpec | ContentType::ApplicationData => encrypted = true,
            }
            if alert.is_some() || encrypted {
                break;
            }
        }
        let mut flight = Self { alert, ..Self::default() };
        let ended = flight.read_handshake(&handshake)?;
        if !ended && encrypted {
            return Err(DecodeError::Malformed("TLS flight"));
        }
        Ok((ended || alert.is_some()).then_some(flight))
    }

    /// Reads the messages of the handshake layer; true when the flight ends within them.
    fn read_handshake(&mut self, bytes: &[u8]) -> Result<bool, DecodeError> {
        let mut cursor = Cursor::new(bytes);
        while let Some(kind) = cursor.u8() {
            if !matches!(kind, 0 | 2 | 4 | 11..=14 | 22) {
                return Err(DecodeError::Malformed("TLS handshake message"));
            }
            let Some(body) = cursor.vec24() else {
                return Ok(false);
            };
            match kind {
                2 => {
                    let hello = ServerHello::decode(body).ok_or(DecodeError::Malformed("ServerHello"))?;
                    let ends = hello.version >= ProtocolVersion::Tls13.wire() || hello.retry_request;
                    self.hello = Some(hello);
                    if ends {
                        return Ok(true);
                    }
                }
                11 => self.certificates = decode_certificates(body).ok_or(DecodeError::Malformed("Certificate"))?,
                12 => self.key_exchange_group = decode_key_exchange(body),
                13 => self.certificate_requested = true,
                14 => return Ok(self.hello.is_some()),
                _ => {}
            }
        }
        Ok(false)
    }
}

fn decode_certificates(body: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut list = Cursor::new(Cursor::new(body).vec24()?);
    let mut certificates = Vec::new();
    while !list.is_empty() && certificates.len() < MAX_CERTIFICATES {
        certificates.push(list.vec24()?.to_vec());
    }
    Some(certificates)
}

/// The named curve; `None` for a finite-field exchange, whose first two bytes are the length of the prime.
fn decode_key_exchange(body: &[u8]) -> Option<NamedGroup> {
    let mut cursor = Cursor::new(body);
    match cursor.u8()? {
        3 => cursor.u16().map(NamedGroup),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn record(kind: u8, payload: &[u8]) -> Vec<u8> {
        [&[kind, 3, 3, (payload.len() >> 8) as u8, payload.len() as u8], payload].concat()
    }

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        [&[kind, 0, (body.len() >> 8) as u8, body.len() as u8], body].concat()
    }

    fn server_hello(version: [u8; 2], random: [u8; 32], suite: u16, extensions: &[u8]) -> Vec<u8> {
        let mut body = version.to_vec();
        body.extend(random);
        body.push(0);
        body.extend(suite.to_be_bytes());
        body.push(0);
        body.extend((extensions.len() as u16).to_be_bytes());
        body.extend(extensions);
        message(2, &body)
    }

    #[test]
    fn a_tls_1_2_flight_over_several_records() {
        let messages = [
            server_hello([3, 3], [1; 32], 0xc02f, b"\0\x10\0\x0d\0\x0b\x0apostgresql"),
            message(11, &[0, 0, 6, 0, 0, 3, 0x30, 0x01, 0x00]),
            message(12, &[3, 0, 23, 0]),
            message(13, &[1, 1, 0, 0, 0, 0]),
            message(14, &[]),
        ]
        .concat();
        let (head, tail) = messages.split_at(30);
        let bytes = [record(22, head), record(22, tail)].concat();
        let flight = ServerFlight::decode(&bytes).unwrap().unwrap();
        let hello = flight.hello.unwrap();
        assert_eq!(hello.tls_version(), Some(ProtocolVersion::Tls12));
        assert_eq!(hello.suite, CipherSuite(0xc02f));
        assert_eq!(hello.alpn.as_deref(), Some(&b"postgresql"[..]));
        assert_eq!(flight.certificates, vec![vec![0x30, 1, 0]]);
        assert_eq!(flight.key_exchange_group, Some(NamedGroup::SECP256R1));
        assert!(flight.certificate_requested);
        for cut in 0..bytes.len() {
            assert_eq!(ServerFlight::decode(&bytes[..cut]), Ok(None), "cut at {cut}");
        }
    }

    #[test]
    fn a_tls_1_3_hello_ends_the_clear_part() {
        let extensions = [&[0, 43, 0, 2, 3, 4][..], &[0, 51, 0, 6, 0, 29, 0, 2, 1, 1]].concat();
        let bytes = record(22, &server_hello([3, 3], [1; 32], 0x1301, &extensions));
        let hello = ServerFlight::decode(&bytes).unwrap().unwrap().hello.unwrap();
        assert_eq!(hello.tls_version(), Some(ProtocolVersion::Tls13));
        assert_eq!(hello.group, Some(NamedGroup::X25519));
        assert!(!hello.retry_request);
    }

    #[test]
    fn a_hello_retry_request_is_told_by_its_random() {
        let extensions = [&[0, 43, 0, 2, 3, 4][..], &[0, 51, 0, 2, 0, 23]].concat();
        let bytes = record(22, &server_hello([3, 3], HELLO_RETRY_REQUEST, 0x1302, &extensions));
        let hello = ServerFlight::decode(&bytes).unwrap().unwrap().hello.unwrap();
        assert!(hello.retry_request);
        assert_eq!((hello.version, hello.group), (0x0304, Some(NamedGroup::SECP256R1)));
    }

    #[test]
    fn alerts() {
        let flight = ServerFlight::decode(&record(21, &[2, 70])).unwrap().unwrap();
        assert_eq!(flight.alert.unwrap().name(), "protocol_version");
        // unrecognized_name as a warning is followed by the flight.
        assert_eq!(ServerFlight::decode(&record(21, &[1, 112])), Ok(None));
        assert!(ServerFlight::decode(&record(21, &[2])).is_err());
    }

    #[test]
    fn hostile_flights() {
        assert!(ServerFlight::decode(&vec![22; MAX_FLIGHT + 1]).is_err());
        assert!(ServerFlight::decode(&record(23, b"early")).is_err());
        assert!(ServerFlight::decode(&record(22, &[])).is_err());
        assert!(ServerFlight::decode(&record(22, &[99, 0, 0, 0])).is_err());
        assert!(ServerFlight::decode(&record(22, &[2]).repeat(600)).is_err());
        assert!(ServerFlight::decode(&record(22, &message(2, &[3, 3]))).is_err());
        assert!(ServerFlight::decode(b"SSH-2.0-OpenSSH").is_err());
        // A chain with a length that lies.
        let lying = [server_hello([3, 3], [1; 32], 0xc02f, &[]), message(11, &[0, 0, 6, 0, 0, 9, 1, 2, 3])];
        assert!(ServerFlight::decode(&record(22, &lying.concat())).is_err());
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = ServerFlight::decode(&bytes);
            let _ = ServerFlight::decode(&record(22, &bytes));
            let _ = ServerFlight::decode(&record(22, &message(2, &bytes)));
            let _ = ServerFlight::decode(&record(22, &message(11, &bytes)));
        }
    }
}
