//! Colour.

use crate::Shape;
use anstyle::{AnsiColor, Effects, Style};
use hostssl_model::{Hint, Outcome};
use std::io::{self, Write};

/// The commands that reasons name: of a census (`hostssl_ops`) and of a step (`hostssl_remediation`), which are kept as text.
const NAMED_IN_REASONS: [&str; 2] = ["hostssl plan --enable-log-download", "hostssl clients"];

/// How text is written.
#[derive(Clone, Copy)]
pub struct Text<'a> {
    /// Which styles.
    pub palette: Palette,
    /// Columns of the terminal; `None` where nothing has to fit.
    pub width: Option<usize>,
    /// What the reader asked of a list.
    pub shape: &'a Shape,
    /// Whether names are links to the Azure portal, which a terminal can open.
    pub links: bool,
    /// A command of this program as the reader can run it: with the options that lead to the same Azure and the same
    /// state.
    pub command: &'a dyn Fn(&str) -> String,
}

impl Text<'static> {
    /// Text for a file or a page: no colour, any width, commands as they are.
    #[must_use]
    pub fn plain() -> Self {
        static AS_IS: Shape = Shape::AS_IS;
        Self {
            palette: Palette::Plain,
            width: None,
            shape: &AS_IS,
            links: false,
            command: &|command| command.to_owned(),
        }
    }
}

impl std::fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Text").field("palette", &self.palette).field("width", &self.width).finish_non_exhaustive()
    }
}

impl Text<'_> {
    /// The same for another list beside the one that the reader's options are about.
    #[must_use]
    pub fn of_another_list(&self) -> Self {
        static AS_IS: Shape = Shape::AS_IS;
        static WIDE: Shape = Shape::WIDE;
        Self { shape: if self.shape.wide { &WIDE } else { &AS_IS }, ..*self }
    }

    /// A hint with its commands as the reader can run them.
    #[must_use]
    pub fn hint(&self, hint: impl Into<Hint>) -> Hint {
        hint.into().with_commands(self.command)
    }

    /// The reason of a verdict or a step, with the commands in it that this program is known to name there as the reader can
    /// run them. Other backquotes are those of names and of what Azure said.
    #[must_use]
    pub(crate) fn reason(&self, reason: &str) -> String {
        NAMED_IN_REASONS.into_iter().fold(reason.to_owned(), |text, command| {
            text.replace(&format!("`{command}`"), &format!("`{}`", (self.command)(command)))
        })
    }

    /// Writes commands to run next, each with what it is for.
    ///
    /// # Errors
    ///
    /// Whatever the writer returns.
    pub fn write_next(&self, out: &mut dyn Write, commands: &[(String, &str)]) -> io::Result<()> {
        let commands: Vec<(String, &str)> =
            commands.iter().map(|(command, what)| ((self.command)(command), *what)).collect();
        let width = commands.iter().map(|(command, _)| command.len()).max().unwrap_or_default();
        for (index, (command, what)) in commands.iter().enumerate() {
            let lead = if index == 0 { "\nnext: " } else { "      " };
            match *what {
                "" => writeln!(out, "{lead}{command}")?,
                what => writeln!(out, "{lead}{command:width$}    # {what}")?,
            }
        }
        Ok(())
    }
}

/// Text that leads to an address, in the escape sequence that terminals open links by (OSC 8). The address may have no
/// character that ends the sequence: it is one of [`portal_link`](crate::portal_link).
pub(crate) fn terminal_link(url: &str, text: &str) -> String {
    format!("\u{1b}]8;;{url}\u{1b}\\{text}\u{1b}]8;;\u{1b}\\")
}

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
    fn commands_in_reasons_are_whole_and_others_stay() {
        let text = Text { command: &|command| format!("{command} --simulate demo"), ..Text::plain() };
        let reason = "it is off: `hostssl plan --enable-log-download` plans to change that; `hostssl undo x` stays";
        let whole = "it is off: `hostssl plan --enable-log-download --simulate demo` plans to change that; `hostssl undo x` stays";
        assert_eq!(text.reason(reason), whole);
    }

    #[test]
    fn plain_has_no_escape_sequence() {
        assert_eq!(Palette::Plain.outcome(Outcome::Fail, "fail"), "fail");
        assert!(Palette::Colour.outcome(Outcome::Fail, "fail").contains("\u{1b}["));
    }
}
