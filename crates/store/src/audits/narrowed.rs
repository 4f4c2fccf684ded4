//! An audit of some controls alone, laid over what is known of a server: it says nothing of what it was not asked for, so
//! that stands as it was.

use super::document::{self, ServerFacts, ServerJudgement, StoredFinding, StoredReading};
use super::server_evidence::ServerEvidence;
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
    /// What of the row stands that no document has: runs wrote it.
    pub(crate) stands: Stands,
}

/// What runs wrote into a row since the documents were kept, as far as the audit did not read it again.
pub(crate) struct Stands {
    /// The floor, where it was not read.
    pub(crate) tls: Option<String>,
    /// The settings that wait for a restart: those that were not read, and those that were read so.
    pub(crate) pending: String,
    /// When which run changed the server, where the floor that it may have written was not read.
    pub(crate) changed: Option<(i64, String)>,
}

/// Lays what an audit saw over the row of the present, unless there is none or that is newer.
pub(crate) fn merge_into_present(
    connection: &Connection,
    (server, at_ms): (i64, i64),
    (facts, judgement): (&ServerFacts, &ServerJudgement),
    known: &ServerEvidence,
) -> Result<Option<Laid>, StoreError> {
    type Row = (String, String, String, String, Option<i64>, Option<String>);
    let row: Option<Row> = connection
        .prepare_cached(
            "SELECT f.document, j.document, c.tls, c.pending, c.changed_ms, c.changed_run FROM current c JOIN facts f ON f.num = c.facts \
             JOIN judgements j ON j.num = c.judgement WHERE c.server = ?1 AND c.at_ms <= ?2",
        )?
        .query_row([server, at_ms], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?))
        })
        .optional()?;
    let Some((old_facts, old_judgement, tls, pending, changed_ms, changed_run)) = row else { return Ok(None) };
    let is_floor_read = has_floor(facts, judgement);
    let stands = Stands {
        tls: (!is_floor_read).then_some(tls),
        pending: still_pending(&pending, facts),
        changed: changed_ms.zip(changed_run).filter(|_| !is_floor_read),
    };
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
    Ok(Some(Laid { facts, judgement, findings, stands }))
}

/// The settings that wait for a restart by a row, unless they were read again, and those that were read so.
fn still_pending(row: &str, read: &ServerFacts) -> String {
    let is_read = |setting: &str| read.readings.iter().any(|one| one.setting == setting);
    let read_so = read.pending();
    let kept = row.split(',').filter(|setting| !setting.is_empty() && !is_read(setting));
    kept.chain(read_so.split(',').filter(|setting| !setting.is_empty())).collect::<Vec<_>>().join(",")
}

/// Whether settings of a kind were read.
fn reads(facts: &ServerFacts, wanted: fn(ParameterName) -> bool) -> bool {
    facts.readings.iter().any(|reading| reading.name().known().is_some_and(wanted))
}

fn has_floor(facts: &ServerFacts, judgement: &ServerJudgement) -> bool {
    judgement.minimal_tls_version.is_some() || reads(facts, ParameterName::is_floor)
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
    let is_new = |id: &str| new.findings.iter().any(|one| one.control == id);
    let kept = old.findings.into_iter().filter(|one| !is_new(&one.control));
    let mut findings: Vec<StoredFinding> = kept.chain(new.findings.iter().cloned()).collect();
    let place = |one: &StoredFinding| {
        let known = one.control().known();
        known.and_then(|id| ControlId::ALL.iter().position(|one| *one == id)).unwrap_or(usize::MAX)
    };
    findings.sort_by_key(place);
    let is_declared = new.ssl_enforcement() != SslEnforcement::Unknown || reads(facts, ParameterName::is_switch);
    if !is_new(Enforcement::CONTROL.as_str()) {
        // Lists have the switch of some kinds: what they say is newer than what was judged.
        let switch = findings.iter_mut().find(|one| one.control == Enforcement::CONTROL.as_str());
        let now = match new.ssl_enforcement() {
            SslEnforcement::Enabled => Some(Outcome::Pass),
            SslEnforcement::Disabled => Some(Outcome::Fail),
            SslEnforcement::Unknown => None,
        };
        if let Some((finding, now)) = switch.zip(now).filter(|(finding, now)| finding.outcome() != *now) {
            (finding.outcome, finding.unchecked) = (now.as_str().to_owned(), None);
            (finding.observed, finding.expected) = (Some(new.ssl_enforcement.clone()), None);
        }
    }
    let worst = findings.iter().map(StoredFinding::outcome).max().unwrap_or(Outcome::Unknown);
    // Nothing is asked of a server to which no control applies.
    let outcome = if worst == Outcome::NotApplicable { Outcome::Pass } else { worst };
    ServerJudgement {
        ssl_enforcement: if is_declared { new.ssl_enforcement.clone() } else { old.ssl_enforcement },
        minimal_tls_version: if has_floor(facts, new) {
            new.minimal_tls_version.clone()
        } else {
            old.minimal_tls_version
        },
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
