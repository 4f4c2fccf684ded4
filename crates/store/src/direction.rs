//! How the direction of a write is kept.

use hostssl_remediation::Direction;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ValueRef};

/// A direction in a column. A word that is none is an error: an undo that reads as an apply would say the opposite of what
/// was done.
pub(crate) struct StoredDirection(pub(crate) Direction);

impl FromSql for StoredDirection {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Direction::from_code(value.as_str()?).map(Self).ok_or(FromSqlError::InvalidType)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_is_no_direction_is_an_error() {
        let read = |word: &str| StoredDirection::column_result(ValueRef::Text(word.as_bytes())).map(|one| one.0);
        assert_eq!((read("apply"), read("undo")), (Ok(Direction::Apply), Ok(Direction::Undo)));
        assert!(read("UNDO").is_err() && read("").is_err());
    }
}
