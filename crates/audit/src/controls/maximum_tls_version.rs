//! `maximum-tls-version`: the maximum version allows TLS 1.3.

use crate::control::statement;
use crate::{Control, Evidence, Settings, Source, Verdict};
use hostssl_model::{ControlId, Kind, Meaning, ParameterName, Role, Severity, TlsVersion};

pub(crate) const CONTROL: Control = Control {
    id: ControlId::MaximumTlsVersion,
    title: "the maximum version allows TLS 1.3",
    severity: Severity::Low,
    source: Source::Declared,
    counterpart: None,
    needs_primary: false,
    fixable: false,
    needs,
    judge,
    mappings: &[],
    documentation: include_str!("../../../../docs/controls/maximum-tls-version.md"),
};

fn needs(kind: Kind, _: Role) -> Vec<ParameterName> {
    kind.offering().cap.into_iter().collect()
}

fn judge(evidence: &Evidence<'_>, _: &Settings) -> Verdict {
    let Some(name) = evidence.posture.server.kind.offering().cap else {
        return Verdict::NotApplicable;
    };
    match evidence.meaning(name) {
        Err(blind) => Verdict::Unknown(blind),
        Ok((_, Meaning::Cap(Some(cap)))) if cap < TlsVersion::Tls1_3 => {
            Verdict::fail(statement(name, Meaning::Cap(Some(cap))), format!("{name} not set, or TLSv1.3"))
        }
        Ok((_, cap @ Meaning::Cap(Some(_)))) => Verdict::pass(statement(name, cap)),
        Ok(_) => Verdict::pass(format!("{name} is not set")),
    }
}
