//! Who ordered what of a run. The journal has the identity that writes to Azure, which many people may share; this has
//! the person.

use crate::{AuditStore, StoreError, StoreReader};
use hostssl_model::coded;
use hostssl_remediation::{PlanHash, RunId};
use rusqlite::{Connection, params};

coded! {
    /// What was ordered.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub enum OrderAct {
        /// To begin it: the approval of its plan.
        Apply = "apply",
        /// To undo what it changed.
        Undo = "undo",
        /// To continue it.
        Resume = "resume",
        /// To begin nothing more of it.
        Stop = "stop",
    }
}

/// One order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// The run.
    pub run: RunId,
    /// When, in milliseconds since 1970-01-01T00:00:00Z.
    pub at_ms: i64,
    /// What.
    pub act: OrderAct,
    /// Who.
    pub person: String,
    /// The hash of the plan: what was approved.
    pub plan: PlanHash,
}

impl AuditStore {
    /// Keeps an order, durably, before it is carried out.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be written: then the order must not be carried out.
    pub fn keep_order(&self, order: &Order) -> Result<(), StoreError> {
        let values = params![order.run.as_str(), order.at_ms, order.act.as_str(), order.person, order.plan.as_str()];
        self.write(|connection| {
            connection
                .execute("INSERT INTO orders (run, at_ms, act, person, plan) VALUES (?1, ?2, ?3, ?4, ?5)", values)?;
            Ok(())
        })
    }

    /// The orders of a run, the first one first.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read; [`StoreError::Corrupt`] when the stored data is damaged.
    pub fn orders(&self, run: &RunId) -> Result<Vec<Order>, StoreError> {
        self.read(|connection| orders(connection, run))
    }
}

impl StoreReader {
    /// The orders of a run, the first one first.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read; [`StoreError::Corrupt`] when the stored data is damaged.
    pub fn orders(&self, run: &RunId) -> Result<Vec<Order>, StoreError> {
        orders(&self.lock(), run)
    }
}

fn orders(connection: &Connection, run: &RunId) -> Result<Vec<Order>, StoreError> {
    let sql = "SELECT at_ms, act, person, plan FROM orders WHERE run = ?1 ORDER BY num";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([run.as_str()])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let (act, plan): (String, String) = (row.get(1)?, row.get(3)?);
        let corrupt = || StoreError::Corrupt("a stored order cannot be read".to_owned());
        found.push(Order {
            run: run.clone(),
            at_ms: row.get(0)?,
            act: OrderAct::from_code(&act).ok_or_else(corrupt)?,
            person: row.get(2)?,
            plan: PlanHash::new(&plan).map_err(|_| corrupt())?,
        });
    }
    Ok(found)
}
