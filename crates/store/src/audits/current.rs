//! Keeps the present of each server: folds what an audit saw into what is known
//! ([`CurrentState`]), and writes the row that lists read.

use super::column_codes::{Code as _, outcome_code, outcome_from, unsigned, write_standings};
use super::document::{self, RunDocument, ServerFacts, ServerJudgement};
use super::doubted::doubt;
use super::kept_documents::{keep_facts, keep_judgement};
use super::narrowed::{self, Laid};
use super::server_evidence::{ServerEvidence, known};
use crate::StoreError;
use crate::believed::note_disowned;
use hostssl_model::{
    ControlId, CurrentState, Enforcement, Evidence, KnownStanding, Observation, Outcome, Standing, Standings,
    WireObservation, WorstListener,
};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

/// What one audit saw of one server.
pub(crate) struct ServerObservation<'a> {
    pub(crate) server: i64,
    pub(crate) audit: i64,
    pub(crate) audit_id: &'a str,
    pub(crate) at_ms: i64,
    pub(crate) facts: i64,
    pub(crate) judgement: i64,
    pub(crate) outcome: Outcome,
    pub(crate) enforcement: Enforcement,
    pub(crate) tls: &'a str,
    pub(crate) state: &'a str,
    pub(crate) reason: &'a str,
    pub(crate) pending: &'a str,
    /// Every control that was judged, with its outcome.
    pub(crate) findings: Vec<(&'a str, Outcome)>,
    pub(crate) wire: Vec<WireObservation>,
    /// Whether it was asked what is declared.
    pub(crate) is_declared: bool,
    /// Whether the audit knew which servers are probed from which zone.
    pub(crate) by_zones: bool,
    /// What an audit of some controls alone saw and said.
    pub(crate) narrowed: Option<(&'a ServerFacts, &'a ServerJudgement)>,
}

/// The row of the present, as it was before the fold.
struct Before {
    at_ms: i64,
    enforcement: Enforcement,
    since_ms: i64,
}

/// The controls of a list that fail.
pub(crate) fn failing<'a>(findings: impl IntoIterator<Item = (&'a str, Outcome)>) -> Vec<&'a str> {
    let failed = findings.into_iter().filter(|(_, outcome)| *outcome == Outcome::Fail);
    failed.map(|(control, _)| control).collect()
}

/// Takes in what one audit saw of a server: when it began, and its id.
pub(super) fn take_in(
    state: &mut CurrentState,
    (at_ms, audit): (i64, &str),
    declared: Option<Enforcement>,
    wire: Vec<WireObservation>,
    by_zones: bool,
) {
    if let Some(what) = declared {
        state.add(Observation::Declared(Evidence { what, at_ms, source: audit.into() }));
    }
    let probed = Evidence { what: wire, at_ms, source: audit.into() };
    state.add(if by_zones { Observation::ProbedByRules(probed) } else { Observation::Probed(probed) });
}

/// Folds an observation in. Returns where the server stands by all that is known, and since when it has been declared so.
pub(crate) fn fold(
    transaction: &Transaction<'_>,
    look: &ServerObservation<'_>,
) -> Result<(KnownStanding, i64), StoreError> {
    let before = before(transaction, look.server)?;
    let mut known = known(transaction, look.server)?;
    let is_newest_probe = known.state.probe.as_ref().is_none_or(|probe| probe.at_ms <= look.at_ms);
    if !look.wire.is_empty() && is_newest_probe {
        // A control that it was not asked for still fails.
        known.failing.retain(|name| look.narrowed.is_some() && !look.judges(name));
        known.failing.extend(failing(look.findings.iter().copied()).into_iter().map(ToOwned::to_owned));
    }
    let declared = look.is_declared.then_some(look.enforcement);
    take_in(&mut known.state, (look.at_ms, look.audit_id), declared, look.wire.clone(), look.by_zones);
    let disowned = note_disowned(transaction, &mut known.state, &look.wire)?;
    write_known(transaction, look.server, &known)?;
    let declared = known.state.declared();
    let since_ms = match &before {
        Some(before) if before.enforcement == declared => before.since_ms.min(look.at_ms),
        _ => look.at_ms,
    };
    if before.is_none_or(|before| before.at_ms <= look.at_ms) {
        let laid = match look.narrowed {
            Some(seen) => narrowed::merge_into_present(transaction, (look.server, look.at_ms), seen, &known)?,
            None => None,
        };
        match laid {
            Some(laid) => write_laid(transaction, look, &laid, &known, since_ms)?,
            None => write_row(transaction, look, &known, since_ms)?,
        }
        for prober in &disowned {
            doubt(transaction, look.server, prober)?;
        }
    } else {
        write_derived(transaction, look.server, &known)?;
    }
    Ok((standing_of(&known.state), since_ms))
}

/// Folds in a stand-alone probe of a host. Returns whether the host belongs to a server that audits have found.
pub(crate) fn fold_probe(
    transaction: &Transaction<'_>,
    probe: &str,
    host: &str,
    look: &WireObservation,
    at_ms: i64,
) -> Result<bool, StoreError> {
    let label = host.split('.').next().unwrap_or_default();
    // The coordinator of a cluster of Azure Cosmos DB for PostgreSQL is c-NAME.
    let cluster = label.strip_prefix("c-").unwrap_or(label);
    let servers: Vec<(i64, String)> = transaction
        .prepare_cached(
            "SELECT s.num, f.document FROM servers s JOIN current c ON c.server = s.num JOIN facts f ON f.num = c.facts \
             WHERE lower(s.name) IN (lower(?1), lower(?2))",
        )?
        .query_map([label, cluster], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    let mut found = false;
    for (server, facts) in servers {
        let facts: ServerFacts = document::read(&facts)?;
        if !facts.fqdn.is_some_and(|name| name.eq_ignore_ascii_case(host.trim_end_matches('.'))) {
            continue;
        }
        let mut known = known(transaction, server)?;
        known.state.add(Observation::ProbedAlone(Evidence { what: vec![look.clone()], at_ms, source: probe.into() }));
        write_known(transaction, server, &known)?;
        write_derived(transaction, server, &known)?;
        found = true;
    }
    Ok(found)
}

impl ServerObservation<'_> {
    /// Whether a control was judged.
    fn judges(&self, name: &str) -> bool {
        self.findings.iter().any(|(control, _)| *control == name)
    }
}

/// What fails by all that is known: what the look found, and what the newest probe found by controls that the look did
/// not judge, as long as its evidence stands.
fn failing_now(look: &ServerObservation<'_>, known: &ServerEvidence) -> (Vec<String>, Outcome) {
    let mut names: Vec<String> = failing(look.findings.iter().copied()).into_iter().map(ToOwned::to_owned).collect();
    let mut outcome = look.outcome;
    if look.wire.is_empty() || look.narrowed.is_some() {
        let stands = |name: &String| !look.judges(name) && !known.is_outdated(name);
        names.extend(known.failing.iter().filter(|name| stands(name)).cloned());
    }
    // A look that did not reach every place does not end what was seen from another.
    let refused = ControlId::PlaintextRefused.as_str();
    let worst = WorstListener::of(&known.state.wire());
    let accepts = matches!(worst, Some(WorstListener::Optional | WorstListener::PlaintextOnly));
    if accepts && look.judges(refused) && !names.iter().any(|name| name == refused) {
        names.push(refused.to_owned());
    }
    if !names.is_empty() || known.state.standing() >= Standing::NotEnforced {
        outcome = Outcome::Fail;
    }
    (names, outcome)
}

/// The row of a server that an audit of some controls alone saw last: what it was not asked for stands.
fn write_laid(
    transaction: &Transaction<'_>,
    look: &ServerObservation<'_>,
    laid: &Laid,
    known: &ServerEvidence,
    since_ms: i64,
) -> Result<(), StoreError> {
    let worst = laid.findings.iter().map(|(_, outcome)| *outcome).max().unwrap_or(Outcome::Unknown);
    let whole = ServerObservation {
        facts: keep_facts(transaction, &laid.facts)?,
        judgement: keep_judgement(transaction, &laid.judgement)?,
        outcome: if worst == Outcome::NotApplicable { Outcome::Pass } else { worst },
        tls: laid.stands.tls.as_deref().or(laid.judgement.minimal_tls_version.as_deref()).unwrap_or_default(),
        reason: laid.judgement.reason(),
        pending: &laid.stands.pending,
        findings: laid.findings.iter().map(|(control, outcome)| (control.as_str(), *outcome)).collect(),
        wire: look.wire.clone(),
        ..*look
    };
    write_row(transaction, &whole, known, since_ms)?;
    if let Some((at_ms, run)) = &laid.stands.changed {
        transaction
            .prepare_cached(
                "UPDATE current SET changed_ms = ?2, changed_run = ?3 WHERE server = ?1 AND changed_ms IS NULL",
            )?
            .execute(params![look.server, at_ms, run])?;
    }
    Ok(())
}

fn write_row(
    transaction: &Transaction<'_>,
    look: &ServerObservation<'_>,
    known: &ServerEvidence,
    since_ms: i64,
) -> Result<(), StoreError> {
    let state = &known.state;
    let (names, outcome) = failing_now(look, known);
    let changed = state.changed.as_ref().filter(|_| state.newest_change().is_some());
    transaction
        .prepare_cached(
            "INSERT OR REPLACE INTO current (server, audit, facts, judgement, outcome, enforcement, tls, state, reason, \
             wire, since_ms, standing, pending, failing, at_ms, probed_ms, changed_ms, changed_run, expires_ms, accepts) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20)",
        )?
        .execute(params![
            look.server,
            look.audit,
            look.facts,
            look.judgement,
            outcome_code(outcome),
            state.declared().code(),
            look.tls,
            look.state,
            look.reason,
            worst(state),
            since_ms,
            state.standing().code(),
            look.pending,
            names.join(","),
            look.at_ms,
            state.probed_ms(),
            changed.map(|change| change.at_ms),
            changed.map(|change| &*change.source),
            known.expires_ms(),
            known.accepts(),
        ])?;
    Ok(())
}

/// What older evidence may change of a row: not what the newest look said.
pub(super) fn write_derived(
    transaction: &Transaction<'_>,
    server: i64,
    known: &ServerEvidence,
) -> Result<(), StoreError> {
    let state = &known.state;
    let update = "UPDATE current SET enforcement = ?2, wire = ?3, standing = ?4, probed_ms = ?5, \
                  expires_ms = ?6, accepts = ?7, outcome = CASE WHEN ?4 >= 4 THEN 3 ELSE outcome END WHERE server = ?1";
    let values = params![
        server,
        state.declared().code(),
        worst(state),
        state.standing().code(),
        state.probed_ms(),
        known.expires_ms(),
        known.accepts(),
    ];
    transaction.prepare_cached(update)?.execute(values)?;
    Ok(())
}

fn before(connection: &Connection, server: i64) -> Result<Option<Before>, StoreError> {
    let row = connection
        .prepare_cached("SELECT at_ms, enforcement, since_ms FROM current WHERE server = ?1")?
        .query_row([server], |row| {
            let enforcement = Enforcement::from_code(row.get(1)?);
            Ok(Before { at_ms: row.get(0)?, enforcement, since_ms: row.get(2)? })
        })
        .optional()?;
    Ok(row)
}

pub(super) fn write_known(
    transaction: &Transaction<'_>,
    server: i64,
    known: &ServerEvidence,
) -> Result<(), StoreError> {
    let write = "INSERT OR REPLACE INTO evidence (server, document) VALUES (?1, ?2)";
    transaction.prepare_cached(write)?.execute(params![server, known.write()?])?;
    Ok(())
}

/// Counts where the servers of an audit stand, keeps the counts, and notifies readers that the present has changed.
pub(crate) fn finish(transaction: &Transaction<'_>, audit: i64) -> Result<(), StoreError> {
    let mut standings = Standings::default();
    let mut statement =
        transaction.prepare_cached("SELECT standing, count(*) FROM observations WHERE audit = ?1 GROUP BY 1")?;
    let mut rows = statement.query([audit])?;
    while let Some(row) = rows.next()? {
        standings.add(Standing::from_code(row.get(0)?), unsigned(row.get(1)?));
    }
    let text = write_standings(&standings)?;
    transaction.execute("UPDATE audits SET standings = ?2 WHERE num = ?1", params![audit, text])?;
    transaction.execute("UPDATE present SET version = version + 1", [])?;
    Ok(())
}

/// Makes the present out of all audits that are kept: for a state of a version without it.
pub(crate) fn rebuild(transaction: &Transaction<'_>) -> Result<(), StoreError> {
    let audits: Vec<(i64, String, i64)> = transaction
        .prepare("SELECT num, id, started_ms FROM audits ORDER BY started_ms, num")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<Result<_, _>>()?;
    for (audit, id, at_ms) in audits {
        let servers: Vec<i64> = transaction
            .prepare_cached("SELECT server FROM observations WHERE audit = ?1")?
            .query_map([audit], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        for server in servers {
            rebuild_one(transaction, (audit, &id, at_ms), server)?;
        }
        finish(transaction, audit)?;
    }
    Ok(())
}

fn rebuild_one(
    transaction: &Transaction<'_>,
    (audit, audit_id, at_ms): (i64, &str, i64),
    server: i64,
) -> Result<(), StoreError> {
    let text = |row: &rusqlite::Row<'_>, index| row.get::<_, String>(index);
    let (facts, judgement, outcome, enforcement, tls, state, reason, facts_text, judged_text, run_text) = transaction
        .prepare_cached(
            "SELECT o.facts, o.judgement, o.outcome, o.enforcement, o.tls, o.state, o.reason, f.document, j.document, \
             a.run FROM observations o JOIN facts f ON f.num = o.facts JOIN judgements j ON j.num = o.judgement \
             JOIN audits a ON a.num = o.audit WHERE o.audit = ?1 AND o.server = ?2",
        )?
        .query_row([audit, server], |row| {
            Ok((
                row.get::<_, i64>(0)?,
                row.get::<_, i64>(1)?,
                outcome_from(row.get(2)?),
                Enforcement::from_code(row.get(3)?),
                text(row, 4)?,
                text(row, 5)?,
                text(row, 6)?,
                text(row, 7)?,
                text(row, 8)?,
                text(row, 9)?,
            ))
        })?;
    let seen: ServerFacts = document::read(&facts_text)?;
    let judged: ServerJudgement = document::read(&judged_text)?;
    let run: RunDocument = document::read(&run_text)?;
    let at = jiff::Timestamp::from_millisecond(at_ms).unwrap_or_default().to_string();
    let wire = seen.wire.iter().map(|one| one.observation(&at)).collect::<Result<_, _>>()?;
    let findings: Vec<(&str, Outcome)> =
        judged.findings.iter().map(|one| (one.control.as_str(), one.outcome())).collect();
    let names = failing(findings.iter().copied()).join(",");
    let pending = seen.pending();
    let look = ServerObservation {
        server,
        audit,
        audit_id,
        at_ms,
        facts,
        judgement,
        outcome,
        enforcement,
        tls: &tls,
        state: &state,
        reason: &reason,
        pending: &pending,
        findings,
        wire,
        is_declared: true,
        by_zones: run.by_zones,
        narrowed: None,
    };
    let (KnownStanding { standing, .. }, _) = fold(transaction, &look)?;
    let update = "UPDATE observations SET standing = ?3, pending = ?4, failing = ?5 WHERE audit = ?1 AND server = ?2";
    transaction.prepare_cached(update)?.execute(params![audit, server, standing.code(), pending, names])?;
    Ok(())
}

/// Where a server stands by its evidence, and by how old a look.
pub(super) fn standing_of(state: &CurrentState) -> KnownStanding {
    KnownStanding { standing: state.standing(), wire: WorstListener::of(&state.wire()), probed_ms: state.probed_ms() }
}

/// The word of the worst listener whose evidence stands.
pub(super) fn worst(state: &CurrentState) -> &'static str {
    WorstListener::of(&state.wire()).map_or("", WorstListener::as_str)
}
