//! `--run-key`: an audit is made once under its key, whatever a schedule does.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may stop at the first surprise")]
#![allow(unreachable_pub, missing_docs, dead_code, reason = "a module of this test, shared with others")]

mod common;

use common::{run, simulator};
use tempfile::TempDir;

fn state() -> (TempDir, String) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_str().unwrap().to_owned();
    (directory, path)
}

/// The ids of the runs that are kept.
fn kept(state: &str) -> Vec<String> {
    let done = run(&["runs", "--state", state, "-o", "json"]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    let runs: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    runs.as_array().unwrap().iter().map(|run| run["run"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn an_audit_that_is_kept_under_its_key_is_shown_as_it_was() {
    let (_directory, state) = state();
    let audit = |key: &str| run(&["audit", "--simulate", "--state", &state, "-o", "json", "--run-key", key]);
    let first = audit("nightly-29");
    assert_eq!(first.code, 3, "{}", first.stderr);
    // What changes in Azure between the two would be in the second if Azure were asked again.
    let change = ["server", "update", "--simulate", "--state", &state, "-g", "rg-identity", "-n", "pg-keycloak"];
    let changed = run(&[&change[..], &["--ssl-enforcement", "Enabled"]].concat());
    assert_eq!(changed.code, 0, "{}", changed.stderr);
    let second = audit("nightly-29");
    assert_eq!((second.code, &second.stdout), (first.code, &first.stdout));
    assert!(second.stderr.contains("note: audit nightly-29 is kept since"), "{}", second.stderr);
    assert!(!second.stderr.contains("signed in"), "{}", second.stderr);
    // The rules of a pipeline are those of this call.
    let arguments = ["audit", "--simulate", "--state", &state, "--run-key", "nightly-29", "--fail-on", "never", "-q"];
    assert_eq!(run(&arguments).code, 4, "what could not be checked is no pass");
}

#[test]
fn an_audit_is_never_its_own_baseline() {
    let (_directory, state) = state();
    let audit = |more: &[&str]| run(&[&["audit", "--simulate", "--state", &state, "-o", "none"], more].concat());
    assert_eq!(audit(&[]).code, 3);
    let change = ["server", "update", "--simulate", "--state", &state, "-g", "rg-shop-prod", "-n", "pg-orders-prod"];
    let changed = run(&[&change[..], &["--ssl-enforcement", "Disabled", "--reason", "a test"]].concat());
    assert_eq!(changed.code, 0, "{}", changed.stderr);
    let keyed = ["--run-key", "job-1", "--baseline", "latest"];
    let first = audit(&keyed);
    assert_eq!(first.code, 3, "{}", first.stderr);
    // The newest audit is now this one, and then one that was made after it.
    assert_eq!(audit(&keyed).code, 3);
    assert_eq!(audit(&[]).code, 3);
    assert_eq!(audit(&keyed).code, 3);
    let own = audit(&["--run-key", "job-1", "--baseline", "job-1"]);
    assert!(own.code == 2 && own.stderr.contains("no baseline but itself"), "{} {}", own.code, own.stderr);
}

#[test]
fn nothing_else_is_shown_for_an_audit() {
    let (_directory, state) = state();
    let audit = |more: &[&str]| {
        let common = ["audit", "--state", state.as_str(), "--run-key", "daily", "-o", "none"];
        run(&[&common[..], more].concat())
    };
    assert_eq!(audit(&["--simulate"]).code, 3);
    for (more, what) in [
        (&["--simulate", "--server", "pg-orders-prod"][..], "of another scope"),
        (&["--simulate", "--profile", "strict"], "of other rules"),
        (&["--simulate", "--control", "minimum-tls-version"], "of other rules"),
        (&["--simulate", "enforced"], "of another cloud"),
        (&["--simulate", "--probe"], "of other rules"),
    ] {
        let done = audit(more);
        assert!(done.code == 2 && done.stderr.contains(what), "{more:?}: {} {}", done.code, done.stderr);
    }
    let zones = format!("{state}/zones.toml");
    std::fs::write(&zones, "[[rule]]\nzone = \"hub\"\nvirtual-network = \"vnet-data\"\n").unwrap();
    let probed = ["audit", "--state", &state, "--simulate", "--probe", "-o", "none", "--run-key", "probed"];
    let by_zones = [&probed[..], &["--zones", &zones]].concat();
    let without = run(&probed);
    assert_ne!(without.code, 2, "{}", without.stderr);
    let done = run(&by_zones);
    assert!(done.code == 2 && done.stderr.contains("of other zones"), "{}", done.stderr);
    let unkept = run(&["audit", "--simulate", "--run-key", "daily"]);
    assert!(unkept.code == 2 && unkept.stderr.contains("add --state"), "{}", unkept.stderr);
    for key in ["latest", "Upper", "a b", ""] {
        assert_eq!(run(&["audit", "--simulate", "--state", &state, "--run-key", key]).code, 2, "{key}");
    }
    let probe = run(&["probe", "127.0.0.1:1", "--state", &state, "-o", "json"]);
    let id = kept(&state).pop().expect(&probe.stderr);
    let done = run(&["audit", "--state", &state, "--run-key", &id]);
    assert!(done.code == 2 && done.stderr.contains("is not an audit"), "{}", done.stderr);
}

#[test]
fn of_two_at_once_the_second_shows_what_the_first_kept() {
    let (_directory, state) = state();
    let simulator = simulator(&["demo", "--latency", "100"]);
    let arguments = ["audit", "--state", &state, "--run-key", "both", "-o", "json"];
    let mut first = simulator.start(&arguments);
    // It has the key before it signs in.
    first.wait_for_stderr("signed in");
    let second = simulator.start(&arguments);
    let (first, second) = (first.finish(), second.finish());
    assert_eq!(first.stdout, second.stdout);
    assert!(second.stderr.contains("another process is making the audit both"), "{}", second.stderr);
    assert!(second.stderr.contains("is kept since"), "{}", second.stderr);
    assert_eq!(kept(&state), ["both"]);
}

#[test]
fn a_process_that_never_ends_is_waited_for_until_the_deadline() {
    let (directory, state) = state();
    let arguments = ["audit", "--simulate", "--state", &state, "-o", "none", "--run-key"];
    assert_eq!(run(&[&arguments[..], &["first"]].concat()).code, 3);
    let lock = directory.path().join("simulated/audit-nightly.lock");
    let frozen = std::fs::File::create(lock).unwrap();
    frozen.lock().unwrap();
    let waits = run(&[&arguments[..], &["nightly", "--deadline", "1s"]].concat());
    assert_eq!(waits.code, 1, "{}", waits.stderr);
    assert!(waits.stderr.contains("another process is still making the audit nightly"), "{}", waits.stderr);
    drop(frozen);
    assert_eq!(run(&[&arguments[..], &["nightly", "--deadline", "1m"]].concat()).code, 3);
}

/// A process that is frozen while it writes has the database to itself.
#[test]
fn a_frozen_writer_is_waited_for_until_the_deadline() {
    let (directory, state) = state();
    let arguments = ["audit", "--simulate", "--state", &state, "-o", "csv", "--run-key"];
    assert_eq!(run(&[&arguments[..], &["first"]].concat()).code, 3);
    let frozen = rusqlite::Connection::open(directory.path().join("simulated/hostssl.db")).unwrap();
    frozen.execute_batch("BEGIN IMMEDIATE").unwrap();
    let unkept = run(&[&arguments[..], &["nightly", "--deadline", "1s"]].concat());
    assert!(unkept.code == 3 && unkept.stdout.contains("pg-orders-prod"), "{} {}", unkept.code, unkept.stdout);
    let why = "warning: this audit was not kept, and the report here is all there is of it: another process was writing to the \
               state when --deadline was reached";
    assert!(unkept.stderr.contains(why), "{}", unkept.stderr);
    frozen.execute_batch("ROLLBACK").unwrap();
    let made = run(&[&arguments[..], &["nightly", "--deadline", "1m"]].concat());
    assert!(made.code == 3 && !made.stderr.contains("is kept since"), "{}", made.stderr);
}

#[test]
fn an_audit_that_was_killed_or_stopped_is_made_again() {
    let (_directory, state) = state();
    let slow = simulator(&["fleet", "--subscriptions", "20", "--servers", "400", "--latency", "400"]);
    let arguments = ["audit", "--state", &state, "--run-key", "again", "-o", "none"];
    let mut killed = slow.start(&arguments);
    killed.wait_for_stderr("signed in");
    killed.signal("KILL");
    killed.wait_for_signalled_end();
    let stopped = slow.run(&[&arguments[..], &["--concurrency", "8", "--deadline", "1s"]].concat());
    assert!(stopped.stderr.contains("this audit was stopped and is not kept"), "{}", stopped.stderr);
    assert!(kept(&state).is_empty());
    let whole = simulator(&["demo"]).run(&arguments);
    assert_eq!(whole.code, 3, "{}", whole.stderr);
    assert_eq!(kept(&state), ["again"]);
    let locks = std::fs::read_dir(&state)
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_str().is_some_and(|name| name.starts_with("audit-")));
    assert_eq!(locks.count(), 0, "the lock of a kept audit goes");
}
