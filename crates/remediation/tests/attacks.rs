//! What happens around a run and must not break it: outages, stops, values that go back, servers that are gone.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use async_trait::async_trait;
use hostssl_model::{Kind, Origin, Parameter, ParameterName as Name, Posture, ResourceId, Stop, Unchecked};
use hostssl_remediation::{
    Accepted, Approved, Clock, Direction, ExecuteError, ExecutionEvent, Executor, ExecutorOptions, Journal,
    JournalError, JournalEvent, JournalRecord, JournalledRun, LONGEST_APPEND, LONGEST_WRITE, LoadedRun, NewRun,
    OnResume, OperationProgress, ParameterRef, ParameterWriter, Plan, PlanOptions, PollError, Report, RunId,
    RunOutcome, RunPhase, SafeText, StepEvent, StepStatus, WriteError,
};
use hostssl_test_support::clock::VirtualClock;
use hostssl_test_support::fleet::*;
use hostssl_test_support::harness::set_traps;
use hostssl_test_support::journal::{CrashingJournal, MemoryJournal};
use hostssl_test_support::world::{InjectedFault, PollUrl, World};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::watch;

struct Case {
    plan: Plan,
    world: World,
    journal: MemoryJournal,
    clock: VirtualClock,
}

impl Case {
    fn new(traps: &[InjectedFault]) -> Self {
        let name = |number: usize| char::from(b'a' + u8::try_from(number).unwrap()).to_string();
        let postures: Vec<Posture> = (0..traps.len()).map(|number| flexible(&name(number), "off", "TLSv1.2")).collect();
        let mut known = PlannerKnowledge::new(postures);
        known.options = PlanOptions { canary_size: 1, wave_size: 1, max_servers: None };
        let plan = known.plan();
        let world = World::new(&known.postures);
        set_traps(&world, &known.postures, &plan, traps);
        Self { plan, world, journal: MemoryJournal::default(), clock: VirtualClock::new() }
    }

    fn executor<'a, W: ParameterWriter>(
        &'a self,
        writer: &'a W,
        stop: watch::Receiver<Option<Stop>>,
    ) -> Executor<'a, W> {
        Executor {
            writer,
            journal: &self.journal,
            clock: &self.clock,
            judge: None,
            events: &|_: &ExecutionEvent<'_>| {},
            stop,
            options: ExecutorOptions { max_failures: usize::MAX, canary_gate: false, ..ExecutorOptions::default() },
        }
    }

    async fn apply_by(&self, writer: &impl ParameterWriter, stop: watch::Receiver<Option<Stop>>) -> Report {
        let approved = Approved::new(self.plan.clone(), self.plan.hash().as_str()).unwrap();
        self.executor(writer, stop).apply(&approved, &run(), self.plan.principal()).await.unwrap()
    }

    async fn apply(&self) -> Report {
        self.apply_by(&self.world, watch::channel(None).1).await
    }

    async fn resume(&self, rest: OnResume) -> Report {
        let loaded = LoadedRun::read(&self.journal, &run()).await.unwrap();
        self.executor(&self.world, watch::channel(None).1).resume(loaded, rest, &[]).await.unwrap()
    }

    fn set(&self, server: &str, value: &str) {
        self.world.set(&id(Kind::Flexible, server), Name::RequireSecureTransport, value);
    }
}

fn run() -> RunId {
    RunId::new("run-1").unwrap()
}

fn statuses(report: &Report) -> Vec<&'static str> {
    report.steps.iter().map(|step| step.status.as_str()).collect()
}

/// What never answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hangs {
    FirstRead,
    Turn,
    /// The write is never sent, as far as Azure goes.
    Write,
    /// Azure takes the write, and its answer never comes.
    Answer,
    Poll,
    ReadAfterWrite,
}

/// An Azure that keeps one answer back for ever, as one 429 with a `Retry-After` of a day does below a client that waits.
struct Hanging<'a>(&'a World, Hangs);

#[async_trait]
impl ParameterWriter for Hanging<'_> {
    type Operation = PollUrl;

    async fn read(&self, at: ParameterRef<'_>) -> Result<Parameter, Unchecked> {
        let written = !self.0.accepted().is_empty();
        if (self.1 == Hangs::FirstRead && !written) || (self.1 == Hangs::ReadAfterWrite && written) {
            std::future::pending::<()>().await;
        }
        self.0.read(at).await
    }

    async fn created_at(&self, at: ParameterRef<'_>) -> Result<Option<String>, Unchecked> {
        self.0.created_at(at).await
    }

    async fn whereabouts(&self, at: ParameterRef<'_>) -> Option<ResourceId> {
        self.0.whereabouts(at).await
    }

    async fn await_turn(&self, _: ParameterRef<'_>) {
        if self.1 == Hangs::Turn {
            std::future::pending::<()>().await;
        }
    }

    async fn is_ready(&self, at: ParameterRef<'_>) -> Option<bool> {
        self.0.is_ready(at).await
    }

    async fn write(&self, at: ParameterRef<'_>, value: &str, origin: Origin) -> Result<Accepted<PollUrl>, WriteError> {
        if self.1 == Hangs::Write {
            std::future::pending::<()>().await;
        }
        let answer = self.0.write(at, value, origin).await;
        if self.1 == Hangs::Answer {
            std::future::pending::<()>().await;
        }
        answer
    }

    async fn poll(&self, operation: &PollUrl) -> Result<OperationProgress, PollError> {
        if self.1 == Hangs::Poll {
            std::future::pending::<()>().await;
        }
        self.0.poll(operation).await
    }
}

#[tokio::test(start_paused = true)]
async fn every_wait_ends_within_the_patience_after_a_stop_and_can_be_resumed() {
    for hangs in [Hangs::FirstRead, Hangs::Turn, Hangs::Write, Hangs::Answer, Hangs::Poll, Hangs::ReadAfterWrite] {
        // So that the patience after it ends before a write is given up.
        for stop_after in [1, 20, 40] {
            let case = Case::new(&[InjectedFault::None; 3]);
            let (interrupt, stop) = watch::channel(None);
            let stopping = async {
                tokio::time::sleep(Duration::from_secs(stop_after)).await;
                interrupt.send(Some(Stop::Deadline)).unwrap();
                case.clock.elapsed()
            };
            let hanging = Hanging(&case.world, hangs);
            let (report, stopped) = tokio::join!(case.apply_by(&hanging, stop), stopping);
            let took = case.clock.elapsed() - stopped;
            assert!(took < Duration::from_millis(30_500), "{hangs:?}, stopped after {stop_after} s: {took:?}");
            assert_eq!(report.outcome, RunOutcome::Open);
            // What was not sent was not written down as sent; of a write that hangs nobody knows.
            let sent = case.world.accepted().len() + usize::from(hangs == Hangs::Write);
            let open = usize::from(matches!(hangs, Hangs::Write | Hangs::Answer | Hangs::Poll | Hangs::ReadAfterWrite));
            assert_eq!(usize::try_from(report.summary.open).unwrap(), open, "{hangs:?}");
            let stored = case.journal.load(&run()).await.unwrap();
            let intended = |record: &&JournalRecord| {
                matches!(record.event, JournalEvent::Step { act: StepEvent::Intent { .. }, .. })
            };
            assert_eq!(stored.records.iter().filter(intended).count(), sent, "{hangs:?}");
            assert_eq!(statuses(&case.resume(OnResume::Continue).await), ["applied"; 3], "{hangs:?}");
            assert_eq!(case.world.accepted().len(), 3);
        }
    }
}

/// The right to send a write is asked for so long and no longer. What came of it is read, and it is sent once more.
#[tokio::test(start_paused = true)]
async fn a_write_that_hangs_is_given_up_in_time() {
    let case = Case::new(&[InjectedFault::None; 3]);
    let (interrupt, stop) = watch::channel(None);
    let stopping = async {
        tokio::time::sleep(LONGEST_WRITE + Duration::from_secs(15)).await;
        interrupt.send(Some(Stop::Deadline)).unwrap();
    };
    let hanging = Hanging(&case.world, Hangs::Write);
    let (report, ()) = tokio::join!(case.apply_by(&hanging, stop), stopping);
    assert_eq!((report.outcome, report.summary.open), (RunOutcome::Open, 1));
    let records = case.journal.load(&run()).await.unwrap().records;
    let intended =
        |record: &&JournalRecord| matches!(record.event, JournalEvent::Step { act: StepEvent::Intent { .. }, .. });
    assert_eq!(records.iter().filter(intended).count(), 2);
}

/// A journal that another process locks from the first intent on, and that answers nothing while it waits for the lock.
struct LockedJournal<'a>(&'a MemoryJournal);

#[async_trait]
impl Journal for LockedJournal<'_> {
    async fn begin(&self, run: &NewRun<'_>) -> Result<(), JournalError> {
        self.0.begin(run).await
    }

    async fn append(&self, run: &RunId, records: &[JournalRecord]) -> Result<(), JournalError> {
        let intent =
            |record: &JournalRecord| matches!(record.event, JournalEvent::Step { act: StepEvent::Intent { .. }, .. });
        if !records.iter().any(intent) {
            std::future::pending::<()>().await;
        }
        self.0.append(run, records).await
    }

    async fn load(&self, run: &RunId) -> Result<JournalledRun, JournalError> {
        self.0.load(run).await
    }
}

#[tokio::test(start_paused = true)]
async fn the_lock_of_another_process_does_not_outlast_the_patience_after_a_stop() {
    let case = Case::new(&[InjectedFault::None; 3]);
    let (interrupt, stop) = watch::channel(None);
    let stopping = async {
        tokio::time::sleep(Duration::from_secs(20)).await;
        interrupt.send(Some(Stop::Interrupted)).unwrap();
        case.clock.elapsed()
    };
    let locked = LockedJournal(&case.journal);
    let executor = Executor { journal: &locked, ..case.executor(&case.world, stop) };
    let approved = Approved::new(case.plan.clone(), case.plan.hash().as_str()).unwrap();
    let run = run();
    let (ended, stopped) = tokio::join!(executor.apply(&approved, &run, case.plan.principal()), stopping);
    let took = case.clock.elapsed() - stopped;
    assert!(took < Duration::from_millis(30_500), "{took:?}");
    let Err(ExecuteError::Journal { source: JournalError::Busy(_), partial: Some(partial) }) = ended else {
        panic!("{ended:?}");
    };
    assert_eq!((partial.outcome, partial.summary.open), (RunOutcome::Open, 1));
    assert_eq!(statuses(&case.resume(OnResume::Continue).await), ["applied"; 3]);
    assert_eq!(case.world.accepted().len(), 3);
}

/// A journal that another process locks from the first intent on, and that says so after a while, one append after the other.
struct BusyJournal<'a>(&'a MemoryJournal, tokio::sync::Mutex<()>);

#[async_trait]
impl Journal for BusyJournal<'_> {
    async fn begin(&self, run: &NewRun<'_>) -> Result<(), JournalError> {
        self.0.begin(run).await
    }

    async fn append(&self, run: &RunId, records: &[JournalRecord]) -> Result<(), JournalError> {
        let intent =
            |record: &JournalRecord| matches!(record.event, JournalEvent::Step { act: StepEvent::Intent { .. }, .. });
        if records.iter().any(intent) {
            return self.0.append(run, records).await;
        }
        let _turn = self.1.lock().await;
        tokio::time::sleep(LONGEST_APPEND).await;
        Err(JournalError::Busy("locked".into()))
    }

    async fn load(&self, run: &RunId) -> Result<JournalledRun, JournalError> {
        self.0.load(run).await
    }
}

/// The append that is being tried when a run is given up is waited for by the process.
#[tokio::test(start_paused = true)]
async fn an_append_that_is_being_tried_does_not_outlast_the_patience_after_a_stop() {
    for stop_after in [7_000, 7_500, 8_000, 8_500, 9_000] {
        let case = Case::new(&[InjectedFault::None]);
        let (interrupt, stop) = watch::channel(None);
        let stopping = async {
            tokio::time::sleep(Duration::from_millis(stop_after)).await;
            interrupt.send(Some(Stop::Interrupted)).unwrap();
            case.clock.elapsed()
        };
        let busy = BusyJournal(&case.journal, tokio::sync::Mutex::new(()));
        let executor = Executor { journal: &busy, ..case.executor(&case.world, stop) };
        let approved = Approved::new(case.plan.clone(), case.plan.hash().as_str()).unwrap();
        let run = run();
        let (ended, stopped) = tokio::join!(executor.apply(&approved, &run, case.plan.principal()), stopping);
        assert!(matches!(ended, Err(ExecuteError::Journal { source: JournalError::Busy(_), .. })), "{ended:?}");
        let took = case.clock.elapsed() - stopped;
        assert!(took + LONGEST_APPEND <= Duration::from_secs(30), "stopped after {stop_after} ms: {took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_could_not_be_sent_is_sent_a_moment_later() {
    let case = Case::new(&[InjectedFault::NotSentTwice, InjectedFault::None]);
    assert_eq!(statuses(&case.apply().await), ["applied", "applied"]);
    assert!(case.clock.elapsed() < Duration::from_secs(60), "{:?}", case.clock.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_write_that_never_arrived_costs_seconds_and_holds_up_no_other_wave() {
    let case = Case::new(&[InjectedFault::LostOnTheWay; 6]);
    assert_eq!(statuses(&case.apply().await), ["applied"; 6]);
    // Six waves of one server each: one after the other they would take six times the wait.
    let took = case.clock.elapsed();
    assert!(took < Duration::from_secs(120), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn what_nobody_could_look_at_stays_open_and_is_settled_later() {
    let case = Case::new(&[InjectedFault::None, InjectedFault::Unseen, InjectedFault::None]);
    let report = case.apply().await;
    assert_eq!((report.outcome, report.summary.open, report.summary.applied), (RunOutcome::Open, 1, 2));
    assert!(report.steps[1].open && !report.steps[0].open);
    case.world.clear_faults();
    let resumed = case.resume(OnResume::Continue).await;
    assert_eq!((statuses(&resumed), resumed.outcome), (vec!["applied"; 3], RunOutcome::Done));
    assert_eq!(case.world.accepted().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_value_that_goes_back_is_seen_before_the_next_wave_or_the_report() {
    for (after, applied) in [(Duration::from_millis(200), 3), (Duration::from_secs(5), 3)] {
        let case = Case::new(&[InjectedFault::None; 4]);
        let reverting = async {
            while case.world.accepted().is_empty() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            tokio::time::sleep(case.world.operation_takes + Duration::from_secs(3) + after).await;
            case.set("a", "off");
        };
        let (report, ()) = tokio::join!(case.apply(), reverting);
        assert_eq!((report.summary.failed, report.summary.applied), (1, applied), "{report:?}");
        assert!(report.steps[0].reason.as_deref().unwrap().contains("something else sets it"));
        assert_eq!(report.outcome, RunOutcome::Failed);
        // It is still known as this run's doing, and undo finds that there is nothing left to put back.
        let executor = case.executor(&case.world, watch::channel(None).1);
        assert_eq!(
            statuses(
                &executor.undo(LoadedRun::read(executor.journal, &run()).await.unwrap(), &[], None).await.unwrap()
            ),
            ["undone"; 4]
        );
    }
}

/// What was read back stands, and that it could not be read again is kept until it is.
#[tokio::test(start_paused = true)]
async fn a_second_look_that_fails_is_kept_until_a_resume_reads_it() {
    let case = Case::new(&[InjectedFault::None; 2]);
    let server = case.plan.steps()[0].server.clone();
    let unseen = std::sync::Mutex::new(Vec::new());
    let blind = |event: &ExecutionEvent<'_>| match event {
        ExecutionEvent::Recorded(JournalRecord {
            event: JournalEvent::Step { step: 1, act: StepEvent::Ended { .. }, .. },
            ..
        }) => case.world.set_fault(&server, InjectedFault::Unseen),
        ExecutionEvent::NotReadAgain { step, why } => unseen.lock().unwrap().push((step.id, (*why).to_owned())),
        _ => {}
    };
    let executor = Executor { events: &blind, ..case.executor(&case.world, watch::channel(None).1) };
    let approved = Approved::new(case.plan.clone(), case.plan.hash().as_str()).unwrap();
    let report = executor.apply(&approved, &run(), case.plan.principal()).await.unwrap();
    assert_eq!(statuses(&report), ["applied"; 2]);
    assert_eq!(*unseen.lock().unwrap(), [(1, "the token was refused".to_owned())]);
    let unread: Vec<bool> = report.steps.iter().map(|step| step.not_read_again).collect();
    assert_eq!((unread, report.summary.not_read_again), (vec![true, false], 1));
    assert_eq!(report.steps[0].reason.as_deref(), Some("not read again: the token was refused"));
    assert!(!report.steps[0].is_done() && !report.is_manual_only());
    assert_eq!(report.outcome, RunOutcome::Incomplete);

    let loaded = LoadedRun::read(&case.journal, &run()).await.unwrap();
    assert_eq!(loaded.unread().map(|step| step.id).collect::<Vec<_>>(), [1]);

    // As long as it cannot be read, nothing changes; the run has ended all the same, and holds up no other.
    let again = case.resume(OnResume::SettleOnly).await;
    assert_eq!((again.outcome, again.summary.not_read_again), (RunOutcome::Incomplete, 1));
    case.world.clear_faults();
    let read = case.resume(OnResume::SettleOnly).await;
    assert_eq!((read.outcome, read.summary.not_read_again, read.steps[0].reason.clone()), (RunOutcome::Done, 0, None));
    assert_eq!(case.world.accepted().len(), 2);
    let executor = case.executor(&case.world, watch::channel(None).1);
    let loaded = || async { LoadedRun::read(&case.journal, &run()).await.unwrap() };
    let nothing = executor.resume(loaded().await, OnResume::Continue, &[]).await;
    assert!(matches!(nothing, Err(ExecuteError::NothingToResume(_))), "{nothing:?}");
    assert_eq!(loaded().await.report(), read);
}

/// A canary that was not seen to stay says nothing for the servers behind it.
#[tokio::test(start_paused = true)]
async fn a_canary_that_cannot_be_read_again_holds_up_the_next_wave() {
    let gated = ExecutorOptions { max_failures: usize::MAX, ..ExecutorOptions::default() };
    // Blind for the look after the first wave; the last look before the report may see it.
    for seen_at_last in [false, true] {
        let case = Case::new(&[InjectedFault::None; 3]);
        let canary = case.plan.steps()[0].server.clone();
        let blind = |event: &ExecutionEvent<'_>| match event {
            ExecutionEvent::Recorded(JournalRecord {
                event: JournalEvent::Step { step: 1, act: StepEvent::Ended { .. }, .. },
                ..
            }) => case.world.set_fault(&canary, InjectedFault::Unseen),
            ExecutionEvent::NotReadAgain { .. } if seen_at_last => case.world.clear_faults(),
            _ => {}
        };
        let executor =
            Executor { events: &blind, options: gated, ..case.executor(&case.world, watch::channel(None).1) };
        let approved = Approved::new(case.plan.clone(), case.plan.hash().as_str()).unwrap();
        let report = executor.apply(&approved, &run(), case.plan.principal()).await.unwrap();
        assert_eq!(statuses(&report), ["applied", "not-started", "not-started"], "{seen_at_last}");
        assert_eq!((report.outcome, case.world.accepted().len()), (RunOutcome::Open, 1), "{seen_at_last}");

        let resume = async || {
            let loaded = LoadedRun::read(&case.journal, &run()).await.unwrap();
            let executor = Executor { options: gated, ..case.executor(&case.world, watch::channel(None).1) };
            executor.resume(loaded, OnResume::Continue, &[]).await.unwrap()
        };
        if !seen_at_last {
            assert_eq!(statuses(&resume().await), ["applied", "not-started", "not-started"]);
            case.world.clear_faults();
        }
        assert_eq!((statuses(&resume().await), case.world.accepted().len()), (vec!["applied"; 3], 3));
    }
}

/// A run that is held up or stopped keeps what a person said: the next resume is not told again, and must not write there.
#[tokio::test(start_paused = true)]
async fn a_server_that_was_forgotten_is_not_written_to_by_a_later_resume() {
    for stopped in [false, true] {
        let case = Case::new(&[InjectedFault::None; 3]);
        let canary = case.plan.steps()[0].server.clone();
        let last = case.plan.steps()[2].server.clone();
        let gated = ExecutorOptions { max_failures: usize::MAX, ..ExecutorOptions::default() };
        let blind = |event: &ExecutionEvent<'_>| {
            if let ExecutionEvent::Recorded(JournalRecord {
                event: JournalEvent::Step { step: 1, act: StepEvent::Ended { .. }, .. },
                ..
            }) = event
            {
                case.world.set_fault(&canary, InjectedFault::Unseen);
            }
        };
        let executor =
            Executor { events: &blind, options: gated, ..case.executor(&case.world, watch::channel(None).1) };
        let approved = Approved::new(case.plan.clone(), case.plan.hash().as_str()).unwrap();
        executor.apply(&approved, &run(), case.plan.principal()).await.unwrap();
        let resume = async |forgotten: &[ResourceId], stop| {
            let loaded = LoadedRun::read(&case.journal, &run()).await.unwrap();
            let executor = Executor { options: gated, ..case.executor(&case.world, stop) };
            executor.resume(loaded, OnResume::Continue, forgotten).await.unwrap()
        };
        // The canary cannot be read still, or the person stops it at once.
        let stop = watch::channel(stopped.then_some(Stop::Interrupted));
        let held_up = resume(std::slice::from_ref(&last), stop.1).await;
        assert_eq!(statuses(&held_up), ["applied", "not-started", "forgotten"], "{stopped}");
        case.world.clear_faults();
        let rest = resume(&[], watch::channel(None).1).await;
        assert_eq!(statuses(&rest), ["applied", "applied", "forgotten"], "{stopped}");
        assert!(case.world.accepted().iter().all(|write| write.place.0 != last), "{stopped}");
    }
}

/// The same on the way back.
#[tokio::test(start_paused = true)]
async fn a_server_that_an_undo_was_to_forget_is_left_alone_by_a_later_resume() {
    let case = Case::new(&[InjectedFault::None; 2]);
    assert_eq!(case.apply().await.outcome, RunOutcome::Done);
    let first = case.plan.steps()[0].server.clone();
    let (_stop, stopped) = watch::channel(Some(Stop::Interrupted));
    let loaded = LoadedRun::read(&case.journal, &run()).await.unwrap();
    let executor = case.executor(&case.world, stopped);
    let undone = executor.undo(loaded, std::slice::from_ref(&first), None).await.unwrap();
    assert_eq!(undone.outcome, RunOutcome::Open);
    let rest = case.resume(OnResume::Continue).await;
    assert_eq!(statuses(&rest), ["forgotten", "undone"]);
    assert_eq!(case.world.accepted().iter().filter(|write| write.place.0 == first).count(), 1, "by the apply alone");
}

/// The only way to end with a server that was deleted: its value can never be read again.
#[tokio::test(start_paused = true)]
async fn a_server_whose_second_look_fails_can_be_forgotten() {
    for (undo, killed) in [(false, false), (true, false), (false, true), (true, true)] {
        let case = killed_in_the_second_look(undo).await;
        let server = case.plan.steps()[0].server.clone();
        case.world.set_fault(&server, InjectedFault::Unseen);
        let forgetting = async || {
            let loaded = LoadedRun::read(&case.journal, &run()).await.unwrap();
            let executor = case.executor(&case.world, watch::channel(None).1);
            executor.resume(loaded, OnResume::Continue, std::slice::from_ref(&server)).await
        };
        if !killed {
            assert_eq!(case.resume(OnResume::Continue).await.summary.not_read_again, 1);
        }
        let report = forgetting().await.unwrap();
        assert_eq!(statuses(&report), ["forgotten", if undo { "undone" } else { "applied" }], "{undo} {killed}");
        assert_eq!((report.outcome, report.summary.not_read_again), (RunOutcome::Done, 0));
        let loaded = LoadedRun::read(&case.journal, &run()).await.unwrap();
        assert_eq!(loaded.report(), report);
        assert!(matches!(forgetting().await, Err(ExecuteError::NothingToResume(_))));
    }
}

/// A value that is another one when it can be read again was not kept.
#[tokio::test(start_paused = true)]
async fn a_resume_that_reads_again_sees_what_went_back_after_an_undo_too() {
    for undo in [false, true] {
        let case = Case::new(&[InjectedFault::None; 2]);
        let server = case.plan.steps()[0].server.clone();
        let blind = |event: &ExecutionEvent<'_>| match event {
            ExecutionEvent::Recorded(JournalRecord {
                event: JournalEvent::Step { step: 1, direction, act: StepEvent::Ended { .. } },
                ..
            }) if undo == (*direction == Direction::Undo) => case.world.set_fault(&server, InjectedFault::Unseen),
            _ => {}
        };
        let executor = Executor { events: &blind, ..case.executor(&case.world, watch::channel(None).1) };
        let approved = Approved::new(case.plan.clone(), case.plan.hash().as_str()).unwrap();
        let mut report = executor.apply(&approved, &run(), case.plan.principal()).await.unwrap();
        if undo {
            assert_eq!(report.outcome, RunOutcome::Done);
            let loaded = LoadedRun::read(&case.journal, &run()).await.unwrap();
            report = executor.undo(loaded, &[], None).await.unwrap();
        }
        assert_eq!((report.outcome, report.summary.not_read_again), (RunOutcome::Incomplete, 1), "{report:?}");
        case.world.clear_faults();
        case.set("a", if undo { "on" } else { "off" });
        let read = case.resume(OnResume::Continue).await;
        let expected = if undo { ["stuck", "undone"] } else { ["failed", "applied"] };
        assert_eq!((statuses(&read), read.summary.not_read_again), (expected.to_vec(), 0));
    }
}

/// Who stops a run in its last half second has not seen the values stay.
#[tokio::test(start_paused = true)]
async fn a_stop_before_the_second_look_is_kept_too() {
    let case = Case::new(&[InjectedFault::None; 2]);
    let (interrupt, stop) = watch::channel(None);
    let ended = std::sync::atomic::AtomicUsize::new(0);
    let stopping = |event: &ExecutionEvent<'_>| {
        if let ExecutionEvent::Recorded(JournalRecord {
            event: JournalEvent::Step { act: StepEvent::Ended { .. }, .. },
            ..
        }) = event
            && ended.fetch_add(1, Ordering::SeqCst) == 1
        {
            interrupt.send(Some(Stop::Interrupted)).unwrap();
        }
    };
    let executor = Executor { events: &stopping, ..case.executor(&case.world, stop) };
    let approved = Approved::new(case.plan.clone(), case.plan.hash().as_str()).unwrap();
    let report = executor.apply(&approved, &run(), case.plan.principal()).await.unwrap();
    assert_eq!((statuses(&report), report.summary.not_read_again), (vec!["applied"; 2], 2));
    assert_eq!(report.outcome, RunOutcome::Incomplete);
    assert_eq!(case.resume(OnResume::Continue).await.outcome, RunOutcome::Done);
}

/// A kill leaves no note of what was not looked at again: whoever resumes looks at all of it.
#[tokio::test(start_paused = true)]
async fn a_kill_in_the_second_look_hides_nothing_that_goes_back() {
    for (undo, rest) in [
        (false, OnResume::SettleOnly),
        (false, OnResume::Continue),
        (true, OnResume::SettleOnly),
        (true, OnResume::Continue),
    ] {
        let case = killed_in_the_second_look(undo).await;
        case.set("a", if undo { "on" } else { "off" });
        let read = case.resume(rest).await;
        let expected = if undo { ["stuck", "undone"] } else { ["failed", "applied"] };
        assert_eq!(statuses(&read), expected, "{undo} {rest:?}");
        assert_ne!(read.outcome, RunOutcome::Done);
    }
}

/// Settling ends the run: what a stop kept it from looking at is noted, as no later resume would look by itself.
#[tokio::test(start_paused = true)]
async fn a_stop_while_a_run_is_only_settled_leaves_a_note() {
    let case = killed_in_the_second_look(false).await;
    let (_interrupt, stop) = watch::channel(Some(Stop::Interrupted));
    let executor = case.executor(&case.world, stop);
    let loaded = LoadedRun::read(&case.journal, &run()).await.unwrap();
    let settled = executor.resume(loaded, OnResume::SettleOnly, &[]).await.unwrap();
    assert_eq!((settled.outcome, settled.summary.not_read_again), (RunOutcome::Incomplete, 2), "{settled:?}");
    assert_eq!(case.resume(OnResume::Continue).await.outcome, RunOutcome::Done);
}

/// An apply, or the undo of one, that is dropped after its last step ended and before it looked again.
async fn killed_in_the_second_look(undo: bool) -> Case {
    let case = Case::new(&[InjectedFault::None; 2]);
    if undo {
        assert_eq!(case.apply().await.outcome, RunOutcome::Done);
    }
    let (ended, written) = (std::sync::atomic::AtomicUsize::new(0), tokio::sync::Notify::new());
    let counting = |event: &ExecutionEvent<'_>| {
        if let ExecutionEvent::Recorded(JournalRecord {
            event: JournalEvent::Step { act: StepEvent::Ended { .. }, .. },
            ..
        }) = event
            && ended.fetch_add(1, Ordering::SeqCst) == 1
        {
            written.notify_one();
        }
    };
    let executor = Executor { events: &counting, ..case.executor(&case.world, watch::channel(None).1) };
    let work = async {
        if undo {
            let loaded = LoadedRun::read(&case.journal, &run()).await.unwrap();
            executor.undo(loaded, &[], None).await
        } else {
            let approved = Approved::new(case.plan.clone(), case.plan.hash().as_str()).unwrap();
            executor.apply(&approved, &run(), case.plan.principal()).await
        }
    };
    tokio::select! {
        biased;
        report = work => panic!("it ended before the kill: {report:?}"),
        () = written.notified() => {}
    }
    case
}

#[tokio::test(start_paused = true)]
async fn a_canary_that_goes_back_holds_up_everything_else() {
    let case = Case::new(&[InjectedFault::None; 4]);
    let reverting = async {
        tokio::time::sleep(case.world.operation_takes + Duration::from_secs(60)).await;
        case.set("a", "off");
    };
    let mut executor = case.executor(&case.world, watch::channel(None).1);
    executor.options.soak = Duration::from_mins(10);
    executor.options.canary_gate = true;
    let approved = Approved::new(case.plan.clone(), case.plan.hash().as_str()).unwrap();
    let by = case.plan.principal();
    let run = run();
    let (report, ()) = tokio::join!(executor.apply(&approved, &run, by), reverting);
    assert_eq!(statuses(&report.unwrap()), ["failed", "not-started", "not-started", "not-started"]);
    assert_eq!(case.world.accepted().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_restored_value_that_goes_back_is_seen_before_the_next_wave_or_the_report() {
    // The undo begins with the last server: `c` is seen with its wave, `a` before the report.
    for (server, expected) in [("c", ["undone", "undone", "stuck"]), ("a", ["stuck", "undone", "undone"])] {
        let case = Case::new(&[InjectedFault::None; 3]);
        assert_eq!(statuses(&case.apply().await), ["applied"; 3]);
        let reverting = async {
            let place = (id(Kind::Flexible, server), Name::RequireSecureTransport);
            while case.world.value(&place.0, place.1) != "off" {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            let stored = || async { case.journal.load(&run()).await.unwrap().load().unwrap() };
            let restored = |loaded: &LoadedRun| {
                let step = case.plan.steps().iter().find(|step| step.server == place.0).unwrap();
                loaded.state.step(step.id).unwrap().undo.as_ref().unwrap().ending().is_some()
            };
            while !restored(&stored().await) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            case.set(server, "on");
        };
        let executor = case.executor(&case.world, watch::channel(None).1);
        let loaded = LoadedRun::read(executor.journal, &run()).await.unwrap();
        let (undone, ()) = tokio::join!(executor.undo(loaded, &[], None), reverting);
        let undone = undone.unwrap();
        assert_eq!((statuses(&undone), undone.outcome), (expected.to_vec(), RunOutcome::Stuck), "{server}");
        let stuck = undone.steps.iter().find(|step| step.status.as_str() == "stuck").unwrap();
        assert!(stuck.reason.as_deref().unwrap().starts_with("the previous value was read back"), "{stuck:?}");
        // It may be retried, and is not lost.
        let loaded = LoadedRun::read(executor.journal, &run()).await.unwrap();
        let retried = executor.undo(loaded, &[], None).await.unwrap();
        assert_eq!((statuses(&retried), retried.outcome), (vec!["undone"; 3], RunOutcome::Done));
    }
}

#[tokio::test(start_paused = true)]
async fn waves_wait_for_the_soak_also_after_a_stop_that_ends_it() {
    let case = Case::new(&[InjectedFault::None; 4]);
    let (interrupt, stop) = watch::channel(None);
    let mut executor = case.executor(&case.world, stop);
    executor.options.soak = Duration::from_mins(10);
    let approved = Approved::new(case.plan.clone(), case.plan.hash().as_str()).unwrap();
    let stopping = async {
        tokio::time::sleep(Duration::from_mins(15)).await;
        interrupt.send(Some(Stop::Interrupted)).unwrap();
    };
    let run = run();
    let (report, ()) = tokio::join!(executor.apply(&approved, &run, case.plan.principal()), stopping);
    assert_eq!(statuses(&report.unwrap()), ["applied", "applied", "not-started", "not-started"]);
    assert!(case.clock.elapsed() < Duration::from_mins(16));
    // Resumed by someone who does not say how, it soaks as it was begun.
    let resumed = case.executor(&case.world, watch::channel(None).1);
    let loaded = LoadedRun::read(resumed.journal, &run).await.unwrap();
    let ended = resumed.resume(loaded, OnResume::Continue, &[]).await.unwrap();
    assert_eq!(statuses(&ended), ["applied"; 4]);
    assert!(case.clock.elapsed() > Duration::from_mins(25), "{:?}", case.clock.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_value_that_waits_for_a_restart_is_not_called_applied() {
    let case = Case::new(&[InjectedFault::PendingRestart, InjectedFault::None]);
    let report = case.apply().await;
    assert_eq!(statuses(&report), ["waits-for-restart", "applied"]);
    assert_eq!((report.outcome, report.summary.waits_for_restart), (RunOutcome::Incomplete, 1));
    assert!(report.steps[0].reason.as_deref().unwrap().contains("restart"));
}

/// Crashed anywhere, and resumed only to settle: nothing is written.
#[tokio::test(start_paused = true)]
async fn to_settle_is_to_read() {
    let mut written = 0;
    for at in 1..60 {
        let case = Case::new(&[InjectedFault::None, InjectedFault::LostOnTheWay]);
        case.world.crash.arm(at);
        let journal = CrashingJournal { inner: &case.journal, crash: &case.world.crash };
        let executor = Executor { journal: &journal, ..case.executor(&case.world, watch::channel(None).1) };
        let approved = Approved::new(case.plan.clone(), case.plan.hash().as_str()).unwrap();
        let run = run();
        let crashed = case.world.crash.survive(executor.apply(&approved, &run, case.plan.principal())).await.is_none();
        case.world.crash.arm(0);
        if !crashed || case.journal.load(&run).await.is_err() {
            continue;
        }
        let before = case.world.accepted().len();
        let executor = case.executor(&case.world, watch::channel(None).1);
        let Ok(settled) =
            executor.resume(LoadedRun::read(executor.journal, &run).await.unwrap(), OnResume::SettleOnly, &[]).await
        else {
            continue;
        };
        assert_eq!(case.world.accepted().len(), before, "crash {at}");
        assert_ne!(settled.outcome, RunOutcome::Open, "crash {at}");
        written += before;
    }
    assert!(written > 0, "no crash came behind a write");
}

/// A wave waits for the replicas of its primaries, and for no other server. A single server does not say whether it is busy,
/// so that a write which may have been lost takes minutes to be sure of.
#[tokio::test(start_paused = true)]
async fn a_primary_waits_for_its_own_replica_alone() {
    let postures = vec![
        flexible("canary-dev", "off", "TLSv1.2"),
        replica(flexible("b", "off", "TLSv1.2"), &id(Kind::Flexible, "c")),
        flexible("c", "off", "TLSv1.2"),
        single("d", "Disabled", "TLS1_2"),
    ];
    let mut known = PlannerKnowledge::new(postures);
    known.options = PlanOptions { canary_size: 1, wave_size: 9, max_servers: None };
    let plan = known.plan();
    let case = Case { world: World::new(&known.postures), plan, ..Case::new(&[]) };
    let traps = [InjectedFault::None, InjectedFault::LostOnTheWay, InjectedFault::None, InjectedFault::LostOnTheWay];
    set_traps(&case.world, &known.postures, &case.plan, &traps);
    assert_eq!(statuses(&case.apply().await), ["applied"; 4]);
    let stored = case.journal.load(&run()).await.unwrap();
    let ended = stored.records.iter().filter_map(|record| match &record.event {
        JournalEvent::Step { step, act: StepEvent::Ended { .. }, .. } => Some(case.plan.step(*step)?.server.name()),
        _ => None,
    });
    assert_eq!(ended.collect::<Vec<_>>(), ["canary-dev", "b", "c", "d"]);
}

/// A write that a killed run may have sent takes its time to be sure of. The rest does not wait for it, unless it is the
/// canary's.
#[tokio::test(start_paused = true)]
async fn a_resume_continues_beside_a_write_of_which_nothing_is_known() {
    for (canary_gate, lost) in [(true, 1), (true, 0), (false, 0)] {
        let mut case = Case::new(&[InjectedFault::None; 9]);
        case.world.operation_takes = Duration::from_secs(5);
        let executor = |journal, events| Executor {
            journal,
            events,
            options: ExecutorOptions { canary_gate, ..case.executor(&case.world, watch::channel(None).1).options },
            ..case.executor(&case.world, watch::channel(None).1)
        };
        let (written, recorded) = (tokio::sync::Notify::new(), std::sync::atomic::AtomicUsize::new(0));
        let killing = |event: &ExecutionEvent<'_>| {
            let intent = matches!(
                event,
                ExecutionEvent::Recorded(JournalRecord {
                    event: JournalEvent::Step { act: StepEvent::Intent { .. }, .. },
                    ..
                })
            );
            if intent && recorded.fetch_add(1, Ordering::SeqCst) == lost {
                case.world.crash.arm(1);
                written.notify_one();
            }
        };
        let approved = Approved::new(case.plan.clone(), case.plan.hash().as_str()).unwrap();
        let (killed, name) = (executor(&case.journal, &killing), run());
        tokio::select! {
            biased;
            () = written.notified() => {}
            report = killed.apply(&approved, &name, case.plan.principal()) => {
                panic!("it ended before the kill: {report:?}")
            }
        }
        case.world.crash.arm(0);
        assert_eq!(case.world.accepted().len(), lost, "the last write was not sent");
        let began = case.clock.elapsed();
        let loaded = LoadedRun::read(&case.journal, &run()).await.unwrap();
        let resumed = executor(&case.journal, &|_: &ExecutionEvent<'_>| {});
        let report = resumed.resume(loaded, OnResume::Continue, &[]).await.unwrap();
        assert_eq!(statuses(&report), ["applied"; 9]);
        let took = (case.clock.elapsed() - began).as_secs();
        // Seven or eight waves of 7 s each, beside the wait of 40 s or behind it.
        let beside = !(canary_gate && lost == 0);
        assert_eq!(took < 80, beside, "{canary_gate} {lost}: {took} s");
    }
}

/// An undo that was killed and then only settled has left values, says so, and restores them when the run is undone again.
#[tokio::test(start_paused = true)]
async fn what_a_settled_undo_has_left_is_restored_by_the_next_one() {
    let mut left = 0;
    for at in 1..40 {
        let case = Case::new(&[InjectedFault::None; 3]);
        case.apply().await;
        let loaded = LoadedRun::read(&case.journal, &run()).await.unwrap();
        case.world.crash.arm(at);
        let journal = CrashingJournal { inner: &case.journal, crash: &case.world.crash };
        let executor = Executor { journal: &journal, ..case.executor(&case.world, watch::channel(None).1) };
        let crashed = case.world.crash.survive(executor.undo(loaded, &[], None)).await.is_none();
        case.world.crash.arm(0);
        let loaded = LoadedRun::read(&case.journal, &run()).await.unwrap();
        if !crashed || loaded.state.phase() != RunPhase::Undoing {
            continue;
        }
        let settled = case.resume(OnResume::SettleOnly).await;
        let waiting = settled.steps.iter().filter(|step| step.status == StepStatus::NotStarted);
        let reasons: Vec<&str> = waiting.filter_map(|step| step.reason.as_deref()).collect();
        let right = |reason: &&str| reason.contains("has not been restored") && reason.contains("undo the run again");
        assert!(reasons.iter().all(right), "crash {at}: {reasons:?}");
        assert_eq!(reasons.len(), settled.left_to_restore(), "crash {at}");
        left += reasons.len();
        let loaded = LoadedRun::read(&case.journal, &run()).await.unwrap();
        let executor = case.executor(&case.world, watch::channel(None).1);
        let undone = executor.undo(loaded, &[], None).await.unwrap();
        assert_eq!(statuses(&undone), ["undone"; 3], "crash {at}");
    }
    assert!(left > 0, "no crash came before the last step");
}

#[tokio::test(start_paused = true)]
async fn a_server_may_be_forgotten() {
    let case = Case::new(&[InjectedFault::None, InjectedFault::None]);
    case.apply().await;
    let b = id(Kind::Flexible, "b");
    case.world.set_fault(&b, InjectedFault::Locked);
    let executor = case.executor(&case.world, watch::channel(None).1);
    let stuck = executor.undo(LoadedRun::read(executor.journal, &run()).await.unwrap(), &[], None).await.unwrap();
    assert_eq!((statuses(&stuck), stuck.outcome), (vec!["undone", "stuck"], RunOutcome::Stuck));
    for _ in 0..2 {
        let forgotten = executor
            .undo(LoadedRun::read(executor.journal, &run()).await.unwrap(), std::slice::from_ref(&b), None)
            .await
            .unwrap();
        assert_eq!((statuses(&forgotten), forgotten.outcome), (vec!["undone", "forgotten"], RunOutcome::Done));
    }
    // An open step of a run that is not settled yet may be forgotten too.
    let case = Case::new(&[InjectedFault::None, InjectedFault::Unseen]);
    assert_eq!(case.apply().await.outcome, RunOutcome::Open);
    let executor = case.executor(&case.world, watch::channel(None).1);
    let resumed = executor
        .resume(LoadedRun::read(executor.journal, &run()).await.unwrap(), OnResume::Continue, &[b])
        .await
        .unwrap();
    assert_eq!((statuses(&resumed), resumed.outcome), (vec!["applied", "forgotten"], RunOutcome::Done));
}

/// As after a state directory was restored from a backup that was made while the run went on.
#[tokio::test(start_paused = true)]
async fn a_resumed_run_claims_nothing_about_what_it_may_have_written() {
    let case = Case::new(&[InjectedFault::None; 3]);
    let applied = case.apply().await;
    assert_eq!(statuses(&applied), ["applied"; 3]);
    let whole = case.journal.load(&run()).await.unwrap().records;
    // All records are lost but the first, or all of the last two servers.
    for (kept, expected) in
        [(1, ["changed-since-plan"; 3]), (5, ["applied", "changed-since-plan", "changed-since-plan"])]
    {
        let restored = MemoryJournal::default();
        let new = NewRun {
            id: &run(),
            plan: &case.plan,
            principal: case.plan.principal(),
            first: &whole[0],
            approvals: None,
        };
        restored.begin(&new).await.unwrap();
        let of_first = |record: &&JournalRecord| matches!(record.event, JournalEvent::Step { step: 1, .. });
        let records: Vec<JournalRecord> = whole.iter().filter(of_first).take(kept - 1).cloned().collect();
        restored.append(&run(), &records).await.unwrap();
        let executor = Executor { journal: &restored, ..case.executor(&case.world, watch::channel(None).1) };
        let loaded = LoadedRun::read(&restored, &run()).await.unwrap();
        let resumed = executor.resume(loaded, OnResume::Continue, &[]).await.unwrap();
        assert_eq!(statuses(&resumed), expected, "{resumed:?}");
        assert_eq!((resumed.outcome, resumed.summary.already), (RunOutcome::Incomplete, 0));
        assert!(resumed.steps[2].reason.as_deref().unwrap().contains("no record says who set it"));
        assert_eq!(case.world.accepted().len(), 3, "nothing is written");
    }
}

/// A wall clock that someone sets back by an hour while the run waits.
struct SetBack<'a>(&'a VirtualClock, AtomicBool);

#[async_trait]
impl Clock for SetBack<'_> {
    fn now_ms(&self) -> i64 {
        let back = if self.1.load(Ordering::SeqCst) { 3_600_000 } else { 0 };
        self.0.now_ms() - back
    }

    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    async fn sleep(&self, duration: Duration) {
        self.1.store(true, Ordering::SeqCst);
        self.0.sleep(duration).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_back_prolongs_no_wait() {
    let case = Case::new(&[InjectedFault::None]);
    // Killed between the intent and the write.
    let record = |event| JournalRecord { at_ms: case.clock.now_ms(), event };
    let first = record(JournalEvent::RunStarted { reason: None, pace: None });
    let new = NewRun { id: &run(), plan: &case.plan, principal: case.plan.principal(), first: &first, approvals: None };
    case.journal.begin(&new).await.unwrap();
    let act = StepEvent::Intent { found: SafeText::new("off"), was_default: false };
    let intent = record(JournalEvent::Step { step: 1, direction: Direction::Apply, act });
    case.journal.append(&run(), &[intent]).await.unwrap();
    let clock = SetBack(&case.clock, AtomicBool::new(false));
    let executor = Executor { clock: &clock, ..case.executor(&case.world, watch::channel(None).1) };
    let loaded = LoadedRun::read(&case.journal, &run()).await.unwrap();
    let resumed = executor.resume(loaded, OnResume::Continue, &[]).await.unwrap();
    assert_eq!(statuses(&resumed), ["applied"]);
    assert!(clock.1.load(Ordering::SeqCst), "it waited, so that the clock was set back");
    assert!(case.clock.elapsed() < ExecutorOptions::default().grace, "{:?}", case.clock.elapsed());
}
