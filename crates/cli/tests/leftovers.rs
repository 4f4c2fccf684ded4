//! `hostssl apply --sessions` and `--terminate-plaintext-sessions`: a served simulation is Azure, and a real PostgreSQL has the
//! name of one of its servers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may stop at the first surprise")]
#![allow(unreachable_pub, missing_docs, dead_code, reason = "a module of this test, shared with others")]

mod common;

use common::{Done, simulator};
use hostssl_test_support::postgres::{PASSWORD, RealServer, installed};
use hostssl_test_support::schema::Schema;
use serde_json::Value;

/// The password of the roles that hostssl logs in as. That of the others is a word that stands in messages too.
const LOGIN: &str = "hunter-two";

#[test]
fn sessions_in_plaintext_are_listed_and_ended_by_whoever_may() {
    let Some(bin) = installed(17) else { return };
    let server = RealServer::start(17, bin, &[]);
    let roles = format!(
        "create role app login password '{PASSWORD}'; create role watcher login password '{LOGIN}'; \
         grant pg_read_all_stats to watcher; create role ender login password '{LOGIN}'; \
         grant pg_read_all_stats, pg_signal_backend to ender"
    );
    server.psql("sslmode=require", &roles);
    let azure = simulator(&["demo"]);
    let trusted = azure.folder().join("both.pem");
    let roots = [azure.variable("HOSTSSL_CA_FILE").into(), server.root()].map(|file| std::fs::read(file).unwrap());
    std::fs::write(&trusted, roots.concat()).unwrap();
    let state = azure.folder().join("state").display().to_string();
    let way = format!(":5432:127.0.0.1:{}", server.port);
    let run = |arguments: &[&str]| -> Done {
        let variables =
            [("HOSTSSL_CA_FILE", trusted.to_str().unwrap()), ("PGPASSWORD", LOGIN), ("HOSTSSL_STATE", &state)];
        let done = azure.run_with(arguments, &variables);
        assert!(!done.stdout.contains(LOGIN) && !done.stderr.contains(LOGIN), "{done:?}");
        done
    };
    let plan = |name: &str| {
        let file = azure.folder().join(name).display().to_string();
        let select = ["--server", "pg-catalog-prod", "--control", "require-secure-transport"];
        let accept = ["--accept-breakage", "*=a test", "-o", "json", "--out", &file];
        let done = run(&[&["plan"][..], &select, &accept].concat());
        let plan: Value = serde_json::from_str(&done.stdout).unwrap_or_else(|_| panic!("{}", done.stderr));
        (file, plan["hash"].as_str().unwrap().to_owned())
    };
    let apply = |(file, hash): &(String, String), more: &[&str]| {
        run(&[&["apply", file, "--approve", hash, "--connect-to", &way, "-o", "json"], more].concat())
    };
    let _held = [
        server.hold("sslmode=disable user=app application_name=one"),
        server.hold("sslmode=require user=app application_name=encrypted"),
    ];
    let first = plan("first.json");
    // Whoever lacks a right finds out before anything is written.
    let done = apply(&first, &["--terminate-plaintext-sessions", "--yes", "--user", "watcher"]);
    assert_ne!(done.code, 0);
    assert!(done.stderr.contains("GRANT pg_signal_backend TO watcher;"), "{}", done.stderr);
    assert!(done.stderr.contains("nothing was written"), "{}", done.stderr);
    // Without a terminal nobody can say yes.
    assert_eq!(apply(&first, &["--terminate-plaintext-sessions", "--user", "ender"]).code, 2);
    let report = |done: &Done| -> Value {
        assert_eq!(done.code, 0, "{}", done.stderr);
        let report = serde_json::from_str(&done.stdout).unwrap();
        Schema::committed("apply-v1").assert_accepts(&report);
        report
    };
    let listed = report(&apply(&first, &["--sessions", "--user", "watcher"]));
    let sessions = listed["plaintextSessions"][0]["sessions"].as_array().unwrap();
    assert_eq!((sessions.len(), &sessions[0]["application"], &sessions[0]["ended"]), (1, &"one".into(), &false.into()));
    assert_eq!(run(&["undo", "latest", "--yes", "--reason", "a test"]).code, 0);
    let ended = report(&apply(&plan("second.json"), &["--terminate-plaintext-sessions", "--yes", "--user", "ender"]));
    let sessions = ended["plaintextSessions"][0]["sessions"].as_array().unwrap();
    assert_eq!((sessions.len(), &sessions[0]["ended"]), (1, &true.into()), "{ended:#}");
    // The run can be read back with what was journalled of the sessions, and taken back.
    let shown = run(&["runs", "show", "latest"]);
    assert_eq!(shown.code, 0, "{}", shown.stderr);
    assert_eq!(run(&["undo", "latest", "--yes", "--reason", "a test"]).code, 0);
    // Whoever uses TLS is connected still.
    let left = "select string_agg(application_name, ',') from pg_stat_activity where usename = 'app'";
    let left = server.command("psql", "sslmode=require").args(["-X", "-A", "-t", "-c", left]).output().unwrap();
    assert_eq!(String::from_utf8(left.stdout).unwrap().trim(), "encrypted");
}
