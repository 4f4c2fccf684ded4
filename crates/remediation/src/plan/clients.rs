//! The clients of a step in the file form of a plan.

use super::InvalidPlan;
use super::text::{bad, safe_from};
use crate::{AffectedClient, ClientEncryption, ClientImpact, ClientVerdict, Consent, SafeText};
#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The census of a server's clients.
#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ClientsV1 {
    /// `safe`, `breaks` or `needs-observation`.
    verdict: String,
    /// Why, in one sentence.
    reason: String,
    /// The clients that would be refused, and those for which that is not known: the first 20.
    listed: Vec<ClientV1>,
    /// The number of clients that are not listed.
    more: u32,
}

#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ClientV1 {
    user: Option<String>,
    database: Option<String>,
    application: Option<String>,
    address: Option<String>,
    /// `plaintext`, `unknown`, `tls`, or a version of TLS.
    tls: String,
    /// RFC 3339.
    last_seen: Option<String>,
}

/// A person's acceptance that a step may refuse clients.
#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct AcceptanceV1 {
    /// Why.
    reason: String,
    /// Who said it.
    by: String,
}

impl ClientsV1 {
    pub(super) fn of(impact: &ClientImpact) -> Self {
        let text = |text: &Option<SafeText>| text.as_ref().map(ToString::to_string);
        let client = |client: &AffectedClient| ClientV1 {
            user: text(&client.user),
            database: text(&client.database),
            application: text(&client.application),
            address: text(&client.address),
            tls: client.tls.as_str().to_owned(),
            last_seen: client.last_seen.clone(),
        };
        Self {
            verdict: impact.verdict.as_str().to_owned(),
            reason: impact.reason.to_string(),
            listed: impact.clients.iter().map(client).collect(),
            more: impact.more,
        }
    }

    pub(super) fn read(self) -> Result<ClientImpact, InvalidPlan> {
        let verdict = ClientVerdict::ALL.into_iter().find(|verdict| verdict.as_str() == self.verdict);
        Ok(ClientImpact {
            verdict: verdict.ok_or_else(|| bad("clients", &self.verdict, "a verdict about clients"))?,
            reason: safe_from("clients", &self.reason)?,
            clients: self.listed.into_iter().map(ClientV1::read).collect::<Result<_, _>>()?,
            more: self.more,
        })
    }
}

impl ClientV1 {
    fn read(self) -> Result<AffectedClient, InvalidPlan> {
        let text = |text: Option<String>| text.as_deref().map(|text| safe_from("clients", text)).transpose();
        if let Some(time) = self.last_seen.as_deref().filter(|time| super::unix_ms(time).is_none()) {
            return Err(bad("clients", time, "a time in RFC 3339"));
        }
        Ok(AffectedClient {
            user: text(self.user)?,
            database: text(self.database)?,
            application: text(self.application)?,
            address: text(self.address)?,
            tls: ClientEncryption::named(&self.tls)
                .ok_or_else(|| bad("clients", &self.tls, "how a client connects, such as plaintext or TLSv1.2"))?,
            last_seen: self.last_seen,
        })
    }
}

impl AcceptanceV1 {
    pub(super) fn of(acceptance: &Consent) -> Self {
        Self { reason: acceptance.reason.to_string(), by: acceptance.by.to_string() }
    }

    pub(super) fn read(self) -> Result<Consent, InvalidPlan> {
        Ok(Consent { reason: safe_from("accepted", &self.reason)?, by: safe_from("accepted", &self.by)? })
    }
}
