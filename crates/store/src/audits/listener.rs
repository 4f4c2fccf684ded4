//! What is kept of the wire: what each listener did. Frozen like the other documents.
//!
//! The time of an observation is not kept, so that listeners that did the same in many audits are kept once; the
//! audit's own time stands for it. Nor are the days that were left of a certificate, which are another number every day:
//! they follow from its end and that time.

use super::unchecked::StoredUnchecked;
use crate::StoreError;
use hostssl_model::{
    Acceptance, Reading, Unchecked, Vantage, WireCertificate, WireListener, WireObservation, WireTransport, WireVersion,
};
use serde::{Deserialize, Serialize};

/// One observation of one listener.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct StoredListener {
    /// The port.
    pub port: u16,
    /// The address, when one was found.
    pub address: Option<String>,
    /// The observed value.
    pub seen: Option<StoredListenerState>,
    /// Why nothing was.
    pub unchecked: Option<StoredUnchecked>,
    /// The zone where it was taken, with the time there, in milliseconds since 1970; nothing for a look from here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vantage: Option<StoredVantage>,
}

/// Where and when a look was taken that was not taken here.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct StoredVantage {
    /// The zone.
    pub zone: String,
    /// When, in milliseconds since 1970.
    pub observed_ms: i64,
    /// The prober that took it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prober: Option<String>,
}

impl From<&Vantage> for StoredVantage {
    fn from(vantage: &Vantage) -> Self {
        let prober = vantage.prober.as_deref().map(str::to_owned);
        Self { zone: vantage.zone.to_string(), observed_ms: vantage.observed_ms, prober }
    }
}

impl From<&StoredVantage> for Vantage {
    fn from(stored: &StoredVantage) -> Self {
        let prober = stored.prober.as_deref().map(Into::into);
        Self { zone: stored.zone.as_str().into(), observed_ms: stored.observed_ms, prober }
    }
}

/// What one listener did.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct StoredListenerState {
    /// `enforced`, `optional`, `plaintext-only`, `broken-tls` or `inconclusive`.
    pub transport: String,
    /// Why that is said.
    pub why: String,
    /// The versions asked about, the oldest first, each with `accepted`, `refused` or `unknown`.
    pub versions: Vec<(String, String)>,
    /// The certificate, when one was seen.
    pub certificate: Option<StoredCertificate>,
}

/// What is kept of a certificate.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct StoredCertificate {
    /// Whether libpq's `verify-full` takes it.
    pub verify_full: Option<bool>,
    /// Why not.
    pub reason: Option<String>,
    /// The last second of its validity, in RFC 3339.
    pub not_after: Option<String>,
    /// The root in which its chain ends.
    pub root: Option<String>,
}

impl From<&WireObservation> for StoredListener {
    fn from(look: &WireObservation) -> Self {
        let address = look.address.as_deref().map(ToOwned::to_owned);
        let vantage = look.vantage.as_deref().map(StoredVantage::from);
        match &look.listener {
            Reading::Known(listener) => {
                Self { port: look.port, address, seen: Some(listener.into()), unchecked: None, vantage }
            }
            Reading::Unknown(unchecked) => {
                Self { port: look.port, address, seen: None, unchecked: Some(unchecked.into()), vantage }
            }
        }
    }
}

impl From<&WireListener> for StoredListenerState {
    fn from(listener: &WireListener) -> Self {
        let acceptance = |seen| match seen {
            Acceptance::Accepted => "accepted",
            Acceptance::Refused => "refused",
            Acceptance::Unknown => "unknown",
        };
        let versions = listener.versions.iter();
        Self {
            transport: listener.transport.as_str().to_owned(),
            why: listener.why.to_string(),
            versions: versions.map(|(version, seen)| (version.to_string(), acceptance(*seen).to_owned())).collect(),
            certificate: listener.certificate.as_ref().map(StoredCertificate::from),
        }
    }
}

impl From<&WireCertificate> for StoredCertificate {
    fn from(certificate: &WireCertificate) -> Self {
        let owned = |text: &Option<std::sync::Arc<str>>| text.as_deref().map(ToOwned::to_owned);
        Self {
            verify_full: certificate.verify_full,
            reason: owned(&certificate.reason),
            not_after: owned(&certificate.not_after),
            root: owned(&certificate.root),
        }
    }
}

impl StoredListener {
    /// The model's form, as it was seen at `observed_at`.
    pub(crate) fn observation(&self, observed_at: &str) -> Result<WireObservation, StoreError> {
        let listener = match (&self.seen, &self.unchecked) {
            // However old a look is, its certificate is as old as it is at the audit.
            (Some(seen), _) => seen.listener(Some(observed_at)),
            (None, Some(unchecked)) => Reading::Unknown(unchecked.to_unchecked()),
            (None, None) => {
                return Err(StoreError::Corrupt("a stored observation of a listener cannot be read".to_owned()));
            }
        };
        let taken = self.vantage.as_ref().map(|one| one.observed_ms.div_euclid(1000));
        let taken = taken.and_then(|second| jiff::Timestamp::from_second(second).ok()).map(|time| time.to_string());
        let observed_at = taken.as_deref().unwrap_or(observed_at);
        let address = self.address.as_deref().map(Into::into);
        let vantage = self.vantage.as_ref().map(|one| Box::new(one.into()));
        Ok(WireObservation { port: self.port, address, observed_at: observed_at.into(), listener, vantage })
    }
}

impl StoredListenerState {
    /// The model's form, as it was seen at `observed_at`, in RFC 3339: without it, the days that a certificate has left are not
    /// known. A verdict that this version does not know is none, and what it does not know of versions is left out.
    #[must_use]
    pub fn listener(&self, observed_at: Option<&str>) -> Reading<WireListener> {
        let Some(transport) = WireTransport::from_code(&self.transport) else {
            return Reading::Unknown(Unchecked::of_a_newer_version(&[format!("the verdict `{}`", self.transport)]));
        };
        let version = |(name, seen): &(String, String)| {
            let seen = match seen.as_str() {
                "accepted" => Acceptance::Accepted,
                "refused" => Acceptance::Refused,
                _ => Acceptance::Unknown,
            };
            Some((version(name)?, seen))
        };
        Reading::Known(WireListener {
            transport,
            why: self.why.as_str().into(),
            versions: self.versions.iter().filter_map(version).collect(),
            certificate: self.certificate.as_ref().map(|one| one.certificate(observed_at)),
        })
    }

    /// The versions that this version of hostssl does not know.
    pub(crate) fn unknown_versions(&self) -> impl Iterator<Item = &str> {
        self.versions.iter().map(|(name, _)| name.as_str()).filter(|name| version(name).is_none())
    }
}

fn version(name: &str) -> Option<WireVersion> {
    WireVersion::ALL.into_iter().find(|one| one.words() == name)
}

impl StoredCertificate {
    fn certificate(&self, observed_at: Option<&str>) -> WireCertificate {
        WireCertificate {
            verify_full: self.verify_full,
            reason: self.reason.as_deref().map(Into::into),
            not_after: self.not_after.as_deref().map(Into::into),
            days_left: observed_at.zip(self.not_after.as_deref()).and_then(|(from, end)| days_between(from, end)),
            root: self.root.as_deref().map(Into::into),
        }
    }
}

/// Whole days from one time to another, both in RFC 3339; negative when the other is earlier.
fn days_between(from: &str, to: &str) -> Option<i64> {
    let second = |time: &str| time.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_second);
    Some(second(to)?.saturating_sub(second(from)?).div_euclid(86_400))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hostssl_model::Reason;

    #[test]
    fn words_of_a_newer_version_prove_nothing_and_damage_nothing() {
        let kept = |transport: &str| StoredListenerState {
            transport: transport.to_owned(),
            why: String::new(),
            versions: [("TLS 1.2", "refused"), ("TLS 1.4", "accepted"), ("TLS 1.3", "negotiated")]
                .map(|(version, seen)| (version.to_owned(), seen.to_owned()))
                .into(),
            certificate: None,
        };
        let Reading::Known(listener) = kept("enforced").listener(None) else { unreachable!("the verdict is known") };
        let seen: Vec<_> = listener.versions.iter().map(|(version, seen)| (version.words(), *seen)).collect();
        assert_eq!(seen, [("TLS 1.2", Acceptance::Refused), ("TLS 1.3", Acceptance::Unknown)]);
        assert_eq!(kept("enforced").unknown_versions().collect::<Vec<_>>(), ["TLS 1.4"]);
        let Reading::Unknown(unchecked) = kept("quantum").listener(None) else {
            unreachable!("the verdict is not known")
        };
        assert!(unchecked.detail.contains("`quantum`"), "{}", unchecked.detail);
    }

    #[test]
    fn what_is_kept_is_what_was_seen() {
        let listener = WireListener {
            transport: WireTransport::Optional,
            why: "it lets clients in without TLS".into(),
            versions: WireVersion::ALL
                .into_iter()
                .zip([Acceptance::Refused; 3].into_iter().chain([Acceptance::Accepted; 2]))
                .collect(),
            certificate: Some(WireCertificate {
                verify_full: Some(false),
                reason: Some("another name".into()),
                not_after: Some("2027-01-01T00:00:00Z".into()),
                days_left: Some(365),
                root: None,
            }),
        };
        let unchecked = Unchecked::new(Reason::Unreachable, "no answer");
        for listener in [Reading::Known(listener), Reading::Unknown(unchecked)] {
            let observed_at = "2026-01-01T00:00:00Z".into();
            let address = Some("192.0.2.1".into());
            let mut look = WireObservation { port: 6432, address, observed_at, listener, vantage: None };
            for vantage in [None, Some(None), Some(Some("p-1".into()))] {
                let vantage =
                    vantage.map(|prober| Vantage { zone: "hub".into(), observed_ms: 1_767_139_200_000, prober });

                if vantage.is_some() {
                    look.observed_at = "2025-12-31T00:00:00Z".into();
                }
                look.vantage = vantage.map(Box::new);
                let text = serde_json::to_string(&StoredListener::from(&look)).unwrap();
                assert!(!text.contains("days"), "they would be another document every day: {text}");
                let read: StoredListener = serde_json::from_str(&text).unwrap();
                assert_eq!(read.observation("2026-01-01T00:00:00Z").unwrap(), look);
            }
        }
    }
}
