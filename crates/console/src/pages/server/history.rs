//! What happened to a server: what audits found, what runs wrote and who ordered it, what the Activity Log says that others did,
//! and what was seen of its clients.

use crate::activity_cache::ServerActivity;
use crate::view::{Badge, When, count, plural};
use hostssl_census::{KeptCensus, SessionTls};
use hostssl_formats::who_text;
use hostssl_model::{Act, Activity, ActivityEnd, ParameterName};
use hostssl_ops::own_write;
use hostssl_store::{HistoryEntry, ServerWrite};

/// Something that happened to a server.
pub(super) struct Happened {
    pub(super) at: When,
    /// Empty where there is no page about it.
    pub(super) link: String,
    pub(super) what: &'static str,
    pub(super) badge: Option<Badge>,
    /// What changed.
    pub(super) changes: Vec<String>,
    pub(super) by: String,
    /// Whether a setting changed before this audit, and no run that is kept here wrote it.
    pub(super) is_outside: bool,
    /// What the Activity Log says of who did it.
    pub(super) who: Option<String>,
}

/// How far the Activity Log was read.
pub(super) enum LogRead {
    /// It was not asked yet.
    NotAsked,
    /// It was read from the first moment to the second; why there may be more, if so.
    Read(When, When, Option<String>),
}

impl LogRead {
    pub(super) fn of(read: Option<&ServerActivity>) -> Self {
        let Some(read) = read else { return Self::NotAsked };
        Self::Read(When(read.since_ms), When(read.read_ms), read.log.unread.as_ref().map(who_text::unread))
    }
}

/// What happened, the newest first: what runs wrote, the audits that saw something else than the one before, and the newest
/// look at its clients. The oldest audit is among them, because it is where the history begins.
pub(super) fn happened(
    history: &[HistoryEntry],
    writes: Vec<ServerWrite>,
    census: Option<&KeptCensus>,
    read: Option<&ServerActivity>,
    key: &str,
) -> Vec<Happened> {
    let found: &[Activity] = read.map_or(&[], |read| &read.log.found);
    let own: Vec<Option<&ServerWrite>> = found.iter().map(|activity| own_write(activity, &writes)).collect();
    let others: Vec<&Activity> =
        found.iter().zip(&own).filter(|(_, own)| own.is_none()).map(|(activity, _)| activity).collect();
    let in_log: Vec<ServerWrite> = own.into_iter().flatten().cloned().collect();
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
        let outside = before.filter(|before| is_outside(before, entry, &writes));
        events.push(Happened {
            at: When(began_ms(entry)),
            link: format!("/servers/{key}?run={}", entry.audit),
            what: if entry.probed { "audit with a probe" } else { "audit" },
            badge: Some(entry.standing.into()),
            changes,
            by: String::new(),
            is_outside: outside.is_some(),
            who: outside.zip(read).map(|(before, read)| changed_by(before, entry, &others, read)),
        });
    }
    events.extend(writes.into_iter().map(|write| Happened {
        at: When(write.at_ms),
        link: format!("/applies/{}", write.run),
        what: if write.undo { "undo" } else { "change" },
        badge: None,
        changes: vec![format!("{} {} → {}", write.setting, write.before, write.after)],
        who: in_log.contains(&write).then(|| "The Activity Log has it too.".to_owned()),
        by: write.by,
        is_outside: false,
    }));
    events.extend(others.into_iter().map(operation));
    events.extend(census.filter(|kept| !kept.is_empty()).map(|kept| clients_seen(kept, key)));
    events.sort_by_key(|event| std::cmp::Reverse(event.at.0));
    events
}

/// What someone did, by the Activity Log.
fn operation(activity: &Activity) -> Happened {
    let end = match activity.end {
        ActivityEnd::Succeeded => "",
        ActivityEnd::Failed => ": failed",
        ActivityEnd::Unknown => ": its end is not in the log",
    };
    Happened {
        at: When(at_ms(activity)),
        link: String::new(),
        what: "Activity Log:",
        badge: None,
        changes: vec![format!("{}{end}", activity.act)],
        by: activity.caller.to_string(),
        is_outside: false,
        who: None,
    }
}

fn at_ms(activity: &Activity) -> i64 {
    activity.at.parse::<jiff::Timestamp>().map_or(0, jiff::Timestamp::as_millisecond)
}

/// Who changed the switch or the lowest version between two audits, by the Activity Log.
fn changed_by(before: &HistoryEntry, after: &HistoryEntry, others: &[&Activity], read: &ServerActivity) -> String {
    let between = began_ms(before)..=began_ms(after);
    let is_setting = |name: &str| {
        let known = ParameterName::ALL.into_iter().find(|one| one.as_str().eq_ignore_ascii_case(name));
        known.is_some_and(|one| one.is_switch() || one.is_floor())
    };
    let explains = |activity: &&&Activity| match &activity.act {
        Act::Setting(name) => is_setting(name),
        Act::Write => activity.server.resource_type().eq_ignore_ascii_case("servers"),
        Act::Delete | Act::Action(_) | Act::Part(_) => false,
    };
    let succeeded = others.iter().filter(|one| one.end != ActivityEnd::Failed && between.contains(&at_ms(one)));
    match (succeeded.filter(explains).map(|one| who_text::operation(one)).next(), &read.log.unread) {
        (Some(words), _) => format!("Changed {words}."),
        (None, Some(why)) => format!("Who made it is not known: {}.", who_text::unread(why)),
        (None, None) if *between.start() < read.since_ms => {
            "Who made it is not known: Azure keeps the Activity Log for 90 days.".to_owned()
        }
        (None, None) => {
            "Who made it is not known: the Activity Log has no such operation between the audits.".to_owned()
        }
    }
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
        who: None,
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
            setting: ParameterName::RequireSecureTransport,
            before: "off".into(),
            after: "on".into(),
            undo: false,
            request_id: None,
            intended_ms: at.parse::<jiff::Timestamp>().unwrap().as_millisecond(),
            identity: None,
        }
    }

    #[test]
    fn a_change_that_no_run_made_is_said_to_be_from_outside() {
        let on = audit("2026-11-02T00:00:00Z", Enforcement::Enforced);
        let off = audit("2026-11-01T00:00:00Z", Enforcement::NotEnforced);
        let outside = |writes| happened(&[on.clone(), off.clone()], writes, None, None, "k")[0].is_outside;
        assert!(outside(Vec::new()));
        // What was written before or after says nothing about this change.
        assert!(outside(vec![write("2026-10-31T12:00:00Z")]));
        let events = happened(&[on.clone(), off.clone()], vec![write("2026-11-01T12:00:00Z")], None, None, "k");
        assert!(events.iter().all(|event| !event.is_outside) && events.iter().any(|event| event.by == "ada"));
        // A setting that could not be read has not changed.
        let unread = audit("2026-11-02T00:00:00Z", Enforcement::Unknown);
        assert!(!happened(&[unread, off], Vec::new(), None, None, "k")[0].is_outside);
    }
}
