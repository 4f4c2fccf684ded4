//! What several tests of checks need.

use hostssl_iac::{IacBaseline, IacBaselineFailure, IacReport};
use hostssl_model::Outcome;

/// The check of a file as a baseline, as its JSON has it.
pub(crate) fn baseline(report: &IacReport) -> IacBaseline {
    let failures = report.servers.iter().flat_map(|server| {
        server.findings.iter().filter(|one| one.outcome == Outcome::Fail).map(|one| {
            let spelled = |value: Option<_>| value.and_then(|value| one.setting.spell(value)).map(str::to_owned);
            let now = spelled(one.live.map(|live| live.meaning).or(one.before));
            (server.fingerprint(one), IacBaselineFailure { now, after: spelled(one.after) })
        })
    });
    IacBaseline {
        profile: report.profile.clone(),
        format: report.format.as_str().to_owned(),
        is_compared: report.live.is_some(),
        failures: failures.collect(),
    }
}
