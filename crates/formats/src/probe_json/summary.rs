//! What a list shows of a kept endpoint. A newer program may have kept it: a verdict that this version does not know is
//! no verdict, and nothing else of the endpoint is lost with it.

use super::frozen_words::Verdict;
use hostssl_probe::report::WireVerdict;
use serde::{Deserialize, Deserializer};

/// An endpoint in a list.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct EndpointSummary {
    /// The target as it was given.
    pub target: String,
    /// The address that was connected to.
    pub address: Option<String>,
    /// What it does with encryption; `None` for a word that this version does not know.
    #[serde(deserialize_with = "known_verdict")]
    pub verdict: Option<WireVerdict>,
    /// Why that is the verdict.
    pub reason: String,
    /// The certificate, where one was sent.
    pub certificate: Option<CertificateSummary>,
}

/// A certificate in a list.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CertificateSummary {
    /// What `verify-full` says to it.
    pub verify_full: VerifyFullSummary,
    /// Until when it is valid, in RFC 3339.
    pub not_after: Option<String>,
}

/// What `verify-full` says to a certificate.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct VerifyFullSummary {
    /// Whether it accepts the certificate; `None` when that could not be judged.
    pub ok: Option<bool>,
    /// Why not, or what decided.
    pub reason: Option<String>,
}

/// Reads what a list shows of an endpoint that [`to_text`](super::to_text) wrote, in this version or a newer one.
///
/// # Errors
///
/// When the text is damaged.
pub fn read_summary(text: &str) -> Result<EndpointSummary, serde_json::Error> {
    serde_json::from_str(text)
}

fn known_verdict<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<WireVerdict>, D::Error> {
    let word = serde_json::Value::deserialize(deserializer)?;
    Ok(Verdict::deserialize(word).ok().map(Into::into))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(word: &str) -> Option<WireVerdict> {
        let text = format!(r#"{{"target": "db", "verdict": "{word}", "reason": "r", "later": 1}}"#);
        read_summary(&text).unwrap().verdict
    }

    #[test]
    fn every_verdict_is_known_and_a_new_one_is_none() {
        for known in WireVerdict::ALL {
            assert_eq!(verdict(known.as_str()), Some(known));
        }
        assert_eq!(verdict("of-a-later-version"), None);
    }
}
