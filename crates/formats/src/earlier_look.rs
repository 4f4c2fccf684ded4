//! What an audit did not see itself and what counts all the same: looks of earlier probes, each with its age.

use crate::headline::plural;
use crate::safe;
use hostssl_model::{AuditReport, KnownStanding, ServerReport, Standing, WorstListener};
use jiff::Timestamp;

/// What the figures of a report rest on beside what the audit saw, or that they rest on no probe at all.
pub(crate) fn note(report: &AuditReport) -> Option<String> {
    let unprobed = "this audit did not probe, and no earlier probe of its servers is known; --probe probes them";
    let knows_nothing = || is_unprobed(report) && !report.servers.iter().any(ServerReport::has_earlier_look);
    counted(report).or_else(|| knows_nothing().then(|| unprobed.to_owned()))
}

/// What the figures of a report rest on beside what the audit saw; `None` when on nothing else.
pub(crate) fn counted(report: &AuditReport) -> Option<String> {
    let is_other = |server: &&ServerReport| Standing::of(server) != Standing::seen(server);
    let earlier = || report.servers.iter().filter(is_other).filter(|server| server.has_earlier_look());
    let mut parts = Vec::new();
    match earlier().count() as u64 {
        0 => {}
        servers => {
            let oldest_ms = earlier().filter_map(|server| server.known?.probed_ms).min();
            let age = oldest_ms.map(|at_ms| {
                let of = if servers == 1 { "" } else { "the oldest of them " };
                format!(", {of}{} before this audit ({})", age(at_ms, &report.run.started_at), instant(at_ms))
            });
            let (counts, probes) =
                if servers == 1 { ("counts", "an earlier probe") } else { ("count", "earlier probes") };
            parts.push(format!("{} {counts} by {probes}{}", plural(servers, "server"), age.unwrap_or_default()));
        }
    }
    let reread = |server: &&ServerReport| {
        !server.has_earlier_look() && server.known.is_some_and(|known| known.standing != Standing::seen(server))
    };
    match report.servers.iter().filter(reread).count() as u64 {
        0 => {}
        1 => parts.push("1 server that could not be read counts as it was read last".to_owned()),
        servers => parts.push(format!("{servers} servers that could not be read count as they were read last")),
    }
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// Whether no server of an audit was probed.
fn is_unprobed(report: &AuditReport) -> bool {
    !report.servers.is_empty() && report.servers.iter().all(|server| server.wire.is_empty())
}

/// What the worst listener of a server does by an earlier look, and how much earlier it was taken than the audit began.
pub(crate) fn words(server: &ServerReport, started_at: &str) -> Option<String> {
    let known = server.known.filter(|_| server.has_earlier_look())?;
    let worst = known.wire.filter(|worst| *worst != WorstListener::Unseen)?;
    Some(format!("{}{}", worst.as_str(), ago(&known, started_at)))
}

/// Why a server counts as worse than the audit saw it.
pub(crate) fn why_worse(server: &ServerReport, started_at: &str) -> Option<String> {
    let known = server.known.filter(|known| known.standing > Standing::seen(server))?;
    if known.standing < Standing::NotEnforced {
        return None;
    }
    Some(if server.has_earlier_look() {
        format!("an earlier probe connected without TLS{}", ago(&known, started_at))
    } else {
        "it was off when it was read last".to_owned()
    })
}

/// The servers that an earlier probe connected to without TLS, although they are declared to enforce it: for the line that says
/// how much was covered.
pub(crate) fn plaintext(report: &AuditReport) -> Option<String> {
    let probes = if report.earlier_plaintext().count() == 1 { "an earlier probe" } else { "earlier probes" };
    Some(format!("{probes} connected without TLS to {}", earlier_plaintext(report)?))
}

/// The names of the servers that an earlier probe connected to without TLS although they are declared to enforce it: the first by
/// name, and how many more there are. Nothing if there are none.
#[must_use]
pub fn earlier_plaintext(report: &AuditReport) -> Option<String> {
    let mut names: Vec<&str> = report.earlier_plaintext().map(|server| server.server.name()).collect();
    names.sort_unstable();
    let more = names.len().saturating_sub(NAMED);
    names.truncate(NAMED);
    let named = names.iter().map(|name| safe(name)).collect::<Vec<_>>().join(", ");
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    (!names.is_empty()).then(|| format!("{named}{more}"))
}

/// Servers that are named.
const NAMED: usize = 5;

fn ago(known: &KnownStanding, started_at: &str) -> String {
    known.probed_ms.map_or_else(String::new, |at_ms| format!(" ({} earlier)", age(at_ms, started_at)))
}

/// The time from a moment to one in RFC 3339, in one unit.
pub(crate) fn age(from_ms: i64, to: &str) -> String {
    let to_ms = to.parse::<Timestamp>().map_or(from_ms, Timestamp::as_millisecond);
    match u64::try_from(to_ms.saturating_sub(from_ms) / 1000).unwrap_or_default() {
        seconds @ ..60 => plural(seconds, "second"),
        seconds @ 60..3600 => plural(seconds / 60, "minute"),
        seconds @ 3600..86_400 => plural(seconds / 3600, "hour"),
        seconds => plural(seconds / 86_400, "day"),
    }
}

/// A moment to the second.
pub(crate) fn instant(at_ms: i64) -> String {
    Timestamp::from_millisecond(at_ms).map(|at| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_in_one_unit() {
        let from = "2026-11-24T09:00:00Z".parse::<Timestamp>().unwrap().as_millisecond();
        let ages = ["2026-11-24T09:00:01Z", "2026-11-24T09:05:59Z", "2026-11-24T12:00:00Z", "2026-11-27T08:00:00Z"];
        assert_eq!(ages.map(|to| age(from, to)), ["1 second", "5 minutes", "3 hours", "2 days"]);
        assert_eq!(age(from, "2026-11-24T08:00:00Z"), "0 seconds", "a clock that was set back");
    }
}
