//! Zones as text: the rules in their order, and above all what they leave out.

use crate::zones_json::ZoneCoverage;
use crate::{Cell, Entry, Heading, Section, Shown, Text, safe, write_list};
use hostssl_model::{Outcome, ZoneRule};
use std::io::{self, Write};

/// The columns of the rules.
pub const COLUMNS: &[Heading] = &[
    Heading::new("zone", Shown::Always),
    Heading::new("servers", Shown::WithRoom(1)),
    Heading::new("line", Shown::WithRoom(2)),
    Heading::new("condition", Shown::Prose),
];

/// Writes the rules in the order in which they are tried, and what they cover, where that is known.
///
/// # Errors
///
/// Whatever the writer returns.
pub fn write(
    out: &mut dyn Write,
    rules: &[ZoneRule],
    coverage: Option<&ZoneCoverage<'_>>,
    text: &Text<'_>,
) -> io::Result<()> {
    let entry = |(number, rule): (usize, &ZoneRule)| {
        let servers = match coverage.and_then(|coverage| coverage.servers.get(number)) {
            None => Cell::plain("-"),
            Some(0) => Cell::outcome(Outcome::Fail, "0"),
            Some(count) => Cell::number(*count as u64),
        };
        let line =
            vec![Cell::plain(&*rule.zone), servers, Cell::number(rule.line.into()), Cell::plain(condition(rule))];
        Entry { word: "rule", lines: vec![line] }
    };
    let entries: Vec<Entry> = rules.iter().enumerate().map(entry).collect();
    write_list(out, COLUMNS, vec![Section { title: None, entries }], text)?;
    let Some(coverage) = coverage else { return Ok(()) };
    if !coverage.uncovered.is_empty() {
        let count = coverage.uncovered.len();
        let (servers, are) = if count == 1 { ("server", "is") } else { ("servers", "are") };
        writeln!(out, "\n{count} private {servers} {are} in no zone: nothing proves from outside what they do")?;
        for server in coverage.uncovered {
            writeln!(out, "  {}  {}", safe(server.name()), safe(&server.network.place()))?;
        }
    }
    Ok(())
}

/// The conditions of a rule, in words.
#[must_use]
pub fn condition(rule: &ZoneRule) -> String {
    let conditions = rule.conditions();
    let said = conditions.iter().filter_map(|(name, value)| value.map(|value| format!("{name} {value}")));
    said.collect::<Vec<_>>().join(" and ")
}
