//! Probed endpoints as text: failures first, what weakens each below, the counts at the end.

use crate::weakness_words::weakness_words;
use crate::{Cell, Column, Entry, Heading, Palette, Section, Shape, Shown, Text, safe, write_columns, write_list};
use hostssl_model::Outcome;
use hostssl_probe::certificate::AZURE_ROOTS;
use hostssl_probe::report::{EndpointReport, ProtocolVersion, WireVerdict};
use std::collections::BTreeMap;
use std::io::{self, Write};
use unicode_width::UnicodeWidthStr;

/// Endpoints that are held to be sorted. What comes after them is written as it comes, without details.
const MOST_HELD: usize = 1_000;

/// What a verdict means for an exit code.
#[must_use]
pub fn outcome(verdict: WireVerdict) -> Outcome {
    match verdict {
        WireVerdict::Enforced => Outcome::Pass,
        WireVerdict::Optional | WireVerdict::PlaintextOnly | WireVerdict::BrokenTls => Outcome::Fail,
        WireVerdict::Inconclusive | WireVerdict::NotPostgresql | WireVerdict::Unreachable => Outcome::Unknown,
    }
}

/// Failures first, then what is not known.
fn rank(verdict: WireVerdict) -> u8 {
    match verdict {
        WireVerdict::PlaintextOnly => 0,
        WireVerdict::Optional => 1,
        WireVerdict::BrokenTls => 2,
        WireVerdict::Inconclusive => 3,
        WireVerdict::NotPostgresql => 4,
        WireVerdict::Unreachable => 5,
        WireVerdict::Enforced => 6,
    }
}

/// Writes endpoints as a table. Up to 1,000 are sorted; of more, the first 1,000 are, and the rest follows in the order
/// in which it is done, so that the memory does not grow with their number.
#[derive(Debug)]
pub struct TableWriter<W: Write> {
    out: W,
    palette: Palette,
    width: Option<usize>,
    shape: Shape,
    held: Vec<EndpointReport>,
    note: Option<String>,
    /// The widths of the columns, once rows are written as they come.
    widths: Option<Vec<usize>>,
    /// How many there are of each verdict, in the order of [`rank`].
    counts: BTreeMap<u8, (WireVerdict, u64)>,
}

impl<W: Write> TableWriter<W> {
    /// A table on `out`, which is so many columns wide if it is a terminal.
    pub fn new(out: W, palette: Palette, width: Option<usize>, shape: Shape) -> Self {
        Self { out, palette, width, shape, held: Vec::new(), note: None, widths: None, counts: BTreeMap::new() }
    }

    /// Takes one endpoint.
    ///
    /// # Errors
    ///
    /// Whatever the writer returns.
    pub fn write(&mut self, mut report: EndpointReport) -> io::Result<()> {
        self.counts.entry(rank(report.verdict)).or_insert((report.verdict, 0)).1 += 1;
        if let Some(widths) = &self.widths {
            if !self.shape.only.is_empty() && self.shape.only.iter().all(|word| word != report.verdict.as_str()) {
                return Ok(());
            }
            let mut row = texts(&report);
            for (cell, width) in row.iter_mut().zip(widths) {
                let missing = width.saturating_sub(cell.width());
                cell.extend(std::iter::repeat_n(' ', missing));
            }
            write_columns(&mut self.out, "", &[columns(row, report.verdict, self.palette)])?;
            return self.out.flush();
        }
        // The certificates themselves are not shown.
        if let Some(certificate) = &mut report.certificate {
            certificate.chain = Vec::new();
        }
        self.held.push(report);
        if self.held.len() > MOST_HELD {
            self.widths = Some(self.write_held()?);
            self.held = Vec::new();
            self.out.flush()?;
        }
        Ok(())
    }

    /// Takes what is to be said below the counts: that not every target was probed.
    pub fn note(&mut self, words: String) {
        self.note = Some(words);
    }

    /// Writes what was held, the details, and the counts.
    ///
    /// # Errors
    ///
    /// Whatever the writer returns.
    pub fn finish(mut self) -> io::Result<()> {
        if self.widths.is_none() {
            self.write_held()?;
            let only = &self.shape.only;
            let shown =
                |report: &&EndpointReport| only.is_empty() || only.iter().any(|word| word == report.verdict.as_str());
            for report in self.held.iter().filter(shown) {
                write_details(&mut self.out, report, self.palette)?;
            }
        }
        let count: u64 = self.counts.values().map(|(_, count)| count).sum();
        let plural = if count == 1 { "" } else { "s" };
        let words = self.counts.values().map(|(verdict, count)| format!("{count} {}", verdict.as_str()));
        let words = if count == 0 { "none".to_owned() } else { words.collect::<Vec<_>>().join(", ") };
        writeln!(self.out, "\n{count} endpoint{plural}: {words}")?;
        if let Some(note) = &self.note {
            writeln!(self.out, "{}", self.palette.outcome(Outcome::Unknown, note))?;
        }
        if self.widths.is_some() {
            let held = MOST_HELD + 1;
            writeln!(
                self.out,
                "the first {held} are sorted, failures first; the rest are in the order in which they were probed; -o json has \
                 the details"
            )?;
        }
        let proves = self.counts.values().any(|(verdict, _)| outcome(*verdict) != Outcome::Unknown);
        let proof = if proves {
            "the proof covers the named users and databases, from this machine"
        } else {
            "nothing was proven"
        };
        writeln!(self.out, "{proof}; no password was sent")?;
        self.out.flush()
    }

    /// Writes the table of what is held and returns the widths of its columns.
    fn write_held(&mut self) -> io::Result<Vec<usize>> {
        self.held.sort_by(|a, b| {
            let key = |report: &EndpointReport| (rank(report.verdict), report.target.clone(), report.address.clone());
            key(a).cmp(&key(b))
        });
        let mut widths: Vec<usize> = COLUMNS.iter().map(|heading| heading.name.width()).collect();
        for text in self.held.iter().map(texts) {
            for (width, text) in widths.iter_mut().zip(&text) {
                *width = text.width().max(*width);
            }
        }
        let entries = self.held.iter().map(|report| {
            let verdict = report.verdict;
            let mut line = texts(report).map(Cell::plain).to_vec();
            if let Some(first) = line.first_mut() {
                *first = Cell::outcome(outcome(verdict), verdict.as_str()).ranked(rank(verdict).into());
            }
            Entry { word: verdict.as_str(), lines: vec![line] }
        });
        let section = Section { title: None, entries: entries.collect() };
        let text = Text { palette: self.palette, width: self.width, shape: &self.shape, ..Text::plain() };
        write_list(&mut self.out, COLUMNS, vec![section], &text)?;
        Ok(widths)
    }
}

/// The columns of probed endpoints.
pub const COLUMNS: &[Heading] = &[
    Heading::new("verdict", Shown::Always),
    Heading::new("target", Shown::Always),
    Heading::new("address", Shown::WithRoom(3)),
    Heading::new("tls", Shown::WithRoom(2)),
    Heading::new("certificate", Shown::WithRoom(1)),
    Heading::new("why", Shown::Reason),
];

/// The words that rows are chosen by.
#[must_use]
pub fn words() -> Vec<&'static str> {
    use WireVerdict::{BrokenTls, Enforced, Inconclusive, NotPostgresql, Optional, PlaintextOnly, Unreachable};
    [PlaintextOnly, Optional, BrokenTls, Inconclusive, NotPostgresql, Unreachable, Enforced]
        .map(WireVerdict::as_str)
        .to_vec()
}

fn texts(report: &EndpointReport) -> [String; 6] {
    let tls = report.tls.as_ref().and_then(|tls| tls.negotiated.as_ref()).and_then(|n| n.version);
    let certificate = report.certificate.as_ref().map_or("-", |certificate| match certificate.verify_full.ok {
        Some(true) => "verify-full",
        Some(false) => "not valid",
        None => "not checked",
    });
    [
        report.verdict.as_str().to_owned(),
        safe(&report.target).into_owned(),
        report.address.clone().unwrap_or_else(|| "-".to_owned()),
        tls.map_or("-", ProtocolVersion::name).to_owned(),
        certificate.to_owned(),
        safe(&report.reason).into_owned(),
    ]
}

fn columns(texts: [String; 6], verdict: WireVerdict, palette: Palette) -> Vec<Column> {
    let mut texts = texts.into_iter();
    let verdict = texts.next().map(|text| Column::painted(text.clone(), palette.outcome(outcome(verdict), &text)));
    verdict.into_iter().chain(texts.map(Column::plain)).collect()
}

/// Which groups that withstand a quantum computer are offered, where that was asked about.
fn post_quantum(report: &EndpointReport) -> Option<String> {
    let asked = report.tls.as_ref()?.post_quantum.as_ref()?;
    let names = safe(&asked.names.join(", ")).into_owned();
    Some(match (asked.names.is_empty(), asked.complete) {
        (true, true) => "not offered".to_owned(),
        (true, false) => "unknown: not every question was answered".to_owned(),
        (false, true) => names,
        (false, false) => format!("{names}; not every question was answered"),
    })
}

/// What weakens an endpoint, in which of Azure's roots its chain ends, its post-quantum key exchange, and the transcript
/// where it was asked for.
fn write_details(out: &mut dyn Write, report: &EndpointReport, palette: Palette) -> io::Result<()> {
    let (roots, post_quantum) = (azure_roots(report), post_quantum(report));
    if report.weaknesses.is_empty() && report.transcript.is_none() && roots.is_none() && post_quantum.is_none() {
        return Ok(());
    }
    writeln!(out, "\n{}", palette.bold(&safe(&report.target)))?;
    if let Some(reason) = report.certificate.as_ref().and_then(|c| c.verify_full.reason.as_deref()) {
        writeln!(out, "  certificate: {}", safe(reason))?;
    }
    if let Some(roots) = roots {
        writeln!(out, "  roots: {roots}")?;
    }
    if let Some(offered) = post_quantum {
        writeln!(out, "  post-quantum key exchange: {offered}")?;
    }
    for weakness in &report.weaknesses {
        writeln!(out, "  weakness: {}: {}", weakness.as_str(), weakness_words(report, *weakness))?;
    }
    let lines = report.transcript.iter().flatten();
    let rows: Vec<Vec<Column>> = lines
        .map(|line| {
            let millis = f64::from(u32::try_from(line.micros).unwrap_or(u32::MAX)) / 1000.0;
            vec![
                Column::plain(format!("{millis:>9.3} ms")),
                Column::plain(safe(&line.connection)),
                Column::plain(line.direction.as_str()),
                Column::plain(safe(&line.message)),
                Column::plain(safe(&line.text)),
            ]
        })
        .collect();
    write_columns(out, "  ", &rows)
}

/// Which of Azure's roots alone is enough for a client, when one of them is.
fn azure_roots(report: &EndpointReport) -> Option<String> {
    let checks = &report.certificate.as_ref()?.root_checks;
    let of = |verifies: bool| -> Vec<&str> {
        let azure = checks.iter().filter(|check| AZURE_ROOTS.contains(&check.store.as_str()));
        azure.filter(|check| check.verifies == verifies).map(|check| check.store.as_str()).collect()
    };
    let (enough, not_enough) = (of(true), of(false));
    if enough.is_empty() {
        return None;
    }
    let tail = match not_enough.as_slice() {
        [] => String::new(),
        names => format!("; not with only {}", names.join(" or ")),
    };
    Some(format!("verifies with only {}{tail}", enough.join(" or ")))
}
