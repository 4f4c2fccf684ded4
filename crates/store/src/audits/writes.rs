//! What runs have written and read back: folds it into the present of each server, and lists it.

use super::clock_set_back::{AuditTimes, date_back};
use super::column_codes::{Code as _, outcome_code, unsigned};
use super::current::{failing, worst, write_derived, write_known};
use super::document::{self, ServerJudgement};
use super::server_evidence::{ServerEvidence, known};
use super::types::{RunMark, ServerWrite};
use crate::StoreError;
use crate::direction::StoredDirection;
use crate::orders::OrderAct;
use crate::principal::principal_from;
use hostssl_model::{Enforcement, Evidence, Meaning, Observation, Outcome, ParameterName, Standing, SwitchChange};
use hostssl_remediation::{Direction, JournalEvent, JournalRecord, Plan, StepEvent};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};
use std::collections::BTreeMap;

/// Whether a run has read back values that are not folded in yet.
pub(crate) fn has_changes(connection: &Connection) -> Result<bool, StoreError> {
    let sql = "SELECT (SELECT (count(*), coalesce(sum(observed_at_ms), 0)) <> (SELECT count(*), coalesce(sum(observed_at_ms), 0) \
               FROM folded_receipts) FROM receipts WHERE observed_at_ms > changes_ms) FROM present";
    Ok(connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?)
}

/// A value that was read back and is not folded in yet.
struct NewReceipt {
    run: String,
    document: String,
    step: u32,
    direction: String,
    seq: i64,
    before: String,
    after: Option<String>,
    at_ms: i64,
}

fn new_receipts(transaction: &Transaction<'_>) -> Result<Vec<NewReceipt>, StoreError> {
    let mut statement = transaction.prepare_cached(
        "SELECT r.run, p.document, r.step, r.direction, r.seq, r.value_before, r.value_after, r.observed_at_ms \
         FROM receipts r JOIN runs u ON u.id = r.run JOIN plans p ON p.hash = u.plan \
         LEFT JOIN folded_receipts f USING (run, step, direction, seq) \
         WHERE r.observed_at_ms > (SELECT changes_ms FROM present) AND f.observed_at_ms IS NOT r.observed_at_ms \
         ORDER BY r.observed_at_ms, r.step",
    )?;
    let rows = statement.query_map([], |row| {
        Ok(NewReceipt {
            run: row.get(0)?,
            document: row.get(1)?,
            step: row.get(2)?,
            direction: row.get(3)?,
            seq: row.get(4)?,
            before: row.get(5)?,
            after: row.get(6)?,
            at_ms: row.get(7)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Folds in what runs have written and read back since the last time. It is newer than all that was kept before, whatever a clock
/// said that was set back since.
pub(crate) fn fold_changes(transaction: &Transaction<'_>, now_ms: i64) -> Result<(), StoreError> {
    let receipts = new_receipts(transaction)?;
    let (Some(first), Some(last)) = (receipts.first(), receipts.last()) else { return Ok(()) };
    date_back(transaction, AuditTimes { started_ms: first.at_ms, finished_ms: last.at_ms, now_ms })?;
    let mut plans: BTreeMap<String, Option<Plan>> = BTreeMap::new();
    for receipt in &receipts {
        fold_receipt(transaction, &mut plans, receipt)?;
        transaction
            .prepare_cached(
                "INSERT OR REPLACE INTO folded_receipts (run, step, direction, seq, observed_at_ms) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![receipt.run, receipt.step, receipt.direction, receipt.seq, receipt.at_ms])?;
    }
    transaction.execute("UPDATE present SET version = version + 1", [])?;
    Ok(())
}

fn fold_receipt(
    transaction: &Transaction<'_>,
    plans: &mut BTreeMap<String, Option<Plan>>,
    receipt: &NewReceipt,
) -> Result<(), StoreError> {
    let NewReceipt { run, document, step, before, after: Some(after), at_ms, .. } = receipt else { return Ok(()) };
    // A plan that cannot be read is told where its run is shown; here it says nothing.
    let plan = plans.entry(run.clone()).or_insert_with(|| Plan::parse(document).ok());
    let Some(step) = plan.as_ref().and_then(|plan| plan.step(*step)) else { return Ok(()) };
    let waits = waits_for_restart(transaction, run, step.id, *at_ms)?;
    let write = Write { run, parameter: step.parameter, before, after, at_ms: *at_ms, waits };
    fold_write(transaction, &step.server.to_lowercase(), &write)
}

/// What runs wrote on a server and read back, the newest first.
pub(crate) fn writes(connection: &Connection, key: &str) -> Result<Vec<ServerWrite>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT u.id, p.document, u.principal, s.id FROM servers s JOIN plans p ON instr(lower(p.document), s.id) \
         JOIN runs u ON u.plan = p.hash WHERE s.key = ?1",
    )?;
    let runs: Vec<(String, String, String, String)> = statement
        .query_map([key], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?
        .collect::<Result<_, _>>()?;
    let mut found = Vec::new();
    for (run, document, principal, server) in runs {
        let Ok(plan) = Plan::parse(&document) else { continue };
        let principal = principal_from(&principal)?;
        let (ordered, undone) =
            (orderer(connection, &run, OrderAct::Apply)?, orderer(connection, &run, OrderAct::Undo)?);
        for step in plan.steps().iter().filter(|step| step.server.to_lowercase() == server) {
            let mut receipts = connection.prepare_cached(
                "SELECT direction, value_before, value_after, observed_at_ms, request_id, intended_at_ms FROM receipts \
                 WHERE run = ?1 AND step = ?2 AND value_after IS NOT NULL",
            )?;
            let mut rows = receipts.query(params![run, step.id])?;
            while let Some(row) = rows.next()? {
                let undo = row.get::<_, StoredDirection>(0)?.0 == Direction::Undo;
                let person = if undo { &undone } else { &ordered };
                found.push(ServerWrite {
                    run: run.clone(),
                    by: person.clone().unwrap_or_else(|| principal.name.clone()),
                    at_ms: row.get::<_, Option<i64>>(3)?.unwrap_or_default(),
                    setting: step.parameter,
                    before: row.get(1)?,
                    after: row.get(2)?,
                    undo,
                    request_id: row.get(4)?,
                    intended_ms: row.get(5)?,
                    identity: principal.object_id.clone(),
                });
            }
        }
    }
    found.sort_by_key(|one| std::cmp::Reverse(one.at_ms));
    Ok(found)
}

/// The person who ordered this of a run last, where that was kept: the identity that writes may be that of many.
fn orderer(connection: &Connection, run: &str, act: OrderAct) -> Result<Option<String>, StoreError> {
    let sql = "SELECT person FROM orders WHERE run = ?1 AND act = ?2 ORDER BY num DESC LIMIT 1";
    Ok(connection.prepare_cached(sql)?.query_row([run, act.as_str()], |row| row.get(0)).optional()?)
}

/// The runs that changed servers since this moment, the oldest first.
pub(crate) fn run_marks(connection: &Connection, since_ms: i64) -> Result<Vec<RunMark>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT run, max(observed_at_ms), count(*), direction FROM receipts WHERE observed_at_ms >= ?1 \
         AND value_after IS NOT NULL GROUP BY run, direction ORDER BY 2",
    )?;
    let rows = statement.query_map([since_ms], |row| {
        let undo = row.get::<_, StoredDirection>(3)?.0 == Direction::Undo;
        Ok(RunMark { run: row.get(0)?, at_ms: row.get(1)?, values: unsigned(row.get(2)?), undo })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Whether Azure said, when the value was read back, that it waits for a restart.
fn waits_for_restart(transaction: &Transaction<'_>, run: &str, step: u32, at_ms: i64) -> Result<bool, StoreError> {
    let mut statement = transaction.prepare_cached("SELECT record FROM journal WHERE run = ?1 AND at_ms = ?2")?;
    let mut rows = statement.query(params![run, at_ms])?;
    while let Some(row) = rows.next()? {
        let record: JournalRecord = document::read(row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?)?;
        if let JournalEvent::Step { step: of, act: StepEvent::Observed { pending_restart, .. }, .. } = record.event
            && of == step
        {
            return Ok(pending_restart);
        }
    }
    Ok(false)
}

/// A value that a run wrote and read back.
struct Write<'a> {
    run: &'a str,
    parameter: ParameterName,
    before: &'a str,
    after: &'a str,
    at_ms: i64,
    waits: bool,
}

/// What a value of the switch declares.
fn declares(setting: ParameterName, value: &str) -> Enforcement {
    match setting.meaning(value) {
        Some(Meaning::Enforced(true)) => Enforcement::Enforced,
        Some(Meaning::Enforced(false)) => Enforcement::NotEnforced,
        _ => Enforcement::Unknown,
    }
}

fn fold_write(transaction: &Transaction<'_>, id: &str, write: &Write<'_>) -> Result<(), StoreError> {
    let server: Option<i64> = transaction
        .prepare_cached("SELECT c.server FROM servers s JOIN current c ON c.server = s.num WHERE s.id = ?1")?
        .query_row([id], |row| row.get(0))
        .optional()?;
    // A server that no kept audit has seen has no row to bring up to date.
    let Some(server) = server else { return Ok(()) };
    if write.parameter.is_switch() {
        let mut known = known(transaction, server)?;
        let after = if write.waits { Enforcement::NotEnforced } else { declares(write.parameter, write.after) };
        let change = SwitchChange { before: declares(write.parameter, write.before), after };
        known.state.add(Observation::Changed(Evidence { what: change, at_ms: write.at_ms, source: write.run.into() }));
        write_known(transaction, server, &known)?;
        judge_again(transaction, server, &known)?;
    }
    let floor = match write.parameter.meaning(write.after) {
        Some(Meaning::Floor(floor)) => floor.as_azure(),
        _ => write.after,
    };
    transaction
        .prepare_cached(
            "UPDATE current SET changed_ms = ?2, changed_run = ?3, \
             tls = CASE WHEN ?4 THEN ?5 ELSE tls END, \
             pending = CASE WHEN NOT ?6 OR instr(',' || pending || ',', ',' || ?7 || ',') THEN pending \
                       WHEN pending = '' THEN ?7 ELSE pending || ',' || ?7 END \
             WHERE server = ?1 AND at_ms < ?2",
        )?
        .execute(params![
            server,
            write.at_ms,
            write.run,
            write.parameter.is_floor(),
            floor,
            write.waits,
            write.parameter.key()
        ])?;
    Ok(())
}

/// The row of a server whose switch was written since the newest audit: of its controls the one that judges the switch
/// is answered by what was read back, the others by that audit.
fn judge_again(transaction: &Transaction<'_>, server: i64, known: &ServerEvidence) -> Result<(), StoreError> {
    let state = &known.state;
    let Some(change) = state.changed.as_ref() else { return Ok(()) };
    let (at_ms, judged): (i64, String) = transaction
        .prepare_cached(
            "SELECT c.at_ms, j.document FROM current c JOIN judgements j ON j.num = c.judgement WHERE c.server = ?1",
        )?
        .query_row([server], |row| Ok((row.get(0)?, row.get(1)?)))?;
    if at_ms >= change.at_ms {
        return write_derived(transaction, server, known);
    }
    let judged: ServerJudgement = document::read(&judged)?;
    let switch = match state.declared() {
        Enforcement::Enforced => Some(Outcome::Pass),
        Enforcement::NotEnforced => Some(Outcome::Fail),
        Enforcement::Unknown => None,
    };
    let findings = judged.findings.iter().filter_map(|finding| match finding.control.as_str() {
        control if control == Enforcement::CONTROL.as_str() => {
            Some((control, switch.unwrap_or_else(|| document::outcome(&finding.outcome))))
        }
        control if known.is_outdated(control) => None,
        control => Some((control, document::outcome(&finding.outcome))),
    });
    let findings: Vec<(&str, Outcome)> = findings.collect();
    let outcome = findings.iter().map(|(_, outcome)| *outcome).max().unwrap_or(Outcome::Unknown);
    let outcome = if state.standing() >= Standing::NotEnforced { Outcome::Fail } else { outcome };
    transaction
        .prepare_cached(
            "UPDATE current SET outcome = ?2, enforcement = ?3, wire = ?4, standing = ?5, failing = ?6, probed_ms = ?7, \
             since_ms = CASE WHEN enforcement = ?3 THEN since_ms ELSE ?8 END WHERE server = ?1",
        )?
        .execute(params![
            server,
            outcome_code(outcome),
            state.declared().code(),
            worst(state),
            state.standing().code(),
            failing(findings).join(","),
            state.probed_ms(),
            change.at_ms,
        ])?;
    Ok(())
}
