//! Who approved a plan, and who withdrew that: nothing of it is ever removed.

use crate::{AuditStore, StoreError, StoreReader};
use hostssl_remediation::{PlanApproval, PlanApprovals, PlanHash, RunId};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

/// What a plan takes before it is applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequiredApprovals {
    /// How many people have to approve it.
    pub approvals: u32,
    /// Who made it, and so does not approve it.
    pub made_by: String,
}

impl AuditStore {
    /// Approves the plan of a hash in the name of a person. Changes nothing where the person has approved it already.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be written.
    pub fn approve_plan(&self, hash: &PlanHash, person: &str, at_ms: i64) -> Result<(), StoreError> {
        self.write(|connection| {
            let of_person: Vec<PlanApproval> =
                approvals(connection, hash)?.into_iter().filter(|one| one.person == person).collect();
            match of_person.last() {
                None => {
                    let insert = "INSERT INTO plan_approvals (plan, person, at_ms) VALUES (?1, ?2, ?3)";
                    connection.execute(insert, params![hash.as_str(), person, at_ms])?;
                }
                Some(last) if last.withdrawn_ms.is_some() => change(connection, hash, person, at_ms, true)?,
                Some(_) => {}
            }
            Ok(())
        })
    }

    /// Withdraws the approval of a person, and says whether that was done: no one withdraws what they have not approved, or an
    /// approval of a plan with which a run has begun.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be written.
    pub fn withdraw_approval(&self, hash: &PlanHash, person: &str, at_ms: i64) -> Result<bool, StoreError> {
        self.write(|connection| {
            let holds = |one: &PlanApproval| one.person == person && one.withdrawn_ms.is_none();
            let done = run_with(connection, hash)?.is_none() && approvals(connection, hash)?.iter().any(holds);
            if done {
                change(connection, hash, person, at_ms, false)?;
            }
            Ok(done)
        })
    }

    /// Who approved the plan of a hash, and who withdrew that, the first one first. Someone who approved again after that is there
    /// again.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read.
    pub fn plan_approvals(&self, hash: &PlanHash) -> Result<Vec<PlanApproval>, StoreError> {
        self.read(|connection| approvals(connection, hash))
    }

    /// The newest run that began with the plan of a hash.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read; [`StoreError::Corrupt`] when the stored data is damaged.
    pub fn run_of_plan(&self, hash: &PlanHash) -> Result<Option<RunId>, StoreError> {
        self.read(|connection| run_with(connection, hash))
    }
}

impl StoreReader {
    /// Who approved the plan of a hash, as [`AuditStore::plan_approvals`].
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read.
    pub fn plan_approvals(&self, hash: &PlanHash) -> Result<Vec<PlanApproval>, StoreError> {
        approvals(&self.lock(), hash)
    }

    /// The newest run that began with the plan of a hash, as [`AuditStore::run_of_plan`].
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read; [`StoreError::Corrupt`] when the stored data is damaged.
    pub fn run_of_plan(&self, hash: &PlanHash) -> Result<Option<RunId>, StoreError> {
        run_with(&self.lock(), hash)
    }

    /// What the plan of a hash takes, if a console made it where more than one person has to approve.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read.
    pub fn required_approvals(&self, hash: &PlanHash) -> Result<Option<RequiredApprovals>, StoreError> {
        required(&self.lock(), hash)
    }
}

/// The newest run that began with a plan.
fn run_with(connection: &Connection, hash: &PlanHash) -> Result<Option<RunId>, StoreError> {
    // A console began it, or the command line, which leaves no order.
    let sql = "SELECT r.id FROM runs r JOIN journal j ON j.run = r.id WHERE r.plan = ?1 \
               GROUP BY r.id ORDER BY min(j.at_ms) DESC, r.id DESC LIMIT 1";
    let run: Option<String> =
        connection.prepare_cached(sql)?.query_row([hash.as_str()], |row| row.get(0)).optional()?;
    let damaged = |_| StoreError::Corrupt("the id of a run cannot be read".to_owned());
    run.map(|run| RunId::new(&run).map_err(damaged)).transpose()
}

fn required(connection: &Connection, hash: &PlanHash) -> Result<Option<RequiredApprovals>, StoreError> {
    let sql = "SELECT approvals, made_by FROM required_approvals WHERE plan = ?1 UNION ALL \
               SELECT approvals, made_by FROM kept_plans WHERE hash = ?1 AND approvals > 1 \
               ORDER BY approvals DESC LIMIT 1";
    let read = |row: &Row<'_>| Ok(RequiredApprovals { approvals: row.get(0)?, made_by: row.get(1)? });
    Ok(connection.prepare_cached(sql)?.query_row([hash.as_str()], read).optional()?)
}

/// Refuses to begin a run of a plan that has not enough approvals, in the transaction that would begin it: one that is
/// withdrawn before that counts no more. Who may approve at all was judged before.
pub(crate) fn check_approved(connection: &Connection, plan: &str) -> Result<(), StoreError> {
    let Ok(hash) = PlanHash::new(plan) else { return Ok(()) };
    let Some(required) = required(connection, &hash)? else { return Ok(()) };
    let found = PlanApprovals::of(required.approvals, &required.made_by, approvals(connection, &hash)?, |_| None);
    if found.missing() > 0 {
        let given = u32::try_from(found.given.len()).unwrap_or(u32::MAX);
        return Err(StoreError::NotApproved { given, required: required.approvals });
    }
    Ok(())
}

/// Notes what a plan takes, so that it is known for longer than the plan is kept.
pub(crate) fn require_approvals(
    connection: &Connection,
    plan: &PlanHash,
    approvals: u32,
    made_by: &str,
) -> Result<(), StoreError> {
    if approvals > 1 {
        let insert = "INSERT OR IGNORE INTO required_approvals (plan, approvals, made_by) VALUES (?1, ?2, ?3)";
        connection.execute(insert, params![plan.as_str(), approvals, made_by])?;
    }
    Ok(())
}

fn approvals(connection: &Connection, hash: &PlanHash) -> Result<Vec<PlanApproval>, StoreError> {
    let sql = "SELECT person, at_ms FROM plan_approvals WHERE plan = ?1 ORDER BY at_ms, person";
    let mut statement = connection.prepare_cached(sql)?;
    let read = |row: &Row<'_>| Ok(PlanApproval { person: row.get(0)?, at_ms: row.get(1)?, withdrawn_ms: None });
    let mut found: Vec<PlanApproval> = statement.query_map([hash.as_str()], read)?.collect::<Result<_, _>>()?;
    let sql = "SELECT person, at_ms, approves FROM approval_changes WHERE plan = ?1 ORDER BY num";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([hash.as_str()])?;
    while let Some(row) = rows.next()? {
        let (person, at_ms, approves): (String, i64, bool) = (row.get(0)?, row.get(1)?, row.get(2)?);
        if approves {
            found.push(PlanApproval { person, at_ms, withdrawn_ms: None });
        } else if let Some(last) = found.iter_mut().rfind(|one| one.person == person) {
            last.withdrawn_ms = Some(at_ms);
        }
    }
    Ok(found)
}

fn change(
    connection: &Connection,
    hash: &PlanHash,
    person: &str,
    at_ms: i64,
    approves: bool,
) -> Result<(), StoreError> {
    let insert = "INSERT INTO approval_changes (plan, person, at_ms, approves) VALUES (?1, ?2, ?3, ?4)";
    connection.execute(insert, params![hash.as_str(), person, at_ms, approves])?;
    Ok(())
}
