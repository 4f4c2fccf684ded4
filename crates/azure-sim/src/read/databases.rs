//! The databases of a server.

use crate::call::Call;
use crate::estate::Record;
use crate::fleet::{Kind, WireQuirk};
use crate::json::{put, quoted, string};
use crate::reply::Reply;
use crate::state::AzureState;

use super::configurations::unreadable;

/// The database that is open in plaintext where [`WireQuirk::DatabasePlaintextAccepted`] says so.
pub(crate) const OPEN_DATABASE: &str = "reporting";

/// The databases: those of the service, and one of the customer's.
pub(super) fn databases(call: &Call<'_>, simulation: &AzureState, record: &Record) -> Reply {
    if let Some(refused) = unreadable(record) {
        return refused;
    }
    let own = if record.quirks.contains(&WireQuirk::DatabasePlaintextAccepted) { OPEN_DATABASE } else { "app" };
    let names: &[&str] = match record.kind {
        Kind::Single => &["azure_maintenance", "azure_sys", "postgres", own],
        _ => &["azure_maintenance", "postgres", "azure_sys", own],
    };
    call.page(simulation.scenario.page_size, names.iter(), |out, name| {
        put!(
            out,
            r#"{{"properties":{{"charset":"UTF8","collation":"en_US.utf8"}},"id":{},"name":"#,
            quoted(&format!("{}/databases/{name}", record.id))
        );
        string(out, name);
        put!(out, r#","type":"{}/{}/databases"}}"#, record.kind.provider(), record.kind.type_segment());
    })
}
