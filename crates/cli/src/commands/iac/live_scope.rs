//! The scope of an audit that is made to compare a file with, and that it is asked for.

use super::NOW;
use crate::args::ScopeArgs;
use crate::error::CliError;
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command, FromArgMatches};
use hostssl_model::Hint;

/// The options of [`ScopeArgs`], and whether one of them was given with the command: the configuration file is for many commands.
#[derive(Debug)]
pub(super) struct LiveScope {
    pub(super) scope: ScopeArgs,
    given: Option<&'static str>,
}

/// The ids of the options, and what is typed.
const OPTIONS: [(&str, &str); 4] = [
    ("tenant", "--tenant"),
    ("management_group", "--management-group"),
    ("subscription", "--subscription"),
    ("resource_group", "--resource-group"),
];

impl LiveScope {
    /// Refuses an option of the scope where no audit is made that has one.
    pub(super) fn refuse_unless(&self, live: Option<&str>) -> Result<(), CliError> {
        let Some(option) = self.given.filter(|_| live != Some(NOW)) else { return Ok(()) };
        let without = if live.is_none() { "without --live" } else { "with an audit that was made before" };
        let hint = Hint::with("use --live without a value, or leave {} out", &[&option]);
        Err(CliError::usage(format!("{option} does nothing {without}"), hint))
    }
}

fn given(matches: &ArgMatches) -> Option<&'static str> {
    let is_given = |(id, _): &&(&str, &str)| matches.value_source(id) == Some(ValueSource::CommandLine);
    OPTIONS.iter().find(is_given).map(|(_, option)| *option)
}

impl FromArgMatches for LiveScope {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        Ok(Self { given: given(matches), scope: ScopeArgs::from_arg_matches(matches)? })
    }

    fn from_arg_matches_mut(matches: &mut ArgMatches) -> Result<Self, clap::Error> {
        // First, because reading them takes them away.
        let given = given(matches);
        Ok(Self { given, scope: ScopeArgs::from_arg_matches_mut(matches)? })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.given = given(matches);
        self.scope.update_from_arg_matches(matches)
    }
}

impl Args for LiveScope {
    fn augment_args(command: Command) -> Command {
        ScopeArgs::augment_args(command)
    }

    fn augment_args_for_update(command: Command) -> Command {
        ScopeArgs::augment_args_for_update(command)
    }
}
