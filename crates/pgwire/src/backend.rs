//! What a server says up to the end of authentication.

use crate::DecodeError;
use crate::cursor::Cursor;
use crate::error_response::{ErrorResponse, MAX_ERROR_LENGTH};
use crate::frame::frame;

/// The longest message that is taken from a server before it has authenticated us: libpq's bound for errors, which is
/// above its bound for authentication requests.
pub const MAX_MESSAGE_LENGTH: usize = MAX_ERROR_LENGTH;

/// The most SASL mechanisms and protocol options that are kept of one message.
const MAX_NAMES: usize = 64;

/// A message of the server (protocol section "Message Formats").
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BackendMessage {
    /// `R`: an authentication request, or that none is needed.
    Authentication(Authentication),
    /// `E`: an error.
    Error(ErrorResponse),
    /// `N`: a notice; it decides nothing.
    Notice(ErrorResponse),
    /// `v`: the server speaks an older minor version, or does not know some options.
    NegotiateProtocolVersion {
        /// The newest minor version that the server speaks.
        minor: u32,
        /// The options that it does not know.
        unknown_options: Vec<String>,
    },
    /// Another type of message, such as `S` (ParameterStatus) after a login without a password.
    Other {
        /// Its type byte.
        tag: u8,
    },
}

/// How the server wants the client to prove who it is (message `R`).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Authentication {
    /// 0: nothing is asked (`trust`, or a client certificate was enough).
    Ok,
    /// 2: Kerberos 5, obsolete.
    KerberosV5,
    /// 3: the password as it is.
    CleartextPassword,
    /// 5: an MD5 hash.
    Md5Password {
        /// The salt that the server chose.
        salt: [u8; 4],
    },
    /// 7: GSSAPI.
    Gss,
    /// 9: SSPI.
    Sspi,
    /// 10: SASL, with the mechanisms in the server's order.
    Sasl {
        /// Names such as `SCRAM-SHA-256-PLUS`.
        mechanisms: Vec<String>,
    },
    /// 11: the server's part of a SASL exchange that the client has begun.
    SaslContinue {
        /// What the mechanism says.
        data: Vec<u8>,
    },
    /// A code that the documentation does not give to a first request.
    Other(u32),
}

impl Authentication {
    /// The name of the method: those of `pg_hba.conf` where they say the same (`trust`, `password`, `md5`, `gss`,
    /// `sspi`), the mechanisms joined by commas for SASL.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Ok => "trust".to_owned(),
            Self::KerberosV5 => "krb5".to_owned(),
            Self::CleartextPassword => "password".to_owned(),
            Self::Md5Password { .. } => "md5".to_owned(),
            Self::Gss => "gss".to_owned(),
            Self::Sspi => "sspi".to_owned(),
            Self::Sasl { mechanisms } => mechanisms.join(","),
            Self::SaslContinue { .. } => "code 11".to_owned(),
            Self::Other(code) => format!("code {code}"),
        }
    }

    /// Whether the server offers SCRAM bound to the TLS channel. `None` when it does not offer SASL at all.
    ///
    /// A PostgreSQL that ends TLS itself offers `SCRAM-SHA-256-PLUS` beside `SCRAM-SHA-256` over TLS (sendAuthRequest
    /// with pg_be_scram_get_mechanisms); one behind a proxy that ends TLS in its stead cannot.
    #[must_use]
    pub fn channel_binding(&self) -> Option<bool> {
        match self {
            Self::Sasl { mechanisms } => Some(mechanisms.iter().any(|name| name == "SCRAM-SHA-256-PLUS")),
            _ => None,
        }
    }

    fn decode_body(body: &[u8]) -> Result<Self, DecodeError> {
        let malformed = || DecodeError::Malformed("Authentication");
        let mut cursor = Cursor::new(body);
        Ok(match cursor.u32().ok_or_else(malformed)? {
            0 => Self::Ok,
            2 => Self::KerberosV5,
            3 => Self::CleartextPassword,
            5 => {
                let salt = cursor.u32().ok_or_else(malformed)?;
                Self::Md5Password { salt: salt.to_be_bytes() }
            }
            7 => Self::Gss,
            9 => Self::Sspi,
            10 => {
                let mut mechanisms = Vec::new();
                loop {
                    let name = cursor.c_string().ok_or_else(malformed)?;
                    if name.is_empty() || mechanisms.len() == MAX_NAMES {
                        break;
                    }
                    mechanisms.push(String::from_utf8_lossy(name).into_owned());
                }
                Self::Sasl { mechanisms }
            }
            11 => Self::SaslContinue { data: cursor.rest().to_vec() },
            code => Self::Other(code),
        })
    }

    /// The whole message as a server sends it, type byte included.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut body = match self {
            Self::Ok => 0,
            Self::KerberosV5 => 2,
            Self::CleartextPassword => 3,
            Self::Md5Password { .. } => 5,
            Self::Gss => 7,
            Self::Sspi => 9,
            Self::Sasl { .. } => 10,
            Self::SaslContinue { .. } => 11,
            Self::Other(code) => *code,
        }
        .to_be_bytes()
        .to_vec();
        match self {
            Self::Md5Password { salt } => body.extend(salt),
            Self::Sasl { mechanisms } => {
                for name in mechanisms {
                    body.extend(name.bytes().filter(|&byte| byte != 0));
                    body.push(0);
                }
                body.push(0);
            }
            Self::SaslContinue { data } => body.extend(data),
            _ => {}
        }
        frame(b'R', &body)
    }
}

impl BackendMessage {
    /// Decodes the first message of `bytes` that may follow a `StartupMessage`, and says how many bytes it took.
    ///
    /// Only `R`, `E`, `N` and `v` may come first. An `E` whose length is below 8 or above [`MAX_ERROR_LENGTH`] is an
    /// error of protocol 2 (libpq's rule in PQconnectPoll, fe-connect.c).
    ///
    /// # Errors
    ///
    /// [`DecodeError`] when the peer does not speak PostgreSQL, or speaks it wrongly.
    pub fn decode_startup_reply(bytes: &[u8]) -> Result<Option<(Self, usize)>, DecodeError> {
        match bytes.first() {
            None => Ok(None),
            Some(b'R' | b'E' | b'N' | b'v') => Self::decode(bytes),
            Some(&other) => Err(DecodeError::UnexpectedByte(other)),
        }
    }

    /// Decodes the first message of `bytes`, of any type, and says how many bytes it took.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] when a length or a body breaks the protocol.
    pub fn decode(bytes: &[u8]) -> Result<Option<(Self, usize)>, DecodeError> {
        let mut cursor = Cursor::new(bytes);
        let (Some(tag), Some(length)) = (cursor.u8(), cursor.u32()) else {
            return Ok(None);
        };
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let min = if matches!(tag, b'R' | b'E' | b'v') { 8 } else { 4 };
        if !(min..=MAX_MESSAGE_LENGTH).contains(&length) {
            if tag == b'E' {
                let error = ErrorResponse::decode_protocol_2(bytes.get(1..).unwrap_or_default())?;
                return Ok(error.map(|(error, used)| (Self::Error(error), used + 1)));
            }
            return Err(DecodeError::Length { what: "message", length, min, max: MAX_MESSAGE_LENGTH });
        }
        let Some(body) = cursor.take(length - 4) else {
            return Ok(None);
        };
        let message = match tag {
            b'R' => Self::Authentication(Authentication::decode_body(body)?),
            b'E' => Self::Error(ErrorResponse::decode_body(body)?),
            b'N' => Self::Notice(ErrorResponse::decode_body(body)?),
            b'v' => decode_negotiate(body)?,
            tag => Self::Other { tag },
        };
        Ok(Some((message, length + 1)))
    }

    /// The name that the protocol documentation gives to the message.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Authentication(_) => "Authentication",
            Self::Error(_) => "ErrorResponse",
            Self::Notice(_) => "NoticeResponse",
            Self::NegotiateProtocolVersion { .. } => "NegotiateProtocolVersion",
            Self::Other { tag: b'S' } => "ParameterStatus",
            Self::Other { tag: b'K' } => "BackendKeyData",
            Self::Other { tag: b'Z' } => "ReadyForQuery",
            Self::Other { .. } => "other message",
        }
    }
}

fn decode_negotiate(body: &[u8]) -> Result<BackendMessage, DecodeError> {
    let malformed = || DecodeError::Malformed("NegotiateProtocolVersion");
    let mut cursor = Cursor::new(body);
    let minor = cursor.u32().ok_or_else(malformed)?;
    let count = cursor.u32().ok_or_else(malformed)?;
    let mut unknown_options = Vec::new();
    for _ in 0..count.min(MAX_NAMES as u32) {
        let name = cursor.c_string().ok_or_else(malformed)?;
        unknown_options.push(String::from_utf8_lossy(name).into_owned());
    }
    Ok(BackendMessage::NegotiateProtocolVersion { minor, unknown_options })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decode(bytes: &[u8]) -> BackendMessage {
        BackendMessage::decode_startup_reply(bytes).unwrap().unwrap().0
    }

    #[test]
    fn authentication_requests() {
        let cases: [(&[u8], &str); 9] = [
            (b"R\0\0\0\x08\0\0\0\0", "trust"),
            (b"R\0\0\0\x08\0\0\0\x02", "krb5"),
            (b"R\0\0\0\x08\0\0\0\x03", "password"),
            (b"R\0\0\0\x0c\0\0\0\x05abcd", "md5"),
            (b"R\0\0\0\x08\0\0\0\x07", "gss"),
            (b"R\0\0\0\x08\0\0\0\x09", "sspi"),
            (b"R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0", "SCRAM-SHA-256"),
            (b"R\0\0\0\x0b\0\0\0\x0br=x", "code 11"),
            (b"R\0\0\0\x08\0\0\0\x63", "code 99"),
        ];
        for (bytes, name) in cases {
            let BackendMessage::Authentication(request) = decode(bytes) else { panic!("{bytes:?}") };
            assert_eq!(request.name(), name);
            assert_eq!(request.encode(), bytes);
        }
    }

    #[test]
    fn channel_binding_is_told_from_the_mechanisms() {
        let sasl =
            |names: &[&str]| Authentication::Sasl { mechanisms: names.iter().map(|&name| name.to_owned()).collect() };
        assert_eq!(sasl(&["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"]).channel_binding(), Some(true));
        assert_eq!(sasl(&["SCRAM-SHA-256"]).channel_binding(), Some(false));
        assert_eq!(Authentication::CleartextPassword.channel_binding(), None);
    }

    #[test]
    fn an_error_of_protocol_3() {
        let bytes = ErrorResponse {
            severity: Some("FATAL".into()),
            code: Some("28000".into()),
            message: Some("no pg_hba.conf entry".into()),
            routine: Some("ClientAuthentication".into()),
            ..ErrorResponse::default()
        }
        .encode();
        let BackendMessage::Error(error) = decode(&bytes) else { panic!() };
        assert_eq!(error.code.as_deref(), Some("28000"));
        assert_eq!(error.routine.as_deref(), Some("ClientAuthentication"));
        assert!(!error.protocol_2);
        for cut in 0..bytes.len() {
            assert_eq!(BackendMessage::decode_startup_reply(&bytes[..cut]), Ok(None), "cut at {cut}");
        }
    }

    #[test]
    fn an_error_of_protocol_2_has_text_where_the_length_would_be() {
        let BackendMessage::Error(error) = decode(b"EFATAL:  sorry, too many clients already\n\0") else { panic!() };
        assert!(error.protocol_2);
        assert_eq!(error.code, None);
        assert_eq!(error.message.as_deref(), Some("FATAL:  sorry, too many clients already"));
        assert_eq!(BackendMessage::decode_startup_reply(b"EFATAL:  no end"), Ok(None));
        assert!(BackendMessage::decode_startup_reply(b"E\0\0\0\x05\0").is_err());
        let endless = [b"EFATAL:".as_slice(), &[b'x'; MAX_ERROR_LENGTH]].concat();
        assert!(BackendMessage::decode_startup_reply(&endless).is_err());
    }

    #[test]
    fn what_is_not_postgresql() {
        assert_eq!(BackendMessage::decode_startup_reply(b"HTTP/1.1 400"), Err(DecodeError::UnexpectedByte(b'H')));
        assert!(matches!(
            BackendMessage::decode_startup_reply(b"R\0\0\0\x04"),
            Err(DecodeError::Length { length: 4, .. })
        ));
        assert!(matches!(BackendMessage::decode_startup_reply(b"RFB 003.008\n"), Err(DecodeError::Length { .. })));
        // A message type that is only allowed later.
        assert_eq!(BackendMessage::decode_startup_reply(b"Z\0\0\0\x05I"), Err(DecodeError::UnexpectedByte(b'Z')));
    }

    #[test]
    fn negotiation_of_the_protocol_version() {
        let message = decode(b"v\0\0\0\x10\0\0\0\0\0\0\0\x01_pq\0");
        let unknown_options = vec!["_pq".to_owned()];
        assert_eq!(message, BackendMessage::NegotiateProtocolVersion { minor: 0, unknown_options });
        // A count that the body does not hold.
        assert!(BackendMessage::decode(b"v\0\0\0\x0c\0\0\0\0\xff\xff\xff\xff").is_err());
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = BackendMessage::decode(&bytes);
            let _ = BackendMessage::decode_startup_reply(&bytes);
        }

        #[test]
        fn errors_round_trip(code in "[0-9A-Z]{5}", message in "[^\0]{0,80}", routine in "[A-Za-z]{1,20}") {
            let error = ErrorResponse {
                code: Some(code), message: Some(message), routine: Some(routine), ..ErrorResponse::default()
            };
            let bytes = error.encode();
            let (decoded, used) = BackendMessage::decode(&bytes).unwrap().unwrap();
            prop_assert_eq!(decoded, BackendMessage::Error(error));
            prop_assert_eq!(used, bytes.len());
        }

        #[test]
        fn mechanisms_round_trip(mechanisms in proptest::collection::vec("[A-Z0-9-]{1,20}", 0..8)) {
            let request = Authentication::Sasl { mechanisms };
            let (decoded, _) = BackendMessage::decode(&request.encode()).unwrap().unwrap();
            prop_assert_eq!(decoded, BackendMessage::Authentication(request));
        }
    }
}
