//! What a thread with a connection is asked to do.

use crate::lease::LeaseTerm;
use hostssl_store::{LogEntry, LogHead, SharedError};
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

/// Where the answer goes.
pub(crate) type Reply<T> = Sender<Result<T, SharedError>>;

/// A request, each as the method of [`hostssl_store::SharedLog`] of its name.
#[derive(Debug)]
pub(crate) enum StoreRequest {
    Head { version: i64, reply: Reply<LogHead> },
    Peek { reply: Reply<Option<LogHead>> },
    EntriesAfter { number: i64, reply: Reply<Vec<LogEntry>> },
    BeginTurn { patience: Duration, reply: Reply<LogHead> },
    Append { entry: LogEntry, lease: Option<i64>, reply: Reply<()> },
    Keep { reply: Reply<()> },
    EndTurn,
    TakeLease { name: String, holder: String, directory: Option<String>, reply: Reply<Arc<LeaseTerm>> },
    RenewLease { term: Arc<LeaseTerm>, reply: Reply<()> },
    DropLease { term: Arc<LeaseTerm>, reply: Reply<()> },
}
