//! What a filter asks of the database.

use super::codes::{Code as _, outcome_code};
use super::rows::ServerSource;
use super::types::{AuditEntry, ServerFilter};
use rusqlite::types::Value;

/// The condition that a filter makes, with its values. The audit is the first.
pub(crate) fn condition(audit: &AuditEntry, filter: &ServerFilter) -> (String, Vec<Value>) {
    let source = ServerSource::of(audit);
    let mut sql = source.condition.to_owned();
    let mut values = vec![Value::Integer(source.value)];
    let mut equal = |column: &str, value: Value| {
        values.push(value);
        sql.push_str(&format!(" AND {column} = ?{}", values.len()));
    };
    let texts = [
        ("s.subscription", &filter.subscription),
        ("o.state", &filter.state),
        ("o.reason", &filter.reason),
        ("o.wire", &filter.wire),
        ("o.tls", &filter.floor),
    ];
    for (column, text) in texts.into_iter().filter(|(_, text)| !text.is_empty()) {
        equal(column, Value::Text(text.clone()));
    }
    if let Some(outcome) = filter.outcome {
        equal("o.outcome", Value::Integer(outcome_code(outcome)));
    }
    if let Some(enforcement) = filter.enforcement {
        equal("o.enforcement", Value::Integer(enforcement.code()));
    }
    if !filter.failing.is_empty() {
        values.push(Value::Text(filter.failing.clone()));
        sql.push_str(&format!(" AND instr(',' || o.failing || ',', ',' || ?{} || ',')", values.len()));
    }
    if let (Some(moment), Some(_)) = (filter.expires_before_ms, audit.present) {
        values.push(Value::Integer(moment));
        sql.push_str(&format!(" AND o.expires_ms < ?{}", values.len()));
    }
    if let (Some(moment), Some(_)) = (filter.expires_from_ms, audit.present) {
        values.push(Value::Integer(moment));
        sql.push_str(&format!(" AND o.expires_ms >= ?{}", values.len()));
    }
    if let Some((name, value)) = &filter.tag {
        values.extend([Value::Text(name.clone()), Value::Text(value.clone())]);
        let (name, value) = (values.len() - 1, values.len());
        sql.push_str(&format!(" AND o.facts IN (SELECT facts FROM tags WHERE name = ?{name} AND value = ?{value})"));
    }
    if !filter.untagged.is_empty() {
        values.push(Value::Text(filter.untagged.clone()));
        sql.push_str(&format!(" AND o.facts NOT IN (SELECT facts FROM tags WHERE name = ?{})", values.len()));
    }
    if filter.no_certificate && audit.present.is_some() {
        sql.push_str(" AND o.expires_ms IS NULL");
    }
    if !filter.standings.is_empty() {
        let codes: Vec<String> = filter.standings.iter().map(|standing| standing.code().to_string()).collect();
        sql.push_str(&format!(" AND o.standing IN ({})", codes.join(", ")));
    }
    if !filter.kinds.is_empty() {
        let places: Vec<String> = filter
            .kinds
            .iter()
            .map(|kind| {
                values.push(Value::Text(kind.clone()));
                format!("?{}", values.len())
            })
            .collect();
        sql.push_str(&format!(" AND s.kind IN ({})", places.join(", ")));
    }
    if !filter.search.is_empty() {
        values.push(Value::Text(filter.search.to_lowercase()));
        let place = values.len();
        sql.push_str(&format!(
            " AND (instr(lower(s.name), ?{place}) OR instr(lower(s.resource_group), ?{place}) \
             OR instr(lower(n.name), ?{place}) OR s.subscription = ?{place} OR s.id = ?{place})"
        ));
    }
    (sql, values)
}
