//! Keeping audits and probes in the state directory.

use crate::again;
use crate::args::StateArgs;
use crate::azure_hosts::is_azure;
use crate::error::CliError;
use crate::kept_transcripts::Transcripts;
use crate::state::instant;
use crate::state_patience::StatePatience;
use crate::state_upgrade::bring_up_to_date;
use clap::Args;
use hostssl_formats::earlier_plaintext;
use hostssl_formats::probe_json::{self, ProbeAsked};
use hostssl_formats::probe_text::outcome;
use hostssl_model::AuditReport;
use hostssl_ops::observation;
use hostssl_probe::report::EndpointReport;
use hostssl_store::{AuditStore, NewProbe, ProbedEndpoint, SharedError, StateDirectory, StoreError, StoreReader};
use jiff::Timestamp;
use std::time::{Duration, Instant};

/// Whether and how a run is kept.
#[derive(Debug, Clone, Args)]
pub(crate) struct KeepArgs {
    #[command(flatten)]
    pub(crate) state: StateArgs,
    /// Do not keep this run. A simulated audit is kept only with --state.
    #[arg(long, help_heading = "State options")]
    pub(crate) no_save: bool,
    /// Keep this many audits of the same scope, or this many probes, and delete older ones (default: keep all).
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), conflicts_with = "no_save", help_heading = "State options")]
    pub(crate) retain: Option<u32>,
}

impl KeepArgs {
    /// Whether an audit is kept.
    pub(crate) fn keeps(&self, simulated: bool) -> bool {
        !self.no_save && (!simulated || self.state.state.is_some())
    }

    /// Keeps the report, and says whether it is kept. A failure to keep it is reported, with --quiet too, and the report is
    /// written anyway.
    pub(crate) fn keep(
        &self,
        report: &AuditReport,
        transcripts: Option<Transcripts>,
        simulated: bool,
        patience: StatePatience,
    ) -> bool {
        if !self.keeps(simulated) {
            return false;
        }
        let directory = match self.state.directory(simulated) {
            Ok(directory) => directory,
            Err(error) => {
                stderr!("warning: this audit was not kept: {}", error.on_one_line());
                return false;
            }
        };
        match self.save(&directory, report, transcripts, patience) {
            Ok(()) => return true,
            Err(StoreError::Busy(_)) if patience.is_over() => stderr!(
                "warning: this audit was not kept, and the report here is all there is of it: another process was writing \
                 to the state when --deadline was reached (wait until it has ended, or end it if it is frozen; then audit \
                 again)"
            ),
            // The store of all machines has it.
            Err(error @ StoreError::CopyNotWritten(_)) => {
                stderr!("warning: {}", CliError::from(error).on_one_line());
                return true;
            }
            Err(error @ StoreError::Shared { error: SharedError::Uncertain(_), .. }) => {
                stderr!(
                    "warning: it is not known whether this audit was kept: {}",
                    CliError::from(error).on_one_line()
                );
            }
            Err(error) => stderr!("warning: this audit was not kept: {}", CliError::from(error).on_one_line()),
        }
        false
    }

    fn save(
        &self,
        directory: &StateDirectory,
        report: &AuditReport,
        transcripts: Option<Transcripts>,
        patience: StatePatience,
    ) -> Result<(), StoreError> {
        let store = AuditStore::open_within(directory, patience.left())?;
        store.save(report)?;
        // The audit is kept, whatever becomes of them.
        if let Some(Err(error)) = transcripts.map(|transcripts| transcripts.keep(&store, &report.run.id)) {
            stderr!("warning: not every transcript of this audit was kept: {}", CliError::from(error).on_one_line());
        }
        if let Some(retain) = self.retain {
            store.prune(retain)?;
        }
        Ok(())
    }

    /// Says of each server of a report that is not kept yet where it stands by all that is kept, so that what people read
    /// counts as the console does. Without a state there is no more than the audit saw; one that cannot be read is reported.
    pub(crate) fn learn(&self, report: &mut AuditReport, simulated: bool, patience: StatePatience) {
        if simulated && self.state.state.is_none() {
            return;
        }
        if let Err(error) = self.learn_from_state(report, simulated, patience) {
            stderr!("warning: the figures leave out what earlier runs saw: {}", error.on_one_line());
        }
    }

    fn learn_from_state(
        &self,
        report: &mut AuditReport,
        simulated: bool,
        patience: StatePatience,
    ) -> Result<(), CliError> {
        let directory = self.state.directory(simulated)?;
        // Keeping the audit brings the state up to date anyway.
        if self.keeps(simulated) && matches!(StoreReader::open(&directory), Err(StoreError::OlderVersion { .. })) {
            drop(bring_up_to_date(&directory, patience)?);
        }
        match self.state.read_with_changes(simulated, patience)? {
            Some(reader) => Ok(reader.learn(report)?),
            None => Ok(()),
        }
    }
}

/// Says what earlier probes found of the servers of an audit that did not probe: its report rests on what Azure declares alone. It has
/// learned what is kept of them.
pub(crate) fn print_earlier_probes(report: &AuditReport) {
    match (earlier_probe(report), probed_plaintext(report)) {
        (_, Some(words)) => {
            stderr!("warning: {words}");
            stderr!("hint: --probe probes again");
        }
        (Some(probed_ms), None) => {
            stderr!("note: this audit did not probe; the newest kept probe is from {}", instant(probed_ms));
        }
        (None, None) => {}
    }
}

/// When the newest kept probe of a server of an audit was made that the audit did not probe itself.
fn earlier_probe(report: &AuditReport) -> Option<i64> {
    let unseen = report.servers.iter().filter(|server| server.wire.is_empty());
    unseen.filter_map(|server| server.known?.probed_ms).max()
}

/// That earlier probes found plaintext accepted, of an audit that did not probe; nothing if they did not.
pub(crate) fn probed_plaintext(report: &AuditReport) -> Option<String> {
    let names = earlier_plaintext(report)?;
    let at = report.earlier_plaintext().filter_map(|server| server.known?.probed_ms).max();
    let at = at.map(|probed_ms| format!(" (the last from {})", instant(probed_ms)));
    Some(format!(
        "this audit did not probe, but the newest kept probes{} found plaintext accepted although Azure declares otherwise: {names}",
        at.unwrap_or_default()
    ))
}

/// Endpoints that are kept at once, or those of a second: a commit waits for the disk.
const BATCH: usize = 256;

/// Keeps a probe while it goes on. What cannot be kept is told once, and the probe goes on all the same.
pub(crate) struct ProbeKeeper {
    to_begin: Option<(StateDirectory, NewProbe)>,
    kept: Option<(AuditStore, String)>,
    waiting: Vec<ProbedEndpoint>,
    flushed: Instant,
    retain: Option<u32>,
}

impl ProbeKeeper {
    /// Will keep a probe that asks `asked`, from its first endpoint on: one that ended before it, because it was asked for
    /// wrongly, saw nothing to keep.
    pub(crate) fn begin(args: &KeepArgs, asked: &ProbeAsked, simulated: bool) -> Self {
        let mut keeper =
            Self { to_begin: None, kept: None, waiting: Vec::new(), flushed: Instant::now(), retain: args.retain };
        if !args.keeps(simulated) {
            return keeper;
        }
        let to_begin = asked.to_text().map_err(|error| CliError::defect(&error)).and_then(|asked| {
            let probe = NewProbe {
                id: uuid::Uuid::now_v7().to_string(),
                started_ms: Timestamp::now().as_millisecond(),
                tool_version: env!("CARGO_PKG_VERSION").to_owned(),
                asked,
            };
            Ok((args.state.directory(simulated)?, probe))
        });
        // An older state is brought up to date first: what is to be kept does not wait for that.
        let is_copy = args.state.store.is_some() && !simulated;
        let current = if is_copy {
            Ok(())
        } else {
            args.state.read_before_keeping(simulated, StatePatience::without_end()).map(drop)
        };
        match current.and(to_begin) {
            Ok(to_begin) => keeper.to_begin = Some(to_begin),
            Err(error) => keeper.give_up(&error),
        }
        keeper
    }

    /// Keeps one endpoint, with the next others. What changed while it was probed may have changed behind the probe's back, so
    /// the look is as old as its beginning.
    pub(crate) fn add(&mut self, report: &EndpointReport, begun_ms: Option<i64>) {
        if let Some((directory, probe)) = self.to_begin.take() {
            match AuditStore::open(&directory).and_then(|store| store.begin_probe(&probe).map(|()| store)) {
                Ok(store) => self.kept = Some((store, probe.id)),
                Err(error) => self.give_up(&error.into()),
            }
        }
        if self.kept.is_none() {
            return;
        }
        match probe_json::to_text(report) {
            Ok(document) => {
                let now = Timestamp::now();
                let listener = is_azure(&report.host).then(|| (report.host.clone(), observation(report, now)));
                let at_ms = begun_ms.unwrap_or_else(|| now.as_millisecond());
                // By its verdict: what counts for the exit code is the choice of who asked, and no fact about the endpoint.
                let outcome = outcome(report.verdict);
                self.waiting.push(ProbedEndpoint { outcome, document, listener, at_ms });
            }
            Err(error) => self.give_up(&CliError::defect(&error)),
        }
        if self.waiting.len() >= BATCH || self.flushed.elapsed() > Duration::from_secs(1) {
            self.flush();
        }
    }

    /// Keeps what waits, and that the probe has ended.
    pub(crate) fn end(mut self, complete: bool) {
        self.flush();
        let Some((store, id)) = &self.kept else { return };
        let ended = store.end_probe(id, Timestamp::now().as_millisecond(), complete);
        let pruned = ended.and_then(|()| self.retain.map_or(Ok(0), |retain| store.prune_probes(retain)));
        if let Err(error) = pruned {
            self.give_up(&error.into());
        }
    }

    fn flush(&mut self) {
        self.flushed = Instant::now();
        let Some((store, id)) = &self.kept else { return };
        if let Err(error) = store.add_endpoints(id, &std::mem::take(&mut self.waiting)) {
            self.give_up(&error.into());
        }
    }

    fn give_up(&mut self, error: &CliError) {
        self.kept = None;
        stderr!("warning: this probe was not kept: {}", error.on_one_line());
    }
}

impl CliError {
    /// What happened and what to do, on one line.
    pub(crate) fn on_one_line(&self) -> String {
        let (what, hint) = self.parts();
        match again::given().hint(hint).to_string() {
            hint if hint.is_empty() => what,
            hint => format!("{what} ({hint})"),
        }
    }
}
