//! What is different between two audits, server by server.

use super::column_codes::{Code as _, unsigned};
use super::rows::{ROW_COLUMNS, ServerSource, server_row};
use super::types::{AuditEntry, ServerChange};
use crate::StoreError;
use hostssl_model::Standing;
use rusqlite::{Connection, Rows, params};

/// Codes of standings with those that count as enforced as one: whether it was probed is not a change of the server.
const COARSE: &str = "CASE WHEN standing < 3 THEN 0 ELSE standing END";

pub(crate) fn changes(
    connection: &Connection,
    audit: &AuditEntry,
    previous: &AuditEntry,
    count: u32,
) -> Result<(Vec<ServerChange>, u64), StoreError> {
    let source = ServerSource::of(audit);
    // A server of another scope is not new because the earlier audit did not list it.
    let since = if audit.present.is_some() { "o.at_ms >= (SELECT started_ms FROM audits WHERE num = ?1)" } else { "1" };
    let found = format!(
        "SELECT o.server, {COARSE} AS coarse, o.standing, {since} AS is_own FROM {} WHERE {}",
        source.table, source.condition,
    );
    let mut statement = connection.prepare_cached(&format!(
        "WITH p AS (SELECT server, {COARSE} AS coarse, standing FROM observations WHERE audit = ?2), q AS ({found}) \
         SELECT {}, c.before, c.after, count(*) OVER () FROM ( \
           SELECT q.server AS server, p.standing AS before, q.standing AS after FROM q LEFT JOIN p USING (server) \
             WHERE q.coarse IS NOT p.coarse AND (q.is_own OR p.server IS NOT NULL) \
         ) c JOIN {} WHERE {} AND o.server = c.server \
         ORDER BY c.after DESC, c.before, s.name COLLATE NOCASE LIMIT ?3",
        source.row(),
        source.tables(true),
        source.condition,
    ))?;
    let mut found = read_changes(&mut statement.query(params![source.value, previous.num, count])?)?;
    let then = ServerSource::of(previous);
    let gone = format!(
        "SELECT {}, o.standing, NULL, count(*) OVER () FROM {} WHERE o.audit = ?2 AND o.server NOT IN \
         (SELECT q.server FROM {} q WHERE {}) ORDER BY s.name COLLATE NOCASE LIMIT ?3",
        then.row(),
        then.tables(true),
        source.table.trim_end_matches(" o"),
        source.condition.replace("o.", "q."),
    );
    let mut statement = connection.prepare_cached(&gone)?;
    let (rows, total) = read_changes(&mut statement.query(params![source.value, previous.num, count])?)?;
    found.0.extend(rows);
    found.0.truncate(usize::try_from(count).unwrap_or(usize::MAX));
    Ok((found.0, found.1 + total))
}

/// Servers that did not enforce in an earlier audit, and of which that is not known any more: they could not be checked, or
/// were not listed.
pub(crate) fn lost_sight(
    connection: &Connection,
    audit: &AuditEntry,
    previous: &AuditEntry,
) -> Result<u64, StoreError> {
    let source = ServerSource::of(audit);
    let mut statement = connection.prepare_cached(&format!(
        "SELECT count(*) FROM observations p LEFT JOIN (SELECT o.server, o.standing FROM {} WHERE {}) q USING (server) \
         WHERE p.audit = ?2 AND p.standing IN (?3, ?4) AND ifnull(q.standing, ?5) = ?5",
        source.table, source.condition,
    ))?;
    let [unknown, off, accepting] =
        [Standing::Unknown, Standing::NotEnforced, Standing::AcceptsPlaintext].map(Standing::code);
    let values = params![source.value, previous.num, off, accepting, unknown];
    Ok(unsigned(statement.query_row(values, |row| row.get(0))?))
}

fn read_changes(rows: &mut Rows<'_>) -> Result<(Vec<ServerChange>, u64), StoreError> {
    let (mut found, mut total) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        let standing = |index| row.get::<_, Option<i64>>(index).map(|code| code.map(Standing::from_code));
        let (before, after) = (standing(ROW_COLUMNS)?, standing(ROW_COLUMNS + 1)?);
        found.push(ServerChange { row: server_row(row)?, before, after });
        total = unsigned(row.get(ROW_COLUMNS + 2)?);
    }
    Ok((found, total))
}
