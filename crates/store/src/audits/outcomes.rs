//! The outcomes of the controls on every server of an audit, without what was observed. Servers that end alike share a
//! document, which is read once.

use super::column_codes::listed;
use super::document::{self, ServerJudgement, StoredFinding};
use super::rows::ServerSource;
use super::types::AuditEntry;
use crate::StoreError;
use hostssl_model::{ControlId, Enforcement, Outcome, ResourceId};
use rusqlite::Connection;
use std::collections::HashMap;

/// How the controls ended on one server. Controls that this version does not know are left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerOutcomes {
    /// The server's name in addresses.
    pub key: String,
    /// Its id.
    pub id: ResourceId,
    /// Each control with its outcome.
    pub outcomes: Vec<(ControlId, Outcome)>,
}

/// Hands over the servers of an audit one by one.
pub(crate) fn each_outcome(
    connection: &Connection,
    audit: &AuditEntry,
    take: &mut dyn FnMut(ServerOutcomes),
) -> Result<(), StoreError> {
    let source = ServerSource::of(audit);
    let mut statement = connection.prepare_cached(&format!(
        "SELECT s.key, s.spelled, o.failing, o.judgement FROM {} WHERE {}",
        source.tables(false),
        source.condition,
    ))?;
    let mut judged = Judged { connection, read: HashMap::new() };
    let mut rows = statement.query([source.value])?;
    while let Some(row) = rows.next()? {
        let failing: String = row.get(2)?;
        let spelled: String = row.get(1)?;
        let id = ResourceId::try_from(spelled.as_str())
            .map_err(|error| StoreError::Corrupt(format!("the id of a server: {error}")))?;
        let outcomes = standing(judged.of(row.get(3)?)?, &failing);
        take(ServerOutcomes { key: row.get(0)?, id, outcomes });
    }
    Ok(())
}

/// The outcomes of documents that were read.
struct Judged<'a> {
    connection: &'a Connection,
    read: HashMap<i64, Vec<(ControlId, Outcome)>>,
}

impl Judged<'_> {
    fn of(&mut self, number: i64) -> Result<&[(ControlId, Outcome)], StoreError> {
        if !self.read.contains_key(&number) {
            let text: String = self
                .connection
                .prepare_cached("SELECT document FROM judgements WHERE num = ?1")?
                .query_row([number], |row| row.get(0))?;
            let judgement: ServerJudgement = document::read(&text)?;
            let outcomes = judgement.findings.iter().filter_map(|one| Some((one.control().known()?, one.outcome())));
            self.read.insert(number, outcomes.collect());
        }
        Ok(self.read.get(&number).map_or(&[], Vec::as_slice))
    }
}

/// An outcome as it stands: what fails is in the row, which evidence brings up to date that the audit did not have.
pub(super) fn standing_outcome(control: &str, outcome: Outcome, is_failing: bool) -> Outcome {
    match (is_failing, outcome) {
        (true, _) => Outcome::Fail,
        // A run turned the switch and read it back.
        (false, Outcome::Fail) if control == Enforcement::CONTROL.as_str() => Outcome::Pass,
        // What was seen before that says nothing any more.
        (false, Outcome::Fail) => Outcome::Unknown,
        (false, outcome) => outcome,
    }
}

/// A finding of the present as it stands. `run` changed the server last, and `plaintext` says which listener accepted a client
/// without TLS in a look that stands.
pub(super) fn standing_finding(
    finding: StoredFinding,
    is_failing: bool,
    run: Option<&str>,
    plaintext: Option<&str>,
) -> StoredFinding {
    let now = standing_outcome(&finding.control, finding.outcome(), is_failing);
    if now == finding.outcome() || now == Outcome::Unknown {
        return finding;
    }
    let is_wire = finding.control().known() == Some(ControlId::PlaintextRefused);
    let observed =
        if is_wire { plaintext.map(ToOwned::to_owned) } else { run.map(|run| format!("read back by run {run}")) };
    let expected = finding.expected.clone().filter(|_| now == Outcome::Fail);
    StoredFinding { outcome: now.as_str().to_owned(), observed, expected, unchecked: None, ..finding }
}

/// Which listeners accepted clients without TLS in looks that stand: ports, and the zones that they were seen from.
pub(super) fn plaintext_words(listeners: impl IntoIterator<Item = (u16, Option<String>)>) -> Option<String> {
    let place = |(port, zone): (u16, Option<String>)| match zone {
        Some(zone) => format!("port {port} from zone {zone}"),
        None => format!("port {port}"),
    };
    let places: Vec<String> = listeners.into_iter().map(place).collect();
    (!places.is_empty())
        .then(|| format!("plaintext was accepted, and no later look from there says otherwise: {}", places.join(", ")))
}

/// The outcomes as they stand.
fn standing(judged: &[(ControlId, Outcome)], failing: &str) -> Vec<(ControlId, Outcome)> {
    let failing: Vec<ControlId> = listed(failing).filter_map(ControlId::from_code).collect();
    let now = |(control, outcome): &(ControlId, Outcome)| {
        (*control, standing_outcome(control.as_str(), *outcome, failing.contains(control)))
    };
    let mut outcomes: Vec<_> = judged.iter().map(now).collect();
    let is_judged = |control: &ControlId| judged.iter().any(|(one, _)| one == control);
    outcomes.extend(failing.iter().filter(|one| !is_judged(one)).map(|one| (*one, Outcome::Fail)));
    outcomes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_now_is_what_the_row_says() {
        let (switch, floor) = (ControlId::RequireSecureTransport, ControlId::PendingRestart);
        let judged = [(switch, Outcome::Fail), (floor, Outcome::Pass)];
        assert_eq!(standing(&judged, "require-secure-transport"), judged);
        assert_eq!(standing(&judged, ""), [(switch, Outcome::Pass), (floor, Outcome::Pass)]);
        assert_eq!(standing(&judged, "pending-restart")[1], (floor, Outcome::Fail));
        assert_eq!(standing(&[], "pending-restart"), [(floor, Outcome::Fail)]);
    }
}
