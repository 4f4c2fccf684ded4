//! What was done to a server, by whom, as JSON, version 1: frozen.

use crate::activity_json::{NotKnownV1, OperationV1};
use crate::json_text::write_json;
use crate::server_history_text::{RunWrite, ServerHistory};
#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::Serialize;
use std::io::{self, Write};

/// The name and version of the format.
pub const SCHEMA: &str = "hostssl/server-history/v1";

/// What was done to a server.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase")]
pub struct ServerHistoryV1<'a> {
    /// Name and version of this format.
    schema: &'static str,
    /// The resource id of the server.
    server: &'a str,
    name: &'a str,
    /// The first moment that the Activity Log was asked for, RFC 3339.
    since: &'a str,
    /// The last one. Azure shows an operation some minutes late.
    until: &'a str,
    /// Whether the Activity Log was read whole from the first moment to the last.
    complete: bool,
    /// Why not; absent if it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    not_read: Option<NotKnownV1<'a>>,
    /// What was done, the newest first.
    entries: Vec<HistoryEntryV1<'a>>,
}

/// Something that was done.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase")]
struct HistoryEntryV1<'a> {
    /// What the Activity Log has of it; null where it has nothing, and hostssl itself kept it.
    operation: Option<OperationV1<'a>>,
    /// The write of a run of hostssl that is kept here and that it was; null where it was none.
    run: Option<RunWriteV1<'a>>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase")]
struct RunWriteV1<'a> {
    /// The id of the run.
    run: &'a str,
    /// Who ordered it, or the identity that wrote.
    by: &'a str,
    /// When the value was read back, RFC 3339.
    at: &'a str,
    setting: &'a str,
    before: &'a str,
    after: &'a str,
    /// Whether it was an undo.
    undo: bool,
}

/// The JSON Schema of the format.
#[cfg(feature = "schema")]
#[must_use]
pub fn schema() -> serde_json::Value {
    crate::schema::of::<ServerHistoryV1<'_>>(SCHEMA)
}

/// Writes the history, indented.
///
/// # Errors
///
/// Whatever the writer returns.
pub fn write(out: &mut dyn Write, history: &ServerHistory<'_>) -> io::Result<()> {
    write_json(out, &ServerHistoryV1::from(history))?;
    writeln!(out)
}

/// The history as one JSON value, for queries and other formats.
///
/// # Errors
///
/// None that a history can cause.
pub fn value(history: &ServerHistory<'_>) -> Result<serde_json::Value, serde_json::Error> {
    serde_json::to_value(ServerHistoryV1::from(history))
}

impl<'a> From<&'a ServerHistory<'a>> for ServerHistoryV1<'a> {
    fn from(history: &'a ServerHistory<'a>) -> Self {
        Self {
            schema: SCHEMA,
            server: history.server.as_str(),
            name: history.server.name(),
            since: &history.since,
            until: &history.until,
            complete: history.unread.is_none(),
            not_read: history.unread.map(NotKnownV1::from),
            entries: history
                .entries
                .iter()
                .map(|entry| HistoryEntryV1 {
                    operation: entry.operation.map(OperationV1::from),
                    run: entry.run.as_ref().map(RunWriteV1::from),
                })
                .collect(),
        }
    }
}

impl<'a> From<&'a RunWrite<'a>> for RunWriteV1<'a> {
    fn from(write: &'a RunWrite<'a>) -> Self {
        Self {
            run: write.run,
            by: write.by,
            at: &write.at,
            setting: write.setting,
            before: write.before,
            after: write.after,
            undo: write.undo,
        }
    }
}
