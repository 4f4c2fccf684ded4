//! The drill: real servers, real clients of several drivers that connect all the time, some of them in plaintext. The census
//! names them, each change of the fix-it sheet is applied, enforcement is turned on as Azure does it (`hostssl` lines in
//! pg_hba.conf), the wire proves it, and no client sees an error that the census had not named.
//!
//! `scripts/drill` runs it with more servers: HOSTSSL_DRILL_SERVERS, three otherwise.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may stop at the first surprise")]
#![allow(unreachable_pub, missing_docs, dead_code, reason = "a module of this test, shared with others")]

mod common;

use common::{hostssl, start};
use hostssl_test_support::drivers::{ASYNCPG, NODE, PSYCOPG, drivers};
use hostssl_test_support::postgres::{PASSWORD, RealServer, USER, installed};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// Lines that admit TLS alone, as Azure's servers have with `require_secure_transport`.
const ENFORCED: &str = "local all all scram-sha-256\nhostssl all all 127.0.0.1/32 scram-sha-256\n\
                        hostssl replication all 127.0.0.1/32 scram-sha-256\n";

/// The client that nobody fixes, although the census names it.
const STUBBORN: &str = "psql stubborn";

#[derive(Debug, Clone, Copy)]
enum Driver {
    Psql,
    Psycopg,
    Asyncpg,
    Node,
}

/// A client that connects again and again.
struct Worker {
    name: String,
    state: Arc<State>,
    thread: JoinHandle<()>,
}

#[derive(Default)]
struct State {
    is_tls: AtomicBool,
    is_over: AtomicBool,
    /// How often it began to connect, and how often it was done.
    began: AtomicUsize,
    rounds: AtomicUsize,
    errors: Mutex<Vec<String>>,
}

/// How one client connects once.
struct Dialer {
    driver: Driver,
    name: String,
    port: u16,
    psql: PathBuf,
    string: String,
    drivers: PathBuf,
}

impl Dialer {
    fn command(&self, is_tls: bool) -> Command {
        let mode = if is_tls { "require" } else { "disable" };
        let string = format!("{} sslmode={mode} application_name='{}'", self.string, self.name);
        let port = self.port.to_string();
        let mut command = match self.driver {
            Driver::Psql => {
                let mut command = Command::new(&self.psql);
                command.args(["-X", "-q", "-c", "select 1", "-d", &string]);
                command
            }
            Driver::Psycopg | Driver::Asyncpg => {
                let mut command = Command::new(self.drivers.join("venv/bin/python"));
                match self.driver {
                    Driver::Psycopg => command.args(["-c", PSYCOPG, &string]),
                    _ => command.args(["-c", ASYNCPG, &port, &self.name, mode]),
                };
                command
            }
            Driver::Node => {
                let mut command = Command::new("node");
                command.args(["-e", NODE]).arg(&self.drivers);
                command.args([port.as_str(), &self.name, if is_tls { "tls" } else { "plain" }]);
                command
            }
        };
        command.env("PGPASSWORD", PASSWORD);
        command
    }
}

impl Worker {
    fn start(dialer: Dialer, is_tls: bool) -> Self {
        let state = Arc::new(State { is_tls: AtomicBool::new(is_tls), ..State::default() });
        let (name, shared) = (dialer.name.clone(), Arc::clone(&state));
        let thread = std::thread::spawn(move || {
            while !shared.is_over.load(Ordering::SeqCst) {
                shared.began.fetch_add(1, Ordering::SeqCst);
                let output = dialer.command(shared.is_tls.load(Ordering::SeqCst)).output().unwrap();
                if !output.status.success() {
                    let text = String::from_utf8_lossy(&output.stderr).into_owned();
                    shared.errors.lock().unwrap().push(text);
                }
                shared.rounds.fetch_add(1, Ordering::SeqCst);
                // Processes that start all the time would leave the servers no room.
                std::thread::sleep(Duration::from_millis(500));
            }
        });
        Self { name, state, thread }
    }

    /// Waits until it has connected once more from the beginning, whatever it was doing.
    fn wait_for_a_round(&self) {
        let begun = self.state.began.load(Ordering::SeqCst);
        while self.state.rounds.load(Ordering::SeqCst) <= begun {
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn errors(&self) -> Vec<String> {
        self.state.errors.lock().unwrap().clone()
    }

    fn stop(self) -> (String, Vec<String>, usize) {
        self.state.is_over.store(true, Ordering::SeqCst);
        self.thread.join().unwrap();
        let errors = self.state.errors.lock().unwrap().clone();
        (self.name, errors, self.state.rounds.load(Ordering::SeqCst))
    }
}

/// One server with its clients, and which of them connect in plaintext.
struct Site {
    server: RealServer,
    workers: Vec<Worker>,
    plaintext: BTreeSet<String>,
}

fn site(index: usize, version: u8, bin: PathBuf, drivers: &Path) -> Site {
    let server = RealServer::start(version, bin, &[("log_line_prefix", "%t-%c-")]);
    let mut clients = vec![
        (Driver::Psql, "psql nightly", index.is_multiple_of(2)),
        (Driver::Psycopg, "psycopg billing", index.is_multiple_of(3)),
        (Driver::Asyncpg, "asyncpg search", index % 3 == 1),
        (Driver::Node, "node-postgres shop", index % 2 == 1),
    ];
    if index == 0 {
        clients.push((Driver::Psql, STUBBORN, true));
    }
    let plaintext = clients.iter().filter(|(.., is_plain)| *is_plain).map(|(_, name, _)| (*name).to_owned()).collect();
    let start = |(driver, name, is_plain): (Driver, &str, bool)| {
        let dialer = Dialer {
            driver,
            name: name.to_owned(),
            port: server.port,
            psql: server.program("psql"),
            string: server.string(""),
            drivers: drivers.to_owned(),
        };
        Worker::start(dialer, !is_plain)
    };
    let workers = clients.into_iter().map(start).collect();
    Site { server, workers, plaintext }
}

impl Site {
    /// The census of what has happened so far, in a format.
    fn census(&self, format: &str) -> String {
        let log = self.server.folder().join("log/postgresql.csv");
        let target = format!("host=localhost port={} user={USER}", self.server.port);
        let mut command = hostssl();
        command.args(["clients", "-o", format, "--log-file", log.to_str().unwrap(), "--sessions", &target]);
        command.args(["--ca-file", self.server.root().to_str().unwrap()]).env("PGPASSWORD", PASSWORD);
        let census = start(&mut command).finish();
        assert!(census.code == 3 || census.code == 4, "{}", census.stderr);
        census.stdout
    }

    /// The clients that the census finds in plaintext, each with the driver whose change the sheet gives.
    fn named(&self) -> Vec<(String, String)> {
        let report: Value = serde_json::from_str(&self.census("json")).unwrap();
        let clients = report["servers"][0]["clients"].as_array().unwrap();
        let plaintext = clients.iter().filter(|client| client["tls"] == "plaintext");
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        plaintext.map(|client| (text(&client["application"]), text(&client["fix"]["driver"]))).collect()
    }

    /// The clients that the census says were refused, by their addresses.
    fn refused(&self) -> Vec<(String, String, bool)> {
        let report: Value = serde_json::from_str(&self.census("json")).unwrap();
        let refused = report["servers"][0]["refused"].as_array().cloned().unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        refused
            .iter()
            .map(|one| (text(&one["user"]), text(&one["address"]), one["attempts"].as_u64() > Some(0)))
            .collect()
    }

    fn enforce(&self) {
        let file = self.server.folder().join("data/pg_hba.conf");
        std::fs::write(&file, ENFORCED).unwrap();
        self.server.psql("sslmode=require application_name=administrator", "select pg_reload_conf()");
    }

    /// Whether the wire proves that plaintext is refused.
    fn is_proven(&self) -> bool {
        let mut command = hostssl();
        command.args(["probe", &format!("localhost:{}", self.server.port), "--fail-on", "not-enforced", "-o", "json"]);
        command.args(["--ca-file", self.server.root().to_str().unwrap(), "--no-save"]);
        let done = start(&mut command).finish();
        done.code == 0 && done.stdout.contains("\"enforced\"")
    }
}

#[test]
fn nobody_sees_an_error_that_the_census_had_not_named() {
    let count: usize = std::env::var("HOSTSSL_DRILL_SERVERS").ok().and_then(|n| n.parse().ok()).unwrap_or(3);
    let Some(drivers) = drivers() else { return };
    let mut sites = Vec::new();
    for (index, version) in [15, 17, 18].into_iter().cycle().take(count).enumerate() {
        let Some(bin) = installed(version) else { return };
        sites.push(site(index, version, bin, &drivers));
    }
    for worker in sites.iter().flat_map(|site| &site.workers) {
        worker.wait_for_a_round();
        assert_eq!(worker.errors(), Vec::<String>::new(), "{}", worker.name);
    }
    let mut fixed = 0;
    for site in &sites {
        assert!(!site.is_proven(), "it is not enforced yet");
        let named = site.named();
        let names: BTreeSet<String> = named.iter().map(|(name, _)| name.clone()).collect();
        assert_eq!(names, site.plaintext, "the census names exactly those that the drill started in plaintext");
        let sheet = site.census("markdown");
        for (name, driver) in &named {
            assert!(sheet.contains(name) && driver != "unknown", "{name} ({driver}): {sheet}");
            let worker = site.workers.iter().find(|worker| worker.name == *name).unwrap();
            // The change of the sheet: `require` in the client's own settings.
            if name != STUBBORN {
                worker.state.is_tls.store(true, Ordering::SeqCst);
                fixed += 1;
            }
        }
    }
    // Whoever was fixed has connected with TLS before plaintext is refused.
    sites.iter().flat_map(|site| &site.workers).for_each(Worker::wait_for_a_round);
    for site in &sites {
        site.enforce();
    }
    for site in &sites {
        site.workers.iter().for_each(Worker::wait_for_a_round);
        // The log says who tried in vain: nobody where all were fixed. The prober, which comes after, tries in plaintext too.
        let is_stubborn = site.plaintext.contains(STUBBORN);
        let expected = is_stubborn.then(|| (USER.to_owned(), "127.0.0.1".to_owned(), true));
        assert_eq!(site.refused(), expected.into_iter().collect::<Vec<_>>());
        assert!(site.is_proven(), "plaintext is refused on the wire");
    }
    let (mut rounds, mut clients, mut refused) = (0, 0, BTreeSet::new());
    for site in sites {
        for worker in site.workers {
            let (name, errors, connected) = worker.stop();
            clients += 1;
            rounds += connected;
            if name == STUBBORN {
                assert!(!errors.is_empty(), "the client that nobody fixed is refused");
                for error in &errors {
                    assert!(error.contains("no pg_hba.conf entry") && error.contains("no encryption"), "{error}");
                }
                refused.insert(name);
            } else {
                assert_eq!(errors, Vec::<String>::new(), "{name}");
            }
        }
    }
    let summary = format!(
        "drill: {count} servers, {clients} clients of 4 drivers, {rounds} connections; {fixed} clients fixed as the sheet \
         says; refused after enforcement: {}\n",
        refused.into_iter().collect::<Vec<_>>().join(", ")
    );
    let _ = std::io::Write::write_all(&mut std::io::stderr(), summary.as_bytes());
}
