//! Clients without TLS that the servers of a run have refused since it changed them.

use crate::clients_json::RefusedV1;
use crate::clients_text::write_refusals;
use crate::{Text, safe};
use hostssl_census::RefusedClient;
use serde::Serialize;
use std::io::{self, Write};

/// The clients that one server has refused since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedSince {
    /// The server's resource id.
    pub server: String,
    /// Its name.
    pub name: String,
    /// The clients, the one that was refused last first.
    pub clients: Vec<RefusedClient>,
}

/// The same in JSON.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RefusedSinceV1<'a> {
    /// The server's resource id.
    server: &'a str,
    /// The clients, the one that was refused last first.
    clients: Vec<RefusedV1<'a>>,
}

impl<'a> From<&'a RefusedSince> for RefusedSinceV1<'a> {
    fn from(since: &'a RefusedSince) -> Self {
        Self { server: &since.server, clients: since.clients.iter().map(RefusedV1::from).collect() }
    }
}

/// Writes them as text; nothing where no client was refused.
///
/// # Errors
///
/// Whatever the writer returns.
pub fn write(out: &mut dyn Write, refused: &[RefusedSince], text: &Text<'_>) -> io::Result<()> {
    for since in refused {
        writeln!(out, "\n{}: refused since, because they did not use TLS:", text.palette.bold(&safe(&since.name)))?;
        let left_out = write_refusals(out, &since.clients, text)?;
        if !left_out.is_empty() {
            writeln!(out, "  more columns: {} with -o json", left_out.join(", "))?;
        }
    }
    Ok(())
}
