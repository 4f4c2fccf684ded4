//! `ErrorResponse` and `NoticeResponse`, in the form of protocol 3 and in that of protocol 2.

use crate::DecodeError;
use crate::cursor::Cursor;
use crate::frame::frame;

/// libpq's own bound on an error that comes before authentication (MAX_ERRLEN in fe-connect.c, PQconnectPoll): a length
/// below 8 or above this means that the text of a protocol 2 error stands where the length would.
pub const MAX_ERROR_LENGTH: usize = 30_000;

/// The fields of an error that a server sent (protocol section "Error and Notice Message Fields").
///
/// The texts are as the server sent them, with bytes that are not UTF-8 replaced: pass them through
/// [`crate::text::safe_str`] before keeping or showing them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ErrorResponse {
    /// Field `V`: FATAL, ERROR and so on, never translated (PostgreSQL 9.6 and later); field `S`, translated, if there
    /// is no `V`.
    pub severity: Option<String>,
    /// Field `C`: the SQLSTATE code. Never translated.
    pub code: Option<String>,
    /// Field `M`: the message, in the server's language.
    pub message: Option<String>,
    /// Field `D`: the detail.
    pub detail: Option<String>,
    /// Field `H`: the hint.
    pub hint: Option<String>,
    /// Field `F`: the source file that raised it.
    pub file: Option<String>,
    /// Field `L`: the line in that file.
    pub line: Option<String>,
    /// Field `R`: the routine that raised it. Never translated.
    pub routine: Option<String>,
    /// The error has the form of protocol 2: text only, no code.
    pub protocol_2: bool,
}

impl ErrorResponse {
    /// Decodes the body of a message of protocol 3: what follows its length.
    pub(crate) fn decode_body(body: &[u8]) -> Result<Self, DecodeError> {
        let malformed = DecodeError::Malformed("ErrorResponse");
        let mut cursor = Cursor::new(body);
        let mut error = Self::default();
        let mut translated_severity = None;
        loop {
            let field = cursor.u8().ok_or(malformed.clone())?;
            if field == 0 {
                break;
            }
            let value = cursor.c_string().ok_or(malformed.clone())?;
            let value = Some(String::from_utf8_lossy(value).into_owned());
            match field {
                b'S' => translated_severity = value,
                b'V' => error.severity = value,
                b'C' => error.code = value,
                b'M' => error.message = value,
                b'D' => error.detail = value,
                b'H' => error.hint = value,
                b'F' => error.file = value,
                b'L' => error.line = value,
                b'R' => error.routine = value,
                // The documentation asks frontends to ignore fields that they do not know.
                _ => {}
            }
        }
        error.severity = error.severity.or(translated_severity);
        Ok(error)
    }

    /// Decodes the text of a protocol 2 error: what follows the `E`, up to a NUL. Returns it with the bytes used.
    pub(crate) fn decode_protocol_2(bytes: &[u8]) -> Result<Option<(Self, usize)>, DecodeError> {
        // Text in any language, but text.
        if bytes.first().is_some_and(|&byte| byte < b' ') {
            return Err(DecodeError::Malformed("protocol 2 error"));
        }
        let window = bytes.get(..MAX_ERROR_LENGTH).unwrap_or(bytes);
        let Some(text) = Cursor::new(window).c_string() else {
            if bytes.len() >= MAX_ERROR_LENGTH {
                return Err(DecodeError::Length {
                    what: "protocol 2 error",
                    length: bytes.len(),
                    min: 1,
                    max: MAX_ERROR_LENGTH,
                });
            }
            return Ok(None);
        };
        let error = Self {
            message: Some(String::from_utf8_lossy(text).trim_end().to_owned()),
            protocol_2: true,
            ..Self::default()
        };
        Ok(Some((error, text.len() + 1)))
    }

    /// The whole message as a server of protocol 3 sends it, type byte included. NULs in a text are left out.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let fields = [
            (b'S', &self.severity),
            (b'V', &self.severity),
            (b'C', &self.code),
            (b'M', &self.message),
            (b'D', &self.detail),
            (b'H', &self.hint),
            (b'F', &self.file),
            (b'L', &self.line),
            (b'R', &self.routine),
        ];
        let mut body = Vec::new();
        for (field, value) in fields {
            if let Some(value) = value {
                body.push(field);
                body.extend(value.bytes().filter(|&byte| byte != 0));
                body.push(0);
            }
        }
        body.push(0);
        frame(b'E', &body)
    }
}
