//! What changed between two audits, as text.

use crate::headline::plural;
use crate::{Cell, Entry, Heading, Section, Shown, Text, portal_link, safe, write_list};
use crate::{waiver_text, who_text};
use hostssl_audit::{Change, Diff, Difference, ListedBy, NotLooked};
use hostssl_model::{Apart, AuditReport, Finding, Outcome};
use std::io::{self, Write};

/// The columns of the changes.
pub const COLUMNS: &[Heading] = &[
    Heading::new("change", Shown::Always),
    Heading::new("server", Shown::Always),
    Heading::new("resource-group", Shown::WithRoom(1)),
    Heading::new("control", Shown::Always),
    Heading::new("before-and-after", Shown::Prose),
];

/// Writes the comparison.
///
/// # Errors
///
/// Whatever the writer returns.
pub fn write(
    out: &mut dyn Write,
    before: &AuditReport,
    after: &AuditReport,
    diff: &Diff<'_>,
    text: &Text<'_>,
) -> io::Result<()> {
    let palette = text.palette;
    for (what, report) in [("before", before), ("after ", after)] {
        let run = &report.run;
        let coverage = if run.complete { "complete" } else { "incomplete" };
        writeln!(out, "{what}  {}", palette.bold(&safe(&run.id)))?;
        let servers = report.summary.servers;
        let noun = if servers == 1 { "server" } else { "servers" };
        let (started, rules) = (safe(&run.started_at), run.asked.rules(&run.profile));
        writeln!(out, "        {started}  {}  {servers} {noun}  coverage {coverage}", safe(&rules))?;
    }
    writeln!(out)?;
    if !diff.changes.is_empty() {
        let title = Some(palette.bold("Changes"));
        write_list(
            out,
            COLUMNS,
            vec![Section {
                title,
                entries: diff.changes.iter().map(|change| entry(change, &after.run.cloud)).collect(),
            }],
            text,
        )?;
    }
    writeln!(out, "{}; {} findings unchanged", counts(diff), diff.unchanged)?;
    notes(before, after, diff).iter().try_for_each(|note| writeln!(out, "note: {note}"))
}

/// What a reader has to know of the comparison itself.
#[must_use]
pub fn notes(before: &AuditReport, after: &AuditReport, diff: &Diff<'_>) -> Vec<String> {
    let mut notes = Vec::new();
    if diff.times_go_back {
        notes.push(
            "the later audit says that it began before the earlier one: a clock was set back, or two machines differ"
                .to_owned(),
        );
    }
    let [earlier, later] = [before, after].map(|audit| safe(&audit.run.cloud));
    match diff.apart {
        Some(Apart::Clouds) => notes.push(format!(
            "the audits are of different clouds, {earlier} and {later}, so nothing is compared: no server of one is fixed or gone \
             because the other was asked"
        )),
        Some(Apart::Tenants) => notes.push(
            "the audits have no tenant in common: what only one of them listed says nothing of the other".to_owned(),
        ),
        None => {}
    }
    if before.run.profile != after.run.profile || before.run.asked.expiry_days != after.run.asked.expiry_days {
        notes.push("the audits used different rules, so a change may come from the rules".to_owned());
    }
    let newer = after.gaps.iter().filter(|gap| gap.unchecked.is_of_newer).count() as u64;
    if newer > 0 {
        let servers = plural(newer, "server");
        notes
            .push(format!("of {servers}, a newer hostssl kept what this one does not know: compare with that version"));
    }
    for (listed, other) in [(ListedBy::Before, "later"), (ListedBy::After, "earlier")] {
        notes.extend(not_in_scope(diff, listed, other));
    }
    if !diff.not_compared.is_empty() {
        let ids: Vec<&str> = diff.not_compared.iter().map(|id| id.as_str()).collect();
        let ids = ids.join(", ");
        notes.push(format!("checked in only one of the audits, or by other rules, so not compared: {ids}"));
    }
    notes
}

/// Servers that are named where several are not in a scope.
const NAMED: usize = 5;

/// The servers that one audit listed, and that are not in the scope of the other: what became of them, nothing says.
fn not_in_scope(diff: &Diff<'_>, listed: ListedBy, other: &str) -> Option<String> {
    let servers: Vec<_> = diff.not_in_scope.iter().filter(|one| one.listed == listed).map(|one| one.server).collect();
    let fail = servers.iter().filter(|server| server.findings.iter().any(|one| one.outcome == Outcome::Fail)).count();
    let are = if servers.len() == 1 { "is" } else { "are" };
    let failing = match fail {
        0 => String::new(),
        1 => ", of which 1 fails".to_owned(),
        fail => format!(", of which {fail} fail"),
    };
    let names: Vec<String> = servers.iter().take(NAMED).map(|server| safe(server.server.name()).into_owned()).collect();
    let more = servers.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    (!servers.is_empty()).then(|| {
        let count = plural(servers.len() as u64, "server");
        format!(
            "{count} {are} not in the scope of the {other} audit{failing}, so not compared: {}{more}",
            names.join(", ")
        )
    })
}

/// How many changes there are of each kind.
#[must_use]
pub fn counts(diff: &Diff<'_>) -> String {
    let counted = Difference::ALL.into_iter().map(|one| (diff.count(one), word(one).0));
    // Of the words, one is a noun.
    let plural = |count, word: &str| if count != 1 && word.ends_with("failure") { "s" } else { "" };
    let counted: Vec<String> = counted
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}{}", plural(count, word)))
        .collect();
    if counted.is_empty() { "no change".to_owned() } else { counted.join(", ") }
}

/// The words that rows are chosen by, as JSON has them.
#[must_use]
pub fn words() -> Vec<&'static str> {
    Difference::ALL.into_iter().map(code).collect()
}

fn code(difference: Difference) -> &'static str {
    match difference {
        Difference::New => "new",
        Difference::NotVisible => "not-visible",
        Difference::Changed => "changed",
        Difference::Fixed => "fixed",
        Difference::Visible => "visible",
        Difference::Gone => "gone",
        Difference::Added => "added",
    }
}

fn entry(change: &Change<'_>, cloud: &str) -> Entry {
    let portal = portal_link(cloud, None, change.server.id.as_str());
    let (word, outcome) = word(change.difference);
    let line = vec![
        Cell::outcome(outcome, word),
        Cell::plain(change.server.name()).linked(portal),
        Cell::plain(change.server.id.resource_group()),
        Cell::plain(change.control().map_or("-", |id| id.as_str())),
        Cell::plain(with_who(change)),
    ];
    Entry { word: code(change.difference), lines: vec![line] }
}

/// The waiver for what fails now, where there is one: valid or not.
#[must_use]
pub fn waiver(change: &Change<'_>) -> Option<String> {
    change.after.and_then(|finding| finding.waiver.as_deref()).map(waiver_text::beside)
}

/// What it was and what it is, whether that was accepted, and who made it.
fn with_who(change: &Change<'_>) -> String {
    let who = change.who.as_ref().map(who_text::words);
    let parts = [what(change), waiver(change).unwrap_or_default(), who.unwrap_or_default()];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("; ")
}

/// The word of a difference, and the outcome that it looks like.
#[must_use]
pub fn word(difference: Difference) -> (&'static str, Outcome) {
    match difference {
        Difference::New => ("new failure", Outcome::Fail),
        Difference::NotVisible => ("not visible", Outcome::Unknown),
        Difference::Changed => ("changed", Outcome::Fail),
        Difference::Fixed => ("fixed", Outcome::Pass),
        Difference::Visible => ("now visible", Outcome::Pass),
        Difference::Gone => ("gone", Outcome::NotApplicable),
        Difference::Added => ("added", Outcome::NotApplicable),
    }
}

/// What it was and what it is, or why that cannot be said.
#[must_use]
pub fn what(change: &Change<'_>) -> String {
    match (change.why, change.before, change.after) {
        (Some(why), ..) => match why {
            NotLooked::SubscriptionNotSeen => "its subscription is not visible to the later audit".to_owned(),
            NotLooked::Zone(zone) => format!("failed as seen from zone {zone}; the later audit has no look from there"),
            NotLooked::Words(gap) => gap.unchecked.detail.to_string(),
            NotLooked::Gap(gap) => format!("could not be listed: {}: {}", gap.unchecked.reason, gap.unchecked.detail),
        },
        (None, None, None) => String::new(),
        (None, before, after) => {
            let absent = || "missing".to_owned();
            format!("{} -> {}", before.map_or_else(absent, state), after.map_or_else(absent, state))
        }
    }
}

fn state(finding: &Finding) -> String {
    match (&finding.unchecked, &finding.observed) {
        (Some(unchecked), _) => format!("unknown ({})", unchecked.reason),
        (None, Some(observed)) => observed.to_string(),
        (None, None) => finding.outcome.to_string(),
    }
}
