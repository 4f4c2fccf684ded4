//! What happened in a simulated fleet before the console was started: audits over a month, two of them with a look at the
//! wire, a plan that was applied, and one that was applied and taken back. Done by `ops`, with a clock that is behind.

use super::{LiveSimulation, kept_azure};
use crate::args::LimitArgs;
use crate::error::CliError;
use crate::probing::probe_of;
use crate::route::RouteArgs;
use crate::simulated_azure::{Actor, Scenario, Simulation};
use hostssl_audit::Profile;
use hostssl_azure::StopSignal;
use hostssl_console::Preparation;
use hostssl_model::{Kind, Meaning, ParameterName, Scope};
use hostssl_ops::{
    AcceptBreakage, AuditRequest, Discovery, PlanRequest, Planned, Remediation, RemediationError, RunContext, Tenant,
    audit_and_probe, make_plan, take_census,
};
use hostssl_remediation::{
    Approved, Clock, ExecutionEvent, ExecutorOptions, FixableControl, Goal, LoadedRun, PlanOptions, RunId,
};
use hostssl_store::{AuditStore, Store};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// How long ago the audits of the past were, in hours; the newest last.
const PAST: [i64; 14] = [720, 670, 612, 556, 503, 441, 388, 335, 270, 219, 164, 98, 47, 3];
/// How many days ago the clients were looked at. Azure keeps the logs of a week at most, and those of one server here for two
/// days only.
const LOOKS: [u32; 7] = [21, 14, 8, 6, 4, 2, 0];
/// Fleets beyond this many servers get a short past: each audit of it takes its time.
const LARGE: usize = 500;
/// Servers whose setting changed, at most.
const MAX_CHANGES: usize = 60;
/// How long a change was left before it was taken back.
const REGRET: SignedDuration = SignedDuration::from_mins(42);
/// The longest wait of the executor: the simulation answers at once.
const WAIT: Duration = Duration::from_millis(20);

/// How far the making of a past is.
pub(crate) type PastProgress = watch::Sender<Option<Preparation>>;

/// Gives the fleet of a scenario a past, unless the directory has one. It is made with servers of its own, in which nothing
/// goes wrong and everything may be written: what the scenario is about begins when the console does.
pub(crate) async fn make_past(
    scenario: &Scenario,
    directory: &Path,
    profile: &Profile,
    stop: StopSignal,
    progress: &PastProgress,
) -> Result<(), CliError> {
    let store = AuditStore::open(directory)?;
    if store.latest()?.is_some() {
        return Ok(());
    }
    let simulated = LiveSimulation::of(scenario.calm());
    let servers = simulated.simulation.server_ids();
    let large = servers.len() > LARGE;
    let hours = if large { &PAST[PAST.len() - 3..] } else { &PAST[..] };
    let limits = LimitArgs { deadline: Duration::from_secs(3600), concurrency: 256 };
    let tenants = simulated.tenants(&limits, &stop, false).await?;
    let live = kept_azure::open_in(scenario.clone(), directory)?;
    let past = Past { simulated: &simulated, live, store: &store, profile, tenants, stop, progress };
    past.make(hours, &servers, !large).await
}

impl LiveSimulation {
    fn set(&self, change: &Setting, before: bool) {
        let value = if before { change.before } else { &change.now };
        // The server was found with this parameter a moment ago.
        let _ = self.simulation.set_parameter(&change.server, change.parameter, value);
    }
}

/// A setting that was otherwise until the audit of this number.
struct Setting {
    server: String,
    parameter: &'static str,
    before: &'static str,
    now: String,
    at: usize,
}

/// A past that is being made.
struct Past<'a> {
    simulated: &'a LiveSimulation,
    /// The one that the console shows, whose Activity Log has the past too.
    live: Simulation,
    store: &'a AuditStore,
    profile: &'a Profile,
    tenants: Vec<Tenant>,
    stop: StopSignal,
    progress: &'a PastProgress,
}

impl Past<'_> {
    async fn make(&self, hours: &[i64], servers: &[String], probed: bool) -> Result<(), CliError> {
        let (settings, off) = self.settings(servers, hours.len());
        settings.iter().for_each(|setting| self.simulated.set(setting, true));
        let (applied, undone) = (hours.len() / 2 + 1, hours.len() - 2);
        // What the identity can see: a plan that names another server is refused.
        let mut seen = BTreeSet::new();
        let mut changed_by_runs: BTreeSet<String> = BTreeSet::new();
        for (index, ago) in hours.iter().enumerate() {
            if self.stop.borrow().is_some() {
                return Ok(());
            }
            let preparation = Preparation { what: "Preparing the simulated history", done: index, of: hours.len() };
            self.progress.send_replace(Some(preparation));
            // Half-way between this audit and the one before.
            let between = ago + (hours.get(index.wrapping_sub(1)).unwrap_or(ago) - ago) / 2;
            if index == applied {
                let planned = settings.iter().filter(|one| (applied..applied + 3).contains(&one.at));
                let planned =
                    planned.map(|one| one.server.as_str()).filter(|id| seen.contains(&id.to_ascii_lowercase()));
                let planned: Vec<&str> = planned.collect();
                self.change(&planned, between, false).await?;
                changed_by_runs.extend(planned.into_iter().map(ToOwned::to_owned));
            }
            if index == undone {
                let regretted = off.iter().map(String::as_str).rfind(|id| seen.contains(&id.to_ascii_lowercase()));
                self.change(regretted.as_slice(), between, true).await?;
            }
            for setting in settings.iter().filter(|one| one.at == index) {
                self.simulated.set(setting, false);
                if !changed_by_runs.contains(&setting.server) {
                    self.log(setting, before_now(between));
                }
            }
            let last = index + 1 == hours.len();
            let wire = probed && (last || index == applied + 1);
            seen = self.audit(Scope::default(), before_now(*ago), wire).await?;
        }
        if probed { self.look_at_clients().await } else { Ok(()) }
    }

    /// Logs that someone wrote a setting. A log that cannot be kept leaves the past without its authors, which is told where they
    /// are asked for.
    fn log(&self, setting: &Setting, at: Timestamp) {
        let by = if setting.at.is_multiple_of(2) {
            Actor::Person("ann@contoso.example".to_owned())
        } else {
            let object = "30000000-0000-4000-8000-000000000002".to_owned();
            Actor::Application { app: "30000000-0000-4000-8000-000000000001".to_owned(), object }
        };
        let _ = self.live.log_past_write(&setting.server, Some(setting.parameter), at, by);
    }

    /// Looks at the clients now and then, as someone would have done.
    async fn look_at_clients(&self) -> Result<(), CliError> {
        for days in LOOKS {
            if self.stop.borrow().is_some() {
                break;
            }
            self.simulated.simulation.set_log_age(days);
            let looked_at = before_now(i64::from(days) * 24).as_millisecond();
            let seen = take_census(&self.tenants, &Scope::default(), looked_at, &[]).await?;
            // Half a look is not part of a past.
            if self.stop.borrow().is_some() {
                break;
            }
            self.store.merge_censuses(seen.servers.into_iter().map(|one| (one.server.id, one.look)).collect())?;
        }
        Ok(())
    }

    /// What was different once: of servers whose switch can be turned, some were off and were turned on one after the
    /// other, and one that is off now was on until lately. And those that are off and always were.
    fn settings(&self, servers: &[String], audits: usize) -> (Vec<Setting>, Vec<String>) {
        let (mut settings, mut off_now) = (Vec::new(), Vec::new());
        let mut off_until_lately = true;
        for id in servers {
            let value = |name: ParameterName| self.simulated.simulation.parameter(id, name.as_str()).ok();
            let switches = Kind::ALL.into_iter().filter_map(Kind::switch);
            let Some((switch, now)) = switches.into_iter().find_map(|name| Some((name, value(name)?))) else {
                continue;
            };
            let spelled = |enforced| switch.spell(Meaning::Enforced(enforced)).unwrap_or_default();
            let (parameter, on, off) = (switch.as_str(), spelled(true), spelled(false));
            let is_on = switch.meaning(&now) == Some(Meaning::Enforced(true));
            let number = settings.len();
            let (before, at) = match (is_on, off_until_lately) {
                (true, _) => (off, 1 + number * 2 % (audits - 1).max(1)),
                (false, true) => {
                    off_until_lately = false;
                    (on, audits - 1)
                }
                (false, false) => {
                    off_now.push(id.clone());
                    continue;
                }
            };
            if number < MAX_CHANGES {
                settings.push(Setting { server: id.clone(), parameter, before, now, at });
            }
        }
        (settings, off_now)
    }

    /// Audits and keeps it; the ids of the servers that were found, in lower case.
    async fn audit(&self, scope: Scope, began: Timestamp, wire: bool) -> Result<BTreeSet<String>, CliError> {
        let probe = match wire {
            true => {
                Some(probe_of(Some(&self.simulated.simulation), watch::channel(None).1, None, &RouteArgs::default())?)
            }
            false => None,
        };
        let named = self.profile.to_string();
        let name = named.split('@').next().unwrap_or_default();
        let profile = Profile::find_for(name, wire).unwrap_or_else(|_| self.profile.clone());
        let request = AuditRequest { scope, profile, discovery: Discovery::Lists };
        let clock = move || began + SignedDuration::from_millis(2_400);
        let context =
            RunContext { id: id_at(began), started_at: began, clock: &clock, tool_version: env!("CARGO_PKG_VERSION") };
        let report = audit_and_probe(&self.tenants, &request, probe.as_ref(), context, &mut |_| ()).await?;
        // Half an audit is not part of a past.
        if self.stop.borrow().is_none() {
            self.store.save(&report)?;
        }
        Ok(report.servers.iter().map(|server| server.server.id.to_string().to_ascii_lowercase()).collect())
    }

    /// Plans to enforce on these servers, applies that, and takes it back when someone regretted it.
    async fn change(&self, servers: &[&str], hours: i64, regretted: bool) -> Result<(), CliError> {
        let Some(tenant) = self.tenants.first() else { return Ok(()) };
        let Some(scope) = scope_of(servers) else { return Ok(()) };
        let clock = Behind::new(before_now(hours));
        let planned = self.plan(tenant, &scope, &clock).await?;
        if planned.plan.is_empty() {
            return Ok(());
        }
        let Ok(approved) = Approved::new(planned.plan.clone(), planned.plan.hash().as_str()) else { return Ok(()) };
        let run = RunId::new(&id_at(clock.now())).map_err(|error| CliError::defect(&error))?;
        let journal = Store::open(self.store.directory())?;
        let logged = self.simulated.simulation.logged_writes();
        let began = clock.now();
        remediation(tenant, &journal, &clock).apply(&approved, &run, Duration::from_secs(3600)).await?;
        let _ = self.simulated.simulation.copy_writes(&self.live, logged, began);
        self.audit(scope.clone(), clock.now(), false).await?;
        if regretted {
            let later = Behind::new(clock.now() + REGRET);
            let loaded = LoadedRun::read(&journal, &run).await.map_err(RemediationError::from)?;
            let (logged, began) = (self.simulated.simulation.logged_writes(), later.now());
            remediation(tenant, &journal, &later).undo(loaded, &[], None).await?;
            let _ = self.simulated.simulation.copy_writes(&self.live, logged, began);
            self.audit(scope, later.now(), false).await?;
        }
        Ok(())
    }

    async fn plan(&self, tenant: &Tenant, scope: &Scope, clock: &Behind) -> Result<Planned, CliError> {
        let request = PlanRequest {
            scope: scope.clone(),
            except: Vec::new(),
            waivers: None,
            profile: self.profile.clone(),
            goal: Goal::Fix {
                controls: vec![FixableControl::RequireSecureTransport],
                minimum_tls: self.profile.settings.minimum_tls,
            },
            options: PlanOptions::default(),
            order: hostssl_remediation::WaveOrder::default(),
            reason: None,
            discovery: Discovery::Lists,
            clients: None,
            accepted: vec![AcceptBreakage {
                selector: "*".to_owned(),
                reason: "agreed with the owners of the applications".to_owned(),
                by: None,
            }],
        };
        let now = || clock.now();
        let context = RunContext::begin(id_at(clock.now()), &now, env!("CARGO_PKG_VERSION"));
        Ok(make_plan(tenant, &request, context, &mut |_| ()).await?)
    }
}

fn remediation<'a>(tenant: &'a Tenant, journal: &'a Store, clock: &'a Behind) -> Remediation<'a> {
    Remediation {
        tenant,
        on_behalf: None,
        journal,
        // The past has no plan that waited for its approval.
        clients: None,
        clock,
        judge: None,
        events: &|_: &ExecutionEvent<'_>| (),
        on_untold: &|_| (),
        stop: watch::channel(None).1,
        options: ExecutorOptions { max_failures: usize::MAX, ..ExecutorOptions::default() },
    }
}

/// The scope that has these servers; none without a server.
fn scope_of(servers: &[&str]) -> Option<Scope> {
    let part = |id: &str, number: usize| id.split('/').nth(number).unwrap_or_default().to_owned();
    let each = |number: usize| -> Vec<String> {
        servers.iter().map(|id| part(id, number)).collect::<BTreeSet<_>>().into_iter().collect()
    };
    let scope = Scope { subscriptions: each(2), servers: each(8), ..Scope::default() };
    (!servers.is_empty()).then_some(scope)
}

fn before_now(hours: i64) -> Timestamp {
    Timestamp::now() - SignedDuration::from_hours(hours)
}

/// An id that sorts by its time as those of real runs do.
fn id_at(at: Timestamp) -> String {
    let seconds = u64::try_from(at.as_second()).unwrap_or_default();
    let nanoseconds = u32::try_from(at.subsec_nanosecond()).unwrap_or_default();
    uuid::Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, seconds, nanoseconds)).to_string()
}

/// A clock that shows another time and does not wait long.
struct Behind {
    from: Timestamp,
    began: Instant,
}

impl Behind {
    fn new(from: Timestamp) -> Self {
        Self { from, began: Instant::now() }
    }

    fn now(&self) -> Timestamp {
        self.from + self.began.elapsed()
    }
}

#[async_trait::async_trait]
impl Clock for Behind {
    fn now_ms(&self) -> i64 {
        self.now().as_millisecond()
    }

    fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration.min(WAIT)).await;
    }
}
