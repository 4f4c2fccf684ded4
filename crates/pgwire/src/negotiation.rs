//! The one-byte replies to `SSLRequest` and `GSSENCRequest`.

use crate::DecodeError;

/// What the first byte after an `SSLRequest` says (protocol section "SSL Session Encryption").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SslReply {
    /// `S`: a TLS handshake may begin. Only the byte alone means that: a banner such as `SSH-2.0-` begins with it too,
    /// so a byte after it is a fault of the peer.
    Accepted,
    /// `N`: no TLS here; the connection stays open for a `StartupMessage`.
    Refused,
    /// `E`: an error message follows, in either version of the protocol, and the server closes.
    Error,
}

impl SslReply {
    /// Decodes the reply from the first bytes received.
    ///
    /// # Errors
    ///
    /// [`DecodeError::UnexpectedByte`] for any first byte but these three: the peer does not speak PostgreSQL.
    pub fn decode(bytes: &[u8]) -> Result<Option<Self>, DecodeError> {
        match bytes.first() {
            None => Ok(None),
            Some(b'S') => Ok(Some(Self::Accepted)),
            Some(b'N') => Ok(Some(Self::Refused)),
            Some(b'E') => Ok(Some(Self::Error)),
            Some(&other) => Err(DecodeError::UnexpectedByte(other)),
        }
    }
}

/// What the first byte after a `GSSENCRequest` says (protocol section "GSSAPI Session Encryption").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GssReply {
    /// `G`: the server was built with GSSAPI. That it has a key table, or that Kerberos works, is not said by it.
    Accepted,
    /// `N`: built without; the connection stays open.
    Refused,
    /// `E`: a server that does not know the request (PostgreSQL 11 and older).
    Error,
}

impl GssReply {
    /// Decodes the reply from the first bytes received.
    ///
    /// # Errors
    ///
    /// [`DecodeError::UnexpectedByte`] for any first byte but these three.
    pub fn decode(bytes: &[u8]) -> Result<Option<Self>, DecodeError> {
        match bytes.first() {
            None => Ok(None),
            Some(b'G') => Ok(Some(Self::Accepted)),
            Some(b'N') => Ok(Some(Self::Refused)),
            Some(b'E') => Ok(Some(Self::Error)),
            Some(&other) => Err(DecodeError::UnexpectedByte(other)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_by_their_first_byte() {
        assert_eq!(SslReply::decode(b""), Ok(None));
        assert_eq!(SslReply::decode(b"S"), Ok(Some(SslReply::Accepted)));
        assert_eq!(SslReply::decode(b"N"), Ok(Some(SslReply::Refused)));
        assert_eq!(SslReply::decode(b"EFATAL"), Ok(Some(SslReply::Error)));
        assert_eq!(SslReply::decode(b"HTTP/1.1"), Err(DecodeError::UnexpectedByte(b'H')));
        assert_eq!(SslReply::decode(b"Y"), Err(DecodeError::UnexpectedByte(b'Y')));
        assert_eq!(GssReply::decode(b"G"), Ok(Some(GssReply::Accepted)));
        assert_eq!(GssReply::decode(b"N"), Ok(Some(GssReply::Refused)));
        assert_eq!(GssReply::decode(b"E"), Ok(Some(GssReply::Error)));
        assert_eq!(GssReply::decode(b"S"), Err(DecodeError::UnexpectedByte(b'S')));
    }
}
