//! What is kept of the servers of a report, before the report itself is kept.

use super::clock_set_back::dated_back;
use super::clock_set_back::times_of;
use super::current::{standing_of, take_in};
use super::save::is_declared;
use super::server_evidence::ServerEvidence;
use crate::believed::note_disowned;
use crate::{StoreError, StoreReader};
use hostssl_model::{AuditReport, Enforcement};
use rusqlite::{Connection, OptionalExtension as _};

/// Says of each server of a report where it stands by what is kept of it and what the report saw: as the present will count
/// it once the report is kept.
fn learn(connection: &Connection, report: &mut AuditReport) -> Result<(), StoreError> {
    let times = times_of(&report.run, jiff::Timestamp::now().as_millisecond());
    let mut find = connection
        .prepare_cached("SELECT e.document FROM servers s JOIN evidence e ON e.server = s.num WHERE s.id = ?1")?;
    for server in &mut report.servers {
        let id = server.server.id.to_lowercase();
        let Some(document) = find.query_row([id], |row| row.get::<_, String>(0)).optional()? else { continue };
        let mut evidence = ServerEvidence::read(&document)?;
        dated_back(connection, &mut evidence, times)?;
        let declared = is_declared(&report.run, server).then(|| Enforcement::of(server));
        let audit = (times.started_ms, report.run.id.as_str());
        take_in(&mut evidence.state, audit, declared, server.wire.clone(), report.run.asked.by_zones);
        note_disowned(connection, &mut evidence.state, &server.wire)?;
        server.learn(standing_of(&evidence.state));
    }
    Ok(())
}

impl StoreReader {
    /// Says of each server of a report that is not kept yet where it stands by all that is known.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read.
    pub fn learn(&self, report: &mut AuditReport) -> Result<(), StoreError> {
        learn(&self.lock(), report)
    }
}

impl super::AuditStore {
    /// As [`StoreReader::learn`].
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read.
    pub fn learn(&self, report: &mut AuditReport) -> Result<(), StoreError> {
        self.read(|connection| learn(connection, report))
    }
}
