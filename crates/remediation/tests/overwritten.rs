//! A write that took effect, and a value that something else set before anyone read it.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use async_trait::async_trait;
use hostssl_model::{Kind, Origin, Parameter, ParameterName as Name, ResourceId, Unchecked};
use hostssl_remediation::{
    Accepted, Approved, ExecutionEvent, Executor, ExecutorOptions, Journal as _, LoadedRun, OperationProgress,
    ParameterRef, ParameterWriter, PollError, Report, RunId, RunOutcome, WriteError,
};
use hostssl_test_support::clock::VirtualClock;
use hostssl_test_support::fleet::*;
use hostssl_test_support::journal::MemoryJournal;
use hostssl_test_support::world::{InjectedFault, PollUrl, World};
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::watch;

/// An Azure in which someone sets the value as soon as a write of this run has taken effect.
struct Contested<'a>(&'a World, AtomicBool);

#[async_trait]
impl ParameterWriter for Contested<'_> {
    type Operation = PollUrl;

    async fn read(&self, at: ParameterRef<'_>) -> Result<Parameter, Unchecked> {
        let took_effect = !self.0.accepted().is_empty() && self.0.value(at.server, at.parameter) == "on";
        if took_effect && !self.1.swap(true, Ordering::Relaxed) {
            self.0.set(at.server, at.parameter, "someone-elses");
        }
        self.0.read(at).await
    }

    async fn created_at(&self, at: ParameterRef<'_>) -> Result<Option<String>, Unchecked> {
        self.0.created_at(at).await
    }

    async fn whereabouts(&self, at: ParameterRef<'_>) -> Option<ResourceId> {
        self.0.whereabouts(at).await
    }

    async fn await_turn(&self, at: ParameterRef<'_>) {
        self.0.await_turn(at).await;
    }

    async fn is_ready(&self, at: ParameterRef<'_>) -> Option<bool> {
        self.0.is_ready(at).await
    }

    async fn write(&self, at: ParameterRef<'_>, value: &str, origin: Origin) -> Result<Accepted<PollUrl>, WriteError> {
        self.0.write(at, value, origin).await
    }

    async fn poll(&self, operation: &PollUrl) -> Result<OperationProgress, PollError> {
        self.0.poll(operation).await
    }
}

fn run() -> RunId {
    RunId::new("run-1").unwrap()
}

async fn undo<W: ParameterWriter>(executor: &Executor<'_, W>) -> Report {
    let loaded = LoadedRun::read(executor.journal, &run()).await.unwrap();
    executor.undo(loaded, &[], None).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_write_that_something_else_overwrote_counts_as_written_and_can_be_undone() {
    for (fault, words) in [
        (InjectedFault::None, "written, then the value was someone-elses: something else set it"),
        (InjectedFault::Synchronous, "written, then the value was someone-elses: something else set it"),
        (InjectedFault::PollForbidden, "written, then the value was someone-elses: something else set it"),
        (
            InjectedFault::LostAccepted,
            "a write was sent whose answer was lost, then the value was someone-elses: something else set it",
        ),
    ] {
        let known = PlannerKnowledge::new(vec![flexible("a", "off", "TLSv1.2")]);
        let (plan, world) = (known.plan(), World::new(&known.postures));
        let server = id(Kind::Flexible, "a");
        world.set_fault(&server, fault);
        let (journal, clock) = (MemoryJournal::default(), VirtualClock::new());
        let contested = Contested(&world, AtomicBool::new(false));
        let executor = Executor {
            writer: &contested,
            journal: &journal,
            clock: &clock,
            judge: None,
            events: &|_: &ExecutionEvent<'_>| {},
            stop: watch::channel(None).1,
            options: ExecutorOptions::default(),
        };
        let approved = Approved::new(plan.clone(), plan.hash().as_str()).unwrap();
        let report = executor.apply(&approved, &run(), plan.principal()).await.unwrap();
        let step = &report.steps[0];
        assert_eq!((step.status.as_str(), step.reason.as_deref()), ("failed", Some(words)), "{fault:?}");
        assert_eq!((report.outcome, report.summary.failed), (RunOutcome::Failed, 1), "{fault:?}");
        // What was read is kept with the write, so that lists count it.
        let loaded = LoadedRun::read(&journal, &run()).await.unwrap();
        assert_eq!(loaded.undoable().count(), 1, "{fault:?}");
        let records = journal.load(&run()).await.unwrap().records;
        let json = serde_json::to_string(&records).unwrap();
        assert!(json.contains(r#""act":"observed","found":"someone-elses""#), "{json}");

        // An undo reads first, and leaves what is not this run's.
        let left = undo(&executor).await;
        assert_eq!((left.steps[0].status.as_str(), left.outcome), ("changed-since-plan", RunOutcome::Incomplete));
        let why = left.steps[0].reason.as_deref();
        assert_eq!(why, Some("not changed: the value is someone-elses, which this run did not set"));
        assert_eq!(world.value(&server, Name::RequireSecureTransport), "someone-elses");
        // What is this run's value again is restored.
        world.set(&server, Name::RequireSecureTransport, "on");
        let undone = undo(&executor).await;
        assert_eq!((undone.steps[0].status.as_str(), undone.outcome), ("undone", RunOutcome::Done), "{fault:?}");
        assert_eq!(world.value(&server, Name::RequireSecureTransport), "off");
    }
}
