//! The one table of harmful characters.

use std::cmp::Ordering;

/// Every character that steers what shows it, or cannot be seen at all: from, to.
///
/// These are the general categories Cc (control), Cf (format, with every mark of direction), Zl and Zp (line and
/// paragraph separators), and the property `Default_Ignorable_Code_Point`, which is what fonts show as nothing (Unicode
/// Character Database 16.0, `DerivedGeneralCategory.txt` and `DerivedCoreProperties.txt`), and the 66 noncharacters, which no
/// text may exchange and two of which no XML may have. A test holds the categories
/// equal to the database.
pub const HARMFUL: &[(char, char)] = &[
    ('\u{0}', '\u{1f}'),
    ('\u{7f}', '\u{9f}'),
    ('\u{ad}', '\u{ad}'),
    ('\u{34f}', '\u{34f}'),
    ('\u{600}', '\u{605}'),
    ('\u{61c}', '\u{61c}'),
    ('\u{6dd}', '\u{6dd}'),
    ('\u{70f}', '\u{70f}'),
    ('\u{890}', '\u{891}'),
    ('\u{8e2}', '\u{8e2}'),
    ('\u{115f}', '\u{1160}'),
    ('\u{17b4}', '\u{17b5}'),
    ('\u{180b}', '\u{180f}'),
    ('\u{200b}', '\u{200f}'),
    ('\u{2028}', '\u{202e}'),
    ('\u{2060}', '\u{206f}'),
    ('\u{3164}', '\u{3164}'),
    ('\u{fdd0}', '\u{fdef}'),
    ('\u{fe00}', '\u{fe0f}'),
    ('\u{feff}', '\u{feff}'),
    ('\u{ffa0}', '\u{ffa0}'),
    ('\u{fff0}', '\u{fffb}'),
    ('\u{fffe}', '\u{ffff}'),
    ('\u{110bd}', '\u{110bd}'),
    ('\u{110cd}', '\u{110cd}'),
    ('\u{13430}', '\u{1343f}'),
    ('\u{1bca0}', '\u{1bca3}'),
    ('\u{1d173}', '\u{1d17a}'),
    ('\u{1fffe}', '\u{1ffff}'),
    ('\u{2fffe}', '\u{2ffff}'),
    ('\u{3fffe}', '\u{3ffff}'),
    ('\u{4fffe}', '\u{4ffff}'),
    ('\u{5fffe}', '\u{5ffff}'),
    ('\u{6fffe}', '\u{6ffff}'),
    ('\u{7fffe}', '\u{7ffff}'),
    ('\u{8fffe}', '\u{8ffff}'),
    ('\u{9fffe}', '\u{9ffff}'),
    ('\u{afffe}', '\u{affff}'),
    ('\u{bfffe}', '\u{bffff}'),
    ('\u{cfffe}', '\u{cffff}'),
    ('\u{dfffe}', '\u{dffff}'),
    ('\u{e0000}', '\u{e0fff}'),
    ('\u{efffe}', '\u{effff}'),
    ('\u{ffffe}', '\u{fffff}'),
    ('\u{10fffe}', '\u{10ffff}'),
];

/// Whether a character could steer a terminal, a log or a page, turn the direction of writing, or hide.
#[must_use]
pub fn is_harmful(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_control();
    }
    let place = |&(first, last): &(char, char)| match c {
        c if c < first => Ordering::Greater,
        c if c > last => Ordering::Less,
        _ => Ordering::Equal,
    };
    HARMFUL.binary_search_by(place).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use unicode_general_category::{GeneralCategory, get_general_category};

    /// All planes but those that are unassigned or for private use.
    fn assigned() -> impl Iterator<Item = char> {
        ('\0'..='\u{3ffff}').chain('\u{e0000}'..='\u{e0fff}')
    }

    #[test]
    fn every_control_format_and_separator_of_unicode_is_in_the_table() {
        use GeneralCategory::{Control, Format, LineSeparator, ParagraphSeparator};
        let mut counted = 0;
        for c in assigned() {
            if matches!(get_general_category(c), Control | Format | LineSeparator | ParagraphSeparator) {
                assert!(is_harmful(c), "U+{:04X}", u32::from(c));
                counted += 1;
            }
        }
        // 65 controls, 2 separators, and at least the 170 format characters of Unicode 15.
        assert!(counted >= 237, "{counted}");
    }

    #[test]
    fn every_noncharacter_is_in_the_table() {
        let last = (0..=16).flat_map(|plane| [0xfffe, 0xffff].map(|low| plane * 0x1_0000 + low));
        let all: Vec<char> = (0xfdd0..=0xfdef).chain(last).filter_map(char::from_u32).collect();
        assert_eq!(all.len(), 66);
        all.into_iter().for_each(|c| assert!(is_harmful(c), "U+{:04X}", u32::from(c)));
    }

    #[test]
    fn what_can_be_seen_is_not_harmful() {
        use GeneralCategory as G;
        for c in assigned() {
            let seen = matches!(
                get_general_category(c),
                G::LowercaseLetter
                    | G::UppercaseLetter
                    | G::DecimalNumber
                    | G::CurrencySymbol
                    | G::DashPunctuation
                    | G::SpaceSeparator
            );
            assert!(!(seen && is_harmful(c)), "U+{:04X}", u32::from(c));
        }
    }

    #[test]
    fn the_table_is_in_order() {
        assert!(HARMFUL.iter().all(|(first, last)| first <= last));
        assert!(HARMFUL.windows(2).all(|pair| pair[0].1 < pair[1].0));
    }
}
