//! The configuration file: values for options that the command line and the environment leave open.
//!
//! A key is called as its option is and read by the option's own parser, so that it has one meaning. What could make a run say
//! or change less than it should has no key: a person who can put a file into a working directory must not gain anything.

mod config_file;
mod keys;
#[cfg(test)]
mod schema;

pub(crate) use crate::again::CONFIG as OPTION;
pub(crate) use config_file::{Config, Setting, mistake_line};
pub(crate) use keys::{ConfigKey, KEYS};

use crate::args::TerminalArgs;
use crate::error::CliError;
use clap::parser::ValueSource;
use clap::{ArgMatches, Command};
use std::path::PathBuf;

/// The file that is read without being asked for.
pub(crate) const FILE: &str = "hostssl.toml";
/// The variable that names another one.
pub(crate) const VARIABLE: &str = "HOSTSSL_CONFIG";

/// A configuration file that was read for a command, and what it sets there.
#[derive(Debug, Clone, Default)]
pub(crate) struct ConfigUse {
    path: Option<PathBuf>,
    /// Keys whose values the command has from the file.
    sets: Vec<&'static str>,
}

impl ConfigUse {
    /// Says on stderr what the file sets: an audit of less than everything, or by other rules, must not come as a surprise.
    pub(crate) fn announce(&self, terminal: &TerminalArgs) {
        let Some(path) = self.path.as_ref().filter(|_| !terminal.quiet) else { return };
        if !self.sets.is_empty() {
            stderr!("note: {} sets {}", path.display(), self.sets.join(", "));
        } else if terminal.verbose > 0 {
            stderr!("note: {} was read, and sets nothing here", path.display());
        }
    }
}

/// Gives the command that `matches` are of what a file says; `None` where no file is read.
///
/// # Errors
///
/// When there is a file that cannot be used.
pub(crate) fn apply(command: &Command, matches: &ArgMatches) -> Result<Option<(Command, Config)>, CliError> {
    let (path, leaf) = leaf(matches);
    if !KEYS.iter().any(|key| key.is_of(&path)) {
        return Ok(None);
    }
    let Some(config) = Config::find(matches.get_one::<PathBuf>(OPTION).map(PathBuf::as_path))? else { return Ok(None) };
    // A scope on the command line replaces that of the file as a whole.
    let has_scope = KEYS.iter().any(|key| key.is_scope && is_explicit(leaf, key));
    let mut command = command.clone();
    for setting in &config.settings {
        if setting.key.is_of(&path) && !(setting.key.is_scope && has_scope) {
            let words: Vec<&str> = path.split(' ').collect();
            command = with_default(command, &words, setting.key.id, &setting.values);
        }
    }
    Ok(Some((command, config)))
}

/// What of a file a command has.
pub(crate) fn used(config: &Config, matches: &ArgMatches) -> ConfigUse {
    let (path, leaf) = leaf(matches);
    let is_used = |setting: &&Setting| {
        let key = setting.key;
        // The parser knows no option of another command.
        key.is_of(&path)
            && leaf.value_source(key.id) == Some(ValueSource::DefaultValue)
            && leaf
                .get_raw(key.id)
                .into_iter()
                .flatten()
                .map(|value| value.to_string_lossy().into_owned())
                .eq(setting.values.iter().cloned())
    };
    let sets = config.settings.iter().filter(is_used).map(|setting| setting.key.name).collect();
    ConfigUse { path: Some(config.path.clone()), sets }
}

/// The command that the arguments name, such as `server list`, and its own matches.
fn leaf(matches: &ArgMatches) -> (String, &ArgMatches) {
    let (mut words, mut leaf) = (Vec::new(), matches);
    while let Some((word, inner)) = leaf.subcommand() {
        words.push(word);
        leaf = inner;
    }
    (words.join(" "), leaf)
}

fn is_explicit(leaf: &ArgMatches, key: &ConfigKey) -> bool {
    leaf.try_contains_id(key.id).unwrap_or_default()
        && matches!(leaf.value_source(key.id), Some(ValueSource::CommandLine | ValueSource::EnvVariable))
}

/// The same command where an option of a subcommand has these values unless others are given.
fn with_default(command: Command, path: &[&str], id: &'static str, values: &[String]) -> Command {
    match path.split_first() {
        Some((word, rest)) => command.mut_subcommand(word, |inner| with_default(inner, rest, id, values)),
        None => command.mut_arg(id, |argument| argument.default_values(values.iter().cloned())),
    }
}

#[cfg(test)]
mod tests;
