//! Who approved a plan, and who withdrew that: nothing of it is ever removed.

use crate::listed_roles::listed_approvers;
use crate::proxied_roles::lower_role;
use crate::{AuditStore, StoreError, StoreReader};
use hostssl_remediation::{ApprovalRule, PlanApproval, PlanHash, RunId};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

/// What a plan takes before it is applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequiredApprovals {
    /// How many people have to approve it.
    pub approvals: u32,
    /// Who made it, and so does not approve it.
    pub made_by: String,
}

/// That someone approved a plan, or withdrew that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovalAct {
    /// Who.
    pub person: String,
    /// When, in milliseconds since 1970-01-01T00:00:00Z.
    pub at_ms: i64,
    /// Whether it approves; otherwise it withdraws.
    pub approves: bool,
}

impl AuditStore {
    /// Approves the plan of a hash in the name of a person. Changes nothing where the person has approved it already, or where a
    /// run has begun with it, which is returned then: approvals are for one run.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be written.
    pub fn approve_plan(&self, hash: &PlanHash, person: &str, at_ms: i64) -> Result<Option<RunId>, StoreError> {
        self.write(|connection| {
            let run = run_with(connection, hash)?;
            let holds = |one: &PlanApproval| one.person == person && one.withdrawn_ms.is_none();
            if run.is_none() && !approvals(connection, hash)?.iter().any(holds) {
                change(connection, hash, person, at_ms, true)?;
            }
            Ok(run)
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

    /// Who approved the plan of a hash, and who withdrew that, as it was kept. Someone who approved again after that is there again.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read.
    pub fn plan_approvals(&self, hash: &PlanHash) -> Result<Vec<PlanApproval>, StoreError> {
        self.read(|connection| approvals(connection, hash))
    }

    /// Whose approvals counted when a run began, as they were given; none where its plan took one approval, that of the person who
    /// applied it.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read.
    pub fn run_approvals(&self, run: &RunId) -> Result<Vec<PlanApproval>, StoreError> {
        self.read(|connection| approvals_of(connection, run))
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

    /// Who approved the plan of a hash and who withdrew that, in the order in which it was kept, each act for itself.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read.
    pub fn approval_acts(&self, hash: &PlanHash) -> Result<Vec<ApprovalAct>, StoreError> {
        acts(&self.lock(), hash)
    }

    /// Whose approvals counted when a run began, as [`AuditStore::run_approvals`].
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read.
    pub fn run_approvals(&self, run: &RunId) -> Result<Vec<PlanApproval>, StoreError> {
        approvals_of(&self.lock(), run)
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

/// The approvals with which a run of a plan begins, in the transaction that begins it: one that was withdrawn before, or that is of
/// someone who is no approver by what is known until then, does not count. None where the plan takes one approval.
pub(crate) fn approvals_to_begin(
    connection: &Connection,
    plan: &str,
    rule: Option<&ApprovalRule>,
) -> Result<Vec<PlanApproval>, StoreError> {
    let Ok(hash) = PlanHash::new(plan) else { return Ok(Vec::new()) };
    let mut rule = match rule {
        Some(rule) => rule.clone(),
        None => ApprovalRule { approvers: listed_approvers(connection)?, ..ApprovalRule::default() },
    };
    if let Some(required) = required(connection, &hash)? {
        rule.needed = rule.needed.max(required.approvals);
        rule.made_by.push(required.made_by);
    }
    let found = rule.count(approvals(connection, &hash)?);
    if !found.are_apart() {
        return Ok(Vec::new());
    }
    if let Some(run) = run_with(connection, &hash)? {
        return Err(StoreError::ApprovalsUsed(run));
    }
    if found.missing() > 0 {
        let given = u32::try_from(found.given.len()).unwrap_or(u32::MAX);
        return Err(StoreError::NotApproved { given, required: rule.needed });
    }
    Ok(found.given)
}

/// Keeps with which approvals a run began.
pub(crate) fn keep_approvals_of(
    connection: &Connection,
    run: &RunId,
    approvals: &[PlanApproval],
) -> Result<(), StoreError> {
    let insert = "INSERT INTO run_approvals (run, place, person, at_ms) VALUES (?1, ?2, ?3, ?4)";
    for (place, one) in (0_u32..).zip(approvals) {
        connection.execute(insert, params![run.as_str(), place, one.person, one.at_ms])?;
    }
    Ok(())
}

fn approvals_of(connection: &Connection, run: &RunId) -> Result<Vec<PlanApproval>, StoreError> {
    let sql = "SELECT person, at_ms FROM run_approvals WHERE run = ?1 ORDER BY place";
    let mut statement = connection.prepare_cached(sql)?;
    let read = |row: &Row<'_>| {
        Ok(PlanApproval { person: row.get(0)?, at_ms: row.get(1)?, withdrawn_ms: None, lower_role: None })
    };
    let kept: Vec<_> = statement.query_map([run.as_str()], read)?.collect::<Result<_, _>>()?;
    if kept.is_empty() { standing_before(connection, run) } else { Ok(kept) }
}

/// The approvals that stood when a run of an earlier version began, which did not keep which of them counted.
fn standing_before(connection: &Connection, run: &RunId) -> Result<Vec<PlanApproval>, StoreError> {
    let sql = "SELECT plan, (SELECT min(at_ms) FROM journal WHERE run = id) FROM runs WHERE id = ?1";
    let read = |row: &Row<'_>| Ok((row.get::<_, String>(0)?, row.get::<_, Option<i64>>(1)?));
    let found = connection.prepare_cached(sql)?.query_row([run.as_str()], read).optional()?;
    let Some((hash, Some(began_ms))) = found else { return Ok(Vec::new()) };
    let hash = PlanHash::new(&hash).map_err(|_| StoreError::Corrupt("the plan of a run cannot be read".to_owned()))?;
    let Some(required) = required(connection, &hash)? else { return Ok(Vec::new()) };
    let mut standing = approvals(connection, &hash)?;
    standing.retain(|one| one.at_ms <= began_ms && one.withdrawn_ms.is_none_or(|at_ms| at_ms > began_ms));
    standing.iter_mut().for_each(|one| (one.withdrawn_ms, one.lower_role) = (None, None));
    let (needed, made_by) = (required.approvals, vec![required.made_by]);
    Ok(ApprovalRule { needed, made_by, ..ApprovalRule::default() }.count(standing).given)
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
    let mut found: Vec<PlanApproval> = Vec::new();
    for ApprovalAct { person, at_ms, approves } in acts(connection, hash)? {
        if approves {
            let lower_role = lower_role(connection, &person)?;
            found.push(PlanApproval { person, at_ms, withdrawn_ms: None, lower_role });
        } else if let Some(last) = found.iter_mut().rfind(|one| one.person == person) {
            last.withdrawn_ms = Some(at_ms);
        }
    }
    Ok(found)
}

/// Earlier versions kept the first approval of a person in a table without an order.
fn acts(connection: &Connection, hash: &PlanHash) -> Result<Vec<ApprovalAct>, StoreError> {
    let sql = "SELECT person, at_ms, 1, 0 AS num FROM plan_approvals WHERE plan = ?1 UNION ALL \
               SELECT person, at_ms, approves, num FROM approval_changes WHERE plan = ?1 ORDER BY num, at_ms, person";
    let mut statement = connection.prepare_cached(sql)?;
    let read = |row: &Row<'_>| Ok(ApprovalAct { person: row.get(0)?, at_ms: row.get(1)?, approves: row.get(2)? });
    Ok(statement.query_map([hash.as_str()], read)?.collect::<Result<_, _>>()?)
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
