//! Exports: what is shown, in every format of a report.

use super::Asked;
use super::resources::{View, audit_of};
use super::runs::no_such_run;
use crate::reply::Failure;
use crate::state::Shared;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use futures::stream;
use hostssl_model::AuditReport;
use hostssl_report::output::{Format, write_value};
use hostssl_report::{Palette, audit_csv, audit_json, audit_text};
use hostssl_store::ServerFilter;
use serde::Deserialize;
use std::io::{self, BufWriter, Write};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

/// How much is sent at once, in bytes.
const PIECE: usize = 64 << 10;
/// How long a reader may take for a piece. Others wait for their turn.
const PATIENCE: Duration = Duration::from_secs(30);

/// Which format, of what is otherwise in the address.
#[derive(Debug, Deserialize)]
pub(crate) struct Wanted {
    format: String,
}

/// Name in the address, ending of the file, and its type.
const FORMATS: [(&str, &str, &str); 5] = [
    ("csv", "csv", "text/csv; charset=utf-8"),
    ("json", "json", "application/json"),
    ("yaml", "yaml", "application/yaml"),
    ("tsv", "tsv", "text/tab-separated-values; charset=utf-8"),
    ("table", "txt", "text/plain; charset=utf-8"),
];

/// The servers of a view of all resources.
pub(crate) async fn resources(
    State(shared): State<Shared>,
    Asked(wanted): Asked<Wanted>,
    Asked(view): Asked<View>,
) -> Result<Response, Failure> {
    export(&shared, wanted, view.run.clone(), view.filter()).await
}

/// A whole run.
pub(crate) async fn run(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    Asked(wanted): Asked<Wanted>,
) -> Result<Response, Failure> {
    export(&shared, wanted, id, ServerFilter::default()).await
}

async fn export(shared: &Shared, wanted: Wanted, run: String, filter: ServerFilter) -> Result<Response, Failure> {
    let (name, ending, kind) =
        *FORMATS.iter().find(|(name, _, _)| *name == wanted.format).ok_or_else(Failure::bad_address)?;
    let turn = shared.reports.clone().acquire_owned().await.map_err(|_| Failure::defect())?;
    let report = shared
        .ask(move |store| match audit_of(store, &run)? {
            Some(audit) => store.report(&audit, &filter).map(Some),
            None => Ok(None),
        })
        .await?
        .ok_or_else(no_such_run)?;
    let file = format!("hostssl-{}.{ending}", report.run.started_at.get(..10).unwrap_or("audit"));
    let (pieces, sent) = mpsc::channel(4);
    let runtime = Handle::current();
    tokio::task::spawn_blocking(move || {
        let mut out = BufWriter::with_capacity(PIECE, Pieces { pieces: pieces.clone(), runtime });
        if let Err(error) = write(&mut out, &report, name).and_then(|()| out.flush()) {
            tracing::debug!(%error, "an export ended early");
            // The browser must not take the part for the whole. Whoever went away does not hear it.
            let _ = pieces.try_send(Err(error));
        }
        drop(turn);
    });
    let pieces = stream::unfold(sent, |mut sent| async { sent.recv().await.map(|piece| (piece, sent)) });
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

fn write(out: &mut dyn Write, report: &AuditReport, format: &str) -> io::Result<()> {
    let format = match format {
        "csv" => return audit_csv::write(out, report),
        "json" => return audit_json::write(out, report),
        "table" => return audit_text::write(out, report, Palette::Plain),
        "tsv" => Format::Tsv,
        _ => Format::Yaml,
    };
    let value = audit_json::value(report).map_err(io::Error::other)?;
    // A list of the whole document would show no server.
    let shown = if format == Format::Tsv { value.get("servers").unwrap_or(&value) } else { &value };
    write_value(out, shown, format, &[], Palette::Plain)
}
