//! Audits over time: a chart as text, JSON and CSV for programs.

use crate::csv_cell::{inert, unwrapped};
use crate::headline::plural;
use crate::{Cell, Column, Entry, Heading, Section, Shown, Text, safe, write_columns, write_list};
use hostssl_model::{Outcome, Standing, Standings};
#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::Serialize;
use std::io::{self, Write};

/// The name and version of the JSON.
pub const SCHEMA: &str = "hostssl/trend/v1";

/// One audit among those of the same scope.
#[derive(Debug, Clone)]
pub struct AuditPoint<'a> {
    /// The id of the run.
    pub run: &'a str,
    /// RFC 3339, to the second.
    pub started_at: String,
    /// The rules, as `name@version`.
    pub profile: &'a str,
    /// Whether everything in its scope was checked.
    pub complete: bool,
    /// Servers by where they stood.
    pub standings: Standings,
    /// Servers with a failed control.
    pub fail: u64,
    /// Servers with an unknown control and no failed one.
    pub unknown: u64,
    /// The others.
    pub pass: u64,
}

/// Where the servers of the newest audit stand now: with what runs have changed and probes have seen since.
#[derive(Debug, Clone)]
pub struct PresentPoint {
    /// RFC 3339, to the second: when it was asked.
    pub at: String,
    /// Servers by where they stand.
    pub standings: Standings,
    /// Servers that a run has changed since they were audited.
    pub changed: u64,
}

/// The audits, oldest first.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase")]
struct Trend<'a> {
    /// Name and version of this format.
    schema: &'static str,
    /// The audits of one scope, oldest first.
    audits: Vec<Audit<'a>>,
    /// Where the servers stand now; absent if an audit before the newest was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    now: Option<Now<'a>>,
}

/// The present: the newest audit, and what runs have changed and probes have seen since.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase")]
struct Now<'a> {
    /// RFC 3339.
    at: &'a str,
    /// Servers that a run has changed since they were audited.
    changed_by_runs: u64,
    /// Servers by status; each counts once.
    standings: Counts,
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase")]
struct Audit<'a> {
    /// The id of the run.
    run: &'a str,
    /// RFC 3339.
    started_at: &'a str,
    /// The rules, as `name@version`.
    profile: &'a str,
    /// Whether everything in its scope was checked.
    complete: bool,
    /// Servers in all.
    servers: u64,
    /// Servers with a failed control.
    fail: u64,
    /// Servers with an unknown control and no failed one.
    unknown: u64,
    /// The others.
    pass: u64,
    /// Servers by status; each counts once.
    standings: Counts,
}

/// The words that the JSON of an audit uses.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase")]
struct Counts {
    accepts_plaintext: u64,
    not_enforced: u64,
    unknown: u64,
    unproven: u64,
    not_probed: u64,
    proven: u64,
}

impl<'a> From<&'a AuditPoint<'a>> for Audit<'a> {
    fn from(point: &'a AuditPoint<'a>) -> Self {
        let standings = point.standings;
        Self {
            run: point.run,
            started_at: &point.started_at,
            profile: point.profile,
            complete: point.complete,
            servers: point.fail + point.unknown + point.pass,
            fail: point.fail,
            unknown: point.unknown,
            pass: point.pass,
            standings: standings.into(),
        }
    }
}

impl From<Standings> for Counts {
    fn from(standings: Standings) -> Self {
        Self {
            accepts_plaintext: standings.accepts_plaintext,
            not_enforced: standings.not_enforced,
            unknown: standings.unknown,
            unproven: standings.unproven,
            not_probed: standings.not_probed,
            proven: standings.proven,
        }
    }
}

impl<'a> From<&'a PresentPoint> for Now<'a> {
    fn from(now: &'a PresentPoint) -> Self {
        Self { at: &now.at, changed_by_runs: now.changed, standings: now.standings.into() }
    }
}

/// The JSON Schema of the format.
#[cfg(feature = "schema")]
#[must_use]
pub fn schema() -> serde_json::Value {
    crate::schema::of::<Trend<'_>>(SCHEMA)
}

/// The audits as one JSON value.
///
/// # Errors
///
/// None that an audit can cause.
pub fn value(points: &[AuditPoint<'_>], now: Option<&PresentPoint>) -> Result<serde_json::Value, serde_json::Error> {
    let audits = points.iter().map(Audit::from).collect();
    serde_json::to_value(Trend { schema: SCHEMA, audits, now: now.map(Now::from) })
}

const HEADINGS: [&str; 14] = [
    "startedAt",
    "run",
    "profile",
    "complete",
    "servers",
    "fail",
    "unknown",
    "pass",
    "acceptsPlaintext",
    "notEnforced",
    "unknownStanding",
    "unproven",
    "notProbed",
    "proven",
];

/// Writes the audits as CSV, a row for each.
///
/// # Errors
///
/// Whatever the writer returns.
pub fn write_csv(out: &mut dyn Write, points: &[AuditPoint<'_>]) -> io::Result<()> {
    let mut writer = csv::Writer::from_writer(out);
    writer.write_record(HEADINGS).map_err(unwrapped)?;
    for point in points {
        let audit = Audit::from(point);
        let counts = &audit.standings;
        let numbers = [
            audit.servers,
            audit.fail,
            audit.unknown,
            audit.pass,
            counts.accepts_plaintext,
            counts.not_enforced,
            counts.unknown,
            counts.unproven,
            counts.not_probed,
            counts.proven,
        ];
        let words = [audit.started_at, audit.run, audit.profile, if audit.complete { "true" } else { "false" }];
        let cells = words.into_iter().map(inert).chain(numbers.map(|number| number.to_string()));
        writer.write_record(cells).map_err(unwrapped)?;
    }
    writer.flush()
}

/// The columns of the audits as a table.
pub const COLUMNS: &[Heading] = &[
    Heading::new("started", Shown::Always),
    Heading::new("coverage", Shown::WithRoom(2)),
    Heading::new("servers", Shown::Always),
    Heading::new("accepts-plaintext", Shown::Always),
    Heading::new("not-enforced", Shown::Always),
    Heading::new("unknown", Shown::Always),
    Heading::new("unproven", Shown::WithRoom(4)),
    Heading::new("not-probed", Shown::WithRoom(1)),
    Heading::new("proven", Shown::Always),
    Heading::new("profile", Shown::WithRoom(3)),
    Heading::new("run", Shown::WithRoom(5)),
];

/// What `--only` calls an audit by its coverage.
pub const COMPLETE: &str = "complete";
/// The same for one that did not see everything.
pub const INCOMPLETE: &str = "incomplete";

/// Writes the audits as a table, oldest first.
///
/// # Errors
///
/// Whatever the writer returns.
pub fn write_table(out: &mut dyn Write, points: &[AuditPoint<'_>], text: &Text<'_>) -> io::Result<()> {
    let entry = |point: &AuditPoint<'_>| {
        let (word, outcome) = if point.complete { (COMPLETE, Outcome::Pass) } else { (INCOMPLETE, Outcome::Unknown) };
        let standings = &point.standings;
        let numbers = [
            standings.servers(),
            standings.accepts_plaintext,
            standings.not_enforced,
            standings.unknown,
            standings.unproven,
            standings.not_probed,
            standings.proven,
        ];
        let line = [Cell::plain(minute(&point.started_at)), Cell::outcome(outcome, word)]
            .into_iter()
            .chain(numbers.map(Cell::number))
            .chain([Cell::plain(point.profile), Cell::plain(point.run)]);
        Entry { word, lines: vec![line.collect()] }
    };
    write_list(out, COLUMNS, vec![Section { title: None, entries: points.iter().map(entry).collect() }], text)
}

/// Letters of the longest bar where no terminal limits it, and of the shortest.
const BAR: usize = 40;
const SHORTEST_BAR: usize = 8;
/// Letters of a run's id, which narrow terminals do without.
const ID: usize = 13;

/// The parts of a bar: what needs a person first, each with a letter of its own, so that no color is needed.
const PARTS: [(Standing, &str, char, Outcome); 6] = [
    (Standing::AcceptsPlaintext, "plaintext", '█', Outcome::Fail),
    (Standing::NotEnforced, "not enforced", '▓', Outcome::Fail),
    (Standing::Unknown, "unknown", '▒', Outcome::Unknown),
    (Standing::Unproven, "not proven", '░', Outcome::Unknown),
    (Standing::NotProbed, "not probed", '-', Outcome::NotApplicable),
    (Standing::Proven, "proven", '·', Outcome::Pass),
];

/// A line of the chart.
struct ChartLine<'a> {
    at: String,
    standings: &'a Standings,
    run: String,
}

/// Writes a chart: a bar for each audit, oldest first, to the scale of the one with the most servers, and one for the present
/// where that is another.
///
/// # Errors
///
/// Whatever the writer returns.
pub fn write(
    out: &mut dyn Write,
    points: &[AuditPoint<'_>],
    now: Option<&PresentPoint>,
    text: &Text<'_>,
) -> io::Result<()> {
    let last = points.last();
    let is_news = |now: &&PresentPoint| now.changed > 0 || last.is_none_or(|last| last.standings != now.standings);
    let now = now.filter(is_news);
    let all = || points.iter().map(|point| &point.standings).chain(now.map(|now| &now.standings));
    // Of what there seldom is, a column only where there is any.
    let is_shown = |standing| standing != Standing::Unproven || all().any(|one| one.count(standing) > 0);
    let parts: Vec<_> = PARTS.into_iter().filter(|(standing, ..)| is_shown(*standing)).collect();
    let figures: usize = parts.iter().map(|(_, words, ..)| words.len() + 2).sum();
    // With the year, two letters that mark what is incomplete, and the run.
    let beside = 18 + 2 + figures;
    let has_room = text.width.is_none_or(|width| width >= beside + ID + 2 + BAR / 2);
    let has_year = text.width.is_none_or(|width| width >= beside + SHORTEST_BAR);
    let taken = beside + if has_room { ID + 2 } else { 0 } - if has_year { 0 } else { 5 };
    let room = text.width.map_or(BAR, |width| width.saturating_sub(taken).clamp(SHORTEST_BAR, BAR));
    let lines = points.iter().map(|point| {
        let at = minute(&point.started_at);
        let at = if has_year { at } else { at.get(5..).unwrap_or(&at).to_owned() };
        let incomplete = if point.complete { "" } else { " *" };
        // As much of an id as names the run.
        ChartLine { at: at + incomplete, standings: &point.standings, run: point.run.chars().take(ID).collect() }
    });
    let present = now.map(|now| ChartLine { at: "now".to_owned(), standings: &now.standings, run: String::new() });
    let most = all().map(Standings::servers).max().unwrap_or_default();
    let headings = ["started", ""].into_iter().chain(parts.iter().map(|(_, words, ..)| *words));
    let mut rows = vec![headings.chain(has_room.then_some("run")).map(Column::plain).collect::<Vec<_>>()];
    for line in lines.chain(present) {
        let (plain, painted) = bar(line.standings, most, room, text);
        let mut row = vec![Column::plain(line.at), Column::painted(plain, painted)];
        row.extend(parts.iter().map(|(standing, ..)| Column::plain(line.standings.count(*standing).to_string())));
        row.extend(has_room.then(|| Column::plain(line.run)));
        rows.push(row);
    }
    write_columns(out, "", &rows)?;
    let legend: Vec<String> =
        parts.iter().map(|(standing, _, letter, _)| format!("{letter} {}", standing.words())).collect();
    writeln!(out, "\n{}", legend.join("   "))?;
    writeln!(out, "servers count by the newest probe of each, from earlier audits too")?;
    if let Some(now) = now {
        let changed = match now.changed {
            0 => String::new(),
            1 => "; a run has changed 1 server since it was audited".to_owned(),
            changed => format!("; runs have changed {changed} servers since they were audited"),
        };
        writeln!(out, "now: by what was seen since the last audit too{changed}")?;
    }
    if points.iter().any(|point| !point.complete) {
        writeln!(out, "* not everything in scope could be checked")?;
    }
    write_then_and_now(out, points, now)?;
    let mut profiles: Vec<&str> = points.iter().map(|point| point.profile).collect();
    profiles.dedup();
    if profiles.len() > 1 {
        writeln!(
            out,
            "note: judged by {}: servers that fail or pass may differ because of the rules",
            safe(&profiles.join(", then "))
        )?;
    }
    Ok(())
}

/// How many there were of the two worst figures, and how many there are.
fn write_then_and_now(out: &mut dyn Write, points: &[AuditPoint<'_>], now: Option<&PresentPoint>) -> io::Result<()> {
    let all: Vec<&Standings> =
        points.iter().map(|point| &point.standings).chain(now.map(|now| &now.standings)).collect();
    let [first, .., last] = all.as_slice() else { return Ok(()) };
    for standing in [Standing::AcceptsPlaintext, Standing::NotEnforced] {
        let (then, now, of) = (first.count(standing), last.count(standing), last.servers());
        if standing == Standing::NotEnforced || then + now > 0 {
            let (words, audits) = (standing.words(), plural(points.len() as u64, "audit"));
            writeln!(out, "{words}: {then} then, {now} of {of} now, over {audits}")?;
        }
    }
    Ok(())
}

/// The bar of some servers: every part that is not empty has a letter at least.
fn bar(standings: &Standings, most: u64, room: usize, text: &Text<'_>) -> (String, String) {
    let (mut plain, mut painted) = (String::new(), String::new());
    for (standing, _, letter, outcome) in PARTS {
        let servers = standings.count(standing);
        let exact = usize::try_from(servers.saturating_mul(room as u64) / most.max(1)).unwrap_or(room);
        let letters: String = std::iter::repeat_n(letter, exact.max(usize::from(servers > 0))).collect();
        if !letters.is_empty() {
            painted += &text.palette.outcome(outcome, &letters);
            plain += &letters;
        }
    }
    (plain, painted)
}

/// A time to the minute.
fn minute(time: &str) -> String {
    time.get(..16).unwrap_or(time).replace('T', " ")
}
