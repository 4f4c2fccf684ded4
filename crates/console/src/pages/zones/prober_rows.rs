//! What the page of zones shows of probers. Pure.

use crate::view::{Ago, Badge, plural};
use hostssl_store::{ProberEntry, ProberRefusal, ZoneProbers};

/// Refusals that are shown.
const SHOWN: usize = 20;

/// The probers, and what was refused of them.
#[derive(Default)]
pub(crate) struct ProberListing {
    /// In the order of their zones; those that were revoked last.
    pub(crate) rows: Vec<ProberRow>,
    /// The newest first.
    pub(crate) refusals: Vec<RefusalRow>,
}

/// One prober.
pub(crate) struct ProberRow {
    pub(crate) id: String,
    pub(crate) zone: String,
    pub(crate) badge: Badge,
    pub(crate) version: String,
    /// The first digits of the SHA-256 of its key, and all of them.
    pub(crate) key: (String, String),
    pub(crate) enrolled: Ago,
    pub(crate) last: Ago,
    /// Of the targets that it was asked about, how many it answered with a look.
    pub(crate) looks: String,
    /// What it did not look at, and why.
    pub(crate) without: Option<String>,
}

/// Something that was refused.
pub(crate) struct RefusalRow {
    pub(crate) prober: Option<String>,
    pub(crate) at: Ago,
    pub(crate) why: String,
}

impl ProberListing {
    /// What there is to say. A prober that was not heard of since `silent_before_ms` is silent.
    pub(crate) fn of(ZoneProbers { mut probers, refusals }: ZoneProbers, silent_before_ms: i64) -> Self {
        probers.sort_by_key(|prober| prober.revoked_ms.is_some());
        Self {
            rows: probers.into_iter().map(|prober| ProberRow::of(prober, silent_before_ms)).collect(),
            refusals: refusals.into_iter().take(SHOWN).map(RefusalRow::of).collect(),
        }
    }
}

impl ProberRow {
    fn of(prober: ProberEntry, silent_before_ms: i64) -> Self {
        let badge = match prober.revoked_ms {
            Some(_) => Badge { class: "unknown", shape: "−", word: "revoked" },
            None if prober.is_suspended() => Badge { class: "no", shape: "✕", word: "suspended" },
            None if prober.seen_ms < silent_before_ms => Badge { class: "unknown", shape: "?", word: "silent" },
            None => Badge { class: "yes", shape: "✓", word: "active" },
        };
        let without = prober.example.map(|example| match prober.without_look {
            0 | 1 => example,
            count => format!("{}, such as {example}", plural(count, "target")),
        });
        Self {
            badge,
            without,
            looks: format!("{} of {}", prober.answered, prober.asked),
            key: (prober.key_sha256.chars().take(16).collect(), prober.key_sha256),
            enrolled: Ago::new(prober.enrolled_ms),
            last: Ago::new(prober.seen_ms),
            id: prober.id,
            zone: prober.zone,
            version: prober.version,
        }
    }
}

impl RefusalRow {
    fn of(ProberRefusal { prober, at_ms, why }: ProberRefusal) -> Self {
        Self { prober, at: Ago::new(at_ms), why }
    }
}
