//! A name means one thing in the workspace: no new type is called the same as one of another crate. And functions are
//! called by what they do.

use crate::{members, program};
use std::collections::{BTreeMap, BTreeSet};

/// It shares no code with any other crate, so that a mistake in one is not a mistake in both (design record 004), and has
/// words of its own for the same things of Azure.
pub(crate) const APART: &str = "azure-sim";

/// A type that other files can name.
#[derive(Debug, PartialEq, Eq)]
struct Definition<'a> {
    name: &'a str,
    is_public: bool,
}

/// What a line defines, if it defines such a type.
fn definition(line: &str) -> Option<Definition<'_>> {
    let line = line.trim_start().strip_prefix("pub")?;
    let (is_public, line) = match line.strip_prefix('(') {
        Some(restricted) => (false, restricted.split_once(')')?.1),
        None => (true, line),
    };
    let mut words = line.strip_prefix(' ')?.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
    let is_type = ["struct", "enum", "trait", "type", "union"].contains(&words.next()?);
    words.next().filter(|_| is_type).map(|name| Definition { name, is_public })
}

#[test]
fn a_new_name_means_one_thing() {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for member in members().into_iter().filter(|member| member != APART) {
        for (_, text) in program(&member) {
            // The private structs of `formats` are frozen copies, and bear the names of what they are copies of.
            let types = text.lines().filter_map(definition).filter(|found| found.is_public || member != "formats");
            types.for_each(|one| _ = found.entry(one.name.to_owned()).or_default().insert(member.clone()));
        }
    }
    assert!(found.len() > 500, "{}", found.len());
    found.retain(|_, members| members.len() > 1);
    assert!(found.is_empty(), "rename one by what it means, or make it one type: {found:#?}");
}

/// Verbs without an object: no reader can guess what a function of such a name does.
const SAYS_NOTHING: [&str; 7] = ["again", "go_on", "lay", "say", "tell", "tell_", "told"];

/// Whether a line defines a function of such a name, or of one that begins so.
fn says_nothing(line: &str) -> bool {
    let Some((_, rest)) = line.split_once("fn ") else { return false };
    let name: &str = rest.split(|letter: char| !letter.is_alphanumeric() && letter != '_').next().unwrap_or_default();
    SAYS_NOTHING.iter().any(|word| name == *word || (word.ends_with('_') && name.starts_with(word)))
}

#[test]
fn the_name_of_a_function_says_what_it_does() {
    assert!(says_nothing("    pub(crate) fn tell_gaps(gaps: &[Gap]) {") && says_nothing("async fn again("));
    assert!(!says_nothing("fn telling()") && !says_nothing("fn layout(") && !says_nothing("// told"));
    let mut found = Vec::new();
    for member in members() {
        for (path, text) in program(&member) {
            found.extend(text.lines().filter(|line| says_nothing(line)).map(|line| format!("{path}: {}", line.trim())));
        }
    }
    assert!(found.is_empty(), "name what is printed, merged or repeated: {found:#?}");
}

#[test]
fn definitions_are_recognised() {
    let name = |line| definition(line).map(|found| (found.name, found.is_public));
    assert_eq!(name("pub struct Plan {"), Some(("Plan", true)));
    assert_eq!(name("    pub(crate) enum Job<T> {"), Some(("Job", false)));
    assert_eq!(name("pub(in crate::a) type Row = (u8, u8);"), Some(("Row", false)));
    for none in
        ["struct A;", "pub fn plan() {", "pub use a::Plan;", "/// pub struct Plan", "pub mod plan;", "public!();"]
    {
        assert_eq!(name(none), None, "{none}");
    }
}
