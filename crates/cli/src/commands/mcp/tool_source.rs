//! What the tools ask, answered by the functions that the commands are made of.

use super::McpArgs;
use crate::args::{ConnectArgs, DiscoveryArg, ScopeArgs, SelectArgs, TerminalArgs, name, tag};
use crate::commands::audit::{AuditRunArgs, WireArgs, profile, refuse_nothing};
use crate::commands::clients::judged;
use crate::commands::plan::{MakePlanArgs, failed_earlier};
use crate::commands::waivers::load_again_and_again;
use crate::connect::{block_on, tenants_until};
use crate::error::CliError;
use crate::probing::probe_of;
use crate::simulated::kept_azure::{named_scenario, open};
use crate::simulated::scenario_of;
use crate::simulated_azure::Simulation;
use crate::state_patience::StatePatience;
use async_trait::async_trait;
use hostssl_azure::StopSignal;
use hostssl_census::{Millis, Requirements, SessionTls};
use hostssl_formats::clients::{ClientsReport, ServerClients};
use hostssl_mcp::{
    AuditAsk, CallStop, ClientsAsk, KeptQuestion, PlanAsk, ScopeAsk, ToolAudit, ToolClients, ToolPlan, ToolSource,
    ToolTrouble,
};
use hostssl_model::{Hint, REPORT_DEFECT, Stop};
use hostssl_ops::{AuditRequest, RunContext, Tenant, audit_and_probe, make_plan, take_census};
use hostssl_remediation::{production_canary, server_tags};
use jiff::Timestamp;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, oneshot, watch};

const MS_PER_DAY: Millis = 86_400_000;
/// How many days a server must have been observed where the call does not say.
const WINDOW_DAYS: u32 = 7;

/// Answers the tools.
pub(super) struct CommandSource {
    shared: Arc<CallShared>,
    /// One call at a time reads Azure: each may use all of the limits.
    turn: Arc<Semaphore>,
}

/// What every call has in common.
pub(super) struct CallShared {
    pub(super) args: McpArgs,
    pub(super) terminal: TerminalArgs,
}

impl CommandSource {
    /// Fails when the options cannot be right for any call.
    pub(super) fn new(args: &McpArgs, terminal: &TerminalArgs) -> Result<Self, CliError> {
        args.connect.refuse_with_simulation()?;
        args.connect.refuse_ca_file_with_simulation()?;
        args.connect.simulate.as_deref().map(named_scenario).transpose()?;
        args.route.dialer_unless(args.connect.simulate.is_some())?;
        let shared = CallShared { args: args.clone(), terminal: TerminalArgs { quiet: true, ..terminal.clone() } };
        // A profile that does not exist would fail every call.
        let profile = profile(&shared.audit_args(&AuditAsk::default())?)?;
        if let Some(waivers) = &args.waivers {
            load_again_and_again(waivers, &profile, "every plan reads it anew")?;
        }
        Ok(Self { shared: Arc::new(shared), turn: Arc::new(Semaphore::new(1)) })
    }

    /// Does what reads Azure, when its turn has come.
    async fn in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce(&CallShared) -> Result<T, CliError> + Send + 'static,
    ) -> Result<T, ToolTrouble> {
        let turn = Arc::clone(&self.turn).acquire_owned().await;
        self.on_thread(move |shared| {
            // Its turn ends with the work, and not with the call, which may be cancelled before.
            let _turn = turn;
            work(shared)
        })
        .await
    }

    /// Does something that waits for the disk, or has a runtime of its own.
    async fn on_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce(&CallShared) -> Result<T, CliError> + Send + 'static,
    ) -> Result<T, ToolTrouble> {
        let shared = Arc::clone(&self.shared);
        let (done, answer) = oneshot::channel();
        let thread = std::thread::Builder::new().name("hostssl-tool".into());
        let started = thread.spawn(move || drop(done.send(work(&shared))));
        started.map_err(|error| {
            let what = format!("the operating system refused to start a thread: {error}");
            ToolTrouble::new(what, "try again when the machine is less busy")
        })?;
        match answer.await {
            Ok(done) => done.map_err(|error| {
                let (what, hint) = error.parts();
                ToolTrouble::new(what, hint)
            }),
            Err(_) => Err(ToolTrouble::new("the call ended early", REPORT_DEFECT)),
        }
    }
}

#[async_trait]
impl ToolSource for CommandSource {
    fn scenario(&self, asked: Option<&str>) -> Option<String> {
        asked.map(ToOwned::to_owned).or_else(|| self.shared.args.connect.simulate.clone())
    }

    async fn audit(&self, ask: AuditAsk, stop: CallStop) -> Result<ToolAudit, ToolTrouble> {
        self.in_turn(move |shared| shared.audit(&ask, stop)).await
    }

    async fn kept_audit(&self, question: KeptQuestion) -> Result<Option<ToolAudit>, ToolTrouble> {
        self.on_thread(move |shared| shared.kept_audit(&question)).await
    }

    async fn clients(&self, ask: ClientsAsk, stop: CallStop) -> Result<ToolClients, ToolTrouble> {
        if ask.read_logs {
            self.in_turn(move |shared| shared.read_clients(&ask, stop)).await
        } else {
            self.on_thread(move |shared| shared.kept_clients(&ask)).await
        }
    }

    async fn plan(&self, ask: PlanAsk, stop: CallStop) -> Result<ToolPlan, ToolTrouble> {
        self.in_turn(move |shared| shared.plan(&ask, stop)).await
    }
}

impl CallShared {
    fn audit(&self, ask: &AuditAsk, stop: CallStop) -> Result<ToolAudit, CliError> {
        let args = self.audit_args(ask)?;
        let simulated = args.connect.simulate.is_some();
        let request = AuditRequest {
            scope: args.scope.scope(&args.select),
            profile: profile(&args)?,
            discovery: args.discovery.into(),
        };
        block_on(async {
            let began = Instant::now();
            let connected = self.connect(&args.connect, &args.scope.tenant, stop).await?;
            let ca_file = args.connect.ca_file.as_deref();
            let probe = || probe_of(connected.simulation.as_ref(), connected.stop.clone(), ca_file, &args.wire.route);
            let probe = args.wire.probe.then(probe).transpose()?;
            let mut report =
                audit_and_probe(&connected.tenants, &request, probe.as_ref(), context(), &mut |_| {}).await?;
            refuse_nothing(&report)?;
            let patience = StatePatience::of(began, self.args.limits.deadline, Instant::now());
            args.keep.learn(&mut report, simulated, patience);
            let kept = args.keep.keep(&report, None, simulated, patience);
            let warnings = self.known_worse(&report, simulated);
            Ok(ToolAudit { scenario: scenario_of(&report.run.cloud).map(ToOwned::to_owned), kept, warnings, report })
        })
    }

    fn audit_args(&self, ask: &AuditAsk) -> Result<AuditRunArgs, CliError> {
        let (scope, select) = self.scope(&ask.scope)?;
        let connect = self.connection(ask.simulate.as_deref())?;
        // The command line's way to the servers leads past those of a simulation.
        let route = if connect.simulate.is_some() { Default::default() } else { self.args.route.clone() };
        Ok(AuditRunArgs {
            scope,
            select,
            profile: ask.profile.clone().unwrap_or_else(|| self.args.profile.clone()),
            control: ask.controls.clone(),
            discovery: DiscoveryArg::Lists,
            wire: WireArgs {
                probe: ask.probe,
                transcript: false,
                expiry_days: None,
                vantage: Default::default(),
                route,
            },
            keep: self.args.keep.clone(),
            limits: self.args.limits.clone(),
            connect,
        })
    }

    /// The scope of a call. Where the command line has one, a call only chooses among its servers.
    fn scope(&self, ask: &ScopeAsk) -> Result<(ScopeArgs, SelectArgs), CliError> {
        let own = &self.args.scope;
        let asked = [&ask.tenants, &ask.management_groups, &ask.subscriptions, &ask.resource_groups];
        if own.is_fixed() && asked.iter().any(|parts| !parts.is_empty()) {
            return Err(CliError::usage(
                "the scope of this server is fixed by its command line",
                "leave out tenants, managementGroups, subscriptions and resourceGroups; servers, tags and except choose among its servers",
            ));
        }
        let names =
            |argument: &str, texts: &[String]| -> Result<Vec<String>, CliError> { checked(argument, texts, name) };
        let scope = if own.is_fixed() {
            own.clone()
        } else {
            ScopeArgs {
                tenant: names("tenants", &ask.tenants)?,
                management_group: names("managementGroups", &ask.management_groups)?,
                subscription: names("subscriptions", &ask.subscriptions)?,
                resource_group: names("resourceGroups", &ask.resource_groups)?,
            }
        };
        let select = SelectArgs {
            server: names("servers", &ask.servers)?,
            tag: checked("tags", &ask.tags, tag)?,
            except: names("except", &ask.except)?,
        };
        Ok((scope, select))
    }

    /// How to reach Azure, or the simulated one that a call asks for. A server of a simulation never leaves it.
    pub(super) fn connection(&self, simulate: Option<&str>) -> Result<ConnectArgs, CliError> {
        let own = &self.args.connect;
        let Some(scenario) = simulate else { return Ok(own.clone()) };
        named_scenario(scenario)?;
        Ok(ConnectArgs {
            auth: None,
            cloud: own.cloud.clone(),
            arm_endpoint: None,
            authority_host: None,
            ca_file: None,
            simulate: Some(scenario.to_owned()),
        })
    }

    /// Signs in. The clients only read: no request that changes something leaves them, whatever calls them.
    async fn connect(&self, connect: &ConnectArgs, tenants: &[String], stop: CallStop) -> Result<Reading, CliError> {
        let stop = until(stop, self.args.limits.deadline);
        let simulation = open(connect, &self.args.keep.state, &self.terminal)?;
        let signed_in =
            tenants_until(connect, simulation.as_ref(), tenants, &self.args.limits.of_requests(), &stop).await?;
        let tenants = signed_in
            .into_iter()
            .map(|Tenant { arm, principal }| Tenant { arm: arm.only_reading(), principal })
            .collect();
        Ok(Reading { tenants, simulation, stop })
    }

    fn read_clients(&self, ask: &ClientsAsk, stop: CallStop) -> Result<ToolClients, CliError> {
        let only = only(ask.only.as_deref())?;
        let (scope, select) = self.scope(&ask.scope)?;
        let connect = self.connection(ask.simulate.as_deref())?;
        let started = Timestamp::now();
        let requirements = requirements(ask, started)?;
        block_on(async {
            let connected = self.connect(&connect, &scope.tenant, stop).await?;
            let names: Vec<&str> = connected.tenants.iter().map(|tenant| tenant.principal.name.as_str()).collect();
            let principal = Some(names.join(", "));
            let scope = scope.scope(&select);
            let seen = take_census(&connected.tenants, &scope, started.as_millisecond(), &[]).await?;
            let keep = (!self.args.keep.no_save).then_some((&self.args.keep.state, connect.simulate.is_some()));
            let (servers, kept) = judged(seen.servers, keep, requirements, None);
            let report = clients_report(started, principal, requirements, servers, only);
            Ok(ToolClients { report, gaps: seen.gaps, kept: Some(kept), warnings: Vec::new() })
        })
    }

    fn plan(&self, ask: &PlanAsk, stop: CallStop) -> Result<ToolPlan, CliError> {
        let (scope, select) = self.scope(&ask.scope)?;
        let connect = self.connection(ask.simulate.as_deref())?;
        let state = &self.args.keep.state;
        if scope.tenant.len() > 1 {
            return Err(CliError::usage("a plan is for one tenant", "plan for each tenant separately"));
        }
        let failed = failed_earlier(state, connect.simulate.is_some())?;
        let make = MakePlanArgs {
            scope,
            select,
            profile: ask.profile.clone().unwrap_or_else(|| self.args.profile.clone()),
            control: ask.controls.clone(),
            enable_log_download: ask.enable_log_download,
            discovery: DiscoveryArg::Lists,
            canary_size: 1,
            canary: Vec::new(),
            wave_by: None,
            wave_size: 100,
            max_servers: None,
            // That clients may be refused is for a person to accept.
            accept_breakage: Vec::new(),
            waivers: self.args.waivers.clone(),
            include_waived: false,
            connect,
        };
        let mut request = make.request(state, StatePatience::from_now(self.args.limits.deadline))?;
        request.order.last = failed.into_keys().collect();
        block_on(async {
            let mut connected = self.connect(&make.connect, &make.scope.tenant, stop).await?;
            let tenant = connected.tenants.pop();
            let tenant =
                tenant.ok_or_else(|| CliError::usage("there is no tenant to sign in to", "name one in tenants"))?;
            let planned = make_plan(&tenant, &request, context(), &mut |_| {}).await?;
            let complete = planned.audit.run.complete && planned.unseen.is_empty();
            let tags = server_tags(&planned.audit.servers);
            let first = production_canary(&planned.plan, &planned.audit.subscriptions, &tags);
            let production_first = first.into_iter().cloned().collect();
            // A server that could not be checked is among those left out of the plan too: a model reads the gaps.
            let gaps = planned.unseen.into_iter().chain(planned.audit.gaps).collect();
            Ok(ToolPlan { complete, plan: planned.plan, gaps, production_first })
        })
    }
}

/// What a call has to work with.
struct Reading {
    tenants: Vec<Tenant>,
    simulation: Option<Simulation>,
    stop: StopSignal,
}

fn context() -> RunContext<'static> {
    RunContext::begin(uuid::Uuid::now_v7().to_string(), &Timestamp::now, env!("CARGO_PKG_VERSION"))
}

/// The signal of a call, and its deadline.
fn until(mut stop: CallStop, deadline: Duration) -> StopSignal {
    let (give, signal) = watch::channel(None);
    tokio::spawn(async move {
        let why = tokio::select! {
            () = tokio::time::sleep(deadline) => Stop::Deadline,
            // A call that no client waits for any more is cancelled.
            given = stop.wait_for(Option::is_some) => given.ok().and_then(|given| *given).unwrap_or(Stop::Interrupted),
        };
        give.send_replace(Some(why));
        give.closed().await;
    });
    signal
}

/// Texts that are read as the command line reads them.
fn checked(
    argument: &str,
    texts: &[String],
    read: impl Fn(&str) -> Result<String, String>,
) -> Result<Vec<String>, CliError> {
    let read = |text: &String| {
        read(text)
            .map_err(|why| CliError::usage(format!("`{argument}` has `{text}`: {why}"), "leave it out, or correct it"))
    };
    texts.iter().map(read).collect()
}

/// The state of clients that a call asks for.
pub(super) fn only(word: Option<&str>) -> Result<Option<SessionTls>, CliError> {
    let read = |word: &str| {
        SessionTls::ALL.into_iter().find(|state| state.as_str() == word).ok_or_else(|| {
            let known = SessionTls::ALL.map(SessionTls::as_str).join(", ");
            CliError::usage(format!("`only` has no value `{word}`"), Hint::with("values are {}", &[&known]))
        })
    };
    word.map(read).transpose()
}

pub(super) fn requirements(ask: &ClientsAsk, now: Timestamp) -> Result<Requirements, CliError> {
    let days = ask.window_days.unwrap_or(WINDOW_DAYS);
    if !(1..=365).contains(&days) {
        return Err(CliError::usage(format!("`windowDays` is {days}"), "it is from 1 to 365"));
    }
    Ok(Requirements { window: i64::from(days) * MS_PER_DAY, now: Some(now.as_millisecond()) })
}

pub(super) fn clients_report(
    started: Timestamp,
    principal: Option<String>,
    requirements: Requirements,
    mut servers: Vec<ServerClients>,
    only: Option<SessionTls>,
) -> ClientsReport {
    // The worst first, which is what a first part is to show.
    servers.sort_by(|a, b| (a.census.verdict, &a.name, &a.id).cmp(&(b.census.verdict, &b.name, &b.id)));
    let mut report = ClientsReport {
        id: uuid::Uuid::now_v7().to_string(),
        started_at: started.to_string(),
        finished_at: Timestamp::now().to_string(),
        principal,
        // A tool's answer has no links.
        cloud: None,
        window: requirements.window,
        since: None,
        servers,
    };
    if let Some(only) = only {
        report.keep_only(only);
    }
    report
}
