//! One change: made in the copy when its turn has come, and kept once the log has it.

use super::capture;
use super::copy::{catch_up_within, reach};
use super::entry::EntryWriter;
use super::{CHANGES, Lease, LogEntry, SharedError, SharedLog, TurnNumber};
use crate::StoreError;
use crate::database::version;
use hostssl_remediation::RunId;
use rusqlite::{Connection, Transaction, TransactionBehavior};
use std::sync::Arc;
use std::time::Duration;

/// Where a change is kept, and how long it waits for its turn.
pub(crate) struct Writing<'a> {
    /// The log that the database is a copy of.
    pub(crate) log: Option<&'a Arc<dyn SharedLog>>,
    /// The lease that the change rests on.
    pub(crate) lease: Option<i64>,
    /// How long it waits for the changes of other machines; for those of other processes of this one, SQLite does.
    pub(crate) patience: Duration,
}

/// The turn at a log. When it is dropped, it has passed.
pub(super) struct Turn<'a> {
    pub(super) log: &'a Arc<dyn SharedLog>,
    pub(super) number: TurnNumber,
    pub(super) is_over: bool,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            self.log.end_turn(self.number);
        }
    }
}

/// Does work in one transaction, which is kept whole or not at all; in a copy, by the shared store first. Work that fails leaves
/// nothing behind.
pub(crate) fn in_transaction<T>(
    connection: &mut Connection,
    writing: &Writing<'_>,
    work: impl FnOnce(&mut Transaction<'_>) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    // A deferred transaction begins as a reader, and SQLite refuses a reader that wants to write while someone else
    // does, without waiting (busy_timeout does not apply). An immediate one waits for its turn.
    let mut transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let Some(log) = writing.log else {
        let done = work(&mut transaction)?;
        transaction.commit()?;
        return Ok(done);
    };
    let failed = |error| StoreError::shared(log, error);
    let (number, head) = log.begin_turn(writing.patience).map_err(failed)?;
    let mut turn = Turn { log, number, is_over: false };
    catch_up_within(&transaction, log, &head, Some(number))?;
    capture::start(&transaction)?;
    let done = work(&mut transaction)?;
    let mut writer = EntryWriter::new(version())?;
    let changes = capture::each_change(&transaction, |change| writer.add(change))?;
    capture::forget(&transaction)?;
    if changes > 0 {
        let entry = LogEntry::after(head.last, &head.chain, writer.finish()?);
        // Before it is kept: what can fail in the copy has failed then, but for the disk.
        reach(&transaction, &entry)?;
        turn.is_over = true;
        log.append(number, entry, writing.lease).and_then(|()| log.keep(number)).map_err(failed)?;
        // From here on it is kept, whatever becomes of the copy, which learns it from the log the next time.
        return match transaction.commit() {
            Ok(()) => Ok(done),
            Err(error) => Err(StoreError::CopyNotWritten(Box::new(error.into()))),
        };
    }
    // Before another thread of this process can begin one.
    drop(turn);
    transaction.commit()?;
    Ok(done)
}

/// Takes the lease on changing servers, for this process.
pub(crate) fn lease_of(log: &Arc<dyn SharedLog>) -> Result<Box<dyn Lease>, StoreError> {
    take(log, CHANGES).map_err(|error| match error {
        SharedError::Held(holder) => StoreError::LeaseHeld { holder },
        other => StoreError::shared(log, other),
    })
}

/// Takes the lease on making the audit of a key; `None` while another process makes it.
pub(crate) fn lease_of_audit(log: &Arc<dyn SharedLog>, key: &RunId) -> Result<Option<Box<dyn Lease>>, StoreError> {
    match take(log, &format!("audit:{key}")) {
        Ok(lease) => Ok(Some(lease)),
        Err(SharedError::Held(_)) => Ok(None),
        Err(other) => Err(StoreError::shared(log, other)),
    }
}

/// What others are told of this process: its number and its machine.
#[must_use]
pub fn this_process() -> String {
    let host = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
    format!("process {} on {}", std::process::id(), host.trim())
}

fn take(log: &Arc<dyn SharedLog>, name: &str) -> Result<Box<dyn Lease>, SharedError> {
    let holder = this_process();
    // It makes the store where there is none.
    log.head(version())?;
    log.take_lease(name, &holder)
}
