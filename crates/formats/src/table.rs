//! Lists as text: the one implementation of columns, filters, order and widths.
//!
//! A list is as wide as its terminal. Columns that do not fit are left out, the least important first, and that is
//! said; prose is wrapped inside its column, or stands below its row where that would be too narrow; no word is broken.
//! A sentence that holds for several rows is written once, below the table.

mod cell;

pub use cell::Cell;

use crate::{Palette, Text};
use std::collections::HashMap;
use std::io::{self, Write};
use unicode_width::UnicodeWidthStr;

/// Columns of prose beside other columns: with less room it stands below its row.
const NARROWEST_PROSE: usize = 26;
/// A column with words that are too long for the terminal is made narrower, but not narrower than this: the words extend
/// beyond their column, and what follows continues in the next line.
const NARROWEST: usize = 12;
/// How far prose below its row is indented.
const BELOW: usize = 6;
/// A sentence longer than this is written once if it holds for several rows. On a terminal: one that takes more than a line.
const LONGEST_REPEATED: usize = 30;
/// Columns between two columns.
const GAP: usize = 2;

/// What is fixed about a column of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heading {
    /// Its name on the command line, in lower case with dashes.
    pub name: &'static str,
    /// When it is shown.
    pub shown: Shown,
}

/// When a column is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// Whatever the width of the terminal.
    Always,
    /// Where there is room; the highest number is left out first.
    WithRoom(u8),
    /// When every column is asked for, or this one is.
    Wide,
    /// As a title above its rows, or as a column where rows of several titles are mixed.
    AsTitle,
    /// It is the prose of the row, and the last column.
    Prose,
    /// The same, and why the row is as it is: a reason that holds for several rows is written once.
    Reason,
}

impl Heading {
    /// A column of this name.
    pub const fn new(name: &'static str, shown: Shown) -> Self {
        Self { name, shown }
    }

    fn is_prose(self) -> bool {
        matches!(self.shown, Shown::Prose | Shown::Reason)
    }

    pub(crate) fn title(self) -> String {
        self.name.to_ascii_uppercase().replace('-', " ")
    }
}

/// What the reader asked of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shape {
    /// Rows of these words only; all without any.
    pub only: Vec<String>,
    /// The column that decides the order.
    pub sort: Option<String>,
    /// The other way round.
    pub reverse: bool,
    /// These columns, in this order; the usual ones without any.
    pub columns: Vec<String>,
    /// Every column at its whole width, each row on its own.
    pub wide: bool,
}

impl Shape {
    /// A list as it is.
    pub const AS_IS: Self = Self { only: Vec::new(), sort: None, reverse: false, columns: Vec::new(), wide: false };
    /// A list with every column.
    pub const WIDE: Self = Self { only: Vec::new(), sort: None, reverse: false, columns: Vec::new(), wide: true };
}

/// What is listed once: a row, and more lines below it that belong to it.
#[derive(Debug, Clone)]
pub struct Entry {
    /// What `--only` chooses it by.
    pub word: &'static str,
    /// Cells in the order of the headings. The lines after the first may have empty cells.
    pub lines: Vec<Vec<Cell>>,
}

/// Rows below one title.
#[derive(Debug, Clone, Default)]
pub struct Section {
    /// The title; a list without sections has none.
    pub title: Option<String>,
    /// The rows.
    pub entries: Vec<Entry>,
}

/// Writes a list.
///
/// # Errors
///
/// Whatever the writer returns.
pub fn write_list(
    out: &mut dyn Write,
    headings: &[Heading],
    sections: Vec<Section>,
    text: &Text<'_>,
) -> io::Result<()> {
    let listed: usize = sections.iter().map(|section| section.entries.len()).sum();
    let (mut sections, mixed) = shaped(headings, sections, text.shape);
    if sections.is_empty() {
        if listed > 0 {
            let rows = if listed == 1 { "row" } else { "rows" };
            writeln!(out, "none of {listed} {rows} is {}", text.shape.only.join(" or "))?;
        }
        return Ok(());
    }
    let has_titles = sections.iter().any(|section| section.title.is_some());
    let indent = usize::from(has_titles) * GAP;
    let mut layout = Layout::new(headings, &sections, text, indent, mixed);
    let mut notes = Vec::new();
    if !text.shape.wide {
        notes = take_notes(headings, &mut sections, layout.one_line());
        layout = Layout::new(headings, &sections, text, indent, mixed);
    }
    for section in &sections {
        if let Some(title) = &section.title {
            writeln!(out, "{title}")?;
        }
        layout.write_headings(out, headings, text.palette)?;
        for line in section.entries.iter().flat_map(|entry| &entry.lines) {
            layout.write_line(out, line, text)?;
        }
        if section.title.is_some() || mixed {
            writeln!(out)?;
        }
    }
    if !notes.is_empty() && !has_titles {
        writeln!(out)?;
    }
    for (number, note) in (1..).zip(&notes) {
        let lead = format!("({number}) ");
        write_wrapped(out, &lead, &" ".repeat(lead.len()), note, text.width)?;
    }
    if !layout.left_out.is_empty() {
        let left_out = format!("{} with -o wide", layout.left_out.join(", "));
        write_wrapped(out, "more columns: ", "    ", &left_out, text.width)?;
    }
    // What follows rows below titles stands apart from them; what follows others, its writer sets apart.
    if (has_titles || mixed) && (!notes.is_empty() || !layout.left_out.is_empty()) {
        writeln!(out)?;
    }
    Ok(())
}

/// Writes rows that stand indented below something else, and returns the titles of the columns for which there was no room.
pub(crate) fn write_rows(
    out: &mut dyn Write,
    headings: &[Heading],
    entries: Vec<Entry>,
    text: &Text<'_>,
) -> io::Result<Vec<String>> {
    // The rows have been chosen; their order is the reader's.
    let order = Shape { only: Vec::new(), ..text.shape.clone() };
    let (sections, _) = shaped(headings, vec![Section { title: None, entries }], &order);
    let Some(section) = sections.into_iter().next() else { return Ok(Vec::new()) };
    let layout = Layout::new(headings, std::slice::from_ref(&section), text, GAP, false);
    layout.write_headings(out, headings, text.palette)?;
    for line in section.entries.iter().flat_map(|entry| &entry.lines) {
        layout.write_line(out, line, text)?;
    }
    Ok(layout.left_out)
}

/// The rows that are asked for, in the order that is asked for. Says whether rows of several titles are mixed.
fn shaped(headings: &[Heading], mut sections: Vec<Section>, shape: &Shape) -> (Vec<Section>, bool) {
    for section in &mut sections {
        section.entries.retain(|entry| shape.only.is_empty() || shape.only.iter().any(|word| word == entry.word));
    }
    sections.retain(|section| !section.entries.is_empty());
    let column = shape.sort.as_ref().and_then(|name| headings.iter().position(|heading| heading.name == name));
    let Some(column) = column else {
        if shape.reverse {
            sections.reverse();
            sections.iter_mut().for_each(|section| section.entries.reverse());
        }
        return (sections, false);
    };
    let has_titles = sections.iter().any(|section| section.title.is_some());
    let mut entries: Vec<Entry> = sections.into_iter().flat_map(|section| section.entries).collect();
    let cell = |entry: &Entry| entry.lines.first().and_then(|line| line.get(column)).cloned().unwrap_or_default();
    entries.sort_by(|a, b| {
        let order = cell(a).compare(&cell(b));
        if shape.reverse { order.reverse() } else { order }
    });
    let mixed = if entries.is_empty() { Vec::new() } else { vec![Section { title: None, entries }] };
    (mixed, has_titles)
}

/// Takes out the sentences that hold for several rows and are wider than `most`, and leaves their numbers.
fn take_notes(headings: &[Heading], sections: &mut [Section], most: usize) -> Vec<String> {
    let Some(prose) = headings.iter().position(|heading| heading.shown == Shown::Reason) else { return Vec::new() };
    let mut counts: HashMap<String, usize> = HashMap::new();
    let lines = |section: &Section| section.entries.iter().flat_map(|entry| entry.lines.clone()).collect::<Vec<_>>();
    for cell in sections.iter().flat_map(lines).filter_map(|mut line| line.get_mut(prose).map(std::mem::take)) {
        if cell.width() > most {
            *counts.entry(cell.text).or_default() += 1;
        }
    }
    let mut notes: Vec<String> = Vec::new();
    let cells = sections.iter_mut().flat_map(|section| &mut section.entries).flat_map(|entry| &mut entry.lines);
    for cell in cells.filter_map(|line| line.get_mut(prose)) {
        if counts.get(&cell.text).is_none_or(|count| *count < 2) {
            continue;
        }
        let known = notes.iter().position(|note| *note == cell.text);
        let number = known.unwrap_or(notes.len());
        if known.is_none() {
            notes.push(std::mem::take(&mut cell.text));
        }
        cell.text = format!("{} ({})", cell.mark, number + 1).trim_start().to_owned();
    }
    notes
}

/// Which columns are written, and how wide.
struct Layout {
    indent: usize,
    /// The columns and their widths.
    columns: Vec<(usize, usize)>,
    prose: Option<Prose>,
    /// The titles of columns for which there was no room.
    left_out: Vec<String>,
    /// The width of the terminal.
    room: usize,
}

/// Where the prose of a row stands.
struct Prose {
    column: usize,
    /// The room beside the other columns; `None` when it is below them.
    beside: Option<usize>,
    /// The room below them.
    below: usize,
}

impl Layout {
    fn new(headings: &[Heading], sections: &[Section], text: &Text<'_>, indent: usize, mixed: bool) -> Self {
        let shape = text.shape;
        let lines = || sections.iter().flat_map(|section| &section.entries).flat_map(|entry| &entry.lines);
        let cells = |column: usize| lines().filter_map(move |line| line.get(column));
        let width = |column: usize, heading: Heading| {
            cells(column).map(Cell::width).max().unwrap_or_default().max(heading.title().width())
        };
        let is_empty = |column: usize| cells(column).all(|cell| cell.text.is_empty());
        let usual = |column: usize, heading: Heading| match heading.shown {
            Shown::Always => true,
            Shown::WithRoom(_) | Shown::Prose | Shown::Reason => !is_empty(column),
            Shown::Wide => shape.wide && !is_empty(column),
            Shown::AsTitle => shape.wide || mixed,
        };
        let all = || headings.iter().copied().enumerate();
        let chosen: Vec<(usize, Heading)> = if shape.columns.is_empty() {
            all().filter(|(column, heading)| usual(*column, *heading)).collect()
        } else {
            let named = |name: &String| all().find(|(_, heading)| heading.name == name);
            shape.columns.iter().filter_map(named).collect()
        };
        let prose = chosen.last().copied().filter(|(_, heading)| heading.is_prose());
        let mut columns: Vec<(usize, usize)> = chosen
            .iter()
            .filter(|one| Some(**one) != prose)
            .map(|(column, heading)| (*column, width(*column, *heading)))
            .collect();
        let room = if shape.wide { None } else { text.width };
        let longest = prose.map(|(column, heading)| width(column, heading));
        let taken = |columns: &[(usize, usize)]| indent + columns.iter().map(|(_, width)| width + GAP).sum::<usize>();
        let mut left_out = Vec::new();
        let importance = |(column, _): &(usize, usize)| match headings.get(*column).map(|heading| heading.shown) {
            Some(Shown::WithRoom(rank)) if shape.columns.is_empty() => rank,
            _ => 0,
        };
        let always: Vec<_> = columns.iter().copied().filter(|column| importance(column) == 0).collect();
        let beside = longest.map_or(0, |longest| longest.min(NARROWEST_PROSE));
        while let Some(room) = room {
            // Where prose has no room beside any columns, none are left out for it.
            let wanted = if taken(&always) + beside <= room { beside } else { 0 };
            if taken(&columns) + wanted <= room + if prose.is_none() { GAP } else { 0 } {
                break;
            }
            let least = (0..columns.len()).max_by_key(|index| columns.get(*index).map_or(0, importance));
            let Some(least) = least.filter(|index| columns.get(*index).is_some_and(|one| importance(one) > 0)) else {
                break;
            };
            let (column, _) = columns.remove(least);
            left_out.extend(headings.get(column).map(|heading| heading.title()));
        }
        let most = room.map_or(usize::MAX, |room| if prose.is_none() { room + GAP } else { room });
        while taken(&columns) > most && narrow(&mut columns, headings) {}
        let prose = prose.map(|(column, _)| {
            let beside = room.map_or(usize::MAX, |room| room.saturating_sub(taken(&columns)));
            let fits = beside >= NARROWEST_PROSE.min(longest.unwrap_or_default());
            let below = room.map_or(usize::MAX, |room| room.saturating_sub(indent + BELOW));
            Prose { column, beside: fits.then_some(beside), below }
        });
        left_out.reverse();
        Self { indent, columns, prose, left_out, room: room.unwrap_or(usize::MAX) }
    }

    /// How wide a reason may be that takes no line of its own, or one.
    fn one_line(&self) -> usize {
        let prose = self.prose.as_ref().filter(|_| self.room < usize::MAX);
        prose.map_or(LONGEST_REPEATED, |prose| prose.beside.unwrap_or(prose.below))
    }

    fn write_headings(&self, out: &mut dyn Write, headings: &[Heading], palette: Palette) -> io::Result<()> {
        let beside = self.prose.as_ref().filter(|prose| prose.beside.is_some()).map(|prose| (prose.column, 0));
        let titles = self.columns.iter().copied().chain(beside).filter_map(|(column, width)| {
            let title = headings.get(column)?.title();
            Some((title.clone(), palette.faint(&title), width))
        });
        self.write_cells(out, titles.collect())
    }

    fn write_line(&self, out: &mut dyn Write, line: &[Cell], style: &Text<'_>) -> io::Result<()> {
        let cell = |column: usize| line.get(column).cloned().unwrap_or_default();
        let mut cells: Vec<(String, String, usize)> = self
            .columns
            .iter()
            .map(|(column, width)| (cell(*column).text, cell(*column).painted(style.palette, style.links), *width))
            .collect();
        let is_blank = cells.iter().all(|(text, ..)| text.is_empty());
        let Some(prose) = &self.prose else {
            // The further lines of an entry may have nothing in the columns that were chosen.
            return if is_blank { Ok(()) } else { self.write_cells(out, cells) };
        };
        let text = cell(prose.column).text;
        // A word that has no room beside the row has it below.
        let has_room = |room: &usize| text.split(' ').all(|word| word.width() <= *room);
        let Some(beside) = prose.beside.filter(has_room) else {
            if !is_blank {
                self.write_cells(out, cells)?;
            }
            let pieces = wrapped(&text, prose.below);
            return pieces.iter().try_for_each(|piece| writeln!(out, "{:1$}{piece}", "", self.indent + BELOW));
        };
        let start = self.indent + self.columns.iter().map(|(_, width)| width + GAP).sum::<usize>();
        for (index, piece) in wrapped(&text, beside).into_iter().enumerate() {
            if index > 0 {
                writeln!(out, "{:start$}{piece}", "")?;
                continue;
            }
            cells.push((piece.clone(), piece, 0));
            self.write_cells(out, std::mem::take(&mut cells))?;
        }
        if cells.is_empty() { Ok(()) } else { self.write_cells(out, cells) }
    }

    /// Writes cells as text, painted text and width. What ends a line is not padded. What follows a text that extends
    /// beyond its column, and a text that would extend beyond the terminal, begins a line.
    fn write_cells(&self, out: &mut dyn Write, cells: Vec<(String, String, usize)>) -> io::Result<()> {
        let (mut start, mut at) = (self.indent, 0);
        for (text, painted, width) in cells {
            if !text.is_empty() {
                let own = start.min(self.room.saturating_sub(text.width())).max(self.indent);
                if at > 0 && at + GAP > own {
                    writeln!(out)?;
                    at = 0;
                }
                write!(out, "{:1$}{painted}", "", own - at)?;
                at = own + text.width();
            }
            start += width + GAP;
        }
        writeln!(out)
    }
}

fn write_wrapped(out: &mut dyn Write, first: &str, others: &str, text: &str, width: Option<usize>) -> io::Result<()> {
    let room = width.map_or(usize::MAX, |width| width.saturating_sub(first.len().max(others.len())));
    for (index, piece) in wrapped(text, room).into_iter().enumerate() {
        writeln!(out, "{}{piece}", if index == 0 { first } else { others })?;
    }
    Ok(())
}

/// Makes the widest column narrower by one, the last of several, since names come first. Whether one could give way.
fn narrow(columns: &mut [(usize, usize)], headings: &[Heading]) -> bool {
    let least = |column: usize| headings.get(column).map_or(0, |heading| heading.title().width()).max(NARROWEST);
    let can_give = columns.iter_mut().filter(|(column, width)| *width > least(*column));
    let Some((_, width)) = can_give.max_by_key(|(_, width)| *width) else { return false };
    *width -= 1;
    true
}

/// A text in pieces of at most `width` columns, broken between words only. A word that is longer has a piece of its
/// own.
pub(crate) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut pieces: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match pieces.last_mut() {
            Some(piece) if piece.width().saturating_add(1 + word.width()) <= width => {
                piece.push(' ');
                piece.push_str(word);
            }
            _ if word.is_empty() => {}
            _ => pieces.push(word.to_owned()),
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    use hostssl_model::Outcome;
    use proptest::prelude::*;

    const HEADINGS: [Heading; 6] = [
        Heading::new("outcome", Shown::Always),
        Heading::new("server", Shown::Always),
        Heading::new("subscription", Shown::AsTitle),
        Heading::new("resource-group", Shown::WithRoom(2)),
        Heading::new("region", Shown::Wide),
        Heading::new("why", Shown::Reason),
    ];

    fn entry(outcome: Outcome, server: &str, why: &str) -> Entry {
        let word = outcome.as_str();
        let cells = [server, "Payments", "rg-payments", "westeurope", why].map(Cell::plain);
        let line = [Cell::outcome(outcome, word)].into_iter().chain(cells).collect();
        Entry { word, lines: vec![line] }
    }

    /// Names and messages are Azure's: a command in them is not one of ours, and gets no option of this one.
    #[test]
    fn foreign_backquotes_change_nothing() {
        let command = |command: &str| format!("{command} --simulate");
        let text = Text { command: &command, ..Text::plain() };
        let entries = vec![entry(Outcome::Fail, "`hostssl undo`", "see `hostssl audit`, `az`")];
        let mut out = Vec::new();
        write_list(&mut out, &HEADINGS, vec![Section { title: None, entries }], &text).unwrap();
        let out = String::from_utf8(out).unwrap();
        assert!(out.contains("`hostssl undo`") && out.contains("see `hostssl audit`, `az`"), "{out}");
        assert!(!out.contains("--simulate"), "{out}");
        assert_eq!(text.hint("`hostssl plan` next").to_string(), "`hostssl plan --simulate` next");
    }

    fn sections() -> Vec<Section> {
        let long = "the parameters could not be read because a permission is missing";
        let first = vec![entry(Outcome::Fail, "pg-b", "off"), entry(Outcome::Unknown, "pg-c", long)];
        let second = vec![entry(Outcome::Unknown, "pg-a", long), entry(Outcome::Pass, "pg-d", "")];
        vec![
            Section { title: Some("Payments".into()), entries: first },
            Section { title: Some("Shop".into()), entries: second },
        ]
    }

    fn written(width: Option<usize>, shape: &Shape) -> String {
        let mut out = Vec::new();
        write_list(&mut out, &HEADINGS, sections(), &Text { width, shape, ..Text::plain() }).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_reason_that_holds_for_several_rows_is_written_once() {
        let text = written(None, &Shape::AS_IS);
        assert_eq!(
            text,
            "Payments\n  OUTCOME  SERVER  RESOURCE GROUP  WHY\n  fail     pg-b    rg-payments     off\n  unknown  pg-c    \
             rg-payments     (1)\n\nShop\n  OUTCOME  SERVER  RESOURCE GROUP  WHY\n  unknown  pg-a    rg-payments     \
             (1)\n  pass     pg-d    rg-payments\n\n(1) the parameters could not be read because a permission is missing\n\n"
        );
    }

    #[test]
    fn a_further_line_without_a_cell_in_the_chosen_columns_is_not_a_blank_one() {
        let mut first = entry(Outcome::Fail, "pg-a", "off");
        let further = ["", "", "", "", "", "no TLS 1.3"].map(Cell::plain);
        first.lines.push(further.into());
        let shape = Shape { columns: vec!["server".into()], ..Shape::AS_IS };
        let mut out = Vec::new();
        let sections = vec![Section { title: None, entries: vec![first, entry(Outcome::Fail, "pg-b", "off")] }];
        write_list(&mut out, &HEADINGS, sections, &Text { shape: &shape, ..Text::plain() }).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "SERVER\npg-a\npg-b\n");
    }

    #[test]
    fn a_reason_that_fits_in_a_line_stands_there_and_a_mark_stays_in_its_row() {
        let list = |why: &str, width| {
            let row = |server| {
                let mut row = entry(Outcome::Fail, server, why);
                let cell = row.lines[0].pop().unwrap();
                row.lines[0].push(cell.marked("waived"));
                row
            };
            let entries = vec![row("pg-with-a-long-name-a"), row("pg-with-a-long-name-b")];
            let mut out = Vec::new();
            let text = Text { width: Some(width), ..Text::plain() };
            write_list(&mut out, &HEADINGS, vec![Section { title: None, entries }], &text).unwrap();
            String::from_utf8(out).unwrap()
        };
        let short = list("a sentence that is said of several rows", 50);
        assert_eq!(short.matches("\n      a sentence that is said of several rows\n").count(), 2, "{short}");
        let long = list("a sentence that is said of several rows and too long for a line", 50);
        assert!(long.contains("pg-with-a-long-name-a  ") && long.contains("waived (1)"), "{long}");
        assert!(long.contains("(1) a sentence that is said of several rows"), "{long}");
    }

    #[test]
    fn wide_has_every_column_and_every_reason() {
        let text = written(Some(40), &Shape { wide: true, ..Shape::AS_IS });
        assert!(text.contains("OUTCOME  SERVER  SUBSCRIPTION  RESOURCE GROUP  REGION      WHY\n"), "{text}");
        assert_eq!(text.matches("because a permission is missing").count(), 2);
    }

    #[test]
    fn names_that_are_too_long_have_room_and_what_follows_goes_on_below() {
        let long = |what: &str| format!("{what}-{}-prod", "x".repeat(50));
        let list = |width: Option<usize>, shape: &Shape| {
            let mut row = entry(Outcome::Fail, &long("pg"), "off");
            row.lines[0][3] = Cell::plain(long("rg"));
            let entries = vec![row, entry(Outcome::Pass, "pg-b", "on")];
            let sections = vec![Section { title: None, entries }];
            let mut out = Vec::new();
            write_list(&mut out, &HEADINGS, sections, &Text { width, shape, ..Text::plain() }).unwrap();
            String::from_utf8(out).unwrap()
        };
        let columns = ["outcome", "server", "resource-group", "why"].map(str::to_owned).to_vec();
        let all = Shape { columns, ..Shape::AS_IS };
        for (width, shape) in [(60, &Shape::AS_IS), (80, &Shape::AS_IS), (60, &all), (80, &all), (100, &all)] {
            let text = list(Some(width), shape);
            assert!(text.lines().all(|line| line.width() <= width), "{text}");
            assert!(text.contains(&long("pg")), "{text}");
            assert_eq!(text.contains(&long("rg")), !shape.columns.is_empty(), "{text}");
        }
        let text = list(Some(80), &all);
        let (name, group) = (text.find(&long("pg")).unwrap(), text.find(&long("rg")).unwrap());
        assert!(text[name..group].contains('\n'), "{text}");
        // The others stand in their columns.
        let place = |word: &str| text.lines().find_map(|line| line.find(word)).unwrap();
        assert_eq!(place("SERVER"), place("pg-b"), "{text}");
        assert_eq!(place("RESOURCE GROUP"), place("rg-payments"), "{text}");
    }

    #[test]
    fn rows_are_chosen_and_sorted_across_titles() {
        let shape = Shape { only: vec!["unknown".into(), "pass".into()], sort: Some("server".into()), ..Shape::AS_IS };
        let text = written(None, &shape);
        let servers: Vec<&str> = text.lines().filter_map(|line| line.split_whitespace().nth(1)).collect();
        assert_eq!(servers[..4], ["SERVER", "pg-a", "pg-c", "pg-d"], "{text}");
        assert!(text.starts_with("OUTCOME  SERVER  SUBSCRIPTION  "), "{text}");
        let reversed = written(None, &Shape { reverse: true, ..shape });
        assert!(reversed.find("pg-d") < reversed.find("pg-a"), "{reversed}");
        let none = written(None, &Shape { only: vec!["not-applicable".into()], ..Shape::AS_IS });
        assert_eq!(none, "none of 4 rows is not-applicable\n");
    }

    #[test]
    fn columns_are_those_that_are_named_in_their_order() {
        let shape = Shape { columns: vec!["region".into(), "server".into()], ..Shape::AS_IS };
        assert!(written(Some(80), &shape).contains("  REGION      SERVER\n  westeurope  pg-b\n"));
    }

    #[test]
    fn what_does_not_fit_is_left_out_wrapped_or_written_below() {
        let narrow = written(Some(34), &Shape::AS_IS);
        assert!(narrow.contains("  OUTCOME  SERVER  WHY\n"), "{narrow}");
        assert!(narrow.contains("more columns: RESOURCE GROUP with\n    -o wide\n"), "{narrow}");
        let list = |server, why, width| {
            let entries = vec![entry(Outcome::Unknown, server, why)];
            let mut out = Vec::new();
            let text = Text { width: Some(width), ..Text::plain() };
            write_list(&mut out, &HEADINGS, vec![Section { title: None, entries }], &text).unwrap();
            String::from_utf8(out).unwrap()
        };
        let one = |width| list("pg-a-long-name", "a sentence that is said of this row alone", width);
        assert!(one(60).contains("\nunknown  pg-a-long-name  a sentence that is said of this row\n"), "{}", one(60));
        assert!(
            one(40).contains("\nunknown  pg-a-long-name\n      a sentence that is said of this\n      row alone\n"),
            "{}",
            one(40)
        );
        // The heading of prose takes its room too.
        let short = list("pg-a-long-name", "on", 42);
        assert!(short.starts_with("OUTCOME  SERVER          WHY\nunknown  pg-a-long-name  on\n"), "{short}");
    }

    #[test]
    fn a_text_that_reaches_over_its_column_stands_apart_from_the_one_before() {
        let mut out = Vec::new();
        let entries = vec![entry(Outcome::Fail, "pg-a-name-of-twenty-five-c", "")];
        let text = Text { width: Some(30), ..Text::plain() };
        write_list(&mut out, &HEADINGS, vec![Section { title: None, entries }], &text).unwrap();
        let written = String::from_utf8(out).unwrap();
        assert!(written.contains("\nfail\n    pg-a-name-of-twenty-five-c\n"), "{written}");
    }

    proptest! {
        #[test]
        fn no_word_is_broken_or_lost_at_any_width(why in "[a-z ]{0,90}", server in "[a-z-]{1,30}", width in 20_usize..160) {
            let mut out = Vec::new();
            let entries = vec![entry(Outcome::Fail, &server, &why)];
            let text = Text { width: Some(width), ..Text::plain() };
            write_list(&mut out, &HEADINGS, vec![Section { title: None, entries }], &text).unwrap();
            let written = String::from_utf8(out).unwrap();
            for word in why.split_whitespace().chain([server.as_str()]) {
                prop_assert!(written.split_whitespace().any(|one| one == word), "{word}: {written}");
            }
            let fixed = "OUTCOME  ".len() + server.len().max(6);
            for line in written.lines() {
                let longest_word = line.split_whitespace().map(str::len).max().unwrap_or_default();
                prop_assert!(line.len() <= width.max(fixed).max(longest_word + "more columns: ".len()), "{line:?}");
            }
        }
    }
}
