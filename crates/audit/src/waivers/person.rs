//! Whether two names are those of one person. People write their own name in many ways; none of them makes two of one.

use std::collections::BTreeSet;
use unicode_normalization::UnicodeNormalization as _;

/// Whether two names may be those of one person: they share a name or an address, whatever the case, the spaces, the
/// punctuation and the Unicode form of the letters. A name without a letter or a digit is no one's, and so never another
/// person's.
pub(super) fn may_be_same(one: &str, other: &str) -> bool {
    let (one, other) = (keys(one), keys(other));
    one.is_empty() || other.is_empty() || !one.is_disjoint(&other)
}

/// What someone is known by: each name and each address, as in `Name <address>` or `Surname, Name (address)`.
fn keys(text: &str) -> BTreeSet<String> {
    // Compatible forms first: `＜` becomes `<`.
    let text: String = text.nfkc().collect::<String>().to_lowercase().replace("mailto:", " ");
    let separates = |c: char| c.is_whitespace() || ",;|".contains(c);
    let mut keys = BTreeSet::new();
    let parts = text.split(['<', '>', '(', ')', '[', ']', '{', '}']);
    // Two people in one text are each of them, too.
    let sides = text.split([',', ';', '/', '&', '|']).flat_map(|side| side.split(" and "));
    for part in parts.chain(sides) {
        let (addresses, words): (Vec<&str>, Vec<&str>) = part.split(separates).partition(|word| word.contains('@'));
        keys.extend(addresses.into_iter().map(key));
        // In any order: a directory may name the surname first.
        let mut words: Vec<String> = words.into_iter().map(key).filter(|word| !word.is_empty()).collect();
        keys.insert(words.concat());
        words.sort_unstable();
        keys.insert(words.join(" "));
    }
    keys.remove("");
    keys
}

/// Letters and digits alone, folded. Upper case before lower case makes one of `ß`, `ẞ` and `SS`.
fn key(text: &str) -> String {
    let folded: String = text.to_uppercase().to_lowercase().nfkc().collect();
    folded.chars().filter(|c| c.is_alphanumeric()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_person_is_one_however_the_name_is_written() {
        for (one, other) in [
            ("Jane Doe", "jane  doe"),
            ("Jane Doe", "Jane\u{a0}Doe"),
            ("Jane Doe", "Jane\tDoe "),
            ("Jos\u{e9}", "Jose\u{301}"),
            ("straße", "STRASSE"),
            ("shop@example.com", "shop@example.com,"),
            ("shop@example.com", "Shop <shop@example.com>"),
            ("The shop <Shop@Example.com>", "<shop@example.com>"),
            ("Jane Doe <jane@example.com>", "Jane Doe"),
            ("Jane Doe", "Jane Doe (jane@example.com)"),
            ("Jane Doe", "Jane Doe [jane@example.com]"),
            ("Jane Doe", "Jane Doe, jane@example.com"),
            ("Jane Doe", "Doe, Jane"),
            ("Jane Doe, John Roe", "John Roe"),
            ("Jane/John", "John"),
            ("Jane Doe and John Roe", "Jane Doe <jane@example.com>"),
            ("Jane & John", "jane"),
            ("Jane Doe <jane@example.com>; John Roe <john@example.com>", "John Roe"),
            ("jane@example.com", "mailto:jane@example.com"),
            ("jane@example.com", "Jane Doe <MAILTO:jane@example.com>"),
            ("shop", "ｓｈｏｐ"),
            ("shop", "-"),
            ("shop", "…"),
        ] {
            assert!(may_be_same(one, other) && may_be_same(other, one), "{one} {other}");
        }
    }

    #[test]
    fn two_people_are_two() {
        for (one, other) in [
            ("shop@example.com", "security@example.com"),
            ("Jane Doe", "Jane Roe"),
            ("Shop <shop@example.com>", "Security <security@example.com>"),
            ("José", "Josef"),
            ("山田", "田中"),
        ] {
            assert!(!may_be_same(one, other), "{one} {other}");
        }
    }
}
