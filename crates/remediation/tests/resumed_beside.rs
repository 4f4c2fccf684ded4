//! A run that is resumed while a write is open and its canary could not be read again: nothing of it is left out.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use hostssl_remediation::{
    Direction, ExecutionEvent, Executor, ExecutorOptions, Journal, JournalEvent, JournalRecord, LoadedRun, NewRun,
    OnResume, PlanOptions, RunId, SafeText, StepEvent, StepOutcome, StepStatus,
};
use hostssl_test_support::clock::VirtualClock;
use hostssl_test_support::fleet::*;
use hostssl_test_support::journal::MemoryJournal;
use hostssl_test_support::world::World;
use tokio::sync::watch;

#[tokio::test(start_paused = true)]
async fn the_rest_of_a_server_whose_write_was_open_is_done_too() {
    // Servers with two changes each, one in the first wave.
    let postures = ["a", "b"].map(|name| flexible(name, "off", "TLSv1.1")).to_vec();
    let mut known = PlannerKnowledge::new(postures);
    known.options = PlanOptions { canary_size: 1, wave_size: 3, max_servers: None };
    let (plan, world, clock) = (known.plan(), World::new(&known.postures), VirtualClock::new());
    let (canary, later): (Vec<_>, Vec<_>) = plan.steps().iter().partition(|step| step.wave == 1);
    assert_eq!((canary.len(), later.len()), (2, 2), "{:?}", plan.steps());
    let (journal, run) = (MemoryJournal::default(), RunId::new("run-1").unwrap());
    let record = |event| JournalRecord { at_ms: NOW_MS, event };
    let first = record(JournalEvent::RunStarted { reason: None, pace: None });
    journal
        .begin(&NewRun { id: &run, plan: &plan, principal: plan.principal(), first: &first, approvals: None })
        .await
        .unwrap();
    let text = SafeText::new;
    let intent = |step: &hostssl_remediation::Step| StepEvent::Intent { found: text(&step.before), was_default: false };
    let mut acts = Vec::new();
    for step in &canary {
        let wanted = &*step.after;
        world.set(&step.server, step.parameter, wanted);
        acts.push((step.id, intent(step)));
        acts.push((step.id, StepEvent::Accepted { request_id: None }));
        acts.push((step.id, StepEvent::Observed { found: text(wanted), pending_restart: false }));
        let ending = StepOutcome::Reached { note: None, waits_for_restart: false };
        acts.push((step.id, StepEvent::Ended { ending }));
        acts.push((step.id, StepEvent::NotReadAgain { why: text("no answer in time") }));
    }
    acts.push((later[0].id, intent(later[0])));
    let records: Vec<JournalRecord> = acts
        .into_iter()
        .map(|(step, act)| record(JournalEvent::Step { step, direction: Direction::Apply, act }))
        .collect();
    journal.append(&run, &records).await.unwrap();

    let loaded = LoadedRun::read(&journal, &run).await.unwrap();
    let executor = Executor {
        writer: &world,
        journal: &journal,
        clock: &clock,
        judge: None,
        events: &|_: &ExecutionEvent<'_>| {},
        stop: watch::channel(None).1,
        options: ExecutorOptions::default(),
    };
    let report = executor.resume(loaded, OnResume::Continue, &[]).await.unwrap();
    assert!(report.steps.iter().all(|step| step.status == StepStatus::Applied), "{report:#?}");
}
