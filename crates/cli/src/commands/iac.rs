//! `hostssl iac`.

mod check_writer;
mod live_scope;
mod server_snippet;

use crate::args::{
    ConnectArgs, FormatTo, FormatToParser, IacList, LimitArgs, ListArgs, SelectArgs, StateArgs, Suggested,
    TerminalArgs, profiles,
};
use crate::commands::waivers;
use crate::connect::{block_on, connect};
use crate::error::CliError;
use crate::exit::Exit;
use crate::gate::{FailOnWord, audit_named, rules_of};
use crate::progress::AuditBar;
use crate::stdout;
use check_writer::{CheckWriter, IacOutput};
use clap::{Args, Subcommand};
use hostssl_audit::Profile;
use hostssl_formats::{SubscriptionNames, iac_baseline};
use hostssl_iac::{IacBaseline, IacFile, check, read};
use hostssl_model::{AuditReport, FailOn, Hint, Waiver};
use hostssl_ops::{AuditRequest, Discovery, RunContext, audit_and_probe};
use jiff::Timestamp;
use live_scope::LiveScope;
use server_snippet::{IacSnippetArgs, snippet};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

pub(crate) const CHECK_HELP: &str = "Exit codes:
  0  every value after an apply is known, and none that fails counts (--fail-on); or the file has no such server
  1  the tool failed (no sign-in, no Azure)
  2  wrong usage, or a file that cannot be understood
  3  a value fails after an apply, or a deleted block makes a server refuse clients
  4  nothing that counts fails, but not every value is known: until apply, not in the file, or not read by the audit";

pub(crate) const HELP: &str = "To check a plan before it is applied:
  terraform plan -out tfplan && terraform show -json tfplan > plan.json && hostssl iac check plan.json";

#[derive(Debug, Subcommand)]
pub(crate) enum IacCommand {
    /// Check what a Terraform plan or state, or an ARM template, would do to TLS enforcement.
    ///
    /// Reads `terraform show -json` of a plan or a state (format version 1), and ARM templates, which `bicep build` writes; up to
    /// 256 MiB. Only the few attributes about TLS are read, so no password of the file is in the output.
    #[command(after_help = CHECK_HELP)]
    Check(Box<IacCheckArgs>),
    /// Print the Terraform and Bicep that make a server enforce TLS.
    #[command(after_help = crate::exit::LOCAL_HELP)]
    Snippet(IacSnippetArgs),
}

#[derive(Debug, Args)]
pub(crate) struct IacCheckArgs {
    /// The file; `-` for standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The rules to check, as name or name@version: those about declared settings.
    #[arg(long, value_name = "NAME", default_value = "baseline", value_parser = Suggested(profiles), help_heading = "Rules")]
    profile: String,
    /// Compare with the servers: with an audit of now, or with `latest` kept, a kept RUN, or a FILE that -o json wrote.
    #[arg(long, value_name = "AUDIT", num_args = 0..=1, require_equals = true, default_missing_value = NOW, help_heading = "Rules")]
    live: Option<String>,
    /// Output format (repeatable). FORMAT=FILE writes to a file, which is replaced as a whole; one format can go to stdout.
    #[arg(long, short = 'o', value_name = "FORMAT[=FILE]", default_value = "table", ignore_case = true, value_parser = FormatToParser::<IacOutput>::new(), help_heading = "Output options")]
    output: Vec<FormatTo<IacOutput>>,
    /// JMESPath query over the JSON report, for what goes to stdout.
    #[arg(long, value_name = "JMESPATH", help_heading = "Output options")]
    query: Option<String>,
    #[command(flatten)]
    list: ListArgs<IacList>,
    #[command(flatten)]
    gate: IacGateArgs,
    #[command(flatten)]
    scope: LiveScope,
    #[command(flatten)]
    limits: LimitArgs,
    #[command(flatten)]
    state: StateArgs,
    #[command(flatten)]
    connect: ConnectArgs,
}

impl IacCheckArgs {
    /// The files that are read. The standard input is none, and neither is a kept run.
    fn inputs(&self) -> impl Iterator<Item = &Path> {
        let file = Some(self.file.as_path()).filter(|file| *file != Path::new("-"));
        let live = self.live.as_deref().filter(|live| *live != NOW).map(Path::new);
        file.into_iter().chain(live).chain(self.gate.baseline.as_deref()).chain(self.gate.waivers.as_deref())
    }
}

/// The value of `--live` for an audit that is made now.
const NOW: &str = "now";

/// What decides the exit code.
#[derive(Debug, Args)]
#[command(next_help_heading = "Gate options")]
struct IacGateArgs {
    /// What makes the check end with 3 (repeatable, or separated by commas; default: fail, and new with --baseline). What is not
    /// known still makes it end with 4, so 0 always means that everything is known.
    #[arg(long, value_name = "WHAT", value_enum, value_delimiter = ',')]
    fail_on: Vec<FailOnWord>,
    /// The check to compare with: a file that -o json=FILE wrote. If it had another profile or another format of file, a warning
    /// says so, and the check does not end with 0.
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// A file of waivers, as audits take it: failures that were accepted for a time. They are reported, and do not count.
    #[arg(long, value_name = "FILE", env = "HOSTSSL_WAIVERS")]
    waivers: Option<PathBuf>,
}

/// What decides the exit code, read before anything is checked.
struct IacRules {
    fail_on: Vec<FailOn>,
    baseline: Option<(String, IacBaseline)>,
    waivers: Option<(String, Vec<Waiver>)>,
}

impl IacGateArgs {
    fn rules(&self, profile: &Profile) -> Result<IacRules, CliError> {
        let hint = "add --baseline FILE with a file that `hostssl iac check FILE -o json` wrote";
        let fail_on = rules_of(&self.fail_on, self.baseline.is_some(), hint)?;
        let named = |path: &Path| path.display().to_string();
        let baseline = self.baseline.as_deref().map(|path| Ok::<_, CliError>((named(path), baseline(path)?)));
        let waivers =
            self.waivers.as_deref().map(|path| Ok::<_, CliError>((named(path), waivers::load(path, profile)?)));
        Ok(IacRules { fail_on, baseline: baseline.transpose()?, waivers: waivers.transpose()? })
    }
}

fn baseline(path: &Path) -> Result<IacBaseline, CliError> {
    let file = File::open(path).map_err(|error| {
        let what = format!("the baseline {} cannot be read: {error}", path.display());
        CliError::usage(what, "name a file that `hostssl iac check FILE -o json` wrote")
    })?;
    iac_baseline::read(file).map_err(|error| CliError::from(error).of_file(path))
}

pub(crate) fn run(command: &IacCommand, terminal: &TerminalArgs) -> Result<Exit, CliError> {
    match command {
        IacCommand::Check(args) => check_file(args, terminal),
        IacCommand::Snippet(args) => snippet(args, terminal),
    }
}

fn check_file(args: &IacCheckArgs, terminal: &TerminalArgs) -> Result<Exit, CliError> {
    let profile = declared_profile(&args.profile)?;
    let name = args.file.to_string_lossy();
    let writer = CheckWriter::new(args, &name, terminal)?;
    if args.live.is_none() && args.connect.simulate.is_some() {
        return Err(CliError::usage("--simulate does nothing without --live", "add --live, or leave --simulate out"));
    }
    args.scope.refuse_unless(args.live.as_deref())?;
    let rules = args.gate.rules(&profile)?;
    // The file first: an audit that nothing is compared with would be in vain.
    let file = open(&args.file)?;
    let live = args.live.as_deref().map(|live| audit(args, live, profile.clone(), terminal)).transpose()?;
    let mut report = check(&file, &profile, live.as_ref());
    report.fail_on = rules.fail_on;
    if let Some((name, waivers)) = rules.waivers {
        report.apply_waivers(&name, waivers);
    }
    if let Some((name, baseline)) = rules.baseline {
        report.compare_with(&name, &baseline);
    }
    writer.write(&report)?;
    Ok(Exit::of_audit_end(report.end()))
}

fn open(path: &Path) -> Result<IacFile, CliError> {
    if path == Path::new("-") {
        return Ok(read(io::stdin().lock())?);
    }
    let file = File::open(path).map_err(|error| {
        let what = format!("{} cannot be read: {error}", path.display());
        CliError::usage(what, "name a file that `terraform show -json` or `bicep build` wrote, or - for standard input")
    })?;
    read(file).map_err(|error| CliError::from(error).of_file(path))
}

/// The audit that the file is compared with.
fn audit(args: &IacCheckArgs, live: &str, profile: Profile, terminal: &TerminalArgs) -> Result<AuditReport, CliError> {
    if live != NOW {
        return audit_named(live, &args.state, args.connect.simulate.is_some(), "audit");
    }
    block_on(async {
        let tenants = connect(&args.connect, &args.state, &args.scope.scope.tenant, &args.limits, terminal).await?;
        let scope = args.scope.scope.scope(&SelectArgs::default());
        let request = AuditRequest { scope, profile, discovery: Discovery::Lists };
        let context = RunContext::begin(uuid::Uuid::now_v7().to_string(), &Timestamp::now, env!("CARGO_PKG_VERSION"));
        let mut progress = AuditBar::new(terminal);
        let result = audit_and_probe(&tenants, &request, None, context, &mut |event| progress.on(&event)).await;
        progress.finish();
        let report = result?;
        let names = report.subscriptions.iter().map(|one| (one.id.as_str(), &*one.name));
        stdout::warn_of_gaps(&report.gaps, &SubscriptionNames::new(names), Some(stdout::LISTS_GAPS), terminal);
        Ok(report)
    })
}

/// A profile of what is declared: no file says what a listener does.
fn declared_profile(name: &str) -> Result<Profile, CliError> {
    let known =
        || Profile::all().iter().filter(|one| !one.asks_the_wire()).map(ToString::to_string).collect::<Vec<_>>();
    let profile = Profile::find_for(name, false)
        .map_err(|error| CliError::usage(error.to_string(), Hint::with("profiles are {}", &[&known().join(", ")])))?;
    match profile.asks_the_wire() {
        true => {
            let hint = Hint::with("profiles without a probe are {}", &[&known().join(", ")]);
            Err(CliError::usage(format!("{profile} needs a probe, and no file says what a listener does"), hint))
        }
        false => Ok(profile),
    }
}
