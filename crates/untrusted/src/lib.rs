//! Text from outside: names that anyone can choose, messages of servers, errors of the network.
//!
//! Two rules hold for such text wherever it is shown or kept, and both are decided here alone. No character of it may
//! steer a terminal, a log or a page ([`is_harmful`]), and no secret may be repeated ([`redact`]).

mod character;
mod redact;

pub use character::{HARMFUL, is_harmful};
pub use redact::{REMOVED, redact};

use std::borrow::Cow;
use std::fmt::Write as _;

/// What stands in for a harmful character: U+FFFD REPLACEMENT CHARACTER.
pub const REPLACEMENT: &str = "\u{fffd}";

/// The text with [`REPLACEMENT`] for every harmful character: for a line of a terminal, a cell of a table.
#[must_use]
pub fn visible(text: &str) -> Cow<'_, str> {
    if text.contains(is_harmful) { Cow::Owned(text.replace(is_harmful, REPLACEMENT)) } else { Cow::Borrowed(text) }
}

/// As [`visible`], for text of several lines: line feeds stay.
#[must_use]
pub fn visible_lines(text: &str) -> Cow<'_, str> {
    let harmful = |c: char| c != '\n' && is_harmful(c);
    if text.contains(harmful) { Cow::Owned(text.replace(harmful, REPLACEMENT)) } else { Cow::Borrowed(text) }
}

/// The text with every harmful character as `\u{..}`, so that a reader can tell which one it was. A backslash stays as
/// it is.
#[must_use]
pub fn escaped(text: &str) -> Cow<'_, str> {
    if !text.contains(is_harmful) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_harmful(c) {
            // Writing to a String cannot fail.
            let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// One line without secrets: control characters and runs of white space become one space, other harmful characters
/// [`REPLACEMENT`].
#[must_use]
pub fn one_line(text: &str) -> String {
    let spaced = text.replace(char::is_control, " ");
    let words: Vec<Cow<'_, str>> = spaced.split_whitespace().map(visible).collect();
    redact(&words.join(" ")).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn harmful_characters_are_shown_and_others_kept() {
        let text = "a\u{1b}[31mb\u{202e}c\n";
        assert_eq!(visible(text), "a\u{fffd}[31mb\u{fffd}c\u{fffd}");
        assert_eq!(visible_lines(text), "a\u{fffd}[31mb\u{fffd}c\n");
        assert_eq!(escaped(text), "a\\u{1b}[31mb\\u{202e}c\\u{a}");
        assert_eq!(one_line(text), "a [31mb\u{fffd}c");
        for kept in ["Größe 1", "täglich «x» 日本語", "C:\\path", "a\u{301}"] {
            assert_eq!((visible(kept), escaped(kept)), (kept.into(), kept.into()));
        }
    }

    proptest! {
        #[test]
        fn nothing_harmful_is_left(text in "\\PC{0,20}[\\p{Cf}\\p{Cc}\\p{Zl}\\p{Zp}a-z ]{0,20}") {
            prop_assert!(!visible(&text).contains(is_harmful));
            prop_assert!(!escaped(&text).contains(is_harmful));
            prop_assert!(!visible_lines(&text).contains(|c| c != '\n' && is_harmful(c)));
            let line = one_line(&text);
            prop_assert!(!line.contains(is_harmful));
            prop_assert_eq!(one_line(&line), line.clone());
        }
    }
}
