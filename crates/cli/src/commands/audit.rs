//! `hostssl audit`.

mod ordered_rows;
mod report_writer;

pub(crate) use report_writer::{warn_of_unwritten, write};

use crate::args::{
    AuditFormat, AuditList, ConnectArgs, DiscoveryArg, FormatTo, FormatToParser, LimitArgs, ListArgs, ScopeArgs,
    SelectArgs, StandardArgs, Suggested, TerminalArgs, controls, profiles,
};
use crate::connect::{block_on, connect_whole};
use crate::disowned_probers::print_disowned;
use crate::error::CliError;
use crate::exit::Exit;
use crate::gate::{self, GateArgs};
use crate::keep::{KeepArgs, print_earlier_probes};
use crate::kept_transcripts::Transcripts;
use crate::looks::{VantageArgs, print_ended_looks};
use crate::policy_warnings::warn_of_policies;
use crate::probing::probe_of_audit;
use crate::progress::AuditBar;
use crate::route::RouteArgs;
use crate::run_key::{AskedAudit, AuditUnderKey, RunKeyArgs};
use crate::state_patience::StatePatience;
use clap::Args;
use hostssl_audit::Profile;
use hostssl_model::{AuditReport, Gap, Hint, Reason};
use hostssl_ops::{AuditEvent, AuditRequest, RunContext, Tenant, Vantages, audit_and_probe};
use jiff::Timestamp;
use ordered_rows::OrderedRows;
use report_writer::ReportWriter;
use std::io;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

#[derive(Debug, Args)]
pub(crate) struct AuditArgs {
    /// Output format (repeatable). FORMAT=FILE writes to a file, which is replaced as a whole; one format can go to stdout.
    #[arg(long, short = 'o', value_name = "FORMAT[=FILE]", default_value = "table", ignore_case = true, value_parser = FormatToParser::<AuditFormat>::new(), help_heading = "Output options")]
    pub(crate) output: Vec<FormatTo<AuditFormat>>,
    /// JMESPath query over the JSON report, for what goes to stdout.
    #[arg(long, value_name = "JMESPATH", help_heading = "Output options")]
    pub(crate) query: Option<String>,
    #[command(flatten)]
    pub(crate) standards: StandardArgs,
    #[command(flatten)]
    pub(crate) list: ListArgs<AuditList>,
    #[command(flatten)]
    pub(crate) run: AuditRunArgs,
    #[command(flatten)]
    pub(crate) gate: GateArgs,
    #[command(flatten)]
    pub(crate) key: RunKeyArgs,
}

/// What is audited, by which rules, and whether that is kept; not what becomes of the report.
#[derive(Debug, Args)]
pub(crate) struct AuditRunArgs {
    #[command(flatten)]
    pub(crate) scope: ScopeArgs,
    #[command(flatten)]
    pub(crate) select: SelectArgs,
    /// The rules to check, as name or name@version. Without a version: the newest; versions that need a probe only with --probe.
    #[arg(long, value_name = "NAME", default_value = "baseline", value_parser = Suggested(profiles), help_heading = "Rules")]
    pub(crate) profile: String,
    /// Check only this control (repeatable).
    #[arg(long, value_name = "ID", value_parser = Suggested(controls), help_heading = "Rules")]
    pub(crate) control: Vec<String>,
    /// How to find servers.
    #[arg(long, value_enum, default_value_t = DiscoveryArg::Lists, help_heading = "Scope options")]
    pub(crate) discovery: DiscoveryArg,
    #[command(flatten)]
    pub(crate) wire: WireArgs,
    #[command(flatten)]
    pub(crate) keep: KeepArgs,
    #[command(flatten)]
    pub(crate) limits: LimitArgs,
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
}

/// What an audit asks of the listeners.
#[derive(Debug, Args)]
#[command(next_help_heading = "Wire options")]
pub(crate) struct WireArgs {
    /// Connect to ports 5432 and 6432 of every server found, without credentials, and check what they really do.
    #[arg(long)]
    pub(crate) probe: bool,
    /// Keep the exchange with each listener, message by message, with the audit, for `hostssl evidence`.
    #[arg(long, requires = "probe")]
    pub(crate) transcript: bool,
    /// Fail certificates with fewer days left than this [default: 30].
    #[arg(long, value_name = "DAYS", requires = "probe")]
    pub(crate) expiry_days: Option<u32>,
    #[command(flatten)]
    pub(crate) vantage: VantageArgs,
    #[command(flatten)]
    pub(crate) route: RouteArgs,
}

pub(crate) fn run(args: &AuditArgs, terminal: &TerminalArgs) -> Result<Exit, CliError> {
    args.run.connect.refuse_ca_file_with_simulation()?;
    let profile = profile(&args.run)?;
    let writer = ReportWriter::new(args, &profile, terminal)?;
    let gate = args.gate.rules(&profile, &args.run.keep.state, writer.simulated)?;
    if !args.run.wire.probe {
        args.run.wire.route.refuse_without_probe()?;
        args.run.wire.vantage.refuse_without_probe()?;
    }
    let scope = args.run.scope.scope(&args.run.select);
    let by_zones = args.run.wire.probe && args.run.wire.vantage.has_zones();
    let asked = AskedAudit {
        scope: &scope,
        profile: &profile,
        connect: &args.run.connect,
        patience: args.run.limits.deadline,
        by_zones,
    };
    let began = Instant::now();
    let key = match args.key.find(&args.run.keep, &asked, terminal.quiet)? {
        AuditUnderKey::ToMake(key) => key,
        AuditUnderKey::Kept(report) => {
            let gate = args.gate.rules_of_kept(gate, &report, &args.run.keep.state, writer.simulated)?;
            return writer.write_kept(*report, gate, StatePatience::of(began, args.run.limits.deadline, began));
        }
    };
    block_on(async {
        let id = key.as_ref().map_or_else(new_id, |key| key.id().to_owned());
        let Some(AuditEnded { mut report, tenants, vantages, transcripts, rows, began, .. }) =
            audit(&args.run, id, profile.clone(), writer.outputs.stdout.filter(|_| !args.gate.has_waivers()), terminal)
                .await?
        else {
            return Ok(Exit::ReaderGone);
        };
        refuse_nothing(&report)?;
        let patience = StatePatience::of(began, args.run.limits.deadline, Instant::now());
        args.run.keep.learn(&mut report, writer.simulated, patience);
        // What earlier probes saw decides too.
        if let Some(gate) = gate {
            gate.apply_to(&mut report);
        }
        let report = report;
        let written = writer.write(&report, rows, patience);
        // Behind the output, which someone waits for, and whether or not that could be written.
        let admitted = key.as_ref().is_none_or(|key| key.admits(&report));
        let kept = admitted && args.run.keep.keep(&report, transcripts, writer.simulated, patience);
        if let Some(key) = key.filter(|_| kept) {
            key.release();
        }
        if kept && args.run.wire.probe {
            print_ended_looks(&vantages, &args.run.keep.state, writer.simulated);
        }
        if !args.run.wire.probe && !terminal.quiet {
            print_earlier_probes(&report);
        }
        let place = (&args.run.keep.state, writer.simulated, patience);
        warn_of_policies(&tenants, &report, place, &profile, terminal, &mut None).await;
        written?;
        writer.summarize(&report);
        if kept {
            gate::report_latest(&args.gate, &report);
        }
        let exit = Exit::of_audit(&report);
        let is_doubted = args.run.wire.probe && print_disowned(&report, &args.run.keep.state, writer.simulated);
        Ok(if is_doubted && exit == Exit::AllPass { Exit::Incomplete } else { exit })
    })
}

/// The id of an audit that has no key: a UUID, ordered by time.
pub(crate) fn new_id() -> String {
    uuid::Uuid::now_v7().to_string()
}

/// Refuses an audit of which `--except` has left nothing: it would pass.
pub(crate) fn refuse_nothing(report: &AuditReport) -> Result<(), CliError> {
    if report.run.complete && report.servers.is_empty() && !report.run.scope.except.is_empty() {
        return Err(CliError::usage("--except leaves no server in scope", "name fewer servers with --except"));
    }
    Ok(())
}

/// An audit that has ended.
pub(crate) struct AuditEnded {
    pub(crate) report: AuditReport,
    /// The clients that it was made with.
    pub(crate) tenants: Vec<Tenant>,
    /// What was known from zones before it.
    pub(crate) vantages: Arc<Vantages>,
    /// What its probes exchanged with each server, where that is kept.
    pub(crate) transcripts: Option<Transcripts>,
    /// The writer of its rows, where they were written on the way.
    rows: Option<OrderedRows<io::Stdout>>,
    /// What listens for the deadline and for interrupts.
    pub(crate) listener: AbortHandle,
    /// When it began, from when its deadline counts.
    pub(crate) began: Instant,
}

/// Audits; `None` when the reader of standard output is gone.
pub(crate) async fn audit(
    args: &AuditRunArgs,
    id: String,
    profile: Profile,
    output: Option<AuditFormat>,
    terminal: &TerminalArgs,
) -> Result<Option<AuditEnded>, CliError> {
    let began = Instant::now();
    let simulated = args.connect.simulate.is_some();
    if args.wire.transcript && !args.keep.keeps(simulated) {
        let what = "--transcript keeps transcripts with the audit, and this audit is not kept";
        return Err(CliError::usage(what, "leave out --no-save, and name a --state with --simulate"));
    }
    // Before anyone is asked: a file that cannot be understood ends the audit.
    let vantages = if args.wire.probe {
        let patience = StatePatience::of(began, args.limits.deadline, began);
        args.wire.vantage.vantages(&args.keep.state, simulated, patience, terminal)?
    } else {
        Arc::default()
    };
    let limits = LimitArgs { deadline: args.limits.deadline.saturating_sub(began.elapsed()), ..args.limits.clone() };
    let connected = connect_whole(&args.connect, &args.keep.state, &args.scope.tenant, &limits, terminal).await?;
    let listener = connected.listener.clone();
    let transcripts = args.wire.transcript.then(|| Transcripts::begin(args.keep.state.directory(simulated))).flatten();
    let wire = args
        .wire
        .probe
        .then(|| probe_of_audit(&connected, args.connect.ca_file.as_deref(), &args.wire.route, transcripts.as_ref()))
        .transpose()?
        .map(|probe| probe.with_vantages(Arc::clone(&vantages)));
    let request = AuditRequest { scope: args.scope.scope(&args.select), profile, discovery: args.discovery.into() };
    let mut progress = AuditBar::new(terminal);
    // Rows are not written before it is known that every selector matches something.
    let streamed = output == Some(AuditFormat::Csv) && !request.scope.selects_servers();
    let mut rows = streamed.then(|| OrderedRows::new(io::stdout()));
    let context = RunContext::begin(id, &Timestamp::now, env!("CARGO_PKG_VERSION"));
    let gone = Notify::new();
    let mut on_event = |event: AuditEvent<'_>| {
        progress.on(&event);
        if let (Some(rows), AuditEvent::Subscription(index, subscription, servers)) = (&mut rows, event) {
            rows.push(index, subscription, servers);
            if rows.is_reader_gone() {
                gone.notify_one();
            }
        }
    };
    let audit = audit_and_probe(&connected.tenants, &request, wire.as_ref(), context, &mut on_event);
    let result = tokio::select! {
        result = audit => Some(result),
        // The reader is gone, so nothing more is asked of Azure.
        () = gone.notified() => None,
    };
    progress.finish();
    if rows.as_ref().is_some_and(OrderedRows::is_reader_gone) {
        return Ok(None);
    }
    let report = result.transpose().inspect_err(|_| listener.abort())?;
    if let Some(report) = &report {
        args.wire.vantage.print_notes(&vantages, report);
        let was_stopped = |gap: &Gap| matches!(gap.unchecked.reason, Reason::Interrupted | Reason::Deadline);
        if !report.gaps.iter().any(was_stopped) {
            args.wire.route.warn_of_unused();
        }
    }
    let tenants = connected.tenants;
    Ok(report.map(|report| AuditEnded { report, tenants, vantages, transcripts, rows, listener, began }))
}

pub(crate) fn profile(args: &AuditRunArgs) -> Result<Profile, CliError> {
    let names = |items: Vec<String>| items.join(", ");
    let wire = args.wire.probe;
    let needs_probe = |what: String| CliError::usage(what, "add --probe, which connects to every server");
    let profile = Profile::find_for(&args.profile, wire).map_err(|error| {
        let known = Profile::all().iter().map(ToString::to_string).collect();
        CliError::usage(error.to_string(), Hint::with("profiles are {}", &[&names(known)]))
    })?;
    if !wire && profile.asks_the_wire() {
        return Err(needs_probe(format!("{profile} needs a probe")));
    }
    let of_the_wire = |id: &&String| hostssl_audit::find(id).is_some_and(|control| control.is_of_the_wire());
    if let Some(id) = args.control.iter().find(of_the_wire).filter(|_| !wire) {
        return Err(needs_probe(format!("control {id} needs a probe")));
    }
    let profile = match args.wire.expiry_days {
        // Without a probe there is no certificate, wherever the value is from.
        Some(days) if wire => profile.with_expiry_days(days),
        _ => profile,
    };
    let known = profile.controls.iter().map(|control| control.id.to_string()).collect();
    let hint = Hint::with("controls of {} are {}", &[&profile, &names(known)]);
    profile.narrowed(&args.control).map_err(|error| CliError::usage(error.to_string(), hint))
}
