//! A clock that was set back: what is kept of a time that is still to come was kept before.

use super::server_evidence::ServerEvidence;
use crate::StoreError;
use hostssl_model::{AuditRun, CurrentState};
use rusqlite::{Connection, Transaction, params};

/// When an audit, a probe or the read-backs of a run began and ended, and when it is kept, in milliseconds since 1970.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AuditTimes {
    pub(crate) started_ms: i64,
    pub(crate) finished_ms: i64,
    pub(crate) now_ms: i64,
}

/// When an audit ran, by its own words.
pub(crate) fn times_of(run: &AuditRun, now_ms: i64) -> AuditTimes {
    let milliseconds = |text: &str| text.parse::<jiff::Timestamp>().map_or(0, jiff::Timestamp::as_millisecond);
    AuditTimes { started_ms: milliseconds(&run.started_at), finished_ms: milliseconds(&run.finished_at), now_ms }
}

/// When the newest audit, probe or read-back was, by its own clock.
const NEWEST: &str = "SELECT max(at) FROM (SELECT max(started_ms) AS at FROM audits UNION ALL \
                      SELECT max(started_ms) FROM probes UNION ALL SELECT max(observed_at_ms) FROM receipts)";

impl AuditTimes {
    /// Where an audit is kept that begins only in the future, the clock was set back since, or that of another machine is ahead.
    /// An audit that has not ended yet either tells nothing: then the clock of this machine is not the one of its times.
    fn clock_went_back(self, connection: &Connection) -> Result<bool, StoreError> {
        if self.finished_ms > self.now_ms {
            return Ok(false);
        }
        let newest: Option<i64> = connection.prepare_cached(NEWEST)?.query_row([], |row| row.get(0))?;
        Ok(newest.is_some_and(|newest| newest > self.now_ms))
    }

    /// The last moment before the audit.
    const fn just_before(self) -> i64 {
        self.started_ms.saturating_sub(1)
    }
}

/// Dates what is kept of a time to come just before the audit that is kept now: it is older, whatever its clock said. What an audit
/// said of its own time stays in its document.
pub(crate) fn date_back(transaction: &Transaction<'_>, times: AuditTimes) -> Result<(), StoreError> {
    if !times.clock_went_back(transaction)? {
        return Ok(());
    }
    let (now_ms, before_ms) = (times.now_ms, times.just_before());
    let to = params![before_ms, now_ms];
    transaction.execute("UPDATE audits SET started_ms = ?1 WHERE started_ms > ?2", to)?;
    transaction.execute(
        "UPDATE current SET since_ms = min(since_ms, ?1), changed_ms = changed_ms - (at_ms - ?1), \
         probed_ms = probed_ms - (at_ms - ?1), at_ms = ?1 WHERE at_ms > ?2",
        to,
    )?;
    // What a probe or a run has added to an audit of a clock that was right.
    transaction.execute("UPDATE current SET changed_ms = ?1 WHERE changed_ms > ?2", to)?;
    transaction.execute("UPDATE current SET probed_ms = ?1 WHERE probed_ms > ?2", to)?;
    let servers: Vec<i64> = transaction
        .prepare("SELECT server FROM evidence")?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for server in servers {
        let mut evidence = super::server_evidence::known(transaction, server)?;
        if date_back_state(&mut evidence.state, times) {
            super::current::write_known(transaction, server, &evidence)?;
        }
    }
    Ok(())
}

/// The same for the evidence of one server that is not written.
pub(super) fn dated_back(
    connection: &Connection,
    evidence: &mut ServerEvidence,
    times: AuditTimes,
) -> Result<(), StoreError> {
    if times.clock_went_back(connection)? {
        date_back_state(&mut evidence.state, times);
    }
    Ok(())
}

/// All of it by the same time, so that what came first still comes first.
fn date_back_state(state: &mut CurrentState, times: AuditTimes) -> bool {
    let newest = state.newest_ms().filter(|newest| *newest > times.now_ms);
    if let Some(newest) = newest {
        state.date_back(newest.saturating_sub(times.just_before()));
    }
    newest.is_some()
}
