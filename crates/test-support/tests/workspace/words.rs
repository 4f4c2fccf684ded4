//! What people read is written in the words of the glossary in CONTRIBUTING.md: sources, templates and documentation have
//! none of those that it lists under "not".

use crate::{crates, members, program};
use std::path::Path;

/// Where a word is right all the same: the beginning of a path, the word, and why.
const ALLOWED: [(&str, &str, &str); 2] =
    [("CONTRIBUTING.md", "", "it lists the words"), ("crates/store/src/audits/", "unseen", "the name of a column")];

/// The words under "not", by the table in CONTRIBUTING.md whose first row is "write" and "not".
fn banned(contributing: &str) -> Vec<String> {
    let table = contributing.split("| write | not |").nth(1).unwrap().trim_start();
    let rows = table.lines().skip(1).take_while(|line| line.starts_with('|'));
    let cells = rows.map(|row| row.split('|').nth(2).unwrap());
    cells.flat_map(|cell| cell.split(',')).map(|words| words.trim().to_owned()).collect()
}

/// Where `text`, which is in lower case with single spaces, holds these words, each as it is or with an ending.
fn find(text: &str, words: &str) -> Option<usize> {
    let first = words.split(' ').next().unwrap();
    let whole = |at: usize| !text[..at].ends_with(|last: char| last.is_alphanumeric() || last == '_');
    text.match_indices(first).map(|(at, _)| at).find(|&at| whole(at) && begins_with(&text[at..], words))
}

fn begins_with(text: &str, words: &str) -> bool {
    let (word, other_words) = words.split_once(' ').map_or((words, None), |(word, others)| (word, Some(others)));
    let Some(rest) = text.strip_prefix(word) else { return false };
    let (ending, rest) = rest.split_at(rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len()));
    let ends = ["", "s", "es", "d", "ed", "ing"].contains(&ending);
    ends && other_words.is_none_or(|words| rest.strip_prefix(' ').is_some_and(|rest| begins_with(rest, words)))
}

fn one_line(text: &str) -> String {
    text.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The comments and the texts of a source. A text without a space is a code, not prose.
fn prose(source: &str) -> String {
    let mut prose = String::new();
    let mut rest = source;
    while let Some(at) = rest.find(['"', '/', '\'', '#']) {
        let (before, found) = rest.split_at(at);
        let raw = found.trim_start_matches('#');
        let marks = &found[..found.len() - raw.len()];
        if raw.starts_with('"') && before.ends_with('r') {
            let end = format!("\"{marks}");
            let (text, after) = raw[1..].split_once(&end).unwrap_or((&raw[1..], ""));
            add(&mut prose, text);
            rest = after;
        } else if let Some(text) = found.strip_prefix('"') {
            let mut escaped = false;
            let end = text.find(|c| {
                let ends = c == '"' && !escaped;
                escaped = c == '\\' && !escaped;
                ends
            });
            let (text, after) = text.split_at(end.unwrap_or(text.len()));
            add(&mut prose, &text.replace("\\\n", " "));
            rest = after.get(1..).unwrap_or_default();
        } else if found.starts_with("//") {
            let (line, after) = found.split_once('\n').unwrap_or((found, ""));
            prose.push_str(line.trim_start_matches(['/', '!']));
            prose.push('\n');
            rest = after.trim_start();
        } else {
            let quoted = ["'\"'", "'\\\"'", "'/'", "'#'", "'\\''"].into_iter().find(|quoted| found.starts_with(quoted));
            rest = &found[quoted.map_or(1, str::len)..];
        }
    }
    prose
}

fn add(prose: &mut String, text: &str) {
    if text.trim().contains(' ') {
        prose.push_str(text);
    }
    // A full stop: what stands in two texts is no phrase.
    prose.push_str(" . ");
}

/// What people read, by paths below the repository.
fn readings() -> Vec<(String, String)> {
    let root = crates().parent().unwrap();
    let mut found = Vec::new();
    for member in members() {
        let sources = program(&member).into_iter();
        found.extend(sources.map(|(path, source)| (format!("crates/{path}"), prose(&source))));
    }
    for place in ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "docs", "crates/console/templates"] {
        pages(root, &root.join(place), &mut found);
    }
    found
}

fn pages(root: &Path, place: &Path, found: &mut Vec<(String, String)>) {
    if place.is_dir() {
        for entry in std::fs::read_dir(place).unwrap() {
            pages(root, &entry.unwrap().path(), found);
        }
    } else if place.extension().is_some_and(|ending| ["md", "json", "html"].iter().any(|text| ending == *text)) {
        let path = place.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
        found.push((path, std::fs::read_to_string(place).unwrap()));
    }
}

#[test]
fn the_words_of_the_glossary_are_kept() {
    let readings = readings();
    let (_, contributing) = readings.iter().find(|(path, _)| path == "CONTRIBUTING.md").unwrap();
    let banned = banned(contributing);
    assert!(banned.len() > 15 && banned.iter().all(|words| !words.is_empty()), "{banned:?}");
    assert!(readings.len() > 350, "{}", readings.len());
    let mut faults = Vec::new();
    for (path, text) in &readings {
        let text = one_line(text);
        for words in &banned {
            let allowed =
                ALLOWED.iter().any(|(place, word, _)| path.starts_with(place) && (word.is_empty() || word == words));
            if let Some(at) = find(&text, words).filter(|_| !allowed) {
                let excerpt: String = text[at..].chars().take(60).collect();
                faults.push(format!("{path}: `{words}`: {excerpt}"));
            }
        }
    }
    assert!(faults.is_empty(), "words that CONTRIBUTING.md replaces:\n{}", faults.join("\n"));
}

#[test]
fn what_is_allowed_is_there() {
    let readings = readings();
    for (place, words, why) in ALLOWED {
        let mut texts = readings.iter().filter(|(path, _)| path.starts_with(place));
        assert!(texts.any(|(_, text)| words.is_empty() || find(&one_line(text), words).is_some()), "{place}: {why}");
    }
}

#[test]
fn prose_is_comments_and_texts() {
    let source =
        "let estate = 'x'; // in\n/// clear\nlet a = \"by \\\n hand\"; let q = '\"'; f(r#\"a \"b\" c\"#, \"unseen\");";
    assert_eq!(one_line(&prose(source)), "in clear by hand . a \"b\" c . .");
    assert_eq!(find("what it let in there", "let in"), Some(8));
    assert!(find("it mends that", "mend").is_some() && find("amends, recommend, mend_it", "mend").is_none());
}
