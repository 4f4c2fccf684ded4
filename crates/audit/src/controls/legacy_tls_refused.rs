//! `legacy-tls-refused`: on the wire, nothing below the profile's version is accepted.

use crate::listeners::{inconclusive, judge_listeners, without_tls};
use crate::{Control, ControlInput, ControlResult, EvidenceSource, Settings};
use hostssl_model::{Acceptance, ControlId, Severity, TlsVersion, WireListener, WireVersion};

pub(crate) const CONTROL: Control = Control {
    id: ControlId::LegacyTlsRefused,
    title: "on the wire, old protocol versions are refused",
    severity: Severity::Medium,
    source: EvidenceSource::Wire,
    counterpart: None,
    needs_primary: false,
    fixable: false,
    needs: |_, _| Vec::new(),
    judge,
    mappings: &[],
    documentation: include_str!("../../../../docs/controls/legacy-tls-refused.md"),
};

fn judge(evidence: &ControlInput<'_>, settings: &Settings) -> ControlResult {
    judge_listeners(evidence, |listener| judge_listener(listener, settings.minimum_tls))
}

fn judge_listener(listener: &WireListener, minimum: TlsVersion) -> ControlResult {
    if listener.versions.is_empty() {
        return without_tls(listener);
    }
    let old = |wanted| {
        let versions = listener.versions.iter();
        let old = versions.filter(move |(version, seen)| *version < WireVersion::Tls(minimum) && *seen == wanted);
        old.map(|(version, _)| version.to_string()).collect::<Vec<_>>().join(", ")
    };
    let (accepted, unknown) = (old(Acceptance::Accepted), old(Acceptance::Unknown));
    if !accepted.is_empty() {
        return ControlResult::fail(format!("accepts {accepted}"), format!("nothing below {minimum}"));
    }
    if !unknown.is_empty() {
        return inconclusive(&format!("whether it accepts {unknown} could not be checked"));
    }
    ControlResult::pass(format!("nothing below {minimum} is accepted"))
}
