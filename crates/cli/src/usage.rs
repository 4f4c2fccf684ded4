//! Mistakes on the command line, in the same form as every other error.

use crate::command_line::Cli;
use crate::exit::Exit;
use crate::stdout::tolerate;
use clap::CommandFactory as _;
use clap::error::{Error, ErrorKind};

/// Prints help, the version or a mistake, and says how the program ends.
pub(crate) fn report(error: &Error) -> Exit {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        return match tolerate(error.print()) {
            Ok(()) => Exit::AllPass,
            Err(error) => {
                stderr!("error: {}", error.on_one_line());
                Exit::Failed
            }
        };
    }
    let text = error.render().to_string();
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        anstream::eprint!("{}", error.render().ansi());
        return Exit::Usage;
    }
    // An argument can be any bytes.
    let arguments: Vec<String> =
        std::env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned()).collect();
    let (message, hint) = shorten(&text, &arguments);
    stderr!("error: {message}");
    stderr!("hint: {hint}");
    Exit::Usage
}

/// What people type who know another program, and what to run here.
const ELSEWHERE: [(&[&str], &str); 7] = [
    (&["scan", "check", "test", "report", "status"], "`hostssl audit`"),
    (&["fix", "remediate", "harden"], "`hostssl plan`, then `hostssl apply PLAN`"),
    (&["list", "ls", "servers", "show"], "`hostssl server list`"),
    (&["login", "signin", "sign-in"], "`az login`; hostssl uses that sign-in unless --auth says otherwise"),
    (&["version"], "`hostssl --version`"),
    (&["permissions", "preflight"], "`hostssl doctor`, which says what the identity may do"),
    (&["web", "ui", "dashboard", "console"], "`hostssl serve`"),
];

/// What is wrong, in one line.
pub(crate) fn first_line(error: &Error) -> String {
    message(&error.render().to_string())
}

fn message(text: &str) -> String {
    let first = text.split("\n\n").next().unwrap_or_default();
    first.trim_start_matches("error: ").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// One line of what is wrong and one of what to do, out of clap's paragraphs.
fn shorten(text: &str, arguments: &[String]) -> (String, String) {
    let message = message(text);
    if let Some(instead) = elsewhere(&message, arguments) {
        return (message, format!("run {instead}"));
    }
    if message.starts_with("invalid value '") && message.contains("' for '--simulate ") {
        let hint =
            "--simulate takes the word after it as the scenario: write `--simulate=demo`, or put the other words first";
        return (message, hint.to_owned());
    }
    let tips = text.split("\n\n").skip(1).flat_map(str::lines).filter_map(|line| line.trim().strip_prefix("tip: "));
    // An option of another command does not become a value of this one.
    let tip = tips.into_iter().find(|tip| !tip.starts_with("to pass "));
    let help = || format!("`{} --help` shows the options and their values", command_of(arguments));
    (message, tip.map_or_else(help, str::to_owned))
}

/// What to run for a command that other programs have.
fn elsewhere(message: &str, arguments: &[String]) -> Option<&'static str> {
    let unknown = arguments.iter().find(|word| !word.starts_with('-'))?;
    if !message.starts_with("unrecognized subcommand") || !message.contains(unknown.as_str()) {
        return None;
    }
    ELSEWHERE.iter().find(|(words, _)| words.contains(&unknown.as_str())).map(|(_, instead)| *instead)
}

/// The command that the arguments name, as far as they name one.
fn command_of(arguments: &[String]) -> String {
    let mut path = vec!["hostssl".to_owned()];
    let mut command = Cli::command();
    for word in arguments {
        let Some(next) = command.find_subcommand(word) else { break };
        path.push(next.get_name().to_owned());
        command = next.clone();
    }
    path.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    fn message_and_hint(arguments: &[&str]) -> (String, String) {
        let all = std::iter::once("hostssl").chain(arguments.iter().copied());
        let error = Cli::try_parse_from(all).unwrap_err().render().to_string();
        shorten(&error, &arguments.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn a_mistake_is_one_line_and_a_hint() {
        let (message, hint) = message_and_hint(&["audit", "--subscripton", "x"]);
        assert_eq!(message, "unexpected argument '--subscripton' found");
        assert_eq!(hint, "a similar argument exists: '--subscription'");
        let (message, hint) = message_and_hint(&["audit", "--output", "yml"]);
        assert!(message.starts_with("invalid value 'yml' for '--output <FORMAT[=FILE]>'"), "{message}");
        assert_eq!(hint, "a similar value exists: 'yaml'");
        let (message, hint) = message_and_hint(&["server", "show"]);
        assert!(message.contains("--name <NAME> --resource-group <NAME>"), "{message}");
        assert_eq!(hint, "`hostssl server show --help` shows the options and their values");
        // `-- --canary` would be a value of this command, and the option is another one's.
        let (_, hint) = message_and_hint(&["plan", "show", "p.json", "--canary", "x"]);
        assert_eq!(hint, "`hostssl plan show --help` shows the options and their values");
        let (_, hint) = message_and_hint(&["iac", "snippet", "--simulate", "pg-keycloak"]);
        assert!(hint.contains("--simulate=demo"), "{hint}");
        let (_, hint) = message_and_hint(&["audit", "--deadline", "soon"]);
        assert_eq!(hint, "`hostssl audit --help` shows the options and their values");
    }

    #[test]
    fn a_command_of_another_program_leads_to_the_one_here() {
        for (word, command) in [("scan", "hostssl audit"), ("fix", "hostssl plan"), ("version", "hostssl --version")] {
            let (message, hint) = message_and_hint(&[word]);
            assert!(message.starts_with("unrecognized subcommand"), "{message}");
            assert!(hint.contains(command), "{hint}");
        }
        // A typing mistake is clap's to find.
        assert_eq!(message_and_hint(&["audti"]).1, "a similar subcommand exists: 'audit'");
    }
}
