//! Moves a whole state into a shared store, and out of one.

use super::capture::{Table, tables};
use super::copy::{catch_up_within, join};
use super::entry::{EntryWriter, RowChange, RowChangeKind};
use super::turn::Turn;
use super::{LogEntry, LogHead, SharedLog, TurnNumber};
use crate::database::{open_alone, open_for_audits, version};
use crate::directory::{lock, prepare};
use crate::write_thread::unfinished_run;
use crate::{StateDirectory, StoreError};
use hostssl_model::hex;
use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, Transaction, TransactionBehavior, params};
use sha2::{Digest as _, Sha256};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How long the copying waits for a process that writes.
const PATIENCE: Duration = Duration::from_secs(30);
/// How many bytes of rows an entry has, at most, unless one row alone has more.
const ENTRY_BYTES: usize = 4 << 20;

/// How far consoles are with what they work on is of their own state.
const NO_WORK: &str = "DELETE FROM work_in_progress";

/// What a state holds, so that two of them can be compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateDigest {
    /// How many rows.
    pub rows: u64,
    /// The SHA-256 of all of them, in hexadecimal.
    pub sha256: String,
}

/// Copies a state directory into a shared store that has nothing yet, all or nothing, and makes the directory a copy of it. What the
/// store holds then is read back and compared. A directory that is a copy of another store, or of this one before it was lost, is
/// copied as well: it is what is left of that one.
///
/// # Errors
///
/// [`StoreError::NotEmpty`] for a store that has something; [`StoreError::Unfinished`] for a state with a run that has not ended;
/// [`StoreError::LockedByAnother`] while a process changes servers with it; and whatever the store or the disk says.
pub fn copy_into(directory: &Path, log: &Arc<dyn SharedLog>) -> Result<StateDigest, StoreError> {
    if !directory.join("hostssl.db").exists() {
        return Err(StoreError::NoState(directory.to_path_buf()));
    }
    let _lock = lock(directory)?;
    let mut connection = open_alone(directory, PATIENCE)?;
    let failed = |error| StoreError::shared(log, error);
    log.head(version()).map_err(failed)?;
    // Nothing is written there until the store has it all.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch(NO_WORK)?;
    if let Some(run) = unfinished_run(&transaction, None)? {
        return Err(StoreError::Unfinished(run));
    }
    let (number, head) = log.begin_turn(PATIENCE).map_err(failed)?;
    let mut turn = Turn { log, number, is_over: false };
    let kept = digest(&transaction)?;
    let position = if head.last == 0 {
        let (last, chain) = append_rows(&transaction, &turn, &head)?;
        turn.is_over = true;
        log.keep(number).map_err(failed)?;
        // Up to there: another machine may have begun to use it.
        let copied = LogHead { last, chain, ..head };
        if read_back(log, &copied, None)? != kept {
            return Err(StoreError::Corrupt(format!("what {} holds is not what was copied into it", log.place())));
        }
        copied
    } else {
        // It may have been copied before by a process that was ended before it could say so.
        if read_back(log, &head, Some(number))? != kept {
            return Err(StoreError::NotEmpty { place: log.place().to_owned(), entries: head.last });
        }
        head
    };
    transaction.execute("DELETE FROM copy_of", [])?;
    let insert = "INSERT INTO copy_of (store, place, number, chain) VALUES (?1, ?2, ?3, ?4)";
    transaction.execute(insert, params![position.store, log.place(), position.last, position.chain])?;
    transaction.commit()?;
    Ok(kept)
}

/// Copies what a shared store holds, but for who is signed in to consoles, into a state directory, which is no copy of it then but
/// has a state of its own. The digest is of all that the store holds.
///
/// # Errors
///
/// [`StoreError::NotACopy`] for a directory with a state of its own; [`StoreError::Unfinished`] for a store with a run that has not
/// ended; and whatever the store or the disk says.
pub fn copy_out_of(log: &Arc<dyn SharedLog>, directory: &Path) -> Result<StateDigest, StoreError> {
    prepare(directory)?;
    let mut connection = open_for_audits(&StateDirectory::from(directory), PATIENCE)?;
    join(&mut connection, log)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if let Some(run) = unfinished_run(&transaction, None)? {
        return Err(StoreError::Unfinished(run));
    }
    transaction.execute("DELETE FROM copy_of", [])?;
    let copied = digest(&transaction)?;
    // Who was signed in to consoles of the store is not signed in to those of another state.
    transaction.execute_batch("DELETE FROM sessions; DELETE FROM sign_in_links; DELETE FROM invited")?;
    transaction.execute_batch(NO_WORK)?;
    transaction.commit()?;
    Ok(copied)
}

/// Appends every row, in entries of some size. Returns the number and the chain of the last one.
fn append_rows(transaction: &Transaction<'_>, turn: &Turn<'_>, head: &LogHead) -> Result<(i64, String), StoreError> {
    let log = turn.log;
    let (mut at, mut bytes, mut writer) = ((head.last, head.chain.clone()), 0, EntryWriter::new(version())?);
    let mut append = |writer: EntryWriter| {
        let entry = LogEntry::after(at.0, &at.1, writer.finish()?);
        at = (entry.number, entry.chain.clone());
        log.append(turn.number, entry, None).map_err(|error| StoreError::shared(log, error))
    };
    for table in tables(transaction)? {
        // The one row that every database begins with is changed, and not added.
        let is_there = table.name == "present";
        each_row(transaction, &table, &mut |row| {
            let kind = if is_there { RowChangeKind::Update } else { RowChangeKind::Insert };
            let key = if is_there { vec![Value::Integer(1)] } else { Vec::new() };
            bytes += size_of_row(&row);
            writer.add(&RowChange { table: table.name.clone(), kind, key, row })?;
            if bytes >= ENTRY_BYTES {
                bytes = 0;
                append(std::mem::replace(&mut writer, EntryWriter::new(version())?))?;
            }
            Ok(())
        })?;
    }
    append(writer)?;
    Ok(at)
}

fn size_of_row(row: &[Value]) -> usize {
    let size = |value: &Value| match value {
        Value::Null | Value::Integer(_) | Value::Real(_) => 8,
        Value::Text(text) => text.len(),
        Value::Blob(bytes) => bytes.len(),
    };
    row.iter().map(size).sum()
}

/// Hands over the rows of a table, in the order of their keys.
fn each_row(
    connection: &Connection,
    table: &Table,
    take: &mut dyn FnMut(Vec<Value>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let (columns, order) = (table.columns.join(", "), table.key.join(", "));
    let mut statement = connection.prepare(&format!("SELECT {columns} FROM main.{} ORDER BY {order}", table.name))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        take((0..table.columns.len()).map(|at| row.get(at)).collect::<Result<_, _>>()?)?;
    }
    Ok(())
}

/// What a database holds.
fn digest(connection: &Connection) -> Result<StateDigest, StoreError> {
    let (mut rows, mut hash) = (0, Sha256::new());
    for table in tables(connection)? {
        hash.update(table.name.as_bytes());
        each_row(connection, &table, &mut |row| {
            rows += 1;
            row.iter().for_each(|value| hash_value(&mut hash, value.into()));
            Ok(())
        })?;
    }
    Ok(StateDigest { rows, sha256: hex(&hash.finalize()) })
}

/// Each value with its kind and its length, so that no two rows are alike that are not the same.
fn hash_value(hash: &mut Sha256, value: ValueRef<'_>) {
    let mut add = |kind: u8, bytes: &[u8]| {
        hash.update([kind]);
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    match value {
        ValueRef::Null => add(0, &[]),
        ValueRef::Integer(number) => add(1, &number.to_le_bytes()),
        ValueRef::Real(number) => add(2, &number.to_le_bytes()),
        ValueRef::Text(text) => add(3, text),
        ValueRef::Blob(bytes) => add(4, bytes),
    }
}

/// What a store holds up to a place, as a new copy has it, in memory.
fn read_back(log: &Arc<dyn SharedLog>, head: &LogHead, turn: Option<TurnNumber>) -> Result<StateDigest, StoreError> {
    let mut connection = crate::database::in_memory()?;
    let insert = "INSERT INTO copy_of (store, place, number, chain) VALUES (?1, ?2, 0, '')";
    connection.execute(insert, params![head.store, log.place()])?;
    let transaction = connection.transaction()?;
    catch_up_within(&transaction, log, head, turn)?;
    transaction.execute_batch(NO_WORK)?;
    digest(&transaction)
}
