//! The simulated Azure behind a port of this machine.

use super::SimulateArgs;
use crate::args::TerminalArgs;
use crate::connect::block_on;
use crate::error::CliError;
use crate::exit::Exit;
use crate::signals::Signals;
use crate::simulated::kept_azure::{self, named_scenario};
use crate::stdout;
use hostssl_azure_sim::{
    FleetSize, FleetSource, Listening, Rate, Scenario, ServeOptions, Simulation, Throttle, Wire, environment, serve,
    write_files, write_listeners,
};
use hostssl_formats::{Cell, Entry, Heading, Section, Shape, Shown, write_list};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(crate) fn run(args: &SimulateArgs, terminal: &TerminalArgs) -> Result<Exit, CliError> {
    if args.list {
        return list(terminal);
    }
    let scenario = scenario(args)?;
    if args.reset {
        kept_azure::reset(&scenario, &args.state.directory(true)?)?;
        if !terminal.quiet {
            stderr!("the simulated Azure {} was reset to its scenario", scenario.name);
        }
        return Ok(Exit::AllPass);
    }
    block_on(async {
        let mut end = Signals::of_an_end();
        let options = ServeOptions { port: args.port, ..ServeOptions::default() };
        let server = serve(Simulation::new(scenario), options)
            .await
            .map_err(|error| CliError::failed(&error, "choose another port with --port, or leave it out"))?;
        let directory = directory(args);
        // Without --dir, the folder and the keys in it end with the simulation, however that ends.
        let _own = args.dir.is_none().then(|| OwnFolder(directory.clone()));
        let unwritable = |error: &dyn std::error::Error| CliError::failed(error, "choose another folder with --dir");
        // A script that waits for it must not read that of an earlier simulation, whose port no longer answers.
        let env_file = directory.join("env.sh");
        match std::fs::remove_file(&env_file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(unwritable(&error)),
            _ => {}
        }
        let files = write_files(&server, &directory).map_err(|error| unwritable(&error))?;
        let wire = Wire::new(server.simulation()).map_err(|error| CliError::failed(&error, "please report it"))?;
        let listening =
            wire.listen().await.map_err(|error| CliError::failed(&error, "raise the limit of open files"))?;
        write_listeners(&server, &wire, &listening, &files).map_err(|error| unwritable(&error))?;
        let script = script(&environment(&server, &files));
        std::fs::write(&env_file, &script).map_err(|error| unwritable(&error))?;
        stdout::write(|out| write!(out, "{script}"))?;
        if !terminal.quiet {
            let (address, scenario) = (&server.base_url, &args.scenario);
            stderr!("simulated Azure, scenario {scenario}, on {address}; Ctrl-C ends it");
            print_listeners(&listening, &files.listeners);
            stderr!("next, in another shell: . {} && hostssl audit", env_file.display());
        }
        // An end that is asked for is the only one there is.
        end.next().await;
        server.shutdown().await;
        Ok(Exit::AllPass)
    })
}

fn print_listeners(listening: &Listening, file: &Path) {
    let count = listening.listeners.len();
    let left_out = match listening.left_out {
        0 => String::new(),
        more => format!(", {more} more servers have none"),
    };
    stderr!("{count} PostgreSQL listeners on this machine{left_out}: {}", file.display());
}

fn list(terminal: &TerminalArgs) -> Result<Exit, CliError> {
    const COLUMNS: &[Heading] = &[Heading::new("scenario", Shown::Always), Heading::new("what-it-is", Shown::Prose)];
    let entry = |(name, about): &(&'static str, &str)| Entry {
        word: name,
        lines: vec![vec![Cell::plain(name), Cell::plain(about)]],
    };
    let section = Section { title: None, entries: Scenario::NAMES.iter().map(entry).collect() };
    stdout::write_text(terminal, &Shape::AS_IS, |out, text| write_list(out, COLUMNS, vec![section], text))?;
    Ok(Exit::AllPass)
}

/// A folder that is removed with everything in it when this is dropped.
struct OwnFolder(PathBuf);

impl Drop for OwnFolder {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            stderr!("warning: {} could not be removed: {error}", self.0.display());
        }
    }
}

/// A folder of its own, unless one is named.
fn directory(args: &SimulateArgs) -> PathBuf {
    let own = || std::env::temp_dir().join(format!("hostssl-simulate-{}", std::process::id()));
    let chosen = args.dir.clone().unwrap_or_else(own);
    // The paths go into the environment, which outlives a change of folder.
    std::path::absolute(&chosen).unwrap_or(chosen)
}

fn scenario(args: &SimulateArgs) -> Result<Scenario, CliError> {
    let mut scenario = named_scenario(&args.scenario)?;
    if args.subscriptions.is_some() || args.servers.is_some() || args.seed.is_some() {
        let size = match scenario.fleet {
            FleetSource::Generated(size) => size,
            FleetSource::Listed(_) => FleetSize::default(),
        };
        scenario.fleet = FleetSource::Generated(FleetSize {
            seed: args.seed.unwrap_or(size.seed),
            subscriptions_per_tenant: args.subscriptions.map_or(size.subscriptions_per_tenant, |n| n as usize),
            servers: args.servers.map_or(size.servers, |n| n as usize),
            ..size
        });
    }
    if let Some(latency) = args.latency {
        scenario.latency = Duration::from_millis(latency);
    }
    if let Some(time) = args.operation_time {
        scenario.writes.duration = Duration::from_millis(time);
    }
    if let Some((capacity, per_second)) = args.throttle {
        let reads = Rate { capacity, per_second };
        scenario.throttle = Some(Throttle { reads, ..scenario.throttle.unwrap_or_default() });
    }
    Ok(scenario)
}

/// The environment as lines for a shell.
fn script(variables: &[(String, String)]) -> String {
    variables.iter().fold(String::new(), |mut script, (name, value)| {
        // Cannot fail: a String takes whatever is written.
        let _ = writeln!(script, "export {name}='{}'", value.replace('\'', r"'\''"));
        script
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_quoted_for_a_shell() {
        let variables = [("A".to_owned(), "it's $HOME".to_owned())];
        assert_eq!(script(&variables), "export A='it'\\''s $HOME'\n");
    }
}
