//! Whom consoles name in `--link`: what begins a run without a console has no such list, and counts approvals by this one.

use crate::{AuditStore, StoreError, StoreReader};
use hostssl_remediation::{Approvers, plain_name};
use rusqlite::{Connection, params};

/// What `--link` of a console says that a person may do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ListedRole {
    /// Who.
    pub person: String,
    /// The role, in the console's word.
    pub role: String,
    /// Whether someone with it may approve plans.
    pub may_approve: bool,
}

impl AuditStore {
    /// Keeps whom a console that requires several approvals names in `--link`, in place of what was kept before. Of everyone else,
    /// the approvals count only where a proxy may vouch for them.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read or written.
    pub fn keep_listed_roles(&self, listed: &[ListedRole], is_behind_proxy: bool) -> Result<(), StoreError> {
        let others = ListedRole { person: String::new(), role: String::new(), may_approve: is_behind_proxy };
        let plain = |one: &ListedRole| ListedRole { person: plain_name(&one.person), ..one.clone() };
        let mut rows: Vec<ListedRole> = listed.iter().map(plain).chain([others]).collect();
        rows.sort();
        rows.dedup_by(|one, other| one.person == other.person);
        // Consoles start more often than the list changes, and each write is an entry of a shared store.
        if self.read(listed_roles)? == rows {
            return Ok(());
        }
        self.write(|connection| {
            connection.execute("DELETE FROM listed_roles", [])?;
            let keep = "INSERT INTO listed_roles (person, role, may_approve) VALUES (?1, ?2, ?3)";
            for ListedRole { person, role, may_approve } in &rows {
                connection.execute(keep, params![person, role, may_approve])?;
            }
            Ok(())
        })
    }
}

impl StoreReader {
    /// Whose approvals count, by the `--link` of the console that was started last with several approvals.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read.
    pub fn listed_approvers(&self) -> Result<Approvers, StoreError> {
        listed_approvers(&self.lock())
    }
}

fn listed_roles(connection: &Connection) -> Result<Vec<ListedRole>, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT person, role, may_approve FROM listed_roles ORDER BY person, role")?;
    let read =
        |row: &rusqlite::Row<'_>| Ok(ListedRole { person: row.get(0)?, role: row.get(1)?, may_approve: row.get(2)? });
    Ok(statement.query_map([], read)?.collect::<Result<_, _>>()?)
}

/// Whose approvals count where no console says so.
pub(crate) fn listed_approvers(connection: &Connection) -> Result<Approvers, StoreError> {
    let mut approvers = Approvers::default();
    for ListedRole { person, role, may_approve } in listed_roles(connection)? {
        if person.is_empty() {
            let why = || "--link of the console does not have this name".to_owned();
            approvers.others = (!may_approve).then(why);
        } else {
            let why = format!("--link of the console gives this name the role {role}");
            approvers.named.insert(person, (!may_approve).then_some(why));
        }
    }
    Ok(approvers)
}
