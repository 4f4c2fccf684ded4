//! What every command that changes servers has in common: sign-in, journal, progress, the report and the exit code.

use crate::args::{ConnectArgs, LimitArgs, PaceArgs, StateArgs, TableArgs, TerminalArgs, ValueFormat};
use crate::connect::{Connected, connect_whole};
use crate::error::CliError;
use crate::exit::Exit;
use crate::route::RouteArgs;
use crate::run_looks::RunLooks;
use crate::run_progress::RunReporter;
use crate::simulated_azure::Simulation;
use crate::{probing, stdout};
use hostssl_azure::StopSignal;
use hostssl_formats::output::Format;
use hostssl_formats::run_sessions::{self, RunSessions};
use hostssl_formats::{Shape, SubscriptionNames, Text, apply_json, run_text, safe};
use hostssl_model::{Hint, ResourceId, Unchecked};
use hostssl_ops::{Remediation, RemediationError, Tenant, WireJudge};
use hostssl_probe::ProbeOptions;
use hostssl_remediation::{ExecuteError, ExecutorOptions, Judge, LoadedRun, Plan, Report, Step, SystemClock};
use hostssl_store::Store;
use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use tokio::sync::watch;

/// Signed in to one tenant.
pub(crate) struct SignedInTenant {
    /// For reading: an interrupt stops its requests.
    pub(crate) reading: Tenant,
    /// For changing: what is in progress is followed to its end.
    pub(crate) changing: Tenant,
    /// Given at an interrupt or when the deadline is reached.
    pub(crate) stop: StopSignal,
    /// The simulated Azure in place of the real one, if there is one.
    simulation: Option<Simulation>,
    /// Trusted beside the roots of the system and of Azure.
    ca_file: Option<PathBuf>,
    /// Where what the run sees of the listeners is kept.
    state: StateArgs,
}

/// Signs in to the one tenant that a change is about.
pub(crate) async fn connect_tenant(
    connect: &ConnectArgs,
    state: &StateArgs,
    tenant: &[String],
    limits: &LimitArgs,
    terminal: &TerminalArgs,
) -> Result<SignedInTenant, CliError> {
    if tenant.len() > 1 {
        return Err(CliError::usage("a plan is for one tenant", "plan and apply for each tenant separately"));
    }
    connect.refuse_ca_file_with_simulation()?;
    let Connected { mut tenants, stop, simulation, .. } =
        connect_whole(connect, state, tenant, limits, terminal).await?;
    let Some(reading) = tenants.pop() else {
        return Err(CliError::usage("there is no tenant to sign in to", "name one with --tenant"));
    };
    // Its other end is dropped, so that this client is never stopped.
    let never = watch::channel(None).1;
    let changing = Tenant { arm: reading.arm.with_stop(never), principal: reading.principal.clone() };
    Ok(SignedInTenant { reading, changing, stop, simulation, ca_file: connect.ca_file.clone(), state: state.clone() })
}

impl SignedInTenant {
    /// The wire as the judge. Like the client, it is not stopped by an interrupt.
    fn judge(&self, route: &RouteArgs, looks: &RunLooks) -> Result<(WireJudge, ProbeOptions), CliError> {
        let never = watch::channel(None).1;
        let (simulation, ca_file) = (self.simulation.as_ref(), self.ca_file.as_deref());
        let (probe, options) = probing::probe_of_run(simulation, never, ca_file, route, looks.taker())?;
        Ok((WireJudge { tenant: self.changing.clone(), probe }, options))
    }
}

/// Does something with everything that it takes to change servers. With a route to their listeners, the wire is the judge.
pub(crate) async fn change(
    site: &SignedInTenant,
    store: &Store,
    pace: &PaceArgs,
    route: Option<&RouteArgs>,
    plan: &Plan,
    terminal: &TerminalArgs,
    work: impl AsyncFnOnce(&Remediation<'_>) -> Result<Report, RemediationError>,
) -> Result<Report, CliError> {
    let progress = RunReporter::new(plan, terminal);
    let clock = SystemClock::new();
    let looks = RunLooks::default();
    let (judge, asked) = route.map(|route| site.judge(route, &looks)).transpose()?.unzip();
    let remediation = Remediation {
        tenant: &site.changing,
        on_behalf: None,
        journal: store,
        clients: Some(store.reader()),
        clock: &clock,
        judge: judge.as_ref().map(|judge| judge as &dyn Judge),
        events: &progress,
        on_untold: &|unchecked| warn_of_permissions(unchecked),
        stop: site.stop.clone(),
        options: ExecutorOptions {
            max_parallel: usize::from(pace.max_parallel),
            max_failures: usize::try_from(pace.max_failures).unwrap_or(usize::MAX),
            soak: pace.soak.unwrap_or_default(),
            ..ExecutorOptions::default()
        },
    };
    let done = work(&remediation).await;
    progress.finish();
    if let Some(options) = asked {
        looks.keep(&options, &site.state, site.simulation.is_some());
    }
    match done {
        Ok(report) => Ok(report),
        Err(RemediationError::Execute(ExecuteError::Journal { source, partial: Some(partial) })) => {
            // The journal can no longer tell what was done until then, so it is reported before the error.
            let (mut out, names) = (io::stderr().lock(), SubscriptionNames::default());
            let _ = run_text::write_halted(&mut out, &partial, &names, &Text::plain());
            Err(ExecuteError::Journal { source, partial: Some(partial) }.into())
        }
        Err(error) => Err(error.into()),
    }
}

/// A write that is not allowed is refused then, and only then.
pub(crate) fn warn_of_permissions(unchecked: &Unchecked) {
    let why = unchecked.why();
    stderr!("warning: the permissions of this identity could not be checked: {}: {}", unchecked.reason, safe(&why));
}

/// Writes the report of a run and says how the command ends. A report that cannot be written is not lost, so the run is named.
pub(crate) fn write_report(
    report: &Report,
    names: &SubscriptionNames,
    value: &TableArgs,
    shape: &Shape,
    terminal: &TerminalArgs,
) -> Result<Exit, CliError> {
    write_report_with(report, &[], names, value, shape, terminal)
}

/// The same with the sessions that are still in plaintext.
pub(crate) fn write_report_with(
    report: &Report,
    sessions: &[RunSessions],
    names: &SubscriptionNames,
    value: &TableArgs,
    shape: &Shape,
    terminal: &TerminalArgs,
) -> Result<Exit, CliError> {
    let written = if value.is_table() {
        stdout::write_text(terminal, shape, |out, text| {
            run_text::write(out, report, names, text)?;
            run_sessions::write(out, sessions, text.palette)
        })
    } else {
        write_document(report, sessions, value, terminal)
    };
    written.map_err(|error| error.with_hint(Hint::with("`hostssl runs show {}` shows it", &[&report.run])))?;
    Ok(Exit::of_run(report))
}

fn write_document(
    report: &Report,
    sessions: &[RunSessions],
    value: &TableArgs,
    terminal: &TerminalArgs,
) -> Result<(), CliError> {
    let query = stdout::query(value.query.as_deref())?;
    let format = Format::from(value.output);
    let document = apply_json::value(report, sessions).map_err(|error| CliError::defect(&error))?;
    stdout::write_value(&document, query.as_ref(), format, stdout::palette(terminal))?;
    if !terminal.quiet {
        let summary = report.summary;
        stderr!(
            "run {}: {} of {} steps applied, {} already, {} undone",
            report.run,
            summary.applied,
            summary.steps,
            summary.already,
            summary.undone
        );
    }
    Ok(())
}

/// The servers of a run that are named, to be forgotten: by name, or by id where a name is not enough.
pub(crate) fn servers_of(run: &LoadedRun, names: &[String]) -> Result<Vec<ResourceId>, CliError> {
    let mut found = Vec::new();
    for name in names {
        let named = |step: &&Step| {
            step.server.name().eq_ignore_ascii_case(name) || step.server.as_str().eq_ignore_ascii_case(name)
        };
        let servers: BTreeSet<&ResourceId> = run.plan.steps().iter().filter(named).map(|step| &step.server).collect();
        match servers.len() {
            0 => {
                return Err(CliError::usage(
                    format!("the run has no server `{name}`"),
                    Hint::with("`hostssl runs show {}` lists them", &[&run.id]),
                ));
            }
            1 => found.extend(servers.into_iter().cloned()),
            _ => {
                return Err(CliError::usage(
                    format!("the run has several servers `{name}`"),
                    "name it by its resource id",
                ));
            }
        }
    }
    Ok(found)
}

/// Refuses a server of which a run that has ended has nothing left to read: to forget it would do nothing.
pub(crate) fn refuse_idle_forgetting(loaded: &LoadedRun, forgotten: &[ResourceId]) -> Result<(), CliError> {
    if loaded.state.phase().is_unfinished() || !loaded.state.can_resume() {
        return Ok(());
    }
    let idle = forgotten.iter().find(|server| !loaded.unread().any(|step| step.server == **server));
    idle.map_or(Ok(()), |server| {
        Err(CliError::usage(
            format!("the run has ended, and nothing of `{}` is left to read or to forget", server.name()),
            Hint::with("`hostssl runs show {}` lists what could not be read again", &[&loaded.id]),
        ))
    })
}

impl TableArgs {
    /// Whether a table is written, and not the result of a query.
    pub(crate) fn is_table(&self) -> bool {
        self.query.is_none() && Format::from(self.output) == Format::Table
    }

    /// Whether the table has every column.
    pub(crate) fn is_wide(&self) -> bool {
        self.output == ValueFormat::Wide
    }
}

impl PaceArgs {
    /// The limits of the client that goes with it.
    pub(crate) fn limits(&self) -> LimitArgs {
        LimitArgs { deadline: self.deadline, concurrency: 256 }
    }
}
