//! Opens the database: its version, its soundness, and how it keeps what it is given.

use crate::StateDirectory;
use crate::StoreError;
use crate::directory::{database_path, prepare_database};
use crate::shared_log::{self, CopyPosition, SharedLog};
use hostssl_remediation::LONGEST_APPEND;
use rusqlite::{Connection, MAIN_DB, OpenFlags, TransactionBehavior};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Marks a database as hostssl's (SQLite's `application_id`): "host" in ASCII.
const APPLICATION: i64 = 0x686f_7374;
/// One script for each version, from version 1 on. A script never changes once it was released.
const MIGRATIONS: [&str; 23] = [
    include_str!("migrations/1.sql"),
    include_str!("migrations/2.sql"),
    include_str!("migrations/3.sql"),
    include_str!("migrations/4.sql"),
    include_str!("migrations/5.sql"),
    include_str!("migrations/6.sql"),
    include_str!("migrations/7.sql"),
    include_str!("migrations/8.sql"),
    include_str!("migrations/9.sql"),
    include_str!("migrations/10.sql"),
    include_str!("migrations/11.sql"),
    include_str!("migrations/12.sql"),
    include_str!("migrations/13.sql"),
    include_str!("migrations/14.sql"),
    include_str!("migrations/15.sql"),
    include_str!("migrations/16.sql"),
    include_str!("migrations/17.sql"),
    include_str!("migrations/18.sql"),
    include_str!("migrations/19.sql"),
    include_str!("migrations/20.sql"),
    include_str!("migrations/21.sql"),
    include_str!("migrations/22.sql"),
    include_str!("migrations/23.sql"),
];
/// The version from which on the present is kept; it is made of what older versions kept.
const PRESENT: i64 = 5;
/// How long a read waits for the writer, which in WAL mode it need not but in corner cases.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// How long the journal waits for another process that writes before the executor decides whether it asks again.
pub(crate) const JOURNAL_TIMEOUT: Duration = LONGEST_APPEND;

/// How long an audit that is to be kept waits for another one, or for a journal's commit, where its caller has the time.
pub(crate) const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// The version that this program writes.
pub(crate) fn version() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

/// Opens the database for the one writer; makes it, or brings it up to date.
pub(crate) fn open_for_writing(directory: &StateDirectory) -> Result<Connection, StoreError> {
    let path = database_path(directory);
    prepare_database(&path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(&path, flags)?;
    check_writable(&connection, &path)?;
    configure(&connection)?;
    let found = check_identity(&connection, &path)?;
    check_soundness(&connection)?;
    // With WAL and FULL a commit returns when the log is on the disk (SQLite, "PRAGMA synchronous").
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    // macOS: a plain fsync does not empty the drive's cache.
    connection.pragma_update(None, "fullfsync", true)?;
    may_migrate(found, directory.shared())?;
    migrate(&mut connection, found)?;
    follow(&mut connection, directory)?;
    connection.busy_timeout(JOURNAL_TIMEOUT)?;
    Ok(connection)
}

/// Opens the database to keep audits in it. That needs no lock: an audit changes no server, and SQLite lets one
/// transaction at a time write, for which each other one waits up to `patience`.
pub(crate) fn open_for_audits(directory: &StateDirectory, patience: Duration) -> Result<Connection, StoreError> {
    let mut connection = open_with(directory, patience, directory.shared())?;
    follow(&mut connection, directory)?;
    Ok(connection)
}

/// The same, whatever it is a copy of.
pub(crate) fn open_alone(directory: &Path, patience: Duration) -> Result<Connection, StoreError> {
    open_with(directory, patience, None)
}

fn open_with(directory: &Path, patience: Duration, log: Option<&Arc<dyn SharedLog>>) -> Result<Connection, StoreError> {
    let path = database_path(directory);
    prepare_database(&path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(&path, flags)?;
    check_writable(&connection, &path)?;
    configure(&connection)?;
    connection.busy_timeout(patience.min(WRITE_TIMEOUT))?;
    let found = check_identity(&connection, &path)?;
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "fullfsync", true)?;
    may_migrate(found, log)?;
    migrate(&mut connection, found)?;
    Ok(connection)
}

/// Whether a copy may be brought to the version of this program: where its store is of another one, it stays with it.
fn may_migrate(found: i64, log: Option<&Arc<dyn SharedLog>>) -> Result<(), StoreError> {
    match log {
        Some(log) if found > 0 && found < version() => shared_log::check_version_of(log),
        _ => Ok(()),
    }
}

/// An empty database that is gone when it is closed.
pub(crate) fn in_memory() -> Result<Connection, StoreError> {
    let mut connection = Connection::open_in_memory()?;
    configure(&connection)?;
    migrate(&mut connection, 0)?;
    Ok(connection)
}

/// Brings a copy of a shared store up to date. What is a copy is not written, and not believed to be all there is, by who does not
/// know of the store.
fn follow(connection: &mut Connection, directory: &StateDirectory) -> Result<(), StoreError> {
    match (directory.shared(), CopyPosition::of(connection)?) {
        (Some(log), _) => shared_log::join(connection, log),
        (None, Some(place)) => Err(StoreError::IsACopy { place: place.place }),
        (None, None) => Ok(()),
    }
}

/// Opens the database for reading beside the writer, be it this process or another.
pub(crate) fn open_for_reading(directory: &StateDirectory) -> Result<Connection, StoreError> {
    if directory.shared().is_some() {
        crate::directory::prepare(directory)?;
        drop(open_for_audits(directory, WRITE_TIMEOUT)?);
    }
    let connection = open_as_it_is(directory)?;
    match check_identity(&connection, &database_path(directory))? {
        0 => Err(StoreError::NoState(directory.path().into())),
        found if found < version() => Err(StoreError::OlderVersion { found, known: version() }),
        _ if directory.shared().is_some() => Ok(connection),
        _ => match CopyPosition::of(&connection)? {
            Some(place) => Err(StoreError::IsACopy { place: place.place }),
            None => Ok(connection),
        },
    }
}

/// Opens what is there, and changes and follows nothing.
pub(crate) fn open_as_it_is(directory: &StateDirectory) -> Result<Connection, StoreError> {
    let path = database_path(directory);
    match path.symlink_metadata() {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(StoreError::NoState(directory.path().into()));
        }
        // What cannot be looked at may well be there.
        Err(error) => return Err(StoreError::Directory { path: directory.path().into(), source: Arc::new(error) }),
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(&path, flags)?;
    configure(&connection)?;
    Ok(connection)
}

/// SQLite opens a file that is write-protected all the same, for reading (SQLite, "Opening A New Database Connection").
fn check_writable(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    if connection.is_readonly(MAIN_DB)? {
        let source = Arc::new(io::Error::from(io::ErrorKind::PermissionDenied));
        return Err(StoreError::Directory { path: path.into(), source });
    }
    Ok(())
}

fn configure(connection: &Connection) -> Result<(), StoreError> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // A database is data: nothing that its schema says may call functions with side effects.
    connection.pragma_update(None, "trusted_schema", false)?;
    Ok(())
}

/// The version of the database; 0 for an empty one.
fn check_identity(connection: &Connection, path: &Path) -> Result<i64, StoreError> {
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let (application, found) = (pragma("application_id")?, pragma("user_version")?);
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    match (application, found, tables) {
        (0, 0, 0) => Ok(0),
        (APPLICATION, found, _) if found > version() => Err(StoreError::NewerVersion { found, known: version() }),
        (APPLICATION, found, _) if found > 0 => Ok(found),
        _ => Err(StoreError::Foreign(path.into())),
    }
}

fn check_soundness(connection: &Connection) -> Result<(), StoreError> {
    let told: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if told == "ok" { Ok(()) } else { Err(StoreError::Corrupt(told.chars().take(200).collect())) }
}

/// Runs the scripts that are missing, each in one transaction with its number. Several processes may open one directory
/// at the same time: the second to get the write lock finds the work done.
fn migrate(connection: &mut Connection, found: i64) -> Result<(), StoreError> {
    for (number, script) in (1_i64..).zip(MIGRATIONS).skip(usize::try_from(found).unwrap_or(usize::MAX)) {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let now: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
        if now >= number {
            continue;
        }
        transaction.execute_batch(script)?;
        if number == PRESENT {
            crate::audits::current::rebuild(&transaction)?;
        }
        transaction.pragma_update(None, "application_id", APPLICATION)?;
        transaction.pragma_update(None, "user_version", number)?;
        transaction.commit()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shared_log::FIRST_READ;

    /// An entry of a shared store is applied to the tables of a later version as it is.
    #[test]
    fn scripts_since_stores_are_shared_only_add_tables() {
        let first = usize::try_from(FIRST_READ).unwrap();
        for script in &MIGRATIONS[first..] {
            for statement in script.lines().filter(|line| line.starts_with(|first: char| first.is_ascii_uppercase())) {
                let adds = ["CREATE TABLE ", "CREATE INDEX ", "CREATE TRIGGER ", "END;"];
                assert!(adds.iter().any(|words| statement.starts_with(words)), "{statement}");
            }
        }
    }
}
