//! The name of a module means one thing in the workspace: two crates have one of the same name only where both are about the
//! same thing, which is written down here.

use crate::names::APART;
use crate::{members, program};
use std::collections::{BTreeMap, BTreeSet};

/// The names that modules of several crates have, and the one thing that all of them are about.
const ONE_MEANING: [(&str, &str); 59] = [
    ("apply", "carrying out an approved plan: the command, the page, the use case"),
    ("audit", "an audit: the command, the job, the use case"),
    ("audits", "the audits that are kept"),
    ("census", "who connects to a server: its folding, and how it is kept"),
    ("change", "servers being changed: the options, and the job"),
    ("chart", "a trend, drawn as SVG"),
    ("clients", "the clients of servers"),
    ("control", "a control of an audit"),
    ("controls", "the controls of an audit"),
    ("current", "what is true of a server now: its folding, and how it is kept"),
    ("diff", "what is different between two audits"),
    ("doctor", "`hostssl doctor`: its command, its checks, their result"),
    ("document", "the JSON that the store keeps: of a census, of an audit"),
    ("endpoint", "an endpoint that is probed, and its form in JSON"),
    ("error", "the errors of the crate"),
    ("exit", "how an audit ends, and the exit code for it"),
    ("explain", "`hostssl explain` and the tool of the same name"),
    ("gate", "what makes an audit fail a pipeline: the options, and the decision"),
    ("headline", "the first sentence about a fleet"),
    ("journal", "the journal of a run: the trait, and the one in memory for tests"),
    ("judge", "the wire as the last judge of a change: the trait's use, and its implementation"),
    ("listener", "one listener of a server, and its forms"),
    ("listeners", "the listeners of one server"),
    ("listing", "the zones and their servers as a list: its making, and its page"),
    ("log_analytics", "a workspace of Log Analytics: the client, and the use case"),
    ("log_files", "the log files that a server offers: the client, and the command"),
    ("looks", "looks from zones: the options, and the reading of them"),
    ("metrics", "figures for Prometheus: their form, and the page that serves them"),
    ("names", "the names of subscriptions: their source, and their use in texts"),
    ("options", "what the crate's one task can be told"),
    ("plan", "a plan: its type, its making, its command, page and tool"),
    ("policy", "assignments of Azure Policy: the command, and their form"),
    ("pooler", "the PgBouncer of a server"),
    ("probe", "a probe that a person asks for: the command, and the page"),
    ("probes", "the probes that are kept"),
    ("read", "the half of a format that reads it"),
    ("report", "the result of the crate's one task"),
    ("run_progress", "how far a run is that changes servers"),
    ("runs", "what was run: how it is kept, listed and shown"),
    ("sampling", "samples of the sessions of a server: their taking, and what they can miss"),
    ("schema", "JSON Schemas"),
    ("scope", "what a run is asked to look at, and its resolution"),
    ("server", "one server of PostgreSQL, and its forms"),
    ("servers", "the servers of PostgreSQL in a list or in a file"),
    ("setting", "a setting of a server and its meaning"),
    ("shared_log", "the log that several machines share: its following, and what every one has to do"),
    ("shared_store", "the store that several machines share: its option, and the following of it"),
    ("state", "the state directory"),
    ("stop", "the stop of a run: its causes, and its signal"),
    ("tags", "the tags of a server"),
    ("text", "text from outside, made safe to keep"),
    ("tls", "TLS: its versions, its bytes, a session over it"),
    ("tool_source", "what the tools for models ask: the trait, and the answers"),
    ("trend", "how the figures of audits change over time"),
    ("verdict", "what a probe or a census concludes"),
    ("version", "versions of TLS in bytes and in JSON"),
    ("waiver", "a waived failure, and its form in JSON"),
    ("waivers", "a file of waivers: its rules, its command, and its use on pages"),
    ("zones", "the zones that servers are probed from"),
];

/// The name of the module in a source: that of its folder, if the file has none of its own.
fn module(path: &str) -> Option<&str> {
    let mut parts = path.strip_suffix(".rs")?.rsplit('/');
    match parts.next()? {
        "mod" => parts.next(),
        // The roots of crates are called what Cargo wants.
        "lib" | "main" => None,
        name => Some(name),
    }
}

#[test]
fn a_name_of_modules_in_two_crates_means_one_thing() {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for member in members().into_iter().filter(|member| member != APART) {
        for (path, _) in program(&member) {
            let below = path.split_once("/src/").map_or("", |(_, below)| below);
            if let Some(name) = module(below) {
                found.entry(name.to_owned()).or_default().insert(member.clone());
            }
        }
    }
    assert!(found.len() > 250, "{}", found.len());
    found.retain(|_, members| members.len() > 1);
    let explained: BTreeSet<&str> = ONE_MEANING.iter().map(|(name, _)| *name).collect();
    let unexplained: Vec<_> = found.iter().filter(|(name, _)| !explained.contains(name.as_str())).collect();
    assert!(unexplained.is_empty(), "rename one by what it is about, or write the one meaning down: {unexplained:#?}");
    let stale: Vec<_> = explained.iter().filter(|name| !found.contains_key(**name)).collect();
    assert!(stale.is_empty(), "no two crates have modules of these names any more: {stale:?}");
}

#[test]
fn modules_are_recognised() {
    assert_eq!(module("plan.rs"), Some("plan"));
    assert_eq!(module("audits/mod.rs"), Some("audits"));
    assert_eq!(module("audits/list.rs"), Some("list"));
    assert_eq!(module("lib.rs"), None);
}
