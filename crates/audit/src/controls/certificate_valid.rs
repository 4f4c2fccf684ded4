//! `certificate-valid`: on the wire, a client with `sslmode=verify-full` is satisfied.

use crate::listeners::{inconclusive, judge_listeners, without_tls};
use crate::{Control, Evidence, Settings, Source, Verdict};
use hostssl_model::{ControlId, Severity, WireListener};

pub(crate) const CONTROL: Control = Control {
    id: ControlId::CertificateValid,
    title: "on the wire, the certificate satisfies sslmode=verify-full",
    severity: Severity::Medium,
    source: Source::Wire,
    counterpart: None,
    needs_primary: false,
    fixable: false,
    needs: |_, _| Vec::new(),
    judge,
    mappings: &[],
    documentation: include_str!("../../../../docs/controls/certificate-valid.md"),
};

fn judge(evidence: &Evidence<'_>, _: &Settings) -> Verdict {
    judge_listeners(evidence, judge_listener)
}

fn judge_listener(listener: &WireListener) -> Verdict {
    let Some(certificate) = &listener.certificate else {
        return without_tls(listener);
    };
    let reason = || certificate.reason.as_deref().unwrap_or("the certificate was not checked").to_owned();
    match certificate.verify_full {
        Some(true) => Verdict::pass("the certificate is valid"),
        Some(false) => Verdict::fail(reason(), "a certificate that sslmode=verify-full accepts"),
        None => inconclusive(&reason()),
    }
}
