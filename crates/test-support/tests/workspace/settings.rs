//! Settings have one meaning: their words, and what a kind of server offers, stand in `model` and nowhere else.

use crate::{dependencies, members, program};
use hostssl_model::{ControlId, Kind, ParameterName};
use hostssl_remediation::FixableControl;
use std::collections::BTreeSet;

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
const ALLOWED: [&str; 11] = [
    "model/",
    "azure/",
    "azure-sim/",
    "formats/",
    "cli/src/args",
    "cli/src/commands/server/update.rs",
    "remediation/src/lint",
    "test-support/",
    "pgwire/src/tls/version.rs",
    // The keywords of libpq.
    "probe/src/target/keywords.rs",
    // The words of OpenSSL in the log of a server.
    "census/src/log/message.rs",
];

/// Lines of the program, without its tests, that do what nobody but the allowed may do.
fn offenders(allowed: &[&str], does: impl Fn(&str) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for (name, text) in members().iter().flat_map(|member| program(member)) {
        if !allowed.iter().any(|prefix| name.starts_with(prefix)) {
            let lines = text.lines().filter(|line| !line.trim_start().starts_with("//") && does(line));
            found.extend(lines.map(|line| format!("{name}: {}", line.trim())));
        }
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

/// A sentence that names a setting takes the name from the kind of the server: each kind has another one.
#[test]
fn no_text_names_a_setting_of_one_kind_only() {
    let names: Vec<&str> = ParameterName::ALL.iter().map(|name| name.as_str()).collect();
    // The column of `az postgres server list` in an example of a query.
    let allowed: Vec<&str> = ALLOWED.into_iter().chain(["cli/src/stdout.rs"]).collect();
    let found = offenders(&allowed, |line| line.contains('"') && names.iter().any(|name| line.contains(name)));
    assert!(found.is_empty(), "ask the kind's offering for the name:\n{}", found.join("\n"));
}

#[test]
fn only_model_and_azure_tell_kinds_of_servers_apart() {
    // Formats have frozen kinds of their own.
    let allowed = ["model/", "azure/", "azure-sim/", "formats/", "remediation/src/lint", "test-support/"];
    // A kind that is added is held without a change here.
    let variants = Kind::ALL.map(|kind| format!("Kind::{kind:?}"));
    let found = offenders(&allowed, |line| variants.iter().any(|name| line.contains(name)));
    assert!(found.is_empty(), "ask the kind's offering:\n{}", found.join("\n"));
}

#[test]
fn facts_are_kept_apart_from_judgement() {
    let store = dependencies("store");
    assert!(store.contains("model"), "the manifest is not read as it should be: {store:?}");
    assert!(!store.contains("audit"), "the store keeps, and ops judges");
    let console = dependencies("console");
    assert!(console.contains("ops"), "the manifest is not read as it should be: {console:?}");
    // What `census` keeps of clients are facts, as the postures of `model` are.
    for judge in ["audit", "azure", "probe"] {
        assert!(!console.contains(judge), "the console asks ops instead of {judge}");
    }
}

#[test]
fn tools_for_models_depend_on_nothing_that_sends_or_keeps() {
    let mcp = dependencies("mcp");
    assert!(mcp.contains("formats"), "the manifest is not read as it should be: {mcp:?}");
    for able in ["azure", "azure-sim", "console", "ops", "probe", "sessions", "store"] {
        assert!(!mcp.contains(able), "the tools ask through a trait instead of {able}");
    }
}

#[test]
fn what_the_controls_call_fixable_is_what_plans_fix() {
    let fixable: BTreeSet<ControlId> =
        hostssl_audit::ALL.iter().filter(|control| control.fixable).map(|control| control.id).collect();
    let planned: BTreeSet<ControlId> = FixableControl::AUDITED.iter().filter_map(|control| control.id()).collect();
    assert_eq!(fixable, planned, "`--control` and `plan` would disagree about what can be fixed");
    for id in ControlId::ALL {
        assert_eq!(FixableControl::of(id).is_some(), fixable.contains(&id), "{id}");
    }
}
