//! What can go wrong with the state directory, and what to do about it.

use crate::SharedError;
use hostssl_model::{Advice, Fault, Hint};
use hostssl_remediation::{JournalError, RunId};
use rusqlite::ErrorCode;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// The state directory cannot be used.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// Another process applies, resumes or undoes there.
    #[error("another hostssl{} is changing servers with this state directory", match .pid { Some(pid) => format!(" (process {pid})"), None => String::new() })]
    LockedByAnother {
        /// The other process, when it says so.
        pid: Option<u32>,
    },
    /// Another process is writing to the database, for longer than this one waited. Nothing was saved.
    #[error("another process has been writing to the state for some time")]
    Busy(#[source] Arc<rusqlite::Error>),
    /// Another process makes the audit of a key, for longer than this one waited.
    #[error("another process is still making the audit {0}")]
    KeyHeld(RunId),
    /// A newer hostssl wrote it.
    #[error("the state has version {found}, this hostssl supports versions up to {known}")]
    NewerVersion {
        /// Its version.
        found: i64,
        /// The newest known.
        known: i64,
    },
    /// An older hostssl wrote it, and it was opened for reading only.
    #[error("the state has version {found} and has not been upgraded to version {known} yet")]
    OlderVersion {
        /// Its version.
        found: i64,
        /// The version needed.
        known: i64,
    },
    /// There is no state there.
    #[error("there is no state in {0}")]
    NoState(PathBuf),
    /// The file is another program's.
    #[error("{0} is not a hostssl state")]
    Foreign(PathBuf),
    /// Others may write there, so that what is read there proves nothing.
    #[error("other users can write to {0}")]
    Exposed(PathBuf),
    /// The directory or a file in it cannot be made or opened.
    #[error("{path} cannot be used")]
    Directory {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: Arc<io::Error>,
    },
    /// It cannot be written.
    #[error("the state cannot be written")]
    ReadOnly(#[source] Arc<rusqlite::Error>),
    /// The disk is full.
    #[error("the disk with the state is full")]
    Full(#[source] Arc<rusqlite::Error>),
    /// It is damaged.
    #[error("the state is damaged: {0}")]
    Corrupt(String),
    /// SQLite says something else.
    #[error("the state cannot be used")]
    Database(#[source] Arc<rusqlite::Error>),
    /// There is no run of this name.
    #[error("there is no run {0}")]
    NoSuchRun(RunId),
    /// An audit of this id is kept already.
    #[error("audit {0} is already saved")]
    AuditExists(String),
    /// A run of this name exists.
    #[error("run {0} already exists")]
    RunExists(RunId),
    /// An earlier run has not ended.
    #[error("run {0} has not ended")]
    Unfinished(RunId),
    /// The plan takes more approvals: one was withdrawn, perhaps a moment ago.
    #[error("the plan has {given} of {required} approvals, so no run of it has begun")]
    NotApproved {
        /// How many people have approved it.
        given: u32,
        /// How many have to.
        required: u32,
    },
    /// The plan takes approvals, and those it had were for an earlier run.
    #[error("run {0} has applied this plan, and its approvals were for that run")]
    ApprovalsUsed(RunId),
    /// Another process has written to a run that this one writes, in spite of the lock.
    #[error("another process has also written to run {0}")]
    NotAlone(RunId),
    /// The database's file is not there any more, or another one is in its place.
    #[error("{0} was removed or replaced while in use")]
    Gone(PathBuf),
    /// The store was closed, or its thread has ended.
    #[error("the state is closed")]
    Closed,
    /// The shared store did not do what it was asked.
    #[error("the shared store {place}: {error}")]
    Shared {
        /// Where it is.
        place: String,
        /// What went wrong.
        error: SharedError,
    },
    /// A process on any machine applies, resumes or undoes with the shared store.
    #[error("another hostssl is changing servers with this shared store ({holder})")]
    LeaseHeld {
        /// Which, as it calls itself.
        holder: String,
    },
    /// The right to change servers is over, or ends before a write would be answered.
    #[error("the right to change servers could not be renewed in time")]
    LeaseEnds,
    /// The directory is a copy of a shared store, which was not named.
    #[error("this state directory is a copy of the shared store {place}")]
    IsACopy {
        /// Where the store was last.
        place: String,
    },
    /// The directory has a state of its own, and is no copy of a store.
    #[error("this state directory has a state of its own and is no copy of the shared store")]
    NotACopy,
    /// A store into which a state is to be copied has one.
    #[error("the shared store {place} is not empty: it has {entries} entries")]
    NotEmpty {
        /// Where it is.
        place: String,
        /// How many.
        entries: i64,
    },
    /// The directory is a copy of another store.
    #[error(
        "this state directory is a copy of another shared store, which was at {copied}, and not of the one at {place}"
    )]
    OtherStore {
        /// The store that was named.
        place: String,
        /// Where the store was that was copied.
        copied: String,
    },
    /// The store has lost what its copy has.
    #[error(
        "the shared store {place} ends at entry {store}, and this copy of it has entry {copy}: it was restored from a backup, or replaced by an older standby"
    )]
    CopyAhead {
        /// Where it is.
        place: String,
        /// The copy's last entry.
        copy: i64,
        /// The store's last entry.
        store: i64,
    },
    /// The copy and the store have another past.
    #[error(
        "the shared store {place} is not the one that this copy was made of: their histories differ at entry {entry}; it was restored from a backup, or lost its last entries in a failover"
    )]
    OtherHistory {
        /// Where it is.
        place: String,
        /// Where they differ.
        entry: i64,
    },
    /// The log has a gap, or an entry that cannot be read.
    #[error("the shared store {place} is damaged: its entry {entry} is missing or cannot be read")]
    LogBroken {
        /// Where it is.
        place: String,
        /// Which.
        entry: i64,
    },
    /// What is not an entry of a log.
    #[error("an entry of the shared store cannot be read: {0}")]
    Unreadable(String),
    /// The copy is not what the store says that it is.
    #[error("entry {0} of the shared store does not fit this copy of it: one of them is damaged")]
    Diverged(i64),
    /// There is no shared store yet.
    #[error("{place} has no store of hostssl")]
    NoStore {
        /// The database.
        place: String,
    },
    /// The shared store is of an older version than this program.
    #[error("the shared store has version {found}, this hostssl has version {known}")]
    OlderShared {
        /// Its version.
        found: i64,
        /// This program's.
        known: i64,
    },
    /// The shared store has kept it, and the copy of this machine could not be written.
    #[error("it is kept in the shared store, but the copy in the state directory cannot be written")]
    CopyNotWritten(#[source] Box<StoreError>),
}

impl Advice for StoreError {
    fn advice(&self) -> Hint {
        Hint::from(match self {
            Self::Busy(_) => "wait until the other process has ended, then retry",
            Self::KeyHeld(_) => {
                "wait until the other process has ended, or end it if it is frozen; then retry with the same --run-key"
            }
            Self::LockedByAnother { .. } => "wait until it has ended, or use another directory with --state",
            Self::NewerVersion { .. } => "use the newer hostssl, or another directory with --state",
            Self::OlderVersion { .. } => {
                "run a command that saves its results, such as `hostssl audit`: it upgrades the state"
            }
            Self::NoState(_) => "nothing has been applied yet, or --state names another directory",
            Self::Foreign(_) => "name another directory with --state",
            Self::Exposed(_) => {
                "remove write permission from group and others (chmod go-w), or name another directory with --state"
            }
            Self::Directory { .. } | Self::ReadOnly(_) => {
                "give this user the right to read and write the directory, or name another with --state"
            }
            Self::Full(_) => {
                "free some space; then resume the run that `hostssl runs` shows as not ended, if there is one"
            }
            Self::Corrupt(_) => {
                "keep a copy, restore the directory from a backup, and create a new plan: it reads the servers again"
            }
            Self::Database(_) | Self::Closed => "retry; if it happens again, name another directory with --state",
            Self::NotAlone(run) => return Hint::with("end the other process, then run `hostssl resume {}`", &[run]),
            Self::Gone(_) => {
                "restore the state directory, or restart hostssl with a permanent one; if servers were being changed, `hostssl audit` shows their current settings: what was done since is in no journal"
            }
            Self::NoSuchRun(_) => "`hostssl runs` lists the runs",
            Self::AuditExists(_) => "no action needed: it is already saved",
            Self::RunExists(_) => "give the run another name",
            Self::Unfinished(run) => return Hint::with("run `hostssl resume {}` first", &[run]),
            Self::NotApproved { .. } => {
                "approvers who did not make the plan approve it on its page in a console; then apply it"
            }
            Self::ApprovalsUsed(_) => "make a new plan in the console, and have it approved",
            Self::Shared { error: SharedError::Unfit { hint, .. }, .. } => hint,
            Self::Shared { error: SharedError::Standby(_), .. } => {
                "name the primary server in --store, or all servers: postgres://HOST,HOST/DATABASE"
            }
            Self::Shared { error: SharedError::Busy | SharedError::Held(_) | SharedError::Moved, .. } => {
                "wait until the other process has ended, then retry"
            }
            Self::LeaseEnds | Self::Shared { error: SharedError::LeaseOver, .. } => {
                "`hostssl runs` shows where the run stands; resume it if it has not ended"
            }
            Self::Shared { error: SharedError::Refused(_), .. } => {
                "see the log of the database; --store names one that hostssl has to itself"
            }
            Self::Shared { error: SharedError::Unreachable(_) | SharedError::Uncertain(_), .. } => {
                "check --store, the network and the password; then retry"
            }
            Self::LeaseHeld { .. } => "wait until it has ended; if its machine has failed, retry in two minutes",
            Self::IsACopy { .. } => "name the store with --store, or another directory with --state",
            Self::NotACopy => {
                "`hostssl state copy --from DIR --to URL` copies it into an empty store; or name another directory with --state"
            }
            Self::NotEmpty { .. } => "name an empty database in --to; two states cannot be made one",
            Self::OtherStore { .. } => "name another directory with --state",
            Self::CopyAhead { .. } | Self::OtherHistory { .. } => {
                "keep this copy, which has what the store lost, and name another directory with --state; or make it the store again: `hostssl state copy --from DIR --to URL` into an empty database"
            }
            Self::Diverged(_) => {
                "name a new directory with --state; if that does not help, an entry is wrong: `hostssl state copy --from DIR --to URL` makes a new store of a good copy"
            }
            Self::LogBroken { .. } | Self::Unreadable(_) => {
                "restore the database from a backup, or make a new store of a good copy: `hostssl state copy --from DIR --to URL`"
            }
            Self::OlderShared { .. } => {
                "use the hostssl of that version; or, when every machine has this one, run `hostssl state upgrade --store URL` with this store"
            }
            Self::NoStore { .. } => "any other command with this --store makes one; or name another database",
            Self::CopyNotWritten(error) => return error.advice(),
        })
    }

    fn fault(&self) -> Fault {
        match self {
            Self::NoSuchRun(_) => Fault::Request,
            _ => Fault::Environment,
        }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full(Arc::new(error)),
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => Self::ReadOnly(Arc::new(error)),
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Corrupt(error.to_string()),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy(Arc::new(error)),
            _ => Self::Database(Arc::new(error)),
        }
    }
}

impl From<StoreError> for JournalError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NoSuchRun(run) => Self::NoSuchRun(run),
            StoreError::RunExists(run) => Self::RunExists(run),
            StoreError::Unfinished(run) => Self::Unfinished(run),
            error @ (StoreError::Busy(_)
            | StoreError::Shared {
                error: SharedError::Busy | SharedError::Unreachable(_) | SharedError::Standby(_),
                ..
            }) => Self::Busy(Box::new(error)),
            error @ (StoreError::LeaseEnds
            | StoreError::NotAlone(_)
            | StoreError::Shared { error: SharedError::LeaseOver, .. }) => Self::RightLost(Box::new(error)),
            error @ StoreError::Full(_) => Self::Full(Box::new(error)),
            error @ StoreError::ReadOnly(_) => Self::ReadOnly(Box::new(error)),
            error @ StoreError::Corrupt(_) => Self::Corrupt(Box::new(error)),
            error @ (StoreError::NotApproved { .. } | StoreError::ApprovalsUsed(_)) => {
                Self::NotApproved(Box::new(error))
            }
            error => Self::Other(Box::new(error)),
        }
    }
}
