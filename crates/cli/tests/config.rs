//! The configuration file: what it sets, what ranks above it, and what it may not do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may stop at the first surprise")]
#![allow(unreachable_pub, missing_docs, dead_code, reason = "a module of this test, shared with others")]

mod common;

use common::{Done, hostssl, start};
use serde_json::Value;
use tempfile::TempDir;

fn folder(text: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("hostssl.toml"), text).unwrap();
    folder
}

fn run_in(folder: &TempDir, arguments: &[&str], variables: &[(&str, &str)]) -> Done {
    start(hostssl().args(arguments).envs(variables.iter().copied()).current_dir(folder.path())).finish()
}

/// What an audit was of, and the note about the file.
fn audited(folder: &TempDir, arguments: &[&str], variables: &[(&str, &str)]) -> (Value, Value, String) {
    let done = run_in(
        folder,
        &[&["audit", "--simulate", "enforced", "-o", "json", "--no-save"], arguments].concat(),
        variables,
    );
    let report: Value = serde_json::from_str(&done.stdout).unwrap_or_else(|_| panic!("{}", done.stderr));
    let note = done.stderr.lines().find(|line| line.starts_with("note: ")).unwrap_or_default().to_owned();
    (report["run"]["profile"].clone(), report["run"]["scope"]["subscriptions"].clone(), note)
}

#[test]
fn a_file_in_the_working_directory_gives_defaults_and_says_so() {
    let folder = folder("profile = \"strict\"\nsubscription = [\"Contoso Prod*\", \"Contoso Platform\"]\n");
    let (profile, scope, note) = audited(&folder, &[], &[]);
    assert_eq!(profile, "strict@1");
    assert_eq!(scope, serde_json::json!(["Contoso Prod*", "Contoso Platform"]));
    assert_eq!(note, "note: hostssl.toml sets profile, subscription");
    // The command line ranks above it; a scope there replaces the whole of the file's.
    let (profile, scope, note) = audited(&folder, &["--profile", "baseline", "-g", "*"], &[]);
    assert_eq!((profile, scope, note.as_str()), ("baseline@1".into(), serde_json::json!([]), ""));
    // None is read where an empty name says so, and another one where it is named.
    assert_eq!(audited(&folder, &[], &[("HOSTSSL_CONFIG", "")]).0, "baseline@1");
    std::fs::write(folder.path().join("other.toml"), "profile = \"cis-azure-foundations\"").unwrap();
    assert!(audited(&folder, &["--config", "other.toml"], &[]).0.as_str().unwrap().starts_with("cis-azure"));
    assert!(audited(&folder, &[], &[("HOSTSSL_CONFIG", "other.toml")]).0.as_str().unwrap().starts_with("cis-azure"));
    // Not every command has something of it.
    let done = run_in(&folder, &["controls", "-v"], &[]);
    assert!(done.code == 0 && !done.stderr.contains("hostssl.toml"), "{}", done.stderr);
    let done = run_in(&folder, &["runs", "-v", "--state", "state"], &[]);
    assert!(done.stderr.contains("hostssl.toml was read, and sets nothing here"), "{}", done.stderr);
}

#[test]
fn the_environment_ranks_between() {
    let folder = folder("");
    std::fs::write(folder.path().join("named.toml"), "state = \"of-file\"\n").unwrap();
    let audit = ["audit", "--simulate", "enforced", "-q"];
    let named = [&audit[..], &["--config", "named.toml"]].concat();
    assert_eq!(run_in(&folder, &named, &[]).code, 0);
    assert!(folder.path().join("of-file").is_dir());
    assert_eq!(run_in(&folder, &named, &[("HOSTSSL_STATE", "of-environment")]).code, 0);
    assert!(folder.path().join("of-environment").is_dir());
    assert_eq!(run_in(&folder, &[&named[..], &["--state", "of-option"]].concat(), &[("HOSTSSL_STATE", "x")]).code, 0);
    assert!(folder.path().join("of-option").is_dir() && !folder.path().join("x").exists());
    // What is printed to be run next names the file again.
    let done = run_in(&folder, &["audit", "--simulate", "enforced", "--config", "named.toml"], &[]);
    let next: Vec<&str> = done.stdout.lines().filter(|line| line.contains("hostssl ")).collect();
    assert!(!next.is_empty() && next.iter().all(|line| line.contains("--config named.toml")), "{}", done.stdout);
}

#[test]
fn a_file_that_is_wrong_stops_every_command_that_it_is_for() {
    let folder = folder("profile = \"strict\"\n\nconcurency = 4\n");
    let done = run_in(&folder, &["audit", "--simulate", "enforced"], &[]);
    let expected = "error: hostssl.toml:3:1: there is no key `concurency`; is it `concurrency`?";
    assert!(done.code == 2 && done.stderr.starts_with(expected), "{}", done.stderr);
    assert!(done.stdout.is_empty(), "{}", done.stdout);
    // What needs no value of it works all the same.
    assert_eq!(run_in(&folder, &["controls"], &[]).code, 0);
    assert_eq!(run_in(&folder, &["audit", "--help"], &[]).code, 0);
    #[cfg(unix)]
    {
        let broken = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("nowhere", broken.path().join("hostssl.toml")).unwrap();
        let done = run_in(&broken, &["audit", "--simulate"], &[]);
        assert!(done.code == 2 && done.stderr.contains("hostssl.toml cannot be read"), "{}", done.stderr);
    }
    let done = run_in(&folder, &["audit", "--simulate", "--config", "none.toml"], &[]);
    assert!(done.code == 2 && done.stderr.contains("none.toml cannot be read"), "{}", done.stderr);
}

#[test]
fn check_lists_every_mistake() {
    let wrong = folder("profile = 1\nyes = true\nconcurrency = 0\n");
    let done = run_in(&wrong, &["config", "check"], &[]);
    let lines: Vec<&str> = done.stderr.lines().filter(|line| line.starts_with("error: ")).collect();
    assert_eq!((done.code, lines.len()), (2, 3), "{}", done.stderr);
    for (line, place) in lines.iter().zip([
        "hostssl.toml:1:11: `profile`",
        "hostssl.toml:2:1: there is no key `yes`",
        "hostssl.toml:3:15: `concurrency`",
    ]) {
        assert!(line.contains(place), "{line}");
    }
    let right = folder("profile = \"strict\"\n");
    let done = run_in(&right, &["config", "check", "hostssl.toml"], &[]);
    assert_eq!((done.code, done.stdout.as_str()), (0, "hostssl.toml: no problems found; it sets 1 key\n"));
    let none = tempfile::tempdir().unwrap();
    let done = run_in(&none, &["config", "check"], &[]);
    assert!(done.code == 2 && done.stderr.contains("--config or HOSTSSL_CONFIG"), "{}", done.stderr);
}

#[test]
fn show_says_where_each_value_comes_from() {
    let folder = folder("profile = \"strict\"\n# more\nsubscription = [\"a\", \"b\"]\n");
    let done = run_in(&folder, &["config", "show"], &[("HOSTSSL_STATE", "kept")]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    insta::assert_snapshot!(done.stdout);
    let done = run_in(&folder, &["config", "show", "-o", "json"], &[]);
    let rows: Value = serde_json::from_str(&done.stdout).unwrap();
    let profile = rows.as_array().unwrap().iter().find(|row| row["key"] == "profile").unwrap();
    assert_eq!(*profile, serde_json::json!({"key": "profile", "value": "strict", "from": "hostssl.toml:1"}));
}

#[cfg(unix)]
#[test]
fn a_working_directory_cannot_do_harm() {
    use std::os::unix::fs::PermissionsExt as _;
    // Kept censuses say which clients are safe: only a file that was named may lead to others.
    let folder = folder("state = \"forged\"\n");
    let done = run_in(&folder, &["plan", "--simulate"], &[]);
    assert!(
        done.code == 2 && done.stderr.contains("hostssl.toml:1:1: `state` is taken only from a file"),
        "{}",
        done.stderr
    );
    let path = folder.path().join("hostssl.toml");
    std::fs::write(&path, "profile = \"baseline\"\n").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).unwrap();
    let done = run_in(&folder, &["audit", "--simulate", "enforced"], &[]);
    assert!(done.code == 2 && done.stderr.contains("others can write it"), "{}", done.stderr);
    let done = run_in(&folder, &["audit", "--simulate", "enforced", "--no-save", "--config", "hostssl.toml"], &[]);
    assert_eq!(done.code, 0, "{}", done.stderr);
}
