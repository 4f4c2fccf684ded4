//! What the settings say in the portal's two words, for both generations of servers.

use hostssl_model::{Kind, MinimalTlsVersion, ParameterName, Posture, Reading, SslEnforcement, TlsVersion};

/// Whether the server enforces encryption in transit, in the words of the portal's *Connection security* page.
#[must_use]
pub fn ssl_enforcement(posture: &Posture) -> SslEnforcement {
    let (name, on, off) = match posture.server.kind {
        // TLS cannot be turned off there.
        Kind::CosmosCluster => return SslEnforcement::Enabled,
        Kind::Single => (ParameterName::SslEnforcement, "Enabled", "Disabled"),
        Kind::Flexible | Kind::ElasticCluster | Kind::Horizon => (ParameterName::RequireSecureTransport, "on", "off"),
    };
    match posture.reading(name) {
        Some(Reading::Known(parameter)) if parameter.is(on) => SslEnforcement::Enabled,
        Some(Reading::Known(parameter)) if parameter.is(off) => SslEnforcement::Disabled,
        _ => SslEnforcement::Unknown,
    }
}

/// The lowest protocol version that the server accepts, as declared; for a cluster the lowest of its nodes'.
#[must_use]
pub fn minimal_tls_version(posture: &Posture) -> MinimalTlsVersion {
    let known = |name| match posture.reading(name) {
        Some(Reading::Known(parameter)) => Some(parameter),
        _ => None,
    };
    let postgresql = |name| known(name).and_then(|parameter| TlsVersion::from_postgresql(&parameter.value));
    let version = match posture.server.kind {
        Kind::Single => match known(ParameterName::MinimalTlsVersion) {
            Some(parameter) if parameter.is("TLSEnforcementDisabled") => return MinimalTlsVersion::EnforcementDisabled,
            other => other.and_then(|parameter| TlsVersion::from_azure(&parameter.value)),
        },
        Kind::Flexible | Kind::ElasticCluster | Kind::Horizon => postgresql(ParameterName::SslMinProtocolVersion),
        Kind::CosmosCluster => {
            let coordinator = postgresql(ParameterName::SslMinProtocolVersion);
            coordinator.zip(postgresql(ParameterName::NodeSslMinProtocolVersion)).map(|(a, b)| a.min(b))
        }
    };
    version.map_or(MinimalTlsVersion::Unknown, MinimalTlsVersion::AtLeast)
}
