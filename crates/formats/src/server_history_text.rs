//! What was done to a server, by whom, as text.

use crate::style::terminal_link;
use crate::who_text::{to_the_second, unread};
use crate::{Cell, Entry, Heading, Section, Shown, Text, portal_link, safe, write_list};
use hostssl_model::{Activity, ActivityEnd, ResourceId, Unchecked};
use std::io::{self, Write};

/// The columns of what was done.
pub const COLUMNS: &[Heading] = &[
    Heading::new("at", Shown::Always),
    Heading::new("what", Shown::Always),
    Heading::new("by", Shown::Always),
    Heading::new("end", Shown::Always),
    Heading::new("run", Shown::Prose),
];

/// What was done to a server.
#[derive(Debug)]
pub struct ServerHistory<'a> {
    /// The server.
    pub server: &'a ResourceId,
    /// The cloud that it is in, under the Azure CLI's name.
    pub cloud: &'a str,
    /// The first moment that the Activity Log was asked for.
    pub since: String,
    /// The last one.
    pub until: String,
    /// Why the Activity Log was not read whole.
    pub unread: Option<&'a Unchecked>,
    /// What was done, the newest first.
    pub entries: Vec<ServerEvent<'a>>,
}

/// Something that was done to a server, as the Activity Log has it, or hostssl, or both.
#[derive(Debug)]
pub struct ServerEvent<'a> {
    /// What the Activity Log has of it.
    pub operation: Option<&'a Activity>,
    /// The write of a run that it was.
    pub run: Option<RunWrite<'a>>,
}

/// A write of a run of hostssl.
#[derive(Debug)]
pub struct RunWrite<'a> {
    /// The id of the run.
    pub run: &'a str,
    /// Who ordered it, or the identity that wrote.
    pub by: &'a str,
    /// When the value was read back.
    pub at: String,
    /// The setting, under its key.
    pub setting: &'a str,
    /// The value before.
    pub before: &'a str,
    /// The value that was read back.
    pub after: &'a str,
    /// Whether it was an undo.
    pub undo: bool,
}

/// Writes the history.
///
/// # Errors
///
/// Whatever the writer returns.
pub fn write(out: &mut dyn Write, history: &ServerHistory<'_>, text: &Text<'_>) -> io::Result<()> {
    let title = text.palette.bold(&safe(history.server.as_str()));
    let link = portal_link(history.cloud, None, history.server.as_str()).filter(|_| text.links);
    writeln!(out, "{}", link.map_or(title.clone(), |link| terminal_link(&link, &title)))?;
    writeln!(out)?;
    if !history.entries.is_empty() {
        let entries = history.entries.iter().map(entry).collect();
        write_list(out, COLUMNS, vec![Section { title: None, entries }], text)?;
    }
    let (since, until) = (to_the_second(&history.since), to_the_second(&history.until));
    match history.unread {
        None if history.entries.is_empty() => {
            writeln!(out, "nothing in the Activity Log from {since} to {until}; the last minutes may be missing")
        }
        None => writeln!(out, "Activity Log from {since} to {until}; the last minutes may be missing"),
        Some(why) => writeln!(out, "incomplete: {}", unread(why)),
    }
}

/// What `--only` calls a write that the log does not have.
const NOT_IN_LOG: &str = "not-in-log";

/// The words that rows are chosen by: how each ended.
#[must_use]
pub fn words() -> Vec<&'static str> {
    let ends = [ActivityEnd::Succeeded, ActivityEnd::Failed, ActivityEnd::Unknown];
    ends.into_iter().map(ActivityEnd::as_str).chain([NOT_IN_LOG]).collect()
}

fn entry(event: &ServerEvent<'_>) -> Entry {
    let run = event.run.as_ref();
    let of_run = run.map(|write| {
        let (before, after) = (write.before, write.after);
        let word = if write.undo { "undo" } else { "change" };
        format!("hostssl {word} {} by {}: {before} -> {after}", write.run, write.by)
    });
    let cells = match event.operation {
        Some(operation) => [
            to_the_second(&operation.at),
            operation.act.to_string(),
            operation.caller.to_string(),
            operation.end.as_str().to_owned(),
        ],
        None => [
            run.map(|write| to_the_second(&write.at)).unwrap_or_default(),
            run.map(|write| write.setting.to_owned()).unwrap_or_default(),
            run.map(|write| write.by.to_owned()).unwrap_or_default(),
            "not in the log".to_owned(),
        ],
    };
    let mut line: Vec<Cell> = cells.into_iter().map(Cell::plain).collect();
    line.push(Cell::plain(of_run.unwrap_or_else(|| "-".to_owned())));
    let word = event.operation.map_or(NOT_IN_LOG, |operation| operation.end.as_str());
    Entry { word, lines: vec![line] }
}
