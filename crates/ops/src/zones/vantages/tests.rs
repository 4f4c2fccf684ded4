use super::*;
use hostssl_model::{Kind, NetworkAccess, PrivateNetwork, SubscriptionId, SubscriptionState, WireListener};
use hostssl_test_support::fleet::flexible;

const HOST: &str = "pg-a.contoso.postgres.database.azure.com";
const NOW_MS: i64 = 1_767_225_600_000;
const DAY_MS: i64 = 86_400_000;

fn private() -> Server {
    let subnet = Some("/v/virtualNetworks/vnet-data/subnets/db".into());
    let private = Some(Box::new(PrivateNetwork { subnet, ..PrivateNetwork::default() }));
    let network = NetworkAccess { public_access: Some(false), private };
    Server { fqdn: Some(HOST.into()), network, ..flexible("pg-a", "on", "TLSv1.2").server }
}

fn subscription() -> Subscription {
    let id = SubscriptionId::new("s");
    Subscription { id, name: "Production".into(), tenant: "t".into(), state: SubscriptionState::Enabled }
}

fn look(port: u16, seen: Result<WireTransport, Reason>, zone: Option<(&str, i64)>) -> WireObservation {
    let listener = match seen {
        Ok(transport) => {
            let (versions, certificate) = (Vec::new(), None);
            Reading::Known(WireListener { transport, why: "seen".into(), versions, certificate })
        }
        Err(reason) => Reading::Unknown(Unchecked::new(reason, "no way")),
    };
    let vantage = zone.map(|(zone, observed_ms)| Box::new(Vantage { zone: zone.into(), observed_ms, prober: None }));
    WireObservation { port, address: None, observed_at: "2026-01-01T00:00:00Z".into(), listener, vantage }
}

fn rule(zone: &str) -> ZoneRule {
    ZoneRule { zone: zone.into(), virtual_network: Some("vnet-*".into()), ..ZoneRule::default() }
}

fn vantages(rules: Vec<ZoneRule>, files: Vec<(&str, Vec<WireObservation>)>) -> Vantages {
    let looks = |(zone, looks): (&str, Vec<WireObservation>)| Looks {
        zone: zone.into(),
        looks: looks.into_iter().map(|look| (HOST.to_uppercase().into(), look)).collect(),
    };
    Vantages::new(Some(rules), files.into_iter().map(looks).collect(), now(), SignedDuration::from_hours(24))
}

fn now() -> Timestamp {
    Timestamp::from_millisecond(NOW_MS).unwrap()
}

fn unresolved() -> Vec<WireObservation> {
    [5432, 6432].map(|port| look(port, Err(Reason::Unresolved), None)).into()
}

/// Per port: what was seen, or the reason why not; and from where.
fn said(looks: &[WireObservation]) -> Vec<(u16, String, Option<&str>)> {
    let what = |look: &WireObservation| match &look.listener {
        Reading::Known(listener) => listener.transport.as_str().to_owned(),
        Reading::Unknown(unchecked) => unchecked.reason.as_str().to_owned(),
    };
    looks.iter().map(|one| (one.port, what(one), one.vantage.as_ref().map(|from| &*from.zone))).collect()
}

fn combined(vantages: &Vantages, here: Vec<WireObservation>) -> Vec<WireObservation> {
    vantages.combine(&private(), &subscription(), here)
}

#[test]
fn a_private_server_that_no_zone_covers_has_no_vantage_and_its_network_is_named() {
    let found = combined(&vantages(vec![], vec![]), unresolved());
    assert_eq!(said(&found), [(5432, "no-vantage".into(), None), (6432, "no-vantage".into(), None)]);
    let Reading::Unknown(unchecked) = &found[0].listener else { unreachable!("nothing was seen") };
    assert!(
        unchecked.detail.starts_with("it is in the virtual network vnet-data, which no zone covers"),
        "{}",
        unchecked.detail
    );
}

#[test]
fn a_public_server_that_is_not_reached_keeps_its_reason() {
    let server = Server { network: NetworkAccess { public_access: Some(true), private: None }, ..private() };
    let found = vantages(vec![], vec![]).combine(&server, &subscription(), unresolved());
    assert_eq!(said(&found)[0], (5432, "unresolved".into(), None));
}

#[test]
fn a_zone_without_an_answer_is_silent_whatever_is_seen_from_here() {
    let zones = vantages(vec![rule("hub")], vec![]);
    assert_eq!(
        said(&combined(&zones, unresolved())),
        [(5432, "prober-silent".into(), Some("hub")), (6432, "prober-silent".into(), Some("hub"))]
    );
    let here = vec![look(5432, Ok(WireTransport::Enforced), None), look(6432, Err(Reason::Unreachable), None)];
    let silent = |port| (port, "prober-silent".to_owned(), Some("hub"));
    assert_eq!(said(&combined(&zones, here)), [(5432, "enforced".to_owned(), None), silent(5432), silent(6432)]);
}

#[test]
fn what_a_zone_saw_counts_where_there_is_no_way_from_here() {
    let looks = vec![
        look(5432, Ok(WireTransport::Optional), Some(("hub", NOW_MS - 1))),
        look(6432, Err(Reason::Unreachable), Some(("hub", NOW_MS - 1))),
    ];
    let zones = vantages(vec![rule("hub")], vec![("hub", looks)]);
    let expected = [(5432, "optional".to_owned(), Some("hub")), (6432, "unreachable".to_owned(), Some("hub"))];
    assert_eq!(said(&combined(&zones, unresolved())), expected);
}

#[test]
fn a_zone_hides_nothing_that_is_seen_from_here() {
    let looks = vec![look(5432, Ok(WireTransport::Enforced), Some(("hub", NOW_MS)))];
    let here = vec![look(5432, Ok(WireTransport::Optional), None)];
    let found = combined(&vantages(vec![], vec![("hub", looks)]), here);
    let both = [(5432, "optional".to_owned(), None), (5432, "enforced".to_owned(), Some("hub"))];
    assert_eq!(said(&found), both);
}

#[test]
fn an_old_look_proves_nothing() {
    let looks = vec![look(5432, Ok(WireTransport::Enforced), Some(("hub", NOW_MS - DAY_MS - 1)))];
    let found = combined(&vantages(vec![rule("hub")], vec![("hub", looks)]), unresolved());
    assert_eq!(said(&found)[0], (5432, "prober-silent".into(), Some("hub")));
    let Reading::Unknown(unchecked) = &found[0].listener else { unreachable!("it is too old") };
    assert!(unchecked.detail.contains("more than 24h ago"), "{}", unchecked.detail);
}

#[test]
fn a_look_from_before_a_change_says_nothing_of_it() {
    let looks = || vec![look(5432, Ok(WireTransport::Optional), Some(("hub", NOW_MS - 9)))];
    let key = private().id.key();
    for (changed_ms, expected) in [(NOW_MS - 8, "prober-silent"), (NOW_MS - 10, "optional")] {
        let switch = KnownSwitch { off_ms: None, changed_ms: Some(changed_ms) };
        let zones = vantages(vec![rule("hub")], vec![("hub", looks())])
            .with_known([(key.clone(), KnownServer { switch, looks: Vec::new() })]);
        assert_eq!(said(&combined(&zones, unresolved()))[0].1, expected);
    }
}

#[test]
fn nothing_was_proven_before_the_switch_was_off() {
    let key = private().id.key();
    let switch = KnownSwitch { off_ms: Some(NOW_MS - 5), changed_ms: None };
    for (transport, ago, expected) in [
        (WireTransport::Enforced, 9, "prober-silent"),
        (WireTransport::Enforced, 4, "enforced"),
        (WireTransport::Optional, 9, "optional"),
    ] {
        let looks = vec![look(5432, Ok(transport), Some(("hub", NOW_MS - ago)))];
        let zones = vantages(vec![rule("hub")], vec![("hub", looks)])
            .with_known([(key.clone(), KnownServer { switch, looks: Vec::new() })]);
        assert_eq!(said(&combined(&zones, unresolved()))[0].1, expected);
    }
}

#[test]
fn an_address_that_was_not_reached_stays_beside_one_that_was() {
    let at = |address: &str, look: WireObservation| WireObservation { address: Some(address.into()), ..look };
    for zone in [None, Some(("hub", NOW_MS))] {
        let both = vec![
            at("192.0.2.1", look(5432, Ok(WireTransport::Enforced), zone)),
            at("192.0.2.2", look(5432, Err(Reason::Unreachable), zone)),
        ];
        let (files, here) = match zone {
            None => (vec![], both),
            Some(_) => (vec![("hub", both)], unresolved()),
        };
        let found = combined(&vantages(vec![], files), here);
        let said: Vec<String> = said(&found).into_iter().filter(|one| one.0 == 5432).map(|(_, word, _)| word).collect();
        assert_eq!(said, ["enforced", "unreachable"], "{zone:?}");
    }
    // So does one whose look is too old.
    let looks = vec![
        at("192.0.2.1", look(5432, Ok(WireTransport::Enforced), Some(("hub", NOW_MS)))),
        at("192.0.2.2", look(5432, Ok(WireTransport::Optional), Some(("hub", NOW_MS - DAY_MS - 1)))),
    ];
    let found = combined(&vantages(vec![rule("hub")], vec![("hub", looks)]), vec![]);
    assert_eq!(said(&found)[1], (5432, "prober-silent".into(), Some("hub")));
}

#[test]
fn a_newer_probe_that_found_no_way_hides_nothing_that_an_older_one_saw() {
    let old = || ("hub", vec![look(5432, Ok(WireTransport::Optional), Some(("hub", NOW_MS - 9)))]);
    let new = || ("hub", vec![look(5432, Err(Reason::Unresolved), Some(("hub", NOW_MS - 5)))]);
    for files in [vec![old(), new()], vec![new(), old()]] {
        let found = combined(&vantages(vec![], files), vec![look(5432, Ok(WireTransport::Enforced), None)]);
        let words: Vec<String> = said(&found).into_iter().map(|(_, word, _)| word).collect();
        assert_eq!(words, ["enforced", "unresolved", "optional"]);
    }
}

#[test]
fn a_newer_look_that_decides_nothing_stands_beside_what_an_older_one_saw() {
    let seen = |ago: i64, transport| look(5432, Ok(transport), Some(("hub", NOW_MS - ago)));
    for older in [WireTransport::Optional, WireTransport::Enforced] {
        let brought = || ("hub", vec![seen(5, WireTransport::Inconclusive)]);
        let old = || ("hub", vec![seen(9, older)]);
        let in_state = with_state(vantages(vec![rule("hub")], vec![brought()]), vec![seen(9, older)]);
        let both = [vec![old(), brought()], vec![brought(), old()]].map(|files| vantages(vec![rule("hub")], files));
        for zones in both.iter().chain([&in_state]) {
            let mut words: Vec<String> =
                said(&combined(zones, unresolved())).into_iter().filter(|one| one.0 == 5432).map(|one| one.1).collect();
            words.sort();
            let mut expected = ["inconclusive", older.as_str()];
            expected.sort_unstable();
            assert_eq!(words, expected);
        }
    }
}

#[test]
fn two_machines_of_one_zone_may_see_different_addresses() {
    let at = |address: &str, transport, ago: i64| {
        let look = look(5432, Ok(transport), Some(("hub", NOW_MS - ago)));
        WireObservation { address: Some(address.into()), ..look }
    };
    let one =
        || ("hub", vec![at("192.0.2.2", WireTransport::Enforced, 30), at("192.0.2.1", WireTransport::Enforced, 60)]);
    let other = || ("hub", vec![at("192.0.2.1", WireTransport::Optional, 40)]);
    for files in [vec![one(), other()], vec![other(), one()]] {
        let found = combined(&vantages(vec![], files), unresolved());
        let mut words: Vec<String> =
            said(&found).into_iter().filter(|one| one.0 == 5432).map(|(_, word, _)| word).collect();
        words.sort();
        assert_eq!(words, ["enforced", "optional"], "of each address the newest");
    }
}

#[test]
fn a_host_is_the_same_with_its_root_and_another_port_is_a_stranger() {
    let of_port =
        |port| vantages(vec![], vec![("hub", vec![look(port, Ok(WireTransport::Enforced), Some(("hub", NOW_MS)))])]);
    assert_eq!(of_port(5433).strangers([&private()].into_iter()), [format!("{}:5433", HOST.to_lowercase())]);
    let dotted = Server { fqdn: Some(format!("{HOST}.").into()), ..private() };
    assert_eq!(of_port(5432).strangers([&dotted].into_iter()), Vec::<String>::new());
}

#[test]
fn of_several_probes_in_one_zone_the_newest_look_counts_whichever_comes_first() {
    let old = || ("hub", vec![look(5432, Ok(WireTransport::Optional), Some(("hub", NOW_MS - 9)))]);
    let new = || ("hub", vec![look(5432, Ok(WireTransport::Enforced), Some(("hub", NOW_MS - 5)))]);
    for files in [vec![old(), new()], vec![new(), old()]] {
        let found = combined(&vantages(vec![], files), unresolved());
        assert_eq!(said(&found)[0], (5432, "enforced".into(), Some("hub")));
    }
}

#[test]
fn a_kind_without_a_pooler_has_no_silent_pooler() {
    let server = Server { kind: Kind::Single, ..private() };
    let found = vantages(vec![rule("hub")], vec![]).combine(&server, &subscription(), Vec::new());
    let ports: Vec<u16> = found.iter().map(|look| look.port).collect();
    assert_eq!(ports, Kind::Single.offering().ports);
}

/// What the state knows of the private server.
fn with_state(zones: Vantages, looks: Vec<WireObservation>) -> Vantages {
    zones.with_known([(private().id.key(), KnownServer { looks, ..KnownServer::default() })])
}

#[test]
fn what_the_state_saw_from_a_zone_that_is_named_counts_as_if_it_was_brought() {
    let seen = |ago: i64, transport| look(5432, Ok(transport), Some(("hub", NOW_MS - ago)));
    let open = || vec![seen(50, WireTransport::Optional)];
    let named = with_state(vantages(vec![rule("hub")], vec![]), open());
    assert_eq!(said(&combined(&named, unresolved()))[0], (5432, "optional".into(), Some("hub")));
    // The newer one counts, wherever it is.
    for (ago, expected) in [(60, "optional"), (40, "enforced")] {
        let brought = vec![("hub", vec![seen(ago, WireTransport::Enforced)])];
        let both = with_state(vantages(vec![rule("hub")], brought), open());
        assert_eq!(said(&combined(&both, unresolved()))[0].1, expected);
    }
    // One of a zone that nothing names here is not used, and one that is too old is not an answer.
    let other = with_state(Vantages::new(None, vec![], now(), SignedDuration::from_hours(24)), open());
    assert_eq!(said(&combined(&other, unresolved()))[0].1, "no-vantage");
    let old = with_state(vantages(vec![rule("hub")], vec![]), vec![seen(DAY_MS + 1, WireTransport::Enforced)]);
    let found = combined(&old, unresolved());
    assert_eq!(said(&found)[0].1, "prober-silent");
    let Reading::Unknown(unchecked) = &found[0].listener else { unreachable!("it is too old") };
    assert!(unchecked.detail.ends_with("; its last one is of 2025-12-30T23:59:59Z"), "{}", unchecked.detail);
}

#[test]
fn a_certificate_that_the_state_saw_is_as_old_as_it_is_now() {
    let mut seen = look(5432, Ok(WireTransport::Enforced), Some(("hub", NOW_MS - 50)));
    if let Reading::Known(listener) = &mut seen.listener {
        listener.certificate = Some(hostssl_model::WireCertificate {
            verify_full: Some(true),
            reason: None,
            not_after: Some("2025-12-31T00:00:00Z".into()),
            days_left: Some(0),
            root: None,
        });
    }
    let found = combined(&with_state(vantages(vec![rule("hub")], vec![]), vec![seen]), unresolved());
    let Reading::Known(WireListener { certificate: Some(certificate), .. }) = &found[0].listener else {
        unreachable!("it was seen")
    };
    assert_eq!((certificate.verify_full, certificate.days_left), (Some(false), Some(-1)));
}

#[test]
fn plaintext_that_the_state_knows_from_a_zone_without_a_look_is_told() {
    let open = look(5432, Ok(WireTransport::Optional), Some(("old", NOW_MS - 50)));
    let report = |wire: Vec<WireObservation>| {
        let posture = flexible("pg-a", "on", "TLSv1.2");
        let profile = hostssl_audit::Profile::find("baseline").unwrap();
        let mut report = hostssl_audit::server_report(&posture, None, &profile);
        (report.server, report.wire) = (private(), wire);
        report
    };
    let zones = with_state(vantages(vec![rule("hub")], vec![]), vec![open.clone()]);
    let of = |wire| zones.untold(&[report(wire)]).len();
    assert_eq!(of(unresolved()), 1);
    assert_eq!(of(vec![look(5432, Ok(WireTransport::Enforced), Some(("hub", NOW_MS)))]), 1);
    assert_eq!(of(vec![look(5432, Ok(WireTransport::Optional), None)]), 0, "the report has plaintext of its own");
    assert_eq!(of(vec![open]), 0, "the report has it");
    let pooler = look(6432, Ok(WireTransport::Optional), None);
    assert_eq!(of(vec![pooler]), 1, "plaintext at another port is another finding");
    for undecided in [Err(Reason::ProberSilent), Ok(WireTransport::Inconclusive)] {
        let undecided = look(5432, undecided, Some(("old", NOW_MS)));
        assert_eq!(of(vec![undecided]), 1, "what decides nothing says nothing of the plaintext");
    }
    let fine = look(5432, Ok(WireTransport::Enforced), Some(("old", NOW_MS - 50)));
    let zones = with_state(vantages(vec![rule("hub")], vec![]), vec![fine]);
    assert_eq!(zones.untold(&[report(unresolved())]).len(), 0);
}
