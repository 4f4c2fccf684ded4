//! The record layer (RFC 8446 section 5.1, RFC 5246 section 6.2).

use crate::DecodeError;
use crate::cursor::Cursor;

/// The most bytes in the payload of a record: 2^14 and the 2048 that TLS 1.2 allows a cipher to add.
pub const MAX_RECORD_LENGTH: usize = (1 << 14) + 2048;

/// What a record carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentType {
    /// 20.
    ChangeCipherSpec,
    /// 21.
    Alert,
    /// 22.
    Handshake,
    /// 23: encrypted.
    ApplicationData,
}

/// One record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TlsRecord<'a> {
    /// What it carries.
    pub content_type: ContentType,
    /// The version in its header; TLS 1.3 always writes that of 1.2 there.
    pub version: u16,
    /// Its payload.
    pub payload: &'a [u8],
}

impl<'a> TlsRecord<'a> {
    /// Decodes the first record of `bytes` and says how many bytes it took.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] when the bytes are not a TLS record: unknown type, major version other than 3, too long.
    pub fn decode(bytes: &'a [u8]) -> Result<Option<(Self, usize)>, DecodeError> {
        let mut cursor = Cursor::new(bytes);
        let Some(content_type) = cursor.u8() else {
            return Ok(None);
        };
        let content_type = match content_type {
            20 => ContentType::ChangeCipherSpec,
            21 => ContentType::Alert,
            22 => ContentType::Handshake,
            23 => ContentType::ApplicationData,
            other => return Err(DecodeError::UnexpectedByte(other)),
        };
        if bytes.get(1).is_some_and(|&major| major != 3) {
            return Err(DecodeError::Malformed("TLS record"));
        }
        let (Some(version), Some(length)) = (cursor.u16(), cursor.u16()) else {
            return Ok(None);
        };
        let length = usize::from(length);
        if length > MAX_RECORD_LENGTH {
            return Err(DecodeError::Length { what: "TLS record", length, min: 0, max: MAX_RECORD_LENGTH });
        }
        Ok(cursor.take(length).map(|payload| (Self { content_type, version, payload }, length + 5)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_a_record_and_leaves_the_rest() {
        let bytes = [21, 3, 3, 0, 2, 2, 70, 99];
        let (record, used) = TlsRecord::decode(&bytes).unwrap().unwrap();
        assert_eq!((record.content_type, record.payload, used), (ContentType::Alert, &[2, 70][..], 7));
        assert_eq!(TlsRecord::decode(&bytes[..6]), Ok(None));
    }

    #[test]
    fn refuses_what_is_no_record() {
        assert_eq!(TlsRecord::decode(b"HTTP/1.1"), Err(DecodeError::UnexpectedByte(b'H')));
        assert!(TlsRecord::decode(&[22, 2, 0]).is_err());
        assert!(matches!(TlsRecord::decode(&[22, 3, 3, 0xff, 0xff]), Err(DecodeError::Length { .. })));
    }
}
