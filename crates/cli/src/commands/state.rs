//! `hostssl state`.

use crate::args::TerminalArgs;
use crate::error::CliError;
use crate::exit::Exit;
use crate::{shared_store, stdout};
use clap::{Args, Subcommand};
use hostssl_model::Hint;
use hostssl_store::{StateDigest, copy_into, copy_out_of, upgrade};
use std::path::Path;

pub(crate) const HELP: &str = "Examples:
  hostssl state copy --from ~/.local/state/hostssl --to postgres://hostssl@db.example/hostssl
  hostssl audit --store postgres://hostssl@db.example/hostssl     # from every machine
  hostssl state copy --from postgres://hostssl@db.example/hostssl --to ./back";

#[derive(Debug, Subcommand)]
pub(crate) enum StateCommand {
    /// Copy a state directory into a shared PostgreSQL store, or a store into a directory.
    ///
    /// Into a store: all or nothing, into an empty database alone. What the store holds then is read back and compared, and the
    /// directory becomes a copy of the store. Into a directory: one with nothing in it, which has a state of its own then. A run
    /// that has not ended must be resumed first.
    #[command(after_help = crate::exit::LOCAL_HELP)]
    Copy(CopyArgs),
    /// Upgrade a shared PostgreSQL store to the version of this program.
    ///
    /// The data is not changed. Older versions of hostssl refuse the store afterwards, so install this one on every machine first.
    /// A state directory needs no such command: it is upgraded by the next command that writes to it.
    #[command(after_help = crate::exit::LOCAL_HELP)]
    Upgrade(UpgradeArgs),
}

#[derive(Debug, Args)]
pub(crate) struct UpgradeArgs {
    /// The PostgreSQL database, as a URL or a connection string without a password, which is looked for as libpq does.
    #[arg(long, value_name = "URL", env = "HOSTSSL_STORE", hide_env_values = true)]
    store: String,
}

#[derive(Debug, Args)]
pub(crate) struct CopyArgs {
    /// What is copied: a state directory, or the URL of a store.
    #[arg(long, value_name = "DIR|URL")]
    from: String,
    /// Where to: a state directory, or the URL of a store; without a password, which is looked for as libpq does.
    #[arg(long, value_name = "DIR|URL")]
    to: String,
}

pub(crate) fn run(command: &StateCommand, terminal: &TerminalArgs) -> Result<Exit, CliError> {
    match command {
        StateCommand::Copy(args) => copy(args, terminal),
        StateCommand::Upgrade(UpgradeArgs { store }) => upgrade_store(store),
    }
}

fn upgrade_store(store: &str) -> Result<Exit, CliError> {
    // No lease is taken, so that the directory says nothing.
    let (found, now) = upgrade(&shared_store::connect(store, Path::new("."))?)?;
    let done = if found == now {
        format!("the store has version {now} already")
    } else {
        format!("upgraded the store from version {found} to {now}")
    };
    stdout::write(|out| writeln!(out, "{done}"))?;
    Ok(Exit::AllPass)
}

fn copy(CopyArgs { from, to }: &CopyArgs, terminal: &TerminalArgs) -> Result<Exit, CliError> {
    let (copied, compared, next) = match (is_store(from), is_store(to)) {
        (false, true) => {
            let log = shared_store::connect(to, Path::new(from))?;
            let next = Hint::with("`hostssl runs --store {} --state {}`", &[to, from]);
            (copy_into(Path::new(from), &log)?, " on both sides", next)
        }
        (true, false) => {
            let log = shared_store::connect(from, Path::new(to))?;
            (copy_out_of(&log, Path::new(to))?, "", Hint::with("`hostssl runs --state {}`", &[to]))
        }
        (false, false) => {
            return Err(CliError::usage(
                "neither --from nor --to is a store",
                "name a PostgreSQL database, such as postgres://hostssl@db.example/hostssl; a directory is copied by cp",
            ));
        }
        (true, true) => {
            return Err(CliError::usage(
                "both --from and --to are stores",
                "pg_dump and pg_restore copy one database into another",
            ));
        }
    };
    let StateDigest { rows, sha256 } = copied;
    stdout::write(|out| writeln!(out, "copied {rows} rows, with the SHA-256 {sha256}{compared}"))?;
    if !terminal.quiet {
        stderr!("next: {}", terminal.again.hint(next));
    }
    Ok(Exit::AllPass)
}

/// Whether a text names a database, as a URL or as a connection string.
fn is_store(text: &str) -> bool {
    text.starts_with("postgres://")
        || text.starts_with("postgresql://")
        || (text.contains('=') && !Path::new(text).exists())
}
