//! `hostssl probe`: proves on the wire whether endpoints enforce TLS.
//!
//! Targets are read as there is room to probe them, and endpoints are written as they are done: a million of them take no
//! more memory than a hundred.

mod sink;
mod targets;

use crate::args::{OutputArgs, ProbeArgs, Replication};
use crate::connect::block_on;
use crate::error::CliError;
use crate::exit::Exit;
use crate::files::endpoints_at_once;
use crate::keep::ProbeKeeper;
use crate::probing::{prober, roots};
use crate::stdout;
use futures::{FutureExt, StreamExt};
use hostssl_formats::probe_text::outcome;
use hostssl_model::Outcome;
use hostssl_probe::RootFiles;
use hostssl_probe::report::{EndpointReport, Weakness};
use hostssl_probe::{Options, probe_stream};
pub(crate) use sink::Sink;
use std::sync::Arc;
use std::time::Duration;
use targets::Targets;

pub(crate) fn run(args: &ProbeArgs, talk: &OutputArgs) -> Result<Exit, CliError> {
    let query = stdout::query(args.value.query.as_deref())?;
    let root_files = RootFiles::default();
    let targets = Targets::open(args, &root_files)?;
    let parallel = endpoints_at_once(args.parallel.into(), args.connections.into());
    block_on(async {
        let mut interrupt = std::pin::pin!(tokio::signal::ctrl_c().fuse());
        // It takes hold when it is polled: from now on, an interrupt ends with a whole report.
        let _ = futures::poll!(interrupt.as_mut());
        let options = options(args, root_files)?;
        let asked = asked(&options);
        let prober = Arc::new(prober(options)?);
        let mut keeper = ProbeKeeper::begin(&args.keep, &asked, talk);
        let mut sink = Sink::new(args.value.output, query, stdout::palette(talk));
        let poolers = targets.poolers();
        let (stream, unread) = targets.stream();
        let mut reports = probe_stream(prober, stream, parallel);
        let mut tally = Tally::default();
        loop {
            let report = tokio::select! {
                report = reports.next() => report,
                _ = &mut interrupt => {
                    let plural = if tally.endpoints == 1 { " was" } else { "s were" };
                    say!("interrupted: {} endpoint{plural} done", tally.endpoints);
                    tally.incomplete = true;
                    None
                }
            };
            let Some(report) = report else { break };
            if poolers.is_absent(&report) {
                continue;
            }
            let found = tally.count(&report);
            keeper.add(&report, found);
            if !sink.write(report)? {
                // Nobody reads on.
                tally.incomplete = true;
                break;
            }
        }
        drop(reports);
        if unread.any() {
            tally.incomplete = true;
        }
        keeper.end(!tally.incomplete);
        if tally.endpoints == 0 && !tally.incomplete {
            return Err(targets::none());
        }
        sink.finish()?;
        Ok(tally.exit())
    })
}

/// What decides about the exit code.
#[derive(Default)]
struct Tally {
    endpoints: u64,
    worst: Option<Outcome>,
    /// Not everything that was asked for was done.
    incomplete: bool,
}

impl Tally {
    /// Counts an endpoint and returns what it came to.
    fn count(&mut self, report: &EndpointReport) -> Outcome {
        self.endpoints += 1;
        // It is there only when --expiry-days asked about it.
        let expires = report.weaknesses.contains(&Weakness::CertificateExpiresSoon);
        let found = if expires { Outcome::Fail } else { outcome(report.verdict) };
        self.worst = self.worst.max(Some(found));
        found
    }

    /// 0 only when every endpoint is proven to enforce TLS.
    fn exit(&self) -> Exit {
        match self.worst {
            Some(Outcome::Fail) => Exit::Findings,
            Some(Outcome::Pass) if !self.incomplete => Exit::AllPass,
            _ => Exit::Incomplete,
        }
    }
}

/// What is asked of every endpoint, for whoever reads a kept probe.
fn asked(options: &Options) -> serde_json::Value {
    let replication = options.replication.iter().map(|kind| match kind {
        hostssl_probe::Replication::None => "none",
        hostssl_probe::Replication::Physical => "physical",
        hostssl_probe::Replication::Logical => "logical",
    });
    serde_json::json!({
        "users": options.users,
        "databases": options.databases,
        "replication": replication.collect::<Vec<_>>(),
        "expiryDays": options.expiry_days,
    })
}

fn options(args: &ProbeArgs, root_files: RootFiles) -> Result<Options, CliError> {
    let base = match (args.thorough, args.ciphers) {
        (true, _) => Options::thorough(),
        (false, true) => Options { cipher_suites: true, groups: true, ..Options::default() },
        (false, false) => Options::default(),
    };
    let mut options = Options {
        transcript: args.transcript,
        connections_per_server: args.connections.into(),
        endpoint_timeout: args.timeout,
        // One job that is kept waiting leaves time for the others.
        job_timeout: (args.timeout / 3).min(Duration::from_secs(10)),
        connect_timeout: (args.timeout / 3).min(Duration::from_secs(5)),
        expiry_days: args.expiry_days,
        roots: roots(args.ca_file.as_deref())?.into(),
        root_files,
        ..base
    };
    if !args.user.is_empty() {
        options.users.clone_from(&args.user);
    }
    if !args.database.is_empty() {
        options.databases.clone_from(&args.database);
    }
    if !args.replication.is_empty() {
        options.replication = args.replication.iter().map(|replication| (*replication).into()).collect();
    }
    Ok(options)
}

impl From<Replication> for hostssl_probe::Replication {
    fn from(replication: Replication) -> Self {
        match replication {
            Replication::None => Self::None,
            Replication::Physical => Self::Physical,
            Replication::Logical => Self::Logical,
        }
    }
}
