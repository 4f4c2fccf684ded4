//! Logins to PostgreSQL servers: as whom, with which password, and whom to trust.

use crate::ca_files::roots_of_file;
use crate::error::CliError;
use crate::libpq;
use crate::probing::{roots, simulated_listeners};
use crate::route::RouteArgs;
use crate::simulated_azure::{Simulation, Wire};
use crate::system_roots::{SYSTEM, SystemRoots};
use hostssl_ops::Tenant;
use hostssl_probe::certificate::RootStore;
use hostssl_probe::dial::{Dial, Network};
use hostssl_probe::target::{Environment, ProbeTarget};
use hostssl_sessions::{Login, Password, PasswordSources};
use std::path::Path;
use std::sync::Arc;

/// The database that every server has.
pub(crate) const DATABASE: &str = "postgres";

/// What logging in takes, read once.
pub(crate) struct Logins {
    /// Whom to log in as where the target names no user.
    user: Option<String>,
    is_simulated: bool,
    loopback_plaintext: bool,
    environment: Environment,
    passwords: PasswordSources,
    roots: Arc<[RootStore]>,
    dialer: Arc<dyn Dial>,
}

impl Logins {
    /// Reads what it takes to log in.
    pub(crate) fn new(
        ca_file: Option<&Path>,
        user: Option<String>,
        loopback_plaintext: bool,
        route: &RouteArgs,
    ) -> Result<Self, CliError> {
        // Ignore the error: a provider is already installed.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Ok(Self {
            user,
            is_simulated: false,
            loopback_plaintext,
            environment: libpq::environment(ca_file)?,
            passwords: libpq::passwords()?,
            roots: roots(ca_file)?.into(),
            dialer: route.dialer()?.unwrap_or_else(|| Arc::new(Network)),
        })
    }

    /// What logging in to simulated servers takes: nothing of this machine's.
    pub(crate) fn of_simulation(simulation: &Simulation, user: Option<String>) -> Result<Self, CliError> {
        // Ignore the error: a provider is already installed.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut roots = Vec::new();
        let dialer = simulated_listeners(Wire::new(simulation), &mut roots)?;
        Ok(Self {
            user,
            is_simulated: true,
            loopback_plaintext: false,
            environment: Environment::default(),
            passwords: PasswordSources::default(),
            roots: roots.into(),
            dialer,
        })
    }

    /// The same with the password of a variable of its own: that of a store is offered to no other server, and that of other
    /// servers not to a store.
    pub(crate) fn with_variable(mut self, password: Option<Password>) -> Self {
        self.passwords.variable = password;
        self
    }

    /// The logins for a target, one a host.
    pub(crate) fn of(&self, text: &str, database: &str) -> Result<Vec<Login>, CliError> {
        let named = ProbeTarget::parse_in(text, &self.environment).map_err(|error| {
            CliError::usage(error.to_string(), "such as db.example, or service=NAME of pg_service.conf")
        })?;
        named.targets.into_iter().map(|target| self.login(target, database)).collect()
    }

    fn login(&self, target: ProbeTarget, database: &str) -> Result<Login, CliError> {
        let system_user = || std::env::var("USER").ok().filter(|name| !name.is_empty());
        let user = target.user.clone().or_else(|| self.user.clone()).or_else(system_user);
        let user = user.ok_or_else(|| CliError::usage("no user to log in as", "give --user, or set PGUSER"))?;
        let database = target.database.clone().unwrap_or_else(|| database.to_owned());
        let password = self.passwords.find(target.service.as_deref(), &target.host, target.port, &database, &user);
        let roots = match target.root_certificate.as_deref() {
            None => Arc::clone(&self.roots),
            Some(SYSTEM) => {
                Arc::from([SystemRoots::read().store().map_err(|why| CliError::usage(why, "name a file"))?])
            }
            Some(path) => {
                let unusable = |why| CliError::usage(format!("sslrootcert: {why}"), "name a file of PEM certificates");
                Arc::from([roots_of_file(Path::new(path)).map_err(unusable)?])
            }
        };
        Ok(Login {
            target,
            user,
            database,
            password,
            roots,
            plaintext_on_loopback: self.loopback_plaintext,
            dialer: Arc::clone(&self.dialer),
        })
    }

    /// The login for a server in Azure: with `PGPASSWORD`, or with a token of the signed-in identity.
    pub(crate) async fn of_server(&self, tenant: &Tenant, host: Option<&str>) -> Result<Login, String> {
        let host = host.ok_or("Azure reports no host name")?;
        let of_environment = || std::env::var("PGUSER").ok().filter(|_| !self.is_simulated);
        let user = self.user.clone().or_else(of_environment);
        let user = user.unwrap_or_else(|| tenant.principal.name.clone());
        let target = ProbeTarget { user: Some(user), ..ProbeTarget::new(host, hostssl_probe::target::DEFAULT_PORT) };
        let mut login = self.login(target, DATABASE).map_err(|error| error.parts().0)?;
        if login.password.is_none() {
            let token = tenant.arm.database_token().await.map_err(|error| error.to_string())?;
            login.password = Some(Password::new(token.secret()));
        }
        // An address of Azure is never this machine.
        login.plaintext_on_loopback = false;
        Ok(login)
    }
}
