//! What a client says before the server has answered. None of these messages has a type byte.

use crate::cursor::Cursor;
use crate::{DecodeError, EncodeError};

/// `SSLRequest`: length 8, code 1234.5679.
pub const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

/// `GSSENCRequest`: length 8, code 1234.5680.
pub const GSSENC_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x30];

/// `Terminate`: type `X`, length 4. Ends an accepted session.
pub const TERMINATE: [u8; 5] = [b'X', 0, 0, 0, 4];

/// The server's limit on the first packet (MAX_STARTUP_PACKET_LENGTH, pqcomm.h).
pub const MAX_STARTUP_LENGTH: usize = 10_000;

/// Protocol 3.0, the one that every server since 7.4 speaks.
pub const PROTOCOL_3_0: u32 = 3 << 16;

const SSL_CODE: u32 = 1234 << 16 | 5679;
const GSSENC_CODE: u32 = 1234 << 16 | 5680;
const CANCEL_CODE: u32 = 1234 << 16 | 5678;

/// Whether a startup asks for a replication connection (parameter `replication`).
///
/// A physical one is matched only by lines of `pg_hba.conf` that name the database `replication`, so it shows holes
/// that no ordinary login shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Replication {
    /// An ordinary connection.
    #[default]
    None,
    /// `replication=true`: physical replication.
    Physical,
    /// `replication=database`: logical replication, bound to a database.
    Logical,
}

/// A `StartupMessage` of protocol 3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartupMessage {
    /// The protocol version: major in the upper 16 bits, minor in the lower.
    pub protocol: u32,
    /// Names and values in order, `user` first by custom.
    pub parameters: Vec<(String, String)>,
}

impl StartupMessage {
    /// The message for a login as `user` into `database`. No parameter but these: what is not sent cannot be refused.
    #[must_use]
    pub fn login(user: &str, database: Option<&str>, replication: Replication) -> Self {
        let mut parameters = vec![("user".to_owned(), user.to_owned())];
        if let Some(database) = database {
            parameters.push(("database".to_owned(), database.to_owned()));
        }
        match replication {
            Replication::None => {}
            Replication::Physical => parameters.push(("replication".to_owned(), "true".to_owned())),
            Replication::Logical => parameters.push(("replication".to_owned(), "database".to_owned())),
        }
        Self { protocol: PROTOCOL_3_0, parameters }
    }

    /// The value of the parameter `name`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The bytes to send.
    ///
    /// # Errors
    ///
    /// [`EncodeError`] when a name or value holds a NUL, or the whole exceeds [`MAX_STARTUP_LENGTH`].
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        let mut bytes = vec![0; 4];
        bytes.extend(self.protocol.to_be_bytes());
        for text in self.parameters.iter().flat_map(|(name, value)| [name, value]) {
            if text.contains('\0') {
                return Err(EncodeError::Nul("startup parameter"));
            }
            bytes.extend(text.as_bytes());
            bytes.push(0);
        }
        bytes.push(0);
        if bytes.len() > MAX_STARTUP_LENGTH {
            return Err(EncodeError::TooLong { what: "startup message", max: MAX_STARTUP_LENGTH });
        }
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        for (slot, byte) in bytes.iter_mut().zip(length.to_be_bytes()) {
            *slot = byte;
        }
        Ok(bytes)
    }
}

/// The first packet of a client, as a server reads it (ProcessStartupPacket, backend_startup.c).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InitialPacket {
    /// `SSLRequest`.
    SslRequest,
    /// `GSSENCRequest`.
    GssEncRequest,
    /// `CancelRequest`.
    Cancel {
        /// The backend to interrupt.
        process_id: u32,
        /// Its key; four bytes up to protocol 3.0, up to 256 in 3.2.
        secret_key: Vec<u8>,
    },
    /// `StartupMessage`, of any protocol version.
    Startup(StartupMessage),
    /// The first byte of a TLS handshake record: direct TLS (PostgreSQL 17 and later). No byte is taken.
    DirectTls,
}

impl InitialPacket {
    /// Decodes the first packet and says how many bytes it took.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] for a length outside 8 to [`MAX_STARTUP_LENGTH`], or a body that does not end as it should.
    pub fn decode(bytes: &[u8]) -> Result<Option<(Self, usize)>, DecodeError> {
        if bytes.first() == Some(&0x16) {
            return Ok(Some((Self::DirectTls, 0)));
        }
        let mut cursor = Cursor::new(bytes);
        let Some(length) = cursor.u32() else {
            return Ok(None);
        };
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if !(8..=MAX_STARTUP_LENGTH).contains(&length) {
            return Err(DecodeError::Length { what: "startup packet", length, min: 8, max: MAX_STARTUP_LENGTH });
        }
        let Some(body) = cursor.take(length - 4) else {
            return Ok(None);
        };
        let mut cursor = Cursor::new(body);
        let code = cursor.u32().ok_or(DecodeError::Malformed("startup packet"))?;
        let packet = match code {
            SSL_CODE if cursor.is_empty() => Self::SslRequest,
            GSSENC_CODE if cursor.is_empty() => Self::GssEncRequest,
            SSL_CODE | GSSENC_CODE => return Err(DecodeError::Malformed("encryption request")),
            CANCEL_CODE => {
                let process_id = cursor.u32().ok_or(DecodeError::Malformed("cancel request"))?;
                Self::Cancel { process_id, secret_key: cursor.rest().to_vec() }
            }
            protocol => Self::Startup(decode_startup(protocol, cursor)?),
        };
        Ok(Some((packet, length)))
    }
}

fn decode_startup(protocol: u32, mut cursor: Cursor<'_>) -> Result<StartupMessage, DecodeError> {
    let malformed = || DecodeError::Malformed("startup packet");
    let mut parameters = Vec::new();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if protocol >> 16 != 3 {
        // Only protocol 3 is known to hold names and values.
        return Ok(StartupMessage { protocol, parameters });
    }
    loop {
        let name = cursor.c_string().ok_or_else(malformed)?;
        if name.is_empty() {
            break;
        }
        let value = cursor.c_string().ok_or_else(malformed)?;
        parameters.push((text(name), text(value)));
    }
    Ok(StartupMessage { protocol, parameters })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn requests_have_the_documented_bytes() {
        assert_eq!(InitialPacket::decode(&SSL_REQUEST), Ok(Some((InitialPacket::SslRequest, 8))));
        assert_eq!(InitialPacket::decode(&GSSENC_REQUEST), Ok(Some((InitialPacket::GssEncRequest, 8))));
        assert_eq!(
            InitialPacket::decode(b"\0\0\0\x10\x04\xd2\x16\x2e\0\0\0\x07\0\0\0\x01"),
            Ok(Some((InitialPacket::Cancel { process_id: 7, secret_key: vec![0, 0, 0, 1] }, 16)))
        );
        assert_eq!(InitialPacket::decode(&[0x16, 3, 1]), Ok(Some((InitialPacket::DirectTls, 0))));
    }

    #[test]
    fn a_startup_has_the_documented_bytes() {
        let bytes = StartupMessage::login("probe", Some("postgres"), Replication::None).encode().unwrap();
        assert_eq!(bytes, b"\0\0\0\x26\0\x03\0\0user\0probe\0database\0postgres\0\0");
        assert_eq!(bytes.len(), 38);
    }

    #[test]
    fn replication_is_a_parameter() {
        let physical = StartupMessage::login("u", None, Replication::Physical);
        assert_eq!(physical.get("replication"), Some("true"));
        assert_eq!(physical.get("database"), None);
        assert_eq!(StartupMessage::login("u", Some("d"), Replication::Logical).get("replication"), Some("database"));
    }

    #[test]
    fn what_cannot_be_encoded() {
        let nul = StartupMessage::login("a\0b", None, Replication::None);
        assert_eq!(nul.encode(), Err(EncodeError::Nul("startup parameter")));
        let long = StartupMessage::login(&"x".repeat(10_000), None, Replication::None);
        assert!(matches!(long.encode(), Err(EncodeError::TooLong { .. })));
    }

    #[test]
    fn what_a_server_cannot_read() {
        assert!(matches!(InitialPacket::decode(b"GET / HTTP/1.1"), Err(DecodeError::Length { .. })));
        assert!(InitialPacket::decode(b"\0\0\0\x09\0\x03\0\0u").is_err());
        assert_eq!(InitialPacket::decode(b"\0\0\0\x08\x04"), Ok(None));
    }

    proptest! {
        #[test]
        fn startups_round_trip(user in "[^\0]{1,63}", database in proptest::option::of("[^\0]{1,63}")) {
            let message = StartupMessage::login(&user, database.as_deref(), Replication::None);
            let bytes = message.encode().unwrap();
            prop_assert_eq!(InitialPacket::decode(&bytes), Ok(Some((InitialPacket::Startup(message), bytes.len()))));
        }

        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = InitialPacket::decode(&bytes);
        }
    }
}
