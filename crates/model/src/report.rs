//! The result of an audit.

use crate::{
    ControlId, Enforcement, Finding, Floor, Gap, KnownStanding, Outcome, Overlay, Parameter, ParameterName, Posture,
    Reading, Scope, Server, Subscription, Vantage, WireObservation, Word, coded,
};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The identity that ran it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Principal {
    /// Its display name: a user principal name, or the application's id.
    pub name: String,
    /// The object id in the directory, where the token says it.
    pub object_id: Option<String>,
    /// The tenant that issued the token, where the token says it.
    pub tenant: Option<String>,
    /// The way of signing in that was chosen, such as `cli`.
    pub method: String,
}

/// One run of the audit.
#[derive(Debug, Clone)]
pub struct AuditRun {
    /// A UUID, ordered by time (version 7), or the key that it was given.
    pub id: String,
    /// When it began, in RFC 3339.
    pub started_at: String,
    /// When it ended, in RFC 3339.
    pub finished_at: String,
    /// The identities that ran it, one for each tenant.
    pub principals: Vec<Principal>,
    /// The cloud, under the Azure CLI's name, such as `AzureCloud`.
    pub cloud: String,
    /// Where it was asked to look.
    pub scope: Scope,
    /// Which rules judged, such as `baseline@1`.
    pub profile: String,
    /// What it was asked for otherwise than its profile and the usual way say.
    pub asked: AuditAsked,
    /// The version of hostssl.
    pub tool_version: String,
    /// Whether everything in scope was checked.
    pub complete: bool,
}

/// What an audit was asked for otherwise than its profile and the usual way say. A profile never changes, so that these and
/// its name are the rules. Of an audit that an older version kept, nothing is known, which is the same as nothing else.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditAsked {
    /// The only controls that it was asked for, in the order of reports; empty for all of the profile.
    pub only: Vec<Word<ControlId>>,
    /// The days that a certificate must last, if they are not the profile's.
    pub expiry_days: Option<u32>,
    /// Whether servers were listed by Resource Graph.
    pub by_graph: bool,
    /// Whether it knew which servers are probed from which zone.
    pub by_zones: bool,
}

impl AuditAsked {
    /// Whether some controls of the profile were left out. Such an audit says nothing of those.
    #[must_use]
    pub fn is_narrowed(&self) -> bool {
        !self.only.is_empty()
    }

    /// Whether it was asked whether clients must use TLS.
    #[must_use]
    pub fn asks_enforcement(&self) -> bool {
        !self.is_narrowed() || self.only.iter().any(|control| control.known() == Some(Enforcement::CONTROL))
    }

    /// The ids of the only controls, separated by commas; empty for all.
    #[must_use]
    pub fn only_words(&self) -> String {
        self.only.iter().map(Word::as_str).collect::<Vec<_>>().join(", ")
    }

    /// The rules in words: the profile, and what was asked for otherwise.
    #[must_use]
    pub fn rules(&self, profile: &str) -> String {
        let mut words = profile.to_owned();
        if self.is_narrowed() {
            words += &format!(", only {}", self.only_words());
        }
        if let Some(days) = self.expiry_days {
            words += &format!(", certificates for {days} days");
        }
        if self.by_graph {
            words += ", listed by Resource Graph";
        }
        words
    }
}

/// How many servers ended how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Servers in all.
    pub servers: u64,
    /// Servers without a failed or unknown control.
    pub pass: u64,
    /// Servers with a failed control.
    pub fail: u64,
    /// Servers with an unknown control and no failed one.
    pub unknown: u64,
}

impl Summary {
    /// Counts one more server.
    pub fn count(&mut self, outcome: Outcome) {
        self.servers += 1;
        match outcome {
            Outcome::Fail => self.fail += 1,
            Outcome::Unknown => self.unknown += 1,
            Outcome::Pass | Outcome::NotApplicable => self.pass += 1,
        }
    }
}

coded! {
    /// Whether a server enforces encryption in transit, in the words of the portal and the Azure CLI for both
    /// generations.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum SslEnforcement {
        /// Clients must use TLS.
        Enabled = "Enabled",
        /// Clients may connect in plaintext.
        Disabled = "Disabled",
        /// It could not be read.
        Unknown = "Unknown",
    }
}

/// One server and everything that was found on it.
#[derive(Debug, Clone)]
pub struct ServerReport {
    /// The server.
    pub server: Server,
    /// Whether it enforces encryption in transit.
    pub ssl_enforcement: SslEnforcement,
    /// The lowest protocol version that it accepts, as declared; `None` when that could not be read.
    pub minimal_tls_version: Option<Floor>,
    /// Its worst control.
    pub outcome: Outcome,
    /// What each control found.
    pub findings: Vec<Finding>,
    /// What was observed on the wire. Empty when nothing was probed.
    pub wire: Vec<WireObservation>,
    /// What was read, or why it was not: the facts that the findings rest on.
    pub readings: Vec<(ParameterName, Reading<Parameter>)>,
    /// Of a replica: what was observed of its primary.
    pub primary: Option<Box<Reading<Posture>>>,
    /// What is known of it beside what the audit saw, if that is more; `None` too where nothing is kept.
    pub known: Option<KnownStanding>,
}

impl ServerReport {
    /// The settings whose value waits for a restart: until then the server does what it did before.
    pub fn waiting(&self) -> impl Iterator<Item = ParameterName> {
        crate::posture::waiting(&self.readings)
    }

    /// Whether a probe before the audit saw it accept clients in plaintext although it is declared on, and nothing newer says
    /// otherwise.
    #[must_use]
    pub fn accepted_plaintext_earlier(&self) -> bool {
        self.known.is_some_and(|known| known.standing == crate::Standing::AcceptsPlaintext)
    }

    /// Whether the switch waits for a restart.
    #[must_use]
    pub fn switch_waits(&self) -> bool {
        self.waiting().any(ParameterName::is_switch)
    }

    /// Whether the lowest TLS version waits for a restart.
    #[must_use]
    pub fn floor_waits(&self) -> bool {
        self.waiting().any(ParameterName::is_floor)
    }

    /// The zones that its listeners were seen from, each once, in their order.
    #[must_use]
    pub fn zones(&self) -> Vec<&str> {
        let mut zones: Vec<&str> = self.zoned().map(|(_, vantage)| &*vantage.zone).collect();
        zones.sort_unstable();
        zones.dedup();
        zones
    }

    /// When the oldest of the looks from there was taken, in RFC 3339.
    #[must_use]
    pub fn oldest_from_zones(&self) -> Option<&str> {
        self.zoned().min_by_key(|(_, vantage)| vantage.observed_ms).map(|(look, _)| &*look.observed_at)
    }

    fn zoned(&self) -> impl Iterator<Item = (&WireObservation, &Vantage)> {
        let seen = self.wire.iter().filter(|look| matches!(look.listener, Reading::Known(_)));
        seen.filter_map(|look| Some((look, look.vantage.as_deref()?)))
    }

    /// The facts without the judgement.
    #[must_use]
    pub fn posture(&self) -> Posture {
        Posture { server: self.server.clone(), readings: self.readings.clone(), wire: self.wire.clone() }
    }
}

/// What an audit ends with: the worst that holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuditEnd {
    /// Everything was seen, and everything passes.
    Pass,
    /// A control fails.
    Findings,
    /// Nothing that was seen fails, but not everything was seen, or an earlier probe saw worse.
    Incomplete,
}

impl AuditReport {
    /// What the audit ends with: what its gate says where it has one.
    #[must_use]
    pub fn end(&self) -> AuditEnd {
        if let Some(gate) = &self.overlay.gate {
            gate.end
        } else if self.summary.fail > 0 {
            AuditEnd::Findings
        } else if self.summary.unknown > 0 || !self.run.complete || self.knows_plaintext() {
            AuditEnd::Incomplete
        } else {
            AuditEnd::Pass
        }
    }

    /// Whether a probe before this audit saw a server accept clients in plaintext, and nothing newer says otherwise. That is no
    /// finding of this audit, and no pass either.
    #[must_use]
    pub fn knows_plaintext(&self) -> bool {
        self.earlier_plaintext().next().is_some()
    }

    /// Those servers, with all that the audit says of them.
    pub fn earlier_plaintext(&self) -> impl Iterator<Item = &ServerReport> {
        self.servers.iter().filter(|server| server.accepted_plaintext_earlier())
    }

    /// Whether such a server is all that keeps the audit from passing.
    #[must_use]
    pub fn ends_by_earlier_plaintext(&self) -> bool {
        let baseline = self.overlay.gate.as_ref().and_then(|gate| gate.baseline.as_ref());
        self.end() == AuditEnd::Incomplete
            && self.knows_plaintext()
            && self.run.complete
            && self.decisive().next().is_none()
            && baseline.is_none_or(|baseline| baseline.serves() && baseline.not_visible == 0)
    }

    /// The fingerprints of the failures that waivers covered: of a kept audit, when it was made.
    #[must_use]
    pub fn waived(&self) -> BTreeSet<String> {
        let of = |server: &ServerReport| {
            let waived = server.findings.iter().filter(|finding| finding.accepted().is_some());
            waived.map(|finding| finding.fingerprint(&server.server.id)).collect::<Vec<_>>()
        };
        self.servers.iter().flat_map(of).chain(self.overlay.waived_then.iter().flatten().cloned()).collect()
    }

    /// Of a kept audit: the failures that waivers cover in this report, and that none covered when the audit was made.
    #[must_use]
    pub fn waived_later(&self) -> Vec<(&Server, &Finding)> {
        let Some(then) = &self.overlay.waived_then else { return Vec::new() };
        let all = self.servers.iter().flat_map(|one| one.findings.iter().map(move |finding| (&one.server, finding)));
        let is_later = |(server, finding): &(&Server, &Finding)| {
            finding.accepted().is_some() && !then.contains(&finding.fingerprint(&server.id))
        };
        all.filter(is_later).collect()
    }

    /// The findings that decide what the audit ends with, each with its server.
    pub fn decisive(&self) -> Box<dyn Iterator<Item = (&Server, &Finding)> + '_> {
        if let Some(gate) = &self.overlay.gate {
            return Box::new(gate.decided_by.iter().filter_map(|place| {
                let server = self.servers.get(place.server)?;
                Some((&server.server, server.findings.get(place.finding)?))
            }));
        }
        let outcome = match self.end() {
            AuditEnd::Pass => None,
            AuditEnd::Findings => Some(Outcome::Fail),
            AuditEnd::Incomplete => Some(Outcome::Unknown),
        };
        let all = self.servers.iter().flat_map(|report| report.findings.iter().map(move |one| (&report.server, one)));
        Box::new(all.filter(move |(_, finding)| Some(finding.outcome) == outcome))
    }
}

/// What an audit found, and what it could not see.
#[derive(Debug, Clone)]
pub struct AuditReport {
    /// The run.
    pub run: AuditRun,
    /// The counts.
    pub summary: Summary,
    /// The subscriptions that were looked at, in the order of their names.
    pub subscriptions: Vec<Arc<Subscription>>,
    /// Every server in scope, in the order of the subscriptions and, within one, of the ids.
    pub servers: Vec<ServerReport>,
    /// What could not be checked.
    pub gaps: Vec<Gap>,
    /// What applies on top of the outcomes.
    pub overlay: Overlay,
}
