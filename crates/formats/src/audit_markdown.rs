//! The audit as a Markdown summary, for a pull request or the summary page of a job.
//!
//! GitHub cuts a job's summary at 1 MiB and a comment at 65,536 characters, so each table ends after 100 rows and says
//! how many more there are.

use crate::headline::{UncheckedCount, headline};
use crate::markdown_text::escaped;
use crate::{earlier_look, gate_text, waiver_text};
use hostssl_model::{AuditReport, ControlId, Finding, Outcome, Server, Standing, Standings};
use std::collections::BTreeSet;
use std::io::{self, Write};

/// Rows of each table, at most.
const ROWS: usize = 100;

/// Writes the summary.
///
/// # Errors
///
/// Whatever the writer returns.
pub fn write(out: &mut dyn Write, report: &AuditReport) -> io::Result<()> {
    let run = &report.run;
    let standings = Standings::of(&report.servers);
    writeln!(out, "# {}\n", headline(report))?;
    if !run.complete {
        let why = UncheckedCount::of(report).words();
        writeln!(out, "**This audit is incomplete:** {why} could not be checked.\n")?;
    }
    writeln!(out, "| servers | standing | meaning |\n| ---: | --- | --- |")?;
    for standing in Standing::ALL {
        writeln!(out, "| {} | {} | {} |", standings.count(standing), standing.words(), standing.definition())?;
    }
    writeln!(out)?;
    if run.asked.is_narrowed() {
        let only = run.asked.only_words();
        writeln!(out, "Note: of the profile, only {} was checked.\n", escaped(&only))?;
    }
    if let Some(note) = earlier_look::note(report) {
        writeln!(out, "Note: {note}.\n")?;
    }
    let told = waiver_text::used(report).into_iter().chain(gate_text::decided(report));
    let told = told.chain(waiver_text::doubts(report)).chain(gate_text::doubts(report));
    told.map(|line| escaped(&line)).try_for_each(|line| writeln!(out, "{line}\n"))?;
    write_findings(out, report, Finding::fails_unwaived, "Failed controls")?;
    write_findings(out, report, |finding| finding.accepted().is_some(), "Failed controls that are waived")?;
    write_findings(out, report, |finding| finding.outcome == Outcome::Unknown, "Could not be checked")?;
    write_standards(out, report)?;
    write_gaps(out, report)?;
    let coverage = if run.complete { "complete" } else { "incomplete" };
    let earlier = earlier_look::plaintext(report).map(|why| format!(", but {}", escaped(&why))).unwrap_or_default();
    let principals: Vec<_> = run.principals.iter().map(|one| escaped(&one.name)).collect();
    writeln!(
        out,
        "Coverage: **{coverage}**{earlier}. Profile `{}`, cloud {}, as {}. Finished {}, run `{}`, hostssl {}.",
        run.profile,
        escaped(&run.cloud),
        principals.join(", "),
        run.finished_at,
        run.id,
        run.tool_version
    )
}

fn write_findings(
    out: &mut dyn Write,
    report: &AuditReport,
    chosen: impl Fn(&Finding) -> bool,
    title: &str,
) -> io::Result<()> {
    let all = report.servers.iter().flat_map(|one| one.findings.iter().map(move |finding| (&one.server, finding)));
    let rows: Vec<(&Server, &Finding)> = all.filter(|(_, finding)| chosen(finding)).collect();
    if rows.is_empty() {
        return Ok(());
    }
    writeln!(out, "## {title}\n\n| server | resource group | control | severity | observed |")?;
    writeln!(out, "| --- | --- | --- | --- | --- |")?;
    for (server, finding) in rows.iter().take(ROWS) {
        let observed = match &finding.unchecked {
            Some(unchecked) => format!("{}: {}", unchecked.reason, escaped(&unchecked.detail)),
            None => escaped(finding.observed.as_deref().unwrap_or_default()),
        };
        let beside = finding.waiver.as_ref().map(|waiver| format!(" ({})", escaped(&waiver_text::beside(waiver))));
        let observed = observed + &beside.unwrap_or_default();
        writeln!(
            out,
            "| {} | {} | `{}` | {} | {observed} |",
            escaped(server.name()),
            escaped(server.id.resource_group()),
            finding.control,
            finding.severity
        )?;
    }
    write_rest(out, rows.len())
}

/// The requirements that failures concern, once for each control.
fn write_standards(out: &mut dyn Write, report: &AuditReport) -> io::Result<()> {
    let failing: BTreeSet<ControlId> = report
        .servers
        .iter()
        .flat_map(|one| &one.findings)
        .filter(|one| one.fails_unwaived())
        .map(|one| one.control)
        .collect();
    let mapped: Vec<_> =
        failing.into_iter().map(hostssl_audit::control).filter(|control| !control.mappings.is_empty()).collect();
    if mapped.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "## Standards that the failures concern\n\n| control | standard | requirements |\n| --- | --- | --- |"
    )?;
    for control in mapped {
        for mapping in control.mappings {
            let standard = format!("{} {}", mapping.standard, mapping.version);
            let requirements = mapping.requirements.join(", ");
            writeln!(out, "| `{}` | {} | {} |", control.id, escaped(standard.trim()), escaped(&requirements))?;
        }
    }
    writeln!(out)
}

fn write_gaps(out: &mut dyn Write, report: &AuditReport) -> io::Result<()> {
    if report.gaps.is_empty() {
        return Ok(());
    }
    writeln!(out, "## Gaps in the coverage\n\n| scope | reason | detail |\n| --- | --- | --- |")?;
    for gap in report.gaps.iter().take(ROWS) {
        writeln!(
            out,
            "| {} | {} | {} |",
            escaped(&gap.scope.to_string()),
            gap.unchecked.reason,
            escaped(&gap.unchecked.detail)
        )?;
    }
    write_rest(out, report.gaps.len())
}

fn write_rest(out: &mut dyn Write, rows: usize) -> io::Result<()> {
    if rows > ROWS {
        writeln!(out, "\n{} more.", rows - ROWS)?;
    }
    writeln!(out)
}
