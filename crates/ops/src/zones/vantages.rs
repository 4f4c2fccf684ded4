//! What was seen of the listeners from elsewhere, laid over what is seen from here.
//!
//! A server may be reached from several places, and each of them sees what it sees: what one found is not undone by another
//! that found no way to the server. But that there is no way from anywhere is never a pass.

use hostssl_model::{
    Reading, Reason, Server, Subscription, Unchecked, Vantage, WireObservation, WireTransport, ZoneRule, zone_rule_of,
};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

/// The looks of one probe in a zone.
#[derive(Debug, Clone)]
pub struct Looks {
    /// The zone.
    pub zone: Arc<str>,
    /// Each with the host by which it was probed, and with its vantage.
    pub looks: Vec<(Box<str>, WireObservation)>,
}

/// The listeners of one zone: by host in lower case, and port.
type ByListener = HashMap<(Box<str>, u16), Vec<WireObservation>>;

/// Which servers are probed from where, and what was seen from there.
#[derive(Debug, Default)]
pub struct Vantages {
    rules: Vec<ZoneRule>,
    zones: Vec<(Arc<str>, ByListener)>,
    /// When an audit takes the looks in, in milliseconds since 1970.
    now_ms: i64,
    longest: SignedDuration,
    /// What is known of the switch of servers, by the key of the server.
    switches: HashMap<String, KnownSwitch>,
}

/// Until when looks at a server say nothing of it as it is now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KnownSwitch {
    /// The newest time at which its switch was known to be off: it enforced nothing then. In milliseconds since 1970.
    pub off_ms: Option<i64>,
    /// The newest time from which its switch is known to have been changed since, if it was. In milliseconds since 1970.
    pub changed_ms: Option<i64>,
}

impl Vantages {
    /// The rules of zones, and the looks of probes in them, of which those that are older than `longest` at `now` count no more.
    /// Of several probes in one zone, the newest look at each listener counts.
    #[must_use]
    pub fn new(rules: Vec<ZoneRule>, all: Vec<Looks>, now: Timestamp, longest: SignedDuration) -> Self {
        let mut zones: Vec<(Arc<str>, ByListener)> = Vec::new();
        for Looks { zone, looks } in all {
            let mut own = ByListener::new();
            for (host, look) in looks {
                own.entry((folded(&host), look.port)).or_default().push(look);
            }
            let known = match zones.iter().position(|(name, _)| *name == zone) {
                Some(index) => index,
                None => {
                    zones.push((zone, ByListener::new()));
                    zones.len() - 1
                }
            };
            let Some((_, known)) = zones.get_mut(known) else { continue };
            for (listener, looks) in own {
                let before = known.remove(&listener).unwrap_or_default();
                known.insert(listener, newest_of(before, looks));
            }
        }
        Self { rules, zones, now_ms: now.as_millisecond(), longest, switches: HashMap::new() }
    }

    /// The same where this is known of the switches of servers, by their keys.
    #[must_use]
    pub fn with_switches(self, switches: impl IntoIterator<Item = (String, KnownSwitch)>) -> Self {
        Self { switches: switches.into_iter().collect(), ..self }
    }

    /// What stands of a server's listeners: what was seen from here, and from the zones.
    #[must_use]
    pub fn combine(
        &self,
        server: &Server,
        subscription: &Subscription,
        here: Vec<WireObservation>,
    ) -> Vec<WireObservation> {
        let zone = zone_rule_of(&self.rules, server, subscription).map(|(_, rule)| &rule.zone);
        let mut looks = here;
        for port in server.kind.offering().ports {
            let listener = (folded(server.fqdn.as_deref().unwrap_or_default()), *port);
            let carried = self.zones.iter().filter_map(|(_, zone)| zone.get(&listener)).flatten();
            looks.extend(carried.map(|look| self.if_it_holds(server, look)));
            let from_zone = |look: &WireObservation| {
                look.port == *port && look.vantage.as_ref().is_some_and(|vantage| Some(&vantage.zone) == zone)
            };
            if let Some(zone) = zone.filter(|_| !looks.iter().any(from_zone)) {
                looks.push(self.silent(*port, zone));
            }
        }
        settle(server, zone, looks)
    }

    /// What was probed in zones and is no listener of any of these servers, as `host:port`, each once, in their order.
    #[must_use]
    pub fn strangers<'a>(&self, servers: impl Iterator<Item = &'a Server>) -> Vec<String> {
        let listeners = |server: &'a Server| {
            let host = folded(server.fqdn.as_deref().unwrap_or_default());
            server.kind.offering().ports.iter().map(move |port| (host.clone(), *port))
        };
        let known: HashSet<(Box<str>, u16)> = servers.flat_map(listeners).collect();
        let probed = self.zones.iter().flat_map(|(_, zone)| zone.keys()).filter(|listener| !known.contains(*listener));
        probed.map(|(host, port)| format!("{host}:{port}")).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// A look, unless it is too old to say anything of today.
    fn if_it_holds(&self, server: &Server, look: &WireObservation) -> WireObservation {
        let Some(vantage) = &look.vantage else { return look.clone() };
        let age = SignedDuration::from_millis(self.now_ms.saturating_sub(vantage.observed_ms));
        let switch = self.switches.get(&server.id.key()).copied().unwrap_or_default();
        let proves = matches!(&look.listener, Reading::Known(seen) if seen.transport == WireTransport::Enforced);
        let until =
            switch.changed_ms.max(switch.off_ms.filter(|_| proves)).filter(|until| *until >= vantage.observed_ms);
        if let Some(until) = until.and_then(|ms| Timestamp::from_millisecond(ms).ok()) {
            let detail = format!(
                "zone {} probed it {}, and its switch was off or was changed at {until:.0}",
                vantage.zone, look.observed_at
            );
            let listener = Reading::Unknown(Unchecked::new(Reason::ProberSilent, detail));
            return WireObservation { listener, ..look.clone() };
        }
        if age <= self.longest {
            return look.clone();
        }
        let detail =
            format!("zone {} probed it {}, which is more than {:#} ago", vantage.zone, look.observed_at, self.longest);
        WireObservation { listener: Reading::Unknown(Unchecked::new(Reason::ProberSilent, detail)), ..look.clone() }
    }

    fn silent(&self, port: u16, zone: &Arc<str>) -> WireObservation {
        let now = Timestamp::from_millisecond(self.now_ms).unwrap_or_default();
        let detail = format!("it is probed from zone {zone}, and there is no answer from there");
        WireObservation {
            port,
            address: None,
            observed_at: crate::rfc3339(now).into(),
            listener: Reading::Unknown(Unchecked::new(Reason::ProberSilent, detail)),
            vantage: Some(Box::new(Vantage { zone: Arc::clone(zone), observed_ms: self.now_ms })),
        }
    }
}

/// A host as it is compared: DNS knows no letter case, and a name may end with its root.
fn folded(host: &str) -> Box<str> {
    host.trim_end_matches('.').to_ascii_lowercase().into()
}

/// The looks of two probes of one listener in one zone: of each address the newer. Two machines, or two answers of DNS, may
/// have looked at different ones. A newer look that found no way hides nothing that an older one saw, and stands beside it.
fn newest_of(one: Vec<WireObservation>, other: Vec<WireObservation>) -> Vec<WireObservation> {
    let (older, mut newer) = if newest_ms(&one) < newest_ms(&other) { (one, other) } else { (other, one) };
    let taken = |look: &WireObservation| look.vantage.as_ref().map_or(i64::MIN, |vantage| vantage.observed_ms);
    for look in older {
        let same = |known: &&WireObservation| known.address == look.address && !found_no_way(known);
        match newer.iter().find(same) {
            Some(known) if taken(known) >= taken(&look) => {}
            Some(_) => {
                newer.retain(|known| !same(&known));
                newer.push(look);
            }
            None if found_no_way(&look) && newer.iter().any(|known| known.address == look.address) => {}
            None => newer.push(look),
        }
    }
    newer
}

fn newest_ms(looks: &[WireObservation]) -> i64 {
    looks.iter().filter_map(|look| look.vantage.as_ref()).map(|vantage| vantage.observed_ms).max().unwrap_or(i64::MIN)
}

/// Whether a look says no more than that there was no way to the listener from where it was taken.
fn found_no_way(look: &WireObservation) -> bool {
    let Reading::Unknown(blind) = &look.listener else { return false };
    matches!(blind.reason, Reason::Unresolved | Reason::Unreachable | Reason::ProberSilent)
}

/// Where a look was taken: a zone, or here.
fn place(look: &WireObservation) -> Option<&Arc<str>> {
    look.vantage.as_ref().map(|vantage| &vantage.zone)
}

/// Leaves out the places that found no way at all to a port that was seen from another place; of a port that no place saw,
/// what the zones say. An address that a place did not reach beside another one that it did reach stays: nothing is known
/// of that address. A private server that no zone covers has no vantage.
fn settle(server: &Server, zone: Option<&Arc<str>>, looks: Vec<WireObservation>) -> Vec<WireObservation> {
    let seen: HashSet<(u16, Option<Arc<str>>)> =
        looks.iter().filter(|look| !found_no_way(look)).map(|look| (look.port, place(look).cloned())).collect();
    let carried: HashSet<u16> = looks.iter().filter(|look| look.vantage.is_some()).map(|look| look.port).collect();
    let keep = |look: &WireObservation| {
        let own = seen.contains(&(look.port, place(look).cloned()));
        let other = seen.iter().any(|(port, _)| *port == look.port);
        // A name may lead elsewhere from here: the zone that a rule names has to answer for itself.
        let is_missed = found_no_way(look) && zone.is_some() && place(look) == zone;
        own || is_missed || (!other && (look.vantage.is_some() || !carried.contains(&look.port)))
    };
    let mut kept: Vec<WireObservation> = looks.into_iter().filter(keep).collect();
    if zone.is_none() && server.network.is_private() {
        let is_blind = |look: &WireObservation| found_no_way(look) && !seen.contains(&(look.port, None));
        for look in kept.iter_mut().filter(|look| look.vantage.is_none() && is_blind(look)) {
            let Reading::Unknown(blind) = &look.listener else { continue };
            let detail = format!("it is {}, which no zone covers; from here, {}", server.network.place(), blind.detail);
            look.listener = Reading::Unknown(Unchecked::new(Reason::NoVantage, detail));
        }
    }
    kept.sort_by_key(|look| look.port);
    kept
}

#[cfg(test)]
mod tests {
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
        let vantage = zone.map(|(zone, observed_ms)| Box::new(Vantage { zone: zone.into(), observed_ms }));
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
        let now = Timestamp::from_millisecond(NOW_MS).unwrap();
        Vantages::new(rules, files.into_iter().map(looks).collect(), now, SignedDuration::from_hours(24))
    }

    fn unresolved() -> Vec<WireObservation> {
        [5432, 6432].map(|port| look(port, Err(Reason::Unresolved), None)).into()
    }

    /// Per port: what was seen, or the reason why not; and from where.
    fn said(looks: &[WireObservation]) -> Vec<(u16, String, Option<&str>)> {
        let what = |look: &WireObservation| match &look.listener {
            Reading::Known(listener) => listener.transport.as_str().to_owned(),
            Reading::Unknown(blind) => blind.reason.as_str().to_owned(),
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
        let Reading::Unknown(blind) = &found[0].listener else { unreachable!("nothing was seen") };
        assert!(
            blind.detail.starts_with("it is in the virtual network vnet-data, which no zone covers"),
            "{}",
            blind.detail
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
        let Reading::Unknown(blind) = &found[0].listener else { unreachable!("it is too old") };
        assert!(blind.detail.contains("more than 24h ago"), "{}", blind.detail);
    }

    #[test]
    fn a_look_from_before_a_change_says_nothing_of_it() {
        let looks = || vec![look(5432, Ok(WireTransport::Optional), Some(("hub", NOW_MS - 9)))];
        let key = private().id.key();
        for (changed_ms, expected) in [(NOW_MS - 8, "prober-silent"), (NOW_MS - 10, "optional")] {
            let switch = KnownSwitch { off_ms: None, changed_ms: Some(changed_ms) };
            let zones = vantages(vec![rule("hub")], vec![("hub", looks())]).with_switches([(key.clone(), switch)]);
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
            let zones = vantages(vec![rule("hub")], vec![("hub", looks)]).with_switches([(key.clone(), switch)]);
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
            let said: Vec<String> =
                said(&found).into_iter().filter(|one| one.0 == 5432).map(|(_, word, _)| word).collect();
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
    fn two_machines_of_one_zone_may_see_different_addresses() {
        let at = |address: &str, transport, ago: i64| {
            let look = look(5432, Ok(transport), Some(("hub", NOW_MS - ago)));
            WireObservation { address: Some(address.into()), ..look }
        };
        let one = || {
            ("hub", vec![at("192.0.2.2", WireTransport::Enforced, 30), at("192.0.2.1", WireTransport::Enforced, 60)])
        };
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
        let of_port = |port| {
            vantages(vec![], vec![("hub", vec![look(port, Ok(WireTransport::Enforced), Some(("hub", NOW_MS)))])])
        };
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
}
