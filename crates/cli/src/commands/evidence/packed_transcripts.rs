//! What audits exchanged with their servers, as far as it was kept.

use super::readable::whole;
use crate::error::CliError;
use hostssl_evidence::{PackFile, earlier_transcript_file, transcript_file};
use hostssl_formats::evidence_json::MissingPart;
use hostssl_formats::{probe_json, write_json_line};
use hostssl_model::{AuditReport, ResourceId, ServerReport, chain};
use hostssl_store::{AuditEntry, StoreError, StoreReader};
use std::io::{self, Write};

/// Whose messages they are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    /// Those of the audit that is packed.
    Audit,
    /// Those of an audit before it.
    Earlier,
}

/// What an audit exchanged with the servers of this report, as far as it was kept.
pub(super) fn transcripts(
    reader: &StoreReader,
    audit: &AuditEntry,
    report: &AuditReport,
    whose: Whose,
    missing: &mut Vec<MissingPart>,
) -> Result<Vec<PackFile>, CliError> {
    let mut found = Vec::new();
    let earlier = (whose == Whose::Earlier).then_some(&*audit.id);
    for ServerReport { server, .. } in &report.servers {
        let kept = reader.transcript(audit, &server.id.key());
        let file = kept.and_then(|text| text.map(|text| packed(earlier, &server.id, &text)).transpose());
        let of = || match earlier {
            None => format!("the transcript of {}", server.id),
            Some(audit) => format!("the transcript of {} by the earlier audit {audit}", server.id),
        };
        found.extend(whole(of, file, missing)?.flatten());
    }
    Ok(found)
}

/// The reports of a kept transcript as this version writes them.
fn packed(earlier: Option<&str>, server: &ResourceId, text: &str) -> Result<PackFile, StoreError> {
    let mut reports = Vec::new();
    for line in text.lines() {
        let report = probe_json::read(line).map_err(|error| StoreError::Corrupt(chain(&error)))?;
        reports.push(probe_json::endpoint(&report).map_err(|error| StoreError::Corrupt(error.to_string()))?);
    }
    let how = |out: &mut dyn Write| -> io::Result<()> {
        reports.iter().try_for_each(|report| {
            write_json_line(&mut *out, report)?;
            writeln!(out)
        })
    };
    let file = match earlier {
        None => transcript_file(server, how),
        Some(audit) => earlier_transcript_file(audit, server, how),
    };
    file.map_err(|error| StoreError::Corrupt(error.to_string()))
}
