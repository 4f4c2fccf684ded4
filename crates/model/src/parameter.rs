//! The settings that decide about encryption in transit, and about the logs that show who uses it, under the names that
//! Azure gives them.

use crate::{Meaning, same_value};
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
    /// Parameter `logfiles.download_enable` (flexible server): whether its log files can be downloaded.
    LogDownloadEnable,
    /// Parameter `logfiles.retention_days` (flexible server): how long they are kept.
    LogRetentionDays,
}

impl ParameterName {
    /// Every setting.
    pub const ALL: [Self; 8] = [
        Self::RequireSecureTransport,
        Self::SslMinProtocolVersion,
        Self::SslMaxProtocolVersion,
        Self::NodeSslMinProtocolVersion,
        Self::SslEnforcement,
        Self::MinimalTlsVersion,
        Self::LogDownloadEnable,
        Self::LogRetentionDays,
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

    /// Whether it is the switch that makes clients use TLS.
    #[must_use]
    pub fn is_switch(self) -> bool {
        matches!(self, Self::RequireSecureTransport | Self::SslEnforcement)
    }

    /// Whether it sets the lowest TLS version.
    #[must_use]
    pub fn is_floor(self) -> bool {
        matches!(self, Self::SslMinProtocolVersion | Self::NodeSslMinProtocolVersion | Self::MinimalTlsVersion)
    }

    /// Whether it is a member of the server's own document, so that a write of the server writes it.
    #[must_use]
    pub fn is_of_document(self) -> bool {
        matches!(self, Self::SslEnforcement | Self::MinimalTlsVersion)
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
            Self::LogDownloadEnable => "logfiles.download_enable",
            Self::LogRetentionDays => "logfiles.retention_days",
        }
    }
}

impl crate::Coded for ParameterName {
    fn code(self) -> &'static str {
        self.key()
    }

    fn of_code(code: &str) -> Option<Self> {
        Self::from_key(code)
    }
}

impl fmt::Display for ParameterName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whose value a setting has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Origin {
    /// The service's default, which the service may change: Azure's `system-default`.
    SystemDefault,
    /// It was set explicitly: Azure's `user-override`, and every other word of Azure's.
    UserOverride,
}

impl Origin {
    /// Azure's word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SystemDefault => "system-default",
            Self::UserOverride => "user-override",
        }
    }

    /// What Azure's word says.
    #[must_use]
    pub fn of_azure(word: &str) -> Self {
        let of_system = word.eq_ignore_ascii_case(Self::SystemDefault.as_str());
        if of_system { Self::SystemDefault } else { Self::UserOverride }
    }
}

/// What Azure declares for one setting of one server: the text, and what it means.
#[derive(Debug, Clone)]
pub struct Parameter {
    value: Box<str>,
    meaning: Option<Meaning>,
    /// Whether a change waits for a restart, so that the running server still does something else.
    pub pending_restart: bool,
    /// Whose value it is; a value whose origin Azure does not return counts as set explicitly.
    pub origin: Origin,
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
    /// A value of this setting that is in effect.
    #[must_use]
    pub fn in_effect(name: ParameterName, value: &str) -> Self {
        Self {
            value: value.into(),
            meaning: name.meaning(value),
            pending_restart: false,
            origin: Origin::UserOverride,
            excerpt: None,
        }
    }

    /// Equal to an explicit value, or to the service's default.
    #[must_use]
    pub fn of_origin(self, origin: Origin) -> Self {
        Self { origin, ..self }
    }

    /// The same, where a change waits for a restart or does not.
    #[must_use]
    pub fn waiting_for_restart(self, pending_restart: bool) -> Self {
        Self { pending_restart, ..self }
    }

    /// The same with the part of Azure's answer that says so.
    #[must_use]
    pub fn with_excerpt(self, excerpt: impl Into<Arc<str>>) -> Self {
        Self { excerpt: Some(excerpt.into()), ..self }
    }

    /// The value as Azure spelled it.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }

    /// What the value means; `None` when this program does not know it.
    #[must_use]
    pub fn meaning(&self) -> Option<Meaning> {
        self.meaning
    }

    /// Whether both values of one setting say the same, however they are spelled.
    #[must_use]
    pub fn says_the_same_as(&self, other: &Self) -> bool {
        match (self.meaning, other.meaning) {
            (Some(own), Some(other)) => own == other,
            _ => same_value(&self.value, &other.value),
        }
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

    #[test]
    fn values_are_compared_by_what_they_say() {
        let floor = |value| Parameter::in_effect(ParameterName::SslMinProtocolVersion, value);
        assert!(floor("TLSv1").says_the_same_as(&floor("tlsv1.0")));
        assert!(!floor("TLSv1.2").says_the_same_as(&floor("TLSv1.3")));
        // What has no meaning is compared as text.
        assert!(floor("TLSv9").says_the_same_as(&floor("tlsv9 ")));
        assert!(!floor("TLSv9").says_the_same_as(&floor("TLSv1.2")));
    }
}
