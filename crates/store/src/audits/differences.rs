//! What changed between two observations of a server, in words.

use super::document::{ServerFacts, StoredReading};
use super::listener::StoredListener;
use super::types::HistoryEntry;

/// Notes in each entry, of which the newest is the first, what is different from the look before it.
pub(crate) fn note(entries: &mut [HistoryEntry], facts: &[ServerFacts]) {
    for (index, entry) in entries.iter_mut().enumerate() {
        let Some(after) = facts.get(index) else { continue };
        let older = facts.get(index + 1..).unwrap_or_default();
        let Some(before) = older.first() else { continue };
        entry.changes = settings(older, after);
        if before.state != after.state {
            let word = |state: &Option<String>| state.clone().unwrap_or_else(|| "not reported".to_owned());
            entry.changes.push(format!("state {} → {}", word(&before.state), word(&after.state)));
        }
        // An audit that did not probe is not evidence of a change.
        if let Some(probed) = older.iter().find(|one| !one.wire.is_empty()) {
            entry.changes.extend(listeners(probed, after));
        }
    }
}

/// Each setting against the last look that read it: an audit of some controls alone reads what those need.
fn settings(older: &[ServerFacts], after: &ServerFacts) -> Vec<String> {
    let mut changes = Vec::new();
    for now in &after.readings {
        let mut looks = older.iter().flat_map(|one| &one.readings);
        let Some(then) = looks.find(|then| then.setting == now.setting) else { continue };
        match (value(then), value(now)) {
            (Some(then), Some(now_is)) if then != now_is => changes.push(format!("{} {then} → {now_is}", now.setting)),
            (Some(then), None) => changes.push(format!("{} can no longer be read, was {then}", now.setting)),
            (None, Some(now_is)) => changes.push(format!("{} can be read again: {now_is}", now.setting)),
            _ => {}
        }
    }
    changes
}

fn value(reading: &StoredReading) -> Option<String> {
    let value = reading.value.as_ref()?;
    Some(if reading.pending_restart { format!("{value} (after a restart)") } else { value.clone() })
}

fn listeners(before: &ServerFacts, after: &ServerFacts) -> Vec<String> {
    let mut changes = Vec::new();
    for now in &after.wire {
        let then = before.wire.iter().find(|then| then.port == now.port);
        let word = |one: &StoredListener| one.seen.as_ref().map(|seen| seen.transport.clone());
        let (then, now_is) = (then.and_then(word), word(now));
        if let (Some(then), Some(now_is)) = (&then, &now_is)
            && then != now_is
        {
            changes.push(format!("port {}: {then} → {now_is}", now.port));
        }
    }
    changes
}
