//! What decides how a check ends: which failures count, which were accepted for a time, and which an earlier check had.
//!
//! A gate chooses which failures count. It never makes what is not known a pass, and neither does a baseline of other rules.

use crate::{IacEffect, IacFinding, IacFormat, IacReport, IacRule};
use hostssl_audit::WaiverLayer;
use hostssl_model::{AuditEnd, FailOn, Meaning, Outcome, Severity, Waiver, WaiverState};
use std::collections::HashMap;

/// An earlier check of a file, as far as another one is compared with it.
#[derive(Debug, Clone)]
pub struct IacBaseline {
    /// Which rules judged it.
    pub profile: String,
    /// The format of the file.
    pub format: String,
    /// Whether the file was compared with the servers.
    pub is_compared: bool,
    /// What failed and was not waived, by its fingerprint.
    pub failures: HashMap<String, IacBaselineFailure>,
}

/// What failed in an earlier check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IacBaselineFailure {
    /// The value that the server had, or before the apply as far as the file knew.
    pub now: Option<String>,
    /// The value after an apply, where that was known.
    pub after: Option<String>,
}

impl IacBaselineFailure {
    /// Whether a failure of now is this one: of the same value, and not made by a change that the earlier file did not make.
    fn is_same(&self, finding: &IacFinding) -> bool {
        let spelled = |value: Option<Meaning>| value.and_then(|value| finding.setting.spell(value));
        let now = spelled(finding.live.map(|live| live.meaning).or(finding.before));
        // What was there before a value is set may not be in the file: then it is known only where it was not in the other either.
        let changes = matches!(finding.effect, IacEffect::TurnsOff | IacEffect::Changes | IacEffect::Sets);
        self.after.as_deref() == spelled(finding.after) && (!changes || self.now.as_deref() == now)
    }
}

/// The earlier check against which new failures were identified, and whether it is comparable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IacBaselineUse {
    /// The name of its file.
    pub file: String,
    /// Which rules judged it.
    pub profile: String,
    /// Whether the same rules judge now.
    pub same_profile: bool,
    /// Whether it is of a file of the same format, and both or neither were compared with the servers.
    pub same_way: bool,
    /// Failures that were in it already, with the same value.
    pub known: u64,
    /// Of these, the ones of servers that have neither an id nor a name: they may be other servers at the same address.
    pub unnamed: u64,
}

impl IacBaselineUse {
    /// Whether what it does not contain is new, and what it contains is known.
    #[must_use]
    pub const fn serves(&self) -> bool {
        self.same_profile && self.same_way && self.unnamed == 0
    }
}

impl IacReport {
    /// Lays the waivers of a file over the failures of controls. A server whose id is not known has none, and neither has the rule
    /// that is about the file itself.
    pub fn apply_waivers(&mut self, name: &str, waivers: Vec<Waiver>) {
        let mut layer = WaiverLayer::new(name, waivers);
        for server in &mut self.servers {
            let Some(id) = &server.id else { continue };
            let mut judged: Vec<_> = server.findings.iter_mut().filter_map(of_control).collect();
            let laid = layer.apply_to(id, judged.iter().map(|(control, finding)| (*control, finding.outcome)));
            judged.iter_mut().zip(laid).for_each(|((_, finding), waiver)| finding.waiver = waiver);
        }
        self.waivers = Some(layer.into_file());
    }

    /// Marks the failures that an earlier check had with the same value, unless the file makes them by another change. What was
    /// accepted for a time is not known for good once that time is over.
    pub fn compare_with(&mut self, file: &str, baseline: &IacBaseline) {
        let (mut known, mut unnamed) = (0, 0);
        for server in &mut self.servers {
            let is_named = server.id.is_some() || server.name.is_some();
            let prints: Vec<String> = server.findings.iter().map(|finding| server.fingerprint(finding)).collect();
            for (finding, print) in server.findings.iter_mut().zip(prints) {
                let was = baseline.failures.get(&print).is_some_and(|was| was.is_same(finding));
                finding.is_known = was && finding.outcome == Outcome::Fail && !has_expired(finding);
                known += u64::from(finding.is_known);
                unnamed += u64::from(finding.is_known && !is_named);
            }
        }
        self.baseline = Some(IacBaselineUse {
            file: file.to_owned(),
            profile: baseline.profile.clone(),
            same_profile: baseline.profile == self.profile,
            same_way: IacFormat::from_code(&baseline.format) == Some(self.format)
                && baseline.is_compared == self.live.is_some(),
            known,
            unnamed,
        });
    }

    /// Whether everything in the file is known.
    #[must_use]
    pub fn knows_all(&self) -> bool {
        self.gaps.is_empty() && self.findings().all(|finding| finding.outcome != Outcome::Unknown)
    }

    /// The rules that choose which failures count.
    #[must_use]
    pub fn rules(&self) -> &[FailOn] {
        if self.fail_on.is_empty() { &[FailOn::Fail] } else { &self.fail_on }
    }

    /// What it ends with, as an audit does. The rules choose which failures count, and never make what is not known a pass.
    #[must_use]
    pub fn end(&self) -> AuditEnd {
        let fails =
            |chosen: &dyn Fn(&IacFinding) -> bool| self.findings().any(|one| one.fails_unwaived() && chosen(one));
        let counts = self.rules().iter().any(|rule| match rule {
            FailOn::Fail => fails(&|_| true),
            FailOn::High => fails(&|finding| finding.rule.severity() == Severity::High),
            FailOn::New => fails(&|finding| !finding.is_known),
            FailOn::Unknown => !self.knows_all(),
            FailOn::Never => false,
        });
        if counts {
            AuditEnd::Findings
        } else if self.knows_all() && self.baseline.as_ref().is_none_or(IacBaselineUse::serves) {
            AuditEnd::Pass
        } else {
            AuditEnd::Incomplete
        }
    }

    fn findings(&self) -> impl Iterator<Item = &IacFinding> {
        self.servers.iter().flat_map(|server| &server.findings)
    }
}

fn of_control(finding: &mut IacFinding) -> Option<(hostssl_model::ControlId, &mut IacFinding)> {
    match finding.rule {
        IacRule::Control(id) => Some((id, finding)),
        IacRule::ResetRefusesClients => None,
    }
}

fn has_expired(finding: &IacFinding) -> bool {
    finding.waiver.as_ref().is_some_and(|waiver| waiver.state == WaiverState::Expired)
}
