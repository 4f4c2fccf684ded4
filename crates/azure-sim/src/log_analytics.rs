//! The query API of Log Analytics, without its query language.
//!
//! A query is searched for the id of a server, for two times, and for whether hours are counted. The lines are those of the
//! server's log files, of a longer time: a workspace keeps them for a month, Azure keeps the files for seven days.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use axum::http::StatusCode;
use jiff::Timestamp;
use serde::Deserialize;

use crate::call::Call;
use crate::json::quoted;
use crate::logs;
use crate::reply::{self, Reply};
use crate::state::AzureState;

/// The workspace of the demonstration.
pub const DEMO_WORKSPACE: &str = "11111111-2222-3333-4444-555555555555";
/// Days that it keeps.
const KEPT_DAYS: i64 = 30;
/// The most rows of an answer ("Azure Monitor service limits").
const MOST_ROWS: usize = 500_000;

#[derive(Deserialize)]
struct Request {
    query: String,
}

/// Answers a query.
pub(crate) fn answer(call: &Call<'_>, simulation: &AzureState, workspace: &str) -> Reply {
    if !workspace.eq_ignore_ascii_case(DEMO_WORKSPACE) {
        return Reply::error(StatusCode::NOT_FOUND, "WorkspaceNotFoundError", "The workspace could not be found.");
    }
    let Ok(Request { query }) = serde_json::from_slice(call.body) else {
        return reply::bad_request("The request content is not a query.");
    };
    let (Some(server), Some((from, to))) = (id(&query), times(&query)) else {
        return Reply::error(
            StatusCode::BAD_REQUEST,
            "BadArgumentError",
            "The simulated Log Analytics takes queries for one server and one stretch of time.",
        );
    };
    let now = simulation.clock.now();
    let record = simulation.estate.server_by_id(server).map(|(_, record)| record);
    let log = record.and_then(|record| logs::kept(record, now, KEPT_DAYS)).unwrap_or_default();
    let lines = log.lines().filter_map(|line| Some((at(line)?, line))).filter(|(at, _)| (from..to).contains(at));
    Reply::json(if query.contains("summarize") { hours(lines) } else { rows(lines) })
}

/// The server's id, which stands in quotation marks.
fn id(query: &str) -> Option<&str> {
    query.split('"').find(|part| part.starts_with("/subscriptions/"))
}

/// The two times in `datetime(…)`, in seconds since 1970.
fn times(query: &str) -> Option<(i64, i64)> {
    let mut times =
        query.split("datetime(").skip(1).filter_map(|rest| rest.split(')').next()?.parse::<Timestamp>().ok());
    Some((times.next()?.as_second(), times.next()?.as_second()))
}

/// When a line of a log was written.
fn at(line: &str) -> Option<i64> {
    let (date, time) = (line.get(..10)?, line.get(11..19)?);
    format!("{date}T{time}Z").parse::<Timestamp>().ok().map(|at| at.as_second())
}

fn table(columns: &[(&str, &str)], rows: &str) -> String {
    let columns: Vec<String> =
        columns.iter().map(|(name, kind)| format!(r#"{{"name":"{name}","type":"{kind}"}}"#)).collect();
    format!(r#"{{"tables":[{{"name":"PrimaryResult","columns":[{}],"rows":[{rows}]}}]}}"#, columns.join(","))
}

fn hours<'a>(lines: impl Iterator<Item = (i64, &'a str)>) -> String {
    let mut hours: BTreeMap<i64, (u64, u64)> = BTreeMap::new();
    for (at, line) in lines {
        let hour = hours.entry(at.div_euclid(3_600) * 3_600).or_default();
        if line.contains("onnection") {
            hour.0 += 1;
            hour.1 += line.len() as u64;
        }
    }
    let rows: Vec<String> =
        hours.into_iter().map(|(at, (count, bytes))| format!("[{},{count},{bytes}]", quoted(&time(at)))).collect();
    table(&[("Hour", "datetime"), ("Connections", "long"), ("Bytes", "long")], &rows.join(","))
}

fn rows<'a>(lines: impl Iterator<Item = (i64, &'a str)>) -> String {
    let mut rows = String::new();
    for (at, line) in lines.filter(|(_, line)| line.contains("onnection")).take(MOST_ROWS) {
        let comma = if rows.is_empty() { "" } else { "," };
        // Writing to a string cannot fail.
        let _ = write!(rows, "{comma}[{},null,\"LOG\",{}]", quoted(&time(at)), quoted(line));
    }
    let columns = [("TimeGenerated", "datetime"), ("Pid", "long"), ("Severity", "string"), ("Text", "string")];
    table(&columns, &rows)
}

fn time(at: i64) -> String {
    Timestamp::from_second(at).unwrap_or_default().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_searched_for_what_counts() {
        let query = "union (T | where _ResourceId =~ \"/subscriptions/s/x\") | where TimeGenerated >= \
                     datetime(1970-01-01T00:00:00Z) and TimeGenerated < datetime(1970-01-01T01:00:00Z)";
        assert_eq!((id(query), times(query)), (Some("/subscriptions/s/x"), Some((0, 3_600))));
        assert_eq!((id("T"), times("T")), (None, None));
        assert_eq!(at("1970-01-01 00:01:00 UTC-1.2-LOG:  x"), Some(60));
    }
}
