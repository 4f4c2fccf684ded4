//! One manual page: what clap knows of a command, with the end of its help under the headings that manual pages have.

use clap::{Arg, ArgAction, Command};
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
    let page = with_synopsis(&String::from_utf8_lossy(&page), command);
    let at = page.find("\n.SH VERSION\n").map_or(page.len(), |at| at + 1);
    let (head, tail) = page.split_at(at);
    Ok(format!("{head}{sections}{tail}"))
}

/// The page with a synopsis in which options have their values: clap's has the names of the options alone.
fn with_synopsis(page: &str, command: &Command) -> String {
    const BEGIN: &str = ".SH SYNOPSIS\n";
    let Some((head, rest)) = page.split_once(BEGIN) else { return page.to_owned() };
    let tail = rest.find("\n.SH ").and_then(|at| rest.get(at + 1..)).unwrap_or_default();
    format!("{head}{BEGIN}{}\n{tail}", synopsis(command))
}

/// How a command is called, in one line.
pub(super) fn synopsis(command: &Command) -> String {
    let name = command.get_bin_name().unwrap_or_else(|| command.get_name());
    let shown = command.get_arguments().filter(|one| !one.is_hide_set());
    let (positionals, mut options): (Vec<&Arg>, Vec<&Arg>) = shown.partition(|one| one.is_positional());
    options.sort_by_key(|one| one.is_required_set());
    let mut words = vec![bold(name)];
    words.extend(options.into_iter().chain(positionals).map(argument));
    if command.has_subcommands() {
        let is_required = command.is_subcommand_required_set() || command.is_arg_required_else_help_set();
        words.push(bracketed("\\fICOMMAND\\fR", !is_required));
    }
    words.join(" ")
}

fn argument(one: &Arg) -> String {
    let names: Vec<&str> = one.get_value_names().unwrap_or_default().iter().map(|name| name.as_str()).collect();
    let value = match names.as_slice() {
        [] => italic(one.get_id().as_str()),
        names => names.iter().map(|name| italic(name)).collect::<Vec<_>>().join(" "),
    };
    let count = one.get_num_args();
    let takes_many = count.is_some_and(|count| count.max_values() > 1);
    let repeats = takes_many || matches!(one.get_action(), ArgAction::Append | ArgAction::Count);
    let short = one.get_short().map(|short| bold(&format!("-{short}")));
    let long = one.get_long().map(|long| bold(&format!("--{long}")));
    let option = short.into_iter().chain(long).collect::<Vec<_>>().join("|");
    let whole = match one.get_action().takes_values() {
        _ if one.is_positional() => value,
        false => option,
        true => {
            let separator = if one.is_require_equals_set() { "=" } else { " " };
            match count.is_some_and(|count| count.min_values() == 0) {
                true if separator == "=" => format!("{option}[={value}]"),
                true => format!("{option} [{value}]"),
                false => format!("{option}{separator}{value}"),
            }
        }
    };
    let end = if repeats { "..." } else { "" };
    format!("{}{end}", bracketed(&whole, !one.is_required_set()))
}

fn bracketed(text: &str, is_optional: bool) -> String {
    if is_optional { format!("[{text}]") } else { text.to_owned() }
}

fn bold(text: &str) -> String {
    format!("\\fB{}\\fR", escaped(text))
}

fn italic(text: &str) -> String {
    format!("\\fI{}\\fR", escaped(text))
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
    fn the_synopsis_has_the_values_of_options() {
        let of = |path: &[&str]| {
            let mut all = Cli::command();
            all.build();
            let command = path.iter().fold(&all, |command, name| command.find_subcommand(name).unwrap());
            synopsis(command).replace("\\fB", "").replace("\\fI", "").replace("\\fR", "").replace("\\-", "-")
        };
        let plan = of(&["plan"]);
        assert!(plan.starts_with("hostssl plan [--tenant TENANT]..."), "{plan}");
        for part in
            ["[-g|--resource-group NAME]...", "[--canary-size N]", "[--simulate [SCENARIO]]", "[-v|--verbose]..."]
        {
            assert!(plan.contains(part), "{part}: {plan}");
        }
        assert!(plan.ends_with(" [COMMAND]"), "{plan}");
        assert!(of(&["apply"]).ends_with(" PLAN"), "{}", of(&["apply"]));
        assert!(of(&["zones", "add"]).ends_with(" ZONE"), "{}", of(&["zones", "add"]));
        assert!(of(&[]).ends_with(" COMMAND"), "{}", of(&[]));
        assert!(of(&["iac", "check"]).contains("[--live[=AUDIT]]"), "{}", of(&["iac", "check"]));
        let mut all = Cli::command();
        all.build();
        let page = manual_page(all.find_subcommand("plan").unwrap()).unwrap();
        assert!(
            page.contains("[\\fB\\-\\-tenant\\fR \\fITENANT\\fR]...") && page.contains("\n.SH DESCRIPTION\n"),
            "{page}"
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
