//! A process that may not change servers any more sends nothing, wherever it learns that.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use async_trait::async_trait;
use hostssl_remediation::{
    Approved, ExecuteError, ExecutionEvent, Executor, ExecutorOptions, Journal, JournalError, JournalRecord,
    JournalledRun, LoadedRun, NewRun, OnResume, RunId, StepStatus,
};
use hostssl_test_support::clock::VirtualClock;
use hostssl_test_support::fleet::*;
use hostssl_test_support::journal::MemoryJournal;
use hostssl_test_support::world::World;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::watch;

/// A journal whose right to change servers ends after so many writes.
struct Ending(MemoryJournal, AtomicUsize);

#[async_trait]
impl Journal for Ending {
    async fn begin(&self, run: &NewRun<'_>) -> Result<(), JournalError> {
        self.0.begin(run).await
    }

    async fn append(&self, run: &RunId, records: &[JournalRecord]) -> Result<(), JournalError> {
        self.0.append(run, records).await
    }

    async fn load(&self, run: &RunId) -> Result<JournalledRun, JournalError> {
        self.0.load(run).await
    }

    fn may_write(&self) -> Result<(), JournalError> {
        let left = self.1.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        left.map(drop).map_err(|_| JournalError::RightLost("for a test".into()))
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_once_the_right_to_change_servers_is_over() {
    for allowed in 0..3 {
        let known = PlannerKnowledge::new(["a", "b", "c"].map(|name| flexible(name, "off", "TLSv1.2")).into());
        let (plan, world, clock) = (known.plan(), World::new(&known.postures), VirtualClock::new());
        let journal = Ending(MemoryJournal::default(), AtomicUsize::new(allowed));
        let approved = Approved::new(plan.clone(), plan.hash().as_str()).unwrap();
        let run = RunId::new("run-1").unwrap();
        let error = executor(&world, &journal, &clock).apply(&approved, &run, plan.principal()).await.unwrap_err();
        assert!(
            matches!(error, ExecuteError::Journal { source: JournalError::RightLost(_), partial: Some(_) }),
            "{error:?}"
        );
        assert!(world.accepted().len() <= allowed, "no write is sent without the right to");
        // Whoever has it now does the rest, and nothing twice.
        let loaded = LoadedRun::read(&journal.0, &run).await.unwrap();
        let report = executor(&world, &journal.0, &clock).resume(loaded, OnResume::Continue, &[]).await.unwrap();
        assert!(report.steps.iter().all(|step| step.status == StepStatus::Applied), "{report:?}");
        assert_eq!(world.accepted().len(), plan.steps().len());
    }
}

fn executor<'a>(world: &'a World, journal: &'a dyn Journal, clock: &'a VirtualClock) -> Executor<'a, World> {
    let (stop, options) = (watch::channel(None).1, ExecutorOptions::default());
    Executor { writer: world, journal, clock, judge: None, events: &|_: &ExecutionEvent<'_>| {}, stop, options }
}
