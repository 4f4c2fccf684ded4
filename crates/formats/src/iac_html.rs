//! A check of a file as one HTML page, in the style and under the policy of an audit's. It has no script.

use crate::html_page::{STYLE, filters, policy};
use crate::iac_words::IacOrigin;
use crate::{iac_text, iac_words, safe, waiver_text};
use askama::Template;
use hostssl_iac::{IacFinding, IacReport, IacServer};
use hostssl_model::Outcome;
use std::cmp::Reverse;
use std::io::{self, Write};

/// Writes the page.
///
/// # Errors
///
/// Whatever the writer returns.
pub fn write(mut out: &mut dyn Write, report: &IacReport, origin: &IacOrigin<'_>) -> io::Result<()> {
    IacPage::new(report, origin).write_into(&mut out).map_err(io::Error::other)?;
    writeln!(out)
}

#[derive(Template)]
#[template(path = "iac.html")]
struct IacPage<'a> {
    origin: &'a IacOrigin<'a>,
    checked_at: String,
    policy: String,
    style: &'static str,
    title: String,
    /// What decided how the check ends.
    decided: Vec<String>,
    doubts: Vec<String>,
    /// Parts of the file that could not be understood.
    gaps: Vec<String>,
    /// The worst first.
    servers: Vec<ServerLines<'a>>,
    facts: Vec<(&'static str, String)>,
}

/// A server, and what was found of it.
struct ServerLines<'a> {
    server: &'a IacServer,
    findings: Vec<FindingLine>,
}

struct FindingLine {
    class: &'static str,
    word: &'static str,
    rule: &'static str,
    severity: &'static str,
    what: String,
    beside: Vec<String>,
}

impl<'a> IacPage<'a> {
    fn new(report: &'a IacReport, origin: &'a IacOrigin<'a>) -> Self {
        let mut servers: Vec<&IacServer> = report.servers.iter().collect();
        servers.sort_by_key(|server| Reverse(server.outcome()));
        let lines = |server: &'a IacServer| {
            let mut findings: Vec<&IacFinding> = server.findings.iter().collect();
            findings.sort_by_key(|finding| Reverse(finding.outcome));
            ServerLines { server, findings: findings.into_iter().map(FindingLine::from).collect() }
        };
        let tool = report.tool_version.as_ref().map(|version| format!(", Terraform {}", safe(version)));
        let mut facts = vec![
            ("File", format!("{}, {}{}", safe(origin.file), report.format.words(), tool.unwrap_or_default())),
            ("Profile", report.profile.clone()),
            ("Checked", origin.checked_at.to_string()),
        ];
        if let Some(live) = &report.live {
            let coverage = if live.complete { "complete" } else { "incomplete" };
            let live = format!("audit {} of {}, coverage {coverage}", safe(&live.run), safe(&live.finished_at));
            facts.push(("Compared with", live));
        }
        Self {
            origin,
            checked_at: origin.checked_at.to_string(),
            policy: policy(None),
            style: STYLE,
            title: format!("{}: {}", safe(origin.file), iac_text::summary(report)),
            decided: iac_words::decided(report),
            doubts: iac_words::doubts(report),
            gaps: report.gaps.iter().map(iac_words::gap).collect(),
            servers: servers.into_iter().map(lines).collect(),
            facts,
        }
    }
}

impl From<&IacFinding> for FindingLine {
    fn from(finding: &IacFinding) -> Self {
        // As in an audit's page, only a proof is green, and no file proves anything.
        let (class, word) = match (finding.outcome, finding.accepted()) {
            (Outcome::Fail, Some(_)) => ("half", "waived"),
            (Outcome::Fail, None) => ("no", "fail"),
            (Outcome::Unknown, _) => ("unknown", "unknown"),
            (Outcome::Pass | Outcome::NotApplicable, _) => ("half", finding.outcome.as_str()),
        };
        let expected = finding.expected.as_deref().map(|expected| format!("expected: {}", safe(expected)));
        let known = finding.is_known.then(|| "fails in the baseline too".to_owned());
        let waiver = finding.waiver.as_deref().map(waiver_text::beside);
        Self {
            class,
            word,
            rule: finding.rule.as_str(),
            severity: if finding.outcome == Outcome::Fail { finding.rule.severity().as_str() } else { "" },
            what: iac_words::what(finding),
            beside: expected.into_iter().chain(known).chain(waiver).collect(),
        }
    }
}
