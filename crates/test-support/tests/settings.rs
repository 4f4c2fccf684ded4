//! Settings have one meaning: their words, and what a kind of server offers, stand in `model` and nowhere else.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use hostssl_model::{ControlId, ParameterName};
use hostssl_remediation::FixableControl;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The words of settings that only `model` may know, with quotation marks. Names of parameters and ids of controls are added
/// from the model's own lists, so that a new one is held without a change here.
const WORDS: [&str; 13] = [
    "\"TLSEnforcementDisabled\"",
    "\"Enabled\"",
    "\"Disabled\"",
    "\"TLS1_0\"",
    "\"TLS1_1\"",
    "\"TLS1_2\"",
    "\"TLS1_3\"",
    "\"TLSv1\"",
    "\"TLSv1.0\"",
    "\"TLSv1.1\"",
    "\"TLSv1.2\"",
    "\"TLSv1.3\"",
    "\"TLSV1.2\"",
];

fn words() -> Vec<String> {
    let quoted = |word: &str| format!("\"{word}\"");
    let names = ParameterName::ALL.iter().map(|name| quoted(name.as_str()));
    let controls = ControlId::ALL.iter().map(|id| quoted(id.as_str()));
    WORDS.into_iter().map(ToOwned::to_owned).chain(names).chain(controls).collect()
}

/// Who speaks Azure's language, or is apart on purpose: the client and the simulator, frozen formats, the names of values on
/// the command line, and the second opinion on a plan.
const ALLOWED: [&str; 9] = [
    "model/",
    "azure/",
    "azure-sim/",
    "formats/",
    "cli/src/args",
    "remediation/src/lint",
    "test-support/",
    "pgwire/src/tls/version.rs",
    // The words of OpenSSL in the log of a server.
    "census/src/log/message.rs",
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let is_test = path.file_stem().is_some_and(|stem| stem.to_string_lossy().ends_with("tests"));
        if path.is_dir() {
            sources(&path, found);
        } else if !is_test && path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

/// Lines of the program, without its tests, that do what nobody but the allowed may do.
fn offenders(allowed: &[&str], does: impl Fn(&str) -> bool) -> Vec<String> {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut files = Vec::new();
    for member in std::fs::read_dir(crates).unwrap() {
        let src = member.unwrap().path().join("src");
        if src.is_dir() {
            sources(&src, &mut files);
        }
    }
    assert!(files.len() > 200, "the sources are not where they are looked for: {}", files.len());
    let mut found = Vec::new();
    for file in files {
        let name = file.strip_prefix(crates).unwrap().to_str().unwrap().replace('\\', "/");
        if allowed.iter().any(|prefix| name.starts_with(prefix)) {
            continue;
        }
        let text = std::fs::read_to_string(&file).unwrap();
        let program = text.split("#[cfg(test)]").next().unwrap_or_default();
        let lines = program.lines().filter(|line| !line.trim_start().starts_with("//") && does(line));
        found.extend(lines.map(|line| format!("{name}: {}", line.trim())));
    }
    found
}

#[test]
fn only_model_knows_the_words_of_settings_and_controls() {
    let words = words();
    assert!(words.len() >= 13 + 6 + 10, "{words:?}");
    let found = offenders(&ALLOWED, |line| words.iter().any(|word| line.contains(word)));
    assert!(found.is_empty(), "decide it in model and ask there:\n{}", found.join("\n"));
}

#[test]
fn only_model_and_azure_tell_kinds_of_servers_apart() {
    // Formats have frozen kinds of their own.
    let allowed = ["model/", "azure/", "azure-sim/", "formats/", "remediation/src/lint", "test-support/"];
    let variants = ["Flexible", "ElasticCluster", "Single", "CosmosCluster", "Horizon"];
    let found = offenders(&allowed, |line| variants.iter().any(|name| line.contains(&format!("Kind::{name}"))));
    assert!(found.is_empty(), "ask the kind's offering:\n{}", found.join("\n"));
}

/// The crates of the workspace that a crate depends on, without those of its tests.
fn dependencies(name: &str) -> Vec<String> {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let manifest = std::fs::read_to_string(crates.join(name).join("Cargo.toml")).unwrap();
    let section = manifest.split("\n[").find_map(|section| section.strip_prefix("dependencies]")).unwrap();
    let names = section.lines().filter_map(|line| line.strip_prefix("hostssl-"));
    names.map(|line| line.split(['.', ' ']).next().unwrap().to_owned()).collect()
}

#[test]
fn facts_are_kept_apart_from_judgement() {
    let store = dependencies("store");
    assert!(store.contains(&"model".to_owned()), "the manifest is not read as it should be: {store:?}");
    assert!(!store.contains(&"audit".to_owned()), "the store keeps, and ops judges");
    let console = dependencies("console");
    assert!(console.contains(&"ops".to_owned()), "the manifest is not read as it should be: {console:?}");
    for judge in ["audit", "azure", "census", "probe"] {
        assert!(!console.contains(&judge.to_owned()), "the console asks ops instead of {judge}");
    }
}

#[test]
fn what_the_controls_call_fixable_is_what_plans_fix() {
    let fixable: BTreeSet<ControlId> =
        hostssl_audit::ALL.iter().filter(|control| control.fixable).map(|control| control.id).collect();
    let planned: BTreeSet<ControlId> = FixableControl::ALL.iter().map(|control| control.id()).collect();
    assert_eq!(fixable, planned, "`--control` and `plan` would disagree about what can be fixed");
    for id in ControlId::ALL {
        assert_eq!(FixableControl::of(id).is_some(), fixable.contains(&id), "{id}");
    }
}
