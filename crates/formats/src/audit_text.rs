//! The audit as text: failures first, then what could not be checked, the next command at the end.

use crate::headline::{UncheckedCount, plural};
use crate::server_document::{after_restart, location_name};
use crate::{
    Cell, Column, Entry, Heading, Palette, Section, Shown, Text, earlier_look, gate_text, portal_link, safe,
    scope_words, waiver_text, write_columns, write_list,
};
use hostssl_model::{
    AuditReport, ControlId, Finding, Floor, Gap, GapScope, Outcome, Reason, Scope, ServerReport, Severity, Standing,
    Standings, Subscription, Unchecked, WorstListener,
};
use hostssl_remediation::FixableControl;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{self, Write};

/// Gaps of one kind that are listed one by one; the rest is counted.
const GAPS_SHOWN: usize = 5;

/// The columns of an audit.
pub const COLUMNS: &[Heading] = &[
    Heading::new("outcome", Shown::Always),
    Heading::new("server", Shown::Always),
    Heading::new("subscription", Shown::AsTitle),
    Heading::new("resource-group", Shown::WithRoom(5)),
    Heading::new("kind", Shown::Wide),
    Heading::new("region", Shown::Wide),
    Heading::new("state", Shown::Wide),
    Heading::new("ssl", Shown::WithRoom(4)),
    Heading::new("min-tls", Shown::WithRoom(6)),
    Heading::new("wire", Shown::WithRoom(1)),
    Heading::new("severity", Shown::WithRoom(2)),
    Heading::new("control", Shown::Always),
    Heading::new("why", Shown::Reason),
];

/// The outcomes that rows are chosen by.
pub const OUTCOMES: &[&str] = &["fail", "unknown", "pass"];

/// Writes the report.
///
/// # Errors
///
/// Whatever the writer returns.
pub fn write(out: &mut dyn Write, report: &AuditReport, text: &Text<'_>) -> io::Result<()> {
    write_with_next(out, report, 0, text)
}

/// The same, where the clients of so many failing servers should be observed before a plan can fix the failures.
///
/// # Errors
///
/// Whatever the writer returns.
pub fn write_with_next(out: &mut dyn Write, report: &AuditReport, unobserved: u64, text: &Text<'_>) -> io::Result<()> {
    let palette = text.palette;
    let sections = by_subscription(report).into_iter().map(|(subscription, servers)| Section {
        title: Some(format!(
            "{}  {}",
            palette.bold(&safe(&subscription.name)),
            palette.faint(subscription.id.as_str())
        )),
        entries: servers.into_iter().map(|server| entry(subscription, server, report)).collect(),
    });
    write_list(out, COLUMNS, sections.collect(), text)?;
    write_gaps(out, report, palette)?;
    write_summary(out, report, text)?;
    text.write_next(out, &next(report, unobserved))
}

/// Subscriptions with their servers, those with failures first, then those with something unknown, then by name.
fn by_subscription(report: &AuditReport) -> Vec<(&Subscription, Vec<&ServerReport>)> {
    let mut groups: Vec<(&Subscription, Vec<&ServerReport>)> =
        report.subscriptions.iter().map(|subscription| (subscription.as_ref(), Vec::new())).collect();
    let places: BTreeMap<_, _> = groups.iter().enumerate().map(|(i, (s, _))| (s.id.clone(), i)).collect();
    for server in &report.servers {
        if let Some((_, servers)) = places.get(&server.server.subscription()).and_then(|index| groups.get_mut(*index)) {
            servers.push(server);
        }
    }
    groups.retain(|(_, servers)| !servers.is_empty());
    for (_, servers) in &mut groups {
        servers.sort_by_key(|server| std::cmp::Reverse(server.outcome));
    }
    groups.sort_by_key(|(_, servers)| std::cmp::Reverse(servers.iter().map(|s| s.outcome).max()));
    groups
}

/// A server: one line for it, and one more for each further reason.
fn entry(subscription: &Subscription, report: &ServerReport, of: &AuditReport) -> Entry {
    let (server, started_at) = (&report.server, &*of.run.started_at);
    let portal = portal_link(&of.run.cloud, Some(&*subscription.tenant), server.id.as_str());
    let word = report.outcome.as_str();
    let rank = |outcome| match outcome {
        Outcome::Fail => 0,
        Outcome::Unknown => 1,
        Outcome::Pass => 2,
        Outcome::NotApplicable => 3,
    };
    let floor = match report.minimal_tls_version {
        None => "-".to_owned(),
        Some(Floor::None) => "any".to_owned(),
        Some(floor) => floor.as_azure().trim_start_matches("TLS").replace('_', "."),
    };
    let state = server.state.as_ref().map_or("-", |state| state.as_str());
    let mut line = vec![
        Cell::outcome(report.outcome, word).ranked(rank(report.outcome)),
        Cell::plain(server.name()).linked(portal),
        Cell::plain(&*subscription.name),
        Cell::plain(server.id.resource_group()),
        Cell::plain(server.kind.as_str()),
        Cell::plain(location_name(&server.location)),
        Cell::plain(state),
        Cell::plain(after_restart(report.ssl_enforcement.as_str(), report.switch_waits())),
        Cell::plain(after_restart(&floor, report.floor_waits())),
        Cell::plain(on_the_wire(report, started_at)),
    ];
    let lead = line.len();
    let mut lines = Vec::new();
    for Why { severity, control, text, waived, .. } in whys(report, started_at) {
        let rank = severity.map_or(3, |severity| 2 - severity as u64);
        line.push(Cell::plain(severity.map_or("", Severity::as_str)).ranked(rank));
        line.extend([Cell::plain(control), Cell::plain(text).marked(if waived { "waived" } else { "" })]);
        lines.push(std::mem::replace(&mut line, vec![Cell::default(); lead]));
    }
    if lines.is_empty() {
        line.push(Cell::default().ranked(3));
        lines.push(line);
    }
    Entry { word, lines }
}

/// What the listeners do with clients that connect without TLS: one word where all do the same, otherwise the word of
/// 5432 and what others do. What a zone saw says so, and what an earlier probe saw says how old it is.
fn on_the_wire(report: &ServerReport, started_at: &str) -> String {
    let seen = (!report.wire.is_empty()).then(|| seen_on_the_wire(report));
    seen.into_iter().chain(earlier_look::words(report, started_at)).collect::<Vec<_>>().join(", ")
}

fn seen_on_the_wire(report: &ServerReport) -> String {
    let mut words: Vec<(u16, Cow<'static, str>)> = Vec::new();
    for look in &report.wire {
        let word = WorstListener::from(&look.listener).as_str();
        let word = match &look.vantage {
            Some(vantage) => Cow::Owned(format!("{word} from {}", safe(&vantage.zone))),
            None => Cow::Borrowed(word),
        };
        if !words.contains(&(look.port, word.clone())) {
            words.push((look.port, word));
        }
    }
    let Some((port, first)) = words.first() else {
        return "-".to_owned();
    };
    let others = words.iter().skip(1).filter(|(_, word)| word != first);
    others.fold(first.to_string(), |mut text, (other, word)| {
        text += &if other == port { format!(", {word}") } else { format!(", {other} {word}") };
        text
    })
}

/// One reason of a server's outcome.
struct Why {
    /// Of what failed.
    severity: Option<Severity>,
    /// The control, or how many have the same reason.
    control: String,
    controls: usize,
    text: String,
    waived: bool,
    reason: Option<(Reason, Option<String>)>,
}

/// What failed, then what is unknown; the same reason once. What an earlier look says worse comes first.
fn whys(report: &ServerReport, started_at: &str) -> Vec<Why> {
    let worse = earlier_look::why_worse(report, started_at);
    let of_earlier =
        |text| Why { severity: None, control: String::new(), controls: 1, text, waived: false, reason: None };
    let mut whys: Vec<Why> = worse.map(of_earlier).into_iter().collect();
    for outcome in [Outcome::Fail, Outcome::Unknown] {
        for finding in report.findings.iter().filter(|finding| finding.outcome == outcome) {
            let reason = finding
                .unchecked
                .as_ref()
                .map(|unchecked| (unchecked.reason, unchecked.missing_permission.as_ref().map(ToString::to_string)));
            let known = whys.iter_mut().find(|why| reason.is_some() && why.reason == reason);
            if let Some(known) = known {
                known.controls += 1;
                known.control = format!("{} controls", known.controls);
                continue;
            }
            let text = match (&finding.unchecked, &finding.observed) {
                (Some(unchecked), _) => format!("{}: {}", unchecked.reason, why_unchecked(unchecked)),
                (None, Some(observed)) => safe(observed).into_owned(),
                (None, None) => String::new(),
            };
            let text = match &finding.waiver {
                Some(waiver) => format!("{text} ({})", waiver_text::beside(waiver)),
                None => text,
            };
            // The control says that it is not as declared: what was seen by another control as well needs no line of
            // its own.
            if finding.control == ControlId::DeclaredMatchesWire && outcome == Outcome::Fail {
                whys.retain(|why| why.text != text);
            }
            let severity = (outcome == Outcome::Fail).then_some(finding.severity);
            let (control, waived) = (finding.control.to_string(), finding.accepted().is_some());
            whys.push(Why { severity, control, controls: 1, text, waived, reason });
        }
    }
    whys
}

/// The permission that would allow it; otherwise what was said.
fn why_unchecked(unchecked: &Unchecked) -> String {
    match &unchecked.missing_permission {
        Some(permission) => format!("needs {}", safe(permission)),
        None => short(&safe(&unchecked.detail)),
    }
}

/// As much of a reason as can be read in a table; the formats for programs have it whole.
fn short(text: &str) -> String {
    const SHOWN: usize = 300;
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// Gaps of the scope itself; those of a server stand in its row.
fn write_gaps(out: &mut dyn Write, report: &AuditReport, palette: Palette) -> io::Result<()> {
    let mut gaps: BTreeMap<(bool, Reason), Vec<&Gap>> = BTreeMap::new();
    for gap in report.gaps.iter().filter(|gap| !gap.scope.is_server()) {
        gaps.entry((!gap.unchecked.reason.leaves_incomplete(), gap.unchecked.reason)).or_default().push(gap);
    }
    if gaps.is_empty() {
        return Ok(());
    }
    writeln!(out, "{}", palette.bold("Not checked"))?;
    let mut rows = Vec::new();
    for ((note, reason), gaps) in &gaps {
        for gap in gaps.iter().take(GAPS_SHOWN) {
            let colour = if *note { Outcome::NotApplicable } else { Outcome::Unknown };
            rows.push(vec![
                Column::painted(reason.as_str(), palette.outcome(colour, reason.as_str())),
                Column::plain(scope_name(gap, report)),
                Column::plain(why_unchecked(&gap.unchecked)),
            ]);
        }
        if gaps.len() > GAPS_SHOWN {
            let more = format!("… and {} more; --output json lists them all", gaps.len() - GAPS_SHOWN);
            rows.push(vec![Column::plain(reason.as_str()), Column::plain(more)]);
        }
    }
    write_columns(out, "  ", &rows)?;
    writeln!(out)
}

fn scope_name(gap: &Gap, report: &AuditReport) -> String {
    match &gap.scope {
        GapScope::AllSubscriptions => "all subscriptions".to_owned(),
        GapScope::Subscription(id) => {
            let known = report.subscriptions.iter().find(|subscription| subscription.id.as_str() == &**id);
            let name = known.map(|subscription| safe(&subscription.name).into_owned());
            name.unwrap_or_else(|| safe(&gap.scope.to_string()).into_owned())
        }
        scope => safe(&scope.to_string()).into_owned(),
    }
}

fn write_summary(out: &mut dyn Write, report: &AuditReport, text: &Text<'_>) -> io::Result<()> {
    let palette = text.palette;
    let summary = &report.summary;
    let subscriptions = plural(report.subscriptions.len() as u64, "subscription");
    writeln!(out, "{} in {subscriptions}", plural(summary.servers, "server"))?;
    if report.run.scope != Scope::default() {
        writeln!(out, "asked for: {}", safe(&scope_words(&report.run.scope)))?;
    }
    write_standings(out, &Standings::of(&report.servers), palette)?;
    let count = |outcome: Outcome, count: u64| {
        let text = format!("{count} {}", outcome.as_str());
        if count == 0 { palette.faint(&text) } else { palette.outcome(outcome, &text) }
    };
    writeln!(
        out,
        "servers by their worst control: {}, {}, {}",
        count(Outcome::Fail, summary.fail),
        count(Outcome::Unknown, summary.unknown),
        count(Outcome::Pass, summary.pass),
    )?;
    if let Some(note) = earlier_look::note(report) {
        writeln!(out, "{note}")?;
    }
    let partial = report.gaps.iter().any(|g| matches!(g.unchecked.reason, Reason::Interrupted | Reason::Deadline));
    let earlier = earlier_look::plaintext(report);
    let coverage = match (report.run.complete, partial) {
        (true, _) => earlier.as_ref().map_or_else(|| "complete".to_owned(), |why| format!("complete, but {why}")),
        (false, true) => format!("partial: the run ended early; {} could not be checked", unchecked(report)),
        (false, false) => format!("incomplete: {} could not be checked", unchecked(report)),
    };
    let coverage =
        if report.run.complete && earlier.is_none() { coverage } else { palette.outcome(Outcome::Unknown, &coverage) };
    writeln!(out, "coverage: {coverage}")?;
    for line in waiver_text::used(report).into_iter().chain(gate_text::decided(report)) {
        writeln!(out, "{line}")?;
    }
    for doubt in waiver_text::doubts(report).into_iter().chain(gate_text::doubts(report)) {
        writeln!(out, "{}", palette.outcome(Outcome::Unknown, &format!("warning: {doubt}")))?;
    }
    let principals: Vec<String> =
        report.run.principals.iter().map(|p| format!("{} ({})", safe(&p.name), p.method)).collect();
    let rules = report.run.asked.rules(&report.run.profile);
    writeln!(out, "profile {}, cloud {}, as {}", safe(&rules), safe(&report.run.cloud), principals.join(", "))
}

/// The four figures, the worst first, each with its definition; what is declared and not proven only where there is
/// any.
fn write_standings(out: &mut dyn Write, standings: &Standings, palette: Palette) -> io::Result<()> {
    let always = [Standing::AcceptsPlaintext, Standing::NotEnforced, Standing::Unknown, Standing::Proven];
    let mut rows = Vec::new();
    for standing in Standing::ALL {
        let servers = standings.count(standing);
        if servers == 0 && !always.contains(&standing) {
            continue;
        }
        let words = match (servers, standing) {
            (0, _) => palette.faint(standing.words()),
            (_, Standing::AcceptsPlaintext | Standing::NotEnforced) => palette.outcome(Outcome::Fail, standing.words()),
            (_, Standing::Proven) => palette.outcome(Outcome::Pass, standing.words()),
            _ => palette.outcome(Outcome::Unknown, standing.words()),
        };
        rows.push(vec![
            Column::plain(format!("{servers:>5}")),
            Column::painted(standing.words(), words),
            Column::painted(standing.definition(), palette.faint(standing.definition())),
        ]);
    }
    write_columns(out, "", &rows)
}

/// What could not be checked, in numbers that can be counted above: servers, whose reason is in their row, and places,
/// each a row of its own.
fn unchecked(report: &AuditReport) -> String {
    let UncheckedCount { servers, lists: places } = UncheckedCount::of(report);
    let reasons = if servers == 1 { " (reason in its row)" } else { " (reasons in their rows)" };
    let parts =
        [(servers, plural(servers, "server") + reasons), (places, plural(places, "list") + " (under “Not checked”)")];
    let parts: Vec<String> = parts.into_iter().filter(|(number, _)| *number > 0).map(|(_, words)| words).collect();
    if parts.is_empty() { "something".to_owned() } else { parts.join(" and ") }
}

/// Commands to run next: what explains the worst finding, what a plan has to know, and what fixes it; or what would let
/// everything be read, or prove it.
fn next(report: &AuditReport, unobserved: u64) -> Vec<(String, &'static str)> {
    let findings = || report.servers.iter().flat_map(|server| &server.findings);
    // Of equals the first: what is declared comes before what follows from it.
    let failed = findings().filter(|finding| finding.outcome == Outcome::Fail);
    let worst = failed.min_by_key(|finding| std::cmp::Reverse(finding.severity));
    let forbidden = report.gaps.iter().any(|gap| gap.unchecked.reason == Reason::Permission);
    let mut next = Vec::new();
    if let Some(finding) = worst {
        next.push((format!("hostssl controls {}", finding.control), "explains the worst finding"));
        let fixable = |one: &Finding| one.outcome == Outcome::Fail && FixableControl::of(one.control).is_some();
        if findings().any(fixable) {
            if unobserved > 0 {
                next.push(("hostssl clients".to_owned(), "finds the clients that would be refused; a plan needs that"));
            }
            next.push(("hostssl plan".to_owned(), "plans the fix; writes nothing to Azure"));
        }
    } else if forbidden {
        next.push(("hostssl role audit".to_owned(), "prints the role with every permission that an audit needs"));
    } else if !report.servers.is_empty() && report.servers.iter().all(|server| server.wire.is_empty()) {
        next.push(("hostssl audit --probe".to_owned(), "proves on the wire what Azure declares"));
    }
    next
}
