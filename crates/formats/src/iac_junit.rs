//! A check of a file as JUnit XML, for the test pages of pipelines.
//!
//! A suite for the file, a case for each rule of a server: a failure is a failure, what is not known is an error, and a server of
//! which nothing is left to judge is skipped. What could not be understood is an error in a suite of its own.

use crate::{iac_words, safe, waiver_text};
use hostssl_iac::{IacFinding, IacReport, IacServer};
use hostssl_model::Outcome;
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use std::io::{self, Write};

/// Writes the report of a file that is called so.
///
/// # Errors
///
/// Whatever the writer returns.
pub fn write(out: &mut dyn Write, report: &IacReport, file: &str) -> io::Result<()> {
    let mut document = Report::new(format!("hostssl {}", report.profile));
    let mut suite = TestSuite::new(safe(file).into_owned());
    for server in &report.servers {
        if server.findings.is_empty() {
            suite.add_test_case(case(server, server.change.as_str(), TestCaseStatus::skipped()));
        }
        suite.add_test_cases(server.findings.iter().map(|one| case(server, one.rule.as_str(), status(one))));
    }
    document.add_test_suite(suite);
    if !report.gaps.is_empty() {
        let mut suite = TestSuite::new("coverage");
        for gap in &report.gaps {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
            status.set_type(gap.kind.as_str()).set_message(iac_words::gap(gap));
            let place = safe(gap.address.as_deref().unwrap_or(file)).into_owned();
            let mut case = TestCase::new(place, status);
            case.set_classname("coverage");
            suite.add_test_case(case);
        }
        document.add_test_suite(suite);
    }
    document.serialize(&mut *out).map_err(io::Error::other)?;
    writeln!(out)
}

fn case(server: &IacServer, name: &str, status: TestCaseStatus) -> TestCase {
    let mut case = TestCase::new(name, status);
    // Several servers may have one name, and each has an address.
    case.set_classname(safe(&server.address).into_owned());
    case
}

fn status(finding: &IacFinding) -> TestCaseStatus {
    let not = |kind, code: &str| {
        let mut status = TestCaseStatus::non_success(kind);
        status.set_type(code).set_message(iac_words::with_waiver(finding));
        status
    };
    match finding.outcome {
        Outcome::Pass => TestCaseStatus::success(),
        Outcome::NotApplicable => TestCaseStatus::skipped(),
        // Skipped and not passed: it fails, and someone has accepted that for a time.
        Outcome::Fail if finding.accepted().is_some() => {
            let mut status = TestCaseStatus::skipped();
            let beside = finding.accepted().map(waiver_text::beside).unwrap_or_default();
            status.set_message(format!("fails: {} ({beside})", iac_words::what(finding)));
            status
        }
        Outcome::Fail => not(NonSuccessKind::Failure, finding.rule.severity().as_str()),
        Outcome::Unknown => not(NonSuccessKind::Error, finding.reason.map_or("unknown", |reason| reason.as_str())),
    }
}
