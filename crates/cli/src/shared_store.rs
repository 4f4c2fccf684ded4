//! The store that several machines share, as `--store` names it.

use crate::error::CliError;
use crate::logins::Logins;
use crate::route::RouteArgs;
use crate::user_directory::users_directory;
use hostssl_model::{DoctorCheck, DoctorCheckId, Hint};
use hostssl_ops::store_check;
use hostssl_probe::{ProbeOptions, Prober};
use hostssl_sessions::{Login, Password};
use hostssl_store::{SharedError, SharedLog, StateDirectory, StoreError};
use hostssl_store_postgres::PostgresLog;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::time::timeout;

/// What gives the password of a store. `PGPASSWORD` is for the servers that clients are looked for on, and would be offered to all of
/// them.
const PASSWORD: &str = "HOSTSSL_STORE_PASSWORD";
/// The database where the connection string names none: a role of the name is usual too.
const DATABASE: &str = "hostssl";
/// How long a check of the store waits for it.
const PATIENCE: Duration = Duration::from_secs(20);
/// The part of the user's own directory with the copies of stores.
const COPIES: &str = "copies";

/// The connection of this process, and the directory that follows it. A command opens its state many times, and logs in once.
static OPENED: OnceLock<(PathBuf, Arc<dyn SharedLog>)> = OnceLock::new();

/// The state directory that is a copy of a store: the one that was named, or one of the user's for this store.
pub(crate) fn directory_of(store: &str, state: Option<&Path>) -> Result<StateDirectory, CliError> {
    let (directory, log) = match OPENED.get() {
        Some(opened) => opened,
        None => {
            let opened = open(store, state)?;
            OPENED.get_or_init(|| opened)
        }
    };
    Ok(StateDirectory::copy_of(directory.clone(), log.clone()))
}

fn open(store: &str, state: Option<&Path>) -> Result<(PathBuf, Arc<dyn SharedLog>), CliError> {
    let logins = logins(store)?;
    let directory = match state {
        Some(directory) => directory.to_path_buf(),
        None => {
            let name = logins.first().map(|login| format!("{}-{}", login.name(), login.database)).unwrap_or_default();
            users_directory()?.join(COPIES).join(file_name(&name))
        }
    };
    let log = PostgresLog::new(logins, &directory);
    Ok((directory, Arc::new(log)))
}

/// Whether a store can be used, and what its own listeners do with plaintext. Nothing is made there.
pub(crate) async fn check(store: &str, directory: StateDirectory) -> Result<DoctorCheck, CliError> {
    let Some(log) = directory.shared().cloned() else {
        return Ok(DoctorCheck::not_applicable(DoctorCheckId::Store, "the state is of this machine alone"));
    };
    let place = log.place().to_owned();
    let asked = timeout(PATIENCE, tokio::task::spawn_blocking(move || log.peek())).await;
    let found = match asked {
        Ok(Ok(answer)) => answer.map_err(|error| StoreError::Shared { place: place.clone(), error }),
        _ => {
            let error = SharedError::Unreachable(format!("no answer in {} s", PATIENCE.as_secs()));
            Err(StoreError::Shared { place: place.clone(), error })
        }
    };
    let mut verdicts = Vec::new();
    for login in logins(store)? {
        let options = ProbeOptions { roots: login.roots.clone(), ..ProbeOptions::lean() };
        let prober = Prober::new(options).map_err(|error| CliError::defect(&error))?;
        // A probe that had no time proves nothing, and that is said.
        let reports = timeout(PATIENCE, prober.probe(&login.target)).await.unwrap_or_default();
        verdicts.extend(reports.iter().map(|report| report.verdict));
    }
    Ok(store_check(&place, found.as_ref().map(Option::as_ref), &verdicts))
}

/// A connection to a store of its own, for a directory.
pub(crate) fn connect(store: &str, directory: &Path) -> Result<Arc<dyn SharedLog>, CliError> {
    Ok(Arc::new(PostgresLog::new(logins(store)?, directory)))
}

/// Whom to log in as, where, and whom to trust. A socket of this machine has no TLS.
fn logins(store: &str) -> Result<Vec<Login>, CliError> {
    if let Some(objection) = objection(store) {
        let hint = "name a database, such as postgres://hostssl@db.example/hostssl, and set {} or PGPASSFILE";
        return Err(CliError::usage(format!("--store {objection}"), Hint::with(hint, &[&PASSWORD])));
    }
    let password = std::env::var(PASSWORD).ok().filter(|password| !password.is_empty()).map(Password::new);
    let logins = Logins::new(None, None, false, &RouteArgs::default())?.with_variable(password).of(store, DATABASE)?;
    match logins.iter().find(|login| login.target.host.starts_with('/')) {
        None => Ok(logins),
        Some(socket) => Err(CliError::usage(
            format!(
                "{} is a socket of this machine, where there is no TLS, and a store is reached with TLS alone",
                socket.target.host
            ),
            "name a host, such as postgres://hostssl@db.example/hostssl",
        )),
    }
}

/// What is wrong with the name of a store, without the name itself.
pub(crate) fn objection(store: &str) -> Option<&'static str> {
    match store {
        "" => Some("is empty"),
        store if has_password(store) => Some("has a password in it, which others could read"),
        store if has_other_scheme(store) => Some("is not an address of PostgreSQL, which begins with postgres://"),
        _ => None,
    }
}

/// Whether a URL is one of another database.
fn has_other_scheme(store: &str) -> bool {
    let scheme = store.split_once("://").map(|(scheme, _)| scheme);
    // A connection string may name a file with such an address.
    scheme.is_some_and(|scheme| !matches!(scheme, "postgres" | "postgresql") && !scheme.contains('='))
}

/// Whether a URL or a connection string has a password in it.
pub(crate) fn has_password(store: &str) -> bool {
    let in_authority = store.split_once("://").is_some_and(|(_, rest)| {
        // A password may have any character, an unencoded slash among them.
        rest.rsplit_once('@').is_some_and(|(user, _)| user.contains(':'))
    });
    let parameters = store.split(|c: char| c.is_whitespace() || matches!(c, '?' | '&'));
    in_authority || parameters.into_iter().any(|part| part.trim_start().starts_with("password"))
}

/// A name for a directory: what may mean something to a file system is replaced.
fn file_name(text: &str) -> String {
    let is_plain = |character: char| character.is_ascii_alphanumeric() || matches!(character, '.' | '-' | '_');
    text.chars().map(|character| if is_plain(character) { character } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_seen_wherever_it_stands() {
        for with in [
            "postgres://u:p@db/x",
            "postgres://u:p/q@db/x",
            "postgresql://db/x?password=p",
            "postgres://db/x?sslmode=require&password=p",
            "host=db password=p",
            "password = 'p' host=db",
        ] {
            assert!(has_password(with), "{with}");
        }
        for without in ["postgres://u@db:5432/x?sslrootcert=/a:b", "postgres://db/x", "service=store", "host=db user=u"]
        {
            assert!(!has_password(without), "{without}");
        }
    }

    #[test]
    fn another_database_is_no_store() {
        for wrong in ["mysql://db/x", "https://db.example", "://db"] {
            assert!(objection(wrong).is_some_and(|why| why.contains("not an address of PostgreSQL")), "{wrong}");
        }
        for right in ["postgres://db/x", "postgresql://db/x", "host=db options=a://b"] {
            assert_eq!(objection(right), None, "{right}");
        }
    }

    #[test]
    fn a_copy_has_the_name_of_its_store() {
        assert_eq!(file_name("db.example:5432-hostssl"), "db.example_5432-hostssl");
        assert_eq!(file_name("../x y/é"), ".._x_y__");
    }
}
