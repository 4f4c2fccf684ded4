//! `explain`: what an error of a client means.

use crate::asks::ExplainAsk;
use crate::tool_error::ToolTrouble;
use crate::tool_result::{ToolAnswer, count_of};
use crate::tools::ToolName;
use hostssl_explain::{Cause, explain as explain_one, explain_all};
use hostssl_formats::explain_json;
use hostssl_formats::tool_json::{LeftAway, ToolOutput};
use serde_json::Value;

/// The most explanations of a result: a log repeats itself.
const MOST: usize = 20;

pub(crate) fn explain(ask: &ExplainAsk) -> Result<ToolAnswer<'static>, ToolTrouble> {
    if ask.text.trim().is_empty() {
        return Err(ToolTrouble::new("there is no text to explain", "give the error as the client printed it"));
    }
    let mut found = explain_all(&ask.text);
    if found.is_empty() {
        found.push(explain_one(&ask.text));
    }
    let left = found.len().saturating_sub(MOST);
    found.truncate(MOST);
    let lines = found.iter().map(|one| {
        let herring = if one.red_herring { " (a red herring here)" } else { "" };
        let known = if one.cause == Cause::Unknown { "NOT known" } else { one.confidence.as_str() };
        format!("{}{herring}, confidence {known}: {} Next: {}", one.cause.as_str(), one.meaning, one.advice)
    });
    let list: Vec<String> = lines.collect();
    let headline = format!("{}.", count_of(list.len(), "explanation"));
    let explanations = explain_json::value(&found).map_err(|error| ToolTrouble::defect(&error))?;
    let output = ToolOutput {
        tool: ToolName::Explain.as_str(),
        simulated: None,
        kept: None,
        complete: None,
        gaps: Vec::new(),
        warnings: Vec::new(),
        page: None,
        left_out: vec![LeftAway { what: "explanations", count: left, how: "a shorter text".to_owned() }],
        untrusted: &["/result/explanations/*/matched"],
        result: Value::Object([("explanations".to_owned(), explanations)].into_iter().collect()),
    };
    Ok(ToolAnswer { output, head: vec![headline], list })
}
