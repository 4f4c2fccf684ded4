//! What a shared store costs beside a state directory alone, over a real PostgreSQL 15 on this machine with `fsync`. Run with
//! `cargo bench -p hostssl-store-postgres`; `TMPDIR` is the disk that is measured.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement stops at the first surprise and tells")]

use hostssl_remediation::{Journal, JournalEvent, JournalRecord, NewRun, RunId};
use hostssl_store::{AuditStore, SharedLog, StateDirectory, Store, StoreReader, copy_into};
use hostssl_store_postgres::PostgresLog;
use hostssl_test_support::audited::AuditedFleet;
use hostssl_test_support::fleet::{PlannerKnowledge, flexible};
use hostssl_test_support::postgres::{RealServer, USER, installed};
use hostssl_test_support::real_login::login_to;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

const SERVERS: usize = 10_000;
const AUDITS: u64 = 100;
const APPENDS: usize = 1_000;

fn main() {
    let Some(bin) = installed(15) else { return };
    let server = RealServer::start(15, bin, &[("fsync", "on"), ("log_statement", "none"), ("shared_buffers", "128MB")]);
    let root = tempfile::tempdir().unwrap();
    let place = |name: &str| root.path().join(name);
    appends(&server, &place("journal"), &place("alone"));
    audits(&server, &place("audits"), &place("late"));
    moving(&server, &place("own"));
}

fn log(server: &RealServer, database: &str, directory: &Path) -> Arc<dyn SharedLog> {
    std::fs::create_dir_all(directory).unwrap();
    let login = login_to(server, database, USER);
    Arc::new(PostgresLog::new(vec![login], directory))
}

fn copy(server: &RealServer, database: &str, directory: &Path) -> StateDirectory {
    StateDirectory::copy_of(directory.to_path_buf(), log(server, database, directory))
}

/// Records of a run, one at a time.
fn appends(server: &RealServer, shared: &Path, alone: &Path) {
    server.psql("", "CREATE DATABASE journal");
    let (shared, alone) = (Store::open(copy(server, "journal", shared)).unwrap(), Store::open(alone).unwrap());
    for (name, store) in [("in a directory alone", &alone), ("in a shared store", &shared)] {
        let mut times = each_append(store);
        times.sort();
        let (median, late) = (times[times.len() / 2], times[times.len() * 99 / 100]);
        println!("a record {name}: median {median:?}, 99 of 100 within {late:?}");
    }
}

fn each_append(store: &Store) -> Vec<Duration> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (id, plan) = (RunId::new("run").unwrap(), PlannerKnowledge::new(vec![flexible("a", "off", "TLSv1.2")]).plan());
    let record = |event| JournalRecord { at_ms: 1, event };
    let first = record(JournalEvent::RunStarted { reason: None, pace: None });
    runtime
        .block_on(store.begin(&NewRun {
            id: &id,
            plan: &plan,
            principal: plan.principal(),
            first: &first,
            approvals: None,
        }))
        .unwrap();
    let records = [record(JournalEvent::RunResumed)];
    let one = || {
        let began = Instant::now();
        runtime.block_on(store.append(&id, &records)).unwrap();
        began.elapsed()
    };
    (0..APPENDS).map(|_| one()).collect()
}

/// Audits of a large fleet: the first, one of a fleet in which nothing changed, and all of them in a new copy.
fn audits(server: &RealServer, first: &Path, late: &Path) {
    server.psql("", "CREATE DATABASE audits");
    let store = AuditStore::open(copy(server, "audits", first)).unwrap();
    let fleet = AuditedFleet::large(SERVERS);
    for minute in 0..4 {
        let report = fleet.report(minute);
        let began = Instant::now();
        store.save(&report).unwrap();
        println!("audit {minute} of {SERVERS} servers, nothing changed since the first: kept in {:?}", began.elapsed());
    }
    let began = Instant::now();
    StoreReader::open(copy(server, "audits", late)).unwrap();
    println!("a new copy of that: {:?}", began.elapsed());
    size(server, "audits");
}

/// A whole state into a store, and read back.
fn moving(server: &RealServer, own: &Path) {
    server.psql("", "CREATE DATABASE moved");
    let store = AuditStore::open(own).unwrap();
    let mut fleet = AuditedFleet::large(SERVERS);
    for audit in 0..AUDITS {
        fleet.flip(usize::try_from(audit).unwrap(), 100);
        store.save(&fleet.report(audit)).unwrap();
    }
    drop(store);
    let bytes = std::fs::metadata(own.join("hostssl.db")).unwrap().len();
    let log = log(server, "moved", own);
    let began = Instant::now();
    let copied = copy_into(own, &log).unwrap();
    println!(
        "{AUDITS} audits of {SERVERS} servers, {} rows in {} MB: moved into a store and read back in {:?}",
        copied.rows,
        bytes >> 20,
        began.elapsed()
    );
    size(server, "moved");
}

fn size(server: &RealServer, database: &str) {
    let sql = "SELECT count(*) || ' entries, ' || pg_size_pretty(sum(octet_length(body))) || ', the last ' || \
               pg_size_pretty((array_agg(octet_length(body) ORDER BY number DESC))[1]::bigint) FROM hostssl.log";
    let mut command = server.command("psql", &format!("dbname={database}"));
    let told = command.args(["-X", "-A", "-t", "-c", sql]).output().unwrap();
    println!("the log: {}", String::from_utf8_lossy(&told.stdout).trim());
}
