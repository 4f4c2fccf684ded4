//! `hostssl apply`, `resume` and `undo`.

use crate::args::{ApplyArgs, OutputArgs, PaceArgs, ResumeArgs, UndoArgs};
use crate::changing::{ask, change, connect_site, servers_of, write_report, write_report_with};
use crate::connect::block_on;
use crate::error::CliError;
use crate::exit::Exit;
use crate::leftovers::Leftovers;
use crate::state::{find_change, new_run};
use crate::{names, plan_file, stdout};
use hostssl_formats::{SubscriptionNames, Text, plan_text, run_text};
use hostssl_remediation::{Approved, LoadedRun, Plan, Rest, RunId};
use hostssl_store::Store;

/// `hostssl apply`.
pub(crate) fn apply(args: &ApplyArgs, talk: &OutputArgs) -> Result<Exit, CliError> {
    stdout::query(args.value.query.as_deref())?;
    let shape = args.list.shape(args.value.is_table(), args.value.is_wide())?;
    let route = args.judge.route_with(&args.connect, args.leftovers.logs_in())?;
    let leftovers = Leftovers::new(&args.leftovers, &args.connect, args.judge.way())?;
    let (plan, _lock) = plan_file::read_and_lock(&args.plan)?;
    let approved = match &args.approve {
        Some(hash) => Approved::new(plan.clone(), hash)?,
        None => {
            let path = args.plan.display();
            let instead = format!("review it with `hostssl plan show {path}`, then add --approve {}", plan.hash());
            let again = format!("the plan is still valid: run `hostssl apply {path}` again when you are ready");
            let names = names::kept(&args.state, args.connect.simulate.is_some());
            approve(&plan, &names, &instead, &again)?
        }
    };
    if plan.is_empty() {
        say!("the plan writes nothing, so there is nothing to apply");
        return Ok(Exit::AllPass);
    }
    let (report, names, sessions) = block_on(async {
        let tenant: Vec<String> = args.tenant.iter().cloned().collect();
        let store = args.state.open(args.connect.simulate.is_some())?;
        let site = connect_site(&args.connect, &args.state, &tenant, &args.pace.limits(), talk).await?;
        if let Some(leftovers) = &leftovers {
            leftovers.check(&site.reading, &plan).await?;
        }
        let run = new_run()?;
        let work =
            async |remediation: &hostssl_ops::Remediation<'_>| remediation.apply(&approved, &run, args.max_age).await;
        let names = names::of_azure(&site.reading).await;
        let report = change(&site, &store, &args.pace, route, &plan, talk, work).await?;
        let sessions = match &leftovers {
            Some(leftovers) => leftovers.settle(&site, &store, &run, &plan, &report).await,
            None => Ok(Vec::new()),
        };
        Ok((report, names, sessions))
    })?;
    // Servers were changed: that is reported, whatever happened to the sessions.
    let exit = write_report_with(&report, sessions.as_deref().unwrap_or_default(), &names, &args.value, &shape, talk)?;
    sessions.map(|_| exit)
}

/// Shows a plan on the terminal and asks. `instead` is what to do without a terminal, `again` what to do after a no.
pub(crate) fn approve(
    plan: &Plan,
    names: &SubscriptionNames,
    instead: &str,
    again: &str,
) -> Result<Approved<Plan>, CliError> {
    if stdout::stderr_is_terminal() {
        let mut text = Vec::new();
        let _ = plan_text::write(&mut text, plan, names, &Text { width: stdout::stderr_width(), ..Text::plain() });
        say!("{}", String::from_utf8_lossy(&text));
    }
    let servers = plan.servers();
    let servers = if servers == 1 { "1 server".to_owned() } else { format!("{servers} servers") };
    if !plan.is_empty() && !ask(&format!("This changes {servers}."), instead)? {
        return Err(CliError::refused("not approved, so nothing was written", again));
    }
    // What was shown is what is approved.
    Ok(Approved::new(plan.clone(), plan.hash().as_str())?)
}

/// `hostssl resume`.
pub(crate) fn resume(args: &ResumeArgs, talk: &OutputArgs) -> Result<Exit, CliError> {
    stdout::query(args.value.query.as_deref())?;
    let shape = args.list.shape(args.value.is_table(), args.value.is_wide())?;
    let route = args.judge.route(&args.connect)?;
    let (report, names) = block_on(async {
        let tenant: Vec<String> = args.tenant.iter().cloned().collect();
        let store = args.state.open(args.connect.simulate.is_some())?;
        let run = find(&store, &args.run, talk)?;
        let loaded = LoadedRun::read(&store, &run).await?;
        let site = connect_site(&args.connect, &args.state, &tenant, &args.pace.limits(), talk).await?;
        let rest = if args.settle_only { Rest::Leave } else { Rest::Continue };
        let forgotten = servers_of(&loaded.plan, &args.forget)?;
        let plan = loaded.plan.clone();
        let work =
            async |remediation: &hostssl_ops::Remediation<'_>| remediation.resume(loaded, rest, &forgotten).await;
        let names = names::of_azure(&site.reading).await;
        Ok((change(&site, &store, &args.pace, route, &plan, talk, work).await?, names))
    })?;
    write_report(&report, &names, &args.value, &shape, talk)
}

/// `hostssl undo`.
pub(crate) fn undo(args: &UndoArgs, talk: &OutputArgs) -> Result<Exit, CliError> {
    stdout::query(args.value.query.as_deref())?;
    let shape = args.list.shape(args.value.is_table(), args.value.is_wide())?;
    // A failed step does not stop the rest of the undo.
    let pace =
        PaceArgs { max_parallel: args.max_parallel, max_failures: u32::MAX, soak: None, deadline: args.deadline };
    let (report, names) = block_on(async {
        let tenant: Vec<String> = args.tenant.iter().cloned().collect();
        let store = args.state.open(args.connect.simulate.is_some())?;
        let run = find(&store, &args.run, talk)?;
        let loaded = LoadedRun::read(&store, &run).await?;
        let forgotten = servers_of(&loaded.plan, &args.forget)?;
        if !args.yes {
            let report = loaded.report();
            let mut text = Vec::new();
            let _ = run_text::write(
                &mut text,
                &report,
                &SubscriptionNames::default(),
                &Text { width: stdout::stderr_width(), ..Text::plain() },
            );
            say!("{}", String::from_utf8_lossy(&text));
            let applied = report.summary.applied;
            let steps = if applied == 1 { "1 step".to_owned() } else { format!("{applied} steps") };
            if !ask(
                &format!("This reverts the {steps} that run {run} applied, which may make servers less strict."),
                "add --yes",
            )? {
                return Err(CliError::refused("not approved, so nothing was written", "the run stays as it is"));
            }
        }
        if !loaded.state.steps().iter().any(hostssl_remediation::StepState::is_undoable) && !talk.quiet {
            say!("run {run} has nothing left to undo");
        }
        let site = connect_site(&args.connect, &args.state, &tenant, &pace.limits(), talk).await?;
        let plan = loaded.plan.clone();
        let work = async |remediation: &hostssl_ops::Remediation<'_>| {
            remediation.undo(loaded, &forgotten, args.reason.as_deref()).await
        };
        let names = names::of_azure(&site.reading).await;
        Ok((change(&site, &store, &pace, None, &plan, talk, work).await?, names))
    })?;
    write_report(&report, &names, &args.value, &shape, talk)
}

/// The run that a text names, and says which one where the text is not its id.
fn find(store: &Store, text: &str, talk: &OutputArgs) -> Result<RunId, CliError> {
    let run = find_change(store, text)?;
    if run.as_str() != text && !talk.quiet {
        say!("run {run}");
    }
    Ok(run)
}
