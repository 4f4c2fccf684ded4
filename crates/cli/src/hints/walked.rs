//! The list of errors is whole.

use super::collect;
use std::collections::BTreeSet;
use std::path::Path;

#[test]
fn every_error_that_gives_advice_is_walked() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut files = Vec::new();
    collect(crates, &mut files);
    let mut found = BTreeSet::new();
    for file in files.iter().filter(|file| !file.ends_with("hints.rs")) {
        let text = std::fs::read_to_string(file).unwrap();
        let names = text.lines().filter_map(|line| line.strip_prefix("impl Advice for "));
        found.extend(names.filter_map(|rest| rest.split(' ').next().map(str::to_owned)));
    }
    let own = [include_str!("../hints.rs"), include_str!("store_errors.rs")].concat();
    let walked = |name: &String| ["::", "(", " {"].iter().any(|end| own.contains(&format!("{name}{end}")));
    // That one is made by reading a line.
    found.retain(|name| !walked(name) && name != "InvalidSigners");
    assert!(found.is_empty(), "an error of each joins the lists above: {found:?}");
}
