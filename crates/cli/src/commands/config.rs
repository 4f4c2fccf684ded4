//! `hostssl config`: whether the configuration file is right, and what holds.

use crate::args::{TableArgs, TerminalArgs};
use crate::command_line::Cli;
use crate::config::{Config, ConfigKey, FILE, KEYS, mistake_line};
use crate::error::CliError;
use crate::exit::Exit;
use crate::shared_store::has_password;
use crate::stdout;
use clap::{Args, CommandFactory as _, Subcommand};
use hostssl_formats::config_json::ConfigRow;
use hostssl_formats::output::write_value;
use hostssl_formats::{config_json, safe};
use std::path::{Path, PathBuf};

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Check a configuration file: every mistake with its line, column and key.
    #[command(after_help = crate::exit::LOCAL_HELP)]
    Check(ConfigCheckArgs),
    /// Show every key, the value that holds without further options, and where that comes from.
    #[command(after_help = crate::exit::LOCAL_HELP)]
    Show(ConfigShowArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ConfigCheckArgs {
    /// The file [default: the one that other commands read].
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ConfigShowArgs {
    #[command(flatten)]
    table: TableArgs,
}

pub(crate) fn run(command: &ConfigCommand, cli: &Cli, terminal: &TerminalArgs) -> Result<Exit, CliError> {
    let named = cli.config.as_deref();
    match command {
        ConfigCommand::Check(args) => check(args.file.as_deref().or(named), terminal),
        ConfigCommand::Show(args) => show(named, &args.table, terminal),
    }
}

fn check(named: Option<&Path>, terminal: &TerminalArgs) -> Result<Exit, CliError> {
    let path = named.filter(|path| !path.as_os_str().is_empty()).unwrap_or(Path::new(FILE));
    match Config::read(path, named.is_some())? {
        Ok(config) => {
            let (file, keys) = (path.display().to_string(), config.settings.len());
            let noun = if keys == 1 { "key" } else { "keys" };
            stdout::write(|out| writeln!(out, "{}: no problems found; it sets {keys} {noun}", safe(&file)))?;
            Ok(Exit::AllPass)
        }
        Err(mistakes) => {
            for mistake in &mistakes {
                stderr!("error: {}", safe(&mistake_line(path, mistake)));
            }
            let show = terminal.again.command("hostssl config show");
            stderr!("hint: `{show}` lists the keys");
            Ok(Exit::Usage)
        }
    }
}

fn show(named: Option<&Path>, table: &TableArgs, terminal: &TerminalArgs) -> Result<Exit, CliError> {
    let query = stdout::query(table.query.as_deref())?;
    let config = Config::find(named)?;
    let rows: Vec<ConfigRow> = KEYS.iter().map(|key| row(key, config.as_ref())).collect();
    let rows = config_json::value(&rows).map_err(|error| CliError::defect(&error))?;
    let palette = stdout::palette(terminal);
    let format = table.output.into();
    match query {
        Some(query) => stdout::write_value(&rows, Some(&query), format, palette)?,
        None => {
            let columns = ["key", "value", "from"].map(ToOwned::to_owned);
            stdout::write(|out| write_value(out, &rows, format, &columns, palette))?;
        }
    }
    Ok(Exit::AllPass)
}

/// What stands in for a secret.
const REMOVED: &str = "[removed]";

/// What holds for a key, and who says so.
fn row(key: &ConfigKey, config: Option<&Config>) -> ConfigRow {
    let command = Cli::command();
    let leaf = key.sample.first().and_then(|word| command.find_subcommand(word));
    let argument = leaf.and_then(|leaf| leaf.get_arguments().find(|argument| argument.get_id() == key.id));
    let variable = argument.and_then(|argument| argument.get_env()).map(|name| name.to_string_lossy().into_owned());
    let of_environment = variable.and_then(|name| Some((std::env::var(&name).ok()?, name)));
    let of_file = config.and_then(|config| {
        let setting = config.settings.iter().find(|setting| setting.key.name == key.name)?;
        Some((setting.values.join(", "), format!("{}:{}", config.path.display(), setting.line)))
    });
    let of_program = argument.map(|argument| argument.get_default_values()).unwrap_or_default();
    let of_program = of_program.iter().map(|value| value.to_string_lossy()).collect::<Vec<_>>().join(", ");
    let (value, from) = of_environment
        .or(of_file)
        .unwrap_or_else(|| (if of_program.is_empty() { "-".to_owned() } else { of_program }, "default".to_owned()));
    // Where a password is not taken, it is not shown either.
    let value = if key.name == "store" && has_password(&value) { REMOVED.to_owned() } else { value };
    ConfigRow { key: key.name, value, from }
}
