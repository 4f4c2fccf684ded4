//! Lines that fit a terminal: broken between words, and inside their column.

use std::io::{self, Write};
use unicode_width::UnicodeWidthChar;

/// The narrowest column in which text is wrapped; below that, what does not fit goes on near the beginning of the line.
const NARROWEST: usize = 24;
/// Where text goes on when its own column is too narrow.
const INDENT: usize = 6;

/// Passes lines on so that each fits a width. Escape sequences take no room, and a word is never broken.
#[derive(Debug)]
pub struct Wrapping<W: Write> {
    out: W,
    width: usize,
    line: Vec<u8>,
}

impl<W: Write> Wrapping<W> {
    /// Lines of at most `width` columns on `out`.
    pub fn new(out: W, width: usize) -> Self {
        Self { out, width, line: Vec::new() }
    }

    /// Writes what is left of a line without an end.
    ///
    /// # Errors
    ///
    /// Whatever the writer returns.
    pub fn finish(mut self) -> io::Result<()> {
        if !self.line.is_empty() {
            let text = String::from_utf8_lossy(&self.line).into_owned();
            self.out.write_all(wrap(&text, self.width).join("\n").as_bytes())?;
        }
        self.out.flush()
    }
}

impl<W: Write> Write for Wrapping<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(part);
            if part.ends_with(b"\n") {
                let line = std::mem::take(&mut self.line);
                let text = String::from_utf8_lossy(&line);
                for piece in wrap(text.trim_end_matches('\n'), self.width) {
                    writeln!(self.out, "{piece}")?;
                }
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Breaks a line. What does not fit goes on below the cell that it belongs to: cells are two spaces apart or more.
fn wrap(line: &str, width: usize) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut rest = line.to_owned();
    while let Some((at, cell)) = break_of(&rest, width) {
        let indent = if cell + NARROWEST <= width { cell } else { INDENT.min(width / 2) };
        let (head, tail) = rest.split_at(at);
        pieces.push(head.trim_end().to_owned());
        rest = format!("{:indent$}{}", "", tail.trim_start());
    }
    pieces.push(rest);
    pieces
}

/// Where in an escape sequence a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Escape {
    None,
    /// Behind its first character.
    Begun,
    /// In one of a colour, which ends with m.
    Colour,
    /// In one of a link, which ends with the two characters of the string terminator.
    Link,
    /// Behind the first of those two.
    LinkEnds,
}

impl Escape {
    fn after(self, c: char) -> Self {
        match (self, c) {
            (Self::None, '\u{1b}') => Self::Begun,
            (Self::Begun, ']') => Self::Link,
            (Self::Link, '\u{1b}') => Self::LinkEnds,
            (Self::Link | Self::LinkEnds, c) if c != '\\' || self == Self::Link => Self::Link,
            (Self::Begun | Self::Colour, c) if c != 'm' => Self::Colour,
            _ => Self::None,
        }
    }
}

/// Where to break a line that is too long, in bytes, and the column where the broken cell begins. `None` when it fits, or
/// when there is no space to break at.
fn break_of(line: &str, width: usize) -> Option<(usize, usize)> {
    let (mut column, mut spaces, mut cell, mut escape) = (0, 0, 0, Escape::None);
    let mut best: Option<(usize, usize)> = None;
    let mut begun = false;
    for (at, c) in line.char_indices() {
        let is_text = escape == Escape::None && c != '\u{1b}';
        escape = escape.after(c);
        if !is_text {
            continue;
        }
        if c == ' ' {
            if begun && spaces == 0 && (column <= width || best.is_none()) {
                best = Some((at, cell)).filter(|_| !line.get(at..).unwrap_or_default().trim().is_empty());
            }
            spaces += 1;
        } else {
            if spaces >= 2 || !begun {
                cell = column;
            }
            (spaces, begun) = (0, true);
        }
        column += c.width().unwrap_or(0);
        // Without a space so far, a word is longer than the line: the next space will do.
        if column > width && best.is_some() && c != ' ' {
            return best;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn wrapped(text: &str, width: usize) -> String {
        let mut out = Vec::new();
        let mut writer = Wrapping::new(&mut out, width);
        writer.write_all(text.as_bytes()).unwrap();
        writer.finish().unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_last_column_goes_on_below_itself() {
        let line = "  fail  pg-a  require_secure_transport = off and another reason\n";
        let expected = "  fail  pg-a  require_secure_transport =\n              off and another reason\n";
        assert_eq!(wrapped(line, 40), expected);
        assert_eq!(wrapped(line, 120), line);
    }

    #[test]
    fn a_column_that_is_too_narrow_goes_on_near_the_beginning() {
        let line = "  fail  pg-a-very-long-name  rg-x  one two three four\n";
        assert_eq!(wrapped(line, 40), "  fail  pg-a-very-long-name  rg-x  one\n      two three four\n");
    }

    #[test]
    fn colours_take_no_room_and_words_stay_whole() {
        let line = "\u{1b}[31mfail\u{1b}[0m  abc";
        assert_eq!(wrapped(line, 9), line);
        assert_eq!(wrapped("aaaaaaaaaaaa", 5), "aaaaaaaaaaaa");
        let link = crate::style::terminal_link("https://portal.azure.com/#resource/m", "\u{1b}[31mabc\u{1b}[0m");
        assert_eq!(wrapped(&format!("{link}  def"), 8), format!("{link}  def"));
        assert_eq!(wrapped(&format!("{link} def ghi"), 7), format!("{link} def\n   ghi"));
        assert_eq!(wrapped("日本 日本", 5), "日本\n  日本");
    }

    proptest! {
        #[test]
        fn no_word_is_lost_or_broken(text in "[a-z ]{0,80}", width in 8_usize..60) {
            let all = wrapped(&text, width);
            let words: Vec<&str> = text.split_whitespace().collect();
            prop_assert_eq!(all.split_whitespace().collect::<Vec<_>>(), words);
            for line in all.lines().filter(|line| line.trim().contains(' ')) {
                prop_assert!(line.trim_end().len() <= width || line.trim().len() <= width, "{}", line);
            }
        }
    }
}
