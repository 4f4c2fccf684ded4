//! What `hostssl --version --verbose` says of the build. Asks git if the sources are a checkout, and the network never.

use std::path::Path;
use std::process::Command;

/// Set by scripts/dist, which builds exactly that commit.
const COMMIT: &str = "HOSTSSL_COMMIT";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed={COMMIT}");
    println!("cargo::rustc-env=HOSTSSL_BUILD_COMMIT={}", commit());
    println!("cargo::rustc-env=HOSTSSL_BUILD_FEATURES={}", features());
    println!("cargo::rustc-env=HOSTSSL_BUILD_TARGET={}", variable("TARGET"));
    println!("cargo::rustc-env=HOSTSSL_BUILD_RUSTC={}", rustc());
}

/// The commit, and whether the build is of it alone: only scripts/dist knows that. Cargo does not run this again for a
/// changed source, so whether there were changes cannot be told here.
fn commit() -> String {
    let given = variable(COMMIT);
    if !given.is_empty() {
        let is_id = given.len() == 40 && given.bytes().all(|byte| byte.is_ascii_hexdigit());
        assert!(is_id, "{COMMIT} is {given:?}, not the 40 digits of a commit");
        return given;
    }
    // The folder of the sources may lie in someone else's repository.
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let is_ours = git(&["rev-parse", "--show-prefix"]).is_some_and(|prefix| prefix == "crates/cli/");
    let Some(commit) = git(&["rev-parse", "HEAD"]).filter(|_| is_ours && workspace.join("Cargo.lock").exists()) else {
        return "unknown".to_owned();
    };
    if let Some(log) = git(&["rev-parse", "--path-format=absolute", "--git-path", "logs/HEAD"])
        && Path::new(&log).exists()
    {
        println!("cargo::rerun-if-changed={log}");
    }
    format!("{commit}, with or without changes")
}

fn git(arguments: &[&str]) -> Option<String> {
    printed(Command::new("git").args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")))
}

fn rustc() -> String {
    let version = printed(Command::new(variable("RUSTC")).arg("--version")).unwrap_or_default();
    version.split(' ').nth(1).unwrap_or("unknown").to_owned()
}

fn features() -> String {
    let prefix = "CARGO_FEATURE_";
    let mut names: Vec<String> = std::env::vars()
        .filter_map(|(name, _)| Some(name.strip_prefix(prefix)?.to_lowercase().replace('_', "-")))
        .filter(|name| name != "default")
        .collect();
    names.sort();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

fn printed(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_default()
}
