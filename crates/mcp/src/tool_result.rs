//! From a result to what a client gets: the document, and a short text beside it.

use crate::tool_error::ToolTrouble;
use hostssl_formats::tool_json::{self, LeftAway, MOST_GAPS, ToolOutput};
use hostssl_model::Gap;
use hostssl_model::untrusted::{one_line, redact, visible_lines};
use rmcp::model::{CallToolResult, ContentBlock};

/// The longest text, in characters. What must be known comes first, and only the list behind it is cut.
const LONGEST_TEXT: usize = 12_000;
/// The longest line before the list, in characters.
const LONGEST_LINE: usize = 600;
/// The most bytes of a document: what clients of this protocol take is not far above.
const MOST_BYTES: usize = 1 << 20;
/// Gaps that stand in the text, and warnings.
const NAMED: usize = 5;

/// An answer of a tool.
pub(crate) struct ToolAnswer<'a> {
    pub(crate) output: ToolOutput<'a>,
    /// The figures.
    pub(crate) head: Vec<String>,
    /// A line for each element that is shown.
    pub(crate) list: Vec<String>,
}

impl ToolAnswer<'_> {
    /// The result of a call.
    pub(crate) fn finish(self) -> Result<CallToolResult, ToolTrouble> {
        let text = self.text();
        let document = tool_json::value(self.output).map_err(|error| ToolTrouble::defect(&error))?;
        bounded(&document)?;
        let mut result = CallToolResult::success(vec![ContentBlock::text(text)]);
        result.structured_content = Some(document);
        Ok(result)
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for line in self.head.iter().chain(&self.notes()) {
            text.push_str(&short(&one_line(line), LONGEST_LINE));
            text.push('\n');
        }
        let mut room = LONGEST_TEXT.saturating_sub(text.chars().count());
        for (index, line) in self.list.iter().enumerate() {
            let line = one_line(line);
            let length = line.chars().count() + 1;
            if length > room {
                let left = self.list.len() - index;
                text.push_str(&format!(
                    "The text ends here, without {}; the document has them.\n",
                    count_of(left, "line")
                ));
                break;
            }
            room -= length;
            text.push_str(&line);
            text.push('\n');
        }
        text
    }

    /// What is missing, before any list: a model may read no further, and a client may show it no more.
    fn notes(&self) -> Vec<String> {
        let output = &self.output;
        let mut notes = Vec::new();
        notes.extend(output.warnings.iter().take(NAMED).map(|one| format!("Warning: {one}.")));
        if let more @ 1.. = output.warnings.len().saturating_sub(NAMED) {
            notes.push(format!("Warning: {}; the document has them.", count_of(more, "more warning")));
        }
        let gap = |gap: &Gap| format!("Could not be checked: {}: {}", gap.scope, gap.unchecked.detail);
        notes.extend(output.gaps.iter().take(NAMED).map(gap));
        if let more @ 1.. = output.gaps.len().saturating_sub(NAMED) {
            notes.push(format!("Could not be checked: {}.", count_of(more, "more gap")));
        }
        if let Some((page, next)) = output.page.as_ref().and_then(|page| Some((page, page.next()?))) {
            let (left, all, of) = (page.matched - next, page.matched, page.of);
            notes.push(format!("Not in this result: {left} of {all} {of}. Ask again with offset {next} for more."));
        }
        let left = output.left_out.iter().filter(|one| one.count > 0);
        notes.extend(left.map(|one| format!("Left out: {} {}; {} shows them.", one.count, one.what, one.how)));
        notes
    }
}

/// Fails for a document that no client could use, rather than to cut it: a part would be read as the whole. Lists are parts already, so
/// only a single element can be so large.
fn bounded(document: &serde_json::Value) -> Result<(), ToolTrouble> {
    let bytes = serde_json::to_vec(document).map_err(|error| ToolTrouble::defect(&error))?.len();
    if bytes <= MOST_BYTES {
        return Ok(());
    }
    let what = format!("the result has {} KiB, and the most is {} KiB", bytes.div_ceil(1024), MOST_BYTES / 1024);
    Err(ToolTrouble::new(
        what,
        "ask for one server at a time, with `servers` or `limit`, or run `hostssl audit -o json` yourself",
    ))
}

/// Whether everything could be checked, in words.
pub(crate) fn coverage(complete: bool, gaps: &[Gap]) -> String {
    let words = if complete { "complete" } else { "NOT complete: not everything could be checked" };
    format!("Coverage: {words}; {}.", count_of(gaps.len(), "gap"))
}

/// The gaps that keep something from being known.
pub(crate) fn incomplete_gaps(gaps: &[Gap]) -> Vec<Gap> {
    gaps.iter().filter(|gap| gap.unchecked.reason.leaves_incomplete()).cloned().collect()
}

/// Gaps that are not in the document.
pub(crate) fn gaps_left(gaps: &[Gap], how: &str) -> LeftAway {
    LeftAway { what: "gaps", count: gaps.len().saturating_sub(MOST_GAPS), how: how.to_owned() }
}

/// A number with its noun.
pub(crate) fn count_of(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

fn short(text: &str, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
    }
}

impl ToolTrouble {
    /// The result of a call that came to nothing.
    pub(crate) fn result(&self) -> CallToolResult {
        let what = format!("error: {}", one_line(&self.what));
        let hint = self.hint.to_string();
        let hint = visible_lines(&hint).into_owned();
        let text = if hint.is_empty() { what } else { format!("{what}\nhint: {}", redact(&hint)) };
        CallToolResult::error(vec![ContentBlock::text(text)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_document_that_no_client_takes_is_an_error_and_no_part_of_it() {
        assert_eq!(bounded(&json!({ "name": "x".repeat(MOST_BYTES / 2) })), Ok(()));
        let trouble = bounded(&json!({ "name": "x".repeat(MOST_BYTES) })).unwrap_err();
        assert!(trouble.what.contains("1025 KiB") && trouble.what.contains("1024 KiB"), "{trouble:?}");
        assert_eq!(trouble.hint.commands().collect::<Vec<_>>(), ["hostssl audit -o json"]);
    }
}
