//! Sessions that are still in plaintext after a run: enforcement refuses new connections only.

use crate::{Column, Palette, safe, write_columns};
#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::Serialize;
use std::io::{self, Write};

/// Sessions that are shown of one server. JSON has them all.
const MOST_SHOWN: usize = 100;

/// The plaintext sessions of one server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct RunSessions {
    /// The server's resource id.
    pub server: String,
    /// Its name.
    #[serde(skip)]
    pub name: String,
    /// The sessions.
    pub sessions: Vec<RunSession>,
    /// Why the sessions are not known, or not all could be ended; absent otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(default))]
    pub reason: Option<String>,
}

/// A session in plaintext.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct RunSession {
    /// The user; null if it is not known.
    pub user: Option<String>,
    /// The database, or null.
    pub database: Option<String>,
    /// The name that the client gave itself; null if none.
    pub application: Option<String>,
    /// The address.
    pub address: Option<String>,
    /// Whether it is replication, which is never ended.
    pub replication: bool,
    /// Whether it was ended.
    pub ended: bool,
}

/// Writes them as text.
///
/// # Errors
///
/// Whatever the writer returns.
pub fn write(out: &mut dyn Write, found: &[RunSessions], palette: Palette) -> io::Result<()> {
    for server in found {
        let name = palette.bold(&safe(&server.name));
        match &server.reason {
            Some(why) if server.sessions.is_empty() => {
                writeln!(out, "{name}: sessions in plaintext could not be checked: {}", safe(why))?;
            }
            None if server.sessions.is_empty() => writeln!(out, "{name}: no session in plaintext is left")?,
            _ => write_server(out, &name, &server.sessions, palette)?,
        }
        if let Some(why) = server.reason.as_ref().filter(|_| !server.sessions.is_empty()) {
            writeln!(out, "  not all could be ended: {}", safe(why))?;
        }
    }
    Ok(())
}

fn write_server(out: &mut dyn Write, name: &str, sessions: &[RunSession], palette: Palette) -> io::Result<()> {
    let ended = sessions.iter().filter(|session| session.ended).count();
    let (count, plural) = (sessions.len(), if sessions.len() == 1 { "session" } else { "sessions" });
    let ended = if ended == 0 { String::new() } else { format!(", {ended} of them ended") };
    writeln!(out, "{name}: {count} {plural} connected in plaintext before the change{ended}")?;
    let headings = ["USER", "DATABASE", "APPLICATION", "ADDRESS", "BACKEND", "STATE"];
    let mut rows = vec![headings.map(|h| Column::painted(h, palette.faint(h))).to_vec()];
    let text = |text: &Option<String>| Column::plain(text.as_deref().map_or("-".into(), safe));
    rows.extend(sessions.iter().take(MOST_SHOWN).map(|session| {
        vec![
            text(&session.user),
            text(&session.database),
            text(&session.application),
            text(&session.address),
            Column::plain(if session.replication { "replication" } else { "client" }),
            Column::plain(if session.ended { "ended" } else { "connected" }),
        ]
    }));
    write_columns(out, "  ", &rows)?;
    let hidden = count.saturating_sub(MOST_SHOWN);
    if hidden > 0 {
        writeln!(out, "  and {hidden} more; -o json lists them all")?;
    }
    Ok(())
}
