//! What a reviewer reads of a plan before the objections to it: who made it and when, what it changes and in which
//! order, what it leaves out, and which clients it would refuse.

use crate::earlier_look::{age, instant};
use crate::headline::plural;
use crate::plan_text::{is_right, write_clients, write_unplanned};
use crate::{Column, SubscriptionNames, Text, safe, scope_words, write_columns};
use hostssl_model::{AuditReport, Gap, GapScope, ResourceId};
use hostssl_remediation::{LeftOutReason, Plan, Step};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

/// Names of one line: `plan show` has the others.
const NAMES: usize = 6;
/// Waves that are listed.
const WAVES: usize = 8;

/// What a plan is read with.
#[derive(Debug, Clone, Copy)]
pub struct PlanReview<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// Its file, as a shell takes it.
    pub file: &'a str,
    /// The names of subscriptions, as far as they are known.
    pub names: &'a SubscriptionNames,
    /// Now, in milliseconds since 1970-01-01T00:00:00Z.
    pub now_ms: i64,
    /// The audit that the plan is compared with, if there is one.
    pub audit: Option<&'a AuditReport>,
    /// Whether there is an audit that it could be compared with.
    pub audit_is_kept: bool,
}

/// Writes what the plan is.
///
/// # Errors
///
/// Whatever the writer returns.
pub fn write(out: &mut dyn Write, review: &PlanReview<'_>, text: &Text<'_>) -> io::Result<()> {
    let plan = review.plan;
    writeln!(out, "plan {}", text.palette.bold(plan.hash().as_str()))?;
    let mut lines: Vec<(&str, String)> = vec![
        ("made by", made_by(review)),
        ("for", format!("{}, {}", plan.profile(), place(plan))),
        ("asked for", scope_words(plan.scope())),
        ("changes", changes(review)),
    ];
    lines.extend(waves(plan));
    let loosened = names_of(plan.steps().iter().filter(|step| step.effect().may_loosen()));
    if !loosened.is_empty() {
        lines.push(("less strict", listed(&loosened)));
    }
    let manual = names_of(plan.steps().iter().filter(|step| !step.is_executable()));
    if !manual.is_empty() {
        lines.push(("manual", format!("{}; hostssl does not write these", listed(&manual))));
    }
    lines.extend(left_out(plan));
    lines.push(("not read", not_read(review, text)));
    lines.extend(clients(plan));
    lines.extend(accepted(plan));
    let rows: Vec<Vec<Column>> =
        lines.iter().map(|(label, line)| vec![Column::plain(label), Column::plain(line)]).collect();
    write_columns(out, "  ", &rows)?;
    write_unplanned(out, plan, text)?;
    writeln!(out)?;
    write_clients(out, plan, text)
}

/// Who made it, and how old it is; how old what it rests on is, where that is another time.
fn made_by(review: &PlanReview<'_>) -> String {
    let plan = review.plan;
    let now = Timestamp::from_millisecond(review.now_ms).map(|now| now.to_string()).unwrap_or_default();
    let ago = |at: &str| match at.parse::<Timestamp>() {
        Ok(then) if then.as_millisecond() > review.now_ms => "in the future".to_owned(),
        Ok(then) => format!("{} ago", age(then.as_millisecond(), &now)),
        Err(_) => "not a time".to_owned(),
    };
    let second = |at: &str| at.parse::<Timestamp>().map_or_else(|_| at.to_owned(), |at| instant(at.as_millisecond()));
    let (created, observed) = (second(plan.created_at()), second(plan.observed_at()));
    let read = if observed == created {
        String::new()
    } else {
        format!("; its servers were read at {observed} ({})", ago(&observed))
    };
    format!("{}, at {created} ({}){read}", plan.principal().name, ago(&created))
}

fn place(plan: &Plan) -> String {
    let tenant = plan.principal().tenant.as_deref().unwrap_or("that is not known");
    format!("cloud {}, tenant {tenant}", plan.cloud())
}

/// How much it changes, and in which subscriptions. Steps for people are not among it.
fn changes(review: &PlanReview<'_>) -> String {
    let plan = review.plan;
    let mut of: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for step in plan.steps().iter().filter(|step| step.is_executable()) {
        of.entry(step.server.subscription().as_str().to_owned()).or_default().insert(step.server.as_str());
    }
    if of.is_empty() {
        return format!("nothing: {}", plan.count());
    }
    let mut subscriptions: Vec<(&str, usize)> =
        of.iter().map(|(id, servers)| (review.names.of(id), servers.len())).collect();
    subscriptions.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
    let words: Vec<String> = subscriptions.iter().map(|(name, count)| format!("{name} ({count})")).collect();
    format!(
        "{} of {} by {}: {}",
        plural(plan.servers() as u64, "server"),
        plural(words.len() as u64, "subscription"),
        plural(plan.steps().iter().filter(|step| step.is_executable()).count() as u64, "step"),
        listed(&words)
    )
}

/// The waves: the servers of the canary by their names, and how many follow.
fn waves(plan: &Plan) -> Vec<(&'static str, String)> {
    let servers = |steps: &[Step]| names_of(steps.iter());
    let mut waves = plan.waves().map(servers);
    let Some(canary) = waves.next() else { return Vec::new() };
    let later: Vec<usize> = waves.map(|names| names.len()).collect();
    let mut lines = vec![("canary", listed(&canary))];
    if !later.is_empty() {
        let sizes: Vec<String> = later.iter().take(WAVES).map(ToString::to_string).collect();
        let more = if later.len() > WAVES { ", …" } else { "" };
        let waves = plural(later.len() as u64, "wave");
        let servers = if later == [1] { "server" } else { "servers" };
        lines.push(("then", format!("{waves} of {}{more} {servers}", sizes.join(", "))));
    }
    lines
}

/// What is left out although it is not right, a line for each reason; how many are right is said last.
fn left_out(plan: &Plan) -> Vec<(&'static str, String)> {
    let mut by_reason: BTreeMap<LeftOutReason, BTreeSet<&str>> = BTreeMap::new();
    for one in plan.left_out() {
        by_reason.entry(one.reason).or_default().insert(one.server.as_str());
    }
    let name = |id: &&str| id.rsplit('/').next().unwrap_or(id).to_owned();
    let mut lines: Vec<(&'static str, String)> = Vec::new();
    for (reason, servers) in by_reason.iter().filter(|(reason, _)| !is_right(**reason)) {
        let label = if lines.is_empty() { "left out" } else { "" };
        let names: Vec<String> = servers.iter().map(name).collect();
        lines.push((label, format!("{} {}: {}", names.len(), reason.as_str(), listed(&names))));
    }
    if lines.is_empty() {
        lines.push(("left out", "no server that fails a control of this plan".to_owned()));
    }
    let kept_out: BTreeSet<&str> = plan.steps().iter().map(|step| step.server.as_str()).collect();
    let not_right: BTreeSet<&str> =
        by_reason.iter().filter(|(reason, _)| !is_right(**reason)).flat_map(|(_, servers)| servers.clone()).collect();
    let right = by_reason
        .get(&LeftOutReason::AlreadyRight)
        .map_or(0, |servers| servers.iter().filter(|id| !kept_out.contains(*id) && !not_right.contains(*id)).count());
    if right > 0 {
        lines.push(("compliant", plural(right as u64, "server")));
    }
    lines
}

/// What could not be read. A plan has that of servers only; what an audit could not list is in the audit.
fn not_read(review: &PlanReview<'_>, text: &Text<'_>) -> String {
    let unknown = review.plan.left_out().iter().filter(|one| one.reason == LeftOutReason::Unknown);
    let unknown: BTreeSet<&ResourceId> = unknown.map(|one| &one.server).collect();
    let of_plan = match unknown.len() as u64 {
        0 => String::new(),
        count => format!("{} (above); ", plural(count, "server")),
    };
    let Some(audit) = review.audit else {
        let lists = format!("{of_plan}lists that could not be read are not in a plan");
        if !review.audit_is_kept {
            return format!("{lists}, and no audit is kept: `{}` reports them", (text.command)("hostssl audit"));
        }
        let command = (text.command)(&format!("hostssl plan check {} --audit latest", review.file));
        return format!("{lists}: `{command}` adds those of the newest audit");
    };
    // A server of which the plan says it already is not counted twice.
    let is_said = |scope: &GapScope| matches!(scope, GapScope::Server(id) if unknown.contains(id));
    let (said, gaps): (Vec<&Gap>, Vec<&Gap>) =
        audit.gaps.iter().filter(|gap| gap.unchecked.reason.leaves_incomplete()).partition(|gap| is_said(&gap.scope));
    let place = |scope: &GapScope| match scope {
        GapScope::Subscription(id) => review.names.of(id).to_owned(),
        GapScope::Server(id) => id.name().to_owned(),
        other => other.to_string(),
    };
    let mut gaps: Vec<String> =
        gaps.iter().map(|gap| format!("{} ({})", place(&gap.scope), gap.unchecked.reason)).collect();
    gaps.dedup();
    match gaps.len() {
        0 if !said.is_empty() => format!("{of_plan}nothing else, by audit {}", audit.run.id),
        0 if audit.run.complete => format!("{of_plan}nothing, by audit {}", audit.run.id),
        0 => format!("{of_plan}audit {} is not complete", audit.run.id),
        count => format!("{of_plan}{} in audit {}: {}", plural(count as u64, "place"), audit.run.id, listed(&gaps)),
    }
}

/// How many clients would be refused by the steps of the plan, or might be.
fn clients(plan: &Plan) -> Option<(&'static str, String)> {
    let mut of: BTreeMap<&str, u64> = BTreeMap::new();
    for step in plan.steps() {
        if let Some(impact) = step.clients.as_ref().filter(|impact| !impact.clients.is_empty()) {
            let count = impact.clients.len() as u64 + u64::from(impact.more);
            let known = of.entry(step.server.name()).or_default();
            // Two controls of a server may concern the same clients.
            *known = count.max(*known);
        }
    }
    let words: Vec<String> = of.iter().map(|(name, count)| format!("{name} ({count})")).collect();
    let line = match of.values().sum::<u64>() {
        0 => return None,
        1 => "1 client of a server that it changes would be refused, or might be: ".to_owned(),
        count => format!("{count} clients of servers that it changes would be refused, or might be: "),
    };
    Some(("clients", format!("{line}{}", listed(&words))))
}

/// Who accepted that clients are refused, and why.
fn accepted(plan: &Plan) -> Vec<(&'static str, String)> {
    let mut of: BTreeMap<(&str, &str), Vec<&Step>> = BTreeMap::new();
    for step in plan.steps() {
        if let Some(consent) = &step.accepted {
            of.entry((consent.reason.as_str(), consent.by.as_str())).or_default().push(step);
        }
    }
    let label = |index: usize| if index == 0 { "accepted" } else { "" };
    of.into_iter()
        .enumerate()
        .map(|(index, ((reason, by), steps))| {
            let names = names_of(steps.into_iter());
            (label(index), format!("{}: that clients are refused, by {by}: {reason}", listed(&names)))
        })
        .collect()
}

/// The servers of steps by their names, each once, in order.
fn names_of<'a>(steps: impl Iterator<Item = &'a Step>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    steps.filter(|step| seen.insert(&step.server)).map(|step| step.server.name().to_owned()).collect()
}

/// The first names, and how many more there are.
fn listed(names: &[String]) -> String {
    let first: Vec<_> = names.iter().take(NAMES).map(|name| safe(name)).collect();
    let more = names.len().saturating_sub(NAMES);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", first.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hostssl_model::{Kind, ParameterName as Name, Reason, Unchecked};
    use hostssl_remediation::{
        AffectedClient, ClientEncryption, ClientImpact, ClientVerdict, FixableControl, SafeText,
    };
    use hostssl_test_support::fleet::{NOW_MS, PlannerKnowledge, flexible, in_state, server};

    fn reviewed(known: &PlannerKnowledge, audit: Option<&AuditReport>) -> String {
        let plan = known.plan();
        let names = SubscriptionNames::new([("s", "Payments")]);
        let now_ms = NOW_MS + 3 * 3_600_000;
        let review =
            PlanReview { plan: &plan, file: "plan.json", names: &names, now_ms, audit, audit_is_kept: audit.is_some() };
        let mut out = Vec::new();
        write(&mut out, &review, &Text::plain()).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn plaintext_client() -> AffectedClient {
        AffectedClient {
            user: Some(SafeText::new("report")),
            database: None,
            application: None,
            address: None,
            tls: ClientEncryption::Plaintext,
            last_seen: None,
        }
    }

    #[test]
    fn a_reviewer_reads_who_what_when_and_what_is_left_out() {
        let reason = SafeText::new("one connects in plaintext");
        let impact =
            ClientImpact { verdict: ClientVerdict::Breaks, reason, clients: vec![plaintext_client()], more: 2 };
        let mut known = PlannerKnowledge::new(vec![
            flexible("a", "off", "TLSv1.2"),
            flexible("b", "off", "TLSv1.2"),
            in_state(flexible("c", "off", "TLSv1.2"), "Stopped"),
            flexible("d", "on", "TLSv1.2"),
        ]);
        let b = known.postures[1].server.id.clone();
        known.clients.insert((b, FixableControl::RequireSecureTransport), impact);
        let text = reviewed(&known, None);
        for line in [
            "made by    planner, at 2026-01-01T00:00:00Z (3 hours ago)",
            "changes    2 servers of 1 subscription by 2 steps: Payments (2)",
            "canary     a",
            "then       1 wave of 1 server\n",
            "left out   1 stopped: c",
            "compliant  1 server",
            "clients    3 clients of servers that it changes would be refused, or might be: b (3)",
            "are not in a plan, and no audit is kept: `hostssl audit` reports them",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
        assert!(text.contains("accepted   "), "{text}");
        let mut audit = known.audit();
        assert!(reviewed(&known, Some(&audit)).contains("not read   nothing, by audit r\n"));
        audit.run.complete = false;
        assert!(reviewed(&known, Some(&audit)).contains("not read   audit r is not complete\n"));
    }
    #[test]
    fn a_server_is_counted_once_and_a_step_for_people_is_no_change() {
        let unread = server(Kind::Flexible, "c", &[]);
        let mut known = PlannerKnowledge::new(vec![
            flexible("a", "off", "TLSv1.2"),
            server(
                Kind::Horizon,
                "h",
                &[(Name::RequireSecureTransport, "off"), (Name::SslMinProtocolVersion, "TLSv1.2")],
            ),
            unread,
        ]);
        let left_out = known.postures[2].server.id.clone();
        let impact = |name: &str| ClientImpact {
            verdict: ClientVerdict::Breaks,
            reason: SafeText::new(name),
            clients: vec![plaintext_client()],
            more: 0,
        };
        known.clients.insert((left_out.clone(), FixableControl::RequireSecureTransport), impact("c"));
        let mut audit = known.audit();
        audit.run.complete = false;
        let gap = |scope| Gap { scope, unchecked: Unchecked::new(Reason::Throttled, "late") };
        audit.gaps = vec![gap(GapScope::Server(left_out))];
        let text = reviewed(&known, Some(&audit));
        assert!(text.contains("changes    1 server of 1 subscription by 1 step: Payments (1)\n"), "{text}");
        assert!(text.contains("manual     h; hostssl does not write these\n"), "{text}");
        assert!(text.contains("not read   1 server (above); nothing else, by audit r\n"), "{text}");
    }
}
