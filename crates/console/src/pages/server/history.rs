//! What happened to a server, as its history tells it.

use crate::view::{Badge, When};
use hostssl_store::{HistoryEntry, ServerWrite};

/// Something that happened to a server, as its history tells it.
pub(super) struct Happened {
    pub(super) at: When,
    pub(super) link: String,
    pub(super) what: &'static str,
    pub(super) badge: Option<Badge>,
    /// What changed.
    pub(super) changes: Vec<String>,
    pub(super) by: String,
}

/// What happened, the newest first: what runs wrote, and the audits that saw something else than the one before. The oldest
/// audit is among them, because it is where the history begins.
pub(super) fn happened(history: &[HistoryEntry], writes: Vec<ServerWrite>, key: &str) -> Vec<Happened> {
    let ms = |text: &str| text.parse::<jiff::Timestamp>().map_or(0, jiff::Timestamp::as_millisecond);
    let mut events: Vec<Happened> = Vec::new();
    for (index, entry) in history.iter().enumerate() {
        let before = history.get(index + 1);
        let moved = before.is_some_and(|before| before.standing != entry.standing);
        let mut changes = entry.changes.clone();
        match before {
            None => changes.push("first audit that is kept".to_owned()),
            Some(before) if moved => {
                changes.insert(0, format!("{} → {}", before.standing.words(), entry.standing.words()));
            }
            Some(_) if changes.is_empty() => continue,
            Some(_) => {}
        }
        events.push(Happened {
            at: When(ms(&entry.started_at)),
            link: format!("/servers/{key}?run={}", entry.audit),
            what: if entry.probed { "audit with a probe" } else { "audit" },
            badge: Some(entry.standing.into()),
            changes,
            by: String::new(),
        });
    }
    events.extend(writes.into_iter().map(|write| Happened {
        at: When(write.at_ms),
        link: format!("/applies/{}", write.run),
        what: if write.undo { "undo" } else { "change" },
        badge: None,
        changes: vec![format!("{} {} → {}", write.setting, write.before, write.after)],
        by: write.by,
    }));
    events.sort_by_key(|event| std::cmp::Reverse(event.at.0));
    events
}
