//! Ends what a prober saw that is believed no more: it was revoked or suspended.

use super::column_codes::unsigned;
use super::current::{write_derived, write_known};
use super::doubted::{doubt, mark_of};
use super::server_evidence::known;
use crate::StoreError;
use rusqlite::Transaction;

/// Ends the looks of a prober. What audits passed by them is unknown until the wire is looked at anew; what they failed by them
/// fails until then. Returns how many servers it had looked at.
pub(crate) fn disown(transaction: &Transaction<'_>, prober: &str, since_ms: i64) -> Result<u64, StoreError> {
    let mark = mark_of(prober)?;
    let servers: Vec<i64> = transaction
        .prepare_cached("SELECT server FROM evidence WHERE instr(document, ?1) > 0")?
        .query_map([&mark], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for server in &servers {
        let mut known = known(transaction, *server)?;
        known.state.zones.disown(&prober.into(), since_ms);
        write_known(transaction, *server, &known)?;
        write_derived(transaction, *server, &known)?;
        doubt(transaction, *server, prober)?;
    }
    transaction.execute("UPDATE present SET version = version + 1", [])?;
    Ok(unsigned(i64::try_from(servers.len()).unwrap_or_default()))
}
