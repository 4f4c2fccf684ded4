//! What is kept of an audit, as JSON. Frozen: members may be added, with a default for documents without them.
//!
//! These structs are apart from the model on purpose: the model may change, and what was kept must still be read.

use super::listener::StoredListener;
use super::types::ServerReason;
use super::unchecked::StoredUnchecked;
use crate::StoreError;
use hostssl_model as model;
use hostssl_model::{
    Coded as _, Confidence, ControlId, Enforcement, Finding, Floor, Outcome, Parameter, ParameterName, Posture,
    Reading, ResourceId, Severity, SslEnforcement, Unchecked, Word, hex,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// What was observed of a server.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ServerFacts {
    pub(crate) id: String,
    pub(crate) kind: String,
    pub(crate) location: String,
    pub(crate) state: Option<String>,
    pub(crate) fqdn: Option<String>,
    pub(crate) role: String,
    pub(crate) primary: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) readings: Vec<StoredReading>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) wire: Vec<StoredListener>,
    #[serde(default)]
    pub(crate) of_primary: Option<Box<OfPrimary>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) network: Option<Box<StoredNetwork>>,
}

/// From where the server can be reached, as Azure declared it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StoredNetwork {
    /// Whether it has an endpoint on the Internet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_access: Option<bool>,
    /// The id of the subnet that it is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subnet: Option<String>,
    /// The id of the private DNS zone that has its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dns_zone: Option<String>,
    /// The ids of the private endpoints that lead to it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub endpoints: Vec<String>,
}

impl StoredNetwork {
    /// Nothing where Azure did not say.
    fn of(network: &model::NetworkAccess) -> Option<Box<Self>> {
        (*network != model::NetworkAccess::default()).then(|| {
            Box::new(Self {
                public_access: network.public_access,
                subnet: network.subnet().map(ToOwned::to_owned),
                dns_zone: network.dns_zone().map(ToOwned::to_owned),
                endpoints: network.endpoints().iter().map(ToString::to_string).collect(),
            })
        })
    }

    fn network(&self) -> model::NetworkAccess {
        let private = model::PrivateNetwork {
            subnet: self.subnet.as_deref().map(Into::into),
            dns_zone: self.dns_zone.as_deref().map(Into::into),
            endpoints: self.endpoints.iter().map(|id| id.as_str().into()).collect(),
        };
        let private = (private != model::PrivateNetwork::default()).then(|| Box::new(private));
        model::NetworkAccess { public_access: self.public_access, private }
    }
}

/// What was observed of a replica's primary.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum OfPrimary {
    Seen(ServerFacts),
    Unseen(StoredUnchecked),
}

/// One look at one setting.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct StoredReading {
    /// The setting, under [`ParameterName::key`].
    pub setting: String,
    /// The value as Azure spelled it, when it was seen.
    pub value: Option<String>,
    /// Whether a change waits for a restart.
    #[serde(default)]
    pub pending_restart: bool,
    /// The part of Azure's answer that says so.
    pub excerpt: Option<String>,
    /// The SHA-256 of the excerpt, in hexadecimal.
    pub sha256: Option<String>,
    /// Why it could not be checked.
    pub unchecked: Option<StoredUnchecked>,
}

/// What the controls said about a server.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ServerJudgement {
    pub(crate) ssl_enforcement: String,
    pub(crate) minimal_tls_version: Option<String>,
    pub(crate) outcome: String,
    pub(crate) findings: Vec<StoredFinding>,
}

/// What one control said.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct StoredFinding {
    /// The id of the control.
    pub control: String,
    /// `pass`, `fail`, `unknown` or `not-applicable`.
    pub outcome: String,
    /// `high`, `medium` or `low`.
    pub severity: String,
    /// Whether the wire confirmed it.
    #[serde(default)]
    pub wire_confirmed: bool,
    /// The observed value.
    pub observed: Option<String>,
    /// What would pass.
    pub expected: Option<String>,
    /// Why it is unknown.
    pub unchecked: Option<StoredUnchecked>,
}

/// The run's own facts: who, where, when, by what.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RunDocument {
    pub(crate) started_at: String,
    pub(crate) finished_at: String,
    pub(crate) principals: Vec<StoredPrincipal>,
    pub(crate) tool_version: String,
    pub(crate) complete: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) by_zones: bool,
    /// The fingerprints of the failures that waivers covered.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) waived: BTreeSet<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StoredPrincipal {
    pub(crate) name: String,
    pub(crate) object_id: Option<String>,
    pub(crate) tenant: Option<String>,
    pub(crate) method: String,
}

/// The scope of an audit; equal texts are equal scopes.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StoredScope {
    pub(crate) tenants: Vec<String>,
    pub(crate) management_groups: Vec<String>,
    pub(crate) subscriptions: Vec<String>,
    pub(crate) resource_groups: Vec<String>,
    pub(crate) servers: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) tags: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) except: Vec<String>,
}

impl From<&model::Scope> for StoredScope {
    fn from(scope: &model::Scope) -> Self {
        Self {
            tenants: scope.tenants.clone(),
            management_groups: scope.management_groups.clone(),
            subscriptions: scope.subscriptions.clone(),
            resource_groups: scope.resource_groups.clone(),
            servers: scope.servers.clone(),
            tags: scope.tags.clone(),
            except: scope.except.clone(),
        }
    }
}

impl From<StoredScope> for model::Scope {
    fn from(scope: StoredScope) -> Self {
        Self {
            tenants: scope.tenants,
            management_groups: scope.management_groups,
            subscriptions: scope.subscriptions,
            resource_groups: scope.resource_groups,
            servers: scope.servers,
            tags: scope.tags,
            except: scope.except,
        }
    }
}

/// What was observed of a server, and of the primary that it has.
type ObservedServer = (Posture, Option<Reading<Posture>>);

impl ServerFacts {
    pub(crate) fn of(posture: &Posture, primary: Option<&Reading<Posture>>) -> Self {
        let server = &posture.server;
        Self {
            id: server.id.as_str().to_owned(),
            kind: server.kind.as_str().to_owned(),
            location: server.location.to_string(),
            state: server.state.as_ref().map(|state| state.as_str().to_owned()),
            fqdn: server.fqdn.as_deref().map(ToOwned::to_owned),
            role: server.role.as_str().to_owned(),
            primary: server.primary.as_ref().map(|id| id.as_str().to_owned()),
            tags: server.tags.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            readings: posture.readings.iter().map(|(name, reading)| StoredReading::of(*name, reading)).collect(),
            wire: posture.wire.iter().map(StoredListener::from).collect(),
            of_primary: primary.map(|reading| {
                Box::new(match reading {
                    Reading::Known(posture) => OfPrimary::Seen(Self::of(posture, None)),
                    Reading::Unknown(unchecked) => OfPrimary::Unseen(unchecked.into()),
                })
            }),
            network: StoredNetwork::of(&server.network),
        }
    }

    /// The server itself. `None` for one of a kind that this version does not know.
    pub(crate) fn server(&self) -> Result<Option<model::Server>, StoreError> {
        let id = |text: &str| ResourceId::try_from(text).map_err(|_| corrupt("an id"));
        let Some(kind) = model::Kind::from_code(&self.kind) else { return Ok(None) };
        Ok(Some(model::Server {
            id: id(&self.id)?,
            kind,
            location: self.location.as_str().into(),
            state: self.state.as_deref().map(model::ServerState::new),
            fqdn: self.fqdn.as_deref().map(Into::into),
            role: model::ReplicationRole::from_code(&self.role).unwrap_or(model::ReplicationRole::None),
            primary: self.primary.as_deref().map(id).transpose()?,
            tags: self.tags.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect(),
            // It is for probing, which a kept audit does no more.
            administrator: None,
            created_at: None,
            network: self.network.as_deref().map(StoredNetwork::network).unwrap_or_default(),
        }))
    }

    /// What was observed at `observed_at`, to be judged again, with what was observed of the primary. `None` for a server of
    /// a kind that this version does not know.
    pub(crate) fn posture(&self, observed_at: &str) -> Result<Option<ObservedServer>, StoreError> {
        let Some(server) = self.server()? else { return Ok(None) };
        let readings = self.readings.iter().filter_map(|one| one.reading().transpose()).collect::<Result<_, _>>()?;
        let primary = match self.of_primary.as_deref() {
            None => None,
            Some(OfPrimary::Seen(facts)) => Some(match facts.posture(observed_at)? {
                Some((posture, _)) => Reading::Known(posture),
                None => Reading::Unknown(Unchecked::of_a_newer_version(&[format!("the kind `{}`", facts.kind)])),
            }),
            Some(OfPrimary::Unseen(unchecked)) => Some(Reading::Unknown(unchecked.to_unchecked())),
        };
        let wire = self.wire.iter().map(|look| look.observation(observed_at)).collect::<Result<_, _>>()?;
        Ok(Some((Posture { server, readings, wire }, primary)))
    }
}

impl ServerFacts {
    /// The settings that wait for a restart, separated by commas.
    pub(crate) fn pending(&self) -> String {
        let waiting = self.readings.iter().filter(|one| one.pending_restart).map(|one| one.setting.as_str());
        waiting.collect::<Vec<_>>().join(",")
    }
}

impl StoredReading {
    fn of(name: ParameterName, reading: &Reading<Parameter>) -> Self {
        let setting = name.key().to_owned();
        match reading {
            Reading::Known(parameter) => Self {
                setting,
                value: Some(parameter.value().to_owned()),
                pending_restart: parameter.pending_restart,
                excerpt: parameter.excerpt.as_deref().map(ToOwned::to_owned),
                sha256: parameter.excerpt.as_deref().map(|excerpt| hex(&Sha256::digest(excerpt))),
                unchecked: None,
            },
            Reading::Unknown(unchecked) => Self {
                setting,
                value: None,
                pending_restart: false,
                excerpt: None,
                sha256: None,
                unchecked: Some(unchecked.into()),
            },
        }
    }

    /// The setting, as far as this version knows it.
    #[must_use]
    pub fn name(&self) -> Word<ParameterName> {
        Word::read(&self.setting)
    }

    /// The model's form; `None` for a setting that this version does not know.
    fn reading(&self) -> Result<Option<(ParameterName, Reading<Parameter>)>, StoreError> {
        let Some(name) = self.name().known() else { return Ok(None) };
        let reading = match (&self.value, &self.unchecked) {
            (Some(value), _) => {
                let parameter = Parameter::in_effect(name, value).waiting_for_restart(self.pending_restart);
                Reading::Known(match self.excerpt.as_deref() {
                    Some(excerpt) => parameter.with_excerpt(excerpt),
                    None => parameter,
                })
            }
            (None, Some(unchecked)) => Reading::Unknown(unchecked.to_unchecked()),
            (None, None) => return Err(corrupt("a reading")),
        };
        Ok(Some((name, reading)))
    }

    /// Whether the excerpt is the one that was hashed; `None` when there is none.
    #[must_use]
    pub fn excerpt_is_sound(&self) -> Option<bool> {
        let (excerpt, hash) = (self.excerpt.as_ref()?, self.sha256.as_ref()?);
        Some(hex(&Sha256::digest(excerpt)) == *hash)
    }
}

impl ServerJudgement {
    pub(crate) fn of(report: &model::ServerReport) -> Self {
        Self {
            ssl_enforcement: report.ssl_enforcement.as_str().to_owned(),
            minimal_tls_version: report.minimal_tls_version.map(|floor| floor.as_azure().to_owned()),
            outcome: report.outcome.as_str().to_owned(),
            findings: report.findings.iter().map(StoredFinding::of).collect(),
        }
    }

    pub(crate) fn ssl_enforcement(&self) -> SslEnforcement {
        SslEnforcement::from_code(&self.ssl_enforcement).unwrap_or(SslEnforcement::Unknown)
    }

    pub(crate) fn minimal_tls_version(&self) -> Option<Floor> {
        self.minimal_tls_version.as_deref().and_then(Floor::from_azure)
    }

    /// The code of why something about the server could not be checked, if anything: its own reason, of the control that
    /// matters most, or else of the first that says. What could not be read of its primary is another reason than the
    /// primary's.
    pub(crate) fn reason(&self) -> &str {
        let unchecked = || self.findings.iter().filter_map(|one| Some((one.control.as_str(), one.unchecked.as_ref()?)));
        let main = unchecked().find(|(control, _)| *control == Enforcement::CONTROL.as_str());
        let own = main.or_else(|| unchecked().find(|(control, _)| *control != COMPARES.as_str()));
        match own {
            Some((_, unchecked)) => &unchecked.reason,
            None => unchecked().next().map_or("", |_| ServerReason::OfPrimary.code()),
        }
    }
}

/// The one control that reads another server.
const COMPARES: ControlId = ControlId::ReplicaParity;

impl StoredFinding {
    fn of(finding: &Finding) -> Self {
        Self {
            control: finding.control.to_string(),
            outcome: finding.outcome.as_str().to_owned(),
            severity: finding.severity.as_str().to_owned(),
            wire_confirmed: finding.confidence == Confidence::WireConfirmed,
            observed: finding.observed.as_deref().map(ToOwned::to_owned),
            expected: finding.expected.as_deref().map(ToOwned::to_owned),
            unchecked: finding.unchecked.as_ref().map(Into::into),
        }
    }

    /// The outcome. A word of another version is unknown, and never a pass.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        outcome(&self.outcome)
    }

    /// The control, as far as this version knows it.
    #[must_use]
    pub fn control(&self) -> Word<ControlId> {
        Word::read(&self.control)
    }

    /// The model's form; `None` for a control that this version does not know.
    pub(crate) fn finding(&self) -> Option<Finding> {
        let control = self.control().known()?;
        let text = |text: &Option<String>| text.clone().map(Into::into);
        Some(Finding {
            control,
            outcome: self.outcome(),
            severity: Severity::from_code(&self.severity).unwrap_or(Severity::High),
            confidence: if self.wire_confirmed { Confidence::WireConfirmed } else { Confidence::Declared },
            observed: text(&self.observed),
            expected: text(&self.expected),
            unchecked: self.unchecked.as_ref().map(StoredUnchecked::to_unchecked),
            waiver: None,
        })
    }
}

/// The outcome of this name. A word of another version is unknown, and never a pass.
pub(crate) fn outcome(word: &str) -> Outcome {
    Outcome::from_code(word).unwrap_or(Outcome::Unknown)
}

/// Reads a document that was kept.
pub(crate) fn read<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::Corrupt(format!("a document of an audit: {error}")))
}

pub(crate) fn corrupt(what: &str) -> StoreError {
    StoreError::Corrupt(format!("{what} of an audit is not known"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_kept_and_documents_from_before_have_none() {
        let before = r#"{"id":"/subscriptions/s/resourceGroups/g/providers/Microsoft.DBforPostgreSQL/flexibleServers/a",
            "kind":"flexible","location":"westeurope","state":null,"fqdn":null,"role":"none","primary":null,"readings":[]}"#;
        let facts: ServerFacts = read(before).unwrap();
        let (mut posture, _) = facts.posture("2026-01-01T00:00:00Z").unwrap().unwrap();
        assert!(posture.server.tags.is_empty());
        assert_eq!(posture.server.network, model::NetworkAccess::default());
        posture.server.tags = [("environment", "staging")].into_iter().collect();
        let private = model::PrivateNetwork { subnet: Some("/v/subnets/db".into()), ..Default::default() };
        posture.server.network = model::NetworkAccess { public_access: Some(false), private: Some(Box::new(private)) };
        let text = serde_json::to_string(&ServerFacts::of(&posture, None)).unwrap();
        let (read_back, _) = read::<ServerFacts>(&text).unwrap().posture("2026-01-01T00:00:00Z").unwrap().unwrap();
        assert_eq!(read_back.server.tags, posture.server.tags);
        assert_eq!(read_back.server.network, posture.server.network);
    }
}
