//! `certificate-valid`: on the wire, a client with `sslmode=verify-full` is satisfied.

use crate::listeners::{inconclusive, judge_listeners, without_tls};
use crate::{Control, ControlInput, ControlResult, EvidenceSource, Settings};
use hostssl_model::{ControlId, Severity, WireListener};

pub(crate) const CONTROL: Control = Control {
    id: ControlId::CertificateValid,
    title: "on the wire, the certificate satisfies sslmode=verify-full",
    severity: Severity::Medium,
    source: EvidenceSource::Wire,
    counterpart: None,
    needs_primary: false,
    fixable: false,
    needs: |_, _| Vec::new(),
    judge,
    mappings: &[],
    documentation: include_str!("../../../../docs/controls/certificate-valid.md"),
};

fn judge(evidence: &ControlInput<'_>, _: &Settings) -> ControlResult {
    judge_listeners(evidence, judge_listener)
}

fn judge_listener(listener: &WireListener) -> ControlResult {
    let Some(certificate) = &listener.certificate else {
        return without_tls(listener);
    };
    let reason = || certificate.reason.as_deref().unwrap_or("the certificate was not checked").to_owned();
    match certificate.verify_full {
        Some(true) => ControlResult::pass("the certificate is valid"),
        Some(false) => ControlResult::fail(reason(), "a certificate that sslmode=verify-full accepts"),
        None => inconclusive(&reason()),
    }
}
