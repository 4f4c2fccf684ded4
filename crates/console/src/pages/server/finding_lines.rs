//! The outcomes of the controls on one server, the worst first, each with the waiver for it.

use super::Head;
use crate::reply::Failure;
use crate::shared::Shared;
use crate::view::Badge;
use crate::waivers::{WaiverLine, WaiverNote};
use hostssl_model::Outcome;
use hostssl_store::StoredFinding;

/// The outcome of a control, and the waiver for it.
pub(super) struct FindingLine {
    pub(super) finding: StoredFinding,
    pub(super) badge: Badge,
    pub(super) waiver: Option<WaiverLine>,
    /// Where a waiver for it is written, if it fails and has none that holds.
    pub(super) propose: Option<String>,
}

impl FindingLine {
    fn new(finding: StoredFinding, waiver: Option<WaiverLine>, propose: Option<String>) -> Self {
        let is_waived = waiver.as_ref().is_some_and(|waiver| waiver.is_in_effect);
        let badge = if is_waived { Badge::FAIL_WAIVED } else { finding.outcome().into() };
        let can_waive = finding.outcome() == Outcome::Fail && !is_waived;
        Self { badge, waiver, propose: propose.filter(|_| can_waive), finding }
    }
}

/// What stands on the page; and why the file of waivers cannot be read, if so.
pub(super) async fn findings(shared: &Shared, head: &Head) -> Result<(Vec<FindingLine>, Option<WaiverNote>), Failure> {
    let (asker, audit) = (shared.clone(), head.audit.clone());
    let laid = shared.ask(move |store| asker.waivers(store, &audit)).await?;
    let key = &head.row.server.key;
    let line = |finding: &StoredFinding| {
        let control = finding.control().known();
        let waiver = control.and_then(|control| laid.beside(key, control));
        let propose = control.filter(|_| head.newest).map(|control| format!("/servers/{key}/waiver/{control}"));
        FindingLine::new(finding.clone(), waiver, propose)
    };
    let mut lines: Vec<FindingLine> = head.detail.findings.iter().map(line).collect();
    lines.sort_by_key(|line| match line.finding.outcome() {
        Outcome::Fail if line.badge == Badge::FAIL_WAIVED => 1,
        Outcome::Fail => 0,
        Outcome::Unknown => 2,
        Outcome::Pass => 3,
        Outcome::NotApplicable => 4,
    });
    Ok((lines, laid.note().filter(|note| note.trouble.is_some())))
}
