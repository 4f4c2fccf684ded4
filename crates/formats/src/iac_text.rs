//! A check of a file as text: failures first, then what could not be checked, the next command at the end.

use crate::{Cell, Entry, Heading, Section, Shown, Text, iac_words, safe, write_list};
use hostssl_iac::{IacEffect, IacFinding, IacReport, IacRule, IacServer};
use hostssl_model::{ControlId, Outcome, Severity};
use std::cmp::Reverse;
use std::io::{self, Write};

/// The columns of a check.
pub const COLUMNS: &[Heading] = &[
    Heading::new("outcome", Shown::Always),
    Heading::new("server", Shown::Always),
    Heading::new("resource-group", Shown::WithRoom(3)),
    Heading::new("address", Shown::WithRoom(4)),
    Heading::new("kind", Shown::Wide),
    Heading::new("server-change", Shown::WithRoom(2)),
    Heading::new("severity", Shown::WithRoom(1)),
    Heading::new("rule", Shown::Always),
    Heading::new("what", Shown::Reason),
];

/// The words that rows are chosen by.
pub const OUTCOMES: &[&str] = &["fail", "unknown", "pass", "not-applicable"];

/// Gaps that are listed one by one.
const GAPS_SHOWN: usize = 10;

/// Writes the report of a file that is called so.
///
/// # Errors
///
/// Whatever the writer returns.
pub fn write(out: &mut dyn Write, report: &IacReport, file: &str, text: &Text<'_>) -> io::Result<()> {
    let palette = text.palette;
    let version = report.tool_version.as_ref().map(|version| format!(", Terraform {}", safe(version)));
    writeln!(
        out,
        "{}  {}{}  {}",
        palette.bold(&safe(file)),
        report.format.words(),
        version.unwrap_or_default(),
        report.profile
    )?;
    if let Some(live) = &report.live {
        let coverage = if live.complete { "complete" } else { "incomplete" };
        writeln!(out, "compared with audit {}  {}  coverage {coverage}", safe(&live.run), safe(&live.finished_at))?;
    }
    writeln!(out)?;
    let mut servers: Vec<&IacServer> = report.servers.iter().collect();
    servers.sort_by_key(|server| Reverse(server.outcome()));
    let entries = servers.into_iter().map(entry).collect();
    write_list(out, COLUMNS, vec![Section { title: None, entries }], text)?;
    write_gaps(out, report)?;
    writeln!(out, "{}", summary(report))?;
    iac_words::decided(report).iter().try_for_each(|line| writeln!(out, "{line}"))?;
    iac_words::doubts(report).iter().try_for_each(|doubt| writeln!(out, "warning: {doubt}"))?;
    text.write_next(out, &next(report))
}

/// A server: a line for it, and one more for each further finding that matters.
fn entry(server: &IacServer) -> Entry {
    let outcome = server.outcome();
    let mut line = vec![
        Cell::outcome(outcome, outcome.as_str()).ranked(u64::from(outcome == Outcome::Pass)),
        Cell::plain(server.title()),
        Cell::plain(server.resource_group.as_deref().unwrap_or("-")),
        Cell::plain(&*server.address),
        Cell::plain(server.kind.as_str()),
        Cell::plain(server.change.as_str()),
    ];
    let lead = line.len();
    let mut lines = Vec::new();
    for finding in shown(server) {
        let failed = finding.outcome == Outcome::Fail;
        line.push(Cell::plain(if failed { severity(finding).as_str() } else { "" }));
        line.push(Cell::plain(finding.rule.as_str()));
        let mark = if finding.accepted().is_some() { "waived" } else { "" };
        line.push(Cell::plain(iac_words::with_waiver(finding)).marked(mark));
        lines.push(std::mem::replace(&mut line, vec![Cell::default(); lead]));
    }
    if lines.is_empty() {
        lines.push(line);
    }
    Entry { word: outcome.as_str(), lines }
}

fn severity(finding: &IacFinding) -> Severity {
    finding.rule.severity()
}

/// The findings that are worth a line: of a server that passes, what becomes of the switch.
fn shown(server: &IacServer) -> Vec<&IacFinding> {
    // That a deleted block makes a server refuse clients says what its value becomes.
    let is_said = |finding: &IacFinding| {
        let is_reset =
            |other: &IacFinding| other.rule == IacRule::ResetRefusesClients && other.setting == finding.setting;
        finding.outcome == Outcome::Pass && server.findings.iter().any(is_reset)
    };
    let is_news = |finding: &&IacFinding| {
        if is_said(finding) {
            return false;
        }
        let changes = !matches!(
            finding.effect,
            IacEffect::Keeps
                | IacEffect::NotManaged
                | IacEffect::LeavesDefault
                | IacEffect::Records
                | IacEffect::Unknown
        );
        let differs = finding.live.is_some_and(|live| live.difference.is_some());
        finding.outcome != Outcome::Pass || finding.setting.is_switch() || changes || differs
    };
    let mut findings: Vec<&IacFinding> = server.findings.iter().filter(is_news).collect();
    findings.sort_by_key(|finding| Reverse(finding.outcome));
    findings
}

fn write_gaps(out: &mut dyn Write, report: &IacReport) -> io::Result<()> {
    if report.gaps.is_empty() {
        return Ok(());
    }
    writeln!(out, "Could not be checked")?;
    for gap in report.gaps.iter().take(GAPS_SHOWN) {
        writeln!(out, "  {}", iac_words::gap(gap))?;
    }
    if report.gaps.len() > GAPS_SHOWN {
        writeln!(out, "  and {} more; -o json has them all", report.gaps.len() - GAPS_SHOWN)?;
    }
    writeln!(out)
}

/// One sentence of figures, or that there is nothing to judge.
#[must_use]
pub fn summary(report: &IacReport) -> String {
    let counts = report.summary();
    if counts.servers == 0 {
        return format!(
            "no flexible or single server of Azure Database for PostgreSQL in this {}",
            report.format.words()
        );
    }
    let noun = if counts.servers == 1 { "server" } else { "servers" };
    // Of a server that is destroyed, nothing was judged: that is no pass.
    let unjudged = report.servers.iter().filter(|server| server.outcome() == Outcome::NotApplicable).count() as u64;
    let pass = counts.pass.saturating_sub(unjudged);
    let figures = [(counts.fail, "fail"), (counts.unknown, "unknown"), (pass, "pass"), (unjudged, "not-applicable")];
    let figures = figures.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}"));
    format!("{} {noun}: {}", counts.servers, figures.collect::<Vec<_>>().join(", "))
}

fn next(report: &IacReport) -> Vec<(String, &'static str)> {
    let has_wrong_value = |server: &&IacServer| {
        let mut failed = server.findings.iter().filter(|finding| finding.fails_unwaived());
        failed.any(|finding| matches!(finding.rule, IacRule::Control(_)))
    };
    let failed = report.servers.iter().filter(has_wrong_value).find_map(|server| Some((server, server.id.as_ref()?)));
    let snippet = failed.map(|(server, id)| {
        let mut command = format!("hostssl iac snippet {} --profile {}", safe(id.as_str()), report.profile);
        let is_capped = |finding: &IacFinding| {
            finding.outcome == Outcome::Fail && finding.rule == IacRule::Control(ControlId::MaximumTlsVersion)
        };
        if server.findings.iter().any(is_capped) {
            command.push_str(" --raise-maximum");
        }
        (command, "the Terraform and Bicep that fix it")
    });
    snippet.into_iter().collect()
}
