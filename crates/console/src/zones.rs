//! The zones that servers are probed from, as files say: read anew whenever they are asked for.

use crate::prober_port::looks_of_probers;
use crate::trouble::Trouble;
use hostssl_formats::probe_json::{self, ZoneLooks};
use hostssl_model::ZoneRule;
use hostssl_model::hex;
use hostssl_ops::{Looks, PROBE_AGAIN, Vantages, looks_of_zone};
use hostssl_store::AuditStore;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use std::ffi::OsStr;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufRead, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Files of looks that are kept here at once.
const MAX_FILES: usize = 500;
/// What they may have together, in MiB: an audit holds all of them in memory.
const MAX_MIB: u64 = 128;

/// Who reads or changes the folder of uploads: one at a time, so that no file goes between its listing and its reading, and
/// the limits hold for uploads that come together.
static FOLDER: Mutex<()> = Mutex::new(());

/// Reads the rules of zones and the looks from there, and those that were uploaded into a folder.
pub type ReadZones = Arc<dyn Fn(&Path) -> Result<ZoneFiles, Trouble> + Send + Sync>;

/// A number that is another one when any of those files has changed; nothing where that cannot be said.
pub type StampZones = Arc<dyn Fn(&Path) -> Option<u64> + Send + Sync>;

/// Where the rules of zones and the looks from there are.
#[derive(Clone)]
pub struct ZoneSource {
    /// Reads the files that the console was started with, and the folder of those that were uploaded here.
    pub read: ReadZones,
    /// Tells whether they have changed.
    pub stamp: StampZones,
    /// Whether it was started with any.
    pub given: bool,
    /// The oldest look that counts.
    pub longest: SignedDuration,
}

/// What files say of zones.
#[derive(Debug, Clone, Default)]
pub struct ZoneFiles {
    /// The rules; nothing where no file of zones was given.
    pub rules: Option<Vec<ZoneRule>>,
    /// What was seen, file by file.
    pub looks: Vec<LooksFile>,
}

/// One file of looks.
#[derive(Debug, Clone)]
pub struct LooksFile {
    /// Its name, without the folder.
    pub name: String,
    /// Whether it is in the folder of those that were uploaded.
    pub is_uploaded: bool,
    /// What it says.
    pub looks: Looks,
}

impl fmt::Debug for ZoneSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ZoneSource").field("given", &self.given).finish_non_exhaustive()
    }
}

/// The folder of the looks that were uploaded to the console.
pub(crate) fn folder_of(store: &AuditStore) -> PathBuf {
    store.directory().join("looks")
}

impl ZoneSource {
    /// What the files say now.
    pub(crate) fn files(&self, store: &AuditStore) -> Result<ZoneFiles, Trouble> {
        let _turn = turn();
        (self.read)(&folder_of(store))
    }

    /// A number that changes with the files.
    pub(crate) fn stamp(&self, store: &AuditStore) -> Option<u64> {
        (self.stamp)(&folder_of(store))
    }

    /// Whether an audit can count anything of zones.
    pub(crate) fn is_used(&self, store: &AuditStore) -> bool {
        self.given || fs::read_dir(folder_of(store)).is_ok_and(|mut files| files.next().is_some())
    }

    /// What an audit has to know before it probes, and which files it does not count, and why. A rule may go, and a zone be
    /// renamed, after a file of it was uploaded: that must not end the audits of every other zone.
    pub(crate) fn vantages(&self, store: &AuditStore) -> Result<(Vantages, Vec<String>), Trouble> {
        let ZoneFiles { rules, looks } = self.files(store)?;
        let is_named = |file: &LooksFile| names(rules.as_deref(), &file.looks.zone);
        let (looks, others): (Vec<LooksFile>, Vec<LooksFile>) = looks.into_iter().partition(is_named);
        let left_out = others.iter().map(|file| format!("{} is of the zone {}", file.name, file.looks.zone)).collect();
        // What runs wrote since is taken in.
        store.latest()?;
        let now = Timestamp::now();
        let mut looks: Vec<Looks> = looks.into_iter().map(|file| file.looks).collect();
        let probed = looks_of_probers(|take| store.each_look_of_probers(self.oldest_ms(now), take), now)?;
        looks.extend(probed.into_iter().filter(|own| names(rules.as_deref(), &own.zone)));
        let vantages = Vantages::new(rules, looks, now, self.longest);
        let vantages = vantages.with_reasons(store.reasons_of_probers()?);
        Ok((vantages.with_state(store.known_from_zones()?), left_out))
    }

    /// Takes in what a person uploads from a zone: as a whole, or nothing of it.
    pub(crate) fn take(&self, store: &AuditStore, bytes: &[u8]) -> Result<Looks, Trouble> {
        let now = Timestamp::now();
        let looks = read_looks(bytes)
            .map_err(|trouble| Trouble { what: format!("this file cannot be used: {}", trouble.what), ..trouble })?;
        let _turn = turn();
        let folder = folder_of(store);
        let files = (self.read)(&folder)?;
        if !names(files.rules.as_deref(), &looks.zone) {
            return Err(unnamed("the file", &looks.zone));
        }
        if looks.looks.is_empty() {
            return Err(Trouble::new("the file has no look in it", PROBE_AGAIN));
        }
        if newest_ms(&looks) < self.oldest_ms(now) {
            let what = format!("every look in the file is older than {:#}, so none counts", self.longest);
            return Err(Trouble::new(what, "probe the zone again"));
        }
        self.forget_old(&folder, &files, now);
        let name = format!("{}-{}.json", looks.zone, &hex(&Sha256::digest(bytes))[..16]);
        let (others, others_bytes) = kept_beside(&folder, &name).map_err(|error| {
            Trouble::new(
                format!("the files that were uploaded cannot be counted: {error}"),
                "check the state directory",
            )
        })?;
        if others >= MAX_FILES || others_bytes.saturating_add(bytes.len() as u64) > MAX_MIB << 20 {
            return Err(Trouble::new(
                format!(
                    "the uploaded files of looks may be {MAX_FILES}, of {MAX_MIB} MiB together, and this is one too many"
                ),
                "remove those in the folder looks of the state directory that newer ones replace, and upload this one again",
            ));
        }
        write_whole(&folder, &name, bytes).map_err(|error| {
            Trouble::new(format!("the file could not be kept: {error}"), "free some space in the state directory")
        })?;
        Ok(looks)
    }

    /// Removes a file that was uploaded here and that no audit counts, because no rule names its zone.
    pub(crate) fn remove(&self, store: &AuditStore, name: &str) -> Result<(), Trouble> {
        let _turn = turn();
        let folder = folder_of(store);
        let files = (self.read)(&folder)?;
        // Only a name that the folder has: none leads out of it.
        let Some(file) = files.looks.iter().find(|file| file.is_uploaded && file.name == name) else {
            return Err(Trouble::new("no file of this name is kept", "load the page Zones again"));
        };
        if names(files.rules.as_deref(), &file.looks.zone) {
            let what = format!("audits count what the zone {} saw", file.looks.zone);
            return Err(Trouble::new(what, "load the page Zones again: the file of zones may have changed"));
        }
        fs::remove_file(folder.join(&file.name)).map_err(|error| {
            Trouble::new(format!("the file could not be removed: {error}"), "check the state directory")
        })
    }

    /// Before when a look counts no more.
    pub(crate) fn oldest_ms(&self, now: Timestamp) -> i64 {
        now.checked_sub(self.longest).unwrap_or(Timestamp::MIN).as_millisecond()
    }

    /// Removes what was uploaded here and is so old that no audit would count it.
    fn forget_old(&self, folder: &Path, files: &ZoneFiles, now: Timestamp) {
        let is_old = |file: &&LooksFile| newest_ms(&file.looks) < self.oldest_ms(now);
        for file in files.looks.iter().filter(|file| file.is_uploaded).filter(is_old) {
            // One that cannot be removed is too old all the same.
            let _ = fs::remove_file(folder.join(&file.name));
        }
    }
}

fn turn() -> MutexGuard<'static, ()> {
    FOLDER.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How many files beside this one are kept, and how large they are. What a crash left of an upload goes.
fn kept_beside(folder: &Path, name: &str) -> io::Result<(usize, u64)> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((0, 0)),
        entries => entries?,
    };
    let (mut files, mut bytes) = (0, 0_u64);
    for entry in entries {
        let entry = entry?;
        if is_begun(&entry.file_name()) {
            fs::remove_file(entry.path())?;
        } else if entry.file_name() != name {
            files += 1;
            bytes = bytes.saturating_add(entry.metadata()?.len());
        }
    }
    Ok((files, bytes))
}

/// Whether a file has a name that [`write_whole`] gives before a file is whole.
fn is_begun(name: &OsStr) -> bool {
    let parts = name.to_str().and_then(|name| name.rsplit_once(".json."));
    parts.is_some_and(|(_, unique)| uuid::Uuid::parse_str(unique).is_ok())
}

/// When the newest of them was taken.
pub(crate) fn newest_ms(looks: &Looks) -> i64 {
    let taken = looks.looks.iter().filter_map(|(_, look)| look.vantage.as_ref()).map(|vantage| vantage.observed_ms);
    taken.max().unwrap_or(i64::MIN)
}

/// Whether the rules name a zone; without rules, any.
pub(crate) fn names(rules: Option<&[ZoneRule]>, zone: &str) -> bool {
    rules.is_none_or(|rules| rules.iter().any(|rule| *rule.zone == *zone))
}

fn unnamed(file: &str, zone: &str) -> Trouble {
    let what = format!("{file} is of the zone {zone}, which no rule of the file of zones names");
    Trouble::new(what, "add a rule for it as `hostssl zones add --help` shows, or upload a file of another zone")
}

/// Reads what a probe in a zone saw, from a file or a pipe.
///
/// # Errors
///
/// For a text that is something else, and for looks that contradict each other or the time.
pub fn read_looks(text: impl BufRead) -> Result<Looks, Trouble> {
    let text = utf8(text)
        .map_err(|why| Trouble::new(why, "write it with a shell that keeps bytes as they are, such as cmd or bash"))?;
    let ZoneLooks { zone, endpoints } = probe_json::read_document(text)
        .map_err(|error| Trouble::new(format!("it cannot be read: {error}"), PROBE_AGAIN))?;
    // A pipe may have been waited for, while its looks were taken.
    Ok(looks_of_zone(zone.as_deref(), &endpoints, Timestamp::now())?)
}

/// What stands behind the mark that editors and shells of Windows put at the beginning of a text.
///
/// # Errors
///
/// For a text in UTF-16.
pub fn utf8<R: BufRead>(mut text: R) -> Result<R, String> {
    let begin = text.fill_buf().map_err(|error| error.to_string())?;
    if begin.starts_with(&[0xff, 0xfe]) || begin.starts_with(&[0xfe, 0xff]) {
        return Err("it is UTF-16, as PowerShell writes with >".to_owned());
    }
    let mark = if begin.starts_with("\u{feff}".as_bytes()) { 3 } else { 0 };
    text.consume(mark);
    Ok(text)
}

/// Writes a file as a whole, for this user alone.
fn write_whole(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.recursive(true).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let begun = folder.join(format!("{name}.{}", uuid::Uuid::new_v4()));
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(&begun).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.and_then(|()| fs::rename(&begun, folder.join(name))).inspect_err(|_| {
        let _ = fs::remove_file(&begun);
    })
}
