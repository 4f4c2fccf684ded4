//! `minimum-tls-version`: the declared floor is at least the profile's.

use crate::control::statement;
use crate::{Basis, Control, ControlInput, ControlResult, EvidenceSource, Mapping, Settings};
use hostssl_model::{ControlId, Floor, Kind, Meaning, ParameterName, ReplicationRole, Severity};
use std::cmp::Reverse;

pub(crate) const CONTROL: Control = Control {
    id: ControlId::MinimumTlsVersion,
    title: "old protocol versions are refused",
    severity: Severity::Medium,
    source: EvidenceSource::Declared,
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

fn needs(kind: Kind, _: ReplicationRole) -> Vec<ParameterName> {
    kind.offering().floors.to_vec()
}

fn judge(evidence: &ControlInput<'_>, settings: &Settings) -> ControlResult {
    let floors = evidence.posture.server.kind.offering().floors.iter();
    let judged = floors.map(|name| judge_floor(evidence, *name, settings));
    // The weakest node decides: fail before unknown before pass, and among those that end alike the lowest version.
    let weakest = judged.max_by_key(|(verdict, floor)| (rank(verdict), Reverse(*floor)));
    weakest.map_or(ControlResult::NotApplicable, |(verdict, _)| verdict)
}

/// The verdict about one floor, with the floor when it was read.
fn judge_floor(
    evidence: &ControlInput<'_>,
    name: ParameterName,
    settings: &Settings,
) -> (ControlResult, Option<Floor>) {
    let (parameter, meaning) = match evidence.meaning(name) {
        Ok(read) => read,
        Err(unchecked) => return (ControlResult::Unknown(unchecked), None),
    };
    let Meaning::Floor(floor) = meaning else { return (ControlResult::NotApplicable, None) };
    let least = Meaning::Floor(Floor::At(settings.minimum_tls));
    let declared = statement(name, meaning);
    let expected = format!("{name} >= {}", name.spell(least).unwrap_or_default());
    let verdict = match (meaning.is_as_strict_as(least), parameter.pending_restart) {
        (true, true) => {
            ControlResult::fail(format!("{declared}, which waits for a restart"), format!("{expected}, in effect"))
        }
        (true, false) => ControlResult::pass(declared),
        (false, _) => ControlResult::fail(declared, expected),
    };
    (verdict, Some(floor))
}

fn rank(verdict: &ControlResult) -> u8 {
    match verdict {
        ControlResult::NotApplicable => 0,
        ControlResult::Pass { .. } => 1,
        ControlResult::Unknown(_) => 2,
        ControlResult::Fail { .. } => 3,
    }
}
