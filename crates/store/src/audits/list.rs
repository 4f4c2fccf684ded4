//! Lists: what pages show, none of it by reading documents of more than one server.

use super::document::{self, Facts, Judgement, StoredBlind, StoredRun, StoredScope};
use super::save::{outcome_code, outcome_from};
use super::types::{
    AuditEntry, Enforcement, Facets, GapGroup, HistoryEntry, NewestLook, Page, PlaceGap, ServerChange, ServerDetail,
    ServerFilter, ServerPage, ServerRow, ServerSort, StoredGap, Tally,
};
use crate::StoreError;
use hostssl_model::{Principal, Summary};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension as _, Row, ToSql, params, params_from_iter};
use std::collections::BTreeMap;

const AUDIT: &str = "SELECT num, id, started_ms, cloud, scope, profile, run, whole, stopped, subscriptions, servers, \
                     pass, fail, unknown, enforced, not_enforced, unseen FROM audits";

pub(crate) fn audits(connection: &Connection, page: Page) -> Result<(Vec<AuditEntry>, u64), StoreError> {
    let sql = format!("{AUDIT} ORDER BY started_ms DESC, num DESC LIMIT ?1 OFFSET ?2");
    let total: i64 = connection.query_row("SELECT count(*) FROM audits", [], |row| row.get(0))?;
    Ok((entries(connection, &sql, &[&page.size, &offset(page)])?, unsigned(total)))
}

pub(crate) fn audit(connection: &Connection, id: &str) -> Result<Option<AuditEntry>, StoreError> {
    Ok(entries(connection, &format!("{AUDIT} WHERE id = ?1"), &[&id])?.pop())
}

pub(crate) fn latest(connection: &Connection) -> Result<Option<AuditEntry>, StoreError> {
    let sql =
        format!("{AUDIT} ORDER BY whole DESC, CASE WHEN whole THEN stopped END, started_ms DESC, num DESC LIMIT 1");
    Ok(entries(connection, &sql, &[])?.pop())
}

/// Whether an audit looked at the wire of any server.
pub(crate) fn looked_at_the_wire(connection: &Connection, audit: &AuditEntry) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM observations WHERE audit = ?1 AND wire <> '')";
    Ok(connection.prepare_cached(sql)?.query_row([audit.num], |row| row.get(0))?)
}

pub(crate) fn last_audit_of(connection: &Connection, key: &str) -> Result<Option<AuditEntry>, StoreError> {
    let sql = format!("{AUDIT} WHERE num = (SELECT last_audit FROM servers WHERE key = ?1)");
    Ok(entries(connection, &sql, &[&key])?.pop())
}

/// What the newest audit says of each of these servers that it saw.
pub(crate) fn newest_looks(
    connection: &Connection,
    keys: &[String],
) -> Result<BTreeMap<String, NewestLook>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT a.started_ms, o.enforcement, o.wire FROM servers s JOIN audits a ON a.num = s.last_audit \
         JOIN observations o ON o.audit = a.num AND o.server = s.num WHERE s.key = ?1",
    )?;
    let mut found = BTreeMap::new();
    for key in keys {
        let look = |row: &Row<'_>| {
            Ok(NewestLook {
                started_ms: row.get(0)?,
                enforcement: Enforcement::from_code(row.get(1)?),
                wire: row.get(2)?,
            })
        };
        if let Some(look) = statement.query_row([key], look).optional()? {
            found.insert(key.clone(), look);
        }
    }
    Ok(found)
}

/// This audit and those before it of the same scope, newest first; stopped ones are left out but for this one.
pub(crate) fn comparable(
    connection: &Connection,
    audit: &AuditEntry,
    count: u32,
) -> Result<Vec<AuditEntry>, StoreError> {
    let sql = format!(
        "{AUDIT} WHERE (started_ms, num) <= (?1, ?2) AND (num = ?2 OR NOT stopped) AND cloud = ?3 \
         AND scope = (SELECT scope FROM audits WHERE num = ?2) ORDER BY started_ms DESC, num DESC LIMIT ?4"
    );
    entries(connection, &sql, &[&audit.started_ms, &audit.num, &audit.cloud, &count])
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
    let run: StoredRun = document::read(&text(6)?)?;
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
        whole: row.get(7)?,
        stopped: row.get(8)?,
        subscriptions: number(9)?,
        summary: Summary { servers: number(10)?, pass: number(11)?, fail: number(12)?, unknown: number(13)? },
        tally: Tally { enforced: number(14)?, not_enforced: number(15)?, unknown: number(16)? },
    })
}

const ROW: &str = "s.key, s.spelled, s.name, s.resource_group, s.subscription, coalesce(n.name, s.subscription), \
                   s.kind, s.location, o.state, o.outcome, o.enforcement, o.tls, o.reason, o.since_ms, o.wire";
const SERVERS: &str = "observations o JOIN servers s ON s.num = o.server";
const TABLES: &str = "observations o JOIN servers s ON s.num = o.server \
                      LEFT JOIN audit_subscriptions n ON n.audit = o.audit AND n.id = s.subscription";

/// The worst first, and what nobody looked at last.
const BY_WIRE: &str = "CASE o.wire WHEN 'plaintext-only' THEN 0 WHEN 'optional' THEN 1 WHEN 'broken-tls' THEN 2 \
                       WHEN 'inconclusive' THEN 3 WHEN 'unseen' THEN 4 WHEN 'enforced' THEN 5 ELSE 6 END";

fn server_row(row: &Row<'_>) -> Result<ServerRow, rusqlite::Error> {
    Ok(ServerRow {
        key: row.get(0)?,
        id: row.get(1)?,
        name: row.get(2)?,
        resource_group: row.get(3)?,
        subscription_id: row.get(4)?,
        subscription: row.get(5)?,
        kind: row.get(6)?,
        location: row.get(7)?,
        state: row.get(8)?,
        outcome: outcome_from(row.get(9)?),
        enforcement: Enforcement::from_code(row.get(10)?),
        minimal_tls: row.get(11)?,
        reason: row.get(12)?,
        since_ms: row.get(13)?,
        wire: row.get(14)?,
    })
}

/// The condition that a filter makes, with its values. The audit is the first.
pub(crate) fn condition(audit: &AuditEntry, filter: &ServerFilter) -> (String, Vec<Value>) {
    let mut sql = "o.audit = ?1".to_owned();
    let mut values = vec![Value::Integer(audit.num)];
    let mut equal = |column: &str, value: Value| {
        values.push(value);
        sql.push_str(&format!(" AND {column} = ?{}", values.len()));
    };
    let texts = [
        ("s.subscription", &filter.subscription),
        ("o.state", &filter.state),
        ("o.reason", &filter.reason),
        ("o.wire", &filter.wire),
    ];
    for (column, text) in texts.into_iter().filter(|(_, text)| !text.is_empty()) {
        equal(column, Value::Text(text.clone()));
    }
    if let Some(outcome) = filter.outcome {
        equal("o.outcome", Value::Integer(outcome_code(outcome)));
    }
    if let Some(enforcement) = filter.enforcement {
        equal("o.enforcement", Value::Integer(enforcement.code()));
    }
    if !filter.kinds.is_empty() {
        let places: Vec<String> = filter
            .kinds
            .iter()
            .map(|kind| {
                values.push(Value::Text(kind.clone()));
                format!("?{}", values.len())
            })
            .collect();
        sql.push_str(&format!(" AND s.kind IN ({})", places.join(", ")));
    }
    if !filter.search.is_empty() {
        values.push(Value::Text(filter.search.to_lowercase()));
        let place = values.len();
        sql.push_str(&format!(
            " AND (instr(lower(s.name), ?{place}) OR instr(lower(s.resource_group), ?{place}) \
             OR instr(lower(n.name), ?{place}) OR s.subscription = ?{place} OR s.id = ?{place})"
        ));
    }
    (sql, values)
}

pub(crate) fn servers(
    connection: &Connection,
    audit: &AuditEntry,
    filter: &ServerFilter,
    sort: ServerSort,
    descending: bool,
    page: Page,
) -> Result<ServerPage, StoreError> {
    let (condition, values) = condition(audit, filter);
    let direction = if descending { "DESC" } else { "ASC" };
    let by = match sort {
        ServerSort::Urgency if descending => "o.enforcement, o.outcome",
        ServerSort::Urgency => "o.enforcement DESC, o.outcome DESC",
        ServerSort::Name => "",
        ServerSort::ResourceGroup => "s.resource_group COLLATE NOCASE",
        ServerSort::Subscription => "n.name COLLATE NOCASE",
        ServerSort::Kind => "s.kind",
        ServerSort::State => "o.state COLLATE NOCASE",
        ServerSort::Tls => "o.tls",
        ServerSort::Wire => BY_WIRE,
        ServerSort::Since => "o.since_ms",
    };
    let order = match sort {
        ServerSort::Name => format!("s.name COLLATE NOCASE {direction}, s.num"),
        ServerSort::Urgency => format!("{by}, s.name COLLATE NOCASE, s.num"),
        _ => format!("{by} {direction}, s.name COLLATE NOCASE, s.num"),
    };
    // Finding the rows of a page looks at every server of the audit, so it joins no more than it must.
    let by_subscription = sort == ServerSort::Subscription;
    let tables = if by_subscription || !filter.search.is_empty() { TABLES } else { SERVERS };
    let mut paged = values.clone();
    paged.extend([Value::Integer(page.size.into()), Value::Integer(offset(page))]);
    let (limit, skip) = (values.len() + 1, values.len() + 2);
    let sql = format!(
        "SELECT {ROW} FROM (SELECT o.server FROM {tables} WHERE {condition} ORDER BY {order} LIMIT ?{limit} OFFSET ?{skip}) \
         p JOIN {TABLES} WHERE o.audit = ?1 AND o.server = p.server ORDER BY {order}"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(params_from_iter(paged), server_row)?.collect::<Result<_, _>>()?;
    let tally =
        if *filter == ServerFilter::default() { audit.tally } else { tally(connection, &condition, values, filter)? };
    Ok(ServerPage { rows, total: tally.servers(), tally })
}

/// How many servers pass a filter.
fn tally(
    connection: &Connection,
    condition: &str,
    values: Vec<Value>,
    filter: &ServerFilter,
) -> Result<Tally, StoreError> {
    let of_servers = !filter.kinds.is_empty() || !filter.subscription.is_empty();
    let tables = match (filter.search.is_empty(), of_servers) {
        (false, _) => TABLES,
        (true, true) => SERVERS,
        (true, false) => "observations o",
    };
    let sql = format!("SELECT o.enforcement, count(*) FROM {tables} WHERE {condition} GROUP BY 1");
    let mut tally = Tally::default();
    let mut statement = connection.prepare_cached(&sql)?;
    let mut counts = statement.query(params_from_iter(values))?;
    while let Some(row) = counts.next()? {
        let count = unsigned(row.get(1)?);
        match Enforcement::from_code(row.get(0)?) {
            Enforcement::Enforced => tally.enforced += count,
            Enforcement::NotEnforced => tally.not_enforced += count,
            Enforcement::Unknown => tally.unknown += count,
        }
    }
    Ok(tally)
}

/// One pass over the servers; what each value has in number is added up here.
pub(crate) fn facets(connection: &Connection, audit: &AuditEntry) -> Result<Facets, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT s.kind, o.state, o.reason, s.subscription, o.wire, count(*) FROM observations o \
         JOIN servers s ON s.num = o.server WHERE o.audit = ?1 GROUP BY 1, 2, 3, 4, 5",
    )?;
    let mut rows = statement.query([audit.num])?;
    let mut counted: [BTreeMap<String, u64>; 5] = Default::default();
    while let Some(row) = rows.next()? {
        let servers = unsigned(row.get(5)?);
        for (index, counts) in counted.iter_mut().enumerate() {
            *counts.entry(row.get(index)?).or_default() += servers;
        }
    }
    let [kinds, states, reasons, of_subscriptions, wires] = counted;
    let mut statement = connection
        .prepare_cached("SELECT id, name FROM audit_subscriptions WHERE audit = ?1 ORDER BY name COLLATE NOCASE, id")?;
    let subscriptions = statement
        .query_map([audit.num], |row| {
            let id: String = row.get(0)?;
            let servers = of_subscriptions.get(&id).copied().unwrap_or_default();
            Ok((id, row.get(1)?, servers))
        })?
        .collect::<Result<_, _>>()?;
    Ok(Facets {
        kinds: by_count(kinds),
        states: by_count(states),
        reasons: by_count(reasons),
        wires: by_count(wires),
        subscriptions,
    })
}

/// The most frequent first; the empty one is none.
fn by_count(counts: BTreeMap<String, u64>) -> Vec<(String, u64)> {
    let mut counts: Vec<_> = counts.into_iter().filter(|(value, _)| !value.is_empty()).collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    counts
}

pub(crate) fn server(
    connection: &Connection,
    audit: &AuditEntry,
    key: &str,
) -> Result<Option<ServerDetail>, StoreError> {
    let sql = format!(
        "SELECT {ROW}, f.document, j.document FROM {TABLES} JOIN facts f ON f.num = o.facts \
         JOIN judgements j ON j.num = o.judgement WHERE o.audit = ?1 AND s.key = ?2"
    );
    let found = connection
        .prepare_cached(&sql)?
        .query_row(params![audit.num, key], |row| {
            Ok((server_row(row)?, row.get::<_, String>(15)?, row.get::<_, String>(16)?))
        })
        .optional()?;
    let Some((row, facts, judgement)) = found else { return Ok(None) };
    let facts: Facts = document::read(&facts)?;
    let judgement: Judgement = document::read(&judgement)?;
    Ok(Some(ServerDetail {
        row,
        fqdn: facts.fqdn,
        role: facts.role,
        primary: facts.primary,
        readings: facts.readings,
        wire: facts.wire,
        findings: judgement.findings,
    }))
}

pub(crate) fn history(connection: &Connection, key: &str, count: u32) -> Result<Vec<HistoryEntry>, StoreError> {
    // CROSS JOIN keeps the order: a look into each audit, not through all observations.
    let mut statement = connection.prepare_cached(
        "SELECT a.id, a.run, a.profile, o.state, o.outcome, o.enforcement, o.tls, o.reason, \
         coalesce(lead(o.facts) OVER (ORDER BY a.started_ms DESC, a.num DESC) <> o.facts, FALSE) \
         FROM audits a CROSS JOIN observations o ON o.audit = a.num \
         WHERE o.server = (SELECT num FROM servers WHERE key = ?1) ORDER BY a.started_ms DESC, a.num DESC LIMIT ?2",
    )?;
    let mut rows = statement.query(params![key, count])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let run: StoredRun = document::read(&row.get::<_, String>(1)?)?;
        found.push(HistoryEntry {
            audit: row.get(0)?,
            started_at: run.started_at,
            profile: row.get(2)?,
            state: row.get(3)?,
            outcome: outcome_from(row.get(4)?),
            enforcement: Enforcement::from_code(row.get(5)?),
            minimal_tls: row.get(6)?,
            reason: row.get(7)?,
            changed: row.get(8)?,
        });
    }
    Ok(found)
}

pub(crate) fn changes(
    connection: &Connection,
    audit: &AuditEntry,
    previous: &AuditEntry,
    count: u32,
) -> Result<(Vec<ServerChange>, u64), StoreError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {ROW}, c.before, c.after, count(*) OVER () FROM ( \
           SELECT o.audit AS audit, o.server AS server, p.enforcement AS before, o.enforcement AS after \
             FROM observations o LEFT JOIN observations p ON p.audit = ?2 AND p.server = o.server \
             WHERE o.audit = ?1 AND o.enforcement IS NOT p.enforcement \
           UNION ALL \
           SELECT p.audit, p.server, p.enforcement, NULL FROM observations p WHERE p.audit = ?2 \
             AND NOT EXISTS (SELECT 1 FROM observations o WHERE o.audit = ?1 AND o.server = p.server) \
         ) c JOIN observations o ON o.audit = c.audit AND o.server = c.server JOIN servers s ON s.num = c.server \
         LEFT JOIN audit_subscriptions n ON n.audit = c.audit AND n.id = s.subscription \
         ORDER BY coalesce(c.after, -1) DESC, c.before, s.name COLLATE NOCASE LIMIT ?3"
    ))?;
    let mut rows = statement.query(params![audit.num, previous.num, count])?;
    let (mut found, mut total) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        let enforcement = |index| row.get::<_, Option<i64>>(index).map(|code| code.map(Enforcement::from_code));
        found.push(ServerChange { row: server_row(row)?, before: enforcement(15)?, after: enforcement(16)? });
        total = unsigned(row.get(17)?);
    }
    Ok((found, total))
}

pub(crate) fn gap_groups(connection: &Connection, audit: &AuditEntry) -> Result<Vec<GapGroup>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT reason, permission, count(*), min(detail), min(scope) FROM audit_gaps WHERE audit = ?1 \
         GROUP BY reason, permission ORDER BY reason = 'not-offered', count(*) DESC, reason, permission",
    )?;
    let rows = statement.query_map([audit.num], |row| {
        Ok(GapGroup {
            reason: row.get(0)?,
            permission: row.get(1)?,
            count: unsigned(row.get(2)?),
            detail: row.get(3)?,
            scope: row.get(4)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(crate) fn place_gaps(connection: &Connection, audit: &AuditEntry, count: u32) -> Result<Vec<PlaceGap>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT g.scope, n.name, g.reason, count(*), group_concat(DISTINCT g.permission), min(g.detail) \
         FROM audit_gaps g LEFT JOIN audit_subscriptions n ON n.audit = g.audit \
           AND lower(g.scope) = '/subscriptions/' || n.id \
         WHERE g.audit = ?1 AND g.scope NOT LIKE '%/providers/%' \
         GROUP BY g.scope, g.reason ORDER BY g.reason = 'not-offered', count(*) DESC, n.name LIMIT ?2",
    )?;
    let rows = statement.query_map(params![audit.num, count], |row| {
        let permissions: Option<String> = row.get(4)?;
        Ok(PlaceGap {
            scope: row.get(0)?,
            name: row.get(1)?,
            reason: row.get(2)?,
            count: unsigned(row.get(3)?),
            permissions: permissions.iter().flat_map(|list| list.split(',')).map(ToOwned::to_owned).collect(),
            detail: row.get(5)?,
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
        "SELECT scope, reason, permission, detail FROM audit_gaps WHERE audit = ?1 ORDER BY seq LIMIT ?2 OFFSET ?3",
    )?;
    let rows = statement.query_map(params![audit.num, page.size, offset(page)], |row| {
        let blind = StoredBlind { reason: row.get(1)?, missing_permission: row.get(2)?, detail: row.get(3)? };
        Ok(StoredGap { scope: row.get(0)?, blind })
    })?;
    Ok((rows.collect::<Result<_, _>>()?, unsigned(total)))
}

fn offset(page: Page) -> i64 {
    i64::from(page.number) * i64::from(page.size)
}

pub(crate) fn unsigned(count: i64) -> u64 {
    u64::try_from(count).unwrap_or_default()
}
