//! Text from a peer, made safe to keep, to log and to print.

use hostssl_untrusted::is_harmful;
use std::fmt::Write as _;

/// The most characters of one text from a peer that are kept.
pub const MAX_TEXT: usize = 1000;

/// Text from `bytes` in which nothing can steer a terminal, a log or a page.
///
/// Harmful characters ([`is_harmful`]) become `\u{..}`, a backslash stays as it is, bytes that
/// are not UTF-8 become U+FFFD, and what exceeds [`MAX_TEXT`] characters is cut with an ellipsis. A server's first
/// words are unauthenticated: libpq stopped showing them for this reason (CVE-2024-10977).
#[must_use]
pub fn safe(bytes: &[u8]) -> String {
    // A character takes at most four bytes, so what lies beyond cannot be among the first MAX_TEXT characters.
    let head = bytes.get(..MAX_TEXT * 4).unwrap_or(bytes);
    safe_str(&String::from_utf8_lossy(head))
}

/// The same for text that is a `str` already.
#[must_use]
pub fn safe_str(text: &str) -> String {
    let mut out = String::with_capacity(text.len().min(MAX_TEXT * 4));
    for (count, character) in text.chars().enumerate() {
        if count == MAX_TEXT {
            out.push('…');
            break;
        }
        if is_harmful(character) {
            // Writing to a String cannot fail.
            let _ = write!(out, "\\u{{{:x}}}", u32::from(character));
        } else {
            out.push(character);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_what_steers_and_keeps_the_rest() {
        assert_eq!(safe(b"no \x1b[31mred\r\n\x07"), "no \\u{1b}[31mred\\u{d}\\u{a}\\u{7}");
        assert_eq!(safe("täglich «x» \u{202e}gnp".as_bytes()), "täglich «x» \\u{202e}gnp");
        assert_eq!(safe(b"a\xffb"), "a\u{fffd}b");
    }

    #[test]
    fn no_harmful_character_of_a_peer_is_kept() {
        let ranges = hostssl_untrusted::HARMFUL.iter();
        for c in ranges.flat_map(|&(first, last)| first..=last) {
            assert!(!safe_str(&c.to_string()).contains(is_harmful), "U+{:04X}", u32::from(c));
        }
    }

    #[test]
    fn caps_the_length() {
        let long = safe(&vec![b'x'; 1_000_000]);
        assert_eq!(long.chars().count(), MAX_TEXT + 1);
        assert!(long.ends_with('…'));
    }
}
