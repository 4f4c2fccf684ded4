//! SQLSTATE codes: the part of an error that no server translates.

use super::readings::{self as r, Interpretation};

/// Codes whose meaning for a login is plain (PostgreSQL, appendix A). Wrappers such as 08006 say nothing and are left
/// out.
const CODES: &[(&str, &Interpretation)] = &[
    ("28p01", &r::PASSWORD),
    ("28000", &r::INVALID_AUTHORIZATION),
    ("3d000", &r::NO_SUCH_DATABASE),
    ("42501", &r::PERMISSION),
    ("53300", &r::TOO_MANY),
    ("57p03", &r::NOT_UP),
    ("57p01", &r::SESSION_ENDED),
];

/// The codes in a comparable text, what each means, and where it is.
pub(super) fn all(text: &str) -> impl Iterator<Item = (&'static str, &'static Interpretation, usize)> {
    CODES.iter().filter_map(|(code, reading)| {
        let (at, _) = text.match_indices(code).find(|(at, _)| is_code(text, *at, code))?;
        Some((*code, *reading, at))
    })
}

/// Whether the characters at `at` are meant as a code, and are not a port, duration, process id, or part of a word.
fn is_code(text: &str, at: usize, code: &str) -> bool {
    let before = text.get(..at).unwrap_or_default();
    let after = text.get(at + code.len()..).unwrap_or_default();
    let in_debug = before.ends_with("sqlstate(e");
    let is_part = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_');
    if (is_part(before.chars().next_back()) && !in_debug) || is_part(after.chars().next()) {
        return false;
    }
    let key = before.trim_end_matches([' ', ':', '=', '[', '(', '\'', '"']);
    let announced = ["sqlstate", "code", "sql error", "errcode"].iter().any(|word| key.ends_with(word));
    let heads = (before.is_empty() || before.ends_with(": ")) && after.starts_with(':');
    // Only a code mixes digits with a letter so.
    in_debug
        || announced
        || heads
        || (code.contains(|c: char| c.is_ascii_alphabetic()) && !before.ends_with(['.', '-', '/']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_other_numbers() {
        let code = |text: &str| all(text).next().map(|(code, ..)| code);
        for text in [
            "sqlstate 28000",
            "sqlstate: 28000",
            "sqlstate[28000]",
            "(sqlstate 28000)",
            "28000: x",
            "x: 28000: y",
            "fatal: 28000: z",
            "code: '28000'",
            "code: sqlstate(e28000)",
            "sql error [28000]: x",
            "sqlerrcode=28000",
        ] {
            assert_eq!(code(text), Some("28000"), "{text}");
        }
        for text in ["28000 ms", "10.0.0.4:28000: x", "[28000] log: x", "port 28000", "128000: x", "x28000: y", "28000"]
        {
            assert_eq!(code(text), None, "{text}");
        }
        assert_eq!(code("oops 3d000"), Some("3d000"));
        assert_eq!(code("aa-3d000-bb"), None, "part of an identifier");
    }
}
