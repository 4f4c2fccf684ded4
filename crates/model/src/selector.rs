//! Which servers a name, a pattern or a tag chooses.

use crate::Server;

/// Whether a pattern matches a whole name: `*` stands for any characters, `?` for one, letter case does not count.
#[must_use]
pub fn matches_pattern(pattern: &str, name: &str) -> bool {
    let pattern: Vec<char> = pattern.to_lowercase().chars().collect();
    let name: Vec<char> = name.to_lowercase().chars().collect();
    // Where to go on when what follows the last star does not match: one character further.
    let (mut at, mut star) = ((0, 0), None);
    while let Some(c) = name.get(at.1) {
        match pattern.get(at.0) {
            Some('*') => {
                star = Some(at);
                at.0 += 1;
            }
            Some(wanted) if *wanted == '?' || wanted == c => at = (at.0 + 1, at.1 + 1),
            _ => match star {
                Some((in_pattern, in_name)) => {
                    star = Some((in_pattern, in_name + 1));
                    at = (in_pattern + 1, in_name + 1);
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(at.0).all(|c| *c == '*')
}

/// Whether a tag selector, `NAME=VALUE`, chooses a server. The value may be a pattern; letter case does not count.
#[must_use]
pub fn matches_tag(selector: &str, server: &Server) -> bool {
    let (name, value) = selector.split_once('=').unwrap_or((selector, "*"));
    server.tags.get(name).is_some_and(|known| matches_pattern(value, known))
}

/// Whether a selector chooses a server: a name or a pattern, or a tag as `NAME=VALUE`. Azure allows no `=` in names.
#[must_use]
pub fn selects(selector: &str, server: &Server) -> bool {
    if selector.contains('=') { matches_tag(selector, server) } else { matches_pattern(selector, server.name()) }
}

/// The known name that was probably meant: the one with the fewest edits, if they are few for its length; else the shortest
/// that has the whole text in it; else one of which a word has few edits.
#[must_use]
pub fn nearest<'a>(wanted: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = wanted.to_lowercase();
    let known: Vec<(String, &str)> = known.into_iter().map(|name| (name.to_lowercase(), name)).collect();
    let allowed = (wanted.chars().count() / 3).clamp(1, 4);
    let whole = known.iter().map(|(lower, name)| (edits(&wanted, lower), *name));
    if let Some((_, name)) = whole.filter(|(edits, _)| *edits <= allowed).min() {
        return Some(name);
    }
    // What is left of a pattern, and what is enough of a name not to be in it by chance.
    let part: String = wanted.chars().filter(|c| !"*?".contains(*c)).collect();
    let part = part.trim_matches(is_between_words);
    if part.chars().count() < 3 {
        return None;
    }
    let with_part = known.iter().filter(|(lower, _)| lower.contains(part)).map(|(_, name)| (name.len(), *name));
    with_part.min().map(|(_, name)| name).or_else(|| nearest_by_word(part, &known))
}

/// The name of which a word is nearest to the longest word of a text.
fn nearest_by_word<'a>(text: &str, known: &[(String, &'a str)]) -> Option<&'a str> {
    let longest = text.split(is_between_words).max_by_key(|word| word.chars().count())?;
    let length = longest.chars().count();
    if length < 4 {
        return None;
    }
    let allowed = (length / 4).min(2);
    let fewest = |lower: &str| lower.split(is_between_words).map(|word| edits(longest, word)).min();
    let near = known.iter().filter_map(|(lower, name)| Some((fewest(lower)?, *name)));
    near.filter(|(edits, _)| *edits <= allowed).min().map(|(_, name)| name)
}

/// Whether a character of a name stands between two of its words.
fn is_between_words(c: char) -> bool {
    !c.is_alphanumeric()
}

/// The number of letters to insert, remove, replace or swap with their neighbour that turns one text into another.
fn edits(from: &str, to: &str) -> usize {
    let (from, to): (Vec<char>, Vec<char>) = (from.chars().collect(), to.chars().collect());
    // The last three rows of the table of distances between beginnings.
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in to.iter().enumerate() {
            let mut least = (last[j + 1] + 1).min(row[j] + 1).min(last[j] + usize::from(a != b));
            if i > 0 && j > 0 && from[i - 1] == *b && *a == to[j - 1] {
                least = least.min(before[j - 1] + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn patterns_match_whole_names_without_case() {
        for (pattern, name) in [
            ("pg-*", "PG-orders"),
            ("*-prod", "pg-a-prod"),
            ("p?-a", "pg-a"),
            ("*", ""),
            ("a*b*c", "aXbXbc"),
            ("x", "X"),
        ] {
            assert!(matches_pattern(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [("pg", "pg-a"), ("pg-?", "pg-"), ("*-prod", "pg-prod-2"), ("", "a"), ("a*b", "ab2")] {
            assert!(!matches_pattern(pattern, name), "{pattern} {name}");
        }
    }

    #[test]
    fn the_nearest_name_is_near() {
        let known = ["pg-keycloak", "pg-grafana", "pg-orders-prod"];
        assert_eq!(nearest("pg-keycloack", known), Some("pg-keycloak"));
        assert_eq!(nearest("PG-OREDRS-PROD", known), Some("pg-orders-prod"));
        assert_eq!(nearest("billing", known), None);
        // A word of the name, or the beginning of one; a mistake in it, and a pattern.
        let known = ["Contoso Production", "Contoso Platform", "pg-orders-prod", "pg-orders-prod-replica"];
        for (wanted, meant) in [
            ("production", "Contoso Production"),
            ("Producton", "Contoso Production"),
            ("orders", "pg-orders-prod"),
            ("pg-oders*", "pg-orders-prod"),
            ("*platfrom", "Contoso Platform"),
        ] {
            assert_eq!(nearest(wanted, known), Some(meant), "{wanted}");
        }
        for wanted in ["", "*", "pg", "o-d", "brad", "staging", "billing*"] {
            assert_eq!(nearest(wanted, known), None, "{wanted}");
        }
        assert_eq!((edits("abc", "acb"), edits("", "abc"), edits("kitten", "sitting")), (1, 3, 3));
    }

    proptest! {
        #[test]
        fn a_name_matches_itself_and_every_beginning_with_a_star(name in "[a-z-]{0,12}", cut in 0_usize..12) {
            prop_assert!(matches_pattern(&name, &name));
            let beginning = format!("{}*", &name[..cut.min(name.len())]);
            prop_assert!(matches_pattern(&beginning, &name));
            prop_assert_eq!(edits(&name, &name), 0);
        }
    }
}
