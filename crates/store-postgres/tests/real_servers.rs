//! The log in real PostgreSQL servers: it does what every shared log does, and refuses what it must.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use hostssl_remediation::{JournalEvent, RunId};
use hostssl_sessions::Login;
use hostssl_store::{AuditStore, Page, SharedError, SharedLog, StateDirectory, Store, StoreError, StoreReader};
use hostssl_store_postgres::PostgresLog;
use hostssl_test_support::audited::AuditedFleet;
use hostssl_test_support::postgres::{PASSWORD, RealPooler, RealServer, USER, installed};
use hostssl_test_support::real_login::login_to;
use hostssl_test_support::shared_log::{self, LogUnderTest, directories, dump};
use std::path::Path;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

/// The version of the tables of this program.
const TABLES: i64 = 23;

/// A server that does not lose what it has said is kept.
fn start(version: u8) -> Option<RealServer> {
    Some(RealServer::start(version, installed(version)?, &[("fsync", "on"), ("log_statement", "none")]))
}

/// A database of a real server.
struct Database<'a>(&'a RealServer, String);

impl<'a> Database<'a> {
    fn new(server: &'a RealServer, name: &str) -> Self {
        server.psql("", &format!("CREATE DATABASE {name}"));
        Self(server, name.to_owned())
    }

    fn log(&self, directory: &Path) -> Arc<dyn SharedLog> {
        std::fs::create_dir_all(directory).unwrap();
        Arc::new(PostgresLog::new(vec![login_to(self.0, &self.1, USER)], directory))
    }

    fn sql(&self, sql: &str) {
        self.0.psql(&format!("dbname={}", self.1), sql);
    }
}

impl LogUnderTest for Database<'_> {
    fn copy(&self, directory: &Path) -> StateDirectory {
        StateDirectory::copy_of(directory.to_path_buf(), self.log(directory))
    }

    fn expire(&self) {
        self.sql("UPDATE hostssl.leases SET ends = clock_timestamp() - interval '1 s'");
    }
}

fn shared_error(error: StoreError) -> SharedError {
    match error {
        StoreError::Shared { error, .. } => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_version_keeps_one_database() {
    for version in [15, 17, 18] {
        let Some(server) = start(version) else { continue };
        for seed in 1..=2 {
            let database = Database::new(&server, &format!("d{seed}"));
            shared_log::copies_are_one_database(&database, seed * 104_729, 12);
        }
    }
}

/// One server for the tests that run at the same time, each with a database of its own. They ask what is the same in every version.
fn any_server() -> Option<Arc<RealServer>> {
    static SERVER: Mutex<Weak<RealServer>> = Mutex::new(Weak::new());
    let mut server = SERVER.lock().unwrap();
    if let Some(running) = server.upgrade() {
        return Some(running);
    }
    let started = Arc::new(start(15)?);
    *server = Arc::downgrade(&started);
    Some(started)
}

#[test]
fn a_successor_fences_off_who_was_before() {
    let Some(server) = any_server() else { return };
    shared_log::a_successor_fences_off_who_was_before(&Database::new(&server, "fence"));
}

#[test]
fn a_lease_is_taken_back_at_once_with_the_lock_of_the_directory_and_given_back_with_it() {
    let Some(server) = any_server() else { return };
    let database = Database::new(&server, "lease");
    let (_root, one, two) = directories();
    let store = Store::open(database.copy(&one)).unwrap();
    let Err(StoreError::LeaseHeld { holder }) = Store::open(database.copy(&two)) else { panic!("it is held") };
    assert!(holder.contains("process") && holder.contains("until 20"), "{holder}");
    // As after a kill: the lock of the directory is free, and nobody has given the lease back.
    std::mem::forget(store);
    let log = database.log(&one);
    log.head(0).unwrap();
    log.take_lease("changes", "the same directory, a new process").unwrap();
    drop(log);
    drop(Store::open(database.copy(&two)).unwrap());
    drop(Store::open(database.copy(&two)).unwrap());
}

#[test]
fn a_turn_whose_connection_is_cut_keeps_nothing_and_the_next_one_connects_again() {
    let Some(server) = any_server() else { return };
    let database = Database::new(&server, "cut");
    let (_root, one, two) = directories();
    let store = AuditStore::open(database.copy(&one)).unwrap();
    let cut =
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'cut' AND application_name = 'hostssl'";
    let mut fleet = AuditedFleet::small();
    for minute in 1..6 {
        fleet.flip(0, 1);
        store.save(&fleet.report(minute)).unwrap();
        database.sql(cut);
    }
    let log = database.log(&one);
    log.head(0).unwrap();
    let (turn, head) = log.begin_turn(Duration::from_secs(5)).unwrap();
    database.sql(cut);
    let entry = hostssl_store::LogEntry { number: head.last + 1, chain: String::new(), body: vec![] };
    let error = log.append(turn, entry, None).and_then(|()| log.keep(turn)).unwrap_err();
    assert!(matches!(error, SharedError::Unreachable(_)), "{error:?}");
    assert_eq!(log.head(0).unwrap(), head, "nothing of it is kept");
    StoreReader::open(database.copy(&two)).unwrap();
    assert_eq!(dump(&one), dump(&two));
}

#[test]
fn one_machine_has_its_turn_and_the_others_wait_for_it() {
    let Some(server) = any_server() else { return };
    let database = Database::new(&server, "turns");
    let (_root, one, two) = directories();
    let (first, second) = (database.log(&one), database.log(&two));
    first.head(TABLES).unwrap();
    let (turn, _) = first.begin_turn(Duration::from_secs(5)).unwrap();
    let error = second.begin_turn(Duration::from_millis(50)).unwrap_err();
    assert!(matches!(error, SharedError::Busy), "{error:?}");
    first.end_turn(turn);
    second.begin_turn(Duration::from_secs(5)).unwrap();
}

#[test]
fn machines_that_save_at_the_same_time_lose_nothing() {
    let Some(server) = any_server() else { return };
    let database = Database::new(&server, "crowd");
    let (root, one, two) = directories();
    let third = root.path().join("three");
    std::thread::scope(|threads| {
        for (at, directory) in [&one, &two, &third].into_iter().enumerate() {
            let store = AuditStore::open(database.copy(directory)).unwrap();
            threads.spawn(move || {
                let mut fleet = AuditedFleet::small();
                for minute in 0..8 {
                    fleet.flip(at, 2);
                    let mut report = fleet.report(minute);
                    report.run.id = format!("audit-{at}-{minute}");
                    store.save(&report).unwrap();
                }
            });
        }
    });
    let late = root.path().join("late");
    let all = [&one, &two, &third, &late];
    for directory in all {
        let reader = StoreReader::open(database.copy(directory)).unwrap();
        assert_eq!(reader.audits(Page { number: 0, size: 1 }).unwrap().1, 24);
    }
    all.iter().for_each(|directory| assert_eq!(dump(directory), dump(&late)));
}

#[test]
fn what_must_not_be_relied_on_is_refused_with_what_to_do() {
    let Some(server) = any_server() else { return };
    let database = Database::new(&server, "rights");
    let (root, one, _) = directories();
    database.log(&one).head(TABLES).unwrap();
    server.psql("", &format!("CREATE ROLE guest LOGIN PASSWORD '{PASSWORD}'"));
    let open = |login: Login| {
        let log = Arc::new(PostgresLog::new(vec![login], root.path()));
        shared_error(AuditStore::open(StateDirectory::copy_of(root.path().join("x"), log)).unwrap_err()).to_string()
    };
    // Without rights: in a database with the tables, and in one without.
    assert!(
        open(login_to(&server, "rights", "guest")).contains("this user may not use it"),
        "{}",
        open(login_to(&server, "rights", "guest"))
    );
    server.psql("", "CREATE DATABASE empty");
    assert!(open(login_to(&server, "empty", "guest")).contains("may not make them"));
    // A user that does not exist, a database that does not, a port where nobody is.
    assert!(open(login_to(&server, "rights", "nobody")).contains("authentication failed"));
    assert!(open(login_to(&server, "missing", USER)).contains("does not exist"));
    let mut closed = login_to(&server, "rights", USER);
    closed.target.port = 1;
    assert!(open(closed).contains("cannot be reached"));
    // A certificate that is not to be trusted, and no TLS at all.
    let mut untrusted = login_to(&server, "rights", USER);
    untrusted.roots = Arc::from([]);
    assert!(open(untrusted).contains("the password was not sent"));
    let plain = RealServer::start(15, installed(15).unwrap(), &[("fsync", "on"), ("ssl", "off")]);
    assert!(open(login_to(&plain, "postgres", USER)).contains("does not offer TLS"));
    // What does not survive a crash.
    let careless = RealServer::start(15, installed(15).unwrap(), &[("fsync", "off")]);
    assert!(open(login_to(&careless, "postgres", USER)).contains("fsync is off"));
    // What cannot be written.
    server.psql("", "ALTER DATABASE rights SET default_transaction_read_only = on");
    assert!(open(login_to(&server, "rights", USER)).contains("read-only"));
}

#[test]
fn the_log_itself_is_append_only() {
    let Some(server) = any_server() else { return };
    let database = Database::new(&server, "append_only");
    let (_root, one, _) = directories();
    AuditStore::open(database.copy(&one)).unwrap().save(&AuditedFleet::small().report(1)).unwrap();
    for sql in ["DELETE FROM hostssl.log", "UPDATE hostssl.log SET by = 'x'", "TRUNCATE hostssl.log"] {
        let refused = server.command("psql", "dbname=append_only").args(["-c", sql]).output().unwrap();
        assert!(String::from_utf8_lossy(&refused.stderr).contains("append-only"), "{sql}");
    }
}

#[test]
fn what_was_kept_survives_a_crash_of_the_server() {
    let Some(mut server) = start(15) else { return };
    let (_root, one, two) = directories();
    server.psql("", "CREATE DATABASE crash");
    for minute in 1..4 {
        {
            let database = Database(&server, "crash".into());
            let store = AuditStore::open(database.copy(&one)).unwrap();
            store.save(&AuditedFleet::small().report(minute)).unwrap();
        }
        server.crash_and_start();
    }
    let database = Database(&server, "crash".into());
    let reader = StoreReader::open(database.copy(&two)).unwrap();
    assert_eq!(reader.audits(Page { number: 0, size: 9 }).unwrap().1, 3);
    StoreReader::open(database.copy(&one)).unwrap();
    assert_eq!(dump(&one), dump(&two));
}

#[test]
fn an_audit_of_a_key_is_made_by_one_machine() {
    let Some(server) = any_server() else { return };
    let database = Database::new(&server, "key");
    let (_root, one, two) = directories();
    let (first, second) =
        (AuditStore::open(database.copy(&one)).unwrap(), AuditStore::open(database.copy(&two)).unwrap());
    let (key, other) = (RunId::new("nightly").unwrap(), RunId::new("weekly").unwrap());
    let none = Duration::ZERO;
    let held = first.lock_key(&key, none, || {}).unwrap();
    assert!(matches!(second.lock_key(&key, none, || {}), Err(StoreError::KeyHeld(held)) if held == key));
    second.lock_key(&other, none, || {}).unwrap().release();
    held.release();
    second.lock_key(&key, none, || {}).unwrap().release();
}

#[test]
fn crashes_of_the_process_at_any_point_lose_nothing_with_this_journal() {
    let Some(server) = any_server() else { return };
    for seed in 1..4_u64 {
        let database = Database::new(&server, &format!("seed{seed}"));
        let (_root, one, two) = directories();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let store = Store::open(database.copy(&one)).unwrap();
        runtime.block_on(hostssl_test_support::seeded::survive(seed * 7919, &store));
        drop(store);
        StoreReader::open(database.copy(&two)).unwrap();
        assert_eq!(dump(&one), dump(&two));
    }
}

#[test]
fn an_outage_that_is_longer_than_the_lease_does_not_end_the_right_of_who_had_it() {
    let Some(server) = any_server() else { return };
    let database = Database::new(&server, "outage");
    let (_root, one, two) = directories();
    let store = Store::open(database.copy(&one)).unwrap();
    shared_log::begin(&store, "run-1").unwrap();
    database.expire();
    shared_log::append(&store, "run-1", JournalEvent::RunResumed).unwrap();
    assert!(matches!(Store::open(database.copy(&two)), Err(StoreError::LeaseHeld { .. })), "it was renewed with that");
}

/// A pooler gives each transaction another session.
#[test]
fn machines_behind_a_pooler_do_not_mix_their_statements_up() {
    let Some(server) = any_server() else { return };
    Database::new(&server, "pooled").log(&directories().1).head(TABLES).unwrap();
    let Some(pooler) = RealPooler::start(&server, "pool_mode = transaction\ndefault_pool_size = 2") else { return };
    let root = tempfile::tempdir().unwrap();
    let copy = |name: &str| {
        let directory = root.path().join(name);
        std::fs::create_dir_all(&directory).unwrap();
        let mut login = login_to(&server, "pooled", USER);
        login.target.port = pooler.port;
        StateDirectory::copy_of(directory.clone(), Arc::new(PostgresLog::new(vec![login], &directory)))
    };
    std::thread::scope(|threads| {
        for name in ["a", "b", "c"] {
            let store = AuditStore::open(copy(name)).unwrap();
            threads.spawn(move || {
                for minute in 0..6 {
                    let mut report = AuditedFleet::small().report(minute);
                    report.run.id = format!("audit-{name}-{minute}");
                    store.save(&report).unwrap();
                }
            });
        }
    });
    let reader = StoreReader::open(copy("d")).unwrap();
    assert_eq!(reader.audits(Page { number: 0, size: 1 }).unwrap().1, 18);
}

#[test]
fn a_turn_needs_one_connection_of_a_pooler() {
    let Some(server) = any_server() else { return };
    let (_root, one, _) = directories();
    Database::new(&server, "pool_of_one").log(&one).head(TABLES).unwrap();
    let Some(pooler) = RealPooler::start(&server, "pool_mode = transaction\ndefault_pool_size = 1") else { return };
    let mut login = login_to(&server, "pool_of_one", USER);
    login.target.port = pooler.port;
    let log: Arc<dyn SharedLog> = Arc::new(PostgresLog::new(vec![login], &one));
    let (turn, head) = log.begin_turn(Duration::from_secs(5)).unwrap();
    assert_eq!((head.last, log.entries_after(0, Some(turn)).unwrap()), (0, vec![]));
    log.end_turn(turn);
    assert!(matches!(log.entries_after(0, Some(turn)), Err(SharedError::Moved)));
    AuditStore::open(StateDirectory::copy_of(one, log)).unwrap().save(&AuditedFleet::small().report(1)).unwrap();
}

/// Changes that change nothing end their turns beside others of the same process.
#[test]
fn turns_of_one_process_do_not_end_each_other() {
    let Some(server) = any_server() else { return };
    let database = Database::new(&server, "threads");
    let (_root, one, two) = directories();
    let shared = database.copy(&one);
    let (saving, idle) = (AuditStore::open(&shared).unwrap(), AuditStore::open(&shared).unwrap());
    let is_over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|threads| {
        threads.spawn(|| {
            while !is_over.load(std::sync::atomic::Ordering::SeqCst) {
                assert_eq!(idle.prune(1_000).unwrap(), 0);
            }
        });
        for minute in 0..40 {
            saving.save(&AuditedFleet::small().report(minute)).unwrap();
        }
        is_over.store(true, std::sync::atomic::Ordering::SeqCst);
    });
    let reader = StoreReader::open(database.copy(&two)).unwrap();
    assert_eq!(reader.audits(Page { number: 0, size: 1 }).unwrap().1, 40);
    assert_eq!(dump(&one), dump(&two));
}

#[test]
fn no_patience_is_not_no_limit() {
    let Some(server) = any_server() else { return };
    let database = Database::new(&server, "hurry");
    let (_root, one, two) = directories();
    let (first, second) = (database.log(&one), database.log(&two));
    first.head(TABLES).unwrap();
    let (turn, _) = first.begin_turn(Duration::from_secs(5)).unwrap();
    let error = second.begin_turn(Duration::ZERO).unwrap_err();
    assert!(matches!(error, SharedError::Busy), "{error:?}");
    first.end_turn(turn);
}
