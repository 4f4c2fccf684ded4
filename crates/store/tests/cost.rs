//! What the journal costs. Run with
//! `cargo test --release -p hostssl-store --test cost -- --ignored --nocapture`, and `TMPDIR` on the disk to measure.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use async_trait::async_trait;
use hostssl_model::{Origin, Parameter, ResourceId, Unchecked};
use hostssl_remediation::{
    Accepted, Approved, ExecutionEvent, Executor, ExecutorOptions, Journal, JournalEvent, JournalRecord, NewRun,
    OperationProgress, ParameterRef, ParameterWriter, Plan, PlanOptions, PollError, RequestId, RunId, SystemClock,
    WriteError,
};
use hostssl_store::Store;
use hostssl_test_support::fleet::*;
use hostssl_test_support::journal::MemoryJournal;
use std::collections::HashSet;
use std::sync::Mutex;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Takes every write at once, so that only the journal takes time.
#[derive(Default)]
struct Instantly(Mutex<HashSet<String>>);

#[async_trait]
impl ParameterWriter for Instantly {
    type Operation = ();

    async fn read(&self, at: ParameterRef<'_>) -> Result<Parameter, Unchecked> {
        let written = self.0.lock().unwrap().contains(at.server.as_str());
        Ok(Parameter::in_effect(at.parameter, if written { "on" } else { "off" }))
    }

    async fn created_at(&self, _: ParameterRef<'_>) -> Result<Option<String>, Unchecked> {
        Ok(None)
    }

    async fn whereabouts(&self, _: ParameterRef<'_>) -> Option<ResourceId> {
        None
    }

    async fn await_turn(&self, _: ParameterRef<'_>) {}

    async fn is_ready(&self, _: ParameterRef<'_>) -> Option<bool> {
        None
    }

    async fn write(&self, at: ParameterRef<'_>, _: &str, _: Origin) -> Result<Accepted<()>, WriteError> {
        self.0.lock().unwrap().insert(at.server.to_string());
        let request_id = RequestId::new("0d5a3c3e-0000-4000-8000-000000000001").ok();
        Ok(Accepted { request_id, operation: None, retry_after: None })
    }

    async fn poll(&self, _: &()) -> Result<OperationProgress, PollError> {
        Ok(OperationProgress::Succeeded)
    }
}

async fn apply(journal: &dyn Journal, plan: &Plan, max_parallel: usize) -> Duration {
    let writer = Instantly::default();
    let (_interrupt, stop) = watch::channel(None);
    let executor = Executor {
        writer: &writer,
        journal,
        clock: &SystemClock::new(),
        judge: None,
        events: &|_: &ExecutionEvent<'_>| {},
        stop,
        options: ExecutorOptions { max_parallel, ..ExecutorOptions::default() },
    };
    let approved = Approved::new(plan.clone(), plan.hash().as_str()).unwrap();
    let began = Instant::now();
    let report = executor.apply(&approved, &RunId::new("run-1").unwrap(), plan.principal()).await.unwrap();
    assert_eq!(report.summary.applied, report.summary.steps);
    began.elapsed()
}

#[tokio::test]
#[ignore = "a measurement"]
async fn the_cost_of_the_journal() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    let plan = PlannerKnowledge::new(vec![flexible("a", "off", "TLSv1.2")]).plan();
    let run = RunId::new("run-1").unwrap();
    let first = JournalRecord { at_ms: 0, event: JournalEvent::RunStarted { reason: None, pace: None } };
    store
        .begin(&NewRun { id: &run, plan: &plan, principal: plan.principal(), first: &first, approvals: None })
        .await
        .unwrap();
    let mut times: Vec<Duration> = Vec::new();
    for _ in 0..2000 {
        let began = Instant::now();
        store.append(&run, &[JournalRecord { at_ms: 0, event: JournalEvent::RunResumed }]).await.unwrap();
        times.push(began.elapsed());
    }
    times.sort();
    let mean = times.iter().sum::<Duration>() / 2000;
    println!("one append, one at a time: mean {mean:?}, median {:?}, 99 % {:?}", times[1000], times[1980]);

    for servers in [1000_usize, 10_000] {
        let mut known = PlannerKnowledge::new(
            (0..servers).map(|number| flexible(&format!("server-{number:05}"), "off", "TLSv1.2")).collect(),
        );
        known.options = PlanOptions { canary_size: 1, wave_size: 500, max_servers: None };
        let began = Instant::now();
        let plan = known.plan();
        let planned = began.elapsed();
        let text = plan.to_json();
        let began = Instant::now();
        Plan::parse(&text).unwrap();
        println!(
            "{servers} servers: planned in {planned:?}, parsed back in {:?} ({} bytes)",
            began.elapsed(),
            text.len()
        );
        for parallel in [1, 8, 32] {
            let directory = tempfile::tempdir().unwrap();
            let store = Store::open(directory.path()).unwrap();
            let kept = apply(&store, &plan, parallel).await;
            let unkept = apply(&MemoryJournal::default(), &plan, parallel).await;
            let each = kept.saturating_sub(unkept) / u32::try_from(servers).unwrap();
            println!(
                "{servers} steps, {parallel} at a time: {kept:?}, in memory {unkept:?}: the journal costs {each:?} a step"
            );
            let began = Instant::now();
            store.load(&RunId::new("run-1").unwrap()).await.unwrap().load().unwrap();
            println!("  read back and replayed in {:?}", began.elapsed());
        }
    }
}
