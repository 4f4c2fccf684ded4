//! Time and size of every page over 10,000 servers and 100 audits, and the memory of the console. Run with
//! `cargo bench -p hostssl-console --bench pages`. The state is made by another process, so that its memory is not counted.
//!
//! `HOSTSSL_BENCH_SERVERS` and `HOSTSSL_BENCH_AUDITS` give another size; of more servers, no whole report is made. With
//! `HOSTSSL_BENCH_STORE=15`, the other process keeps the audits in a store in PostgreSQL of that version, and the console has a copy of it.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement stops at the first surprise and tells")]

use hostssl_store::{AuditStore, StateDirectory, server_key};
use hostssl_store_postgres::PostgresLog;
use hostssl_test_support::audited::AuditedFleet;
use hostssl_test_support::postgres::{RealServer, USER, installed};
use hostssl_test_support::real_login::login_at;
use hostssl_test_support::served_console::{Served, Visitor, connector, options, serve_state, simulation};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Servers and audits, where nothing else is asked for.
const SERVERS: usize = 10_000;
const AUDITS: u64 = 100;
/// Each page is asked for so many times.
const TIMES: usize = 30;
/// People who read at once.
const READERS: usize = 50;

/// A size that was asked for.
fn size<T: FromStr>(name: &str, usual: T) -> T {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.as_slice() {
        [_, word, directory] if word == "make" => return make(PathBuf::from(directory).into()),
        [_, word, directory, port, root] if word == "make" => {
            return make(copy(Path::new(directory), port.parse().unwrap(), Path::new(root)));
        }
        _ => {}
    }
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(measure());
}

/// A copy of the store at this port.
fn copy(directory: &Path, port: u16, root: &Path) -> StateDirectory {
    std::fs::create_dir_all(directory).unwrap();
    let log = PostgresLog::new(vec![login_at(port, root, "postgres", USER)], directory);
    StateDirectory::copy_of(directory.to_path_buf(), Arc::new(log))
}

fn make(directory: StateDirectory) {
    let store = AuditStore::open(directory).unwrap();
    let (mut fleet, audits) =
        (AuditedFleet::large(size("HOSTSSL_BENCH_SERVERS", SERVERS)), size("HOSTSSL_BENCH_AUDITS", AUDITS));
    for audit in 0..audits {
        fleet.flip(usize::try_from(audit).unwrap(), 100);
        let report = fleet.report(audit);
        let began = Instant::now();
        store.save(&report).unwrap();
        if audit < 2 || audit + 1 == audits {
            println!("audit {audit} is kept in {:?}; memory {} MB", began.elapsed(), memory());
        }
    }
}

/// Has another process make the state, and tells what it took. With a server, it is made in its store.
fn have_made(directory: &Path, server: Option<&RealServer>) -> StateDirectory {
    let mut other = std::process::Command::new(std::env::current_exe().unwrap());
    let began = Instant::now();
    let Some(server) = server else {
        assert!(other.arg("make").arg(directory).status().unwrap().success());
        println!("kept in {:?}: {} MB", began.elapsed(), megabytes(directory));
        return directory.to_path_buf().into();
    };
    let (theirs, own) = (directory.join("theirs"), directory.join("own"));
    other.arg("make").arg(&theirs).arg(server.port.to_string()).arg(server.root());
    assert!(other.status().unwrap().success());
    println!("kept in a store in {:?}: {} MB in the copy", began.elapsed(), megabytes(&theirs));
    let log = "SELECT count(*) || ' entries, ' || sum(octet_length(body)) / 1000000 || ' MB' FROM hostssl.log";
    let told = server.command("psql", "").args(["-X", "-A", "-t", "-c", log]).output().unwrap();
    println!("the log has {}", String::from_utf8_lossy(&told.stdout).trim());
    let (state, began) = (copy(&own, server.port, &server.root()), Instant::now());
    drop(AuditStore::open(state.clone()).unwrap());
    println!("copied in {:?}: {} MB", began.elapsed(), megabytes(&own));
    state
}

/// How large the database of a state is.
fn megabytes(directory: &Path) -> u64 {
    std::fs::metadata(directory.join("hostssl.db")).unwrap().len() / 1_000_000
}

async fn measure() {
    let (servers, audits) = (size("HOSTSSL_BENCH_SERVERS", SERVERS), size("HOSTSSL_BENCH_AUDITS", AUDITS));
    let directory = Arc::new(tempfile::tempdir().unwrap());
    let version = std::env::var("HOSTSSL_BENCH_STORE").ok().map(|version| version.parse().unwrap());
    let settings = [("fsync", "on"), ("log_statement", "none"), ("shared_buffers", "128MB")];
    let server = version.map(|version| RealServer::start(version, installed(version).unwrap(), &settings));
    println!("{servers} servers in {audits} audits");
    let state = have_made(directory.path(), server.as_ref());
    let served = serve_state(state, directory, options(), connector(simulation(Duration::ZERO))).await;
    let visitor = served.visitor().await;
    println!("memory at the start: {} MB", memory());
    let key = server_key(&AuditedFleet::large(100).id("server-00042"));
    let runs = visitor.get("/runs").await.body;
    let run = runs.split("href=\"/runs/").nth(1).unwrap().split('"').next().unwrap().to_owned();
    println!("{:<60} {:>9} {:>9} {:>9}", "page", "median", "worst", "KB");
    for path in [
        "/".to_owned(),
        "/resources".to_owned(),
        "/resources?page=50&sort=since".to_owned(),
        "/resources?q=server-0099&sort=subscription".to_owned(),
        "/resources?enforcement=not-enforced&page=5".to_owned(),
        format!("/servers/{key}"),
        format!("/servers/{key}/connection-security"),
        format!("/servers/{key}/wire"),
        format!("/servers/{key}/evidence"),
        format!("/servers/{key}/history"),
        "/runs".to_owned(),
        format!("/runs/{run}"),
        "/controls".to_owned(),
    ] {
        page(&visitor, &path, TIMES).await;
    }
    println!("memory after every page: {} MB", memory());
    if servers <= SERVERS {
        println!("\nnot pages, but whole reports:");
        page(&visitor, &format!("/runs/{run}/judged?profile=strict"), 3).await;
        for format in ["csv", "json", "yaml"] {
            page(&visitor, &format!("/runs/{run}/export?format={format}"), 3).await;
        }
        println!("memory after whole reports: {} MB\n", memory());
    }
    readers(&served, &visitor).await;
    println!("memory after {READERS} readers: {} MB", memory());
}

async fn page(visitor: &Visitor<'_>, path: &str, times: usize) {
    let mut took = Vec::new();
    let mut size = 0;
    for _ in 0..times {
        let began = Instant::now();
        let answer = visitor.get(path).await;
        took.push(began.elapsed());
        assert_eq!(answer.status, 200, "{path}");
        size = answer.body.len();
    }
    took.sort();
    let ms = |time: Duration| format!("{:.1} ms", time.as_secs_f64() * 1e3);
    println!("{path:<60} {:>9} {:>9} {:>9.1}", ms(took[times / 2]), ms(took[times - 1]), size as f64 / 1e3);
}

/// People who read while an audit is started again and again.
async fn readers(served: &Served, visitor: &Visitor<'_>) {
    let began = Instant::now();
    let paths = ["/", "/resources", "/resources?page=7", "/runs", "/controls"];
    let read = |number: usize| {
        let cookie = visitor.cookie.clone();
        async move {
            let visitor = Visitor { served, cookie };
            let mut worst = Duration::ZERO;
            for round in 0..4 {
                let began = Instant::now();
                assert_eq!(visitor.get(paths[(number + round) % paths.len()]).await.status, 200);
                worst = worst.max(began.elapsed());
            }
            worst
        }
    };
    let all = futures::future::join_all((0..READERS).map(read));
    let (worst, _) = tokio::join!(all, visitor.post("/runs", ""));
    let pages = READERS * 4;
    let each = began.elapsed() / u32::try_from(pages).unwrap();
    println!(
        "{READERS} readers, {pages} pages: {:?}, {each:?} a page, worst {:?}",
        began.elapsed(),
        worst.iter().max()
    );
}

/// The memory of this process at its most, in MB.
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse::<u64>().ok()).unwrap_or(0) / 1024
}
