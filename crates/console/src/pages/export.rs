//! Exports: what is shown, in every format of a report.

use super::Asked;
use super::resources::{View, audit_of};
use crate::reply::Failure;
use crate::shared::Shared;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use futures::stream;
use hostssl_formats::output::{Format, write_value};
use hostssl_formats::{Palette, Text, audit_csv, audit_html, audit_json, audit_text};
use hostssl_model::{AuditReport, ServerReport};
use hostssl_store::ServerFilter;
use serde::Deserialize;
use serde_json::Value;
use std::io::{self, BufWriter, Write};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

/// How much is sent at once, in bytes.
const PIECE: usize = 64 << 10;
/// Servers that are values at once.
const AT_ONCE: usize = 100;
/// How long a reader may take for a piece. Others wait for their turn.
const PATIENCE: Duration = Duration::from_secs(30);

/// Which format, of what is otherwise in the address.
#[derive(Debug, Deserialize)]
pub(crate) struct ExportQuery {
    format: String,
}

/// Name in the address, ending of the file, and its type.
const FORMATS: [(&str, &str, &str); 6] = [
    ("html", "html", "text/html; charset=utf-8"),
    ("csv", "csv", "text/csv; charset=utf-8"),
    ("json", "json", "application/json"),
    ("yaml", "yaml", "application/yaml"),
    ("tsv", "tsv", "text/tab-separated-values; charset=utf-8"),
    ("table", "txt", "text/plain; charset=utf-8"),
];

/// The servers of a view of all resources.
pub(crate) async fn resources(State(shared): State<Shared>, Asked(view): Asked<View>) -> Result<Response, Failure> {
    if !view.is_understood() {
        return Err(Failure::bad_address());
    }
    export(&shared, &view.format, view.run.clone(), view.filter()).await
}

/// A whole run.
pub(crate) async fn run(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    Asked(wanted): Asked<ExportQuery>,
) -> Result<Response, Failure> {
    export(&shared, &wanted.format, id, ServerFilter::default()).await
}

async fn export(shared: &Shared, format: &str, run: String, filter: ServerFilter) -> Result<Response, Failure> {
    let (name, ending, kind) = *FORMATS.iter().find(|(name, _, _)| *name == format).ok_or_else(Failure::bad_address)?;
    let is_part = filter != ServerFilter::default();
    let turn = shared.reports.clone().acquire_owned().await.map_err(|_| Failure::defect())?;
    let mut report = shared
        .ask(move |store| match audit_of(store, &run)? {
            Some(audit) => {
                let mut report = store.report(&audit, &filter)?;
                // Of the present, some servers may count as an earlier audit saw them.
                report.run.complete &= !run.is_empty() || store.out_of_sight(&audit)? == 0;
                Ok(Some(report))
            }
            None => Ok(None),
        })
        .await?
        .ok_or_else(Failure::no_such_run)?;
    if let Some(source) = shared.options.waivers.clone() {
        let laid = tokio::task::spawn_blocking(move || source.apply_to(&mut report).map(|()| report)).await;
        report = laid.map_err(|_| Failure::defect())?.map_err(|trouble| Failure::of_waivers(&trouble))?;
    }
    // A part says nothing of the rest, so that it must not read as an audit that passed.
    report.run.complete &= !is_part;
    let part = if is_part { "-filtered" } else { "" };
    let file = format!("hostssl-{}{part}.{ending}", report.run.started_at.get(..10).unwrap_or("audit"));
    let (pieces, mut sent) = mpsc::channel(4);
    let runtime = Handle::current();
    tokio::task::spawn_blocking(move || {
        let mut out = BufWriter::with_capacity(PIECE, Pieces { pieces: pieces.clone(), runtime });
        if let Err(error) = write(&mut out, report, name).and_then(|()| out.flush()) {
            tracing::debug!(%error, "an export ended early");
            // The browser must not take the part for the whole. A reader who went away does not hear it.
            let _ = pieces.try_send(Err(error));
        }
        drop(turn);
    });
    // What compresses it asks once more behind the end, which not every stream survives; a channel does.
    let pieces = stream::poll_fn(move |context| sent.poll_recv(context));
    let headers = [(CONTENT_TYPE, kind.to_owned()), (CONTENT_DISPOSITION, format!("attachment; filename=\"{file}\""))];
    Ok((headers, Body::from_stream(pieces)).into_response())
}

/// Hands what is written to the connection, piece by piece, so that no file is ever in memory whole.
struct Pieces {
    pieces: mpsc::Sender<io::Result<Vec<u8>>>,
    runtime: Handle,
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let send = tokio::time::timeout(PATIENCE, self.pieces.send(Ok(bytes.to_vec())));
        match self.runtime.block_on(send) {
            Ok(Ok(())) => Ok(bytes.len()),
            Ok(Err(_)) => Err(io::ErrorKind::BrokenPipe.into()),
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn write(out: &mut dyn Write, report: AuditReport, format: &str) -> io::Result<()> {
    match format {
        "yaml" => write_yaml(out, report),
        "html" => audit_html::write(out, &report),
        "csv" => audit_csv::write(out, &report),
        "json" => audit_json::write(out, &report),
        "table" => audit_text::write(out, &report, &Text::plain()),
        _ => audit_csv::write_tabs(out, &report),
    }
}

/// The next servers as values: all of them at once would take many times the memory of the report.
fn some_of(rest: &mut impl Iterator<Item = ServerReport>, report: &mut AuditReport) -> io::Result<Option<Value>> {
    report.servers = rest.take(AT_ONCE).collect();
    if report.servers.is_empty() {
        return Ok(None);
    }
    let mut value = audit_json::value(report).map_err(io::Error::other)?;
    Ok(value.get_mut("servers").map(Value::take))
}

/// Writes the document of `hostssl audit -o yaml` with some servers at a time. A sequence may stand at the indentation of
/// its key (YAML 1.2.2, 8.2.1), so that the parts make one document.
fn write_yaml(out: &mut dyn Write, mut report: AuditReport) -> io::Result<()> {
    let Value::Object(whole) = audit_json::frame(&report).map_err(io::Error::other)? else { return Ok(()) };
    let servers = std::mem::take(&mut report.servers);
    let yaml = |out: &mut dyn Write, value: Value| write_value(out, &value, Format::Yaml, &[], Palette::Plain);
    if servers.is_empty() {
        return yaml(out, Value::Object(whole));
    }
    let mut rest = servers.into_iter();
    for (name, value) in whole {
        if name != "servers" {
            yaml(out, Value::Object([(name, value)].into_iter().collect()))?;
            continue;
        }
        writeln!(out, "servers:")?;
        while let Some(servers) = some_of(&mut rest, &mut report)? {
            yaml(out, servers)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hostssl_model::{AuditAsked, AuditRun, Overlay, Summary};

    fn report() -> AuditReport {
        AuditReport {
            run: AuditRun {
                id: "run".into(),
                started_at: "2026-11-25T00:00:00Z".into(),
                finished_at: "2026-11-25T00:00:01Z".into(),
                principals: Vec::new(),
                cloud: "AzureCloud".into(),
                scope: hostssl_model::Scope::default(),
                profile: "baseline@1".into(),
                asked: AuditAsked::default(),
                tool_version: "0".into(),
                complete: true,
            },
            summary: Summary::default(),
            subscriptions: Vec::new(),
            servers: Vec::new(),
            gaps: Vec::new(),
            overlay: Overlay::default(),
        }
    }

    #[test]
    fn an_empty_report_is_the_same_document() {
        let (mut parts, mut whole) = (Vec::new(), Vec::new());
        write_yaml(&mut parts, report()).unwrap();
        let value = audit_json::value(&report()).unwrap();
        write_value(&mut whole, &value, Format::Yaml, &[], Palette::Plain).unwrap();
        assert_eq!(String::from_utf8(parts).unwrap(), String::from_utf8(whole).unwrap());
    }
}
