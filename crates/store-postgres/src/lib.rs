//! The log that several machines share ([`hostssl_store::SharedLog`]), in a PostgreSQL database of the user's.
//!
//! PostgreSQL is asked for little: three tables, and a transaction that locks one row. The row is the turn; an entry and the number
//! of the last one are one commit. Logins are those of [`hostssl_sessions`]: TLS that libpq's `verify-full` would accept, or none.

mod held_lease;
mod lease;
mod requests;
mod store_connection;
mod suitable;
mod worker;

use hostssl_sessions::Login;
use hostssl_store::{Lease, LogEntry, LogHead, SharedError, SharedLog, TurnNumber};
use lease::LeaseTerm;
use requests::{Reply, StoreRequest};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use worker::Worker;

/// The oldest version of PostgreSQL that is supported still (postgresql.org, "Versioning Policy").
pub const OLDEST_MAJOR: i32 = 15;

/// A shared log in a PostgreSQL database. It connects when it is asked something, and again where a connection broke.
#[derive(Debug)]
pub struct PostgresLog {
    place: String,
    directory: PathBuf,
    /// For changes, which may wait for other machines.
    changes: Worker,
    /// For everything else, which must not wait for them.
    questions: Arc<Worker>,
    /// The leases that this process has.
    leases: Mutex<Vec<Weak<LeaseTerm>>>,
}

impl PostgresLog {
    /// The log in the database that one of these logins leads to: the first that can be reached, as libpq has it. `directory` is
    /// the state directory that follows it.
    #[must_use]
    pub fn new(logins: Vec<Login>, directory: &Path) -> Self {
        let places: Vec<String> = logins.iter().map(|login| format!("{}/{}", login.name(), login.database)).collect();
        let logins: Arc<[Login]> = logins.into();
        Self {
            place: places.join(", "),
            directory: directory.to_path_buf(),
            changes: Worker::start(logins.clone()),
            questions: Arc::new(Worker::start(logins)),
            leases: Mutex::default(),
        }
    }

    /// The lease of this process with a token.
    fn term(&self, token: i64) -> Result<Arc<LeaseTerm>, SharedError> {
        let leases = self.leases.lock().unwrap_or_else(PoisonError::into_inner);
        let mut held = leases.iter().filter_map(Weak::upgrade);
        held.find(|lease| lease.token() == token).ok_or(SharedError::LeaseOver)
    }
}

fn ask<T>(worker: &Worker, command: impl FnOnce(Reply<T>) -> StoreRequest) -> Result<T, SharedError> {
    let (reply, answer) = channel();
    worker.send(command(reply));
    wait(&answer)
}

fn wait<T>(answer: &Receiver<Result<T, SharedError>>) -> Result<T, SharedError> {
    answer.recv().unwrap_or_else(|_| Err(SharedError::Unreachable("its connection has ended".to_owned())))
}

impl SharedLog for PostgresLog {
    fn place(&self) -> &str {
        &self.place
    }

    fn head(&self, version: i64) -> Result<LogHead, SharedError> {
        ask(&self.questions, |reply| StoreRequest::Head { version, reply })
    }

    fn peek(&self) -> Result<Option<LogHead>, SharedError> {
        ask(&self.questions, |reply| StoreRequest::Peek { reply })
    }

    fn holder(&self, name: &str) -> Result<Option<String>, SharedError> {
        ask(&self.questions, |reply| StoreRequest::Holder { name: name.to_owned(), reply })
    }

    fn upgrade(&self, from: i64, to: i64) -> Result<(), SharedError> {
        ask(&self.changes, |reply| StoreRequest::Upgrade { from, to, reply })
    }

    fn entries_after(&self, number: i64, turn: Option<TurnNumber>) -> Result<Vec<LogEntry>, SharedError> {
        let worker = if turn.is_some() { &self.changes } else { &*self.questions };
        ask(worker, |reply| StoreRequest::EntriesAfter { number, turn, reply })
    }

    fn begin_turn(&self, patience: Duration) -> Result<(TurnNumber, LogHead), SharedError> {
        ask(&self.changes, |reply| StoreRequest::BeginTurn { patience, reply })
    }

    fn append(&self, turn: TurnNumber, entry: LogEntry, lease: Option<i64>) -> Result<(), SharedError> {
        let lease = lease.map(|token| self.term(token)).transpose()?;
        ask(&self.changes, |reply| StoreRequest::Append { turn, entry, lease, reply })
    }

    fn keep(&self, turn: TurnNumber) -> Result<(), SharedError> {
        ask(&self.changes, |reply| StoreRequest::Keep { turn, reply })
    }

    fn end_turn(&self, turn: TurnNumber) {
        self.changes.send(StoreRequest::EndTurn { turn });
    }

    fn take_lease(&self, name: &str, holder: &str) -> Result<Box<dyn Lease>, SharedError> {
        let (name, holder, directory) = (name.to_owned(), holder.to_owned(), lease::identity_of(&self.directory));
        let held = ask(&self.questions, |reply| StoreRequest::TakeLease { name, holder, directory, reply })?;
        let mut held_here = self.leases.lock().unwrap_or_else(PoisonError::into_inner);
        held_here.retain(|lease| lease.strong_count() > 0);
        held_here.push(Arc::downgrade(&held));
        drop(held_here);
        Ok(Box::new(held_lease::HeldLease::new(held, self.questions.clone())))
    }
}
