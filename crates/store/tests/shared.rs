//! Two state directories that are copies of one shared log: whatever is changed in one is in the other, and what one may do is
//! decided by the log. The log of these tests is in memory; that of PostgreSQL has tests of its own.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use hostssl_remediation::{Journal as _, JournalError};
use hostssl_store::{
    AuditStore, Lease, LogEntry, LogHead, Page, SharedError, SharedLog, StateDirectory, Store, StoreError, StoreReader,
    TurnNumber, WorkInProgress, WorkKind, copy_into, copy_out_of, upgrade,
};
use hostssl_test_support::audited::AuditedFleet;
use hostssl_test_support::shared_log::{self, LogUnderTest, directories, dump};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// What goes wrong with the next append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// It is not kept.
    NotKept,
    /// It is kept, and nobody is told.
    KeptUntold,
}

#[derive(Debug, Default)]
struct Inner {
    entries: Vec<LogEntry>,
    turn: Option<TurnNumber>,
    turns: TurnNumber,
    appended: Vec<LogEntry>,
    token: i64,
    holder: Option<i64>,
    fault: Option<Fault>,
}

/// A log in memory.
#[derive(Debug)]
struct MemoryLog {
    store: String,
    version: Mutex<Option<i64>>,
    inner: Arc<Mutex<Inner>>,
    passed: Condvar,
}

impl MemoryLog {
    fn new(store: &str) -> Arc<Self> {
        Arc::new(Self { store: store.into(), version: Mutex::default(), inner: Arc::default(), passed: Condvar::new() })
    }

    fn fail_next(&self, fault: Fault) {
        self.inner.lock().unwrap().fault = Some(fault);
    }

    fn head_of(&self, inner: &Inner) -> LogHead {
        let last = i64::try_from(inner.entries.len()).unwrap();
        let chain = inner.entries.last().map_or_else(String::new, |entry| entry.chain.clone());
        LogHead { store: self.store.clone(), version: self.version.lock().unwrap().unwrap(), last, chain }
    }
}

impl SharedLog for MemoryLog {
    fn place(&self) -> &str {
        &self.store
    }

    fn head(&self, version: i64) -> Result<LogHead, SharedError> {
        self.version.lock().unwrap().get_or_insert(version);
        Ok(self.head_of(&self.inner.lock().unwrap()))
    }

    fn peek(&self) -> Result<Option<LogHead>, SharedError> {
        let is_made = self.version.lock().unwrap().is_some();
        Ok(is_made.then(|| self.head_of(&self.inner.lock().unwrap())))
    }

    fn holder(&self, _: &str) -> Result<Option<String>, SharedError> {
        Ok(self.inner.lock().unwrap().holder.map(|token| format!("process {token}")))
    }

    fn upgrade(&self, from: i64, to: i64) -> Result<(), SharedError> {
        let mut version = self.version.lock().unwrap();
        if *version == Some(from) {
            *version = Some(to);
        }
        Ok(())
    }

    fn entries_after(&self, number: i64, _: Option<TurnNumber>) -> Result<Vec<LogEntry>, SharedError> {
        let inner = self.inner.lock().unwrap();
        Ok(inner.entries.iter().filter(|entry| entry.number > number).take(3).cloned().collect())
    }

    fn begin_turn(&self, _: Duration) -> Result<(TurnNumber, LogHead), SharedError> {
        let mut inner = self.passed.wait_while(self.inner.lock().unwrap(), |inner| inner.turn.is_some()).unwrap();
        inner.turns += 1;
        inner.turn = Some(inner.turns);
        Ok((inner.turns, self.head_of(&inner)))
    }

    fn append(&self, turn: TurnNumber, entry: LogEntry, lease: Option<i64>) -> Result<(), SharedError> {
        let mut inner = self.inner.lock().unwrap();
        if inner.turn != Some(turn) {
            return Err(SharedError::Moved);
        }
        assert_eq!(entry.number, i64::try_from(inner.entries.len() + inner.appended.len()).unwrap() + 1);
        if lease.is_some() && lease != inner.holder {
            drop(inner);
            self.end_turn(turn);
            return Err(SharedError::LeaseOver);
        }
        inner.appended.push(entry);
        Ok(())
    }

    fn keep(&self, turn: TurnNumber) -> Result<(), SharedError> {
        let mut inner = self.inner.lock().unwrap();
        if inner.turn != Some(turn) || inner.appended.is_empty() {
            return Err(SharedError::Moved);
        }
        let fault = inner.fault.take();
        if fault != Some(Fault::NotKept) {
            let appended = std::mem::take(&mut inner.appended);
            inner.entries.extend(appended);
        }
        drop(inner);
        self.end_turn(turn);
        match fault {
            None => Ok(()),
            Some(Fault::NotKept) => Err(SharedError::Unreachable("cut".into())),
            Some(Fault::KeptUntold) => Err(SharedError::Uncertain("cut".into())),
        }
    }

    fn end_turn(&self, turn: TurnNumber) {
        let mut inner = self.inner.lock().unwrap();
        if inner.turn == Some(turn) {
            inner.turn = None;
            inner.appended.clear();
            self.passed.notify_all();
        }
    }

    fn take_lease(&self, _: &str, _: &str) -> Result<Box<dyn Lease>, SharedError> {
        let mut inner = self.inner.lock().unwrap();
        if inner.holder.is_some() {
            return Err(SharedError::Held("another one".into()));
        }
        inner.token += 1;
        inner.holder = Some(inner.token);
        Ok(Box::new(MemoryLease { token: inner.token, inner: self.inner.clone() }))
    }
}

#[derive(Debug)]
struct MemoryLease {
    token: i64,
    inner: Arc<Mutex<Inner>>,
}

impl Lease for MemoryLease {
    fn token(&self) -> i64 {
        self.token
    }

    fn renew(&self) {}

    fn left(&self) -> Duration {
        let is_held = self.inner.lock().unwrap().holder == Some(self.token);
        if is_held { Duration::from_mins(2) } else { Duration::ZERO }
    }
}

impl Drop for MemoryLease {
    fn drop(&mut self) {
        let mut inner = self.inner.lock().unwrap();
        if inner.holder == Some(self.token) {
            inner.holder = None;
        }
    }
}

fn copy(log: &Arc<MemoryLog>, directory: &Path) -> StateDirectory {
    StateDirectory::copy_of(directory.to_path_buf(), log.clone())
}

struct InMemory(Arc<MemoryLog>);

impl LogUnderTest for InMemory {
    fn copy(&self, directory: &Path) -> StateDirectory {
        copy(&self.0, directory)
    }

    fn expire(&self) {
        self.0.inner.lock().unwrap().holder = None;
    }
}

#[test]
fn copies_are_one_database() {
    for seed in 1..=12 {
        shared_log::copies_are_one_database(&InMemory(MemoryLog::new("store")), seed * 7919, 12);
    }
}

#[test]
fn a_successor_fences_off_who_was_before() {
    shared_log::a_successor_fences_off_who_was_before(&InMemory(MemoryLog::new("store")));
}

#[test]
fn nothing_is_sent_when_the_lease_ends_before_the_answer() {
    let (_root, one, _) = directories();
    let log = MemoryLog::new("store");
    let store = Store::open(copy(&log, &one)).unwrap();
    store.may_write().unwrap();
    log.inner.lock().unwrap().holder = None;
    assert!(matches!(store.may_write(), Err(JournalError::RightLost(_))));
}

#[test]
fn a_change_that_the_log_did_not_keep_is_nowhere() {
    let (_root, one, two) = directories();
    let log = MemoryLog::new("store");
    let mut fleet = AuditedFleet::small();
    let store = AuditStore::open(copy(&log, &one)).unwrap();
    store.save(&fleet.report(1)).unwrap();
    let before = dump(&one);
    log.fail_next(Fault::NotKept);
    fleet.flip(0, 1);
    let error = store.save(&fleet.report(2)).unwrap_err();
    assert!(matches!(error, StoreError::Shared { error: SharedError::Unreachable(_), .. }), "{error}");
    assert_eq!(dump(&one), before);
    store.save(&fleet.report(3)).unwrap();
    StoreReader::open(copy(&log, &two)).unwrap();
    assert_eq!(dump(&one), dump(&two));
}

#[test]
fn a_change_that_was_kept_and_not_confirmed_comes_back_by_the_log() {
    let (_root, one, two) = directories();
    let log = MemoryLog::new("store");
    let mut fleet = AuditedFleet::small();
    let store = AuditStore::open(copy(&log, &one)).unwrap();
    log.fail_next(Fault::KeptUntold);
    let error = store.save(&fleet.report(1)).unwrap_err();
    assert!(error.to_string().contains("is not known"), "{error}");
    fleet.flip(0, 1);
    store.save(&fleet.report(2)).unwrap();
    assert_eq!(store.audits(Page { number: 0, size: 9 }).unwrap().1, 2, "both audits are there");
    StoreReader::open(copy(&log, &two)).unwrap();
    assert_eq!(dump(&one), dump(&two));
}

#[test]
fn what_does_not_belong_together_is_not_brought_together() {
    let (root, one, own) = directories();
    let log = MemoryLog::new("store");
    let store = AuditStore::open(copy(&log, &one)).unwrap();
    store.save(&AuditedFleet::small().report(1)).unwrap();

    // A copy is not opened without its store, neither to read nor to write.
    assert!(matches!(AuditStore::open(one.as_path()), Err(StoreError::IsACopy { .. })));
    assert!(matches!(StoreReader::open(one.as_path()), Err(StoreError::IsACopy { .. })));
    assert!(matches!(Store::open(one.as_path()), Err(StoreError::IsACopy { .. })));
    // Nor with another store.
    let other = MemoryLog::new("other");
    assert!(matches!(StoreReader::open(copy(&other, &one)), Err(StoreError::OtherStore { .. })));
    // A directory with a state of its own does not become a copy.
    AuditStore::open(own.as_path()).unwrap().save(&AuditedFleet::small().report(1)).unwrap();
    let before = dump(&own);
    assert!(matches!(AuditStore::open(copy(&log, &own)), Err(StoreError::NotACopy)));
    assert_eq!(dump(&own), before);
    // A store that was put back to an earlier state does not take a copy back with it.
    let lost = log.inner.lock().unwrap().entries.pop();
    assert!(matches!(StoreReader::open(copy(&log, &one)), Err(StoreError::CopyAhead { copy: 1, store: 0, .. })));
    // Nor where it has gone on since, so that it is longer by now.
    let (other, third) = (root.path().join("other"), root.path().join("third"));
    for minute in 5..8 {
        AuditStore::open(copy(&log, &other)).unwrap().save(&AuditedFleet::small().report(minute)).unwrap();
    }
    let refused = AuditStore::open(copy(&log, &one)).unwrap_err();
    assert!(matches!(refused, StoreError::OtherHistory { entry: 2, .. }), "{refused:?}");
    let (kept, gone) = (dump(&other), log.inner.lock().unwrap().entries.split_off(0));
    // What is left of a store can be made a store again, of any copy.
    let saved: Arc<dyn SharedLog> = MemoryLog::new("saved");
    copy_into(&other, &saved).unwrap();
    StoreReader::open(StateDirectory::copy_of(third.clone(), saved)).unwrap();
    assert_eq!(dump(&third), kept);
    drop(gone);
    log.inner.lock().unwrap().entries.extend(lost);
    // An entry that does not fit is not applied.
    let changed = rusqlite::Connection::open(one.join("hostssl.db")).unwrap();
    changed.execute("DELETE FROM present", []).unwrap();
    let late = root.path().join("late");
    AuditStore::open(copy(&log, &late)).unwrap().save(&AuditedFleet::small().report(2)).unwrap();
    assert!(matches!(StoreReader::open(copy(&log, &one)), Err(StoreError::Diverged(2))));
    // Of another version of the tables, neither older nor newer, nothing is taken.
    *log.version.lock().unwrap() = Some(1);
    assert!(matches!(StoreReader::open(copy(&log, &late)), Err(StoreError::OlderShared { found: 1, .. })));
    *log.version.lock().unwrap() = Some(99);
    assert!(matches!(StoreReader::open(copy(&log, &late)), Err(StoreError::NewerVersion { found: 99, .. })));
}

#[test]
fn a_store_of_before_is_upgraded_once_and_keeps_its_entries() {
    let (_root, one, two) = directories();
    let log = MemoryLog::new("store");
    AuditStore::open(copy(&log, &one)).unwrap().save(&AuditedFleet::small().report(1)).unwrap();
    let shared: Arc<dyn SharedLog> = log.clone();
    let known = shared.peek().unwrap().unwrap().version;
    let of = |version| *log.version.lock().unwrap() = Some(version);
    of(12);
    assert!(matches!(StoreReader::open(copy(&log, &two)), Err(StoreError::OlderShared { found: 12, .. })));
    // The copy of a machine stays with its store: the program of before uses it still.
    let state = rusqlite::Connection::open(one.join("hostssl.db")).unwrap();
    state.pragma_update(None, "user_version", 12).unwrap();
    assert!(matches!(AuditStore::open(copy(&log, &one)), Err(StoreError::OlderShared { found: 12, .. })));
    assert!(matches!(Store::open(copy(&log, &one)), Err(StoreError::OlderShared { found: 12, .. })));
    assert_eq!(state.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0)).unwrap(), 12);
    state.pragma_update(None, "user_version", known).unwrap();
    drop(state);
    assert_eq!(upgrade(&shared).unwrap(), (12, known));
    assert_eq!(upgrade(&shared).unwrap(), (known, known));
    StoreReader::open(copy(&log, &two)).unwrap();
    assert_eq!(dump(&one), dump(&two));
    // Not under a process that changes servers.
    of(12);
    let lease = shared.take_lease("changes", "me").unwrap();
    assert!(matches!(upgrade(&shared), Err(StoreError::LeaseHeld { .. })));
    drop(lease);
    of(11);
    assert!(matches!(upgrade(&shared), Err(StoreError::OlderShared { found: 11, .. })));
    of(known + 1);
    assert!(matches!(upgrade(&shared), Err(StoreError::NewerVersion { .. })));
}

#[test]
fn a_state_is_moved_into_a_store_whole_and_out_of_it_again() {
    let (root, own, two) = directories();
    let log = MemoryLog::new("store");
    let shared: Arc<dyn SharedLog> = log.clone();
    let mut fleet = AuditedFleet::small();
    let store = AuditStore::open(own.as_path()).unwrap();
    for minute in 1..4 {
        fleet.flip(0, 2);
        store.save(&fleet.report(minute)).unwrap();
    }
    let before = dump(&own);
    // What a console works on is of its own state, and does not come along.
    let (kind, console, person) = (WorkKind::Audit, "process 7 on host".into(), "ada".into());
    let work = WorkInProgress { id: "w".into(), kind, console, person, began_ms: 1, heard_ms: 2, looked: 3, found: 5 };
    store.note_work(&work, 0).unwrap();
    drop(store);

    // All or nothing.
    log.fail_next(Fault::NotKept);
    assert!(matches!(copy_into(&own, &shared), Err(StoreError::Shared { .. })));
    assert_eq!(AuditStore::open(own.as_path()).unwrap().audits(Page { number: 0, size: 1 }).unwrap().1, 3);
    assert!(log.inner.lock().unwrap().entries.is_empty());

    let digest = copy_into(&own, &shared).unwrap();
    assert_eq!(dump(&own), before);
    StoreReader::open(copy(&log, &two)).unwrap();
    assert_eq!(dump(&two), before, "what was copied is there for the others");
    // The directory is a copy from now on, and up to date.
    assert!(matches!(AuditStore::open(own.as_path()), Err(StoreError::IsACopy { .. })));
    fleet.flip(0, 2);
    AuditStore::open(copy(&log, &own)).unwrap().save(&fleet.report(9)).unwrap();
    // To copy it again says the same: a process may have been ended before it could say so.
    let (fourth, whole) = (root.path().join("fourth"), copy(&log, &two));
    AuditStore::open(&whole).unwrap().note_work(&work, 0).unwrap();
    std::fs::create_dir(&fourth).unwrap();
    std::fs::copy(two.join("hostssl.db"), fourth.join("hostssl.db")).unwrap();
    copy_into(&fourth, &shared).unwrap();
    // A second state does not go into the same store.
    let third = root.path().join("third");
    AuditStore::open(third.as_path()).unwrap().save(&fleet.report(1)).unwrap();
    assert!(matches!(copy_into(&third, &shared), Err(StoreError::NotEmpty { .. })));
    assert!(matches!(copy_into(&root.path().join("none"), &shared), Err(StoreError::NoState(_))));

    // Out of it, into a directory of its own.
    let out = root.path().join("out");
    let copied = copy_out_of(&shared, &out).unwrap();
    assert_ne!(copied, digest, "the store has one audit more by now");
    assert_eq!(AuditStore::open(out.as_path()).unwrap().audits(Page { number: 0, size: 1 }).unwrap().1, 4);
    AuditStore::open(copy(&log, &own)).unwrap().end_work("w").unwrap();
    assert_eq!(dump(&out), dump(&own));
    assert!(matches!(copy_out_of(&shared, &third), Err(StoreError::NotACopy)));
}

#[test]
fn a_state_whose_run_has_not_ended_stays_where_it_is() {
    let (_root, own, _) = directories();
    let log: Arc<dyn SharedLog> = MemoryLog::new("store");
    let store = Store::open(own.as_path()).unwrap();
    shared_log::begin(&store, "run-1").unwrap();
    assert!(matches!(copy_into(&own, &log), Err(StoreError::LockedByAnother { .. })));
    drop(store);
    assert!(matches!(copy_into(&own, &log), Err(StoreError::Unfinished(run)) if run.as_str() == "run-1"));
}
