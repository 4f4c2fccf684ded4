//! A file has one subject, and what tests share is in a crate.

use crate::{crates, members, program, sources};
use std::path::PathBuf;

/// Lines of code of a file, without blank lines and its tests. CONTRIBUTING.md asks for 100 to 400.
const LONGEST_FILE: usize = 450;

#[test]
fn a_file_has_one_subject() {
    let lines = |text: &str| text.lines().filter(|line| !line.trim().is_empty()).count();
    let all = members().into_iter().flat_map(|member| program(&member));
    let long: Vec<(String, usize)> =
        all.map(|(name, text)| (name, lines(&text))).filter(|(_, lines)| *lines > LONGEST_FILE).collect();
    assert!(long.is_empty(), "split by subject: {long:?}");
}

#[test]
fn tests_share_a_crate_and_no_paths() {
    let folders = ["src", "tests", "benches"];
    let mut files: Vec<PathBuf> = Vec::new();
    members().iter().for_each(|member| {
        folders.iter().for_each(|folder| sources(&crates().join(member).join(folder), &mut files));
    });
    assert!(files.len() > 400, "{}", files.len());
    let attribute = concat!("#[", "path");
    let found: Vec<_> =
        files.iter().filter(|file| std::fs::read_to_string(file).unwrap().contains(attribute)).collect();
    assert!(found.is_empty(), "share it through test-support: {found:?}");
}
