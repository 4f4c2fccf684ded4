//! Folds sightings into clients.

use crate::began_before::KnownSessions;
use crate::client_key::{ClientKey, Key, KeyRef, order};
use crate::client_sightings::{ClientSightings, Look};
use crate::kept::{EarlierClient, KeptCensus, Restriction, still_open, unless_missed};
use crate::refused::{Refusals, RefusedClient, RefusedKey};
use crate::seed::SeededHash;
use crate::sessions::are_among;
use crate::verdict::{CensusEvidence, Unlisted, covered_by_any, index, judge};
use crate::{
    CensusVerdict, Client, Doubt, Interval, Millis, MissingReason, Requirements, SessionId, SessionTls, Sighting,
    Source,
};
use std::collections::{HashMap, HashSet};

/// Bounds of the memory of a census.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CensusLimits {
    /// Distinct clients that are listed of each state of TLS. The sightings of others are counted.
    pub clients: usize,
}

impl Default for CensusLimits {
    fn default() -> Self {
        Self { clients: 10_000 }
    }
}

/// The clients of one server, as they are found.
#[derive(Debug, Default)]
pub struct Census {
    limits: CensusLimits,
    since: Option<Millis>,
    /// What was seen before `since`: it counts only where nothing newer is known of a client.
    before: Option<Box<Self>>,
    clients: HashMap<Key, ClientSightings, SeededHash>,
    counts: [usize; 4],
    unlisted: Unlisted,
    /// Sessions of which only the end was seen.
    earlier: HashMap<Key, ClientSightings, SeededHash>,
    refused: Refusals,
    sources: Vec<Source>,
}

/// The result of the census of one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CensusReport {
    /// Whether enforcement is safe.
    pub verdict: CensusVerdict,
    /// Why, in one sentence.
    pub reason: String,
    /// From the first thing that was observed to the last.
    pub window: Option<Interval>,
    /// How much of the window was observed.
    pub observed: Millis,
    /// The sources.
    pub sources: Vec<Source>,
    /// The clients, those in plaintext first.
    pub clients: Vec<Client>,
    /// Clients that were last seen before the window, when enforcement would have refused them, or may have, and of which
    /// nothing newer is known. While there are any, nothing is safe.
    pub earlier: Vec<Client>,
    /// Sightings of clients that are not listed, in the order of [`SessionTls::ALL`].
    pub unlisted: [u64; 4],
    /// Clients that the server refused because they did not use TLS, the last one first. They change no verdict.
    pub refused: Vec<RefusedClient>,
    /// Refused attempts of clients that are not listed.
    pub refused_unlisted: u64,
}

impl CensusReport {
    /// The report, where the clients that were kept before could not be read: they are unknown, and nothing is safe.
    #[must_use]
    pub fn without_kept(mut self) -> Self {
        if self.verdict == CensusVerdict::Safe {
            self.verdict = CensusVerdict::NeedsObservation;
            self.reason.push_str(", but what was kept before could not be read: earlier clients are unknown");
        }
        self
    }
}

impl Census {
    /// An empty census. What was seen before `since` does not count; but nothing is safe while a client that was in plaintext
    /// before it has not been observed since.
    #[must_use]
    pub fn new(limits: CensusLimits, since: Option<Millis>) -> Self {
        Self { limits, since, ..Self::default() }
    }

    /// Adds a source and returns its place.
    pub fn add_source(&mut self, source: Source) -> usize {
        self.sources.push(source);
        self.sources.len() - 1
    }

    /// A source that was added.
    pub fn source_mut(&mut self, place: usize) -> Option<&mut Source> {
        self.sources.get_mut(place)
    }

    /// The sources.
    #[must_use]
    pub fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// Counts a sighting of a source that does not say which session it is of.
    pub fn add(&mut self, source: usize, sighting: Sighting) {
        let id = SessionId::of_process(0, sighting.at);
        self.add_session(source, id, sighting);
    }

    /// Counts a sighting of a source. Where the census is kept, a session that was counted before does not count again.
    pub fn add_session(&mut self, source: usize, id: SessionId, sighting: Sighting) {
        let Sighting { protocol, cipher, at, doubt, .. } = &sighting;
        let [protocol, cipher] = [protocol, cipher].map(|name| name.as_deref());
        self.add_look(KeyRef::from(&sighting), Look { source, id, at: *at, protocol, cipher, doubt: *doubt });
    }

    /// The same in texts that lie elsewhere.
    pub(crate) fn add_look(&mut self, key: KeyRef<'_>, look: Look<'_>) {
        if self.since.is_some_and(|since| look.at.is_some_and(|at| at < since)) {
            let limits = self.limits;
            let before = self.before.get_or_insert_with(|| Box::new(Self::new(limits, None)));
            // A client remembers the kinds of its sources. What they cover, the whole says.
            for known in self.sources.iter().skip(before.sources.len()) {
                before.sources.push(Source::new(known.kind, known.name.clone()));
            }
            return before.add_look(key, look);
        }
        if key.is_own(look.protocol) {
            return;
        }
        if look.doubt == Some(Doubt::BeganBefore) {
            return self.add_earlier(key.to_key(), look);
        }
        if let Some(seen) = self.clients.get_mut(&key as &dyn ClientKey) {
            return seen.add(look);
        }
        let Some(count) = self.counts.get_mut(index(key.tls)) else { return };
        if *count >= self.limits.clients {
            return self.unlisted.add(key.tls, look.at);
        }
        *count += 1;
        self.clients.entry(key.to_key()).or_default().add(look);
    }

    /// Notes that a session which was counted is still there.
    pub fn add_again(&mut self, source: usize, id: SessionId, sighting: &Sighting) {
        match self.clients.get_mut(&KeyRef::from(sighting) as &dyn ClientKey) {
            Some(seen) => seen.last = seen.last.max(sighting.at),
            // It is beyond those that are listed, and was counted.
            None if self.counts.get(index(sighting.tls)).is_none_or(|count| *count >= self.limits.clients) => {
                self.unlisted.still(sighting.tls, sighting.at);
            }
            // It changed its application name meanwhile.
            None => self.add_session(source, id, sighting.clone()),
        }
    }

    /// Counts a client that was refused because it did not use TLS.
    pub(crate) fn add_refused(&mut self, key: RefusedKey, id: SessionId, at: Option<Millis>) {
        if self.since.is_some_and(|since| at.is_some_and(|at| at < since)) {
            return;
        }
        self.refused.add(key, id, at, self.limits.clients);
    }

    fn add_earlier(&mut self, key: Key, look: Look<'_>) {
        if let Some(seen) = self.earlier.get_mut(&key) {
            seen.add(look);
        } else if self.earlier.len() < self.limits.clients {
            let mut seen = ClientSightings::default();
            seen.add(look);
            self.earlier.insert(key, seen);
        } else {
            self.unlisted.add(SessionTls::Unknown, look.at);
        }
    }

    /// What was found so far, to be kept and merged with other observations. `looked_at` is the time of this one.
    #[must_use]
    pub fn keep(&self, looked_at: Millis) -> KeptCensus {
        let clients = self.clients.iter().chain(&self.earlier);
        KeptCensus::of_look(clients, &self.sources, self.unlisted, self.settled_refusals(), looked_at)
    }

    fn settled_refusals(&self) -> Refusals {
        let mut refused = self.refused.clone();
        refused.settle(self.limits.clients);
        refused
    }

    /// Draws the verdict.
    #[must_use]
    pub fn finish(mut self, requirements: Requirements) -> CensusReport {
        let earlier = self.earlier_than_since();
        self.settle_earlier();
        self.settle_without_address();
        self.refused.settle(self.limits.clients);
        for source in &mut self.sources {
            source.coverage.close();
            if let Some(since) = self.since {
                source.coverage.cut(since);
            }
        }
        let beyond: u64 = self.unlisted.counts.iter().sum();
        if beyond > 0 {
            let detail =
                format!("{beyond} sightings are of clients beyond the {} that are listed", self.limits.clients);
            for source in &mut self.sources {
                source.lacks(MissingReason::MoreClients, detail.clone());
            }
        }
        let mut clients: Vec<Client> = self.clients.into_iter().map(|(key, seen)| seen.into_client(key)).collect();
        clients.sort_by(|a, b| order(a).cmp(&order(b)));
        let evidence = CensusEvidence { clients: &clients, unlisted: self.unlisted.counts, sources: &self.sources };
        let (verdict, reason) = judge(&evidence, requirements);
        let (verdict, reason) = unless_missed(verdict, reason, &earlier, Restriction::RequireTls);
        let whole = covered_by_any(&self.sources);
        CensusReport {
            verdict,
            reason,
            window: whole.window(),
            observed: whole.observed(),
            sources: self.sources,
            refused: self.refused.shown(self.since, &clients),
            refused_unlisted: self.refused.unlisted,
            clients,
            earlier: still_open(earlier),
            unlisted: self.unlisted.counts,
        }
    }

    /// The clients that were last seen before `since`, when enforcement would have refused them, or may have.
    fn earlier_than_since(&self) -> Vec<EarlierClient> {
        let Some(before) = &self.before else { return Vec::new() };
        let mut all = self.keep(0);
        all.merge(before.keep(0));
        all.earlier_for(Restriction::RequireTls, self.since, None, &self.sources)
    }

    /// Sessions that began before the observation are old news if the same client was seen since, with TLS alone; otherwise it
    /// is unknown whether they use TLS.
    fn settle_earlier(&mut self) {
        let mut known = KnownSessions::default();
        self.clients.keys().for_each(|key| known.add(key, true));
        for (key, seen) in std::mem::take(&mut self.earlier) {
            if known.explain(&key) {
                continue;
            }
            self.clients.insert(key, seen);
        }
    }

    /// A session whose line does not say where it came from is no news where another file has it whole.
    fn settle_without_address(&mut self) {
        let is_half = |seen: &ClientSightings| matches!(seen.doubt, Some(Doubt::BeganBefore | Doubt::NoAddress));
        if !self.clients.values().any(|seen| seen.doubt == Some(Doubt::NoAddress)) {
            return;
        }
        let whole = self.clients.values().filter(|seen| !is_half(seen)).flat_map(|seen| seen.days.values());
        let whole: HashSet<u32> = whole.flat_map(|day| day.hashes().iter().copied()).collect();
        self.clients.retain(|_, seen| seen.doubt != Some(Doubt::NoAddress) || !are_among(seen.days.values(), &whole));
    }
}
