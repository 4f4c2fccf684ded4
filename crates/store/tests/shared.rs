//! Two state directories that are copies of one shared log: whatever is changed in one is in the other, and what one may do is
//! decided by the log. The log of these tests is in memory; that of PostgreSQL has tests of its own.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use hostssl_remediation::{Journal, JournalError, JournalEvent, JournalRecord, NewRun, Plan, RunId};
use hostssl_store::{
    AuditStore, KeptAnswer, Lease, LogEntry, LogHead, LookToKeep, NewProber, Order, OrderAct, SharedError, SharedLog,
    StateDirectory, Store, StoreError, StoreReader,
};
use hostssl_test_support::audited::AuditedFleet;
use hostssl_test_support::fleet::*;
use proptest::prelude::*;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;
use tempfile::TempDir;

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
    has_turn: bool,
    epoch: i64,
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

    /// The time of the lease is over, and nobody renewed it.
    fn expire(&self) {
        self.inner.lock().unwrap().holder = None;
    }

    fn head_of(&self, inner: &Inner) -> LogHead {
        let last = i64::try_from(inner.entries.len()).unwrap();
        LogHead { store: self.store.clone(), version: self.version.lock().unwrap().unwrap(), last }
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

    fn entries_after(&self, number: i64) -> Result<Vec<LogEntry>, SharedError> {
        let inner = self.inner.lock().unwrap();
        Ok(inner.entries.iter().filter(|entry| entry.number > number).take(3).cloned().collect())
    }

    fn begin_turn(&self, _: Duration) -> Result<LogHead, SharedError> {
        let mut inner = self.passed.wait_while(self.inner.lock().unwrap(), |inner| inner.has_turn).unwrap();
        inner.has_turn = true;
        Ok(self.head_of(&inner))
    }

    fn append(&self, entry: &LogEntry, lease: Option<i64>) -> Result<(), SharedError> {
        let mut inner = self.inner.lock().unwrap();
        inner.has_turn = false;
        self.passed.notify_all();
        assert_eq!(entry.number, i64::try_from(inner.entries.len()).unwrap() + 1);
        if lease.is_some() && lease != inner.holder {
            return Err(SharedError::LeaseOver);
        }
        match inner.fault.take() {
            Some(Fault::NotKept) => Err(SharedError::Unreachable("cut".into())),
            fault => {
                inner.entries.push(entry.clone());
                if fault.is_some() { Err(SharedError::Uncertain("cut".into())) } else { Ok(()) }
            }
        }
    }

    fn end_turn(&self) {
        self.inner.lock().unwrap().has_turn = false;
        self.passed.notify_all();
    }

    fn take_lease(&self, _: &str) -> Result<Box<dyn Lease>, SharedError> {
        let mut inner = self.inner.lock().unwrap();
        if inner.holder.is_some() {
            return Err(SharedError::Held("another one".into()));
        }
        inner.epoch += 1;
        inner.holder = Some(inner.epoch);
        Ok(Box::new(MemoryLease { epoch: inner.epoch, inner: self.inner.clone() }))
    }
}

#[derive(Debug)]
struct MemoryLease {
    epoch: i64,
    inner: Arc<Mutex<Inner>>,
}

impl Lease for MemoryLease {
    fn epoch(&self) -> i64 {
        self.epoch
    }

    fn left(&self) -> Duration {
        let is_held = self.inner.lock().unwrap().holder == Some(self.epoch);
        if is_held { Duration::from_mins(2) } else { Duration::ZERO }
    }
}

impl Drop for MemoryLease {
    fn drop(&mut self) {
        let mut inner = self.inner.lock().unwrap();
        if inner.holder == Some(self.epoch) {
            inner.holder = None;
        }
    }
}

fn copy(log: &Arc<MemoryLog>, directory: &Path) -> StateDirectory {
    StateDirectory::copy_of(directory.to_path_buf(), log.clone())
}

fn directories() -> (TempDir, PathBuf, PathBuf) {
    let root = tempfile::tempdir().unwrap();
    let (one, two) = (root.path().join("one"), root.path().join("two"));
    (root, one, two)
}

/// All rows of all tables, but the place in the log.
fn dump(directory: &Path) -> Vec<String> {
    let connection = rusqlite::Connection::open(directory.join("hostssl.db")).unwrap();
    let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name != 'copy_of' ORDER BY name";
    let names: Vec<String> =
        connection.prepare(sql).unwrap().query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let mut found = Vec::new();
    for name in names {
        let mut statement = connection.prepare(&format!("SELECT * FROM {name}")).unwrap();
        let width = statement.column_count();
        let rows = statement.query_map([], |row| {
            let values: Vec<rusqlite::types::Value> = (0..width).map(|at| row.get(at)).collect::<Result<_, _>>()?;
            Ok(format!("{name} {values:?}"))
        });
        let mut of_table: Vec<String> = rows.unwrap().map(Result::unwrap).collect();
        of_table.sort();
        found.extend(of_table);
    }
    found
}

fn plan() -> Plan {
    PlannerKnowledge::new(vec![flexible("a", "off", "TLSv1.2"), flexible("b", "off", "TLSv1.2")]).plan()
}

fn record(event: JournalEvent) -> JournalRecord {
    JournalRecord { at_ms: NOW_MS, event }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn begin(store: &Store, run: &str) -> Result<(), JournalError> {
    let (id, plan) = (RunId::new(run).unwrap(), plan());
    let first = record(JournalEvent::RunStarted { reason: None });
    block_on(store.begin(&NewRun { id: &id, plan: &plan, principal: plan.principal(), first: &first }))
}

fn append(store: &Store, run: &str, event: JournalEvent) -> Result<(), JournalError> {
    block_on(store.append(&RunId::new(run).unwrap(), &[record(event)]))
}

/// Something that a person, a console or a schedule does.
#[derive(Debug, Clone)]
enum Act {
    Audit { flipped: usize },
    Prune,
    Run,
    Order,
    Probers,
    Answer,
}

fn act() -> impl Strategy<Value = (bool, Act)> {
    let act = prop_oneof![
        3 => (0..6_usize).prop_map(|flipped| Act::Audit { flipped }),
        1 => Just(Act::Prune),
        1 => Just(Act::Run),
        1 => Just(Act::Order),
        1 => Just(Act::Probers),
        1 => Just(Act::Answer),
    ];
    (any::<bool>(), act)
}

fn perform(act: &Act, at: u32, directory: &StateDirectory, fleet: &mut AuditedFleet) {
    let store = AuditStore::open(directory).unwrap();
    let at_ms = i64::from(at);
    match act {
        Act::Audit { flipped } => {
            fleet.flip(*flipped, 3);
            store.save(&fleet.report(u64::from(at))).unwrap();
        }
        Act::Prune => drop(store.prune(1).unwrap()),
        Act::Run => {
            let store = Store::open(directory).unwrap();
            let run = format!("run-{at}");
            begin(&store, &run).unwrap();
            append(&store, &run, JournalEvent::RunFinished).unwrap();
        }
        Act::Order => {
            let (run, plan) = (RunId::new("run").unwrap(), plan().hash().clone());
            store.keep_order(&Order { run, at_ms, act: OrderAct::Apply, person: "ann".into(), plan }).unwrap();
        }
        Act::Probers => {
            let (secret, id) = (format!("s{at}"), format!("p-{at}"));
            store.add_join_secret(&secret, "hub", i64::MAX).unwrap();
            let new = NewProber { key_sha256: format!("{id:0>64}"), id, version: "0".into(), at_ms };
            store.enrol_prober(&secret, &new).unwrap();
        }
        Act::Answer => {
            let Some(prober) = StoreReader::open(directory).unwrap().probers().unwrap().probers.pop() else { return };
            store.ask_prober(&prober.id, &[("db", 5432)], at_ms).unwrap();
            let look = LookToKeep { address: "a".into(), weight: 1, taken_ms: at_ms, document: format!("look {at}") };
            let answer = KeptAnswer { host: "db".into(), port: 5432, missing: String::new(), looks: vec![look] };
            store.keep_answers(&prober.id, &[answer], at_ms).unwrap();
            store.refuse_of_prober(&prober.id, at_ms, "for a test", false).unwrap();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn copies_are_one_database(acts in prop::collection::vec(act(), 1..12)) {
        let (root, one, two) = directories();
        let log = MemoryLog::new("store");
        let mut fleet = AuditedFleet::small();
        for ((first, act), at) in acts.iter().zip(1..) {
            perform(act, at, &copy(&log, if *first { &one } else { &two }), &mut fleet);
        }
        let late = root.path().join("late");
        for directory in [&one, &two, &late] {
            StoreReader::open(copy(&log, directory)).unwrap();
        }
        prop_assert_eq!(dump(&one), dump(&two));
        prop_assert_eq!(dump(&one), dump(&late), "one that came late is the same");
    }
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
    assert!(error.to_string().contains("may have been kept"), "{error}");
    fleet.flip(0, 1);
    store.save(&fleet.report(2)).unwrap();
    assert_eq!(store.audits(hostssl_store::Page { number: 0, size: 9 }).unwrap().1, 2, "both audits are there");
    StoreReader::open(copy(&log, &two)).unwrap();
    assert_eq!(dump(&one), dump(&two));
}

#[test]
fn one_process_of_all_machines_changes_servers_and_its_successor_fences_it_off() {
    let (_root, one, two) = directories();
    let log = MemoryLog::new("store");
    let frozen = Store::open(copy(&log, &one)).unwrap();
    begin(&frozen, "run-1").unwrap();
    assert!(matches!(Store::open(copy(&log, &two)), Err(StoreError::LeaseHeld { .. })));
    frozen.may_write().unwrap();
    log.expire();
    assert!(matches!(frozen.may_write(), Err(JournalError::TakenOver(_))), "it sends nothing more");
    let successor = Store::open(copy(&log, &two)).unwrap();
    assert!(
        matches!(begin(&successor, "run-2"), Err(JournalError::Unfinished(run)) if run.as_str() == "run-1"),
        "what began on another machine has not ended"
    );
    let error = append(&frozen, "run-1", JournalEvent::RunFinished).unwrap_err();
    assert!(matches!(&error, JournalError::TakenOver(_)) && because(&error).contains("has passed to another process"));
    block_on(successor.load(&RunId::new("run-1").unwrap())).unwrap();
    append(&successor, "run-1", JournalEvent::RunResumed).unwrap();
    let error = append(&frozen, "run-1", JournalEvent::RunFinished).unwrap_err();
    assert!(matches!(&error, JournalError::TakenOver(_)) && because(&error).contains("has also written to run run-1"));
    append(&successor, "run-1", JournalEvent::RunFinished).unwrap();
    drop((frozen, successor));
    StoreReader::open(copy(&log, &one)).unwrap();
    assert_eq!(dump(&one), dump(&two));
}

fn because(error: &JournalError) -> String {
    std::error::Error::source(error).unwrap().to_string()
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
