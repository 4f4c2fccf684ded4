//! What the values of the settings mean, and how each kind of server spells them.

use crate::{FixableControl, Floor};
use hostssl_model::ParameterName::{
    MinimalTlsVersion, NodeSslMinProtocolVersion, RequireSecureTransport, SslEnforcement, SslMaxProtocolVersion,
    SslMinProtocolVersion,
};
use hostssl_model::{Kind, ParameterName, TlsVersion};

/// A single server's word for "no floor" (REST API `Microsoft.DBforPostgreSQL/servers`, 2017-12-01).
const NO_FLOOR: &str = "TLSEnforcementDisabled";

/// What a value says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// Whether clients must use TLS.
    Enforced(bool),
    /// The lowest protocol version.
    Floor(Floor),
}

impl Meaning {
    /// How strict it is; a greater number refuses more clients. Only comparable within one setting.
    pub(crate) fn strictness(self) -> u8 {
        match self {
            Self::Enforced(on) => u8::from(on),
            Self::Floor(Floor::None) => 0,
            Self::Floor(Floor::At(version)) => match version {
                TlsVersion::Tls1_0 => 1,
                TlsVersion::Tls1_1 => 2,
                TlsVersion::Tls1_2 => 3,
                TlsVersion::Tls1_3 => 4,
            },
        }
    }
}

/// Whether two spellings are one value. Azure answers `on` to a client that wrote `ON`.
pub(crate) fn same_value(left: &str, right: &str) -> bool {
    left.trim().eq_ignore_ascii_case(right.trim())
}

/// The settings of a kind of server that decide a control, in the order in which they are changed.
pub(crate) fn settings_of(control: FixableControl, kind: Kind) -> &'static [ParameterName] {
    match (control, kind) {
        (FixableControl::RequireSecureTransport, Kind::Flexible | Kind::ElasticCluster | Kind::Horizon) => {
            &[RequireSecureTransport]
        }
        (FixableControl::RequireSecureTransport, Kind::Single) => &[SslEnforcement],
        // TLS cannot be turned off there.
        (FixableControl::RequireSecureTransport, Kind::CosmosCluster) => &[],
        (FixableControl::MinimumTlsVersion, Kind::Flexible | Kind::ElasticCluster | Kind::Horizon) => {
            &[SslMinProtocolVersion]
        }
        (FixableControl::MinimumTlsVersion, Kind::Single) => &[MinimalTlsVersion],
        (FixableControl::MinimumTlsVersion, Kind::CosmosCluster) => &[SslMinProtocolVersion, NodeSslMinProtocolVersion],
    }
}

/// What a value says, or `None` when it says nothing that this program knows.
pub(crate) fn meaning(name: ParameterName, value: &str) -> Option<Meaning> {
    match name {
        RequireSecureTransport => switch(value, "on", "off"),
        SslEnforcement => switch(value, "Enabled", "Disabled"),
        SslMinProtocolVersion | NodeSslMinProtocolVersion => {
            TlsVersion::from_postgresql(value).map(|version| Meaning::Floor(Floor::At(version)))
        }
        MinimalTlsVersion if same_value(value, NO_FLOOR) => Some(Meaning::Floor(Floor::None)),
        MinimalTlsVersion => TlsVersion::from_azure(value).map(|version| Meaning::Floor(Floor::At(version))),
        SslMaxProtocolVersion => None,
    }
}

fn switch(value: &str, on: &str, off: &str) -> Option<Meaning> {
    if same_value(value, on) {
        Some(Meaning::Enforced(true))
    } else if same_value(value, off) {
        Some(Meaning::Enforced(false))
    } else {
        None
    }
}

/// How a setting of a kind of server spells a meaning, or `None` when Azure does not offer it there.
///
/// Flexible servers offer TLS 1.2 and 1.3 (`allowedValues` of `ssl_min_protocol_version`), single servers at most TLS
/// 1.2 (`minimalTlsVersion`). For Cosmos DB for PostgreSQL the same two as for flexible servers are assumed.
pub(crate) fn spelling(name: ParameterName, meaning: Meaning) -> Option<&'static str> {
    match (name, meaning) {
        (RequireSecureTransport, Meaning::Enforced(on)) => Some(if on { "on" } else { "off" }),
        (SslEnforcement, Meaning::Enforced(on)) => Some(if on { "Enabled" } else { "Disabled" }),
        (SslMinProtocolVersion | NodeSslMinProtocolVersion, Meaning::Floor(Floor::At(version))) => {
            (version >= TlsVersion::Tls1_2).then(|| version.as_postgresql())
        }
        (MinimalTlsVersion, Meaning::Floor(Floor::None)) => Some(NO_FLOOR),
        (MinimalTlsVersion, Meaning::Floor(Floor::At(version))) => {
            (version <= TlsVersion::Tls1_2).then(|| version.as_azure())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_is_understood_as_what_it_spells() {
        let versions = [TlsVersion::Tls1_0, TlsVersion::Tls1_1, TlsVersion::Tls1_2, TlsVersion::Tls1_3];
        let meanings: Vec<Meaning> = [Meaning::Enforced(true), Meaning::Enforced(false), Meaning::Floor(Floor::None)]
            .into_iter()
            .chain(versions.into_iter().map(|version| Meaning::Floor(Floor::At(version))))
            .collect();
        let mut spelled = 0;
        for name in ParameterName::ALL {
            for wanted in &meanings {
                if let Some(text) = spelling(name, *wanted) {
                    assert_eq!(meaning(name, &text.to_uppercase()), Some(*wanted), "{name}");
                    spelled += 1;
                }
            }
        }
        // Two switches of two values, two floors of two versions, and a single server's four.
        assert_eq!(spelled, 2 * 2 + 2 * 2 + 4);
    }

    #[test]
    fn a_stricter_value_has_a_greater_number() {
        let order = ["TLSEnforcementDisabled", "TLS1_0", "TLS1_1", "TLS1_2"];
        let numbers: Vec<u8> =
            order.iter().map(|value| meaning(MinimalTlsVersion, value).unwrap().strictness()).collect();
        assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
    }

    #[test]
    fn unknown_values_mean_nothing() {
        for name in ParameterName::ALL {
            assert_eq!(meaning(name, "maybe"), None);
            assert_eq!(meaning(name, ""), None);
        }
    }
}
