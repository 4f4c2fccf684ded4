//! The census of clients as CSV and TSV: one row for each client.

use crate::clients::{ClientsReport, ServerClients, rfc3339};
use crate::csv_cell::{inert, unwrapped};
use hostssl_census::{Client, Fix};
use std::io::{self, Write};

const HEADINGS: [&str; 20] = [
    "server",
    "id",
    "verdict",
    "tls",
    "user",
    "database",
    "application",
    "address",
    "backend",
    "protocol",
    "cipher",
    "firstSeen",
    "lastSeen",
    "sightings",
    "sources",
    "doubt",
    "driver",
    "fixRequire",
    "fixVerifyFull",
    "owner",
];

/// Writes a census. A server without a client has a row of its own, so that none is missing.
///
/// # Errors
///
/// Whatever the writer returns.
pub fn write(out: &mut dyn Write, report: &ClientsReport) -> io::Result<()> {
    let mut writer = csv::Writer::from_writer(out);
    writer.write_record(HEADINGS).map_err(unwrapped)?;
    for row in rows(report) {
        writer.write_record(row).map_err(unwrapped)?;
    }
    writer.flush()
}

/// Writes the same rows with tabs between the columns and without headings, as the Azure CLI has them.
///
/// # Errors
///
/// Whatever the writer returns.
pub fn write_tabs(out: &mut dyn Write, report: &ClientsReport) -> io::Result<()> {
    rows(report).try_for_each(|row| writeln!(out, "{}", row.join("\t")))
}

fn rows(report: &ClientsReport) -> impl Iterator<Item = [String; 20]> {
    report.servers.iter().flat_map(|server| {
        let clients: Vec<Option<&Client>> = match server.census.clients.as_slice() {
            [] => vec![None],
            clients => clients.iter().map(Some).collect(),
        };
        clients.into_iter().map(|client| row(server, client))
    })
}

fn row(server: &ServerClients, client: Option<&Client>) -> [String; 20] {
    let verdict = server.census.verdict.as_str();
    let mut cells = [""; 20];
    [cells[0], cells[1]] = [&server.name, server.id.as_deref().unwrap_or_default()];
    [cells[2], cells[19]] = [verdict, server.owner.as_deref().unwrap_or_default()];
    let Some(client) = client else { return cells.map(inert) };
    let fix = Fix::of(client);
    let sources = client.sources.iter().filter_map(|at| server.census.sources.get(*at));
    let sources: Vec<&str> = sources.map(|one| one.name.as_str()).collect();
    let (first, last) = (client.first_seen.map(rfc3339), client.last_seen.map(rfc3339));
    let (sightings, sources) = (client.sightings.to_string(), sources.join(";"));
    [
        cells[0],
        cells[1],
        cells[2],
        client.tls.as_str(),
        client.user.as_deref().unwrap_or_default(),
        client.database.as_deref().unwrap_or_default(),
        client.application.as_deref().unwrap_or_default(),
        client.address.as_deref().unwrap_or_default(),
        client.backend.as_str(),
        client.protocol.as_deref().unwrap_or_default(),
        client.cipher.as_deref().unwrap_or_default(),
        first.as_deref().unwrap_or_default(),
        last.as_deref().unwrap_or_default(),
        &sightings,
        &sources,
        client.doubt.map_or("", |doubt| doubt.as_str()),
        fix.map_or("", |fix| fix.driver.as_str()),
        fix.map_or("", |fix| fix.change.require),
        fix.map_or("", |fix| fix.change.verify_full),
        cells[19],
    ]
    .map(inert)
}
