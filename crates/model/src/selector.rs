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

/// The known name that was probably meant, without regard to case and to what stands between words. In this order: one with one
/// edit, one that begins with the text, one with few edits for its length, one that has the text in it, and one of whose words
/// those of the text have few edits. None where nothing is near.
#[must_use]
pub fn nearest<'a>(wanted: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = words_of(wanted);
    let known: Vec<(String, &str)> = known.into_iter().map(|name| (words_of(name), name)).collect();
    let fewest = |allowed: fn(&str, &str) -> usize| {
        let by_edits = known.iter().map(|(words, name)| (edits(&wanted, words), words, *name));
        let near = by_edits.filter(|(edits, words, _)| *edits <= allowed(&wanted, words));
        near.min().map(|(_, _, name)| name)
    };
    // What is enough of a name not to be in it by chance.
    let length = wanted.chars().count();
    let shortest = |fits: fn(&str, &str) -> bool| {
        let with_text = known.iter().filter(|(words, _)| length >= 3 && fits(words, &wanted));
        with_text.map(|(_, name)| (name.len(), *name)).min().map(|(_, name)| name)
    };
    fewest(|_, _| 1)
        .or_else(|| shortest(|name, text| name.starts_with(text)))
        .or_else(|| fewest(|text, name| (length_of_difference(text, name) / 3).clamp(1, 4)))
        .or_else(|| shortest(|name, text| name.contains(text)))
        .or_else(|| shortest(|name, text| text.len() > 4 && name.replace(' ', "").contains(&text.replace(' ', ""))))
        .or_else(|| nearest_by_words(&wanted, &known))
}

/// The words of a name or a pattern in lower case, with a space between them.
fn words_of(text: &str) -> String {
    let lower = text.to_lowercase();
    lower.split(is_between_words).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// How many letters of a text are left without the words that it begins and ends with as a name does.
fn length_of_difference(text: &str, name: &str) -> usize {
    let (text, name): (Vec<&str>, Vec<&str>) = (text.split(' ').collect(), name.split(' ').collect());
    let same_start = text.iter().zip(&name).take_while(|(one, other)| one == other).count();
    let left = text.get(same_start..).unwrap_or_default();
    let name = name.get(same_start..).unwrap_or_default();
    let same_end = left.iter().rev().zip(name.iter().rev()).take_while(|(one, other)| one == other).count();
    let left = left.get(..left.len() - same_end).unwrap_or_default();
    left.iter().map(|word| word.chars().count()).sum()
}

/// The name that has most of the words of a text, or the beginnings of its words. At least half of the text must be in it, and a word
/// that every name has says nothing.
fn nearest_by_words<'a>(text: &str, known: &[(String, &'a str)]) -> Option<&'a str> {
    let wanted: Vec<&str> = text.split(' ').filter(|word| word.chars().count() >= 3).collect();
    let is_in = |word: &str, name: &str| name.split(' ').filter_map(|one| slips(word, one)).min();
    let common: Vec<bool> =
        wanted.iter().map(|word| known.iter().all(|(name, _)| is_in(word, name).is_some())).collect();
    let total: usize = wanted.iter().map(|word| word.chars().count()).sum();
    let near = known.iter().filter_map(|(name, shown)| {
        let found: Vec<Option<usize>> = wanted.iter().map(|word| is_in(word, name)).collect();
        let in_it = found.iter().zip(&wanted).filter(|(slips, _)| slips.is_some());
        let covered: usize = in_it.map(|(_, word)| word.chars().count()).sum();
        let tells = found.iter().zip(&common).any(|(slips, is_common)| slips.is_some() && !is_common);
        let enough = covered * 2 >= total && (tells || found.iter().all(Option::is_some));
        let slips: usize = found.iter().flatten().sum();
        (covered > 0 && enough).then_some(((total - covered, slips, shown.len()), *shown))
    });
    near.min().map(|(_, name)| name)
}

/// The edits between a typed word and a word of a name or its beginning, if they are few for its length.
fn slips(typed: &str, word: &str) -> Option<usize> {
    let length = typed.chars().count();
    let beginning: String = word.chars().take(length).collect();
    let fewest = edits(typed, word).min(edits(typed, &beginning));
    (fewest <= (length / 4).min(2)).then_some(fewest)
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
        let known = ["Contoso Partners", "Contoso Platform", "Contoso Production", "Contoso Staging"];
        for (wanted, meant) in [
            ("Contoso-Prod", Some("Contoso Production")),
            ("contoso_production", Some("Contoso Production")),
            ("contosoprod", Some("Contoso Production")),
            ("CONTOSO PRODCUT", Some("Contoso Production")),
            ("Contoso-Prodx", Some("Contoso Production")),
            ("Contoso-Plat", Some("Contoso Platform")),
            ("Contoso-Part", Some("Contoso Partners")),
            ("Contoso-Stage", Some("Contoso Staging")),
            ("the staging of contoso", Some("Contoso Staging")),
            ("Contoso-*-Prod", Some("Contoso Production")),
            ("Contoso-Billing", None),
            ("Contoso-Dev", None),
            ("Contoso", Some("Contoso Staging")),
            ("Fabrikam", None),
        ] {
            assert_eq!(nearest(wanted, known), meant, "{wanted}");
        }
        // A slip is nearer than a longer name.
        assert_eq!(nearest("rg-shop-prod", ["rg-shop-production-old", "rg-shop-prd"]), Some("rg-shop-prd"));
        let known = ["Contoso Production", "Contoso Platform", "pg-orders-prod", "pg-orders-prod-replica"];
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
