//! Plans that were made in a console: what one console made, every console of the state shows.

use crate::plan_approvals::require_approvals;
use crate::work_in_progress::forget_work;
use crate::{AuditStore, StoreError};
use hostssl_remediation::PlanHash;
use rusqlite::{OptionalExtension as _, Row, params};

/// Plans that are kept; beyond, the oldest goes. What was approved or applied is known without it.
const MAX_PLANS: u32 = 50;

/// What a list shows of a plan that waits to be applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptPlanEntry {
    /// Its id, which is not its hash: the same plan can be made twice.
    pub id: String,
    /// When it was made, in milliseconds since 1970-01-01T00:00:00Z.
    pub made_ms: i64,
    /// Who made it.
    pub made_by: String,
    /// Its hash.
    pub hash: PlanHash,
    /// What it does, in words.
    pub title: String,
    /// How many values it writes.
    pub writes: u32,
    /// When its servers were read, in milliseconds since 1970-01-01T00:00:00Z.
    pub observed_ms: i64,
    /// How many people had to approve it where it was made.
    pub approvals: u32,
}

/// A plan that waits to be applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptPlan {
    /// What a list shows of it.
    pub entry: KeptPlanEntry,
    /// The plan in its file form.
    pub plan: String,
    /// What its review rests on, in the form of the console that made it.
    pub review: String,
}

impl AuditStore {
    /// Keeps a plan, and removes the oldest where there are too many.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be written.
    pub fn keep_plan(&self, plan: &KeptPlan) -> Result<(), StoreError> {
        self.write(|connection| {
            let insert = "INSERT OR REPLACE INTO kept_plans \
                          (id, made_at_ms, made_by, hash, title, writes, observed_at_ms, approvals, plan, review) \
                          VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
            let KeptPlan { entry, plan, review } = plan;
            let KeptPlanEntry { id, made_ms, made_by, hash, title, writes, observed_ms, approvals } = entry;
            connection.execute(
                insert,
                params![id, made_ms, made_by, hash.as_str(), title, writes, observed_ms, approvals, plan, review],
            )?;
            let oldest = "DELETE FROM kept_plans WHERE id NOT IN \
                          (SELECT id FROM kept_plans ORDER BY made_at_ms DESC, id DESC LIMIT ?1)";
            connection.execute(oldest, [MAX_PLANS])?;
            require_approvals(connection, hash, *approvals, made_by)?;
            forget_work(connection, id)
        })
    }

    /// The plan with this id.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read; [`StoreError::Corrupt`] when the stored data is damaged.
    pub fn kept_plan(&self, id: &str) -> Result<Option<KeptPlan>, StoreError> {
        let sql = format!("SELECT {ENTRY}, plan, review FROM kept_plans WHERE id = ?1");
        let read = |row: &Row<'_>| Ok((entry(row)?, row.get::<_, String>(8)?, row.get::<_, String>(9)?));
        let found = self.read(|connection| Ok(connection.prepare_cached(&sql)?.query_row([id], read).optional()?))?;
        found.map(|(entry, plan, review)| Ok(KeptPlan { entry: entry?, plan, review })).transpose()
    }

    /// Every plan that is kept, the newest first. One that is damaged is left out: [`Self::kept_plan`] says so.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read.
    pub fn kept_plans(&self) -> Result<Vec<KeptPlanEntry>, StoreError> {
        let sql = format!("SELECT {ENTRY} FROM kept_plans ORDER BY made_at_ms DESC, id DESC");
        let entries = self.read(|connection| {
            let mut statement = connection.prepare_cached(&sql)?;
            Ok(statement.query_map([], entry)?.collect::<Result<Vec<_>, _>>()?)
        })?;
        Ok(entries.into_iter().flatten().collect())
    }
}

/// The columns of a [`KeptPlanEntry`].
const ENTRY: &str = "id, made_at_ms, made_by, hash, title, writes, observed_at_ms, approvals";

fn entry(row: &Row<'_>) -> rusqlite::Result<Result<KeptPlanEntry, StoreError>> {
    let (id, hash): (String, String) = (row.get(0)?, row.get(3)?);
    let Ok(hash) = PlanHash::new(&hash) else {
        return Ok(Err(StoreError::Corrupt(format!("the hash of plan {id} cannot be read"))));
    };
    let (made_ms, made_by, title) = (row.get(1)?, row.get(2)?, row.get(4)?);
    let (writes, observed_ms, approvals) = (row.get(5)?, row.get(6)?, row.get(7)?);
    Ok(Ok(KeptPlanEntry { id, made_ms, made_by, hash, title, writes, observed_ms, approvals }))
}
