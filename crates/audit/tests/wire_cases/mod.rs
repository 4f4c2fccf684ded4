//! Postures of servers whose listeners were looked at.

use super::{Case, flexible, forbidden, known, posture};
use hostssl_model::{
    Acceptance, Kind, ParameterName as Name, Posture, Reading, Reason, ReplicationRole, TlsVersion, Unchecked,
    WireCertificate, WireListener, WireObservation, WireTransport, WireVersion,
};

const HOLE: &str = "accepted in plaintext: user \"postgres\", database \"postgres\"";

fn certificate(verify_full: Option<bool>, reason: Option<&str>, days_left: Option<i64>) -> WireCertificate {
    WireCertificate {
        verify_full,
        reason: reason.map(Into::into),
        not_after: Some("2026-12-31T23:59:59Z".into()),
        days_left,
        root: None,
    }
}

/// A listener that accepts these versions and refuses the others.
fn listener(transport: WireTransport, why: &str, accepted: &[TlsVersion]) -> WireListener {
    use TlsVersion::{Tls1_0, Tls1_1, Tls1_2, Tls1_3};
    let mut versions = vec![(WireVersion::Ssl3, Acceptance::Refused)];
    versions.extend([Tls1_0, Tls1_1, Tls1_2, Tls1_3].map(|version| {
        let seen = if accepted.contains(&version) { Acceptance::Accepted } else { Acceptance::Refused };
        (WireVersion::Tls(version), seen)
    }));
    WireListener { transport, why: why.into(), versions, certificate: Some(certificate(Some(true), None, Some(120))) }
}

fn good() -> WireListener {
    let why = "all 3 plaintext startups probed are refused and TLS reaches authentication";
    listener(WireTransport::Enforced, why, &[TlsVersion::Tls1_2, TlsVersion::Tls1_3])
}

fn open() -> WireListener {
    listener(WireTransport::Optional, HOLE, &[TlsVersion::Tls1_2, TlsVersion::Tls1_3])
}

fn look(port: u16, address: &str, listener: Reading<WireListener>) -> WireObservation {
    WireObservation {
        port,
        address: Some(address.into()),
        observed_at: "2026-11-24T12:00:00Z".into(),
        listener,
        vantage: None,
    }
}

fn seen(mut posture: Posture, looks: Vec<(u16, Reading<WireListener>)>) -> Posture {
    posture.wire = looks.into_iter().map(|(port, listener)| look(port, "198.18.0.1", listener)).collect();
    posture
}

pub(crate) fn cases() -> Vec<Case> {
    use Kind::{CosmosCluster, Flexible, Single};
    use Reading::{Known, Unknown};
    let of = |kind, readings: &[_], looks| seen(posture(kind, ReplicationRole::None, readings), looks);
    let on = || flexible("on", "TLSv1.2", "");
    let only = |listener| vec![(5432, Known(listener))];
    let unchecked = |reason, detail: &str| vec![(5432, Unknown(Unchecked::new(reason, detail)))];
    let mut two_addresses = of(Flexible, &on(), vec![(5432, Known(good())), (6432, Known(good()))]);
    two_addresses.wire.push(look(5432, "198.18.0.2", Known(good())));
    let single = |enforcement: &str, floor: &str| {
        vec![known(Name::SslEnforcement, enforcement), known(Name::MinimalTlsVersion, floor)]
    };
    let with = |certificate: Option<WireCertificate>| only(WireListener { certificate, ..good() });
    let mut unsure = good();
    unsure.versions[1].1 = Acceptance::Unknown;
    let clear = WireListener {
        transport: WireTransport::PlaintextOnly,
        why: format!("{HOLE}; the server offers no TLS").into(),
        versions: Vec::new(),
        certificate: None,
    };
    let broken = WireListener {
        transport: WireTransport::BrokenTls,
        why: "the server offers TLS, but the handshake failed".into(),
        ..clear.clone()
    };
    let firewall = WireListener {
        transport: WireTransport::Inconclusive,
        why: "refused in plaintext and over TLS: an address rule (firewall)".into(),
        ..good()
    };
    let old = [TlsVersion::Tls1_0, TlsVersion::Tls1_1, TlsVersion::Tls1_2];
    let mut half = on();
    half[0].1 = forbidden();
    let cases = vec![
        ("nobody looked", posture(Flexible, ReplicationRole::None, &on())),
        ("as declared", of(Flexible, &on(), only(good()))),
        ("two addresses, a pooler", two_addresses),
        ("declared off, and so it is", of(Flexible, &flexible("off", "TLSv1.2", ""), only(open()))),
        ("declared on, plaintext taken", of(Flexible, &on(), only(open()))),
        ("declared off, plaintext refused", of(Flexible, &flexible("off", "TLSv1.2", ""), only(good()))),
        ("the pooler takes plaintext", of(Flexible, &on(), vec![(5432, Known(good())), (6432, Known(open()))])),
        ("declared TLS 1.3, and TLS 1.2 is taken", of(Flexible, &flexible("on", "TLSv1.3", ""), only(good()))),
        ("capped at TLS 1.2, and TLS 1.3 is taken", of(Flexible, &flexible("on", "TLSv1.2", "TLSv1.2"), only(good()))),
        ("the switch was not read", of(Flexible, &half, only(good()))),
        ("the switch has a value nobody knows", of(Flexible, &flexible("maybe", "TLSv1.2", ""), only(good()))),
        ("a single server with old versions", {
            let listener = listener(WireTransport::Enforced, "refused", &old);
            of(Single, &single("Enabled", "TLSEnforcementDisabled"), only(listener))
        }),
        ("a single server that takes what it says it refuses", {
            let listener = listener(WireTransport::Enforced, "refused", &old);
            of(Single, &single("Enabled", "TLS1_2"), only(listener))
        }),
        ("a cosmos cluster", of(CosmosCluster, &[known(Name::SslMinProtocolVersion, "TLSv1.2")], only(good()))),
        ("no TLS at all", of(Flexible, &on(), only(clear))),
        ("TLS that breaks", of(Flexible, &on(), only(broken))),
        ("a firewall", of(Flexible, &on(), only(firewall))),
        ("no answer about one version", of(Flexible, &on(), only(unsure))),
        ("another name", {
            let reason = "the certificate does not name \"orders\"";
            of(Flexible, &on(), with(Some(certificate(Some(false), Some(reason), Some(120)))))
        }),
        ("nine days left", of(Flexible, &on(), with(Some(certificate(Some(true), None, Some(9)))))),
        ("thirty days left, and some hours", of(Flexible, &on(), with(Some(certificate(Some(true), None, Some(30)))))),
        ("expired yesterday", {
            let reason = "the certificate has expired";
            of(Flexible, &on(), with(Some(certificate(Some(false), Some(reason), Some(-1)))))
        }),
        ("a certificate that nobody could judge", of(Flexible, &on(), with(Some(certificate(None, None, None))))),
        ("in a virtual network", of(Flexible, &on(), unchecked(Reason::Unresolved, "the name does not resolve"))),
        ("stopped", of(Flexible, &on(), unchecked(Reason::Stopped, "the server is stopped"))),
        ("the pooler fails, the server was not reached", {
            let unreachable = Unknown(Unchecked::new(Reason::Unreachable, "no answer before the deadline"));
            of(Flexible, &on(), vec![(5432, unreachable), (6432, Known(open()))])
        }),
    ];
    cases.into_iter().map(|(name, posture)| (name, posture, None)).collect()
}
