//! The audit as one HTML file: for people who have neither the program nor an account, to read, to filter and to print.
//!
//! The file needs nothing but itself. Its policy (Content Security Policy, Level 3) allows its own style and script by
//! their hashes and nothing else, so that no text from outside could run or load anything even if it were not escaped.
//! Without scripts everything can be read, and only the filters are missing.

mod chart;
mod control;
mod server;

use crate::headline::{UncheckedCount, failing, headline, plural};
use crate::html_page::{STYLE, filters, policy};
use crate::scope_words::scope_words;
use crate::{SubscriptionNames, earlier_look, gate_text, safe, waiver_text};
use askama::Template;
use chart::{StackedBar, SubscriptionBar};
use control::{ControlSummary, controls, left_out};
use hostssl_model::{AuditReport, Gap, GapScope, Reason, ServerReport, Severity, Standing, Standings, WaiverUse};
use server::{CertificateLine, ServerEvidence, certificates};
use std::io::{self, Write};

const SCRIPT: &str = include_str!("../assets/audit.js");

/// Places and servers that could not be checked and are named; the servers have their reasons with their evidence, too.
const GAPS: usize = 100;

/// Subscriptions that stand there at once: the servers come behind them.
const SUBSCRIPTIONS: usize = 20;

/// Certificates in the list of those that expire first; the others stand with their servers.
const CERTIFICATES: usize = 10;

/// Writes the report. Servers are written one by one: the whole is never in memory twice.
///
/// # Errors
///
/// Whatever the writer returns.
pub fn write(mut out: &mut dyn Write, report: &AuditReport) -> io::Result<()> {
    AuditPage::from(report).write_into(&mut out).map_err(io::Error::other)?;
    writeln!(out)
}

#[derive(Template)]
#[template(path = "audit.html")]
struct AuditPage<'a> {
    report: &'a AuditReport,
    policy: String,
    style: &'static str,
    script: &'static str,
    title: String,
    /// Why the figures are not all there is, where that is so.
    incomplete: Option<String>,
    /// Servers that fail any control.
    failing: String,
    figures: Vec<Figure>,
    bar: StackedBar,
    /// What was decided: by waivers, by the gate.
    decided: Vec<String>,
    earlier: Option<String>,
    doubts: Vec<String>,
    subscriptions: Vec<SubscriptionBar<'a>>,
    /// Those behind the first ones.
    more_subscriptions: Vec<SubscriptionBar<'a>>,
    controls: Vec<ControlSummary>,
    /// Controls of the profile that were not checked.
    left_out: String,
    gaps: Vec<GapLine>,
    more_gaps: usize,
    waivers: &'a [WaiverUse],
    certificates: Vec<CertificateLine>,
    more_certificates: usize,
    asked: Vec<(&'static str, String)>,
    names: SubscriptionNames,
    /// The worst first.
    servers: Vec<&'a ServerReport>,
}

/// One of the figures at the top.
struct Figure {
    class: &'static str,
    standing: Standing,
    servers: u64,
}

/// A place that could not be checked.
struct GapLine {
    scope: String,
    reason: &'static str,
    detail: String,
}

impl<'a> From<&'a AuditReport> for AuditPage<'a> {
    fn from(report: &'a AuditReport) -> Self {
        let standings = Standings::of(&report.servers);
        let figures = Standing::ALL.into_iter().filter(|one| standings.count(*one) > 0 || is_headline(*one));
        let names = SubscriptionNames::new(report.subscriptions.iter().map(|one| (one.id.as_str(), &*one.name)));
        let mut servers: Vec<&ServerReport> = report.servers.iter().collect();
        servers.sort_by_cached_key(|one| {
            (std::cmp::Reverse((Standing::of(one), one.outcome)), one.server.name().to_owned())
        });
        let places = report.gaps.iter().filter(|gap| !gap.scope.is_server()).map(|gap| gap_line(gap, &names));
        let mut gaps: Vec<GapLine> = places.chain(servers.iter().filter_map(|server| gap_of_server(server))).collect();
        let more_gaps = gaps.len().saturating_sub(GAPS);
        gaps.truncate(GAPS);
        let mut certificates = certificates(&servers);
        let mut subscriptions = SubscriptionBar::all(report);
        let more_subscriptions = subscriptions.split_off(SUBSCRIPTIONS.min(subscriptions.len()));
        let more_certificates = certificates.len().saturating_sub(CERTIFICATES);
        certificates.truncate(CERTIFICATES);
        Self {
            policy: policy(Some(SCRIPT)),
            style: STYLE,
            script: SCRIPT,
            title: headline(report),
            incomplete: incomplete(report),
            failing: plural(failing(report), "server"),
            figures: figures
                .map(|standing| Figure { class: class(standing), standing, servers: standings.count(standing) })
                .collect(),
            bar: StackedBar::of(&standings),
            decided: waiver_text::used(report).into_iter().chain(gate_text::decided(report)).collect(),
            earlier: earlier_look::note(report),
            doubts: waiver_text::doubts(report).into_iter().chain(gate_text::doubts(report)).collect(),
            subscriptions,
            more_subscriptions,
            controls: controls(report),
            left_out: left_out(report).join(", "),
            gaps,
            more_gaps,
            waivers: report.overlay.waivers.as_ref().map_or(&[], |file| &file.waivers),
            certificates,
            more_certificates,
            asked: asked(report),
            names,
            servers,
            report,
        }
    }
}

impl AuditPage<'_> {
    /// What is shown of each server, with its number in the file.
    fn evidence(&self) -> impl Iterator<Item = (usize, ServerEvidence<'_>)> {
        self.servers
            .iter()
            .enumerate()
            .map(|(number, report)| (number, ServerEvidence::of(report, self.report, &self.names)))
    }
}

/// The figures that are shown even when they are zero.
fn is_headline(standing: Standing) -> bool {
    matches!(standing, Standing::AcceptsPlaintext | Standing::NotEnforced | Standing::Unknown | Standing::Proven)
}

/// The colour of a status. Only a proof is green.
fn class(standing: Standing) -> &'static str {
    match standing {
        Standing::AcceptsPlaintext => "worst",
        Standing::NotEnforced => "no",
        Standing::Unknown => "unknown",
        Standing::Unproven | Standing::NotProbed => "half",
        Standing::Proven => "yes",
    }
}

fn incomplete(report: &AuditReport) -> Option<String> {
    let why = UncheckedCount::of(report).words();
    let early = report.gaps.iter().any(|gap| matches!(gap.unchecked.reason, Reason::Interrupted | Reason::Deadline));
    let what = if early { "ended early" } else { "is incomplete" };
    (!report.run.complete).then(|| format!("This audit {what}: {why} could not be checked."))
}

fn gap_line(gap: &Gap, names: &SubscriptionNames) -> GapLine {
    let detail = match &gap.unchecked.missing_permission {
        Some(permission) => format!("{} (needs {permission})", gap.unchecked.detail),
        None => gap.unchecked.detail.to_string(),
    };
    let scope = match &gap.scope {
        GapScope::AllSubscriptions => "all subscriptions".to_owned(),
        GapScope::Subscription(id) => names.of(id).to_owned(),
        scope => scope.to_string(),
    };
    GapLine { scope: safe(&scope).into(), reason: gap.unchecked.reason.as_str(), detail: safe(&detail).into() }
}

/// Why something of a server could not be checked: its first reason.
fn gap_of_server(report: &ServerReport) -> Option<GapLine> {
    let unchecked = report.findings.iter().find_map(|finding| finding.unchecked.as_ref())?;
    let scope = safe(report.server.name()).into_owned();
    Some(GapLine { scope, reason: unchecked.reason.as_str(), detail: safe(&unchecked.detail).into() })
}

/// What was asked, when and by whom.
fn asked(report: &AuditReport) -> Vec<(&'static str, String)> {
    let run = &report.run;
    let principals: Vec<String> = run.principals.iter().map(|one| format!("{} ({})", one.name, one.method)).collect();
    let coverage = if run.complete { "complete" } else { "incomplete" };
    let earlier = earlier_look::plaintext(report).map(|why| format!(", but {why}")).unwrap_or_default();
    let rows = vec![
        ("Audited", format!("{} to {}", run.started_at, run.finished_at)),
        ("Signed in as", principals.join(", ")),
        ("Cloud", run.cloud.clone()),
        ("Scope", scope_words(&run.scope)),
        ("Profile", run.asked.rules(&run.profile)),
        ("Coverage", format!("{coverage}{earlier}")),
        ("Run", run.id.clone()),
        ("Written by", format!("hostssl {}", run.tool_version)),
    ];
    rows.into_iter().map(|(what, text)| (what, safe(&text).into_owned())).collect()
}

/// The word of a severity; empty where nothing failed.
fn severity_word(severity: Option<Severity>) -> &'static str {
    severity.map_or("", Severity::as_str)
}
