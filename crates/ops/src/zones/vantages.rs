//! What was seen of the listeners from elsewhere, laid over what is seen from here.
//!
//! A server may be reached from several places, and each of them sees what it sees: what one found is not undone by another
//! that found no way to the server. But that there is no way from anywhere is never a pass.

use crate::listener_probe::with_certificate_at;
use hostssl_model::{
    Reading, Reason, Server, ServerReport, Subscription, Unchecked, Vantage, WireObservation, WireTransport,
    WorstListener, ZoneRule, standing_looks, zone_rule_of,
};
use hostssl_store::{EndedLook, KnownFromZones};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
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
    /// Nothing where no rules were given: then it is not known from where a server has to be probed.
    rules: Option<Vec<ZoneRule>>,
    zones: Vec<(Arc<str>, ByListener)>,
    /// When an audit takes the looks in, in milliseconds since 1970.
    now_ms: i64,
    longest: SignedDuration,
    /// What the state knows of servers, by their keys.
    known: HashMap<String, KnownServer>,
    /// Why a prober did not look at a listener, by zone and listener.
    reasons: HashMap<(String, Box<str>, u16), String>,
}

/// What the state knows of a server.
#[derive(Debug, Clone, Default)]
pub struct KnownServer {
    /// Until when looks say nothing of it as it is now.
    pub switch: KnownSwitch,
    /// What was seen of it from zones, as far as that stands.
    pub looks: Vec<WireObservation>,
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
    pub fn new(rules: Option<Vec<ZoneRule>>, all: Vec<Looks>, now: Timestamp, longest: SignedDuration) -> Self {
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
        Self { rules, zones, now_ms: now.as_millisecond(), longest, known: HashMap::new(), reasons: HashMap::new() }
    }

    /// The same where the state knows this of servers, by their keys. What it saw from a zone that is named here counts as if it
    /// had been brought again: the newest look does, wherever it is.
    #[must_use]
    pub fn with_known(self, known: impl IntoIterator<Item = (String, KnownServer)>) -> Self {
        Self { known: known.into_iter().collect(), ..self }
    }

    /// The same where probers in these zones gave reasons why they did not look at these hosts and ports.
    #[must_use]
    pub fn with_reasons(self, reasons: impl IntoIterator<Item = (String, String, u16, String)>) -> Self {
        let reasons = reasons.into_iter().map(|(zone, host, port, why)| ((zone, folded(&host), port), why));
        Self { reasons: reasons.collect(), ..self }
    }

    /// The same with what a state knows.
    #[must_use]
    pub fn with_state(self, known: Vec<KnownFromZones>) -> Self {
        let server = |KnownFromZones { server, looks, off_ms, changed_ms, .. }: KnownFromZones| {
            (server, KnownServer { switch: KnownSwitch { off_ms, changed_ms }, looks })
        };
        self.with_known(known.into_iter().map(server))
    }

    /// What counted before an audit and counts no more after it, with the server's name.
    #[must_use]
    pub fn ended<'a>(&self, after: &'a [KnownFromZones]) -> Vec<(&'a str, &'a EndedLook)> {
        let same = |a: &WireObservation, b: &WireObservation| {
            (a.port, &a.address, &a.vantage) == (b.port, &b.address, &b.vantage)
        };
        let of_server = |after: &'a KnownFromZones| {
            let before = self.known.get(&after.server).map(|known| known.looks.as_slice()).unwrap_or_default();
            let ended = after.ended.iter().filter(move |one| before.iter().any(|look| same(look, &one.look)));
            ended.map(move |one| (after.name.as_str(), one))
        };
        after.iter().flat_map(of_server).collect()
    }

    /// Whether it is known which servers are probed from which zone.
    #[must_use]
    pub fn knows_rules(&self) -> bool {
        self.rules.is_some()
    }

    fn rules(&self) -> &[ZoneRule] {
        self.rules.as_deref().unwrap_or_default()
    }

    /// Whether rules were given, and none of them names a zone: then nothing is probed there any more.
    #[must_use]
    pub fn is_unruled(&self, zone: &str) -> bool {
        self.rules.as_ref().is_some_and(|rules| rules.iter().all(|rule| *rule.zone != *zone))
    }

    /// Whether the rules or the looks that were brought name a zone.
    fn names(&self, zone: &str) -> bool {
        self.rules().iter().any(|rule| *rule.zone == *zone) || self.zones.iter().any(|(known, _)| **known == *zone)
    }

    /// What stands of a server's listeners: what was seen from here, and from the zones.
    #[must_use]
    pub fn combine(
        &self,
        server: &Server,
        subscription: &Subscription,
        here: Vec<WireObservation>,
    ) -> Vec<WireObservation> {
        let zone = zone_rule_of(self.rules(), server, subscription).map(|(_, rule)| &rule.zone);
        let mut looks = here;
        for port in server.kind.offering().ports {
            looks.extend(self.carried(server, *port).iter().map(|look| self.if_it_holds(server, look)));
            let from_zone = |look: &WireObservation| {
                look.port == *port && look.vantage.as_ref().is_some_and(|vantage| Some(&vantage.zone) == zone)
            };
            if let Some(zone) = zone.filter(|_| !looks.iter().any(from_zone)) {
                looks.push(self.silent(server, *port, zone));
            }
        }
        settle(server, zone, looks)
    }

    /// What was seen of a listener from zones: of each zone the newest looks, be they brought or in the state.
    fn carried(&self, server: &Server, port: u16) -> Vec<WireObservation> {
        let listener = (folded(server.fqdn.as_deref().unwrap_or_default()), port);
        let mut carried: BTreeMap<&str, Vec<WireObservation>> = BTreeMap::new();
        for (zone, looks) in &self.zones {
            carried.insert(zone, looks.get(&listener).cloned().unwrap_or_default());
        }
        let mut kept: BTreeMap<&str, Vec<WireObservation>> = BTreeMap::new();
        for (look, vantage) in self.kept(server).filter(|(look, _)| look.port == port) {
            if self.age(vantage) <= self.longest && self.names(&vantage.zone) {
                kept.entry(&vantage.zone).or_default().push(self.judged_now(look));
            }
        }
        for (zone, looks) in kept {
            let brought = carried.remove(zone).unwrap_or_default();
            carried.insert(zone, newest_of(looks, brought));
        }
        carried.into_values().flatten().collect()
    }

    /// What the state saw of a server from zones.
    fn kept(&self, server: &Server) -> impl Iterator<Item = (&WireObservation, &Vantage)> {
        let known = self.known.get(&server.id.key());
        let looks = known.into_iter().flat_map(|known| &known.looks);
        looks.filter_map(|look| Some((look, look.vantage.as_deref()?)))
    }

    /// A look of the state with its certificate as old as it is now.
    fn judged_now(&self, look: &WireObservation) -> WireObservation {
        let now = Timestamp::from_millisecond(self.now_ms).unwrap_or_default();
        with_certificate_at(look.clone(), now)
    }

    fn age(&self, vantage: &Vantage) -> SignedDuration {
        SignedDuration::from_millis(self.now_ms.saturating_sub(vantage.observed_ms))
    }

    /// The listeners of an audit of which the state knows that they accepted plaintext from a zone that the audit had no look
    /// from which decides anything: of each server and port one look.
    #[must_use]
    pub fn untold<'a>(&'a self, servers: &'a [ServerReport]) -> Vec<(&'a ServerReport, &'a WireObservation)> {
        let accepts = |look: &WireObservation| WorstListener::from(&look.listener).accepts_plaintext();
        let of_server = |server: &'a ServerReport| {
            // Where the audit saw plaintext itself at that port, it says so.
            let is_told = |look: &WireObservation| {
                let mut own = server.wire.iter().filter(|seen| seen.port == look.port);
                own.any(|seen| (place(seen) == place(look) && seen.is_decided()) || accepts(seen))
            };
            let open = self.kept(&server.server).map(|(look, _)| look).filter(|look| accepts(look) && !is_told(look));
            let by_port: BTreeMap<u16, &WireObservation> = open.map(|look| (look.port, look)).collect();
            by_port.into_values().map(move |look| (server, look))
        };
        servers.iter().flat_map(of_server).collect()
    }

    /// What was probed in zones and is not a listener of any of these servers, as `host:port`, each once, in their order.
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
        let age = self.age(vantage);
        let switch = self.known.get(&server.id.key()).map(|known| known.switch).unwrap_or_default();
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

    fn silent(&self, server: &Server, port: u16, zone: &Arc<str>) -> WireObservation {
        let now = Timestamp::from_millisecond(self.now_ms).unwrap_or_default();
        let own = self.kept(server).filter(|(look, vantage)| look.port == port && vantage.zone == *zone);
        let last =
            own.map(|(_, vantage)| vantage.observed_ms).max().and_then(|ms| Timestamp::from_millisecond(ms).ok());
        let last = last.map_or(String::new(), |last| format!("; its last one is of {last:.0}"));
        let host = folded(server.fqdn.as_deref().unwrap_or_default());
        let why = self.reasons.get(&(zone.to_string(), host, port)).map_or(String::new(), |why| format!(": {why}"));
        let detail = format!("it is probed from zone {zone}, and there is no answer from there{why}{last}");
        WireObservation {
            port,
            address: None,
            observed_at: crate::rfc3339(now).into(),
            listener: Reading::Unknown(Unchecked::new(Reason::ProberSilent, detail)),
            vantage: Some(Box::new(Vantage { zone: Arc::clone(zone), observed_ms: self.now_ms, prober: None })),
        }
    }
}

/// A host as it is compared: DNS knows no letter case, and a name may end with its root.
fn folded(host: &str) -> Box<str> {
    host.trim_end_matches('.').to_ascii_lowercase().into()
}

/// The looks of two probes of one listener in one zone. Two machines, or two answers of DNS, may have looked at different
/// addresses.
fn newest_of(one: Vec<WireObservation>, other: Vec<WireObservation>) -> Vec<WireObservation> {
    let (older, newer) = if newest_ms(&one) < newest_ms(&other) { (one, other) } else { (other, one) };
    standing_looks(newer.into_iter().chain(older))
}

fn newest_ms(looks: &[WireObservation]) -> i64 {
    looks.iter().filter_map(|look| look.vantage.as_ref()).map(|vantage| vantage.observed_ms).max().unwrap_or(i64::MIN)
}

/// Whether a look says no more than that there was no way to the listener from where it was taken.
fn found_no_way(look: &WireObservation) -> bool {
    let Reading::Unknown(unchecked) = &look.listener else { return false };
    unchecked.reason.is_no_way()
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
        let is_unchecked = |look: &WireObservation| found_no_way(look) && !seen.contains(&(look.port, None));
        for look in kept.iter_mut().filter(|look| look.vantage.is_none() && is_unchecked(look)) {
            let Reading::Unknown(unchecked) = &look.listener else { continue };
            let detail =
                format!("it is {}, which no zone covers; from here, {}", server.network.place(), unchecked.detail);
            look.listener = Reading::Unknown(Unchecked::new(Reason::NoVantage, detail));
        }
    }
    kept.sort_by_key(|look| look.port);
    kept
}

#[cfg(test)]
mod tests;
