//! What of a state can be read.

use crate::error::CliError;
use hostssl_formats::evidence_json::MissingPart;
use hostssl_store::StoreError;

/// What could be read; what is damaged is noted as missing, and every other error ends the pack.
pub(super) fn whole<T>(
    what: impl FnOnce() -> String,
    read: Result<T, StoreError>,
    missing: &mut Vec<MissingPart>,
) -> Result<Option<T>, CliError> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(StoreError::Corrupt(why)) => {
            missing.push(MissingPart { what: what(), why });
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}
