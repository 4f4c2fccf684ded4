//! Whether a database may be trusted with the log: its version, and whether what it says is kept survives a crash.

use crate::OLDEST_MAJOR;
use hostssl_store::SharedError;

/// What a database says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServerSettings {
    /// `server_version_num`.
    pub(crate) version: i32,
    /// Whether it is a standby.
    pub(crate) is_standby: bool,
    /// `default_transaction_read_only`.
    pub(crate) is_read_only: bool,
    /// `fsync`.
    pub(crate) fsync: bool,
    /// `full_page_writes`.
    pub(crate) full_page_writes: bool,
}

impl ServerSettings {
    /// The question, in the order of the fields.
    pub(crate) const SQL: &str = "SELECT current_setting('server_version_num')::int4, pg_is_in_recovery(), \
         current_setting('default_transaction_read_only')::bool, current_setting('fsync')::bool, \
         current_setting('full_page_writes')::bool";

    /// # Errors
    ///
    /// [`SharedError::Standby`]; [`SharedError::Unfit`] for what must not be used as it is.
    pub(crate) fn check(&self) -> Result<(), SharedError> {
        let unfit = |what: String, hint| Err(SharedError::Unfit { what, hint });
        if self.version / 10_000 < OLDEST_MAJOR {
            let found = self.version / 10_000;
            return unfit(
                format!("it is PostgreSQL {found}, and hostssl needs {OLDEST_MAJOR} or later"),
                "use a newer PostgreSQL",
            );
        }
        if self.is_standby {
            return Err(SharedError::Standby("it is a standby, which cannot be written to".to_owned()));
        }
        if self.is_read_only {
            return unfit(
                "it is read-only (default_transaction_read_only is on)".into(),
                "free it for writing: its disk may be full, or an administrator has locked it",
            );
        }
        for (is_on, name) in [(self.fsync, "fsync"), (self.full_page_writes, "full_page_writes")] {
            if !is_on {
                return unfit(
                    format!("{name} is off, so that a crash may lose what was kept"),
                    "switch fsync and full_page_writes on, or use another server",
                );
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_loses_records_or_cannot_take_them_is_refused() {
        let good = ServerSettings {
            version: 150_018,
            is_standby: false,
            is_read_only: false,
            fsync: true,
            full_page_writes: true,
        };
        good.check().unwrap();
        for (settings, word) in [
            (ServerSettings { version: 140_020, ..good.clone() }, "PostgreSQL 14"),
            (ServerSettings { is_standby: true, ..good.clone() }, "standby"),
            (ServerSettings { is_read_only: true, ..good.clone() }, "read-only"),
            (ServerSettings { fsync: false, ..good.clone() }, "fsync is off"),
            (ServerSettings { full_page_writes: false, ..good.clone() }, "full_page_writes is off"),
        ] {
            let error = settings.check().unwrap_err();
            assert!(error.to_string().contains(word), "{error}");
        }
    }
}
