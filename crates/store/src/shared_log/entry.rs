//! The form of an entry of the log: a line of JSON for each row that changed, behind a line that says of which version the tables
//! are, and all of it compressed by zlib.

use crate::StoreError;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::bufread::ZlibDecoder;
use flate2::write::ZlibEncoder;
use rusqlite::types::Value;
use serde::{Deserialize, Serialize};
use std::io::{self, BufRead as _, BufReader, Write as _};

/// The first version of tables whose entries are read. Scripts of later versions only add tables, so that an entry of before is
/// applied as it is.
pub(crate) const FIRST_READ: i64 = 12;
/// The form that this version writes and reads.
const FORM: u32 = 1;

/// What became of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum RowChangeKind {
    /// It was added.
    Insert,
    /// It was changed.
    Update,
    /// It was removed.
    Delete,
}

impl RowChangeKind {
    pub(super) const ALL: [Self; 3] = [Self::Insert, Self::Update, Self::Delete];

    /// The word of SQL.
    pub(super) fn sql(self) -> &'static str {
        match self {
            Self::Insert => "INSERT",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
        }
    }

    /// The number under which a trigger notes it.
    pub(super) fn code(self) -> i64 {
        match self {
            Self::Insert => 0,
            Self::Update => 1,
            Self::Delete => 2,
        }
    }

    pub(super) fn from_code(code: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }
}

/// A row that changed.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct RowChange {
    /// The table.
    pub(super) table: String,
    /// What became of it.
    pub(super) kind: RowChangeKind,
    /// Its key before; empty for one that was added.
    pub(super) key: Vec<Value>,
    /// Its values after; empty for one that was removed.
    pub(super) row: Vec<Value>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Head {
    form: u32,
    version: i64,
}

/// A line: the table, what became of the row, its key before, and its values after.
#[derive(Debug, Serialize, Deserialize)]
struct Line(String, RowChangeKind, Vec<Cell>, Vec<Cell>);

/// A value. The tables are strict and have no column of fractions.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Cell {
    None(()),
    Number(i64),
    Text(String),
    Bytes { base64: String },
}

impl Cell {
    fn of(value: &Value) -> Result<Self, StoreError> {
        match value {
            Value::Null => Ok(Self::None(())),
            Value::Integer(number) => Ok(Self::Number(*number)),
            Value::Text(text) => Ok(Self::Text(text.clone())),
            Value::Blob(bytes) => Ok(Self::Bytes { base64: STANDARD.encode(bytes) }),
            Value::Real(_) => Err(StoreError::Corrupt("a table has a fraction in it".to_owned())),
        }
    }

    fn into_value(self) -> Result<Value, StoreError> {
        Ok(match self {
            Self::None(()) => Value::Null,
            Self::Number(number) => Value::Integer(number),
            Self::Text(text) => Value::Text(text),
            Self::Bytes { base64 } => Value::Blob(STANDARD.decode(base64).map_err(|error| unreadable(&error))?),
        })
    }
}

fn unreadable(error: &dyn std::error::Error) -> StoreError {
    StoreError::Unreadable(error.to_string())
}

/// Writes an entry, row by row.
pub(super) struct EntryWriter(ZlibEncoder<Vec<u8>>);

impl EntryWriter {
    /// Begins one for tables of a version.
    pub(super) fn new(version: i64) -> Result<Self, StoreError> {
        let mut writer = Self(ZlibEncoder::new(Vec::new(), Compression::fast()));
        writer.line(&Head { form: FORM, version })?;
        Ok(writer)
    }

    fn line(&mut self, line: &impl Serialize) -> Result<(), StoreError> {
        serde_json::to_writer(&mut self.0, line).map_err(|error| unreadable(&error))?;
        self.0.write_all(b"\n").map_err(|error| unreadable(&error))
    }

    /// Adds a row.
    pub(super) fn add(&mut self, change: &RowChange) -> Result<(), StoreError> {
        let cells = |values: &[Value]| values.iter().map(Cell::of).collect::<Result<Vec<_>, _>>();
        self.line(&Line(change.table.clone(), change.kind, cells(&change.key)?, cells(&change.row)?))
    }

    /// Ends it.
    pub(super) fn finish(self) -> Result<Vec<u8>, StoreError> {
        self.0.finish().map_err(|error| unreadable(&error))
    }
}

/// Hands over the rows of an entry, in order.
pub(super) fn read(
    body: &[u8],
    version: i64,
    mut take: impl FnMut(RowChange) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut lines = BufReader::new(ZlibDecoder::new(body)).lines();
    let first = lines.next().unwrap_or_else(|| Err(io::Error::from(io::ErrorKind::UnexpectedEof)));
    let head: Head = parsed(&first.map_err(|error| unreadable(&error))?)?;
    match head {
        Head { form: FORM, version: found } if (FIRST_READ..=version).contains(&found) => {}
        Head { form: FORM, version: found } if found < version => {
            return Err(StoreError::Corrupt(format!(
                "an entry of the shared store is of version {found}, not {version}"
            )));
        }
        Head { version: found, .. } => return Err(StoreError::NewerVersion { found, known: version }),
    }
    for line in lines {
        let Line(table, kind, key, row) = parsed(&line.map_err(|error| unreadable(&error))?)?;
        let values = |cells: Vec<Cell>| cells.into_iter().map(Cell::into_value).collect::<Result<Vec<_>, _>>();
        take(RowChange { table, kind, key: values(key)?, row: values(row)? })?;
    }
    Ok(())
}

fn parsed<'a, T: Deserialize<'a>>(line: &'a str) -> Result<T, StoreError> {
    serde_json::from_str(line).map_err(|error| unreadable(&error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn value() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(Value::Null),
            any::<i64>().prop_map(Value::Integer),
            any::<String>().prop_map(Value::Text),
            any::<Vec<u8>>().prop_map(Value::Blob),
        ]
    }

    fn change() -> impl Strategy<Value = RowChange> {
        let kind = prop::sample::select(RowChangeKind::ALL.to_vec());
        let values = || prop::collection::vec(value(), 0..5);
        (any::<String>(), kind, values(), values()).prop_map(|(table, kind, key, row)| RowChange {
            table,
            kind,
            key,
            row,
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(changes in prop::collection::vec(change(), 0..8)) {
            let mut writer = EntryWriter::new(FIRST_READ).unwrap();
            changes.iter().for_each(|change| writer.add(change).unwrap());
            let mut found = Vec::new();
            read(&writer.finish().unwrap(), FIRST_READ, |change| { found.push(change); Ok(()) }).unwrap();
            prop_assert_eq!(found, changes);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let _ = read(&bytes, FIRST_READ, |_| Ok(()));
        }
    }

    #[test]
    fn an_entry_that_ends_early_is_not_half_an_entry() {
        let mut writer = EntryWriter::new(FIRST_READ).unwrap();
        let row: Vec<Value> = (0..4000).map(Value::Integer).collect();
        writer.add(&RowChange { table: "t".into(), kind: RowChangeKind::Insert, key: vec![], row }).unwrap();
        let body = writer.finish().unwrap();
        for end in 0..body.len() {
            assert!(read(&body[..end], FIRST_READ, |_| Ok(())).is_err(), "{end} of {} bytes", body.len());
        }
    }
}
