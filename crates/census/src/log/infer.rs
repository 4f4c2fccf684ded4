//! Finds out what prefix a log has from its lines.

use super::key_evidence::{KeyEvidence, evidence};
use super::prefix::{Field, Prefix, PrefixPart, SessionKey, epoch};
use super::wording::{WORDINGS, is_severity};
use crate::log_time::stamp;
use memchr::memmem;
use std::cmp::Reverse;
use std::net::IpAddr;

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
    // The prefix that most lines have; among equals one that joins the lines of sessions, then a well-known one, then one without
    // a word that may be a name, then the longest. A key that joins lines of different sessions is none.
    let known = well_known(&lines);
    let rated = candidates(&parts).into_iter().chain(known.clone()).filter_map(|prefix| {
        let fitting = lines.iter().filter(|line| prefix.split(line).is_some_and(|split| !split.is_ambiguous)).count();
        let evidence = evidence(&prefix, &lines);
        let is_usable = prefix.has_time() || prefix.has_key();
        let rank = (fitting, is_usable, evidence, known.as_ref() == Some(&prefix), Reverse(words(&prefix)));
        (evidence != KeyEvidence::Refuted).then_some((rank, prefix))
    });
    let (_, best) = rated.max_by_key(|(rank, prefix)| (*rank, prefix.parts.len()))?;
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

/// The prefix of Amazon RDS, which cannot be changed there.
const RDS: &str = "%t:%r:%u@%d:[%p]:";

/// That prefix, if there is an address at its place: its host is believed.
fn well_known(lines: &[&[u8]]) -> Option<Prefix> {
    let prefix: Prefix = RDS.parse().ok()?;
    let mut hosts = lines.iter().filter_map(|line| prefix.split(line)?.head.host);
    hosts.any(is_address).then_some(prefix)
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
    let mut whole = vec![as_prefix(None)];
    if !has_session {
        // `max_by_key` takes the last of equals, and the first number is the likeliest.
        whole.extend(numbers.iter().rev().map(|at| as_prefix(Some(*at))));
    }
    // With names: what is behind some part that has a form is free text, and may be missing.
    let bridged: Vec<Prefix> = whole.iter().filter_map(bridged).collect();
    let loose: Vec<Prefix> = bridged.iter().chain(&whole).flat_map(loosened).collect();
    loose.into_iter().chain(bridged).chain(whole).collect()
}

/// The same with the text between the time and the key left open: names stand there.
fn bridged(prefix: &Prefix) -> Option<Prefix> {
    let key = prefix.parts.iter().position(|part| matches!(part, PrefixPart::Pid | PrefixPart::Session))?;
    let time = prefix.parts.iter().position(|part| matches!(part, PrefixPart::Time { .. } | PrefixPart::Epoch));
    let from = time.filter(|time| *time < key).map_or(0, |time| time + 1);
    let middle = prefix.parts.get(from..key)?;
    let lead: Vec<u8> = match middle.first()? {
        PrefixPart::Literal(text) => text.iter().copied().take_while(|byte| !is_of_a_name(*byte)).collect(),
        _ => Vec::new(),
    };
    let trail = match middle.last()? {
        PrefixPart::Literal(text) => trail(text),
        _ => &[],
    };
    if let [PrefixPart::Literal(text)] = middle
        && lead.len() + trail.len() >= text.len()
    {
        return None;
    }
    let mut parts = prefix.parts.get(..from)?.to_vec();
    parts.extend((!lead.is_empty()).then_some(PrefixPart::Literal(lead)));
    parts.push(PrefixPart::Free(Field::Other(None)));
    parts.extend((!trail.is_empty()).then(|| PrefixPart::Literal(trail.to_vec())));
    parts.extend(prefix.parts.get(key..)?.iter().cloned());
    Some(Prefix { parts })
}

/// What stands before a value at the end of a text: ` [`, or a word with its equals sign, such as `,pid=`.
fn trail(text: &[u8]) -> &[u8] {
    let is_mark = |byte: &&u8| byte.is_ascii() && !byte.is_ascii_alphanumeric() && **byte != b']';
    let marks = |text: &[u8]| text.iter().rev().take_while(is_mark).count();
    let mut from = text.len() - marks(text);
    if text.get(from) == Some(&b'=') {
        let head = text.get(..from).unwrap_or_default();
        from -= head.iter().rev().take_while(|byte| byte.is_ascii_alphabetic()).count();
        from -= usize::from(text.get(..from).unwrap_or_default().last().is_some_and(|byte| is_mark(&byte)));
    }
    text.get(from..).unwrap_or_default()
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
        let Some((mut part, length)) = token(rest, has_time).filter(|_| !inside_word) else {
            literal.extend(rest.first());
            at += 1;
            continue;
        };
        // `db.example.com(5432)`: the port of a client whose name is known.
        let is_port = matches!(literal.as_slice(), [.., name, b'('] if name.is_ascii_alphanumeric())
            && rest.get(length) == Some(&b')');
        if is_port && part == PrefixPart::Word('#') {
            part = PrefixPart::Word('l');
        }
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
    // What passes a log on may write its own time before that of the server. A word has no space, so that no text of a client is part of it.
    if let Some(length) = passed_on(rest).filter(|length| !has_time && has_stamp(rest.get(*length..))) {
        return Some((PrefixPart::Word('l'), length));
    }
    // A session id begins with a time in hexadecimal, which has eight digits until 2106.
    if let Some((_, length)) = SessionKey::parse_prefix(rest)
        && rest.iter().take_while(|byte| byte.is_ascii_hexdigit()).count() == 8
    {
        return Some((PrefixPart::Session, length));
    }
    // Its numbers are no process id.
    if let Some(length) = address(rest) {
        return Some((PrefixPart::Free(Field::Other(None)), length));
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
        Some([b':', tail @ ..]) if !has_time && stamp(tail).is_some() => Some((PrefixPart::Word('#'), digits)),
        // A word that begins with a digit is text.
        Some([b'.', next, ..]) if next.is_ascii_alphanumeric() => None,
        Some([b':', next, ..]) if next.is_ascii_digit() => None,
        Some([next, ..]) if next.is_ascii_alphabetic() => None,
        _ => Some((PrefixPart::Word('#'), digits)),
    }
}

/// How long the time of RFC 3339 is with which a text begins, as `docker logs --timestamps` and Kubernetes write it.
fn passed_on(text: &[u8]) -> Option<usize> {
    let form = b"dddd-dd-ddTdd:dd:dd";
    let fits = |(byte, form): (&u8, &u8)| if *form == b'd' { byte.is_ascii_digit() } else { byte == form };
    let head = text.get(..form.len())?;
    let is_rest = |byte: &&u8| byte.is_ascii_digit() || matches!(byte, b'.' | b':' | b'+' | b'-' | b'Z');
    let rest = text.iter().skip(form.len()).take_while(is_rest).count();
    let length = form.len() + rest;
    (head.iter().zip(form).all(fits) && rest > 0 && text.get(length) == Some(&b' ')).then_some(length)
}

fn has_stamp(text: Option<&[u8]>) -> bool {
    let text = text.unwrap_or_default();
    (0..text.len()).any(|at| text.get(at..).is_some_and(|rest| stamp(rest).is_some()))
}

/// How long the address is with which a text begins, with its port in parentheses; `None` if it begins with none.
fn address(text: &[u8]) -> Option<usize> {
    let length = if text.starts_with(b"[local]") {
        b"[local]".len()
    } else {
        let is_of_one = |byte: &&u8| byte.is_ascii_hexdigit() || matches!(byte, b'.' | b':');
        let run = text.iter().take(LONGEST_ADDRESS).take_while(is_of_one).count();
        (3..=run).rev().find(|length| text.get(..*length).is_some_and(is_address))?
    };
    let behind = text.get(length..).unwrap_or_default();
    let port = behind.strip_prefix(b"(").map_or(0, |port| port.iter().take_while(|byte| byte.is_ascii_digit()).count());
    let has_port = port > 0 && behind.get(port + 1) == Some(&b')');
    Some(if has_port { length + port + 2 } else { length })
}

/// `ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255`
const LONGEST_ADDRESS: usize = 45;

/// `::7` is more likely a number behind two colons.
fn is_address(text: &[u8]) -> bool {
    let address = std::str::from_utf8(text).ok().and_then(|text| text.parse::<IpAddr>().ok());
    address.is_some_and(|address| match address {
        IpAddr::V4(_) => true,
        IpAddr::V6(v6) => v6.is_loopback() || v6.to_ipv4_mapped().is_some() || v6.segments()[0] != 0,
    })
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
        // Names, and with them the address, stand before the process id.
        for (known, [system, first, second]) in [
            ("%t:%r:%u@%d:[%p]:", ["::@:[9]:", ":10.0.0.1(5):[unknown]@[unknown]:[77]:", ":10.0.0.1(5):a@b:[77]:"]),
            ("%t \u{2026} [%p] ", ["  [9] ", " 10.0.0.1 [77] ", " 10.0.0.1 [77] "]),
            ("%t|\u{2026}|%p|", ["|||9|", "|[unknown]|[unknown]|77|", "|a|b|77|"]),
            ("%t \u{2026} [%p] ", [" @ [9] ", " [unknown]@[unknown] [77] ", " a@b [77] "]),
            ("%t \u{2026} %c ", [" @ 6aaae7b1.2 ", " [unknown]@[unknown] 6aaae7b4.1dc3 ", " a@b 6aaae7b4.1dc3 "]),
            ("%t \u{2026},pid=%p ", [" client=,pid=9 ", " client=10.0.0.1,pid=77 ", " client=10.0.0.1,pid=77 "]),
        ] {
            let heads = [format!("{time}{system}"), format!("{time}{first}"), format!("{time}{second}")];
            assert_eq!(of([&heads[0], &heads[1], &heads[2]]).as_deref(), Some(known), "{first}");
        }
        // What counts the lines of a session is no process id, nor is a part of an address.
        for lines in [[" [1] ", " [1] ", " [2] "], [" 10.0.0.9: ", " 10.0.0.9: ", " 10.0.0.9: "]] {
            let heads = lines.map(|line| format!("{time}{line}"));
            let prefix = of([&heads[0], &heads[1], &heads[2]]).unwrap();
            assert!(!prefix.contains("%p") && !prefix.contains("%c"), "{prefix}");
        }
        assert_eq!(found(&["hello", "", "GET / HTTP/1.1"]), None);
    }
}
