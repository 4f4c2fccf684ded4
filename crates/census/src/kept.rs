//! The census of a server that is kept, and grows with every look.
//!
//! Merging is a union: reading any files, in any order, any number of times, gives the same census. What an observation
//! did not see says nothing, so evidence ages and does not vanish; [`KeptCensus::judge`] leaves out what is too old.

mod before_window;
mod document;
mod settled;
mod verdict;

pub use before_window::{EarlierClient, EarlierFate};
pub use document::InvalidKeptCensus;
pub use verdict::Restriction;
pub(crate) use verdict::{still_open, unless_missed};

use crate::client_key::Key;
use crate::client_sightings::ClientSightings;
use crate::log_time::{DAY, earliest};
use crate::observed_time::{GapDoubt, MeasuredSpan, bridged, overlapping};
use crate::refused::Refusals;
use crate::sessions::DailySessions;
use crate::verdict::{Unlisted, index};
use crate::{Doubt, Interval, Millis, MissingReason, SessionTls, Source, SourceKind};
use std::collections::{BTreeMap, BTreeSet};

/// Distinct clients of each state of TLS that are kept of one server: those that were seen last.
const MOST_CLIENTS: usize = 2_000;
/// Days of one client whose sessions are kept: the newest. When it was first seen is kept indefinitely.
const MOST_DAYS: usize = 64;
/// Distinct clients that were refused: those that were refused last.
const MOST_REFUSED: usize = 500;
/// Spans that were observed in part, and why: the newest.
const MOST_PARTS: usize = 64;
/// Spans without a gap of one kind of source: the newest.
const MOST_SPANS: usize = 2_048;

/// The clients of one server, as every look so far has found them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeptCensus {
    clients: BTreeMap<Key, KeptClient>,
    sources: BTreeMap<SourceKind, KeptSource>,
    /// Clients beyond those that are kept: at least so many.
    unlisted: Unlisted,
    refused: Refusals,
    looked_at: Millis,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct KeptClient {
    first: Option<Millis>,
    last: Option<Millis>,
    days: BTreeMap<Option<i64>, DailySessions>,
    protocols: BTreeMap<String, (Option<Millis>, Option<String>)>,
    sources: BTreeSet<SourceKind>,
    doubt: Option<Doubt>,
}

/// What one kind of source has shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct KeptSource {
    /// When every connection was seen, as it lies in files: a file that is read later may say what was written between two of them.
    complete: Vec<MeasuredSpan>,
    /// When only some were, and why.
    parts: BTreeSet<(Interval, MissingReason, String)>,
    /// Files of which no time is known, and when they were looked at: each may be the one of any time before that.
    unplaced: BTreeSet<(Millis, MissingReason, String)>,
    /// What the newest look could not say.
    notes: BTreeMap<MissingReason, String>,
    looked_at: Millis,
}

/// How many sessions began on a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DayCount {
    /// The beginning of the day, UTC.
    pub day: Millis,
    /// The sessions, in the order of [`SessionTls::ALL`].
    pub sessions: [u64; 4],
}

impl KeptCensus {
    pub(crate) fn of_look<'a>(
        clients: impl Iterator<Item = (&'a Key, &'a ClientSightings)>,
        sources: &[Source],
        unlisted: Unlisted,
        refused: Refusals,
        looked_at: Millis,
    ) -> Self {
        let kind_of = |place: &usize| sources.get(*place).map(|source| source.kind);
        let mut kept = Self { unlisted, refused, looked_at, ..Self::default() };
        for (key, seen) in clients {
            let client = KeptClient {
                first: seen.first,
                last: seen.last,
                days: seen.days.clone(),
                protocols: seen.protocols.clone(),
                sources: seen.sources.iter().filter_map(kind_of).collect(),
                doubt: seen.doubt,
            };
            kept.clients.entry(key.clone()).or_default().merge(client);
        }
        for source in sources {
            kept.sources.entry(source.kind).or_default().add(KeptSource::of(source, looked_at));
        }
        kept.bound();
        kept
    }

    /// Adds what another look has found, or the same look once more.
    pub fn merge(&mut self, other: Self) {
        for (key, client) in other.clients {
            self.clients.entry(key).or_default().merge(client);
        }
        for (kind, source) in other.sources {
            self.sources.entry(kind).or_default().add(source);
        }
        self.unlisted.merge(&other.unlisted);
        self.refused.merge(other.refused);
        self.looked_at = self.looked_at.max(other.looked_at);
        self.bound();
    }

    /// When the newest look was.
    #[must_use]
    pub fn looked_at(&self) -> Millis {
        self.looked_at
    }

    /// Whether no look has found anything, not even a reason for that.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.clients.is_empty() && self.sources.is_empty() && self.refused.clients.is_empty()
    }

    /// How many distinct clients were seen, those beyond the limit included.
    #[must_use]
    pub fn client_count(&self) -> u64 {
        let listed = u64::try_from(self.clients.len()).unwrap_or(u64::MAX);
        listed.saturating_add(self.unlisted.counts.iter().sum())
    }

    /// The sessions of each day on which there were some, the oldest first.
    #[must_use]
    pub fn timeline(&self) -> Vec<DayCount> {
        let mut days: BTreeMap<i64, [u64; 4]> = BTreeMap::new();
        for (key, client) in &self.clients {
            for (day, sessions) in &client.days {
                let Some(day) = day else { continue };
                if let Some(count) = days.entry(*day).or_default().get_mut(index(key.tls)) {
                    *count += sessions.count();
                }
            }
        }
        days.into_iter().map(|(day, sessions)| DayCount { day: day * DAY, sessions }).collect()
    }

    /// Keeps the memory bounded: what was seen last stays.
    fn bound(&mut self) {
        for tls in SessionTls::ALL {
            let count = self.clients.keys().filter(|key| key.tls == tls).count();
            let Some(beyond) = count.checked_sub(MOST_CLIENTS).filter(|beyond| *beyond > 0) else { continue };
            let mut oldest: Vec<(Option<Millis>, Key)> = self
                .clients
                .iter()
                .filter(|(key, _)| key.tls == tls)
                .map(|(key, client)| (client.last, key.clone()))
                .collect();
            oldest.sort_unstable();
            for (last, key) in oldest.into_iter().take(beyond) {
                self.clients.remove(&key);
                self.unlisted.still(tls, last);
            }
            if let Some(unlisted) = self.unlisted.counts.get_mut(index(tls)) {
                *unlisted = (*unlisted).max(beyond as u64);
            }
        }
        for client in self.clients.values_mut() {
            while client.days.keys().flatten().count() > MOST_DAYS {
                let Some(oldest) = client.days.keys().flatten().next().copied() else { break };
                client.days.remove(&Some(oldest));
            }
        }
        for source in self.sources.values_mut() {
            source.bound();
        }
        self.refused.bound(MOST_REFUSED);
    }
}

impl KeptClient {
    fn merge(&mut self, other: Self) {
        self.first = earliest(self.first, other.first);
        self.last = self.last.max(other.last);
        self.doubt = self.doubt.max(other.doubt);
        self.sources.extend(other.sources);
        for (day, sessions) in other.days {
            self.days.entry(day).or_default().merge(&sessions);
        }
        for (protocol, newest) in other.protocols {
            let mine = self.protocols.entry(protocol).or_default();
            *mine = std::mem::take(mine).max(newest);
        }
    }
}

impl KeptSource {
    fn of(source: &Source, looked_at: Millis) -> Self {
        let mut kept = Self { looked_at, ..Self::default() };
        let spans = source.coverage.spans();
        let blocking = source.missing.iter().find(|missing| missing.reason.blocks());
        if spans.is_empty() && source.is_file() {
            let is_unplaced = |reason: MissingReason| reason.hides_lines() || reason == MissingReason::Empty;
            let unplaced = source.missing.iter().filter(|missing| is_unplaced(missing.reason));
            kept.unplaced.extend(unplaced.map(|missing| (looked_at, missing.reason, missing.detail.clone())));
        }
        match blocking {
            None if source.is_complete => kept.complete = source.coverage.measured().collect(),
            None => {}
            Some(missing) => {
                kept.parts.extend(spans.into_iter().map(|span| (span, missing.reason, missing.detail.clone())));
            }
        }
        for missing in &source.missing {
            kept.notes.entry(missing.reason).or_insert_with(|| missing.detail.clone());
        }
        kept
    }

    fn add(&mut self, other: Self) {
        self.complete.extend(other.complete);
        self.parts.extend(other.parts);
        self.unplaced.extend(other.unplaced);
        match self.looked_at.cmp(&other.looked_at) {
            std::cmp::Ordering::Less => self.notes = other.notes,
            std::cmp::Ordering::Greater => {}
            std::cmp::Ordering::Equal => {
                for (reason, detail) in other.notes {
                    let mine = self.notes.entry(reason).or_insert_with(|| detail.clone());
                    // Of two sentences always the same one, in whatever order they come.
                    if detail < *mine {
                        *mine = detail;
                    }
                }
            }
        }
        self.looked_at = self.looked_at.max(other.looked_at);
    }

    /// When every connection was seen, and the log was only silent in between.
    fn covered(&self) -> Vec<Interval> {
        bridged(self.complete.clone(), |gap| self.doubt(gap))
    }

    fn doubt(&self, gap: Interval) -> GapDoubt {
        if self.parts.iter().any(|(part, ..)| part.meets(&gap)) {
            return GapDoubt::Hidden;
        }
        let unplaced = self.unplaced.iter().filter(|(looked_at, ..)| gap.from < *looked_at);
        let doubts =
            unplaced.map(|(_, reason, _)| if reason.hides_lines() { GapDoubt::Unread } else { GapDoubt::Empty });
        doubts.max().unwrap_or(GapDoubt::None)
    }

    /// A part that was seen as a whole since is forgotten.
    fn bound(&mut self) {
        self.complete = overlapping(std::mem::take(&mut self.complete));
        let whole = &self.complete;
        self.parts.retain(|(part, ..)| !whole.iter().any(|whole| whole.time.contains(part)));
        if self.complete.len() > MOST_SPANS {
            let newest = self.complete.split_off(self.complete.len() / 2);
            let oldest = bridged(std::mem::take(&mut self.complete), |gap| self.doubt(gap));
            self.complete = oldest.into_iter().map(|time| MeasuredSpan { time, silence: None }).chain(newest).collect();
            let beyond = self.complete.len().saturating_sub(MOST_SPANS);
            self.complete.drain(..beyond);
        }
        while self.parts.len() > MOST_PARTS {
            self.parts.pop_first();
        }
        while self.unplaced.len() > MOST_PARTS {
            self.unplaced.pop_first();
        }
    }
}
