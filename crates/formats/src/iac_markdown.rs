//! A check of a file as Markdown, for a pull request or the summary page of a job.
//!
//! GitHub cuts a job's summary at 1 MiB, so each table ends after 100 rows and says how many more there are.

use crate::markdown_text::escaped;
use crate::{iac_text, iac_words};
use hostssl_iac::{IacFinding, IacReport, IacServer};
use hostssl_model::Outcome;
use std::io::{self, Write};

/// Rows of each table, at most.
const ROWS: usize = 100;

/// Writes the report of a file that is called so.
///
/// # Errors
///
/// Whatever the writer returns.
pub fn write(out: &mut dyn Write, report: &IacReport, file: &str) -> io::Result<()> {
    writeln!(out, "# {}: {}\n", escaped(file), iac_text::summary(report))?;
    let told = iac_words::decided(report).into_iter().chain(iac_words::doubts(report));
    told.into_iter().try_for_each(|line| writeln!(out, "{}\n", escaped(&line)))?;
    write_findings(out, report, IacFinding::fails_unwaived, "Fails after an apply")?;
    write_findings(out, report, |finding| finding.accepted().is_some(), "Fails after an apply, and is waived")?;
    write_findings(out, report, |finding| finding.outcome == Outcome::Unknown, "Not known")?;
    if !report.gaps.is_empty() {
        writeln!(out, "## Could not be checked\n")?;
        report.gaps.iter().take(ROWS).try_for_each(|gap| writeln!(out, "- {}", escaped(&iac_words::gap(gap))))?;
        write_rest(out, report.gaps.len())?;
    }
    let compared = report.live.as_ref().map(|live| {
        let coverage = if live.complete { "complete" } else { "incomplete" };
        format!(
            " Compared with audit `{}` of {}, coverage **{coverage}**.",
            escaped(&live.run),
            escaped(&live.finished_at)
        )
    });
    let compared = compared.unwrap_or_default();
    writeln!(out, "{}, profile `{}`.{compared}", report.format.words(), report.profile)
}

fn write_findings(
    out: &mut dyn Write,
    report: &IacReport,
    chosen: impl Fn(&IacFinding) -> bool,
    title: &str,
) -> io::Result<()> {
    let all = report.servers.iter().flat_map(|one| one.findings.iter().map(move |finding| (one, finding)));
    let rows: Vec<(&IacServer, &IacFinding)> = all.filter(|(_, finding)| chosen(finding)).collect();
    if rows.is_empty() {
        return Ok(());
    }
    writeln!(out, "## {title}\n\n| server | address | rule | severity | what |\n| --- | --- | --- | --- | --- |")?;
    for (server, finding) in rows.iter().take(ROWS) {
        writeln!(
            out,
            "| {} | {} | `{}` | {} | {} |",
            escaped(server.title()),
            escaped(&finding.address),
            finding.rule.as_str(),
            finding.rule.severity(),
            escaped(&iac_words::with_waiver(finding))
        )?;
    }
    write_rest(out, rows.len())
}

fn write_rest(out: &mut dyn Write, count: usize) -> io::Result<()> {
    match count.saturating_sub(ROWS) {
        0 => writeln!(out),
        more => writeln!(out, "\n{more} more are in the JSON report.\n"),
    }
}
