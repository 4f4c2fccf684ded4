//! The one sentence that stands above an audit, and how much of it could not be checked.

use crate::safe;
use hostssl_model::{AuditReport, Finding, Standings};

/// The state of the servers in one sentence: the worst that is known first, then what is not known, and only then what is
/// declared and what is proven.
#[must_use]
pub fn headline(report: &AuditReport) -> String {
    let standings = Standings::of(&report.servers);
    let all = standings.servers();
    let of_all = |part: u64| match (part, all) {
        (1, 1) => "the one server".to_owned(),
        (2, 2) => "both servers".to_owned(),
        (part, all) if part == all => format!("all {all} servers"),
        (part, all) => format!("{part} of {all} servers"),
    };
    // One of several does as one does.
    let does = if standings.open() == 1 { "does" } else { "do" };
    let is = if all == 1 { "is" } else { "are" };
    if all == 0 {
        let nothing = "No PostgreSQL server was found, but not everything could be checked";
        return if report.run.complete { "No PostgreSQL server in scope" } else { nothing }.to_owned();
    }
    if !report.run.asked.asks_enforcement() {
        return of_some_controls(report, all);
    }
    let mut sentence = if standings.open() > 0 {
        format!("{} {does} not enforce TLS", of_all(standings.open()))
    } else if standings.unknown > 0 {
        format!("{} could not be checked", of_all(standings.unknown))
    } else if standings.proven == all {
        format!("{} {is} proven on the wire to enforce TLS", of_all(all))
    } else {
        format!("{} {is} declared to enforce TLS; {} proven on the wire", of_all(all), standings.proven)
    };
    // What sounds like an all-clear says at once that it is none.
    if standings.enforced() == all {
        match failing(report) {
            0 => {}
            1 => sentence += "; 1 fails another control",
            failing => sentence += &format!("; {failing} fail another control"),
        }
        if !report.run.complete {
            sentence += ", but not everything could be checked";
        }
    }
    capitalised(&sentence)
}

/// The sentence of an audit that was not asked whether servers enforce TLS.
fn of_some_controls(report: &AuditReport, all: u64) -> String {
    let (failing, servers) = (failing(report), plural(all, "server"));
    let failing = if failing == 0 { "No server".to_owned() } else { format!("{failing} of {servers}") };
    let mut sentence = format!("{failing} fails {}, which alone was checked", safe(&report.run.asked.only_words()));
    if !report.run.complete {
        sentence += ", but not everything could be checked";
    }
    sentence
}

fn capitalised(sentence: &str) -> String {
    let mut characters = sentence.chars();
    characters.next().map(|first| first.to_uppercase().chain(characters).collect()).unwrap_or_default()
}

/// What could not be checked, in numbers that can be counted in a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct UncheckedCount {
    /// Servers with a reason in their row.
    pub(crate) servers: u64,
    /// Lists of servers, each a gap of its own.
    pub(crate) lists: u64,
}

impl UncheckedCount {
    /// Counts both.
    pub(crate) fn of(report: &AuditReport) -> Self {
        let servers =
            report.servers.iter().filter(|one| one.findings.iter().any(|finding| finding.unchecked.is_some()));
        let lists = report.gaps.iter().filter(|gap| gap.unchecked.reason.leaves_incomplete() && !gap.scope.is_server());
        Self { servers: servers.count() as u64, lists: lists.count() as u64 }
    }

    /// Both in words.
    pub(crate) fn words(self) -> String {
        let parts = [(self.servers, plural(self.servers, "server")), (self.lists, plural(self.lists, "list"))];
        let parts: Vec<String> = parts.into_iter().filter(|(number, _)| *number > 0).map(|(_, words)| words).collect();
        if parts.is_empty() { "something".to_owned() } else { parts.join(" and ") }
    }
}

/// Servers that fail a control without a waiver that holds, whether or not they enforce TLS.
pub(crate) fn failing(report: &AuditReport) -> u64 {
    report.servers.iter().filter(|server| server.findings.iter().any(Finding::fails_unwaived)).count() as u64
}

/// A number with its noun.
pub(crate) fn plural(count: u64, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}
