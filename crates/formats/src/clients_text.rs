//! The census of clients as text: verdicts first, who would be refused, what could not be observed, what to change.

use crate::clients::{ClientsReport, ServerClients, minute};
use crate::clients_sheet::{SHEET_HINT, by_driver};
use crate::table::write_rows;
use crate::{Cell, Entry, Heading, Section, Shown, Text, portal_link, safe, write_list};
use hostssl_census::{
    CensusReport, CensusVerdict, Client, Doubt, Missing, MissingReason, RefusedClient, SessionTls, Source, SourceKind,
};
use hostssl_model::Outcome;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

/// Clients of one state that are shown of one server. The other formats have them all.
const MOST_SHOWN: usize = 100;
/// Servers whose clients are shown one by one.
const MOST_SERVERS: usize = 50;

/// The columns of the verdicts.
const COLUMNS: [Heading; 7] = [
    Heading::new("verdict", Shown::Always),
    Heading::new("server", Shown::Always),
    Heading::new("plaintext", Shown::WithRoom(1)),
    Heading::new("unknown", Shown::WithRoom(2)),
    Heading::new("tls", Shown::WithRoom(3)),
    Heading::new("local", Shown::WithRoom(4)),
    Heading::new("why", Shown::Reason),
];

/// The columns of the clients of a server.
pub const CLIENT_COLUMNS: &[Heading] = &[
    Heading::new("tls", Shown::Always),
    Heading::new("user", Shown::Always),
    Heading::new("database", Shown::Always),
    Heading::new("application", Shown::WithRoom(1)),
    Heading::new("address", Shown::WithRoom(2)),
    Heading::new("backend", Shown::WithRoom(7)),
    Heading::new("protocol", Shown::WithRoom(6)),
    Heading::new("last-seen", Shown::WithRoom(3)),
    Heading::new("seen", Shown::WithRoom(5)),
    Heading::new("doubt", Shown::WithRoom(4)),
];

/// The columns of clients that were refused.
const REFUSED_COLUMNS: [Heading; 7] = [
    Heading::new("user", Shown::Always),
    Heading::new("database", Shown::Always),
    Heading::new("address", Shown::Always),
    Heading::new("backend", Shown::WithRoom(4)),
    Heading::new("last-refused", Shown::WithRoom(1)),
    Heading::new("attempts", Shown::WithRoom(3)),
    Heading::new("since", Shown::WithRoom(2)),
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
    let mut servers: Vec<&ServerClients> = report.servers.iter().collect();
    servers.sort_by(|a, b| (a.census.verdict, &a.name).cmp(&(b.census.verdict, &b.name)));
    let entries = servers.iter().map(|server| verdict(server, report.cloud.as_deref(), text)).collect();
    write_list(out, &COLUMNS, vec![Section { title: None, entries }], &text.of_another_list())?;
    // Of the others, the table says everything.
    let told: Vec<&ServerClients> = servers.iter().copied().filter(|server| has_more(&server.census)).collect();
    let notes = SharedNotes::of(&told);
    let mut left_out = BTreeSet::new();
    for server in told.iter().take(MOST_SERVERS) {
        write_server(out, server, &notes, &mut left_out, text)?;
    }
    let hidden = told.len().saturating_sub(MOST_SERVERS);
    if hidden > 0 {
        writeln!(out, "\nthe clients of {hidden} more servers are in -o csv and -o json")?;
    }
    notes.write(out)?;
    if !left_out.is_empty() {
        let titles = CLIENT_COLUMNS.iter().chain(&REFUSED_COLUMNS).map(|heading| heading.title());
        let mut titles: Vec<String> = titles.filter(|title| left_out.remove(title)).collect();
        titles.dedup();
        writeln!(out, "\nmore columns: {} with -o csv", titles.join(", "))?;
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
    let is_azure = servers.iter().any(|server| server.id.is_some());
    if is_azure {
        text.write_next(out, &next(breaks > 0, safe > 0))
    } else if breaks > 0 {
        writeln!(out, "{SHEET_HINT}")
    } else {
        Ok(())
    }
}

/// What to do next about servers in Azure.
fn next(breaks: bool, safe: bool) -> Vec<(String, &'static str)> {
    let sheet = ("hostssl clients -o markdown".to_owned(), "lists what each client has to change");
    let plan = if safe {
        "plans the servers that are safe to enforce; writes nothing to Azure"
    } else {
        "says what can be changed now, and what is missing for the rest"
    };
    breaks.then_some(sheet).into_iter().chain([("hostssl plan".to_owned(), plan)]).collect()
}

/// Whether a census says more than its verdict and the reason for it.
fn has_more(census: &CensusReport) -> bool {
    let says = |detail: &str| census.reason.contains(detail);
    census.window.is_some()
        || !census.clients.is_empty()
        || !census.earlier.is_empty()
        || !census.refused.is_empty()
        || census.refused_unlisted > 0
        || census.unlisted.iter().any(|count| *count > 0)
        // The reason does not say which file it is.
        || census.sources.iter().flat_map(|source| &source.missing).any(|missing| {
            missing.reason == MissingReason::NotALog || !says(&missing.detail)
        })
}

/// Remarks about the sources that hold for several servers: written once, below them.
struct SharedNotes<'a>(BTreeMap<&'a str, usize>);

impl<'a> SharedNotes<'a> {
    fn of(servers: &[&'a ServerClients]) -> Self {
        let mut notes: BTreeMap<&str, usize> = BTreeMap::new();
        for server in servers {
            let missing = server.census.sources.iter().flat_map(|source| &source.missing);
            let details: BTreeSet<&str> =
                missing.filter(|missing| !missing.reason.blocks()).map(|missing| missing.detail.as_str()).collect();
            details.into_iter().for_each(|detail| *notes.entry(detail).or_default() += 1);
        }
        notes.retain(|_, servers| *servers > 1);
        Self(notes)
    }

    fn has(&self, missing: &Missing) -> bool {
        !missing.reason.blocks() && self.0.contains_key(missing.detail.as_str())
    }

    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        if !self.0.is_empty() {
            writeln!(out)?;
        }
        self.0.iter().try_for_each(|(detail, servers)| writeln!(out, "note ({servers} servers): {}", safe(detail)))
    }
}

fn verdict(server: &ServerClients, cloud: Option<&str>, text: &Text<'_>) -> Entry {
    let census = &server.census;
    let word = census.verdict.as_str();
    let portal = cloud.zip(server.id.as_deref()).and_then(|(cloud, id)| portal_link(cloud, None, id));
    let line = [Cell::outcome(outcome(census.verdict), word), Cell::plain(&server.name).linked(portal)]
        .into_iter()
        .chain(SessionTls::ALL.map(|tls| Cell::number(server.count(tls))))
        .chain([Cell::plain(text.reason(&census.reason))]);
    Entry { word, lines: vec![line.collect()] }
}

fn write_server(
    out: &mut dyn Write,
    server: &ServerClients,
    notes: &SharedNotes<'_>,
    left_out: &mut BTreeSet<String>,
    text: &Text<'_>,
) -> io::Result<()> {
    let census = &server.census;
    writeln!(out, "\n{}", text.palette.bold(&safe(&server.name)))?;
    if let Some(window) = census.window {
        writeln!(out, "  observed from {} to {} UTC", minute(window.from), minute(window.to))?;
    }
    left_out.extend(write_clients(out, &census.clients, text)?);
    if !census.earlier.is_empty() {
        writeln!(out, "  last seen before that time, and not with TLS since:")?;
        left_out.extend(write_clients(out, &census.earlier, text)?);
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
    if !census.refused.is_empty() {
        writeln!(out, "  refused because they did not use TLS:")?;
        left_out.extend(write_refusals(out, &census.refused, text)?);
        if census.refused_unlisted > 0 {
            writeln!(out, "  {} more refused attempts by clients that are not listed", census.refused_unlisted)?;
        }
    }
    for (driver, clients) in by_driver(census.clients.iter().chain(&census.earlier)) {
        let plural = if clients.len() == 1 { "" } else { "s" };
        writeln!(out, "  fix {} client{plural} of {}:", clients.len(), driver.title())?;
        writeln!(out, "    {}", driver.change().require)?;
    }
    write_sources(out, server, notes)
}

/// Writes the clients of a server, and returns the titles of the columns for which there was no room.
fn write_clients(out: &mut dyn Write, clients: &[Client], text: &Text<'_>) -> io::Result<Vec<String>> {
    if clients.is_empty() {
        return Ok(Vec::new());
    }
    let (mut entries, mut hidden) = (Vec::new(), Vec::new());
    for tls in SessionTls::ALL {
        let of_state: Vec<&Client> = clients.iter().filter(|client| client.tls == tls).collect();
        entries.extend(of_state.iter().take(MOST_SHOWN).map(|client| entry(client)));
        if of_state.len() > MOST_SHOWN {
            let more = of_state.len() - MOST_SHOWN;
            hidden.push(format!("{more} more {} client{}", tls.as_str(), if more == 1 { "" } else { "s" }));
        }
    }
    let left_out = write_rows(out, CLIENT_COLUMNS, entries, text)?;
    if !hidden.is_empty() {
        writeln!(out, "  and {}; -o csv lists them all", hidden.join(", "))?;
    }
    Ok(left_out)
}

fn entry(client: &Client) -> Entry {
    let word = client.tls.as_str();
    let outcome = match client.tls {
        SessionTls::Plaintext => Outcome::Fail,
        SessionTls::Unknown => Outcome::Unknown,
        SessionTls::Tls => Outcome::Pass,
        SessionTls::Local => Outcome::NotApplicable,
    };
    let line = vec![
        Cell::outcome(outcome, word),
        or_dash(client.user.as_deref()),
        or_dash(client.database.as_deref()),
        or_dash(client.application.as_deref()),
        or_dash(client.address.as_deref()),
        Cell::plain(client.backend.as_str()),
        or_dash(client.protocol.as_deref()),
        or_dash(client.last_seen.map(minute).as_deref()),
        Cell::plain(format!("{}{}", if client.is_estimate { "~" } else { "" }, client.sightings)),
        Cell::plain(client.doubt.map_or("", |doubt| doubt.as_str())),
    ];
    Entry { word, lines: vec![line] }
}

fn or_dash(text: Option<&str>) -> Cell {
    Cell::plain(text.unwrap_or("-"))
}

/// A table of clients that were refused; returns the titles of the columns for which there was no room.
pub(crate) fn write_refusals(
    out: &mut dyn Write,
    refused: &[RefusedClient],
    text: &Text<'_>,
) -> io::Result<Vec<String>> {
    let entries = refused.iter().take(MOST_SHOWN).map(|one| {
        let line = vec![
            or_dash(one.user.as_deref()),
            or_dash(one.database.as_deref()),
            or_dash(one.address.as_deref()),
            Cell::plain(one.backend.as_str()),
            or_dash(one.last_seen.map(minute).as_deref()),
            Cell::plain(format!("{}{}", if one.is_estimate { "~" } else { "" }, one.attempts)),
            Cell::plain(if one.has_connected_since { "connected with TLS" } else { "" }),
        ];
        Entry { word: "refused", lines: vec![line] }
    });
    let left_out = write_rows(out, &REFUSED_COLUMNS, entries.collect(), &text.of_another_list())?;
    let hidden = refused.len().saturating_sub(MOST_SHOWN);
    if hidden > 0 {
        writeln!(out, "    and {hidden} more; -o json lists them all")?;
    }
    Ok(left_out)
}

/// The sources, and what they lack: each sentence once, with the number of sources that it is about.
fn write_sources(out: &mut dyn Write, server: &ServerClients, notes: &SharedNotes<'_>) -> io::Result<()> {
    let sources = &server.census.sources;
    for source in sources.iter().take(MOST_SHOWN) {
        let window = source
            .coverage
            .window()
            .map_or_else(|| "no data".to_owned(), |span| format!("{} to {} UTC", minute(span.from), minute(span.to)));
        let format = if source.format.is_empty() { String::new() } else { format!(", {}", safe(&source.format)) };
        let complete = if source.is_complete { "" } else { "; some connections may be missing" };
        writeln!(out, "  source: {}: {window}{format}{complete}", safe(&source_name(source)))?;
    }
    let mut told: Vec<(&Missing, usize)> = Vec::new();
    for missing in sources.iter().flat_map(|source| &source.missing).filter(|missing| !notes.has(missing)) {
        match told.iter_mut().find(|(one, _)| one.detail == missing.detail) {
            Some((_, count)) => *count += 1,
            None => told.push((missing, 1)),
        }
    }
    for (missing, count) in told {
        let times = if count > 1 { format!(" ({count} sources)") } else { String::new() };
        let detail = safe(&missing.detail);
        if missing.reason.blocks() {
            writeln!(out, "  missing: {detail} ({}){times}", missing.reason.as_str())?;
        } else {
            writeln!(out, "  note: {detail}{times}")?;
        }
    }
    Ok(())
}

/// What a source is called, with its kind.
fn source_name(source: &Source) -> String {
    let kind = match source.kind {
        SourceKind::LogFile => "log file",
        SourceKind::ArmLogFile => "log files of Azure",
        SourceKind::Sessions => "sessions",
        SourceKind::LogAnalytics => "Log Analytics",
        SourceKind::Pgbouncer => "PgBouncer",
    };
    // What is kept has the kind as its name.
    if source.name.starts_with(kind) { source.name.clone() } else { format!("{kind} {}", source.name) }
}
