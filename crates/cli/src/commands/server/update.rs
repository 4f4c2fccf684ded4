//! `hostssl server update`: one server, planned, applied and verified like any other change.

use super::value::{shape, write_named};
use crate::args::{
    ConnectArgs, JudgeArgs, LimitArgs, PaceArgs, ServerName, ServerNameArgs, StateArgs, TerminalArgs, ValueArgs, name,
};
use crate::commands::plan::plan_for;
use crate::connect::block_on;
use crate::error::CliError;
use crate::exit::Exit;
use crate::loosening::{Loosening, LooseningArgs};
use crate::run_change::{SignedInTenant, change, connect_tenant};
use crate::state::new_run;
use crate::state_patience::StatePatience;
use crate::stdout;
use clap::{Args, ValueEnum};
use hostssl_audit::Profile;
use hostssl_formats::plan_text::client_text;
use hostssl_formats::run_text::restart_command;
use hostssl_formats::safe;
use hostssl_model::{Hint, ResourceId, Scope, TlsVersion};
use hostssl_ops::{Discovery, Document, PlanRequest, Tenant, show_server_document};
use hostssl_remediation::{
    Approved, ClientVerdict, Direction, Floor, Goal, LeftOutReason, Plan, PlanOptions, Report, RunOutcome, StepStatus,
    WaveOrder,
};
use serde_json::Value;
use std::time::Duration;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum EnforcementArg {
    #[value(name = "Enabled")]
    Enabled,
    #[value(name = "Disabled")]
    Disabled,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum MinimalTls {
    #[value(name = "TLS1_0")]
    Tls1_0,
    #[value(name = "TLS1_1")]
    Tls1_1,
    #[value(name = "TLS1_2")]
    Tls1_2,
    #[value(name = "TLS1_3")]
    Tls1_3,
    /// Single servers only: any version.
    #[value(name = "TLSEnforcementDisabled")]
    EnforcementDisabled,
}

#[derive(Debug, Args)]
pub(crate) struct ServerUpdateArgs {
    #[command(flatten)]
    pub(crate) server: ServerNameArgs,
    /// Whether clients must use TLS. On a flexible server, this sets require_secure_transport.
    #[arg(long, value_enum, ignore_case = true, required_unless_present = "minimal_tls_version")]
    pub(crate) ssl_enforcement: Option<EnforcementArg>,
    /// The lowest TLS version. On a flexible server, this sets ssl_min_protocol_version.
    #[arg(long, value_enum, ignore_case = true)]
    pub(crate) minimal_tls_version: Option<MinimalTls>,
    #[command(flatten)]
    pub(crate) loosening: LooseningArgs,
    /// The tenant, by id or domain (default: the home tenant).
    #[arg(long, value_name = "TENANT", value_parser = name, help_heading = "Connection options")]
    pub(crate) tenant: Option<String>,
    #[command(flatten)]
    pub(crate) judge: JudgeArgs,
    #[command(flatten)]
    pub(crate) value: ValueArgs,
    #[command(flatten)]
    pub(crate) state: StateArgs,
    #[command(flatten)]
    pub(crate) limits: LimitArgs,
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
}

pub(crate) fn run(args: &ServerUpdateArgs, terminal: &TerminalArgs) -> Result<Exit, CliError> {
    let query = stdout::query(args.value.query.as_deref())?;
    args.judge.route(&args.connect)?;
    let mut documents = Vec::new();
    let mut exit = Exit::AllPass;
    for server in args.server.servers()? {
        // The result of one server decides whether the next one is changed.
        let (document, ended) = update(args, &server, terminal)?;
        documents.extend(document);
        exit = ended;
        if exit != Exit::AllPass {
            break;
        }
    }
    if !documents.is_empty() {
        let cloud = args.connect.cloud_name()?;
        write_named(documents, &cloud, &args.value, query.as_ref(), terminal)?;
    }
    Ok(exit)
}

/// Changes one server. Returns it as it is now, and how that ended.
fn update(
    args: &ServerUpdateArgs,
    named: &ServerName,
    terminal: &TerminalArgs,
) -> Result<(Option<Value>, Exit), CliError> {
    let (document, exit) = block_on(async {
        let tenant: Vec<String> = args.tenant.iter().cloned().collect();
        let store = args.state.open(args.connect.simulate.is_some())?;
        let site = connect_tenant(&args.connect, &args.state, &tenant, &args.limits, terminal).await?;
        let server = find(&site, named).await?;
        let subscription = [server.subscription().to_string()];
        let plan = plan_for(&site.reading, &request(args, named, &subscription)?, terminal).await?.plan;
        refuse_others(&plan, &server)?;
        refuse_loosening(&plan, args, terminal)?;
        warn_of_clients(&plan, terminal);
        let as_asked = [LeftOutReason::AlreadyRight, LeftOutReason::NeedsRestart];
        let left_out = plan.left_out().iter().find(|one| !as_asked.contains(&one.reason));
        if let Some(left_out) = left_out {
            return Err(CliError::left_out(&server, left_out));
        }
        if let Some(manual) = plan.steps().iter().find(|step| !step.is_executable()) {
            return Err(CliError::refused(
                format!("{} is not changed: {}", server.name(), manual.why),
                "change it manually, then run this again to verify",
            ));
        }
        let report = if plan.is_empty() { None } else { Some(apply(&site, &store, args, &plan, terminal).await?) };
        // The result of the change is reported first, whatever happens to the last read.
        let waits = plan.left_out().iter().any(|one| one.reason == LeftOutReason::NeedsRestart);
        let exit = end_with(&server, report.as_ref(), waits, terminal);
        let document = show(&site.changing, named, &subscription).await;
        Ok((document, exit))
    })?;
    match document {
        Ok(document) => Ok((Some(shape(&document)), exit)),
        Err(error) if exit == Exit::AllPass => Err(error),
        Err(_) => Ok((None, exit)),
    }
}

/// A scope has names, and a server of another kind may have the same one in the same group.
fn refuse_others(plan: &Plan, server: &ResourceId) -> Result<(), CliError> {
    let other = plan.steps().iter().map(|step| &step.server).find(|other| *other != server);
    other.map_or(Ok(()), |other| {
        let what = format!("{} would be changed, which has the name of {}", other.as_str(), server.as_str());
        Err(CliError::refused(what, Hint::with("plan for it by `hostssl plan --server {}`", &[&server.name()])))
    })
}

/// What makes a server less strict is a decision that must have a reason.
fn refuse_loosening(plan: &Plan, args: &ServerUpdateArgs, terminal: &TerminalArgs) -> Result<(), CliError> {
    let Some(loosening) = Loosening::of(plan.steps().iter(), Direction::Apply) else { return Ok(()) };
    // Naming one server and one value is approval: nothing is asked, so the reason has to be there.
    loosening.refuse(&args.loosening, false)?;
    loosening.reason(args.loosening.reason.as_deref(), "say why with --reason TEXT", terminal).map(drop)
}

/// Naming one server and one value is approval: the clients that this refuses are reported, and nothing is asked again.
fn warn_of_clients(plan: &Plan, terminal: &TerminalArgs) {
    for step in plan.steps().iter().filter(|step| step.is_executable()) {
        let Some(impact) = &step.clients else { continue };
        let name = step.server.name();
        match impact.verdict {
            ClientVerdict::Safe => {}
            ClientVerdict::Breaks => {
                let clients: Vec<String> = impact.clients.iter().take(CLIENTS_SHOWN).map(client_text).collect();
                stderr!("warning: {name}: clients are refused: {}: {}", impact.reason, safe(&clients.join("; ")));
            }
            ClientVerdict::NeedsObservation if terminal.quiet => {}
            ClientVerdict::NeedsObservation => stderr!("warning: {name}: {}", impact.reason),
        }
    }
}

/// Clients that a warning names.
const CLIENTS_SHOWN: usize = 3;

async fn apply(
    site: &SignedInTenant,
    store: &hostssl_store::Store,
    args: &ServerUpdateArgs,
    plan: &Plan,
    terminal: &TerminalArgs,
) -> Result<Report, CliError> {
    // Naming one server and one value approves what is planned for it.
    let approved = Approved::new(plan.clone(), plan.hash().as_str())?.because(args.loosening.reason.as_deref());
    let pace = PaceArgs { max_parallel: 1, max_failures: 1, soak: None, deadline: args.limits.deadline };
    let run = new_run()?;
    let work =
        async |remediation: &hostssl_ops::Remediation<'_>| remediation.apply(&approved, &run, Duration::MAX).await;
    change(site, store, &pace, args.judge.route(&args.connect)?, plan, terminal, work).await
}

/// The result of the change, beside the metadata on stdout. `waits`: a value that was set before takes effect at the next
/// restart.
fn end_with(server: &ResourceId, report: Option<&Report>, waits: bool, terminal: &TerminalArgs) -> Exit {
    let exit = report.map_or(Exit::AllPass, Exit::of_run);
    if let Some(report) = report {
        print_outcome(server, report, terminal);
    } else if !waits && !terminal.quiet {
        stderr!("{} has this value already: nothing was written", server.name());
    }
    if waits {
        let name = server.name();
        let word = StepStatus::WaitsForRestart.as_str();
        stderr!("error: {name} is {word}: it has the value, which takes effect at the next restart of the server");
    }
    if waits || report.is_some_and(|report| report.summary.waits_for_restart > 0) {
        stderr!("next: {}", safe(&restart_command(server)));
    }
    if waits && exit == Exit::AllPass { Exit::Incomplete } else { exit }
}

fn print_outcome(server: &ResourceId, report: &Report, terminal: &TerminalArgs) {
    for step in report.steps.iter().filter(|_| report.outcome != RunOutcome::Done) {
        let reason = safe(step.reason.as_deref().unwrap_or("no reason was given"));
        stderr!("error: {} of {} is {}: {reason}", step.parameter, server.name(), step.status.as_str());
    }
    if report.outcome == RunOutcome::Open {
        stderr!("next: {}", terminal.again.command(&format!("hostssl resume {}", report.run)));
    } else if !terminal.quiet && report.summary.applied + report.summary.waits_for_restart > 0 {
        let undo = terminal.again.command(&format!("hostssl undo {}", report.run));
        stderr!("run {}: verified by reading it back; `{undo}` restores the previous value", report.run);
    }
}

async fn find(site: &SignedInTenant, named: &ServerName) -> Result<ResourceId, CliError> {
    let document = show(&site.reading, named, &named.subscriptions).await?;
    let id = document.raw["id"].as_str().unwrap_or_default();
    ResourceId::try_from(id).map_err(|error| CliError::failed(&error, "Azure answered with a server without an id"))
}

async fn show(tenant: &Tenant, named: &ServerName, subscription: &[String]) -> Result<Document, CliError> {
    let tenants = std::slice::from_ref(tenant);
    let scope = Scope { subscriptions: subscription.to_vec(), ..Scope::default() };
    let found = show_server_document(tenants, &scope, named.pair(), named.kind()).await?;
    found.documents.into_iter().next().ok_or_else(|| {
        CliError::usage(
            format!("there is no server `{}`", named.name),
            "`hostssl server list -o table` shows the names",
        )
    })
}

fn request(args: &ServerUpdateArgs, named: &ServerName, subscription: &[String]) -> Result<PlanRequest, CliError> {
    let profile = Profile::find("baseline").map_err(|error| CliError::defect(&error))?;
    let at = |version| Floor::At(version);
    Ok(PlanRequest {
        scope: Scope {
            subscriptions: subscription.to_vec(),
            resource_groups: vec![named.resource_group.clone()],
            servers: vec![named.name.clone()],
            ..Scope::default()
        },
        except: Vec::new(),
        waivers: None,
        profile,
        goal: Goal::Set {
            enforcement: args.ssl_enforcement.map(|wanted| wanted == EnforcementArg::Enabled),
            minimum_tls: args.minimal_tls_version.map(|wanted| match wanted {
                MinimalTls::Tls1_0 => at(TlsVersion::Tls1_0),
                MinimalTls::Tls1_1 => at(TlsVersion::Tls1_1),
                MinimalTls::Tls1_2 => at(TlsVersion::Tls1_2),
                MinimalTls::Tls1_3 => at(TlsVersion::Tls1_3),
                MinimalTls::EnforcementDisabled => Floor::None,
            }),
        },
        options: PlanOptions { canary_size: 1, wave_size: 1, max_servers: Some(1) },
        order: WaveOrder::default(),
        reason: args.loosening.reason.clone(),
        discovery: Discovery::Lists,
        clients: args.state.censuses(args.connect.simulate.is_some(), StatePatience::from_now(args.limits.deadline)),
        accepted: Vec::new(),
    })
}
