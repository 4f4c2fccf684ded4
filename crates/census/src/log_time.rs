//! Times of log lines: `2026-09-16 19:02:12.345 UTC`.

/// Milliseconds since 1970-01-01 00:00 UTC.
pub type Millis = i64;

/// A day, in milliseconds.
pub(crate) const DAY: Millis = 24 * 60 * 60 * 1_000;

/// Offsets of the abbreviations that servers write as their `log_timezone`, in minutes. Those that stand for several zones
/// are left out.
const ABBREVIATIONS: [(&[u8], i64); 22] = [
    (b"UTC", 0),
    (b"GMT", 0),
    (b"WET", 0),
    (b"WEST", 60),
    (b"CET", 60),
    (b"CEST", 120),
    (b"EET", 120),
    (b"EEST", 180),
    (b"MSK", 180),
    (b"EST", -300),
    (b"EDT", -240),
    (b"CDT", -300),
    (b"MDT", -360),
    (b"PST", -480),
    (b"PDT", -420),
    (b"MST", -420),
    (b"JST", 540),
    (b"KST", 540),
    (b"AEST", 600),
    (b"AEDT", 660),
    (b"NZST", 720),
    (b"NZDT", 780),
];

/// A time at the beginning of `bytes`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LeadingTime {
    /// When. A zone that is not known counts as UTC.
    pub(crate) at: Millis,
    /// How many bytes it takes.
    pub(crate) length: usize,
    /// Whether it has milliseconds: `%m` rather than `%t`.
    pub(crate) has_millis: bool,
    /// Whether its zone is known.
    pub(crate) zone_known: bool,
}

/// Reads a time at the beginning of a log line, as `%t`, `%m`, csvlog and jsonlog write it.
///
/// # Examples
///
/// ```
/// use hostssl_census::parse_timestamp;
///
/// assert_eq!(parse_timestamp(b"1970-01-02 00:00:00.250 UTC"), Some(86_400_250));
/// assert_eq!(parse_timestamp(b"1970-01-01 02:00:00 +02"), Some(0));
/// ```
#[must_use]
pub fn parse_timestamp(bytes: &[u8]) -> Option<Millis> {
    stamp(bytes).map(|stamp| stamp.at)
}

pub(crate) fn stamp(bytes: &[u8]) -> Option<LeadingTime> {
    let head = bytes.first_chunk::<19>()?;
    let separators = head[4] == b'-' && head[7] == b'-' && head[10] == b' ' && head[13] == b':' && head[16] == b':';
    if !separators {
        return None;
    }
    let two = |at: usize| -> Option<i64> { Some(digit(head[at])? * 10 + digit(head[at + 1])?) };
    let year = two(0)? * 100 + two(2)?;
    let (month, day, hour, minute, second) = (two(5)?, two(8)?, two(11)?, two(14)?, two(17)?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let mut rest = bytes.get(19..)?;
    let mut length = 19;
    let mut millis = 0;
    let mut has_millis = false;
    if let [b'.', a, b, c, tail @ ..] = rest
        && let (Some(a), Some(b), Some(c)) = (digit(*a), digit(*b), digit(*c))
    {
        millis = a * 100 + b * 10 + c;
        has_millis = true;
        rest = tail;
        length += 4;
    }
    let (zone, zone_known, offset) = zone(rest)?;
    let days = days_from_civil(year, month, day);
    let seconds = days * 86_400 + hour * 3_600 + minute * 60 + second - offset * 60;
    Some(LeadingTime { at: seconds * 1_000 + millis, length: length + zone, has_millis, zone_known })
}

/// The length of the zone with the space before it, whether it is known, and its offset in minutes.
fn zone(rest: &[u8]) -> Option<(usize, bool, i64)> {
    let [b' ', zone @ ..] = rest else { return None };
    if let [sign @ (b'+' | b'-'), digits @ ..] = zone {
        let length = digits.iter().take(9).take_while(|byte| byte.is_ascii_digit() || **byte == b':').count();
        let value: Vec<i64> = digits.iter().take(length).filter_map(|byte| digit(*byte)).collect();
        let hours = value.first().zip(value.get(1)).map(|(a, b)| a * 10 + b)?;
        let minutes = value.get(2).zip(value.get(3)).map_or(0, |(a, b)| a * 10 + b);
        let offset = hours * 60 + minutes;
        return Some((2 + length, true, if *sign == b'-' { -offset } else { offset }));
    }
    let length = zone.iter().take(9).take_while(|byte| byte.is_ascii_alphabetic()).count();
    let name = zone.get(..length).filter(|name| name.len() >= 2)?;
    let known = ABBREVIATIONS.iter().find(|(abbreviation, _)| *abbreviation == name);
    Some((1 + length, known.is_some(), known.map_or(0, |(_, offset)| *offset)))
}

fn digit(byte: u8) -> Option<i64> {
    byte.is_ascii_digit().then(|| i64::from(byte - b'0'))
}

/// Days since 1970-01-01 of the proleptic Gregorian calendar, by counting years from March.
pub(crate) fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// A time as people read it, of UTC: `2026-11-30 10:05`.
pub(crate) fn shown(at: Millis) -> String {
    let minutes = at.div_euclid(60_000);
    let (year, month, day) = civil_from_days(minutes.div_euclid(1_440));
    format!("{year}-{month:02}-{day:02} {:02}:{:02}", minutes.div_euclid(60).rem_euclid(24), minutes.rem_euclid(60))
}

/// The inverse of [`days_from_civil`].
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// The earlier of two times, where a time that is not known says nothing.
pub(crate) fn earliest(one: Option<Millis>, other: Option<Millis>) -> Option<Millis> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_shown_as_they_are_read() {
        for day in (-800_000..800_000).step_by(17) {
            let (year, month, of_month) = civil_from_days(day);
            assert_eq!(days_from_civil(year, month, of_month), day);
        }
        assert_eq!(shown(1_789_585_332_007), "2026-09-16 19:02");
    }

    #[test]
    fn times_of_every_prefix_are_read() {
        let at = |text: &str| stamp(text.as_bytes()).map(|stamp| (stamp.at, stamp.length));
        // date -u -d '2026-09-16 19:02:12' +%s
        assert_eq!(at("2026-09-16 19:02:12 UTC-6aaae7b4.1dc3-LOG:  x"), Some((1_789_585_332_000, 23)));
        assert_eq!(at("2026-09-16 21:02:12.007 CEST [1]"), Some((1_789_585_332_007, 28)));
        assert_eq!(at("2026-09-16 16:02:12 -03 [1]"), Some((1_789_585_332_000, 23)));
        assert_eq!(at("2026-09-17 00:32:12 +0530-"), Some((1_789_585_332_000, 25)));
        assert_eq!(at("2024-02-29 00:00:00 GMT"), Some((1_709_164_800_000, 23)));
        for wrong in ["", "2026-09-16", "2026-13-16 19:02:12 UTC", "2026-09-16 19:02:12", "2026-09-16T19:02:12 UTC"] {
            assert_eq!(at(wrong), None, "{wrong}");
        }
        assert!(!stamp(b"2026-09-16 19:02:12 IST ").unwrap().zone_known);
    }
}
