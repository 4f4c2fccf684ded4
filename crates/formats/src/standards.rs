//! What standards require of what a control checks, and what to do where it fails: the same words in every format.

use crate::safe;
use hostssl_audit::{Control, control};
use hostssl_model::{ControlId, Finding, Outcome, ServerReport};

/// The requirements that a control answers, one text each: the standard, its version and the number in it.
pub(crate) fn requirements(control: &'static Control) -> impl Iterator<Item = String> {
    control.mappings.iter().flat_map(|mapping| {
        mapping.requirements.iter().map(|requirement| {
            let words = [mapping.standard, mapping.version, requirement].map(str::trim);
            words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
        })
    })
}

/// Those of the control with this id.
pub(crate) fn requirements_of(id: ControlId) -> Vec<String> {
    requirements(control(id)).collect()
}

/// What to do about a failure of a server; `None` where nothing fails.
pub(crate) fn remediation(report: &ServerReport, finding: &Finding) -> Option<String> {
    let expected = finding.expected.as_deref().filter(|_| finding.outcome == Outcome::Fail)?;
    let control = control(finding.control);
    let needs = (control.needs)(report.server.kind, report.server.role);
    let next = if control.fixable && report.waiting().any(|waiting| needs.contains(&waiting)) {
        "The value waits for a restart of the server, which hostssl never does".to_owned()
    } else if control.fixable {
        "`hostssl plan` plans the change".to_owned()
    } else {
        format!("`hostssl controls {}` says how", finding.control)
    };
    Some(format!("Expected: {}. {next}.", safe(expected)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_requirement_has_its_standard_and_version() {
        let all = requirements_of(ControlId::RequireSecureTransport);
        assert!(all.contains(&"CIS Microsoft Azure Foundations Benchmark 3.0.0 5.2.1".to_owned()), "{all:?}");
        assert!(all.contains(&"SOC 2 CC6.6".to_owned()), "a standard without a version: {all:?}");
    }
}
