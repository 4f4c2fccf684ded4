//! `certificate-expiry`: on the wire, the certificate is valid for longer than the profile's days.

use crate::listeners::{inconclusive, judge_listeners, without_tls};
use crate::{Control, ControlInput, ControlResult, EvidenceSource, Settings};
use hostssl_model::{ControlId, Severity, WireListener};

pub(crate) const CONTROL: Control = Control {
    id: ControlId::CertificateExpiry,
    title: "on the wire, the certificate does not expire soon",
    severity: Severity::Medium,
    source: EvidenceSource::Wire,
    counterpart: None,
    needs_primary: false,
    fixable: false,
    needs: |_, _| Vec::new(),
    judge,
    mappings: &[],
    documentation: include_str!("../../../../docs/controls/certificate-expiry.md"),
};

fn judge(evidence: &ControlInput<'_>, settings: &Settings) -> ControlResult {
    judge_listeners(evidence, |listener| judge_listener(listener, settings.expiry_days))
}

fn judge_listener(listener: &WireListener, days: u32) -> ControlResult {
    let Some(certificate) = &listener.certificate else {
        return without_tls(listener);
    };
    let Some(left) = certificate.days_left else {
        return inconclusive("the certificate's expiry date cannot be read");
    };
    if left < i64::from(days) {
        let observed = match left {
            ..0 => format!("the certificate expired {} ago", in_days(-left)),
            _ => format!("the certificate expires in {}", in_days(left)),
        };
        return ControlResult::fail(observed, format!("at least {} left", in_days(i64::from(days))));
    }
    ControlResult::pass(format!("the certificate is valid for at least another {}", in_days(i64::from(days))))
}

fn in_days(days: i64) -> String {
    format!("{days} day{}", if days == 1 { "" } else { "s" })
}
