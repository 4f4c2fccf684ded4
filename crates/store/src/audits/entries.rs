//! Kept audits, without their servers.

use super::column_codes::{Code as _, listed, read_standings, unsigned};
use super::document::{self, RunDocument, StoredScope};
use super::types::{AuditEntry, EnforcementTally, Page};
use crate::StoreError;
use hostssl_model::{AuditAsked, Enforcement, Principal, Standing, Standings, Summary, Word, WorstListener};
use rusqlite::{Connection, OptionalExtension as _, Row, ToSql};

const AUDIT: &str = "SELECT num, id, started_ms, cloud, scope, profile, run, whole, stopped, subscriptions, servers, \
                     pass, fail, unknown, enforced, not_enforced, unseen, standings, controls, expiry_days, by_graph \
                     FROM audits";

pub(crate) fn audits(connection: &Connection, page: Page) -> Result<(Vec<AuditEntry>, u64), StoreError> {
    let sql = format!("{AUDIT} ORDER BY started_ms DESC, num DESC LIMIT ?1 OFFSET ?2");
    let total: i64 = connection.query_row("SELECT count(*) FROM audits", [], |row| row.get(0))?;
    Ok((entries(connection, &sql, &[&page.size, &page.offset()])?, unsigned(total)))
}

pub(crate) fn audit(connection: &Connection, id: &str) -> Result<Option<AuditEntry>, StoreError> {
    Ok(entries(connection, &format!("{AUDIT} WHERE id = ?1"), &[&id])?.pop())
}

pub(crate) fn audit_by_number(connection: &Connection, number: i64) -> Result<Option<AuditEntry>, StoreError> {
    Ok(entries(connection, &format!("{AUDIT} WHERE num = ?1"), &[&number])?.pop())
}

/// Where the servers of an audit stood by what that audit itself saw, without what others had seen: the figures of its
/// report.
pub(crate) fn seen_standings(connection: &Connection, audit: &AuditEntry) -> Result<Standings, StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT enforcement, wire, count(*) FROM observations WHERE audit = ?1 GROUP BY 1, 2")?;
    let mut rows = statement.query([audit.num])?;
    let mut standings = Standings::default();
    while let Some(row) = rows.next()? {
        let wire: String = row.get(1)?;
        let standing = Standing::new(Enforcement::from_code(row.get(0)?), WorstListener::from_code(&wire).into());
        standings.add(standing, unsigned(row.get(2)?));
    }
    Ok(standings)
}

/// The newest audit that says something about everything, with its own counts.
pub(crate) fn newest(connection: &Connection) -> Result<Option<AuditEntry>, StoreError> {
    let sql = format!(
        "{AUDIT} ORDER BY whole DESC, CASE WHEN whole THEN stopped END, CASE WHEN whole THEN controls <> '' END, \
         started_ms DESC, num DESC LIMIT 1"
    );
    Ok(entries(connection, &sql, &[])?.pop())
}

pub(crate) fn present_version(connection: &Connection) -> Result<i64, StoreError> {
    Ok(connection.prepare_cached("SELECT version FROM present")?.query_row([], |row| row.get(0))?)
}

/// Whether an audit probed any server.
pub(crate) fn looked_at_the_wire(connection: &Connection, audit: &AuditEntry) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM observations WHERE audit = ?1 AND wire <> '')";
    Ok(connection.prepare_cached(sql)?.query_row([audit.num], |row| row.get(0))?)
}

/// The audit that saw a server last, for its present.
pub(crate) fn last_audit_of(connection: &Connection, key: &str) -> Result<Option<AuditEntry>, StoreError> {
    let sql = format!(
        "{AUDIT} WHERE num = (SELECT c.audit FROM current c JOIN servers s ON s.num = c.server WHERE s.key = ?1)"
    );
    let mut found = entries(connection, &sql, &[&key])?.pop();
    if let Some(audit) = &mut found {
        audit.present = Some(present_version(connection)?);
    }
    Ok(found)
}

/// This audit and those before it of the same scope and controls, newest first; stopped ones are left out but for this one.
pub(crate) fn comparable(
    connection: &Connection,
    audit: &AuditEntry,
    count: u32,
) -> Result<Vec<AuditEntry>, StoreError> {
    let sql = format!(
        "{AUDIT} WHERE (started_ms, num) <= (?1, ?2) AND (num = ?2 OR NOT stopped) AND cloud = ?3 \
         AND (scope, controls) = (SELECT scope, controls FROM audits WHERE num = ?2) ORDER BY started_ms DESC, num DESC LIMIT ?4"
    );
    entries(connection, &sql, &[&audit.started_ms, &audit.num, &audit.cloud, &count])
}

/// The same, oldest first.
pub(crate) fn trend(connection: &Connection, audit: &AuditEntry, count: u32) -> Result<Vec<AuditEntry>, StoreError> {
    let mut entries = comparable(connection, audit, count)?;
    entries.reverse();
    Ok(entries)
}

/// The newest audit before this one of the same scope and controls that was not stopped.
pub(crate) fn audit_before(connection: &Connection, audit: &AuditEntry) -> Result<Option<AuditEntry>, StoreError> {
    Ok(comparable(connection, audit, 2)?.into_iter().nth(1))
}

/// The newest audit that has one before it of the same scope, and that one. A narrower audit, such as that of the servers
/// of a run, does not stand in the way; those of some controls alone are taken only where there are no others.
pub(crate) fn newest_pair(connection: &Connection) -> Result<Option<(AuditEntry, AuditEntry)>, StoreError> {
    let whole = pair(connection, "AND a.controls = '' AND b.controls = ''")?;
    if whole.is_some() { Ok(whole) } else { pair(connection, "") }
}

/// The newest audit that ends a trend: the later one of the newest pair, of audits that were not stopped.
pub(crate) fn newest_of_trend(connection: &Connection) -> Result<Option<AuditEntry>, StoreError> {
    let whole = pair(connection, "AND NOT a.stopped AND a.controls = '' AND b.controls = ''")?;
    let found = if whole.is_some() { whole } else { pair(connection, "AND NOT a.stopped")? };
    Ok(found.map(|(_, after)| after))
}

/// The newest pair of one scope that fulfils a condition on the later one, `a`, and on the earlier one, `b`.
fn pair(connection: &Connection, condition: &str) -> Result<Option<(AuditEntry, AuditEntry)>, StoreError> {
    // From the newest on, each with the newest before it: what is found stands at the beginning, however many audits there are. A scope
    // that was audited once is not searched for.
    let numbers = connection
        .prepare_cached(&format!(
            "SELECT (SELECT b.num FROM audits b WHERE (b.started_ms, b.num) < (a.started_ms, a.num) \
               AND NOT b.stopped AND b.cloud = a.cloud AND b.scope = a.scope {condition} \
               ORDER BY b.started_ms DESC, b.num DESC LIMIT 1) AS before, a.num FROM audits a \
             WHERE (a.cloud, a.scope) IN (SELECT cloud, scope FROM audits GROUP BY 1, 2 HAVING count(*) > 1) \
             AND before IS NOT NULL ORDER BY a.started_ms DESC, a.num DESC LIMIT 1"
        ))?
        .query_row([], |row| Ok::<[i64; 2], _>([row.get(0)?, row.get(1)?]))
        .optional()?;
    let Some([before, after]) = numbers else { return Ok(None) };
    Ok(audit_by_number(connection, before)?.zip(audit_by_number(connection, after)?))
}

fn entries(connection: &Connection, sql: &str, values: &[&dyn ToSql]) -> Result<Vec<AuditEntry>, StoreError> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(values)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(entry(row)?);
    }
    Ok(found)
}

fn entry(row: &Row<'_>) -> Result<AuditEntry, StoreError> {
    let text = |index| row.get::<_, String>(index);
    let number = |index| row.get::<_, i64>(index).map(unsigned);
    let run: RunDocument = document::read(&text(6)?)?;
    let scope: StoredScope = document::read(&text(4)?)?;
    let principals = run.principals.into_iter().map(|principal| Principal {
        name: principal.name,
        object_id: principal.object_id,
        tenant: principal.tenant,
        method: principal.method,
    });
    Ok(AuditEntry {
        num: row.get(0)?,
        id: text(1)?,
        started_ms: row.get(2)?,
        cloud: text(3)?,
        scope: scope.into(),
        profile: text(5)?,
        started_at: run.started_at,
        finished_at: run.finished_at,
        principals: principals.collect(),
        tool_version: run.tool_version,
        complete: run.complete,
        waived: run.waived,
        whole: row.get(7)?,
        stopped: row.get(8)?,
        subscriptions: number(9)?,
        summary: Summary { servers: number(10)?, pass: number(11)?, fail: number(12)?, unknown: number(13)? },
        tally: EnforcementTally { enforced: number(14)?, not_enforced: number(15)?, unknown: number(16)? },
        standings: read_standings(&text(17)?)?,
        asked: AuditAsked {
            only: listed(&text(18)?).map(Word::read).collect(),
            expiry_days: row.get(19)?,
            by_graph: row.get(20)?,
            by_zones: run.by_zones,
        },
        present: None,
    })
}
