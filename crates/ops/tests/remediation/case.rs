//! One fleet, one journal, one clock.

use crate::common::{SUBSCRIPTION, limits, scenario, tenant};
use hostssl_audit::Profile;
use hostssl_azure_sim::{Kind, Requests, Scenario, Server, Simulation};
use hostssl_model::{Scope, Stop, TlsVersion};
use hostssl_ops::{
    AcceptBreakage, Discovery, PlanRequest, Planned, Remediation, RemediationError, RunContext, Tenant, make_plan,
};
use hostssl_remediation::{
    Approved, Clock as _, ExecutionEvent, ExecutorOptions, FixableControl, Goal, LoadedRun, Plan, PlanOptions, Report,
    RunId, StepReport, SystemClock,
};
use hostssl_test_support::clock::VirtualClock;
use hostssl_test_support::journal::MemoryJournal;
use std::time::Duration;
use tokio::sync::watch;

/// The id of a flexible server of the one subscription.
pub fn id(name: &str) -> String {
    format!(
        "/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.DBforPostgreSQL/flexibleServers/{name}"
    )
}

pub struct Case {
    pub simulation: Simulation,
    pub tenant: Tenant,
    pub journal: MemoryJournal,
    pub clock: VirtualClock,
    pub options: PlanOptions,
}

impl Case {
    /// Flexible servers that do not enforce TLS.
    pub fn flexible(names: &[&str]) -> Self {
        let case = Self::new(names.iter().map(|name| Server::new(Kind::Flexible, "rg", *name)).collect());
        for name in names {
            case.simulation.set_parameter(&id(name), "require_secure_transport", "off").unwrap();
        }
        case
    }

    pub fn new(servers: Vec<Server>) -> Self {
        Self::of(scenario(servers))
    }

    pub fn of(scenario: Scenario) -> Self {
        let simulation = Simulation::new(scenario);
        let tenant = tenant(&simulation, limits(), watch::channel(None).1);
        let clock = VirtualClock::at(SystemClock::new().now_ms());
        Self { simulation, tenant, journal: MemoryJournal::default(), clock, options: PlanOptions::default() }
    }

    /// The same Azure with nothing journalled yet.
    pub fn fresh(&self) -> Self {
        Self {
            simulation: self.simulation.clone(),
            tenant: self.tenant.clone(),
            journal: MemoryJournal::default(),
            clock: VirtualClock::at(SystemClock::new().now_ms()),
            options: self.options,
        }
    }

    pub async fn plan(&self, goal: Goal) -> Plan {
        self.planned(goal).await.plan
    }

    pub async fn planned(&self, goal: Goal) -> Planned {
        let strict = matches!(goal, Goal::Fix { minimum_tls: TlsVersion::Tls1_3, .. });
        let profile = if strict { "strict" } else { "baseline" };
        let request = PlanRequest {
            scope: Scope::default(),
            except: Vec::new(),
            waivers: None,
            profile: Profile::find(profile).unwrap(),
            goal,
            options: self.options,
            order: hostssl_remediation::WaveOrder::default(),
            reason: None,
            discovery: Discovery::Lists,
            clients: None,
            accepted: vec![AcceptBreakage { selector: "*".to_owned(), reason: "a test".to_owned(), by: None }],
        };
        let clock = || "2026-11-24T00:00:00Z".parse().unwrap();
        let context = RunContext::begin("run", &clock, "0");
        make_plan(&self.tenant, &request, context, &mut |_| {}).await.unwrap()
    }

    /// Applies to the end whatever fails on the way.
    pub async fn apply(&self, plan: &Plan) -> Report {
        self.try_apply(plan, patient()).await.unwrap()
    }

    pub async fn try_apply(&self, plan: &Plan, options: ExecutorOptions) -> Result<Report, RemediationError> {
        let approved = Approved::new(plan.clone(), plan.hash().as_str()).unwrap();
        self.with(options, async |remediation| remediation.apply(&approved, &run(), Duration::MAX).await).await
    }

    pub async fn undo(&self) -> Report {
        self.with(patient(), async |remediation| {
            remediation.undo(LoadedRun::read(remediation.journal, &run()).await.unwrap(), &[], None).await
        })
        .await
        .unwrap()
    }

    pub async fn with<R>(&self, options: ExecutorOptions, work: impl AsyncFnOnce(&Remediation<'_>) -> R) -> R {
        let (_interrupt, stop) = watch::channel(None);
        let remediation = Remediation {
            tenant: &self.tenant,
            on_behalf: None,
            journal: &self.journal,
            clients: None,
            clock: &self.clock,
            judge: None,
            events: &|_: &ExecutionEvent<'_>| {},
            on_untold: &|_| {},
            stop,
            options,
        };
        work(&remediation).await
    }

    /// Applies, and is told to stop after a time. Returns the report and how long it took from then on.
    pub async fn apply_until(&self, plan: &Plan, stop_after: Duration) -> (Report, Duration) {
        let (interrupt, stop) = watch::channel(None);
        let approved = Approved::new(plan.clone(), plan.hash().as_str()).unwrap();
        let remediation = Remediation {
            tenant: &self.tenant,
            on_behalf: None,
            journal: &self.journal,
            clients: None,
            clock: &self.clock,
            judge: None,
            events: &|_: &ExecutionEvent<'_>| {},
            on_untold: &|_| {},
            stop,
            options: patient(),
        };
        let stopping = async {
            tokio::time::sleep(stop_after).await;
            interrupt.send(Some(Stop::Interrupted)).unwrap();
            self.clock.elapsed()
        };
        let run = run();
        let (report, stopped) = tokio::join!(remediation.apply(&approved, &run, Duration::MAX), stopping);
        (report.unwrap(), self.clock.elapsed() - stopped)
    }

    pub fn value(&self, name: &str) -> String {
        self.simulation.parameter(&id(name), "require_secure_transport").unwrap()
    }

    pub fn requests(&self) -> Requests {
        self.simulation.requests()
    }
}

pub fn run() -> RunId {
    RunId::new("run-1").unwrap()
}

/// Fix the switch.
pub fn switch() -> Goal {
    Goal::Fix { controls: vec![FixableControl::RequireSecureTransport], minimum_tls: TlsVersion::Tls1_2 }
}

/// Fix the floor.
pub fn floor(minimum_tls: TlsVersion) -> Goal {
    Goal::Fix { controls: vec![FixableControl::MinimumTlsVersion], minimum_tls }
}

/// Fix both.
pub fn both(minimum_tls: TlsVersion) -> Goal {
    Goal::Fix { controls: FixableControl::AUDITED.to_vec(), minimum_tls }
}

pub fn patient() -> ExecutorOptions {
    ExecutorOptions { max_failures: usize::MAX, canary_gate: false, ..ExecutorOptions::default() }
}

/// The step on the named server.
pub fn step<'a>(report: &'a Report, name: &str) -> &'a StepReport {
    report.steps.iter().find(|step| step.server.ends_with(&format!("/{name}"))).unwrap()
}
