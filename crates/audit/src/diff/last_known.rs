//! What audits before the two that are compared found last: what an outage hid is neither new nor lost.

use super::{Change, Diff, Difference, by_id, compared, difference, made_after, missing};
use hostssl_model::{AuditReport, ControlId, Finding, Outcome, Server};
use std::collections::{BTreeMap, BTreeSet};

/// What earlier audits found last, wherever it could be checked, and the servers that they listed: after an outage, it tells a
/// failure that is new from one that is visible again, and a server that was deleted meanwhile from one that never was.
#[derive(Debug, Clone, Default)]
pub struct LastKnown {
    findings: BTreeMap<(String, ControlId), Finding>,
    servers: BTreeMap<String, Server>,
}

impl LastKnown {
    /// Remembers what a later audit found. What it could not check stays as it was. A server that is gone is forgotten: one
    /// that is made again under the same name is another one.
    pub fn learn(&mut self, report: &AuditReport) {
        let listed: BTreeSet<String> = report.servers.iter().map(|one| one.server.id.to_lowercase()).collect();
        let is_hidden = |server: &Server| report.reach().hidden(&server.id).is_some();
        self.servers.retain(|id, server| listed.contains(id) || is_hidden(server));
        self.findings.retain(|(id, _), _| self.servers.contains_key(id));
        for server in &report.servers {
            let id = server.server.id.to_lowercase();
            let known = server.findings.iter().filter(|finding| finding.outcome != Outcome::Unknown);
            self.findings.extend(known.map(|finding| ((id.clone(), finding.control), finding.clone())));
            self.servers.insert(id, server.server.clone());
        }
    }

    /// Whether a server failed a control in the same way when it was last checked.
    fn failed(&self, server: &Server, after: &Finding) -> bool {
        let known = self.findings.get(&(server.id.to_lowercase(), after.control));
        known.is_some_and(|known| known.outcome == Outcome::Fail && difference(Some(known), after).is_none())
    }

    /// Whether this very server was listed before, and not one that was made since under its name.
    fn has_listed(&self, server: &Server) -> bool {
        let is_another = |known: &Server| match (&known.created_at, &server.created_at) {
            (Some(known), Some(now)) => known != now,
            _ => false,
        };
        self.servers.get(&server.id.to_lowercase()).is_some_and(|known| !is_another(known))
    }

    /// The servers that neither audit lists, and that the later one would have listed.
    fn gone<'a>(&'a self, before: &'a AuditReport, after: &'a AuditReport) -> Vec<Change<'a>> {
        let (olds, news) = (by_id(before), by_id(after));
        let others = self.servers.iter().filter(|(id, _)| !olds.contains_key(*id) && !news.contains_key(*id));
        let missing = others.filter_map(|(_, server)| missing(server, before, after));
        missing.filter(|change| change.difference == Difference::Gone).collect()
    }
}

/// Compares two audits with what earlier ones found where the one before could not look: what fails as it did then is visible again,
/// and no new failure; a server that was listed then is visible again or gone.
#[must_use]
pub fn diff_knowing<'a>(before: &'a AuditReport, after: &'a AuditReport, known: &'a LastKnown) -> Diff<'a> {
    let mut diff = compared(before, after);
    for change in &mut diff.changes {
        let was_unseen = change.before.is_none_or(|before| before.outcome == Outcome::Unknown);
        // One that was made since is not the one that was known by this name.
        let is_another = change.before.is_none() && made_after(change.server, before) == Some(true);
        let is_known = match (change.difference, change.after) {
            (Difference::New, Some(after)) => known.failed(change.server, after) && known.has_listed(change.server),
            (Difference::Added, None) => known.has_listed(change.server),
            _ => false,
        };
        if was_unseen && !is_another && is_known {
            change.difference = Difference::Visible;
        }
    }
    let gone = if diff.apart.is_none() { known.gone(before, after) } else { Vec::new() };
    if !gone.is_empty() {
        diff.changes.extend(gone);
        diff.changes.sort_by_cached_key(|change| change.server.id.to_lowercase());
    }
    diff.sort();
    diff
}
