//! Reads runs, for lists, reports and evidence.

use crate::audits::server_evidence::{KnownFromZones, known_from_zones};
use crate::database::open_for_reading;
use crate::{ServerWrite, StateDirectory, StoreError};

use crate::audits::writes::writes;
use crate::direction::StoredDirection;
use crate::principal::principal_from;
use crate::write_thread::MAX_RECORD;
use hostssl_model::{Principal, ResourceId};
use hostssl_remediation::{Direction, JournalRecord, JournalledRun, PlanHash, RunId, RunPhase};
use rusqlite::{Connection, OptionalExtension as _, Row};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Reads a state directory, also while another process writes to it.
#[derive(Debug)]
pub struct StoreReader(Mutex<Connection>);

/// A run in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunEntry {
    /// Its name.
    pub id: RunId,
    /// The hash of its plan.
    pub plan: PlanHash,
    /// How many steps the plan has.
    pub steps: u32,
    /// The identity that writes to Azure.
    pub principal: Principal,
    /// The person who approved it, if it began in the console.
    pub person: Option<String>,
    /// Where it stands.
    pub phase: RunPhase,
    /// How many values were written and read back.
    pub written: u32,
    /// How many were restored and read back.
    pub restored: u32,
    /// When it began, in milliseconds since 1970-01-01T00:00:00Z.
    pub started_at_ms: i64,
    /// When the last record was written.
    pub last_at_ms: i64,
}

/// The proof of one write that was, or may have been, accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteReceipt {
    /// The step's id in the plan.
    pub step: u32,
    /// Which way.
    pub direction: Direction,
    /// When the write was about to be sent, in milliseconds since 1970-01-01T00:00:00Z.
    pub intended_at_ms: i64,
    /// The value read right before, as Azure spelled it.
    pub value_before: String,
    /// The id of the request, if the answer arrived and had one.
    pub request_id: Option<String>,
    /// When Azure accepted it, if the answer arrived.
    pub accepted_at_ms: Option<i64>,
    /// The value read back, as Azure spelled it.
    pub value_after: Option<String>,
    /// When it was read back.
    pub observed_at_ms: Option<i64>,
}

impl StoreReader {
    /// Opens a state directory for reading. It needs no lock and makes nothing.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoState`] when nothing was kept there yet, and whatever the disk says.
    pub fn open(directory: impl Into<StateDirectory>) -> Result<Self, StoreError> {
        Ok(Self(Mutex::new(open_for_reading(&directory.into())?)))
    }

    /// Every run, in the order of the ids.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read.
    pub fn runs(&self) -> Result<Vec<RunEntry>, StoreError> {
        let connection = self.lock();
        let mut statement = connection.prepare_cached(&format!("{ENTRY} ORDER BY id"))?;
        let rows = statement.query_map([], |row| Ok(entry_of(row)))?;
        rows.map(|row| row.map_err(StoreError::from)?).collect()
    }

    /// What is known of every server that matters to looks from zones.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read.
    pub fn known_from_zones(&self) -> Result<Vec<KnownFromZones>, StoreError> {
        known_from_zones(&self.lock())
    }

    /// One run with its plan and its journal.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoSuchRun`] when there is none; [`StoreError::Corrupt`] when the stored data is damaged.
    pub fn load(&self, run: &RunId) -> Result<JournalledRun, StoreError> {
        let mut connection = self.lock();
        // One moment for both reads.
        let transaction = connection.transaction()?;
        let found: Option<(String, String, String)> = transaction
            .prepare_cached("SELECT hash, document, principal FROM runs JOIN plans ON plan = hash WHERE id = ?1")?
            .query_row([run.as_str()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .optional()?;
        let (hash, plan, principal) = found.ok_or_else(|| StoreError::NoSuchRun(run.clone()))?;
        let records = {
            let mut statement = transaction.prepare_cached("SELECT record FROM journal WHERE run = ?1 ORDER BY seq")?;
            let rows = statement.query_map([run.as_str()], |row| row.get::<_, String>(0))?;
            rows.map(|row| record_of(&row?)).collect::<Result<Vec<_>, _>>()?
        };
        Ok(JournalledRun {
            id: run.clone(),
            plan,
            approved: PlanHash::new(&hash).map_err(corrupt)?,
            principal: principal_from(&principal)?,
            records,
        })
    }

    /// What runs wrote on a server and read back, the newest first.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read.
    pub fn writes(&self, server: &ResourceId) -> Result<Vec<ServerWrite>, StoreError> {
        writes(&self.lock(), &server.key())
    }

    /// The proofs of a run's writes, step by step.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read.
    pub fn receipts(&self, run: &RunId) -> Result<Vec<WriteReceipt>, StoreError> {
        let connection = self.lock();
        let mut statement = connection.prepare_cached(
            "SELECT step, direction, intended_at_ms, value_before, request_id, accepted_at_ms, value_after, \
             observed_at_ms FROM receipts WHERE run = ?1 ORDER BY step, direction, seq",
        )?;
        let rows = statement.query_map([run.as_str()], |row| {
            Ok(WriteReceipt {
                step: row.get(0)?,
                direction: row.get::<_, StoredDirection>(1)?.0,
                intended_at_ms: row.get(2)?,
                value_before: row.get(3)?,
                request_id: row.get(4)?,
                accepted_at_ms: row.get(5)?,
                value_after: row.get(6)?,
                observed_at_ms: row.get(7)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// A connection has no state that a panic elsewhere could leave half-done.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Connection> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const ENTRY: &str = "SELECT id, plan, steps, principal, phase, \
                     (SELECT at_ms FROM journal WHERE run = id ORDER BY seq LIMIT 1), \
                     (SELECT at_ms FROM journal WHERE run = id ORDER BY seq DESC LIMIT 1), \
                     (SELECT count(DISTINCT step) FROM receipts WHERE run = id AND direction = 'apply' \
                      AND observed_at_ms IS NOT NULL), \
                     (SELECT count(DISTINCT u.step) FROM receipts u JOIN receipts a ON a.run = u.run AND a.step = u.step \
                      AND a.direction = 'apply' WHERE u.run = id AND u.direction = 'undo' AND u.observed_at_ms IS NOT NULL \
                      AND lower(u.value_after) = lower(a.value_before) \
                      AND NOT EXISTS (SELECT 1 FROM journal j WHERE j.run = u.run AND j.record LIKE '%reverted%' \
                      AND json_extract(j.record, '$.event.act.act') = 'reverted' \
                      AND json_extract(j.record, '$.event.direction') = 'undo' \
                      AND json_extract(j.record, '$.event.step') = u.step)), \
                     (SELECT person FROM orders WHERE run = id AND act = 'apply' ORDER BY num LIMIT 1) FROM runs";

/// One run for a list.
pub(crate) fn entry_of_run(connection: &Connection, run: &RunId) -> Result<Option<RunEntry>, StoreError> {
    let mut statement = connection.prepare_cached(&format!("{ENTRY} WHERE id = ?1"))?;
    statement.query_row([run.as_str()], |row| Ok(entry_of(row))).optional()?.transpose()
}

fn entry_of(row: &Row<'_>) -> Result<RunEntry, StoreError> {
    let (id, plan, principal): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(3)?);
    let phase: String = row.get(4)?;
    Ok(RunEntry {
        id: RunId::new(&id).map_err(corrupt)?,
        plan: PlanHash::new(&plan).map_err(corrupt)?,
        steps: row.get(2)?,
        principal: principal_from(&principal)?,
        phase: RunPhase::from_code(&phase).ok_or_else(|| StoreError::Corrupt("a run has an unknown phase".into()))?,
        started_at_ms: row.get(5)?,
        last_at_ms: row.get(6)?,
        written: row.get(7)?,
        restored: row.get(8)?,
        person: row.get(9)?,
    })
}

fn record_of(json: &str) -> Result<JournalRecord, StoreError> {
    if json.len() > MAX_RECORD {
        return Err(StoreError::Corrupt(format!("a record of {} bytes", json.len())));
    }
    serde_json::from_str(json).map_err(corrupt)
}

fn corrupt(error: impl std::fmt::Display) -> StoreError {
    StoreError::Corrupt(error.to_string())
}
