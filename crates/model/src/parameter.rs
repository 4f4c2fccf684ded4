//! The settings that decide about encryption in transit, under the names that Azure gives them.

use std::fmt;
use std::sync::Arc;

/// A setting that hostssl reads. PostgreSQL parameters keep their own names; the two properties of a single server
/// keep theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ParameterName {
    /// Parameter `require_secure_transport` (flexible server, HorizonDB): the switch.
    RequireSecureTransport,
    /// Parameter `ssl_min_protocol_version`; of a Cosmos DB for PostgreSQL cluster, the coordinator's.
    SslMinProtocolVersion,
    /// Parameter `ssl_max_protocol_version` (flexible server).
    SslMaxProtocolVersion,
    /// Parameter `ssl_min_protocol_version` of the worker nodes of a Cosmos DB for PostgreSQL cluster.
    NodeSslMinProtocolVersion,
    /// Property `sslEnforcement` (single server): the switch.
    SslEnforcement,
    /// Property `minimalTlsVersion` (single server).
    MinimalTlsVersion,
}

impl ParameterName {
    /// Every setting.
    pub const ALL: [Self; 6] = [
        Self::RequireSecureTransport,
        Self::SslMinProtocolVersion,
        Self::SslMaxProtocolVersion,
        Self::NodeSslMinProtocolVersion,
        Self::SslEnforcement,
        Self::MinimalTlsVersion,
    ];

    /// A name that no other setting has: the one in plans and journals. It is Azure's name, except that the worker
    /// nodes' setting is `node.ssl_min_protocol_version`, because the coordinator's has the same name in Azure.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::NodeSslMinProtocolVersion => "node.ssl_min_protocol_version",
            other => other.as_str(),
        }
    }

    /// The setting with this [`key`](Self::key).
    #[must_use]
    pub fn from_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|name| name.key() == key)
    }

    /// The name as Azure spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RequireSecureTransport => "require_secure_transport",
            Self::SslMinProtocolVersion | Self::NodeSslMinProtocolVersion => "ssl_min_protocol_version",
            Self::SslMaxProtocolVersion => "ssl_max_protocol_version",
            Self::SslEnforcement => "sslEnforcement",
            Self::MinimalTlsVersion => "minimalTlsVersion",
        }
    }
}

impl fmt::Display for ParameterName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What Azure declares for one setting of one server.
#[derive(Debug, Clone)]
pub struct Parameter {
    /// The value as Azure spelled it. Compare without case: `on` and `ON` are one value.
    pub value: Box<str>,
    /// Whether a change waits for a restart, so that the running server still does something else.
    pub pending_restart: bool,
    /// The part of Azure's answer that says so, as JSON, kept as evidence; `None` where there is none.
    pub excerpt: Option<Arc<str>>,
}

/// Two are equal when they declare the same, whatever else Azure wrote beside it.
impl PartialEq for Parameter {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value && self.pending_restart == other.pending_restart
    }
}

impl Eq for Parameter {}

impl Parameter {
    /// A value that is in effect.
    #[must_use]
    pub fn in_effect(value: &str) -> Self {
        Self { value: value.into(), pending_restart: false, excerpt: None }
    }

    /// The same with the part of Azure's answer that says so.
    #[must_use]
    pub fn with_excerpt(self, excerpt: impl Into<Arc<str>>) -> Self {
        Self { excerpt: Some(excerpt.into()), ..self }
    }

    /// Whether the value is `text`, in any letter case.
    #[must_use]
    pub fn is(&self, text: &str) -> bool {
        self.value.trim().eq_ignore_ascii_case(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_names_one_setting() {
        for name in ParameterName::ALL {
            assert_eq!(ParameterName::from_key(name.key()), Some(name));
        }
        assert_eq!(ParameterName::from_key("ssl"), None);
    }
}
