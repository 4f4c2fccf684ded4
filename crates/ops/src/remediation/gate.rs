//! What the kept census says of the clients that a plan concerns, and who has accepted that they may be refused.

use crate::selection::Selector;
use hostssl_audit::Profile;
use hostssl_census::{CensusReport, Client, KeptCensus, Millis, Requirements, Restriction, Tls, Verdict};
use hostssl_model::{AuditReport, Floor, Outcome, ResourceId, Server, selects};
use hostssl_remediation::{
    AcceptedBreakage, AffectedClient, ClientImpact, ClientVerdict, Consent, FixableControl, Goal, MAX_CLIENTS, SafeText,
};
use hostssl_store::{AuditStore, StoreError, StoreReader, server_key};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::fmt;

/// Where the kept censuses are.
pub trait ClientEvidence: fmt::Debug + Send + Sync {
    /// What is kept of the clients of a server; `None` when nobody has looked.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the state cannot be read.
    fn census(&self, server: &ResourceId) -> Result<Option<KeptCensus>, StoreError>;
}

impl ClientEvidence for StoreReader {
    fn census(&self, server: &ResourceId) -> Result<Option<KeptCensus>, StoreError> {
        Self::census(self, &server_key(server))
    }
}

impl ClientEvidence for AuditStore {
    fn census(&self, server: &ResourceId) -> Result<Option<KeptCensus>, StoreError> {
        Self::census(self, &server_key(server))
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

/// What the census says of each control that the goal concerns, of each server that would be changed. `now` is in RFC 3339.
pub(super) fn impacts(
    evidence: Option<&dyn ClientEvidence>,
    audit: &AuditReport,
    goal: &Goal,
    profile: &Profile,
    now: &str,
) -> BTreeMap<(ResourceId, FixableControl), ClientImpact> {
    let Some(evidence) = evidence else { return BTreeMap::new() };
    let now = now.parse().ok().map(Timestamp::as_millisecond);
    let window = Millis::from(profile.settings.observation_days) * 24 * 60 * 60 * 1_000;
    let requirements = Requirements { window, now };
    let mut impacts = BTreeMap::new();
    for report in &audit.servers {
        let concerns = |control: &FixableControl| match goal {
            Goal::Fix { .. } => report
                .findings
                .iter()
                .any(|finding| finding.control == control.id() && finding.outcome == Outcome::Fail),
            Goal::Set { .. } => true,
        };
        let controls: Vec<FixableControl> = goal.controls().into_iter().filter(concerns).collect();
        if controls.is_empty() {
            continue;
        }
        let server = &report.server.id;
        let kept = evidence.census(server);
        for control in controls {
            if let Some(impact) = impact(&kept, goal, control, requirements) {
                impacts.insert((server.clone(), control), impact);
            }
        }
    }
    impacts
}

fn impact(
    kept: &Result<Option<KeptCensus>, StoreError>,
    goal: &Goal,
    control: FixableControl,
    requirements: Requirements,
) -> Option<ClientImpact> {
    let kept = match kept {
        Ok(kept) => kept.as_ref()?,
        // A census that cannot be read is none.
        Err(error) => {
            let reason = SafeText::new(&format!("the kept census could not be read: {error}"));
            return Some(ClientImpact { reason, ..ClientImpact::unobserved() });
        }
    };
    let restriction = match control {
        FixableControl::RequireSecureTransport => Restriction::RequireTls,
        FixableControl::MinimumTlsVersion => Restriction::MinimumTls(match goal {
            Goal::Fix { minimum_tls, .. } => minimum_tls.as_postgresql(),
            Goal::Set { minimum_tls: Some(Floor::At(version)), .. } => version.as_postgresql(),
            Goal::Set { .. } => return None,
        }),
    };
    Some(impact_of(&kept.impact(restriction, requirements)))
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
pub(crate) fn verdict_of(verdict: Verdict) -> ClientVerdict {
    match verdict {
        Verdict::Safe => ClientVerdict::Safe,
        Verdict::Breaks => ClientVerdict::Breaks,
        Verdict::NeedsObservation => ClientVerdict::NeedsObservation,
    }
}

fn affected(client: &Client) -> AffectedClient {
    let text = |text: &Option<String>| text.as_deref().map(SafeText::new);
    let tls = match client.tls {
        Tls::Tls => client.lowest_protocol.as_deref().unwrap_or(Tls::Tls.as_str()),
        tls => tls.as_str(),
    };
    let time = |at: Millis| Timestamp::from_millisecond(at).ok().map(|at| at.to_string());
    AffectedClient {
        user: text(&client.user),
        database: text(&client.database),
        application: text(&client.application),
        address: text(&client.address),
        tls: SafeText::new(tls),
        last_seen: client.last_seen.and_then(time),
    }
}

/// The servers whose clients may be refused, each with the first word that names it; or the first selector that matches none.
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
