//! The `hostssl` command.
//!
//! This crate is the shell around the engine: it reads arguments and environment, signs in, shows progress, writes
//! output, and chooses the exit code. It decides nothing about servers.

#[macro_use]
mod talk;

mod again;
mod args;
mod changing;
#[cfg(test)]
mod codes;
mod commands;
mod connect;
mod error;
mod exit;
mod files;
#[cfg(test)]
mod help;
#[cfg(test)]
mod hints;
mod keep;
mod libpq;
mod plan_file;
mod probing;
mod progress;
mod route;
mod run_progress;
mod simulated;
mod state;
mod stdout;
mod usage;

use args::{Cli, Command};
use exit::Exit;
use std::process::ExitCode;

fn main() -> ExitCode {
    std::panic::set_hook(Box::new(tell_defect));
    let cli = match Cli::read(std::env::args_os()) {
        Ok(cli) => cli,
        Err(error) => return usage::tell(&error).into(),
    };
    if cli.talk.verbose {
        start_logging();
    }
    match run(&cli) {
        Ok(exit) => exit.into(),
        Err(error) => error.tell(&cli.talk.again).into(),
    }
}

/// A panic is a defect, of this program or of one that it uses: told in one line, without the paths of the machine that
/// built it.
fn tell_defect(panic: &std::panic::PanicHookInfo<'_>) {
    let file = panic.location().map_or("unknown", |location| location.file());
    let place = file.rsplit(['/', '\\']).next().unwrap_or_default();
    let line = panic.location().map_or(0, std::panic::Location::line);
    say!("error: internal defect at {place}:{line}");
    say!("hint: please report it with the command that you ran");
}

fn run(cli: &Cli) -> Result<Exit, error::CliError> {
    match &cli.command {
        Command::Audit(args) => commands::audit::run(args, &cli.talk),
        Command::Plan(args) => commands::plan::run(args, &cli.talk),
        Command::Apply(args) => commands::apply::apply(args, &cli.talk),
        Command::Resume(args) => commands::apply::resume(args, &cli.talk),
        Command::Undo(args) => commands::apply::undo(args, &cli.talk),
        Command::Runs(args) => commands::runs::run(args, &cli.talk),
        Command::Diff(args) => commands::diff::run(args, &cli.talk),
        Command::Enforce(args) => commands::enforce::run(args, &cli.talk),
        Command::Server(command) => commands::server::run(command, &cli.talk),
        Command::Probe(args) => commands::probe::run(args, &cli.talk),
        Command::Clients(args) => commands::clients::run(args, &cli.talk),
        Command::CaBundle(args) => commands::ca_bundle::run(args, &cli.talk),
        Command::Explain(args) => commands::explain::run(args, &cli.talk),
        Command::Controls(args) => commands::controls::run(args, &cli.talk),
        Command::Role(command) => commands::role::run(command, &cli.talk),
        Command::Serve(args) => commands::serve::run(args, &cli.talk),
        Command::Simulate(args) => commands::simulate::run(args, &cli.talk),
        Command::Completion { shell } => commands::generate::completion(*shell),
        Command::Man { dir } => commands::generate::manual(dir.as_deref()),
    }
}

/// Logs of this program and of the Azure SDK, which leaves out tokens and signatures. The layers below are not logged:
/// they would show headers.
fn start_logging() {
    let filter = tracing_subscriber::EnvFilter::new(
        "off,hostssl=debug,hostssl_azure=debug,azure_core=debug,azure_identity=debug,typespec_client_core=debug",
    );
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false).compact().init();
}
