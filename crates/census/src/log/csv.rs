//! Records of csvlog: <https://www.postgresql.org/docs/18/runtime-config-logging.html#RUNTIME-CONFIG-LOGGING-CSVLOG>.

use std::borrow::Cow;

/// The columns that matter, by their place in the record.
const TIME: usize = 0;
const USER: usize = 1;
const DATABASE: usize = 2;
const PID: usize = 3;
const FROM: usize = 4;
const SESSION: usize = 5;
const SEVERITY: usize = 11;
const MESSAGE: usize = 13;
const APPLICATION: usize = 22;
/// PostgreSQL 11 and 12 have 23 columns, 14 and later 26.
const FEWEST: usize = 23;
const MOST: usize = 40;

/// A record.
#[derive(Debug, Default)]
pub(super) struct CsvRecord<'a> {
    pub(super) time: Cow<'a, [u8]>,
    pub(super) user: Cow<'a, [u8]>,
    pub(super) database: Cow<'a, [u8]>,
    pub(super) pid: Cow<'a, [u8]>,
    pub(super) from: Cow<'a, [u8]>,
    pub(super) session: Cow<'a, [u8]>,
    pub(super) severity: Cow<'a, [u8]>,
    pub(super) message: Cow<'a, [u8]>,
    pub(super) application: Cow<'a, [u8]>,
}

/// Reads a whole record, without the line break at its end; `None` if it is not one.
pub(super) fn record(bytes: &[u8]) -> Option<CsvRecord<'_>> {
    let mut record = CsvRecord::default();
    let mut rest = bytes;
    for column in 0..MOST {
        let (field, behind) = field(rest)?;
        match column {
            TIME => record.time = field,
            USER => record.user = field,
            DATABASE => record.database = field,
            PID => record.pid = field,
            FROM => record.from = field,
            SESSION => record.session = field,
            SEVERITY => record.severity = field,
            MESSAGE => record.message = field,
            APPLICATION => record.application = field,
            _ => {}
        }
        match behind {
            Some(next) => rest = next,
            None => return (column + 1 >= FEWEST).then_some(record),
        }
    }
    None
}

/// A field, and what is behind the comma after it.
type Field<'a> = (Cow<'a, [u8]>, Option<&'a [u8]>);

/// Reads one field.
fn field(bytes: &[u8]) -> Option<Field<'_>> {
    let Some(quoted) = bytes.strip_prefix(b"\"") else {
        return Some(match memchr::memchr(b',', bytes) {
            Some(at) => (Cow::Borrowed(bytes.get(..at)?), bytes.get(at + 1..)),
            None => (Cow::Borrowed(bytes), None),
        });
    };
    let mut from = 0;
    let mut is_escaped = false;
    loop {
        let at = from + memchr::memchr(b'"', quoted.get(from..)?)?;
        if quoted.get(at + 1) == Some(&b'"') {
            is_escaped = true;
            from = at + 2;
            continue;
        }
        let raw = quoted.get(..at)?;
        let value = if is_escaped { Cow::Owned(unescaped(raw)) } else { Cow::Borrowed(raw) };
        return match quoted.get(at + 1) {
            None => Some((value, None)),
            Some(b',') => Some((value, quoted.get(at + 2..))),
            Some(_) => None,
        };
    }
}

fn unescaped(raw: &[u8]) -> Vec<u8> {
    let mut value = Vec::with_capacity(raw.len());
    let mut bytes = raw.iter();
    while let Some(byte) = bytes.next() {
        value.push(*byte);
        if *byte == b'"' {
            bytes.next();
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_of_a_server_is_read() {
        let line = br#"2026-11-28 14:34:19.634 UTC,"x ""y"", database=prod","shop",6512,"127.0.0.1:39556",6b0ae66b.1970,4,"idle",2026-11-28 14:34:19 UTC,,0,LOG,00000,"disconnection: session time: 0:00:00.021 user=x",,,,,,,,,"psql","client backend",,0"#;
        let record = record(line).unwrap();
        assert_eq!(&*record.user, br#"x "y", database=prod"#);
        assert_eq!((&*record.database, &*record.from), (&b"shop"[..], &b"127.0.0.1:39556"[..]));
        assert_eq!(&*record.application, b"psql");
    }

    #[test]
    fn what_is_no_record_is_none() {
        for text in ["", "a,b,c", "2026-09-16 19:02:12 UTC [1] LOG:  x", "\"a\"b", "\"", &",".repeat(60)] {
            assert!(record(text.as_bytes()).is_none(), "{text}");
        }
    }
}
