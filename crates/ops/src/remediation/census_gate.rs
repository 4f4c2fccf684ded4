//! What the kept census says of the clients that a plan concerns, and who has accepted that they may be refused.

use crate::selection::Selector;
use hostssl_audit::Profile;
use hostssl_census::{CensusReport, CensusVerdict, Client, KeptCensus, Millis, Requirements, Restriction, SessionTls};
use hostssl_model::{AuditReport, Floor, Outcome, ResourceId, Server, TlsVersion, selects};
use hostssl_remediation::{
    AcceptedBreakage, AffectedClient, ClientEncryption, ClientImpact, ClientVerdict, Consent, FixableControl, Goal,
    MAX_CLIENTS, Plan, SafeText, Step,
};
use hostssl_store::{AuditStore, StoreError, StoreReader, server_key};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// What is kept of servers, by which a plan is judged: censuses of their clients, and what earlier probes saw.
pub trait KeptEvidence: fmt::Debug + Send + Sync {
    /// What is stored of the clients of a server; `None` when they were not observed.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read.
    fn census(&self, server: &ResourceId) -> Result<Option<KeptCensus>, StoreError>;

    /// Says of each server of an audit where it stands by all that is kept; nothing where no audits are kept.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read.
    fn learn(&self, _audit: &mut AuditReport) -> Result<(), StoreError> {
        Ok(())
    }
}

impl KeptEvidence for StoreReader {
    fn census(&self, server: &ResourceId) -> Result<Option<KeptCensus>, StoreError> {
        Self::census(self, &server_key(server))
    }

    fn learn(&self, audit: &mut AuditReport) -> Result<(), StoreError> {
        Self::learn(self, audit)
    }
}

impl KeptEvidence for AuditStore {
    fn census(&self, server: &ResourceId) -> Result<Option<KeptCensus>, StoreError> {
        Self::census(self, &server_key(server))
    }

    fn learn(&self, audit: &mut AuditReport) -> Result<(), StoreError> {
        Self::learn(self, audit)
    }
}

/// A person's word that clients of some servers may be refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceptBreakage {
    /// The servers: a name, a pattern, or a tag as `NAME=VALUE`.
    pub selector: String,
    /// Why.
    pub reason: String,
    /// Who says so, where that is not who signed in.
    pub by: Option<String>,
}

/// What the census says of each control that the goal concerns, of each server that would be changed. `now` is in RFC
/// 3339.
pub(super) fn impacts(
    evidence: Option<&dyn KeptEvidence>,
    audit: &AuditReport,
    goal: &Goal,
    profile: &Profile,
    now: &str,
) -> BTreeMap<(ResourceId, FixableControl), ClientImpact> {
    let Some(evidence) = evidence else { return BTreeMap::new() };
    // Without a time, the age of the evidence is not known.
    let Some(now) = millis(now) else { return BTreeMap::new() };
    let window = Millis::from(profile.settings.observation_days) * 24 * 60 * 60 * 1_000;
    let requirements = Requirements { window, now: Some(now) };
    let mut impacts = BTreeMap::new();
    for report in &audit.servers {
        let concerns = |control: &FixableControl| match goal {
            Goal::Fix { .. } => report
                .findings
                .iter()
                .any(|finding| Some(finding.control) == control.id() && finding.outcome == Outcome::Fail),
            Goal::Set { .. } => true,
        };
        let controls: Vec<FixableControl> = goal.controls().into_iter().filter(concerns).collect();
        if controls.is_empty() {
            continue;
        }
        let server = &report.server.id;
        let kept = evidence.census(server);
        // What was seen before belongs to another server that had the name.
        let since = report.server.created_at.as_deref().and_then(millis);
        for control in controls {
            if let Some(impact) = impact(&kept, goal, control, requirements, since) {
                impacts.insert((server.clone(), control), impact);
            }
        }
    }
    impacts
}

/// How many clients the census has of each server with an impact. One whose census cannot be read is left out.
pub(super) fn client_counts(
    evidence: Option<&dyn KeptEvidence>,
    impacts: &BTreeMap<(ResourceId, FixableControl), ClientImpact>,
) -> BTreeMap<ResourceId, u64> {
    let Some(evidence) = evidence else { return BTreeMap::new() };
    let servers: BTreeSet<&ResourceId> = impacts.keys().map(|(server, _)| server).collect();
    let count = |server: &ResourceId| Some(evidence.census(server).ok()??.client_count());
    servers.into_iter().filter_map(|server| Some((server.clone(), count(server)?))).collect()
}

/// A server whose clients a plan would refuse although that was not accepted: the census has found them since the plan was
/// made, whenever they connected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientsSeen {
    /// The server.
    pub server: ResourceId,
    /// How many clients.
    pub clients: usize,
}

/// The servers of which the census has found clients since a plan was made that it would refuse. They may have connected before:
/// a log that was read since tells of last week. A plan that sets what it was told to is not held up by clients.
pub(super) fn seen_since(evidence: &dyn KeptEvidence, plan: &Plan) -> Vec<ClientsSeen> {
    let Some(made) = millis(plan.observed_at()).filter(|_| matches!(plan.goal(), Goal::Fix { .. })) else {
        return Vec::new();
    };
    let seen = |step: &Step| {
        let kept = evidence.census(&step.server).ok()??;
        let restriction = restriction(plan.goal(), step.control)?;
        // What the plan knew, it has weighed.
        if kept.looked_at() <= made {
            return None;
        }
        let report = kept.impact(restriction, Requirements::default(), step.created_at.as_deref().and_then(millis));
        let clients = report.clients.iter().filter(|client| client.tls != SessionTls::Unknown).count();
        (report.verdict == CensusVerdict::Breaks).then(|| ClientsSeen { server: step.server.clone(), clients })
    };
    plan.steps().iter().filter(|step| step.is_executable() && step.accepted.is_none()).filter_map(seen).collect()
}

/// A look at the clients that is not older than this would find nothing else now.
const FRESH: Millis = 24 * 60 * 60 * 1_000;

/// The number of servers that fail what hostssl can fix and of whose clients another look may tell more: too little is kept
/// to plan the fix, and no census was taken within a day. `now_ms` is in milliseconds since 1970-01-01T00:00:00Z.
#[must_use]
pub fn worth_observing(
    evidence: Option<&dyn KeptEvidence>,
    audit: &AuditReport,
    observation_days: u32,
    now_ms: i64,
) -> u64 {
    let window = Millis::from(observation_days) * 24 * 60 * 60 * 1_000;
    let requirements = Requirements { window, now: Some(now_ms) };
    let is_known = |server: &Server| {
        let Some(kept) = evidence.and_then(|evidence| evidence.census(&server.id).ok().flatten()) else { return false };
        let since = server.created_at.as_deref().and_then(millis);
        kept.looked_at() >= now_ms - FRESH || kept.judge(requirements, since).verdict != CensusVerdict::NeedsObservation
    };
    let fails = |finding: &hostssl_model::Finding| {
        finding.outcome == Outcome::Fail && FixableControl::of(finding.control).is_some()
    };
    let failing = audit.servers.iter().filter(|report| report.findings.iter().any(fails));
    failing.filter(|report| !is_known(&report.server)).count() as u64
}

/// Milliseconds since 1970 of a time in RFC 3339.
fn millis(time: &str) -> Option<Millis> {
    time.parse().ok().map(Timestamp::as_millisecond)
}

fn impact(
    kept: &Result<Option<KeptCensus>, StoreError>,
    goal: &Goal,
    control: FixableControl,
    requirements: Requirements,
    since: Option<Millis>,
) -> Option<ClientImpact> {
    let kept = match kept {
        Ok(kept) => kept.as_ref()?,
        // A census that cannot be read is none.
        Err(error) => {
            let reason = SafeText::new(&format!("the kept census could not be read: {error}"));
            return Some(ClientImpact { reason, ..ClientImpact::unobserved() });
        }
    };
    Some(impact_of(&kept.impact(restriction(goal, control)?, requirements, since)))
}

/// What a control makes servers refuse; `None` where it refuses no client.
fn restriction(goal: &Goal, control: FixableControl) -> Option<Restriction<'_>> {
    match control {
        FixableControl::RequireSecureTransport => Some(Restriction::RequireTls),
        FixableControl::MinimumTlsVersion => match goal {
            Goal::Fix { minimum_tls, .. } => Some(Restriction::MinimumTls(minimum_tls.as_postgresql())),
            Goal::Set { minimum_tls: Some(Floor::At(version)), .. } => {
                Some(Restriction::MinimumTls(version.as_postgresql()))
            }
            Goal::Set { .. } => None,
        },
        FixableControl::LogDownload => None,
    }
}

fn impact_of(report: &CensusReport) -> ClientImpact {
    ClientImpact {
        verdict: verdict_of(report.verdict),
        reason: SafeText::new(&report.reason),
        clients: report.clients.iter().take(MAX_CLIENTS).map(affected).collect(),
        more: u32::try_from(report.clients.len().saturating_sub(MAX_CLIENTS)).unwrap_or(u32::MAX),
    }
}

/// The planner's word for a verdict of the census.
pub(crate) fn verdict_of(verdict: CensusVerdict) -> ClientVerdict {
    match verdict {
        CensusVerdict::Safe => ClientVerdict::Safe,
        CensusVerdict::Breaks => ClientVerdict::Breaks,
        CensusVerdict::NeedsObservation => ClientVerdict::NeedsObservation,
    }
}

fn affected(client: &Client) -> AffectedClient {
    let text = |text: &Option<String>| text.as_deref().map(SafeText::new);
    let tls = match client.tls {
        SessionTls::Plaintext => ClientEncryption::Plaintext,
        SessionTls::Tls => {
            ClientEncryption::Tls(client.lowest_protocol.as_deref().and_then(TlsVersion::from_postgresql))
        }
        // A local client is never refused: one that is listed is not known to be one.
        SessionTls::Local | SessionTls::Unknown => ClientEncryption::Unknown,
    };
    let time = |at: Millis| Timestamp::from_millisecond(at).ok().map(|at| at.to_string());
    AffectedClient {
        user: text(&client.user),
        database: text(&client.database),
        application: text(&client.application),
        address: text(&client.address),
        tls,
        last_seen: client.last_seen.and_then(time),
    }
}

/// The servers whose clients may be refused, each with the first word that names it; or the first selector that matches
/// none.
pub(super) fn accepted(
    orders: &[AcceptBreakage],
    servers: &[&Server],
    principal: &str,
) -> Result<Vec<AcceptedBreakage>, (Selector, String)> {
    if let Some(order) = orders.iter().find(|order| !servers.iter().any(|server| selects(&order.selector, server))) {
        return Err((Selector::AcceptBreakage, order.selector.clone()));
    }
    let of = |server: &&Server| {
        let order = orders.iter().find(|order| selects(&order.selector, server))?;
        let by = order.by.as_deref().unwrap_or(principal);
        let acceptance = Consent { reason: SafeText::new(&order.reason), by: SafeText::new(by) };
        Some(AcceptedBreakage { server: server.id.clone(), acceptance })
    };
    Ok(servers.iter().filter_map(of).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hostssl_census::{Backend, Census, Interval, Sighting, Source, SourceKind};
    use hostssl_model::{AuditAsked, AuditRun, Scope, Summary, TlsVersion};
    use hostssl_test_support::fleet::{NOW, NOW_MS, PlannerKnowledge, fix, flexible};

    const DAY: Millis = 86_400_000;

    /// The same census of every server: one client with TLS in the eight days before [`NOW`].
    #[derive(Debug)]
    struct Eight;

    impl KeptEvidence for Eight {
        fn census(&self, _: &ResourceId) -> Result<Option<KeptCensus>, StoreError> {
            let mut census = Census::default();
            let source = census.add_source(Source::new(SourceKind::ArmLogFile, "log"));
            if let Some(source) = census.source_mut(source) {
                source.coverage.add(Interval { from: NOW_MS - 8 * DAY, to: NOW_MS });
            }
            census.add(source, sighting(SessionTls::Tls, NOW_MS));
            Ok(Some(census.keep(NOW_MS)))
        }
    }

    /// A census with one client in plaintext at this time, found at that.
    #[derive(Debug)]
    struct PlaintextAt(Millis, Millis);

    impl KeptEvidence for PlaintextAt {
        fn census(&self, _: &ResourceId) -> Result<Option<KeptCensus>, StoreError> {
            let mut census = Census::default();
            let source = census.add_source(Source::new(SourceKind::ArmLogFile, "log"));
            census.add(source, sighting(SessionTls::Plaintext, self.0));
            Ok(Some(census.keep(self.1)))
        }
    }

    fn sighting(tls: SessionTls, at: Millis) -> Sighting {
        Sighting {
            user: Some("app".into()),
            database: Some("shop".into()),
            application: None,
            address: Some("10.0.0.4".into()),
            backend: Backend::Client,
            tls,
            protocol: (tls == SessionTls::Tls).then(|| "TLSv1.3".into()),
            cipher: None,
            at: Some(at),
            doubt: None,
        }
    }

    #[test]
    fn clients_that_were_seen_since_the_plan_hold_up_a_step_that_nobody_accepted() {
        let server = flexible("a", "off", "TLSv1.2");
        let id = server.server.id.clone();
        let mut known = PlannerKnowledge::new(vec![server]);
        known.accepts_breakage = false;
        let safe = ClientImpact { verdict: ClientVerdict::Safe, ..ClientImpact::unobserved() };
        known.clients.insert((id.clone(), FixableControl::RequireSecureTransport), safe);
        let plan = known.plan();
        assert_eq!(plan.steps().len(), 1);
        let seen = [ClientsSeen { server: id, clients: 1 }];
        assert_eq!(seen_since(&PlaintextAt(NOW_MS + 1, NOW_MS + 1), &plan), seen);
        let yesterday = NOW_MS - 24 * 60 * 60 * 1_000;
        assert_eq!(seen_since(&PlaintextAt(yesterday, NOW_MS + 1), &plan), seen, "a log tells of yesterday");
        assert_eq!(seen_since(&PlaintextAt(yesterday, NOW_MS - 1), &plan), [], "the plan knew of these");
        known.accepts_breakage = true;
        let breaks = ClientImpact { verdict: ClientVerdict::Breaks, ..ClientImpact::unobserved() };
        known.clients.insert((plan.steps()[0].server.clone(), FixableControl::RequireSecureTransport), breaks);
        assert_eq!(seen_since(&PlaintextAt(NOW_MS + 1, NOW_MS + 1), &known.plan()), []);
    }

    /// What is said of a server that Azure made then, when it is this time.
    fn verdicts(created_at: Option<&str>, now: &str) -> Vec<ClientVerdict> {
        let mut posture = flexible("a", "off", "TLSv1.2");
        posture.server.created_at = created_at.map(Into::into);
        let run = AuditRun {
            id: "run".into(),
            started_at: NOW.into(),
            finished_at: NOW.into(),
            principals: Vec::new(),
            cloud: "AzureCloud".into(),
            scope: Scope::default(),
            profile: "baseline@1".into(),
            asked: AuditAsked::default(),
            tool_version: "0".into(),
            complete: true,
        };
        let servers = PlannerKnowledge::new(vec![posture]).reports();
        let audit = AuditReport {
            run,
            summary: Summary::default(),
            subscriptions: Vec::new(),
            servers,
            gaps: Vec::new(),
            overlay: hostssl_model::Overlay::default(),
        };
        let profile = Profile::find("baseline").unwrap();
        let found = impacts(Some(&Eight), &audit, &fix(TlsVersion::Tls1_2), &profile, now);
        found.into_values().map(|impact| impact.verdict).collect()
    }

    #[test]
    fn only_evidence_of_this_server_and_of_now_makes_it_safe() {
        assert_eq!(verdicts(None, NOW), [ClientVerdict::Safe]);
        assert_eq!(verdicts(Some("2025-03-01T08:15:30.1234567Z"), NOW), [ClientVerdict::Safe]);
        // Someone deleted the server, and made another one of its name.
        assert_eq!(verdicts(Some("2025-12-29T00:00:00Z"), NOW), [ClientVerdict::NeedsObservation]);
        assert_eq!(verdicts(None, "2026-01-03T00:00:00Z"), [ClientVerdict::NeedsObservation]);
        assert_eq!(verdicts(None, "no time"), []);
    }
}
