//! What to probe, in the usual forms of naming a PostgreSQL server.
//!
//! A password in any of them is dropped while parsing: no type of this crate can hold one, and no error repeats the
//! text it came from. What looks like a password where a name belongs is refused, because names are sent in plaintext.

mod ado;
mod connection_parameters;
mod environment;
mod forms;
mod keyword;
mod keywords;
mod service;
mod uri;

pub use environment::{Environment, EnvironmentError};
pub use service::ServiceFile;

use std::net::{IpAddr, Ipv6Addr};

use crate::srv::is_service;

/// The port of PostgreSQL.
pub const DEFAULT_PORT: u16 = 5432;

/// The most hosts in one connection string.
const MAX_HOSTS: usize = 64;

/// How the client asks for TLS (libpq's `sslnegotiation`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SslNegotiation {
    /// By an `SSLRequest`.
    #[default]
    Postgres,
    /// By a TLS ClientHello as the first bytes (PostgreSQL 17 and later).
    Direct,
}

/// One host and port to probe, with what the connection string said about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeTarget {
    /// The host as named: a host name or an address. The certificate is judged against it.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The address to connect to in place of looking the host up (libpq's `hostaddr`).
    pub address: Option<IpAddr>,
    /// Whether there is a host to check the certificate against. With `hostaddr` alone there is none, and libpq's
    /// `verify-full` refuses to begin.
    pub named: bool,
    /// The user of the connection string, to be probed in the first place.
    pub user: Option<String>,
    /// The database of the connection string.
    pub database: Option<String>,
    /// Databases that are known to be there, to be probed beside it.
    pub databases: Vec<String>,
    /// The file of trusted roots (libpq's `sslrootcert`), for the caller to read; `system` means the system's.
    pub root_certificate: Option<String>,
    /// Whether libpq would check revocation lists (`sslcrl`, `sslcrldir`, `~/.postgresql/root.crl`), which this program
    /// does not.
    pub revocation_lists: bool,
    /// How to ask for TLS.
    pub negotiation: SslNegotiation,
    /// The service that was named, for looking up a password.
    pub service: Option<String>,
}

/// What a text names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The hosts to probe.
    pub targets: Vec<ProbeTarget>,
    /// How many Unix-domain sockets stand beside them. They have no TLS to probe.
    pub sockets: usize,
    /// Whether a URL names another host before its path than in its query. libpq connects to that of the query; other clients
    /// may not.
    pub is_host_of_query: bool,
}

/// Why a text names nothing to probe. Always the fault of who wrote it. The text itself is not repeated, because it may
/// hold a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TargetError {
    /// Nothing is there.
    #[error("the target is empty")]
    Empty,
    /// A socket in the file system, where TLS does not exist.
    #[error("a Unix-domain socket has no TLS to probe; name a host")]
    UnixSocket,
    /// No host in a connection string; libpq would take the local socket.
    #[error("the connection string names no host")]
    NoHost,
    /// The port is not a number from 1 to 65535.
    #[error("the port is not a number from 1 to 65535")]
    Port,
    /// A port behind a comma, as SQL Server writes it. Here a comma separates hosts, and a stranger would be probed.
    #[error(
        "a number stands behind a comma, where only SQL Server takes it for a port; write Server=HOST;Port=PORT, host=HOST \
         port=PORT or HOST:PORT"
    )]
    PortBehindComma,
    /// `hostaddr` is not an address.
    #[error("hostaddr is not an IP address")]
    HostAddress,
    /// The host holds characters that no host name has.
    #[error("the host name contains a character that is not allowed, or is too long")]
    HostName,
    /// The host holds a colon: a port or a secret behind a name.
    #[error("the host has a colon in it and is no IPv6 address; write host=HOST port=PORT")]
    ColonInHost,
    /// The lists of hosts, ports and addresses have different lengths.
    #[error("{0} does not have as many entries as the hosts")]
    ListLength(&'static str),
    /// Too many hosts in one connection string.
    #[error("more than 64 hosts in one connection string")]
    TooManyHosts,
    /// The connection string is malformed.
    #[error("the connection string is malformed: {0}")]
    Syntax(&'static str),
    /// A name holds what no name has: most likely a password that is not where it belongs.
    #[error("{field} {fault}")]
    Secret {
        /// Which name, such as `the user name`.
        field: &'static str,
        /// What is wrong with it, and what to do.
        fault: &'static str,
    },
    /// A keyword that libpq does not have, most likely a mistyped one.
    #[error("unknown libpq keyword{}", .0.map_or_else(
        || "; leave out what only another client knows".to_owned(),
        |near| format!(": did you mean {near}?"),
    ))]
    Keyword(
        /// The keyword that was probably meant.
        Option<&'static str>,
    ),
    /// A keyword that no client which takes this form has.
    #[error(
        "unknown keyword, which neither Npgsql nor psqlODBC has{}",
        .0.map(|near| format!(": did you mean {near}?")).unwrap_or_default()
    )]
    AdoKeyword(
        /// The keyword that was probably meant.
        Option<&'static str>,
    ),
    /// A keyword that decides what is probed, with two values.
    #[error(
        "the connection string has more than one {0}, and clients differ in which they take; write one, or several hosts \
         in one list: A:1,B:2 in a URL, otherwise host=A,B port=1,2"
    )]
    Repeated(
        /// The keyword of libpq.
        &'static str,
    ),
    /// A service that no service file has.
    #[error("no service file defines the named service; see PGSERVICEFILE and ~/.pg_service.conf")]
    NoService,
    /// The service file is malformed.
    #[error("the service file is malformed at line {0}")]
    ServiceFile(usize),
    /// `sslnegotiation` has another value than `postgres` or `direct`.
    #[error("sslnegotiation is neither postgres nor direct")]
    Negotiation,
}

impl ProbeTarget {
    /// A target that is just a host and a port.
    #[must_use]
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self {
            host: host.into(),
            port,
            address: None,
            named: true,
            user: None,
            database: None,
            databases: Vec::new(),
            root_certificate: None,
            revocation_lists: false,
            negotiation: SslNegotiation::Postgres,
            service: None,
        }
    }

    /// Reads a text in any of the usual forms of naming a server:
    ///
    /// - `host`, `host:port`, `192.0.2.1:5432`, `2001:db8::1`, `[2001:db8::1]:5432`, `host:port/database`;
    /// - a URL, `postgresql://..` or `postgres://..`, also as JDBC (`jdbc:postgresql://..`) and SQLAlchemy
    ///   (`postgresql+psycopg2://..`) write it;
    /// - keywords and values, `host=a port=5432` (libpq, section "Connection Strings");
    /// - the same as ADO.NET writes it, `Server=a;Port=5432;User Id=u`;
    /// - any of them as the value of a variable, `DATABASE_URL=postgresql://..`.
    ///
    /// A connection string with several hosts yields several targets; Unix-domain sockets among them are left out.
    ///
    /// # Errors
    ///
    /// [`TargetError`], which never holds a part of the text.
    pub fn parse(text: &str) -> Result<Vec<Self>, TargetError> {
        Self::parse_in(text, &Environment::default()).map(|named| named.targets)
    }

    /// The same, with what libpq takes from the environment where the text is silent. An empty text is the host of the
    /// environment.
    ///
    /// # Errors
    ///
    /// [`TargetError`], which never holds a part of the text.
    pub fn parse_in(text: &str, environment: &Environment) -> Result<Named, TargetError> {
        let text = text.trim();
        if text.is_empty() && !environment.names_host() {
            return Err(TargetError::Empty);
        }
        environment.complete(forms::parse(text)?)?.into_targets()
    }

    /// The target in one form for all: `host:port`, with brackets around an IPv6 address; a service by its name alone,
    /// since its records have the ports.
    #[must_use]
    pub fn display(&self) -> String {
        if self.address.is_none() && is_service(&self.host) {
            self.host.clone()
        } else if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// The host as an address, if it is one. Only the usual forms: what libpq takes beyond them is for the judgement of
    /// certificates ([`crate::certificate`]).
    #[must_use]
    pub fn host_ip(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }
}

fn parse_port(text: &str) -> Result<u16, TargetError> {
    // A sign, which parse() would take, is not part of a port.
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(TargetError::Port);
    }
    text.parse().ok().filter(|&port| port != 0).ok_or(TargetError::Port)
}

/// A host name or address that may be looked up and printed.
fn checked_host(host: &str) -> Result<&str, TargetError> {
    // libpq: a slash, or an @ for the abstract namespace, begins a socket.
    if host.starts_with(['/', '@']) {
        return Err(TargetError::UnixSocket);
    }
    if host.is_empty() {
        return Err(TargetError::NoHost);
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '%') || !c.is_ascii();
    if host.len() > 255 || !host.chars().all(|c| plain(c) && !c.is_control() && !c.is_whitespace()) {
        return Err(TargetError::HostName);
    }
    let (address, _zone) = host.split_once('%').unwrap_or((host, ""));
    if address.contains(':') && address.parse::<Ipv6Addr>().is_err() {
        return Err(TargetError::ColonInHost);
    }
    Ok(host)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn one(text: &str) -> ProbeTarget {
        let mut targets = ProbeTarget::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(targets.len(), 1, "{text}");
        targets.remove(0)
    }

    #[test]
    fn plain_forms() {
        for (text, host, port) in [
            ("db.example", "db.example", 5432),
            (" db.example:6432 ", "db.example", 6432),
            ("192.0.2.7", "192.0.2.7", 5432),
            ("192.0.2.7:1", "192.0.2.7", 1),
            ("2001:db8::1", "2001:db8::1", 5432),
            ("[2001:db8::1]", "2001:db8::1", 5432),
            ("[2001:db8::1]:65535", "2001:db8::1", 65535),
            ("[fe80::1%eth0]:5432", "fe80::1%eth0", 5432),
        ] {
            assert_eq!(one(text), ProbeTarget::new(host, port), "{text}");
        }
        assert_eq!(one("::1").display(), "[::1]:5432");
        assert_eq!(one("db").display(), "db:5432");
    }

    /// A password with an ampersand that is not escaped ends in what looks like a keyword.
    #[test]
    fn an_unknown_keyword_of_a_url_is_not_named() {
        assert_eq!(one("postgresql://app@db/shop?serverVersion=16&charset=utf8").database.as_deref(), Some("shop"));
        for text in ["postgresql://app@db/shop?password=abc&Defgh=1", "host=db serverVersion=16"] {
            let said = ProbeTarget::parse(text).unwrap_err().to_string();
            assert_eq!(said, "unknown libpq keyword; leave out what only another client knows", "{text}");
        }
    }

    #[test]
    fn a_command_of_psql_is_no_connection_string() {
        for text in [
            "psql \"host=db.example port=5432 dbname=shop user=app sslmode=require\"",
            "psql 'postgresql://app@db.example/shop'",
            "psql postgresql://app@db.example/shop",
            "psql host=db.example",
        ] {
            let said = ProbeTarget::parse(text).unwrap_err().to_string();
            assert!(said.contains("leave out psql"), "{text}: {said}");
        }
        assert_eq!(one("psql").host, "psql", "a host may have this name");
    }

    #[test]
    fn urls() {
        let target = one("postgresql://alice:s3cret@db.example:6432/shop?sslmode=verify-full&sslrootcert=%2Fca.pem");
        assert_eq!((target.host.as_str(), target.port), ("db.example", 6432));
        assert_eq!(target.user.as_deref(), Some("alice"));
        assert_eq!(target.database.as_deref(), Some("shop"));
        assert_eq!(target.root_certificate.as_deref(), Some("/ca.pem"));
        assert_eq!(one("postgres://db").port, 5432);
        assert_eq!(one("postgres://[::1]:7/").display(), "[::1]:7");
        assert_eq!(one("postgres:///x?host=db&port=9").display(), "db:9");
        assert_eq!(one("postgres://db?hostaddr=192.0.2.1").address, "192.0.2.1".parse().ok());
        assert_eq!(one("postgres://db?sslnegotiation=direct").negotiation, SslNegotiation::Direct);
        let both = ProbeTarget::parse("postgres://a:1,b/db").unwrap();
        assert_eq!(both.iter().map(ProbeTarget::display).collect::<Vec<_>>(), ["a:1", "b:5432"]);
    }

    /// As psql 15 does.
    #[test]
    fn the_query_of_a_url_overrides_its_authority() {
        for (text, expected, is_host_of_query) in [
            ("postgresql://a:1/d?host=b", &["b:1"][..], true),
            ("postgresql://a:1/d?port=2", &["a:2"], false),
            ("postgresql://a:1/d?host=b&port=2", &["b:2"], true),
            ("postgresql://a/d?host=b,c", &["b:5432", "c:5432"], true),
            ("postgresql://a:1,b:2/d?port=3", &["a:3", "b:3"], false),
            ("postgresql://a/d?host=a", &["a:5432"], false),
            ("postgresql:///d?host=a", &["a:5432"], false),
        ] {
            let named =
                ProbeTarget::parse_in(text, &Environment::default()).unwrap_or_else(|why| panic!("{text}: {why}"));
            assert_eq!(named.targets.iter().map(ProbeTarget::display).collect::<Vec<_>>(), expected, "{text}");
            assert_eq!(named.is_host_of_query, is_host_of_query, "{text}");
        }
    }

    #[test]
    fn keywords_and_values() {
        let target = one(r"host = db.example port=6432 user='al \'ice' dbname=shop password='a b' hostaddr=192.0.2.1");
        assert_eq!(target.display(), "db.example:6432");
        assert_eq!(target.user.as_deref(), Some("al 'ice"));
        assert_eq!(target.address, "192.0.2.1".parse().ok());
        let unnamed = one("hostaddr=192.0.2.1");
        assert_eq!((unnamed.host.as_str(), unnamed.named), ("192.0.2.1", false));
        let both = ProbeTarget::parse("host=a,b port=1,2").unwrap();
        assert_eq!(both.iter().map(ProbeTarget::display).collect::<Vec<_>>(), ["a:1", "b:2"]);
    }

    const PROTOCOL: TargetError =
        TargetError::Syntax("a protocol stands before the host, as SQL Server has it; write Server=HOST;Port=PORT");

    #[test]
    fn several_hosts_of_npgsql() {
        for text in [
            "Host=a:5432,b:5433;Database=shop",
            "Host=a,b:5433;Database=shop;Username=app",
            "Server=a,b:5433;Database=shop",
            "Host=a:5432,b;Port=5433;Database=shop",
        ] {
            let targets = ProbeTarget::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            let shown: Vec<_> = targets.iter().map(ProbeTarget::display).collect();
            assert_eq!(shown, ["a:5432", "b:5433"], "{text}");
        }
        // Names and addresses that begin with digits are hosts.
        assert_eq!(ProbeTarget::parse("Host=a,192.0.2.1,3com.example;Database=shop").unwrap().len(), 3);
        assert_eq!(one("Server=db.example").display(), "db.example:5432");
    }

    #[test]
    fn what_names_nothing() {
        for (text, error) in [
            ("", TargetError::Empty),
            ("db:0", TargetError::Port),
            ("db:+5", TargetError::Port),
            ("db:70000", TargetError::Port),
            ("db:", TargetError::Port),
            ("/var/run/postgresql", TargetError::UnixSocket),
            ("host=/tmp", TargetError::UnixSocket),
            ("host=@abstract", TargetError::UnixSocket),
            ("postgres://%2Ftmp/db", TargetError::UnixSocket),
            ("postgres:///db", TargetError::NoHost),
            ("dbname=x", TargetError::NoHost),
            ("host=a,b hostaddr=192.0.2.1", TargetError::ListLength("hostaddr")),
            ("host=a,b,c port=1,2", TargetError::ListLength("port")),
            ("host=a hostaddr=b", TargetError::HostAddress),
            ("host=a sslnegotiation=maybe", TargetError::Negotiation),
            ("host=a sslmoed=require", TargetError::Keyword(Some("sslmode"))),
            ("host=a hotsaddr=192.0.2.1", TargetError::Keyword(Some("hostaddr"))),
            ("host=a nonsense=x", TargetError::Keyword(None)),
            ("postgres://a/b?sslrootcrt=/ca.pem", TargetError::Keyword(Some("sslrootcert"))),
            ("postgres://a/b?prot=1", TargetError::Keyword(Some("port"))),
            ("postgres://a/b?hots=c", TargetError::Keyword(Some("host"))),
            ("postgres://a/b?prepareThreshold=0", TargetError::Keyword(None)),
            ("jdbc:postgresql://a/b?prot=1", TargetError::Keyword(Some("port"))),
            ("jdbc:postgresql://a/b?portNumber=1", TargetError::Keyword(Some("port"))),
            ("postgresql+asyncpg://a/b?ports=1", TargetError::Keyword(Some("port"))),
            ("Host=a;Prot=1;Database=b", TargetError::AdoKeyword(Some("port"))),
            ("Prot=1;Host=a;Database=b", TargetError::Keyword(Some("port"))),
            ("Server=a;Database=b;Ports=1", TargetError::AdoKeyword(Some("port"))),
            ("Server=a;Port Number=1;Database=b", TargetError::AdoKeyword(Some("port"))),
            ("Server=a;Encrypt=true;Database=b", TargetError::AdoKeyword(None)),
            ("postgresql:///d?host=a&host=b", TargetError::Repeated("host")),
            ("postgresql://a/d?host=b&host=c", TargetError::Repeated("host")),
            ("postgresql://a:1/d?port=2&port=3", TargetError::Repeated("port")),
            ("postgresql://a,b/d?host=c", TargetError::ListLength("port")),
            ("postgresql://a:1,b:2/d?host=c", TargetError::ListLength("port")),
            ("jdbc:postgresql://a/d?host=b", TargetError::Repeated("host")),
            ("postgresql:///d?hostaddr=192.0.2.1&hostaddr=192.0.2.2", TargetError::Repeated("hostaddr")),
            ("host=a port=1 port=2", TargetError::Repeated("port")),
            ("host=a host=b", TargetError::Repeated("host")),
            ("Host=a;Server=b;Database=d", TargetError::Repeated("host")),
            ("Host=a;Port=1;Database=d;Port=2", TargetError::Repeated("port")),
            ("jdbc:postgresql://a/d?PGHOST=b", TargetError::Repeated("host")),
            ("postgresql+psycopg2://u@a/d?host=b&host=c", TargetError::Repeated("host")),
            ("postgresql+psycopg2://u@:1/d?host=b&host=c", TargetError::Repeated("port")),
            ("postgresql+psycopg2://u@/d?host=a&host=b&port=1&port=2&port=3", TargetError::ListLength("port")),
            (
                "jdbc:postgresql:a/d",
                TargetError::Syntax("JDBC has // before a host: jdbc:postgresql://HOST:PORT/DATABASE"),
            ),
            ("a b", TargetError::HostName),
            ("host=db.example:6432", TargetError::ColonInHost),
            ("host=app:s3cret", TargetError::ColonInHost),
            ("host=app:s3cret%lo", TargetError::ColonInHost),
            ("a\u{7}b", TargetError::HostName),
            ("Server=db.example,1433;Database=shop", TargetError::PortBehindComma),
            ("Server=db.example, 1433;Database=shop", TargetError::PortBehindComma),
            ("server = 'db.example,1433' ;Database=shop", TargetError::PortBehindComma),
            ("Driver={PostgreSQL Unicode};Server={db.example,1433};Uid=app", TargetError::PortBehindComma),
            ("Data Source=192.0.2.1,1433;Initial Catalog=shop;User Id=app;Password=x", TargetError::PortBehindComma),
            ("Server=tcp:db.example,1433;Database=shop", TargetError::PortBehindComma),
            ("Addr=db.example,5432;Port=5432", TargetError::PortBehindComma),
            ("Host=a,5432,b,5433;Database=shop", TargetError::PortBehindComma),
            ("Host=a:5432,5433;Database=shop", TargetError::PortBehindComma),
            ("Server=db.example,1433", TargetError::PortBehindComma),
            ("Server=\"db.example,1433\"", TargetError::PortBehindComma),
            ("AZURE_POSTGRESQL_CONNECTIONSTRING=Server=db.example,1433;Database=shop", TargetError::PortBehindComma),
            ("host=db.example,1433 dbname=shop", TargetError::PortBehindComma),
            ("postgres://db.example,1433/shop", TargetError::PortBehindComma),
            ("postgres:///shop?host=db.example,1433", TargetError::PortBehindComma),
            ("db.example,1433", TargetError::PortBehindComma),
            ("Server=tcp:db.example;Database=shop", PROTOCOL),
            ("Server=np:db.example;Database=shop", PROTOCOL),
            ("[::1", TargetError::Syntax("a bracket is not closed")),
            ("[db]:1", TargetError::Syntax("no IPv6 address in the brackets")),
        ] {
            assert_eq!(ProbeTarget::parse(text), Err(error), "{text:?}");
        }
    }

    #[test]
    fn forms_of_others() {
        for text in [
            "jdbc:postgresql://db.example:6432/shop?user=app&password=hunter2&sslmode=require",
            "jdbc:postgresql://db.example:6432/shop?user=app",
            "postgresql+psycopg2://app:hunter2@db.example:6432/shop",
            "postgresql+asyncpg://app@db.example:6432/shop?ssl=require",
            "POSTGRESQL://app:hunter2@db.example:6432/shop",
            "DATABASE_URL=postgres://app:hunter2@db.example:6432/shop?sslmode=require",
            "export DATABASE_URL=\"postgres://app:hunter2@db.example:6432/shop\"",
            "DATABASE_URL: 'postgresql://app:hunter2@db.example:6432/shop'",
            "$env:PGURL = 'postgresql://app:hunter2@db.example:6432/shop'",
            "AZURE_POSTGRESQL_CONNECTIONSTRING=Server=db.example;Database=shop;Port=6432;User Id=app;Password=hunter2;Ssl Mode=Require;",
            "AZURE_POSTGRESQL_CONNECTIONSTRING=\"host=db.example port=6432 dbname=shop user=app password=hunter2\"",
            "ConnectionStrings__Default=\"Host=db.example:6432;Username=app;Database=shop;Password='hun;ter2'\"",
            "Server=db.example;Database=shop;Port=6432;User Id=app;Password=hunter2;Ssl Mode=Require;",
            "Host=db.example;Port=6432;Username=app;Password=\"hunter2;x=y\";Database=shop",
            "password=hunter2;server=db.example;port=6432;user=app;db=shop",
            "Driver={PostgreSQL Unicode};Server=db.example;Port=6432;Database=shop;Uid=app;Pwd={hunt}};er2}",
            "host=db.example port=6432 user=app dbname=shop password=hunt;er2",
            "password=a;hunter2 host=db.example port=6432 user=app dbname=shop",
            "HOST=db.example PORT=6432 USER=app DBNAME=shop",
            "connect_timeout=10 application_name=x host=db.example port=6432 user=app dbname=shop",
            "app:hunter2@db.example:6432/shop",
        ] {
            let target = one(text);
            assert_eq!(target.display(), "db.example:6432", "{text}");
            assert_eq!(target.user.as_deref(), Some("app"), "{text}");
            assert_eq!(target.database.as_deref(), Some("shop"), "{text}");
            assert!(!format!("{target:?}").contains("hunter2"));
        }
        assert_eq!(one("db.example:6432/shop").database.as_deref(), Some("shop"));
        assert_eq!(one("db.example/shop?sslrootcert=/ca.pem").root_certificate.as_deref(), Some("/ca.pem"));
        assert_eq!(one("[2001:db8::1]:6432/shop").display(), "[2001:db8::1]:6432");
        let both = ProbeTarget::parse("Host=a:1,b;Port=2").unwrap();
        assert_eq!(both.iter().map(ProbeTarget::display).collect::<Vec<_>>(), ["a:1", "b:2"]);
        for text in ["mysql://db/shop", "https://db.example/", "DATABASE_URL=mysql://u:p@db/x"] {
            assert!(ProbeTarget::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn several_hosts_of_sqlalchemy() {
        for text in [
            "postgresql+psycopg2://u@/d?host=a:1&host=b",
            "postgresql+psycopg2://u@/d?host=a&host=b&port=1&port=5432",
            "postgresql+asyncpg://u@/d?host=a,b&port=1,5432",
            "postgresql+psycopg://u:p@/d?sslmode=require&host=a:1&connect_timeout=3&host=b:5432",
        ] {
            let targets = ProbeTarget::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            let shown: Vec<_> = targets.iter().map(ProbeTarget::display).collect();
            assert_eq!(shown, ["a:1", "b:5432"], "{text}");
        }
        assert_eq!(one("postgresql+psycopg2://u@/d?host=a:6432").display(), "a:6432");
        assert_eq!(one("postgresql+psycopg2://u@/d?host=[::1]:6432").display(), "[::1]:6432");
        assert_eq!(one("postgresql+psycopg2://u@/d?host=::1").display(), "[::1]:5432");
        assert_eq!(one("host=a port=1 port=1 host=a").display(), "a:1");
    }

    #[test]
    fn a_url_of_jdbc_without_a_host_means_this_machine() {
        for text in [
            "jdbc:postgresql:shop?user=app&password=hunter2",
            "JDBC:postgresql:shop?user=app",
            "jdbc:postgresql:///shop?user=app",
            "spring.datasource.url=jdbc:postgresql:shop?user=app",
        ] {
            let target = one(text);
            assert_eq!(target.display(), "localhost:5432", "{text}");
            assert_eq!((target.user.as_deref(), target.database.as_deref()), (Some("app"), Some("shop")), "{text}");
        }
        assert_eq!(one("jdbc:postgresql:/").display(), "localhost:5432");
        assert_eq!(one("jdbc:postgresql://:6432/").display(), "localhost:6432");
    }

    #[test]
    fn sockets_beside_hosts_are_left_out() {
        for text in ["host=/tmp,db,@x port=1,2,3", "postgres://%2Ftmp:1,db:2/x"] {
            let named = ProbeTarget::parse_in(text, &Environment::default()).unwrap();
            assert_eq!(named.targets.iter().map(ProbeTarget::display).collect::<Vec<_>>(), ["db:2"], "{text}");
            assert!(named.sockets > 0);
        }
    }

    #[test]
    fn revocation_lists() {
        for (text, given) in [
            ("host=db sslcrl=/x.crl", true),
            ("postgres://db?sslcrldir=/x", true),
            ("host=db sslcrl=''", false),
            ("host=db", false),
        ] {
            assert_eq!(one(text).revocation_lists, given, "{text}");
        }
    }

    /// An environment of these variables, and a service file.
    fn environment(variables: &[(&str, &str)]) -> Environment {
        let services = ServiceFile::parse(
            "# mine\n[prod]\nhost=prod.example\nport=6432\nuser=svc\npassword=hunter2\n\n[other]\ndbname=o\n",
        );
        let value =
            |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        Environment::new(value, services).unwrap()
    }

    #[test]
    fn the_environment_fills_what_is_left_open() {
        let named = |text: &str, environment: &Environment| {
            let target = ProbeTarget::parse_in(text, environment).unwrap().targets.remove(0);
            (target.display(), target.user, target.database)
        };
        let own = |text: &str| Some(text.to_owned());
        let mine =
            environment(&[("PGHOST", "env.example"), ("PGPORT", "7"), ("PGUSER", "e"), ("PGPASSWORD", "hunter2")]);
        assert_eq!(named("", &mine), ("env.example:7".into(), own("e"), None));
        assert_eq!(named("dbname=shop", &mine), ("env.example:7".into(), own("e"), own("shop")));
        assert_eq!(named("db:8", &mine), ("db:8".into(), own("e"), None));
        assert_eq!(named("postgres://u@db", &mine), ("db:7".into(), own("u"), None));
        assert!(!format!("{mine:?}").contains("hunter2"));
        // These clients read no PGHOST and no PGPORT, and a list of hosts has a list of ports.
        assert_eq!(named("jdbc:postgresql://db/d", &mine).0, "db:5432");
        assert_eq!(named("jdbc:postgresql:d", &mine).0, "localhost:5432");
        assert_eq!(named("Server=db;Database=d", &mine).0, "db:5432");
        assert_eq!(named("postgres://db,b/d", &mine).0, "db:5432");
        assert_eq!(named("postgresql+psycopg2:///d?host=db&host=b", &mine).0, "db:5432");
        // A service comes before the variables, and behind the connection string.
        assert_eq!(named("service=prod", &mine), ("prod.example:6432".into(), own("svc"), None));
        assert_eq!(named("service=prod port=1", &mine), ("prod.example:1".into(), own("svc"), None));
        let service = environment(&[("PGSERVICE", "prod"), ("PGDATABASE", "e")]);
        assert_eq!(named("", &service), ("prod.example:6432".into(), own("svc"), own("e")));
        assert_eq!(ProbeTarget::parse_in("service=none", &mine).err(), Some(TargetError::NoService));
        assert_eq!(ProbeTarget::parse("service=prod").err(), Some(TargetError::NoService));
        assert_eq!(ProbeTarget::parse("").err(), Some(TargetError::Empty));
    }

    #[test]
    fn default_files() {
        let mut mine = environment(&[]);
        mine.default_root_certificate = Some("/home/u/.postgresql/root.crt".to_owned());
        mine.default_revocation_list = true;
        let target = ProbeTarget::parse_in("db", &mine).unwrap().targets.remove(0);
        assert_eq!(target.root_certificate.as_deref(), Some("/home/u/.postgresql/root.crt"));
        assert!(target.revocation_lists);
        let target = ProbeTarget::parse_in("host=db sslrootcert=/mine", &mine).unwrap().targets.remove(0);
        assert_eq!(target.root_certificate.as_deref(), Some("/mine"));
    }

    #[test]
    fn a_variable_that_cannot_be_used_is_named_and_not_shown() {
        let value = |name: &str| (name == "PGUSER").then(|| "app:hunter2".to_owned());
        let error = Environment::new(value, Ok(ServiceFile::default())).unwrap_err();
        assert_eq!(error.variable, "PGUSER");
        assert!(!format!("{error} {error:?}").contains("hunter2"));
        let broken = Environment::new(|_| None, ServiceFile::parse("[a]\nhunter2")).unwrap();
        assert!(ProbeTarget::parse_in("db", &broken).is_ok());
        assert_eq!(ProbeTarget::parse_in("service=a", &broken).err(), Some(TargetError::ServiceFile(2)));
        assert_eq!(ServiceFile::parse("[a]\nhunter2").err(), Some(TargetError::ServiceFile(2)));
        // What is wrong with one service is nothing to another.
        let slips = ServiceFile::parse("[a]\nhost=db\nprot=7\n[b]\nhost=b\n[c]\nhost=a\nhost=b\n");
        let slips = Environment::new(|_| None, slips).unwrap();
        let of = |text: &str| ProbeTarget::parse_in(text, &slips).map(|named| named.targets.len());
        assert_eq!(of("service=a"), Err(TargetError::Keyword(Some("port"))));
        // Of a keyword that is repeated, libpq takes the first value.
        assert_eq!((of("service=b"), of("service=c")), (Ok(1), Ok(1)));
    }

    #[test]
    fn a_secret_in_the_place_of_a_name_is_refused() {
        for text in [
            "postgresql://db/shop&passwd=hunter2",
            "postgresql://db/shop&pass=hunter2",
            "postgresql://db/shop&secret=hunter2",
            "postgresql://db/shop%26passwd%3Dhunter2",
            "postgresql://db/shop#hunter2",
            "postgresql://db/shop?user=app%3Fpassword%3Dhunter2",
            "postgresql://app%3Ahunter2@db/shop",
            "postgresql://app%2Fhunter2@db/shop",
            "postgresql://app;hunter2@db/shop",
            "host=db user='app password = hunter2'",
            "host=db user='app password hunter2'",
            "host=db dbname='shop password = hunter2'",
            "host=db dbname='shop, pwd: hunter2'",
            "host=db dbname='user=app passwd=hunter2'",
            "host=db dbname='postgres://u:hunter2@other/x'",
            "host=db user=app:hunter2",
            "host=db user=app/hunter2",
            "host=db user=app\\\\hunter2",
            "host=db user='x;Password=hunter2'",
            "host=db dbname='x pwd=hunter2'",
            "host=db sslrootcert='/ca.pem password=hunter2'",
            "postgresql://db/shop?sslrootcert=/ca.pem;password=hunter2",
            "Server=db;User Id=app:hunter2;Database=shop",
            "Server=db;Database=shop&Password=hunter2",
            "jdbc:postgresql://db/shop&password=hunter2",
            "DATABASE_URL=postgres://db/shop&pass=hunter2",
            "db:5432/shop&pass=hunter2",
            "postgresql://db/shop:hunter2",
            "host=db dbname=shop:hunter2",
            "host=db user=app%3Ahunter2",
            "host=db dbname=shop%3ahunter2",
            "postgresql://app%253Ahunter2@db/shop",
        ] {
            let error = ProbeTarget::parse(text).expect_err(text);
            assert!(matches!(error, TargetError::Secret { .. }), "{text}: {error:?}");
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
            // What is wrong is printed through the redactor, which must leave it whole.
            assert_eq!(hostssl_untrusted::redact(&error.to_string()), error.to_string(), "{text}");
        }
        let token = format!("host=db user={}", "x".repeat(200));
        assert!(matches!(ProbeTarget::parse(&token), Err(TargetError::Secret { .. })));
        for text in ["host=db user=app@server", "host=db user='a b' dbname='pass-through'", "host=db user=compass"] {
            assert!(ProbeTarget::parse(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn a_password_goes_nowhere() {
        for text in [
            "postgres://u:hunter2@db/x?password=hunter2",
            "host=db password=hunter2 user=u",
            "host=db password='hunter2",
            "postgres://u:hunter2@db:port/x",
            "postgres://u:hunter2@/x",
            "postgres://u:hunter2%@db/x",
            "postgres://u:hunter2/3@db/x",
            "postgres://u:hun?hunter2@db/x",
            "Server=db;Password=hunter2",
            "Server=db;Password='hunter2",
            "Server=db;User=u;Pwd=a'hunter2;",
            "DATABASE_URL=mysql://u:hunter2@db/x",
            "u:hunter2@db:port",
            "hunter2@db",
        ] {
            let said = match ProbeTarget::parse(text) {
                Ok(targets) => format!("{targets:?}").replace("user: Some(\"hunter2\")", ""),
                Err(error) => format!("{error} {error:?}"),
            };
            assert!(!said.contains("hunter2"), "{said}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in "\\PC{0,60}") {
            let _ = ProbeTarget::parse(&text);
            let _ = ProbeTarget::parse(&format!("postgres://{text}"));
            let _ = ProbeTarget::parse(&format!("host={text}"));
            let _ = ProbeTarget::parse(&format!("Server=a;{text}"));
            let _ = ServiceFile::parse(&text);
        }

        #[test]
        fn display_parses_back(host in "[a-z][a-z0-9.-]{0,20}", port in 1u16..) {
            let target = ProbeTarget::new(host, port);
            prop_assert_eq!(ProbeTarget::parse(&target.display()), Ok(vec![target]));
        }
    }
}
