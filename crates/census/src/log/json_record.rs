//! Records of jsonlog, one a line, PostgreSQL 15 and later:
//! <https://www.postgresql.org/docs/18/runtime-config-logging.html#RUNTIME-CONFIG-LOGGING-JSONLOG>.

use serde::Deserialize;
use std::borrow::Cow;

/// The members that matter. Members that a server leaves out are empty.
#[derive(Debug, Default, Deserialize)]
pub(super) struct JsonRecord<'a> {
    #[serde(borrow)]
    pub(super) timestamp: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) user: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) dbname: Option<Cow<'a, str>>,
    pub(super) pid: Option<u32>,
    #[serde(borrow)]
    pub(super) remote_host: Option<Cow<'a, str>>,
    pub(super) remote_port: Option<u32>,
    #[serde(borrow)]
    pub(super) session_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) error_severity: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) message: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) application_name: Option<Cow<'a, str>>,
}

/// Reads a record; `None` if it is not one. Names need not be UTF-8: such records are read with replacements.
pub(super) fn with_record<T>(line: &[u8], read: impl FnOnce(&JsonRecord<'_>) -> T) -> Option<T> {
    let text = String::from_utf8_lossy(line);
    serde_json::from_str::<JsonRecord<'_>>(&text).ok().map(|record| read(&record))
}
