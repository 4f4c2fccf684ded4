//! Finds out what prefix a log has from its lines.

use super::prefix::{Field, Prefix, PrefixPart, SessionKey, epoch};
use super::wording::{WORDINGS, is_severity};
use crate::log_time::stamp;
use memchr::memmem;

/// Lines that are looked at.
const MOST_LINES: usize = 256;

/// The prefix that most of these lines have; `None` if none of them has a severity.
pub(super) fn infer(sample: &[u8]) -> Option<Prefix> {
    let lines: Vec<&[u8]> = sample
        .split(|byte| *byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        .filter(|line| !line.is_empty() && line.first() != Some(&b'\t'))
        .filter(|line| severity_at(line).is_some())
        .take(MOST_LINES)
        .collect();
    let first = lines.iter().find(|line| is_of_a_connection(line)).or_else(|| lines.first())?;
    let parts = tokens(first.get(..severity_at(first)?)?);
    let candidates = candidates(&parts);
    // The prefix that most lines have; among equals one that joins the lines of sessions, then one without a word that may
    // be a name, then the longest.
    let best = candidates.into_iter().max_by_key(|prefix| {
        let fitting = lines.iter().filter(|line| prefix.split(line).is_some_and(|split| !split.is_ambiguous)).count();
        let is_usable = prefix.has_time() || prefix.has_key();
        (fitting, is_usable, pairs(prefix, &lines), std::cmp::Reverse(words(prefix)), prefix.parts.len())
    })?;
    best.split(first).map(|_| best.clone())
}

/// Where the first severity of a line is, if what is before it is no longer than a prefix.
fn severity_at(line: &[u8]) -> Option<usize> {
    let colon = memmem::find(line, b":  ")?;
    let before = line.get(..colon)?;
    // Names of several languages have letters of more than one byte.
    (before.len().saturating_sub(40)..colon).find(|start| {
        let is_start =
            *start == 0 || line.get(start - 1).is_some_and(|byte| byte.is_ascii() && !byte.is_ascii_alphabetic());
        is_start && line.get(*start..colon).is_some_and(is_severity)
    })
}

fn is_of_a_connection(line: &[u8]) -> bool {
    WORDINGS.iter().any(|wording| {
        [wording.received, wording.authorized].iter().any(|text| memmem::find(line, text.as_bytes()).is_some())
    })
}

/// How many lines *authorized* directly continue a *received* of the same key.
fn pairs(prefix: &Prefix, lines: &[&[u8]]) -> usize {
    let mut received = std::collections::HashSet::new();
    let mut count = 0;
    for line in lines {
        let Some(split) = prefix.split(line) else { continue };
        let Some(key) = split.head.key else { continue };
        let begins = |text: &str| split.message.starts_with(text.as_bytes());
        if WORDINGS.iter().any(|wording| begins(wording.received)) {
            received.insert(key);
        } else if WORDINGS.iter().any(|wording| begins(wording.authorized)) && received.remove(&key) {
            count += 1;
        }
    }
    count
}

/// The prefixes that the parts of a line may mean: each number may be the process id.
fn candidates(parts: &[PrefixPart]) -> Vec<Prefix> {
    let numbers: Vec<usize> =
        parts.iter().enumerate().filter(|(_, part)| matches!(part, PrefixPart::Word('#'))).map(|(at, _)| at).collect();
    let has_session = parts.iter().any(|part| matches!(part, PrefixPart::Session));
    let as_prefix = |pid: Option<usize>| {
        let parts = parts.iter().enumerate().map(|(at, part)| match part {
            PrefixPart::Word('#') if Some(at) == pid => PrefixPart::Pid,
            PrefixPart::Word('#') => PrefixPart::Word('l'),
            part => part.clone(),
        });
        let parts: Vec<PrefixPart> = parts.collect();
        Prefix { parts }
    };
    let mut whole: Vec<Prefix> = if has_session || numbers.is_empty() {
        vec![as_prefix(None)]
    } else {
        // `max_by_key` takes the last of equals, and the first number is the likeliest.
        numbers.iter().rev().map(|at| as_prefix(Some(*at))).collect()
    };
    // With names: what is behind some part that has a form is free text, and may be missing.
    let loose: Vec<Prefix> = whole.iter().flat_map(loosened).collect();
    whole.splice(0..0, loose);
    whole
}

/// How many bytes of the fixed text may be those of names.
fn words(prefix: &Prefix) -> usize {
    let literals = prefix.parts.iter().map(|part| match part {
        PrefixPart::Literal(text) => text.iter().filter(|byte| is_of_a_name(**byte) && **byte != b'[').count(),
        _ => 0,
    });
    literals.sum()
}

/// The same with the text behind one of the parts that have a form left open, once for each of them.
fn loosened(prefix: &Prefix) -> Vec<Prefix> {
    let has_form = |part: &PrefixPart| !matches!(part, PrefixPart::Literal(_) | PrefixPart::Free(_));
    let cuts = prefix.parts.iter().enumerate().filter(|(_, part)| has_form(part)).map(|(at, _)| at + 1);
    cuts.filter_map(|cut| {
        let (formed, tail) = prefix.parts.split_at(cut);
        let mut parts = formed.to_vec();
        if let Some(PrefixPart::Literal(text)) = tail.first() {
            // A bracket opens another part, such as `[unknown]`, unless it closes one.
            let lead: Vec<u8> = text.iter().copied().take_while(|byte| !is_of_a_name(*byte)).collect();
            if lead.len() == text.len() && tail.len() == 1 {
                return None;
            }
            if !lead.is_empty() {
                parts.push(PrefixPart::Literal(lead));
            }
        } else if tail.is_empty() {
            return None;
        }
        parts.push(PrefixPart::Free(Field::Other(None)));
        Some(Prefix { parts })
    })
    .collect()
}

fn is_of_a_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || !byte.is_ascii() || byte == b'['
}

/// Splits the text before a severity into parts that have a form, and fixed text.
fn tokens(text: &[u8]) -> Vec<PrefixPart> {
    let mut parts = Vec::new();
    let mut literal = Vec::new();
    let mut at = 0;
    let mut has_time = false;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let inside_word = literal.last().is_some_and(|byte: &u8| byte.is_ascii_alphanumeric());
        let Some((part, length)) = token(rest, has_time).filter(|_| !inside_word) else {
            literal.extend(rest.first());
            at += 1;
            continue;
        };
        has_time |= matches!(part, PrefixPart::Time { .. } | PrefixPart::Epoch);
        if !literal.is_empty() {
            parts.push(PrefixPart::Literal(std::mem::take(&mut literal)));
        }
        parts.push(part);
        at += length;
    }
    if !literal.is_empty() {
        parts.push(PrefixPart::Literal(literal));
    }
    parts
}

fn token(rest: &[u8], has_time: bool) -> Option<(PrefixPart, usize)> {
    if let Some(stamp) = stamp(rest) {
        let part = if has_time { PrefixPart::SessionStart } else { PrefixPart::Time { has_millis: stamp.has_millis } };
        return Some((part, stamp.length));
    }
    if let Some((_, length)) = epoch(rest).filter(|_| !has_time) {
        return Some((PrefixPart::Epoch, length));
    }
    // A session id begins with a time in hexadecimal, which has eight digits until 2106.
    if let Some((_, length)) = SessionKey::parse_prefix(rest)
        && rest.iter().take_while(|byte| byte.is_ascii_hexdigit()).count() == 8
    {
        return Some((PrefixPart::Session, length));
    }
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if digits == 0 {
        return None;
    }
    match rest.get(digits..) {
        Some([b'/', tail @ ..]) if tail.first().is_some_and(u8::is_ascii_digit) => {
            let more = tail.iter().take_while(|byte| byte.is_ascii_digit()).count();
            Some((PrefixPart::Word('v'), digits + 1 + more))
        }
        // An address, or a word that begins with a digit, is text.
        Some([b'.' | b':', next, ..]) if next.is_ascii_alphanumeric() => None,
        Some([next, ..]) if next.is_ascii_alphabetic() => None,
        _ => Some((PrefixPart::Word('#'), digits)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(lines: &[&str]) -> Option<String> {
        infer(lines.join("\n").as_bytes()).map(|prefix| prefix.to_string())
    }

    #[test]
    fn the_prefix_is_found_out() {
        let received = "LOG:  connection received: host=10.0.0.1 port=5";
        let authorized = "LOG:  connection authorized: user=a database=b application_name=c";
        let of = |heads: [&str; 3]| {
            let [system, first, second] = heads;
            found(&[
                &format!("{system}LOG:  database system is ready to accept connections"),
                &format!("{first}{received}"),
                "\tLOG:  connection received: host=10.9.9.9 port=5",
                &format!("{second}{authorized}"),
            ])
        };
        let time = "2026-09-16 19:02:12 UTC";
        let [azure, plain, session] =
            [format!("{time}-6aaae7b4.1dc3-"), format!("{time} [12] "), format!("{time} [77] ")];
        assert_eq!(of([&format!("{time}-6aaae7b1.2-"), &azure, &azure]).as_deref(), Some("%t-%c-"));
        assert_eq!(of([&plain, &session, &session]).as_deref(), Some("%t [%p] "));
        // The number that joins the lines is the process id.
        let heads = [format!("{time} [9] [1] "), format!("{time} [1] [77] "), format!("{time} [2] [77] ")];
        assert_eq!(of([&heads[0], &heads[1], &heads[2]]).as_deref(), Some("%t [%l] [%p] "));
        let names = [plain.clone(), format!("{session}[unknown]@[unknown] "), format!("{session}a@b ")];
        assert_eq!(of([&names[0], &names[1], &names[2]]).as_deref(), Some("%t [%p] \u{2026}"));
        let names = format!("{time} [77]: [2-1] user=a,db=b,app=c,client=10.0.0.1 ");
        let unnamed = format!("{time} [77]: [1-1] user=[unknown],db=[unknown],app=[unknown],client=10.0.0.1 ");
        let system = format!("{time} [9]: [3-1] user=,db=,app=,client= ");
        assert_eq!(of([&system, &unnamed, &names]).as_deref(), Some("%t [%p]: [%l-%l] \u{2026}"));
        // One line alone has no names taken for fixed text either.
        assert_eq!(found(&[&format!("{names}{authorized}")]).as_deref(), Some("%t [%p]: [%l-%l] \u{2026}"));
        assert_eq!(of(["", "", ""]).as_deref(), Some(""));
        assert_eq!(found(&["hello", "", "GET / HTTP/1.1"]), None);
    }
}
