//! Why a question to the database was not answered, and what that means for who asked.

use hostssl_store::SharedError;
use std::error::Error as _;
use tokio_postgres::error::{DbError, Severity, SqlState};

/// Why a question was not answered.
pub(super) enum Unanswered {
    /// The server said no.
    Refused(Box<DbError>),
    /// The connection is gone, or there is no answer.
    Gone(String),
}

impl From<tokio_postgres::Error> for Unanswered {
    fn from(error: tokio_postgres::Error) -> Self {
        match error.as_db_error() {
            // The session is over, or it is not known what became of the statement: an operator or a pooler ended it, class 08 is a lost
            // connection, 40003 an unknown end, and 25P03 that of a turn that took too long.
            Some(said) if is_end_of_session(said) => Self::Gone(said.message().to_owned()),
            Some(said) => Self::Refused(Box::new(said.clone())),
            None => {
                let why = error.source().map_or_else(|| error.to_string(), ToString::to_string);
                // The words of the TLS library are for its developers.
                Self::Gone(if why.contains("close_notify") {
                    "the server closed the connection".to_owned()
                } else {
                    why
                })
            }
        }
    }
}

fn is_end_of_session(said: &DbError) -> bool {
    let code = said.code().code();
    let is_fatal = matches!(said.parsed_severity(), Some(Severity::Fatal | Severity::Panic));
    is_fatal || code.starts_with("57P") || code.starts_with("08") || matches!(code, "40003" | "25P03")
}

impl Unanswered {
    pub(super) fn into_shared(self) -> SharedError {
        match self {
            Self::Gone(why) => SharedError::Unreachable(why),
            Self::Refused(said) if [SqlState::LOCK_NOT_AVAILABLE, SqlState::QUERY_CANCELED].contains(said.code()) => {
                SharedError::Busy
            }
            Self::Refused(said) if *said.code() == SqlState::INSUFFICIENT_PRIVILEGE => SharedError::Unfit {
                what: format!("this user may not use it: {}", said.message()),
                hint: "let the owner of the schema run `GRANT USAGE ON SCHEMA hostssl TO …; GRANT SELECT, INSERT ON \
                       hostssl.log TO …; GRANT SELECT, UPDATE ON hostssl.head TO …; GRANT SELECT, INSERT, UPDATE ON \
                       hostssl.leases TO …`",
            },
            Self::Refused(said) if *said.code() == SqlState::READ_ONLY_SQL_TRANSACTION => SharedError::Unfit {
                what: "it is read-only".to_owned(),
                hint: "free it for writing: it may be a standby, or its disk may be full",
            },
            Self::Refused(said) if *said.code() == SqlState::DISK_FULL => SharedError::Unfit {
                what: format!("its disk is full: {}", said.message()),
                hint: "free some space there; then resume the run that `hostssl runs` shows as not ended, if there is one",
            },
            Self::Refused(said) => SharedError::Refused(format!("{}: {}", said.severity(), said.message())),
        }
    }
}
