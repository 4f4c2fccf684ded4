//! An audit of some controls alone, laid over what is known of a server: it says nothing of what it was not asked for, so
//! that stands as it was.

use super::document::{self, ServerFacts, ServerJudgement, StoredFinding, StoredReading};
use super::evidence::ServerEvidence;
use crate::StoreError;
use hostssl_model::{ControlId, Enforcement, Outcome, ParameterName, SslEnforcement};
use rusqlite::{Connection, OptionalExtension as _};
use std::collections::BTreeSet;

/// The documents of a server: what the audit saw, over what is known.
pub(crate) struct Laid {
    pub(crate) facts: ServerFacts,
    pub(crate) judgement: ServerJudgement,
    /// Every control with its outcome, as far as its evidence stands.
    pub(crate) findings: Vec<(String, Outcome)>,
}

/// Lays what an audit saw over the row of the present, unless there is none or that is newer.
pub(crate) fn lay(
    connection: &Connection,
    (server, at_ms): (i64, i64),
    (facts, judgement): (&ServerFacts, &ServerJudgement),
    known: &ServerEvidence,
) -> Result<Option<Laid>, StoreError> {
    let row: Option<(String, String)> = connection
        .prepare_cached(
            "SELECT f.document, j.document FROM current c JOIN facts f ON f.num = c.facts \
             JOIN judgements j ON j.num = c.judgement WHERE c.server = ?1 AND c.at_ms <= ?2",
        )?
        .query_row([server, at_ms], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((old_facts, old_judgement)) = row else { return Ok(None) };
    let (old_facts, old_judgement): (ServerFacts, ServerJudgement) =
        (document::read(&old_facts)?, document::read(&old_judgement)?);
    let asked = judgement.findings.iter().map(|one| one.control.clone()).collect::<BTreeSet<_>>();
    let judgement = judged(facts, judgement, old_judgement);
    let findings = judgement.findings.iter().filter_map(|one| {
        let outcome = if asked.contains(&one.control) { Some(one.outcome()) } else { outcome_now(one, known) };
        Some((one.control.clone(), outcome?))
    });
    let findings = findings.collect();
    let facts = seen(facts, old_facts, asked.contains(ControlId::ReplicaParity.as_str()));
    Ok(Some(Laid { facts, judgement, findings }))
}

/// What an older look said of a control, as far as that still stands: a run may have turned the switch since.
fn outcome_now(finding: &StoredFinding, known: &ServerEvidence) -> Option<Outcome> {
    if known.is_outdated(&finding.control) {
        return None;
    }
    let is_main = finding.control == Enforcement::CONTROL.as_str();
    Some(match known.state.newest_change().filter(|_| is_main) {
        Some(Enforcement::Enforced) => Outcome::Pass,
        Some(Enforcement::NotEnforced) => Outcome::Fail,
        Some(Enforcement::Unknown) | None => finding.outcome(),
    })
}

fn judged(facts: &ServerFacts, new: &ServerJudgement, old: ServerJudgement) -> ServerJudgement {
    let reads = |wanted: fn(ParameterName) -> bool| {
        facts.readings.iter().any(|reading| reading.name().known().is_some_and(wanted))
    };
    let is_new = |id: &str| new.findings.iter().any(|one| one.control == id);
    let kept = old.findings.into_iter().filter(|one| !is_new(&one.control));
    let mut findings: Vec<StoredFinding> = kept.chain(new.findings.iter().cloned()).collect();
    let place = |one: &StoredFinding| {
        let known = one.control().known();
        known.and_then(|id| ControlId::ALL.iter().position(|one| *one == id)).unwrap_or(usize::MAX)
    };
    findings.sort_by_key(place);
    let worst = findings.iter().map(StoredFinding::outcome).max().unwrap_or(Outcome::Unknown);
    // Nothing is asked of a server to which no control applies.
    let outcome = if worst == Outcome::NotApplicable { Outcome::Pass } else { worst };
    let is_declared = new.ssl_enforcement() != SslEnforcement::Unknown || reads(ParameterName::is_switch);
    let has_floor = new.minimal_tls_version.is_some() || reads(ParameterName::is_floor);
    ServerJudgement {
        ssl_enforcement: if is_declared { new.ssl_enforcement.clone() } else { old.ssl_enforcement },
        minimal_tls_version: if has_floor { new.minimal_tls_version.clone() } else { old.minimal_tls_version },
        outcome: outcome.as_str().to_owned(),
        findings,
    }
}

fn seen(new: &ServerFacts, old: ServerFacts, has_parity: bool) -> ServerFacts {
    let is_new = |setting: &str| new.readings.iter().any(|one| one.setting == setting);
    let kept = old.readings.into_iter().filter(|one| !is_new(&one.setting));
    let readings: Vec<StoredReading> = kept.chain(new.readings.iter().cloned()).collect();
    let of_primary = if has_parity { new.of_primary.clone() } else { old.of_primary };
    ServerFacts { readings, of_primary, ..new.clone() }
}
