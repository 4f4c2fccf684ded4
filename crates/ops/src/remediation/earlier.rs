//! What earlier runs say about who should be tried first.

use hostssl_model::ResourceId;
use hostssl_remediation::RunId;
use hostssl_store::{StoreError, StoreReader};
use std::collections::BTreeMap;

/// Earlier runs that are looked at, the newest first. What failed longer ago may well have been fixed.
const RUNS: usize = 10;

/// The servers whose last change did not end well, with the run: whoever plans again should try another one first.
///
/// A run that cannot be understood is skipped: it must not keep anybody from planning.
///
/// # Errors
///
/// [`StoreError`] when the list of runs cannot be read.
pub fn failed_last_time(reader: &StoreReader) -> Result<BTreeMap<ResourceId, RunId>, StoreError> {
    let mut runs = reader.runs()?;
    runs.sort_by(|a, b| (b.started_at_ms, &b.id).cmp(&(a.started_at_ms, &a.id)));
    let mut last: BTreeMap<ResourceId, Option<RunId>> = BTreeMap::new();
    for entry in runs.iter().take(RUNS) {
        let Some(run) = reader.load(&entry.id).ok().and_then(|stored| stored.load().ok()) else { continue };
        for (server, well) in run.tried() {
            last.entry(server.clone()).or_insert_with(|| (!well).then(|| entry.id.clone()));
        }
    }
    Ok(last.into_iter().filter_map(|(server, failed)| Some((server, failed?))).collect())
}
