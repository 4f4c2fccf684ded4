//! `hostssl audit`.

use crate::args::{
    AuditFormat, AuditList, ConnectArgs, DiscoveryArg, FormatTo, FormatToParser, LimitArgs, ListArgs, ScopeArgs,
    SelectArgs, Suggested, TerminalArgs, controls, profiles,
};
use crate::connect::{block_on, connect_whole};
use crate::error::CliError;
use crate::exit::Exit;
use crate::gate::{self, GateArgs};
use crate::keep::KeepArgs;
use crate::looks::{VantageArgs, print_ended_looks};
use crate::outputs::Outputs;
use crate::probing::probe_of_audit;
use crate::progress::AuditBar;
use crate::route::RouteArgs;
use crate::stdout;
use clap::Args;
use hostssl_audit::Profile;
use hostssl_formats::audit_csv::CsvWriter;
use hostssl_formats::output::{Format, write_value};
use hostssl_formats::{
    Palette, Query, Shape, SubscriptionNames, Text, audit_csv, audit_html, audit_json, audit_junit, audit_markdown,
    audit_ocsf, audit_sarif, audit_text,
};
use hostssl_model::{AuditReport, Hint, ServerReport, Standing, Standings, Subscription, Summary};
use hostssl_ops::{AuditEvent, AuditRequest, RunContext, Vantages, audit_and_probe, worth_observing};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
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
    pub(crate) list: ListArgs<AuditList>,
    #[command(flatten)]
    pub(crate) run: AuditRunArgs,
    #[command(flatten)]
    pub(crate) gate: GateArgs,
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
    let query = stdout::query(args.query.as_deref())?;
    let outputs = Outputs::of(&args.output)?;
    refuse_query(query.as_ref(), outputs.stdout)?;
    let is_table = query.is_none() && outputs.stdout.and_then(AuditFormat::format) == Some(Format::Table);
    let has_table = is_table || outputs.formats().any(|one| one.format() == Some(Format::Table));
    let shape = args.list.shape(has_table, outputs.stdout == Some(AuditFormat::Wide))?;
    let gate = args.gate.rules(&profile, &args.run.keep.state, args.run.connect.simulate.is_some())?;
    let days = profile.settings.observation_days;
    if !args.run.wire.probe {
        args.run.wire.route.refuse_without_probe()?;
        args.run.wire.vantage.refuse_without_probe()?;
    }
    block_on(async {
        let Some(AuditEnded { mut report, vantages, rows, .. }) =
            audit(&args.run, profile, outputs.stdout, terminal).await?
        else {
            return Ok(Exit::ReaderGone);
        };
        refuse_nothing(&report)?;
        if let Some(gate) = gate {
            gate.apply_to(&mut report);
        }
        let report = report;
        let unobserved = if has_table {
            let censuses = args.run.keep.state.censuses(args.run.connect.simulate.is_some());
            worth_observing(censuses.as_deref(), &report, days, Timestamp::now().as_millisecond())
        } else {
            0
        };
        let written = match rows {
            Some(rows) => stdout::tolerate(rows.finish()),
            None => outputs
                .stdout
                .map_or(Ok(()), |format| write(&report, format, query.as_ref(), &shape, unobserved, terminal)),
        };
        let filed = outputs
            .write_files(terminal.quiet, |out, format| write_file(out, &report, format, &shape, unobserved, terminal));
        // Behind the output, which someone waits for, and whether or not that could be written.
        args.run.keep.keep(&report, args.run.connect.simulate.is_some());
        if args.run.wire.probe && args.run.keep.keeps(args.run.connect.simulate.is_some()) {
            print_ended_looks(&vantages, &args.run.keep.state, args.run.connect.simulate.is_some());
        }
        if !args.run.wire.probe && !terminal.quiet {
            args.run.keep.print_earlier_probes(args.run.connect.simulate.is_some());
        }
        written?;
        filed?;
        // Table and JSON hold what could not be checked; the others would look complete.
        let holds_gaps = outputs.stdout.is_some_and(AuditFormat::holds_gaps) && query.is_none();
        if !holds_gaps {
            let names = report.subscriptions.iter().map(|one| (one.id.as_str(), &*one.name));
            stdout::warn_of_gaps(&report.gaps, &SubscriptionNames::new(names));
        }
        if !terminal.quiet && !is_table {
            print_summary(&report);
        }
        if !is_table {
            gate::report_gate(&report, terminal.quiet);
        }
        if args.run.keep.keeps(args.run.connect.simulate.is_some()) {
            gate::report_latest(&args.gate, &report);
        }
        Ok(Exit::of_audit(&report))
    })
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
    /// What was known from zones before it.
    pub(crate) vantages: Arc<Vantages>,
    /// The writer of its rows, where they were written on the way.
    rows: Option<OrderedRows<io::Stdout>>,
    /// What listens for the deadline and for interrupts.
    pub(crate) listener: AbortHandle,
}

/// Audits; `None` when the reader of standard output is gone.
pub(crate) async fn audit(
    args: &AuditRunArgs,
    profile: Profile,
    output: Option<AuditFormat>,
    terminal: &TerminalArgs,
) -> Result<Option<AuditEnded>, CliError> {
    // Before anyone is asked: a file that cannot be understood ends the audit.
    let vantages = if args.wire.probe {
        args.wire.vantage.vantages(&args.keep.state, args.connect.simulate.is_some())?
    } else {
        Arc::default()
    };
    let connected = connect_whole(&args.connect, &args.keep.state, &args.scope.tenant, &args.limits, terminal).await?;
    let listener = connected.listener.clone();
    let wire = args
        .wire
        .probe
        .then(|| probe_of_audit(&connected, args.connect.ca_file.as_deref(), &args.wire.route))
        .transpose()?
        .map(|probe| probe.with_vantages(Arc::clone(&vantages)));
    let request = AuditRequest { scope: args.scope.scope(&args.select), profile, discovery: args.discovery.into() };
    let mut progress = AuditBar::new(terminal);
    // Rows are not written before it is known that every selector matches something.
    let streamed = output == Some(AuditFormat::Csv) && !request.scope.selects_servers();
    let mut rows = streamed.then(|| OrderedRows::new(io::stdout()));
    let context = RunContext::begin(uuid::Uuid::now_v7().to_string(), &Timestamp::now, env!("CARGO_PKG_VERSION"));
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
    }
    Ok(report.map(|report| AuditEnded { report, vantages, rows, listener }))
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

/// A query is over what goes to standard output.
fn refuse_query(query: Option<&Query>, output: Option<AuditFormat>) -> Result<(), CliError> {
    match output {
        Some(format) => stdout::refuse_query(query, format),
        None if query.is_some() => {
            Err(CliError::usage("--query is for what goes to stdout, and nothing does", "add -o json, or leave it out"))
        }
        None => Ok(()),
    }
}

/// Writes a report to standard output in one of its formats. A plan has to know the clients of so many servers first.
pub(crate) fn write(
    report: &AuditReport,
    output: AuditFormat,
    query: Option<&Query>,
    shape: &Shape,
    unobserved: u64,
    terminal: &TerminalArgs,
) -> Result<(), CliError> {
    match (output.format(), query) {
        (Some(Format::Table), None) => {
            stdout::write_text(terminal, shape, |out, text| audit_text::write_with_next(out, report, unobserved, text))
        }
        (Some(format), Some(query)) => {
            stdout::write_value(&value(report)?, Some(query), format, stdout::palette(terminal))
        }
        _ => {
            let write = prepare(report, output, stdout::palette(terminal))?;
            stdout::write(|out| write(out))
        }
    }
}

/// Writes a report to a file: without colours, and as wide as it is.
fn write_file(
    out: &mut dyn io::Write,
    report: &AuditReport,
    output: AuditFormat,
    shape: &Shape,
    unobserved: u64,
    terminal: &TerminalArgs,
) -> Result<(), CliError> {
    let written = if output.format() == Some(Format::Table) {
        let shape = Shape { wide: output == AuditFormat::Wide, ..shape.clone() };
        let command = |command: &str| terminal.again.command(command);
        let text = Text { palette: Palette::Plain, width: None, shape: &shape, command: &command };
        audit_text::write_with_next(out, report, unobserved, &text)
    } else {
        prepare(report, output, Palette::Plain)?(out)
    };
    written.map_err(|error| CliError::failed(&error, "free some space, or name another file"))
}

type Written<'a> = Box<dyn FnOnce(&mut dyn io::Write) -> io::Result<()> + 'a>;

/// What writes a report in a format that is not a table.
fn prepare(report: &AuditReport, output: AuditFormat, palette: Palette) -> Result<Written<'_>, CliError> {
    let whole = match output {
        AuditFormat::Json => audit_json::write,
        AuditFormat::Csv => audit_csv::write,
        AuditFormat::Sarif => audit_sarif::write,
        AuditFormat::Ocsf => audit_ocsf::write,
        AuditFormat::Junit => audit_junit::write,
        AuditFormat::Markdown => audit_markdown::write,
        AuditFormat::Html => audit_html::write,
        _ => {
            let Some(format) = output.format().filter(|format| *format != Format::None) else {
                return Ok(Box::new(|_| Ok(())));
            };
            let mut value = value(report)?;
            // Without a query, a list of the whole document would show no server.
            let rows = if format == Format::Tsv { value["servers"].take() } else { value };
            return Ok(Box::new(move |out| write_value(out, &rows, format, &[], palette)));
        }
    };
    Ok(Box::new(move |out| whole(out, report)))
}

fn value(report: &AuditReport) -> Result<serde_json::Value, CliError> {
    audit_json::value(report).map_err(|error| CliError::defect(&error))
}

/// For formats that programs read: the figures for the person beside.
fn print_summary(report: &AuditReport) {
    let coverage = if report.run.complete { "complete" } else { "incomplete" };
    let standings = Standings::of(&report.servers);
    let figures = Standing::ALL.into_iter().filter_map(|standing| {
        let servers = standings.count(standing);
        (servers > 0).then(|| format!("{servers} {}", standing.words()))
    });
    let figures: Vec<String> = if report.run.asked.asks_enforcement() {
        figures.collect()
    } else {
        // Where servers stand was not asked.
        let Summary { fail, unknown, pass, .. } = report.summary;
        let asked = report.run.asked.only_words();
        vec![format!("{fail} fail {asked}"), format!("{unknown} unknown"), format!("{pass} pass")]
    };
    stderr!(
        "{} in {}{}{}; coverage {coverage}",
        counted(report.summary.servers, "server"),
        counted(report.subscriptions.len() as u64, "subscription"),
        if figures.is_empty() { "" } else { ": " },
        figures.join(", "),
    );
}

fn counted(count: u64, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// Writes rows as subscriptions are done, in the order of their names: one that is done early waits for those before it.
struct OrderedRows<W: io::Write> {
    writer: CsvWriter<W>,
    next: usize,
    waiting: BTreeMap<usize, (Subscription, Vec<ServerReport>)>,
    written: io::Result<()>,
}

impl<W: io::Write> OrderedRows<W> {
    fn new(out: W) -> Self {
        let (writer, written) = CsvWriter::new(out);
        Self { writer, next: 0, waiting: BTreeMap::new(), written }
    }

    fn push(&mut self, index: usize, subscription: &Subscription, servers: &[ServerReport]) {
        self.waiting.insert(index, (subscription.clone(), servers.to_vec()));
        while let Some((subscription, servers)) = self.waiting.remove(&self.next) {
            self.next += 1;
            // The first error is the one that is told: a file that misses rows must not end as if it were whole.
            if self.written.is_ok() {
                self.written = self.writer.write(&subscription, &servers);
            }
        }
    }

    fn is_reader_gone(&self) -> bool {
        self.written.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    }

    fn finish(self) -> io::Result<()> {
        self.written
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hostssl_model::{SubscriptionId, SubscriptionState};
    use hostssl_test_support::fleet::{PlannerKnowledge, flexible};

    /// Fails once, and takes everything after that.
    struct FailsOnce(u32);

    impl io::Write for FailsOnce {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += 1;
            // The headings are the first.
            if self.0 == 2 { Err(io::ErrorKind::StorageFull.into()) } else { Ok(bytes.len()) }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_row_that_was_not_written_is_told_though_later_ones_were() {
        let subscription = Subscription {
            id: SubscriptionId::new("s"),
            name: "s".into(),
            tenant: "t".into(),
            state: SubscriptionState::Enabled,
        };
        let servers = PlannerKnowledge::new(vec![flexible("a", "on", "TLSv1.2")]).reports();
        let mut rows = OrderedRows::new(FailsOnce(0));
        // The first comes last, so that all three are written in one go.
        for index in [2, 1, 0] {
            rows.push(index, &subscription, &servers);
        }
        assert_eq!(rows.finish().unwrap_err().kind(), io::ErrorKind::StorageFull);
    }
}
