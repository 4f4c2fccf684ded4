//! Applies, crashes, resumes and checks: the same for the journal in memory and for the one on disk.

use crate::clock::VirtualClock;
use crate::journal::CrashingJournal;
use crate::world::{InjectedFault, SIGNATURE, World};
use hostssl_model::Posture;
use hostssl_remediation::{
    Approved, ExecuteError, ExecutionEvent, Executor, ExecutorOptions, Journal, LoadedRun, OnResume, Plan, Report,
    RunId, RunPhase, RunState, StepOutcome, StepReport, StepStatus,
};
use std::time::Duration;
use tokio::sync::watch;

/// A run that is applied, or undone, in spite of crashes.
pub struct Harness<'a> {
    pub world: &'a World,
    pub journal: &'a dyn Journal,
    pub clock: &'a VirtualClock,
    pub plan: &'a Plan,
    pub run: RunId,
    pub options: ExecutorOptions,
    /// How long the machine is down after each crash.
    pub down: Duration,
}

impl<'a> Harness<'a> {
    pub fn new(world: &'a World, journal: &'a dyn Journal, clock: &'a VirtualClock, plan: &'a Plan) -> Self {
        let run = RunId::new("run-1").unwrap();
        let longest_wait = Duration::from_secs(40);
        let options = ExecutorOptions {
            max_failures: usize::MAX,
            canary_gate: false,
            longest_wait,
            ..ExecutorOptions::default()
        };
        Self { world, journal, clock, plan, run, options, down: Duration::from_secs(3) }
    }

    /// Applies, with a crash at each of these points, one after the other.
    pub async fn apply(&self, crashes: &[u64]) -> Report {
        self.to_the_end(crashes, Work::Apply).await
    }

    /// Undoes, with a crash at each of these points, one after the other.
    pub async fn undo(&self, crashes: &[u64]) -> Report {
        self.to_the_end(crashes, Work::Undo).await
    }

    async fn to_the_end(&self, crashes: &[u64], mut work: Work) -> Report {
        let mut crashes = crashes.iter();
        loop {
            self.world.crash.arm(crashes.next().copied().unwrap_or(0));
            let journal = CrashingJournal { inner: self.journal, crash: &self.world.crash };
            let (_interrupt, stop) = watch::channel(None);
            let executor = Executor {
                writer: self.world,
                journal: &journal,
                clock: self.clock,
                judge: None,
                events: &|_: &ExecutionEvent<'_>| {},
                stop,
                options: self.options,
            };
            let done = self.world.crash.survive(async {
                match work {
                    Work::Apply => {
                        let approved = Approved::new(self.plan.clone(), self.plan.hash().as_str()).unwrap();
                        executor.apply(&approved, &self.run, self.plan.principal()).await
                    }
                    Work::Undo => {
                        executor.undo(LoadedRun::read(executor.journal, &self.run).await.unwrap(), &[], None).await
                    }
                    Work::Resume => {
                        executor
                            .resume(
                                LoadedRun::read(executor.journal, &self.run).await.unwrap(),
                                OnResume::Continue,
                                &[],
                            )
                            .await
                    }
                }
            });
            match done.await {
                Some(Ok(report)) => return report,
                Some(Err(ExecuteError::NothingToResume(_))) => return self.loaded().await.report(),
                Some(Err(error)) => panic!("{error:?}"),
                None => {
                    tokio::time::sleep(self.down).await;
                    work = self.after_crash(work).await;
                }
            }
        }
    }

    /// What a user would do next: resume, unless the crash came before anything was recorded.
    async fn after_crash(&self, work: Work) -> Work {
        match self.journal.load(&self.run).await {
            Err(_) => Work::Apply,
            Ok(stored) => match stored.load().unwrap().state.phase() {
                RunPhase::Finished if work == Work::Undo => Work::Undo,
                _ => Work::Resume,
            },
        }
    }

    pub async fn loaded(&self) -> LoadedRun {
        self.journal.load(&self.run).await.unwrap().load().unwrap()
    }

    /// Everything that must hold when a run has ended, whatever happened on the way.
    pub async fn check(&self, report: &Report, fault: impl Fn(&StepReport) -> InjectedFault) {
        let stored = self.journal.load(&self.run).await.unwrap();
        let loaded = stored.clone().load().unwrap();
        let state = RunState::replay(self.plan.steps().len(), &stored.records).unwrap();
        assert_eq!(state, loaded.state);
        assert!(matches!(state.phase(), RunPhase::Finished | RunPhase::UndoFinished), "{:?}", state.phase());
        assert_eq!(&loaded.report(), report, "the journal and the report agree");
        assert_eq!(report.summary.open, 0);
        let kept = serde_json::to_string(&stored.records).unwrap() + &format!("{report:?}");
        assert!(!kept.contains(SIGNATURE) && !kept.contains("https://"), "a signed URL was kept");
        for (line, step) in report.steps.iter().zip(self.plan.steps()) {
            let at = state.step(step.id).unwrap();
            let value = self.world.value(&step.server, step.parameter);
            let writes: Vec<_> = self
                .world
                .accepted()
                .into_iter()
                .filter(|write| write.place == (step.server.clone(), step.parameter) && write.value == *step.after)
                .filter(|write| !write.overtaken)
                .collect();
            let effective = writes.iter().filter(|write| write.effective).count();
            let context = format!("{line:?}, fault {:?}, value {value}, {writes:?}", fault(line));
            assert!(effective <= 1, "written twice: {context}");
            // Only a write that came to nothing, and whose answer was lost, may be followed by a second one.
            assert!(writes.len() <= 1 + usize::from(effective == 0), "written twice: {context}");
            match line.status {
                StepStatus::Applied => {
                    assert_eq!((&*value, effective), (&*step.after, 1), "{context}");
                    assert!(matches!(at.apply.ending(), Some(StepOutcome::Reached { .. })));
                }
                StepStatus::Already => {
                    assert!(value.eq_ignore_ascii_case(&step.after) && writes.is_empty(), "{context}");
                }
                StepStatus::NotStarted | StepStatus::Refused => assert_eq!(writes.len(), 0, "{context}"),
                // A resumed run that finds the new value without a record does not claim it.
                StepStatus::ChangedSincePlan => {
                    assert!(value != *step.after || fault(line) == InjectedFault::AlreadyThere, "{context}");
                }
                StepStatus::Failed => assert_eq!((&*value, effective), (&*step.before, 0), "{context}"),
                // What outlasts every patience takes effect after the end: that is why this is no "failed".
                StepStatus::TimedOut => {
                    assert!(value == *step.before || fault(line) == InjectedFault::LostAndLong, "{context}");
                }
                StepStatus::Undone => assert_eq!(value, *step.undo, "{context}"),
                StepStatus::Stuck | StepStatus::Forgotten => {}
                StepStatus::WaitsForRestart => assert_eq!(value, *step.after, "{context}"),
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Work {
    Apply,
    Resume,
    Undo,
}

/// How a step on such a server may end; the first without a crash.
pub fn expected(fault: InjectedFault) -> &'static [StepStatus] {
    match fault {
        InjectedFault::None
        | InjectedFault::TakesLong
        | InjectedFault::BusyTwice
        | InjectedFault::PollForbidden
        | InjectedFault::PollGone
        | InjectedFault::PollLost
        | InjectedFault::Throttled
        | InjectedFault::LostAccepted
        | InjectedFault::ReadsFail
        | InjectedFault::SignInLost
        | InjectedFault::Late
        | InjectedFault::NotSentTwice
        | InjectedFault::Synchronous => &[StepStatus::Applied],
        InjectedFault::PendingRestart => &[StepStatus::WaitsForRestart],
        // A crash before the write was sent looks like a lost write too, and two of them are one too many.
        InjectedFault::LostOnTheWay | InjectedFault::LostAndLong => &[StepStatus::Applied, StepStatus::TimedOut],
        // Who crashed while the operation ran cannot be told any more that it failed.
        InjectedFault::OperationFails | InjectedFault::SucceedsUnchanged => &[StepStatus::Failed, StepStatus::TimedOut],
        InjectedFault::NeverEnds | InjectedFault::BusyForEver | InjectedFault::LostAlways | InjectedFault::Unseen => {
            &[StepStatus::TimedOut]
        }
        InjectedFault::Locked
        | InjectedFault::Policy
        | InjectedFault::Forbidden
        | InjectedFault::Stopped
        | InjectedFault::StoppedAtWrite => &[StepStatus::Refused],
        InjectedFault::Changed => &[StepStatus::ChangedSincePlan],
        // A resumed run cannot know that nothing of it set the value.
        InjectedFault::AlreadyThere => &[StepStatus::Already, StepStatus::ChangedSincePlan],
    }
}

/// Sets the traps, and does now what they need to have done between plan and apply.
pub fn set_traps(world: &World, postures: &[Posture], plan: &Plan, traps: &[InjectedFault]) {
    for (posture, fault) in postures.iter().zip(traps) {
        world.set_fault(&posture.server.id, *fault);
        for step in plan.steps().iter().filter(|step| step.server == posture.server.id) {
            match fault {
                InjectedFault::Changed => world.set(&step.server, step.parameter, "someone-elses"),
                InjectedFault::AlreadyThere => world.set(&step.server, step.parameter, &step.after.to_uppercase()),
                _ => {}
            }
        }
    }
}

/// A small generator, so that a seed says everything about a case.
pub struct Seed(pub u64);

impl Seed {
    /// SplitMix64.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[usize::try_from(self.below(from.len() as u64)).unwrap()]
    }
}
