//! What every implementation of a shared log has to do, told by state directories that are copies of it.

use crate::audited::AuditedFleet;
use crate::fleet::*;
use crate::harness::Seed;
use hostssl_remediation::{Journal, JournalError, JournalEvent, JournalRecord, NewRun, Plan, RunId};
use hostssl_store::{
    AuditStore, KeptAnswer, LookToKeep, NewProber, Order, OrderAct, StateDirectory, Store, StoreError, StoreReader,
    TranscriptSpool,
};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A shared log under test.
pub trait LogUnderTest {
    /// A directory as a copy of it.
    fn copy(&self, directory: &Path) -> StateDirectory;

    /// Lets the time of the lease run out, and keeps its holder from renewing it.
    fn expire(&self);
}

pub fn directories() -> (TempDir, PathBuf, PathBuf) {
    let root = tempfile::tempdir().unwrap();
    let (one, two) = (root.path().join("one"), root.path().join("two"));
    (root, one, two)
}

/// All rows of all tables, but the place in the log.
pub fn dump(directory: &Path) -> Vec<String> {
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

pub fn begin(store: &Store, run: &str) -> Result<(), JournalError> {
    let (id, plan) = (RunId::new(run).unwrap(), plan());
    let first = record(JournalEvent::RunStarted { reason: None, pace: None });
    block_on(store.begin(&NewRun { id: &id, plan: &plan, principal: plan.principal(), first: &first, approvals: None }))
}

pub fn append(store: &Store, run: &str, event: JournalEvent) -> Result<(), JournalError> {
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

fn act(seed: &mut Seed) -> Act {
    match seed.below(8) {
        0 => Act::Prune,
        1 => Act::Run,
        2 => Act::Order,
        3 => Act::Probers,
        4 => Act::Answer,
        _ => Act::Audit { flipped: usize::try_from(seed.below(6)).unwrap() },
    }
}

fn perform(act: &Act, at: u32, directory: &StateDirectory, fleet: &mut AuditedFleet) {
    let store = AuditStore::open(directory).unwrap();
    let at_ms = i64::from(at);
    match act {
        Act::Audit { flipped } => {
            fleet.flip(*flipped, 3);
            let report = fleet.report(u64::from(at));
            store.save(&report).unwrap();
            let mut spool = TranscriptSpool::open(directory).unwrap();
            report.servers.iter().for_each(|server| spool.add(&server.server.id, "one line").unwrap());
            store.add_transcripts(&report.run.id, &mut spool).unwrap();
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

/// Machines that take turns in any order have one database in the end, and so has one that comes late.
pub fn copies_are_one_database(log: &dyn LogUnderTest, seed: u64, acts: u32) {
    let (root, one, two) = directories();
    let (mut fleet, mut seed) = (AuditedFleet::small(), Seed(seed));
    for at in 1..=acts {
        let (act, directory) = (act(&mut seed), if seed.below(2) == 0 { &one } else { &two });
        perform(&act, at, &log.copy(directory), &mut fleet);
    }
    let late = root.path().join("late");
    for directory in [&one, &two, &late] {
        StoreReader::open(log.copy(directory)).unwrap();
    }
    assert_eq!(dump(&one), dump(&two));
    assert_eq!(dump(&one), dump(&late), "one that came late is the same");
}

/// One process of all machines changes servers. When its time is over another one may take over, and then the first one keeps nothing
/// more.
pub fn a_successor_fences_off_who_was_before(log: &dyn LogUnderTest) {
    let (_root, one, two) = directories();
    let frozen = Store::open(log.copy(&one)).unwrap();
    begin(&frozen, "run-1").unwrap();
    assert!(matches!(Store::open(log.copy(&two)), Err(StoreError::LeaseHeld { .. })));
    frozen.may_write().unwrap();
    log.expire();
    let successor = Store::open(log.copy(&two)).unwrap();
    assert!(
        matches!(begin(&successor, "run-2"), Err(JournalError::Unfinished(run)) if run.as_str() == "run-1"),
        "what began on another machine has not ended"
    );
    let error = append(&frozen, "run-1", JournalEvent::RunFinished).unwrap_err();
    assert!(matches!(&error, JournalError::RightLost(_)) && because(&error).contains("has passed to another process"));
    block_on(successor.load(&RunId::new("run-1").unwrap())).unwrap();
    append(&successor, "run-1", JournalEvent::RunResumed).unwrap();
    let error = append(&frozen, "run-1", JournalEvent::RunFinished).unwrap_err();
    assert!(matches!(&error, JournalError::RightLost(_)) && because(&error).contains("has also written to run run-1"));
    append(&successor, "run-1", JournalEvent::RunFinished).unwrap();
    drop((frozen, successor));
    StoreReader::open(log.copy(&one)).unwrap();
    assert_eq!(dump(&one), dump(&two));
}

fn because(error: &JournalError) -> String {
    std::error::Error::source(error).unwrap().to_string()
}
