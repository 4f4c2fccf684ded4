//! Whole runs: waves, gates, interruptions, undo, and seeds of everything together.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use async_trait::async_trait;
use hostssl_model::{Kind, ParameterName as Name, Posture, Stop};
use hostssl_remediation::{
    Approved, ExecuteError, ExecutionEvent, Executor, ExecutorOptions, Journal, JournalError, JournalEvent,
    JournalRecord, JournalledRun, Judge, LoadedRun, NewRun, OnResume, ParameterRef, Plan, PlanOptions, Report, RunEnd,
    RunId, RunOutcome, SafeText, WireCheck,
};
use hostssl_test_support::clock::VirtualClock;
use hostssl_test_support::fleet::*;
use hostssl_test_support::harness::{Harness, set_traps};
use hostssl_test_support::journal::MemoryJournal;
use hostssl_test_support::world::{InjectedFault, World};
use proptest::prelude::*;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::watch;

/// Servers `a`, `b`, `c`, … that do not enforce TLS.
fn open_servers(count: u8) -> Vec<Posture> {
    (0..count).map(|number| flexible(&char::from(b'a' + number).to_string(), "off", "TLSv1.2")).collect()
}

struct Case {
    known: PlannerKnowledge,
    plan: Plan,
    world: World,
    journal: MemoryJournal,
    clock: VirtualClock,
}

impl Case {
    fn new(postures: Vec<Posture>, traps: &[InjectedFault]) -> Self {
        let mut known = PlannerKnowledge::new(postures);
        known.options = PlanOptions { canary_size: 1, wave_size: 3, max_servers: None };
        let plan = known.plan();
        let world = World::new(&known.postures);
        set_traps(&world, &known.postures, &plan, traps);
        Self { known, plan, world, journal: MemoryJournal::default(), clock: VirtualClock::new() }
    }

    fn harness(&self) -> Harness<'_> {
        Harness::new(&self.world, &self.journal, &self.clock, &self.plan)
    }

    async fn apply(&self, options: ExecutorOptions) -> Report {
        let mut harness = self.harness();
        harness.options = options;
        harness.apply(&[]).await
    }

    /// An executor with a judge and a stop signal.
    fn executor<'a>(
        &'a self,
        journal: &'a dyn Journal,
        judge: Option<&'a dyn Judge>,
        stop: watch::Receiver<Option<Stop>>,
    ) -> Executor<'a, World> {
        Executor {
            writer: &self.world,
            journal,
            clock: &self.clock,
            judge,
            events: &|_: &ExecutionEvent<'_>| {},
            stop,
            options: ExecutorOptions { max_failures: usize::MAX, canary_gate: false, ..ExecutorOptions::default() },
        }
    }

    fn approved(&self) -> Approved<Plan> {
        Approved::new(self.plan.clone(), self.plan.hash().as_str()).unwrap()
    }
}

fn run_id() -> RunId {
    RunId::new("run-1").unwrap()
}

fn statuses(report: &Report) -> Vec<&'static str> {
    report.steps.iter().map(|step| step.status.as_str()).collect()
}

#[tokio::test(start_paused = true)]
async fn apply_then_plan_is_empty_and_undo_restores_the_fleet() {
    let primary = id(Kind::Flexible, "a");
    let postures = vec![
        flexible("a", "off", "TLSv1.1"),
        replica(flexible("b", "OFF", "TLSv1.2"), &primary),
        single("c", "Disabled", "TLSEnforcementDisabled"),
        cosmos("d", "TLSv1.1", "TLSv1"),
    ];
    let case = Case::new(postures, &[]);
    let before = case.world.values();
    let report = case.apply(ExecutorOptions::default()).await;
    assert_eq!((report.outcome, report.summary.applied), (RunOutcome::Done, report.summary.steps));
    let mut after = PlannerKnowledge::new(case.world.observe(&case.known.postures));
    after.options = case.known.options;
    assert!(after.plan().is_empty(), "{:?}", after.plan().steps());
    let undone = case.harness().undo(&[]).await;
    assert_eq!((undone.outcome, undone.summary.undone), (RunOutcome::Done, report.summary.steps));
    assert_eq!(case.world.values(), before);
    let order: Vec<String> = case.world.accepted().iter().map(|write| write.place.0.name().to_owned()).collect();
    let there = order.iter().position(|name| name == "b") < order.iter().position(|name| name == "a");
    let back = order.iter().rposition(|name| name == "b") > order.iter().rposition(|name| name == "a");
    assert!(there && back, "the replica first, and last on the way back: {order:?}");
}

#[tokio::test(start_paused = true)]
async fn a_bad_canary_stops_everything() {
    for fault in
        [InjectedFault::Locked, InjectedFault::OperationFails, InjectedFault::Changed, InjectedFault::BusyForEver]
    {
        let case = Case::new(open_servers(5), &[fault]);
        let options = ExecutorOptions { max_failures: 99, ..ExecutorOptions::default() };
        let report = case.apply(options).await;
        assert_eq!(report.summary.not_started, 4, "{fault:?}");
        assert_eq!(report.steps[4].reason.as_deref(), Some("the first wave did not succeed"));
        assert!(report.outcome >= RunOutcome::Incomplete);
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_stops_after_too_many_failures() {
    let traps = [
        InjectedFault::None,
        InjectedFault::Locked,
        InjectedFault::Policy,
        InjectedFault::None,
        InjectedFault::None,
        InjectedFault::None,
        InjectedFault::None,
    ];
    let case = Case::new(open_servers(7), &traps);
    let report = case.apply(ExecutorOptions { max_failures: 2, max_parallel: 1, ..ExecutorOptions::default() }).await;
    let expected = ["applied", "refused", "refused", "not-started", "not-started", "not-started", "not-started"];
    assert_eq!(statuses(&report), expected);
    assert_eq!(report.steps[3].reason.as_deref(), Some("too many earlier steps had failed"));
    assert_eq!(report.outcome, RunOutcome::Failed);
    assert_eq!(case.world.accepted().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_primary_is_held_when_its_replica_did_not_get_there() {
    let primary = id(Kind::Flexible, "a");
    let postures = vec![flexible("a", "off", "TLSv1.2"), replica(flexible("b", "off", "TLSv1.2"), &primary)];
    let case = Case::new(postures, &[InjectedFault::None, InjectedFault::Locked]);
    let report = case.harness().apply(&[]).await;
    assert_eq!(statuses(&report), ["refused", "not-started"]);
    assert_eq!(report.steps[1].server, primary.to_string());
    assert!(report.steps[1].reason.as_deref().unwrap().contains("replica set"));
}

#[tokio::test(start_paused = true)]
async fn a_servers_later_steps_are_held_after_a_failure() {
    let case = Case::new(vec![single("a", "Disabled", "TLS1_0")], &[InjectedFault::Forbidden]);
    let report = case.harness().apply(&[]).await;
    assert_eq!(statuses(&report), ["refused", "not-started"]);
}

#[tokio::test(start_paused = true)]
async fn parallel_is_bounded_and_one_write_at_a_time_a_server() {
    let mut case = Case::new((0..20).map(|n| single(&format!("s{n}"), "Disabled", "TLS1_0")).collect(), &[]);
    case.known.options.wave_size = 20;
    case.plan = case.known.plan();
    let options = ExecutorOptions { max_parallel: 4, ..ExecutorOptions::default() };
    let report = case.apply(options).await;
    // A second write to a busy server would have been refused, and retried: 40 attempts are 40 acceptances.
    assert_eq!((report.summary.applied, case.world.accepted().len()), (40, 40));
    assert_eq!(case.world.most_parallel(), 4);
}

/// How long a run of so many servers takes in virtual time with every default, where operations take two seconds, requests
/// 20 ms, and Azure names the shortest wait that it does.
async fn time_of_a_run(servers: u32) -> Duration {
    let postures = (0..servers).map(|n| flexible(&format!("s{n}"), "off", "TLSv1.2")).collect();
    let mut case = Case::new(postures, &[]);
    case.world.operation_takes = Duration::from_secs(2);
    case.world.latency = Duration::from_millis(20);
    case.world.retry_after = Some(Duration::from_secs(1));
    case.known.options = PlanOptions::default();
    case.plan = case.known.plan();
    let report = case.apply(ExecutorOptions::default()).await;
    assert_eq!((report.outcome, report.summary.applied), (RunOutcome::Done, servers));
    hostssl_remediation::Clock::elapsed(&case.clock)
}

#[tokio::test(start_paused = true)]
async fn the_default_waves_and_parallel_writes_fit_each_other() {
    for (servers, most) in [(62, 6), (1041, 45)] {
        let took = time_of_a_run(servers).await;
        println!("{servers} writes took {took:?} of virtual time");
        assert!(took < Duration::from_secs(most), "{servers}: {took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_interruption_settles_what_is_under_way_and_starts_nothing_new() {
    let case = Case::new(open_servers(5), &[]);
    let (interrupt, stop) = watch::channel(None);
    let executor = case.executor(&case.journal, None, stop);
    let interruption = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        interrupt.send(Some(Stop::Interrupted)).unwrap();
    };
    let (run, approved) = (run_id(), case.approved());
    let (report, ()) = tokio::join!(executor.apply(&approved, &run, case.plan.principal()), interruption);
    let report = report.unwrap();
    assert_eq!(statuses(&report), ["applied", "not-started", "not-started", "not-started", "not-started"]);
    assert_eq!(report.steps[1].reason.as_deref(), Some("not started yet: resume the run"));
    assert_eq!((report.outcome, report.summary.open), (RunOutcome::Open, 0));
    // As after a kill, resume goes on with all the rest.
    let (_interrupt, stop) = watch::channel(None);
    let resumed = case
        .executor(&case.journal, None, stop)
        .resume(LoadedRun::read(&case.journal, &run).await.unwrap(), OnResume::Continue, &[])
        .await
        .unwrap();
    assert_eq!(statuses(&resumed), ["applied"; 5]);
    case.harness().check(&resumed, |_| InjectedFault::None).await;
}

#[tokio::test(start_paused = true)]
async fn an_interrupted_run_with_nothing_under_way_may_be_undone_at_once() {
    let case = Case::new(open_servers(5), &[]);
    let before = case.world.values();
    let (interrupt, stop) = watch::channel(None);
    let interruption = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        interrupt.send(Some(Stop::Deadline)).unwrap();
    };
    let (run, approved) = (run_id(), case.approved());
    let executor = case.executor(&case.journal, None, stop);
    let (report, ()) = tokio::join!(executor.apply(&approved, &run, case.plan.principal()), interruption);
    assert_eq!(report.unwrap().outcome, RunOutcome::Open);
    let (_interrupt, stop) = watch::channel(None);
    let undone = case
        .executor(&case.journal, None, stop)
        .undo(LoadedRun::read(&case.journal, &run).await.unwrap(), &[], None)
        .await
        .unwrap();
    assert_eq!(statuses(&undone), ["undone", "not-started", "not-started", "not-started", "not-started"]);
    assert_eq!((undone.outcome, case.world.values()), (RunOutcome::Done, before));
}

#[tokio::test(start_paused = true)]
async fn what_outlasts_the_users_patience_stays_open_until_it_is_resumed() {
    let case = Case::new(open_servers(2), &[InjectedFault::TakesLong]);
    let (interrupt, stop) = watch::channel(None);
    let executor = case.executor(&case.journal, None, stop);
    let interruption = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        interrupt.send(Some(Stop::Interrupted)).unwrap();
    };
    let (run, approved) = (run_id(), case.approved());
    let (report, ()) = tokio::join!(executor.apply(&approved, &run, case.plan.principal()), interruption);
    let report = report.unwrap();
    assert_eq!(statuses(&report), ["timed-out", "not-started"]);
    assert!(report.steps[0].reason.as_deref().unwrap().contains("resume the run"));
    assert_eq!((report.outcome, report.summary.open), (RunOutcome::Open, 1));
    assert!(hostssl_remediation::Clock::elapsed(&case.clock) < Duration::from_secs(60));

    // Nothing else may begin, and nothing may be undone, while it is open.
    let (_interrupt, stop) = watch::channel(None);
    let executor = case.executor(&case.journal, None, stop);
    let other = executor.apply(&approved, &RunId::new("run-2").unwrap(), case.plan.principal()).await;
    assert!(matches!(other, Err(ExecuteError::Unfinished(_))));
    assert!(matches!(
        executor.undo(LoadedRun::read(executor.journal, &run).await.unwrap(), &[], None).await,
        Err(ExecuteError::NotEnded(_))
    ));

    let resumed =
        executor.resume(LoadedRun::read(executor.journal, &run).await.unwrap(), OnResume::Continue, &[]).await.unwrap();
    assert_eq!(statuses(&resumed), ["applied", "applied"]);
    assert_eq!(case.world.accepted().len(), 2);
    assert!(matches!(
        executor.resume(LoadedRun::read(executor.journal, &run).await.unwrap(), OnResume::Continue, &[]).await,
        Err(ExecuteError::NothingToResume(_))
    ));
}

#[tokio::test(start_paused = true)]
async fn a_resume_may_settle_only_what_was_under_way() {
    let case = Case::new(open_servers(4), &[]);
    let harness = case.harness();
    // In the middle of the first wave's operation.
    case.world.crash.arm(12);
    let journal = hostssl_test_support::journal::CrashingJournal { inner: &case.journal, crash: &case.world.crash };
    let (_interrupt, stop) = watch::channel(None);
    let executor = case.executor(&journal, None, stop.clone());
    let (run, approved) = (run_id(), case.approved());
    assert!(case.world.crash.survive(executor.apply(&approved, &run, case.plan.principal())).await.is_none());
    case.world.crash.arm(0);
    let report = executor
        .resume(LoadedRun::read(executor.journal, &run).await.unwrap(), OnResume::SettleOnly, &[])
        .await
        .unwrap();
    assert_eq!(statuses(&report), ["applied", "not-started", "not-started", "not-started"]);
    harness.check(&report, |_| InjectedFault::None).await;
}

#[tokio::test(start_paused = true)]
async fn undo_leaves_alone_what_others_have_changed_since() {
    let case = Case::new(open_servers(3), &[]);
    case.harness().apply(&[]).await;
    let b = id(Kind::Flexible, "b");
    case.world.set(&b, Name::RequireSecureTransport, "someone-elses");
    let undone = case.harness().undo(&[]).await;
    assert_eq!(statuses(&undone), ["undone", "changed-since-plan", "undone"]);
    assert_eq!(undone.outcome, RunOutcome::Incomplete);
    assert!(undone.steps[1].reason.as_deref().unwrap().starts_with("not changed"));
    assert_eq!(case.world.value(&b, Name::RequireSecureTransport), "someone-elses");
}

#[tokio::test(start_paused = true)]
async fn an_undo_that_restores_nothing_is_not_recorded_as_one() {
    let case = Case::new(open_servers(2), &[]);
    case.world.set(&id(Kind::Flexible, "a"), Name::RequireSecureTransport, "on");
    case.world.set(&id(Kind::Flexible, "b"), Name::RequireSecureTransport, "on");
    let already = case.harness().apply(&[]).await;
    assert_eq!(statuses(&already), ["already", "already"]);
    assert_eq!(case.harness().undo(&[]).await, already);
    let run = run_id();
    let records = case.journal.load(&run).await.unwrap().records;
    assert!(!records.iter().any(|record| matches!(record.event, JournalEvent::UndoStarted { .. })));
    // An older version recorded one all the same: the servers are as the run left them.
    let at_ms = records.last().unwrap().at_ms;
    let idle = [JournalEvent::UndoStarted { reason: None }, JournalEvent::UndoFinished];
    case.journal.append(&run, &idle.map(|event| JournalRecord { at_ms, event })).await.unwrap();
    assert_eq!(LoadedRun::read(&case.journal, &run).await.unwrap().end(), RunEnd::Verified);
}

#[tokio::test(start_paused = true)]
async fn a_failed_undo_is_stuck_and_may_be_tried_again() {
    for fault in
        [InjectedFault::Locked, InjectedFault::OperationFails, InjectedFault::BusyForEver, InjectedFault::Stopped]
    {
        let case = Case::new(open_servers(3), &[]);
        case.harness().apply(&[]).await;
        let b = id(Kind::Flexible, "b");
        case.world.set_fault(&b, fault);
        let stuck = case.harness().undo(&[]).await;
        assert_eq!(statuses(&stuck), ["undone", "stuck", "undone"], "{fault:?}");
        assert_eq!((stuck.outcome, stuck.summary.stuck), (RunOutcome::Stuck, 1));
        assert!(stuck.steps[1].reason.is_some());
        case.world.clear_faults();
        let undone = case.harness().undo(&[]).await;
        assert_eq!(statuses(&undone), ["undone", "undone", "undone"], "{fault:?}");
        assert_eq!(undone.outcome, RunOutcome::Done);
        // Done once is done.
        let writes = case.world.accepted().len();
        assert_eq!(case.harness().undo(&[]).await, undone);
        assert_eq!(case.world.accepted().len(), writes);
    }
}

#[tokio::test(start_paused = true)]
async fn undo_puts_back_what_took_effect_after_it_was_given_up() {
    let case = Case::new(open_servers(1), &[InjectedFault::TakesLong]);
    let mut harness = case.harness();
    harness.options.operation_patience = Duration::from_secs(30);
    let report = harness.apply(&[]).await;
    assert_eq!(statuses(&report), ["timed-out"]);
    // At this moment the value is the old one, and the operation still runs.
    case.world.clear_faults();
    let undone = harness.undo(&[]).await;
    assert_eq!(statuses(&undone), ["undone"]);
    tokio::time::sleep(Duration::from_mins(30)).await;
    assert_eq!(case.world.value(&id(Kind::Flexible, "a"), Name::RequireSecureTransport), "off");
}

/// Says these verdicts, one after the other; the last for ever.
struct Oracle(Vec<WireCheck>, AtomicUsize);

#[async_trait]
impl Judge for Oracle {
    async fn judge(&self, _: ParameterRef<'_>, value: &str) -> WireCheck {
        assert_eq!(value, "on");
        let asked = self.1.fetch_add(1, Ordering::SeqCst);
        self.0.get(asked).or(self.0.last()).cloned().unwrap()
    }
}

#[tokio::test(start_paused = true)]
async fn the_wire_has_the_last_word() {
    let no = || WireCheck::Contradicted(SafeText::new("a plaintext startup was answered"));
    for (verdicts, status, says) in [
        (vec![WireCheck::Confirmed], "applied", None),
        (vec![no(), no(), WireCheck::Confirmed], "applied", None),
        (vec![no()], "failed", Some("the probe contradicts it: a plaintext startup was answered")),
        (
            vec![WireCheck::NotShown(SafeText::new("it is of the logs"))],
            "applied",
            Some("not checked on the wire: it is"),
        ),
        (vec![WireCheck::NotChecked(SafeText::new("no route"))], "applied", Some("not checked on the wire: no route")),
    ] {
        let case = Case::new(open_servers(1), &[]);
        let oracle = Oracle(verdicts, AtomicUsize::new(0));
        let (_interrupt, stop) = watch::channel(None);
        let executor = case.executor(&case.journal, Some(&oracle), stop);
        let report = executor.apply(&case.approved(), &run_id(), case.plan.principal()).await.unwrap();
        assert_eq!(statuses(&report), [status]);
        let reason = report.steps[0].reason.as_deref();
        assert_eq!(reason.is_some(), says.is_some());
        assert!(reason.unwrap_or_default().contains(says.unwrap_or_default()), "{reason:?}");
        // Who asked for a probe, and got none, has not everything that was asked for.
        let unprobed = u32::from(reason.is_some_and(|reason| reason.ends_with("no route")));
        assert_eq!(report.summary.not_probed, unprobed);
        let ends = match (status, unprobed) {
            ("applied", 0) => RunOutcome::Done,
            ("applied", _) => RunOutcome::Incomplete,
            _ => RunOutcome::Failed,
        };
        assert_eq!((report.outcome, report.is_manual_only()), (ends, false));
        // What the wire contradicts was written all the same, so undo restores the value.
        let undone =
            executor.undo(LoadedRun::read(executor.journal, &run_id()).await.unwrap(), &[], None).await.unwrap();
        assert_eq!(statuses(&undone), ["undone"]);
    }
}

/// Fails at the `n`th append.
struct FullDisk<'a>(&'a MemoryJournal, Mutex<usize>);

#[async_trait]
impl Journal for FullDisk<'_> {
    async fn begin(&self, run: &NewRun<'_>) -> Result<(), JournalError> {
        self.0.begin(run).await
    }

    async fn append(&self, run: &RunId, records: &[JournalRecord]) -> Result<(), JournalError> {
        {
            let mut left = self.1.lock().unwrap();
            if *left == 0 {
                return Err(JournalError::Full("no space left on device".into()));
            }
            *left -= 1;
        }
        self.0.append(run, records).await
    }

    async fn load(&self, run: &RunId) -> Result<JournalledRun, JournalError> {
        self.0.load(run).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_full_disk_stops_every_write_and_the_report_knows_no_more_than_the_journal() {
    for room in 0..12 {
        let case = Case::new(open_servers(4), &[]);
        let journal = FullDisk(&case.journal, Mutex::new(room));
        let (_interrupt, stop) = watch::channel(None);
        let executor = case.executor(&journal, None, stop);
        let run = run_id();
        let error = executor.apply(&case.approved(), &run, case.plan.principal()).await.unwrap_err();
        let ExecuteError::Journal { source: JournalError::Full(_), partial: Some(partial) } = error else {
            panic!("{error:?}");
        };
        let stored = case.journal.load(&run).await.unwrap();
        let intents = |record: &&JournalRecord| {
            matches!(&record.event, JournalEvent::Step { act: hostssl_remediation::StepEvent::Intent { .. }, .. })
        };
        // No write without a recorded intent.
        assert!(case.world.accepted().len() <= stored.records.iter().filter(intents).count());
        assert_eq!(*partial, stored.load().unwrap().report());
        assert!(partial.outcome >= RunOutcome::Incomplete);
        // With room again, the run ends as if nothing had happened.
        *journal.1.lock().unwrap() = usize::MAX;
        let report = executor
            .resume(LoadedRun::read(executor.journal, &run).await.unwrap(), OnResume::Continue, &[])
            .await
            .unwrap();
        assert_eq!(report.outcome, RunOutcome::Done, "{report:?}");
        case.harness().check(&report, |_| InjectedFault::None).await;
    }
}

/// Busy so many times before each append.
struct BusyJournal<'a>(&'a MemoryJournal, usize, Mutex<usize>);

impl BusyJournal<'_> {
    fn is_busy(&self) -> bool {
        let mut left = self.2.lock().unwrap();
        *left = left.checked_sub(1).unwrap_or(self.1);
        *left < self.1
    }
}

#[async_trait]
impl Journal for BusyJournal<'_> {
    async fn begin(&self, run: &NewRun<'_>) -> Result<(), JournalError> {
        if self.is_busy() { Err(JournalError::Busy("an audit".into())) } else { self.0.begin(run).await }
    }

    async fn append(&self, run: &RunId, records: &[JournalRecord]) -> Result<(), JournalError> {
        if self.is_busy() { Err(JournalError::Busy("an audit".into())) } else { self.0.append(run, records).await }
    }

    async fn load(&self, run: &RunId) -> Result<JournalledRun, JournalError> {
        self.0.load(run).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_busy_journal_is_waited_for_until_patience_or_the_person_ends() {
    let case = Case::new(open_servers(3), &[]);
    let journal = BusyJournal(&case.journal, 3, Mutex::new(3));
    let (interrupt, stop) = watch::channel(None);
    let executor = case.executor(&journal, None, stop.clone());
    let report = executor.apply(&case.approved(), &run_id(), case.plan.principal()).await.unwrap();
    assert_eq!(statuses(&report), ["applied"; 3]);

    let case = Case::new(open_servers(3), &[]);
    let journal = BusyJournal(&case.journal, usize::MAX, Mutex::new(usize::MAX));
    let executor = case.executor(&journal, None, stop);
    let took = |from| hostssl_remediation::Clock::elapsed(&case.clock) - from;
    let busy = executor.apply(&case.approved(), &run_id(), case.plan.principal()).await;
    assert!(matches!(busy, Err(ExecuteError::Journal { source: JournalError::Busy(_), .. })));
    assert!(took(Duration::ZERO) >= ExecutorOptions::default().journal_patience);
    let from = took(Duration::ZERO);
    interrupt.send(Some(Stop::Interrupted)).unwrap();
    let busy = executor.apply(&case.approved(), &run_id(), case.plan.principal()).await;
    assert!(busy.is_err() && took(from) <= Duration::from_secs(31), "{:?}", took(from));
}

#[tokio::test(start_paused = true)]
async fn steps_for_people_are_reported_and_never_written() {
    let horizon =
        server(Kind::Horizon, "h", &[(Name::RequireSecureTransport, "off"), (Name::SslMinProtocolVersion, "TLSv1.2")]);
    let case = Case::new(vec![horizon, flexible("a", "off", "TLSv1.2")], &[]);
    let report = case.apply(ExecutorOptions::default()).await;
    assert_eq!(statuses(&report), ["applied", "not-started"]);
    assert!(report.steps[1].reason.as_deref().unwrap().contains("manually"));
    assert_eq!(case.world.accepted().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_write_that_the_lost_one_overtakes_is_not_a_second_change() {
    // The lost write takes effect between the last look and the write that is sent in its place.
    hostssl_test_support::seeded::survive(10_946_892_962_295_723_428, &MemoryJournal::default()).await;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, max_shrink_iters: 0, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_nothing_is_written_twice_and_everything_comes_back(seed in any::<u64>()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(hostssl_test_support::seeded::survive(seed, &MemoryJournal::default()));
    }
}
