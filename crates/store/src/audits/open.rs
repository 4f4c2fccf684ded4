//! Opens the kept audits, for callers with more or less time, and brings a copy of a shared store up to date.

use super::{AuditStore, lock};
use crate::database::{open_as_it_is, open_for_audits};
use crate::directory::{DatabaseFile, prepare};
use crate::shared_log::{CopyPosition, catch_up, is_up_to_date};
use crate::{SharedError, StateDirectory, StoreError};
use std::sync::Mutex;
use std::time::Duration;

/// How long a change waits for its turn at a shared store where its caller has the time: longer than a machine that is frozen may
/// keep it.
const TURN_PATIENCE: Duration = Duration::from_secs(200);

impl AuditStore {
    /// Opens a state directory; makes it, or brings it up to date.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the directory is not this user's alone to write, or is of a newer version, or of another
    /// program, or when the disk says no.
    pub fn open(directory: impl Into<StateDirectory>) -> Result<Self, StoreError> {
        Self::open_within(directory, TURN_PATIENCE)
    }

    /// The same for a caller that has little time: each write waits no longer than `patience` for another process of this
    /// machine that writes, and as long again for its turn at a shared store, and never longer than it would without this.
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
            patience: patience.min(TURN_PATIENCE),
            behind: Mutex::default(),
            writer: Mutex::new(writer),
            readers: Mutex::default(),
            facets: Mutex::default(),
            tags: Mutex::default(),
            changes: Mutex::default(),
        })
    }

    /// Says that a copy of a shared store is not up to date, as [`Self::follow`] does when it fails.
    pub fn fall_behind(&self, why: &str) {
        if let Some(log) = self.directory.shared() {
            let error = SharedError::Unreachable(why.to_owned());
            *lock(&self.behind) = Some(StoreError::shared(log, error));
        }
    }

    /// Brings a copy of a shared store up to date. Until that succeeds again, every other call fails as this one did: what is not
    /// up to date is not shown as what is.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the shared store cannot be reached, or the copy cannot be written.
    pub fn follow(&self) -> Result<(), StoreError> {
        let Some(log) = self.directory.shared() else { return Ok(()) };
        let followed = self.file.check().and_then(|()| match self.writer.try_lock() {
            Ok(mut writer) => catch_up(&mut writer, log),
            // A change of this process waits for its turn, perhaps for long. Where there is nothing new, the copy is up to date.
            Err(_) if self.read_position().is_some_and(|position| is_up_to_date(&position, log)) => Ok(()),
            Err(_) => catch_up(&mut lock(&self.writer), log),
        });
        *lock(&self.behind) = followed.clone().err();
        followed
    }

    /// Up to where the copy is, whatever is known of the store.
    fn read_position(&self) -> Option<CopyPosition> {
        let connection = open_as_it_is(&self.directory).ok()?;
        CopyPosition::of(&connection).ok()?
    }
}
