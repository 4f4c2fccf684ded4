//! What libpq takes from the environment where a connection string is silent (libpq, section "Environment Variables"). Pure: the
//! caller reads the variables and the files.

use super::TargetError;
use super::connection_parameters::Parameters;
use super::service::ServiceFile;

/// The variables that mean something here, and their keywords. `PGPASSWORD` is none of them.
const VARIABLES: [(&str, &str); 9] = [
    ("PGHOST", "host"),
    ("PGHOSTADDR", "hostaddr"),
    ("PGPORT", "port"),
    ("PGUSER", "user"),
    ("PGDATABASE", "dbname"),
    ("PGSSLROOTCERT", "sslrootcert"),
    ("PGSSLCRL", "sslcrl"),
    ("PGSSLCRLDIR", "sslcrldir"),
    ("PGSSLNEGOTIATION", "sslnegotiation"),
];

/// The environment of libpq. Empty by default.
#[derive(Clone, Debug)]
pub struct Environment {
    variables: Parameters,
    services: Result<ServiceFile, TargetError>,
    /// The file of roots that libpq looks for when none is named: `~/.postgresql/root.crt`.
    pub default_root_certificate: Option<String>,
    /// Whether there is a `~/.postgresql/root.crl`.
    pub default_revocation_list: bool,
}

impl Default for Environment {
    fn default() -> Self {
        Self {
            variables: Parameters::default(),
            services: Ok(ServiceFile::default()),
            default_root_certificate: None,
            default_revocation_list: false,
        }
    }
}

/// A variable that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{variable}: {source}")]
pub struct EnvironmentError {
    /// Its name.
    pub variable: &'static str,
    /// Why.
    pub source: TargetError,
}

impl Environment {
    /// Reads the variables that `value` knows. Services that could not be read are an error only where one is named.
    ///
    /// # Errors
    ///
    /// [`EnvironmentError`] for a value that no connection string could have. It never holds a part of the value.
    pub fn new(
        value: impl Fn(&str) -> Option<String>,
        services: Result<ServiceFile, TargetError>,
    ) -> Result<Self, EnvironmentError> {
        let mut variables =
            Parameters { service: value("PGSERVICE").filter(|name| !name.is_empty()), ..Parameters::default() };
        for (variable, keyword) in VARIABLES {
            if let Some(value) = value(variable) {
                variables.set(keyword, value).map_err(|source| EnvironmentError { variable, source })?;
            }
        }
        Ok(Self { variables, services, ..Self::default() })
    }

    /// Whether it says by itself where a server is.
    #[must_use]
    pub fn names_host(&self) -> bool {
        self.variables.host.is_some() || self.variables.hostaddr.is_some() || self.variables.service.is_some()
    }

    /// Fills what a connection string leaves open: from its service, then from the variables, then from the default files.
    pub(super) fn complete(&self, parameters: Parameters) -> Result<Parameters, TargetError> {
        let service = parameters.service.clone().or_else(|| self.variables.service.clone());
        let parameters = match service {
            Some(name) => parameters.fill(self.services.as_ref().map_err(Clone::clone)?.get(&name)?),
            None => parameters,
        };
        let files = Parameters {
            root_certificate: self.default_root_certificate.clone(),
            revocation_lists: self.default_revocation_list,
            ..Parameters::default()
        };
        Ok(parameters.fill(&self.variables).fill(&files))
    }
}
