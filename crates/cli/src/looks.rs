//! `--zones` and `--looks`: what was seen of the listeners from elsewhere.

use crate::args::{StateArgs, TerminalArgs, duration};
use crate::error::CliError;
use crate::state_patience::StatePatience;
use clap::Args;
use hostssl_console::{LooksFile, Trouble, ZoneFiles, ZoneSource, looks_of_probers, read_looks};
use hostssl_formats::safe;
use hostssl_model::{AuditReport, FileMistake, Hint, WorstListener, ZoneRule};
use hostssl_ops::{Looks, Vantages, read_zones};
use hostssl_store::{AuditStore, EndedLook, StoreReader};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;
use std::fs::{File, FileType};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{self, BufReader, ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The default name of the file of zones.
pub(crate) const FILE: &str = "hostssl-zones.toml";

/// More rules than anyone could review, in bytes.
const LARGEST_ZONES: u64 = 4 << 20;
/// The looks of a hundred thousand servers, in bytes.
const LARGEST_LOOKS: u64 = 1 << 30;
const LOOKS_HINT: &str = "--looks takes a file that `hostssl probe` wrote";
/// Servers that a message names.
const NAMED: usize = 5;

/// Where listeners were probed from that are not reached from here.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Wire options")]
pub(crate) struct VantageArgs {
    /// Count what `hostssl probe --targets LIST -o json` saw in a zone; a folder stands for the .json files in it (repeatable). A
    /// server that is reached from several places is judged by all of them.
    #[arg(long, value_name = "FILE", requires = "probe")]
    looks: Vec<PathBuf>,
    /// Ignore looks that are older than this.
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = duration, requires = "probe")]
    looks_max_age: Duration,
    /// The file that says which servers are probed from which zone: one without an answer from there is unknown. See `hostssl
    /// zones --help`.
    #[arg(long, value_name = "FILE", env = "HOSTSSL_ZONES")]
    zones: Option<PathBuf>,
}

impl VantageArgs {
    /// Whether a file says which servers are probed from which zone.
    pub(crate) fn has_zones(&self) -> bool {
        self.zones.is_some()
    }

    /// Fails when the options are given to a command that does not probe: they would do nothing.
    pub(crate) fn refuse_without_probe(&self) -> Result<(), CliError> {
        // The variable alone is not a mistake: it may be meant for other commands.
        let by_variable = std::env::var_os("HOSTSSL_ZONES").map(PathBuf::from);
        match &self.zones {
            Some(zones) if Some(zones) != by_variable.as_ref() => Err(CliError::usage(
                "--zones needs --probe: it says from where listeners are probed",
                "add --probe, or leave --zones out",
            )),
            _ => Ok(()),
        }
    }

    /// What was seen from elsewhere, and what should have been; the state has the changes that were made since, and what zones
    /// saw before.
    pub(crate) fn vantages(
        &self,
        state: &StateArgs,
        simulated: bool,
        patience: StatePatience,
        terminal: &TerminalArgs,
    ) -> Result<Arc<Vantages>, CliError> {
        refuse_empty(&self.looks)?;
        // Once: a pipe has its text for one reader.
        let files = checked_files(self.zones.as_deref(), &self.looks)?;
        if self.zones.is_none() && self.looks.is_empty() {
            // The state is asked for what it knows better. A run works without it, and says so.
            let asked = if simulated && state.state.is_none() { Ok(None) } else { state.read_if_any(simulated) };
            let known = asked.and_then(|reader| Ok(reader.map_or_else(|| Ok(Vec::new()), |it| it.known_from_zones())?));
            let known = known.unwrap_or_else(|error| {
                warn_of_state(
                    "it is not known whether a zone saw plaintext: the state cannot be read",
                    &error,
                    terminal,
                );
                Vec::new()
            });
            return Ok(Arc::new(brought(files, Vec::new(), self.looks_max_age).with_state(known)));
        }
        let reader = state.read_before_keeping(simulated, patience)?;
        if reader.is_some() {
            // What runs wrote since is taken in; a state that cannot be written says what it has.
            let store = AuditStore::open_within(&state.directory(simulated)?, patience.left());
            if let Err(error) = store.and_then(|store| store.latest()) {
                let what = "a look from before a change by hostssl may count: what runs wrote could not be taken in";
                warn_of_state(what, &error.into(), terminal);
            }
        }
        let Some(reader) = reader else { return Ok(Arc::new(brought(files, Vec::new(), self.looks_max_age))) };
        let brought = match self.zones {
            Some(_) => self.with_probers(files, &reader)?,
            None => brought(files, Vec::new(), self.looks_max_age),
        };
        Ok(Arc::new(brought.with_state(reader.known_from_zones()?)))
    }

    /// The files with what probers told the console that has this state. They count where the rules name their zones.
    fn with_probers(&self, files: ZoneFiles, reader: &StoreReader) -> Result<Vantages, CliError> {
        let now = Timestamp::now();
        let oldest = now.checked_sub(signed(self.looks_max_age)).unwrap_or(Timestamp::MIN);
        let probed = looks_of_probers(|take| reader.each_look_of_probers(oldest.as_millisecond(), take), now)?;
        Ok(brought(files, probed, self.looks_max_age).with_reasons(reader.reasons_of_probers()?))
    }

    /// Says of which servers the looks proved nothing: listeners that were probed in zones and that no server in the audit has,
    /// and servers of which the state knows worse than what this audit asked.
    pub(crate) fn print_notes(&self, vantages: &Vantages, report: &AuditReport) {
        let strangers = vantages.strangers(report.servers.iter().map(|one| &one.server));
        if let [first, ..] = strangers.as_slice() {
            let (count, first) = (strangers.len(), safe(first));
            let those = if count == 1 {
                "1 endpoint that was probed in a zone belongs"
            } else {
                &format!("{count} endpoints that were probed in zones belong")
            };
            stderr!("warning: {those} to no server in scope, such as {first}: those looks were not used");
        }
        let untold = vantages.untold(&report.servers);
        if untold.is_empty() {
            return;
        }
        let one = |(server, look): &(&hostssl_model::ServerReport, &hostssl_model::WireObservation)| {
            let zone = look.vantage.as_ref().map_or("", |vantage| &*vantage.zone);
            format!("{} port {} from zone {zone} at {}", safe(server.server.name()), look.port, look.observed_at)
        };
        let names = named(untold.iter().map(one));
        stderr!(
            "warning: plaintext was accepted when a zone was probed last, and this audit has no conclusive look from there: {names}"
        );
        let zones: BTreeSet<&str> =
            untold.iter().filter_map(|(_, look)| look.vantage.as_ref()).map(|vantage| &*vantage.zone).collect();
        let (gone, ruled): (Vec<&str>, Vec<&str>) = zones.into_iter().partition(|zone| vantages.is_unruled(zone));
        if !ruled.is_empty() {
            stderr!("hint: probe those zones again and give what they see with --looks");
        }
        if !gone.is_empty() {
            let names = named(gone.into_iter().map(|zone| safe(zone).to_string()));
            stderr!(
                "hint: no rule names zone {names}: what was seen there counts until the server is seen from where the rules say"
            );
        }
    }
}

/// Says that the state did not help, and why.
fn warn_of_state(what: &str, error: &CliError, terminal: &TerminalArgs) {
    let (why, hint) = error.parts();
    stderr!("warning: {what}: {}", safe(&why));
    terminal.hint(&hint);
}

/// Says what the state counts no more since an audit was kept.
pub(crate) fn print_ended_looks(vantages: &Vantages, state: &StateArgs, simulated: bool) {
    let after = state.directory(simulated).and_then(|directory| Ok(StoreReader::open(&directory)?.known_from_zones()?));
    // What could not be kept was said.
    let Ok(after) = after else { return };
    let ended = vantages.ended(&after);
    let worst = |one: &EndedLook| WorstListener::from(&one.look.listener);
    for (server, one) in ended.iter().take(NAMED) {
        let zone = one.look.vantage.as_ref().map_or("", |vantage| &*vantage.zone);
        let address = one.look.address.as_deref().map_or(String::new(), |address| format!(" at {}", safe(address)));
        stderr!(
            "note: {} port {}{address} {} from zone {zone} at {}; that counts no more: {}",
            safe(server),
            one.look.port,
            worst(one).words(),
            one.look.observed_at,
            one.end.words()
        );
    }
    if let more @ 1.. = ended.len().saturating_sub(NAMED) {
        stderr!("note: {more} more looks from zones count no more; the console shows each on the page of its server");
    }
}

/// A few names, and how many more there are.
fn named(names: impl ExactSizeIterator<Item = String>) -> String {
    let more = names.len().saturating_sub(NAMED);
    let first = names.take(NAMED).collect::<Vec<_>>().join(", ");
    if more > 0 { format!("{first} and {more} more") } else { first }
}

/// What files say of zones: their rules, and what was seen from there. Fails where a file is of a zone that no rule names.
fn checked_files(zones: Option<&Path>, looks: &[PathBuf]) -> Result<ZoneFiles, CliError> {
    let files = read_files(zones, &files_of(looks)?)?;
    if let Some(rules) = &files.rules
        && let Some(file) = files.looks.iter().find(|file| !is_ruled(rules, &file.looks))
    {
        let what = format!("{} is of zone {}, which no rule names", file.name, file.looks.zone);
        return Err(CliError::usage(what, "correct the file of zones: `hostssl zones list` shows its rules"));
    }
    Ok(files)
}

/// What was brought, with looks of zones that the rules may not name any more: those are left out.
fn brought(files: ZoneFiles, others: Vec<Looks>, longest: Duration) -> Vantages {
    let ZoneFiles { rules, looks } = files;
    let ruled = |looks: &Looks| rules.as_ref().is_some_and(|rules| is_ruled(rules, looks));
    let others: Vec<Looks> = others.into_iter().filter(ruled).collect();
    let looks = looks.into_iter().map(|file| file.looks).chain(others).collect();
    Vantages::new(rules, looks, Timestamp::now(), signed(longest))
}

fn is_ruled(rules: &[ZoneRule], looks: &Looks) -> bool {
    rules.iter().any(|rule| rule.zone == looks.zone)
}

fn read_files(zones: Option<&Path>, files: &[PathBuf]) -> Result<ZoneFiles, CliError> {
    let rules = zones.map(load_zones_in_force).transpose()?;
    let read = |path: &PathBuf| {
        let name = path.display().to_string();
        Ok(LooksFile { name, is_uploaded: false, looks: load_looks(path)? })
    };
    let looks = files.iter().map(read).collect::<Result<_, CliError>>()?;
    Ok(ZoneFiles { rules, looks })
}

fn signed(longest: Duration) -> SignedDuration {
    SignedDuration::try_from(longest).unwrap_or(SignedDuration::MAX)
}

/// Where listeners of the console's audits were probed from that are not reached from here.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Wire options")]
pub(crate) struct ServedZonesArgs {
    /// The file that says which servers are probed from which zone; read anew for every audit. See `hostssl zones --help`.
    #[arg(long, value_name = "FILE", env = "HOSTSSL_ZONES")]
    zones: Option<PathBuf>,
    /// What `hostssl probe --targets LIST -o json` saw in a zone: a file, or a folder for the .json files in it; read anew for
    /// every audit (repeatable). Files can also be uploaded on the page Zones.
    #[arg(long, value_name = "FILE")]
    looks: Vec<PathBuf>,
    /// The oldest look that an audit counts.
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = duration)]
    looks_max_age: Duration,
}

impl ServedZonesArgs {
    /// What reads the files for the console. Fails where it cannot now: each audit would.
    pub(crate) fn source(&self) -> Result<ZoneSource, CliError> {
        // A folder may be filled later.
        for file in self.zones.iter().chain(&files_of(&self.looks)?) {
            refuse_pipe(file)?;
        }
        checked_files(self.zones.as_deref(), &self.looks)?;
        let (zones, looks) = (self.zones.clone(), self.looks.clone());
        let stamp = {
            let (zones, looks) = (zones.clone(), looks.clone());
            move |folder: &Path| stamp_of(zones.iter().chain(&with_folder(&looks, folder).ok()?))
        };
        let read = move |folder: &Path| {
            let read = || {
                let files = with_folder(&looks, folder)?;
                // A pipe has one reader, once, and no page waits for its writer.
                if let Some(file) = files.iter().find(|file| !file.is_file()) {
                    return Err(CliError::usage(format!("{} is not a file", file.display()), LOOKS_HINT));
                }
                read_files(zones.as_deref(), &files)
            };
            let mut files = read().map_err(|error| {
                let (what, hint) = error.parts();
                Trouble::new(what, hint)
            })?;
            for file in &mut files.looks {
                file.is_uploaded = Path::new(&file.name).parent() == Some(folder);
                let name = Path::new(&file.name).file_name().map(|name| name.to_string_lossy().into_owned());
                file.name = name.unwrap_or_default();
            }
            Ok(files)
        };
        let given = self.zones.is_some() || !self.looks.is_empty();
        Ok(ZoneSource { read: Arc::new(read), stamp: Arc::new(stamp), given, longest: signed(self.looks_max_age) })
    }
}

/// Fails for what can be read once only: the console reads its files anew for every audit, and waits for no writer.
fn refuse_pipe(file: &Path) -> Result<(), CliError> {
    match std::fs::metadata(file) {
        Ok(metadata) if !metadata.is_file() => Err(CliError::usage(
            format!("{} is not a file, and the console reads it anew for every audit", file.display()),
            "write what it holds into a file, and name that",
        )),
        // What is missing is said when it is read.
        _ => Ok(()),
    }
}

/// The files that are named, and those of a folder, if there is one.
fn with_folder(paths: &[PathBuf], folder: &Path) -> Result<Vec<PathBuf>, CliError> {
    let folder = folder.is_dir().then(|| folder.to_owned());
    files_of(&paths.iter().cloned().chain(folder).collect::<Vec<_>>())
}

/// A number out of the names, the sizes and the times of files.
fn stamp_of<'a>(files: impl Iterator<Item = &'a PathBuf>) -> Option<u64> {
    let mut hasher = DefaultHasher::new();
    for file in files {
        let metadata = std::fs::metadata(file).ok()?;
        (file, metadata.len(), metadata.modified().ok()?).hash(&mut hasher);
    }
    Some(hasher.finish())
}

/// Fails for a folder without any file of looks: nothing in it would count, and no one would know.
fn refuse_empty(folders: &[PathBuf]) -> Result<(), CliError> {
    for folder in folders.iter().filter(|path| path.is_dir()) {
        if files_of(std::slice::from_ref(folder))?.is_empty() {
            return Err(CliError::usage(
                format!("the folder {} has no .json file, so there are no looks to count", folder.display()),
                "name the files that `hostssl probe -o json` wrote .json, or leave the folder out",
            ));
        }
    }
    Ok(())
}

/// The files that are named, and those of the folders that are.
fn files_of(paths: &[PathBuf]) -> Result<Vec<PathBuf>, CliError> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let unreadable = |error: io::Error| {
            CliError::usage(format!("the folder {} cannot be read: {error}", path.display()), "name the files in it")
        };
        let mut within = BTreeSet::new();
        for entry in path.read_dir().map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?.path();
            if entry.extension().is_some_and(|end| end.eq_ignore_ascii_case("json")) && entry.is_file() {
                within.insert(entry);
            }
        }
        files.extend(within);
    }
    Ok(files)
}

/// Reads the rules of a file of zones, which may have none yet.
pub(crate) fn load_zones(path: &Path) -> Result<Vec<ZoneRule>, CliError> {
    read_zones(&zones_text(path)?).map_err(|error| CliError::from(error).of_file(path))
}

/// Reads the rules that an audit goes by. A file without one would end what every zone has proven: it was cut short, or is
/// another file.
pub(crate) fn load_zones_in_force(path: &Path) -> Result<Vec<ZoneRule>, CliError> {
    let rules = load_zones(path)?;
    if rules.is_empty() {
        let what = format!("{} has no rule", path.display());
        return Err(CliError::usage(what, "`hostssl zones --help` shows how one is written; or leave --zones out"));
    }
    Ok(rules)
}

/// The text of a file of zones.
pub(crate) fn zones_text(path: &Path) -> Result<String, CliError> {
    let unreadable = |error: io::Error| {
        let what = format!("the zones of {} cannot be read: {error}", path.display());
        CliError::usage(what, "name a file of zones, or make one as `hostssl zones add --help` shows")
    };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(LARGEST_ZONES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > LARGEST_ZONES {
        return Err(unreadable(ErrorKind::FileTooLarge.into()));
    }
    FileMistake::text_of(bytes).map_err(|mistake| unreadable(io::Error::other(mistake.to_string())))
}

/// Whether a file has an end: what a shell passes from another program has one as well.
fn has_an_end(kind: FileType) -> bool {
    #[cfg(unix)]
    let is_pipe = std::os::unix::fs::FileTypeExt::is_fifo(&kind);
    #[cfg(not(unix))]
    let is_pipe = false;
    kind.is_file() || is_pipe
}

/// Reads what a probe in a zone saw.
fn load_looks(path: &Path) -> Result<Looks, CliError> {
    let place = path.display();
    let refused = |why: &dyn std::fmt::Display, hint: Hint| CliError::usage(format!("{place}: {why}"), hint);
    let metadata = std::fs::metadata(path).map_err(|error| refused(&error, LOOKS_HINT.into()))?;
    if !has_an_end(metadata.file_type()) {
        return Err(refused(&"it is neither a file nor a pipe", LOOKS_HINT.into()));
    }
    if metadata.len() > LARGEST_LOOKS {
        return Err(refused(&"it is larger than 1 GiB", "probe the zone in several parts".into()));
    }
    let file = File::open(path).map_err(|error| refused(&error, LOOKS_HINT.into()))?;
    read_looks(BufReader::new(file.take(LARGEST_LOOKS))).map_err(|Trouble { what, hint }| refused(&what, hint))
}
