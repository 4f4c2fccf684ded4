//! Notes which rows a transaction changes, by triggers that this connection alone has.

use super::entry::{RowChange, RowChangeKind};
use crate::StoreError;
use rusqlite::Connection;
use rusqlite::types::Value;

/// The table of what was noted: private to the connection, and undone with its transaction.
const NOTED: &str = "hostssl_noted";
/// Tables that are of this copy alone.
const OWN: [&str; 1] = ["copy_of"];

/// A table, as far as its rows are concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Table {
    /// Its name.
    pub(super) name: String,
    /// Its columns, in order.
    pub(super) columns: Vec<String>,
    /// The columns that tell its rows apart.
    pub(super) key: Vec<String>,
}

/// The tables that are shared.
pub(super) fn tables(connection: &Connection) -> Result<Vec<Table>, StoreError> {
    let sql = "SELECT name FROM main.sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name";
    let names: Vec<String> =
        connection.prepare_cached(sql)?.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let shared = names.into_iter().filter(|name| !OWN.contains(&name.as_str()));
    shared.map(|name| table(connection, name)).collect()
}

fn table(connection: &Connection, name: String) -> Result<Table, StoreError> {
    let sql = "SELECT name, pk FROM pragma_table_info(?1) ORDER BY cid";
    let found: Vec<(String, i64)> = connection
        .prepare_cached(sql)?
        .query_map([&name], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    let mut key: Vec<(i64, String)> =
        found.iter().filter(|(_, at)| *at > 0).map(|(name, at)| (*at, name.clone())).collect();
    key.sort();
    let mut key: Vec<String> = key.into_iter().map(|(_, name)| name).collect();
    if key.is_empty() {
        key.push("rowid".to_owned());
    }
    Ok(Table { name, columns: found.into_iter().map(|(name, _)| name).collect(), key })
}

/// Begins to note what is changed. Once for a connection is enough.
pub(super) fn start(connection: &Connection) -> Result<(), StoreError> {
    if is_started(connection)? {
        return forget(connection);
    }
    let tables = tables(connection)?;
    let width = tables.iter().map(|table| table.key.len() + table.columns.len()).max().unwrap_or_default();
    let columns: String = (0..width).map(|at| format!(", v{at}")).collect();
    let mut sql = format!("CREATE TEMP TABLE {NOTED} (n INTEGER PRIMARY KEY, tab TEXT, kind INTEGER{columns});");
    for (place, table) in tables.iter().enumerate() {
        for kind in RowChangeKind::ALL {
            sql.push_str(&trigger(place, table, kind));
        }
    }
    connection.execute_batch(&sql)?;
    Ok(())
}

/// A trigger that notes the key of the row before and the values after, as far as there are any.
fn trigger(place: usize, table: &Table, kind: RowChangeKind) -> String {
    let of =
        |row: &str, names: &[String]| -> Vec<String> { names.iter().map(|name| format!("{row}.{name}")).collect() };
    let values = match kind {
        RowChangeKind::Insert => of("NEW", &table.columns),
        RowChangeKind::Update => [of("OLD", &table.key), of("NEW", &table.columns)].concat(),
        RowChangeKind::Delete => of("OLD", &table.key),
    };
    let columns: String = (0..values.len()).map(|at| format!(", v{at}")).collect();
    let (name, word, code) = (&table.name, kind.sql(), kind.code());
    format!(
        "CREATE TEMP TRIGGER hostssl_note_{place}_{code} AFTER {word} ON main.{name} BEGIN \
         INSERT INTO {NOTED} (tab, kind{columns}) VALUES ('{name}', {code}, {}); END;",
        values.join(", ")
    )
}

fn is_started(connection: &Connection) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM temp.sqlite_schema WHERE name = ?1";
    Ok(connection.prepare_cached(sql)?.exists([NOTED])?)
}

/// Forgets what was noted so far, if anything is noted.
pub(super) fn forget(connection: &Connection) -> Result<(), StoreError> {
    if !is_started(connection)? {
        return Ok(());
    }
    connection.prepare_cached(&format!("DELETE FROM temp.{NOTED}"))?.execute([])?;
    Ok(())
}

/// Hands over what was noted, in order, and says how many changes that were.
pub(super) fn each_change(
    connection: &Connection,
    mut take: impl FnMut(&RowChange) -> Result<(), StoreError>,
) -> Result<u64, StoreError> {
    let tables = tables(connection)?;
    let mut statement = connection.prepare_cached(&format!("SELECT * FROM temp.{NOTED} ORDER BY n"))?;
    let mut rows = statement.query([])?;
    let mut count = 0;
    while let Some(row) = rows.next()? {
        let (name, code): (String, i64) = (row.get(1)?, row.get(2)?);
        let table = tables.iter().find(|table| table.name == name);
        let kind = RowChangeKind::from_code(code);
        let (Some(table), Some(kind)) = (table, kind) else {
            return Err(StoreError::Corrupt(format!("a change of table {name} was noted wrongly")));
        };
        let (key, columns) = match kind {
            RowChangeKind::Insert => (0, table.columns.len()),
            RowChangeKind::Update => (table.key.len(), table.columns.len()),
            RowChangeKind::Delete => (table.key.len(), 0),
        };
        let values = |from: usize, count: usize| -> Result<Vec<Value>, rusqlite::Error> {
            (from..from + count).map(|at| row.get(3 + at)).collect()
        };
        take(&RowChange { table: name, kind, key: values(0, key)?, row: values(key, columns)? })?;
        count += 1;
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAIT: std::time::Duration = std::time::Duration::ZERO;

    fn noted(connection: &Connection) -> Vec<String> {
        let mut found = Vec::new();
        each_change(connection, |change| {
            found.push(format!("{} {:?} {:?} {:?}", change.table, change.kind, change.key, change.row));
            Ok(())
        })
        .unwrap();
        found
    }

    #[test]
    fn every_way_of_changing_a_row_is_noted() {
        let directory = tempfile::tempdir().unwrap();
        let connection = crate::database::open_for_audits(&directory.path().into(), WAIT).unwrap();
        connection.pragma_update(None, "recursive_triggers", true).unwrap();
        connection.execute("INSERT INTO plans VALUES ('old', 'x')", []).unwrap();
        start(&connection).unwrap();
        connection
            .execute_batch(
                "INSERT INTO plans VALUES ('a', 'one'); UPDATE plans SET hash = 'b' WHERE hash = 'a';
                 INSERT OR REPLACE INTO plans VALUES ('b', 'two'); INSERT OR IGNORE INTO plans VALUES ('b', 'three');
                 DELETE FROM plans; UPDATE present SET version = 7; UPDATE copy_of SET number = 9;",
            )
            .unwrap();
        let text = |text: &str| format!("Text({text:?})");
        let (a, b) = (text("a"), text("b"));
        assert_eq!(
            noted(&connection),
            [
                format!("plans Insert [] [{a}, {}]", text("one")),
                format!("plans Update [{a}] [{b}, {}]", text("one")),
                format!("plans Delete [{b}] []"),
                format!("plans Insert [] [{b}, {}]", text("two")),
                format!("plans Delete [{b}] []"),
                format!("plans Delete [{}] []", text("old")),
                "present Update [Integer(1)] [Integer(7), Integer(0)]".to_owned(),
            ]
        );
        start(&connection).unwrap();
        assert!(noted(&connection).is_empty(), "what was noted before is forgotten");
    }
}
