//! `hostssl plan`.

mod args;

pub(crate) use args::{MakePlanArgs, PlanArgs};
use args::{PlanCheckArgs, PlanCommand, refuse_two_reasons};

use super::waivers;
use crate::again::quoted;
use crate::args::{StateArgs, TableArgs, TerminalArgs};
use crate::connect::block_on;
use crate::error::CliError;
use crate::exit::Exit;
use crate::progress::AuditBar;
use crate::run_change::connect_tenant;
use crate::simulated::of_cloud;
use crate::simulated::scenario_of;
use crate::state::find_audit_in;
use crate::state_patience::StatePatience;
use crate::{names, plan_file, stdout};
use hostssl_audit::Profile;
use hostssl_formats::output::Format;
use hostssl_formats::plan_review::{self, PlanReview};
use hostssl_formats::{
    Shape, SubscriptionNames, earlier_plaintext, lint_json, lint_text, plan_text, safe, waiver_text,
};
use hostssl_model::{AuditReport, Hint, ResourceId};
use hostssl_ops::{
    FailedBefore, PlanRequest, PlanWaivers, Planned, RunContext, Tenant, failed_before, failed_last_time, make_plan,
};
use hostssl_remediation::{
    ClientImpact, Clock as _, FixableControl, Goal, LeftOut, LeftOutReason, Lint, LintContext, Plan, PlanOptions,
    RunId, SystemClock, WaveOrder, failed_findings, is_busy, lint, production_canary, server_tags,
};
use jiff::Timestamp;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

pub(crate) fn run(args: &PlanArgs, terminal: &TerminalArgs) -> Result<Exit, CliError> {
    match &args.command {
        Some(PlanCommand::Show(args)) => {
            let shape = args.list.shape(args.value.is_table(), args.value.is_wide())?;
            let plan = plan_file::read(&args.plan)?;
            let terminal = &of_cloud(terminal, plan.cloud()).of_plan(&plan);
            let simulated = args.of.simulated() || scenario_of(plan.cloud()).is_some();
            let names = names::kept(&args.state, simulated).with_plan(&plan);
            write(&plan, &names, &args.value, &shape, terminal)?;
            Ok(Exit::AllPass)
        }
        Some(PlanCommand::Check(args)) => check(args, terminal),
        None => make(args, terminal),
    }
}

fn make(args: &PlanArgs, terminal: &TerminalArgs) -> Result<Exit, CliError> {
    let mut request = args.make.request(&args.state, StatePatience::from_now(args.limits.deadline))?;
    stdout::query(args.value.query.as_deref())?;
    let failed = failed_earlier(&args.state, args.make.connect.simulate.is_some())?;
    request.order.last = failed.keys().cloned().collect();
    let shape = args.list.shape(args.value.is_table(), args.value.is_wide())?;
    // Reading the whole fleet for a plan that cannot be written would be a waste.
    args.out.as_deref().map(plan_file::check_free).transpose()?;
    let planned = block_on(async {
        let site =
            connect_tenant(&args.make.connect, &args.state, &args.make.scope.tenant, &args.limits, terminal).await?;
        plan_for(&site.reading, &request, terminal).await
    })?;
    let plan = &planned.plan;
    write(plan, &names_of(&planned), &args.value, &shape, terminal)?;
    let shown = args.value.is_table();
    let seen = print_unchecked(&planned, terminal);
    print_failed_earlier(plan, &failed, &request.order, terminal);
    print_canary(&planned, &request.order, terminal);
    if args.out.is_some() || (shown && !plan.is_empty()) {
        let path = plan_file::write(plan, args.out.as_deref())?;
        if !terminal.quiet {
            let path = quoted(&path.display().to_string());
            stderr!("written to {path}");
            if !plan.is_empty() {
                stderr!("next: {}", terminal.again.command(&format!("hostssl plan check {path}")));
                stderr!("      {}", terminal.again.command(&format!("hostssl apply {path}")));
            }
        }
    }
    Ok(seen)
}

/// The names of the subscriptions that were read for a plan.
pub(crate) fn names_of(planned: &Planned) -> SubscriptionNames {
    SubscriptionNames::new(planned.audit.subscriptions.iter().map(|one| (one.id.as_str(), &*one.name)))
}

/// Audits and plans, with progress.
pub(crate) async fn plan_for(
    tenant: &Tenant,
    request: &PlanRequest,
    terminal: &TerminalArgs,
) -> Result<Planned, CliError> {
    let mut progress = AuditBar::new(terminal);
    let context = RunContext::begin(uuid::Uuid::now_v7().to_string(), &Timestamp::now, env!("CARGO_PKG_VERSION"));
    let planned = make_plan(tenant, request, context, &mut |event| progress.on(&event)).await;
    progress.finish();
    Ok(planned?)
}

/// What could not be checked is reported even with --quiet: the plan alone would look complete.
pub(crate) fn print_unchecked(planned: &Planned, terminal: &TerminalArgs) -> Exit {
    let names = names_of(planned);
    stdout::warn_of_gaps(&planned.unseen, &names, None, terminal);
    // A server that could not be checked is in the plan, among those left out.
    let of_scope: Vec<_> = planned.audit.gaps.iter().filter(|gap| !gap.scope.is_server()).cloned().collect();
    stdout::warn_of_gaps(&of_scope, &names, Some(stdout::LISTS_GAPS), terminal);
    if let Some(unchecked) = &planned.permissions {
        crate::run_change::warn_of_permissions(unchecked);
    }
    waiver_text::doubts_that_matter(&planned.audit).iter().for_each(|doubt| stderr!("warning: {doubt}"));
    print_affected_clients(&planned.plan, terminal);
    let failing = left_failing(planned);
    if failing > 0 {
        let servers =
            if failing == 1 { "1 server fails and is".to_owned() } else { format!("{failing} servers fail and are") };
        stderr!("warning: {servers} not in the plan, without a waiver; the plan lists them as left out");
    }
    let open = warn_of_plaintext(&planned.audit, terminal);
    let manual = count_manual_servers(&planned.plan);
    if manual > 0 {
        let servers = if manual == 1 { "1 server has".to_owned() } else { format!("{manual} servers have") };
        stderr!("warning: {servers} a manual step: apply does not do it, and the control fails until someone does");
    }
    // The audit of a plan reads what its controls judge; a setting that no control judges is left out as unknown.
    let unknown = planned.plan.left_out().iter().any(|one| one.reason == LeftOutReason::Unknown);
    let is_done = !unknown && !open && failing == 0 && manual == 0;
    if planned.audit.run.complete && is_done { Exit::AllPass } else { Exit::Incomplete }
}

/// Names the servers that an earlier probe connected to without TLS although the switch is on, and whether there are any: no
/// plan can change that.
fn warn_of_plaintext(audit: &AuditReport, terminal: &TerminalArgs) -> bool {
    let Some(named) = earlier_plaintext(audit) else { return false };
    stderr!(
        "warning: earlier probes connected without TLS although Azure declares it enforced, which no plan changes: {named}"
    );
    terminal.hint(&"`hostssl audit --probe` probes again and says which listener it is".into());
    true
}

/// Servers that are left out because of their clients, and what to do about it.
fn print_affected_clients(plan: &Plan, terminal: &TerminalArgs) {
    let count = |reason| {
        plan.left_out().iter().filter(|one| one.reason == reason).map(|one| &one.server).collect::<BTreeSet<_>>().len()
    };
    let servers = |count: usize| if count == 1 { "1 server is".to_owned() } else { format!("{count} servers are") };
    let (breaks, unobserved) = (count(LeftOutReason::BreaksClients), count(LeftOutReason::NeedsObservation));
    if breaks > 0 {
        stderr!("warning: {} left out because clients would be refused", servers(breaks));
        terminal.hint(&"`hostssl clients -o markdown` lists what each client has to change".into());
    }
    if unobserved > 0 {
        stderr!("warning: {} left out because too little was observed of the clients", servers(unobserved));
        // After a look just now, another is of no use: the reason is in the row.
        let unseen = ClientImpact::unobserved();
        let never = |one: &&LeftOut| one.clients.as_ref().is_none_or(|impact| impact.reason == unseen.reason);
        if plan.left_out().iter().filter(|one| one.reason == LeftOutReason::NeedsObservation).any(|one| never(&one)) {
            terminal.hint(&"`hostssl clients` finds the clients and keeps the result".into());
        }
    }
    if breaks + unobserved > 0 {
        terminal.hint(&"--accept-breakage 'SERVER=REASON' plans for them anyway".into());
    }
}

/// The servers whose last change did not succeed: others are tried first. Where there is no state, there are none.
pub(crate) fn failed_earlier(state: &StateArgs, simulated: bool) -> Result<BTreeMap<ResourceId, RunId>, CliError> {
    match failed_last_time(&state.directory(simulated)?) {
        Ok(failed) => Ok(failed),
        Err(error) => {
            let error = CliError::from(error);
            stderr!(
                "warning: earlier runs could not be read, so a server that failed may go first: {}",
                error.on_one_line()
            );
            Ok(BTreeMap::new())
        }
    }
}

/// Says which servers go last because of an earlier run, and warns where one of them is the canary anyway.
pub(crate) fn print_failed_earlier(
    plan: &Plan,
    failed: &BTreeMap<ResourceId, RunId>,
    order: &WaveOrder,
    terminal: &TerminalArgs,
) {
    for FailedBefore { server, run, is_canary } in failed_before(plan, failed, order) {
        let name = safe(server.name());
        if is_canary {
            stderr!(
                "warning: the canary {name} did not succeed in run {run}, and no other server outside production can go first"
            );
            let hint = Hint::with(
                "`hostssl runs show {}` says why; fix that first, or leave the server out with --except {}",
                &[&run, &name],
            );
            terminal.hint(&hint);
        } else if !terminal.quiet {
            stderr!("note: {name} did not succeed in run {run}, so it goes last; --canary {name} tries it first");
        }
    }
}

/// What the first wave holds that no one would choose for it.
pub(crate) fn print_canary(planned: &Planned, order: &WaveOrder, terminal: &TerminalArgs) {
    let (plan, servers) = (&planned.plan, &planned.audit.servers);
    if !order.canary.is_empty() {
        return;
    }
    for server in production_canary(plan, &planned.audit.subscriptions, &server_tags(servers)) {
        let name = safe(server.name());
        stderr!("warning: the canary {name} is a production server: the plan has no other that can go first");
        let hint =
            Hint::with("--canary NAME chooses the server that goes first; `hostssl plan` lists what is left out", &[]);
        terminal.hint(&hint);
    }
    let first: BTreeSet<&ResourceId> =
        plan.waves().next().unwrap_or_default().iter().map(|step| &step.server).collect();
    for report in servers.iter().filter(|report| first.contains(&report.server.id) && is_busy(&report.server)) {
        if !terminal.quiet {
            let name = safe(report.server.name());
            stderr!("note: another operation runs on the canary {name}: apply waits for it for up to 10 minutes");
        }
    }
}

/// How many servers fail a control of the plan, or do not have a setting that no control judges, and are not changed
/// although no waiver accepts that: applying the plan does not do everything.
fn left_failing(planned: &Planned) -> usize {
    let failed: BTreeSet<_> = planned
        .audit
        .servers
        .iter()
        .flat_map(|report| report.findings.iter().map(move |finding| (report, finding)))
        .filter(|(_, finding)| finding.outcome == hostssl_model::Outcome::Fail)
        .map(|(report, finding)| (&report.server.id, finding.control))
        .collect();
    let accepted =
        |reason| matches!(reason, LeftOutReason::Waived | LeftOutReason::AlreadyRight | LeftOutReason::ListedTwice);
    let left = planned.plan.left_out().iter().filter(|one| !accepted(one.reason));
    let failing: BTreeSet<_> = left
        .filter(|one| match one.control.id() {
            Some(id) => failed.contains(&(&one.server, id)),
            // Of these servers no value was read.
            None => {
                use LeftOutReason::{NotReady, NotSupported, Stopped, Unknown};
                !matches!(one.reason, NotSupported | Stopped | NotReady | Unknown)
            }
        })
        .map(|one| &one.server)
        .collect();
    failing.len()
}

/// How many servers have a step that hostssl does not write: applying the plan leaves them failing.
fn count_manual_servers(plan: &Plan) -> usize {
    let steps = plan.steps().iter().filter(|step| !step.is_executable());
    steps.map(|step| &step.server).collect::<BTreeSet<_>>().len()
}

impl MakePlanArgs {
    /// What to plan.
    pub(crate) fn request(&self, state: &StateArgs, patience: StatePatience) -> Result<PlanRequest, CliError> {
        let profile = Profile::find(&self.profile).map_err(|error| {
            let known: Vec<String> = Profile::all().iter().map(ToString::to_string).collect();
            CliError::usage(error.to_string(), Hint::with("profiles are {}", &[&known.join(", ")]))
        })?;
        refuse_two_reasons(&self.accept_breakage)?;
        if self.canary_size > self.wave_size {
            return Err(CliError::usage(
                "--canary-size is more than --wave-size",
                "the canary is the small wave that goes first",
            ));
        }
        Ok(PlanRequest {
            scope: self.scope.scope(&self.select),
            except: self.select.except.clone(),
            waivers: self.waivers(&profile)?,
            goal: Goal::Fix { controls: self.controls(&profile)?, minimum_tls: profile.settings.minimum_tls },
            profile,
            options: PlanOptions {
                canary_size: self.canary_size,
                wave_size: self.wave_size,
                max_servers: self.max_servers,
            },
            order: WaveOrder { canary: self.canary.clone(), by: self.wave_by.clone(), ..WaveOrder::default() },
            reason: None,
            discovery: self.discovery.into(),
            clients: state.censuses(self.connect.simulate.is_some(), patience),
            accepted: self.accept_breakage.clone(),
        })
    }

    /// What was accepted for a time.
    fn waivers(&self, profile: &Profile) -> Result<Option<PlanWaivers>, CliError> {
        let Some(path) = &self.waivers else { return Ok(None) };
        let waivers = waivers::load(path, profile)?;
        Ok(Some(PlanWaivers { file: path.display().to_string(), waivers, include: self.include_waived }))
    }

    fn controls(&self, profile: &Profile) -> Result<Vec<FixableControl>, CliError> {
        let of_profile = profile.controls.iter().filter(|control| control.fixable);
        let fixable: Vec<FixableControl> = of_profile.filter_map(|control| FixableControl::of(control.id)).collect();
        let names = || fixable.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        for id in &self.control {
            if !fixable.iter().any(|control| control.as_str() == id) {
                return Err(CliError::usage(
                    format!("`{id}` is not a control of {profile} that hostssl can fix"),
                    Hint::with("hostssl can fix {}", &[&names()]),
                ));
            }
        }
        let wanted = |control: &FixableControl| match self.control.as_slice() {
            // Logs are turned on first, and what they say is waited for.
            [] => !self.enable_log_download,
            named => named.iter().any(|id| id == control.as_str()),
        };
        let logs = self.enable_log_download.then_some(FixableControl::LogDownload);
        Ok(fixable.iter().copied().filter(wanted).chain(logs).collect())
    }
}

/// Writes a plan for people or for programs.
pub(crate) fn write(
    plan: &Plan,
    names: &SubscriptionNames,
    value: &TableArgs,
    shape: &Shape,
    terminal: &TerminalArgs,
) -> Result<(), CliError> {
    let query = stdout::query(value.query.as_deref())?;
    let palette = stdout::palette(terminal);
    let format = Format::from(value.output);
    match (format, &query) {
        (Format::Table, None) => {
            stdout::write_text(terminal, shape, |out, text| plan_text::write(out, plan, names, text))
        }
        // To the byte what --out writes.
        (Format::Json, None) => stdout::write(|out| out.write_all(plan.to_json().as_bytes())),
        _ => {
            let document: Value = serde_json::from_str(&plan.to_json()).map_err(|error| CliError::defect(&error))?;
            stdout::write_value(&document, query.as_ref(), format, palette)
        }
    }
}

fn check(args: &PlanCheckArgs, terminal: &TerminalArgs) -> Result<Exit, CliError> {
    let plan = plan_file::read(&args.plan)?;
    let terminal = &of_cloud(terminal, plan.cloud()).of_plan(&plan);
    let audit = args.audit.as_deref().map(|run| kept_audit(args, run)).transpose()?;
    let failed = audit.as_ref().map(|audit| failed_findings(&audit.servers));
    let tags = audit.as_ref().map(|audit| server_tags(&audit.servers));
    let complaints = lint(
        &plan,
        &LintContext {
            now_ms: SystemClock::new().now_ms(),
            max_age: args.max_age,
            max_servers: args.max_servers,
            cloud: args.cloud.as_deref(),
            subscriptions: audit.as_ref().map_or(&[], |audit| &audit.subscriptions),
            failed: failed.as_ref(),
            tags: tags.as_ref(),
        },
    );
    let names = names::kept(&args.state, scenario_of(plan.cloud()).is_some()).with_plan(&plan);
    let file = quoted(&args.plan.display().to_string());
    let kept = args.state.read_if_any(scenario_of(plan.cloud()).is_some()).ok().flatten();
    let review = PlanReview {
        plan: &plan,
        file: &file,
        names: &names,
        now_ms: SystemClock::new().now_ms(),
        audit: audit.as_ref(),
        audit_is_kept: kept.is_some_and(|reader| reader.newest_audit().is_ok_and(|newest| newest.is_some())),
    };
    write_complaints(&review, &complaints, &args.value, terminal)?;
    let bad = complaints.iter().any(|one| !one.code.is_warning() && !args.allow.contains(&one.code));
    Ok(if bad { Exit::Findings } else { Exit::AllPass })
}

/// The audit that a plan is compared with.
fn kept_audit(args: &PlanCheckArgs, run: &str) -> Result<AuditReport, CliError> {
    let reader = args.state.read(args.of.simulated())?;
    let audit = find_audit_in((&args.state, args.of.simulated()), &reader, run)?;
    Ok(reader.audit_report(&audit)?)
}

/// Writes what the plan is and what is wrong with it; for programs, what is wrong alone, which is an array since it exists.
fn write_complaints(
    review: &PlanReview<'_>,
    complaints: &[Lint],
    value: &TableArgs,
    terminal: &TerminalArgs,
) -> Result<(), CliError> {
    let query = stdout::query(value.query.as_deref())?;
    let palette = stdout::palette(terminal);
    let format = Format::from(value.output);
    if query.is_some() || format != Format::Table {
        let rows = lint_json::value(review.plan, complaints).map_err(|error| CliError::defect(&error))?;
        return stdout::write_value(&rows, query.as_ref(), format, palette);
    }
    let shape = Shape { wide: value.is_wide(), ..Shape::AS_IS };
    stdout::write_text(terminal, &shape, |out, text| {
        plan_review::write(out, review, text)?;
        lint_text::write(out, review.plan, complaints, text)
    })
}
