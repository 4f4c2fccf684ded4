//! A plan as text: what would be written, in which order, and what is left out and why.

use crate::headline::plural;
use crate::{
    Cell, Column, Entry, Heading, Section, Shown, SubscriptionNames, Text, portal_link, safe, write_columns, write_list,
};
use hostssl_audit::Profile;
use hostssl_model::{Outcome, ResourceId};
use hostssl_remediation::{
    AffectedClient, ClientEncryption, ClientImpact, Direction, Disposition, Goal, LeftOutReason, Plan, Step,
};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

/// Digits of a hash that distinguish plans. Approving takes all of them.
const HASH_SHOWN: usize = 12;

/// The columns of the steps of a plan.
pub const COLUMNS: &[Heading] = &[
    Heading::new("step", Shown::Always),
    Heading::new("server", Shown::Always),
    Heading::new("wave", Shown::AsTitle),
    Heading::new("resource-group", Shown::WithRoom(3)),
    Heading::new("subscription", Shown::WithRoom(2)),
    Heading::new("parameter", Shown::Always),
    Heading::new("change", Shown::Always),
    Heading::new("disposition", Shown::Always),
    Heading::new("why", Shown::Reason),
];

/// The columns of what a plan leaves out.
const LEFT_OUT: &[Heading] = &[
    Heading::new("reason", Shown::Always),
    Heading::new("server", Shown::Always),
    Heading::new("resource-group", Shown::WithRoom(2)),
    Heading::new("subscription", Shown::WithRoom(3)),
    Heading::new("control", Shown::WithRoom(1)),
    Heading::new("why", Shown::Reason),
];

/// Writes the plan. `names` are those of subscriptions, by their id, as far as they are known.
///
/// # Errors
///
/// Whatever the writer returns.
pub fn write(out: &mut dyn Write, plan: &Plan, names: &SubscriptionNames, text: &Text<'_>) -> io::Result<()> {
    let mut sections: Vec<Section> = plan.waves().map(|steps| wave(plan, steps, names, text)).collect();
    let manual: Vec<Entry> =
        plan.steps().iter().filter(|step| !step.is_executable()).map(|step| entry(plan, step, names, text)).collect();
    if !manual.is_empty() {
        let title = Some(text.palette.bold("Manual: hostssl does not write these"));
        sections.push(Section { title, entries: manual });
    }
    let left_out = left_out(plan, names, text);
    let listed = sections.iter().chain(&left_out).any(|section| !section.entries.is_empty());
    let steps = write_some(out, COLUMNS, sections, text)?;
    let others = write_some(out, LEFT_OUT, left_out, text)?;
    if listed && !steps && !others {
        writeln!(out, "no row is {}", text.shape.only.join(" or "))?;
    }
    write_clients(out, plan, text)?;
    write_summary(out, plan, text)
}

/// Writes a list of which the reader may have asked for nothing. Says whether there was something to write.
fn write_some(out: &mut dyn Write, headings: &[Heading], sections: Vec<Section>, text: &Text<'_>) -> io::Result<bool> {
    let only = &text.shape.only;
    let is_asked = |entry: &Entry| only.is_empty() || only.iter().any(|word| word == entry.word);
    let any = sections.iter().flat_map(|section| &section.entries).any(is_asked);
    if any {
        write_list(out, headings, sections, text)?;
    }
    Ok(any)
}

/// The words that rows are chosen by: dispositions of steps, and why servers are left out.
#[must_use]
pub fn words() -> Vec<&'static str> {
    let mut words: Vec<&str> = Disposition::ALL.into_iter().map(Disposition::as_str).collect();
    for reason in LeftOutReason::ALL.into_iter().filter(|reason| !is_right(*reason)).map(LeftOutReason::as_str) {
        // Some words are for both.
        if !words.contains(&reason) {
            words.push(reason);
        }
    }
    words
}

fn wave(plan: &Plan, steps: &[Step], names: &SubscriptionNames, text: &Text<'_>) -> Section {
    let wave = steps.first().map_or(0, |step| step.wave);
    let servers = steps.iter().map(|step| &step.server).collect::<BTreeSet<_>>().len();
    let canary = if wave == 1 { ", the canary" } else { "" };
    let title = text.palette.bold(&format!("Wave {wave}{canary}: {}", plural(servers as u64, "server")));
    Section { title: Some(title), entries: steps.iter().map(|step| entry(plan, step, names, text)).collect() }
}

/// The page of a server in the portal of the plan's cloud.
pub(crate) fn portal(plan: &Plan, server: &ResourceId) -> Option<String> {
    portal_link(plan.cloud(), plan.principal().tenant.as_deref(), server.as_str())
}

fn entry(plan: &Plan, step: &Step, names: &SubscriptionNames, text: &Text<'_>) -> Entry {
    let word = step.disposition.as_str();
    let loosens = step.exposes(Direction::Apply).is_some();
    let outcome = match step.disposition {
        // No client is refused, and the server is worse off all the same.
        _ if loosens => Outcome::Fail,
        Disposition::OnlineSafe => Outcome::Pass,
        Disposition::NeedsRestart | Disposition::NeedsObservation | Disposition::BreaksClients => Outcome::Unknown,
        Disposition::Manual => Outcome::NotApplicable,
    };
    let change = format!("{} -> {}", step.before, step.after);
    let line = vec![
        Cell::number(step.id.into()),
        Cell::plain(step.server.name()).linked(portal(plan, &step.server)),
        Cell::number(step.wave.into()),
        Cell::plain(step.server.resource_group()),
        Cell::plain(names.of(step.server.subscription().as_str())),
        Cell::plain(step.parameter.as_str()),
        if loosens { Cell::outcome(Outcome::Fail, &change) } else { Cell::plain(change) },
        Cell::outcome(outcome, word),
        Cell::plain(text.reason(step.why.as_str())),
    ];
    Entry { word, lines: vec![line] }
}

/// What is left out although it is not right, one by one; what is right already is only counted.
fn left_out(plan: &Plan, names: &SubscriptionNames, text: &Text<'_>) -> Vec<Section> {
    // What holds for several controls of a server is told once.
    let mut told: BTreeMap<_, Vec<&str>> = BTreeMap::new();
    for one in plan.left_out().iter().filter(|one| !is_right(one.reason)) {
        told.entry((one.reason, &one.server, &one.detail)).or_default().push(one.control.as_str());
    }
    if told.is_empty() {
        return Vec::new();
    }
    let entries = told.into_iter().map(|((reason, server, detail), controls)| {
        let word = reason.as_str();
        let line = vec![
            Cell::outcome(Outcome::Unknown, word),
            Cell::plain(server.name()).linked(portal(plan, server)),
            Cell::plain(server.resource_group()),
            Cell::plain(names.of(server.subscription().as_str())),
            Cell::plain(controls.join(", ")),
            Cell::plain(text.reason(detail.as_str())),
        ];
        Entry { word, lines: vec![line] }
    });
    vec![Section { title: Some(text.palette.bold("Left out")), entries: entries.collect() }]
}

/// Servers whose clients are named: the plan's file has more.
pub const AFFECTED_SERVERS: usize = 20;
/// Clients of a server that are named: the plan's file has more, and the census all.
const AFFECTED_CLIENTS: usize = 5;

/// The clients that are refused, or would be.
pub(crate) fn write_clients(out: &mut dyn Write, plan: &Plan, text: &Text<'_>) -> io::Result<()> {
    let steps = plan.steps().iter().map(|step| (step.server.name().to_owned(), step.clients.as_ref()));
    let left = plan.left_out().iter().map(|one| (format!("{} (left out)", one.server.name()), one.clients.as_ref()));
    let concerned: Vec<(String, &ClientImpact)> = steps
        .chain(left)
        .filter_map(|(name, impact)| Some((name, impact.filter(|impact| !impact.clients.is_empty())?)))
        .collect();
    if concerned.is_empty() {
        return Ok(());
    }
    let command = (text.command)("hostssl clients");
    writeln!(out, "{}", text.palette.bold("Clients that would be refused, or might be"))?;
    let mut rows = Vec::new();
    for (name, impact) in concerned.iter().take(AFFECTED_SERVERS) {
        let (clients, more) = first_clients(impact);
        let more = (more > 0).then(|| format!("and {more} more: {command}"));
        let lines = clients.into_iter().chain(more);
        rows.extend(lines.map(|line| vec![Column::plain(safe(name)), Column::plain(safe(&line))]));
    }
    let more = concerned.len().saturating_sub(AFFECTED_SERVERS);
    if more > 0 {
        rows.push(vec![Column::plain(format!("and {}", plural(more as u64, "server"))), Column::plain(&command)]);
    }
    write_columns(out, "  ", &rows)?;
    writeln!(out)
}

/// The first clients of a server, each in one line, and how many more there are.
#[must_use]
pub fn first_clients(impact: &ClientImpact) -> (Vec<String>, u64) {
    let named = impact.clients.iter().take(AFFECTED_CLIENTS).map(client_text).collect();
    let listed = impact.clients.len().saturating_sub(AFFECTED_CLIENTS) as u64;
    (named, u64::from(impact.more) + listed)
}

/// A client in one line: `report to catalog, Metabase v0.50.3, from 10.20.7.9, in plaintext, last seen
/// 2026-09-16T18:00:01Z`.
#[must_use]
pub fn client_text(client: &AffectedClient) -> String {
    let part = |lead: &str, text: Option<&str>| text.map(|text| format!("{lead}{text}"));
    let tls = match client.tls {
        ClientEncryption::Plaintext => "in plaintext".to_owned(),
        ClientEncryption::Unknown => "unknown whether with TLS".to_owned(),
        ClientEncryption::Tls(None) => "with TLS".to_owned(),
        ClientEncryption::Tls(Some(version)) => format!("with {}", version.as_postgresql()),
    };
    let to = part(" to ", client.database.as_ref().map(|text| text.as_str())).unwrap_or_default();
    let user = client.user.as_ref().map_or("an unknown user", |user| user.as_str());
    [
        Some(format!("{user}{to}")),
        part("", client.application.as_ref().map(|text| text.as_str())),
        part("from ", client.address.as_ref().map(|text| text.as_str())),
        Some(tls),
        part("last seen ", client.last_seen.as_deref()),
    ]
    .into_iter()
    .flatten()
    .collect::<Vec<_>>()
    .join(", ")
}

pub(crate) fn is_right(reason: LeftOutReason) -> bool {
    matches!(reason, LeftOutReason::AlreadyRight | LeftOutReason::NotSupported)
}

/// Each server for which there is no step, counted once by what keeps it out, and how many there are whose controls all
/// pass; a server that is right in one way and cannot be put right in another is not right.
fn left_out_counts(plan: &Plan) -> (Vec<String>, usize) {
    let planned: BTreeSet<_> = plan.steps().iter().map(|step| &step.server).collect();
    let mut reasons = BTreeMap::new();
    for one in plan.left_out().iter().filter(|one| !planned.contains(&one.server)) {
        let key = (is_right(one.reason), one.reason);
        reasons.entry(&one.server).and_modify(|known| *known = key.min(*known)).or_insert(key);
    }
    let mut counts: BTreeMap<LeftOutReason, usize> = BTreeMap::new();
    reasons.values().for_each(|(_, reason)| *counts.entry(*reason).or_default() += 1);
    let right = counts.remove(&LeftOutReason::AlreadyRight).unwrap_or_default();
    (counts.iter().map(|(reason, count)| format!("{count} {}", reason.as_str())).collect(), right)
}

fn write_summary(out: &mut dyn Write, plan: &Plan, text: &Text<'_>) -> io::Result<()> {
    let palette = text.palette;
    let waves = plan.waves().count();
    let (left, right) = left_out_counts(plan);
    let what =
        format!("{}, {} in {}", plural(plan.servers() as u64, "server"), plan.count(), plural(waves as u64, "wave"));
    let manual = plan.steps().iter().map(|step| &step.server).collect::<BTreeSet<_>>().len();
    let what = match (plan.is_empty(), manual) {
        (false, _) => what,
        (true, 0) => "nothing to write".to_owned(),
        (true, manual) => format!("nothing to write; {manual} manual"),
    };
    let left = if left.is_empty() { String::new() } else { format!("; left out: {}", left.join(", ")) };
    let hash = plan.hash().as_str();
    let short = hash.get(..HASH_SHOWN).unwrap_or(hash);
    writeln!(out, "plan {}: {what}{left}", palette.bold(short))?;
    if right > 0 {
        // Not every control that an audit checks can be fixed by a plan.
        let passed = plan.left_out().iter().filter(|one| one.reason == LeftOutReason::AlreadyRight);
        let controls: BTreeSet<&str> = passed.map(|one| one.control.as_str()).collect();
        writeln!(
            out,
            "{} the controls of this plan already: {}",
            if right == 1 { "1 server passes".to_owned() } else { format!("{right} servers pass") },
            controls.into_iter().collect::<Vec<_>>().join(", ")
        )?;
    }
    write_unplanned(out, plan, text)?;
    let principal = plan.principal();
    writeln!(
        out,
        "profile {}, cloud {}, tenant {}, made by {} at {}",
        safe(plan.profile()),
        safe(plan.cloud()),
        safe(principal.tenant.as_deref().unwrap_or("unknown")),
        safe(&principal.name),
        safe(plan.created_at()),
    )?;
    writeln!(out, "hash {hash}")
}

/// The controls of the profile that the plan is not about: a server may fail them and be in no list of the plan.
pub(crate) fn write_unplanned(out: &mut dyn Write, plan: &Plan, text: &Text<'_>) -> io::Result<()> {
    let (Goal::Fix { controls, .. }, Ok(profile)) = (plan.goal(), Profile::find(plan.profile())) else {
        return Ok(());
    };
    let planned: BTreeSet<&str> = controls.iter().map(|control| control.as_str()).collect();
    let others = profile.controls.iter().map(|control| control.id.as_str());
    let others: Vec<&str> = others.filter(|id| !planned.contains(id)).collect();
    if others.is_empty() {
        return Ok(());
    }
    let audit = (text.command)("hostssl audit");
    writeln!(out, "not looked at for this plan: {}; `{audit}` lists the servers that fail them", others.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Wrapping;
    use hostssl_model::{Kind, ManagementLock, ParameterName as Name, Reading, Reason, Unchecked};
    use hostssl_test_support::fleet::{PlannerKnowledge, flexible, server};

    /// What a terminal of this width shows of a plan.
    fn on_a_terminal(width: usize, plan: &Plan) -> String {
        let mut out = Vec::new();
        let mut wrapping = Wrapping::new(&mut out, width);
        let names = SubscriptionNames::new([("s", "Contoso Production")]);
        write(&mut wrapping, plan, &names, &Text { width: Some(width), ..Text::plain() }).unwrap();
        wrapping.finish().unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_plan_fits_the_terminal_and_never_hides_what_a_step_does_to_clients() {
        let mut unread = server(Kind::Flexible, "pg-payroll-prod", &[]);
        let action = "Microsoft.DBforPostgreSQL/flexibleServers/configurations/read";
        let said = format!(
            "Azure answered HTTP 403 AuthorizationFailed: The client does not have authorization to perform action '{action}' over scope '{}'",
            unread.server.id
        );
        let denied = Unchecked { missing_permission: Some(action.into()), ..Unchecked::new(Reason::Permission, said) };
        for name in [Name::RequireSecureTransport, Name::SslMinProtocolVersion] {
            unread.readings.push((name, Reading::Unknown(denied.clone())));
        }
        let mut known = PlannerKnowledge::new(vec![
            flexible("pg-catalog-prod-main", "off", "TLSv1.2"),
            flexible("pg-ledger-prod", "off", "TLSv1.2"),
            unread,
        ]);
        let scope = known.postures[1].server.id.to_string();
        known.locks = vec![ManagementLock { scope, name: "freeze".into(), read_only: true }];
        let plan = known.plan();
        for width in [80, 100, 120, 160] {
            let shown = on_a_terminal(width, &plan);
            let too_long: Vec<&str> = shown.lines().filter(|line| line.chars().count() > width).collect();
            assert!(too_long.is_empty(), "{width}: {too_long:?}");
            let on_one_line = shown.split_whitespace().collect::<Vec<_>>().join(" ");
            for words in ["DISPOSITION", "lock `freeze` on the server", &format!("needs {action}")] {
                assert!(on_one_line.contains(words), "{width}: {words}\n{shown}");
            }
        }
    }
}
