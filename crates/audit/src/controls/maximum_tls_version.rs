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
    match evidence.meaning(name) {
        Err(unchecked) => ControlResult::Unknown(unchecked),
        Ok((_, Meaning::Cap(Some(cap)))) if cap < TlsVersion::Tls1_3 => {
            ControlResult::fail(statement(name, Meaning::Cap(Some(cap))), format!("{name} not set, or TLSv1.3"))
        }
        Ok((_, cap @ Meaning::Cap(Some(_)))) => ControlResult::pass(statement(name, cap)),
        Ok(_) => ControlResult::pass(format!("{name} is not set")),
    }
}
