//! `minimum-tls-version`: the declared floor is at least the profile's.

use crate::control::statement;
use crate::{Basis, Control, Evidence, Mapping, Settings, Source, Verdict};
use hostssl_model::{ControlId, Floor, Kind, Meaning, ParameterName, Role, Severity};
use std::cmp::Reverse;

pub(crate) const CONTROL: Control = Control {
    id: ControlId::MinimumTlsVersion,
    title: "old protocol versions are refused",
    severity: Severity::Medium,
    source: Source::Declared,
    counterpart: Some(ControlId::LegacyTlsRefused),
    needs_primary: false,
    fixable: true,
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

fn needs(kind: Kind, _: Role) -> Vec<ParameterName> {
    kind.offering().floors.to_vec()
}

fn judge(evidence: &Evidence<'_>, settings: &Settings) -> Verdict {
    let floors = evidence.posture.server.kind.offering().floors.iter();
    let judged = floors.map(|name| judge_floor(evidence, *name, settings));
    // The weakest node decides: fail before unknown before pass, and among those that end alike the lowest version.
    let weakest = judged.max_by_key(|(verdict, floor)| (rank(verdict), Reverse(*floor)));
    weakest.map_or(Verdict::NotApplicable, |(verdict, _)| verdict)
}

/// The verdict about one floor, with the floor when it was read.
fn judge_floor(evidence: &Evidence<'_>, name: ParameterName, settings: &Settings) -> (Verdict, Option<Floor>) {
    let (parameter, meaning) = match evidence.meaning(name) {
        Ok(read) => read,
        Err(blind) => return (Verdict::Unknown(blind), None),
    };
    let Meaning::Floor(floor) = meaning else { return (Verdict::NotApplicable, None) };
    let least = Meaning::Floor(Floor::At(settings.minimum_tls));
    let declared = statement(name, meaning);
    let expected = format!("{name} >= {}", name.spell(least).unwrap_or_default());
    let verdict = match (meaning.is_as_strict_as(least), parameter.pending_restart) {
        (true, true) => {
            Verdict::fail(format!("{declared}, which waits for a restart"), format!("{expected}, in effect"))
        }
        (true, false) => Verdict::pass(declared),
        (false, _) => Verdict::fail(declared, expected),
    };
    (verdict, Some(floor))
}

fn rank(verdict: &Verdict) -> u8 {
    match verdict {
        Verdict::NotApplicable => 0,
        Verdict::Pass { .. } => 1,
        Verdict::Unknown(_) => 2,
        Verdict::Fail { .. } => 3,
    }
}
