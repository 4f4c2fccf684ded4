//! The census of clients as text: verdicts first, who would be refused, what could not be observed, what to change.

use crate::clients::{ClientsReport, ServerClients, minute};
use crate::clients_sheet::{SHEET_HINT, by_driver};
use crate::{Cell, Column, Entry, Heading, Palette, Section, Shown, Text, safe, write_columns, write_list};
use hostssl_census::{CensusReport, CensusVerdict, Client, Doubt, MissingReason, RefusedClient, SessionTls};
use hostssl_model::Outcome;
use std::io::{self, Write};

/// Clients of one state that are shown of one server. The other formats have them all.
const MOST_SHOWN: usize = 100;
/// Servers whose clients are shown one by one.
const MOST_SERVERS: usize = 50;

/// The columns of the verdicts.
const COLUMNS: [Heading; 7] = [
    Heading::new("verdict", Shown::Always),
    Heading::new("server", Shown::Always),
    Heading::new("plaintext", Shown::Always),
    Heading::new("unknown", Shown::Always),
    Heading::new("tls", Shown::Always),
    Heading::new("local", Shown::Always),
    Heading::new("why", Shown::Prose),
];

/// What a verdict means for colours and counts.
fn outcome(verdict: CensusVerdict) -> Outcome {
    match verdict {
        CensusVerdict::Safe => Outcome::Pass,
        CensusVerdict::Breaks => Outcome::Fail,
        CensusVerdict::NeedsObservation => Outcome::Unknown,
    }
}

/// Writes a census.
///
/// # Errors
///
/// Whatever the writer returns.
pub fn write(out: &mut dyn Write, report: &ClientsReport, text: &Text<'_>) -> io::Result<()> {
    let palette = text.palette;
    let mut servers: Vec<&ServerClients> = report.servers.iter().collect();
    servers.sort_by(|a, b| (a.census.verdict, &a.name).cmp(&(b.census.verdict, &b.name)));
    let entries = servers.iter().map(|server| verdict(server)).collect();
    write_list(out, &COLUMNS, vec![Section { title: None, entries }], text)?;
    for server in servers.iter().take(MOST_SERVERS) {
        write_server(out, server, palette)?;
    }
    let hidden = servers.len().saturating_sub(MOST_SERVERS);
    if hidden > 0 {
        writeln!(out, "\nthe clients of {hidden} more servers are in -o csv and -o json")?;
    }
    let count = |verdict| servers.iter().filter(|server| server.census.verdict == verdict).count();
    let (breaks, needs, safe) =
        (count(CensusVerdict::Breaks), count(CensusVerdict::NeedsObservation), count(CensusVerdict::Safe));
    let plural = if servers.len() == 1 { "" } else { "s" };
    writeln!(
        out,
        "\n{} server{plural}: {breaks} would break clients, {needs} need observation, {safe} safe to enforce",
        servers.len()
    )?;
    if breaks > 0 {
        writeln!(out, "{SHEET_HINT}")?;
    }
    Ok(())
}

fn verdict(server: &ServerClients) -> Entry {
    let census = &server.census;
    let word = census.verdict.as_str();
    let line = [Cell::outcome(outcome(census.verdict), word), Cell::plain(&server.name)]
        .into_iter()
        .chain(SessionTls::ALL.map(|tls| Cell::number(server.count(tls))))
        .chain([Cell::plain(&census.reason)]);
    Entry { word, lines: vec![line.collect()] }
}

fn write_server(out: &mut dyn Write, server: &ServerClients, palette: Palette) -> io::Result<()> {
    let census = &server.census;
    writeln!(out, "\n{}", palette.bold(&safe(&server.name)))?;
    if let Some(window) = census.window {
        writeln!(out, "  observed from {} to {} UTC", minute(window.from), minute(window.to))?;
    }
    write_clients(out, &census.clients, palette)?;
    if !census.earlier.is_empty() {
        writeln!(out, "  last seen before that time, and not with TLS since:")?;
        write_clients(out, &census.earlier, palette)?;
    }
    for (count, tls) in census.unlisted.iter().zip(SessionTls::ALL) {
        if *count > 0 {
            writeln!(out, "  {count} more sightings of clients that are not listed: {}", tls.as_str())?;
        }
    }
    let mut doubts: Vec<Doubt> = census.clients.iter().filter_map(|client| client.doubt).collect();
    doubts.sort_unstable();
    doubts.dedup();
    for doubt in doubts {
        writeln!(out, "  {}: {}", doubt.as_str(), doubt.explanation())?;
    }
    write_refused(out, census, palette)?;
    for (driver, clients) in by_driver(census.clients.iter().chain(&census.earlier)) {
        let plural = if clients.len() == 1 { "" } else { "s" };
        writeln!(out, "  fix {} client{plural} of {}:", clients.len(), driver.title())?;
        writeln!(out, "    {}", driver.change().require)?;
    }
    write_sources(out, server)
}

fn write_clients(out: &mut dyn Write, clients: &[Client], palette: Palette) -> io::Result<()> {
    if clients.is_empty() {
        return Ok(());
    }
    let headings =
        ["TLS", "USER", "DATABASE", "APPLICATION", "ADDRESS", "BACKEND", "PROTOCOL", "LAST SEEN", "SEEN", "DOUBT"];
    let mut rows = vec![headings.map(|h| Column::painted(h, palette.faint(h))).to_vec()];
    let mut hidden = Vec::new();
    for tls in SessionTls::ALL {
        let of_state: Vec<&Client> = clients.iter().filter(|client| client.tls == tls).collect();
        rows.extend(of_state.iter().take(MOST_SHOWN).map(|client| row(client, palette)));
        if of_state.len() > MOST_SHOWN {
            hidden.push(format!("{} {}", of_state.len() - MOST_SHOWN, tls.as_str()));
        }
    }
    write_columns(out, "  ", &rows)?;
    if !hidden.is_empty() {
        writeln!(out, "  and {} more clients; -o csv lists them all", hidden.join(", "))?;
    }
    Ok(())
}

fn row(client: &Client, palette: Palette) -> Vec<Column> {
    let word = client.tls.as_str();
    let outcome = match client.tls {
        SessionTls::Plaintext => Outcome::Fail,
        SessionTls::Unknown => Outcome::Unknown,
        SessionTls::Tls => Outcome::Pass,
        SessionTls::Local => Outcome::NotApplicable,
    };
    let text = |text: &Option<String>| Column::plain(text.as_deref().map_or("-".into(), safe));
    vec![
        Column::painted(word, palette.outcome(outcome, word)),
        text(&client.user),
        text(&client.database),
        text(&client.application),
        text(&client.address),
        Column::plain(client.backend.as_str()),
        text(&client.protocol),
        Column::plain(client.last_seen.map_or_else(|| "-".to_owned(), minute)),
        Column::plain(format!("{}{}", if client.is_estimate { "~" } else { "" }, client.sightings)),
        Column::plain(client.doubt.map_or("", |doubt| doubt.as_str())),
    ]
}

/// The clients that were refused.
fn write_refused(out: &mut dyn Write, census: &CensusReport, palette: Palette) -> io::Result<()> {
    if census.refused.is_empty() {
        return Ok(());
    }
    writeln!(out, "  refused because they did not use TLS:")?;
    write_refusals(out, &census.refused, palette)?;
    if census.refused_unlisted > 0 {
        writeln!(out, "  {} more refused attempts by clients that are not listed", census.refused_unlisted)?;
    }
    Ok(())
}

/// A table of clients that were refused.
pub(crate) fn write_refusals(out: &mut dyn Write, refused: &[RefusedClient], palette: Palette) -> io::Result<()> {
    let headings = ["USER", "DATABASE", "ADDRESS", "BACKEND", "LAST REFUSED", "ATTEMPTS", "SINCE"];
    let mut rows = vec![headings.map(|h| Column::painted(h, palette.faint(h))).to_vec()];
    let text = |text: &Option<String>| Column::plain(text.as_deref().map_or("-".into(), safe));
    rows.extend(refused.iter().take(MOST_SHOWN).map(|one| {
        vec![
            text(&one.user),
            text(&one.database),
            text(&one.address),
            Column::plain(one.backend.as_str()),
            Column::plain(one.last_seen.map_or_else(|| "-".to_owned(), minute)),
            Column::plain(format!("{}{}", if one.is_estimate { "~" } else { "" }, one.attempts)),
            Column::plain(if one.has_connected_since { "connected with TLS" } else { "" }),
        ]
    }));
    write_columns(out, "    ", &rows)?;
    let hidden = refused.len().saturating_sub(MOST_SHOWN);
    if hidden > 0 {
        writeln!(out, "    and {hidden} more; -o json lists them all")?;
    }
    Ok(())
}

/// The sources, and what they lack: each sentence once, with the number of sources that it is about.
fn write_sources(out: &mut dyn Write, server: &ServerClients) -> io::Result<()> {
    let sources = &server.census.sources;
    for source in sources.iter().take(MOST_SHOWN) {
        let window = source
            .coverage
            .window()
            .map_or_else(|| "no time".to_owned(), |span| format!("{} to {} UTC", minute(span.from), minute(span.to)));
        let format = if source.format.is_empty() { String::new() } else { format!(", {}", safe(&source.format)) };
        let complete = if source.is_complete { "" } else { ", incomplete" };
        writeln!(out, "  source {} {}: {window}{format}{complete}", source.kind.as_str(), safe(&source.name))?;
    }
    let mut told: Vec<(MissingReason, &str, usize)> = Vec::new();
    for missing in sources.iter().flat_map(|source| &source.missing) {
        match told.iter_mut().find(|(_, detail, _)| *detail == missing.detail) {
            Some((_, _, count)) => *count += 1,
            None => told.push((missing.reason, &missing.detail, 1)),
        }
    }
    for (reason, detail, count) in told {
        let lead = if reason.blocks() { "missing" } else { "note" };
        let times = if count > 1 { format!(" ({count} sources)") } else { String::new() };
        writeln!(out, "  {lead}: {}: {}{times}", reason.as_str(), safe(detail))?;
    }
    Ok(())
}
