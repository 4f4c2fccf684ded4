//! Versions of TLS, by the names that PostgreSQL and OpenSSL use.

use hostssl_probe::report::ProtocolVersion;
use serde::{Deserialize, Serialize};

/// A version, such as `TLSv1.3`.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(into = "&'static str", try_from = "String")]
pub(super) struct Version(ProtocolVersion);

impl From<ProtocolVersion> for Version {
    fn from(version: ProtocolVersion) -> Self {
        Self(version)
    }
}

impl From<Version> for ProtocolVersion {
    fn from(version: Version) -> Self {
        version.0
    }
}

impl From<Version> for &'static str {
    fn from(version: Version) -> Self {
        version.0.name()
    }
}

impl TryFrom<String> for Version {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        let known = ProtocolVersion::ALL.into_iter().find(|version| version.name() == name);
        known.map(Self).ok_or_else(|| format!("`{name}` is not a TLS version that hostssl knows"))
    }
}
