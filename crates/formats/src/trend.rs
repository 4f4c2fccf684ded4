//! Audits over time: a chart as text, JSON and CSV for programs.

use crate::csv_cell::{inert, unwrapped};
use crate::{Column, Text, safe, write_columns};
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

/// The audits, oldest first.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase")]
struct Trend<'a> {
    /// Name and version of this format.
    schema: &'static str,
    /// The audits of one scope, oldest first.
    audits: Vec<Audit<'a>>,
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
            standings: Counts {
                accepts_plaintext: standings.accepts_plaintext,
                not_enforced: standings.not_enforced,
                unknown: standings.unknown,
                unproven: standings.unproven,
                not_probed: standings.not_probed,
                proven: standings.proven,
            },
        }
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
pub fn value(points: &[AuditPoint<'_>]) -> Result<serde_json::Value, serde_json::Error> {
    serde_json::to_value(Trend { schema: SCHEMA, audits: points.iter().map(Audit::from).collect() })
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

/// Letters of the longest bar where no terminal limits it.
const BAR: usize = 40;
/// Letters that stand beside the bar, and those of the last column, which narrow terminals do without.
const BESIDE: usize = 65;
const LAST: usize = 15;

/// The parts of a bar: what needs a person first, each with a letter of its own, so that no colour is needed.
const PARTS: [(&str, char, Outcome, &[Standing]); 4] = [
    ("not enforced", '█', Outcome::Fail, &[Standing::AcceptsPlaintext, Standing::NotEnforced]),
    ("unknown", '▒', Outcome::Unknown, &[Standing::Unknown, Standing::Unproven]),
    ("enforced, not probed", '░', Outcome::NotApplicable, &[Standing::NotProbed]),
    ("proven", '·', Outcome::Pass, &[Standing::Proven]),
];

fn part(point: &AuditPoint<'_>, standings: &[Standing]) -> u64 {
    standings.iter().map(|standing| point.standings.count(*standing)).sum()
}

/// Writes a chart: a bar for each audit, oldest first, to the scale of the one with the most servers.
///
/// # Errors
///
/// Whatever the writer returns.
pub fn write(out: &mut dyn Write, points: &[AuditPoint<'_>], text: &Text<'_>) -> io::Result<()> {
    let most = points.iter().map(|point| point.standings.servers()).max().unwrap_or_default();
    let has_room = text.width.is_none_or(|width| width >= BESIDE + LAST + BAR / 2);
    let beside = if has_room { BESIDE + LAST } else { BESIDE };
    let room = text.width.map_or(BAR, |width| width.saturating_sub(beside).clamp(10, BAR));
    let headings = ["started", "", "not enforced", "unknown", "not probed", "proven"].into_iter();
    let mut rows = vec![headings.chain(has_room.then_some("run")).map(Column::plain).collect::<Vec<_>>()];
    for point in points {
        let (plain, painted) = bar(point, most, room, text);
        let incomplete = if point.complete { "" } else { " *" };
        let mut row = vec![Column::plain(minute(&point.started_at) + incomplete), Column::painted(plain, painted)];
        row.extend(PARTS.map(|(.., standings)| Column::plain(part(point, standings).to_string())));
        // As much of an id as names the run.
        row.extend(has_room.then(|| Column::plain(point.run.chars().take(13).collect::<String>())));
        rows.push(row);
    }
    write_columns(out, "", &rows)?;
    let legend = PARTS.map(|(words, letter, ..)| format!("{letter} {words}"));
    writeln!(out, "\n{}", legend.join("   "))?;
    writeln!(out, "servers count by the newest probe of each, from earlier audits too")?;
    if points.iter().any(|point| !point.complete) {
        writeln!(out, "* not everything in scope could be checked")?;
    }
    if let (Some(first), Some(last), true) = (points.first(), points.last(), points.len() > 1) {
        let open = |point| part(point, PARTS[0].3);
        let (count, of) = (open(last), last.standings.servers());
        writeln!(out, "not enforced: {} then, {count} of {of} now, over {} audits", open(first), points.len())?;
    }
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

/// The bar of an audit: every part that is not empty has a letter at least.
fn bar(point: &AuditPoint<'_>, most: u64, room: usize, text: &Text<'_>) -> (String, String) {
    let (mut plain, mut painted) = (String::new(), String::new());
    for (_, letter, outcome, standings) in PARTS {
        let servers = part(point, standings);
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
