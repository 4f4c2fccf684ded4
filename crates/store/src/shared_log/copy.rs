//! Brings a copy up to date: applies the entries of the log that it does not have yet.

use super::capture::{self, Table, tables};
use super::entry::{self, RowChange, RowChangeKind};
use super::{CHANGES, LogEntry, LogHead, SharedLog, TurnNumber};
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
    /// Its chain.
    pub(crate) chain: String,
}

impl CopyPosition {
    /// Of which store a database is a copy; `None` where it is none.
    pub(crate) fn of(connection: &Connection) -> Result<Option<Self>, StoreError> {
        let sql = "SELECT store, place, number, chain FROM copy_of";
        let row = |row: &rusqlite::Row<'_>| {
            Ok(Self { store: row.get(0)?, place: row.get(1)?, number: row.get(2)?, chain: row.get(3)? })
        };
        Ok(connection.prepare_cached(sql)?.query_row([], row).optional()?)
    }

    fn of_copy(connection: &Connection) -> Result<Self, StoreError> {
        Self::of(connection)?.ok_or(StoreError::NotACopy)
    }
}

/// Makes a database a copy of a store, or brings one that is a copy up to date.
pub(crate) fn join(connection: &mut Connection, log: &Arc<dyn SharedLog>) -> Result<(), StoreError> {
    // Changes of rows that were replaced are noted too.
    connection.pragma_update(None, "recursive_triggers", true)?;
    if CopyPosition::of(connection)?.is_some() {
        return catch_up(connection, log);
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if CopyPosition::of(&transaction)?.is_none() {
        let head = head_of(log)?;
        refuse_own(&transaction)?;
        let insert = "INSERT INTO copy_of (store, place, number, chain) VALUES (?1, ?2, 0, '')";
        transaction.execute(insert, params![head.store, log.place()])?;
    }
    transaction.commit()?;
    catch_up(connection, log)
}

/// Whether a store has the version of this program.
pub(crate) fn check_version_of(log: &Arc<dyn SharedLog>) -> Result<(), StoreError> {
    head_of(log).map(drop)
}

fn head_of(log: &Arc<dyn SharedLog>) -> Result<LogHead, StoreError> {
    let head = log.head(version()).map_err(|error| StoreError::shared(log, error))?;
    check_version(&head)?;
    Ok(head)
}

/// Whether the log has nothing that a copy does not have.
pub(crate) fn is_up_to_date(position: &CopyPosition, log: &Arc<dyn SharedLog>) -> bool {
    let is_at =
        |head: LogHead| (&position.store, position.number, &position.chain) == (&head.store, head.last, &head.chain);
    head_of(log).is_ok_and(is_at)
}

/// Applies what the log holds and the copy does not, entry by entry, so that a long way is not begun anew when it is broken off.
pub(crate) fn catch_up(connection: &mut Connection, log: &Arc<dyn SharedLog>) -> Result<(), StoreError> {
    let head = head_of(log)?;
    let position = CopyPosition::of_copy(connection)?;
    if (&position.store, position.number, &position.chain) == (&head.store, head.last, &head.chain) {
        return Ok(());
    }
    loop {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        // Of this moment: another process of this machine may have brought the copy further than the head was before.
        let head = head_of(log)?;
        let is_there = apply_page(&transaction, log, &head, None)?;
        transaction.commit()?;
        if is_there {
            return Ok(());
        }
    }
}

/// The same within a transaction, and in the turn if there is one, up to the end of the log.
pub(super) fn catch_up_within(
    transaction: &Transaction<'_>,
    log: &Arc<dyn SharedLog>,
    head: &LogHead,
    turn: Option<TurnNumber>,
) -> Result<(), StoreError> {
    check_version(head)?;
    while !apply_page(transaction, log, head, turn)? {}
    Ok(())
}

/// Notes up to which entry the copy is.
pub(super) fn reach(transaction: &Transaction<'_>, entry: &LogEntry) -> Result<(), StoreError> {
    let update = "UPDATE copy_of SET number = ?1, chain = ?2";
    transaction.prepare_cached(update)?.execute(params![entry.number, entry.chain])?;
    Ok(())
}

/// Applies the next entries. Returns whether the copy is at the end of the log then, and has the history that leads there.
fn apply_page(
    transaction: &Transaction<'_>,
    log: &Arc<dyn SharedLog>,
    head: &LogHead,
    turn: Option<TurnNumber>,
) -> Result<bool, StoreError> {
    let position = CopyPosition::of_copy(transaction)?;
    check_store(transaction, &position, head, log)?;
    if position.number == head.last {
        let is_same = position.chain == head.chain;
        return if is_same { Ok(true) } else { Err(other_history(log, position.number)) };
    }
    let entries = log.entries_after(position.number, turn).map_err(|error| StoreError::shared(log, error))?;
    let missing = |number| StoreError::LogBroken { place: log.place().to_owned(), entry: number };
    if entries.is_empty() {
        return Err(missing(position.number + 1));
    }
    // A row may name one that the same entry adds after it.
    transaction.pragma_update(None, "defer_foreign_keys", true)?;
    let (tables, mut at) = (tables(transaction)?, position);
    for entry in entries.into_iter().filter(|entry| entry.number <= head.last) {
        if entry.number != at.number + 1 {
            return Err(missing(at.number + 1));
        }
        let expected = LogEntry::after(at.number, &at.chain, entry.body);
        if entry.chain != expected.chain {
            return Err(other_history(log, entry.number));
        }
        entry::read(&expected.body, version(), |change| apply(transaction, &tables, &change, entry.number))
            .map_err(|error| if matches!(error, StoreError::Unreadable(_)) { missing(entry.number) } else { error })?;
        reach(transaction, &expected)?;
        (at.number, at.chain) = (expected.number, expected.chain);
    }
    // What was changed elsewhere is no change of this copy's.
    capture::forget(transaction)?;
    Ok(false)
}

fn other_history(log: &Arc<dyn SharedLog>, entry: i64) -> StoreError {
    StoreError::OtherHistory { place: log.place().to_owned(), entry }
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

/// Upgrades a store to the tables of this program, so that programs of before are refused. Returns the version that it had, and
/// the one that it has. Its entries stay as they are, because scripts of later versions only add tables.
///
/// # Errors
///
/// [`StoreError::NoStore`] where there is none yet; [`StoreError::NewerVersion`] for one that a later program upgraded; and whatever
/// the store says.
pub fn upgrade(log: &Arc<dyn SharedLog>) -> Result<(i64, i64), StoreError> {
    let failed = |error| StoreError::shared(log, error);
    let head = log.peek().map_err(failed)?.ok_or_else(|| StoreError::NoStore { place: log.place().to_owned() })?;
    match check_version(&head) {
        Err(StoreError::OlderShared { found, known }) if found >= entry::FIRST_READ => {
            if let Some(holder) = log.holder(CHANGES).map_err(failed)? {
                return Err(StoreError::LeaseHeld { holder });
            }
            log.upgrade(found, known).map_err(failed)?;
            Ok((found, head_of(log)?.version))
        }
        checked => checked.map(|()| (head.version, head.version)),
    }
}

/// Whether a copy is one of this store, and not ahead of it: a store that was restored to an earlier state has lost what the copy
/// knows.
fn check_store(
    transaction: &Transaction<'_>,
    position: &CopyPosition,
    head: &LogHead,
    log: &Arc<dyn SharedLog>,
) -> Result<(), StoreError> {
    if position.store != head.store {
        return Err(StoreError::OtherStore { place: log.place().to_owned(), copied: position.place.clone() });
    }
    if position.number > head.last {
        return Err(StoreError::CopyAhead { place: log.place().to_owned(), copy: position.number, store: head.last });
    }
    if position.place != log.place() {
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
