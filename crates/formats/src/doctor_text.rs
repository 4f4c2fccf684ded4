//! `hostssl doctor` as people read it: a line for each check, and below it what to do.

use crate::{Text, safe};
use hostssl_model::{DoctorCheck, DoctorCheckId, DoctorReport, DoctorStatus, Outcome};
use std::io::{self, Write};

/// Writes the report.
///
/// # Errors
///
/// Whatever the writer returns.
pub fn write(out: &mut dyn Write, report: &DoctorReport, text: &Text<'_>) -> io::Result<()> {
    let width = |words: &[&str]| words.iter().map(|word| word.len()).max().unwrap_or_default();
    let statuses = width(&DoctorStatus::ALL.map(DoctorStatus::as_str));
    let ids = width(&DoctorCheckId::ALL.map(DoctorCheckId::as_str));
    for check in &report.checks {
        let status = text.palette.outcome(outcome(check), &format!("{:statuses$}", check.status.as_str()));
        writeln!(out, "{status}  {:ids$}  {}", check.id.as_str(), safe(&check.detail))?;
        if let Some(fix) = &check.fix {
            writeln!(out, "{:statuses$}  fix: {}", "", safe(&fix.to_string()))?;
        }
    }
    let counts = DoctorStatus::ALL.map(|status| format!("{} {status}", report.count(status)));
    writeln!(out, "\n{}", counts.join(", "))
}

fn outcome(check: &DoctorCheck) -> Outcome {
    match check.status {
        DoctorStatus::Ok => Outcome::Pass,
        DoctorStatus::Warning => Outcome::Unknown,
        DoctorStatus::Failed => Outcome::Fail,
        DoctorStatus::Skipped if check.is_unknown => Outcome::Unknown,
        DoctorStatus::Skipped => Outcome::NotApplicable,
    }
}
