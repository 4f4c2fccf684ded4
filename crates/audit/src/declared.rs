//! What the settings say in the portal's two words, for both generations of servers.

use hostssl_model::{Kind, ParameterName, Posture, Reading, SslEnforcement, TlsVersion};

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

/// The lowest protocol version that the server accepts, as declared; for a cluster the lowest of its nodes'. `None`
/// when it was not seen, or when there is no floor.
#[must_use]
pub fn minimal_tls_version(posture: &Posture) -> Option<TlsVersion> {
    let known = |name| match posture.reading(name) {
        Some(Reading::Known(parameter)) => Some(parameter.value.as_ref()),
        _ => None,
    };
    match posture.server.kind {
        Kind::Single => known(ParameterName::MinimalTlsVersion).and_then(TlsVersion::from_azure),
        Kind::Flexible | Kind::ElasticCluster | Kind::Horizon => {
            known(ParameterName::SslMinProtocolVersion).and_then(TlsVersion::from_postgresql)
        }
        Kind::CosmosCluster => {
            let coordinator = known(ParameterName::SslMinProtocolVersion).and_then(TlsVersion::from_postgresql)?;
            let nodes = known(ParameterName::NodeSslMinProtocolVersion).and_then(TlsVersion::from_postgresql)?;
            Some(coordinator.min(nodes))
        }
    }
}
