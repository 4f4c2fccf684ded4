//! Writing JSON straight into a string.
//!
//! The hot replies (one parameter, a page of servers) are made of a few strings and constants: a tree of values for
//! each would cost more than all the rest of a request.

use std::fmt::Write as _;

/// Appends formatted text to a `String`, which cannot fail.
macro_rules! put {
    ($out:expr, $($arg:tt)*) => {{
        let _ = ::std::fmt::Write::write_fmt($out, format_args!($($arg)*));
    }};
}
pub(crate) use put;

/// Appends `text` as a JSON string with its quotes (RFC 8259 section 7).
pub(crate) fn string(out: &mut String, text: &str) {
    out.push('"');
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c == '"' || c == '\\' || c < ' ') {
        let (plain, tail) = rest.split_at(at);
        out.push_str(plain);
        let mut characters = tail.chars();
        match characters.next() {
            Some('"') => out.push_str("\\\""),
            Some('\\') => out.push_str("\\\\"),
            Some('\n') => out.push_str("\\n"),
            Some('\r') => out.push_str("\\r"),
            Some('\t') => out.push_str("\\t"),
            Some(control) => {
                let _ = write!(out, "\\u{:04x}", u32::from(control));
            }
            None => {}
        }
        rest = characters.as_str();
    }
    out.push_str(rest);
    out.push('"');
}

/// `text` as a JSON string with its quotes.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    string(&mut out, text);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_string_comes_back_the_same() {
        let all: String = (0u32..0x250).filter_map(char::from_u32).collect();
        for text in ["", "plain", "a\"b\\c", "\n\r\t\u{1}", "grün 🦀", &all] {
            let parsed: String = serde_json::from_str(&quoted(text)).unwrap();
            assert_eq!(parsed, text);
        }
    }
}
