//! Takes back what an audit passed by looks that are believed no more.

use super::column_codes::{outcome_code, outcome_from};
use super::document::{self, ServerJudgement, StoredFinding};
use super::kept_documents::keep_judgement;
use super::unchecked::StoredUnchecked;
use crate::StoreError;
use hostssl_model::{Outcome, Reason, Unchecked};
use rusqlite::{OptionalExtension as _, Transaction, params};

/// How a look names its prober in a document.
pub(super) fn mark_of(prober: &str) -> Result<String, StoreError> {
    let id =
        serde_json::to_string(prober).map_err(|error| StoreError::Corrupt(format!("the id of a prober: {error}")))?;
    Ok(format!("\"prober\":{id}"))
}

/// Takes back what the newest audit of a server passed by the looks of a prober.
pub(super) fn doubt(transaction: &Transaction<'_>, server: i64, prober: &str) -> Result<(), StoreError> {
    let mark = mark_of(prober)?;
    let found = transaction
        .prepare_cached(
            "SELECT j.document, c.outcome FROM current c JOIN facts f ON f.num = c.facts JOIN judgements j \
             ON j.num = c.judgement WHERE c.server = ?1 AND instr(f.document, ?2) > 0",
        )?
        .query_row(params![server, mark], |row| Ok((row.get::<_, String>(0)?, outcome_from(row.get(1)?))))
        .optional()?;
    let Some((judgement, outcome)) = found else { return Ok(()) };
    let mut judgement: ServerJudgement = document::read(&judgement)?;
    let why =
        Unchecked::new(Reason::ProberSilent, format!("prober {prober}, which probed it, was revoked or suspended"));
    let findings = judgement.findings.into_iter().map(|finding| doubted(finding, &why)).collect();
    judgement.findings = findings;
    let outcome = if outcome == Outcome::Pass { Outcome::Unknown } else { outcome };
    judgement.outcome = outcome.as_str().to_owned();
    let number = keep_judgement(transaction, &judgement)?;
    let update = "UPDATE current SET judgement = ?2, outcome = ?3, reason = ?4 WHERE server = ?1";
    let to = params![server, number, outcome_code(outcome), judgement.reason()];
    transaction.prepare_cached(update)?.execute(to)?;
    Ok(())
}

fn doubted(finding: StoredFinding, why: &Unchecked) -> StoredFinding {
    let is_of_the_wire = finding.control().known().is_some_and(|control| control.is_of_the_wire());
    let finding = StoredFinding { wire_confirmed: false, ..finding };
    if !is_of_the_wire || finding.outcome() != Outcome::Pass {
        return finding;
    }
    let outcome = Outcome::Unknown.as_str().to_owned();
    StoredFinding { outcome, observed: None, unchecked: Some(StoredUnchecked::from(why)), ..finding }
}
