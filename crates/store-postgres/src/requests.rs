//! What a thread with a connection is asked to do.

use crate::lease::LeaseTerm;
use hostssl_store::{LogEntry, LogHead, SharedError, TurnNumber};
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
    Holder { name: String, reply: Reply<Option<String>> },
    Upgrade { from: i64, to: i64, reply: Reply<()> },
    EntriesAfter { number: i64, turn: Option<TurnNumber>, reply: Reply<Vec<LogEntry>> },
    BeginTurn { patience: Duration, reply: Reply<(TurnNumber, LogHead)> },
    Append { turn: TurnNumber, entry: LogEntry, lease: Option<Arc<LeaseTerm>>, reply: Reply<()> },
    Keep { turn: TurnNumber, reply: Reply<()> },
    EndTurn { turn: TurnNumber },
    TakeLease { name: String, holder: String, directory: Option<String>, reply: Reply<Arc<LeaseTerm>> },
    RenewLease { term: Arc<LeaseTerm>, reply: Reply<()> },
    DropLease { term: Arc<LeaseTerm>, reply: Reply<()> },
}
