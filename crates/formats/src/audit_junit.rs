//! The audit as JUnit XML, which the test pages of GitLab, Azure Pipelines and Jenkins read.
//!
//! A suite for each subscription, a case for each control of a server: a failed control is a failure, one that could not be
//! judged is an error, one that does not apply or is waived is skipped. What could not be listed is an error in a suite of
//! its own; a list without which nothing was missed is skipped there.
//! Plaintext that an earlier probe saw accepted is an error: the audit does not pass. What else an earlier look says is in
//! the output of the suite.

use crate::{earlier_look, safe, waiver_text};
use hostssl_model::{AuditReport, Finding, Outcome, ServerReport};
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use std::io::{self, Write};

/// Writes the report.
///
/// # Errors
///
/// Whatever the writer returns.
pub fn write(out: &mut dyn Write, report: &AuditReport) -> io::Result<()> {
    let mut document = Report::new(format!("hostssl {}", report.run.profile));
    // Servers stand in the order of the subscriptions.
    for servers in report.servers.chunk_by(|a, b| a.server.subscription() == b.server.subscription()) {
        let Some(first) = servers.first() else { continue };
        let id = first.server.subscription();
        let name = report.subscriptions.iter().find(|one| one.id == id).map_or(id.as_str(), |one| &*one.name);
        let mut suite = TestSuite::new(safe(name).into_owned());
        for server in servers {
            suite.add_test_cases(server.findings.iter().map(|finding| case(server, finding)));
            suite.add_test_cases(earlier_plaintext(server, &report.run.started_at));
        }
        let worse = |server: &ServerReport| {
            let why = earlier_look::why_worse(server, &report.run.started_at)?;
            Some(format!("{}: {why}", safe(server.server.name())))
        };
        let worse: Vec<String> = servers.iter().filter_map(worse).collect();
        if !worse.is_empty() {
            suite.set_system_out(worse.join("\n"));
        }
        document.add_test_suite(suite);
    }
    if !report.gaps.is_empty() {
        let mut suite = TestSuite::new("coverage");
        for gap in &report.gaps {
            let name = safe(&gap.scope.to_string()).into_owned();
            let mut status = match gap.unchecked.reason.leaves_incomplete() {
                true => TestCaseStatus::non_success(NonSuccessKind::Error),
                false => TestCaseStatus::skipped(),
            };
            status.set_type(gap.unchecked.reason.as_str()).set_message(safe(&gap.unchecked.detail).into_owned());
            let mut case = TestCase::new(name, status);
            case.set_classname("coverage");
            suite.add_test_case(case);
        }
        document.add_test_suite(suite);
    }
    document.serialize(&mut *out).map_err(io::Error::other)?;
    writeln!(out)
}

fn case(report: &ServerReport, finding: &Finding) -> TestCase {
    case_of(report, finding.control.as_str(), status(finding))
}

fn case_of(report: &ServerReport, name: &str, status: TestCaseStatus) -> TestCase {
    let server = &report.server;
    let mut case = TestCase::new(name, status);
    case.set_classname(format!("{}.{}", safe(server.id.resource_group()), safe(server.name())));
    case
}

fn earlier_plaintext(report: &ServerReport, started_at: &str) -> Option<TestCase> {
    let why = earlier_look::why_worse(report, started_at).filter(|_| report.accepted_plaintext_earlier())?;
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
    status.set_type("earlier-plaintext").set_message(format!("{why}, and this audit did not probe it since"));
    Some(case_of(report, "earlier-plaintext", status))
}

fn status(finding: &Finding) -> TestCaseStatus {
    match finding.outcome {
        Outcome::Pass => TestCaseStatus::success(),
        Outcome::NotApplicable => TestCaseStatus::skipped(),
        // Skipped and not passed: it fails, and someone has accepted that for a time.
        Outcome::Fail if finding.accepted().is_some() => {
            let mut status = TestCaseStatus::skipped();
            let observed = safe(finding.observed.as_deref().unwrap_or_default()).into_owned();
            let beside = finding.accepted().map(waiver_text::beside).unwrap_or_default();
            status.set_message(format!("fails: {observed} ({beside})"));
            status
        }
        Outcome::Fail => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            let observed = safe(finding.observed.as_deref().unwrap_or_default()).into_owned();
            status.set_type(finding.severity.as_str()).set_message(observed);
            let expected = finding.expected.as_deref().map(|expected| format!("Expected: {}", safe(expected)));
            let beside = finding.waiver.as_deref().map(waiver_text::beside);
            let description: Vec<String> = expected.into_iter().chain(beside).collect();
            if !description.is_empty() {
                status.set_description(description.join("\n"));
            }
            status
        }
        Outcome::Unknown => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
            if let Some(unchecked) = &finding.unchecked {
                status.set_type(unchecked.reason.as_str()).set_message(safe(&unchecked.detail).into_owned());
            }
            status
        }
    }
}
