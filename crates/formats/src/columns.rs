//! Aligned columns of text.

use crate::safe;
use std::io::{self, Write};
use unicode_width::UnicodeWidthStr;

/// One cell: what is measured, and what is written.
#[derive(Debug, Clone, Default)]
pub struct Column {
    text: String,
    painted: Option<String>,
}

impl Column {
    /// A cell without colour. Text from outside is made safe here, so that no table can leave it out.
    pub fn plain(text: impl AsRef<str>) -> Self {
        Self { text: safe(text.as_ref()).into_owned(), painted: None }
    }

    /// A cell of the program's own words, whose escape sequences take no room.
    pub fn painted(text: impl Into<String>, painted: String) -> Self {
        Self { text: text.into(), painted: Some(painted) }
    }
}

/// Writes rows with their columns aligned, two spaces apart, each line behind `indent`. The last cell of a row is not
/// padded.
///
/// # Errors
///
/// Whatever the writer returns.
pub fn write_columns(out: &mut dyn Write, indent: &str, rows: &[Vec<Column>]) -> io::Result<()> {
    let mut widths: Vec<usize> = Vec::new();
    for row in rows {
        for (index, cell) in row.iter().enumerate() {
            let width = cell.text.width();
            match widths.get_mut(index) {
                Some(known) => *known = width.max(*known),
                None => widths.push(width),
            }
        }
    }
    for row in rows {
        let last = row.iter().rposition(|cell| !cell.text.is_empty()).unwrap_or(0);
        write!(out, "{indent}")?;
        for (index, cell) in row.iter().enumerate().take(last + 1) {
            write!(out, "{}", cell.painted.as_ref().unwrap_or(&cell.text))?;
            if index < last {
                let width = widths.get(index).copied().unwrap_or_default();
                write!(out, "{:1$}", "", width - cell.text.width() + 2)?;
            }
        }
        writeln!(out)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_align_by_what_is_seen() {
        let rows = [
            vec![Column::plain("a"), Column::plain("b")],
            vec![Column::painted("ccc", "\u{1b}[31mccc\u{1b}[0m".into()), Column::plain("d"), Column::default()],
            vec![Column::plain("日本"), Column::plain("e")],
        ];
        let mut out = Vec::new();
        write_columns(&mut out, "  ", &rows).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "  a     b\n  \u{1b}[31mccc\u{1b}[0m   d\n  日本  e\n");
    }
}
