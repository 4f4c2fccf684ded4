//! The tags of servers: kept with the facts that they are part of, counted by name and value.

use super::column_codes::{Code as _, unsigned};
use super::rows::ServerSource;
use super::types::{AuditEntry, TagName};
use crate::StoreError;
use hostssl_model::{Standing, Standings, Tags};
use rusqlite::{Connection, Transaction, params};

/// A name with more values than this tells servers apart instead of putting them together: an id, a date, a person's note.
const MOST_VALUES: usize = 100;

/// Keeps the tags of new facts. Of names that differ in case alone, which Azure does not allow, the first counts.
pub(crate) fn insert(transaction: &Transaction<'_>, facts: i64, tags: &Tags) -> Result<(), StoreError> {
    let mut insert =
        transaction.prepare_cached("INSERT OR IGNORE INTO tags (facts, name, value) VALUES (?1, ?2, ?3)")?;
    for (name, value) in tags.iter() {
        insert.execute(params![facts, name, value])?;
    }
    Ok(())
}

/// The names of tags by how many servers have them, each with where the servers of each value stand.
pub(crate) fn names(connection: &Connection, audit: &AuditEntry) -> Result<Vec<TagName>, StoreError> {
    let source = ServerSource::of(audit);
    let mut statement = connection.prepare_cached(&format!(
        "SELECT t.name, t.value, o.standing, count(*) FROM {} JOIN tags t ON t.facts = o.facts WHERE {} \
         GROUP BY 1, 2, 3 ORDER BY 1, 2",
        source.table, source.condition,
    ))?;
    let mut rows = statement.query([source.value])?;
    let mut found: Vec<TagName> = Vec::new();
    while let Some(row) = rows.next()? {
        let (name, value): (String, String) = (row.get(0)?, row.get(1)?);
        let (standing, servers) = (Standing::from_code(row.get(2)?), unsigned(row.get(3)?));
        if found.last().is_none_or(|last| !last.name.eq_ignore_ascii_case(&name)) {
            found.push(TagName { name, servers: 0, values: Vec::new() });
        }
        let Some(last) = found.last_mut() else { continue };
        last.servers += servers;
        if last.values.last().is_none_or(|(one, _)| *one != value) {
            if last.values.len() > MOST_VALUES {
                continue;
            }
            last.values.push((value, Standings::default()));
        }
        if let Some((_, standings)) = last.values.last_mut() {
            standings.add(standing, servers);
        }
    }
    found.retain(|name| name.values.len() <= MOST_VALUES);
    found.sort_by(|a, b| (b.servers, a.values.len(), &a.name).cmp(&(a.servers, b.values.len(), &b.name)));
    Ok(found)
}
