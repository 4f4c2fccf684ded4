//! The picture of the architecture is true: its arrows are the dependencies in the manifests.

use crate::{crates, dependencies, members, packages, program};
use std::collections::{BTreeMap, BTreeSet};

/// What tests of several crates share stands apart from the program.
const FOR_TESTS: &str = "test-support";

type Graph = BTreeMap<String, BTreeSet<String>>;

fn page() -> String {
    std::fs::read_to_string(crates().join("../docs/ARCHITECTURE.md")).unwrap()
}

/// The arrows of the picture: `a --> b & c`.
fn drawn(page: &str) -> Graph {
    let picture = page.split("```mermaid\n").nth(1).unwrap().split("```").next().unwrap();
    let mut graph = Graph::new();
    for (from, to) in picture.lines().filter_map(|line| line.split_once("-->")) {
        let to = to.split('&').map(|name| name.trim().to_owned());
        graph.entry(from.trim().to_owned()).or_default().extend(to);
    }
    graph
}

/// Everything that a crate reaches.
fn reached(graph: &Graph, from: &str) -> BTreeSet<String> {
    let mut reached = BTreeSet::new();
    let mut next = vec![from.to_owned()];
    while let Some(name) = next.pop() {
        let direct = graph.get(&name).into_iter().flatten();
        next.extend(direct.filter(|name| reached.insert((*name).clone())).cloned());
    }
    reached
}

/// What a crate depends on, without what one of those depends on anyway.
fn not_following(graph: &Graph, from: &str) -> BTreeSet<String> {
    let direct = graph.get(from).cloned().unwrap_or_default();
    let follows = |to: &String| direct.iter().any(|through| through != to && reached(graph, through).contains(to));
    direct.iter().filter(|to| !follows(to)).cloned().collect()
}

/// The rows of the table that says where to add what: what is added, and where.
fn where_to_add(page: &str) -> Vec<(&str, &str)> {
    let table = page.split("\n## Where to add\n").nth(1).unwrap();
    let rows = table.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |")?.split_once(" | "));
    rows.filter(|(what, _)| *what != "to add" && !what.starts_with("---")).collect()
}

/// Whether the workspace has a path: below its root or among the crates. An id in it stands for any.
fn is_there(path: &str) -> bool {
    let is = |id: &str| {
        let path = path.replace("ID", id);
        [crates().join(&path), crates().join("..").join(&path)].iter().any(|path| path.exists())
    };
    is("require_secure_transport") || is("require-secure-transport")
}

#[test]
fn where_to_add_what_names_places_that_are_there() {
    let page = page();
    let rows = where_to_add(&page);
    for what in ["a control", "a kind of server", "an output format", "a page", "what to do about an error"] {
        assert!(rows.iter().any(|(row, _)| *row == what), "the table does not say where to add {what}: {rows:?}");
    }
    let paths_of = |place: &str| -> Vec<String> {
        let quoted = place.split('`').skip(1).step_by(2);
        quoted.filter(|word| word.contains('/') && !word.contains(' ')).map(str::to_owned).collect()
    };
    for (what, place) in rows {
        let paths = paths_of(place);
        assert!(!paths.is_empty(), "{what}: no path to begin with");
        let gone: Vec<String> = paths.into_iter().filter(|path| !is_there(path)).collect();
        assert!(gone.is_empty(), "{what}: {gone:?} is not there");
    }
    assert!(!is_there("model/src/no_such_file.rs"), "every path is taken for one that is there");
}

#[test]
fn an_arrow_follows_only_through_another_one() {
    let graph = |arrows: &[(&str, &[&str])]| -> Graph {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        arrows.iter().map(|(from, to)| ((*from).to_owned(), owned(to))).collect()
    };
    let all = graph(&[("a", &["b", "c", "d"]), ("b", &["c"]), ("d", &[])]);
    assert_eq!(not_following(&all, "a").into_iter().collect::<Vec<_>>(), ["b", "d"]);
    assert_eq!(not_following(&all, "b").into_iter().collect::<Vec<_>>(), ["c"]);
}

#[test]
fn the_arrows_of_the_picture_are_the_dependencies() {
    let drawn = drawn(&page());
    let actual: Graph = members()
        .into_iter()
        .filter(|name| name != FOR_TESTS)
        .map(|name| {
            let needs = dependencies(&name);
            (name, needs)
        })
        .collect();
    for (from, to) in drawn.iter().flat_map(|(from, to)| to.iter().map(move |to| (from, to))) {
        assert!(
            actual.get(from).is_some_and(|needs| needs.contains(to)),
            "{from} --> {to} is drawn, and there is none"
        );
    }
    // An arrow that follows from others is left out, and no other one is.
    for name in actual.keys() {
        let arrows = drawn.get(name).cloned().unwrap_or_default();
        assert_eq!(arrows, not_following(&actual, name), "{name}: left the picture, right the manifests");
    }
}

#[test]
fn every_crate_is_described() {
    let page = page();
    let rows: BTreeSet<String> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
        .map(|(name, _)| name.to_owned())
        .collect();
    assert_eq!(rows, members());
}

/// What reaches the network, the disk, a database or a runtime.
const IMPURE_PACKAGES: [&str; 10] =
    ["axum", "azure_", "hickory-", "hyper", "reqwest", "rusqlite", "signal-hook", "socket2", "tokio", "tempfile"];
const IMPURE_CODE: [&str; 8] = [
    "std::env::",
    "std::fs",
    "std::net::Tcp",
    "std::process::",
    "Instant::now()",
    "SystemTime::now()",
    "Timestamp::now()",
    "stdout()",
];

#[test]
fn what_is_said_to_do_no_io_does_none() {
    let page = page();
    let pure: Vec<&str> =
        page.lines().filter_map(|line| line.strip_suffix("| none |")?.strip_prefix("| `")?.split('`').next()).collect();
    assert!(pure.len() >= 8 && pure.contains(&"model") && pure.contains(&"audit"), "{pure:?}");
    for name in pure {
        for package in packages(name) {
            assert!(!IMPURE_PACKAGES.iter().any(|one| package.starts_with(one)), "{name} depends on {package}");
        }
        for (file, text) in program(name) {
            let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
            for line in code {
                assert!(!IMPURE_CODE.iter().any(|one| line.contains(one)), "{file}: {line}");
            }
        }
    }
}
