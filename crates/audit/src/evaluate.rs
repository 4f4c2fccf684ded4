//! From facts to findings.

use crate::listeners::bears_out;
use crate::{ControlInput, ControlResult, Profile, minimal_tls_version, ssl_enforcement};
use hostssl_model::{
    Confidence, Finding, Kind, Outcome, ParameterName, Posture, Reading, ReplicationRole, ServerReport,
};

/// The settings that the profile needs to judge a server of this kind and role, each once.
#[must_use]
pub fn needed_parameters(profile: &Profile, kind: Kind, role: ReplicationRole) -> Vec<ParameterName> {
    let mut names: Vec<_> = profile.controls.iter().flat_map(|control| (control.needs)(kind, role)).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Judges one server by every control of the profile, in the profile's order. `primary` is what was observed of the
/// server that it replicates, when it is a replica.
#[must_use]
pub fn evaluate(posture: &Posture, primary: Option<&Reading<Posture>>, profile: &Profile) -> Vec<Finding> {
    let evidence = ControlInput { posture, primary };
    profile
        .controls
        .iter()
        .map(|control| {
            let (outcome, observed, expected, unchecked) = match (control.judge)(&evidence, &profile.settings) {
                ControlResult::Pass { observed } => (Outcome::Pass, Some(observed), None, None),
                ControlResult::Fail { observed, expected } => (Outcome::Fail, Some(observed), Some(expected), None),
                ControlResult::Unknown(unchecked) => (Outcome::Unknown, None, None, Some(unchecked)),
                ControlResult::NotApplicable => (Outcome::NotApplicable, None, None, None),
            };
            let decided = matches!(outcome, Outcome::Pass | Outcome::Fail);
            let seen = decided && control.is_of_the_wire();
            let confidence = if seen || bears_out(control, outcome, &evidence, &profile.settings) {
                Confidence::WireConfirmed
            } else {
                Confidence::Declared
            };
            Finding {
                control: control.id,
                outcome,
                severity: control.severity,
                confidence,
                observed,
                expected,
                unchecked,
                waiver: None,
            }
        })
        .collect()
}

/// Judges one server and sums it up. A server's outcome is its worst control: fail, then unknown, then pass. One to
/// which no control of the profile applies passes: nothing is asked of it.
#[must_use]
pub fn server_report(posture: &Posture, primary: Option<&Reading<Posture>>, profile: &Profile) -> ServerReport {
    let findings = evaluate(posture, primary, profile);
    let worst = findings.iter().map(|finding| finding.outcome).max().unwrap_or(Outcome::NotApplicable);
    ServerReport {
        ssl_enforcement: ssl_enforcement(posture),
        minimal_tls_version: minimal_tls_version(posture),
        outcome: if worst == Outcome::NotApplicable { Outcome::Pass } else { worst },
        findings,
        wire: posture.wire.clone(),
        readings: posture.readings.clone(),
        server: posture.server.clone(),
        primary: primary.cloned().map(Box::new),
        known: None,
    }
}
