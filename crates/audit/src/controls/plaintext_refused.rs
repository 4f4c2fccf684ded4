//! `plaintext-refused`: on the wire, no client connects without TLS.

use crate::listeners::{inconclusive, judge_listeners};
use crate::{Control, ControlInput, ControlResult, EvidenceSource, Settings};
use hostssl_model::{ControlId, Severity, WireListener, WireTransport};

pub(crate) const CONTROL: Control = Control {
    id: ControlId::PlaintextRefused,
    title: "on the wire, plaintext clients are refused",
    severity: Severity::High,
    source: EvidenceSource::Wire,
    counterpart: None,
    needs_primary: false,
    fixable: false,
    needs: |_, _| Vec::new(),
    judge,
    mappings: &[],
    documentation: include_str!("../../../../docs/controls/plaintext-refused.md"),
};

fn judge(evidence: &ControlInput<'_>, _: &Settings) -> ControlResult {
    judge_listeners(evidence, judge_listener)
}

fn judge_listener(listener: &WireListener) -> ControlResult {
    match listener.transport {
        WireTransport::Enforced => ControlResult::pass("plaintext is refused"),
        WireTransport::Optional | WireTransport::PlaintextOnly => {
            ControlResult::fail(listener.why.to_string(), "plaintext is refused on every listener")
        }
        // That a client in plaintext is refused proves nothing where no client gets in over TLS either.
        WireTransport::BrokenTls | WireTransport::Inconclusive => inconclusive(&listener.why),
    }
}
