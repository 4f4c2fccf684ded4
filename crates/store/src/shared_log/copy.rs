//! Brings a copy up to date: applies the entries of the log that it does not have yet.

use super::capture::{Table, tables};
use super::entry::{self, RowChange, RowChangeKind};
use super::{LogEntry, LogHead, SharedLog};
use crate::StoreError;
use crate::database::version;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};
use std::sync::Arc;

/// Of which store a database is a copy, and up to which entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CopyPosition {
    /// The store's identity.
    pub(crate) store: String,
    /// Where it was when it was copied.
    pub(crate) place: String,
    /// The entry that was applied last.
    pub(crate) number: i64,
}

impl CopyPosition {
    /// Of which store a database is a copy; `None` where it is none.
    pub(crate) fn of(connection: &Connection) -> Result<Option<Self>, StoreError> {
        let sql = "SELECT store, place, number FROM copy_of";
        let row = |row: &rusqlite::Row<'_>| Ok(Self { store: row.get(0)?, place: row.get(1)?, number: row.get(2)? });
        Ok(connection.prepare_cached(sql)?.query_row([], row).optional()?)
    }
}

/// Makes a database a copy of a store, or brings one that is a copy up to date.
pub(crate) fn join(connection: &mut Connection, log: &Arc<dyn SharedLog>) -> Result<(), StoreError> {
    // Changes of rows that were replaced are noted too.
    connection.pragma_update(None, "recursive_triggers", true)?;
    let head = log.head(version()).map_err(|error| StoreError::shared(log, error))?;
    check_version(&head)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    match CopyPosition::of(&transaction)? {
        Some(place) => check_store(&transaction, &place, &head, log)?,
        None => {
            refuse_own(&transaction)?;
            let insert = "INSERT INTO copy_of (store, place, number) VALUES (?1, ?2, 0)";
            transaction.execute(insert, params![head.store, log.place()])?;
        }
    }
    transaction.commit()?;
    catch_up(connection, log)
}

/// Applies what the log holds and the copy does not, entry by entry, so that a long way is not begun anew when it is broken off.
pub(crate) fn catch_up(connection: &mut Connection, log: &Arc<dyn SharedLog>) -> Result<(), StoreError> {
    loop {
        let behind = CopyPosition::of(connection)?.ok_or(StoreError::Closed)?.number;
        let entries = log.entries_after(behind).map_err(|error| StoreError::shared(log, error))?;
        if entries.is_empty() {
            return Ok(());
        }
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        apply_new(&transaction, &entries)?;
        transaction.commit()?;
    }
}

/// The same within a transaction, up to the end of the log.
pub(super) fn catch_up_within(
    transaction: &Transaction<'_>,
    log: &Arc<dyn SharedLog>,
    head: &LogHead,
) -> Result<(), StoreError> {
    check_version(head)?;
    let place = CopyPosition::of(transaction)?.ok_or(StoreError::Closed)?;
    check_store(transaction, &place, head, log)?;
    let mut at = place.number;
    while at < head.last {
        let entries = log.entries_after(at).map_err(|error| StoreError::shared(log, error))?;
        let reached = apply_new(transaction, &entries)?;
        if reached <= at {
            return Err(lost(at + 1));
        }
        at = reached;
    }
    Ok(())
}

/// Notes up to which entry the copy is.
pub(super) fn reach(transaction: &Transaction<'_>, number: i64) -> Result<(), StoreError> {
    transaction.prepare_cached("UPDATE copy_of SET number = ?1")?.execute([number])?;
    Ok(())
}

/// Applies those of the entries that another process of this machine has not applied meanwhile. Returns the last one.
fn apply_new(transaction: &Transaction<'_>, entries: &[LogEntry]) -> Result<i64, StoreError> {
    let mut at = CopyPosition::of(transaction)?.ok_or(StoreError::Closed)?.number;
    // A row may name one that the same entry adds after it.
    transaction.pragma_update(None, "defer_foreign_keys", true)?;
    let tables = tables(transaction)?;
    for entry in entries.iter().filter(|entry| entry.number > at).collect::<Vec<_>>() {
        if entry.number != at + 1 {
            return Err(lost(at + 1));
        }
        entry::read(&entry.body, version(), |change| apply(transaction, &tables, &change, entry.number))?;
        at = entry.number;
    }
    reach(transaction, at)?;
    Ok(at)
}

fn lost(number: i64) -> StoreError {
    StoreError::Corrupt(format!("entry {number} of the shared store is missing"))
}

/// Does to a row what was done to it elsewhere.
fn apply(transaction: &Transaction<'_>, tables: &[Table], change: &RowChange, number: i64) -> Result<(), StoreError> {
    let unknown = || StoreError::Corrupt(format!("entry {number} of the shared store changes no table that there is"));
    let table = tables.iter().find(|table| table.name == change.table).ok_or_else(unknown)?;
    let fits = |found: usize, names: &[String], wanted: bool| found == if wanted { names.len() } else { 0 };
    if !fits(change.key.len(), &table.key, change.kind != RowChangeKind::Insert)
        || !fits(change.row.len(), &table.columns, change.kind != RowChangeKind::Delete)
    {
        return Err(unknown());
    }
    let values: Vec<&Value> = change.row.iter().chain(&change.key).collect();
    let done = transaction
        .prepare_cached(&statement(table, change.kind))?
        .execute(rusqlite::params_from_iter(values))
        .map_err(|error| match StoreError::from(error) {
            StoreError::Database(_) => StoreError::Diverged(number),
            other => other,
        })?;
    if done == 1 { Ok(()) } else { Err(StoreError::Diverged(number)) }
}

/// The statement for one row: its values come first, then its key.
fn statement(table: &Table, kind: RowChangeKind) -> String {
    let Table { name, columns, key } = table;
    let given = |from: usize, names: &[String], between: &str, link: &str| {
        let terms = names.iter().zip(from..).map(|(name, at)| format!("{name}{link}?{at}"));
        terms.collect::<Vec<_>>().join(between)
    };
    match kind {
        RowChangeKind::Insert => {
            let places = (1..=columns.len()).map(|at| format!("?{at}")).collect::<Vec<_>>().join(", ");
            format!("INSERT INTO main.{name} ({}) VALUES ({places})", columns.join(", "))
        }
        RowChangeKind::Update => format!(
            "UPDATE main.{name} SET {} WHERE {}",
            given(1, columns, ", ", " = "),
            given(columns.len() + 1, key, " AND ", " IS ")
        ),
        RowChangeKind::Delete => format!("DELETE FROM main.{name} WHERE {}", given(1, key, " AND ", " IS ")),
    }
}

fn check_version(head: &LogHead) -> Result<(), StoreError> {
    let (found, known) = (head.version, version());
    match found.cmp(&known) {
        std::cmp::Ordering::Equal => Ok(()),
        std::cmp::Ordering::Greater => Err(StoreError::NewerVersion { found, known }),
        std::cmp::Ordering::Less => Err(StoreError::OlderShared { found, known }),
    }
}

/// Whether a copy is one of this store, and not ahead of it: a store that was restored to an earlier state has lost what the copy
/// knows.
fn check_store(
    transaction: &Transaction<'_>,
    place: &CopyPosition,
    head: &LogHead,
    log: &Arc<dyn SharedLog>,
) -> Result<(), StoreError> {
    if place.store != head.store {
        return Err(StoreError::OtherStore { place: log.place().to_owned(), copied: place.place.clone() });
    }
    if place.number > head.last {
        return Err(StoreError::CopyAhead { place: log.place().to_owned(), copy: place.number, store: head.last });
    }
    if place.place != log.place() {
        transaction.execute("UPDATE copy_of SET place = ?1", [log.place()])?;
    }
    Ok(())
}

/// A database with something in it is no copy.
fn refuse_own(transaction: &Transaction<'_>) -> Result<(), StoreError> {
    for table in tables(transaction)? {
        // One row that every database has.
        let sql = match table.name.as_str() {
            "present" => "SELECT 1 FROM present WHERE version != 0".to_owned(),
            name => format!("SELECT 1 FROM main.{name} LIMIT 1"),
        };
        if transaction.prepare_cached(&sql)?.exists([])? {
            return Err(StoreError::NotACopy);
        }
    }
    Ok(())
}
