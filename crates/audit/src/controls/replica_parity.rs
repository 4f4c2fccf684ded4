//! `replica-parity`: a replica is as strict as its primary.

use crate::control::{parameter, shown};
use crate::{Control, ControlInput, ControlResult, EvidenceSource, Settings};
use hostssl_model::{ControlId, Kind, Parameter, ParameterName, Reading, Reason, ReplicationRole, Severity, Unchecked};

pub(crate) const CONTROL: Control = Control {
    id: ControlId::ReplicaParity,
    title: "a replica's TLS parameters equal its primary's",
    severity: Severity::Medium,
    source: EvidenceSource::Declared,
    counterpart: None,
    needs_primary: true,
    fixable: false,
    needs,
    judge,
    mappings: &[],
    documentation: include_str!("../../../../docs/controls/replica-parity.md"),
};

fn needs(kind: Kind, role: ReplicationRole) -> Vec<ParameterName> {
    let is_replica = role == ReplicationRole::Replica && kind.offering().has_replicas;
    if is_replica { kind.settings() } else { Vec::new() }
}

fn judge(evidence: &ControlInput<'_>, _: &Settings) -> ControlResult {
    let server = &evidence.posture.server;
    let names = needs(server.kind, server.role);
    if names.is_empty() {
        return ControlResult::NotApplicable;
    }
    let primary = match evidence.primary {
        Some(Reading::Known(primary)) => primary,
        Some(Reading::Unknown(unchecked)) => return ControlResult::Unknown(unchecked.clone()),
        None => {
            return ControlResult::Unknown(Unchecked::new(
                Reason::NotReturned,
                "Azure does not say which server it replicates",
            ));
        }
    };
    let mut here = Vec::new();
    let mut there = Vec::new();
    let mut unseen = None;
    for name in names {
        match (evidence.parameter(name), parameter(primary, name)) {
            (Ok(own), Ok(primarys)) => {
                // Of a value that waits for a restart, the one in effect is not known.
                let waits = own.pending_restart || primarys.pending_restart;
                if waits || !own.says_the_same_as(primarys) {
                    here.push(declared(name, own));
                    there.push(declared(name, primarys));
                }
            }
            (Err(unchecked), _) | (_, Err(unchecked)) => unseen = unseen.or(Some(unchecked)),
        }
    }
    match (here.is_empty(), unseen) {
        (false, _) => ControlResult::fail(
            here.join(", "),
            format!("as on primary {}: {}", primary.server.name(), there.join(", ")),
        ),
        (true, Some(unchecked)) => ControlResult::Unknown(unchecked),
        (true, None) => ControlResult::pass(format!("as on primary {}", primary.server.name())),
    }
}

fn declared(name: ParameterName, parameter: &Parameter) -> String {
    let waits = if parameter.pending_restart { " (waits for a restart)" } else { "" };
    format!("{name} = {}{waits}", shown(parameter.value()))
}
