//! Rules of the whole workspace, held by reading its sources.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod architecture;
mod modules;
mod names;
mod settings;
mod sizes;
mod words;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The folder of all crates.
fn crates() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The names of all crates, as their folders have them.
fn members() -> BTreeSet<String> {
    let folders = std::fs::read_dir(crates()).unwrap().map(|entry| entry.unwrap().path());
    let members = folders.filter(|folder| folder.join("Cargo.toml").is_file());
    members.map(|folder| folder.file_name().unwrap().to_str().unwrap().to_owned()).collect()
}

/// The packages that a crate depends on, without those of its tests.
fn packages(member: &str) -> BTreeSet<String> {
    let manifest = std::fs::read_to_string(crates().join(member).join("Cargo.toml")).unwrap();
    let section = manifest.split("\n[").find_map(|section| section.strip_prefix("dependencies]")).unwrap_or_default();
    let names = section.lines().map(|line| line.split(['.', ' ', '=']).next().unwrap().to_owned());
    names.filter(|name| !name.is_empty()).collect()
}

/// Those of them that are crates of the workspace.
fn dependencies(member: &str) -> BTreeSet<String> {
    packages(member).iter().filter_map(|name| name.strip_prefix("hostssl-").map(ToOwned::to_owned)).collect()
}

/// The sources of a crate, by their paths below the folder of all crates: the program alone, without its tests.
fn program(member: &str) -> Vec<(String, String)> {
    let mut files = Vec::new();
    sources(&crates().join(member).join("src"), &mut files);
    let named = files.into_iter().map(|file| {
        let name = file.strip_prefix(crates()).unwrap().to_str().unwrap().replace('\\', "/");
        let text = std::fs::read_to_string(&file).unwrap();
        (name, without_tests(&text).to_owned())
    });
    named.collect()
}

/// A source up to the tests at its end. A module of tests in a file of its own is declared at the beginning.
fn without_tests(text: &str) -> &str {
    const TESTS: &str = "#[cfg(test)]\nmod ";
    let begins = |at: &usize| text[at + TESTS.len()..].lines().next().is_some_and(|line| line.ends_with('{'));
    text.match_indices(TESTS).map(|(at, _)| at).find(begins).map_or(text, |at| &text[..at])
}

#[test]
fn only_the_tests_of_a_source_are_left_out() {
    let source = "#[cfg(test)]\nmod corpus_tests;\nfn a() {}\n#[cfg(test)]\nmod tests {\n}\n";
    assert!(without_tests(source).ends_with("fn a() {}\n"));
    assert_eq!(without_tests("fn a() {}"), "fn a() {}");
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for path in entries.map(|entry| entry.unwrap().path()) {
        let is_test = path.file_stem().is_some_and(|stem| stem.to_string_lossy().ends_with("tests"));
        if path.is_dir() {
            sources(&path, found);
        } else if !is_test && path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn the_sources_are_found() {
    let members = members();
    assert!(members.len() >= 17 && members.contains("model"), "{members:?}");
    let files: usize = members.iter().map(|member| program(member).len()).sum();
    assert!(files > 300, "{files}");
    assert!(dependencies("ops").contains("azure") && !dependencies("probe").contains("formats"), "tests' are left out");
}
