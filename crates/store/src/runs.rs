//! One list of everything that was run: audits, probes, and what changed servers.

use crate::audits::{audit_before, audit_of, audits_of, newest_pair, report_of};
use crate::probes::{ProbeEntry, probe_of};
use crate::reader::entry_of_run;
use crate::write_thread::unfinished_run;
use crate::{AuditEntry, AuditStore, Page, PresentFigures, RunEntry, ServerFilter, StoreError, StoreReader};
use hostssl_model::{AuditReport, coded};
use hostssl_remediation::RunId;
use rusqlite::{Connection, OptionalExtension as _, params};

coded! {
    /// What a run was for.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub enum RunPurpose {
        /// To audit.
        Audit = "audit",
        /// To probe endpoints that were named one by one.
        Probe = "probe",
        /// To change servers.
        Apply = "apply",
    }
}

/// A run of any kind.
#[derive(Debug, Clone)]
pub enum KeptRun {
    /// It audited.
    Audit(Box<AuditEntry>),
    /// It probed endpoints that were named one by one.
    Probe(Box<ProbeEntry>),
    /// It changed servers, or was to.
    Apply(Box<RunEntry>),
}

impl KeptRun {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> &str {
        match self {
            Self::Audit(audit) => &audit.id,
            Self::Probe(probe) => &probe.id,
            Self::Apply(run) => run.id.as_str(),
        }
    }
}

impl AuditStore {
    /// Audits, probes and applies together, the newest first, and how many there are.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read.
    pub fn runs(&self, page: Page) -> Result<(Vec<KeptRun>, u64), StoreError> {
        self.read(|connection| kept_runs(connection, None, page))
    }

    /// The same of one purpose alone.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read.
    pub fn runs_for(&self, purpose: RunPurpose, page: Page) -> Result<(Vec<KeptRun>, u64), StoreError> {
        self.read(|connection| kept_runs(connection, Some(purpose), page))
    }

    /// The run that must be resumed, or end, before anything else may change servers.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read.
    pub fn unfinished(&self) -> Result<Option<RunEntry>, StoreError> {
        self.read(unfinished)
    }

    /// The run that changed servers last, by its last entry in the journal.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read.
    pub fn last_change(&self) -> Result<Option<RunEntry>, StoreError> {
        self.read(|connection| {
            let sql = "SELECT run FROM journal GROUP BY run ORDER BY max(at_ms) DESC, run DESC LIMIT 1";
            let found: Option<String> = connection.prepare_cached(sql)?.query_row([], |row| row.get(0)).optional()?;
            let Some(id) = found else { return Ok(None) };
            let id = RunId::new(&id).map_err(|error| StoreError::Corrupt(error.to_string()))?;
            entry_of_run(connection, &id)
        })
    }

    /// Whether an audit probed any server.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read.
    pub fn looked_at_the_wire(&self, audit: &AuditEntry) -> Result<bool, StoreError> {
        self.read(|connection| crate::audits::looked_at_the_wire(connection, audit))
    }
}

fn unfinished(connection: &Connection) -> Result<Option<RunEntry>, StoreError> {
    let Some(run) = unfinished_run(connection, None)? else { return Ok(None) };
    entry_of_run(connection, &run)
}

impl StoreReader {
    /// Audits, probes and applies together, the newest first, and how many there are.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read.
    pub fn kept_runs(&self, page: Page) -> Result<(Vec<KeptRun>, u64), StoreError> {
        kept_runs(&self.lock(), None, page)
    }

    /// The run that must be resumed, or end, before anything else may change servers.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read.
    pub fn unfinished(&self) -> Result<Option<RunEntry>, StoreError> {
        unfinished(&self.lock())
    }

    /// One kept audit.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read.
    pub fn audit(&self, id: &str) -> Result<Option<AuditEntry>, StoreError> {
        audit_of(&self.lock(), id)
    }

    /// A page of the kept audits, the newest first, and how many there are.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read.
    pub fn audits(&self, page: Page) -> Result<(Vec<AuditEntry>, u64), StoreError> {
        audits_of(&self.lock(), page)
    }

    /// The newest audit.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read.
    pub fn newest_audit(&self) -> Result<Option<AuditEntry>, StoreError> {
        Ok(audits_of(&self.lock(), Page { number: 0, size: 1 })?.0.into_iter().next())
    }

    /// The newest audit before this one that had the same scope and was not stopped.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read.
    pub fn audit_before(&self, audit: &AuditEntry) -> Result<Option<AuditEntry>, StoreError> {
        audit_before(&self.lock(), audit)
    }

    /// The newest audit that has one before it of the same scope, after that one; `None` without two such audits. A narrower
    /// audit, such as that of the servers of a run, does not stand in the way.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read.
    pub fn newest_pair(&self) -> Result<Option<(AuditEntry, AuditEntry)>, StoreError> {
        newest_pair(&self.lock())
    }

    /// The audit that ends a trend: the newest that was not stopped and has one before it of the same scope and controls.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read.
    pub fn newest_of_trend(&self) -> Result<Option<AuditEntry>, StoreError> {
        crate::audits::newest_of_trend(&self.lock())
    }

    /// This audit and those before it that had the same scope and were not stopped, at most `count`, oldest first.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read.
    pub fn trend(&self, audit: &AuditEntry, count: u32) -> Result<Vec<AuditEntry>, StoreError> {
        crate::audits::trend(&self.lock(), audit, count)
    }

    /// Whether runs have changed and read back what the present does not hold yet. A store takes it in.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read.
    pub fn has_changes(&self) -> Result<bool, StoreError> {
        crate::audits::has_changes(&self.lock())
    }

    /// Where the servers of an audit stand now, by what was changed and seen since too.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read.
    pub fn present_of(&self, audit: &AuditEntry) -> Result<PresentFigures, StoreError> {
        crate::audits::present_of(&self.lock(), audit)
    }

    /// The ids and names of every subscription that a kept audit knew, the newest name of each.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read.
    pub fn subscription_names(&self) -> Result<Vec<(String, String)>, StoreError> {
        let connection = self.lock();
        // Of several rows, SQLite takes the name from the one that has the maximum.
        let mut statement = connection.prepare("SELECT id, name, max(audit) FROM audit_subscriptions GROUP BY id")?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Whether an audit probed any server.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read.
    pub fn looked_at_the_wire(&self, audit: &AuditEntry) -> Result<bool, StoreError> {
        crate::audits::looked_at_the_wire(&self.lock(), audit)
    }

    /// Checks that what is kept of the servers of an audit still has the SHA-256 under which it was kept.
    ///
    /// # Errors
    ///
    /// [`StoreError::Corrupt`] for the first server of which it does not.
    pub fn check_documents(&self, audit: &AuditEntry) -> Result<(), StoreError> {
        crate::audits::check_documents(&self.lock(), audit)
    }

    /// The report of a kept audit as it was.
    ///
    /// # Errors
    ///
    /// [`StoreError::Corrupt`] when what is kept cannot be understood.
    pub fn audit_report(&self, audit: &AuditEntry) -> Result<AuditReport, StoreError> {
        report_of(&self.lock(), audit, &ServerFilter::default())
    }
}

/// A page of all kinds. What is deleted while the page is read is left out.
fn kept_runs(
    connection: &Connection,
    purpose: Option<RunPurpose>,
    page: Page,
) -> Result<(Vec<KeptRun>, u64), StoreError> {
    let kind = purpose.map(|purpose| match purpose {
        RunPurpose::Audit => 0,
        RunPurpose::Probe => 1,
        RunPurpose::Apply => 2,
    });
    let total = "SELECT iif(coalesce(?1, 0) = 0, (SELECT count(*) FROM audits), 0) \
                 + iif(coalesce(?1, 1) = 1, (SELECT count(*) FROM probes), 0) \
                 + iif(coalesce(?1, 2) = 2, (SELECT count(*) FROM runs), 0)";
    let total: i64 = connection.query_row(total, [kind], |row| row.get(0))?;
    let mut statement = connection.prepare_cached(
        "SELECT * FROM (SELECT 0 AS kind, id, started_ms AS at FROM audits UNION ALL \
         SELECT 1, id, started_ms FROM probes UNION ALL \
         SELECT 2, id, (SELECT at_ms FROM journal WHERE run = id ORDER BY seq LIMIT 1) FROM runs) \
         WHERE ?3 IS NULL OR kind = ?3 ORDER BY at DESC, id DESC LIMIT ?1 OFFSET ?2",
    )?;
    let skip = i64::from(page.number) * i64::from(page.size);
    let rows = statement.query_map(params![page.size, skip, kind], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let named: Vec<(u8, String)> = rows.collect::<Result<_, _>>()?;
    let mut found = Vec::with_capacity(named.len());
    for (kind, id) in named {
        let run = match kind {
            0 => audit_of(connection, &id)?.map(|audit| KeptRun::Audit(Box::new(audit))),
            1 => probe_of(connection, &id)?.map(|probe| KeptRun::Probe(Box::new(probe))),
            _ => {
                let id = RunId::new(&id).map_err(|error| StoreError::Corrupt(error.to_string()))?;
                entry_of_run(connection, &id)?.map(|run| KeptRun::Apply(Box::new(run)))
            }
        };
        found.extend(run);
    }
    Ok((found, u64::try_from(total).unwrap_or_default()))
}
