//! `minimum-tls-version`: the declared floor is at least the profile's.

use crate::{Basis, Control, Evidence, Mapping, Settings, Verdict};
use hostssl_model::ParameterName::{MinimalTlsVersion, NodeSslMinProtocolVersion, SslMinProtocolVersion};
use hostssl_model::{Kind, ParameterName, Role, Severity, TlsVersion};

pub(crate) const CONTROL: Control = Control {
    id: "minimum-tls-version",
    title: "old protocol versions are refused",
    severity: Severity::Medium,
    needs,
    judge,
    mappings: &[Mapping {
        standard: "Microsoft cloud security benchmark",
        version: "2 (preview)",
        requirements: &["DP-3"],
        basis: Basis::AzurePolicy,
    }],
    documentation: include_str!("../../../../docs/controls/minimum-tls-version.md"),
};

fn needs(kind: Kind, _: Role) -> &'static [ParameterName] {
    match kind {
        Kind::Flexible | Kind::ElasticCluster | Kind::Horizon => &[SslMinProtocolVersion],
        Kind::CosmosCluster => &[SslMinProtocolVersion, NodeSslMinProtocolVersion],
        Kind::Single => &[MinimalTlsVersion],
    }
}

fn judge(evidence: &Evidence<'_>, settings: &Settings) -> Verdict {
    let floors =
        needs(evidence.posture.server.kind, Role::None).iter().map(|name| judge_floor(evidence, *name, settings));
    // The weakest node decides: fail before unknown before pass, and among those that pass the lowest version.
    floors
        .max_by(|a, b| rank(a).cmp(&rank(b)).then_with(|| observed(b).cmp(observed(a))))
        .unwrap_or(Verdict::NotApplicable)
}

fn judge_floor(evidence: &Evidence<'_>, name: ParameterName, settings: &Settings) -> Verdict {
    let parameter = match evidence.parameter(name) {
        Ok(parameter) => parameter,
        Err(blind) => return Verdict::Unknown(blind),
    };
    let spell = |version: TlsVersion| match name {
        MinimalTlsVersion => version.as_azure(),
        _ => version.as_postgresql(),
    };
    let floor = match name {
        MinimalTlsVersion => TlsVersion::from_azure(&parameter.value),
        _ => TlsVersion::from_postgresql(&parameter.value),
    };
    let expected = || format!("{name} >= {}", spell(settings.minimum_tls));
    match floor {
        Some(floor) if floor >= settings.minimum_tls && parameter.pending_restart => Verdict::fail(
            format!("{name} = {}, which waits for a restart", spell(floor)),
            format!("{}, in effect", expected()),
        ),
        Some(floor) if floor >= settings.minimum_tls => Verdict::pass(format!("{name} = {}", spell(floor))),
        Some(floor) => Verdict::fail(format!("{name} = {}", spell(floor)), expected()),
        // A single server without a floor says so with this word.
        None if name == MinimalTlsVersion && parameter.is("TLSEnforcementDisabled") => {
            Verdict::fail(format!("{name} = TLSEnforcementDisabled"), expected())
        }
        None => Verdict::unreadable(name, &parameter.value),
    }
}

fn observed(verdict: &Verdict) -> &str {
    match verdict {
        Verdict::Pass { observed } | Verdict::Fail { observed, .. } => observed,
        Verdict::Unknown(_) | Verdict::NotApplicable => "",
    }
}

fn rank(verdict: &Verdict) -> u8 {
    match verdict {
        Verdict::NotApplicable => 0,
        Verdict::Pass { .. } => 1,
        Verdict::Unknown(_) => 2,
        Verdict::Fail { .. } => 3,
    }
}
