//! A simulated Azure as earlier commands left it: what they changed is kept in the state directory.

use crate::args::{ConnectArgs, StateArgs, TerminalArgs};
use crate::error::CliError;
use crate::simulated_azure::{Scenario, Simulation};
#[cfg(feature = "simulate")]
use hostssl_model::Hint;
use std::io;
use std::path::{Path, PathBuf};

/// The simulated Azure that the options ask for, if they do.
pub(crate) fn open(
    connect: &ConnectArgs,
    state: &StateArgs,
    terminal: &TerminalArgs,
) -> Result<Option<Simulation>, CliError> {
    connect.simulate.as_ref().map(|name| open_scenario(name, state, terminal)).transpose()
}

/// The simulated Azure of this name.
pub(crate) fn open_scenario(name: &str, state: &StateArgs, terminal: &TerminalArgs) -> Result<Simulation, CliError> {
    let simulation = open_in(named_scenario(name)?, &state.directory(true)?)?;
    let changed = simulation.changed();
    if changed > 0 && !terminal.quiet {
        let servers = if changed == 1 {
            "1 simulated server was".to_owned()
        } else {
            format!("{changed} simulated servers were")
        };
        let reset = terminal.again.command(&format!("hostssl simulate {name} --reset"));
        stderr!("note: {servers} changed by earlier commands; `{reset}` restores the scenario");
    }
    Ok(simulation)
}

/// The same in a state directory for simulations.
pub(crate) fn open_in(scenario: Scenario, directory: &Path) -> Result<Simulation, CliError> {
    let path = file(directory, &scenario.name);
    Simulation::kept(scenario, path.clone()).map_err(|error| unusable(&path, &error))
}

/// Forgets what commands changed in a scenario.
#[cfg(feature = "simulate")]
pub(crate) fn reset(scenario: &Scenario, directory: &Path) -> Result<(), CliError> {
    let path = file(directory, &scenario.name);
    Simulation::forget_changes(&path).map_err(|error| unusable(&path, &error))
}

fn file(directory: &Path, scenario: &str) -> PathBuf {
    directory.join(format!("{scenario}.jsonl"))
}

fn unusable(path: &Path, error: &io::Error) -> CliError {
    CliError::refused(
        format!("what was changed in the simulated Azure is kept in {}, which cannot be used: {error}", path.display()),
        "make it readable and writable for this user, or name another state directory with --state",
    )
}

/// Why a build without the simulated Azure has no scenario.
#[cfg(not(feature = "simulate"))]
pub(crate) fn not_built_in() -> CliError {
    CliError::refused("this build of hostssl has no simulated Azure", "build it with --features simulate")
}

/// The scenario of this name.
#[cfg(not(feature = "simulate"))]
pub(crate) fn named_scenario(_: &str) -> Result<Scenario, CliError> {
    Err(not_built_in())
}

/// The scenario of this name.
#[cfg(feature = "simulate")]
pub(crate) fn named_scenario(name: &str) -> Result<Scenario, CliError> {
    Scenario::named(name).ok_or_else(|| {
        let names: Vec<&str> = Scenario::NAMES.iter().map(|(name, _)| *name).collect();
        CliError::usage(format!("there is no scenario `{name}`"), Hint::with("scenarios are {}", &[&names.join(", ")]))
    })
}
