//! Makes a pasted text comparable: no escapes, no wrapping, no letter case, and nothing of the names that users chose.

use hostssl_untrusted::is_harmful;

/// What stands for a quoted name.
const NAME: &str = "\"\"";

/// The most characters of a text that are read.
pub(super) const MAX_TEXT: usize = 65_536;

/// How far the end of a quoted value of a field is searched for: it may hold a message.
const MAX_QUOTED: usize = 2048;

/// How far the end of a name is searched for. PostgreSQL keeps 63 bytes of names, and repeats them as the client sent
/// them.
const MAX_NAME: usize = 300;

/// Messages in a log line in JSON in a log line: deeper is not a message.
const MAX_DEPTH: usize = 8;

/// The text on one line in lower case, each quoted name replaced by `""`.
pub(super) fn comparable(text: &str) -> String {
    let head: String = text.chars().take(MAX_TEXT).collect();
    let lines: Vec<String> = without_escapes(&head).lines().map(|line| closed(unquoted(line))).collect();
    let joined = lines.join("\n");
    // A paste that begins with a quote of its own, and lost the other end.
    let body = match joined.strip_prefix('"') {
        Some(rest) if joined.matches('"').count() % 2 == 1 => rest,
        _ => &joined,
    };
    let mut masked = String::with_capacity(body.len());
    mask(body, &mut masked, 0);
    masked.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

/// How a control sequence begins: as a byte, as a terminal shows it, and as JSON and shells write it.
const SEQUENCE: &[&str] = &["\u{1b}[", "\u{9b}", "^[[", "\\u001b[", "\\x1b[", "\\033[", "\\e["];

/// Removes what moves a cursor or changes a colour, and makes quotes, hyphens and line ends plain.
fn without_escapes(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if let Some(after) = SEQUENCE.iter().find_map(|start| rest.strip_prefix(start)) {
            let end = after.trim_start_matches(|c: char| ('\u{20}'..='\u{3f}').contains(&c));
            rest = end.strip_prefix(|c: char| ('\u{40}'..='\u{7e}').contains(&c)).unwrap_or(end);
        } else if let Some(after) = rest.strip_prefix("\u{1b}]") {
            // A title: to BEL or ST, or nothing more is to be seen.
            let end = after.find(['\u{7}', '\u{1b}', '\u{9c}']).unwrap_or(after.len());
            rest = after.get(end..).unwrap_or_default();
        } else if let Some(after) = ["&quot;", "&#34;"].iter().find_map(|entity| rest.strip_prefix(entity)) {
            plain.push('"');
            rest = after;
        } else if let Some(after) = ["\\r", "\\n", "\\t"].iter().find_map(|escape| rest.strip_prefix(escape)) {
            plain.push(' ');
            rest = after;
        } else {
            match c {
                '“' | '”' | '„' | '‟' | '＂' => plain.push('"'),
                '‘' | '’' => plain.push('\''),
                '\u{2010}' | '\u{2011}' => plain.push('-'),
                '\n' => plain.push('\n'),
                c if c.is_control() || c.is_whitespace() => plain.push(' '),
                // Invisible, and would part a word: zero width, directions, byte order mark, soft hyphen.
                c if is_harmful(c) => {}
                c => plain.push(c),
            }
            rest = rest.get(c.len_utf8()..).unwrap_or_default();
        }
    }
    plain
}

/// A line of a mail or an issue that quotes the text.
fn unquoted(line: &str) -> &str {
    line.trim_start_matches(['>', '|', '│', ' '])
}

/// What PostgreSQL's Japanese catalogue forgets to close, and what comes after that name.
const FORGOTTEN: &[(&str, &str)] =
    &[("データベース", ", 暗号化なし用の"), ("データベース", ", SSL暗号化用の"), ("データベース", ", GSS暗号化用の")];

/// Adds the quotes that a translation lacks.
fn closed(line: &str) -> String {
    let mut line = line.to_owned();
    for (word, after) in FORGOTTEN {
        let mut closed = String::new();
        for (index, piece) in line.split(after).enumerate() {
            if index > 0 {
                let quote = closed.rsplit_once(word).map(|(_, name)| name.split_inclusive('"').collect::<Vec<_>>());
                if let Some([quote, _]) = quote.as_deref()
                    && quote.trim_start_matches('\\') == "\""
                {
                    let quote = (*quote).to_owned();
                    closed.push_str(&quote);
                }
                closed.push_str(after);
            }
            closed.push_str(piece);
        }
        line = closed;
    }
    line
}

/// Copies `text` to `out` and leaves a mark for each quoted name. A quoted message is opened instead.
fn mask(text: &str, out: &mut String, depth: usize) {
    let mut rest = text;
    while let Some(at) = rest.find(['"', '«', '»', '`', '\'']) {
        let (before, quoted) = rest.split_at(at);
        out.push_str(before);
        let mut after = quoted.chars();
        let quote = after.next().unwrap_or('"');
        let after = after.as_str();
        let read = text.get(..text.len() - quoted.len()).unwrap_or_default();
        rest = match quote {
            '"' => double_quoted(read, after, out, depth),
            '«' => between(after, '»', MAX_NAME).map_or(after, |(_, rest)| named(out, rest)),
            '»' => between(after, '«', MAX_NAME).map_or(after, |(_, rest)| named(out, rest)),
            // A connection string of pgx. Other text in backticks is how people paste messages.
            '`' => match between(after, '`', MAX_QUOTED) {
                Some((inner, rest)) if inner.contains("user=") || inner.contains("host=") => named(out, rest),
                _ => after,
            },
            _ => match between(after, '\'', MAX_NAME) {
                Some((_, rest)) if announces_name(read) => named(out, rest),
                // An apostrophe, or how a code is written.
                _ => {
                    out.push(quote);
                    after
                }
            },
        };
    }
    out.push_str(rest);
}

/// Leaves the mark of a name and continues with `rest`.
fn named<'t>(out: &mut String, rest: &'t str) -> &'t str {
    out.push_str(NAME);
    rest
}

/// What is before and after `end` on the same line, within `limit` bytes.
fn between(text: &str, end: char, limit: usize) -> Option<(&str, &str)> {
    let at = text.get(..text.floor_char_boundary(limit))?.find([end, '\n'])?;
    let (inner, rest) = text.split_at(at);
    Some((inner, rest.strip_prefix(end)?))
}

/// Handles what follows a double quote; `read` is the text before it. Returns what is still to be read.
fn double_quoted<'t>(read: &str, after: &'t str, out: &mut String, depth: usize) -> &'t str {
    if let Some((field, rest)) = csv_field(read, after)
        && depth < MAX_DEPTH
    {
        out.push(' ');
        mask(&field, out, depth + 1);
        out.push(' ');
        return rest;
    }
    // In JSON and in debug output the quotes of names have backslashes, and close with as many.
    let slashes = read.len() - read.trim_end_matches('\\').len();
    let opens = depth < MAX_DEPTH && announces_message(read);
    let is_value =
        read.trim_end_matches(['\\', ' ']).ends_with(['(', '[', '{', ':', '=', ',']) || read.trim().is_empty();
    // The end of a name with quotes in it: none begins within a word and before a space.
    if read.ends_with(|c: char| c.is_ascii_alphanumeric()) && after.starts_with(' ') {
        return named(out, after);
    }
    let Some((inner, rest, escaped)) =
        to_closing(after, slashes, if opens || is_value { MAX_QUOTED } else { MAX_NAME })
    else {
        return if opens { after } else { named(out, next_line(after)) };
    };
    if opens || (escaped && is_value && depth < MAX_DEPTH) {
        out.push(' ');
        mask(inner, out, depth + 1);
        out.push(' ');
        return rest;
    }
    if inner.contains('\n') && inner.len() > MAX_NAME {
        return named(out, next_line(after));
    }
    out.truncate(out.trim_end_matches('\\').len());
    named(out, rest)
}

/// A field of PostgreSQL's csvlog that holds quotes, which are doubled there, and what follows it.
fn csv_field<'t>(read: &str, after: &'t str) -> Option<(String, &'t str)> {
    if !(read.ends_with(',') || read.is_empty() || read.ends_with('\n')) {
        return None;
    }
    let window = after.get(..after.floor_char_boundary(MAX_QUOTED))?;
    let mut skip = false;
    for (at, _) in window.match_indices('"') {
        let rest = after.get(at + 1..)?;
        if skip || rest.starts_with('"') {
            skip = !skip;
            continue;
        }
        let field = after.get(..at)?;
        let ends = rest.is_empty() || rest.starts_with([',', '\n']);
        return (ends && field.contains("\"\"")).then(|| (field.replace("\"\"", "\""), rest));
    }
    None
}

/// What follows a name that was cut: nothing of its line may count.
fn next_line(text: &str) -> &str {
    text.find('\n').and_then(|end| text.get(end..)).unwrap_or_default()
}

/// Finds the quote with as many backslashes as the opening one that no word goes on after. Tells what is inside, what
/// follows, and whether quotes with more backslashes are inside.
fn to_closing(text: &str, slashes: usize, limit: usize) -> Option<(&str, &str, bool)> {
    let window = text.get(..text.floor_char_boundary(limit))?;
    let mut escaped = false;
    for (at, _) in window.match_indices('"') {
        let before = text.get(..at)?;
        let inner = before.trim_end_matches('\\');
        let run = before.len() - inner.len();
        let rest = text.get(at + 1..)?;
        let goes_on = rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
        if run == slashes && !goes_on {
            return Some((inner, rest, escaped));
        }
        escaped |= run > slashes;
    }
    None
}

/// Fields of logs and of debug output that hold a message or a code.
const FIELDS: &[&str] = &[
    "message",
    "msg",
    "code",
    "sqlstate",
    "errorcode",
    "reason",
    "cause",
    "description",
    "detail",
    "details",
    "stack",
    "stderr",
    "output",
    "log",
];

/// Fields only where written as such: these words also come before a name in prose.
const STRICT_FIELDS: &[&str] = &["error", "err"];

/// Whether what comes next is a message: `"message": "`, `msg="`, `message: \"`.
fn announces_message(read: &str) -> bool {
    let read = read.trim_end_matches('\\').trim_end();
    let Some(key) = read.strip_suffix([':', '=']) else { return false };
    let is_assigned = read.ends_with('=');
    let unquoted = key.trim_end().trim_end_matches(['"', '\'', '\\']);
    let is_quoted = unquoted.len() < key.trim_end().len();
    let ends_with = |field: &&str| {
        unquoted.len() >= field.len()
            && unquoted.get(unquoted.len() - field.len()..).is_some_and(|end| end.eq_ignore_ascii_case(field))
    };
    FIELDS.iter().any(&ends_with) || ((is_quoted || is_assigned) && STRICT_FIELDS.iter().any(ends_with))
}

/// Words before a name in single quotes.
const NAMED: &[&str] = &["user", "username", "role", "database", "dbname", "host", "hostname", "server", "name"];

/// Whether a quote after this is that of a name.
fn announces_name(read: &str) -> bool {
    let Some(word) = read.strip_suffix([' ', '=']) else { return false };
    let word = word.rsplit(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
    NAMED.iter().any(|named| named.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_are_left_out() {
        for (text, expected) in [
            ("role \"x\" does not\n exist", "role \"\" does not exist"),
            ("Rolle »a b« existiert", "rolle \"\" existiert"),
            ("l'hôte « h », n'existe", "l'hôte \"\", n'existe"),
            ("user \"a\"b\", x", "user \"\", x"),
            ("user \"cut here", "user \"\""),
            ("user \\\"u\\\", x", "user \"\", x"),
            ("{\"message\":\"for \\\"h\\\" x\",\"n\":\"m\"}", "{\"\": for \"\" x ,\"\":\"\"}"),
            ("database 'x y' isn't", "database \"\" isn't"),
            ("a\u{1b}[1;31mb\u{9b}0mc\\u001b[0md", "abcd"),
        ] {
            assert_eq!(comparable(text), expected, "{text}");
        }
    }

    /// Without its bounds it does not come to an end.
    #[test]
    fn many_quotes_are_read_to_the_end() {
        for unit in ["\"a", "\"a\n", ":\"a\n", "\\\"", "`a", "»", "message=\"", "user '"] {
            comparable(&unit.repeat(MAX_TEXT / 4 / unit.len()));
        }
    }

    proptest! {
        #[test]
        fn one_line_without_controls(text in any::<String>()) {
            prop_assert!(!comparable(&text).contains(char::is_control));
        }
    }
}
