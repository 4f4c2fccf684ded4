//! The query API of Log Analytics: what servers sent there by their diagnostic settings.
//!
//! Two tables hold the same lines, which one is up to the diagnostic setting: `PGSQLServerLogs`, and `AzureDiagnostics`
//! with the category `PostgreSQLLogs` (Azure Monitor, "Tables"). The API ends an answer at 500,000 rows, 64 MB or ten
//! minutes ("Azure Monitor service limits"), and then says so in an `error` beside the rows, so that what is asked for
//! at once is kept far below that.

use crate::StopSignal;
use crate::answer::{read_whole, transport_error};
use crate::error::one_line;
use crate::{Arm, ArmError};
use azure_core::http::policies::auth::BearerTokenAuthorizationPolicy;
use azure_core::http::{ClientOptions, Context, Method, Pipeline, PipelineStreamOptions, Request, RetryOptions, Url};
use hostssl_model::ResourceId;
use hostssl_model::Stop;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

/// Messages of one slice of time, at most: a fifth of what an answer may hold.
const MOST_ROWS: u64 = 100_000;
/// Bytes of messages of one slice, at most: a quarter of what an answer may hold.
const MOST_BYTES: u64 = 16 << 20;
/// The parts that an hour is cut into, at most.
const MOST_PARTS: u64 = 360;
/// What is counted at once, in seconds.
const HOUR: i64 = 3_600;

/// A log line as Log Analytics has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnalyticsLine {
    /// When it was written, RFC 3339.
    pub at: String,
    /// The process that wrote it.
    pub pid: Option<u64>,
    /// Its severity.
    pub severity: String,
    /// The message, in most workspaces with the line's prefix before it.
    pub message: String,
}

/// An hour of which there are lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnalyticsHour {
    /// Its beginning, in seconds since 1970.
    pub from: i64,
    /// Lines about connections.
    pub connections: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// A stretch of time that is asked for at once, in seconds since 1970; the end is not part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnalyticsSlice {
    /// Its beginning.
    pub from: i64,
    /// Its end.
    pub to: i64,
}

/// Queries of one client in progress at once. Five of one user are allowed.
const AT_ONCE: usize = 4;
/// Time for one query. The service gives three minutes unless it is asked for more.
const PATIENCE: Duration = Duration::from_secs(200);
/// How often a query is sent that is refused for a time.
const TRIES: u32 = 5;
/// The longest wait before a query is sent again.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// A workspace of Log Analytics, asked under an identity. The token for it goes to its own origin and nowhere else.
#[derive(Debug)]
pub struct LogAnalytics {
    pipeline: Pipeline,
    url: Url,
    stop: StopSignal,
    body_bytes: usize,
    /// Of the query language: whether `Text` is about a connection.
    is_connection: String,
    under_way: Semaphore,
}

impl LogAnalytics {
    /// The workspace with the id `workspace`, a GUID. Lines with one of `pieces` are about connections. `None` in a
    /// cloud whose query API is not known.
    #[must_use]
    pub fn new(arm: &Arm, workspace: &str, pieces: &[&str]) -> Option<Self> {
        let (mut url, scope) = arm.cloud().log_analytics()?;
        url.path_segments_mut().ok()?.pop_if_empty().extend(["v1", "workspaces", workspace, "query"]);
        let bearer = Arc::new(BearerTokenAuthorizationPolicy::new(arm.credential(), [scope]));
        let options =
            ClientOptions { transport: Some(arm.transport()), retry: RetryOptions::none(), ..ClientOptions::default() };
        let version = env!("CARGO_PKG_VERSION");
        let pipeline = Pipeline::new(Some("hostssl"), Some(version), options, Vec::new(), vec![bearer], None);
        let contains: Vec<String> = pieces.iter().map(|piece| format!("Text contains_cs {}", quoted(piece))).collect();
        Some(Self {
            pipeline,
            url,
            stop: arm.stop(),
            body_bytes: arm.limits().body_bytes,
            is_connection: contains.join(" or "),
            under_way: Semaphore::new(AT_ONCE),
        })
    }

    /// The hours within `slice` of which there are lines of the server, in order.
    ///
    /// # Errors
    ///
    /// [`ArmError`], also where an answer is cut off.
    pub async fn hours(&self, server: &ResourceId, slice: AnalyticsSlice) -> Result<Vec<AnalyticsHour>, ArmError> {
        let query = format!(
            "{} | where {} | extend IsConnection = {} \
             | summarize Connections = countif(IsConnection), Bytes = sumif(strlen(Text), IsConnection) \
             by Hour = bin(TimeGenerated, 1h) | order by Hour asc",
            lines_of(server),
            within(slice),
            self.is_connection
        );
        let rows = self.ask(&query, &["Hour", "Connections", "Bytes"]).await?;
        rows.iter().map(|row| hour(row)).collect()
    }

    /// The lines about connections of one slice, in the order in which they were written.
    ///
    /// # Errors
    ///
    /// [`ArmError`], also where an answer is cut off.
    pub async fn lines(&self, server: &ResourceId, slice: AnalyticsSlice) -> Result<Vec<AnalyticsLine>, ArmError> {
        let query = format!(
            "{} | where {} | where {} | order by TimeGenerated asc | project TimeGenerated, Pid, Severity, Text",
            lines_of(server),
            within(slice),
            self.is_connection
        );
        let rows = self.ask(&query, &["TimeGenerated", "Pid", "Severity", "Text"]).await?;
        Ok(rows.iter().map(|row| line(row)).collect())
    }

    /// Asks, and checks that the answer is whole and has the columns that were asked for.
    async fn ask(&self, query: &str, columns: &[&str]) -> Result<Vec<Vec<Value>>, ArmError> {
        let mut stop = self.stop.clone();
        let body = json!({ "query": query }).to_string();
        let Ok(_under_way) = self.under_way.acquire().await else {
            return Err(ArmError::NotSent("the client was closed".to_owned()));
        };
        let answer = tokio::select! {
            biased;
            stopped = stop.wait_for(Option::is_some) => {
                return Err(ArmError::Stopped(stopped.ok().and_then(|stopped| *stopped).unwrap_or(Stop::Interrupted)));
            }
            answer = self.answer(&body) => answer?,
        };
        rows(&answer, columns)
    }

    async fn answer(&self, body: &str) -> Result<Value, ArmError> {
        let mut tries = 0;
        loop {
            tries += 1;
            let (error, wait) = match self.attempt(body).await {
                Ok(Answered::Whole(answer)) => return Ok(answer),
                Ok(Answered::Later(error, wait)) => (error, wait),
                Err(error @ ArmError::Network(_)) => (error, None),
                Err(error) => return Err(error),
            };
            if tries == TRIES {
                return Err(error);
            }
            sleep(wait.unwrap_or(Duration::from_secs(1 << tries)).min(LONGEST_WAIT)).await;
        }
    }

    async fn attempt(&self, body: &str) -> Result<Answered, ArmError> {
        let mut request = Request::new(self.url.clone(), Method::Post);
        request.insert_header("accept", "application/json");
        request.insert_header("content-type", "application/json");
        request.set_body(body.to_owned());
        let options = PipelineStreamOptions { skip_checks: true, ..PipelineStreamOptions::default() };
        let context = Context::new();
        let sent = async {
            let response =
                self.pipeline.stream(&context, &mut request, Some(options)).await.map_err(transport_error)?;
            read_whole(response, self.body_bytes).await
        };
        let silent = |_| ArmError::Network(format!("Log Analytics gave no answer in {} s", PATIENCE.as_secs()));
        let answer = timeout(PATIENCE, sent).await.map_err(silent)??;
        match answer.status {
            200 => answer.document().map(Answered::Whole),
            429 | 500 | 502 | 503 | 504 => {
                Ok(Answered::Later(ArmError::Refused(answer.refusal()), answer.retry_after()))
            }
            _ => Err(ArmError::Refused(answer.refusal())),
        }
    }
}

/// The result of a query.
enum Answered {
    Whole(Value),
    /// To be sent again, perhaps after so long.
    Later(ArmError, Option<Duration>),
}

/// The lines of one server, from both tables. A table that a workspace does not have is left out (`isfuzzy`).
fn lines_of(server: &ResourceId) -> String {
    let id = quoted(server.as_str());
    format!(
        "union isfuzzy=true \
         (PGSQLServerLogs | where _ResourceId =~ {id} \
         | project TimeGenerated, Pid = tolong(ProcessId), Severity = tostring(ErrorLevel), Text = tostring(Message)), \
         (AzureDiagnostics | where Category == \"PostgreSQLLogs\" and _ResourceId =~ {id} \
         | project TimeGenerated, Pid = tolong(column_ifexists(\"processId_d\", real(null))), \
         Severity = tostring(column_ifexists(\"errorLevel_s\", \"\")), \
         Text = coalesce(tostring(column_ifexists(\"Message\", \"\")), tostring(column_ifexists(\"message_s\", \"\"))))"
    )
}

/// A string of the query language. Resource ids have neither quotes nor backslashes; whatever has is no way out.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn hour(row: &[Value]) -> Result<AnalyticsHour, ArmError> {
    let from = row.first().and_then(Value::as_str).and_then(seconds);
    let number = |at: usize| row.get(at).and_then(Value::as_u64);
    match (from, number(1), number(2)) {
        (Some(from), Some(connections), bytes) => {
            Ok(AnalyticsHour { from, connections, bytes: bytes.unwrap_or_default() })
        }
        _ => Err(ArmError::Malformed("an hour of Log Analytics cannot be read".to_owned())),
    }
}

/// Seconds since 1970 of RFC 3339 in UTC.
fn seconds(text: &str) -> Option<i64> {
    text.parse::<jiff::Timestamp>().ok().map(|at| at.as_second())
}

/// Groups hours into slices, each of which fits into an answer; an hour that does not is cut into parts.
#[must_use]
pub fn analytics_slices(hours: &[AnalyticsHour]) -> Vec<AnalyticsSlice> {
    let mut slices: Vec<AnalyticsSlice> = Vec::new();
    let (mut rows, mut bytes) = (0, 0);
    for hour in hours.iter().filter(|hour| hour.connections > 0) {
        let parts = hour.connections.div_ceil(MOST_ROWS).max(hour.bytes.div_ceil(MOST_BYTES)).clamp(1, MOST_PARTS);
        if parts > 1 {
            let parts = i64::try_from(parts).unwrap_or(1);
            let bound = |part: i64| hour.from + HOUR * part / parts;
            slices.extend((0..parts).map(|part| AnalyticsSlice { from: bound(part), to: bound(part + 1) }));
            // Nothing more goes into the last of them.
            (rows, bytes) = (MOST_ROWS, MOST_BYTES);
            continue;
        }
        let fits = rows + hour.connections <= MOST_ROWS && bytes + hour.bytes <= MOST_BYTES;
        match slices.last_mut().filter(|_| fits) {
            Some(last) => {
                last.to = hour.from + HOUR;
                (rows, bytes) = (rows + hour.connections, bytes + hour.bytes);
            }
            None => {
                slices.push(AnalyticsSlice { from: hour.from, to: hour.from + HOUR });
                (rows, bytes) = (hour.connections, hour.bytes);
            }
        }
    }
    slices
}

fn line(row: &[Value]) -> AnalyticsLine {
    let text = |at: usize| row.get(at).and_then(Value::as_str).unwrap_or_default().to_owned();
    AnalyticsLine { at: text(0), pid: row.get(1).and_then(Value::as_u64), severity: text(2), message: text(3) }
}

fn within(AnalyticsSlice { from, to }: AnalyticsSlice) -> String {
    let at = |seconds: i64| jiff::Timestamp::from_second(seconds).unwrap_or_default();
    format!("TimeGenerated >= datetime({}) and TimeGenerated < datetime({})", at(from), at(to))
}

/// The rows of an answer.
fn rows(answer: &Value, columns: &[&str]) -> Result<Vec<Vec<Value>>, ArmError> {
    if let Some(error) = answer.get("error").filter(|error| !error.is_null()) {
        // `PartialError`: some rows came, and it is not known which did not.
        let message = error["message"].as_str().or_else(|| error["code"].as_str()).unwrap_or("no reason given");
        return Err(ArmError::Malformed(format!("the answer of Log Analytics was truncated: {}", one_line(message))));
    }
    let malformed = || ArmError::Malformed("an answer of Log Analytics cannot be read".to_owned());
    let table = answer["tables"].as_array().and_then(|tables| tables.first()).ok_or_else(malformed)?;
    let names: Vec<&str> =
        table["columns"].as_array().into_iter().flatten().filter_map(|c| c["name"].as_str()).collect();
    if names != columns {
        return Err(malformed());
    }
    let rows = table["rows"].as_array().ok_or_else(malformed)?;
    rows.iter().map(|row| row.as_array().cloned().ok_or_else(malformed)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_partial_answer_is_no_answer() {
        let table = json!([{ "name": "PrimaryResult", "columns": [{ "name": "A" }], "rows": [["x"]] }]);
        assert_eq!(rows(&json!({ "tables": table }), &["A"]).unwrap(), [[json!("x")]]);
        let partial = json!({ "tables": table, "error": { "code": "PartialError", "message": "limit\nof rows" } });
        let error = rows(&partial, &["A"]).unwrap_err().to_string();
        assert!(error.contains("truncated: limit of rows"), "{error}");
        assert!(rows(&json!({ "tables": table }), &["B"]).is_err());
        assert!(rows(&json!({}), &["A"]).is_err());
    }

    #[test]
    fn an_id_cannot_leave_its_string() {
        assert_eq!(quoted(r#"a" or "b\"#), r#""a\" or \"b\\""#);
        let slice = AnalyticsSlice { from: 0, to: 3_600 };
        let times =
            "TimeGenerated >= datetime(1970-01-01T00:00:00Z) and TimeGenerated < datetime(1970-01-01T01:00:00Z)";
        assert_eq!(within(slice), times);
    }

    proptest! {
        /// Every hour with connections is in slices, none twice, and none is larger than an answer may be.
        #[test]
        fn slices_hold_every_hour_once(counts in prop::collection::vec((0..400_000u64, 0..200u64), 0..40)) {
            let hours: Vec<AnalyticsHour> = (0i64..)
                .zip(&counts)
                .map(|(hour, (connections, width))| AnalyticsHour { from: hour * HOUR, connections: *connections, bytes: connections * width })
                .collect();
            let slices = analytics_slices(&hours);
            prop_assert!(slices.windows(2).all(|pair| pair[0].to <= pair[1].from && pair[0].from < pair[0].to));
            for hour in &hours {
                let within: Vec<_> = slices.iter().filter(|s| s.from < hour.from + HOUR && s.to > hour.from).collect();
                let covered: i64 = within.iter().map(|s| s.to.min(hour.from + HOUR) - s.from.max(hour.from)).sum();
                if hour.connections > 0 {
                    prop_assert_eq!(covered, HOUR);
                    let parts = within.len() as u64;
                    prop_assert!(hour.connections <= MOST_ROWS * parts);
                }
            }
            for slice in &slices {
                let inside = hours.iter().filter(|h| h.from >= slice.from && h.from + HOUR <= slice.to);
                prop_assert!(inside.map(|h| h.connections).sum::<u64>() <= MOST_ROWS);
            }
        }
    }
}
