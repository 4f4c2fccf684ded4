//! What an audit could not check, one by one and in groups.

use super::column_codes::{listed, unsigned};
use super::types::{AuditEntry, GapGroup, Page, PlaceGap, StoredGap};
use super::unchecked::StoredUnchecked;
use crate::StoreError;
use hostssl_model::{GapScope, Word};
use rusqlite::{Connection, params};

pub(crate) fn gap_groups(connection: &Connection, audit: &AuditEntry) -> Result<Vec<GapGroup>, StoreError> {
    let mut statement = connection.prepare_cached(
        // A server has a gap for each of its settings, and a place one for each of its lists: both count once.
        "SELECT reason, group_concat(DISTINCT permission), count(DISTINCT lower(scope)), \
           count(DISTINCT CASE WHEN scope LIKE '/subscriptions/%/providers/%' THEN lower(scope) END) \
         FROM audit_gaps WHERE audit = ?1 GROUP BY reason ORDER BY reason = 'not-offered', 3 DESC, reason",
    )?;
    let rows = statement.query_map([audit.num], |row| {
        let (all, servers) = (unsigned(row.get(2)?), unsigned(row.get(3)?));
        let permissions: Option<String> = row.get(1)?;
        let mut permissions: Vec<String> = permissions.iter().flat_map(|all| listed(all)).map(Into::into).collect();
        permissions.sort_unstable();
        Ok(GapGroup {
            reason: Word::read(row.get_ref(0)?.as_str()?),
            permissions,
            servers,
            places: all.saturating_sub(servers),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(crate) fn place_gaps(connection: &Connection, audit: &AuditEntry, count: u32) -> Result<Vec<PlaceGap>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT g.scope, n.name, g.reason, count(*), group_concat(DISTINCT g.permission) \
         FROM audit_gaps g LEFT JOIN audit_subscriptions n ON n.audit = g.audit \
           AND lower(g.scope) = '/subscriptions/' || n.id \
         WHERE g.audit = ?1 AND g.scope NOT LIKE '/subscriptions/%/providers/%' \
         GROUP BY g.scope, g.reason ORDER BY g.reason = 'not-offered', count(*) DESC, n.name LIMIT ?2",
    )?;
    let rows = statement.query_map(params![audit.num, count], |row| {
        let permissions: Option<String> = row.get(4)?;
        Ok(PlaceGap {
            scope: GapScope::read(row.get_ref(0)?.as_str()?),
            name: row.get(1)?,
            reason: Word::read(row.get_ref(2)?.as_str()?),
            count: unsigned(row.get(3)?),
            permissions: permissions.iter().flat_map(|list| list.split(',')).map(ToOwned::to_owned).collect(),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(crate) fn gaps(
    connection: &Connection,
    audit: &AuditEntry,
    page: Page,
) -> Result<(Vec<StoredGap>, u64), StoreError> {
    let count = "SELECT count(*) FROM audit_gaps WHERE audit = ?1";
    let total: i64 = connection.prepare_cached(count)?.query_row([audit.num], |row| row.get(0))?;
    let mut statement = connection.prepare_cached(
        "SELECT g.scope, g.reason, g.permission, g.detail, n.name FROM audit_gaps g \
         LEFT JOIN audit_subscriptions n ON n.audit = g.audit AND lower(g.scope) = '/subscriptions/' || n.id \
         WHERE g.audit = ?1 ORDER BY g.seq LIMIT ?2 OFFSET ?3",
    )?;
    let rows = statement.query_map(params![audit.num, page.size, page.offset()], |row| {
        let unchecked = StoredUnchecked { reason: row.get(1)?, missing_permission: row.get(2)?, detail: row.get(3)? };
        Ok(StoredGap { scope: GapScope::read(row.get_ref(0)?.as_str()?), name: row.get(4)?, unchecked })
    })?;
    Ok((rows.collect::<Result<_, _>>()?, unsigned(total)))
}
