//! Brings the state of an older version up to date, which waits for another process that writes to it.

use crate::error::CliError;
use crate::state_patience::StatePatience;
use hostssl_store::{AuditStore, StateDirectory, StoreError};
use std::time::Duration;

/// How long such a wait may take before it is told of.
const SILENCE: Duration = Duration::from_secs(1);

/// The longest that the state waits, whatever time there is.
const LONGEST: Duration = Duration::from_secs(30);

/// Opens the state so that it is of this version afterwards. A wait for another process that writes to it is told of, and is over when
/// the patience is.
pub(crate) fn bring_up_to_date(directory: &StateDirectory, patience: StatePatience) -> Result<AuditStore, CliError> {
    match AuditStore::open_within(directory, patience.left().min(SILENCE)) {
        Err(StoreError::Busy(_)) if !patience.is_over() => {
            let most = patience.left().min(LONGEST).as_secs_f64().ceil();
            stderr!(
                "note: what is kept is of an older version, and another process is writing to it: waiting up to {most} s to bring it up \
                 to date"
            );
            Ok(AuditStore::open_within(directory, patience.left())?)
        }
        opened => Ok(opened?),
    }
}
