//! What can be said of a state directory without changing it: no file is made, and nothing is brought up to date.

use crate::directory::{can_hold_directory, check, free_bytes, is_writable, locked};
use crate::{StateDirectory, StoreError, StoreReader, database};
use std::path::{Path, PathBuf};

/// A state directory as it is.
#[derive(Debug, Clone)]
pub struct StateFacts {
    /// Which.
    pub directory: PathBuf,
    /// Whether it is there.
    pub presence: StatePresence,
    /// The bytes that can still be written there, where the system says so.
    pub free_bytes: Option<u64>,
    /// The version of what is kept; `None` where nothing is kept yet.
    pub version: Result<Option<i64>, StoreError>,
    /// Whether servers are being changed with it.
    pub lock: StateLock,
}

/// Whether a state directory is there.
#[derive(Debug, Clone)]
pub enum StatePresence {
    /// It is not, and would be made.
    Absent {
        /// The nearest directory above it that is there.
        above: PathBuf,
        /// Whether this user may make it.
        is_writable: bool,
    },
    /// It is a directory of which others cannot write anything.
    Present {
        /// Whether this user may write there.
        is_writable: bool,
    },
    /// It cannot be used.
    Unusable(StoreError),
}

/// Who changes servers with a state directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StateLock {
    /// No process.
    Free,
    /// A process.
    Held {
        /// Which, when it says so.
        pid: Option<u32>,
    },
    /// The lock cannot be read.
    Unknown(String),
}

/// Says what is known of a state directory.
#[must_use]
pub fn inspect(directory: &StateDirectory) -> StateFacts {
    let above = directory.ancestors().find(|path| path.exists()).unwrap_or(Path::new("."));
    let presence = match directory.try_exists() {
        Ok(false) => StatePresence::Absent { above: above.to_owned(), is_writable: can_hold_directory(above) },
        // An error says so again here, with its cause.
        Ok(true) | Err(_) => match check(directory) {
            Ok(()) => StatePresence::Present { is_writable: is_writable(directory) },
            Err(error) => StatePresence::Unusable(error),
        },
    };
    // To open it as a copy would make it one.
    let is_shared = directory.shared().is_some();
    let version = match StoreReader::open(directory.path()) {
        Ok(_) if is_shared => Err(StoreError::NotACopy),
        Ok(_) => Ok(Some(database::version())),
        Err(StoreError::IsACopy { .. }) if is_shared => Ok(Some(database::version())),
        Err(StoreError::NoState(_)) => Ok(None),
        Err(error) => Err(error),
    };
    let lock = match locked(directory) {
        Ok(None) => StateLock::Free,
        Ok(Some(pid)) => StateLock::Held { pid },
        Err(error) => StateLock::Unknown(error.to_string()),
    };
    StateFacts { directory: directory.path().to_owned(), presence, free_bytes: free_bytes(above), version, lock }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AuditStore, Store};

    #[test]
    fn a_directory_is_as_it_was_after_it_was_inspected() {
        let folder = tempfile::tempdir().unwrap();
        let directory = folder.path().join("not").join("yet");
        let facts = inspect(&directory.as_path().into());
        assert!(!directory.exists() && !folder.path().join("not").exists());
        assert!(
            matches!(&facts.presence, StatePresence::Absent { above, is_writable: true } if above == folder.path()),
            "{facts:?}"
        );
        assert!(matches!(facts.version, Ok(None)) && facts.lock == StateLock::Free, "{facts:?}");
    }

    /// Permissions alone say yes there to the administrator.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_system_of_the_kernel_takes_no_state() {
        let facts = inspect(&Path::new("/proc/hostssl").into());
        assert!(matches!(facts.presence, StatePresence::Absent { is_writable: false, .. }), "{facts:?}");
    }

    #[test]
    fn the_lock_is_seen_while_it_is_held_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let directory = folder.path().join("state");
        drop(AuditStore::open(&directory).unwrap());
        let facts = inspect(&directory.as_path().into());
        assert!(matches!(facts.presence, StatePresence::Present { is_writable: true }), "{facts:?}");
        assert_eq!(facts.version.unwrap(), Some(database::version()));
        assert_eq!(facts.lock, StateLock::Free);
        let store = Store::open(&directory).unwrap();
        assert_eq!(inspect(&StateDirectory::from(&directory)).lock, StateLock::Held { pid: Some(std::process::id()) });
        drop(store);
        assert_eq!(inspect(&StateDirectory::from(&directory)).lock, StateLock::Free);
        assert!(Store::open(&directory).is_ok(), "who asks does not keep the lock");
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_directory_or_open_to_others_is_said() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "x").unwrap();
        assert!(matches!(
            inspect(&StateDirectory::from(&file)).presence,
            StatePresence::Unusable(StoreError::Directory { .. })
        ));
        let open = folder.path().join("open");
        std::fs::create_dir(&open).unwrap();
        std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o777)).unwrap();
        assert!(matches!(
            inspect(&StateDirectory::from(&open)).presence,
            StatePresence::Unusable(StoreError::Exposed(_))
        ));
        std::fs::write(folder.path().join("hostssl.db"), "not a database, but a text of some length").unwrap();
        assert!(inspect(&folder.path().into()).version.is_err());
    }
}
