//! What the store says when it cannot do its work.

use super::{Said, denied, run};
use hostssl_model::Advice as _;
use hostssl_store::{SharedError, StoreError};
use std::path::PathBuf;
use std::sync::Arc;

/// Of a state directory.
pub(super) fn of_a_directory() -> Vec<Said> {
    let sqlite = || Arc::new(rusqlite::Error::InvalidQuery);
    let path = || PathBuf::from("state");
    every! {
        StoreError::LockedByAnother { .. } => StoreError::LockedByAnother { pid: Some(1) },
        StoreError::Busy(_) => StoreError::Busy(sqlite()),
        StoreError::KeyHeld(_) => StoreError::KeyHeld(run()),
        StoreError::NewerVersion { .. } => StoreError::NewerVersion { found: 9, known: 3 },
        StoreError::OlderVersion { .. } => StoreError::OlderVersion { found: 1, known: 3 },
        StoreError::NoState(_) => StoreError::NoState(path()),
        StoreError::Foreign(_) => StoreError::Foreign(path()),
        StoreError::Exposed(_) => StoreError::Exposed(path()),
        StoreError::Directory { .. } => StoreError::Directory { path: path(), source: Arc::new(denied()) },
        StoreError::ReadOnly(_) => StoreError::ReadOnly(sqlite()),
        StoreError::Full(_) => StoreError::Full(sqlite()),
        StoreError::Corrupt(_) => StoreError::Corrupt("torn".into()),
        StoreError::Database(_) => StoreError::Database(sqlite()),
        StoreError::NoSuchRun(_) => StoreError::NoSuchRun(run()),
        StoreError::AuditExists(_) => StoreError::AuditExists("a".into()),
        StoreError::RunExists(_) => StoreError::RunExists(run()),
        StoreError::Unfinished(_) => StoreError::Unfinished(run()),
        StoreError::NotApproved { .. } => StoreError::NotApproved { given: 1, required: 2 },
        StoreError::ApprovalsUsed(_) => StoreError::ApprovalsUsed(run()),
        StoreError::NotAlone(_) => StoreError::NotAlone(run()),
        StoreError::Gone(_) => StoreError::Gone(path()),
        StoreError::Closed => StoreError::Closed,
        StoreError::Shared { .. } => StoreError::Shared { place: "db".into(), error: SharedError::Busy },
        StoreError::LeaseHeld { .. } => StoreError::LeaseHeld { holder: "process 1".into() },
        StoreError::LeaseEnds => StoreError::LeaseEnds,
        StoreError::IsACopy { .. } => StoreError::IsACopy { place: "db".into() },
        StoreError::NotACopy => StoreError::NotACopy,
        StoreError::NotEmpty { .. } => StoreError::NotEmpty { place: "db".into(), entries: 1 },
        StoreError::OtherStore { .. } => StoreError::OtherStore { place: "db".into(), copied: "other".into() },
        StoreError::CopyAhead { .. } => StoreError::CopyAhead { place: "db".into(), copy: 2, store: 1 },
        StoreError::OtherHistory { .. } => StoreError::OtherHistory { place: "db".into(), entry: 3 },
        StoreError::LogBroken { .. } => StoreError::LogBroken { place: "db".into(), entry: 3 },
        StoreError::Unreadable(_) => StoreError::Unreadable("torn".into()),
        StoreError::Diverged(_) => StoreError::Diverged(1),
        StoreError::NoStore { .. } => StoreError::NoStore { place: "db".into() },
        StoreError::OlderShared { .. } => StoreError::OlderShared { found: 1, known: 2 },
        StoreError::CopyNotWritten(_) => StoreError::CopyNotWritten(Box::new(StoreError::Full(sqlite()))),
    }
}

/// Of a store that several machines share.
pub(super) fn of_a_shared_store() -> Vec<Said> {
    let errors = [
        SharedError::Unreachable("refused".into()),
        SharedError::Uncertain("cut".into()),
        SharedError::Standby("it is a standby".into()),
        SharedError::Unfit { what: "fsync is off".into(), hint: "switch it on" },
        SharedError::Busy,
        SharedError::Held("process 1".into()),
        SharedError::LeaseOver,
        SharedError::Moved,
        SharedError::Refused("no".into()),
    ];
    let said = errors.into_iter().map(|error| {
        match &error {
            SharedError::Unreachable(_)
            | SharedError::Uncertain(_)
            | SharedError::Standby(_)
            | SharedError::Unfit { .. }
            | SharedError::Busy
            | SharedError::Held(_)
            | SharedError::LeaseOver
            | SharedError::Moved
            | SharedError::Refused(_) => {}
        }
        StoreError::Shared { place: "db".into(), error }
    });
    said.map(|error| (error.to_string(), error.advice().to_string())).collect()
}
