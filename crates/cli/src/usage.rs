//! Mistakes on the command line, in the same form as every other error.

use crate::exit::Exit;
use clap::error::{Error, ErrorKind};

/// Tells help, version or a mistake, and says how the program ends.
pub(crate) fn tell(error: &Error) -> Exit {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        return if error.print().is_ok() { Exit::AllPass } else { Exit::Failed };
    }
    let text = error.render().to_string();
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        anstream::eprint!("{}", error.render().ansi());
        return Exit::Usage;
    }
    let (message, hint) = shorten(&text);
    say!("error: {message}");
    say!("hint: {hint}");
    Exit::Usage
}

/// One line of what is wrong and one of what to do, out of clap's paragraphs.
fn shorten(text: &str) -> (String, String) {
    let mut paragraphs = text.split("\n\n");
    let first = paragraphs.next().unwrap_or_default();
    let message = first.trim_start_matches("error: ").split_whitespace().collect::<Vec<_>>().join(" ");
    let mut hint = None;
    let mut usage = None;
    for paragraph in paragraphs {
        for line in paragraph.lines().map(str::trim) {
            if let Some(tip) = line.strip_prefix("tip: ") {
                hint.get_or_insert_with(|| tip.to_owned());
            } else if let Some(line) = line.strip_prefix("Usage: ") {
                usage.get_or_insert_with(|| line.to_owned());
            }
        }
    }
    let command = usage.unwrap_or_else(|| "hostssl".to_owned());
    let command: Vec<&str> = command.split_whitespace().take_while(|word| !word.starts_with(['[', '<', '-'])).collect();
    (message, hint.unwrap_or_else(|| format!("`{} --help` shows what can be given", command.join(" "))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Cli;
    use clap::Parser;

    fn told(arguments: &[&str]) -> (String, String) {
        let all = std::iter::once("hostssl").chain(arguments.iter().copied());
        shorten(&Cli::try_parse_from(all).unwrap_err().render().to_string())
    }

    #[test]
    fn a_mistake_is_one_line_and_a_hint() {
        let (message, hint) = told(&["audit", "--subscripton", "x"]);
        assert_eq!(message, "unexpected argument '--subscripton' found");
        assert_eq!(hint, "a similar argument exists: '--subscription'");
        let (message, hint) = told(&["audit", "--output", "xml"]);
        assert!(message.starts_with("invalid value 'xml' for '--output <OUTPUT>'"), "{message}");
        assert_eq!(hint, "a similar value exists: 'yaml'");
        let (message, hint) = told(&["server", "show"]);
        assert!(message.contains("--name <NAME> --resource-group <NAME>"), "{message}");
        assert_eq!(hint, "`hostssl server show --help` shows what can be given");
    }
}
