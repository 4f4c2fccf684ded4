//! The `hostssl` command, as a library: what is compiled here need not wait until all of the console is.
//!
//! This crate is the shell around `ops`: it reads arguments and environment, signs in, shows progress, writes
//! output, and chooses the exit code. It decides nothing about servers.

#[macro_use]
mod stderr;

mod again;
mod args;
mod azure_hosts;
mod build_version;
mod ca_files;
mod changed_by;
#[cfg(test)]
mod codes;
mod command_line;
mod commands;
mod config;
mod connect;
mod disowned_probers;
mod error;
mod exit;
mod files;
mod gate;
#[cfg(test)]
mod help;
#[cfg(test)]
mod hints;
mod keep;
mod kept_transcripts;
mod leftovers;
mod libpq;
mod logins;
mod looks;
mod loosening;
mod names;
mod outputs;
mod plan_file;
mod policy_warnings;
mod probing;
mod progress;
mod questions;
mod route;
mod run_change;
mod run_key;
mod run_looks;
mod run_progress;
mod shared_store;
mod signals;
mod simulated;
mod simulated_azure;
mod state;
mod state_patience;
mod state_upgrade;
mod stdout;
mod system_roots;
mod usage;
mod user_directory;

use again::Again;
use command_line::{Cli, Command, Misread};
use exit::Exit;
use std::process::ExitCode;

/// Runs the command that this process was started with.
pub fn main() -> ExitCode {
    std::panic::set_hook(Box::new(print_defect));
    let cli = match Cli::read(std::env::args_os()) {
        Ok(cli) => cli,
        Err(Misread::CommandLine(error)) => return usage::report(&error).into(),
        Err(Misread::Config(error)) => return error.report(&Again::default()).into(),
    };
    if cli.terminal.verbose > 0 {
        start_logging(cli.terminal.verbose);
    }
    cli.terminal.again.remember();
    cli.config_use.announce(&cli.terminal);
    match run(&cli) {
        Ok(exit) => exit.into(),
        Err(error) => error.report(&cli.terminal.again).into(),
    }
}

/// A panic is a defect, of this program or of one that it uses: told in one line, without the paths of the machine that
/// built it.
fn print_defect(panic: &std::panic::PanicHookInfo<'_>) {
    let file = panic.location().map_or("unknown", |location| location.file());
    let place = file.rsplit(['/', '\\']).next().unwrap_or_default();
    let line = panic.location().map_or(0, std::panic::Location::line);
    stderr!("error: bug in hostssl at {place}:{line}");
    stderr!("hint: please report it with the command that you ran");
}

fn run(cli: &Cli) -> Result<Exit, error::CliError> {
    match &cli.command {
        Command::Audit(args) => commands::audit::run(args, &cli.terminal),
        Command::Watch(args) => commands::watch::run(args, &cli.terminal),
        Command::Plan(args) => commands::plan::run(args, &cli.terminal),
        Command::Apply(args) => commands::apply::apply(args, &cli.terminal),
        Command::Resume(args) => commands::apply::resume(args, &cli.terminal),
        Command::Undo(args) => commands::apply::undo(args, &cli.terminal),
        Command::Runs(args) => commands::runs::run(args, &cli.terminal),
        Command::Doctor(args) => commands::doctor::run(args, &cli.terminal),
        Command::Diff(args) => commands::diff::run(args, &cli.terminal),
        Command::Waivers(command) => commands::waivers::run(command, &cli.terminal),
        Command::Evidence(args) => commands::evidence::run(args, &cli.terminal),
        Command::Trend(args) => commands::trend::run(args, &cli.terminal),
        Command::Enforce(args) => commands::enforce::run(args, &cli.terminal),
        Command::Server(command) => commands::server::run(command, &cli.terminal),
        Command::Probe(args) => commands::probe::run(args, &cli.terminal),
        Command::Zones(command) => commands::zones::run(command, &cli.terminal),
        Command::Prober(args) => commands::zone_prober::run(args, &cli.terminal),
        Command::Clients(args) => commands::clients::run(args, &cli.terminal),
        Command::CaBundle(args) => commands::ca_bundle::run(args, &cli.terminal),
        Command::Explain(args) => commands::explain::run(args, &cli.terminal),
        Command::Config(command) => commands::config::run(command, cli, &cli.terminal),
        Command::Controls(args) => commands::controls::run(args, &cli.terminal),
        Command::Policy(args) => commands::policy::run(args, &cli.terminal),
        Command::Iac(command) => commands::iac::run(command, &cli.terminal),
        Command::Role(command) => commands::role::run(command, &cli.terminal),
        Command::State(command) => commands::state::run(command, &cli.terminal),
        Command::Serve(args) => commands::serve::run(args, &cli.terminal),
        Command::Mcp(args) => commands::mcp::run(args, &cli.terminal),
        Command::Simulate(args) => commands::simulate::run(args, &cli.terminal),
        Command::Completion { shell } => commands::generate::completion(*shell),
        Command::Man { dir } => commands::generate::manual(dir.as_deref()),
    }
}

/// A line for each request to Azure; asked for twice, the logs of this program and of the Azure SDK, which leaves out tokens
/// and signatures. The layers below are not logged: they would show headers.
fn start_logging(verbosity: u8) {
    use tracing_subscriber::filter::{LevelFilter, Targets};
    use tracing_subscriber::layer::SubscriberExt as _;
    use tracing_subscriber::util::SubscriberInitExt as _;
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(false);
    let logs = Targets::new().with_target(hostssl_azure::REQUESTS, LevelFilter::DEBUG);
    if verbosity < 2 {
        let line = layer.without_time().with_level(false).with_target(false);
        return tracing_subscriber::registry().with(logs).with(line).init();
    }
    let ours = ["hostssl", "hostssl_azure", "hostssl_ops", "azure_core", "azure_identity", "typespec_client_core"];
    tracing_subscriber::registry()
        .with(logs.with_targets(ours.map(|name| (name, LevelFilter::DEBUG))))
        .with(layer.compact())
        .init();
}
