//! Servers that audits did not list: which of them are gone, and which could not be searched for.
//!
//! A server counts with the newest audit that listed it, whatever other audits of other places saw since. It is gone only when an
//! audit that began after that one had ended was asked for it, and listed its place whole without it ([`AuditReach::unlisted`]).
//! Of two audits that ran at the same time, it is not known which looked last.

use super::AuditStore;
use super::clock_set_back::times_of;
use super::column_codes::Code as _;
use super::document::{self, ServerFacts};
use super::entries::audit_by_number;
use super::report::report_without_servers;
use crate::StoreError;
use hostssl_model::{AuditReach, AuditReport, AuditRun, NotListed, ResourceId, Server, Standing};
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};
use std::collections::HashMap;
use std::sync::Arc;

/// A server that an audit did not list.
struct Candidate {
    server: i64,
    /// The audit that listed it last, where that is kept.
    listed_by: Option<i64>,
    at_ms: i64,
    id: String,
    name: String,
    resource_group: String,
    facts: i64,
    is_hidden: bool,
}

impl AuditStore {
    /// Whether a server is gone: an audit that began after the last one that listed it had ended was asked for it, listed its place
    /// whole, and it was not there.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read.
    pub fn is_gone(&self, key: &str) -> Result<bool, StoreError> {
        self.read(|connection| is_gone(connection, key))
    }
}

/// Whether there are audits that are not taken in yet: those that an earlier version kept.
pub(crate) fn has_new(connection: &Connection) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM audits WHERE num NOT IN (SELECT audit FROM searched))";
    Ok(connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?)
}

/// Takes in what kept audits did not list, each in its turn.
pub(crate) fn search(transaction: &Transaction<'_>) -> Result<(), StoreError> {
    let oldest: Option<i64> = transaction
        .prepare_cached("SELECT min(started_ms) FROM audits WHERE num NOT IN (SELECT audit FROM searched)")?
        .query_row([], |row| row.get(0))?;
    // What is older than others that are kept may have listed what those did not.
    let audits: Vec<i64> = transaction
        .prepare_cached("SELECT num FROM audits WHERE started_ms >= ?1 ORDER BY started_ms, num")?
        .query_map([oldest], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for audit in &audits {
        search_by(transaction, *audit)?;
        transaction.prepare_cached("INSERT OR IGNORE INTO searched (audit) VALUES (?1)")?.execute([audit])?;
    }
    if !audits.is_empty() {
        transaction.execute("UPDATE present SET version = version + 1", [])?;
    }
    Ok(())
}

/// Forgets what is known of a server that was gone and is listed now by an audit that began then: it may be another one of the same
/// name. That it accepted plaintext stands until it is probed again, since a list may have left it out by mistake.
pub(crate) fn forget_predecessor(transaction: &Transaction<'_>, server: i64, at_ms: i64) -> Result<(), StoreError> {
    let sql = "SELECT c.standing FROM current c JOIN unlisted u ON u.server = c.server AND u.gone \
               WHERE c.server = ?1 AND c.at_ms <= ?2";
    let standing: Option<i64> =
        transaction.prepare_cached(sql)?.query_row([server, at_ms], |row| row.get(0)).optional()?;
    if let Some(standing) = standing {
        transaction.prepare_cached("DELETE FROM current WHERE server = ?1")?.execute([server])?;
        if Standing::from_code(standing) != Standing::AcceptsPlaintext {
            transaction.prepare_cached("DELETE FROM evidence WHERE server = ?1")?.execute([server])?;
        }
        transaction.prepare_cached("DELETE FROM unlisted WHERE server = ?1")?.execute([server])?;
    }
    Ok(())
}

/// Notes that an audit listed a server, unless a newer one did.
pub(crate) fn found(transaction: &Transaction<'_>, (server, audit): (i64, i64)) -> Result<(), StoreError> {
    let delete = "DELETE FROM unlisted WHERE server = (SELECT server FROM current WHERE server = ?1 AND audit = ?2)";
    transaction.prepare_cached(delete)?.execute([server, audit])?;
    Ok(())
}

/// Whether a server is gone.
pub(crate) fn is_gone(connection: &Connection, key: &str) -> Result<bool, StoreError> {
    let sql = "SELECT gone FROM unlisted WHERE server = (SELECT num FROM servers WHERE key = ?1)";
    Ok(connection.prepare_cached(sql)?.query_row([key], |row| row.get(0)).optional()?.unwrap_or_default())
}

fn search_by(transaction: &Transaction<'_>, audit: i64) -> Result<(), StoreError> {
    let Some(entry) = audit_by_number(transaction, audit)? else { return Ok(()) };
    let by = report_without_servers(transaction, &entry)?;
    let mut places = Places {
        connection: transaction,
        by: by.reach(),
        began_ms: entry.started_ms,
        reports: HashMap::new(),
        asked: HashMap::new(),
    };
    for one in candidates(transaction, audit)? {
        if !by.run.scope.admits_name(&one.resource_group, &one.name) {
            continue;
        }
        let is_gone = match places.unlisted(&one)? {
            NotListed::NotAsked => continue,
            NotListed::Hidden(_) if one.is_hidden => continue,
            NotListed::Hidden(_) => false,
            NotListed::Gone => true,
        };
        transaction
            .prepare_cached("INSERT OR REPLACE INTO unlisted (server, gone) VALUES (?1, ?2)")?
            .execute(params![one.server, is_gone])?;
    }
    Ok(())
}

/// Servers of the same cloud that were listed before an audit and not since.
fn candidates(connection: &Connection, audit: i64) -> Result<Vec<Candidate>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT c.server, a.num, c.at_ms, s.spelled, s.name, s.resource_group, c.facts, u.gone IS NOT NULL \
         FROM audits b JOIN current c ON c.at_ms < b.started_ms JOIN servers s ON s.num = c.server \
         LEFT JOIN audits a ON a.num = c.audit LEFT JOIN unlisted u ON u.server = c.server \
         WHERE b.num = ?1 AND u.gone IS NOT 1 AND ifnull(a.cloud, b.cloud) = b.cloud",
    )?;
    let candidate = |row: &Row<'_>| {
        Ok(Candidate {
            server: row.get(0)?,
            listed_by: row.get(1)?,
            at_ms: row.get(2)?,
            id: row.get(3)?,
            name: row.get(4)?,
            resource_group: row.get(5)?,
            facts: row.get(6)?,
            is_hidden: row.get(7)?,
        })
    };
    Ok(statement.query_map([audit], candidate)?.collect::<Result<_, _>>()?)
}

/// When an audit ended. One whose clock was ahead is dated back to just before the one that is kept next, which it did not overlap.
fn end_ms(run: &AuditRun, at_ms: i64) -> i64 {
    let times = times_of(run, 0);
    if times.started_ms == at_ms { times.finished_ms.max(at_ms) } else { at_ms }
}

fn report_of(connection: &Connection, audit: i64) -> Result<Option<Arc<AuditReport>>, StoreError> {
    let Some(entry) = audit_by_number(connection, audit)? else { return Ok(None) };
    Ok(Some(Arc::new(report_without_servers(connection, &entry)?)))
}

/// What an audit says of the places of servers, and of each server of those that it was asked for.
struct Places<'a> {
    connection: &'a Connection,
    by: AuditReach<'a>,
    began_ms: i64,
    /// The audits that listed servers last.
    reports: HashMap<i64, Option<Arc<AuditReport>>>,
    /// Whether it was asked for a subscription that another audit listed.
    asked: HashMap<(Option<i64>, String), bool>,
}

impl<'a> Places<'a> {
    fn unlisted(&mut self, one: &Candidate) -> Result<NotListed<'a>, StoreError> {
        let report = self.listed_by(one.listed_by)?;
        if report.as_deref().is_some_and(|report| self.began_ms < end_ms(&report.run, one.at_ms)) {
            return Ok(NotListed::NotAsked);
        }
        // Where it is not kept which audit that was, this one is taken to be asked for the same.
        let listed_by = report.as_deref().map_or(self.by, AuditReport::reach);
        let id = ResourceId::try_from(one.id.as_str()).map_err(|_| document::corrupt("the id of a server"))?;
        let place = (one.listed_by, id.subscription().to_string());
        let by = self.by;
        if !*self.asked.entry(place).or_insert_with(|| by.asks_for_place(&id, listed_by)) {
            return Ok(NotListed::NotAsked);
        }
        if let Some(why) = by.hidden(&id).filter(|_| one.is_hidden) {
            return Ok(NotListed::Hidden(why));
        }
        Ok(match self.server(one.facts)? {
            Some(server) => by.unlisted(&server, listed_by),
            // Of a kind that a newer version kept, the tags are not read.
            None => NotListed::NotAsked,
        })
    }

    fn listed_by(&mut self, audit: Option<i64>) -> Result<Option<Arc<AuditReport>>, StoreError> {
        let Some(audit) = audit else { return Ok(None) };
        if let Some(known) = self.reports.get(&audit) {
            return Ok(known.clone());
        }
        let report = report_of(self.connection, audit)?;
        self.reports.insert(audit, report.clone());
        Ok(report)
    }

    fn server(&self, facts: i64) -> Result<Option<Server>, StoreError> {
        let text: String = self
            .connection
            .prepare_cached("SELECT document FROM facts WHERE num = ?1")?
            .query_row([facts], |row| row.get(0))?;
        let facts: ServerFacts = document::read(&text)?;
        facts.server()
    }
}
