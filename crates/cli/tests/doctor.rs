//! `hostssl doctor` against a simulated Azure, in this process and over the network.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may stop at the first surprise")]
#![allow(unreachable_pub, missing_docs, dead_code, reason = "a module of this test, shared with others")]

mod common;

use common::{Done, hostssl, simulator, start};
use hostssl_test_support::schema::Schema;
use serde_json::Value;
use std::path::Path;

/// Runs it with a state directory of its own.
fn doctor(state: &Path, arguments: &[&str]) -> Done {
    start(hostssl().arg("doctor").args(arguments).arg("--state").arg(state)).finish()
}

fn report(done: &Done) -> Value {
    let report = serde_json::from_str(&done.stdout).unwrap_or_else(|_| panic!("{}{}", done.stdout, done.stderr));
    Schema::committed("doctor-v1").assert_accepts(&report);
    report
}

/// The first check of this id.
fn check<'a>(report: &'a Value, id: &str) -> &'a Value {
    let mut checks = report["checks"].as_array().unwrap().iter();
    checks.find(|check| check["check"] == id).unwrap_or_else(|| panic!("no {id}: {report:#}"))
}

fn status<'a>(report: &'a Value, id: &str) -> &'a str {
    check(report, id)["status"].as_str().unwrap()
}

#[test]
fn a_simulated_azure_in_this_process() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let done = doctor(&state, &["--simulate", "enforced", "--server", "pg-*-prod"]);
    assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
    assert!(!state.exists(), "it changes nothing");
    let shown = done.stdout.replace(&state.display().to_string(), "STATE");
    let shown: Vec<&str> =
        shown.lines().map(|line| if line.contains("state-space") { "(room)" } else { line }).collect();
    insta::assert_snapshot!(shown.join("\n"));
}

#[test]
fn rights_are_those_that_azure_says() {
    let folder = tempfile::tempdir().unwrap();
    // Nothing may be read in one subscription of the demonstration.
    let done = doctor(folder.path(), &["--simulate", "demo", "-o", "json"]);
    let demo = report(&done);
    assert_eq!((done.code, status(&demo, "rights-audit")), (3, "failed"), "{demo:#}");
    let fix = check(&demo, "rights-audit")["fix"].as_str().unwrap();
    assert!(fix.contains("`hostssl role audit --subscription ") && fix.contains("az role assignment create"), "{fix}");
    let rights = |arguments: &[&str]| {
        let done = doctor(folder.path(), &[arguments, &["-o", "json"]].concat());
        let report = report(&done);
        let ids = ["rights-audit", "rights-plan", "rights-apply", "rights-clients"];
        (done.code, ids.map(|id| status(&report, id).to_owned()))
    };
    let expected = |apply: &str| (0, ["ok", "ok", apply, "ok"].map(ToOwned::to_owned));
    assert_eq!(rights(&["--simulate", "readonly", "--subscription", "*roduction*"]), expected("warning"));
    assert_eq!(rights(&["--simulate", "enforced"]), expected("ok"));
}

#[test]
fn everything_is_checked_over_the_network() {
    let simulator = simulator(&["enforced"]);
    let state = simulator.folder().join("state").display().to_string();
    let arguments = ["doctor", "-o", "json", "--state", &state];
    let done = simulator.run(&arguments);
    let good = report(&done);
    assert_eq!(done.code, 0, "{good:#}");
    for id in ["ca-file", "proxy", "management-name", "management-endpoint", "clock", "sign-in", "rights-audit"] {
        assert_eq!(status(&good, id), "ok", "{good:#}");
    }

    // Without its root, the simulator is not trusted: no verdict on what lies behind.
    let done = simulator.run_with(&arguments, &[("HOSTSSL_CA_FILE", ""), ("SSL_CERT_FILE", "")]);
    let untrusted = report(&done);
    assert_eq!((done.code, status(&untrusted, "management-endpoint")), (3, "failed"), "{untrusted:#}");
    assert!(check(&untrusted, "management-endpoint")["fix"].as_str().unwrap().contains("--ca-file"), "{untrusted:#}");
    assert_eq!(check(&untrusted, "rights-audit")["unknown"], true);
    assert_eq!(check(&untrusted, "clock")["unknown"], true);

    let done = simulator.run_with(&arguments, &[("AZURE_CLIENT_SECRET", "wrong")]);
    let refused = report(&done);
    assert_eq!((done.code, status(&refused, "sign-in")), (3, "failed"), "{refused:#}");
    assert_eq!(status(&refused, "management-endpoint"), "ok");
    assert!(!done.stdout.contains("wrong\""), "{}", done.stdout);

    let none = simulator.folder().join("none.pem").display().to_string();
    let done = simulator.run_with(&arguments, &[("HOSTSSL_CA_FILE", &none)]);
    let unusable = report(&done);
    assert_eq!((done.code, status(&unusable, "ca-file")), (3, "failed"), "{unusable:#}");
    for id in ["management-endpoint", "sign-in", "rights-audit"] {
        assert_eq!(check(&unusable, id)["unknown"], true, "{unusable:#}");
    }
}

#[test]
fn a_proxy_is_named_without_its_password() {
    let simulator = simulator(&["enforced"]);
    let state = simulator.folder().join("state").display().to_string();
    let arguments = ["doctor", "-o", "json", "--state", &state];
    // Port 9 is discard: nothing listens there.
    for (proxy, status_of_proxy) in
        [("http://ann:hunter2@127.0.0.1:9", "ok"), ("socks5h://ann:hunter2@127.0.0.1:9", "failed")]
    {
        let done = simulator.run_with(&arguments, &[("HTTPS_PROXY", proxy)]);
        let report = report(&done);
        assert_eq!((done.code, status(&report, "proxy")), (3, status_of_proxy), "{report:#}");
        assert_eq!((status(&report, "management-name"), status(&report, "management-endpoint")), ("skipped", "failed"));
        assert!(check(&report, "proxy")["detail"].as_str().unwrap().contains("127.0.0.1:9"), "{report:#}");
        assert!(!format!("{}{}", done.stdout, done.stderr).contains("hunter2"), "{}", done.stdout);
    }
    let around = [("HTTPS_PROXY", "http://127.0.0.1:9"), ("NO_PROXY", "127.0.0.1,localhost")];
    let done = simulator.run_with(&arguments, &around);
    assert_eq!(done.code, 0, "{}", done.stdout);
    assert!(check(&report(&done), "proxy")["detail"].as_str().unwrap().contains("NO_PROXY leaves it out"));
}

#[test]
fn what_is_wrong_with_the_state_directory_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let done = doctor(&file, &["--simulate", "enforced", "-o", "json"]);
    assert_eq!((done.code, status(&report(&done), "state-directory")), (3, "failed"), "{}", done.stdout);

    // Someone changes servers with it.
    let state = folder.path().join("state");
    let kept = start(hostssl().args(["audit", "--simulate", "enforced", "-q", "--state"]).arg(&state)).finish();
    assert_eq!(kept.code, 0, "{}", kept.stderr);
    let lock = state.join("simulated").join("hostssl.lock");
    std::fs::write(&lock, "4711").unwrap();
    let held = std::fs::File::open(&lock).unwrap();
    held.lock().unwrap();
    let done = doctor(&state, &["--simulate", "enforced", "-o", "json"]);
    let locked = report(&done);
    assert_eq!((done.code, status(&locked, "state-lock")), (0, "warning"), "{locked:#}");
    assert!(check(&locked, "state-lock")["detail"].as_str().unwrap().contains("4711"), "{locked:#}");
    assert_eq!(status(&locked, "state-version"), "ok");
}

#[test]
fn wrong_usage_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |arguments: &[&str], expected: &str| {
        let done = doctor(folder.path(), arguments);
        assert_eq!(done.code, 2, "{arguments:?}: {}", done.stderr);
        assert!(done.stderr.contains(expected), "{}", done.stderr);
    };
    refused(&["--simulate", "--server", "pg-grafanna"], "did you mean pg-grafana?");
    refused(&["--simulate", "--subscription", "Nowhere"], "--subscription Nowhere matches no subscription");
    refused(&["--simulate", "fleet", "--server", "*"], "and 8 are checked");
    refused(&["--proxy", "socks5h://127.0.0.1:1080"], "without --server there are none");
    refused(&["--arm-endpoint", "http://127.0.0.1:1"], "not https");
}
