//! What the name of a log file says: when it was begun, and which files are of one log.

use crate::Millis;
use crate::log_time::days_from_civil;

/// Words that a name has for a day or a month, as `log_filename` writes them with `%a` and `%b`.
const DATE_WORDS: [&str; 19] = [
    "mon", "tue", "wed", "thu", "fri", "sat", "sun", "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep",
    "oct", "nov", "dec",
];

/// Whether a word is one for a day or a month.
pub(super) fn is_date_word(word: &str) -> bool {
    DATE_WORDS.contains(&word)
}

/// What the files of one log have in common in their names: all but numbers, days and months.
pub(super) fn log_of(name: &str) -> String {
    let name = name.to_ascii_lowercase();
    let name = name.trim_end_matches(".gz");
    let mut rest = String::with_capacity(name.len());
    for word in name.split_inclusive(|c: char| !c.is_ascii_alphabetic()) {
        let (letters, end) = match word.chars().last() {
            Some(last) if !last.is_ascii_alphabetic() => word.split_at(word.len() - last.len_utf8()),
            _ => (word, ""),
        };
        if !DATE_WORDS.contains(&letters) {
            rest.push_str(letters);
        }
        if !end.chars().all(|c| c.is_ascii_digit()) {
            rest.push_str(end);
        }
    }
    // The last one of `postgresql.log`, `postgresql.log.1` and `postgresql.log-20261130`.
    rest.trim_end_matches(['.', '-', '_']).to_owned()
}

/// The date and time in a name, as if they were of UTC: `postgresql-2026-11-30_100000.log`, `postgresql_2026_11_30_10_00_00.log`,
/// `postgresql.log.2026-11-30-10`, `postgresql-20261130.log`. Of several the last one.
pub(super) fn time_of(name: &str) -> Option<Millis> {
    let bytes = name.as_bytes();
    (0..bytes.len()).rev().find_map(|at| {
        let is_start = !at.checked_sub(1).and_then(|before| bytes.get(before)).is_some_and(u8::is_ascii_digit);
        if is_start { date_at(bytes.get(at..)?) } else { None }
    })
}

fn date_at(text: &[u8]) -> Option<Millis> {
    let (year, rest) = number(text, 4)?;
    let (month, rest) = number(separated(rest), 2)?;
    let (day, rest) = number(separated(rest), 2)?;
    if !(1970..2200).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let mut clock = [0; 3];
    let mut rest = rest;
    for (part, most) in clock.iter_mut().zip([23, 59, 59]) {
        let Some((value, behind)) = number(separated(rest), 2).filter(|(value, _)| *value <= most) else { break };
        (*part, rest) = (value, behind);
    }
    // More digits than a time has are something else.
    if rest.first().is_some_and(u8::is_ascii_digit) {
        return None;
    }
    let [hour, minute, second] = clock;
    Some((((days_from_civil(year, month, day) * 24 + hour) * 60 + minute) * 60 + second) * 1_000)
}

fn separated(text: &[u8]) -> &[u8] {
    match text {
        [b'-' | b'_' | b'.' | b':' | b'/' | b'T' | b' ', rest @ ..] => rest,
        text => text,
    }
}

fn number(text: &[u8], digits: usize) -> Option<(i64, &[u8])> {
    let (number, rest) = text.split_at_checked(digits)?;
    let value = std::str::from_utf8(number).ok().filter(|_| number.iter().all(u8::is_ascii_digit))?.parse().ok()?;
    Some((value, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_when_a_file_was_begun() {
        let day = days_from_civil(2026, 11, 30) * 86_400;
        for (name, second) in [
            ("/var/log/postgresql-2026-11-30_103015.log", Some(10 * 3_600 + 30 * 60 + 15)),
            ("postgresql_2026_11_30_10_00_00.log", Some(36_000)),
            ("postgresql.log.2026-11-30-10", Some(36_000)),
            ("postgresql.log.2026-11-30-1030.gz", Some(37_800)),
            ("postgresql-20261130.log", Some(0)),
            ("2026/11/30/10.csv", Some(36_000)),
            ("a-2020-01-01/postgresql-2026-11-30.json", Some(0)),
            ("postgresql-17-main.log.1", None),
            ("postgresql-Mon.log", None),
            ("file 20261399", None),
            ("id-202611301234567890", None),
        ] {
            assert_eq!(time_of(name), second.map(|second| (day + second) * 1_000), "{name}");
        }
    }

    #[test]
    fn the_files_of_a_log_have_one_name_without_their_dates() {
        for names in [
            ["/a/postgresql-2026-11-30_103015.log", "/a/postgresql-2026-12-01_000000.log"],
            ["postgresql-Mon.csv", "postgresql-Tue.csv"],
            ["postgresql-17-main.log", "postgresql-17-main.log.2.gz"],
            ["postgresql.log-20261130", "postgresql.log"],
        ] {
            assert_eq!(log_of(names[0]), log_of(names[1]));
        }
        assert_ne!(log_of("a/postgresql-Mon.csv"), log_of("b/postgresql-Mon.csv"));
        assert_ne!(log_of("postgresql-Mon.csv"), log_of("postgresql-Mon.log"));
    }
}
