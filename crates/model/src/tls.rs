//! Protocol versions of SSL and TLS, in the spellings that PostgreSQL and Azure use.

use std::fmt;

/// A protocol version, ordered from the oldest to the newest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TlsVersion {
    /// TLS 1.0 (RFC 2246), deprecated by RFC 8996.
    Tls1_0,
    /// TLS 1.1 (RFC 4346), deprecated by RFC 8996.
    Tls1_1,
    /// TLS 1.2 (RFC 5246).
    Tls1_2,
    /// TLS 1.3 (RFC 8446).
    Tls1_3,
}

impl TlsVersion {
    /// Every version, the oldest first.
    pub const ALL: [Self; 4] = [Self::Tls1_0, Self::Tls1_1, Self::Tls1_2, Self::Tls1_3];

    /// Reads the spelling of PostgreSQL's `ssl_min_protocol_version` (`TLSv1`, `TLSv1.1`, …), in any letter case:
    /// Azure's own policies write `TLSV1.2`. `None` for anything else, the empty string included.
    #[must_use]
    pub fn from_postgresql(text: &str) -> Option<Self> {
        match text.trim().to_ascii_lowercase().as_str() {
            "tlsv1" | "tlsv1.0" => Some(Self::Tls1_0),
            "tlsv1.1" => Some(Self::Tls1_1),
            "tlsv1.2" => Some(Self::Tls1_2),
            "tlsv1.3" => Some(Self::Tls1_3),
            _ => None,
        }
    }

    /// Reads the spelling of a single server's `minimalTlsVersion` (`TLS1_0`, …), in any letter case. `None` for
    /// anything else, `TLSEnforcementDisabled` included.
    #[must_use]
    pub fn from_azure(text: &str) -> Option<Self> {
        match text.trim().to_ascii_lowercase().as_str() {
            "tls1_0" => Some(Self::Tls1_0),
            "tls1_1" => Some(Self::Tls1_1),
            "tls1_2" => Some(Self::Tls1_2),
            "tls1_3" => Some(Self::Tls1_3),
            _ => None,
        }
    }

    /// The spelling of a single server's `minimalTlsVersion`: `TLS1_2`.
    #[must_use]
    pub const fn as_azure(self) -> &'static str {
        match self {
            Self::Tls1_0 => "TLS1_0",
            Self::Tls1_1 => "TLS1_1",
            Self::Tls1_2 => "TLS1_2",
            Self::Tls1_3 => "TLS1_3",
        }
    }

    /// The spelling of PostgreSQL's `ssl_min_protocol_version`: `TLSv1.2`.
    #[must_use]
    pub const fn as_postgresql(self) -> &'static str {
        match self {
            Self::Tls1_0 => "TLSv1",
            Self::Tls1_1 => "TLSv1.1",
            Self::Tls1_2 => "TLSv1.2",
            Self::Tls1_3 => "TLSv1.3",
        }
    }
}

impl TlsVersion {
    /// Human-readable: `TLS 1.2`.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Tls1_0 => "TLS 1.0",
            Self::Tls1_1 => "TLS 1.1",
            Self::Tls1_2 => "TLS 1.2",
            Self::Tls1_3 => "TLS 1.3",
        }
    }
}

impl fmt::Display for TlsVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_is_read_back_in_any_case() {
        for version in [TlsVersion::Tls1_0, TlsVersion::Tls1_1, TlsVersion::Tls1_2, TlsVersion::Tls1_3] {
            assert_eq!(TlsVersion::from_azure(&version.as_azure().to_lowercase()), Some(version));
            assert_eq!(TlsVersion::from_postgresql(&version.as_postgresql().to_uppercase()), Some(version));
        }
    }

    #[test]
    fn what_names_no_version_is_none() {
        assert_eq!(TlsVersion::from_postgresql(""), None);
        assert_eq!(TlsVersion::from_postgresql("1.2"), None);
    }
}
