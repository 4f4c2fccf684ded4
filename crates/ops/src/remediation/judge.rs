//! The wire as the last judge of a change.

use crate::{ListenerProbe, Tenant};
use async_trait::async_trait;
use hostssl_azure::{ResourceType, get_document, read_server};
use hostssl_model::{
    Acceptance, Floor, Meaning, ParameterName, Reading, TlsVersion, WireListener, WireObservation, WireTransport,
    WireVersion,
};
use hostssl_remediation::{Judge, ParameterRef, SafeText, WireCheck};

/// Probes the listeners of a server that was just changed.
#[derive(Debug)]
pub struct WireJudge {
    /// Says by which name the server is reached.
    pub tenant: Tenant,
    /// Looks.
    pub probe: ListenerProbe,
}

#[async_trait]
impl Judge for WireJudge {
    async fn judge(&self, at: ParameterRef<'_>, value: &str) -> WireCheck {
        let (arm, id) = (&self.tenant.arm, at.server);
        let resource_type = ResourceType::of(at.kind);
        let document = get_document(arm, &id.subscription(), id.resource_group(), resource_type, id.name()).await;
        let listed = match document {
            Ok(document) => read_server(&document.to_string(), resource_type),
            Err(error) => return not_checked(&error.to_string()),
        };
        match listed {
            Ok(listed) => {
                let looked = self.probe.look_from_here(arm, &listed.posture.server).await;
                verdict(at.parameter, value, &looked.observations)
            }
            Err(odd) => not_checked(&odd.0),
        }
    }
}

fn not_checked(why: &str) -> WireCheck {
    WireCheck::NotChecked(SafeText::new(why))
}

/// What the listeners together say about one value. One that contradicts it outweighs all others; without one that
/// contradicts it, one that could not be checked leaves it open.
fn verdict(parameter: ParameterName, value: &str, looks: &[WireObservation]) -> WireCheck {
    if is_hidden(parameter, value) {
        return WireCheck::NotShown(SafeText::new("a client that connects there cannot observe what it sets"));
    }
    let mut unseen = None;
    let mut confirmed = false;
    for look in looks {
        let said = match &look.listener {
            Reading::Known(listener) => of_listener(parameter, value, listener),
            Reading::Unknown(unchecked) => Said::Nothing(unchecked.detail.to_string()),
        };
        let at = |text: &str| SafeText::new(&format!("port {}: {text}", look.port));
        match said {
            Said::Otherwise(text) => return WireCheck::Contradicted(at(&text)),
            Said::Nothing(text) => unseen = unseen.or_else(|| Some(at(&text))),
            Said::So => confirmed = true,
        }
    }
    match unseen {
        Some(why) => WireCheck::NotChecked(why),
        None if confirmed => WireCheck::Confirmed,
        None => not_checked("it has no listener"),
    }
}

/// What one listener says about a value.
enum Said {
    So,
    Otherwise(String),
    Nothing(String),
}

fn of_listener(parameter: ParameterName, value: &str, listener: &WireListener) -> Said {
    match parameter.meaning(value) {
        Some(Meaning::Enforced(wanted)) => of_switch(wanted, listener),
        Some(Meaning::Floor(Floor::At(floor))) => of_floor(floor, listener),
        Some(Meaning::Floor(Floor::None)) => {
            Said::Nothing("a server without a floor cannot be told from one with a low floor".to_owned())
        }
        Some(Meaning::Cap(_) | Meaning::LogDownload(_) | Meaning::LogDays(_)) | None => {
            Said::Nothing(format!("{parameter} has the unknown value `{value}`"))
        }
    }
}

/// Whether no client can observe what a value sets: the floor of the nodes behind a coordinator, a cap, and what is logged.
fn is_hidden(parameter: ParameterName, value: &str) -> bool {
    parameter == ParameterName::NodeSslMinProtocolVersion
        || matches!(parameter.meaning(value), Some(Meaning::Cap(_) | Meaning::LogDownload(_) | Meaning::LogDays(_)))
}

fn of_switch(wanted: bool, listener: &WireListener) -> Said {
    let why = || listener.why.to_string();
    match (listener.transport, wanted) {
        (WireTransport::Enforced, true) | (WireTransport::Optional | WireTransport::PlaintextOnly, false) => Said::So,
        (WireTransport::Inconclusive, _) => Said::Nothing(why()),
        _ => Said::Otherwise(why()),
    }
}

fn of_floor(floor: TlsVersion, listener: &WireListener) -> Said {
    let below = listener.versions.iter().filter(|(version, _)| *version < WireVersion::Tls(floor));
    let mut asked = false;
    for (version, acceptance) in below {
        match acceptance {
            Acceptance::Accepted => return Said::Otherwise(format!("it still accepts {version}")),
            Acceptance::Unknown => return Said::Nothing(format!("whether it accepts {version} is unknown")),
            Acceptance::Refused => asked = true,
        }
    }
    if asked { Said::So } else { Said::Nothing("older versions were not probed".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hostssl_model::{Reason, Unchecked};

    fn look(port: u16, listener: Reading<WireListener>) -> WireObservation {
        WireObservation { port, address: None, observed_at: "2026-01-01T00:00:00Z".into(), listener, vantage: None }
    }

    fn seen(transport: WireTransport, versions: &[(TlsVersion, Acceptance)]) -> Reading<WireListener> {
        let versions = versions.iter().map(|(version, seen)| (WireVersion::Tls(*version), *seen)).collect();
        Reading::Known(WireListener { transport, why: "because".into(), versions, certificate: None })
    }

    fn unchecked() -> Reading<WireListener> {
        Reading::Unknown(Unchecked::new(Reason::Unresolved, "no such name"))
    }

    #[test]
    fn one_listener_that_contradicts_outweighs_all_others() {
        let on = |looks: &[WireObservation]| verdict(ParameterName::RequireSecureTransport, "on", looks);
        let enforced = || look(5432, seen(WireTransport::Enforced, &[]));
        assert_eq!(on(&[enforced()]), WireCheck::Confirmed);
        let optional = look(6432, seen(WireTransport::Optional, &[]));
        let told = WireCheck::Contradicted(SafeText::new("port 6432: because"));
        assert_eq!(on(&[look(5432, unchecked()), optional.clone()]), told);
        assert_eq!(on(&[enforced(), optional]), told);
        assert!(matches!(on(&[enforced(), look(6432, unchecked())]), WireCheck::NotChecked(_)));
        assert!(matches!(on(&[look(5432, seen(WireTransport::Inconclusive, &[]))]), WireCheck::NotChecked(_)));
        assert!(matches!(on(&[]), WireCheck::NotChecked(_)), "nothing seen is not proof");
    }

    #[test]
    fn switching_off_is_confirmed_by_clients_that_get_in() {
        let off = |transport| verdict(ParameterName::SslEnforcement, "Disabled", &[look(5432, seen(transport, &[]))]);
        assert_eq!(off(WireTransport::Optional), WireCheck::Confirmed);
        assert!(matches!(off(WireTransport::Enforced), WireCheck::Contradicted(_)));
    }

    #[test]
    fn a_value_that_the_setting_does_not_have_is_no_proof() {
        let on_the_wire = [look(5432, seen(WireTransport::Optional, &[]))];
        // `Enabled` is a word of another setting: what it asks of this one is not known.
        let judged = verdict(ParameterName::RequireSecureTransport, "Enabled", &on_the_wire);
        assert!(matches!(judged, WireCheck::NotChecked(_)), "{judged:?}");
        let nodes = verdict(ParameterName::NodeSslMinProtocolVersion, "TLSv1.2", &on_the_wire);
        assert!(matches!(nodes, WireCheck::NotShown(_)), "{nodes:?}");
    }

    #[test]
    fn a_floor_is_confirmed_by_older_versions_that_are_refused() {
        use Acceptance::{Accepted, Refused, Unknown};
        let floor = |value, versions: &[(TlsVersion, Acceptance)]| {
            let looks = [look(5432, seen(WireTransport::Enforced, versions))];
            verdict(ParameterName::SslMinProtocolVersion, value, &looks)
        };
        let old = |seen| [(TlsVersion::Tls1_1, seen), (TlsVersion::Tls1_2, Accepted)];
        assert_eq!(floor("TLSv1.2", &old(Refused)), WireCheck::Confirmed);
        assert!(matches!(floor("TLSv1.2", &old(Accepted)), WireCheck::Contradicted(_)));
        assert!(matches!(floor("TLSv1.3", &old(Refused)), WireCheck::Contradicted(_)));
        assert!(matches!(floor("TLSv1.2", &old(Unknown)), WireCheck::NotChecked(_)));
        assert!(matches!(floor("TLSv1.2", &[]), WireCheck::NotChecked(_)));
    }
}
