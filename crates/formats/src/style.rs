//! Colour.

use anstyle::{AnsiColor, Effects, Style};
use hostssl_model::Outcome;

/// Which styles to write. Colour never stands alone: there is always a word beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Palette {
    /// No escape sequences at all.
    Plain,
    /// ANSI colours.
    Colour,
}

impl Palette {
    /// The text in the colour of an outcome.
    #[must_use]
    pub fn outcome(self, outcome: Outcome, text: &str) -> String {
        let colour = match outcome {
            Outcome::Fail => AnsiColor::Red,
            Outcome::Unknown => AnsiColor::Yellow,
            Outcome::Pass => AnsiColor::Green,
            Outcome::NotApplicable => AnsiColor::BrightBlack,
        };
        self.paint(colour.on_default(), text)
    }

    /// The text in bold.
    #[must_use]
    pub fn bold(self, text: &str) -> String {
        self.paint(Style::new().effects(Effects::BOLD), text)
    }

    /// The text in grey.
    #[must_use]
    pub fn faint(self, text: &str) -> String {
        self.paint(AnsiColor::BrightBlack.on_default(), text)
    }

    /// The text in a style.
    #[must_use]
    pub(crate) fn paint(self, style: Style, text: &str) -> String {
        match self {
            Self::Plain => text.to_owned(),
            Self::Colour => format!("{style}{text}{style:#}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_has_no_escape_sequence() {
        assert_eq!(Palette::Plain.outcome(Outcome::Fail, "fail"), "fail");
        assert!(Palette::Colour.outcome(Outcome::Fail, "fail").contains("\u{1b}["));
    }
}
