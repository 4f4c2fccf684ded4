//! Which servers the present has, where they stand, and how old the evidence is that they count by.

use super::AuditStore;
use super::column_codes::{Code as _, outcome_from, unsigned};
use super::entries::{newest, present_version};
use super::types::AuditEntry;
use crate::StoreError;
use hostssl_model::{Enforcement, Outcome, Standing, Standings};
use rusqlite::Connection;

/// The present: every server that is not gone, with the newest audit that listed it. Each simulated cloud has a present of its own.
/// The value is the number of an audit of the cloud.
pub(crate) const PRESENT: &str = "o.server NOT IN (SELECT server FROM unlisted WHERE gone) AND o.audit NOT IN \
                                  (SELECT b.num FROM audits a, audits b WHERE a.num = ?1 AND a.cloud <> b.cloud \
                                  AND 'simulated:' IN (substr(a.cloud, 1, 10), substr(b.cloud, 1, 10)))";

/// Of the present, what an audit and others of the same scope listed, or any audit since it began.
pub(crate) const PRESENT_IN_SCOPE: &str = "(o.at_ms >= (SELECT started_ms FROM audits WHERE num = ?1) OR o.audit IN \
                                           (SELECT b.num FROM audits a, audits b WHERE a.num = ?1 \
                                           AND (a.cloud, a.scope) = (b.cloud, b.scope)))";

/// Where the servers of an audit stand now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PresentFigures {
    /// Servers by where they stand.
    pub standings: Standings,
    /// Servers that a run has changed since they were audited.
    pub changed: u64,
}

/// How old the evidence is that the servers of the present count by: the oldest and the newest, in milliseconds since
/// 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EvidenceAges {
    /// When the audits began that listed the servers last.
    pub audited_ms: Option<[i64; 2]>,
    /// When the servers were probed, by the oldest look of each that still counts.
    pub probed_ms: Option<[i64; 2]>,
    /// Servers that were probed.
    pub probed_servers: u64,
}

impl AuditStore {
    /// How many servers of the present count with evidence that is not whole: an audit since then could not search for them, or the
    /// one that listed them last, which is another than this one, could not check everything.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read.
    pub fn out_of_sight(&self, audit: &AuditEntry) -> Result<u64, StoreError> {
        self.read(|connection| out_of_sight(connection, audit))
    }

    /// How old the evidence is that the servers of the present of an audit count by.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read.
    pub fn evidence_ages(&self, audit: &AuditEntry) -> Result<EvidenceAges, StoreError> {
        self.read(|connection| evidence_ages(connection, audit))
    }

    /// When the newest evidence of a listener that stands was gathered, in milliseconds since 1970-01-01T00:00:00Z.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read.
    pub fn newest_probe(&self) -> Result<Option<i64>, StoreError> {
        self.read(|connection| {
            Ok(connection.prepare_cached("SELECT max(probed_ms) FROM current")?.query_row([], |row| row.get(0))?)
        })
    }

    /// Where the servers of an audit stand now, by what was changed and seen since too.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read.
    pub fn present_of(&self, audit: &AuditEntry) -> Result<PresentFigures, StoreError> {
        self.read(|connection| present_of(connection, audit))
    }
}

/// Where the servers of an audit stand now. Those of the newest audit are all of its scope in the present, with what was found since
/// and what an audit of the same scope found that it could not search for.
pub(crate) fn present_of(connection: &Connection, audit: &AuditEntry) -> Result<PresentFigures, StoreError> {
    let is_newest = newest(connection)?.is_some_and(|newest| newest.num == audit.num);
    let of_audit = "o.server IN (SELECT server FROM observations WHERE audit = ?1)";
    let in_scope = if is_newest { PRESENT_IN_SCOPE } else { of_audit };
    let mut statement = connection.prepare_cached(&format!(
        "SELECT o.standing, count(*), count(o.changed_ms) FROM current o WHERE {PRESENT} AND {in_scope} GROUP BY 1",
    ))?;
    let mut rows = statement.query([audit.num])?;
    let mut found = PresentFigures::default();
    while let Some(row) = rows.next()? {
        found.standings.add(Standing::from_code(row.get(0)?), unsigned(row.get(1)?));
        found.changed += unsigned(row.get(2)?);
    }
    Ok(found)
}

/// The newest audit that says something about everything, with the counts of the present.
pub(crate) fn latest(connection: &Connection) -> Result<Option<AuditEntry>, StoreError> {
    let Some(mut audit) = newest(connection)? else { return Ok(None) };
    audit.present = Some(present_version(connection)?);
    count_present(connection, &mut audit)?;
    Ok(Some(audit))
}

/// The counts of the present, of which every list is a part.
fn count_present(connection: &Connection, audit: &mut AuditEntry) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT outcome, enforcement, standing, count(*) FROM current o WHERE {PRESENT} GROUP BY 1, 2, 3",
    ))?;
    let mut rows = statement.query([audit.num])?;
    (audit.summary, audit.tally, audit.standings) = Default::default();
    while let Some(row) = rows.next()? {
        let servers = unsigned(row.get(3)?);
        let summary = &mut audit.summary;
        summary.servers += servers;
        match outcome_from(row.get(0)?) {
            Outcome::Fail => summary.fail += servers,
            Outcome::Unknown => summary.unknown += servers,
            Outcome::Pass | Outcome::NotApplicable => summary.pass += servers,
        }
        audit.tally.add(Enforcement::from_code(row.get(1)?), servers);
        audit.standings.add(Standing::from_code(row.get(2)?), servers);
    }
    Ok(())
}

/// How many servers of the present count with evidence that is not whole: an audit since then could not search for them, or the one
/// that listed them last, which is another than this one, could not check everything.
pub(crate) fn out_of_sight(connection: &Connection, audit: &AuditEntry) -> Result<u64, StoreError> {
    let sql = format!(
        "SELECT count(*) FROM current o WHERE {PRESENT} AND (o.server IN (SELECT server FROM unlisted) OR o.audit IN \
         (SELECT num FROM audits WHERE num <> ?1 AND NOT json_extract(run, '$.complete')))"
    );
    let count = connection.prepare_cached(&sql)?.query_row([audit.num], |row| row.get(0))?;
    Ok(unsigned(count))
}

/// How old the evidence is that the servers of the present of an audit count by.
pub(crate) fn evidence_ages(connection: &Connection, audit: &AuditEntry) -> Result<EvidenceAges, StoreError> {
    let sql = format!(
        "SELECT min(at_ms), max(at_ms), min(probed_ms), max(probed_ms), count(probed_ms) FROM current o WHERE {PRESENT}"
    );
    let ages = connection.prepare_cached(&sql)?.query_row([audit.num], |row| {
        let pair = |at| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(at)?.zip(row.get(at + 1)?));
        let [audited_ms, probed_ms] = [pair(0)?, pair(2)?].map(|pair| pair.map(<[i64; 2]>::from));
        Ok(EvidenceAges { audited_ms, probed_ms, probed_servers: unsigned(row.get(4)?) })
    })?;
    Ok(ages)
}
