//! A journal in memory, and one that crashes around another.

use crate::crash::Crash;
use async_trait::async_trait;
use hostssl_remediation::{Journal, JournalError, JournalEvent, JournalRecord, JournalledRun, NewRun, RunId, RunState};
use std::collections::BTreeMap;
use std::sync::Mutex;

/// Keeps runs in memory, by the rules of the trait.
#[derive(Default)]
pub struct MemoryJournal(Mutex<BTreeMap<RunId, (usize, JournalledRun)>>);

impl MemoryJournal {
    fn unfinished(&self, but: &RunId) -> Option<RunId> {
        let runs = self.0.lock().unwrap();
        let unfinished = |(steps, run): &(usize, JournalledRun)| {
            let phase = RunState::replay(*steps, &run.records).unwrap().phase();
            phase.is_unfinished()
        };
        runs.iter().find(|(id, run)| *id != but && unfinished(run)).map(|(id, _)| id.clone())
    }
}

#[async_trait]
impl Journal for MemoryJournal {
    async fn begin(&self, run: &NewRun<'_>) -> Result<(), JournalError> {
        if let Some(other) = self.unfinished(run.id) {
            return Err(JournalError::Unfinished(other));
        }
        let mut runs = self.0.lock().unwrap();
        if runs.contains_key(run.id) {
            return Err(JournalError::RunExists(run.id.clone()));
        }
        let stored = JournalledRun {
            id: run.id.clone(),
            plan: run.plan.to_json(),
            approved: run.plan.hash().clone(),
            principal: run.principal.clone(),
            records: vec![run.first.clone()],
        };
        runs.insert(run.id.clone(), (run.plan.steps().len(), stored));
        Ok(())
    }

    async fn append(&self, run: &RunId, records: &[JournalRecord]) -> Result<(), JournalError> {
        if records.iter().any(|record| matches!(record.event, JournalEvent::UndoStarted { .. }))
            && let Some(other) = self.unfinished(run)
        {
            return Err(JournalError::Unfinished(other));
        }
        let mut runs = self.0.lock().unwrap();
        let (_, stored) = runs.get_mut(run).ok_or_else(|| JournalError::NoSuchRun(run.clone()))?;
        stored.records.extend_from_slice(records);
        Ok(())
    }

    async fn load(&self, run: &RunId) -> Result<JournalledRun, JournalError> {
        let runs = self.0.lock().unwrap();
        runs.get(run).map(|(_, stored)| stored.clone()).ok_or_else(|| JournalError::NoSuchRun(run.clone()))
    }
}

/// Crashes before or after any write of the journal within.
pub struct CrashingJournal<'a> {
    pub inner: &'a dyn Journal,
    pub crash: &'a Crash,
}

#[async_trait]
impl Journal for CrashingJournal<'_> {
    async fn begin(&self, run: &NewRun<'_>) -> Result<(), JournalError> {
        self.crash.point().await;
        let begun = self.inner.begin(run).await;
        self.crash.point().await;
        begun
    }

    async fn append(&self, run: &RunId, records: &[JournalRecord]) -> Result<(), JournalError> {
        self.crash.point().await;
        let appended = self.inner.append(run, records).await;
        self.crash.point().await;
        appended
    }

    async fn load(&self, run: &RunId) -> Result<JournalledRun, JournalError> {
        self.inner.load(run).await
    }
}
