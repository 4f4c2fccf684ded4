//! Probes that are kept, shown as they were.

use super::args::RunsShowArgs;
use crate::args::{AuditFormat, ProbeList, TerminalArgs};
use crate::commands::probe::EndpointSink;
use crate::error::CliError;
use crate::exit::Exit;
use crate::stdout;
use hostssl_formats::probe_json;
use hostssl_store::{Page, ProbeEntry, StoreReader};

/// Endpoints that are read at once.
const SIZE: u32 = 256;

/// Writes a probe as `hostssl probe` did.
pub(super) fn show(
    reader: &StoreReader,
    probe: &ProbeEntry,
    args: &RunsShowArgs,
    terminal: &TerminalArgs,
) -> Result<Exit, CliError> {
    let value = &args.value;
    let query = stdout::query(value.query.as_deref())?;
    let format = value.output.format().ok_or_else(|| {
        CliError::usage(
            format!("{} are for audits, and this run is a probe", AuditFormat::of_audits_alone("and")),
            "use --output tsv, or json for all of it",
        )
    })?;
    let shape = args.list.shape_as::<ProbeList>("a probe", value.is_table(), value.is_wide())?;
    let mut sink = EndpointSink::of(format, query, shape, stdout::palette(terminal));
    for number in 0.. {
        let documents = reader.endpoints(&probe.id, Page { number, size: SIZE })?;
        if documents.is_empty() {
            break;
        }
        for document in documents {
            let report = probe_json::read(&document)
                .map_err(|error| CliError::failed(&error, "the state is damaged, or of a newer hostssl"))?;
            if !sink.write(report)? {
                return Ok(Exit::AllPass);
            }
        }
    }
    if probe.finished_ms.is_none() && !terminal.quiet {
        stderr!("warning: this probe has not ended: it is in progress, or was killed");
    }
    sink.finish(None)?;
    Ok(Exit::AllPass)
}
