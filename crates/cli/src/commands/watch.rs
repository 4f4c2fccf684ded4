//! `hostssl watch`: audits again and again, and says what changed.

mod change_log;
mod last_told;
mod webhook;

use crate::args::{TerminalArgs, duration, listen_address};
use crate::changed_by;
use crate::commands::audit::{self, AuditEnded, AuditRunArgs};
use crate::commands::{diff, waivers};
use crate::connect::block_on;
use crate::error::CliError;
use crate::exit::Exit;
use crate::kept_transcripts::Transcripts;
use crate::looks::print_ended_looks;
use crate::plan_file::is_stdin;
use crate::policy_warnings::{PoliciesTold, warn_of_policies};
use crate::signals::Signals;
use crate::state_patience::StatePatience;
use crate::{outputs, stdout};
use clap::{Args, ValueEnum};
use futures::FutureExt as _;
use hostssl_audit::{ActivityRead, Diff, LastKnown, Profile, apply_waivers, diff_knowing, gate, name_authors};
use hostssl_console::{MetricsPort, fleet_figures};
use hostssl_formats::{Shape, diff_json, diff_text, fleet_metrics, safe, waiver_text, write_json_line};
use hostssl_model::{AuditReport, REPORT_DEFECT, Reason};
use hostssl_ops::{Tenant, Vantages, rules_of};
use hostssl_store::AuditStore;
use last_told::ToldReceiver;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::Instant;
use webhook::{Receiver, WebhookKind};

pub(crate) const HELP: &str =
    "The state keeps which audit each webhook, the file of --append and standard output were told of
last: they continue there. One that was told nothing yet begins with the newest kept audit of the
same cloud, scope and controls; without one, there is nothing to compare and nothing is reported.
Changes that a webhook or the file did not accept are sent to it again with the next audit.

Exit codes:
  0  stopped by a signal; with --once: nothing is worse than before
  1  the tool failed, or a webhook or a file could not be told; with --once: stopped by a signal
  2  wrong usage
  3  with --once: a control newly fails, or fails with another value
  4  with --once: no new failure, but not everything could be checked or compared
  With --once, 0, 3 and 4 compare with what each receiver was told last, and the worst counts;
  with no earlier audit, they are those of `hostssl audit`.";

/// The variable with the address of a webhook.
const WEBHOOK_VARIABLE: &str = "HOSTSSL_WEBHOOK";
/// The longest pause between audits: no clock counts further.
const LONGEST: Duration = Duration::from_secs(366 * 86_400);
/// The screen, or whatever reads standard output, among those that are told.
const SCREEN: &str = "stdout";

#[derive(Debug, Args)]
pub(crate) struct WatchArgs {
    /// How often an audit begins. One that takes longer is followed by the next at once.
    #[arg(long, value_name = "TIME", default_value = "15m", value_parser = duration, help_heading = "Watch options")]
    every: Duration,
    /// Audit once and end, for cron, timers and pipelines.
    #[arg(long, conflicts_with = "every", help_heading = "Watch options")]
    once: bool,
    /// What goes to stdout; json is a line for each comparison.
    #[arg(long, short = 'o', value_enum, default_value_t = WatchFormat::Table, ignore_case = true, help_heading = "Watch options")]
    output: WatchFormat,
    /// A file of waivers, read anew for each audit: failures that they cover are reported with them, and do not count.
    #[arg(long, value_name = "FILE", env = "HOSTSSL_WAIVERS", help_heading = "Watch options")]
    waivers: Option<PathBuf>,
    /// Also append each comparison that has a change to this file, as a line of JSON, and wait until it is on the disk.
    #[arg(long, value_name = "FILE", help_heading = "Watch options")]
    append: Option<PathBuf>,
    /// After each audit that is kept, also write metrics to this file, for the textfile collector of the Prometheus node exporter:
    /// those of `serve --metrics`. It is replaced as a whole.
    #[arg(long, value_name = "FILE", help_heading = "Watch options")]
    metrics: Option<PathBuf>,
    /// Answer /metrics for Prometheus on this address: those of `serve --metrics`, by what is kept. Nothing else is answered
    /// there, and there is no sign-in.
    #[arg(long, value_name = "ADDR:PORT", value_parser = listen_address, conflicts_with = "once", help_heading = "Watch options")]
    metrics_listen: Option<SocketAddr>,
    /// Post changes to this URL (repeatable), and to the one in HOSTSSL_WEBHOOK, which no list of processes shows.
    #[arg(long, value_name = "URL", help_heading = "Watch options")]
    webhook: Vec<String>,
    /// What the webhooks take: the JSON of `hostssl diff`, or a message of a chat [default: json].
    #[arg(long, value_enum, value_name = "KIND", help_heading = "Watch options")]
    webhook_kind: Option<WebhookKind>,
    /// Sign each message with the secret in this file (HMAC-SHA256, header hostssl-signature).
    #[arg(long, value_name = "FILE", help_heading = "Watch options")]
    webhook_secret: Option<PathBuf>,
    #[command(flatten)]
    run: AuditRunArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum WatchFormat {
    Table,
    Json,
    None,
}

pub(crate) fn run(args: &WatchArgs, terminal: &TerminalArgs) -> Result<Exit, CliError> {
    let profile = audit::profile(&args.run)?;
    if !args.run.wire.probe {
        args.run.wire.route.refuse_without_probe()?;
        args.run.wire.vantage.refuse_without_probe()?;
    }
    if !args.once && args.waivers.as_deref().is_some_and(is_stdin) {
        let what = "--waivers - can be read once, and a watch reads the file anew for each audit";
        return Err(CliError::usage(what, "write what it holds into a file, and name that; or watch --once"));
    }
    let secret = args.webhook_secret.as_deref().map(webhook::read_secret).transpose()?;
    let hidden = std::env::var(WEBHOOK_VARIABLE).ok().filter(|url| !url.is_empty());
    let urls = args.webhook.iter().chain(&hidden);
    let kind = args.webhook_kind.unwrap_or(WebhookKind::Json);
    let receivers = urls.map(|url| Receiver::new(url, kind, secret.clone(), args.run.connect.ca_file.as_deref()));
    let mut receivers: Vec<Receiver> = receivers.collect::<Result<_, _>>()?;
    if receivers.is_empty() && args.webhook_secret.is_some() {
        return Err(CliError::usage("--webhook-secret signs messages, and there is no webhook", "add --webhook URL"));
    }
    if receivers.is_empty() && args.webhook_kind.is_some() {
        return Err(CliError::usage("--webhook-kind is for webhooks, and there is none", "add --webhook URL"));
    }
    let of = receivers.len();
    receivers.iter_mut().enumerate().filter(|_| of > 1).for_each(|(index, one)| one.place = Some((index + 1, of)));
    if let Some(file) = &args.metrics {
        outputs::check_beside(file, &[], args.output == WatchFormat::None)?;
        if args.append.as_ref().is_some_and(|append| outputs::is_same_place(append, file)) {
            let what = format!("--append and --metrics name the same file, {}", file.display());
            return Err(CliError::usage(what, "give each a file of its own"));
        }
    }
    let measures = args.metrics.is_some() || args.metrics_listen.is_some();
    if measures && !args.run.keep.keeps(args.run.connect.simulate.is_some()) {
        let what = "metrics count what is kept, and this watch keeps nothing";
        return Err(CliError::usage(what, "leave out --no-save, and name a --state with --simulate"));
    }
    // Last, as it makes the file.
    receivers.extend(args.append.as_deref().map(Receiver::of_file).transpose()?);
    block_on(
        Watch {
            args,
            terminal,
            receivers,
            before: None,
            known: LastKnown::default(),
            policies_told: None,
            is_first: true,
        }
        .watch(&profile),
    )
}

struct Watch<'a> {
    args: &'a WatchArgs,
    terminal: &'a TerminalArgs,
    receivers: Vec<Receiver>,
    /// The audit before, if there is one.
    before: Option<Arc<AuditReport>>,
    /// What audits until then found, wherever something could be checked.
    known: LastKnown,
    policies_told: PoliciesTold,
    is_first: bool,
}

impl Watch<'_> {
    async fn watch(mut self, profile: &Profile) -> Result<Exit, CliError> {
        // It answers from before the first audit on, and ends with the watch.
        let mut answering = JoinSet::new();
        if let Some(port) = self.metrics_port().await? {
            answering.spawn(port.serve());
        }
        let mut signals = Signals::of_an_end();
        // Who is signed in is told once.
        let quiet = TerminalArgs { quiet: true, ..self.terminal.clone() };
        let once = self.args.once;
        loop {
            let next = Instant::now() + self.args.every.min(LONGEST);
            let terminal = if self.is_first { self.terminal } else { &quiet };
            match audit::audit(&self.args.run, audit::new_id(), profile.clone(), None, terminal).await {
                Ok(Some(ended)) if was_interrupted(&ended.report) => return Ok(self.stopped(Exit::Incomplete)),
                Ok(Some(AuditEnded { report, vantages, transcripts, listener, tenants, began, .. })) => {
                    // The deadline was that of this audit alone, and from now on a signal ends the watch.
                    listener.abort();
                    let found = (&*vantages, &*tenants, transcripts);
                    let ended = tokio::select! {
                        ended = self.end_of_round(report, profile, found, began) => ended,
                        () = signals.next() => return Ok(self.stopped(Exit::Failed)),
                    };
                    match ended {
                        ended if once => return ended,
                        Ok(_) => {}
                        // A full disk behind standard output must not end what tells others.
                        Err(error) => stderr!("warning: {}", error.on_one_line()),
                    }
                }
                Ok(None) => return Ok(Exit::ReaderGone),
                // A watch that is stopped while it signs in has not failed.
                Err(_) if !once && signals.next().now_or_never().is_some() => return Ok(self.stopped(Exit::Failed)),
                Err(error) if self.is_first || once => return Err(error),
                // An outage must not end the watch, after which no change would be reported.
                Err(error) => stderr!("warning: no audit this time: {}", error.on_one_line()),
            }
            self.is_first = false;
            tokio::select! {
                () = tokio::time::sleep_until(next) => {}
                () = signals.next() => return Ok(self.stopped(Exit::Failed)),
            }
        }
    }

    /// How the watch ends when it is stopped: a single round has not said that nothing is worse, and a webhook that was not
    /// told of changes is named.
    fn stopped(&self, of_a_single_round: Exit) -> Exit {
        let untold: Vec<&Receiver> = self.receivers.iter().filter(|receiver| receiver.is_behind).collect();
        for receiver in &untold {
            let since = receiver.told.as_ref().map_or("the beginning", |told| &told.run.id);
            stderr!("warning: {} did not accept the changes since {}", receiver.name(), safe(since));
        }
        match (self.args.once, untold.is_empty()) {
            (true, _) => of_a_single_round,
            (false, true) => Exit::AllPass,
            (false, false) => Exit::Failed,
        }
    }

    /// Keeps an audit that began at `began`.
    fn keep(&self, report: &AuditReport, transcripts: Option<Transcripts>, began: std::time::Instant) -> bool {
        let run = &self.args.run;
        run.keep.keep(report, transcripts, run.connect.simulate.is_some(), self.patience(began))
    }

    /// How long a round that began at `began` waits for the state.
    fn patience(&self, began: std::time::Instant) -> StatePatience {
        StatePatience::of(began, self.args.run.limits.deadline, std::time::Instant::now())
    }

    /// Says what changed, keeps the audit, and how a single round ends.
    async fn end_of_round(
        &mut self,
        mut report: AuditReport,
        profile: &Profile,
        (vantages, tenants, transcripts): (&Vantages, &[Tenant], Option<Transcripts>),
        began: std::time::Instant,
    ) -> Result<Exit, CliError> {
        if self.before.is_none() {
            self.begin(&report, self.patience(began))?;
        }
        audit::refuse_nothing(&report)?;
        if ended_early(&report) {
            // It says little of any server, so that it is neither news nor what the next is compared with.
            stderr!("warning: the audit ended at its deadline and is not compared; raise --deadline");
            self.keep(&report, transcripts, began);
            return Ok(Exit::Incomplete);
        }
        let run = &self.args.run;
        run.keep.learn(&mut report, run.connect.simulate.is_some(), self.patience(began));
        self.lay_waivers_over(&mut report)?;
        let report = Arc::new(report);
        let activity = Arc::new(self.who(&report, tenants).await);
        let before = self.before.replace(report.clone());
        // What a receiver did not accept before counts when it is told.
        let of_receivers = self.receivers.iter().filter(|_| self.args.once).filter_map(|one| one.exit(&report));
        let of_receivers: Vec<Exit> = of_receivers.collect();
        // First those who are not here.
        let told = self.receivers.iter_mut().map(async |receiver| match receiver.notify(&report, &activity).await {
            Ok(()) => true,
            Err(why) => {
                stderr!("warning: {} did not accept the changes: {why}", receiver.name());
                false
            }
        });
        // All at once: one that hangs does not hold up the others.
        let is_told = futures::future::join_all(told).await.into_iter().all(|told| told);
        let is_kept = self.keep(&report, transcripts, began);
        if is_kept {
            let told = self.receivers.iter().filter(|one| !one.is_behind).map(|one| (&*one.key, &*report.run.id));
            last_told::keep(self.args, &report.run, &told.collect::<Vec<_>>(), self.patience(began));
        }
        let (keep, simulated) = (&self.args.run.keep, self.args.run.connect.simulate.is_some());
        if self.args.run.wire.probe && keep.keeps(simulated) {
            print_ended_looks(vantages, &keep.state, simulated);
        }
        let place = (&keep.state, simulated, self.patience(began));
        warn_of_policies(tenants, &report, place, profile, self.terminal, &mut self.policies_told).await;
        // They count what is kept.
        let measured = self.write_metrics();
        let mut shown = Ok(());
        let exit = match before {
            None => {
                if !self.terminal.quiet {
                    let (when, servers) = (safe(&report.run.finished_at), report.summary.servers);
                    // A watch that continues has it in memory.
                    let next = match self.args.once && !is_kept {
                        false => "the next is compared with it",
                        true if self.args.run.keep.no_save => {
                            "it is not kept, so that the next has nothing to compare with; without --no-save it is"
                        }
                        true if !self.args.run.keep.keeps(self.args.run.connect.simulate.is_some()) => {
                            "it is not kept, so that the next has nothing to compare with; --state DIR keeps it"
                        }
                        true => "it could not be kept, so that the next has nothing to compare with",
                    };
                    stderr!("{when}: the first audit, of {servers} servers: {next}");
                }
                Exit::of_audit(&report)
            }
            Some(before) => {
                shown = self.show(before.clone(), report.clone(), activity).await;
                let own = diff::exit(&diff_knowing(&before, &report, &self.known), &before, &report);
                of_receivers.into_iter().fold(own, worse)
            }
        };
        if is_kept && shown.is_ok() {
            last_told::keep(self.args, &report.run, &[(SCREEN, &report.run.id)], self.patience(began));
        }
        self.known.learn(&report);
        shown?;
        measured?;
        Ok(if is_told { exit } else { Exit::Failed })
    }

    /// Where everyone who is told continues.
    fn begin(&mut self, report: &AuditReport, patience: StatePatience) -> Result<(), CliError> {
        let of_receiver = |one: &Receiver| ToldReceiver { key: one.key.clone(), name: one.name() };
        let screen = ToldReceiver { key: SCREEN.to_owned(), name: "standard output".to_owned() };
        let all: Vec<ToldReceiver> = std::iter::once(screen).chain(self.receivers.iter().map(of_receiver)).collect();
        let mut places = last_told::places(self.args, report, &all, patience)?.into_iter();
        let screen = places.next().unwrap_or_default();
        (self.before, self.known) = (screen.before, screen.known);
        for (receiver, place) in self.receivers.iter_mut().zip(places) {
            (receiver.told, receiver.known) = (place.before, place.known);
        }
        Ok(())
    }

    /// Shows which failures were accepted. A file that became unreadable while the watch runs waives nothing, and does not end it.
    fn lay_waivers_over(&self, report: &mut AuditReport) -> Result<(), CliError> {
        let Some(path) = &self.args.waivers else { return Ok(()) };
        match waivers::load(path, &rules_of(&report.run.profile)) {
            Ok(waivers) => apply_waivers(report, &path.display().to_string(), waivers),
            Err(error) if self.is_first || self.args.once => return Err(error),
            Err(error) => stderr!("warning: nothing is waived: {}", error.on_one_line()),
        }
        waiver_text::doubts(report).iter().for_each(|doubt| stderr!("warning: {doubt}"));
        report.overlay.gate = Some(gate(report, &[], None));
        Ok(())
    }

    /// The port for metrics, if one is wanted.
    async fn metrics_port(&self) -> Result<Option<MetricsPort>, CliError> {
        let Some(address) = self.args.metrics_listen else { return Ok(None) };
        let directory = self.args.run.keep.state.directory(self.args.run.connect.simulate.is_some())?;
        let port = MetricsPort::bind(address, AuditStore::open(&directory)?, env!("CARGO_PKG_VERSION").to_owned());
        let port = port.await.map_err(|error| {
            CliError::failed(&error, "another program may have the port: choose one with --metrics-listen ADDR:PORT")
        })?;
        if let (Ok(address), false) = (port.address(), self.terminal.quiet) {
            stderr!("metrics on http://{address}/metrics");
        }
        Ok(Some(port))
    }

    /// Writes what is known now, in numbers.
    fn write_metrics(&self) -> Result<(), CliError> {
        let Some(file) = &self.args.metrics else { return Ok(()) };
        let directory = self.args.run.keep.state.directory(self.args.run.connect.simulate.is_some())?;
        let figures = fleet_figures(&AuditStore::open(&directory)?, env!("CARGO_PKG_VERSION").to_owned())?;
        outputs::replace(file, |out| {
            let written = fleet_metrics::write(out, &figures);
            written.map_err(|error| CliError::failed(&error, "free some space, or name another file"))
        })
    }

    /// Who did what to the servers that changed, for this screen or for a webhook that is behind.
    async fn who(&self, report: &Arc<AuditReport>, tenants: &[Tenant]) -> ActivityRead {
        let told = self.receivers.iter().filter_map(|one| Some((one.told.as_ref()?, &one.known)));
        let all: Vec<_> = self.before.as_ref().map(|before| (before, &self.known)).into_iter().chain(told).collect();
        let compared: Vec<Diff<'_>> = all.iter().map(|(before, known)| diff_knowing(before, report, known)).collect();
        let servers = changed_by::changed(&compared);
        let Some((first, _)) = all.iter().min_by(|(a, _), (b, _)| a.run.started_at.cmp(&b.run.started_at)) else {
            return ActivityRead::default();
        };
        changed_by::since(tenants, first, report, &servers).await
    }

    /// Writes what changed. A reader that does not read holds up a thread of its own, which the end does not wait for, and
    /// not the signals.
    async fn show(
        &self,
        before: Arc<AuditReport>,
        after: Arc<AuditReport>,
        activity: Arc<ActivityRead>,
    ) -> Result<(), CliError> {
        let (output, terminal, known) = (self.args.output, self.terminal.clone(), self.known.clone());
        let (done, shown) = oneshot::channel();
        std::thread::spawn(move || drop(done.send(write(output, &terminal, (&before, &after), &known, &activity))));
        let lost = || CliError::refused("what changed could not be written: its writer ended early", REPORT_DEFECT);
        shown.await.unwrap_or_else(|_| Err(lost()))
    }
}

fn write(
    output: WatchFormat,
    terminal: &TerminalArgs,
    (before, after): (&AuditReport, &AuditReport),
    known: &LastKnown,
    activity: &ActivityRead,
) -> Result<(), CliError> {
    let mut compared = diff_knowing(before, after, known);
    name_authors(&mut compared, before, after, activity);
    match output {
        WatchFormat::None => Ok(()),
        WatchFormat::Json => {
            let value = diff_json::value(before, after, &compared).map_err(|error| CliError::defect(&error))?;
            stdout::write(|out| write_json_line(out, &value).and_then(|()| writeln!(out)))
        }
        WatchFormat::Table
            if compared.changes.is_empty()
                && compared.not_compared.is_empty()
                && compared.not_in_scope.is_empty()
                && compared.apart.is_none() =>
        {
            let (when, unchanged) = (safe(&after.run.finished_at), compared.unchanged);
            stdout::write(|out| writeln!(out, "{when}  no change; {unchanged} findings unchanged"))
        }
        WatchFormat::Table => stdout::write_text(terminal, &Shape::AS_IS, |out, text| {
            diff_text::write(out, before, after, &compared, text)?;
            io::Write::write_all(out, b"\n")
        }),
    }
}

/// The worse end of two comparisons.
fn worse(one: Exit, other: Exit) -> Exit {
    let rank = |exit| [Exit::AllPass, Exit::Incomplete, Exit::Findings].iter().position(|known| *known == exit);
    if rank(other) > rank(one) { other } else { one }
}

fn ended_early(report: &AuditReport) -> bool {
    report.gaps.iter().any(|gap| gap.unchecked.reason == Reason::Deadline)
}

fn was_interrupted(report: &AuditReport) -> bool {
    report.gaps.iter().any(|gap| gap.unchecked.reason == Reason::Interrupted)
}
