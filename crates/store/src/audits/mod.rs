//! Keeps audits: what was observed, what followed from it, and what could not be seen.
//!
//! Keeping one needs no lock: an audit changes no server, so `hostssl audit` may run beside a console or an apply with
//! the same directory. Facts are kept apart from judgement and each once, under its hash: a hundred audits of servers
//! that did not change take little more room than one, and what was observed can be judged again under other rules.

mod changes;
pub(crate) mod clock_set_back;
mod column_codes;
pub(crate) mod current;
mod differences;
pub(crate) mod disowned;
mod document;
mod doubted;
mod entries;
mod filter;
mod gaps;
mod kept_documents;
mod known;
mod listener;
mod narrowed;
mod newer;
mod open;
mod outcomes;
mod present;
mod report;
mod retention;
mod rows;
mod save;
mod server;
mod server_detail;
pub(crate) mod server_evidence;
mod server_lists;
mod tags;
mod told_audits;
mod types;
mod unchecked;
mod unlisted;
pub(crate) mod writes;

pub(crate) use entries::{
    audit as audit_of, audit_before, audits as audits_of, looked_at_the_wire, newest_of_trend, newest_pair, trend,
};
pub(crate) use present::present_of;
pub(crate) use report::{check_documents, report as report_of};

/// Whether there is something that the present does not have yet.
pub(crate) fn has_changes(connection: &Connection) -> Result<bool, StoreError> {
    Ok(writes::has_changes(connection)? || unlisted::has_new(connection)?)
}

pub use document::{StoredFinding, StoredNetwork, StoredReading};
pub use listener::{StoredCertificate, StoredListener, StoredListenerState, StoredVantage};
pub use newer::NewerWords;
pub use outcomes::ServerOutcomes;
pub use present::{EvidenceAges, PresentFigures};
pub use save::server_key;
pub use server_detail::ServerDetail;
pub use server_evidence::{EndedLook, KnownFromZones};
pub use types::{
    AuditEntry, AuditId, ControlTally, Enforcement, EnforcementTally, Facets, GapGroup, HistoryEntry, NewestLook, Page,
    PlaceGap, RunMark, ServerChange, ServerFilter, ServerPage, ServerReason, ServerRow, ServerSort, ServerWrite,
    StoredGap, TagName,
};
pub use unchecked::StoredUnchecked;

use crate::database::open_for_reading;
use crate::directory::{AuditKeyLock, DatabaseFile, lock_key, locked};
use crate::shared_log::{CHANGES, Writing, in_transaction};
use crate::{StateDirectory, StoreError};
use hostssl_model::{AuditReport, ControlId, ServerReport, Standings, Subscription, Word};
use hostssl_remediation::RunId;
use rusqlite::{Connection, Transaction};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Connections for reading that are kept open.
const READERS: usize = 4;

/// The kept audits of a state directory. Every call may wait for the disk: in async code, call it where that is
/// allowed.
#[derive(Debug)]
pub struct AuditStore {
    directory: StateDirectory,
    file: DatabaseFile,
    patience: Duration,
    /// Why the copy of a shared store could not be brought up to date the last time.
    behind: Mutex<Option<StoreError>>,
    writer: Mutex<Connection>,
    readers: Mutex<Vec<Connection>>,
    facets: Cached<Facets>,
    tags: Cached<Vec<TagName>>,
    changes: Mutex<Option<(Compared, Changes)>>,
}

/// An audit by number, and the version of the present if that is looked at.
type Viewed = (i64, Option<i64>);
/// What was found of the audit that was looked at last.
type Cached<T> = Mutex<Option<(Viewed, Arc<T>)>>;
/// Two audits, and how many changes were asked for.
type Compared = (Viewed, i64, u32);
/// Servers that changed, and how many there are.
type Changes = (Vec<ServerChange>, u64);

impl AuditStore {
    /// The state directory.
    #[must_use]
    pub fn directory(&self) -> &StateDirectory {
        &self.directory
    }

    /// Whether what was opened is still there: what is kept in a file that was removed is lost, and what stands in its
    /// place is something else. Every call asks; a caller that opens the directory by other means asks first.
    ///
    /// # Errors
    ///
    /// [`StoreError::Gone`] when it is not; why a copy of a shared store is not up to date, when [`Self::follow`] failed.
    pub fn check(&self) -> Result<(), StoreError> {
        self.file.check()?;
        lock(&self.behind).clone().map_or(Ok(()), Err)
    }

    /// Whether a process changes servers with this directory now, or with the shared store that it is a copy of, be it this one or
    /// another. Asks the store.
    #[must_use]
    pub fn is_changing(&self) -> bool {
        let is_held = || self.directory.shared().and_then(|log| log.holder(CHANGES).ok()).flatten().is_some();
        matches!(locked(&self.directory), Ok(Some(_))) || is_held()
    }

    /// Takes the lock of an audit's key. While another process has it, it waits up to `patience`; `waits` is called before.
    /// The audit may be kept by then.
    ///
    /// # Errors
    ///
    /// [`StoreError::KeyHeld`] when the other process has it still; others when the state directory takes no lock.
    pub fn lock_key(&self, key: &RunId, patience: Duration, waits: impl FnOnce()) -> Result<AuditKeyLock, StoreError> {
        lock_key(&self.directory, key, patience, waits)
    }

    /// Keeps an audit, whole or not at all.
    ///
    /// # Errors
    ///
    /// [`StoreError::AuditExists`] when one of this id is kept already, [`StoreError::Full`] and whatever the disk
    /// says.
    pub fn save(&self, report: &AuditReport) -> Result<AuditId, StoreError> {
        // What a run changed before the audit began comes before what the audit saw.
        self.fold_changes()?;
        let now_ms = jiff::Timestamp::now().as_millisecond();
        self.write(|connection| save::save(connection, report, now_ms))
    }

    /// Takes in what runs have changed and read back since the last time, and what audits did not list that an earlier version kept.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be written.
    pub fn fold_changes(&self) -> Result<(), StoreError> {
        if !self.read(has_changes)? {
            return Ok(());
        }
        let now_ms = jiff::Timestamp::now().as_millisecond();
        self.write(|transaction| {
            writes::fold_changes(transaction, now_ms)?;
            unlisted::search(transaction)
        })
    }

    /// Audits, the newest first, and how many there are.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read.
    pub fn audits(&self, page: Page) -> Result<(Vec<AuditEntry>, u64), StoreError> {
        self.read(|connection| entries::audits(connection, page))
    }

    /// One audit.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read.
    pub fn audit(&self, id: &str) -> Result<Option<AuditEntry>, StoreError> {
        self.read(|connection| entries::audit(connection, id))
    }

    /// The audit that says most about the present: the newest that was neither narrowed nor stopped; where there is
    /// none, the newest that nothing narrowed, and then the newest.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read.
    ///
    /// Lists and counts of this entry are of the present: what other audits, probes and runs have shown stands beside
    /// what the audit saw.
    pub fn latest(&self) -> Result<Option<AuditEntry>, StoreError> {
        self.fold_changes()?;
        self.read(present::latest)
    }

    /// The newest audit before this one that had the same scope and was not stopped.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read.
    pub fn previous(&self, audit: &AuditEntry) -> Result<Option<AuditEntry>, StoreError> {
        self.read(|connection| audit_before(connection, audit))
    }

    /// This audit and those before it that had the same scope and were not stopped, at most `count`, oldest first.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read.
    pub fn trend(&self, audit: &AuditEntry, count: u32) -> Result<Vec<AuditEntry>, StoreError> {
        self.read(|connection| trend(connection, audit, count))
    }

    /// Where the servers of an audit stood by what that audit itself saw, as its report counts them. What others had
    /// seen before, which its standings hold too, is left out.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read.
    pub fn seen_standings(&self, audit: &AuditEntry) -> Result<Standings, StoreError> {
        self.read(|connection| entries::seen_standings(connection, audit))
    }

    /// Servers of an audit.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read.
    pub fn servers(
        &self,
        audit: &AuditEntry,
        filter: &ServerFilter,
        sort: ServerSort,
        descending: bool,
        page: Page,
    ) -> Result<ServerPage, StoreError> {
        self.read(|connection| server_lists::servers(connection, audit, filter, sort, descending, page))
    }

    /// What the servers of an audit can be filtered by.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read.
    pub fn facets(&self, audit: &AuditEntry) -> Result<Arc<Facets>, StoreError> {
        self.viewed(&self.facets, audit, server_lists::facets)
    }

    /// What is kept of one kind about an audit. A kept audit never changes, and nearly everyone looks at the latest.
    fn viewed<T>(
        &self,
        cache: &Cached<T>,
        audit: &AuditEntry,
        find: impl FnOnce(&Connection, &AuditEntry) -> Result<T, StoreError>,
    ) -> Result<Arc<T>, StoreError> {
        let viewed = (audit.num, audit.present);
        if let Some((known, found)) = &*lock(cache)
            && *known == viewed
        {
            return Ok(found.clone());
        }
        let found = Arc::new(self.read(|connection| find(connection, audit))?);
        *lock(cache) = Some((viewed, found.clone()));
        Ok(found)
    }

    /// The tags of the servers of an audit: names by how many servers have them. Names that tell servers apart are left out.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read.
    pub fn tags(&self, audit: &AuditEntry) -> Result<Arc<Vec<TagName>>, StoreError> {
        self.viewed(&self.tags, audit, tags::names)
    }

    /// One server as an audit saw it; `None` when the audit did not.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read.
    pub fn server(&self, audit: &AuditEntry, key: &str) -> Result<Option<ServerDetail>, StoreError> {
        self.read(|connection| server::server(connection, audit, key))
    }

    /// The newest audit that saw a server.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read.
    pub fn last_audit_of(&self, key: &str) -> Result<Option<AuditEntry>, StoreError> {
        self.fold_changes()?;
        self.read(|connection| entries::last_audit_of(connection, key))
    }

    /// What the newest audit that saw it says of each of these servers, by key.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read.
    pub fn newest_looks(&self, keys: &[String]) -> Result<BTreeMap<String, NewestLook>, StoreError> {
        self.read(|connection| server_lists::newest_looks(connection, keys))
    }

    /// A server through the newest `count` audits that saw it, the newest first.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read.
    pub fn history(&self, key: &str, count: u32) -> Result<Vec<HistoryEntry>, StoreError> {
        self.read(|connection| server::history(connection, key, count))
    }

    /// What runs of ours wrote on a server and read back, the newest first.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read.
    pub fn writes(&self, key: &str) -> Result<Vec<ServerWrite>, StoreError> {
        self.read(|connection| writes::writes(connection, key))
    }

    /// The runs that changed servers since a moment, in milliseconds since 1970-01-01T00:00:00Z, the oldest first.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read.
    pub fn run_marks(&self, since_ms: i64) -> Result<Vec<RunMark>, StoreError> {
        self.read(|connection| writes::run_marks(connection, since_ms))
    }

    /// Servers whose enforcement differs between two audits, what was switched off first, at most `count`; and how many
    /// there are.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read.
    pub fn changes(
        &self,
        audit: &AuditEntry,
        previous: &AuditEntry,
        count: u32,
    ) -> Result<(Vec<ServerChange>, u64), StoreError> {
        let asked = ((audit.num, audit.present), previous.num, count);
        if let Some((known, changes)) = &*lock(&self.changes)
            && *known == asked
        {
            return Ok(changes.clone());
        }
        let changes = self.read(|connection| changes::changes(connection, audit, previous, count))?;
        *lock(&self.changes) = Some((asked, changes.clone()));
        Ok(changes)
    }

    /// How many servers did not enforce in an earlier audit, and could not be checked or were not listed in this one: where
    /// there are any, fewer that do not enforce is not good news.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read.
    pub fn lost_sight(&self, audit: &AuditEntry, previous: &AuditEntry) -> Result<u64, StoreError> {
        self.read(|connection| changes::lost_sight(connection, audit, previous))
    }

    /// What an audit could not see, by reason and permission.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read.
    pub fn gap_groups(&self, audit: &AuditEntry) -> Result<Vec<GapGroup>, StoreError> {
        self.read(|connection| gaps::gap_groups(connection, audit))
    }

    /// What of whole places an audit could not see, at most `count`. Gaps of single servers are not among them.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read.
    pub fn place_gaps(&self, audit: &AuditEntry, count: u32) -> Result<Vec<PlaceGap>, StoreError> {
        self.read(|connection| gaps::place_gaps(connection, audit, count))
    }

    /// What an audit could not see, and how many things that are.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read.
    pub fn gaps(&self, audit: &AuditEntry, page: Page) -> Result<(Vec<StoredGap>, u64), StoreError> {
        self.read(|connection| gaps::gaps(connection, audit, page))
    }

    /// How each control ended on the servers of an audit.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read.
    pub fn control_tallies(&self, audit: &AuditEntry) -> Result<Vec<(Word<ControlId>, ControlTally)>, StoreError> {
        self.read(|connection| report::control_tallies(connection, audit))
    }

    /// Hands over how the controls ended on each server of an audit.
    ///
    /// # Errors
    ///
    /// [`StoreError::Corrupt`] when the stored data is damaged.
    pub fn each_outcome(&self, audit: &AuditEntry, take: &mut dyn FnMut(ServerOutcomes)) -> Result<(), StoreError> {
        self.read(|connection| outcomes::each_outcome(connection, audit, take))
    }

    /// The report as it was, with the servers that pass the filter: for every format of a report. The summary counts
    /// those servers. What of them this version does not know is among the gaps.
    ///
    /// # Errors
    ///
    /// [`StoreError::Corrupt`] when the stored data is damaged.
    pub fn report(&self, audit: &AuditEntry, filter: &ServerFilter) -> Result<AuditReport, StoreError> {
        self.read(|connection| report::report(connection, audit, filter))
    }

    /// Hands over the servers of an audit that pass the filter, as they were, one by one: for callers that need no more
    /// than one at a time. Returns what of them this version does not know.
    ///
    /// # Errors
    ///
    /// [`StoreError::Corrupt`] when the stored data is damaged.
    pub fn each_server(
        &self,
        audit: &AuditEntry,
        filter: &ServerFilter,
        take: &mut dyn FnMut(ServerReport),
    ) -> Result<NewerWords, StoreError> {
        self.read(|connection| report::each_server(connection, audit, filter, take))
    }

    /// The subscriptions of an audit.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read.
    pub fn subscriptions(&self, audit: &AuditEntry) -> Result<Vec<Arc<Subscription>>, StoreError> {
        self.read(|connection| report::subscriptions(connection, audit))
    }

    pub(crate) fn write<T>(
        &self,
        work: impl FnOnce(&mut Transaction<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.check()?;
        let writing = Writing { log: self.directory.shared(), lease: None, patience: self.patience };
        in_transaction(&mut lock(&self.writer), &writing, work)
    }

    pub(crate) fn read<T>(&self, work: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.check()?;
        let idle = lock(&self.readers).pop();
        let connection = match idle {
            Some(connection) => connection,
            None => open_for_reading(&self.directory)?,
        };
        let done = work(&connection);
        let mut readers = lock(&self.readers);
        if readers.len() < READERS {
            readers.push(connection);
        }
        done
    }
}

/// A panic of a holder leaves no half-made change behind: SQLite rolls back what was not committed.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
