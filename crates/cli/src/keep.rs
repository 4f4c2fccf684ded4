//! Keeping audits in the state directory.

use crate::args::{StateArgs, TalkArgs};
use crate::error::CliError;
use clap::Args;
use hostssl_model::AuditReport;
use hostssl_store::{AuditStore, StoreError};
use std::path::Path;

/// Whether and how an audit is kept.
#[derive(Debug, Args)]
pub(crate) struct KeepArgs {
    #[command(flatten)]
    pub(crate) state: StateArgs,
    /// Do not keep this audit. A simulated one is kept only with --state.
    #[arg(long, help_heading = "State options")]
    pub(crate) no_save: bool,
    /// Keep so many audits and delete older ones; all are kept without it.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), help_heading = "State options")]
    pub(crate) retain: Option<u32>,
}

impl KeepArgs {
    /// Keeps the report. One that cannot be kept is told, and the report is written all the same.
    pub(crate) fn keep(&self, report: &AuditReport, simulated: bool, talk: &TalkArgs) {
        if self.no_save || (simulated && self.state.state.is_none()) {
            return;
        }
        let kept = self.state.directory(simulated).and_then(|directory| Ok(save(&directory, report, self.retain)?));
        if let Err(error) = kept
            && !talk.quiet
        {
            say!("warning: this audit was not kept: {}", error.on_one_line());
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

impl CliError {
    /// What happened and what to do, on one line.
    fn on_one_line(&self) -> String {
        let (what, hint) = self.parts();
        if hint.is_empty() { what } else { format!("{what} ({hint})") }
    }
}
