//! What a filter asks of the database.

use super::column_codes::{Code as _, outcome_code};
use super::rows::ServerSource;
use super::types::{AuditEntry, ServerFilter};
use hostssl_model::Word;
use rusqlite::types::Value;

/// The condition that a filter makes, with its values. The audit is the first.
pub(crate) fn condition(audit: &AuditEntry, filter: &ServerFilter) -> (String, Vec<Value>) {
    let source = ServerSource::of(audit);
    let mut condition = Condition { sql: source.condition.to_owned(), values: vec![Value::Integer(source.value)] };
    let texts = [
        ("s.subscription = ", Some(filter.subscription.as_str())),
        ("o.state = ", Some(filter.state.as_str())),
        ("s.kind = ", filter.kind.as_ref().map(Word::as_str)),
        ("o.reason = ", filter.reason.as_ref().map(Word::as_str)),
        ("o.wire = ", filter.wire.as_ref().map(Word::as_str)),
        ("o.tls = ", filter.floor.as_ref().map(Word::as_str)),
    ];
    for (before, text) in texts {
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            condition.and(before, text.to_owned(), "");
        }
    }
    if let Some(outcome) = filter.outcome {
        condition.and("o.outcome = ", outcome_code(outcome), "");
    }
    if let Some(enforcement) = filter.enforcement {
        condition.and("o.enforcement = ", enforcement.code(), "");
    }
    if let Some(control) = &filter.failing {
        condition.and("instr(',' || o.failing || ',', ',' || ", control.as_str().to_owned(), " || ',')");
    }
    if !filter.standings.is_empty() {
        let codes: Vec<String> = filter.standings.iter().map(|standing| standing.code().to_string()).collect();
        condition.and_literally(&format!("o.standing IN ({})", codes.join(", ")));
    }
    certificates(&mut condition, audit, filter);
    tags(&mut condition, filter);
    if !filter.search.is_empty() {
        let text = condition.bind(filter.search.to_lowercase());
        condition.and_literally(&format!(
            "(instr(lower(s.name), {text}) OR instr(lower(s.resource_group), {text}) \
             OR instr(lower(n.name), {text}) OR s.subscription = {text} OR s.id = {text})"
        ));
    }
    (condition.sql, condition.values)
}

/// Only the present knows when certificates end.
fn certificates(condition: &mut Condition, audit: &AuditEntry, filter: &ServerFilter) {
    if audit.present.is_none() {
        return;
    }
    if let Some(moment) = filter.expires_before_ms {
        condition.and("o.expires_ms < ", moment, "");
    }
    if let Some(moment) = filter.expires_from_ms {
        condition.and("o.expires_ms >= ", moment, "");
    }
    if filter.no_certificate {
        condition.and_literally("o.expires_ms IS NULL");
    }
}

fn tags(condition: &mut Condition, filter: &ServerFilter) {
    if let Some((name, value)) = &filter.tag {
        let (name, value) = (condition.bind(name.clone()), condition.bind(value.clone()));
        condition
            .and_literally(&format!("o.facts IN (SELECT facts FROM tags WHERE name = {name} AND value = {value})"));
    }
    if !filter.untagged.is_empty() {
        condition.and("o.facts NOT IN (SELECT facts FROM tags WHERE name = ", filter.untagged.clone(), ")");
    }
}

/// A condition with the values of its parameters. No value ever becomes a part of the text.
struct Condition {
    sql: String,
    values: Vec<Value>,
}

impl Condition {
    /// The parameter that stands for a value.
    fn bind(&mut self, value: impl Into<Value>) -> String {
        self.values.push(value.into());
        format!("?{}", self.values.len())
    }

    /// One more thing that must hold, around the parameter for a value.
    fn and(&mut self, before: &str, value: impl Into<Value>, after: &str) {
        let parameter = self.bind(value);
        self.and_literally(&format!("{before}{parameter}{after}"));
    }

    fn and_literally(&mut self, sql: &str) {
        self.sql.push_str(" AND ");
        self.sql.push_str(sql);
    }
}
