//! The audit as CSV: one row for each server and control. Rows may be written during the audit.

use crate::csv_cell::{inert, unwrapped};
use crate::standards::{remediation, requirements_of};
use crate::waiver_text::beside;
use hostssl_model::{AuditReport, Floor, ParameterName, ServerReport, Subscription, WorstListener};
use std::io::{self, Write};

const HEADINGS: [&str; 27] = [
    "subscription",
    "subscriptionId",
    "resourceGroup",
    "name",
    "kind",
    "location",
    "state",
    "role",
    "fqdn",
    "sslEnforcement",
    "minimalTlsVersion",
    "outcome",
    "control",
    "controlOutcome",
    "severity",
    "observed",
    "reason",
    "id",
    "confidence",
    "wire",
    "zones",
    "oldestLook",
    "remediation",
    "standards",
    "waitingForRestart",
    "waivedUntil",
    "waiver",
];

/// Writes a whole report.
///
/// # Errors
///
/// Whatever the writer returns.
pub fn write(out: &mut dyn Write, report: &AuditReport) -> io::Result<()> {
    write_with(out, report, b',')
}

/// Writes a whole report with tabs between the columns, for spreadsheets that do not read CSV as it is: the same
/// headings, and no cell is a formula.
///
/// # Errors
///
/// Whatever the writer returns.
pub fn write_tabs(out: &mut dyn Write, report: &AuditReport) -> io::Result<()> {
    write_with(out, report, b'\t')
}

fn write_with(out: &mut dyn Write, report: &AuditReport, delimiter: u8) -> io::Result<()> {
    let (mut writer, written) = CsvWriter::delimited(out, delimiter);
    written?;
    // Servers stand in the order of the subscriptions.
    for servers in report.servers.chunk_by(|a, b| a.server.subscription() == b.server.subscription()) {
        let Some(first) = servers.first() else { continue };
        let id = first.server.subscription();
        if let Some(subscription) = report.subscriptions.iter().find(|one| one.id == id) {
            writer.write(subscription, servers)?;
        }
    }
    Ok(())
}

/// Writes rows of CSV (RFC 4180) to a writer.
pub struct CsvWriter<W: Write>(csv::Writer<W>);

impl<W: Write> CsvWriter<W> {
    /// Writes the headings, and says whether that worked.
    pub fn new(out: W) -> (Self, io::Result<()>) {
        Self::delimited(out, b',')
    }

    fn delimited(out: W, delimiter: u8) -> (Self, io::Result<()>) {
        let mut writer = csv::WriterBuilder::new().delimiter(delimiter).from_writer(out);
        let written = writer.write_record(HEADINGS).map_err(unwrapped).and_then(|()| writer.flush());
        (Self(writer), written)
    }

    /// Writes the servers of one subscription and flushes them, so that a reader sees them at once.
    ///
    /// # Errors
    ///
    /// Whatever the writer returns.
    pub fn write(&mut self, subscription: &Subscription, servers: &[ServerReport]) -> io::Result<()> {
        for report in servers {
            let server = &report.server;
            let zones = report.zones().join(" ");
            let waiting: Vec<&str> = report.waiting().map(ParameterName::key).collect();
            let waiting = waiting.join(" ");
            for finding in &report.findings {
                let reason = finding.unchecked.as_ref().map_or("", |unchecked| unchecked.reason.as_str());
                let (remedy, standards) = (remediation(report, finding), requirements_of(finding.control).join("; "));
                let waiver = finding.waiver.as_deref().map(beside);
                let cells: [&str; 27] = [
                    &subscription.name,
                    subscription.id.as_str(),
                    server.id.resource_group(),
                    server.name(),
                    server.kind.as_str(),
                    &server.location,
                    server.state.as_ref().map_or("", |state| state.as_str()),
                    server.role.as_str(),
                    server.fqdn.as_deref().unwrap_or_default(),
                    report.ssl_enforcement.as_str(),
                    report.minimal_tls_version.map_or("", Floor::as_azure),
                    report.outcome.as_str(),
                    finding.control.as_str(),
                    finding.outcome.as_str(),
                    finding.severity.as_str(),
                    finding.observed.as_deref().unwrap_or_default(),
                    reason,
                    server.id.as_str(),
                    finding.confidence.as_str(),
                    WorstListener::of(&report.wire).map_or("", WorstListener::as_str),
                    &zones,
                    report.oldest_from_zones().unwrap_or_default(),
                    remedy.as_deref().unwrap_or_default(),
                    &standards,
                    &waiting,
                    finding.accepted().map_or("", |waiver| waiver.expires.as_str()),
                    waiver.as_deref().unwrap_or_default(),
                ];
                self.0.write_record(cells.map(inert)).map_err(unwrapped)?;
            }
        }
        self.0.flush()
    }
}
