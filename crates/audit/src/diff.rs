//! What changed between two audits: a decision over their reports alone.
//!
//! Absence of evidence is not a change for the better. A server that the later audit could not see, was not asked
//! about, or did not judge by the same control is never called fixed or gone.

mod last_known;

use crate::Who;
use hostssl_model::{
    Apart, AuditReport, ControlId, Finding, GapScope, Hidden, NotListed, Outcome, Reading, Server, ServerReport,
    WireObservation,
};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

pub use last_known::{LastKnown, diff_knowing};

/// How something differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Difference {
    /// Fails now, and did not fail before: it passed, could not be checked, or the server was not there.
    New,
    /// Failed before, and passes now.
    Fixed,
    /// Fails as before, but for another value.
    Changed,
    /// Could not be checked now, and was judged before or is of a server that was not listed before; or the server was
    /// listed before, and could not be searched for.
    NotVisible,
    /// Could not be checked before, and passes now, or fails as it did when it was last checked; or the server could not be
    /// searched for before, and is there as it was when it was last listed.
    Visible,
    /// The server was listed before, or when its place was last listed, and now that place was listed whole and it was not there.
    Gone,
    /// The server was not listed before, and all of it passes.
    Added,
}

impl Difference {
    /// Every difference, in the order of reports: what needs a person first.
    pub const ALL: [Self; 7] =
        [Self::New, Self::NotVisible, Self::Changed, Self::Fixed, Self::Visible, Self::Gone, Self::Added];
}

/// One difference. About a server as a whole when there is no control.
#[derive(Debug, Clone)]
pub struct Change<'a> {
    /// How it differs.
    pub difference: Difference,
    /// The server, as the later audit has it where it does.
    pub server: &'a Server,
    /// What the earlier audit found.
    pub before: Option<&'a Finding>,
    /// What the later audit found.
    pub after: Option<&'a Finding>,
    /// Why the server as a whole is not visible.
    pub why: Option<NotLooked<'a>>,
    /// Who made it; `None` where that was not asked.
    pub who: Option<Who>,
}

impl Change<'_> {
    /// The control, when the change is about one.
    #[must_use]
    pub fn control(&self) -> Option<ControlId> {
        self.after.or(self.before).map(|finding| finding.control)
    }
}

/// Why the later audit says nothing of a server that the earlier one listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotLooked<'a> {
    /// The subscription is not among those that it saw.
    SubscriptionNotSeen,
    /// Something in the way of listing the server was in its coverage.
    Gap(&'a hostssl_model::Gap),
    /// A newer version kept words of it that this one does not know.
    Words(&'a hostssl_model::Gap),
    /// This zone saw its listeners for the earlier audit and not for the later one.
    Zone(&'a str),
}

/// A server that one of the audits listed and the other was not asked for: that says nothing of what became of it.
#[derive(Debug, Clone, Copy)]
pub struct NotInScope<'a> {
    /// The server, with its findings.
    pub server: &'a ServerReport,
    /// The audit that listed it.
    pub listed: ListedBy,
}

/// One of two audits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ListedBy {
    /// The earlier one.
    Before,
    /// The later one.
    After,
}

/// Two audits, compared.
#[derive(Debug)]
pub struct Diff<'a> {
    /// The changes, by [`Difference`], then by server and control.
    pub changes: Vec<Change<'a>>,
    /// Findings that both have, with the same end and value.
    pub unchanged: u64,
    /// Controls that only one of the two audits checked, or that their profiles judge differently, in the order of reports.
    pub not_compared: Vec<ControlId>,
    /// The servers that only one of the two audits was asked for, by the audit, then by server. They are no changes.
    pub not_in_scope: Vec<NotInScope<'a>>,
    /// Whether the later audit says that it began before the earlier one: a clock was set back, or those of two machines differ.
    pub times_go_back: bool,
    /// Whether they are of different clouds or tenants. What only one of them listed is then not in the scope of the other.
    pub apart: Option<Apart>,
}

impl Diff<'_> {
    fn sort(&mut self) {
        self.not_compared.sort_by_key(|control| ControlId::ALL.iter().position(|one| one == control));
        self.not_compared.dedup();
        // Stable: within one difference, servers stay in the order of their ids and controls in that of reports.
        self.changes.sort_by_key(|change| Difference::ALL.iter().position(|one| *one == change.difference));
    }

    /// How many changes of one kind there are.
    #[must_use]
    pub fn count(&self, difference: Difference) -> usize {
        self.changes.iter().filter(|change| change.difference == difference).count()
    }
}

/// Compares two audits. Servers are the same when their resource ids are, whatever the case of the letters.
#[must_use]
pub fn diff<'a>(before: &'a AuditReport, after: &'a AuditReport) -> Diff<'a> {
    let mut diff = compared(before, after);
    diff.sort();
    diff
}

fn compared<'a>(before: &'a AuditReport, after: &'a AuditReport) -> Diff<'a> {
    let judged = |report: &AuditReport| -> Vec<ControlId> {
        let judges = |id: &ControlId| {
            report.servers.iter().any(|server| server.findings.iter().any(|finding| finding.control == *id))
        };
        ControlId::ALL.into_iter().filter(judges).collect()
    };
    let (old_controls, new_controls) = (judged(before), judged(after));
    let (olds, news) = (by_id(before), by_id(after));
    // An audit without a server judged by nothing, and that is not a difference between profiles.
    let comparable = |id: ControlId| {
        olds.is_empty() || news.is_empty() || (old_controls.contains(&id) && new_controls.contains(&id))
    };
    let differ = RulesDiffer {
        profile: before.run.profile != after.run.profile,
        expiry_days: before.run.asked.expiry_days != after.run.asked.expiry_days,
    };
    let mut diff = Diff {
        changes: Vec::new(),
        unchanged: 0,
        not_compared: ControlId::ALL
            .into_iter()
            .filter(|id| (old_controls.contains(id) || new_controls.contains(id)) && !comparable(*id))
            .collect(),
        not_in_scope: Vec::new(),
        times_go_back: began(after).zip(began(before)).is_some_and(|(after, before)| after < before),
        apart: after.reach().apart(before.reach()),
    };
    if diff.apart == Some(Apart::Clouds) {
        let listed =
            |servers: &'a [ServerReport], listed| servers.iter().map(move |server| NotInScope { server, listed });
        diff.not_in_scope.extend(listed(&before.servers, ListedBy::Before));
        diff.not_in_scope.extend(listed(&after.servers, ListedBy::After));
        return diff;
    }
    for (id, new) in &news {
        match olds.get(id) {
            Some(old) => compare(&mut diff, old, new, differ, comparable),
            None if !before.reach().is_asked_for(&new.server, after.reach())
                || was_left_out_by_tags(&new.server, before) =>
            {
                diff.not_in_scope.push(NotInScope { server: new, listed: ListedBy::After });
                continue;
            }
            None => add(&mut diff, new, comparable),
        }
        diff.changes.extend(not_understood(new, after));
    }
    for (id, old) in &olds {
        if news.contains_key(id) {
            continue;
        }
        match missing(&old.server, before, after) {
            Some(change) => diff.changes.push(change),
            None => diff.not_in_scope.push(NotInScope { server: old, listed: ListedBy::Before }),
        }
    }
    diff.not_in_scope.sort_by_key(|one| one.listed);
    diff
}

/// Whether a server that an audit by tags did not list was there already, where that audit saw everything: it lacked the tags.
fn was_left_out_by_tags(server: &Server, by: &AuditReport) -> bool {
    let is_older = made_after(server, by) == Some(false);
    !by.run.scope.tags.is_empty() && is_older && by.reach().hidden(&server.id).is_none()
}

/// Whether a server was made after an audit had begun, where that is known.
fn made_after(server: &Server, audit: &AuditReport) -> Option<bool> {
    let made: Timestamp = server.created_at.as_deref()?.parse().ok()?;
    Some(made > began(audit)?)
}

fn began(audit: &AuditReport) -> Option<Timestamp> {
    audit.run.started_at.parse().ok()
}

fn by_id(report: &AuditReport) -> BTreeMap<String, &ServerReport> {
    report.servers.iter().map(|server| (server.server.id.to_lowercase(), server)).collect()
}

fn compare<'a>(
    diff: &mut Diff<'a>,
    old: &'a ServerReport,
    new: &'a ServerReport,
    differ: RulesDiffer,
    comparable: impl Fn(ControlId) -> bool,
) {
    let lost = lost_zone(old, new);
    for after in new.findings.iter().filter(|finding| comparable(finding.control)) {
        let before = old.findings.iter().find(|finding| finding.control == after.control);
        match difference(before, after) {
            Some(_) if before.is_some_and(|before| differ.explains(before, after)) => {
                diff.not_compared.push(after.control);
            }
            Some(Difference::Fixed) if lost.is_some() && is_of_the_wire(after.control) => diff.changes.push(Change {
                difference: Difference::NotVisible,
                server: &new.server,
                before,
                after: Some(after),
                why: lost.map(NotLooked::Zone),
                who: None,
            }),
            Some(difference) => {
                diff.changes.push(Change {
                    difference,
                    server: &new.server,
                    before,
                    after: Some(after),
                    why: None,
                    who: None,
                });
            }
            None => diff.unchanged += 1,
        }
    }
}

/// A zone that saw the server for the earlier audit and not for the later one. What failed there may still fail.
fn lost_zone<'a>(old: &'a ServerReport, new: &ServerReport) -> Option<&'a str> {
    let zone = |one: &'a WireObservation| Some(&*one.vantage.as_ref()?.zone);
    let seen_from = |zone: &str| {
        let is_known = |one: &&WireObservation| matches!(one.listener, Reading::Known(_));
        new.wire.iter().filter(is_known).filter_map(|one| one.vantage.as_ref()).any(|from| *from.zone == *zone)
    };
    let known = old.wire.iter().filter(|one| matches!(one.listener, Reading::Known(_)));
    known.filter_map(zone).find(|zone| !seen_from(zone))
}

fn is_of_the_wire(id: ControlId) -> bool {
    crate::controls::control(id).is_of_the_wire()
}

fn add<'a>(diff: &mut Diff<'a>, new: &'a ServerReport, comparable: impl Fn(ControlId) -> bool) {
    let change =
        |difference, after| Change { difference, server: &new.server, before: None, after, why: None, who: None };
    let known = diff.changes.len();
    for finding in new.findings.iter().filter(|finding| comparable(finding.control)) {
        if let Some(difference) = difference(None, finding) {
            diff.changes.push(change(difference, Some(finding)));
        }
    }
    if diff.changes.len() == known {
        diff.changes.push(change(Difference::Added, None));
    }
}

/// How a finding differs from the one before, if it does.
fn difference(before: Option<&Finding>, after: &Finding) -> Option<Difference> {
    let was = before.map_or(Outcome::NotApplicable, |finding| finding.outcome);
    match (was, after.outcome) {
        (Outcome::Fail, Outcome::Fail) => {
            let before = before?;
            let same = match after.control {
                ControlId::CertificateExpiry => {
                    before.expected == after.expected && failing_listeners(before) == failing_listeners(after)
                }
                _ => before.observed == after.observed,
            };
            (!same).then_some(Difference::Changed)
        }
        (_, Outcome::Fail) => Some(Difference::New),
        (Outcome::Unknown, Outcome::Unknown) => None,
        (_, Outcome::Unknown) => Some(Difference::NotVisible),
        (Outcome::Fail, _) => Some(Difference::Fixed),
        (Outcome::Unknown, _) => Some(Difference::Visible),
        (Outcome::Pass | Outcome::NotApplicable, Outcome::Pass | Outcome::NotApplicable) => None,
    }
}

/// The listeners of which a certificate expires soon, without the days that are left: those differ with every day.
fn failing_listeners(finding: &Finding) -> BTreeSet<&str> {
    let observed = finding.observed.as_deref().unwrap_or_default();
    observed.split("; ").filter_map(|one| Some(one.split_once(": ")?.0)).collect()
}

/// In what the rules of two audits differ.
#[derive(Debug, Clone, Copy)]
struct RulesDiffer {
    profile: bool,
    /// The days that a certificate must last.
    expiry_days: bool,
}

impl RulesDiffer {
    /// Whether the rules can be the reason that a finding ends otherwise: the server has the same value. Parity is about the
    /// values of another server. What is observed of an expiry differs with every day, so its days alone are enough.
    fn explains(self, before: &Finding, after: &Finding) -> bool {
        let judged = |finding: &Finding| matches!(finding.outcome, Outcome::Pass | Outcome::Fail);
        let same = before.observed.is_some() && before.observed == after.observed;
        let explained = match after.control {
            ControlId::ReplicaParity => false,
            ControlId::CertificateExpiry if self.expiry_days => true,
            _ => same && (self.profile || self.expiry_days),
        };
        explained && judged(before) && judged(after)
    }
}

/// What a newer version of hostssl kept of a server that this one does not know: a control may be among it that fails.
fn not_understood<'a>(new: &'a ServerReport, after: &'a AuditReport) -> Option<Change<'a>> {
    let id = new.server.id.to_lowercase();
    let is_of_it = |gap: &GapScope| matches!(gap, GapScope::Server(of) if of.to_lowercase() == id);
    let gap = after.gaps.iter().find(|gap| gap.unchecked.is_of_newer && is_of_it(&gap.scope))?;
    let why = Some(NotLooked::Words(gap));
    Some(Change { difference: Difference::NotVisible, server: &new.server, before: None, after: None, why, who: None })
}

/// What can be said of a server that the later audit does not list; nothing where it was not asked for it.
fn missing<'a>(server: &'a Server, before: &AuditReport, after: &'a AuditReport) -> Option<Change<'a>> {
    let (difference, why) = match after.reach().unlisted(server, before.reach()) {
        NotListed::NotAsked => return None,
        NotListed::Hidden(Hidden::Gap(gap)) => (Difference::NotVisible, Some(NotLooked::Gap(gap))),
        NotListed::Hidden(Hidden::SubscriptionNotSeen) => {
            (Difference::NotVisible, Some(NotLooked::SubscriptionNotSeen))
        }
        NotListed::Gone => (Difference::Gone, None),
    };
    Some(Change { difference, server, before: None, after: None, why, who: None })
}
