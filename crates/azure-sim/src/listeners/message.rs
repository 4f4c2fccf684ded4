//! The messages of PostgreSQL's startup, as a server reads and writes them (PostgreSQL documentation, "Message Formats").

/// What a client sends first. None of these has a type byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Opening {
    SslRequest,
    GssRequest,
    Cancel,
    Startup(Startup),
    /// A version of the protocol that no server has.
    Unsupported(u32),
}

/// A `StartupMessage`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Startup {
    pub(super) user: Option<String>,
    pub(super) database: Option<String>,
    pub(super) replication: Option<String>,
}

/// The longest startup packet (`MAX_STARTUP_PACKET_LENGTH`).
pub(super) const MAX_STARTUP: usize = 10_000;

/// Reads the body of a startup packet, which begins behind its length. `None` when it is none.
pub(super) fn opening(body: &[u8]) -> Option<Opening> {
    let (code, rest) = body.split_first_chunk::<4>()?;
    match u32::from_be_bytes(*code) {
        80_877_103 => Some(Opening::SslRequest),
        80_877_104 => Some(Opening::GssRequest),
        80_877_102 => Some(Opening::Cancel),
        version if version >> 16 == 3 => startup(rest).map(Opening::Startup),
        version => Some(Opening::Unsupported(version)),
    }
}

/// Names and values, each ended by a zero, and a zero at the end.
fn startup(parameters: &[u8]) -> Option<Startup> {
    let mut startup = Startup::default();
    let mut words = parameters.split(|byte| *byte == 0);
    loop {
        let name = words.next()?;
        if name.is_empty() {
            return Some(startup);
        }
        let value = Some(String::from_utf8_lossy(words.next()?).into_owned());
        match name {
            b"user" => startup.user = value,
            b"database" => startup.database = value,
            b"replication" => startup.replication = value,
            _ => {}
        }
    }
}

impl Startup {
    /// Whether it asks for physical replication, which `pg_hba.conf` matches by another word than a database.
    pub(super) fn is_physical_replication(&self) -> bool {
        let word = self.replication.as_deref().map(str::to_ascii_lowercase);
        matches!(word.as_deref(), Some("true" | "on" | "yes" | "1"))
    }
}

/// A fatal error, and the routine that raises it where the peer says so.
pub(super) fn fatal(code: &str, message: &str, routine: Option<&str>) -> Vec<u8> {
    raised("FATAL", code, message, routine)
}

fn raised(severity: &str, code: &str, message: &str, routine: Option<&str>) -> Vec<u8> {
    let mut body = Vec::new();
    let mut field = |kind: u8, text: &str| {
        body.push(kind);
        body.extend(text.bytes().filter(|byte| *byte != 0));
        body.push(0);
    };
    field(b'S', severity);
    field(b'V', severity);
    field(b'C', code);
    field(b'M', message);
    if let Some(routine) = routine {
        field(b'R', routine);
    }
    body.push(0);
    framed(b'E', &body)
}

/// The request to authenticate by one of these SASL mechanisms.
pub(super) fn sasl(mechanisms: &[&str]) -> Vec<u8> {
    let mut body = 10_u32.to_be_bytes().to_vec();
    for mechanism in mechanisms {
        body.extend(mechanism.bytes());
        body.push(0);
    }
    body.push(0);
    framed(b'R', &body)
}

/// The request for a password as it is.
pub(super) fn cleartext_password() -> Vec<u8> {
    framed(b'R', &3_u32.to_be_bytes())
}

/// What a client is told that is logged in, up to the first statement.
pub(super) fn welcome(version: &str, pid: u32) -> Vec<u8> {
    let mut welcome = framed(b'R', &0_u32.to_be_bytes());
    for (name, value) in [("server_version", version), ("server_encoding", "UTF8"), ("client_encoding", "UTF8")] {
        welcome.extend(framed(b'S', format!("{name}\0{value}\0").as_bytes()));
    }
    welcome.extend(framed(b'K', &[pid.to_be_bytes(), [0; 4]].concat()));
    welcome.extend(ready());
    welcome
}

/// The next statement may come.
pub(super) fn ready() -> Vec<u8> {
    framed(b'Z', b"I")
}

/// A statement is done that has no rows, or all of them.
pub(super) fn complete(tag: &str) -> Vec<u8> {
    framed(b'C', format!("{tag}\0").as_bytes())
}

/// Rows of text, each value of which may be null.
pub(super) fn rows(names: &[&str], rows: &[Vec<Option<String>>]) -> Vec<u8> {
    let count = |length: usize| u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes();
    let mut description = count(names.len()).to_vec();
    for name in names {
        description.extend(name.bytes().filter(|byte| *byte != 0));
        description.push(0);
        // No table and no column of one; the type `text` (25) of any length, as text.
        description.extend([0, 0, 0, 0, 0, 0, 0, 0, 0, 25, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0]);
    }
    let mut answer = framed(b'T', &description);
    for row in rows {
        let mut body = count(row.len()).to_vec();
        for value in row {
            match value {
                Some(text) => {
                    body.extend(u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
                    body.extend(text.bytes());
                }
                None => body.extend((-1_i32).to_be_bytes()),
            }
        }
        answer.extend(framed(b'D', &body));
    }
    answer.extend(complete(&format!("SELECT {}", rows.len())));
    answer
}

/// An error after which the session continues.
pub(super) fn error(code: &str, message: &str) -> Vec<u8> {
    raised("ERROR", code, message, None)
}

fn framed(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap_or(u32::MAX);
    [&[kind], &length.to_be_bytes()[..], body].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn openings_are_told_apart() {
        assert_eq!(opening(&[4, 0xd2, 0x16, 0x2f]), Some(Opening::SslRequest));
        assert_eq!(opening(&[4, 0xd2, 0x16, 0x30]), Some(Opening::GssRequest));
        assert_eq!(opening(&[0, 2, 0, 0]), Some(Opening::Unsupported(0x20000)));
        let named = Startup { user: Some("u".into()), database: Some("d".into()), replication: None };
        assert_eq!(opening(b"\0\x03\0\0user\0u\0database\0d\0\0"), Some(Opening::Startup(named)));
        for cut in [&b"\0\x03\0"[..], b"\0\x03\0\0user", b"\0\x03\0\0user\0"] {
            assert_eq!(opening(cut), None, "{cut:?}");
        }
    }

    #[test]
    fn rows_have_a_description_and_may_have_nulls() {
        let answer = rows(&["a"], &[vec![Some("x".to_owned())], vec![None]]);
        let description = b"T\0\0\0\x1a\0\x01a\0\0\0\0\0\0\0\0\0\0\x19\xff\xff\xff\xff\xff\xff\0\0";
        let data = b"D\0\0\0\x0b\0\x01\0\0\0\x01xD\0\0\0\x0a\0\x01\xff\xff\xff\xffC\0\0\0\x0dSELECT 2\0";
        assert_eq!(answer, [&description[..], &data[..]].concat());
    }

    #[test]
    fn messages_have_their_length() {
        assert_eq!(sasl(&["A"]), b"R\0\0\0\x0b\0\0\0\x0aA\0\0");
        let error = fatal("28000", "no\0", None);
        assert_eq!(error, b"E\0\0\0\x1eSFATAL\0VFATAL\0C28000\0Mno\0\0");
    }
}
