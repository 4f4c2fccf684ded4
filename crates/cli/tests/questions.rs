//! Questions on a terminal, of which `script` makes one.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may stop at the first surprise")]
#![allow(unreachable_pub, missing_docs, dead_code, reason = "a module of this test, shared with others")]

mod common;

use common::run;
use hostssl_test_support::postgres::program;
use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};

/// Runs a command on a terminal, types `keys` when it asks `question`, and returns its exit code and all that it said.
fn typed(command: &str, question: &str, keys: &[u8]) -> Option<(i32, String)> {
    let mut script = Command::new(program("script")?);
    script.args(["--quiet", "--return", "--command", command, "/dev/null"]);
    let mut child = script.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let (mut said, mut buffer, mut has_typed) = (Vec::new(), [0; 4096], false);
    loop {
        match stdout.read(&mut buffer).unwrap_or_default() {
            0 => break,
            length => said.extend_from_slice(&buffer[..length]),
        }
        if !has_typed && String::from_utf8_lossy(&said).contains(question) {
            has_typed = true;
            stdin.write_all(keys).unwrap();
        }
    }
    let code = child.wait().unwrap().code().unwrap();
    Some((code, String::from_utf8_lossy(&said).into_owned()))
}

#[test]
fn ctrl_c_at_a_question_ends_the_command_and_begins_no_run() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (state, plan) = (path("state"), path("plan.json"));
    let scope = ["--server", "pg-keycloak", "--accept-breakage", "*=a test"];
    let planned = run(&[&["plan", "--simulate", "--state", &state, "-q", "--out", &plan][..], &scope].concat());
    assert!(std::path::Path::new(&plan).exists(), "{}", planned.stderr);
    let apply = format!("{} apply {plan} --simulate --state {state}", env!("CARGO_BIN_EXE_hostssl"));
    let Some((code, said)) = typed(&apply, "Type yes to continue:", b"\x03") else { return };
    assert!(code == 130 && said.contains("stopped at the question") && !said.contains("settling"), "{code}: {said}");
    let runs = run(&["runs", "--simulate", "--state", &state, "-o", "json"]);
    assert!(!runs.stdout.contains("\"apply\""), "{}", runs.stdout);
    let (code, said) = typed(&apply, "Type yes to continue:", b"yes\r").unwrap();
    assert_eq!(code, 0, "{said}");
}
