//! `pending-restart`: what is declared is what the running server does.

use crate::{Control, Evidence, Settings, Source, Verdict};
use hostssl_model::{ControlId, Kind, ParameterName, Role, Severity};

pub(crate) const CONTROL: Control = Control {
    id: ControlId::PendingRestart,
    title: "no TLS parameter waits for a restart",
    severity: Severity::Medium,
    source: Source::Declared,
    counterpart: None,
    needs_primary: false,
    fixable: false,
    needs,
    judge,
    mappings: &[],
    documentation: include_str!("../../../../docs/controls/pending-restart.md"),
};

fn needs(kind: Kind, _: Role) -> Vec<ParameterName> {
    if kind.offering().tells_pending_restart { kind.settings() } else { Vec::new() }
}

fn judge(evidence: &Evidence<'_>, _: &Settings) -> Verdict {
    let names = needs(evidence.posture.server.kind, Role::None);
    if names.is_empty() {
        return Verdict::NotApplicable;
    }
    let mut waiting = Vec::new();
    let mut unseen = None;
    for name in names {
        match evidence.parameter(name) {
            Ok(parameter) if parameter.pending_restart => waiting.push(name.as_str()),
            Ok(_) => {}
            Err(blind) => unseen = unseen.or(Some(blind)),
        }
    }
    match (waiting.is_empty(), unseen) {
        (false, _) => {
            Verdict::fail(format!("{} waits for a restart", waiting.join(", ")), "no TLS parameter waits for a restart")
        }
        (true, Some(blind)) => Verdict::Unknown(blind),
        (true, None) => Verdict::pass("no TLS parameter waits for a restart"),
    }
}
