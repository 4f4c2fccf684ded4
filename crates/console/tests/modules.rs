//! The files of the console form no circle: whatever a job or a page needs can be read without reading who uses it.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

type Graph = BTreeMap<String, BTreeSet<String>>;

/// Every module with its text, without tests.
fn modules(folder: &Path, prefix: &str, found: &mut BTreeMap<String, String>) {
    for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let name = entry.file_stem().unwrap().to_str().unwrap().to_owned();
        let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}::{name}") };
        if entry.is_dir() {
            modules(&entry, &path, found);
        } else if name != "lib" {
            let text = std::fs::read_to_string(&entry).unwrap();
            let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default().to_owned();
            found.insert(if name == "mod" { prefix.to_owned() } else { path }, code);
        }
    }
}

/// The module of a path: its longest beginning that is one.
fn module_of<'a>(path: &str, modules: &'a BTreeMap<String, String>) -> Option<&'a String> {
    let parts: Vec<&str> = path.split("::").collect();
    (1..=parts.len()).rev().find_map(|end| modules.get_key_value(&parts.get(..end)?.join("::"))).map(|(name, _)| name)
}

/// The paths behind `crate::` in a text, those in braces each on its own.
fn paths(text: &str) -> Vec<String> {
    let is_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let mut found = Vec::new();
    for behind in text.split("crate::").skip(1) {
        let end = behind.find(|c| !is_path(c)).unwrap_or(behind.len());
        let (path, rest) = behind.split_at(end);
        match rest.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
            Some((names, _)) => found.extend(names.split(',').map(|name| format!("{path}{}", name.trim()))),
            None => found.push(path.to_owned()),
        }
    }
    found
}

fn graph(modules: &BTreeMap<String, String>) -> Graph {
    let needs = |(name, text): (&String, &String)| {
        let needed = paths(text).into_iter().filter_map(|path| module_of(&path, modules).cloned());
        (name.clone(), needed.filter(|one| one != name).collect())
    };
    modules.iter().map(needs).collect()
}

/// A circle, as the modules on it.
fn circle(graph: &Graph) -> Option<Vec<String>> {
    fn visit(graph: &Graph, at: &str, way: &mut Vec<String>, done: &mut BTreeSet<String>) -> Option<Vec<String>> {
        if let Some(start) = way.iter().position(|one| one == at) {
            return way.get(start..).map(<[String]>::to_vec);
        }
        if !done.insert(at.to_owned()) {
            return None;
        }
        way.push(at.to_owned());
        let found = graph.get(at).into_iter().flatten().find_map(|next| visit(graph, next, way, done));
        way.pop();
        found
    }
    let mut done = BTreeSet::new();
    graph.keys().find_map(|start| visit(graph, start, &mut Vec::new(), &mut done))
}

#[test]
fn no_module_needs_whoever_needs_it() {
    let mut found = BTreeMap::new();
    modules(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), "", &mut found);
    let graph = graph(&found);
    assert!(graph.values().map(BTreeSet::len).sum::<usize>() > 50, "the search is broken: {graph:?}");
    assert_eq!(circle(&graph), None);
}

#[test]
fn a_circle_is_found() {
    let graph = |edges: &[(&str, &str)]| -> Graph {
        let mut graph = Graph::new();
        for (a, b) in edges {
            graph.entry((*a).into()).or_default().insert((*b).into());
        }
        graph
    };
    assert_eq!(circle(&graph(&[("a", "b"), ("b", "c"), ("a", "c")])), None);
    assert_eq!(circle(&graph(&[("a", "b"), ("b", "c"), ("c", "b")])), Some(vec!["b".to_owned(), "c".to_owned()]));
}
