//! What the settings say in the portal's two words, for both generations of servers.

use hostssl_model::{Floor, Meaning, ParameterName, Posture, Reading, SslEnforcement};

/// Whether the server enforces encryption in transit, in the words of the portal's *Connection security* page.
#[must_use]
pub fn ssl_enforcement(posture: &Posture) -> SslEnforcement {
    let Some(switch) = posture.server.kind.switch() else {
        return SslEnforcement::Enabled;
    };
    match meaning(posture, switch) {
        Some(Meaning::Enforced(true)) => SslEnforcement::Enabled,
        Some(Meaning::Enforced(false)) => SslEnforcement::Disabled,
        _ => SslEnforcement::Unknown,
    }
}

/// The lowest protocol version that the server accepts, as declared; for a cluster the lowest of its nodes'. `None` when
/// one could not be read.
#[must_use]
pub fn minimal_tls_version(posture: &Posture) -> Option<Floor> {
    let floor = |name: &ParameterName| match meaning(posture, *name) {
        Some(Meaning::Floor(floor)) => Some(floor),
        _ => None,
    };
    let floors = posture.server.kind.offering().floors.iter().map(floor).collect::<Option<Vec<_>>>()?;
    floors.into_iter().min()
}

fn meaning(posture: &Posture, name: ParameterName) -> Option<Meaning> {
    match posture.reading(name) {
        Some(Reading::Known(parameter)) => parameter.meaning(),
        _ => None,
    }
}
