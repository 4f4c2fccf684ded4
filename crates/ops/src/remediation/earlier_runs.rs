//! What earlier runs say about who should be tried first.

use hostssl_model::ResourceId;
use hostssl_remediation::{Plan, RunId, WaveOrder};
use hostssl_store::{StateDirectory, StoreError, StoreReader};
use std::collections::{BTreeMap, BTreeSet};

/// Earlier runs that are read, the newest first. What failed longer ago may well have been fixed.
const RUNS: usize = 10;

/// The servers whose last change did not succeed, with the run: another plan should try another server first.
///
/// A run that cannot be understood is skipped: it must not keep anyone from planning. Where there is no state, no change
/// was ever made.
///
/// # Errors
///
/// [`StoreError`] when the list of runs cannot be read.
pub fn failed_last_time(state: &StateDirectory) -> Result<BTreeMap<ResourceId, RunId>, StoreError> {
    let reader = match StoreReader::open(state) {
        Err(StoreError::NoState(_)) => return Ok(BTreeMap::new()),
        opened => opened?,
    };
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

/// A server of a plan whose last change did not succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedBefore {
    /// The server.
    pub server: ResourceId,
    /// The run that says why.
    pub run: RunId,
    /// Whether it goes first all the same, because no other server can.
    pub is_canary: bool,
}

/// Which servers of a plan did not succeed last time, and where they stand now. A canary that a person chose is not news to
/// that person.
#[must_use]
pub fn failed_before(plan: &Plan, failed: &BTreeMap<ResourceId, RunId>, order: &WaveOrder) -> Vec<FailedBefore> {
    let canary: BTreeSet<&ResourceId> =
        plan.waves().next().unwrap_or_default().iter().map(|step| &step.server).collect();
    let planned: BTreeSet<&ResourceId> =
        plan.steps().iter().filter(|step| step.is_executable()).map(|step| &step.server).collect();
    let of_plan = failed.iter().filter(|(server, _)| planned.contains(server));
    let told = of_plan.filter(|(server, _)| order.canary.is_empty() || !canary.contains(server));
    told.map(|(server, run)| FailedBefore {
        server: server.clone(),
        run: run.clone(),
        is_canary: canary.contains(server),
    })
    .collect()
}
