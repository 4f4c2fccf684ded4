//! The current state of one server, folded from everything that was ever observed of it.
//!
//! The newest evidence of each kind stands until newer evidence of that kind replaces it. An observation that was not
//! made says nothing. One that failed changes nothing for the better or worse: a bad result stands, and a good one must
//! be observed again. The result does not depend on the order of the evidence, except for probes of single ports, which
//! are folded as they arrive.

mod zones;

pub use zones::{LastLooks, LookEnd, ZonesSeen};

use crate::newest_look::standing_of_each_prober;
use crate::{Enforcement, Proof, Reading, Standing, WireObservation, WireTransport};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

/// Something that was seen, when, and by which run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence<T> {
    /// The observed value.
    pub what: T,
    /// When, in milliseconds since 1970-01-01T00:00:00Z: the start of the audit, the moment of the probe or of the
    /// read-back.
    pub at_ms: i64,
    /// The id of the audit, of the probe, or of the run that changed the server.
    pub source: Box<str>,
}

impl<T> Evidence<T> {
    fn rank(&self) -> (i64, &str) {
        (self.at_ms, &self.source)
    }
}

/// One thing that was seen of a server.
#[derive(Debug, Clone)]
pub enum Observation {
    /// An audit read, or could not read, whether TLS is declared to be required.
    Declared(Evidence<Enforcement>),
    /// An audit probed its listeners. Empty means that nothing was probed, and says nothing.
    Probed(Evidence<Vec<WireObservation>>),
    /// The same by an audit that knew which servers are probed from which zone.
    ProbedByRules(Evidence<Vec<WireObservation>>),
    /// A stand-alone probe of some of its ports got an answer. It says nothing about the others, and does not clear a
    /// port on which an audit saw worse: a manual probe may name fewer users and databases.
    ProbedAlone(Evidence<Vec<WireObservation>>),
    /// A run wrote the switch and read it back.
    Changed(Evidence<SwitchChange>),
}

/// What a run did to the switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SwitchChange {
    /// What it found.
    pub before: Enforcement,
    /// What it read back.
    pub after: Enforcement,
}

/// The evidence that stands of one server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CurrentState {
    /// The newest look at the setting, whether or not it could be read.
    pub looked: Option<Evidence<Enforcement>>,
    /// The newest value that was read.
    pub read: Option<Evidence<Enforcement>>,
    /// The newest time at which the setting was known to be off. What a probe saw until then says nothing about a
    /// switch that was turned on later.
    pub off_ms: Option<i64>,
    /// The newest probe, whatever came of it.
    pub probe: Option<Evidence<Vec<WireObservation>>>,
    /// By port, what the newest probe that got an answer there saw.
    pub answered: BTreeMap<u16, Evidence<Vec<WireObservation>>>,
    /// The ports that the newest probe found that got an answer anywhere. It asked Azure for any other.
    pub listed: Option<Evidence<Vec<u16>>>,
    /// What was seen from zones.
    pub zones: ZonesSeen,
    /// The newest change by a run.
    pub changed: Option<Evidence<SwitchChange>>,
}

impl CurrentState {
    /// Folds in one thing that was seen.
    pub fn add(&mut self, seen: Observation) {
        match seen {
            Observation::Declared(look) => self.add_declared(look),
            Observation::Probed(probe) | Observation::ProbedByRules(probe) if probe.what.is_empty() => {}
            Observation::Probed(probe) => self.add_probe(probe, false),
            Observation::ProbedByRules(probe) => self.add_probe(probe, true),
            Observation::ProbedAlone(probe) => self.add_probe_alone(&probe),
            Observation::Changed(change) => {
                if change.what.before == Enforcement::NotEnforced {
                    self.off_ms = self.off_ms.max(Some(change.at_ms));
                }
                let Evidence { what: SwitchChange { after, .. }, at_ms, .. } = change;
                self.add_declared(Evidence { what: after, at_ms, source: change.source.clone() });
                newest(&mut self.changed, change);
            }
        }
    }

    /// When the newest of this was seen; looks from zones, which have the clocks of their probers, are left out.
    #[must_use]
    pub fn newest_ms(&self) -> Option<i64> {
        let at = |one: &Evidence<Vec<WireObservation>>| one.at_ms;
        let declared = self.looked.iter().chain(&self.read).map(|one| one.at_ms).chain(self.off_ms);
        let probed =
            self.probe.iter().chain(self.answered.values()).map(at).chain(self.listed.as_ref().map(|one| one.at_ms));
        declared.chain(probed).chain(self.changed.as_ref().map(|one| one.at_ms)).max()
    }

    /// Dates all of this back by a time: a clock was ahead. What probers in zones saw keeps the times of their clocks.
    pub fn date_back(&mut self, by_ms: i64) {
        let earlier = |at_ms: &mut i64| *at_ms = at_ms.saturating_sub(by_ms);
        self.looked.iter_mut().chain(&mut self.read).for_each(|one| earlier(&mut one.at_ms));
        self.off_ms.iter_mut().for_each(earlier);
        self.probe.iter_mut().chain(self.answered.values_mut()).for_each(|one| earlier(&mut one.at_ms));
        self.listed.iter_mut().for_each(|one| earlier(&mut one.at_ms));
        self.changed.iter_mut().for_each(|one| earlier(&mut one.at_ms));
        self.zones.last.values_mut().for_each(|one| earlier(&mut one.at_ms));
        self.zones.rules.iter_mut().for_each(|one| earlier(&mut one.at_ms));
    }

    fn add_declared(&mut self, look: Evidence<Enforcement>) {
        if look.what == Enforcement::NotEnforced {
            self.off_ms = self.off_ms.max(Some(look.at_ms));
        }
        if look.what != Enforcement::Unknown {
            newest(&mut self.read, look.clone());
        }
        newest(&mut self.looked, look);
    }

    fn add_probe(&mut self, probe: Evidence<Vec<WireObservation>>, knew_rules: bool) {
        self.zones.add(&probe, knew_rules);
        if probe.what.iter().any(|look| matches!(look.listener, Reading::Known(_))) {
            let mut ports: Vec<u16> = probe.what.iter().map(|look| look.port).collect();
            ports.sort_unstable();
            ports.dedup();
            newest(&mut self.listed, Evidence { what: ports, at_ms: probe.at_ms, source: probe.source.clone() });
        }
        let mut by_place: BTreeMap<(u16, Option<Arc<str>>), Vec<WireObservation>> = BTreeMap::new();
        for look in probe.what.iter().filter(|look| matches!(look.listener, Reading::Known(_))) {
            let zone = look.vantage.as_ref().map(|vantage| Arc::clone(&vantage.zone));
            by_place.entry((look.port, zone)).or_default().push(look.clone());
        }
        for ((port, zone), what) in by_place {
            // A look that was carried here is as old as it is, whenever the audit that took it in began; of several, each.
            let taken = what.iter().filter_map(|look| look.vantage.as_ref()).map(|vantage| vantage.observed_ms).max();
            let at_ms = taken.map_or(probe.at_ms, |taken_ms| taken_ms.min(probe.at_ms));
            let seen = Evidence { what, at_ms, source: probe.source.clone() };
            match zone {
                Some(zone) => merge(self.zones.seen.entry((port, zone)), seen),
                None => newest_of(&mut self.answered, port, seen),
            }
        }
        newest(&mut self.probe, probe);
    }

    fn add_probe_alone(&mut self, probe: &Evidence<Vec<WireObservation>>) {
        let transport = |look: &WireObservation| match &look.listener {
            Reading::Known(listener) => Some(listener.transport),
            Reading::Unknown(_) => None,
        };
        let is_bad = |look: &WireObservation| {
            matches!(transport(look), Some(WireTransport::Optional | WireTransport::PlaintextOnly))
        };
        // What decides nothing says nothing.
        let answered =
            |look: &&WireObservation| transport(look).is_some_and(|found| found != WireTransport::Inconclusive);
        let off_ms = self.off_ms.filter(|_| self.declared() == Enforcement::Enforced);
        let stands = |at_ms: i64| off_ms.is_none_or(|off| at_ms > off);
        let mut by_port: BTreeMap<u16, Vec<WireObservation>> = BTreeMap::new();
        for look in probe.what.iter().filter(answered) {
            by_port.entry(look.port).or_default().push(look.clone());
        }
        for (port, what) in by_port {
            let worse = |known: &Evidence<Vec<WireObservation>>| stands(known.at_ms) && known.what.iter().any(is_bad);
            let newer = self.answered.get(&port).is_none_or(|known| known.at_ms < probe.at_ms);
            if !newer || (self.answered.get(&port).is_some_and(worse) && !what.iter().any(is_bad)) {
                continue;
            }
            let seen = |what| Evidence { what, at_ms: probe.at_ms, source: probe.source.clone() };
            match &mut self.probe {
                None => self.probe = Some(seen(what.clone())),
                // The port is there; what the newest probe did not get an answer to has one now.
                Some(known) if known.at_ms < probe.at_ms => {
                    known.what.retain(|look| look.port != port || look.vantage.is_some());
                    known.what.extend(what.iter().cloned());
                }
                Some(_) => {}
            }
            self.answered.insert(port, seen(what));
        }
    }

    /// What a run wrote and read back, if nothing declared is newer.
    #[must_use]
    pub fn newest_change(&self) -> Option<Enforcement> {
        let change = self.changed.as_ref()?;
        let is_newest = self.looked.as_ref().is_none_or(|look| look.source == change.source);
        is_newest.then_some(change.what.after)
    }

    /// What is declared: the newest look, unless that failed and the value before was off. What was off when it was
    /// read last is not cleared because it could not be read since; what was on then is unknown now.
    #[must_use]
    pub fn declared(&self) -> Enforcement {
        let looked = self.looked.as_ref().map_or(Enforcement::Unknown, |look| look.what);
        match (looked, &self.read) {
            (Enforcement::Unknown, Some(read)) if read.what == Enforcement::NotEnforced => Enforcement::NotEnforced,
            (looked, _) => looked,
        }
    }

    /// What stands of the listeners: of each port the newest look that got an answer, from here and from each zone, and beside
    /// it what got none. A port that Azure says is gone since has none. What a probe saw while the switch was off is left out
    /// once it is on.
    #[must_use]
    pub fn wire(&self) -> Vec<WireObservation> {
        let Some(probe) = &self.probe else { return Vec::new() };
        let standing = self.looks().filter(|(_, _, end)| end.is_none());
        let mut wire: Vec<WireObservation> = standing.map(|(look, ..)| look.clone()).collect();
        let from_zones: Vec<u16> = wire.iter().filter(|look| look.vantage.is_some()).map(|look| look.port).collect();
        for (port, last) in self.zones.failed() {
            if self.is_there(port, last.at_ms) && self.is_after_the_switch(last.at_ms) {
                wire.extend(last.what.failed.iter().cloned());
            }
        }
        if self.is_after_the_switch(probe.at_ms) {
            // That there is no way from here says nothing of what a zone saw, unless the server is in no zone any more.
            let is_covered = |port: u16| {
                let is_gone = !self.is_there(port, i64::MIN) && !from_zones.is_empty();
                !self.zones.is_in_no_zone() && (is_gone || from_zones.contains(&port))
            };
            let failed = probe.what.iter().filter(|look| match &look.listener {
                Reading::Known(_) => false,
                Reading::Unknown(unchecked) => {
                    look.vantage.is_none() && !(unchecked.reason.is_no_way() && is_covered(look.port))
                }
            });
            wire.extend(failed.cloned());
        }
        wire.sort_by_key(|look| look.port);
        wire
    }

    /// Every look that got an answer and was not replaced, with the time of its evidence; and why it counts no more, where it
    /// does not, and since when.
    pub fn looks(&self) -> impl Iterator<Item = (&WireObservation, i64, Option<(LookEnd, i64)>)> {
        self.seen().flat_map(move |(port, seen)| {
            self.zones.not_replaced(&seen.what).into_iter().map(move |look| {
                let taken_ms = look.vantage.as_ref().map_or(seen.at_ms, |from| from.observed_ms);
                let gone = self.listed.as_ref().filter(|_| !self.is_there(port, seen.at_ms));
                let end = gone.map(|listed| (LookEnd::Port, listed.at_ms)).or_else(|| self.zones.end_of(look)).or_else(
                    || {
                        (!self.is_after_the_switch(taken_ms))
                            .then(|| (LookEnd::Switch, self.off_ms.unwrap_or_default()))
                    },
                );
                (look, taken_ms, end)
            })
        })
    }

    /// Whether the server has a listener at a port, as far as is known, of which there is evidence of some time.
    fn is_there(&self, port: u16, at_ms: i64) -> bool {
        self.listed.as_ref().is_none_or(|listed| listed.what.contains(&port) || listed.at_ms < at_ms)
    }

    /// Whether what was seen at some time was seen since the switch was known to be off, if it is on.
    fn is_after_the_switch(&self, at_ms: i64) -> bool {
        self.declared() != Enforcement::Enforced || self.off_ms.is_none_or(|off| at_ms > off)
    }

    /// What was seen of each port, from here and from each zone.
    pub fn seen(&self) -> impl Iterator<Item = (u16, &Evidence<Vec<WireObservation>>)> {
        let here = self.answered.iter().map(|(port, seen)| (*port, seen));
        here.chain(self.zones.seen.iter().map(|((port, _), seen)| (*port, seen)))
    }

    /// When the looks that decide were taken: where one accepts plaintext, the newest that does, and otherwise the oldest of
    /// all that stand, as a proof is no younger than that. `None` when there are none.
    #[must_use]
    pub fn probed_ms(&self) -> Option<i64> {
        let standing = || self.looks().filter(|(_, _, end)| end.is_none());
        let accepting =
            standing().filter(|(look, ..)| Proof::of(std::slice::from_ref(*look)) == Proof::AcceptsPlaintext);
        let accepted = accepting.map(|(_, taken_ms, _)| taken_ms).max();
        let decisive = accepted.or_else(|| standing().map(|(_, taken_ms, _)| taken_ms).min());
        decisive.or_else(|| (!self.wire().is_empty()).then(|| self.probe.as_ref().map(|probe| probe.at_ms)).flatten())
    }

    /// Whether there is evidence of probes, all of it from before the switch was turned on.
    #[must_use]
    pub fn probed_before_the_change(&self) -> bool {
        self.probe.is_some() && self.wire().is_empty()
    }

    /// Where the server stands.
    #[must_use]
    pub fn standing(&self) -> Standing {
        Standing::new(self.declared(), Proof::of(&self.wire()))
    }
}

/// Keeps of each address that was seen from a zone what stands: files of one zone may each have some of them. Of each prober by
/// itself: when one is not believed any more, what the others saw stands again.
fn merge<K: Ord>(known: Entry<'_, K, Evidence<Vec<WireObservation>>>, seen: Evidence<Vec<WireObservation>>) {
    let known = known.or_insert_with(|| Evidence { what: Vec::new(), ..seen.clone() });
    let older = if known.rank() < seen.rank() { std::mem::replace(known, seen) } else { seen };
    let mut what = standing_of_each_prober(std::mem::take(&mut known.what).into_iter().chain(older.what));
    zones::forget_old(&mut what);
    known.what = what;
}

/// Keeps the newer of what is known under a key and what is new.
fn newest_of<K: Ord, T>(known: &mut BTreeMap<K, Evidence<T>>, key: K, seen: Evidence<T>) {
    if known.get(&key).is_none_or(|known| known.rank() < seen.rank()) {
        known.insert(key, seen);
    }
}

/// Keeps the newer of two; of two with one time, the one whose source comes later, so that the order does not matter.
fn newest<T>(known: &mut Option<Evidence<T>>, seen: Evidence<T>) {
    if known.as_ref().is_none_or(|known| known.rank() < seen.rank()) {
        *known = Some(seen);
    }
}

#[cfg(test)]
mod tests;
