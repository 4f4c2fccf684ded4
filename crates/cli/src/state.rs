//! The state directory: where it is, and keeping audits in it.

use crate::args::TalkArgs;
use crate::error::CliError;
use clap::Args;
use hostssl_model::AuditReport;
use hostssl_store::{AuditStore, StoreError};
use std::path::{Path, PathBuf};

/// Where audits, plans and journals are kept.
#[derive(Debug, Args)]
#[command(next_help_heading = "State options")]
pub(crate) struct StateArgs {
    /// The directory where runs are kept; otherwise the system's place for state.
    #[arg(long, value_name = "DIR", env = "HOSTSSL_STATE")]
    pub(crate) state: Option<PathBuf>,
}

/// Whether and how an audit is kept.
#[derive(Debug, Args)]
#[command(next_help_heading = "State options")]
pub(crate) struct KeepArgs {
    #[command(flatten)]
    pub(crate) directory: StateArgs,
    /// Do not keep this run. A simulated one is kept only with --state.
    #[arg(long)]
    pub(crate) no_save: bool,
    /// Keep so many runs and delete older ones; all are kept without it.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) retain: Option<u32>,
}

impl StateArgs {
    /// The state directory, or `None` where the system has no place for it.
    pub(crate) fn path(&self) -> Option<PathBuf> {
        self.state.clone().or_else(default_directory)
    }
}

impl KeepArgs {
    /// Keeps the report. A report that cannot be kept is told and not lost: it was written already, or will be.
    pub(crate) fn keep(&self, report: &AuditReport, simulated: bool, talk: &TalkArgs) {
        if self.no_save || (simulated && self.directory.state.is_none()) {
            return;
        }
        // Without a home, as in a container, there is no place that anybody would look for it in.
        let Some(directory) = self.directory.path() else { return };
        if let Err(error) = save(&directory, report, self.retain)
            && !talk.quiet
        {
            anstream::eprintln!("warning: this run was not kept: {}", CliError::from(error).on_one_line());
        }
    }
}

fn save(directory: &Path, report: &AuditReport, retain: Option<u32>) -> Result<(), StoreError> {
    let store = AuditStore::open(directory)?;
    store.save(report)?;
    if let Some(retain) = retain {
        store.prune(retain)?;
    }
    Ok(())
}

/// The place of the system: `XDG_STATE_HOME` (XDG Base Directory Specification), `~/Library/Application Support`, or
/// `%LOCALAPPDATA%`.
fn default_directory() -> Option<PathBuf> {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = if cfg!(windows) {
        variable("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        variable("HOME").map(|home| home.join("Library/Application Support"))
    } else {
        let of_xdg = variable("XDG_STATE_HOME").filter(|path| path.is_absolute());
        of_xdg.or_else(|| variable("HOME").map(|home| home.join(".local/state")))
    };
    base.map(|base| base.join("hostssl"))
}
