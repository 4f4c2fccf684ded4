//! The fix-it sheet: what has to change at which plaintext client, in Markdown, to send to a team.

use crate::clients::{ClientsReport, ServerClients, minute};
use crate::markdown_text::escaped;
use hostssl_census::{CensusVerdict, Client, Driver, Fix};
use std::collections::BTreeMap;
use std::io::{self, Write};

/// How to get the sheet.
pub(crate) const SHEET_HINT: &str = "the exact change of each client, to send to its team: -o markdown";

/// Clients that need a change, by driver.
pub(crate) fn by_driver<'a>(clients: impl IntoIterator<Item = &'a Client>) -> BTreeMap<Driver, Vec<&'a Client>> {
    let mut drivers: BTreeMap<Driver, Vec<&Client>> = BTreeMap::new();
    for client in clients {
        if let Some(fix) = Fix::of(client) {
            drivers.entry(fix.driver).or_default().push(client);
        }
    }
    drivers
}

/// Writes the sheet.
///
/// # Errors
///
/// Whatever the writer returns.
pub fn write(out: &mut dyn Write, report: &ClientsReport) -> io::Result<()> {
    writeln!(out, "# Clients that connect in plaintext\n")?;
    let mut owners: BTreeMap<Option<&str>, Vec<&ServerClients>> = BTreeMap::new();
    for server in report.servers.iter().filter(|server| server.census.verdict == CensusVerdict::Breaks) {
        owners.entry(server.owner.as_deref()).or_default().push(server);
    }
    if owners.is_empty() {
        writeln!(out, "None was observed.\n")?;
    } else {
        writeln!(out, "These clients are refused once their server enforces encryption. Each needs one change.\n")?;
        writeln!(out, "{REQUIRE_OR_VERIFY}\n")?;
    }
    let is_grouped = owners.keys().any(Option::is_some);
    for (owner, servers) in owners {
        if is_grouped {
            writeln!(out, "## Owner: {}\n", owner.map_or_else(|| "not named".to_owned(), escaped))?;
        }
        for server in servers {
            write_server(out, server, if is_grouped { "###" } else { "##" })?;
        }
    }
    let others: Vec<&ServerClients> =
        report.servers.iter().filter(|server| server.census.verdict == CensusVerdict::NeedsObservation).collect();
    if !others.is_empty() {
        writeln!(out, "## Servers that need more observation\n")?;
        for server in others {
            writeln!(out, "- {}: {}", escaped(&server.name), escaped(&server.census.reason))?;
        }
        writeln!(out)?;
    }
    Ok(())
}

/// What the two columns of changes mean.
pub const REQUIRE_OR_VERIFY: &str = "`require` encrypts, and is enough for enforcement. It does not verify the identity \
of the server: an attacker in the middle can present any certificate and read everything. `verify-full` also checks that the certificate chains \
to a root that the client trusts and is issued for the name that it connects to. Use it wherever the root certificates \
can be installed, trust roots and never an intermediate, and connect by name and not by address.";

fn write_server(out: &mut dyn Write, server: &ServerClients, level: &str) -> io::Result<()> {
    let census = &server.census;
    writeln!(out, "{level} {}\n", escaped(&server.name))?;
    if let Some(window) = census.window {
        writeln!(out, "Observed from {} to {} UTC.\n", minute(window.from), minute(window.to))?;
    }
    for (driver, clients) in by_driver(&census.clients) {
        writeln!(out, "{level}# {}\n", driver.title())?;
        let change = driver.change();
        writeln!(out, "- `require`: {}", change.require)?;
        writeln!(out, "- `verify-full`: {}\n", change.verify_full)?;
        writeln!(out, "| user | database | application | address | last seen (UTC) | sessions |")?;
        writeln!(out, "| --- | --- | --- | --- | --- | --- |")?;
        for client in clients {
            let cell = |text: &Option<String>| text.as_deref().map_or_else(|| "-".to_owned(), escaped);
            writeln!(
                out,
                "| {} | {} | {} | {} | {} | {} |",
                cell(&client.user),
                cell(&client.database),
                cell(&client.application),
                cell(&client.address),
                client.last_seen.map_or_else(|| "-".to_owned(), minute),
                client.sightings
            )?;
        }
        writeln!(out)?;
    }
    Ok(())
}
