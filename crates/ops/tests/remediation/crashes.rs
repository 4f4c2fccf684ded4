//! A crash before and after every journal write and every request, for every kind of step, over seeds.

use super::case::{Case, both, id, run};
use crate::common::{SUBSCRIPTION, limits, scenario, tenant_through};
use azure_core::http::request::Request;
use azure_core::http::{AsyncRawResponse, HttpClient};
use hostssl_azure_sim::{
    Fault, FaultRule, Kind, Operation, Server, ServerState, SimTransport, Simulation, WriteRecord,
};
use hostssl_model::{ParameterName, TlsVersion};
use hostssl_ops::{Remediation, RemediationError};
use hostssl_remediation::{
    Approved, Clock as _, ExecuteError, ExecutionEvent, Journal as _, LoadedRun, OnResume, Plan, Report, RunPhase,
    Step, StepReport, StepStatus, SystemClock,
};
use hostssl_test_support::clock::VirtualClock;
use hostssl_test_support::crash::Crash;
use hostssl_test_support::journal::{CrashingJournal, MemoryJournal};
use proptest::prelude::*;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Crashes before or after any request.
#[derive(Debug)]
struct CrashingTransport {
    inner: SimTransport,
    crash: Arc<Crash>,
}

#[async_trait::async_trait]
impl HttpClient for CrashingTransport {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        self.crash.point().await;
        let answer = self.inner.execute_request(request).await;
        self.crash.point().await;
        answer
    }
}

/// A kind of step: what the server is, and what is in the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trap {
    None,
    Single,
    Cosmos,
    Fails,
    Ignored,
    Long,
    Locked,
    Policy,
    BusyTwice,
    PollForbidden,
    Throttled,
    ResetAfterAccept,
    Immediate,
    Stopped,
    Changed,
}

const TRAPS: [Trap; 15] = [
    Trap::None,
    Trap::Single,
    Trap::Cosmos,
    Trap::Fails,
    Trap::Ignored,
    Trap::Long,
    Trap::Locked,
    Trap::Policy,
    Trap::BusyTwice,
    Trap::PollForbidden,
    Trap::Throttled,
    Trap::ResetAfterAccept,
    Trap::Immediate,
    Trap::Stopped,
    Trap::Changed,
];

impl Trap {
    fn kind(self) -> Kind {
        match self {
            Self::Single => Kind::Single,
            Self::Cosmos => Kind::Cosmos,
            _ => Kind::Flexible,
        }
    }

    fn faults(self, server: &str) -> Vec<FaultRule> {
        let on = |fault| FaultRule::on_server(server, fault);
        let write = [Operation::UpdateConfiguration];
        match self {
            Self::Fails => vec![on(Fault::OperationFails { code: "OperationFailed".into(), message: "{0}".into() })],
            Self::Ignored => vec![on(Fault::OperationIgnored)],
            Self::Long => vec![on(Fault::OperationTakes { duration: Duration::from_secs(30) })],
            Self::Locked => vec![on(Fault::ReadOnlyLock)],
            Self::Policy => vec![on(Fault::PolicyDenied)],
            Self::BusyTwice => vec![on(Fault::Busy).times(2)],
            Self::PollForbidden => vec![on(Fault::Forbidden).during([Operation::PollOperation])],
            Self::Throttled => vec![on(Fault::Throttled { retry_after: Some(3) }).during(write).times(2)],
            Self::ResetAfterAccept => vec![on(Fault::ResetAfterAccept).times(1)],
            Self::Immediate => vec![on(Fault::Immediate)],
            Self::None | Self::Single | Self::Cosmos | Self::Stopped | Self::Changed => Vec::new(),
        }
    }

    /// How the step may end, whatever crashed on the way.
    fn endings(self) -> &'static [StepStatus] {
        match self {
            Self::Fails | Self::Ignored => &[StepStatus::Failed, StepStatus::TimedOut],
            Self::Locked | Self::Policy | Self::Stopped => &[StepStatus::Refused],
            Self::Changed => &[StepStatus::Already, StepStatus::ChangedSincePlan, StepStatus::Applied],
            _ => &[StepStatus::Applied],
        }
    }
}

/// A setting as the simulator calls it.
fn simulated(kind: Kind, name: ParameterName) -> &'static str {
    match name {
        ParameterName::SslEnforcement => "sslEnforcement",
        ParameterName::NodeSslMinProtocolVersion => "node:ssl_min_protocol_version",
        ParameterName::SslMinProtocolVersion if kind == Kind::Cosmos => "coordinator:ssl_min_protocol_version",
        ParameterName::SslMinProtocolVersion => "ssl_min_protocol_version",
        _ => "require_secure_transport",
    }
}

/// What is switched off in the beginning.
fn switch(kind: Kind) -> Option<(&'static str, &'static str, &'static str)> {
    match kind {
        Kind::Single => Some(("sslEnforcement", "Disabled", "Enabled")),
        Kind::Flexible => Some(("require_secure_transport", "off", "on")),
        _ => None,
    }
}

struct World {
    simulation: Simulation,
    servers: Vec<(String, Trap)>,
    plan: Plan,
    journal: MemoryJournal,
    clock: VirtualClock,
    crash: Arc<Crash>,
    max_parallel: usize,
}

fn server_id(kind: Kind, name: &str) -> String {
    let resource_type = match kind {
        Kind::Single => "servers",
        Kind::Cosmos => "serverGroupsv2",
        _ => return id(name),
    };
    format!(
        "/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.DBforPostgreSQL/{resource_type}/{name}"
    )
}

impl World {
    async fn new(traps: &[Trap], max_parallel: usize) -> Self {
        let names: Vec<String> = (0..traps.len()).map(|number| format!("server-{number}")).collect();
        let servers =
            traps.iter().zip(&names).map(|(trap, name)| Server::new(trap.kind(), "rg", name.as_str())).collect();
        let mut scenario = scenario(servers);
        scenario.writes.duration = Duration::from_secs(11);
        let case = Case::of(scenario);
        let servers: Vec<(String, Trap)> =
            traps.iter().zip(&names).map(|(trap, name)| (server_id(trap.kind(), name), *trap)).collect();
        for (server, trap) in &servers {
            if let Some((name, off, _)) = switch(trap.kind()) {
                case.simulation.set_parameter(server, name, off).unwrap();
            }
        }
        let plan = case.plan(both(TlsVersion::Tls1_3)).await;
        for (server, trap) in &servers {
            for rule in trap.faults(server) {
                case.simulation.inject(rule).unwrap();
            }
            match (trap, switch(trap.kind())) {
                (Trap::Stopped, _) => case.simulation.set_state(server, ServerState::Stopped).unwrap(),
                (Trap::Changed, Some((name, _, on))) => case.simulation.set_parameter(server, name, on).unwrap(),
                _ => {}
            }
        }
        let clock = VirtualClock::at(SystemClock::new().now_ms());
        let Case { simulation, .. } = case;
        Self {
            simulation,
            servers,
            plan,
            journal: MemoryJournal::default(),
            clock,
            crash: Arc::default(),
            max_parallel,
        }
    }

    /// Goes on until the run has ended, with a crash at each of these points.
    async fn to_the_end(&self, crashes: &[u64], undo: bool) -> Report {
        let mut crashes = crashes.iter();
        loop {
            self.crash.arm(crashes.next().copied().unwrap_or(0));
            match self.crash.survive(self.start_or_resume(undo)).await {
                Some(report) => return report,
                None => tokio::time::sleep(Duration::from_secs(2)).await,
            }
        }
    }

    /// What a new process does with what it finds.
    async fn start_or_resume(&self, undo: bool) -> Report {
        let inner = SimTransport::new(&self.simulation);
        let transport = Arc::new(CrashingTransport { inner, crash: self.crash.clone() });
        let tenant = tenant_through(&self.simulation, transport, limits(), watch::channel(None).1);
        let journal = CrashingJournal { inner: &self.journal, crash: &self.crash };
        let (_interrupt, stop) = watch::channel(None);
        let mut options = super::case::patient();
        options.max_parallel = self.max_parallel;
        // Fewer polls, and so fewer points that are alike.
        (options.first_wait, options.longest_wait) = (Duration::from_secs(4), Duration::from_secs(40));
        let remediation = Remediation {
            tenant: &tenant,
            on_behalf: None,
            journal: &journal,
            clients: None,
            clock: &self.clock,
            judge: None,
            events: &|_: &ExecutionEvent<'_>| {},
            on_untold: &|_| {},
            stop,
            options,
        };
        let phase = match self.journal.load(&run()).await {
            Ok(stored) => Some(stored.load().unwrap().state.phase()),
            Err(_) => None,
        };
        let done = match phase {
            None => {
                let approved = Approved::new(self.plan.clone(), self.plan.hash().as_str()).unwrap();
                remediation.apply(&approved, &run(), Duration::MAX).await
            }
            Some(RunPhase::Finished) if undo => {
                remediation.undo(LoadedRun::read(remediation.journal, &run()).await.unwrap(), &[], None).await
            }
            Some(_) => {
                remediation
                    .resume(LoadedRun::read(remediation.journal, &run()).await.unwrap(), OnResume::Continue, &[])
                    .await
            }
        };
        match done {
            Ok(report) => report,
            Err(RemediationError::Execute(ExecuteError::NothingToResume(_))) => {
                self.journal.load(&run()).await.unwrap().load().unwrap().report()
            }
            Err(error) => panic!("{error:?}"),
        }
    }

    /// The trap on a step's server.
    fn trap(&self, step: &Step) -> Trap {
        self.servers.iter().find(|(server, _)| *server == step.server.as_str()).unwrap().1
    }

    fn value(&self, step: &Step) -> String {
        let name = simulated(self.trap(step).kind(), step.parameter);
        self.simulation.parameter(step.server.as_str(), name).unwrap()
    }

    /// How often Azure took a write of this value, by its own log. A connection that broke took none, but for the one
    /// trap that breaks it afterwards.
    fn taken(&self, step: &Step, value: &str) -> usize {
        let name = simulated(self.trap(step).kind(), step.parameter);
        let log = self.simulation.requests();
        let of_step = |write: &&WriteRecord| {
            write.parameter.as_deref().unwrap_or("sslEnforcement") == name
                && matches!(write.status, 0 | 200..=299)
                && write.body.to_string().contains(&format!("\"{value}\""))
        };
        log.writes_to(step.server.as_str()).filter(of_step).count()
    }
}

async fn survive(traps: &[Trap], max_parallel: usize, crashes: &[u64], crashes_of_undo: &[u64]) {
    let world = World::new(traps, max_parallel).await;
    let report = world.to_the_end(crashes, false).await;
    let loaded = world.journal.load(&run()).await.unwrap().load().unwrap();
    assert_eq!(loaded.state.phase(), RunPhase::Finished);
    assert_eq!(loaded.report(), report, "the journal and the report agree");
    assert_eq!(report.summary.open, 0);
    let badly =
        |line: &&StepReport| !matches!(line.status, StepStatus::Applied | StepStatus::Already | StepStatus::NotStarted);
    for (line, step) in report.steps.iter().zip(world.plan.steps()) {
        let trap = world.trap(step);
        let context = format!("{line:?}: {trap:?} of {traps:?}, crashes {crashes:?}");
        // Two crashes before a write was sent look like two lost writes.
        let twice_lost = crashes.len() >= 2 && line.status == StepStatus::TimedOut;
        let held = line.status == StepStatus::NotStarted
            && report.steps.iter().filter(badly).any(|other| other.server == line.server && other.id < line.id);
        assert!(trap.endings().contains(&line.status) || twice_lost || held, "{context}");
        // Who resumes a run cannot tell what someone else has set from what the run itself has, if records were lost.
        let unexplained = is_unexplained(trap, line);
        let is_after = unexplained || matches!(line.status, StepStatus::Applied | StepStatus::Already);
        let right = if is_after { &step.after } else { &step.before };
        assert_eq!(world.value(step), **right, "{context}");
        // Only a write that came to nothing, and whose answer nobody saw, may be followed by another one.
        let in_vain = matches!(trap, Trap::Fails | Trap::Ignored);
        let taken = world.taken(step, &step.after);
        assert!(taken <= 1 + usize::from(in_vain), "written {taken} times: {context}");
        assert_eq!(taken == 0, !may_have_written(line.status) || (twice_lost && taken == 0), "{taken}: {context}");
    }

    if crashes_of_undo.is_empty() {
        return;
    }
    world.simulation.clear_faults();
    let undone = world.to_the_end(crashes_of_undo, true).await;
    for ((line, step), applied) in undone.steps.iter().zip(world.plan.steps()).zip(&report.steps) {
        let context = format!("{line:?}: {:?}, crashes {crashes:?}, {crashes_of_undo:?}", world.trap(step));
        let twice_lost = crashes_of_undo.len() >= 2 && line.status == StepStatus::Stuck;
        // What was accepted and not seen to end may still come through, for all that anyone knows.
        let may_come = applied.status == StepStatus::TimedOut && line.status == StepStatus::Stuck;
        assert!(
            line.status == StepStatus::Undone || line.status == applied.status || twice_lost || may_come,
            "{context}"
        );
        let is_left = line.status == StepStatus::Already || is_unexplained(world.trap(step), line);
        let right = if is_left { &step.after } else { &step.before };
        assert!(twice_lost || world.value(step) == **right, "{context}");
        assert!(world.taken(step, &step.undo) <= 1, "put back twice: {context}");
    }
}

/// What someone else has set, as whoever resumes a run finds it: it is left as it is, by an undo, too.
fn is_unexplained(trap: Trap, line: &StepReport) -> bool {
    trap == Trap::Changed && line.status == StepStatus::ChangedSincePlan
}

/// Whether a write was sent and may have been taken.
fn may_have_written(status: StepStatus) -> bool {
    matches!(status, StepStatus::Applied | StepStatus::Failed | StepStatus::TimedOut)
}

fn block_on(work: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(work);
}

/// How many points a run of one step of this kind passes.
async fn points(trap: Trap) -> u64 {
    let world = World::new(&[trap], 1).await;
    world.to_the_end(&[], false).await;
    world.crash.passed()
}

#[test]
fn one_crash_at_every_point_of_every_kind_of_step() {
    for trap in TRAPS {
        block_on(async {
            let points = points(trap).await;
            assert!(points >= 4, "{trap:?} passes {points} points");
            for at in 1..=points {
                survive(&[trap], 1, &[at], &[]).await;
            }
        });
    }
}

#[test]
fn one_crash_at_every_point_of_the_way_back() {
    for trap in [Trap::None, Trap::Single, Trap::Cosmos, Trap::Long, Trap::Immediate] {
        block_on(async {
            for at in 1..=40 {
                survive(&[trap], 1, &[], &[at]).await;
            }
        });
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn crashes_anywhere_in_a_fleet_with_traps(
        traps in prop::collection::vec(prop::sample::select(&TRAPS[..]), 1..6),
        max_parallel in 1_usize..5,
        crashes in prop::collection::vec(1_u64..160, 0..4),
        crashes_of_undo in prop::collection::vec(1_u64..80, 0..3),
    ) {
        block_on(survive(&traps, max_parallel, &crashes, &crashes_of_undo));
    }
}
