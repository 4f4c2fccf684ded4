//! Where runs are kept.

use crate::args::StateArgs;
use crate::error::CliError;
use etcetera::BaseStrategy as _;
use hostssl_remediation::RunId;
use hostssl_store::{Store, StoreReader};
use jiff::Timestamp;
use std::path::PathBuf;

/// The part of a state directory for runs of `--simulate`: what was simulated must not hold up what is real.
const SIMULATED: &str = "simulated";

impl StateArgs {
    /// The state directory. Runs of a simulation are kept apart from real ones.
    pub(crate) fn directory(&self, simulated: bool) -> Result<PathBuf, CliError> {
        if let Some(directory) = &self.state {
            return Ok(if simulated { directory.join(SIMULATED) } else { directory.clone() });
        }
        let base = etcetera::choose_base_strategy()
            .map_err(|error| CliError::failed(&error, "name a state directory with --state"))?;
        let own = base.state_dir().unwrap_or_else(|| base.data_dir()).join("hostssl");
        Ok(if simulated { own.join(SIMULATED) } else { own })
    }

    /// Opens it for changing servers.
    pub(crate) fn open(&self, simulated: bool) -> Result<Store, CliError> {
        Ok(Store::open(&self.directory(simulated)?)?)
    }

    /// Opens it for reading.
    pub(crate) fn read(&self, simulated: bool) -> Result<StoreReader, CliError> {
        Ok(StoreReader::open(&self.directory(simulated)?)?)
    }
}

/// A name for a new run: when it began, and four digits against two in one second. Names grow with time.
pub(crate) fn new_run() -> Result<RunId, CliError> {
    let unique = uuid::Uuid::now_v7().simple().to_string();
    let tail = unique.get(unique.len() - 4..).unwrap_or_default();
    run_id(&format!("{}-{tail}", Timestamp::now().strftime("%Y%m%d-%H%M%S")))
}

/// The run that the user names.
pub(crate) fn run_id(text: &str) -> Result<RunId, CliError> {
    RunId::new(text).map_err(|error| CliError::usage(format!("`{text}`: {error}"), "`hostssl runs` lists the runs"))
}
