//! How far the audits and plans are that the consoles of a state work on, so that each shows what the others do.

use crate::{AuditStore, StoreError};
use hostssl_model::coded;
use rusqlite::{OptionalExtension as _, Row, Transaction, params};

coded! {
    /// What a console works on.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub enum WorkKind {
        /// An audit.
        Audit = "audit",
        /// The making of a plan.
        Plan = "plan",
    }
}

/// What a console works on, and how far it was when the console was heard last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkInProgress {
    /// The id of the audit or of the plan.
    pub id: String,
    /// What it is.
    pub kind: WorkKind,
    /// Which console works on it, for people.
    pub console: String,
    /// Who asked for it.
    pub person: String,
    /// When it began, in milliseconds since 1970-01-01T00:00:00Z.
    pub began_ms: i64,
    /// When the console wrote this, by its own clock.
    pub heard_ms: i64,
    /// Servers that are checked.
    pub looked: u64,
    /// Servers that were found so far.
    pub found: u64,
}

impl AuditStore {
    /// Writes down how far work is, and removes what was last heard of before `forgotten_before_ms`. Nothing is written of an audit
    /// or a plan that is kept already.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be written.
    pub fn note_work(&self, work: &WorkInProgress, forgotten_before_ms: i64) -> Result<(), StoreError> {
        self.write(|connection| {
            connection.execute("DELETE FROM work_in_progress WHERE heard_at_ms < ?1", [forgotten_before_ms])?;
            let note = "INSERT INTO work_in_progress (id, kind, console, person, began_at_ms, heard_at_ms, looked, found) \
                        SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8 WHERE NOT EXISTS (SELECT 1 FROM audits WHERE id = ?1) \
                        AND NOT EXISTS (SELECT 1 FROM kept_plans WHERE id = ?1) ON CONFLICT (id) DO UPDATE SET \
                        heard_at_ms = excluded.heard_at_ms, looked = excluded.looked, found = excluded.found";
            let WorkInProgress { id, kind, console, person, began_ms, heard_ms, looked, found } = work;
            let (looked, found) = (count(*looked), count(*found));
            connection.execute(
                note,
                params![id, kind.as_str(), console, person, began_ms, heard_ms, looked, found],
            )?;
            Ok(())
        })
    }

    /// Removes what is noted of work that has ended, if anything is.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be written.
    pub fn end_work(&self, id: &str) -> Result<(), StoreError> {
        let is_noted = "SELECT 1 FROM work_in_progress WHERE id = ?1";
        if !self.read(|connection| Ok(connection.prepare_cached(is_noted)?.exists([id])?))? {
            return Ok(());
        }
        self.write(|connection| forget_work(connection, id))
    }

    /// What consoles work on, or worked on when they were heard last; the newest first.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read.
    pub fn work_in_progress(&self) -> Result<Vec<WorkInProgress>, StoreError> {
        let sql = format!("SELECT {WORK} FROM work_in_progress ORDER BY began_at_ms DESC, id DESC");
        let found = self.read(|connection| {
            let mut statement = connection.prepare_cached(&sql)?;
            Ok(statement.query_map([], work)?.collect::<Result<Vec<_>, _>>()?)
        })?;
        Ok(found.into_iter().flatten().collect())
    }

    /// The audit or the plan of this id, if a console works on it.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read.
    pub fn work_of(&self, id: &str) -> Result<Option<WorkInProgress>, StoreError> {
        let sql = format!("SELECT {WORK} FROM work_in_progress WHERE id = ?1");
        let found = self.read(|connection| Ok(connection.prepare_cached(&sql)?.query_row([id], work).optional()?))?;
        Ok(found.flatten())
    }
}

/// Removes what is noted of work, as a part of keeping what came of it.
pub(crate) fn forget_work(transaction: &Transaction<'_>, id: &str) -> Result<(), StoreError> {
    transaction.execute("DELETE FROM work_in_progress WHERE id = ?1", [id])?;
    Ok(())
}

const WORK: &str = "id, kind, console, person, began_at_ms, heard_at_ms, looked, found";

/// `None` for a kind of work that this version does not know.
fn work(row: &Row<'_>) -> rusqlite::Result<Option<WorkInProgress>> {
    let kind: String = row.get(1)?;
    let Some(kind) = WorkKind::from_code(&kind) else { return Ok(None) };
    let (id, console, person) = (row.get(0)?, row.get(2)?, row.get(3)?);
    let (began_ms, heard_ms) = (row.get(4)?, row.get(5)?);
    let number = |at| Ok::<_, rusqlite::Error>(u64::try_from(row.get::<_, i64>(at)?).unwrap_or_default());
    Ok(Some(WorkInProgress { id, kind, console, person, began_ms, heard_ms, looked: number(6)?, found: number(7)? }))
}

fn count(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
