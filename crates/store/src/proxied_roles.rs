//! What a proxy in front of the consoles said last that people may do. It is known for longer than anyone is signed in.

use crate::{AuditStore, StoreError};
use hostssl_remediation::plain_name;
use rusqlite::{Connection, OptionalExtension as _, params};

/// What a proxy said that a person may do.
#[derive(Debug, Clone, Copy)]
pub struct ProxiedRole<'a> {
    /// Who.
    pub person: &'a str,
    /// The role, in the console's word.
    pub role: &'a str,
    /// Whether someone with it may approve plans.
    pub may_approve: bool,
    /// When it was said, in milliseconds since 1970-01-01T00:00:00Z.
    pub at_ms: i64,
}

impl AuditStore {
    /// Keeps what a proxy said, if it is not what it said last.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read or written.
    pub fn keep_proxied_role(&self, said: &ProxiedRole<'_>) -> Result<(), StoreError> {
        let person = plain_name(said.person);
        let is_kept = |connection: &Connection| {
            let sql = "SELECT 1 FROM proxied_roles WHERE person = ?1 AND role = ?2 AND may_approve = ?3";
            Ok(connection.prepare_cached(sql)?.exists(params![person, said.role, said.may_approve])?)
        };
        if self.read(is_kept)? {
            return Ok(());
        }
        self.write(|connection| {
            let keep =
                "INSERT OR REPLACE INTO proxied_roles (person, role, may_approve, at_ms) VALUES (?1, ?2, ?3, ?4)";
            connection.execute(keep, params![person, said.role, said.may_approve, said.at_ms])?;
            Ok(())
        })
    }
}

/// The role that a proxy gave someone last, if it is one that may not approve.
pub(crate) fn lower_role(connection: &Connection, person: &str) -> Result<Option<String>, StoreError> {
    let sql = "SELECT role FROM proxied_roles WHERE person = ?1 AND may_approve = 0";
    Ok(connection.prepare_cached(sql)?.query_row([plain_name(person)], |row| row.get(0)).optional()?)
}
