//! What libpq finds in the environment and in the files of the user who runs it, read once and handed to the parser of
//! targets.

use crate::error::CliError;
use hostssl_model::Hint;
use hostssl_probe::target::{Environment, ServiceFile, TargetError};
use hostssl_sessions::{Password, PasswordSources};
use std::path::{Path, PathBuf};

/// The largest service file that is read, in bytes.
const LARGEST_SERVICE_FILE: u64 = 1 << 20;

/// The environment of libpq. With a `ca_file` of the command line, the roots of the environment do not count.
pub(crate) fn environment(ca_file: Option<&Path>) -> Result<Environment, CliError> {
    let variable = |name: &str| std::env::var(name).ok();
    let own_files = std::env::home_dir().map(|home| home.join(".postgresql"));
    let roots_are_given = ca_file.is_some();
    let value = |name: &str| variable(name).filter(|_| !(roots_are_given && name == "PGSSLROOTCERT"));
    let mut environment = Environment::new(value, services())
        .map_err(|error| CliError::usage(error.to_string(), "correct the variable, or unset it for this command"))?;
    let own_file = |name: &str| own_files.as_ref().map(|folder| folder.join(name)).filter(|file| file.is_file());
    environment.default_revocation_list = own_file("root.crl").is_some();
    environment.default_root_certificate =
        own_file("root.crt").filter(|_| !roots_are_given).map(|file| file.display().to_string());
    Ok(environment)
}

/// The services of the user's file, then those of the system's.
fn services() -> Result<ServiceFile, TargetError> {
    let mut services = ServiceFile::default();
    for text in service_files() {
        services.or(ServiceFile::parse(&text)?);
    }
    Ok(services)
}

/// The texts of the service files, the user's first.
fn service_files() -> impl Iterator<Item = String> {
    let own = std::env::var_os("PGSERVICEFILE").map(PathBuf::from);
    let own = own.or_else(|| Some(std::env::home_dir()?.join(".pg_service.conf")));
    let system = std::env::var_os("PGSYSCONFDIR").map(|folder| Path::new(&folder).join("pg_service.conf"));
    own.into_iter().chain(system).filter_map(|file| read_small(&file))
}

/// A regular file of a size that such a file may have.
fn read_small(file: &Path) -> Option<String> {
    let is_readable = std::fs::metadata(file).is_ok_and(|found| found.is_file() && found.len() <= LARGEST_SERVICE_FILE);
    is_readable.then(|| std::fs::read_to_string(file).ok()).flatten()
}

/// Where libpq finds passwords.
pub(crate) fn passwords() -> Result<PasswordSources, CliError> {
    let own = std::env::home_dir().map(|home| home.join(".pgpass"));
    let file = std::env::var_os("PGPASSFILE").map(PathBuf::from).or(own);
    Ok(PasswordSources {
        variable: std::env::var("PGPASSWORD").ok().map(Password::new),
        service_files: service_files().map(Password::new).collect(),
        password_file: file.map(|file| password_file(&file)).transpose()?.flatten(),
    })
}

/// The text of the password file. As libpq, hostssl does not use one that others may read; it says so.
fn password_file(file: &Path) -> Result<Option<Password>, CliError> {
    let Some(text) = read_small(file) else { return Ok(None) };
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(file).map(|found| found.permissions().mode()).unwrap_or(0o777);
        if mode & 0o077 != 0 {
            let what = format!("the password file {} can be read by others", file.display());
            return Err(CliError::usage(what, Hint::with("chmod 600 {}", &[&file.display()])));
        }
    }
    Ok(Some(Password::new(text)))
}
