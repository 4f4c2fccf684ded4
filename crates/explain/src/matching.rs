//! Finds the rules that a text meets.

use super::readings::{Interpretation, Weight};
use super::rules::rules;
use super::sqlstate;

/// A message that was found.
pub(super) struct Found {
    pub(super) reading: &'static Interpretation,
    /// Where it begins, in bytes of the comparable text.
    pub(super) at: usize,
    /// Where its last part ends.
    end: usize,
    /// The rule's own words.
    pub(super) matched: String,
}

/// All that is met in a comparable text, by words and by codes.
pub(super) fn all(text: &str) -> Vec<Found> {
    let by_words = rules().filter_map(|rule| {
        let (at, end) = find(text, rule.parts)?;
        Some(Found { reading: rule.reading, at, end, matched: quote(rule.parts) })
    });
    let by_codes = sqlstate::all(text).map(|(code, reading, at)| {
        let matched = format!("SQLSTATE {}", code.to_uppercase());
        Found { reading, at, end: at + code.len(), matched }
    });
    let found: Vec<Found> = by_words.chain(by_codes).collect();
    // What stands between the parts of a server's message is of a name, with quotes in it.
    let names = |found: &&Found| {
        matches!(found.reading.weight, Weight::PlaintextRefused | Weight::Refused | Weight::Authenticated)
    };
    let spans: Vec<(usize, usize)> = found.iter().filter(names).map(|found| (found.at, found.end)).collect();
    let inside = |found: &Found| spans.iter().any(|(at, end)| *at < found.at && found.end < *end);
    found.into_iter().filter(|found| !inside(found)).collect()
}

/// How far apart the parts of one message may be: the names between them count two characters each.
const MAX_GAP: usize = 240;

/// Finds the first place where the parts follow each other as one message, and where that ends.
fn find(text: &str, parts: &[&str]) -> Option<(usize, usize)> {
    let (first, others) = parts.split_first()?;
    let mut from = 0;
    while let Some((at, end)) = word(text, from, first) {
        let reach = text.floor_char_boundary(end.saturating_add(MAX_GAP));
        // The next message of the same kind has its own other parts.
        let reach = word(text, end, first).map_or(reach, |(next, _)| next.min(reach));
        let window = text.get(..reach)?;
        let met = others.iter().try_fold(end, |end, part| word(window, end, part).map(|(_, end)| end));
        if let Some(met) = met {
            return Some((at, met));
        }
        from = end;
    }
    None
}

/// Finds `part` from `from` on, not within a longer word. A part that ends in `*` may go on. Returns where it begins and
/// ends.
fn word(text: &str, from: usize, part: &str) -> Option<(usize, usize)> {
    let (needle, open) = part.strip_suffix('*').map_or((part, false), |needle| (needle, true));
    let mut from = from;
    loop {
        let at = from + text.get(from..)?.find(needle)?;
        let end = at + needle.len();
        let before = text.get(..at).and_then(|before| before.chars().next_back());
        let after = text.get(end..).and_then(|after| after.chars().next());
        if !joined(before, needle.chars().next()) && (open || !joined(needle.chars().next_back(), after)) {
            return Some((at, end));
        }
        from = end;
    }
}

/// Whether two characters are of one word. Scripts without spaces between words have none that are.
fn joined(one: Option<char>, other: Option<char>) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric();
    one.is_some_and(is_word) && other.is_some_and(is_word)
}

/// The words of a rule as an explanation shows them.
fn quote(parts: &[&str]) -> String {
    let words: Vec<&str> = parts.iter().map(|part| part.trim_end_matches('*').trim_start_matches([',', ' '])).collect();
    words.join(" ... ").replace("\"\"", "\"...\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_follow_each_other_within_one_message() {
        assert_eq!(find("x a b", &["a", "b"]), Some((2, 5)));
        assert_eq!(find("b a", &["a", "b"]), None);
        assert_eq!(find("a c a b", &["a", "b"]), Some((4, 7)), "the nearest");
        assert_eq!(find(&format!("a {} b", "x ".repeat(MAX_GAP)), &["a", "b"]), None);
        assert_eq!(find("ssl only", &["ssl on"]), None);
        assert_eq!(find("ssl only", &["ssl on*"]), Some((0, 6)));
        assert_eq!(find("の認証に失敗", &["認証"]), Some((3, 9)));
    }
}
