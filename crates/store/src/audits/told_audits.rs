//! Which audit a receiver of a watch was told of last. Others may have kept audits since, and the watch may have ended.

use super::AuditStore;
use super::document::StoredScope;
use super::kept_documents::json;
use super::types::AuditId;
use crate::{StoreError, StoreReader};
use hostssl_model::{AuditRun, Word};
use rusqlite::{OptionalExtension as _, params};

impl AuditStore {
    /// Keeps that receivers were told of audits that are asked for as `run` was: the name of each, and the id of the audit.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be written.
    pub fn keep_told(&self, run: &AuditRun, told: &[(&str, &str)]) -> Result<(), StoreError> {
        let asked = asked(run)?;
        self.write(|transaction| {
            for (receiver, audit) in told {
                let keep = "INSERT INTO told_audits (receiver, asked, audit) VALUES (?1, ?2, ?3) \
                            ON CONFLICT (receiver, asked) DO UPDATE SET audit = excluded.audit";
                transaction.prepare_cached(keep)?.execute(params![receiver, asked, audit])?;
            }
            Ok(())
        })
    }
}

impl StoreReader {
    /// The audit that a receiver was told of last, of those that are asked for as `run` was. It may be deleted.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read.
    pub fn last_told(&self, run: &AuditRun, receiver: &str) -> Result<Option<AuditId>, StoreError> {
        let sql = "SELECT audit FROM told_audits WHERE receiver = ?1 AND asked = ?2";
        let asked = asked(run)?;
        Ok(self.lock().prepare_cached(sql)?.query_row([receiver, &asked], |row| row.get(0)).optional()?)
    }
}

/// What tells audits apart that are not compared: their cloud, their scope and their rules.
fn asked(run: &AuditRun) -> Result<String, StoreError> {
    let only: Vec<&str> = run.asked.only.iter().map(Word::as_str).collect();
    let rules = (&run.profile, only, run.asked.expiry_days, run.asked.by_graph, run.asked.by_zones);
    json(&(&run.cloud, StoredScope::from(&run.scope), rules))
}
