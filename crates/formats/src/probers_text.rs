//! The probers in zones as text.

use crate::probers_json::{ListedProber, ListedRefusal};
use crate::{Cell, Entry, Heading, Section, Shown, Text, safe, write_list};
use hostssl_model::Outcome;
use std::io::{self, Write};

/// Refusals that are shown.
const SHOWN: usize = 10;

/// The columns of the probers.
pub const COLUMNS: &[Heading] = &[
    Heading::new("prober", Shown::Always),
    Heading::new("zone", Shown::Always),
    Heading::new("status", Shown::Always),
    Heading::new("last-contact", Shown::Always),
    Heading::new("looks", Shown::WithRoom(1)),
    Heading::new("version", Shown::WithRoom(3)),
    Heading::new("key", Shown::WithRoom(2)),
    Heading::new("without-look", Shown::Prose),
];

/// Writes the probers, and what was refused lately.
///
/// # Errors
///
/// Whatever the writer returns.
pub fn write(
    out: &mut dyn Write,
    probers: &[ListedProber],
    refusals: &[ListedRefusal],
    text: &Text<'_>,
) -> io::Result<()> {
    let entry = |prober: &ListedProber| {
        let status = match prober.status {
            "active" => Cell::plain(prober.status),
            other => Cell::outcome(Outcome::Fail, other),
        };
        let without = match &prober.example {
            None => String::new(),
            Some(example) if prober.without_look == 1 => example.clone(),
            Some(example) => format!("{example}, and {} more", prober.without_look.saturating_sub(1)),
        };
        let line = vec![
            Cell::plain(&prober.id),
            Cell::plain(&prober.zone),
            status,
            Cell::plain(&prober.last_contact),
            Cell::plain(format!("{} of {}", prober.answered, prober.asked)),
            Cell::plain(&prober.version),
            Cell::plain(prober.key_sha256.get(..16).unwrap_or_default()),
            Cell::plain(without),
        ];
        Entry { word: prober.status, lines: vec![line] }
    };
    let entries: Vec<Entry> = probers.iter().map(entry).collect();
    write_list(out, COLUMNS, vec![Section { title: None, entries }], text)?;
    if refusals.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nrefused lately:")?;
    for ListedRefusal { prober, at, why } in refusals.iter().take(SHOWN) {
        let prober = prober.as_deref().map_or(String::new(), |prober| format!("{}: ", safe(prober)));
        writeln!(out, "  {at}  {prober}{}", safe(why))?;
    }
    if let more @ 1.. = refusals.len().saturating_sub(SHOWN) {
        writeln!(out, "  and {more} more")?;
    }
    Ok(())
}
