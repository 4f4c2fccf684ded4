//! Lists of servers: what pages show, none of it by reading documents.

use super::column_codes::{Code as _, unsigned, word};
use super::filter::condition;
use super::rows::{ServerSource, server_row};
use super::types::{AuditEntry, EnforcementTally, Facets, NewestLook, Page, ServerFilter, ServerPage, ServerSort};
use crate::StoreError;
use hostssl_model::{Coded, Enforcement, Floor, Kind, Standing, Standings, TlsVersion, Word, WorstListener};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension as _, Row, params_from_iter};
use std::collections::BTreeMap;

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

/// The rank of a column's word among these, which come first; any other word comes behind them.
fn rank<T: Coded>(column: &str, words: impl IntoIterator<Item = T>) -> String {
    let ranks: Vec<String> =
        words.into_iter().enumerate().map(|(rank, word)| format!("WHEN '{}' THEN {rank}", word.code())).collect();
    format!("CASE {column} {} ELSE {} END", ranks.join(" "), ranks.len())
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
        // The worst first, and what was not probed last.
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
    paged.extend([Value::Integer(page.size.into()), Value::Integer(page.offset())]);
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
    let of_servers = filter.kind.is_some() || !filter.subscription.is_empty();
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
        let mut statement = connection.prepare_cached(&format!(
            "SELECT expires_ms FROM {} WHERE {} AND expires_ms IS NOT NULL ORDER BY expires_ms",
            source.table, source.condition,
        ))?;
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
