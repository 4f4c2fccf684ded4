//! The rows of servers: where those of an audit stand, and what each column says.

use super::column_codes::{Code as _, listed, outcome_from, word};
use super::present::PRESENT;
use super::types::{AuditEntry, ServerRow};
use hostssl_model::{Enforcement, Standing, Word};
use rusqlite::Row;

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
            Some(_) => Self { table: "current o", condition: PRESENT, value: audit.num, row: ROW_NOW },
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
