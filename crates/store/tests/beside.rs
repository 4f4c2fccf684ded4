//! A run whose state directory others use at the same time.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use hostssl_remediation::{
    Approved, ExecutionEvent, Executor, ExecutorOptions, PlanOptions, RunId, RunOutcome, SystemClock,
};
use hostssl_store::{AuditStore, Store};
use hostssl_test_support::audited::AuditedFleet;
use hostssl_test_support::fleet::*;
use hostssl_test_support::world::{InjectedFault, World};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tokio::sync::watch;

/// Each append meets an audit of 2,000 servers that is being saved, over a connection of its own as another process has.
#[test]
fn audits_that_are_saved_beside_a_run_do_not_break_it_off() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    let names = (0..4).map(|number| format!("server-{number}"));
    let mut known = PlannerKnowledge::new(names.map(|name| flexible(&name, "off", "TLSv1.2")).collect());
    known.options = PlanOptions { canary_size: 1, wave_size: 3, max_servers: None };
    let plan = known.plan();
    let world = World::new(&known.postures);
    known.postures.iter().for_each(|posture| world.set_fault(&posture.server.id, InjectedFault::Synchronous));
    let (over, saved) = (AtomicBool::new(false), AtomicUsize::new(0));
    let path = directory.path();
    std::thread::scope(|threads| {
        threads.spawn(|| {
            let audits = AuditStore::open(path).unwrap();
            let mut fleet = AuditedFleet::large(2_000);
            for minute in 1.. {
                if over.load(Ordering::SeqCst) {
                    break;
                }
                // Facts that did not change would be kept already, and cost next to nothing.
                fleet.flip(0, 1);
                audits.save(&fleet.report(minute)).unwrap();
                saved.fetch_add(1, Ordering::SeqCst);
            }
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let applied = runtime.block_on(async {
            while saved.load(Ordering::SeqCst) == 0 {
                tokio::task::yield_now().await;
            }
            let (_interrupt, stop) = watch::channel(None);
            let executor = Executor {
                writer: &world,
                journal: &store,
                clock: &SystemClock::new(),
                judge: None,
                events: &|_: &ExecutionEvent<'_>| {},
                stop,
                options: ExecutorOptions::default(),
            };
            let approved = Approved::new(plan.clone(), plan.hash().as_str()).unwrap();
            executor.apply(&approved, &RunId::new("run-1").unwrap(), plan.principal()).await
        });
        over.store(true, Ordering::SeqCst);
        let report = applied.unwrap();
        assert_eq!((report.outcome, report.summary.applied), (RunOutcome::Done, 4));
    });
    assert!(saved.load(Ordering::SeqCst) > 1, "nothing was saved beside the run");
}
