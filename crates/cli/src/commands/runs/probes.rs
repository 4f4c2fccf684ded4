//! Probes that are kept, shown as they were.

use super::args::RunsShowArgs;
use crate::args::{AuditFormat, ProbeList, TerminalArgs};
use crate::commands::probe::{EndpointSink, KeptTally};
use crate::error::CliError;
use crate::exit::Exit;
use crate::stdout;
use hostssl_formats::probe_json;
use hostssl_store::{Page, ProbeEntry, StoreReader};

/// Endpoints that are read at once.
const SIZE: u32 = 256;

/// Writes a probe as `hostssl probe` did, and ends with its exit code.
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
    let mut tally = KeptTally::new(&probe.asked, probe.complete);
    for number in 0.. {
        let documents = reader.endpoints(&probe.id, Page { number, size: SIZE })?;
        if documents.is_empty() {
            break;
        }
        for document in documents {
            let report = probe_json::read(&document)
                .map_err(|error| CliError::failed(&error, "the state is damaged, or of a newer hostssl"))?;
            tally.count(&report);
            if !sink.write(report)? {
                return Ok(Exit::Incomplete);
            }
        }
    }
    if probe.finished_ms.is_none() && !terminal.quiet {
        stderr!("warning: this probe has not ended: it is in progress, or was killed");
    }
    let (exit, in_json) = tally.end();
    sink.finish(Some(&in_json))?;
    if !terminal.quiet {
        tally.print();
    }
    Ok(exit)
}
