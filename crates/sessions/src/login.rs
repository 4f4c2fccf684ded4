//! One login: connects, begins TLS, checks the certificate, and only then says who it is.

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hostssl_census::OWN_APPLICATION;
use hostssl_probe::certificate::RootStore;
use hostssl_probe::dial::{Dial, Stream};
use hostssl_probe::target::{ProbeTarget, SslNegotiation};
use hostssl_untrusted::one_line;
use tokio::time::timeout;
use tokio_postgres::config::{SslMode, SslNegotiation as Negotiation};
use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage, SimpleQueryRow};

use crate::passwords::Password;
use crate::tls::VerifiedTls;

/// Time for a login.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(15);
/// Time for an answer: longer than the server gives a statement.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

/// Whom to log in as, where, and whom to trust.
#[derive(Clone, Debug)]
pub struct Login {
    /// The server or pooler.
    pub target: ProbeTarget,
    /// The user.
    pub user: String,
    /// The database; `pgbouncer` for the console of a PgBouncer.
    pub database: String,
    /// The password, if one was found.
    pub password: Option<Password>,
    /// The roots to trust.
    pub roots: Arc<[RootStore]>,
    /// Whether a loopback address may be logged in to without TLS if its server has none that can be trusted. Behind a
    /// tunnel it is another machine, which is why it must be stated.
    pub plaintext_on_loopback: bool,
    /// How the host is found and reached.
    pub dialer: Arc<dyn Dial>,
}

/// Why nothing was read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LoginError {
    /// No connection.
    #[error("{target} cannot be reached: {detail}")]
    Unreachable {
        /// Host and port.
        target: String,
        /// What the system said.
        detail: String,
    },
    /// The server does not offer TLS.
    #[error("{target} does not offer TLS, and a password is not sent in plaintext")]
    NoTls {
        /// Host and port.
        target: String,
    },
    /// The certificate is not to be trusted.
    #[error("{target}: {reason}; the password was not sent")]
    Certificate {
        /// Host and port.
        target: String,
        /// Why, as libpq's `verify-full` has it.
        reason: String,
    },
    /// The server wants a password, and none was found.
    #[error(
        "{target} requires a password for user {user}, but none was found in PGPASSWORD, PGPASSFILE or the service file"
    )]
    NoPassword {
        /// Host and port.
        target: String,
        /// The user.
        user: String,
    },
    /// The server refused, or the connection broke.
    #[error("{target}: {detail}")]
    Refused {
        /// Host and port.
        target: String,
        /// The SQLSTATE, if the server gave one.
        code: Option<String>,
        /// What it said.
        detail: String,
    },
    /// No answer in time.
    #[error("{target} gave no answer in {seconds} seconds")]
    Timeout {
        /// Host and port.
        target: String,
        /// The time.
        seconds: u64,
    },
}

impl LoginError {
    /// Whether it does not pass by itself: a certificate, a password, a right that is missing.
    #[must_use]
    pub fn is_lasting(&self) -> bool {
        match self {
            Self::NoTls { .. } | Self::Certificate { .. } | Self::NoPassword { .. } => true,
            // Class 28 is a refused login, 3D000 no such database, 42501 a right that is missing, and 08P01 what
            // PgBouncer answers to both.
            Self::Refused { code: Some(code), .. } => {
                code.starts_with("28") || matches!(code.as_str(), "3D000" | "42501" | "08P01")
            }
            Self::Refused { code: None, .. } | Self::Unreachable { .. } | Self::Timeout { .. } => false,
        }
    }
}

impl Login {
    /// How the target is shown.
    #[must_use]
    pub fn name(&self) -> String {
        self.target.display()
    }

    /// Logs in.
    ///
    /// # Errors
    ///
    /// [`LoginError`]: no password was sent to a server whose certificate is not to be trusted.
    pub async fn connect(&self) -> Result<LoggedIn, LoginError> {
        let target = self.name();
        match timeout(LOGIN_TIMEOUT, self.connect_at_last()).await {
            Ok(connected) => connected,
            Err(_) => Err(LoginError::Timeout { target, seconds: LOGIN_TIMEOUT.as_secs() }),
        }
    }

    async fn connect_at_last(&self) -> Result<LoggedIn, LoginError> {
        let (stream, address) = self.dial().await?;
        let encrypted = self.over_tls(stream).await;
        let has_no_tls = matches!(encrypted, Err(LoginError::NoTls { .. } | LoginError::Certificate { .. }));
        if has_no_tls && self.plaintext_on_loopback && address.ip().to_canonical().is_loopback() {
            let (stream, _) = self.dial().await?;
            return self.in_plaintext(stream).await;
        }
        encrypted
    }

    fn config(&self) -> Config {
        let mut config = Config::new();
        config.user(&self.user).dbname(&self.database).application_name(OWN_APPLICATION);
        if let Some(password) = &self.password {
            config.password(password.reveal());
        }
        config
    }

    async fn in_plaintext(&self, stream: Stream) -> Result<LoggedIn, LoginError> {
        let mut config = self.config();
        config.ssl_mode(SslMode::Disable);
        let connected = config.connect_raw(stream, NoTls).await;
        let (client, connection) = connected.map_err(|error| self.explain(&error, None))?;
        Ok(LoggedIn::run(self.name(), client, connection))
    }

    async fn over_tls(&self, stream: Stream) -> Result<LoggedIn, LoginError> {
        let mut config = self.config();
        let direct = self.target.negotiation == SslNegotiation::Direct;
        config.ssl_mode(SslMode::Require);
        config.ssl_negotiation(if direct { Negotiation::Direct } else { Negotiation::Postgres });
        let ProbeTarget { host, named, revocation_lists, .. } = &self.target;
        let (tls, refusal) = VerifiedTls::new(host, *named, self.roots.clone(), *revocation_lists, direct)
            .map_err(|reason| LoginError::Certificate { target: self.name(), reason })?;
        let connected = config.connect_raw(stream, tls).await;
        let (client, connection) = connected.map_err(|error| self.explain(&error, refusal.reason()))?;
        Ok(LoggedIn::run(self.name(), client, connection))
    }

    /// Opens a connection to the first address that takes one.
    async fn dial(&self) -> Result<(Stream, SocketAddr), LoginError> {
        let unreachable = |detail: String| LoginError::Unreachable { target: self.name(), detail: one_line(&detail) };
        let ProbeTarget { host, port, address, .. } = &self.target;
        let (host, port) = self.dialer.instead_of(host, *port).unwrap_or_else(|| (host.clone(), *port));
        let addresses = match address {
            Some(address) => vec![SocketAddr::new(*address, port)],
            None if self.dialer.resolves_at_far_end() => vec![SocketAddr::from(([0, 0, 0, 0], port))],
            None => self.dialer.resolve(&host, port).await.map_err(|error| unreachable(error.to_string()))?,
        };
        let mut detail = "the name has no address".to_owned();
        for address in addresses {
            match self.dialer.connect(&host, address).await {
                Ok(stream) => return Ok((stream, address)),
                Err(error) => detail = error.to_string(),
            }
        }
        Err(unreachable(detail))
    }

    fn explain(&self, error: &tokio_postgres::Error, certificate: Option<&str>) -> LoginError {
        let target = self.name();
        if let Some(reason) = certificate {
            return LoginError::Certificate { target, reason: one_line(reason) };
        }
        if let Some(said) = error.as_db_error() {
            let detail = one_line(&format!("{}: {}", said.severity(), said.message()));
            return LoginError::Refused { target, code: Some(said.code().code().to_owned()), detail };
        }
        let causes: Vec<String> = std::iter::successors(Some(error as &dyn Error), |error| (*error).source())
            .map(ToString::to_string)
            .collect();
        let detail = one_line(causes.last().map(String::as_str).unwrap_or_default());
        // The library has no kinds of errors to match, only words.
        if detail.contains("does not support TLS") {
            LoginError::NoTls { target }
        } else if detail.contains("password missing") {
            LoginError::NoPassword { target, user: one_line(&self.user) }
        } else {
            LoginError::Refused { target, code: None, detail }
        }
    }
}

/// A session of our own. It ends with its value.
pub struct LoggedIn {
    target: String,
    client: Client,
    driver: tokio::task::JoinHandle<()>,
}

impl Drop for LoggedIn {
    fn drop(&mut self) {
        // What is left is to say good-bye; a server that does not listen is not waited for.
        if self.client.is_closed() {
            self.driver.abort();
        }
    }
}

impl LoggedIn {
    fn run<S, T>(target: String, client: Client, connection: tokio_postgres::Connection<S, T>) -> Self
    where
        tokio_postgres::Connection<S, T>: Future<Output = Result<(), tokio_postgres::Error>> + Send + 'static,
    {
        // Its error is that of the query which waits for it.
        let driver = tokio::spawn(async move {
            let _ = connection.await;
        });
        Self { target, client, driver }
    }

    /// What sends statements. Its answers are awaited by the caller for as long as he likes.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Sends statements, and returns the rows of all of them, those of each statement together.
    pub(crate) async fn rows(&self, sql: &str) -> Result<Vec<Vec<SimpleQueryRow>>, LoginError> {
        let answer = timeout(ANSWER_TIMEOUT, self.client.simple_query(sql)).await;
        let answer = answer
            .map_err(|_| LoginError::Timeout { target: self.target.clone(), seconds: ANSWER_TIMEOUT.as_secs() })?;
        let messages = answer.map_err(|error| {
            let code = error.code().map(|code| code.code().to_owned());
            let detail = match error.as_db_error() {
                Some(said) => format!("{}: {}", said.severity(), said.message()),
                None if error.is_closed() => "the server closed the connection".to_owned(),
                None => error.source().map_or_else(|| error.to_string(), ToString::to_string),
            };
            LoginError::Refused { target: self.target.clone(), code, detail: one_line(&detail) }
        })?;
        let mut statements = vec![Vec::new()];
        for message in messages {
            match message {
                SimpleQueryMessage::Row(row) => {
                    if let Some(rows) = statements.last_mut() {
                        rows.push(row);
                    }
                }
                SimpleQueryMessage::CommandComplete(_) => statements.push(Vec::new()),
                _ => {}
            }
        }
        statements.pop();
        Ok(statements)
    }

    /// An answer that is none of those that are known.
    pub(crate) fn unexpected(&self, what: &str) -> LoginError {
        LoginError::Refused { target: self.target.clone(), code: None, detail: format!("unexpected answer: {what}") }
    }
}
