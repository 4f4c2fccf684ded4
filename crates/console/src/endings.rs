//! How runs that change servers ended. Replaying a journal takes longer than a list may take, so that each is replayed once.

use hostssl_remediation::{RunEnd, RunId};
use hostssl_store::{AuditStore, RunEntry, StoreReader};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Endings that are remembered: far more than a page lists.
const MOST: usize = 1_000;

/// The endings that were asked for, each with the time of the last record that it rests on.
#[derive(Debug, Default)]
pub(crate) struct EndingsCache(Mutex<HashMap<RunId, (i64, RunEnd)>>);

impl EndingsCache {
    /// How each of these runs ended; `None` where it has not, or where its journal cannot be read, which its own page tells.
    pub(crate) fn of<'a>(
        &self,
        store: &AuditStore,
        runs: impl IntoIterator<Item = &'a RunEntry>,
    ) -> HashMap<RunId, RunEnd> {
        let ended: Vec<&RunEntry> = runs.into_iter().filter(|run| !run.phase.is_unfinished()).collect();
        let known = |run: &RunEntry| {
            let endings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            endings.get(&run.id).filter(|(at_ms, _)| *at_ms == run.last_at_ms).map(|(_, ending)| *ending)
        };
        let mut found: HashMap<RunId, RunEnd> =
            ended.iter().filter_map(|run| Some((run.id.clone(), known(run)?))).collect();
        let missing: Vec<&RunEntry> = ended.into_iter().filter(|run| !found.contains_key(&run.id)).collect();
        let reader = (!missing.is_empty()).then(|| StoreReader::open(store.directory()).ok()).flatten();
        for run in missing {
            let Some(ending) = reader.as_ref().and_then(|reader| replayed(reader, run)) else { continue };
            found.insert(run.id.clone(), ending);
            let mut endings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if endings.len() >= MOST {
                endings.clear();
            }
            endings.insert(run.id.clone(), (run.last_at_ms, ending));
        }
        found
    }
}

fn replayed(reader: &StoreReader, run: &RunEntry) -> Option<RunEnd> {
    Some(reader.load(&run.id).ok()?.load().ok()?.end())
}
