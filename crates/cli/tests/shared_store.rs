//! `--store`: machines that share one state in a real PostgreSQL, each played by a state directory of its own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may stop at the first surprise")]
#![allow(unreachable_pub, missing_docs, dead_code, reason = "a module of this test, shared with others")]

mod common;

use common::{Done, Simulator, run, simulator, start};
use hostssl_test_support::postgres::{PASSWORD, RealServer, installed};
use tempfile::TempDir;

/// A simulated Azure, a PostgreSQL that keeps what it is given, and the machines.
struct Team {
    azure: Simulator,
    server: RealServer,
    machines: TempDir,
}

impl Team {
    fn new() -> Option<Self> {
        let server = RealServer::start(15, installed(15)?, &[("fsync", "on"), ("log_statement", "none")]);
        server.psql("", "CREATE DATABASE hostssl");
        Some(Self { azure: simulator(&["demo"]), server, machines: tempfile::tempdir().unwrap() })
    }

    fn store(&self) -> String {
        let root = self.server.root();
        format!("postgres://postgres@localhost:{}/hostssl?sslrootcert={}", self.server.port, root.display())
    }

    fn directory(&self, machine: &str) -> String {
        self.machines.path().join(machine).to_str().unwrap().to_owned()
    }

    /// Runs a command on a machine.
    fn on(&self, machine: &str, arguments: &[&str]) -> Done {
        let (directory, store) = (self.directory(machine), self.store());
        let more = ["--state", &directory, "--store", &store];
        self.azure.run_with(&[arguments, &more].concat(), &[("HOSTSSL_STORE_PASSWORD", PASSWORD)])
    }

    fn json(&self, machine: &str, arguments: &[&str]) -> serde_json::Value {
        let done = self.on(machine, &[arguments, &["-o", "json"]].concat());
        serde_json::from_str(&done.stdout).unwrap_or_else(|error| panic!("{error}: {}", done.stderr))
    }
}

#[test]
fn what_one_machine_keeps_the_others_have() {
    let Some(team) = Team::new() else { return };
    let audit = team.on("one", &["audit", "-q"]);
    assert_eq!(audit.code, 3, "{}", audit.stderr);
    assert_eq!(team.json("two", &["runs"]).as_array().unwrap().len(), 1);
    // A copy is not taken for all there is.
    let alone = run(&["runs", "--state", &team.directory("two")]);
    assert!(alone.code == 1 && alone.stderr.contains("is a copy of the shared store localhost"), "{}", alone.stderr);
    // What is simulated stays out of it.
    let simulated = team.on("one", &["audit", "--simulate", "-q"]);
    assert_eq!(simulated.code, 3, "{}", simulated.stderr);
    assert_eq!(team.json("two", &["runs"]).as_array().unwrap().len(), 1);
    // One audit of a key, whoever makes it.
    let key = ["audit", "-q", "--run-key", "nightly"];
    let (first, second) = (team.on("one", &key), team.on("two", &key));
    assert_eq!((first.code, second.code), (3, 3), "{}", second.stderr);
    assert!(second.stderr.contains("note: audit nightly is kept since"), "{}", second.stderr);
    // A password is not taken from the command line, where others can read it.
    let mut secret = team.azure.command_of(&["runs", "--store", "postgres://postgres:hunter2@localhost/hostssl"]);
    let refused = start(&mut secret).finish();
    assert!(!refused.stderr.contains("hunter2") && !refused.stdout.contains("hunter2"), "{}", refused.stderr);
    assert_ne!(refused.code, 0);
}

#[test]
fn a_frozen_process_is_fenced_off_by_the_one_that_takes_over() {
    let Some(team) = Team::new() else { return };
    let plan = team.machines.path().join("plan.json");
    let plan = plan.to_str().unwrap();
    let planned = team.on("one", &["plan", "--accept-breakage", "*=for a test", "--out", plan, "-q"]);
    assert_eq!(planned.code, 4, "{}", planned.stderr);
    let document: serde_json::Value = serde_json::from_slice(&std::fs::read(plan).unwrap()).unwrap();
    let hash = document["hash"].as_str().unwrap().to_owned();
    let (directory, store) = (team.directory("one"), team.store());
    let apply = ["apply", plan, "--approve", &hash, "--soak", "5s", "--state", &directory, "--store", &store];
    let mut frozen = start(team.azure.command_of(&apply).env("HOSTSSL_STORE_PASSWORD", PASSWORD));
    // Between two waves, with one server changed.
    frozen.wait_for_stderr("waiting 5 s");
    frozen.signal("STOP");
    let held = team.on("two", &["resume", "latest"]);
    assert!(held.code == 1 && held.stderr.contains("is changing servers with this shared store"), "{}", held.stderr);
    // Its time runs out.
    team.server.psql("dbname=hostssl", "UPDATE hostssl.leases SET ends = clock_timestamp() - interval '1 s'");
    let resumed = team.on("two", &["resume", "latest"]);
    assert_eq!(resumed.code, 0, "{}", resumed.stderr);
    frozen.signal("CONT");
    let fenced = frozen.finish();
    assert_ne!(fenced.code, 0);
    assert!(
        fenced.stderr.contains("may no longer change servers: another process has also written to run"),
        "{}",
        fenced.stderr
    );
    // Every write is one receipt: none was sent twice.
    let run = team.json("three", &["runs", "show", "latest"]);
    let steps = run["steps"].as_array().unwrap();
    let applied = steps.iter().filter(|step| step["status"] == "applied").count();
    assert_eq!(applied, steps.len() - 1, "{run}");
    let undone = team.on("three", &["undo", "latest", "--yes", "--reason", "for a test"]);
    assert!(!undone.stderr.contains("no longer change servers"), "{}", undone.stderr);
}

#[test]
fn a_state_moves_into_a_store_and_out_of_it() {
    let Some(team) = Team::new() else { return };
    let (own, back, store) = (team.directory("own"), team.directory("back"), team.store());
    let local = |arguments: &[&str]| team.azure.run_with(arguments, &[("HOSTSSL_STORE_PASSWORD", PASSWORD)]);
    assert_eq!(local(&["audit", "-q", "--state", &own]).code, 3);
    let refused = team.on("own", &["runs"]);
    assert!(refused.code == 1 && refused.stderr.contains("hostssl state copy"), "{}", refused.stderr);
    let copied = local(&["state", "copy", "--from", &own, "--to", &store]);
    assert_eq!(copied.code, 0, "{}", copied.stderr);
    assert!(copied.stdout.starts_with("copied ") && copied.stdout.contains("SHA-256"), "{}", copied.stdout);
    assert!(copied.stderr.contains("next: `hostssl runs --store"), "{}", copied.stderr);
    assert_eq!(team.json("two", &["runs"]), team.json("own", &["runs"]));
    let again = local(&["state", "copy", "--from", &team.directory("nothing"), "--to", &store]);
    assert!(again.code == 1 && again.stderr.contains("there is no state in"), "{}", again.stderr);
    let out = local(&["state", "copy", "--from", &store, "--to", &back]);
    assert_eq!(out.code, 0, "{}", out.stderr);
    assert_eq!(copied.stdout, out.stdout.replace('\n', " on both sides\n"));
    assert_eq!(local(&["runs", "--state", &back]).code, 0, "it has a state of its own");
    for (from, to) in [(&own, &back), (&store, &store)] {
        assert_eq!(local(&["state", "copy", "--from", from, "--to", to]).code, 2);
    }
}

#[test]
fn a_store_of_an_older_version_is_refused_until_it_is_upgraded() {
    let Some(team) = Team::new() else { return };
    assert_eq!(team.on("one", &["runs"]).code, 0);
    let upgrade = || {
        let store = team.store();
        team.azure.run_with(&["state", "upgrade", "--store", &store], &[("HOSTSSL_STORE_PASSWORD", PASSWORD)])
    };
    let already = upgrade();
    assert!(already.code == 0 && already.stdout.ends_with(" already\n"), "{}{}", already.stdout, already.stderr);
    team.server.psql("dbname=hostssl", "UPDATE hostssl.head SET version = 12");
    let refused = team.on("two", &["runs"]);
    assert!(refused.code == 1 && refused.stderr.contains("`hostssl state upgrade --store"), "{}", refused.stderr);
    let upgraded = upgrade();
    assert!(
        upgraded.code == 0 && upgraded.stdout.starts_with("upgraded the store from version 12 to "),
        "{}",
        upgraded.stderr
    );
    assert_eq!(team.on("two", &["runs"]).code, 0);
    team.server.psql("", "CREATE DATABASE empty");
    let empty = team.store().replace("/hostssl?", "/empty?");
    let none = team.azure.run_with(&["state", "upgrade", "--store", &empty], &[("HOSTSSL_STORE_PASSWORD", PASSWORD)]);
    assert!(none.code == 1 && none.stderr.contains("has no store of hostssl"), "{}", none.stderr);
}
