//! What a prober has to remember: which console it belongs to, how far it came, and what it saw and could not yet send.

use crate::private_files::{is_exposed, private_directory, write_private};
use crate::prober_key::{KeyError, KeyPin, ProberKey};
use hostssl_model::{Advice, Fault, Hint};
use reqwest::Url;
use serde::{Deserialize, Serialize};
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

const KEY: &str = "prober-key.pem";
const ENROLLED: &str = "prober.json";
const UNSENT: &str = "unsent";
const LOCK: &str = "prober.lock";

/// The state directory of a prober cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MemoryError {
    /// The operating system says no.
    #[error("the prober's state {path} cannot be used")]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// Others may read or write it.
    #[error("others may read or write the prober's state {0}")]
    Exposed(PathBuf),
    /// Another prober has it.
    #[error("another prober uses {0}")]
    Taken(PathBuf),
    /// A file in it is damaged.
    #[error("{0} is damaged: {1}")]
    Damaged(PathBuf, String),
    /// Its key cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
}

impl Advice for MemoryError {
    fn advice(&self) -> Hint {
        Hint::from(match self {
            Self::Io { .. } => "name another directory with --state, or free some space",
            Self::Exposed(_) => "make the directory private to this user (mode 0700)",
            Self::Taken(_) => "end the other prober, or give each a directory of its own",
            Self::Damaged(..) => "remove the directory, and enrol again with a new join string",
            Self::Key(error) => return error.advice(),
        })
    }

    fn fault(&self) -> Fault {
        Fault::Request
    }
}

/// Which console a prober belongs to, and how far it came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Enrolled {
    pub(crate) url: String,
    pub(crate) pin: String,
    pub(crate) prober: String,
    pub(crate) zone: String,
    /// The last target that it had in the round in progress.
    #[serde(default)]
    pub(crate) after: Option<(String, u16)>,
}

impl Enrolled {
    pub(crate) fn console(&self) -> Option<(Url, KeyPin)> {
        Some((crate::join_string::console_url(&self.url).ok()?, self.pin.parse().ok()?))
    }
}

/// The state directory of a prober.
pub(crate) struct ProberMemory {
    directory: PathBuf,
    pub(crate) key: ProberKey,
    pub(crate) enrolled: Option<Enrolled>,
    next: u64,
    _lock: File,
}

impl ProberMemory {
    /// Opens a state directory, or makes it.
    pub(crate) fn open(directory: &Path) -> Result<Self, MemoryError> {
        let unsent = directory.join(UNSENT);
        private_directory(&unsent).map_err(|source| MemoryError::Io { path: unsent.clone(), source })?;
        if is_exposed(directory).map_err(|source| MemoryError::Io { path: directory.into(), source })? {
            return Err(MemoryError::Exposed(directory.into()));
        }
        let lock = lock(directory)?;
        let key = ProberKey::load_or_make(&directory.join(KEY))?;
        let path = directory.join(ENROLLED);
        let enrolled = match fs::read(&path) {
            Ok(text) => Some(
                serde_json::from_slice::<Enrolled>(&text)
                    .map_err(|error| MemoryError::Damaged(path.clone(), error.to_string()))?,
            ),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(source) => return Err(MemoryError::Io { path, source }),
        };
        let mut memory = Self { directory: directory.into(), key, enrolled, next: 0, _lock: lock };
        memory.next = memory.unsent()?.last().map_or(0, |(number, _)| number + 1);
        Ok(memory)
    }

    /// Remembers which console it belongs to, and how far it came.
    pub(crate) fn remember(&mut self, enrolled: Enrolled) -> Result<(), MemoryError> {
        let path = self.directory.join(ENROLLED);
        let text =
            serde_json::to_vec(&enrolled).map_err(|error| MemoryError::Damaged(path.clone(), error.to_string()))?;
        write_private(&path, &text).map_err(|source| MemoryError::Io { path, source })?;
        self.enrolled = Some(enrolled);
        Ok(())
    }

    /// Keeps a message until it is sent. Returns how many of the oldest had to go for it, so that all have at most `limit` bytes.
    pub(crate) fn queue(&mut self, message: &[u8], limit: u64) -> Result<u64, MemoryError> {
        let mut all = self.unsent()?;
        let mut bytes: u64 = all.iter().map(|(_, bytes)| bytes).sum();
        let mut dropped = 0;
        while bytes.saturating_add(message.len() as u64) > limit && !all.is_empty() {
            let (number, own) = all.remove(0);
            self.sent(number)?;
            bytes = bytes.saturating_sub(own);
            dropped += 1;
        }
        let path = self.path(self.next);
        write_private(&path, message).map_err(|source| MemoryError::Io { path, source })?;
        self.next += 1;
        Ok(dropped)
    }

    /// The oldest message that is not sent.
    pub(crate) fn oldest(&self) -> Result<Option<(u64, Vec<u8>)>, MemoryError> {
        let Some((number, _)) = self.unsent()?.first().copied() else { return Ok(None) };
        let path = self.path(number);
        let message = fs::read(&path).map_err(|source| MemoryError::Io { path, source })?;
        Ok(Some((number, message)))
    }

    /// Forgets a message.
    pub(crate) fn sent(&self, number: u64) -> Result<(), MemoryError> {
        let path = self.path(number);
        fs::remove_file(&path).map_err(|source| MemoryError::Io { path, source })
    }

    fn path(&self, number: u64) -> PathBuf {
        self.directory.join(UNSENT).join(format!("{number:012}.json"))
    }

    /// The messages that are not sent, the oldest first, with their sizes.
    fn unsent(&self) -> Result<Vec<(u64, u64)>, MemoryError> {
        let place = self.directory.join(UNSENT);
        let list = || -> io::Result<Vec<(u64, u64)>> {
            let mut found = Vec::new();
            for entry in fs::read_dir(&place)? {
                let entry = entry?;
                let name = entry.file_name();
                let number =
                    name.to_str().and_then(|name| name.strip_suffix(".json")).and_then(|name| name.parse().ok());
                match number {
                    Some(number) => found.push((number, entry.metadata()?.len())),
                    // What a crash left of one that was begun.
                    None => fs::remove_file(entry.path())?,
                }
            }
            found.sort_unstable();
            Ok(found)
        };
        list().map_err(|source| MemoryError::Io { path: place.clone(), source })
    }
}

fn lock(directory: &Path) -> Result<File, MemoryError> {
    let path = directory.join(LOCK);
    let of_file = |source| MemoryError::Io { path: path.clone(), source };
    let mut options = File::options();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(&path).map_err(of_file)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(MemoryError::Taken(directory.into())),
        Err(TryLockError::Error(source)) => Err(of_file(source)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_sent_outlives_the_prober_and_the_oldest_goes_first() {
        let folder = tempfile::tempdir().unwrap();
        let directory = folder.path().join("prober");
        let mut memory = ProberMemory::open(&directory).unwrap();
        assert!(matches!(ProberMemory::open(&directory), Err(MemoryError::Taken(_))));
        assert_eq!((memory.queue(b"one", 8).unwrap(), memory.queue(b"two", 8).unwrap()), (0, 0));
        drop(memory);
        fs::write(directory.join(UNSENT).join("000000000009.new-x"), "begun").unwrap();
        let mut memory = ProberMemory::open(&directory).unwrap();
        assert_eq!(memory.queue(b"three", 8).unwrap(), 1, "eight bytes are left");
        let (number, message) = memory.oldest().unwrap().unwrap();
        assert_eq!(message, b"two");
        memory.sent(number).unwrap();
        assert_eq!(memory.oldest().unwrap().unwrap().1, b"three");
    }

    #[test]
    fn it_goes_on_where_it_was_and_says_what_is_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let mut memory = ProberMemory::open(&folder.path().join("p")).unwrap();
        assert_eq!(memory.enrolled, None);
        let after = Some(("db".to_owned(), 5432));
        let enrolled =
            Enrolled { url: "https://a".into(), pin: "0".repeat(64), prober: "p".into(), zone: "hub".into(), after };
        memory.remember(enrolled.clone()).unwrap();
        drop(memory);
        assert_eq!(ProberMemory::open(&folder.path().join("p")).unwrap().enrolled, Some(enrolled));
        fs::write(folder.path().join("p").join(ENROLLED), "{").unwrap();
        assert!(matches!(ProberMemory::open(&folder.path().join("p")), Err(MemoryError::Damaged(..))));
    }
}
