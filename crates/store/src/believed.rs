//! Which probers are believed.

use crate::StoreError;
use hostssl_model::{CurrentState, WireObservation};
use rusqlite::{Connection, OptionalExtension as _, params};
use std::collections::BTreeSet;
use std::sync::Arc;

/// So many messages that no honest prober sends suspend a prober.
pub const MAX_VIOLATIONS: u32 = 3;

/// Ends, in what is known of a server, the looks of probers that are believed no more: an audit may have taken them in before.
/// Returns those probers.
pub(crate) fn note_disowned(
    connection: &Connection,
    state: &mut CurrentState,
    looks: &[WireObservation],
) -> Result<Vec<Arc<str>>, StoreError> {
    let probers: BTreeSet<&Arc<str>> = looks.iter().filter_map(|look| look.vantage.as_ref()?.prober.as_ref()).collect();
    let mut disowned = Vec::new();
    for prober in probers {
        if let Some(since_ms) = disowned_since(connection, prober)? {
            state.zones.disown(prober, since_ms);
            disowned.push(Arc::clone(prober));
        }
    }
    Ok(disowned)
}

/// Since when a prober is not believed any more, in milliseconds since 1970: it was revoked or suspended.
fn disowned_since(connection: &Connection, prober: &str) -> Result<Option<i64>, StoreError> {
    let since = "SELECT coalesce(revoked_ms, seen_ms) FROM probers WHERE id = ?1 \
                 AND (revoked_ms IS NOT NULL OR violations >= ?2)";
    let to = params![prober, MAX_VIOLATIONS];
    Ok(connection.prepare_cached(since)?.query_row(to, |row| row.get(0)).optional()?)
}
