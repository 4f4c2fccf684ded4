//! `hostssl watch`: audits again and again, and says what changed.

mod webhook;

use crate::args::{OutputArgs, duration};
use crate::commands::audit::{self, AuditEnded, AuditRunArgs};
use crate::commands::diff;
use crate::connect::block_on;
use crate::error::CliError;
use crate::exit::Exit;
use crate::signals::Signals;
use crate::stdout;
use clap::{Args, ValueEnum};
use hostssl_audit::{Diff, Profile, diff as compare};
use hostssl_formats::{Shape, diff_json, diff_text, safe, write_json_line};
use hostssl_model::{AuditReport, Reason, Scope};
use hostssl_store::{Page, StoreReader};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use webhook::{Receiver, WebhookKind};

pub(crate) const HELP: &str =
    "The first audit is compared with the newest kept audit of the same scope and rules; without one, it is the
beginning, and nothing is told. What a webhook could not be told is told with the next audit.

Exit codes:
  0  stopped by a signal; with --once: nothing is worse than before
  1  the tool failed; with --once: also when a webhook could not be told
  2  wrong usage
  3  with --once: a control newly fails, or fails with another value
  4  with --once: no new failure, but not everything could be checked or compared
  With --once and no earlier audit, the codes are those of `hostssl audit`.";

/// Kept audits among which the one to compare with is looked for.
const RECENT: Page = Page { number: 0, size: 200 };

#[derive(Debug, Args)]
pub(crate) struct WatchArgs {
    /// How often an audit begins. One that takes longer is followed by the next at once.
    #[arg(long, value_name = "TIME", default_value = "15m", value_parser = duration, help_heading = "Watch options")]
    every: Duration,
    /// Audit once and end, for cron, timers and pipelines.
    #[arg(long, help_heading = "Watch options")]
    once: bool,
    /// What goes to stdout; json is a line for each comparison.
    #[arg(long, short = 'o', value_enum, default_value_t = WatchFormat::Table, ignore_case = true, help_heading = "Watch options")]
    output: WatchFormat,
    /// Post changes to this URL (repeatable). HOSTSSL_WEBHOOK has one that no list of processes shows.
    #[arg(long, value_name = "URL", env = "HOSTSSL_WEBHOOK", hide_env_values = true, help_heading = "Watch options")]
    webhook: Vec<String>,
    /// What the webhooks take: the JSON of `hostssl diff`, or a message of a chat.
    #[arg(long, value_enum, default_value_t = WebhookKind::Json, help_heading = "Watch options")]
    webhook_kind: WebhookKind,
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

pub(crate) fn run(args: &WatchArgs, talk: &OutputArgs) -> Result<Exit, CliError> {
    let profile = audit::profile(&args.run)?;
    if !args.run.wire.probe {
        args.run.wire.route.refuse_without_probe()?;
    }
    let secret = args.webhook_secret.as_deref().map(webhook::read_secret).transpose()?;
    let receivers = args.webhook.iter().map(|url| Receiver::new(url, args.webhook_kind, secret.clone()));
    let receivers: Vec<Receiver> = receivers.collect::<Result<_, _>>()?;
    block_on(async {
        let before = earlier(args, &profile)?.map(Arc::new);
        Watch { args, talk, receivers, before }.watch(&profile).await
    })
}

struct Watch<'a> {
    args: &'a WatchArgs,
    talk: &'a OutputArgs,
    receivers: Vec<Receiver>,
    /// The audit before, if there is one.
    before: Option<Arc<AuditReport>>,
}

impl Watch<'_> {
    async fn watch(mut self, profile: &Profile) -> Result<Exit, CliError> {
        let mut signals = Signals::of_an_end();
        for receiver in &mut self.receivers {
            receiver.told.clone_from(&self.before);
        }
        let mut is_first = true;
        // Who is signed in is told once.
        let quiet = OutputArgs { quiet: true, ..self.talk.clone() };
        loop {
            let next = Instant::now() + self.args.every;
            match audit::audit(&self.args.run, profile.clone(), None, if is_first { self.talk } else { &quiet }).await {
                Ok(Some(ended)) if was_interrupted(&ended.report) => return Ok(Exit::AllPass),
                Ok(Some(AuditEnded { report, listener, .. })) => {
                    // The deadline was that of this audit alone, and from now on a signal ends the watch.
                    listener.abort();
                    let ended = tokio::select! {
                        ended = self.end_of_round(report) => ended?,
                        () = signals.next() => return Ok(Exit::AllPass),
                    };
                    if self.args.once {
                        return Ok(ended);
                    }
                }
                Ok(None) => return Ok(Exit::ReaderGone),
                Err(error) if is_first || self.args.once => return Err(error),
                // An outage must not end the watch, which would tell nobody anything any more.
                Err(error) => say!("warning: no audit this time: {}", error.on_one_line()),
            }
            is_first = false;
            tokio::select! {
                () = tokio::time::sleep_until(next) => {}
                () = signals.next() => return Ok(Exit::AllPass),
            }
        }
    }

    /// Keeps the audit, says what changed, and how a single round ends.
    async fn end_of_round(&mut self, report: AuditReport) -> Result<Exit, CliError> {
        self.args.run.keep.keep(&report, self.args.run.connect.simulate.is_some());
        let report = Arc::new(report);
        // One state directory can have audits of several clouds, and a scope does not name its own.
        if self.before.as_ref().is_some_and(|before| before.run.cloud != report.run.cloud) {
            self.before = None;
            self.receivers.iter_mut().for_each(|receiver| receiver.told = None);
        }
        let exit = match self.before.replace(report.clone()) {
            None => {
                if !self.talk.quiet {
                    let servers = report.summary.servers;
                    say!(
                        "{}: the first audit, of {servers} servers: the next is compared with it",
                        report.run.finished_at
                    );
                }
                Exit::of_audit(&report)
            }
            Some(before) => {
                let compared = compare(&before, &report);
                self.show(&before, &report, &compared)?;
                diff::exit(&compared, &before, &report)
            }
        };
        let mut is_told = true;
        for receiver in &mut self.receivers {
            if let Err(why) = receiver.tell(&report).await {
                say!("warning: {} was not told of the changes: {why}", receiver.name());
                is_told = false;
            }
        }
        if !is_told {
            say!("hint: the next audit tells it again; `hostssl diff` shows the changes");
        }
        Ok(if is_told { exit } else { Exit::Failed })
    }

    fn show(&self, before: &AuditReport, after: &AuditReport, compared: &Diff<'_>) -> Result<(), CliError> {
        match self.args.output {
            WatchFormat::None => Ok(()),
            WatchFormat::Json => {
                let value = diff_json::value(before, after, compared).map_err(|error| CliError::defect(&error))?;
                stdout::write(|out| write_json_line(out, &value).and_then(|()| writeln!(out)))
            }
            WatchFormat::Table if compared.changes.is_empty() && compared.not_compared.is_empty() => {
                let (when, unchanged) = (safe(&after.run.finished_at), compared.unchanged);
                stdout::write(|out| writeln!(out, "{when}  no change; {unchanged} findings unchanged"))
            }
            WatchFormat::Table => stdout::write_text(self.talk, &Shape::AS_IS, |out, text| {
                diff_text::write(out, before, after, compared, text)?;
                io::Write::write_all(out, b"\n")
            }),
        }
    }
}

fn was_interrupted(report: &AuditReport) -> bool {
    report.gaps.iter().any(|gap| gap.blind.reason == Reason::Interrupted)
}

/// The newest kept audit of the same scope and rules.
fn earlier(args: &WatchArgs, profile: &Profile) -> Result<Option<AuditReport>, CliError> {
    let simulated = args.run.connect.simulate.is_some();
    if simulated && args.run.keep.state.state.is_none() {
        return Ok(None);
    }
    let Some(reader) = args.run.keep.state.read_if_any(simulated)? else { return Ok(None) };
    let (scope, rules) = (args.run.scope.scope(&args.run.select), profile.to_string());
    newest(&reader, &scope, &rules)
}

fn newest(reader: &StoreReader, scope: &Scope, rules: &str) -> Result<Option<AuditReport>, CliError> {
    let (audits, _) = reader.audits(RECENT)?;
    let found = audits.into_iter().find(|audit| audit.scope == *scope && audit.profile == rules && !audit.stopped);
    Ok(found.map(|audit| reader.audit_report(&audit)).transpose()?)
}
