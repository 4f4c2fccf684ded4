//! What zones saw of one server, and when that counts no more.
//!
//! A zone that was not asked says nothing, so that what it saw stands, with its age. But a zone may be renamed or go, and so
//! may an address: then no newer look ever replaces the old one, and it has an end of its own.

use super::Evidence;
use crate::newest_look::standing_beside;
use crate::{Reading, Reason, Unchecked, Vantage, WireObservation};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A listener as one zone sees it: its port, and the zone.
type ZonedPort = (u16, Arc<str>);

/// How much older than the newest look of its zone a look at an address may be that was not looked at since. Two machines of a
/// zone may see different addresses, each at its own time; one that none of them finds any more is gone.
const ADDRESS_GRACE_MS: i64 = 86_400_000;

/// What zones saw of one server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ZonesSeen {
    /// Of each address the newest look that decides something, and a newer one that got an answer which decides nothing: what
    /// one place saw is replaced by that place alone.
    pub seen: BTreeMap<(u16, Arc<str>), Evidence<Vec<WireObservation>>>,
    /// The newest audit that had looks from there, whether or not they got an answer.
    pub last: BTreeMap<(u16, Arc<str>), Evidence<LastLooks>>,
    /// The newest audit that knew the rules of zones, and the zones from which it had looks at this server: none where no rule
    /// puts it into a zone.
    pub rules: Option<Evidence<Vec<Arc<str>>>>,
    /// The same of such audits in which every look at the port that they relied on decided something. Its time is that of the
    /// oldest of those looks, and the newest such time stands: an audit may rely on looks that are hours older than itself.
    pub settled: BTreeMap<u16, Evidence<Vec<Arc<str>>>>,
    /// The probers that are believed no more, by their ids, and since when, in milliseconds since 1970.
    pub disowned: BTreeMap<Arc<str>, i64>,
}

/// The looks of one audit at one port from one zone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LastLooks {
    /// The addresses that were looked at.
    pub addresses: Vec<Option<Box<str>>>,
    /// The looks that got no answer.
    pub failed: Vec<WireObservation>,
}

/// Why a look from a zone counts no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LookEnd {
    /// The switch was off or was turned since.
    Switch,
    /// Azure says that the server has no such listener any more.
    Port,
    /// Its zone has looked since, and that address is no longer among those of the server.
    Address,
    /// No rule puts the server into that zone any more, and the listener was seen since from where the rules say.
    Zone,
    /// The prober that took it was revoked or suspended.
    Prober,
}

impl LookEnd {
    /// The words for people, behind the look.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Switch => "the switch was turned since",
            Self::Port => "the server has no such listener any more",
            Self::Address => "the zone has looked since, and the server no longer has that address there",
            Self::Zone => "the server is no longer in that zone, and was seen since from where the rules say",
            Self::Prober => "the prober that took it was revoked or suspended",
        }
    }
}

impl ZonesSeen {
    /// Whether the newest rules put the server into no zone. `false` where no rules are known.
    #[must_use]
    pub fn is_in_no_zone(&self) -> bool {
        self.rules.as_ref().is_some_and(|rules| rules.what.is_empty())
    }

    /// What the newest probe alone says of zones.
    #[must_use]
    pub fn of_newest(probe: &Evidence<Vec<WireObservation>>) -> Self {
        let mut zones = Self::default();
        zones.add(probe, false);
        zones
    }

    /// Folds in what an audit saw, which knew the rules of zones or did not.
    pub(super) fn add(&mut self, probe: &Evidence<Vec<WireObservation>>, knew_rules: bool) {
        let mut by_place: BTreeMap<ZonedPort, Vec<&WireObservation>> = BTreeMap::new();
        for look in &probe.what {
            if let Some(zone) = zone_of(look) {
                by_place.entry((look.port, Arc::clone(zone))).or_default().push(look);
            }
        }
        for (place, looks) in &by_place {
            let failed = looks.iter().filter(|look| !is_known(look)).map(|look| (*look).clone()).collect();
            let addresses = looks.iter().map(|look| look.address.clone()).collect();
            super::newest_of(&mut self.last, place.clone(), at_ms_of(probe, LastLooks { addresses, failed }));
        }
        // A server that does not run is asked nowhere, whatever zone it is in.
        let is_asked = |look: &WireObservation| match &look.listener {
            Reading::Known(_) => true,
            Reading::Unknown(unchecked) => unchecked.reason.is_no_way(),
        };
        if knew_rules && (!by_place.is_empty() || probe.what.iter().all(is_asked)) {
            self.add_rules(probe, by_place.keys());
        }
    }

    fn add_rules<'a>(
        &mut self,
        probe: &Evidence<Vec<WireObservation>>,
        places: impl Iterator<Item = &'a ZonedPort> + Clone,
    ) {
        let mut zones: Vec<Arc<str>> = places.clone().map(|(_, zone)| Arc::clone(zone)).collect();
        zones.sort();
        zones.dedup();
        for port in probe.what.iter().map(|look| look.port) {
            let relied_on = |look: &&WireObservation| look.port == port && zone_of(look).is_some() != zones.is_empty();
            let looks: Vec<&WireObservation> = probe.what.iter().filter(relied_on).collect();
            // One from here has the time of the audit. The clock of a zone may be ahead of this one.
            let taken = |look: &&WireObservation| taken_ms(look).unwrap_or(probe.at_ms).min(probe.at_ms);
            let oldest = looks.iter().map(taken).min().filter(|_| looks.iter().all(|look| look.is_decided()));
            if let Some(at_ms) = oldest {
                let settled = Evidence { what: zones.clone(), at_ms, source: probe.source.clone() };
                super::newest_of(&mut self.settled, port, settled);
            }
        }
        super::newest(&mut self.rules, at_ms_of(probe, zones));
    }

    /// Ends what a prober saw, from `since_ms` on. A place that no one else has seen is one without an answer from then on.
    pub fn disown(&mut self, prober: &Arc<str>, since_ms: i64) {
        self.disowned.entry(Arc::clone(prober)).or_insert(since_ms);
        for (place, seen) in &self.seen {
            let is_own = |look: &&WireObservation| self.is_disowned(look).is_some();
            let Some(own) = seen.what.iter().find(is_own) else { continue };
            if seen.what.iter().all(|look| is_own(&look)) {
                let failed = vec![without_answer(own, prober, since_ms)];
                let looks = LastLooks { addresses: Vec::new(), failed };
                // Not before the audit that counted them, whatever the clocks say.
                let at_ms = self.last.get(place).map_or(since_ms, |last| last.at_ms.max(since_ms));
                self.last.insert(place.clone(), Evidence { what: looks, at_ms, source: seen.source.clone() });
            }
        }
    }

    /// Since when the prober that took a look is not believed any more.
    fn is_disowned(&self, look: &WireObservation) -> Option<i64> {
        self.disowned.get(look.vantage.as_ref()?.prober.as_ref()?).copied()
    }

    /// The looks of one place without those that others replace. One that is not believed any more replaces none, and none it.
    pub(super) fn not_replaced<'a>(&self, looks: &'a [WireObservation]) -> Vec<&'a WireObservation> {
        let (disowned, mut believed): (Vec<_>, Vec<_>) =
            looks.iter().partition(|look| self.is_disowned(look).is_some());
        if believed.iter().any(|look| look.vantage.is_some()) {
            believed = standing_beside(believed);
        }
        believed.into_iter().chain(disowned).collect()
    }

    /// Why a look that got an answer counts no more, and since when; `None` for one that counts, as far as zones, probers and
    /// addresses say.
    pub(super) fn end_of(&self, look: &WireObservation) -> Option<(LookEnd, i64)> {
        let vantage = look.vantage.as_ref()?;
        if let Some(since_ms) = self.is_disowned(look) {
            return Some((LookEnd::Prober, since_ms));
        }
        let place = (look.port, Arc::clone(&vantage.zone));
        let is_ruled = self.rules.as_ref().is_some_and(|rules| rules.what.contains(&vantage.zone));
        if let Some(settled) = self.settled.get(&look.port)
            && settled.at_ms > vantage.observed_ms
            && !settled.what.contains(&vantage.zone)
            && !is_ruled
        {
            return Some((LookEnd::Zone, settled.at_ms));
        }
        let last = self.last.get(&place)?;
        let believed = self.seen.get(&place)?.what.iter().filter(|look| self.is_disowned(look).is_none());
        let decided = believed.filter(|look| look.is_decided());
        let newest = decided.filter_map(taken_ms).max()?;
        let is_old = newest.saturating_sub(vantage.observed_ms) > ADDRESS_GRACE_MS;
        (is_old && !last.what.addresses.contains(&look.address)).then_some((LookEnd::Address, last.at_ms))
    }

    /// What was asked in zones and got no answer, with the time of the audit: a zone that the rules no longer name for this
    /// server has nothing to answer.
    pub(super) fn failed(&self) -> impl Iterator<Item = (u16, &Evidence<LastLooks>)> {
        let is_over = |zone: &Arc<str>, at_ms: i64| {
            self.rules.as_ref().is_some_and(|rules| rules.at_ms > at_ms && !rules.what.contains(zone))
        };
        let last = self.last.iter().filter(move |((_, zone), last)| !is_over(zone, last.at_ms));
        last.map(|((port, _), last)| (*port, last))
    }
}

/// That there is no answer from a zone, where a prober that is not believed any more had one.
fn without_answer(look: &WireObservation, prober: &Arc<str>, since_ms: i64) -> WireObservation {
    let detail = format!("prober {prober}, which probed it, was revoked or suspended");
    let zone = zone_of(look).cloned().unwrap_or_default();
    WireObservation {
        address: None,
        listener: Reading::Unknown(Unchecked::new(Reason::ProberSilent, detail)),
        vantage: Some(Box::new(Vantage { zone, observed_ms: since_ms, prober: None })),
        ..look.clone()
    }
}

/// Addresses of a listener that are remembered after they are gone.
const MAX_GONE: usize = 16;

/// Sorts looks, the newest first, and forgets the oldest at addresses that are gone, where there are many.
pub(super) fn forget_old(looks: &mut Vec<WireObservation>) {
    looks.sort_by_key(|look| (std::cmp::Reverse(taken_ms(look)), look.address.clone()));
    if looks.len() <= MAX_GONE {
        return;
    }
    let newest = looks.first().and_then(taken_ms).unwrap_or_default();
    let is_recent =
        |look: &WireObservation| taken_ms(look).is_none_or(|taken| newest.saturating_sub(taken) <= ADDRESS_GRACE_MS);
    let recent = looks.iter().take_while(|look| is_recent(look)).count();
    looks.truncate(recent.max(MAX_GONE));
}

fn at_ms_of<T>(probe: &Evidence<Vec<WireObservation>>, what: T) -> Evidence<T> {
    Evidence { what, at_ms: probe.at_ms, source: probe.source.clone() }
}

fn is_known(look: &WireObservation) -> bool {
    matches!(look.listener, Reading::Known(_))
}

fn zone_of(look: &WireObservation) -> Option<&Arc<str>> {
    look.vantage.as_ref().map(|vantage| &vantage.zone)
}

fn taken_ms(look: &WireObservation) -> Option<i64> {
    look.vantage.as_ref().map(|vantage| vantage.observed_ms)
}
