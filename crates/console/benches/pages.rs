//! Time and size of every page over 10,000 servers and 100 audits, and the memory of the console. Run with
//! `cargo bench -p hostssl-console`. The state is made by another process, so that its memory is not counted.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement stops at the first surprise and tells")]

use hostssl_store::{AuditStore, server_key};
use hostssl_test_support::audited::AuditedFleet;
use hostssl_test_support::served_console::{Served, Visitor, connector, options, serve_over, simulation};
use std::path::Path;
use std::time::{Duration, Instant};

const SERVERS: usize = 10_000;
const AUDITS: u64 = 100;
/// Each page is asked for so many times.
const TIMES: usize = 30;
/// People who read at once.
const READERS: usize = 50;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, word, directory] = arguments.as_slice()
        && word == "make"
    {
        return make(Path::new(directory));
    }
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(measure());
}

fn make(directory: &Path) {
    let store = AuditStore::open(directory).unwrap();
    let mut fleet = AuditedFleet::large(SERVERS);
    for audit in 0..AUDITS {
        fleet.flip(usize::try_from(audit).unwrap(), 100);
        store.save(&fleet.report(audit)).unwrap();
    }
}

async fn measure() {
    let served = serve_over(options(), connector(simulation(Duration::ZERO))).await;
    let own = std::env::current_exe().unwrap();
    let began = Instant::now();
    let made = std::process::Command::new(own).arg("make").arg(served.directory.path()).status().unwrap();
    assert!(made.success());
    println!("{SERVERS} servers in {AUDITS} audits, kept in {:?}", began.elapsed());
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
    println!("\nnot pages, but whole reports:");
    page(&visitor, &format!("/runs/{run}/judged?profile=strict"), 3).await;
    for format in ["csv", "json", "yaml"] {
        page(&visitor, &format!("/runs/{run}/export?format={format}"), 3).await;
    }
    println!("memory after whole reports: {} MB\n", memory());
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
