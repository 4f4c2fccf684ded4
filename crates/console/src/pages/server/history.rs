//! What happened to a server: what audits found, what runs wrote and who ordered it, and what was seen of its clients.

use crate::view::{Badge, When, count, plural};
use hostssl_census::{KeptCensus, SessionTls};
use hostssl_store::{HistoryEntry, ServerWrite};

/// Something that happened to a server.
pub(super) struct Happened {
    pub(super) at: When,
    pub(super) link: String,
    pub(super) what: &'static str,
    pub(super) badge: Option<Badge>,
    /// What changed.
    pub(super) changes: Vec<String>,
    pub(super) by: String,
    /// Whether a setting changed before this audit, and no run that is kept here wrote it.
    pub(super) is_outside: bool,
}

/// What happened, the newest first: what runs wrote, the audits that saw something else than the one before, and the newest
/// look at its clients. The oldest audit is among them, because it is where the history begins.
pub(super) fn happened(
    history: &[HistoryEntry],
    writes: Vec<ServerWrite>,
    census: Option<&KeptCensus>,
    key: &str,
) -> Vec<Happened> {
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
            at: When(began_ms(entry)),
            link: format!("/servers/{key}?run={}", entry.audit),
            what: if entry.probed { "audit with a probe" } else { "audit" },
            badge: Some(entry.standing.into()),
            changes,
            by: String::new(),
            is_outside: before.is_some_and(|before| is_outside(before, entry, &writes)),
        });
    }
    events.extend(writes.into_iter().map(|write| Happened {
        at: When(write.at_ms),
        link: format!("/applies/{}", write.run),
        what: if write.undo { "undo" } else { "change" },
        badge: None,
        changes: vec![format!("{} {} → {}", write.setting, write.before, write.after)],
        by: write.by,
        is_outside: false,
    }));
    events.extend(census.filter(|kept| !kept.is_empty()).map(|kept| clients_seen(kept, key)));
    events.sort_by_key(|event| std::cmp::Reverse(event.at.0));
    events
}

/// The command that shows who changed a server. Azure keeps that for 90 days.
pub(super) fn activity_log(server: &str) -> String {
    format!("az monitor activity-log list --offset 90d --resource-id {server}")
}

fn began_ms(entry: &HistoryEntry) -> i64 {
    entry.started_at.parse::<jiff::Timestamp>().map_or(0, jiff::Timestamp::as_millisecond)
}

/// Whether a setting that both audits read differs, and no run wrote the server between them.
fn is_outside(before: &HistoryEntry, after: &HistoryEntry, writes: &[ServerWrite]) -> bool {
    use hostssl_store::Enforcement::Unknown;
    let switched =
        before.enforcement != after.enforcement && before.enforcement != Unknown && after.enforcement != Unknown;
    let floors = before.minimal_tls.as_ref().zip(after.minimal_tls.as_ref());
    let moved = floors.is_some_and(|(before, after)| before != after);
    let between = began_ms(before)..=began_ms(after);
    (switched || moved) && !writes.iter().any(|write| between.contains(&write.at_ms))
}

/// The newest look at its clients. Earlier looks are merged into it, so that they have no time of their own.
fn clients_seen(kept: &KeptCensus, key: &str) -> Happened {
    let report = kept.judge(hostssl_census::Requirements::default(), None);
    let number = |tls: SessionTls| report.clients.iter().filter(|client| client.tls == tls).count() as u64;
    let seen =
        [("in plaintext", SessionTls::Plaintext), ("unknown", SessionTls::Unknown), ("with TLS", SessionTls::Tls)];
    let seen = seen.into_iter().map(|(words, tls)| format!("{} {words}", count(number(tls))));
    let seen = seen.collect::<Vec<_>>().join(", ");
    Happened {
        at: When(kept.looked_at()),
        link: format!("/servers/{key}/clients"),
        what: "newest look at its clients",
        badge: Some(report.verdict.into()),
        changes: vec![format!("{}: {seen}", plural(report.clients.len() as u64, "client"))],
        by: String::new(),
        is_outside: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hostssl_model::{Outcome, Standing};
    use hostssl_store::Enforcement;

    fn audit(at: &str, enforcement: Enforcement) -> HistoryEntry {
        HistoryEntry {
            audit: at.to_owned(),
            started_at: at.to_owned(),
            profile: String::new(),
            state: String::new(),
            outcome: Outcome::Pass,
            enforcement,
            minimal_tls: None,
            reason: None,
            standing: if enforcement == Enforcement::Enforced { Standing::NotProbed } else { Standing::NotEnforced },
            probed: false,
            changes: Vec::new(),
        }
    }

    fn write(at: &str) -> ServerWrite {
        ServerWrite {
            run: "run".into(),
            by: "ada".into(),
            at_ms: at.parse::<jiff::Timestamp>().unwrap().as_millisecond(),
            setting: "enforcement",
            before: "off".into(),
            after: "on".into(),
            undo: false,
        }
    }

    #[test]
    fn a_change_that_no_run_made_is_said_to_be_from_outside() {
        let on = audit("2026-11-02T00:00:00Z", Enforcement::Enforced);
        let off = audit("2026-11-01T00:00:00Z", Enforcement::NotEnforced);
        let outside = |writes| happened(&[on.clone(), off.clone()], writes, None, "k")[0].is_outside;
        assert!(outside(Vec::new()));
        // What was written before or after says nothing about this change.
        assert!(outside(vec![write("2026-10-31T12:00:00Z")]));
        let events = happened(&[on.clone(), off.clone()], vec![write("2026-11-01T12:00:00Z")], None, "k");
        assert!(events.iter().all(|event| !event.is_outside) && events.iter().any(|event| event.by == "ada"));
        // A setting that could not be read has not changed.
        let unread = audit("2026-11-02T00:00:00Z", Enforcement::Unknown);
        assert!(!happened(&[unread, off], Vec::new(), None, "k")[0].is_outside);
    }
}
