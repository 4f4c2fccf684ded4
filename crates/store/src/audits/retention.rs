//! `--retain`: which audits are deleted.

use super::AuditStore;
use crate::StoreError;
use rusqlite::Transaction;

impl AuditStore {
    /// Deletes all but the newest `retain` audits of each scope in each cloud, so that many audits of a part never delete
    /// those of the whole; complete ones, incomplete ones and stopped ones count apart, and so do those of some controls
    /// alone. Returns how many were deleted.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be written.
    pub fn prune(&self, retain: u32) -> Result<u64, StoreError> {
        self.write(|connection| prune(connection, retain))
    }
}

/// Deletes all but the newest `retain` audits of each scope and what nothing refers to any more. Returns how many were deleted.
/// Audits that saw everything count apart from those that did not, so that an outage deletes none of what was known before it;
/// so do those of some controls alone.
fn prune(transaction: &Transaction<'_>, retain: u32) -> Result<u64, StoreError> {
    let old: Vec<i64> = transaction
        .prepare(
            "SELECT num FROM (SELECT num, row_number() OVER (PARTITION BY cloud, scope, \
                 controls, stopped, json_extract(run, '$.complete') ORDER BY started_ms DESC, num DESC) AS place FROM audits) WHERE place > ?1 ORDER BY num",
        )?
        .query_map([retain], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for audit in &old {
        for table in ["observations", "audit_gaps", "audit_subscriptions", "audit_transcripts", "searched"] {
            transaction.execute(&format!("DELETE FROM {table} WHERE audit = ?1"), [audit])?;
        }
        transaction.execute("DELETE FROM audits WHERE num = ?1", [audit])?;
    }
    if !old.is_empty() {
        transaction.execute_batch(
            "DELETE FROM current WHERE server NOT IN (SELECT server FROM observations);
             DELETE FROM unlisted WHERE server NOT IN (SELECT server FROM current);
             DELETE FROM facts WHERE num NOT IN (SELECT facts FROM observations UNION SELECT facts FROM current);
             DELETE FROM tags WHERE facts NOT IN (SELECT num FROM facts);
             DELETE FROM judgements
                 WHERE num NOT IN (SELECT judgement FROM observations UNION SELECT judgement FROM current);
             DELETE FROM evidence WHERE server NOT IN (SELECT server FROM observations);
             DELETE FROM servers WHERE num NOT IN (SELECT server FROM observations);
             UPDATE present SET version = version + 1;",
        )?;
    }
    Ok(old.len() as u64)
}
