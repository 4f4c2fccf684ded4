//! What changed between two audits, as messages of chats: Slack and Microsoft Teams.

use crate::diff_text::{counts, waiver, what, word};
use crate::headline::headline;
use crate::markdown_text::escaped;
use crate::safe;
use crate::who_text;
use hostssl_audit::{Change, Diff};
use hostssl_model::AuditReport;
use serde_json::{Value, json};

/// Changes that are named; a message of Teams may have 28 KB at most (Microsoft, "Create an Incoming Webhook").
const NAMED: usize = 20;
/// Characters of one change, at most.
const LONGEST: usize = 300;

/// A message for an incoming webhook of Slack.
#[must_use]
pub fn slack(after: &AuditReport, diff: &Diff<'_>) -> Value {
    let mut lines = vec![format!("*{}*", slack_text(&headline(after))), slack_text(&below(after, diff))];
    lines.extend(diff.changes.iter().take(NAMED).map(|change| {
        let (title, detail) = parts(change);
        format!("• {}: {}", slack_text(&title), slack_text(&detail))
    }));
    lines.extend(more(diff));
    json!({ "text": lines.join("\n") })
}

/// Text that Slack shows as it is: these three characters begin links and mentions (Slack, "Formatting text").
fn slack_text(text: &str) -> String {
    safe(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// A message with an Adaptive Card for a workflow of Microsoft Teams.
#[must_use]
pub fn teams(after: &AuditReport, diff: &Diff<'_>) -> Value {
    let text = |text: &str| json!({ "type": "TextBlock", "text": escaped(text), "wrap": true });
    let facts = diff.changes.iter().take(NAMED).map(|change| {
        let (title, detail) = parts(change);
        json!({ "title": escaped(&title), "value": escaped(&detail) })
    });
    let mut title = text(&headline(after));
    title["size"] = "Large".into();
    title["weight"] = "Bolder".into();
    let mut body =
        vec![title, text(&below(after, diff)), json!({ "type": "FactSet", "facts": facts.collect::<Vec<_>>() })];
    body.extend(more(diff).map(|more| text(&more)));
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "msteams": { "width": "Full" },
                "body": body,
            },
        }],
    })
}

/// What changed in numbers, and how much was seen.
fn below(after: &AuditReport, diff: &Diff<'_>) -> String {
    let run = &after.run;
    let coverage = if run.complete { "complete" } else { "incomplete" };
    let mut text =
        format!("{}; coverage {coverage}, cloud {}, audit {} of {}", counts(diff), run.cloud, run.id, run.finished_at);
    if !diff.not_compared.is_empty() {
        let ids: Vec<&str> = diff.not_compared.iter().map(|id| id.as_str()).collect();
        text += &format!("; not compared: {}", ids.join(", "));
    }
    if !diff.not_in_scope.is_empty() {
        let mut names: Vec<&str> = diff.not_in_scope.iter().map(|one| one.server.server.name()).collect();
        let more = names.len().saturating_sub(NAMED);
        names.truncate(NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        text += &format!("; in the scope of one of the two audits alone: {}{more}", names.join(", "));
    }
    text
}

/// A change in two parts: what and where, and from what to what.
fn parts(change: &Change<'_>) -> (String, String) {
    let server = format!("{} ({})", change.server.name(), change.server.id.resource_group());
    let control = change.control().map(|id| format!(" {id}")).unwrap_or_default();
    let short = |text: String| text.chars().take(LONGEST).collect::<String>();
    let who = change.who.as_ref().map(|who| format!("; {}", short(who_text::words(who)))).unwrap_or_default();
    let waiver = waiver(change).map(|waiver| format!("; {}", short(waiver))).unwrap_or_default();
    let detail = short(what(change));
    (format!("{} {server}", word(change.difference).0), format!("{detail}{control}{waiver}{who}").trim().to_owned())
}

fn more(diff: &Diff<'_>) -> Option<String> {
    (diff.changes.len() > NAMED).then(|| format!("… and {} more; `hostssl diff` lists all", diff.changes.len() - NAMED))
}
