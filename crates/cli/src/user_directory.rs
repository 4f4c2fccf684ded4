//! Where programs of this user keep their state.

use crate::error::CliError;
use etcetera::BaseStrategy as _;
use std::path::PathBuf;

/// hostssl's directory among those that the user's programs keep their state in.
pub(crate) fn users_directory() -> Result<PathBuf, CliError> {
    let base = etcetera::choose_base_strategy()
        .map_err(|error| CliError::failed(&error, "name a state directory with --state"))?;
    Ok(base.state_dir().unwrap_or_else(|| base.data_dir()).join("hostssl"))
}
