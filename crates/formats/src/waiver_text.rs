//! Waivers as text: what they cover, and above all which of them do not hold or are unused.

use crate::headline::plural;
use crate::{Cell, Entry, Heading, Section, Shown, Text, safe, write_list};
use hostssl_audit::RefusedWaiver;
use hostssl_model::{AuditReport, Outcome, UnusedWaiver, Waiver, WaiverFile, WaiverState, WaiverUse};
use serde_json::{Value, json};
use std::io::{self, Write};

/// Failures that are named.
const NAMED: usize = 5;
/// The columns of a file of waivers.
pub const COLUMNS: &[Heading] = &[
    Heading::new("state", Shown::Always),
    Heading::new("control", Shown::Always),
    Heading::new("scope", Shown::Always),
    Heading::new("expires", Shown::Always),
    Heading::new("owner", Shown::WithRoom(1)),
    Heading::new("approvers", Shown::WithRoom(2)),
    Heading::new("ticket", Shown::WithRoom(3)),
    Heading::new("line", Shown::WithRoom(4)),
    Heading::new("reason", Shown::Prose),
];

/// Writes the waivers of a file as a list.
///
/// # Errors
///
/// Whatever the writer returns.
pub fn write(out: &mut dyn Write, waivers: &[Waiver], text: &Text<'_>) -> io::Result<()> {
    let entry = |waiver: &Waiver| {
        let outcome = if waiver.is_in_effect() { Outcome::Pass } else { Outcome::Fail };
        let line = vec![
            Cell::outcome(outcome, waiver.state.as_str()),
            Cell::plain(waiver.control.as_str()),
            Cell::plain(if text.shape.wide { &waiver.scope } else { last(&waiver.scope) }),
            Cell::plain(if waiver.expires.is_empty() { "-" } else { &waiver.expires }),
            Cell::plain(&waiver.owner),
            Cell::plain(waiver.approvers.join(", ")),
            Cell::plain(waiver.ticket.as_deref().unwrap_or("-")),
            Cell::number(waiver.line.into()),
            Cell::plain(&waiver.reason),
        ];
        Entry { word: waiver.state.as_str(), lines: vec![line] }
    };
    write_list(out, COLUMNS, vec![Section { title: None, entries: waivers.iter().map(entry).collect() }], text)
}

/// The waivers of a file as one value, for formats that programs read.
#[must_use]
pub fn value(waivers: &[Waiver]) -> Value {
    let one = |waiver: &Waiver| {
        json!({
            "state": waiver.state.as_str(),
            "control": waiver.control.as_str(),
            "scope": waiver.scope,
            "owner": waiver.owner,
            "reason": waiver.reason,
            "approvers": waiver.approvers,
            "expires": waiver.expires,
            "compensatingControl": waiver.compensating_control,
            "ticket": waiver.ticket,
            "line": waiver.line,
        })
    };
    waivers.iter().map(one).collect()
}

/// Why a waiver was refused before it was written.
#[must_use]
pub fn refused(why: &RefusedWaiver) -> String {
    match why {
        RefusedWaiver::Invalid(error) => error.0.what.clone(),
        RefusedWaiver::NotInEffect(waiver) => not_in_effect(waiver),
    }
}

/// What stands behind a failure that has a waiver.
#[must_use]
pub fn beside(waiver: &Waiver) -> String {
    let (reason, expires) = (safe(&waiver.reason), safe(&waiver.expires));
    match waiver.state {
        WaiverState::InEffect => format!("waived until {expires}: {reason}"),
        _ => format!("not waived: {}", not_in_effect(waiver)),
    }
}

/// Who accepted it, whose server it is, what protects it meanwhile, and where that was decided.
#[must_use]
pub fn terms(waiver: &Waiver) -> String {
    let mut terms = format!("Approved by {}, owner {}", waiver.approvers.join(", "), waiver.owner);
    if let Some(control) = &waiver.compensating_control {
        terms += &format!("; in the meantime: {control}");
    }
    if let Some(ticket) = &waiver.ticket {
        terms += &format!("; {ticket}");
    }
    safe(&terms).into_owned()
}

/// Why a waiver does not hold.
#[must_use]
pub fn not_in_effect(waiver: &Waiver) -> String {
    match waiver.state {
        WaiverState::InEffect => "in effect".to_owned(),
        WaiverState::Expired if waiver.expires.is_empty() => {
            "the waiver has no expiry date, so it counts as expired".to_owned()
        }
        WaiverState::Expired => {
            let is_date =
                waiver.expires.parse::<jiff::civil::Date>().is_ok_and(|date| date.to_string() == waiver.expires);
            let why = if is_date {
                "the waiver has expired; its last day was"
            } else {
                "not a date such as 2027-03-31, so the waiver counts as expired:"
            };
            format!("{why} {}", safe(&waiver.expires))
        }
        WaiverState::TooLong => format!("the waiver lasts longer than the profile allows: {}", safe(&waiver.expires)),
        WaiverState::OwnerOnly => format!("only its owner has approved the waiver: {}", safe(&waiver.owner)),
    }
}

/// Where a waiver stands: as `file:line`, which editors open.
#[must_use]
pub fn place(file: &str, waiver: &Waiver) -> String {
    format!("{}:{}", safe(file), waiver.line)
}

/// How many failures are waived, and which of them were not when a kept audit was made. Nothing without a file of waivers.
#[must_use]
pub fn used(report: &AuditReport) -> Vec<String> {
    report.overlay.waivers.iter().map(used_of).chain(waived_later(report)).collect()
}

/// The failures that were not waived when a kept audit was made, and are in this report.
fn waived_later(report: &AuditReport) -> Option<String> {
    let later = report.waived_later();
    let named =
        later.iter().take(NAMED).map(|(server, finding)| format!("{} {}", safe(server.name()), finding.control));
    let named = named.collect::<Vec<_>>().join(", ");
    let more = later.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let were = if later.len() == 1 { "failure was" } else { "failures were" };
    (!later.is_empty())
        .then(|| format!("waived later: {} {were} not waived when the audit was made: {named}{more}", later.len()))
}

/// How many failures the waivers of a file waive. One that matches nothing is not in effect on anything: [`doubts_of`] lists
/// it.
#[must_use]
pub fn used_of(file: &WaiverFile) -> String {
    let in_effect = || file.waivers.iter().filter(|one| one.waiver.is_in_effect() && one.unused.is_none());
    let failures: u64 = in_effect().map(|one| one.failures).sum();
    let (failure, waiver) = (plural(failures, "failure"), plural(in_effect().count() as u64, "waiver"));
    format!("waivers: {failure} waived; {waiver} in effect in {}", safe(&file.name))
}

/// Waivers that do not hold, and waivers that nothing needs. Nothing without a file of waivers.
#[must_use]
pub fn doubts(report: &AuditReport) -> Vec<String> {
    report.overlay.waivers.iter().flat_map(doubts_of).collect()
}

/// The waivers of a file that do not hold, and those that nothing needs, each with its line.
#[must_use]
pub fn doubts_of(file: &WaiverFile) -> Vec<String> {
    file.waivers.iter().filter_map(|one| doubt(file, one)).collect()
}

/// The waivers that cover failures of an audit and do not hold. Nothing without a file of waivers.
#[must_use]
pub fn doubts_that_matter(report: &AuditReport) -> Vec<String> {
    report.overlay.waivers.iter().flat_map(doubts_of_used).collect()
}

/// The waivers of a file that cover failures and do not hold.
pub(crate) fn doubts_of_used(file: &WaiverFile) -> Vec<String> {
    file.waivers.iter().filter(|one| one.failures > 0).filter_map(|one| doubt(file, one)).collect()
}

fn doubt(file: &WaiverFile, one: &WaiverUse) -> Option<String> {
    let waiver = &one.waiver;
    let what = match (waiver.is_in_effect(), one.unused) {
        (true, None) => return None,
        (true, Some(unused)) => format!("unused: {}", why_unused(unused)),
        (false, None) => format!("{}; it waives none of {}", not_in_effect(waiver), plural(one.failures, "failure")),
        (false, Some(unused)) => format!("{}; unused: {}", not_in_effect(waiver), why_unused(unused)),
    };
    Some(format!("{}: {} on {}: {what}", place(&file.name, waiver), waiver.control, safe(last(&waiver.scope))))
}

fn why_unused(unused: UnusedWaiver) -> &'static str {
    match unused {
        UnusedWaiver::NoServer => "this audit has no server in its scope",
        UnusedWaiver::NotJudged => "this audit could not check its control everywhere in its scope",
        UnusedWaiver::NothingFails => "nothing in its scope fails its control",
        UnusedWaiver::Covered => "another waiver covers the same failures",
    }
}

fn last(scope: &str) -> &str {
    scope.trim_end_matches('/').rsplit('/').next().unwrap_or(scope)
}
