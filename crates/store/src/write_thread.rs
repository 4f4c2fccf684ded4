//! The one thread that writes. What several steps want kept at the same time goes to the disk in one commit.

use crate::database::JOURNAL_TIMEOUT;
use crate::directory::DatabaseFile;
use crate::plan_approvals::{approvals_to_begin, keep_approvals_of};
use crate::shared_log::{Writing, in_transaction};
use crate::{Lease, SharedLog, StoreError};
use hostssl_remediation::{ApprovalRule, Direction, JournalEvent, JournalRecord, RunId, RunPhase, StepEvent};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// How many requests share a commit at most.
const BATCH: usize = 128;
/// The longest record that is read back, in bytes: a record holds a few texts of at most 400 characters each.
pub(crate) const MAX_RECORD: usize = 64 * 1024;

/// How long a commit waits until it is in the database's own file and not in the log alone. A reader at that
/// moment may hold it up; a page of the console takes milliseconds.
const CHECKPOINT_PATIENCE: Duration = Duration::from_secs(2);

/// What is to be kept.
pub(crate) enum Request {
    /// A new run.
    Begin(Box<Begin>),
    /// A run was read, up to this record: what is appended next must follow it.
    Read {
        /// Which.
        run: RunId,
        /// The number of its last record.
        last: i64,
    },
    /// More of a run.
    Append {
        /// Which.
        run: RunId,
        /// What, in order.
        records: Vec<JournalRecord>,
    },
}

/// Where the journal is kept.
pub(crate) struct JournalTarget {
    /// The database's file.
    pub(crate) file: DatabaseFile,
    /// The shared store that it is a copy of.
    pub(crate) log: Option<Arc<dyn SharedLog>>,
    /// The right to change servers, where several machines share one.
    pub(crate) lease: Option<Arc<dyn Lease>>,
}

/// What this process knows of the runs that it writes: the number of the last record of each. A process that finds another
/// number in the database is not alone, whatever became of the lock.
type Known = HashMap<RunId, i64>;

/// A new run.
pub(crate) struct Begin {
    pub(crate) run: RunId,
    pub(crate) plan_hash: String,
    pub(crate) plan: String,
    pub(crate) steps: usize,
    pub(crate) principal: String,
    pub(crate) first: JournalRecord,
    /// What the process that begins it knows of who approves; otherwise it is what the state knows.
    pub(crate) rule: Option<ApprovalRule>,
}

type Job = (Request, oneshot::Sender<Result<(), StoreError>>);

/// Hands requests to the thread; the thread ends with it.
pub(crate) struct StoreWriter {
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl StoreWriter {
    /// Starts the thread. `guard` lives as long as the thread does.
    pub(crate) fn start(
        connection: Connection,
        target: JournalTarget,
        guard: impl Send + 'static,
    ) -> std::io::Result<Self> {
        let (jobs, queue) = channel();
        let thread = std::thread::Builder::new().name("hostssl-journal".into()).spawn(move || {
            work(connection, target, &queue);
            drop(guard);
        })?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread) })
    }

    /// Keeps one request. Returns when it is on the disk.
    pub(crate) async fn keep(&self, request: Request) -> Result<(), StoreError> {
        let (reply, answer) = oneshot::channel();
        let jobs = self.jobs.as_ref().ok_or(StoreError::Closed)?;
        jobs.send((request, reply)).map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }
}

impl Drop for StoreWriter {
    fn drop(&mut self) {
        // The thread ends when no sender is left; what was sent is kept first.
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn work(mut connection: Connection, mut target: JournalTarget, queue: &Receiver<Job>) {
    let mut known = Known::new();
    while let Ok(first) = queue.recv() {
        let jobs: Vec<Job> = std::iter::once(first).chain(queue.try_iter().take(BATCH - 1)).collect();
        // What is kept in a file that has no name any more is lost.
        let results = match target.file.check() {
            Ok(()) => keep_all(&mut connection, &target, &mut known, &jobs),
            Err(error) => jobs.iter().map(|_| Err(error.clone())).collect(),
        };
        if results.iter().any(Result::is_ok) {
            checkpoint(&connection);
            target.file.grown();
        }
        for ((_, reply), result) in jobs.into_iter().zip(results) {
            // A caller that does not wait for the answer any more was stopped meanwhile.
            let _ = reply.send(result);
        }
    }
}

/// Copies what was committed from the log into the database, so that a backup of `hostssl.db` alone, or a careless
/// hand, loses no record of a write that was sent. It waits for no write (`PASSIVE`), and for a reader only so
/// long.
fn checkpoint(connection: &Connection) {
    let began = Instant::now();
    loop {
        let told = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?))
        });
        let whole = matches!(told, Ok((0, in_log, copied)) if in_log == copied);
        if whole || began.elapsed() >= CHECKPOINT_PATIENCE {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// One commit for all; a request that cannot be kept is undone alone, and one that no one waits for any more is dropped: a run
/// that was stopped does not wait for what is left in the queue while another process writes.
fn keep_all(
    connection: &mut Connection,
    target: &JournalTarget,
    known: &mut Known,
    jobs: &[Job],
) -> Vec<Result<(), StoreError>> {
    let mut next = known.clone();
    if jobs.iter().all(|(request, reply)| matches!(request, Request::Read { .. }) || reply.is_closed()) {
        remember(known, jobs);
        return jobs
            .iter()
            .map(|(_, reply)| if reply.is_closed() { Err(StoreError::Closed) } else { Ok(()) })
            .collect();
    }
    let lease = target.lease.as_ref().map(|lease| lease.token());
    let writing = Writing { log: target.log.as_ref(), lease, patience: JOURNAL_TIMEOUT };
    let kept = in_transaction(connection, &writing, |transaction| {
        let mut results = Vec::with_capacity(jobs.len());
        for (request, reply) in jobs {
            if reply.is_closed() {
                results.push(Err(StoreError::Closed));
                continue;
            }
            match keep_one(transaction, &mut next, request) {
                Err(
                    error @ (StoreError::NoSuchRun(_)
                    | StoreError::RunExists(_)
                    | StoreError::Unfinished(_)
                    | StoreError::NotApproved { .. }
                    | StoreError::ApprovalsUsed(_)
                    | StoreError::NotAlone(_)),
                ) => results.push(Err(error)),
                // A full disk may have ended the whole transaction already: nothing of it is kept.
                other => results.push(Ok(other?)),
            }
        }
        Ok(results)
    });
    match kept {
        Ok(results) => {
            *known = next;
            results
        }
        Err(error) => jobs.iter().map(|_| Err(error.clone())).collect(),
    }
}

/// What was read needs no place in the database, and no turn at it.
fn remember(known: &mut Known, jobs: &[Job]) {
    for (request, _) in jobs {
        if let Request::Read { run, last } = request {
            known.insert(run.clone(), *last);
        }
    }
}

fn keep_one(transaction: &mut Transaction<'_>, known: &mut Known, request: &Request) -> Result<(), StoreError> {
    let savepoint = transaction.savepoint()?;
    let (run, last) = match request {
        Request::Begin(begin) => {
            keep_begin(&savepoint, begin)?;
            (&begin.run, 1)
        }
        Request::Read { run, last } => (run, *last),
        Request::Append { run, records } => (run, keep_records(&savepoint, run, known.get(run).copied(), records)?),
    };
    savepoint.commit()?;
    known.insert(run.clone(), last);
    Ok(())
}

fn keep_begin(connection: &Connection, begin: &Begin) -> Result<(), StoreError> {
    refuse_unfinished(connection, None)?;
    let approvals = approvals_to_begin(connection, &begin.plan_hash, begin.rule.as_ref())?;
    let exists = "SELECT 1 FROM runs WHERE id = ?1";
    if connection.prepare_cached(exists)?.exists([begin.run.as_str()])? {
        return Err(StoreError::RunExists(begin.run.clone()));
    }
    connection
        .prepare_cached("INSERT INTO plans (hash, document) VALUES (?1, ?2) ON CONFLICT (hash) DO NOTHING")?
        .execute([&begin.plan_hash, &begin.plan])?;
    let steps = i64::try_from(begin.steps).unwrap_or(i64::MAX);
    connection
        .prepare_cached("INSERT INTO runs (id, plan, steps, principal, phase) VALUES (?1, ?2, ?3, ?4, 'applying')")?
        .execute(params![begin.run.as_str(), begin.plan_hash, steps, begin.principal])?;
    keep_approvals_of(connection, &begin.run, &approvals)?;
    insert_record(connection, &begin.run, 1, &begin.first)
}

/// Appends, and returns the number of the last record.
fn keep_records(
    connection: &Connection,
    run: &RunId,
    known: Option<i64>,
    records: &[JournalRecord],
) -> Result<i64, StoreError> {
    let last = "SELECT max(seq) FROM journal WHERE run = ?1";
    let last: Option<i64> = connection.prepare_cached(last)?.query_row([run.as_str()], |row| row.get(0))?;
    let mut last = last.ok_or_else(|| StoreError::NoSuchRun(run.clone()))?;
    if known.is_some_and(|known| known != last) {
        return Err(StoreError::NotAlone(run.clone()));
    }
    for (seq, record) in (last.saturating_add(1)..).zip(records) {
        let phase = match &record.event {
            JournalEvent::RunStarted { .. } | JournalEvent::RunResumed => None,
            JournalEvent::SessionsEnding { .. } | JournalEvent::SessionsEnded { .. } => None,
            JournalEvent::RunFinished => Some(RunPhase::Finished),
            JournalEvent::UndoStarted { .. } => {
                refuse_unfinished(connection, Some(run))?;
                Some(RunPhase::Undoing)
            }
            JournalEvent::UndoFinished => Some(RunPhase::UndoFinished),
            JournalEvent::Step { step, direction, act } => {
                keep_receipt(connection, run, seq, record.at_ms, *step, *direction, act)?;
                None
            }
        };
        insert_record(connection, run, seq, record)?;
        if let Some(phase) = phase {
            connection
                .prepare_cached("UPDATE runs SET phase = ?2 WHERE id = ?1")?
                .execute([run.as_str(), phase.as_str()])?;
        }
        last = seq;
    }
    Ok(last)
}

fn insert_record(connection: &Connection, run: &RunId, seq: i64, record: &JournalRecord) -> Result<(), StoreError> {
    let json = serde_json::to_string(record).map_err(|error| StoreError::Corrupt(error.to_string()))?;
    connection
        .prepare_cached("INSERT INTO journal (run, seq, at_ms, record) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![run.as_str(), seq, record.at_ms, json])?;
    Ok(())
}

/// While a run has not ended, no other may change servers: what it left in progress could be theirs as well.
fn refuse_unfinished(connection: &Connection, but: Option<&RunId>) -> Result<(), StoreError> {
    match unfinished_run(connection, but)? {
        None => Ok(()),
        Some(run) => Err(StoreError::Unfinished(run)),
    }
}

/// A run that has not ended, other than this one.
pub(crate) fn unfinished_run(connection: &Connection, but: Option<&RunId>) -> Result<Option<RunId>, StoreError> {
    let other = "SELECT id FROM runs WHERE phase IN ('applying', 'undoing') AND id IS NOT ?1 LIMIT 1";
    let other: Option<String> =
        connection.prepare_cached(other)?.query_row([but.map(RunId::as_str)], |row| row.get(0)).optional()?;
    other.map(|id| RunId::new(&id)).transpose().map_err(|error| StoreError::Corrupt(error.to_string()))
}

/// Keeps the proof of a write up to date with what the journal says of it.
fn keep_receipt(
    connection: &Connection,
    run: &RunId,
    seq: i64,
    at_ms: i64,
    step: u32,
    direction: Direction,
    act: &StepEvent,
) -> Result<(), StoreError> {
    // The last write of this step in this direction.
    const LAST: &str = "run = ?1 AND step = ?2 AND direction = ?3 AND seq = \
                        (SELECT max(seq) FROM receipts WHERE run = ?1 AND step = ?2 AND direction = ?3)";
    let direction = direction.as_str();
    let run = run.as_str();
    match act {
        StepEvent::Intent { found, .. } => {
            let insert = "INSERT INTO receipts (run, step, direction, seq, intended_at_ms, value_before) \
                          VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
            connection.prepare_cached(insert)?.execute(params![run, step, direction, seq, at_ms, found.as_str()])?;
        }
        StepEvent::Accepted { request_id } => {
            let update = format!("UPDATE receipts SET request_id = ?4, accepted_at_ms = ?5 WHERE {LAST}");
            let request_id = request_id.as_ref().map(hostssl_remediation::RequestId::as_str);
            connection.prepare_cached(&update)?.execute(params![run, step, direction, request_id, at_ms])?;
        }
        // It was certainly no write.
        StepEvent::Rejected { .. } => {
            let delete = format!("DELETE FROM receipts WHERE {LAST}");
            connection.prepare_cached(&delete)?.execute(params![run, step, direction])?;
        }
        StepEvent::Observed { found, .. } | StepEvent::Reverted { found } => {
            let update = format!("UPDATE receipts SET value_after = ?4, observed_at_ms = ?5 WHERE {LAST}");
            connection.prepare_cached(&update)?.execute(params![run, step, direction, found.as_str(), at_ms])?;
        }
        StepEvent::Ended { .. } | StepEvent::NotReadAgain { .. } | StepEvent::ReadAgain => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::open_for_writing;

    fn local() -> JournalTarget {
        JournalTarget { file: DatabaseFile::of(std::path::Path::new("")), log: None, lease: None }
    }

    fn begin() -> Request {
        Request::Begin(Box::new(Begin {
            run: RunId::new("run-1").unwrap(),
            plan_hash: "0".repeat(64),
            plan: "{}".into(),
            steps: 1,
            principal: "{}".into(),
            first: JournalRecord { at_ms: 0, event: JournalEvent::RunStarted { reason: None, pace: None } },
            rule: None,
        }))
    }

    fn append(times: usize) -> Request {
        let record = JournalRecord { at_ms: 0, event: JournalEvent::RunResumed };
        Request::Append { run: RunId::new("run-1").unwrap(), records: vec![record; times] }
    }

    /// Keeps what is waited for.
    fn keep<const N: usize>(connection: &mut Connection, requests: [Request; N]) -> Vec<Result<(), StoreError>> {
        let (jobs, _answers): (Vec<Job>, Vec<_>) = requests.into_iter().map(job).unzip();
        keep_all(connection, &local(), &mut Known::new(), &jobs)
    }

    fn job(request: Request) -> (Job, oneshot::Receiver<Result<(), StoreError>>) {
        let (reply, answer) = oneshot::channel();
        ((request, reply), answer)
    }

    #[test]
    fn what_no_one_waits_for_any_more_is_dropped_and_waits_for_no_one() {
        let directory = tempfile::tempdir().unwrap();
        let mut connection = open_for_writing(&directory.path().into()).unwrap();
        keep(&mut connection, [begin()]);
        let (waited_for, _answer) = job(append(1));
        let jobs = [job(append(1)).0, waited_for, job(append(1)).0];
        let results = keep_all(&mut connection, &local(), &mut Known::new(), &jobs);
        assert!(matches!(results[..], [Err(StoreError::Closed), Ok(()), Err(StoreError::Closed)]), "{results:?}");
        let count: i64 = connection.query_row("SELECT count(*) FROM journal", [], |row| row.get(0)).unwrap();
        assert_eq!(count, 2);
        // Someone else writes, and is not waited for.
        let other = open_for_writing(&directory.path().into()).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        let alone = [job(append(1)).0];
        let results = keep_all(&mut connection, &local(), &mut Known::new(), &alone);
        assert!(matches!(results[..], [Err(StoreError::Closed)]), "{results:?}");
    }

    #[test]
    fn a_full_disk_keeps_all_or_nothing_and_says_so() {
        let directory = tempfile::tempdir().unwrap();
        let mut connection = open_for_writing(&directory.path().into()).unwrap();
        assert!(matches!(keep(&mut connection, [begin()])[..], [Ok(())]));
        let pages: i64 = connection.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
        connection.pragma_update_and_check(None, "max_page_count", pages + 2, |_| Ok(())).unwrap();
        let count = |connection: &Connection| -> i64 {
            connection.query_row("SELECT count(*) FROM journal", [], |row| row.get(0)).unwrap()
        };
        let before = count(&connection);
        // The first of the two would fit alone; their commit is one.
        let results = keep(&mut connection, [append(1), append(2000)]);
        assert!(matches!(results[..], [Err(StoreError::Full(_)), Err(StoreError::Full(_))]), "{results:?}");
        assert_eq!(count(&connection), before);
        assert!(matches!(keep(&mut connection, [append(1)])[..], [Ok(())]));
        assert_eq!(count(&connection), before + 1);
    }

    /// Holds the database's write lock, as an audit that is being saved does.
    fn hold(directory: &std::path::Path, time: Duration) -> JoinHandle<()> {
        let other = open_for_writing(&directory.into()).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        std::thread::spawn(move || {
            std::thread::sleep(time);
            other.execute_batch("COMMIT").unwrap();
        })
    }

    #[test]
    fn someone_elses_transaction_is_waited_for_and_then_called_busy() {
        let directory = tempfile::tempdir().unwrap();
        let mut connection = open_for_writing(&directory.path().into()).unwrap();
        keep(&mut connection, [begin()]);
        let holder = hold(directory.path(), Duration::from_millis(300));
        assert!(matches!(keep(&mut connection, [append(1)])[..], [Ok(())]));
        holder.join().unwrap();
        connection.busy_timeout(Duration::ZERO).unwrap();
        let holder = hold(directory.path(), Duration::from_millis(300));
        let read = Request::Read { run: RunId::new("run-1").unwrap(), last: 2 };
        assert!(matches!(keep(&mut connection, [append(1)])[..], [Err(StoreError::Busy(_))]));
        assert!(matches!(keep(&mut connection, [read])[..], [Ok(())]));
        holder.join().unwrap();
    }

    #[test]
    fn a_state_that_cannot_be_written_says_so() {
        let directory = tempfile::tempdir().unwrap();
        let mut connection = open_for_writing(&directory.path().into()).unwrap();
        connection.pragma_update(None, "query_only", true).unwrap();
        assert!(matches!(keep(&mut connection, [begin()])[..], [Err(StoreError::ReadOnly(_))]));
    }
}
