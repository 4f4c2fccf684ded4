//! A store that several machines share: a log of changes that every state directory which is a copy of it follows.
//!
//! What is kept of the log is rows, not commands: which row of which table was added, changed or removed. A copy that has applied
//! every entry is the same database as the one in which the changes were made, so that everything that reads a state directory
//! reads a copy too. A change is made by one machine at a time: it takes its [turn](Turn) at the log, brings its copy up to date,
//! makes the change there, and appends it; only then is it kept. What a run may do is decided by what the log holds, therefore,
//! and not by what one machine has seen of it.
//!
//! This module knows no network. Where the log is, the implementation of [`SharedLog`] knows.

mod capture;
mod copy;
mod entry;
mod moving;
mod turn;

pub use copy::upgrade;
pub(crate) use copy::{CopyPosition, catch_up, check_version_of, is_up_to_date, join};
#[cfg(test)]
pub(crate) use entry::FIRST_READ;
pub use moving::{StateDigest, copy_into, copy_out_of};
pub use turn::this_process;
pub(crate) use turn::{Writing, in_transaction, lease_of, lease_of_audit};

use crate::StoreError;
use hostssl_model::hex;
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// The lease on changing servers.
pub(crate) const CHANGES: &str = "changes";

/// What a shared log is, and how long it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogHead {
    /// Its identity: no other log has it.
    pub store: String,
    /// The version of the tables that its entries are of.
    pub version: i64,
    /// The number of its last entry; 0 when there is none.
    pub last: i64,
    /// The chain of its last entry; empty when there is none.
    pub chain: String,
}

/// Tells a turn from the others of this process.
pub type TurnNumber = u64;

/// A change that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// Its number. The first one is 1, and none is left out.
    pub number: i64,
    /// The SHA-256 of the chain before it and of its body, in hexadecimal: two logs with the same chain somewhere are the same up to
    /// there.
    pub chain: String,
    /// What was changed, as [`SharedLog::append`] was given it.
    pub body: Vec<u8>,
}

/// The right to do something, such as to change servers, which one process at a time has. It ends with its value, or when its time is over and it could
/// not be renewed.
pub trait Lease: fmt::Debug + Send + Sync {
    /// What no other holder has: an entry that rests on a lease is only taken while no other process has taken it.
    fn token(&self) -> i64;

    /// Asks for it to be renewed now. Afterwards it lasts as long as [`Self::left`] says.
    fn renew(&self);

    /// How long it lasts still for certain, by a clock that does not stop while the machine sleeps.
    fn left(&self) -> Duration;
}

/// Why a shared log did not do what it was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SharedError {
    /// It cannot be reached, or the connection broke. Nothing was kept.
    #[error("{0}")]
    Unreachable(String),
    /// The connection broke while a change was being kept, and could not be made again: the change may be kept.
    #[error("{0}; whether the last change was kept is not known")]
    Uncertain(String),
    /// What answers cannot be written to now, and may be soon: a standby, which takes over when its primary fails. Nothing was kept.
    #[error("{0}")]
    Standby(String),
    /// It must not be used as it is: too old, read-only, not durable, without rights.
    #[error("{what}")]
    Unfit {
        /// What is wrong.
        what: String,
        /// What to do about it.
        hint: &'static str,
    },
    /// Another machine had its turn for longer than this one waited. Nothing was kept.
    #[error("another hostssl has been writing to it for some time")]
    Busy,
    /// Another process has the lease.
    #[error("{0} is changing servers")]
    Held(String),
    /// The lease on which a change rests is over. Nothing was kept.
    #[error("the right to change servers has passed to another process")]
    LeaseOver,
    /// Another change has the number.
    #[error("it has changed meanwhile")]
    Moved,
    /// It refused what it was asked for, in its own words. Nothing was kept.
    #[error("{0}")]
    Refused(String),
}

/// A log of changes in one place. Every call may wait for the network; none may be made where that is not allowed.
pub trait SharedLog: fmt::Debug + Send + Sync {
    /// Where it is, for people; without a password.
    fn place(&self) -> &str;

    /// What it is, and how long; makes it where there is none, for tables of `version`.
    ///
    /// # Errors
    ///
    /// [`SharedError`].
    fn head(&self, version: i64) -> Result<LogHead, SharedError>;

    /// What it is, and how long; `None` where there is none yet. Makes and changes nothing.
    ///
    /// # Errors
    ///
    /// [`SharedError`].
    fn peek(&self) -> Result<Option<LogHead>, SharedError>;

    /// Who has a lease now, in words for people; `None` where no one has it.
    ///
    /// # Errors
    ///
    /// [`SharedError`].
    fn holder(&self, name: &str) -> Result<Option<String>, SharedError>;

    /// Makes it one of tables of a later version, if it is of `from`: programs of before are refused from then on.
    ///
    /// # Errors
    ///
    /// [`SharedError`].
    fn upgrade(&self, from: i64, to: i64) -> Result<(), SharedError>;

    /// The next entries behind a number, in order: all of them, or as many as are handed over at once. None when there is none.
    /// Within a turn they are read over its own connection: those who wait for the turn may have taken all that a pooler has.
    ///
    /// # Errors
    ///
    /// [`SharedError`]. [`SharedError::Moved`] where the turn is over.
    fn entries_after(&self, number: i64, turn: Option<TurnNumber>) -> Result<Vec<LogEntry>, SharedError>;

    /// Waits until no other machine has its turn, up to `patience`, and takes the turn. What it is and how long cannot change
    /// until [`Self::keep`] or [`Self::end_turn`] with the number of this turn. A turn of the same process that was not ended is
    /// over then.
    ///
    /// # Errors
    ///
    /// [`SharedError`]: the turn was not taken.
    fn begin_turn(&self, patience: Duration) -> Result<(TurnNumber, LogHead), SharedError>;

    /// Appends an entry in this turn. With the token of a lease it is only taken while no other process has that lease; one that
    /// ran out is renewed. It is not kept before [`Self::keep`].
    ///
    /// # Errors
    ///
    /// [`SharedError`]: nothing of the turn is kept, and it has ended. [`SharedError::Moved`] where the turn is over.
    fn append(&self, turn: TurnNumber, entry: LogEntry, lease: Option<i64>) -> Result<(), SharedError>;

    /// Keeps what was appended in this turn, durably, and ends the turn.
    ///
    /// # Errors
    ///
    /// [`SharedError`]. After [`SharedError::Uncertain`] it may be kept all the same; after any other it is not.
    fn keep(&self, turn: TurnNumber) -> Result<(), SharedError>;

    /// Ends the turn, if it is not over; nothing was changed.
    fn end_turn(&self, turn: TurnNumber);

    /// Takes the lease of a name, for `holder`, whom others are told of. A lease that the same state directory had is taken over.
    ///
    /// # Errors
    ///
    /// [`SharedError::Held`] while another process has it.
    fn take_lease(&self, name: &str, holder: &str) -> Result<Box<dyn Lease>, SharedError>;
}

impl LogEntry {
    /// The entry that follows a chain.
    pub(crate) fn after(number: i64, chain: &str, body: Vec<u8>) -> Self {
        let chain = hex(&Sha256::new().chain_update(chain.as_bytes()).chain_update(&body).finalize());
        Self { number: number + 1, chain, body }
    }
}

impl StoreError {
    /// What went wrong with the shared store at a place.
    pub(crate) fn shared(log: &Arc<dyn SharedLog>, error: SharedError) -> Self {
        Self::Shared { place: log.place().to_owned(), error }
    }
}
