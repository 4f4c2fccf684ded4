//! Cells of CSV.

use crate::safe;
use std::io;

/// A spreadsheet runs a cell that begins with one of these as a formula, and names are chosen by anyone.
pub(crate) fn inert(cell: &str) -> String {
    let cell = safe(cell);
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{cell}") } else { cell.into_owned() }
}

/// The writer's own error, so that a reader that went away can be told from a full disk.
pub(crate) fn unwrapped(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_never_a_formula() {
        assert_eq!(inert("=HYPERLINK(\"https://x\")"), "'=HYPERLINK(\"https://x\")");
        assert_eq!(inert("pg-orders"), "pg-orders");
    }
}
