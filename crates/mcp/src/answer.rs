//! From a result to what a client gets: the document, and a short text beside it.

use crate::source::ToolTrouble;
use hostssl_formats::tool_json::{self, ToolOutput};
use hostssl_model::untrusted::{one_line, redact, visible_lines};
use rmcp::model::{CallToolResult, ContentBlock};
use std::fmt::Write as _;

/// The longest text, in characters; the document has everything.
const LONGEST_TEXT: usize = 12_000;

/// An answer of a tool.
pub(crate) struct ToolAnswer<'a> {
    pub(crate) output: ToolOutput<'a>,
    /// What the result says, without what is left out.
    pub(crate) lines: Vec<String>,
}

impl ToolAnswer<'_> {
    /// The result of a call.
    pub(crate) fn finish(self) -> Result<CallToolResult, ToolTrouble> {
        let mut lines = self.lines;
        if let Some(page) = &self.output.page {
            lines.extend(page.next().map(|next| {
                let (left, all, of) = (page.matched - next, page.matched, page.of);
                format!("Not in this result: {left} of {all} {of}. Ask again with offset {next} for more.")
            }));
        }
        let left = self.output.left_out.iter().filter(|one| one.count > 0);
        lines.extend(left.map(|one| format!("Left out: {} {}; {} shows them.", one.count, one.what, one.how)));
        let document = tool_json::value(self.output).map_err(|error| ToolTrouble::defect(&error))?;
        let mut result = CallToolResult::success(vec![ContentBlock::text(cleaned(&lines))]);
        result.structured_content = Some(document);
        Ok(result)
    }
}

/// A number with its noun.
pub(crate) fn count_of(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// Lines as text, without secrets and harmful characters. Each is one line, so that no name begins a line of its own.
fn cleaned(lines: &[String]) -> String {
    let mut text = String::new();
    for line in lines {
        let _ = writeln!(text, "{}", one_line(line));
    }
    match text.char_indices().nth(LONGEST_TEXT) {
        None => text,
        Some((end, _)) => {
            format!("{}…\nThis text is cut; the document is whole.\n", text.get(..end).unwrap_or_default())
        }
    }
}

impl ToolTrouble {
    /// The result of a call that came to nothing.
    pub(crate) fn result(&self) -> CallToolResult {
        let what = format!("error: {}", one_line(&self.what));
        let hint = visible_lines(&self.hint).into_owned();
        let text = if hint.is_empty() { what } else { format!("{what}\nhint: {}", redact(&hint)) };
        CallToolResult::error(vec![ContentBlock::text(text)])
    }
}
