//! What a probe saw that is not as it should be: the likely causes of each, and what to do. Pure.

use super::listeners::Listener;
use crate::view::{floor_word, is_below, version_word};
use hostssl_model::{Kind, POOLER_PORT, Standing, WireCertificate, WireTransport, Word};
use hostssl_store::ServerDetail;
use std::borrow::Cow;

/// One thing that a probe saw, and that should not be so.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct WireMismatch {
    /// What it is.
    pub(crate) what: String,
    /// Why that may be, the likeliest first.
    pub(crate) causes: Vec<&'static str>,
    /// What to do, in order.
    pub(crate) fix: Vec<Cow<'static, str>>,
}

/// Everything of this server that is not as it should be, the worst first.
pub(crate) fn mismatches(detail: &ServerDetail, listeners: &[Listener]) -> Vec<WireMismatch> {
    let mut found = Vec::new();
    if detail.row.standing == Standing::AcceptsPlaintext {
        found.extend(listeners.iter().filter(|one| accepts_plaintext(one)).map(|one| plaintext(one, detail)));
    }
    if detail.row.switch_waits() {
        found.push(WireMismatch {
            what: "TLS is set to be required, but the change waits for a restart.".to_owned(),
            causes: vec![
                "Azure applies this change when the server restarts. Until then, clients can connect without TLS.",
            ],
            fix: vec!["Restart the server in a maintenance window.".into(), "Probe again.".into()],
        });
    }
    found.extend(versions(detail));
    found.extend(listeners.iter().filter_map(|one| certificate(one.port, one.known.as_ref()?.certificate.as_ref()?)));
    found
}

fn accepts_plaintext(listener: &Listener) -> bool {
    let transport = listener.known.as_ref().map(|known| known.transport);
    matches!(transport, Some(WireTransport::Optional | WireTransport::PlaintextOnly))
}

fn plaintext(listener: &Listener, detail: &ServerDetail) -> WireMismatch {
    let switch = detail.row.kind.known().and_then(Kind::switch);
    let place = match &listener.vantage {
        Some((zone, _)) if listener.port == POOLER_PORT => format!(", seen from zone {zone}"),
        Some((zone, _)) => format!(", seen from zone {zone},"),
        None => String::new(),
    };
    if listener.port == POOLER_PORT {
        return WireMismatch {
            what: format!(
                "The built-in PgBouncer (port 6432{place}) accepts connections without TLS, although Azure says TLS is required."
            ),
            causes: vec![
                "PgBouncer still runs with the settings that it had when it started, before TLS was required.",
                "Something other than Azure’s PgBouncer answers on port 6432 of this address: a proxy or a forwarded port.",
            ],
            fix: vec![
                "Set pgbouncer.enabled to false and back to true, or restart the server: PgBouncer reads its settings again.".into(),
                "Probe again. If it still accepts plaintext, block port 6432 in the firewall or the network security group.".into(),
                "Then open a support request with Azure, with this probe as evidence.".into(),
            ],
        };
    }
    WireMismatch {
        what: format!(
            "Port {}{place} accepts connections without TLS, although Azure says TLS is required.",
            listener.port
        ),
        causes: vec![
            "The change has not reached the running server: it was made a moment ago, or the server must restart.",
            "The name resolves to another server from here: a private DNS zone or a hosts file that is out of date.",
            "A proxy or a load balancer in front of the server answers, and ends TLS on its own.",
        ],
        fix: vec![
            "Compare the address of the probe with the one that Azure shows under Networking.".into(),
            match switch {
                Some(name) => {
                    format!("Probe again. If nothing has changed, set {name} off and on again, or restart the server.")
                        .into()
                }
                None => "Probe again. If nothing has changed, restart the server.".into(),
            },
            "If it still accepts plaintext, open a support request with Azure, with this probe as evidence.".into(),
        ],
    }
}

/// A lowest version that is declared and not kept.
fn versions(detail: &ServerDetail) -> Option<WireMismatch> {
    let row = &detail.row;
    let (declared, accepts) = (row.minimal_tls.as_ref(), row.accepts.as_ref());
    let word = floor_word(declared);
    if row.floor_waits() {
        let seen = |version| format!(" A probe saw {} accepted.", version_word(version));
        let now = accepts.map_or_else(String::new, seen);
        return Some(WireMismatch {
            what: format!("The minimum version {word} waits for a restart and is not in effect.{now}"),
            causes: vec!["Azure applies this change when the server restarts."],
            fix: vec!["Restart the server in a maintenance window.".into(), "Probe again.".into()],
        });
    }
    let below = accepts.filter(|version| is_below(version, declared.and_then(Word::known)))?;
    Some(WireMismatch {
        what: format!("The minimum is declared as {word}, but a probe saw {} accepted.", version_word(below)),
        causes: vec![
            "The change has not reached the running server yet.",
            "A proxy in front of the server, or the pooler, has a minimum of its own.",
        ],
        fix: vec!["Probe again.".into(), "If nothing has changed, restart the server.".into()],
    })
}

fn certificate(port: u16, certificate: &WireCertificate) -> Option<WireMismatch> {
    let reason = certificate.reason.as_deref().unwrap_or("no reason is known");
    (certificate.verify_full == Some(false)).then(|| WireMismatch {
        what: format!("Port {port}: clients with sslmode=verify-full refuse the certificate: {reason}."),
        causes: vec![
            "Clients connect by another name than the certificate has: an alias, an address, or an old name.",
            "A proxy in front of the server shows a certificate of its own.",
            "The roots of the client, or of this probe, do not include the one that signed it.",
        ],
        fix: vec![
            "Connect by the name that Azure shows as the host name.".into(),
            "Give clients Azure’s root certificates (sslrootcert), or sslrootcert=system with libpq 16 and newer."
                .into(),
        ],
    })
}
