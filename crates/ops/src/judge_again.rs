//! Judges kept audits by other rules. Facts are kept apart from judgement, so that Azure is not asked again.

use hostssl_audit::{Profile, server_report};
use hostssl_model::{AuditAsked, AuditReport, Outcome, ServerReport, Summary};
use hostssl_store::{AuditEntry, AuditStore, ServerFilter, StoreError, server_key};

/// An audit judged by other rules, one server at a time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JudgedAgain {
    /// Servers by the worst of their controls, by those rules.
    pub summary: Summary,
    /// How many servers end differently than they did then.
    pub total: u64,
    /// The first of those, by name.
    pub differ: Vec<JudgedServer>,
}

/// A server that ends differently by other rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JudgedServer {
    /// Its name in addresses.
    pub key: String,
    /// Its name.
    pub name: String,
    /// Its worst control then.
    pub before: Outcome,
    /// Its worst control by the other rules.
    pub after: Outcome,
}

/// How many days before its end a certificate failed, by the rules of a kept audit. `None` for rules that this version does
/// not have.
#[must_use]
pub fn expiry_days(audit: &AuditEntry) -> Option<u32> {
    audit.asked.expiry_days.or_else(|| Some(Profile::find(&audit.profile).ok()?.settings.expiry_days))
}

/// The rules of this name; the newest ones for those of another version of hostssl.
#[must_use]
pub fn rules_of(name: &str) -> Profile {
    let newest = || Profile::all().into_iter().next();
    Profile::find_for(name, true).ok().or_else(newest).unwrap_or_else(|| unreachable!("there are profiles"))
}

/// The report of what an audit observed, judged by other rules. What they need and the audit did not read is unknown.
#[must_use]
pub fn judge_again(mut report: AuditReport, profile: &Profile) -> AuditReport {
    report.run.profile = profile.to_string();
    let AuditAsked { by_graph, by_zones, .. } = report.run.asked;
    report.run.asked = AuditAsked { by_graph, by_zones, ..profile.asked() };
    report.summary = Summary::default();
    for server in &mut report.servers {
        *server = judge_server(server, profile);
        report.summary.count(server.outcome);
    }
    report
}

fn judge_server(server: &ServerReport, profile: &Profile) -> ServerReport {
    let judged = server_report(&server.posture(), server.primary.as_deref(), profile);
    // Where a server stands is no matter of the rules, and what others saw of it still holds.
    ServerReport { known: server.known, ..judged }
}

impl JudgedAgain {
    /// Judges a kept audit by other rules, naming the first `count` servers that end differently. It holds one server at a
    /// time, however many there are.
    ///
    /// # Errors
    ///
    /// [`StoreError::Corrupt`] when what is kept is damaged.
    pub fn of(store: &AuditStore, audit: &AuditEntry, profile: &Profile, count: usize) -> Result<Self, StoreError> {
        let mut found = Self::default();
        let all = ServerFilter::default();
        let newer = store.each_server(audit, &all, &mut |server| found.add(&server, profile, count))?;
        // Nothing can be said of servers of a kind that this version does not know.
        (0..newer.servers).for_each(|_| found.summary.count(Outcome::Unknown));
        found.keep_first(count);
        Ok(found)
    }

    fn add(&mut self, server: &ServerReport, profile: &Profile, count: usize) {
        let (before, after) = (server.outcome, judge_server(server, profile).outcome);
        self.summary.count(after);
        if before == after {
            return;
        }
        self.total += 1;
        let (key, name) = (server_key(&server.server.id), server.server.name().to_owned());
        self.differ.push(JudgedServer { key, name, before, after });
        // The order of a report is by subscription. Sorting once in a while bounds what is held.
        if self.differ.len() >= count.saturating_mul(2).max(1000) {
            self.keep_first(count);
        }
    }

    fn keep_first(&mut self, count: usize) {
        self.differ.sort_by_cached_key(|one| (one.name.to_ascii_lowercase(), one.key.clone()));
        self.differ.truncate(count);
    }
}
