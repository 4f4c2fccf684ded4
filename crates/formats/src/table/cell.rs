//! A cell of a list: its text, its colour, what it sorts by and where it leads.

use crate::style::terminal_link;
use crate::{Palette, safe};
use hostssl_model::Outcome;
use std::cmp::Ordering;
use unicode_width::UnicodeWidthStr;

/// A cell of a list. Text from outside is made safe here, so that no list can leave it out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cell {
    pub(super) text: String,
    paint: Paint,
    rank: Option<u64>,
    /// The page that the text leads to.
    link: Option<String>,
    /// What stays in the row when the text is written once, below the table.
    pub(super) mark: &'static str,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Paint {
    #[default]
    None,
    Outcome(Outcome),
}

impl Cell {
    /// A cell in the colour of the text.
    pub fn plain(text: impl AsRef<str>) -> Self {
        Self { text: safe(text.as_ref()).into_owned(), ..Self::default() }
    }

    /// A word in the colour of an outcome.
    pub fn outcome(outcome: Outcome, word: impl AsRef<str>) -> Self {
        Self { paint: Paint::Outcome(outcome), ..Self::plain(word) }
    }

    /// A number, which sorts as one.
    #[must_use]
    pub fn number(number: u64) -> Self {
        Self { rank: Some(number), ..Self::plain(number.to_string()) }
    }

    /// The same cell, sorted by a number instead of its text.
    #[must_use]
    pub fn ranked(self, rank: u64) -> Self {
        Self { rank: Some(rank), ..self }
    }

    /// The same cell, with a word that stays in its row when the text holds for several rows and is written once.
    #[must_use]
    pub fn marked(self, mark: &'static str) -> Self {
        Self { mark, ..self }
    }

    /// The same cell, whose text leads to a page where the terminal can open one.
    #[must_use]
    pub fn linked(self, link: Option<String>) -> Self {
        Self { link, ..self }
    }

    pub(super) fn width(&self) -> usize {
        self.text.width()
    }

    pub(super) fn painted(&self, palette: Palette, links: bool) -> String {
        let painted = match self.paint {
            Paint::None => self.text.clone(),
            Paint::Outcome(outcome) => palette.outcome(outcome, &self.text),
        };
        match &self.link {
            Some(link) if links => terminal_link(link, &painted),
            _ => painted,
        }
    }

    pub(super) fn compare(&self, other: &Self) -> Ordering {
        let text = |cell: &Self| cell.text.to_lowercase();
        match (self.rank, other.rank) {
            (Some(a), Some(b)) => a.cmp(&b),
            _ => text(self).cmp(&text(other)),
        }
    }
}
