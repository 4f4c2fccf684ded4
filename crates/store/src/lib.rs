//! Keeps runs, plans, the journal and its receipts, audits, probes, probers and censuses of clients, in SQLite in a state directory.
//!
//! The directory belongs to one user, and at most one process at a time may change servers with it. [`Store`] is that
//! one; [`StoreReader`] reads beside it. No token and no signed URL is kept: the types of `hostssl-remediation` that are
//! kept cannot hold one.

mod audits;
mod believed;
mod census;
mod console_sessions;
mod database;
mod direction;
mod directory;
mod error;
mod inspect;
mod kept_plans;
mod listed_roles;
mod orders;
mod plan_approvals;
mod principal;
mod probers;
mod probes;
mod proxied_roles;
mod reader;
mod run_check;
mod runs;
mod shared_log;
mod state_directory;
mod transcripts;
mod work_in_progress;
mod write_thread;

pub use audits::{
    AuditEntry, AuditId, AuditStore, ControlTally, EndedLook, Enforcement, EnforcementTally, EvidenceAges, Facets,
    GapGroup, HistoryEntry, KnownFromZones, NewerWords, NewestLook, Page, PlaceGap, PresentFigures, RunMark,
    ServerChange, ServerDetail, ServerFilter, ServerOutcomes, ServerPage, ServerReason, ServerRow, ServerSort,
    ServerWrite, StoredCertificate, StoredFinding, StoredGap, StoredListener, StoredListenerState, StoredNetwork,
    StoredReading, StoredUnchecked, StoredVantage, TagName, server_key,
};
pub use believed::MAX_VIOLATIONS;
pub use census::{CensusEntry, KeptCensusOf};
pub use console_sessions::{KeptLink, KeptSession, SignInLimits};
pub use directory::AuditKeyLock;
pub use error::StoreError;
pub use inspect::{StateFacts, StateLock, StatePresence, inspect};
pub use kept_plans::{KeptPlan, KeptPlanEntry};
pub use listed_roles::ListedRole;
pub use orders::{Order, OrderAct};
pub use plan_approvals::{ApprovalAct, RequiredApprovals};
pub use probers::{
    Enrolment, KeptAnswer, KeptLook, KnownProber, LookToKeep, NewProber, ProberEntry, ProberReason, ProberRefusal,
    ZoneProbers,
};
pub use probes::{NewProbe, ProbeEntry, ProbedEndpoint};
pub use proxied_roles::ProxiedRole;
pub use reader::{RunEntry, StoreReader, WriteReceipt};
pub use runs::{KeptRun, RunPurpose};
pub use shared_log::{
    Lease, LogEntry, LogHead, SharedError, SharedLog, StateDigest, TurnNumber, copy_into, copy_out_of, this_process,
    upgrade,
};
pub use state_directory::StateDirectory;
pub use transcripts::TranscriptSpool;
pub use work_in_progress::{WorkInProgress, WorkKind};

use async_trait::async_trait;
use directory::DatabaseFile;
use hostssl_remediation::{Journal, JournalError, JournalRecord, JournalledRun, LONGEST_WRITE, NewRun, RunId};
use std::sync::Arc;
use write_thread::{Begin, JournalTarget, Request, StoreWriter};

/// A state directory, open for changing servers. The lock on it is held until the last of it is gone.
pub struct Store {
    // Closed first, because only the last connection, if it may write, folds the log back into the database.
    reader: StoreReader,
    writer: StoreWriter,
    lease: Option<Arc<dyn Lease>>,
}

impl Store {
    /// Opens a state directory, and makes it when there is none: directory mode 0700, files 0600.
    ///
    /// # Errors
    ///
    /// [`StoreError`], which says what to do next: locked by another process, written by a newer hostssl,
    /// read-only, full, damaged, another program's, or open to other users.
    pub fn open(directory: impl Into<StateDirectory>) -> Result<Self, StoreError> {
        let directory = &directory.into();
        directory::prepare(directory)?;
        let lock = directory::lock(directory)?;
        // Before the copy is brought up to date: what the holder before kept until its lease was over is there then.
        let lease: Option<Arc<dyn Lease>> = directory.shared().map(shared_log::lease_of).transpose()?.map(Arc::from);
        let connection = database::open_for_writing(directory)?;
        let reader = StoreReader::open(directory)?;
        let (file, log) = (DatabaseFile::of(directory), directory.shared().cloned());
        let target = JournalTarget { file, log, lease: lease.clone() };
        let writer = StoreWriter::start(connection, target, lock)
            .map_err(|source| StoreError::Directory { path: directory.path().into(), source: Arc::new(source) })?;
        Ok(Self { reader, writer, lease })
    }

    /// Reads what is kept.
    #[must_use]
    pub fn reader(&self) -> &StoreReader {
        &self.reader
    }
}

#[async_trait]
impl Journal for Store {
    async fn begin(&self, run: &NewRun<'_>) -> Result<(), JournalError> {
        let begin = Begin {
            run: run.id.clone(),
            plan_hash: run.plan.hash().as_str().to_owned(),
            plan: run.plan.to_json(),
            steps: run.plan.steps().len(),
            principal: principal::principal_to(run.principal),
            first: run.first.clone(),
            rule: run.approvals.cloned(),
        };
        Ok(self.writer.keep(Request::Begin(Box::new(begin))).await?)
    }

    async fn append(&self, run: &RunId, records: &[JournalRecord]) -> Result<(), JournalError> {
        let request = Request::Append { run: run.clone(), records: records.to_vec() };
        Ok(self.writer.keep(request).await?)
    }

    async fn load(&self, run: &RunId) -> Result<JournalledRun, JournalError> {
        let stored = self.reader.load(run)?;
        let last = i64::try_from(stored.records.len()).unwrap_or(i64::MAX);
        self.writer.keep(Request::Read { run: run.clone(), last }).await?;
        Ok(stored)
    }

    fn may_write(&self) -> Result<(), JournalError> {
        let Some(lease) = &self.lease else { return Ok(()) };
        if lease.left() < LONGEST_WRITE {
            // After an outage of the store it may have run out, and no other process may have it.
            lease.renew();
        }
        if lease.left() < LONGEST_WRITE { Err(StoreError::LeaseEnds.into()) } else { Ok(()) }
    }
}
