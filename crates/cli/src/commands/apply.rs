//! `hostssl apply`, `resume` and `undo`.

use crate::again::quoted;
use crate::args::{
    ConnectArgs, JudgeArgs, ListArgs, PaceArgs, RunList, StateArgs, Suggested, TableArgs, TerminalArgs, duration,
    latest, name,
};
use crate::connect::block_on;
use crate::error::CliError;
use crate::exit::Exit;
use crate::leftovers::{LeftoverArgs, Leftovers};
use crate::loosening::{Loosening, LooseningArgs};
use crate::questions::{ask, refuse_without_terminal};
use crate::route::RouteArgs;
use crate::run_change::{change, connect_tenant, refuse_idle_forgetting, servers_of, write_report, write_report_with};
use crate::simulated::scenario_of;
use crate::state::{find_change, find_undoable, new_run, refuse_undone};
use crate::{names, plan_file, stdout};
use clap::Args;
use hostssl_formats::{Shape, SubscriptionNames, plan_text, run_text, safe};
use hostssl_model::{Hint, ResourceId};
use hostssl_ops::RemediationError;
use hostssl_remediation::{
    ApprovalRule, Approved, Clock as _, ContextMismatch, Direction, LoadedRun, NotApproved, OnResume, Plan,
    PlanContext, RunId, StepEffect, StepReport, SystemClock,
};
use hostssl_store::{Store, StoreReader};
use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug, Args)]
pub(crate) struct ApplyArgs {
    /// The plan file; - for standard input.
    #[arg(value_name = "PLAN")]
    pub(crate) plan: PathBuf,
    /// The hash of the plan that was reviewed: approves exactly that plan (default: asks on the terminal).
    #[arg(long, value_name = "HASH")]
    pub(crate) approve: Option<String>,
    /// Refuse a plan whose data is older than this.
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = duration)]
    pub(crate) max_age: Duration,
    #[command(flatten)]
    pub(crate) loosening: LooseningArgs,
    #[command(flatten)]
    pub(crate) pace: PaceArgs,
    #[command(flatten)]
    pub(crate) judge: JudgeArgs,
    #[command(flatten)]
    pub(crate) leftovers: LeftoverArgs,
    #[command(flatten)]
    pub(crate) state: StateArgs,
    #[command(flatten)]
    pub(crate) value: TableArgs,
    #[command(flatten)]
    pub(crate) list: ListArgs<RunList>,
    /// The tenant, by id or domain (default: the home tenant).
    #[arg(long, value_name = "TENANT", value_parser = name, help_heading = "Connection options")]
    pub(crate) tenant: Option<String>,
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ResumeArgs {
    /// The run that changed servers: its id, the beginning of it, or latest; `hostssl runs` lists them.
    #[arg(value_name = "RUN", value_parser = Suggested(latest), hide_possible_values = true)]
    pub(crate) run: String,
    /// Only find out how writes in progress ended: nothing is written, and what had not begun ends as not started.
    #[arg(long)]
    pub(crate) settle_only: bool,
    /// Exclude this server from the run, for example because it was deleted: nothing more is written to it (repeatable).
    #[arg(long, value_name = "SERVER", value_parser = name)]
    pub(crate) forget: Vec<String>,
    #[command(flatten)]
    pub(crate) pace: PaceArgs,
    #[command(flatten)]
    pub(crate) judge: JudgeArgs,
    #[command(flatten)]
    pub(crate) state: StateArgs,
    #[command(flatten)]
    pub(crate) value: TableArgs,
    #[command(flatten)]
    pub(crate) list: ListArgs<RunList>,
    /// The tenant, by id or domain (default: the home tenant).
    #[arg(long, value_name = "TENANT", value_parser = name, help_heading = "Connection options")]
    pub(crate) tenant: Option<String>,
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
}

#[derive(Debug, Args)]
pub(crate) struct UndoArgs {
    /// The run that changed servers: its id, the beginning of it, or latest; `hostssl runs` lists them.
    #[arg(value_name = "RUN", value_parser = Suggested(latest), hide_possible_values = true)]
    pub(crate) run: String,
    /// Do not ask.
    #[arg(long, short = 'y')]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) loosening: LooseningArgs,
    /// Exclude this server from the undo, for example because it was deleted: it stays as it is (repeatable).
    #[arg(long, value_name = "SERVER", value_parser = name)]
    pub(crate) forget: Vec<String>,
    /// Servers restored at once; never more than one write at a time on a server.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) max_parallel: u16,
    /// Start nothing new after this time, such as 30m or 8h; changes in progress get 30 s to finish.
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = duration)]
    pub(crate) deadline: Duration,
    #[command(flatten)]
    pub(crate) state: StateArgs,
    #[command(flatten)]
    pub(crate) value: TableArgs,
    #[command(flatten)]
    pub(crate) list: ListArgs<RunList>,
    /// The tenant, by id or domain (default: the home tenant).
    #[arg(long, value_name = "TENANT", value_parser = name, help_heading = "Connection options")]
    pub(crate) tenant: Option<String>,
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
}

/// `hostssl apply`.
pub(crate) fn apply(args: &ApplyArgs, terminal: &TerminalArgs) -> Result<Exit, CliError> {
    stdout::query(args.value.query.as_deref())?;
    let shape = args.list.shape(args.value.is_table(), args.value.is_wide())?;
    let route = args.judge.route_with(&args.connect, args.leftovers.logs_in())?;
    let leftovers = Leftovers::new(&args.leftovers, &args.connect, args.judge.way())?;
    let (plan, _lock) = plan_file::read_and_lock(&args.plan)?;
    let terminal = &terminal.of_plan(&plan);
    let done = refuse_elsewhere(&plan, args).and_then(|()| {
        args.leftovers.refuse_yes_alone(&plan, &args.plan)?;
        if plan.is_empty() {
            stderr!("the plan writes nothing, so there is nothing to apply");
            return Ok(Exit::AllPass);
        }
        apply_plan(&plan, args, route, leftovers.as_ref(), &shape, terminal)
    });
    done.map_err(|error| error.about(&terminal.again))
}

fn apply_plan(
    plan: &Plan,
    args: &ApplyArgs,
    route: Option<&RouteArgs>,
    leftovers: Option<&Leftovers<'_>>,
    shape: &Shape,
    terminal: &TerminalArgs,
) -> Result<Exit, CliError> {
    let path = quoted(&args.plan.display().to_string());
    let instead = Hint::with("review it with `hostssl plan show {}`, then add --approve {}", &[&path, &plan.hash()]);
    let approved = args.approve.as_deref().map(|hash| approved_by(plan, hash, &path)).transpose()?;
    if approved.is_none() {
        refuse_without_terminal(instead.clone())?;
    }
    let loosening = Loosening::of(plan.steps().iter(), Direction::Apply);
    if let Some(loosening) = &loosening {
        loosening.refuse(&args.loosening, approved.is_none())?;
    }
    let (report, names, sessions) = block_on(async {
        let tenant: Vec<String> = args.tenant.iter().cloned().collect();
        let store = args.state.open(args.connect.simulate.is_some())?;
        refuse_unapproved(args, plan)?;
        // Who approves sees first as whom the plan will be applied.
        let site = connect_tenant(&args.connect, &args.state, &tenant, &args.pace.limits(), terminal).await?;
        let names = names::of_azure(&site.reading).await;
        let approved = match approved {
            Some(approved) => {
                let reason = args.loosening.reason.as_deref();
                if let Some(loosening) = &loosening {
                    loosening.reason(reason, instead, terminal)?;
                }
                approved.because(reason)
            }
            None => {
                let again =
                    Hint::with("the plan is still valid: run `hostssl apply {}` again when you are ready", &[&path]);
                approve(plan, &names, args.loosening.reason.as_deref(), instead, again, terminal)?
            }
        };
        if let Some(leftovers) = leftovers {
            leftovers.check(&site.reading, plan).await?;
        }
        // Someone may have withdrawn an approval while this one was asked.
        refuse_unapproved(args, plan)?;
        let run = new_run()?;
        let work =
            async |remediation: &hostssl_ops::Remediation<'_>| remediation.apply(&approved, &run, args.max_age).await;
        let report = change(&site, &store, &args.pace, route, plan, terminal, work).await?;
        let sessions = match leftovers {
            Some(leftovers) => leftovers.settle(&site, &store, &run, plan, &report).await,
            None => Ok(Vec::new()),
        };
        Ok((report, names, sessions))
    })?;
    // Servers were changed: that is reported, whatever happened to the sessions.
    let sessions_found = sessions.as_deref().unwrap_or_default();
    let exit = write_report_with(&report, sessions_found, &names, &args.value, shape, terminal)?;
    sessions.map(|_| exit)
}

/// The plan, approved by a hash. Where that is another plan's, the hint names the file at hand.
fn approved_by(plan: &Plan, hash: &str, path: &str) -> Result<Approved<Plan>, CliError> {
    Approved::new(plan.clone(), hash).map_err(|error: NotApproved| {
        CliError::from(error).with_hint(Hint::with(
            "review this plan with `hostssl plan show {}`, and approve the hash that it prints",
            &[&path],
        ))
    })
}

/// Refuses a plan of a console that several people have to approve, while they have not. A plan that the state does not know takes
/// the approval of the person who applies it.
fn refuse_unapproved(args: &ApplyArgs, plan: &Plan) -> Result<(), CliError> {
    // Opened anew, which brings the copy of a shared store up to date.
    let reader = StoreReader::open(&args.state.directory(args.connect.simulate.is_some())?)?;
    let Some(required) = reader.required_approvals(plan.hash())? else { return Ok(()) };
    // Approvals are for one run: after an undo, people decide anew.
    if let Some(run) = reader.run_of_plan(plan.hash())? {
        return Err(CliError::refused(
            format!("run {run} has applied this plan, and its approvals were for that run; nothing was written"),
            "make a new plan in the console, and have it approved",
        ));
    }
    let (needed, made_by) = (required.approvals, vec![required.made_by]);
    let rule = ApprovalRule { needed, made_by, approvers: reader.listed_approvers()? };
    let approvals = rule.count(reader.plan_approvals(plan.hash())?);
    if approvals.missing() == 0 {
        return Ok(());
    }
    let not_counted = approvals.uncounted.iter();
    let not_counted: String = not_counted
        .map(|(one, why)| format!("; that of {} does not count, because {why}", safe(&one.person)))
        .collect();
    let path = quoted(&args.plan.display().to_string());
    Err(CliError::refused(
        format!("the plan was made in a console and has {}, so nothing was written{not_counted}", approvals.words()),
        Hint::with(
            "approvers who did not make the plan approve it on its page in the console; then run `hostssl apply {}` again",
            &[&path],
        ),
    ))
}

/// Refuses a plan for another cloud, and one that is too old, before anyone is asked to approve it. Both are checked again
/// before the first write.
fn refuse_elsewhere(plan: &Plan, args: &ApplyArgs) -> Result<(), CliError> {
    let simulated = args.connect.simulate.as_deref();
    match scenario_of(plan.cloud()) {
        Some(scenario) if simulated.is_none() => {
            return Err(CliError::usage(
                format!("the plan is for the simulated Azure `{scenario}`"),
                Hint::with("add --simulate {}", &[&scenario]),
            ));
        }
        Some(scenario) if simulated != Some(scenario) => {
            return Err(CliError::usage(
                format!("the plan is for the simulated Azure `{scenario}`, and --simulate names another one"),
                Hint::with("use --simulate {}", &[&scenario]),
            ));
        }
        _ => {}
    }
    let here = PlanContext {
        cloud: &args.connect.cloud_name()?,
        tenant: None,
        principal: None,
        now_ms: SystemClock::new().now_ms(),
        max_age: args.max_age,
    };
    Ok(plan.check_context(&here).map_err(|mismatches: Vec<ContextMismatch>| RemediationError::Mismatch(mismatches))?)
}

/// Shows a plan on the terminal and asks; for a reason too, where it makes servers less strict. `instead` is what to do without a terminal, `again` what to do after a no.
pub(crate) fn approve(
    plan: &Plan,
    names: &SubscriptionNames,
    reason: Option<&str>,
    instead: impl Into<Hint>,
    again: impl Into<Hint>,
    terminal: &TerminalArgs,
) -> Result<Approved<Plan>, CliError> {
    if stdout::stderr_is_terminal() {
        stdout::show_for_approval(terminal, |out, text| plan_text::write(out, plan, names, text));
    }
    let instead = instead.into();
    let asked = Loosening::of(plan.steps().iter(), Direction::Apply);
    let asked = asked.map(|loosening| loosening.reason(reason, instead.clone(), terminal)).transpose()?;
    let servers = plan.servers();
    let servers = if servers == 1 { "1 server".to_owned() } else { format!("{servers} servers") };
    if !plan.is_empty() && !ask(&format!("This changes {servers}."), instead)? {
        return Err(CliError::refused("not approved, so nothing was written", again));
    }
    // What was shown is what is approved.
    Ok(Approved::new(plan.clone(), plan.hash().as_str())?.because(asked.as_deref().or(reason)))
}

/// `hostssl resume`.
pub(crate) fn resume(args: &ResumeArgs, terminal: &TerminalArgs) -> Result<Exit, CliError> {
    stdout::query(args.value.query.as_deref())?;
    let shape = args.list.shape(args.value.is_table(), args.value.is_wide())?;
    let route = args.judge.route(&args.connect)?;
    block_on(async {
        let store = args.state.open(args.connect.simulate.is_some())?;
        let run = find_change(&args.state, args.connect.simulate.is_some(), &store, &args.run)?;
        print_found(&run, &args.run, terminal);
        let loaded = LoadedRun::read(&store, &run).await?;
        let terminal = &terminal.of_plan(&loaded.plan);
        let done = resume_run(loaded, &store, args, route, &shape, terminal).await;
        done.map_err(|error| error.about(&terminal.again))
    })
}

async fn resume_run(
    loaded: LoadedRun,
    store: &Store,
    args: &ResumeArgs,
    route: Option<&RouteArgs>,
    shape: &Shape,
    terminal: &TerminalArgs,
) -> Result<Exit, CliError> {
    let tenant: Vec<String> = args.tenant.iter().cloned().collect();
    let site = connect_tenant(&args.connect, &args.state, &tenant, &args.pace.limits(), terminal).await?;
    let rest = if args.settle_only { OnResume::SettleOnly } else { OnResume::Continue };
    let forgotten = servers_of(&loaded, &args.forget)?;
    refuse_idle_forgetting(&loaded, &forgotten)?;
    let plan = loaded.plan.clone();
    // A run that was probed is probed to its end.
    let probes = loaded.state.pace().probes;
    let route = route.or_else(|| probes.then(|| args.judge.way()));
    let work = async |remediation: &hostssl_ops::Remediation<'_>| remediation.resume(loaded, rest, &forgotten).await;
    let names = names::of_azure(&site.reading).await;
    let report = change(&site, store, &args.pace, route, &plan, terminal, work).await?;
    write_report(&report, &names, &args.value, shape, terminal)
}

/// `hostssl undo`.
pub(crate) fn undo(args: &UndoArgs, terminal: &TerminalArgs) -> Result<Exit, CliError> {
    stdout::query(args.value.query.as_deref())?;
    let shape = args.list.shape(args.value.is_table(), args.value.is_wide())?;
    block_on(async {
        let store = args.state.open(args.connect.simulate.is_some())?;
        let run = find_undoable(&args.state, args.connect.simulate.is_some(), &store, &args.run)?;
        print_found(&run, &args.run, terminal);
        let loaded = LoadedRun::read(&store, &run).await?;
        refuse_undone(&loaded)?;
        let terminal = &terminal.of_plan(&loaded.plan);
        let done = undo_run(loaded, &store, args, &shape, terminal).await;
        done.map_err(|error| error.about(&terminal.again))
    })
}

async fn undo_run(
    loaded: LoadedRun,
    store: &Store,
    args: &UndoArgs,
    shape: &Shape,
    terminal: &TerminalArgs,
) -> Result<Exit, CliError> {
    // A failed step does not stop the rest of the undo.
    let pace =
        PaceArgs { max_parallel: args.max_parallel, max_failures: u32::MAX, soak: None, deadline: args.deadline };
    let tenant: Vec<String> = args.tenant.iter().cloned().collect();
    let forgotten = servers_of(&loaded, &args.forget)?;
    let restored = || loaded.undoable().filter(|step| !forgotten.contains(&step.server));
    let loosening = Loosening::of(restored(), Direction::Undo);
    if let Some(loosening) = &loosening {
        loosening.refuse(&args.loosening, !args.yes)?;
    }
    if !args.yes && restored().next().is_some() {
        refuse_without_terminal(UNDO_WITHOUT_TERMINAL)?;
    }
    // Who approves sees first as whom the values will be restored.
    let site = connect_tenant(&args.connect, &args.state, &tenant, &pace.limits(), terminal).await?;
    let names = names::of_azure(&site.reading).await;
    let reason = decide_undo(&loaded, &forgotten, loosening.as_ref(), args, &names, terminal)?;
    let plan = loaded.plan.clone();
    let work = async |remediation: &hostssl_ops::Remediation<'_>| {
        remediation.undo(loaded, &forgotten, reason.as_deref()).await
    };
    let report = change(&site, store, &pace, None, &plan, terminal, work).await?;
    write_report(&report, &names, &args.value, shape, terminal)
}

/// What a script says in place of the answers.
const UNDO_WITHOUT_TERMINAL: &str = "add --yes, and --reason TEXT where servers become less strict";

/// Shows what an undo restores and what that exposes, asks unless `--yes` has answered, and returns the reason.
fn decide_undo(
    loaded: &LoadedRun,
    forgotten: &[ResourceId],
    loosening: Option<&Loosening<'_>>,
    args: &UndoArgs,
    names: &SubscriptionNames,
    terminal: &TerminalArgs,
) -> Result<Option<String>, CliError> {
    let report = loaded.report();
    let restored: Vec<u32> =
        loaded.undoable().filter(|step| !forgotten.contains(&step.server)).map(|step| step.id).collect();
    let steps: Vec<&StepReport> = report.steps.iter().filter(|step| restored.contains(&step.id)).collect();
    let asks = !steps.is_empty() && !args.yes;
    if asks {
        stdout::show_for_approval(terminal, |out, text| run_text::write_undo(out, &steps, names, text));
    }
    let given = args.loosening.reason.as_deref();
    let reason = loosening.map(|it| it.reason(given, UNDO_WITHOUT_TERMINAL, terminal)).transpose()?;
    if asks {
        let values = if steps.len() == 1 { "1 value".to_owned() } else { format!("{} values", steps.len()) };
        let what =
            format!("This restores {values} that run {} changed: {}.", loaded.id, effect_of_undo(loaded, terminal));
        if !ask(&what, UNDO_WITHOUT_TERMINAL)? {
            return Err(CliError::refused("not approved, so nothing was written", "the run stays as it is"));
        }
    }
    Ok(reason.or_else(|| given.map(str::to_owned)))
}

/// What an undo does to servers and clients, in words.
fn effect_of_undo(loaded: &LoadedRun, terminal: &TerminalArgs) -> String {
    let any = |effect| loaded.undoable().any(|step| step.effect_of_undo() == effect);
    let effects = [
        (StepEffect::Looser, "servers become less strict"),
        (StepEffect::Stricter, "servers become stricter, and may refuse clients; `hostssl clients` lists them"),
        (StepEffect::Unknown, "servers may become less or more strict: a value is not known to this version"),
    ];
    let effects = effects.into_iter().filter(|(effect, _)| any(*effect));
    let effects: Vec<String> = effects.map(|(_, words)| terminal.again.hint(words.into()).to_string()).collect();
    if effects.is_empty() { "no client notices".to_owned() } else { effects.join("; ") }
}

/// Says which run was found where the text is not its id.
fn print_found(run: &RunId, text: &str, terminal: &TerminalArgs) {
    if run.as_str() != text && !terminal.quiet {
        stderr!("run {run}");
    }
}
