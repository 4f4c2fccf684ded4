//! `hostssl evidence`.

mod earlier;
mod gather;
mod packed_transcripts;
mod readable;

use crate::args::{SimulatedArgs, StateArgs, Suggested, TerminalArgs, latest};
use crate::commands::waivers;
use crate::error::CliError;
use crate::exit::Exit;
use crate::outputs::replace;
use crate::state::{find_audit_in, nothing_kept};
use crate::stdout;
use clap::{Args, Subcommand};
use gather::{Gathered, utc};
use hostssl_audit::{apply_waivers, gate};
use hostssl_evidence::{AllowedSigners, MANIFEST, PackArchive, PackFile, PackSigner, pack_files, verify, write_check};
use hostssl_formats::safe;
use hostssl_model::Hint;
use hostssl_ops::rules_of;
use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read as _, Write};
use std::path::{Path, PathBuf};

pub(crate) const HELP: &str = "Exit codes:
  0  the pack is written, whatever the audit found
  1  the tool failed (no disk)
  2  wrong usage: no such audit, or a key or waivers that cannot be used
  4  the pack is written, and a part of what was kept is damaged: README.txt and pack.json in it say which

Examples:
  hostssl evidence --out evidence.zip --sign ~/.ssh/id_ed25519
  hostssl evidence verify evidence.zip --allowed-signers allowed_signers";

pub(crate) const VERIFY_HELP: &str = "Exit codes:
  0  the pack is as it was written, and its signature is valid if it has one
  1  the tool failed
  2  wrong usage, or a file that is not a pack
  3  something was changed, is missing or was added, or the signature is not valid or not by an allowed signer
  4  it is as it was written, and says that it is not complete";

/// The longest key or file of signers that is read.
const MAX_BYTES: u64 = 1 << 20;

#[derive(Debug, Args)]
pub(crate) struct EvidenceArgs {
    #[command(subcommand)]
    command: Option<EvidenceCommand>,
    /// The audit: its id, the start of its id, or latest.
    #[arg(value_name = "RUN", default_value = "latest", value_parser = Suggested(latest), hide_possible_values = true)]
    run: String,
    /// The ZIP file, which is replaced as a whole.
    #[arg(long, value_name = "FILE", required = true)]
    out: Option<PathBuf>,
    /// Sign the manifest with this private key: Ed25519 in OpenSSH's format, without a passphrase. `ssh-keygen -Y verify` checks
    /// the signature.
    #[arg(long, value_name = "KEY")]
    sign: Option<PathBuf>,
    /// A file of waivers, to put into the pack and beside the failures that it covers, as it held on the day of the audit.
    #[arg(long, value_name = "FILE", env = "HOSTSSL_WAIVERS")]
    waivers: Option<PathBuf>,
    #[command(flatten)]
    state: StateArgs,
    #[command(flatten)]
    of: SimulatedArgs,
}

#[derive(Debug, Subcommand)]
enum EvidenceCommand {
    /// Check that a pack is as it was written: no byte changed, no file missing or added, and who signed it.
    #[command(after_help = VERIFY_HELP)]
    Verify(VerifyArgs),
}

#[derive(Debug, Args)]
struct VerifyArgs {
    /// The ZIP file.
    #[arg(value_name = "FILE")]
    pack: PathBuf,
    /// The keys that may sign, as `ssh-keygen -Y verify -f` takes them: a line `NAME ssh-ed25519 KEY` each. Then a pack that
    /// none of them has signed does not pass.
    #[arg(long, value_name = "FILE")]
    allowed_signers: Option<PathBuf>,
}

pub(crate) fn run(args: &EvidenceArgs, terminal: &TerminalArgs) -> Result<Exit, CliError> {
    match (&args.command, &args.out) {
        (Some(EvidenceCommand::Verify(args)), _) => check(args),
        (None, Some(out)) => pack(args, out, terminal),
        (None, None) => Err(CliError::usage("no file was named", "name one with --out FILE")),
    }
}

/// Refuses to replace a file that the pack is made from.
fn keep_apart(out: &Path, inputs: [Option<&Path>; 2]) -> Result<(), CliError> {
    let Ok(out) = out.canonicalize() else { return Ok(()) };
    let is_input = |input: &&Path| input.canonicalize().is_ok_and(|input| input == out);
    match inputs.into_iter().flatten().find(is_input) {
        Some(input) => {
            let message =
                format!("--out would replace {}, which the pack is made from", safe(&input.display().to_string()));
            Err(CliError::usage(message, "name another file with --out"))
        }
        None => Ok(()),
    }
}

fn pack(args: &EvidenceArgs, out: &Path, terminal: &TerminalArgs) -> Result<Exit, CliError> {
    keep_apart(out, [args.sign.as_deref(), args.waivers.as_deref()])?;
    let signer = args.sign.as_deref().map(read_key).transpose()?;
    let simulated = args.of.simulated();
    let reader = args.state.read_if_any(simulated)?.ok_or_else(|| nothing_kept(&args.state, simulated))?;
    let audit = find_audit_in((&args.state, simulated), &reader, &args.run)?;
    reader.check_documents(&audit)?;
    let mut report = reader.audit_report(&audit)?;
    let ended = utc(&report.run.finished_at);
    let waivers = args.waivers.as_deref().map(|path| Ok::<_, CliError>((path, waivers::text(path)?))).transpose()?;
    if let Some((path, text)) = &waivers {
        let day = ended.date();
        let read = waivers::understood_on(day, path, text, &rules_of(&report.run.profile))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        apply_waivers(&mut report, &name, read);
        report.overlay.gate = Some(gate(&report, &[], None));
    }
    let mut gathered = Gathered::read(&reader, &audit, &mut report)?;
    let text = waivers.as_ref().map(|(_, text)| text.as_str());
    let files = pack_files(gathered.input(&report, text, simulated), signer.as_ref());
    let files = files.map_err(|error| CliError::defect(&error))?;
    let archive = PackArchive::of(&files, ended)?;
    replace(out, |to| archive.write(to).map_err(|error| CliError::failed(&error, "free some space")))?;
    if !terminal.quiet {
        let by = signer.as_ref().map(|key| format!(", signed by {}", key.fingerprint()));
        let shown = out.display().to_string();
        stderr!("written: {}: audit {}, {} files{}", safe(&shown), report.run.id, files.len(), by.unwrap_or_default());
        if !report.run.complete {
            stderr!("note: this audit is not complete; README.txt in the pack says what could not be checked");
        }
    }
    for part in gathered.missing() {
        stderr!("warning: all or a part of {} is not in the pack: {}", safe(&part.what), safe(&part.why));
    }
    stdout::write(|to| write_digest(to, &files))?;
    Ok(if gathered.missing().is_empty() { Exit::AllPass } else { Exit::Incomplete })
}

/// What an auditor who does not trust the way that a pack takes compares with: the SHA-256 of the manifest.
fn write_digest(out: &mut dyn Write, files: &[PackFile]) -> io::Result<()> {
    let manifest = files.iter().find(|file| file.path == MANIFEST);
    manifest.map_or(Ok(()), |file| writeln!(out, "{}  {MANIFEST}", file.sha256()))
}

fn read_key(path: &Path) -> Result<PackSigner, CliError> {
    PackSigner::read(&text(path, "a private key")?).map_err(|error| CliError::from(error).of_file(path))
}

fn check(args: &VerifyArgs) -> Result<Exit, CliError> {
    let allowed = match &args.allowed_signers {
        Some(path) => {
            let text = text(path, "a file of allowed signers")?;
            Some(AllowedSigners::read(&text).map_err(|error| CliError::from(error).of_file(path))?)
        }
        None => None,
    };
    let pack = &args.pack;
    let file = File::open(pack).map_err(|error| unreadable(pack, "a pack", &error))?;
    if file.metadata().is_ok_and(|found| found.is_dir()) {
        return Err(unreadable(pack, "a pack", &ErrorKind::IsADirectory.into()));
    }
    let check = verify(BufReader::new(file), allowed.as_ref()).map_err(|error| CliError::from(error).of_file(pack))?;
    stdout::write(|out| write_check(out, &check))?;
    Ok(match (check.problems.is_empty(), check.is_partial) {
        (false, _) => Exit::Findings,
        (true, true) => Exit::Incomplete,
        (true, false) => Exit::AllPass,
    })
}

/// The text of a small file.
fn text(path: &Path, what: &str) -> Result<String, CliError> {
    let mut text = String::new();
    let file = File::open(path).map_err(|error| unreadable(path, what, &error))?;
    file.take(MAX_BYTES + 1).read_to_string(&mut text).map_err(|error| unreadable(path, what, &error))?;
    if text.len() as u64 > MAX_BYTES {
        return Err(unreadable(path, what, &ErrorKind::FileTooLarge.into()));
    }
    Ok(text)
}

fn unreadable(path: &Path, what: &str, error: &io::Error) -> CliError {
    CliError::usage(
        format!("{} cannot be read: {error}", path.display()),
        Hint::with("name {} that you may read", &[&what]),
    )
}
