//! `hostssl iac`.

use crate::args::{
    ConnectArgs, FormatTo, FormatToParser, LimitArgs, ScopeArgs, SelectArgs, StateArgs, Suggested, TerminalArgs,
    profiles,
};
use crate::connect::{block_on, connect};
use crate::error::CliError;
use crate::exit::Exit;
use crate::gate::audit_named;
use crate::outputs::Outputs;
use crate::progress::AuditBar;
use crate::stdout;
use clap::{Args, Subcommand, ValueEnum};
use hostssl_audit::Profile;
use hostssl_formats::iac_snippet::{NoSnippet, SnippetAim, SnippetLanguage};
use hostssl_formats::output::{Format, write_value};
use hostssl_formats::{
    Palette, Query, Shape, SubscriptionNames, Text, iac_json, iac_junit, iac_markdown, iac_sarif, iac_snippet,
    iac_text, safe,
};
use hostssl_iac::{IacFile, IacReport, check, read};
use hostssl_model::{AuditReport, FailOn, Hint, Kind, ResourceId};
use hostssl_ops::{AuditRequest, Discovery, RunContext, audit_and_probe};
use jiff::Timestamp;
use std::fs::File;
use std::io::{self, Write};
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
    /// What makes the check end with 3 (repeatable, or separated by commas; default: fail). What is not known still makes it end
    /// with 4, so 0 always means that everything is known.
    #[arg(long, value_name = "WHAT", value_enum, value_delimiter = ',', help_heading = "Gate options")]
    fail_on: Vec<IacFailOn>,
    #[command(flatten)]
    scope: ScopeArgs,
    #[command(flatten)]
    limits: LimitArgs,
    #[command(flatten)]
    state: StateArgs,
    #[command(flatten)]
    connect: ConnectArgs,
}

/// The value of `--live` for an audit that is made now.
const NOW: &str = "now";

/// What audits take too, but what compares with an earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum IacFailOn {
    /// A rule that fails.
    Fail,
    /// A rule of high severity that fails.
    High,
    /// Something that is not known: 3 instead of 4.
    Unknown,
    /// No failure.
    Never,
}

impl From<IacFailOn> for FailOn {
    fn from(word: IacFailOn) -> Self {
        match word {
            IacFailOn::Fail => Self::Fail,
            IacFailOn::High => Self::High,
            IacFailOn::Unknown => Self::Unknown,
            IacFailOn::Never => Self::Never,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct IacSnippetArgs {
    /// The server: its resource id, or its name in the newest kept audit.
    #[arg(value_name = "SERVER")]
    server: String,
    /// The rules that the values must pass.
    #[arg(long, value_name = "NAME", default_value = "baseline", value_parser = Suggested(profiles))]
    profile: String,
    /// Also raise the maximum version to TLS 1.3, for a server on which it is lower.
    #[arg(long)]
    raise_maximum: bool,
    /// Print only this language.
    #[arg(long, short = 'o', value_enum, ignore_case = true, help_heading = "Output options")]
    output: Option<SnippetOutput>,
    #[command(flatten)]
    state: StateArgs,
    #[command(flatten)]
    of: crate::args::SimulatedArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SnippetOutput {
    /// For the provider azurerm.
    Terraform,
    Bicep,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum IacOutput {
    Table,
    /// A table with every column, however wide the terminal is.
    Wide,
    Json,
    /// JSON in colour, where the terminal has colours.
    Jsonc,
    Yaml,
    /// YAML in colour, where the terminal has colours.
    Yamlc,
    Tsv,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// JUnit XML, for the test pages of pipelines.
    Junit,
    /// A summary for a pull request.
    Markdown,
    None,
}

impl IacOutput {
    /// The format for values; `None` for what is not a list of values.
    fn format(self) -> Option<Format> {
        Some(match self {
            Self::Table | Self::Wide => Format::Table,
            Self::Json => Format::Json,
            Self::Jsonc => Format::Jsonc,
            Self::Yaml => Format::Yaml,
            Self::Yamlc => Format::Yamlc,
            Self::Tsv => Format::Tsv,
            Self::None => Format::None,
            Self::Sarif | Self::Junit | Self::Markdown => return None,
        })
    }
}

pub(crate) fn run(command: &IacCommand, terminal: &TerminalArgs) -> Result<Exit, CliError> {
    match command {
        IacCommand::Check(args) => check_file(args, terminal),
        IacCommand::Snippet(args) => snippet(args),
    }
}

fn check_file(args: &IacCheckArgs, terminal: &TerminalArgs) -> Result<Exit, CliError> {
    let profile = declared_profile(&args.profile)?;
    let query = stdout::query(args.query.as_deref())?;
    let outputs = Outputs::of(&args.output)?;
    if query.is_some() && outputs.stdout.is_none_or(|format| format.format().is_none()) {
        return Err(CliError::usage("--query is for values that go to stdout", "add -o json, or leave --query out"));
    }
    if args.live.is_none() && args.connect.simulate.is_some() {
        return Err(CliError::usage("--simulate does nothing without --live", "add --live, or leave --simulate out"));
    }
    let mut fail_on: Vec<FailOn> = args.fail_on.iter().map(|word| FailOn::from(*word)).collect();
    fail_on.sort_unstable();
    fail_on.dedup();
    if fail_on.contains(&FailOn::Never) && fail_on.len() > 1 {
        return Err(CliError::usage(
            "--fail-on never cannot be combined with others",
            "leave out never, or the others",
        ));
    }
    // The file first: an audit that nothing is compared with would be in vain.
    let file = open(&args.file)?;
    let live = args.live.as_deref().map(|live| audit(args, live, profile.clone(), terminal)).transpose()?;
    let mut report = check(&file, &profile, live.as_ref());
    report.fail_on = fail_on;
    let name = args.file.to_string_lossy();
    let written = outputs.stdout.map_or(Ok(()), |format| write(&report, &name, format, query.as_ref(), terminal));
    let filed = outputs.write_files(terminal.quiet, |out, format| {
        let written = write_file(out, &report, &name, format, terminal)?;
        written.map_err(|error| CliError::failed(&error, "free some space, or name another file"))
    });
    written?;
    filed?;
    let is_table = query.is_none() && outputs.stdout.and_then(IacOutput::format) == Some(Format::Table);
    if !terminal.quiet && !is_table {
        stderr!("{}", safe(&iac_text::summary(&report)));
    }
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
        let tenants = connect(&args.connect, &args.state, &args.scope.tenant, &args.limits, terminal).await?;
        let scope = args.scope.scope(&SelectArgs::default());
        let request = AuditRequest { scope, profile, discovery: Discovery::Lists };
        let context = RunContext::begin(uuid::Uuid::now_v7().to_string(), &Timestamp::now, env!("CARGO_PKG_VERSION"));
        let mut progress = AuditBar::new(terminal);
        let result = audit_and_probe(&tenants, &request, None, context, &mut |event| progress.on(&event)).await;
        progress.finish();
        let report = result?;
        let names = report.subscriptions.iter().map(|one| (one.id.as_str(), &*one.name));
        stdout::warn_of_gaps(&report.gaps, &SubscriptionNames::new(names));
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

fn write(
    report: &IacReport,
    name: &str,
    output: IacOutput,
    query: Option<&Query>,
    terminal: &TerminalArgs,
) -> Result<(), CliError> {
    match (output.format(), query) {
        (Some(Format::Table), None) => {
            let shape = Shape { wide: output == IacOutput::Wide, ..Shape::AS_IS };
            stdout::write_text(terminal, &shape, |out, text| iac_text::write(out, report, name, text))
        }
        (Some(format), Some(query)) => {
            stdout::write_value(&value(report, name)?, Some(query), format, stdout::palette(terminal))
        }
        _ => {
            let mut whole = Vec::new();
            prepared(&mut whole, report, name, output, stdout::palette(terminal))?
                .map_err(|error| CliError::failed(&error, "free some memory"))?;
            stdout::write(|out| out.write_all(&whole))
        }
    }
}

/// Writes a report to a file: without colours, and as wide as it is.
fn write_file(
    out: &mut dyn Write,
    report: &IacReport,
    name: &str,
    output: IacOutput,
    terminal: &TerminalArgs,
) -> Result<io::Result<()>, CliError> {
    if output.format() != Some(Format::Table) {
        return prepared(out, report, name, output, Palette::Plain);
    }
    let shape = Shape { wide: output == IacOutput::Wide, ..Shape::AS_IS };
    let command = |command: &str| terminal.again.command(command);
    let text = Text { palette: Palette::Plain, width: None, shape: &shape, command: &command };
    Ok(iac_text::write(out, report, name, &text))
}

/// Writes a report in a format that is not a table.
fn prepared(
    out: &mut dyn Write,
    report: &IacReport,
    name: &str,
    output: IacOutput,
    palette: Palette,
) -> Result<io::Result<()>, CliError> {
    Ok(match output.format() {
        None if output == IacOutput::Junit => iac_junit::write(out, report, name),
        None if output == IacOutput::Markdown => iac_markdown::write(out, report, name),
        None => iac_sarif::write(out, report, name, env!("CARGO_PKG_VERSION")),
        Some(Format::Json) => iac_json::write(out, report, name),
        Some(Format::None) => Ok(()),
        Some(format) => {
            let mut value = value(report, name)?;
            // Without a query, a list of the whole document would show no server.
            let rows = if format == Format::Tsv { value["servers"].take() } else { value };
            write_value(out, &rows, format, &[], palette)
        }
    })
}

fn value(report: &IacReport, name: &str) -> Result<serde_json::Value, CliError> {
    iac_json::value(report, name).map_err(|error| CliError::defect(&error))
}

fn snippet(args: &IacSnippetArgs) -> Result<Exit, CliError> {
    let profile = declared_profile(&args.profile)?;
    let (kind, server) = server(args)?;
    let languages: &[SnippetLanguage] = match args.output {
        Some(SnippetOutput::Terraform) => &[SnippetLanguage::Terraform],
        Some(SnippetOutput::Bicep) => &[SnippetLanguage::Bicep],
        None => &[SnippetLanguage::Terraform, SnippetLanguage::Bicep],
    };
    let aim = SnippetAim { minimum: profile.settings.minimum_tls, raises_maximum: args.raise_maximum };
    let mut text = Vec::new();
    for (index, language) in languages.iter().enumerate() {
        if index > 0 {
            text.push(b'\n');
        }
        let written = iac_snippet::write(&mut text, kind, &server, aim, *language);
        written.map_err(|error| CliError::failed(&error, "free some memory"))?.map_err(no_snippet)?;
    }
    stdout::write(|out| out.write_all(&text))?;
    Ok(Exit::AllPass)
}

fn no_snippet(error: NoSnippet) -> CliError {
    let hint = match error {
        NoSnippet::AlwaysOn => "nothing needs to be set",
        NoSnippet::ParameterGroup => "change the parameter group manually",
        NoSnippet::Name => "give the id as Azure spells it",
    };
    CliError::usage(error.to_string(), hint)
}

/// The server that is named, and its kind.
fn server(args: &IacSnippetArgs) -> Result<(Kind, ResourceId), CliError> {
    if args.server.starts_with('/') {
        let invalid =
            |what: String| CliError::usage(what, "`hostssl server list --query '[].id'` lists the ids of servers");
        let id = ResourceId::try_from(args.server.as_str()).map_err(|error| invalid(error.to_string()))?;
        let kind = Kind::of_resource(&id).ok_or_else(|| invalid(format!("{id} is not the id of a server")))?;
        return Ok((kind, id));
    }
    let audit = audit_named("latest", &args.state, args.of.simulated(), "audit")?;
    let mut named = audit.servers.iter().filter(|report| report.server.name().eq_ignore_ascii_case(&args.server));
    match (named.next(), named.next()) {
        (Some(one), None) => Ok((one.server.kind, one.server.id.clone())),
        (Some(_), Some(_)) => {
            Err(CliError::usage(format!("several servers are called {}", args.server), "give the id of the server"))
        }
        (None, _) => {
            let what = format!("the newest kept audit has no server {}", args.server);
            Err(CliError::usage(what, "give the id of the server, or run `hostssl audit` first"))
        }
    }
}
