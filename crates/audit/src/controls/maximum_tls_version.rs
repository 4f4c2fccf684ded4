//! `maximum-tls-version`: the maximum version allows TLS 1.3.

use crate::control::statement;
use crate::{Control, ControlInput, ControlResult, EvidenceSource, Settings};
use hostssl_model::{ControlId, Kind, Meaning, ParameterName, ReplicationRole, Severity, TlsVersion};

pub(crate) const CONTROL: Control = Control {
    id: ControlId::MaximumTlsVersion,
    title: "the maximum version allows TLS 1.3",
    severity: Severity::Low,
    source: EvidenceSource::Declared,
    counterpart: None,
    needs_primary: false,
    fixable: false,
    needs,
    judge,
    mappings: &[],
    documentation: include_str!("../../../../docs/controls/maximum-tls-version.md"),
};

fn needs(kind: Kind, _: ReplicationRole) -> Vec<ParameterName> {
    kind.offering().cap.into_iter().collect()
}

fn judge(evidence: &ControlInput<'_>, _: &Settings) -> ControlResult {
    let Some(name) = evidence.posture.server.kind.offering().cap else {
        return ControlResult::NotApplicable;
    };
    let (parameter, meaning) = match evidence.meaning(name) {
        Ok(read) => read,
        Err(unchecked) => return ControlResult::Unknown(unchecked),
    };
    let expected = format!("{name} not set, or TLSv1.3");
    let (declared, allows) = match meaning {
        Meaning::Cap(Some(cap)) => (statement(name, meaning), cap >= TlsVersion::Tls1_3),
        _ => (format!("{name} is not set"), true),
    };
    match (allows, parameter.pending_restart) {
        (true, true) => {
            ControlResult::fail(format!("{declared}, which waits for a restart"), format!("{expected}, in effect"))
        }
        (true, false) => ControlResult::pass(declared),
        (false, _) => ControlResult::fail(declared, expected),
    }
}
