//! Explained messages as JSON: frozen.

use hostssl_explain as explain;
use serde::Serialize;
use serde_json::Value;

/// What a message means.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Explanation<'a> {
    cause: Cause,
    confidence: Confidence,
    meaning: &'a str,
    why: &'a str,
    advice: &'a str,
    matched: &'a str,
    red_herring: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Cause {
    TlsEnforced,
    AddressRule,
    PgHba,
    Password,
    Permission,
    TrustStore,
    HostName,
    WeakAlgorithm,
    Expired,
    ClientCertificate,
    NoTlsOnServer,
    NoCommonTls,
    Handshake,
    ClientSetup,
    Busy,
    SessionEnded,
    NoSuchRoleOrDatabase,
    Unreachable,
    Closed,
    Unknown,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Confidence {
    Low,
    Medium,
    High,
}

/// The explanations as one JSON value, in their order.
///
/// # Errors
///
/// None that an explanation can cause.
pub fn value(explanations: &[explain::Explanation]) -> Result<Value, serde_json::Error> {
    serde_json::to_value(explanations.iter().map(Explanation::from).collect::<Vec<_>>())
}

impl<'a> From<&'a explain::Explanation> for Explanation<'a> {
    fn from(from: &'a explain::Explanation) -> Self {
        Self {
            cause: from.cause.into(),
            confidence: from.confidence.into(),
            meaning: from.meaning,
            why: &from.why,
            advice: from.advice,
            matched: &from.matched,
            red_herring: from.red_herring,
        }
    }
}

impl From<explain::Cause> for Cause {
    fn from(from: explain::Cause) -> Self {
        match from {
            explain::Cause::TlsEnforced => Self::TlsEnforced,
            explain::Cause::AddressRule => Self::AddressRule,
            explain::Cause::PgHba => Self::PgHba,
            explain::Cause::Password => Self::Password,
            explain::Cause::Permission => Self::Permission,
            explain::Cause::TrustStore => Self::TrustStore,
            explain::Cause::HostName => Self::HostName,
            explain::Cause::WeakAlgorithm => Self::WeakAlgorithm,
            explain::Cause::Expired => Self::Expired,
            explain::Cause::ClientCertificate => Self::ClientCertificate,
            explain::Cause::NoTlsOnServer => Self::NoTlsOnServer,
            explain::Cause::NoCommonTls => Self::NoCommonTls,
            explain::Cause::Handshake => Self::Handshake,
            explain::Cause::ClientSetup => Self::ClientSetup,
            explain::Cause::Busy => Self::Busy,
            explain::Cause::SessionEnded => Self::SessionEnded,
            explain::Cause::NoSuchRoleOrDatabase => Self::NoSuchRoleOrDatabase,
            explain::Cause::Unreachable => Self::Unreachable,
            explain::Cause::Closed => Self::Closed,
            explain::Cause::Unknown => Self::Unknown,
        }
    }
}

impl From<explain::Certainty> for Confidence {
    fn from(from: explain::Certainty) -> Self {
        match from {
            explain::Certainty::Low => Self::Low,
            explain::Certainty::Medium => Self::Medium,
            explain::Certainty::High => Self::High,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// People read the words that programs read.
    #[test]
    fn words_are_those_of_the_text() {
        let refused =
            "FATAL: no pg_hba.conf entry for host \"203.0.113.9\", user \"app\", database \"shop\", no encryption";
        for text in [refused, "password authentication failed for user \"app\"", "nothing that is known"] {
            let explained = explain::explain(text);
            let value = value(std::slice::from_ref(&explained)).unwrap();
            assert_eq!(value[0]["cause"], explained.cause.as_str());
            assert_eq!(value[0]["confidence"], explained.confidence.as_str());
            assert_eq!(value[0]["redHerring"], explained.red_herring);
        }
    }
}
