//! What to probe, from the forms in which people name a PostgreSQL server.
//!
//! A password in any of them is dropped while parsing: no type of this crate can hold one, and no error repeats the
//! text it came from.

mod keyword;
mod uri;

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
pub struct Target {
    /// The host as named: a host name or an address. The certificate is judged against it.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The address to connect to in place of looking the host up (libpq's `hostaddr`).
    pub address: Option<IpAddr>,
    /// Whether there is a host to judge the certificate by. With `hostaddr` alone there is none, and libpq's `verify-full`
    /// refuses to begin.
    pub named: bool,
    /// The user of the connection string, to be probed in the first place.
    pub user: Option<String>,
    /// The database of the connection string.
    pub database: Option<String>,
    /// The file of trusted roots (libpq's `sslrootcert`), for the caller to read; `system` means the system's.
    pub root_certificate: Option<String>,
    /// How to ask for TLS.
    pub negotiation: SslNegotiation,
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
    #[error("a unix-domain socket has no TLS to probe; name a host")]
    UnixSocket,
    /// No host in a connection string; libpq would take the local socket.
    #[error("the connection string names no host")]
    NoHost,
    /// The port is not a number from 1 to 65535.
    #[error("the port is not a number from 1 to 65535")]
    Port,
    /// `hostaddr` is not an address.
    #[error("hostaddr is not an IP address")]
    HostAddress,
    /// The host holds characters that no host name has.
    #[error("the host name holds a character that no host name has, or is too long")]
    HostName,
    /// The lists of hosts, ports and addresses have different lengths.
    #[error("{0} does not have as many entries as the hosts")]
    ListLength(&'static str),
    /// Too many hosts in one connection string.
    #[error("more than 64 hosts in one connection string")]
    TooManyHosts,
    /// The connection string is malformed.
    #[error("the connection string is malformed: {0}")]
    Syntax(&'static str),
    /// `sslnegotiation` has another value than `postgres` or `direct`.
    #[error("sslnegotiation is neither postgres nor direct")]
    Negotiation,
}

impl Target {
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
            root_certificate: None,
            negotiation: SslNegotiation::Postgres,
        }
    }

    /// Reads a text in any of these forms: `host`, `host:port`, `192.0.2.1:5432`, `2001:db8::1`, `[2001:db8::1]:5432`, a
    /// URL `postgresql://..` or `postgres://..`, or keywords and values such as `host=a port=5432` (libpq, section
    /// "Stream Strings"). A connection string with several hosts yields several targets.
    ///
    /// # Errors
    ///
    /// [`TargetError`], which never holds a part of the text.
    pub fn parse(text: &str) -> Result<Vec<Self>, TargetError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(TargetError::Empty);
        }
        if let Some(rest) = uri::strip_scheme(text) {
            return Parameters::into_targets(uri::parse(rest)?);
        }
        if text.contains('=') {
            return Parameters::into_targets(keyword::parse(text)?);
        }
        let (host, port) = split_host_port(text)?;
        Ok(vec![Self::new(checked_host(host)?, port)])
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

/// The keywords of a connection string that mean something here. There is no field for a password.
#[derive(Debug, Default)]
struct Parameters {
    host: Option<String>,
    hostaddr: Option<String>,
    port: Option<String>,
    user: Option<String>,
    database: Option<String>,
    root_certificate: Option<String>,
    negotiation: SslNegotiation,
}

impl Parameters {
    fn set(&mut self, keyword: &str, value: String) -> Result<(), TargetError> {
        let slot = match keyword {
            "host" => &mut self.host,
            "hostaddr" => &mut self.hostaddr,
            "port" => &mut self.port,
            "user" => &mut self.user,
            "dbname" => &mut self.database,
            "sslrootcert" => &mut self.root_certificate,
            "sslnegotiation" => {
                self.negotiation = match value.as_str() {
                    "postgres" | "" => SslNegotiation::Postgres,
                    "direct" => SslNegotiation::Direct,
                    _ => return Err(TargetError::Negotiation),
                };
                return Ok(());
            }
            // Passwords, passfile, sslkey and whatever else: of no use to a probe without credentials.
            _ => return Ok(()),
        };
        // What is named goes over the wire in clear: nothing that looks as if it held a password may.
        let lower = value.to_ascii_lowercase();
        let in_clear = matches!(keyword, "user" | "dbname");
        if in_clear
            && (["password=", "pwd="].iter().any(|word| lower.contains(word))
                || lower.contains("://")
                || value.contains(';'))
        {
            return Err(TargetError::Syntax("a user or database that looks like a connection string"));
        }
        *slot = (!value.is_empty()).then_some(value);
        Ok(())
    }

    fn into_targets(self) -> Result<Vec<Target>, TargetError> {
        let list = |text: &Option<String>| -> Vec<String> {
            text.iter().flat_map(|text| text.split(',')).map(|item| item.trim().to_owned()).collect()
        };
        let (hosts, addresses, ports) = (list(&self.host), list(&self.hostaddr), list(&self.port));
        let count = hosts.len().max(addresses.len());
        if count == 0 {
            return Err(TargetError::NoHost);
        }
        if count > MAX_HOSTS {
            return Err(TargetError::TooManyHosts);
        }
        if !hosts.is_empty() && !addresses.is_empty() && hosts.len() != addresses.len() {
            return Err(TargetError::ListLength("hostaddr"));
        }
        if ports.len() > 1 && ports.len() != count {
            return Err(TargetError::ListLength("port"));
        }
        let mut targets = Vec::with_capacity(count);
        for index in 0..count {
            let address: Option<IpAddr> = match addresses.get(index).map(String::as_str) {
                None | Some("") => None,
                Some(text) => Some(text.parse().map_err(|_| TargetError::HostAddress)?),
            };
            let host = match (hosts.get(index).map(String::as_str), address) {
                // Shown in place of a host.
                (None | Some(""), Some(address)) => address.to_string(),
                (None | Some(""), None) => return Err(TargetError::NoHost),
                (Some(host), _) => checked_host(host)?.to_owned(),
            };
            let port = match ports.get(index).or_else(|| ports.first()).map(String::as_str) {
                None | Some("") => DEFAULT_PORT,
                Some(text) => parse_port(text)?,
            };
            targets.push(Target {
                named: hosts.get(index).is_some_and(|host| !host.is_empty()),
                address,
                user: self.user.clone(),
                database: self.database.clone(),
                root_certificate: self.root_certificate.clone(),
                negotiation: self.negotiation,
                ..Target::new(host, port)
            });
        }
        Ok(targets)
    }
}

fn parse_port(text: &str) -> Result<u16, TargetError> {
    // A sign, which parse() would take, is no part of a port.
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(TargetError::Port);
    }
    text.parse().ok().filter(|&port| port != 0).ok_or(TargetError::Port)
}

/// Splits `host`, `host:port`, `[v6]`, `[v6]:port` or a bare IPv6 address.
fn split_host_port(text: &str) -> Result<(&str, u16), TargetError> {
    if let Some(rest) = text.strip_prefix('[') {
        let (host, tail) = rest.split_once(']').ok_or(TargetError::Syntax("a bracket is not closed"))?;
        let port = match tail.strip_prefix(':') {
            Some(port) => parse_port(port)?,
            None if tail.is_empty() => DEFAULT_PORT,
            None => return Err(TargetError::Syntax("text after the bracket")),
        };
        let address = host.split_once('%').map_or(host, |(address, _zone)| address);
        if address.parse::<Ipv6Addr>().is_err() {
            return Err(TargetError::Syntax("no IPv6 address in the brackets"));
        }
        return Ok((host, port));
    }
    if text.parse::<Ipv6Addr>().is_ok() {
        return Ok((text, DEFAULT_PORT));
    }
    match text.split_once(':') {
        None => Ok((text, DEFAULT_PORT)),
        Some((host, port)) => Ok((host, parse_port(port)?)),
    }
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
    Ok(host)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn one(text: &str) -> Target {
        let mut targets = Target::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
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
            assert_eq!(one(text), Target::new(host, port), "{text}");
        }
        assert_eq!(one("::1").display(), "[::1]:5432");
        assert_eq!(one("db").display(), "db:5432");
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
        let both = Target::parse("postgres://a:1,b/db").unwrap();
        assert_eq!(both.iter().map(Target::display).collect::<Vec<_>>(), ["a:1", "b:5432"]);
    }

    #[test]
    fn keywords_and_values() {
        let target = one(r"host = db.example port=6432 user='al \'ice' dbname=shop password='a b' hostaddr=192.0.2.1");
        assert_eq!(target.display(), "db.example:6432");
        assert_eq!(target.user.as_deref(), Some("al 'ice"));
        assert_eq!(target.address, "192.0.2.1".parse().ok());
        let unnamed = one("hostaddr=192.0.2.1");
        assert_eq!((unnamed.host.as_str(), unnamed.named), ("192.0.2.1", false));
        let both = Target::parse("host=a,b port=1,2").unwrap();
        assert_eq!(both.iter().map(Target::display).collect::<Vec<_>>(), ["a:1", "b:2"]);
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
            ("a b", TargetError::HostName),
            ("a\u{7}b", TargetError::HostName),
            ("[::1", TargetError::Syntax("a bracket is not closed")),
            ("[db]:1", TargetError::Syntax("no IPv6 address in the brackets")),
        ] {
            assert_eq!(Target::parse(text), Err(error), "{text:?}");
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
            "host=db dbname='postgres://u:hunter2@other/x'",
            "host=db user='x;Password=hunter2'",
            "host=db dbname='x pwd=hunter2'",
        ] {
            let said = match Target::parse(text) {
                Ok(targets) => format!("{targets:?}"),
                Err(error) => format!("{error} {error:?}"),
            };
            assert!(!said.contains("hunter2"), "{said}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in "\\PC{0,60}") {
            let _ = Target::parse(&text);
            let _ = Target::parse(&format!("postgres://{text}"));
            let _ = Target::parse(&format!("host={text}"));
        }

        #[test]
        fn display_parses_back(host in "[a-z][a-z0-9.-]{0,20}", port in 1u16..) {
            let target = Target::new(host, port);
            prop_assert_eq!(Target::parse(&target.display()), Ok(vec![target]));
        }
    }
}
