//! The census of clients as CSV: one row for each client.

use crate::clients::{ClientsReport, rfc3339};
use crate::csv_cell::{inert, unwrapped};
use hostssl_census::Fix;
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
    for server in &report.servers {
        let census = &server.census;
        let id = server.id.as_deref().unwrap_or_default();
        let owner = server.owner.as_deref().unwrap_or_default();
        if census.clients.is_empty() {
            let mut cells = [""; 20];
            [cells[0], cells[1], cells[2], cells[19]] = [&server.name, id, census.verdict.as_str(), owner];
            writer.write_record(cells.map(inert)).map_err(unwrapped)?;
        }
        for client in &census.clients {
            let fix = Fix::of(client);
            let sources: Vec<&str> =
                client.sources.iter().filter_map(|at| census.sources.get(*at)).map(|one| one.name.as_str()).collect();
            let (first, last) = (client.first_seen.map(rfc3339), client.last_seen.map(rfc3339));
            let (sightings, sources) = (client.sightings.to_string(), sources.join(";"));
            let cells: [&str; 20] = [
                &server.name,
                id,
                census.verdict.as_str(),
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
                owner,
            ];
            writer.write_record(cells.map(inert)).map_err(unwrapped)?;
        }
    }
    writer.flush()
}
