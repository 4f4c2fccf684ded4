//! Results that go to files, pipes and streams: whole, and without a loss of what else is written there.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may stop at the first surprise")]
#![allow(unreachable_pub, missing_docs, dead_code, reason = "a module of this test, shared with others")]

mod common;

use common::{hostssl, run, start};
use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;
use std::process::Stdio;

const ONE: [&str; 5] = ["audit", "--simulate", "--subscription", "Contoso Production", "-q"];

fn of_format(format: &str, file: &Path) -> String {
    format!("{format}={}", file.display())
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<serde_json::Value>(text).is_ok()
}

#[test]
fn a_pipe_gets_the_whole_report() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let reader = std::thread::spawn({
        let pipe = pipe.clone();
        move || {
            let mut text = String::new();
            File::open(pipe).unwrap().read_to_string(&mut text).map(|_| text)
        }
    });
    let done = run(&[&ONE[..], &["-o", &of_format("json", &pipe)]].concat());
    assert_eq!(done.code, 3, "{}", done.stderr);
    assert!(is_json(&reader.join().unwrap().unwrap()));
}

#[test]
fn a_stream_is_written_and_not_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let (out, err) = (folder.path().join("out"), folder.path().join("err"));
    let audit = |formats: &[&str]| {
        let mut command = hostssl();
        command.args(ONE).args(formats);
        command.stdout(File::create(&out).unwrap()).stderr(File::create(&err).unwrap()).stdin(Stdio::null());
        let code = command.status().unwrap().code();
        (code, fs::read_to_string(&out).unwrap(), fs::read_to_string(&err).unwrap())
    };
    // By either name it is what goes to standard output anyhow.
    for name in [Path::new("/dev/stdout"), &out] {
        let (code, out, err) = audit(&["-o", &of_format("json", name)]);
        assert!(code == Some(3) && is_json(&out), "{err}");
        let (code, out, err) = audit(&["-o", "table", "-o", &of_format("json", name)]);
        assert!(code == Some(2) && out.is_empty() && err.contains("several formats go to standard output"), "{err}");
    }
    for name in [Path::new("/dev/stderr"), &err] {
        let (code, out, err) = audit(&["-o", "csv", "-o", &of_format("junit", name)]);
        assert_eq!(code, Some(3));
        assert!(out.starts_with("tenant") || out.contains(','), "{out}");
        assert!(err.contains("</testsuites>") && err.contains("warning: could not be checked"), "{err}");
    }
}

/// A disk that is full is told with the file, and leaves no part of it.
#[test]
fn a_device_that_is_full_is_named() {
    let full = Path::new("/dev/full");
    if !full.exists() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let sarif = folder.path().join("a.sarif");
    let done = run(&[&ONE[..], &["-o", &of_format("json", full), "-o", &of_format("sarif", &sarif)]].concat());
    assert_eq!(done.code, 1);
    assert!(done.stderr.contains("error: /dev/full cannot be written: No space left"), "{}", done.stderr);
    assert!(is_json(&fs::read_to_string(&sarif).unwrap()), "the others are written all the same");
}

#[test]
fn waivers_that_are_added_at_once_are_all_there() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("waivers.toml").display().to_string();
    let expires = (jiff::Timestamp::now() + jiff::Span::new().hours(24 * 30)).to_string();
    let add = |number: usize| {
        let scope = format!("/subscriptions/11111111-2222-4333-8444-555555555555/resourceGroups/g{number}");
        let of = ["waivers", "add", &file, "--control", "require-secure-transport", "--scope", &scope];
        let by = ["--owner", "shop", "--approver", "security", "--reason", "agreed", "--expires", &expires[..10]];
        start(hostssl().args(of).args(by))
    };
    let added: Vec<_> = (0..12).map(add).collect();
    for done in added {
        let done = done.finish();
        assert_eq!(done.code, 0, "{}", done.stderr);
    }
    let listed = run(&["waivers", "list", &file, "-o", "json"]);
    let listed: Vec<serde_json::Value> = serde_json::from_str(&listed.stdout).unwrap();
    assert_eq!(listed.len(), 12);
}

/// The cells of the rows that a command writes as TSV.
fn rows(arguments: &[&str]) -> Vec<Vec<String>> {
    let done = run(&[arguments, &["--simulate", "-o", "tsv", "-q"]].concat());
    done.stdout.lines().map(|line| line.split('\t').map(ToOwned::to_owned).collect()).collect()
}

#[test]
fn tsv_has_a_row_for_each_thing_that_a_command_is_about() {
    let folder = tempfile::tempdir().unwrap();
    let zones = folder.path().join("zones.toml").display().to_string();
    let state = folder.path().join("state").display().to_string();
    let added = run(&["zones", "add", "lab", "--server", "pg-search-*", "--location", "westeurope", "--zones", &zones]);
    assert_eq!(added.code, 0, "{}", added.stderr);
    let checked = rows(&["zones", "check", "--zones", &zones]);
    assert_eq!(checked[0][..4], ["lab", "2", "1", "None"], "{checked:?}");
    assert!(checked[1][0] == "None" && checked[1][9].ends_with("/pg-ledger-prod"), "{checked:?}");

    let checks = rows(&["doctor", "--state", &state]);
    assert!(checks.iter().all(|row| row.len() == 4), "{checks:?}");
    assert!(checks.iter().any(|row| row[..2] == ["ok", "sign-in"]), "{checks:?}");
    assert!(checks.iter().any(|row| row[..2] == ["failed", "rights-audit"] && row[3].contains("hostssl role")));

    let clients = rows(&["clients", "--state", &state, "pg-keycloak", "pg-archive-legacy"]);
    let of = |name: &str| clients.iter().find(|row| row[0] == name).unwrap();
    assert_eq!((of("pg-archive-legacy")[2].as_str(), of("pg-archive-legacy")[3].as_str()), ("needs-observation", ""));
    assert_eq!((of("pg-keycloak")[2].as_str(), of("pg-keycloak")[3].as_str()), ("safe", "tls"), "{clients:?}");

    let audit = ["audit", "--simulate", "-q", "--state", &state, "--server", "pg-keycloak", "-o", "none"];
    run(&audit);
    let change = ["server", "update", "-n", "pg-keycloak", "-g", "rg-identity", "--ssl-enforcement", "Enabled"];
    let changed = run(&[&change[..], &["--simulate", "-q", "--state", &state]].concat());
    assert_eq!(changed.code, 0, "{}", changed.stderr);
    run(&audit);
    let changes = rows(&["diff", "--state", &state]);
    let begin = ["fixed", "high", "pg-keycloak", "require-secure-transport", "fail"];
    assert!(changes.len() == 1 && changes[0][..5] == begin && changes[0][6] == "pass", "{changes:?}");
}
