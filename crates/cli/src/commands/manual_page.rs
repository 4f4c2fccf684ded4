//! One manual page: what clap knows of a command, with the end of its help under the headings that manual pages have.

use clap::Command;
use clap_mangen::Man;
use std::fmt::Write as _;
use std::io;

/// The page of a command in roff.
pub(super) fn manual_page(command: &Command) -> io::Result<String> {
    let end = command.get_after_long_help().or_else(|| command.get_after_help());
    let sections = sections(&end.map(ToString::to_string).unwrap_or_default());
    let bare = command.clone().after_help(None::<&str>).after_long_help(None::<&str>);
    let mut page = Vec::new();
    Man::new(bare).render(&mut page)?;
    let page = String::from_utf8_lossy(&page).into_owned();
    let at = page.find("\n.SH VERSION\n").map_or(page.len(), |at| at + 1);
    let (head, tail) = page.split_at(at);
    Ok(format!("{head}{sections}{tail}"))
}

/// The end of a help text as sections in roff. What stands before the first heading is for NOTES.
pub(super) fn sections(text: &str) -> String {
    let mut page = String::new();
    let mut kind = None;
    for line in text.lines() {
        let heading = match line {
            "Exit codes:" => Some(Kind::ExitStatus),
            "Examples:" => Some(Kind::Examples),
            _ => kind.is_none().then_some(Kind::Notes),
        };
        if let Some(heading) = heading {
            page += heading.begin();
            kind = Some(heading);
        }
        if heading.is_none_or(|heading| heading == Kind::Notes) {
            kind.unwrap_or(Kind::Notes).write(&mut page, line);
        }
    }
    page
}

/// What a section is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Notes,
    ExitStatus,
    Examples,
}

impl Kind {
    fn begin(self) -> &'static str {
        match self {
            Self::Notes => ".SH NOTES\n",
            Self::ExitStatus => ".SH \"EXIT STATUS\"\n",
            Self::Examples => ".SH EXAMPLES\n",
        }
    }

    fn write(self, page: &mut String, line: &str) {
        let text = line.trim();
        let code = text.split_once("  ").filter(|(code, _)| code.bytes().all(|byte| byte.is_ascii_digit()));
        // Writing to text cannot fail.
        let _ = match (self, code) {
            _ if text.is_empty() => writeln!(page, ".PP"),
            (Self::ExitStatus, Some((code, what))) => writeln!(page, ".TP\n{code}\n{}", escaped(what.trim())),
            // The meaning of a code continues.
            (Self::ExitStatus, None) if line.starts_with("   ") => writeln!(page, "{}", escaped(text)),
            (Self::ExitStatus, None) => writeln!(page, ".PP\n{}", escaped(text)),
            _ if line.starts_with(' ') => writeln!(page, ".nf\n{}\n.fi", escaped(line)),
            _ => writeln!(page, "{}", escaped(text)),
        };
    }
}

/// Text that roff shows as it is.
fn escaped(text: &str) -> String {
    let mut safe = String::new();
    if text.starts_with(['.', '\'']) {
        safe += "\\&";
    }
    for c in text.chars() {
        match c {
            '\\' => safe += "\\e",
            '-' => safe += "\\-",
            '\'' => safe += "\\(aq",
            '`' => safe += "\\(ga",
            '^' => safe += "\\(ha",
            '~' => safe += "\\(ti",
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command_line::Cli;
    use clap::CommandFactory as _;

    #[test]
    fn the_end_of_help_has_the_headings_of_manual_pages() {
        let text = "Before.\n\nExit codes:\n  0  done\n  3  one,\n     or two\n130  ended\nEach says.\n\nExamples:\n  a -b | 'c'";
        assert_eq!(
            sections(text),
            ".SH NOTES\nBefore.\n.PP\n.SH \"EXIT STATUS\"\n.TP\n0\ndone\n.TP\n3\none,\nor two\n.TP\n130\nended\n.PP\nEach \
             says.\n.PP\n.SH EXAMPLES\n.nf\n  a \\-b | \\(aqc\\(aq\n.fi\n"
        );
    }

    #[test]
    fn no_page_has_a_section_of_leftovers() {
        fn look(command: &Command) {
            let page = manual_page(command).unwrap();
            assert!(!page.contains(".SH EXTRA"), "{}", command.get_name());
            let has_codes = command.get_after_help().is_some_and(|help| help.to_string().contains("Exit codes:"));
            assert_eq!(page.contains(".SH \"EXIT STATUS\"\n.TP\n0\n"), has_codes, "{}", command.get_name());
            command.get_subcommands().for_each(look);
        }
        let mut all = Cli::command();
        all.build();
        look(&all);
    }
}
