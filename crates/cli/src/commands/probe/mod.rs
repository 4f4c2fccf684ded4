//! `hostssl probe`: proves on the wire whether endpoints enforce TLS.
//!
//! Targets are read as there is room to probe them, and endpoints are written as they are done: a million of them take no
//! more memory than a hundred.

mod args;
mod exit_rules;
mod kept_tally;
mod next_probes;
mod progress;
mod sink;
mod targets;

use crate::args::{TerminalArgs, ValueFormat};
use crate::connect::block_on;
use crate::error::CliError;
use crate::exit::Exit;
use crate::files::{connects_at_once, endpoints_at_once};
use crate::keep::ProbeKeeper;
use crate::outputs;
use crate::probing::{prober, roots, simulated_listeners};
use crate::signals::Signals;
use crate::simulated::kept_azure;
use crate::simulated_azure::{Simulation, Wire};
use crate::stdout;
pub(crate) use args::ProbeArgs;
use args::ReplicationArg;
use exit_rules::{Policy, ProbeFinding, test_for};
use futures::{Stream, StreamExt as _};
use hostssl_formats::Shape;
use hostssl_formats::probe_json::{ProbeAsked, ProbeEnd, ProbeExit};
use hostssl_formats::probe_metrics::ProbeMetrics;
use hostssl_model::Outcome;
use hostssl_probe::RootFiles;
use hostssl_probe::report::EndpointReport;
use hostssl_probe::{ProbeOptions, StartupNames, probe_stream};
use jiff::Timestamp;
pub(crate) use kept_tally::KeptTally;
use next_probes::NextProbes;
use progress::ProbeProgress;
pub(crate) use sink::EndpointSink;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use targets::{Poolers, TargetCount, Targets};

/// Endpoints that are being connected to at once, beside those that are talked to: a connection to a host that does not answer
/// costs nothing but time.
const CONNECTS_AT_ONCE: usize = 1_000;

/// Refuses options that leave out what an audit asks: a list for a zone is for an audit.
fn refuse_partial_questions(args: &ProbeArgs) -> Result<(), CliError> {
    if args.only_these || args.replication.contains(&ReplicationArg::None) {
        let what =
            "--only-these and --replication none leave out what an audit asks, and a list for a zone is for an audit";
        return Err(CliError::usage(what, "leave them out"));
    }
    Ok(())
}

/// Says how many servers of Azure seem to have no PgBouncer.
fn print_no_poolers(count: u64, terminal: &TerminalArgs) {
    if count > 0 {
        let plural = if count == 1 { "server refuses" } else { "servers refuse" };
        stderr!("note: {count} Azure {plural} connections to 6432: PgBouncer is assumed to be off");
        terminal.hint(&"`hostssl audit --probe` asks Azure whether there is one".into());
    }
}

pub(crate) fn run(args: &ProbeArgs, terminal: &TerminalArgs) -> Result<Exit, CliError> {
    let query = stdout::query(args.value.query.as_deref())?;
    let shape = args.list.shape(args.value.is_table(), args.value.is_wide())?;
    if let Some(metrics) = &args.metrics {
        let is_stdout_free = args.value.output == ValueFormat::None;
        outputs::check_beside(metrics, args.targets_file.as_deref().as_slice(), is_stdout_free)?;
    }
    let root_files = RootFiles::default();
    let targets = Targets::open(args, &root_files)?;
    let simulation = simulated(args, &targets, terminal)?;
    let zone = targets.zone().map(str::to_owned);
    if zone.is_some() {
        refuse_partial_questions(args)?;
    }
    let parallel = endpoints_at_once(args.parallel.into(), args.connections.into());
    let connecting = connects_at_once(parallel, args.connections.into(), CONNECTS_AT_ONCE);
    block_on(async {
        // From now on, an interrupt ends with a whole report.
        let mut signals = Signals::of_an_end();
        let options = ProbeOptions { conversations: parallel, ..options(args, root_files, simulation.as_ref())? };
        let names = |all: &[ProbeFinding]| all.iter().map(|one| one.name().to_owned()).collect();
        let mut asked = ProbeAsked::from(&options);
        (asked.allow, asked.fail_on) = (names(&args.allow), names(&args.fail_on));
        let prober = Arc::new(prober(options)?);
        let sink = EndpointSink::new(args.value.output, query, shape, stdout::palette(terminal), zone.as_deref());
        let mut running = RunningProbe {
            policy: Policy::new(&args.fail_on, &args.allow),
            poolers: targets.poolers(),
            is_of_zone: zone.is_some(),
            keeper: ProbeKeeper::begin(&args.keep, &asked, simulation.is_some()),
            sink,
            metrics: args.metrics.as_ref().map(|file| (file, ProbeMetrics::default())),
            tally: Tally::default(),
            progress: ProbeProgress::new(terminal),
            no_poolers: 0,
            last_target: None,
            is_table: args.value.is_table(),
            next: NextProbes::new(args.transcript, args.thorough),
        };
        let (stream, unread, count) = targets.stream();
        let noting = running.next.noting();
        let stream = stream.inspect(noting);
        let reports = probe_stream(prober, stream, parallel + connecting);
        // The targets that were not taken are dropped with the reports: the rest of their file can be counted.
        if running.take_all(reports, &mut signals).await? == Ended::Interrupted {
            running.say_how_far(count);
        } else {
            args.route.warn_of_unused();
        }
        if unread.any() {
            running.tally.incomplete = true;
        }
        running.end(terminal)
    })
}

/// Why no more reports are taken.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ended {
    Done,
    Interrupted,
}

/// A probe in progress: what is done with each report.
struct RunningProbe<'a> {
    policy: Policy,
    poolers: Poolers,
    /// What is for a zone will be read elsewhere, and later.
    is_of_zone: bool,
    keeper: ProbeKeeper,
    sink: EndpointSink,
    metrics: Option<(&'a PathBuf, ProbeMetrics)>,
    tally: Tally,
    progress: ProbeProgress,
    no_poolers: u64,
    /// The target of the last report: those of one target come in a row.
    last_target: Option<String>,
    is_table: bool,
    next: NextProbes,
}

impl RunningProbe<'_> {
    /// Takes every report, until there is none any more, or someone ends it.
    async fn take_all(
        &mut self,
        mut reports: impl Stream<Item = EndpointReport> + Unpin,
        signals: &mut Signals,
    ) -> Result<Ended, CliError> {
        let mut ticks = tokio::time::interval(Duration::from_secs(1));
        loop {
            let report = tokio::select! {
                report = reports.next() => report,
                _ = ticks.tick() => {
                    self.progress.print();
                    continue;
                }
                () = signals.next() => {
                    self.tally.incomplete = true;
                    return Ok(Ended::Interrupted);
                }
            };
            let Some(report) = report else { return Ok(Ended::Done) };
            if !self.take(report)? {
                // The reader has gone away.
                self.tally.incomplete = true;
                return Ok(Ended::Done);
            }
        }
    }

    /// Says how many targets were left, on stderr and below a table.
    fn say_how_far(&mut self, count: TargetCount) {
        let words = count.when_interrupted(self.tally.targets);
        self.progress.suspended(|| stderr!("{words}"));
        self.sink.note(&words);
    }

    /// Judges, counts, keeps and writes a report. Returns whether someone still reads.
    fn take(&mut self, mut report: EndpointReport) -> Result<bool, CliError> {
        if self.last_target.as_ref() != Some(&report.target) {
            self.tally.targets += 1;
            self.last_target = Some(report.target.clone());
        }
        if self.poolers.is_absent(&report) {
            self.no_poolers += 1;
            return Ok(true);
        }
        let (found, failures) = self.policy.judge(&report);
        self.tally.count(found, &failures);
        self.progress.on(self.tally.failed);
        report.failures = Some(failures);
        self.next.consider(&report, found);
        let begun_ms = report.observed_ms;
        report.observed_ms = begun_ms.filter(|_| self.is_of_zone);
        if let Some((_, metrics)) = &mut self.metrics {
            metrics.add(&report);
        }
        self.keeper.add(&report, begun_ms);
        let sink = &mut self.sink;
        self.progress.suspended(|| sink.write(report))
    }

    fn end(self, terminal: &TerminalArgs) -> Result<Exit, CliError> {
        let tally = self.tally;
        self.progress.finish();
        self.keeper.end(!tally.incomplete);
        if tally.endpoints == 0 && !tally.incomplete {
            return Err(targets::none());
        }
        let written = self.sink.finish(Some(&tally.in_json()));
        // A full disk behind standard output is no reason to leave the metrics of before.
        if let Some((file, metrics)) = self.metrics {
            write_metrics(file, &metrics, !tally.incomplete)?;
        }
        written?;
        if self.is_table && stdout::terminal_width().is_some() && !terminal.quiet {
            let next = self.next.commands();
            stdout::write_text(terminal, &Shape::AS_IS, |out, text| text.write_next(out, &next))?;
        }
        if !terminal.quiet {
            print_no_poolers(self.no_poolers, terminal);
            tally.print();
        }
        Ok(tally.exit())
    }
}

fn write_metrics(file: &Path, metrics: &ProbeMetrics, complete: bool) -> Result<(), CliError> {
    let finished = Timestamp::now().as_second();
    outputs::replace(file, |out| {
        let written = metrics.write(out, finished, complete);
        written.map_err(|error| CliError::failed(&error, "free some space, or name another file"))
    })
}

/// What decides about the exit code.
#[derive(Default)]
struct Tally {
    targets: u64,
    endpoints: u64,
    failed: u64,
    worst: Option<Outcome>,
    /// How many endpoints fail by each finding.
    failures: BTreeMap<String, u64>,
    /// How many endpoints neither pass nor fail.
    undecided: u64,
    /// Not everything that was asked for was done.
    incomplete: bool,
}

impl Tally {
    /// Counts an endpoint.
    fn count(&mut self, found: Outcome, failures: &[String]) {
        self.endpoints += 1;
        self.failed += u64::from(found == Outcome::Fail);
        self.undecided += u64::from(!matches!(found, Outcome::Fail | Outcome::Pass));
        self.worst = self.worst.max(Some(found));
        for failure in failures {
            *self.failures.entry(failure.clone()).or_default() += 1;
        }
    }

    /// Says which findings make the exit code, where they are not plain from the verdicts.
    fn print(&self) {
        let listed: Vec<String> = self.failures.iter().map(|(name, count)| format!("{name} ({count})")).collect();
        if self.exit() == Exit::Findings && self.failures.keys().any(|name| name != "not-enforced") {
            stderr!("note: exit code 3 because of {}; --allow NAME ignores one", listed.join(", "));
        }
    }

    /// Passes only when every endpoint is proven to enforce TLS.
    fn end(&self) -> ProbeEnd {
        match self.worst {
            Some(Outcome::Fail) => ProbeEnd::Findings,
            Some(Outcome::Pass) if !self.incomplete => ProbeEnd::Pass,
            _ => ProbeEnd::Incomplete,
        }
    }

    fn exit(&self) -> Exit {
        match self.end() {
            ProbeEnd::Pass => Exit::AllPass,
            ProbeEnd::Findings => Exit::Findings,
            ProbeEnd::Incomplete => Exit::Incomplete,
        }
    }

    fn in_json(&self) -> ProbeExit {
        ProbeExit {
            end: self.end(),
            findings: self.failures.iter().map(|(name, count)| (name.clone(), *count)).collect(),
            undecided: self.undecided,
            complete: !self.incomplete,
        }
    }
}

/// The simulated Azure whose servers are probed, if it is one.
fn simulated(args: &ProbeArgs, targets: &Targets, terminal: &TerminalArgs) -> Result<Option<Simulation>, CliError> {
    let Some(scenario) = &args.simulate else { return Ok(None) };
    if targets.zone().is_none() {
        let hint = "make one with `hostssl zones targets ZONE --simulate > targets.json`, and give it as --targets targets.json";
        return Err(CliError::usage("--simulate probes a list that was made for a zone", hint));
    }
    kept_azure::open_scenario(scenario, &args.keep.state, terminal).map(Some)
}

fn options(args: &ProbeArgs, root_files: RootFiles, simulation: Option<&Simulation>) -> Result<ProbeOptions, CliError> {
    let base = match (args.thorough, args.ciphers) {
        (true, _) => ProbeOptions::thorough(),
        (false, true) => {
            ProbeOptions { cipher_suites: true, groups: true, post_quantum: true, ..ProbeOptions::default() }
        }
        (false, false) => ProbeOptions::default(),
    };
    let names = match (args.only_these, args.quick) {
        (true, _) => StartupNames::Given,
        (false, true) => StartupNames::Fewest,
        (false, false) => StartupNames::WellKnown,
    };
    let mut options = ProbeOptions {
        users: args.user.clone(),
        databases: args.database.clone(),
        names,
        repeat: args.repeat,
        transcript: args.transcript,
        connections_per_server: args.connections.into(),
        endpoint_timeout: args.timeout,
        // One job that is kept waiting leaves time for the others.
        job_timeout: (args.timeout / 3).min(Duration::from_secs(10)),
        connect_timeout: (args.timeout / 3).min(Duration::from_secs(5)),
        expiry_days: args.expiry_days,
        root_files,
        ..base
    };
    test_for(&mut options, &args.fail_on);
    let mut roots = roots(args.ca_file.as_deref())?;
    if let Some(dialer) = args.route.dialer()? {
        options.dialer = dialer;
    }
    if let Some(simulation) = simulation {
        options.dialer = simulated_listeners(Wire::inside(simulation), &mut roots)?;
    }
    options.roots = roots.into();
    if !args.replication.is_empty() {
        options.replication = args.replication.iter().map(|replication| (*replication).into()).collect();
    }
    Ok(options)
}

impl From<ReplicationArg> for hostssl_probe::Replication {
    fn from(replication: ReplicationArg) -> Self {
        match replication {
            ReplicationArg::None => Self::None,
            ReplicationArg::Physical => Self::Physical,
            ReplicationArg::Logical => Self::Logical,
        }
    }
}
