//! What libpq finds in the environment and in the files of whoever runs it, read once and handed to the parser of targets.

use crate::error::CliError;
use hostssl_probe::target::{Environment, ServiceFile, TargetError};
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
    let own = std::env::var_os("PGSERVICEFILE").map(PathBuf::from);
    let own = own.or_else(|| Some(std::env::home_dir()?.join(".pg_service.conf")));
    let system = std::env::var_os("PGSYSCONFDIR").map(|folder| Path::new(&folder).join("pg_service.conf"));
    let mut services = ServiceFile::default();
    for file in own.into_iter().chain(system) {
        let readable =
            std::fs::metadata(&file).is_ok_and(|found| found.is_file() && found.len() <= LARGEST_SERVICE_FILE);
        if let Some(text) = readable.then(|| std::fs::read_to_string(&file).ok()).flatten() {
            services.or(ServiceFile::parse(&text)?);
        }
    }
    Ok(services)
}
