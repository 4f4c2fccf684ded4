//! Lists: what pages show, none of it by reading documents of more than one server.

use super::current::{known, read_standings};
use super::document::{self, RunDocument, ServerFacts, ServerJudgement, StoredBlind, StoredScope};
use super::listener::StoredListener;
use super::newer;
use super::save::{outcome_code, outcome_from};
use super::types::Code as _;
use super::types::{
    AuditEntry, EnforcementTally, Facets, GapGroup, HistoryEntry, NewestLook, Page, PlaceGap, ServerDetail,
    ServerFilter, ServerPage, ServerRow, ServerSort, StoredGap,
};
use crate::StoreError;
use hostssl_model::{
    Coded, CurrentState, Enforcement, Floor, GapScope, Kind, Outcome, Principal, Standing, Standings, Summary,
    TlsVersion, Word, WorstListener,
};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension as _, Row, ToSql, params, params_from_iter};
use std::collections::BTreeMap;

const AUDIT: &str = "SELECT num, id, started_ms, cloud, scope, profile, run, whole, stopped, subscriptions, servers, \
                     pass, fail, unknown, enforced, not_enforced, unseen, standings FROM audits";

pub(crate) fn audits(connection: &Connection, page: Page) -> Result<(Vec<AuditEntry>, u64), StoreError> {
    let sql = format!("{AUDIT} ORDER BY started_ms DESC, num DESC LIMIT ?1 OFFSET ?2");
    let total: i64 = connection.query_row("SELECT count(*) FROM audits", [], |row| row.get(0))?;
    Ok((entries(connection, &sql, &[&page.size, &offset(page)])?, unsigned(total)))
}

pub(crate) fn audit(connection: &Connection, id: &str) -> Result<Option<AuditEntry>, StoreError> {
    Ok(entries(connection, &format!("{AUDIT} WHERE id = ?1"), &[&id])?.pop())
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

/// The newest audit, and the present that began with it.
pub(crate) fn latest(connection: &Connection) -> Result<Option<AuditEntry>, StoreError> {
    let sql =
        format!("{AUDIT} ORDER BY whole DESC, CASE WHEN whole THEN stopped END, started_ms DESC, num DESC LIMIT 1");
    let Some(mut audit) = entries(connection, &sql, &[])?.pop() else { return Ok(None) };
    audit.present = Some(present_version(connection)?);
    count_present(connection, &mut audit)?;
    Ok(Some(audit))
}

fn present_version(connection: &Connection) -> Result<i64, StoreError> {
    Ok(connection.prepare_cached("SELECT version FROM present")?.query_row([], |row| row.get(0))?)
}

/// The counts of the present, of which every list is a part.
fn count_present(connection: &Connection, audit: &mut AuditEntry) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT outcome, enforcement, standing, count(*) FROM current WHERE at_ms >= ?1 GROUP BY 1, 2, 3",
    )?;
    let mut rows = statement.query([audit.started_ms])?;
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

/// What is known of each of these servers that an audit saw.
pub(crate) fn newest_looks(
    connection: &Connection,
    keys: &[String],
) -> Result<BTreeMap<String, NewestLook>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT c.at_ms, c.enforcement, c.wire FROM servers s JOIN current c ON c.server = s.num WHERE s.key = ?1",
    )?;
    let mut found = BTreeMap::new();
    for key in keys {
        let look = |row: &Row<'_>| {
            Ok(NewestLook {
                started_ms: row.get(0)?,
                enforcement: Enforcement::from_code(row.get(1)?),
                wire: word(row, 2)?,
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

/// The same, oldest first.
pub(crate) fn trend(connection: &Connection, audit: &AuditEntry, count: u32) -> Result<Vec<AuditEntry>, StoreError> {
    let mut entries = comparable(connection, audit, count)?;
    entries.reverse();
    Ok(entries)
}

/// The newest audit before this one of the same scope that was not stopped.
pub(crate) fn audit_before(connection: &Connection, audit: &AuditEntry) -> Result<Option<AuditEntry>, StoreError> {
    Ok(comparable(connection, audit, 2)?.into_iter().nth(1))
}

/// The newest audit that has one before it of the same scope, and that one. A narrower audit, such as that of the servers
/// of a run, does not stand in the way.
pub(crate) fn newest_pair(connection: &Connection) -> Result<Option<(AuditEntry, AuditEntry)>, StoreError> {
    let sql = format!(
        "{AUDIT} a WHERE EXISTS (SELECT 1 FROM audits b WHERE (b.started_ms, b.num) < (a.started_ms, a.num) AND NOT b.stopped \
         AND b.cloud = a.cloud AND b.scope = a.scope) ORDER BY a.started_ms DESC, a.num DESC LIMIT 1"
    );
    let Some(after) = entries(connection, &sql, &[])?.pop() else { return Ok(None) };
    Ok(audit_before(connection, &after)?.map(|before| (before, after)))
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
        whole: row.get(7)?,
        stopped: row.get(8)?,
        subscriptions: number(9)?,
        summary: Summary { servers: number(10)?, pass: number(11)?, fail: number(12)?, unknown: number(13)? },
        tally: EnforcementTally { enforced: number(14)?, not_enforced: number(15)?, unknown: number(16)? },
        standings: read_standings(&text(17)?)?,
        present: None,
    })
}

const ROW: &str = "s.key, s.spelled, s.name, s.resource_group, s.subscription, coalesce(n.name, s.subscription), \
                   s.kind, s.location, o.state, o.outcome, o.enforcement, o.tls, o.reason, o.since_ms, o.wire, \
                   o.standing, o.pending, o.failing";
/// What only the present has.
const ROW_NOW: &str = "o.at_ms, o.probed_ms, o.changed_ms, o.changed_run, o.expires_ms, o.accepts";
const ROW_THEN: &str = "(SELECT started_ms FROM audits WHERE num = o.audit), NULL, NULL, NULL, NULL, ''";
/// How many columns those are together.
pub(crate) const ROW_COLUMNS: usize = 24;

/// Where the servers of an audit, or of the present, stand.
pub(crate) struct ServerSource {
    /// The table, under the name `o`.
    pub(crate) table: &'static str,
    /// The condition, of which the value is the first.
    pub(crate) condition: &'static str,
    pub(crate) value: i64,
    row: &'static str,
}

impl ServerSource {
    pub(crate) fn of(audit: &AuditEntry) -> Self {
        match audit.present {
            // Whatever the newest audit saw, and what others have seen since it began.
            Some(_) => Self { table: "current o", condition: "o.at_ms >= ?1", value: audit.started_ms, row: ROW_NOW },
            None => Self { table: "observations o", condition: "o.audit = ?1", value: audit.num, row: ROW_THEN },
        }
    }

    pub(crate) fn row(&self) -> String {
        format!("{ROW}, {}", self.row)
    }

    /// With the server, and with the name of its subscription if that matters.
    pub(crate) fn tables(&self, names: bool) -> String {
        let names = if names { NAMES } else { "" };
        format!("{} JOIN servers s ON s.num = o.server{names}", self.table)
    }
}

const NAMES: &str = " LEFT JOIN audit_subscriptions n ON n.audit = o.audit AND n.id = s.subscription";

pub(crate) fn server_row(row: &Row<'_>) -> Result<ServerRow, rusqlite::Error> {
    Ok(ServerRow {
        key: row.get(0)?,
        id: row.get(1)?,
        name: row.get(2)?,
        resource_group: row.get(3)?,
        subscription_id: row.get(4)?,
        subscription: row.get(5)?,
        kind: Word::read(row.get_ref(6)?.as_str()?),
        location: row.get(7)?,
        state: row.get(8)?,
        outcome: outcome_from(row.get(9)?),
        enforcement: Enforcement::from_code(row.get(10)?),
        minimal_tls: word(row, 11)?,
        reason: word(row, 12)?,
        since_ms: row.get(13)?,
        wire: word(row, 14)?,
        standing: Standing::from_code(row.get(15)?),
        pending: listed(row.get_ref(16)?.as_str()?).map(Word::read).collect(),
        failing: listed(row.get_ref(17)?.as_str()?).map(Word::read).collect(),
        seen_ms: row.get(18)?,
        probed_ms: row.get(19)?,
        changed: row.get::<_, Option<i64>>(20)?.zip(row.get::<_, Option<String>>(21)?),
        expires_ms: row.get(22)?,
        accepts: word(row, 23)?,
    })
}

/// A word that is empty where there is none.
fn word<T: Coded>(row: &Row<'_>, index: usize) -> Result<Option<Word<T>>, rusqlite::Error> {
    let text = row.get_ref(index)?.as_str()?;
    Ok((!text.is_empty()).then(|| Word::read(text)))
}

/// The rank of a column's word among these, which come first; any other word comes behind them.
fn rank<T: Coded>(column: &str, words: impl IntoIterator<Item = T>) -> String {
    let ranks: Vec<String> =
        words.into_iter().enumerate().map(|(rank, word)| format!("WHEN '{}' THEN {rank}", word.code())).collect();
    format!("CASE {column} {} ELSE {} END", ranks.join(" "), ranks.len())
}

/// The words of a list that was kept with commas between them.
fn listed(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').filter(|word| !word.is_empty())
}

/// The condition that a filter makes, with its values. The audit is the first.
pub(crate) fn condition(audit: &AuditEntry, filter: &ServerFilter) -> (String, Vec<Value>) {
    let source = ServerSource::of(audit);
    let mut sql = source.condition.to_owned();
    let mut values = vec![Value::Integer(source.value)];
    let mut equal = |column: &str, value: Value| {
        values.push(value);
        sql.push_str(&format!(" AND {column} = ?{}", values.len()));
    };
    let texts = [
        ("s.subscription", &filter.subscription),
        ("o.state", &filter.state),
        ("o.reason", &filter.reason),
        ("o.wire", &filter.wire),
        ("o.tls", &filter.floor),
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
    if !filter.failing.is_empty() {
        values.push(Value::Text(filter.failing.clone()));
        sql.push_str(&format!(" AND instr(',' || o.failing || ',', ',' || ?{} || ',')", values.len()));
    }
    if let (Some(moment), Some(_)) = (filter.expires_before_ms, audit.present) {
        values.push(Value::Integer(moment));
        sql.push_str(&format!(" AND o.expires_ms < ?{}", values.len()));
    }
    if let (Some(moment), Some(_)) = (filter.expires_from_ms, audit.present) {
        values.push(Value::Integer(moment));
        sql.push_str(&format!(" AND o.expires_ms >= ?{}", values.len()));
    }
    if let Some((name, value)) = &filter.tag {
        values.extend([Value::Text(name.clone()), Value::Text(value.clone())]);
        let (name, value) = (values.len() - 1, values.len());
        sql.push_str(&format!(" AND o.facts IN (SELECT facts FROM tags WHERE name = ?{name} AND value = ?{value})"));
    }
    if !filter.untagged.is_empty() {
        values.push(Value::Text(filter.untagged.clone()));
        sql.push_str(&format!(" AND o.facts NOT IN (SELECT facts FROM tags WHERE name = ?{})", values.len()));
    }
    if filter.no_certificate && audit.present.is_some() {
        sql.push_str(" AND o.expires_ms IS NULL");
    }
    if !filter.standings.is_empty() {
        let codes: Vec<String> = filter.standings.iter().map(|standing| standing.code().to_string()).collect();
        sql.push_str(&format!(" AND o.standing IN ({})", codes.join(", ")));
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
    let floors = [Floor::None].into_iter().chain(TlsVersion::ALL.into_iter().map(Floor::At));
    let by = match sort {
        ServerSort::Urgency if descending => "o.standing, o.outcome",
        ServerSort::Urgency => "o.standing DESC, o.outcome DESC",
        ServerSort::Name => "",
        ServerSort::ResourceGroup => "s.resource_group COLLATE NOCASE",
        ServerSort::Subscription => "n.name COLLATE NOCASE",
        ServerSort::Kind => &rank("s.kind", Kind::ALL),
        ServerSort::State => "o.state COLLATE NOCASE",
        ServerSort::Tls => &rank("o.tls", floors),
        // The worst first, and what nobody probed last.
        ServerSort::Wire => &rank("o.wire", WorstListener::ALL.into_iter().rev()),
        // A name has no comma, and the empty list no control.
        ServerSort::Failing => {
            "CASE o.failing WHEN '' THEN 0 ELSE -1 - length(o.failing) + length(replace(o.failing, ',', '')) END"
        }
        ServerSort::Since => "o.since_ms",
    };
    let order = match sort {
        ServerSort::Name => format!("s.name COLLATE NOCASE {direction}, s.num"),
        ServerSort::Urgency => format!("{by}, s.name COLLATE NOCASE, s.num"),
        _ => format!("{by} {direction}, s.name COLLATE NOCASE, s.num"),
    };
    // Finding the rows of a page looks at every server of the audit, so it joins no more than it must.
    let source = ServerSource::of(audit);
    let by_subscription = sort == ServerSort::Subscription;
    let tables = source.tables(by_subscription || !filter.search.is_empty());
    let mut paged = values.clone();
    paged.extend([Value::Integer(page.size.into()), Value::Integer(offset(page))]);
    let (limit, skip) = (values.len() + 1, values.len() + 2);
    let sql = format!(
        "SELECT {} FROM (SELECT o.server FROM {tables} WHERE {condition} ORDER BY {order} LIMIT ?{limit} OFFSET ?{skip}) \
         p JOIN {} WHERE {} AND o.server = p.server ORDER BY {order}",
        source.row(),
        source.tables(true),
        source.condition,
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(params_from_iter(paged), server_row)?.collect::<Result<_, _>>()?;
    // What an audit of an older version counted has no standings; a list counts for itself.
    let (tally, standings) = match *filter == ServerFilter::default() && audit.standings.servers() > 0 {
        true => (audit.tally, audit.standings),
        false => tally(connection, &source, &condition, values, filter)?,
    };
    Ok(ServerPage { rows, total: tally.servers(), tally, standings })
}

/// How many servers pass a filter.
fn tally(
    connection: &Connection,
    source: &ServerSource,
    condition: &str,
    values: Vec<Value>,
    filter: &ServerFilter,
) -> Result<(EnforcementTally, Standings), StoreError> {
    let of_servers = !filter.kinds.is_empty() || !filter.subscription.is_empty();
    let tables = match (filter.search.is_empty(), of_servers) {
        (false, _) => source.tables(true),
        (true, true) => source.tables(false),
        (true, false) => source.table.to_owned(),
    };
    let sql = format!("SELECT o.enforcement, o.standing, count(*) FROM {tables} WHERE {condition} GROUP BY 1, 2");
    let (mut tally, mut standings) = (EnforcementTally::default(), Standings::default());
    let mut statement = connection.prepare_cached(&sql)?;
    let mut counts = statement.query(params_from_iter(values))?;
    while let Some(row) = counts.next()? {
        let count = unsigned(row.get(2)?);
        tally.add(Enforcement::from_code(row.get(0)?), count);
        standings.add(Standing::from_code(row.get(1)?), count);
    }
    Ok((tally, standings))
}

/// One pass over the servers; what each value has in number is added up here.
pub(crate) fn facets(connection: &Connection, audit: &AuditEntry) -> Result<Facets, StoreError> {
    let source = ServerSource::of(audit);
    let mut statement = connection.prepare_cached(&format!(
        "SELECT s.kind, o.state, o.reason, s.subscription, o.wire, o.tls, o.standing, count(*) FROM {} WHERE {} \
         GROUP BY 1, 2, 3, 4, 5, 6, 7",
        source.tables(false),
        source.condition,
    ))?;
    let mut rows = statement.query([source.value])?;
    let mut counted: [BTreeMap<String, u64>; 6] = Default::default();
    let mut found = Facets::default();
    let mut unknown: BTreeMap<String, u64> = BTreeMap::new();
    let mut by_kind: BTreeMap<String, Standings> = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let servers = unsigned(row.get(7)?);
        let standing = Standing::from_code(row.get(6)?);
        for (index, counts) in counted.iter_mut().enumerate() {
            *counts.entry(row.get(index)?).or_default() += servers;
        }
        by_kind.entry(row.get(0)?).or_default().add(standing, servers);
        found.by_subscription.entry(row.get(3)?).or_default().add(standing, servers);
        if standing == Standing::Unknown {
            *unknown.entry(row.get(2)?).or_default() += servers;
        }
    }
    let [kinds, states, reasons, of_subscriptions, wires, floors] = counted;
    // A server of a newer audit may be in a subscription that the newest whole one did not list.
    let mut names: BTreeMap<String, String> = of_subscriptions.keys().map(|id| (id.clone(), id.clone())).collect();
    let mut statement = connection.prepare_cached("SELECT id, name FROM audit_subscriptions WHERE audit = ?1")?;
    let mut rows = statement.query([audit.num])?;
    while let Some(row) = rows.next()? {
        names.insert(row.get(0)?, row.get(1)?);
    }
    let count = |id: &String| of_subscriptions.get(id).copied().unwrap_or_default();
    found.subscriptions = names.into_iter().map(|(id, name)| (id.clone(), name, count(&id))).collect();
    found.subscriptions.sort_by(|a, b| (a.1.to_lowercase(), &a.0).cmp(&(b.1.to_lowercase(), &b.0)));
    if audit.present.is_some() {
        let mut statement = connection.prepare_cached(
            "SELECT expires_ms FROM current WHERE at_ms >= ?1 AND expires_ms IS NOT NULL ORDER BY expires_ms",
        )?;
        found.expiries = statement.query_map([source.value], |row| row.get(0))?.collect::<Result<_, _>>()?;
    }
    found.by_kind = by_kind.into_iter().map(|(kind, standings)| (Word::read(&kind), standings)).collect();
    found.states = by_count(states);
    found.kinds = known_words(by_count(kinds));
    found.reasons = known_words(by_count(reasons));
    found.unknown = known_words(by_count(unknown));
    found.wires = known_words(by_count(wires));
    found.floors = known_words(by_count(floors));
    Ok(found)
}

/// The most frequent first; the empty one is none.
fn by_count(counts: BTreeMap<String, u64>) -> Vec<(String, u64)> {
    let mut counts: Vec<_> = counts.into_iter().filter(|(value, _)| !value.is_empty()).collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    counts
}

/// The words as what they say, as far as this version knows them.
fn known_words<T: Coded>(counts: Vec<(String, u64)>) -> Vec<(Word<T>, u64)> {
    counts.into_iter().map(|(word, count)| (Word::read(&word), count)).collect()
}

pub(crate) fn server(
    connection: &Connection,
    audit: &AuditEntry,
    key: &str,
) -> Result<Option<ServerDetail>, StoreError> {
    let source = ServerSource::of(audit);
    // The present of one server is there however old the audit is that saw it last.
    let condition = if audit.present.is_some() { "?1 = ?1" } else { source.condition };
    let sql = format!(
        "SELECT {}, f.document, j.document, o.server FROM {} JOIN facts f ON f.num = o.facts \
         JOIN judgements j ON j.num = o.judgement WHERE {condition} AND s.key = ?2",
        source.row(),
        source.tables(true),
    );
    let found = connection
        .prepare_cached(&sql)?
        .query_row(params![source.value, key], |row| {
            let text = |index| row.get::<_, String>(index);
            Ok((server_row(row)?, text(ROW_COLUMNS)?, text(ROW_COLUMNS + 1)?, row.get::<_, i64>(ROW_COLUMNS + 2)?))
        })
        .optional()?;
    let Some((row, facts, judgement, number)) = found else { return Ok(None) };
    let facts: ServerFacts = document::read(&facts)?;
    let judgement: ServerJudgement = document::read(&judgement)?;
    let evidence = match audit.present {
        Some(_) => Some(known(connection, number)?.state),
        None => None,
    };
    let probed = evidence.as_ref().and_then(|state| state.probe.as_ref());
    Ok(Some(ServerDetail {
        newer: newer::words(&facts, &judgement),
        probed_by: probed.map(|probe| probe.source.to_string()).filter(|id| *id != audit.id),
        wire: match probed {
            Some(_) => evidence.iter().flat_map(standing_listeners).collect(),
            None => facts.wire,
        },
        row,
        fqdn: facts.fqdn,
        tags: facts.tags,
        role: facts.role,
        primary: facts.primary,
        readings: facts.readings,
        findings: judgement.findings,
        evidence,
    }))
}

/// The listeners of the newest probes that got an answer, and what got none beside them. What a probe saw before the
/// switch was turned is among them: its certificate and versions still tell.
fn standing_listeners(state: &CurrentState) -> Vec<StoredListener> {
    let wire = if state.probed_before_the_change() {
        state.answered.values().flat_map(|seen| seen.what.iter().cloned()).collect()
    } else {
        state.wire()
    };
    wire.iter().map(StoredListener::from).collect()
}

pub(crate) fn history(connection: &Connection, key: &str, count: u32) -> Result<Vec<HistoryEntry>, StoreError> {
    // CROSS JOIN keeps the order: a look into each audit, not through all observations.
    let mut statement = connection.prepare_cached(
        "SELECT a.id, a.run, a.profile, o.state, o.outcome, o.enforcement, o.tls, o.reason, o.standing, f.document \
         FROM audits a CROSS JOIN observations o ON o.audit = a.num JOIN facts f ON f.num = o.facts \
         WHERE o.server = (SELECT num FROM servers WHERE key = ?1) ORDER BY a.started_ms DESC, a.num DESC LIMIT ?2",
    )?;
    let mut rows = statement.query(params![key, count])?;
    let mut found: Vec<HistoryEntry> = Vec::new();
    let mut documents: Vec<ServerFacts> = Vec::new();
    while let Some(row) = rows.next()? {
        let run: RunDocument = document::read(&row.get::<_, String>(1)?)?;
        let facts: ServerFacts = document::read(row.get_ref(9)?.as_str().map_err(rusqlite::Error::from)?)?;
        found.push(HistoryEntry {
            audit: row.get(0)?,
            started_at: run.started_at,
            profile: row.get(2)?,
            state: row.get(3)?,
            outcome: outcome_from(row.get(4)?),
            enforcement: Enforcement::from_code(row.get(5)?),
            minimal_tls: word(row, 6)?,
            reason: word(row, 7)?,
            standing: Standing::from_code(row.get(8)?),
            probed: !facts.wire.is_empty(),
            changes: Vec::new(),
        });
        documents.push(facts);
    }
    super::differences::note(&mut found, &documents);
    Ok(found)
}

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
    let rows = statement.query_map(params![audit.num, page.size, offset(page)], |row| {
        let blind = StoredBlind { reason: row.get(1)?, missing_permission: row.get(2)?, detail: row.get(3)? };
        Ok(StoredGap { scope: GapScope::read(row.get_ref(0)?.as_str()?), name: row.get(4)?, blind })
    })?;
    Ok((rows.collect::<Result<_, _>>()?, unsigned(total)))
}

fn offset(page: Page) -> i64 {
    i64::from(page.number) * i64::from(page.size)
}

pub(crate) fn unsigned(count: i64) -> u64 {
    u64::try_from(count).unwrap_or_default()
}
