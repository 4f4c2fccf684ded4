//! Opens the kept audits, for callers with more or less time.

use super::AuditStore;
use crate::database::{WRITE_TIMEOUT, open_for_audits};
use crate::directory::{DatabaseFile, prepare};
use crate::{StateDirectory, StoreError};
use std::sync::Mutex;
use std::time::Duration;

impl AuditStore {
    /// Opens a state directory; makes it, or brings it up to date.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the directory is not this user's alone to write, or is of a newer version, or of another
    /// program, or when the disk says no.
    pub fn open(directory: impl Into<StateDirectory>) -> Result<Self, StoreError> {
        Self::open_within(directory, WRITE_TIMEOUT)
    }

    /// The same for a caller that has little time: each write waits no longer than `patience` for another process that
    /// writes, and never longer than it would without this.
    ///
    /// # Errors
    ///
    /// As for [`AuditStore::open`]; [`StoreError::Busy`] when the other process still writes.
    pub fn open_within(directory: impl Into<StateDirectory>, patience: Duration) -> Result<Self, StoreError> {
        let directory = directory.into();
        prepare(&directory)?;
        let writer = open_for_audits(&directory, patience)?;
        Ok(Self {
            file: DatabaseFile::of(&directory),
            directory,
            patience: patience.min(WRITE_TIMEOUT),
            behind: Mutex::default(),
            writer: Mutex::new(writer),
            readers: Mutex::default(),
            facets: Mutex::default(),
            tags: Mutex::default(),
            changes: Mutex::default(),
        })
    }
}
