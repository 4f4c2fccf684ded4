//! `hostssl waivers`, and the waivers of an audit.

use crate::again::quoted;
use crate::args::{ListArgs, Suggested, TerminalArgs, ValueFormat, WaiverList, controls, profiles};
use crate::error::CliError;
use crate::exit::Exit;
use crate::outputs::{lock_folder_of, replace, with_entry};
use crate::plan_file::is_stdin;
use crate::stdout;
use clap::{Args, Subcommand};
use hostssl_audit::{InvalidWaivers, NewWaiver, Profile, read_waivers};
use hostssl_console::{Trouble, WaiverSource};
use hostssl_formats::output::Format;
use hostssl_formats::{safe, waiver_text};
use hostssl_model::{FileMistake, Hint, Waiver};
use jiff::civil::Date;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The default name of the file.
pub(crate) const FILE: &str = "hostssl-waivers.toml";

/// More than any review could cover.
const MAX_BYTES: u64 = 4 << 20;

pub(crate) const HELP: &str = "A file has an entry for each waiver:
  [[waiver]]
  control = \"require-secure-transport\"
  # the id of a resource group, a server or a subscription
  scope = \"/subscriptions/11111111-2222-4333-8444-555555555555/resourceGroups/legacy\"
  owner = \"shop@example.com\"                   # who is responsible for the server
  approver = \"security@example.com\"            # a name or a list; not only the owner
  expires = \"2027-03-31\"                       # the last day, in UTC; profiles limit how far ahead
  reason = \"the importer has no TLS until its next release\"
  compensating-control = \"private endpoint\"    # may be left out
  ticket = \"SEC-1234\"                          # may be left out

";

pub(crate) const CHECK_HELP: &str = "Exit codes:
  0  every waiver is in effect
  1  the tool failed
  2  wrong usage, or a file that cannot be read: it waives nothing
  3  a waiver is not in effect";

#[derive(Debug, Subcommand)]
pub(crate) enum WaiversCommand {
    /// Check that a file of waivers can be read, and that each waiver is in effect.
    #[command(after_help = CHECK_HELP)]
    Check(WaiverFileArgs),
    /// List the waivers of a file.
    #[command(after_help = crate::exit::LOCAL_HELP)]
    List(ListWaiversArgs),
    /// Add a waiver to a file, for others to review.
    #[command(after_help = crate::exit::LOCAL_HELP)]
    Add(AddWaiverArgs),
}

#[derive(Debug, Args)]
pub(crate) struct WaiverFileArgs {
    /// The file; - for standard input, and with add, to print the waiver for others to paste.
    #[arg(value_name = "FILE", default_value = FILE)]
    file: PathBuf,
    /// The profile, which limits how long a waiver may last.
    #[arg(long, value_name = "NAME", default_value = "baseline", value_parser = Suggested(profiles))]
    profile: String,
}

#[derive(Debug, Args)]
pub(crate) struct ListWaiversArgs {
    #[command(flatten)]
    of: WaiverFileArgs,
    /// Output format.
    #[arg(long, short = 'o', value_enum, default_value_t = ValueFormat::Table, ignore_case = true)]
    output: ValueFormat,
    /// JMESPath query over the JSON.
    #[arg(long, value_name = "JMESPATH")]
    query: Option<String>,
    #[command(flatten)]
    list: ListArgs<WaiverList>,
}

#[derive(Debug, Args)]
pub(crate) struct AddWaiverArgs {
    #[command(flatten)]
    of: WaiverFileArgs,
    /// The control.
    #[arg(long, value_name = "ID", value_parser = Suggested(controls))]
    control: String,
    /// The id of a server, a resource group or a subscription.
    #[arg(long, value_name = "ID")]
    scope: String,
    /// Who is responsible for the server.
    #[arg(long, value_name = "NAME")]
    owner: String,
    /// Who accepts the failure: at least one person other than the owner (repeatable).
    #[arg(long, value_name = "NAME", required = true)]
    approver: Vec<String>,
    /// The last day on which it is valid, such as 2027-03-31.
    #[arg(long, value_name = "DATE")]
    expires: String,
    /// Why the failure is accepted.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// What protects the data in the meantime.
    #[arg(long, value_name = "TEXT")]
    compensating_control: Option<String>,
    /// Where it was decided.
    #[arg(long, value_name = "TEXT")]
    ticket: Option<String>,
}

pub(crate) fn run(command: &WaiversCommand, terminal: &TerminalArgs) -> Result<Exit, CliError> {
    match command {
        WaiversCommand::Check(args) => check(args, terminal),
        WaiversCommand::List(args) => list(args, terminal),
        WaiversCommand::Add(args) => add(args, terminal),
    }
}

/// Reads the waivers of a file, as they hold today by a profile.
pub(crate) fn load(path: &Path, profile: &Profile) -> Result<Vec<Waiver>, CliError> {
    understood(path, &text(path)?, profile)
}

/// The same of a file that is read again later, for the reason that is given. Fails where that cannot be.
pub(crate) fn load_again_and_again(path: &Path, profile: &Profile, why: &str) -> Result<Vec<Waiver>, CliError> {
    if is_stdin(path) || std::fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        let what = format!("{} is not a file, and {why}", path.display());
        return Err(CliError::usage(what, "write what it holds into a file, and name that"));
    }
    load(path, profile)
}

fn understood(path: &Path, text: &str, profile: &Profile) -> Result<Vec<Waiver>, CliError> {
    understood_on(today(), path, text, profile)
}

/// Reads the text of a file of waivers, as they hold on a day by a profile.
pub(crate) fn understood_on(day: Date, path: &Path, text: &str, profile: &Profile) -> Result<Vec<Waiver>, CliError> {
    let waivers = read_waivers(text, day, profile.settings.waiver_days);
    waivers.map_err(|error| CliError::from(error).of_file(path))
}

/// The text of a file of waivers.
pub(crate) fn text(path: &Path) -> Result<String, CliError> {
    let mut bytes = Vec::new();
    let file: Box<dyn Read> = if is_stdin(path) {
        Box::new(io::stdin().lock())
    } else {
        Box::new(File::open(path).map_err(|error| unreadable(path, &error))?)
    };
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(|error| unreadable(path, &error))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(unreadable(path, &ErrorKind::FileTooLarge.into()));
    }
    FileMistake::text_of(bytes).map_err(|mistake| CliError::from(InvalidWaivers::from(mistake)).of_file(path))
}

/// What reads a file of waivers for the console. Fails where it cannot be read or understood now.
pub(crate) fn served(path: &Path, profile: &Profile) -> Result<WaiverSource, CliError> {
    load_again_and_again(path, profile, "the console reads it anew for every page")?;
    let file = path.to_owned();
    let read = move || {
        // What was put in its place meanwhile may have no end.
        let is_file = std::fs::metadata(&file).is_ok_and(|found| found.is_file());
        let text = if is_file { text(&file) } else { Err(unreadable(&file, &ErrorKind::NotFound.into())) };
        text.map_err(|error| {
            let (what, hint) = error.parts();
            Trouble::new(what, hint)
        })
    };
    Ok(WaiverSource { name: path.display().to_string(), read: Arc::new(read) })
}

fn unreadable(path: &Path, error: &io::Error) -> CliError {
    let what = format!("the waivers of {} cannot be read: {error}", path.display());
    CliError::usage(what, "name a file of waivers, or make one as `hostssl waivers add --help` shows")
}

fn today() -> Date {
    jiff::tz::Offset::UTC.to_datetime(jiff::Timestamp::now()).date()
}

fn profile(name: &str) -> Result<Profile, CliError> {
    Profile::find_for(name, true).map_err(|error| {
        let known: Vec<String> = Profile::all().iter().map(ToString::to_string).collect();
        CliError::usage(error.to_string(), Hint::with("profiles are {}", &[&known.join(", ")]))
    })
}

fn check(args: &WaiverFileArgs, terminal: &TerminalArgs) -> Result<Exit, CliError> {
    let waivers = load(&args.file, &profile(&args.profile)?)?;
    let name = args.file.display().to_string();
    let broken: Vec<&Waiver> = waivers.iter().filter(|waiver| !waiver.is_in_effect()).collect();
    for waiver in &broken {
        let (place, why) = (waiver_text::place(&name, waiver), waiver_text::not_in_effect(waiver));
        stderr!("warning: {place}: {}: {why}", waiver.control);
    }
    if !terminal.quiet {
        let in_effect = waivers.len() - broken.len();
        let are = if in_effect == 1 { "is" } else { "are" };
        stderr!("{}: {in_effect} of {} waivers {are} in effect", safe(&name), waivers.len());
    }
    Ok(if broken.is_empty() { Exit::AllPass } else { Exit::Findings })
}

fn list(args: &ListWaiversArgs, terminal: &TerminalArgs) -> Result<Exit, CliError> {
    let query = stdout::query(args.query.as_deref())?;
    let format = Format::from(args.output);
    let is_table = format == Format::Table && query.is_none();
    let shape = args.list.shape(is_table, args.output == ValueFormat::Wide)?;
    let waivers = load(&args.of.file, &profile(&args.of.profile)?)?;
    if is_table {
        stdout::write_text(terminal, &shape, |out, text| waiver_text::write(out, &waivers, text))?;
    } else {
        stdout::write_value(&waiver_text::value(&waivers), query.as_ref(), format, stdout::palette(terminal))?;
    }
    Ok(Exit::AllPass)
}

fn add(args: &AddWaiverArgs, terminal: &TerminalArgs) -> Result<Exit, CliError> {
    let (file, profile) = (&args.of.file, profile(&args.of.profile)?);
    let entry = entry(args, &profile)?;
    if is_stdin(file) {
        return stdout::write(|out| out.write_all(entry.as_bytes())).map(|()| Exit::AllPass);
    }
    // Held until the file is written: of two that add to it at once, the second reads what the first has written.
    let _lock = lock_folder_of(file);
    let before = if file.try_exists().unwrap_or(true) { text(file)? } else { String::new() };
    // A file that is damaged already is neither made worse nor repaired.
    let known = understood(file, &before, &profile)?.len();
    let after = with_entry(&before, &entry);
    if understood(file, &after, &profile)?.len() != known + 1 {
        let what = format!("a waiver cannot be added to the end of {}", file.display());
        return Err(CliError::usage(what, "add it with an editor; `hostssl waivers --help` shows how one is written"));
    }
    replace(file, |out| out.write_all(after.as_bytes()).map_err(|error| CliError::failed(&error, "free some space")))?;
    if !terminal.quiet {
        let file = file.display().to_string();
        let audit = format!("hostssl audit --waivers {}", quoted(&file));
        stderr!("added to {}; it counts with `{}`", safe(&file), terminal.again.command(&audit));
    }
    Ok(Exit::AllPass)
}

/// The waiver as it stands in a file.
fn entry(args: &AddWaiverArgs, profile: &Profile) -> Result<String, CliError> {
    let waiver = NewWaiver {
        control: &args.control,
        scope: &args.scope,
        owner: &args.owner,
        reason: &args.reason,
        approvers: &args.approver,
        expires: &args.expires,
        compensating_control: args.compensating_control.as_deref(),
        ticket: args.ticket.as_deref(),
    };
    let longest_days = profile.settings.waiver_days;
    waiver.to_toml_in_effect(today(), longest_days).map_err(|why| {
        let refused = CliError::usage(waiver_text::refused(&why), "");
        refused.with_hint("correct the options; nothing was written")
    })
}
