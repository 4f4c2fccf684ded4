//! Whether all that is kept of a run is there. Receipts and the phase are kept beside the journal, and follow from it: where
//! they do not, something was lost.

use crate::{StoreError, StoreReader, WriteReceipt};
use hostssl_remediation::{Direction, JournalEvent, JournalRecord, RunId, StepEvent};
use rusqlite::Connection;

impl StoreReader {
    /// Checks that a run's records follow each other without a gap, and that its receipts and its phase are those that follow
    /// from its journal.
    ///
    /// # Errors
    ///
    /// [`StoreError::Corrupt`] when something was lost or does not fit, and every error of [`Self::load`].
    pub fn check_run(&self, run: &RunId) -> Result<(), StoreError> {
        let journalled = self.load(run)?;
        let kept = self.receipts(run)?;
        let (first, last, count, phase) = sequence(&self.lock(), run)?;
        let lost = |what: &str| Err(StoreError::Corrupt(format!("a part of run {run} was lost: {what}")));
        if last - first + 1 != count || usize::try_from(count).ok() != Some(journalled.records.len()) {
            return lost("its journal has a gap");
        }
        if kept != receipts_of(&journalled.records) {
            return lost("its receipts are not those of its journal");
        }
        if let Ok(loaded) = journalled.load()
            && loaded.state.phase().as_str() != phase
        {
            return lost(&format!("it is kept as {phase}, and its journal ends before that"));
        }
        Ok(())
    }
}

/// The numbers of the first and the last record of a run, how many there are, and its phase.
fn sequence(connection: &Connection, run: &RunId) -> Result<(i64, i64, i64, String), StoreError> {
    let sql = "SELECT coalesce(min(seq), 0), coalesce(max(seq), -1), count(*), (SELECT phase FROM runs WHERE id = ?1) \
               FROM journal WHERE run = ?1";
    let row = connection
        .prepare_cached(sql)?
        .query_row([run.as_str()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
    Ok(row)
}

/// The receipts that follow from a journal, in the order in which they are listed.
fn receipts_of(records: &[JournalRecord]) -> Vec<WriteReceipt> {
    let mut receipts: Vec<WriteReceipt> = Vec::new();
    for record in records {
        let JournalEvent::Step { step, direction, act } = &record.event else { continue };
        let last = receipts.iter().rposition(|one| one.step == *step && one.direction == *direction);
        match (act, last) {
            (StepEvent::Intent { found, .. }, _) => receipts.push(WriteReceipt {
                step: *step,
                direction: *direction,
                intended_at_ms: record.at_ms,
                value_before: found.as_str().to_owned(),
                request_id: None,
                accepted_at_ms: None,
                value_after: None,
                observed_at_ms: None,
            }),
            (StepEvent::Rejected { .. }, Some(last)) => drop(receipts.remove(last)),
            (act, Some(last)) => {
                if let Some(receipt) = receipts.get_mut(last) {
                    bring_up_to_date(receipt, act, record.at_ms);
                }
            }
            (_, None) => {}
        }
    }
    // Stable: several writes of one step stay in the order of the journal.
    receipts.sort_by_key(|one| (one.step, one.direction == Direction::Undo));
    receipts
}

fn bring_up_to_date(receipt: &mut WriteReceipt, act: &StepEvent, at_ms: i64) {
    match act {
        StepEvent::Accepted { request_id } => {
            receipt.request_id = request_id.as_ref().map(|id| id.as_str().to_owned());
            receipt.accepted_at_ms = Some(at_ms);
        }
        StepEvent::Observed { found, .. } | StepEvent::Reverted { found } => {
            receipt.value_after = Some(found.as_str().to_owned());
            receipt.observed_at_ms = Some(at_ms);
        }
        StepEvent::Intent { .. }
        | StepEvent::Rejected { .. }
        | StepEvent::Ended { .. }
        | StepEvent::NotReadAgain { .. }
        | StepEvent::ReadAgain => {}
    }
}
