//! `pending-restart`: what is declared is what the running server does.

use crate::{Control, ControlInput, ControlResult, EvidenceSource, Settings};
use hostssl_model::{ControlId, Kind, ParameterName, ReplicationRole, Severity};

pub(crate) const CONTROL: Control = Control {
    id: ControlId::PendingRestart,
    title: "no TLS parameter waits for a restart",
    severity: Severity::Medium,
    source: EvidenceSource::Declared,
    counterpart: None,
    needs_primary: false,
    fixable: false,
    needs,
    judge,
    mappings: &[],
    documentation: include_str!("../../../../docs/controls/pending-restart.md"),
};

fn needs(kind: Kind, _: ReplicationRole) -> Vec<ParameterName> {
    if kind.offering().tells_pending_restart { kind.settings() } else { Vec::new() }
}

fn judge(evidence: &ControlInput<'_>, _: &Settings) -> ControlResult {
    let names = needs(evidence.posture.server.kind, ReplicationRole::None);
    if names.is_empty() {
        return ControlResult::NotApplicable;
    }
    let mut waiting = Vec::new();
    let mut unseen = None;
    for name in names {
        match evidence.parameter(name) {
            Ok(parameter) if parameter.pending_restart => waiting.push(name.as_str()),
            Ok(_) => {}
            Err(unchecked) => unseen = unseen.or(Some(unchecked)),
        }
    }
    match (waiting.is_empty(), unseen) {
        (false, _) => ControlResult::fail(
            format!("{} waits for a restart", waiting.join(", ")),
            "no TLS parameter waits for a restart",
        ),
        (true, Some(unchecked)) => ControlResult::Unknown(unchecked),
        (true, None) => ControlResult::pass("no TLS parameter waits for a restart"),
    }
}
