//! Which waiver is for which failure, and which are for none. Reports, and pages that read no report, ask the same.

use hostssl_model::{
    AuditReport, ControlId, Outcome, ResourceId, UnusedWaiver, Waiver, WaiverFile, WaiverState, WaiverUse,
};
use std::sync::Arc;

/// The waivers of a file while they are laid over the servers of an audit, one server after the other.
#[derive(Debug)]
pub struct WaiverLayer {
    name: String,
    waivers: Vec<Laid>,
}

/// A waiver, and what was seen of its scope until now.
#[derive(Debug)]
struct Laid {
    waiver: Arc<Waiver>,
    failures: u64,
    has_server: bool,
    is_judged: bool,
    has_unknown: bool,
    has_failure: bool,
}

impl WaiverLayer {
    /// Nothing was seen yet. `name` is that of the file.
    #[must_use]
    pub fn new(name: &str, waivers: Vec<Waiver>) -> Self {
        let laid = |waiver| Laid {
            waiver: Arc::new(waiver),
            failures: 0,
            has_server: false,
            is_judged: false,
            has_unknown: false,
            has_failure: false,
        };
        Self { name: name.to_owned(), waivers: waivers.into_iter().map(laid).collect() }
    }

    /// The waiver for each of the outcomes of one server: for a failure one that holds, where there is one, and for anything
    /// else none. Every server of the audit is handed over once.
    pub fn apply_to(
        &mut self,
        server: &ResourceId,
        outcomes: impl IntoIterator<Item = (ControlId, Outcome)>,
    ) -> Vec<Option<Arc<Waiver>>> {
        let mut covering: Vec<&mut Laid> = self.waivers.iter_mut().filter(|one| one.waiver.covers(server)).collect();
        covering.iter_mut().for_each(|one| one.has_server = true);
        outcomes.into_iter().map(|(control, outcome)| apply_one(&mut covering, control, outcome)).collect()
    }

    /// The file, with the use of each of its waivers.
    #[must_use]
    pub fn into_file(self) -> WaiverFile {
        let uses = self.waivers.into_iter().map(|one| WaiverUse {
            unused: one.why_unused(),
            failures: one.failures,
            waiver: one.waiver,
        });
        WaiverFile { name: self.name, waivers: uses.collect() }
    }
}

fn apply_one(covering: &mut [&mut Laid], control: ControlId, outcome: Outcome) -> Option<Arc<Waiver>> {
    let mut of_control: Vec<&mut &mut Laid> = covering.iter_mut().filter(|one| one.waiver.control == control).collect();
    of_control.iter_mut().for_each(|one| one.is_judged = true);
    if outcome != Outcome::Fail {
        of_control.iter_mut().for_each(|one| one.has_unknown |= outcome == Outcome::Unknown);
        return None;
    }
    of_control.iter_mut().for_each(|one| one.has_failure = true);
    let best = of_control.iter().position(|one| one.waiver.state == WaiverState::InEffect).unwrap_or(0);
    let laid = of_control.get_mut(best)?;
    laid.failures += 1;
    Some(Arc::clone(&laid.waiver))
}

impl Laid {
    fn why_unused(&self) -> Option<UnusedWaiver> {
        if self.failures > 0 {
            None
        } else if !self.has_server {
            Some(UnusedWaiver::NoServer)
        } else if self.has_failure {
            Some(UnusedWaiver::Covered)
        } else if !self.is_judged || self.has_unknown {
            Some(UnusedWaiver::NotJudged)
        } else {
            Some(UnusedWaiver::NothingFails)
        }
    }
}

/// Lays waivers over a report: each failure has the waiver for it, one that holds where there is one.
pub fn apply_waivers(report: &mut AuditReport, name: &str, waivers: Vec<Waiver>) {
    let mut layer = WaiverLayer::new(name, waivers);
    for server in &mut report.servers {
        let outcomes: Vec<_> = server.findings.iter().map(|one| (one.control, one.outcome)).collect();
        let laid = layer.apply_to(&server.server.id, outcomes);
        for (finding, waiver) in server.findings.iter_mut().zip(laid).filter(|(_, waiver)| waiver.is_some()) {
            finding.waiver = waiver;
        }
    }
    let mut file = layer.into_file();
    // A server that could not be listed may be in its scope.
    for one in file.waivers.iter_mut().filter(|one| !report.run.complete && one.unused == Some(UnusedWaiver::NoServer))
    {
        one.unused = Some(UnusedWaiver::NotJudged);
    }
    report.overlay.waivers = Some(file);
}
