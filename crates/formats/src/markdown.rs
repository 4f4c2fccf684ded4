//! A page of documentation on a terminal: paragraphs that fit it, aligned tables, code as it is.

use crate::Text;
use crate::table::wrapped;
use std::io::{self, Write};
use unicode_width::UnicodeWidthStr as _;

/// Lines of prose that are longer than this are hard to read, however wide the terminal is.
const WIDEST: usize = 110;

/// Writes a page. Where nothing has to fit, the page is written as it is: a program or a file takes the Markdown.
///
/// # Errors
///
/// Whatever the writer returns.
pub fn write(out: &mut dyn Write, page: &str, text: &Text<'_>) -> io::Result<()> {
    let Some(width) = text.width else { return write!(out, "{page}") };
    let width = width.min(WIDEST);
    let mut lines = page.lines().peekable();
    while let Some(line) = lines.next() {
        if line.starts_with("```") {
            for code in lines.by_ref().take_while(|code| !code.starts_with("```")) {
                writeln!(out, "    {code}")?;
            }
        } else if line.starts_with('#') {
            writeln!(out, "{}", text.palette.bold(line.trim_start_matches('#').trim()))?;
        } else if line.starts_with('|') {
            let mut rows = vec![cells(line)];
            while let Some(row) = lines.next_if(|next| next.starts_with('|')) {
                rows.push(cells(row));
            }
            write_rows(out, &rows, width)?;
        } else if line.trim().is_empty() {
            writeln!(out)?;
        } else {
            let mut paragraph = line.trim().to_owned();
            let begins = |next: &&str| {
                let next = next.trim_start();
                next.is_empty() || next.starts_with(['#', '|']) || next.starts_with("- ") || next.starts_with("```")
            };
            while let Some(more) = lines.next_if(|next| !begins(next)) {
                paragraph.push(' ');
                paragraph.push_str(more.trim());
            }
            let hang = if paragraph.starts_with("- ") { "  " } else { "" };
            for (index, piece) in wrapped(&paragraph, width - hang.len()).into_iter().enumerate() {
                writeln!(out, "{}{piece}", if index == 0 { "" } else { hang })?;
            }
        }
    }
    Ok(())
}

/// The cells of a row of a table.
fn cells(line: &str) -> Vec<&str> {
    line.trim().trim_matches('|').split('|').map(str::trim).collect()
}

/// Writes a table whose last column is wrapped; the row of dashes is left out.
fn write_rows(out: &mut dyn Write, rows: &[Vec<&str>], width: usize) -> io::Result<()> {
    let is_rule = |row: &Vec<&str>| row.iter().all(|cell| !cell.is_empty() && cell.chars().all(|c| "-: ".contains(c)));
    let rows: Vec<&Vec<&str>> = rows.iter().filter(|row| !is_rule(row)).collect();
    let columns = rows.iter().map(|row| row.len()).max().unwrap_or_default();
    let last = columns.saturating_sub(1);
    let widest = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.width()).max();
    let widths: Vec<usize> = (0..last).map(|column| widest(column).unwrap_or_default()).collect();
    let start = 2 + widths.iter().map(|width| width + 2).sum::<usize>();
    for row in rows {
        write!(out, "  ")?;
        for (cell, width) in row.iter().zip(&widths) {
            write!(out, "{cell}{:1$}", "", width.saturating_sub(cell.width()) + 2)?;
        }
        let pieces = wrapped(row.get(last).unwrap_or(&""), width.saturating_sub(start).max(20));
        for (index, piece) in pieces.iter().enumerate() {
            let lead = if index == 0 { 0 } else { start };
            writeln!(out, "{:lead$}{piece}", "")?;
        }
        if pieces.is_empty() {
            writeln!(out)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(page: &str, width: Option<usize>) -> String {
        let mut out = Vec::new();
        write(&mut out, page, &Text { width, ..Text::plain() }).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_page_fits_its_terminal_and_a_file_takes_it_as_it_is() {
        let page = "# a-control\n\nA paragraph of two\nlines.\n\n- an item that is\n  continued here\n\n| kind | means |\n| --- | --- \
                    |\n| single | its own switch |\n\n```console\naz postgres  show\n```\n";
        assert_eq!(written(page, None), page);
        assert_eq!(
            written(page, Some(22)),
            "a-control\n\nA paragraph of two\nlines.\n\n- an item that is\n  continued here\n\n  kind    means\n  single  its \
             own switch\n\n    az postgres  show\n"
        );
    }
}
