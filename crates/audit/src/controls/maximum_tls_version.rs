//! `maximum-tls-version`: the maximum version allows TLS 1.3.

use crate::{Control, Evidence, Settings, Verdict};
use hostssl_model::ParameterName::SslMaxProtocolVersion;
use hostssl_model::{Kind, ParameterName, Role, Severity, TlsVersion};

pub(crate) const CONTROL: Control = Control {
    id: "maximum-tls-version",
    title: "the maximum version allows TLS 1.3",
    severity: Severity::Low,
    needs,
    judge,
    mappings: &[],
    documentation: include_str!("../../../../docs/controls/maximum-tls-version.md"),
};

fn needs(kind: Kind, _: Role) -> &'static [ParameterName] {
    match kind {
        Kind::Flexible | Kind::ElasticCluster => &[SslMaxProtocolVersion],
        Kind::Single | Kind::CosmosCluster | Kind::Horizon => &[],
    }
}

fn judge(evidence: &Evidence<'_>, _: &Settings) -> Verdict {
    if needs(evidence.posture.server.kind, Role::None).is_empty() {
        return Verdict::NotApplicable;
    }
    let name = SslMaxProtocolVersion;
    let parameter = match evidence.parameter(name) {
        Ok(parameter) => parameter,
        Err(blind) => return Verdict::Unknown(blind),
    };
    // PostgreSQL: the empty string, the default, means no cap.
    if parameter.value.trim().is_empty() {
        return Verdict::pass(format!("{name} is not set"));
    }
    match TlsVersion::from_postgresql(&parameter.value) {
        Some(cap) if cap >= TlsVersion::Tls1_3 => Verdict::pass(format!("{name} = {}", cap.as_postgresql())),
        Some(cap) => Verdict::fail(format!("{name} = {}", cap.as_postgresql()), format!("{name} not set, or TLSv1.3")),
        None => Verdict::unreadable(name, &parameter.value),
    }
}
