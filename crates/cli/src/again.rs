//! Commands that are printed, so that they work as printed: with the options that lead to the same Azure and the same state.

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command};
use hostssl_model::Hint;
use std::ffi::OsString;

/// The id of the option that names the configuration file.
pub(crate) const CONFIG: &str = "config";

/// Options that a next command needs as well, where it has them. What the environment says holds for it anyhow.
const CARRIED: [&str; 10] =
    ["tenant", "auth", "cloud", "arm_endpoint", "authority_host", "ca_file", "simulate", "state", "store", CONFIG];

/// Options that say which servers are meant: a plan after an audit is for the same ones.
const SCOPE: [&str; 6] = ["management_group", "subscription", "resource_group", "server", "tag", "except"];

/// Options of a run that resuming it needs as well: without them the rest would be changed in another way.
const PACE: [&str; 4] = ["max_parallel", "max_failures", "soak", "probe"];

/// The options of this command that a command after it needs.
#[derive(Debug, Clone, Default)]
pub(crate) struct Again {
    /// The whole command line, to know which options another command has.
    root: Command,
    options: Vec<(&'static str, Vec<String>)>,
}

impl Again {
    /// The options that were given on the command line.
    pub(crate) fn of(matches: &ArgMatches, root: Command) -> Self {
        let mut leaf = matches;
        while let Some((_, inner)) = leaf.subcommand() {
            leaf = inner;
        }
        let given = |id: &&str| {
            // Not every command has every option.
            leaf.try_contains_id(id).unwrap_or_default() && leaf.value_source(id) == Some(ValueSource::CommandLine)
        };
        let texts = |id: &str| -> Vec<String> {
            let raw = leaf.get_raw(id).into_iter().flatten();
            raw.map(|value| OsString::from(value).to_string_lossy().into_owned()).collect()
        };
        // `--simulate` without a name has no value of its own.
        let named = |id: &str| {
            if id == "simulate" { leaf.get_one::<String>(id).cloned().into_iter().collect() } else { texts(id) }
        };
        let options = SCOPE.into_iter().chain(PACE).chain(CARRIED).filter(given);
        Self { root, options: options.map(|id| (id, named(id))).collect() }
    }

    /// The same for what was kept of this simulated Azure: only its scenario leads there, whichever one was searched for.
    /// Others are found as they are.
    pub(crate) fn in_simulation(mut self, scenario: Option<&str>) -> Self {
        if let Some(scenario) = scenario {
            let named = ("simulate", vec![scenario.to_owned()]);
            match self.options.iter_mut().find(|(id, _)| *id == "simulate") {
                Some(given) => *given = named,
                None => self.options.push(named),
            }
        }
        self
    }

    /// A command of this program, such as `hostssl undo RUN`, with what it needs of these options.
    pub(crate) fn command(&self, command: &str) -> String {
        let mut whole = command.to_owned();
        if self.options.is_empty() || command.contains(" --help") {
            return whole;
        }
        let mut leaf = &self.root;
        for word in command.split_whitespace().skip(1) {
            let Some(next) = leaf.find_subcommand(word) else { break };
            leaf = next;
        }
        // What follows an audit is about the same servers, and what is resumed goes on in the same way.
        let is_of_scope = matches!(leaf.get_name(), "plan" | "clients");
        let is_resumed = leaf.get_name() == "resume";
        let is_needed = |id: &str| (is_of_scope || !SCOPE.contains(&id)) && (is_resumed || !PACE.contains(&id));
        for (id, values) in self.options.iter().filter(|(id, _)| is_needed(id)) {
            let Some(option) = option(&self.root, leaf, id) else { continue };
            let Some(long) = option.get_long().filter(|long| !command.contains(&format!("--{long}"))) else { continue };
            match option.get_action().takes_values() {
                true => values.iter().for_each(|value| whole += &format!(" --{long} {}", quoted(value))),
                false => whole += &format!(" --{long}"),
            }
        }
        whole
    }

    /// A hint in which every command has what it needs.
    pub(crate) fn hint(&self, hint: Hint) -> Hint {
        hint.with_commands(|command| self.command(command))
    }
}

/// The option of a command that takes the values of `id`, be it its own or one of all commands.
fn option<'a>(root: &'a Command, command: &'a Command, id: &str) -> Option<&'a Arg> {
    let of_all = root.get_arguments().filter(|argument| argument.is_global_set());
    command.get_arguments().chain(of_all).find(|argument| argument.get_id() == id)
}

/// A value as a POSIX shell takes it.
pub(crate) fn quoted(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=,".contains(c);
    if !value.is_empty() && value.chars().all(plain) {
        value.to_owned()
    } else {
        format!("'{}'", value.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command_line::Cli;
    use clap::CommandFactory as _;

    fn after(arguments: &[&str]) -> Again {
        let all = std::iter::once("hostssl").chain(arguments.iter().copied());
        Again::of(&Cli::command().get_matches_from(all), Cli::command())
    }

    #[test]
    fn what_is_resumed_goes_on_in_the_same_way() {
        let again = after(&["apply", "p.json", "--soak", "10m", "--probe", "--max-failures", "3", "--simulate"]);
        assert_eq!(
            again.command("hostssl resume one"),
            "hostssl resume one --max-failures 3 --soak 10m --probe --simulate demo"
        );
        assert_eq!(again.command("hostssl undo one"), "hostssl undo one --simulate demo");
        let again = after(&["audit", "--probe", "--server", "a b"]);
        assert_eq!(again.command("hostssl plan"), "hostssl plan --server 'a b'");
    }
}
