//! The pieces in which syslog writes a message: `postgres[4242]: [10-3] …` is the third piece of the tenth message. A long message, and one
//! of several lines, has more than one; whatever the later ones hold is the text of someone, and not the beginning of a line.

use super::prefix::{Prefix, PrefixPart};
use super::short::find;

/// What stands before the numbers.
const LEAD: &[u8] = b"]: [";

/// Whether a line is a later piece of a message, by the prefix that it has.
pub(super) fn is_later_piece(prefixes: &[Prefix], line: &[u8]) -> bool {
    prefixes.iter().any(has_numbers) && piece(line).is_some_and(|piece| piece > 1)
}

/// Whether a prefix has the numbers of syslog: those of `%l-1` are of one kind too, but the second is always the same.
fn has_numbers(prefix: &Prefix) -> bool {
    prefix.parts.windows(5).any(|parts| {
        let [
            PrefixPart::Literal(lead),
            PrefixPart::Word(_),
            PrefixPart::Literal(dash),
            PrefixPart::Word(_),
            PrefixPart::Literal(end),
        ] = parts
        else {
            return false;
        };
        lead.ends_with(LEAD) && dash == b"-" && end.starts_with(b"] ")
    })
}

/// The second number. Nothing before it is a client's to choose.
fn piece(line: &[u8]) -> Option<u32> {
    let numbers = line.get(find(line, LEAD)? + LEAD.len()..)?;
    let first = digits(numbers);
    let rest = numbers.get(first..)?.strip_prefix(b"-")?;
    let second = digits(rest);
    let is_whole = first > 0 && rest.get(second..).is_some_and(|end| end.starts_with(b"] "));
    let number = rest.get(..second).filter(|_| is_whole)?;
    std::str::from_utf8(number).ok()?.parse().ok()
}

fn digits(text: &[u8]) -> usize {
    text.iter().take(10).take_while(|byte| byte.is_ascii_digit()).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_numbers_of_syslog_are_those_of_a_piece() {
        let is_later = |prefix: &str, line: &str| is_later_piece(&[prefix.parse().unwrap()], line.as_bytes());
        let line = "Nov 27 10:03:00 db1 postgres[4242]: [10-3] 2026-11-27 10:03:00 UTC [4242] FATAL:  x";
        assert!(is_later("%a[%p]: [%l-%l] %m [%p] ", line));
        assert!(!is_later("%a[%p]: [%l-%l] %m [%p] ", &line.replace("10-3", "10-1")));
        assert!(!is_later("%a[%p]: [%l-%l] %m [%p] ", &line.replace("[10-3]", "[10]")));
        assert!(!is_later("%t [%p]: [%l-3] ", "2026-11-27 10:03:00 UTC [4242]: [10-3] FATAL:  x"));
        assert!(!is_later("%m [%p-%l] ", "2026-11-27 10:03:00 UTC [4242-3] FATAL:  x [1]: [1-2] "));
    }
}
