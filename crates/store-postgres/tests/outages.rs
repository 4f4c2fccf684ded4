//! A run beside real PostgreSQL servers that crash, and beside a standby that takes over: it waits, and writes nothing twice.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use hostssl_remediation::{Approved, ExecutionEvent, Executor, ExecutorOptions, RunId, StepStatus, SystemClock};
use hostssl_store::{SharedError, StateDirectory, Store, StoreError, StoreReader};
use hostssl_store_postgres::PostgresLog;
use hostssl_test_support::fleet::{PlannerKnowledge, flexible};
use hostssl_test_support::postgres::{RealServer, USER, installed};
use hostssl_test_support::real_login::login_to;
use hostssl_test_support::shared_log::{directories, dump};
use hostssl_test_support::world::{InjectedFault, World};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::watch;

const DATABASE: &str = "run";
/// The settings of a server that does not lose what it has said is kept.
const DURABLE: [(&str, &str); 1] = [("fsync", "on")];

/// A server with a database for the log.
fn primary() -> Option<RealServer> {
    let server = RealServer::start(15, installed(15)?, &DURABLE);
    server.psql("", &format!("CREATE DATABASE {DATABASE}"));
    Some(server)
}

/// A standby of it that has all that the primary says is kept.
fn synchronous_standby_of(primary: &RealServer) -> RealServer {
    let standby = primary.standby("sslmode=require application_name=standby", &DURABLE);
    // From here on a commit waits for it.
    primary.psql("", "ALTER SYSTEM SET synchronous_standby_names = 'standby'");
    primary.psql("", "SELECT pg_reload_conf()");
    standby
}

/// Whether a program of ours has asked it what it is.
fn is_asked(standby: &RealServer) -> bool {
    let log = std::fs::read_to_string(standby.folder().join("log/postgresql.log")).unwrap();
    log.contains("application_name=hostssl") && log.contains("pg_is_in_recovery()")
}

/// A copy of the log that is in the first of these servers that is a primary.
fn copy(servers: &[&RealServer], directory: &Path) -> StateDirectory {
    std::fs::create_dir_all(directory).unwrap();
    let logins = servers.iter().map(|server| login_to(server, DATABASE, USER)).collect();
    StateDirectory::copy_of(directory.to_path_buf(), Arc::new(PostgresLog::new(logins, directory)))
}

/// What a run has told of itself.
#[derive(Default)]
struct Told {
    /// How many records it has kept.
    records: usize,
    is_over: bool,
}

#[derive(Default)]
struct Progress {
    now: Mutex<Told>,
    changed: Condvar,
}

impl Progress {
    fn tell(&self, change: impl FnOnce(&mut Told)) {
        change(&mut self.now.lock().unwrap());
        self.changed.notify_all();
    }

    /// Waits for something; false where the run ended before that.
    fn comes_to(&self, wanted: impl Fn(&Told) -> bool) -> bool {
        let now = self.now.lock().unwrap();
        !self.changed.wait_while(now, |now| !wanted(now) && !now.is_over).unwrap().is_over
    }
}

/// Changes thirty servers, one after the other, beside what happens meanwhile; none is written twice.
fn run_beside<T: Send>(store: &Store, meanwhile: impl FnOnce(&Progress) -> T + Send) -> T {
    let names = (0..30).map(|number| format!("server-{number}"));
    let known = PlannerKnowledge::new(names.map(|name| flexible(&name, "off", "TLSv1.2")).collect());
    let (plan, world) = (known.plan(), World::new(&known.postures));
    known.postures.iter().for_each(|posture| world.set_fault(&posture.server.id, InjectedFault::Synchronous));
    let progress = Progress::default();
    let (report, seen) = std::thread::scope(|threads| {
        let beside = threads.spawn(|| meanwhile(&progress));
        let events = |event: &ExecutionEvent<'_>| {
            if matches!(event, ExecutionEvent::Recorded(_)) {
                progress.tell(|now| now.records += 1);
            }
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let report = runtime.block_on(async {
            let executor = Executor {
                writer: &world,
                journal: store,
                clock: &SystemClock::new(),
                judge: None,
                events: &events,
                stop: watch::channel(None).1,
                options: ExecutorOptions { max_parallel: 1, second_look: Duration::ZERO, ..ExecutorOptions::default() },
            };
            let approved = Approved::new(plan.clone(), plan.hash().as_str()).unwrap();
            executor.apply(&approved, &RunId::new("run-1").unwrap(), plan.principal()).await
        });
        progress.tell(|now| now.is_over = true);
        (report.unwrap(), beside.join().unwrap())
    });
    assert!(report.steps.iter().all(|step| step.status == StepStatus::Applied), "{report:?}");
    assert_eq!(world.accepted().len(), plan.steps().len(), "nothing was written twice");
    seen
}

#[test]
fn a_run_outlives_crashes_of_the_server() {
    let Some(server) = primary() else { return };
    let (_root, one, two) = directories();
    let (store, late) = (Store::open(copy(&[&server], &one)).unwrap(), copy(&[&server], &two));
    let server = Mutex::new(server);
    let crashes = run_beside(&store, |progress| {
        // In the middle of whatever comes after so many records.
        (7..)
            .step_by(19)
            .take_while(|records| progress.comes_to(|now| now.records >= *records))
            .inspect(|_| server.lock().unwrap().crash_and_start())
            .count()
    });
    assert!(crashes > 2, "it crashed {crashes} times");
    drop(store);
    StoreReader::open(late).unwrap();
    assert_eq!(dump(&one), dump(&two));
}

/// The primary fails for good in the middle of a run. Some time later its synchronous standby is promoted.
#[test]
fn a_run_continues_with_the_synchronous_standby_that_takes_over() {
    let Some(mut first) = primary() else { return };
    let second = synchronous_standby_of(&first);
    let (_root, one, two) = directories();
    let logins = [&first, &second];
    let (store, late) = (Store::open(copy(&logins, &one)).unwrap(), copy(&logins, &two));
    run_beside(&store, |progress| {
        assert!(progress.comes_to(|now| now.records >= 40));
        first.crash();
        // For a while there is no primary, and the run has seen that.
        let began = Instant::now();
        while !is_asked(&second) {
            assert!(began.elapsed() < Duration::from_mins(2), "the run does not ask the standby");
            std::thread::sleep(Duration::from_millis(50));
        }
        second.psql("", "SELECT pg_promote()");
    });
    drop(store);
    StoreReader::open(late).unwrap();
    assert_eq!(dump(&one), dump(&two));
}

#[test]
fn a_standby_alone_is_refused_with_what_to_do() {
    let Some(first) = primary() else { return };
    let second = synchronous_standby_of(&first);
    let (_root, one, _) = directories();
    Store::open(copy(&[&first], &one)).unwrap();
    let refused = Store::open(copy(&[&second], &one)).err();
    assert!(matches!(&refused, Some(StoreError::Shared { error: SharedError::Standby(_), .. })), "{refused:?}");
}
