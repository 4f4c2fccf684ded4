//! What a connection string says, whatever its form.

use std::net::IpAddr;

use super::{DEFAULT_PORT, MAX_HOSTS, Named, ProbeTarget, SslNegotiation, TargetError, checked_host, parse_port};

/// The longest name of a user or database, in bytes: twice what PostgreSQL keeps of one. A token is longer.
const LONGEST_NAME: usize = 128;

/// Words that announce a secret.
const SECRET_WORDS: [&str; 7] = ["password", "passwd", "passphrase", "pwd", "secret", "token", "pass"];

/// Characters that no name may hold, as a URL escapes them.
const ESCAPES: [&str; 8] = ["%3a", "%2f", "%5c", "%3b", "%3d", "%26", "%3f", "%23"];

/// The keywords of a connection string that mean something here. There is no field for a password.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Parameters {
    pub(super) host: Option<String>,
    pub(super) hostaddr: Option<String>,
    pub(super) port: Option<String>,
    pub(super) user: Option<String>,
    pub(super) database: Option<String>,
    pub(super) root_certificate: Option<String>,
    pub(super) negotiation: Option<SslNegotiation>,
    pub(super) service: Option<String>,
    pub(super) revocation_lists: bool,
}

impl Parameters {
    /// Takes the value of a keyword of libpq. Keywords that mean nothing here are dropped with their values.
    pub(super) fn set(&mut self, keyword: &str, value: String) -> Result<(), TargetError> {
        let slot = match keyword.to_ascii_lowercase().as_str() {
            "host" => &mut self.host,
            "hostaddr" => &mut self.hostaddr,
            "port" => &mut self.port,
            "user" => {
                check_name("the user name", &value)?;
                &mut self.user
            }
            "dbname" => {
                check_name("the database name", &value)?;
                &mut self.database
            }
            "sslrootcert" => {
                check_path(&value)?;
                &mut self.root_certificate
            }
            "service" => &mut self.service,
            "sslcrl" | "sslcrldir" => {
                self.revocation_lists |= !value.is_empty();
                return Ok(());
            }
            "sslnegotiation" => {
                self.negotiation = match value.as_str() {
                    "" => None,
                    "postgres" => Some(SslNegotiation::Postgres),
                    "direct" => Some(SslNegotiation::Direct),
                    _ => return Err(TargetError::Negotiation),
                };
                return Ok(());
            }
            // Passwords, passfile, sslkey and whatever else: of no use to a probe without credentials.
            _ => return Ok(()),
        };
        *slot = (!value.is_empty()).then_some(value);
        Ok(())
    }

    /// Fills what is not set yet.
    pub(super) fn fill(self, other: &Self) -> Self {
        let names_host = self.host.is_some() || self.hostaddr.is_some();
        // libpq takes each keyword for itself; but the port of another host is nothing to a host that was named.
        Self {
            host: self.host.or_else(|| other.host.clone().filter(|_| !names_host)),
            hostaddr: self.hostaddr.or_else(|| other.hostaddr.clone().filter(|_| !names_host)),
            port: self.port.or_else(|| other.port.clone()),
            user: self.user.or_else(|| other.user.clone()),
            database: self.database.or_else(|| other.database.clone()),
            root_certificate: self.root_certificate.or_else(|| other.root_certificate.clone()),
            negotiation: self.negotiation.or(other.negotiation),
            service: self.service.or_else(|| other.service.clone()),
            revocation_lists: self.revocation_lists || other.revocation_lists,
        }
    }

    pub(super) fn into_targets(self) -> Result<Named, TargetError> {
        let list = |text: &Option<String>| -> Vec<String> {
            text.iter().flat_map(|text| text.split(',')).map(|item| item.trim().to_owned()).collect()
        };
        let (hosts, addresses, ports) = (list(&self.host), list(&self.hostaddr), list(&self.port));
        let count = hosts.len().max(addresses.len());
        if count == 0 {
            return Err(TargetError::NoHost);
        }
        let is_number = |host: &String| !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_digit());
        if hosts.iter().skip(1).any(is_number) {
            return Err(TargetError::PortBehindComma);
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
        let mut named = Named { targets: Vec::with_capacity(count), sockets: 0 };
        for index in 0..count {
            let of = |list: &[String]| list.get(index).cloned().filter(|item| !item.is_empty());
            let port = of(&ports).or_else(|| ports.first().filter(|_| ports.len() == 1).cloned());
            match self.target(of(&hosts), of(&addresses), port.as_deref().unwrap_or_default()) {
                Ok(target) => named.targets.push(target),
                Err(TargetError::UnixSocket) => named.sockets += 1,
                Err(error) => return Err(error),
            }
        }
        if named.targets.is_empty() { Err(TargetError::UnixSocket) } else { Ok(named) }
    }

    fn target(&self, host: Option<String>, address: Option<String>, port: &str) -> Result<ProbeTarget, TargetError> {
        let address: Option<IpAddr> = match address {
            Some(text) => Some(text.parse().map_err(|_| TargetError::HostAddress)?),
            None => None,
        };
        let shown = match (&host, address) {
            // Shown in place of a host.
            (None, Some(address)) => address.to_string(),
            (None, None) => return Err(TargetError::NoHost),
            (Some(host), _) => checked_host(host)?.to_owned(),
        };
        let port = if port.is_empty() { DEFAULT_PORT } else { parse_port(port)? };
        Ok(ProbeTarget {
            named: host.is_some(),
            address,
            user: self.user.clone(),
            database: self.database.clone(),
            root_certificate: self.root_certificate.clone(),
            revocation_lists: self.revocation_lists,
            negotiation: self.negotiation.unwrap_or_default(),
            service: self.service.clone(),
            ..ProbeTarget::new(shown, port)
        })
    }
}

/// Every keyword of libpq up to PostgreSQL 18 (libpq, section "Parameter Key Words"; PQconninfoOptions in
/// fe-connect.c).
const KEYWORDS: [&str; 50] = [
    "application_name",
    "authtype",
    "channel_binding",
    "client_encoding",
    "connect_timeout",
    "dbname",
    "fallback_application_name",
    "gssdelegation",
    "gssencmode",
    "gsslib",
    "host",
    "hostaddr",
    "keepalives",
    "keepalives_count",
    "keepalives_idle",
    "keepalives_interval",
    "krbsrvname",
    "load_balance_hosts",
    "max_protocol_version",
    "min_protocol_version",
    "oauth_client_id",
    "oauth_client_secret",
    "oauth_issuer",
    "oauth_scope",
    "options",
    "passfile",
    "password",
    "port",
    "replication",
    "require_auth",
    "requirepeer",
    "requiressl",
    "scram_client_key",
    "scram_server_key",
    "service",
    "servicefile",
    "ssl_max_protocol_version",
    "ssl_min_protocol_version",
    "sslcert",
    "sslcertmode",
    "sslcompression",
    "sslcrl",
    "sslcrldir",
    "sslkey",
    "sslkeylogfile",
    "sslmode",
    "sslnegotiation",
    "sslpassword",
    "sslrootcert",
    "sslsni",
];
/// The same that are not in alphabetical order with the others.
const MORE_KEYWORDS: [&str; 3] = ["target_session_attrs", "tcp_user_timeout", "user"];

/// Those that mean something here.
const MEANT: [&str; 8] =
    ["hostaddr", "dbname", "sslrootcert", "sslmode", "sslnegotiation", "service", "sslcrl", "sslcrldir"];

/// Refuses a keyword that libpq does not have: what it was to say would be lost. In URLs, to which drivers add keywords
/// of their own, only one that is all but one of those that mean something here.
pub(super) fn check_keyword(keyword: &str, only_libpq: bool) -> Result<(), TargetError> {
    let keyword = keyword.to_ascii_lowercase();
    let known = || KEYWORDS.iter().chain(&MORE_KEYWORDS).copied();
    // A word that announces a secret is dropped with what follows, in whatever format it is a keyword.
    if known().any(|one| one == keyword) || SECRET_WORDS.contains(&keyword.as_str()) {
        return Ok(());
    }
    let near = MEANT.into_iter().chain(known().filter(|_| only_libpq)).find(|one| is_slip(&keyword, one));
    if near.is_some() || only_libpq { Err(TargetError::Keyword(near)) } else { Ok(()) }
}

/// Whether one word is another with one letter too many, missing, wrong, or two exchanged. Short words are too alike to
/// tell.
fn is_slip(typed: &str, meant: &str) -> bool {
    let (a, b): (Vec<char>, Vec<char>) = (typed.chars().collect(), meant.chars().collect());
    if meant.len() < 5 || a.len().abs_diff(b.len()) > 1 || a == b {
        return false;
    }
    let same_start = a.iter().zip(&b).take_while(|(x, y)| x == y).count();
    let same_end = a.iter().rev().zip(b.iter().rev()).take_while(|(x, y)| x == y).count();
    let left = |word: &[char]| word.len().saturating_sub(same_start + same_end);
    let exchanged = a.len() == b.len()
        && left(&a) == 2
        && a.get(same_start) == b.get(same_start + 1)
        && a.get(same_start + 1) == b.get(same_start);
    (left(&a) <= 1 && left(&b) <= 1) || exchanged
}

/// Refuses a name that may hold a password: names are sent in plaintext, and printed.
pub(super) fn check_name(field: &'static str, value: &str) -> Result<(), TargetError> {
    let fault = |fault| Err(TargetError::Secret { field, fault });
    let lower = value.to_ascii_lowercase();
    if lower.contains("://") || value.contains(';') {
        return fault("looks like a connection string");
    }
    if value.contains('=') {
        return fault(
            "contains an =, as a parameter does: put a space or, in a URL, a ? before the first parameter and an & between them",
        );
    }
    if value.contains(['&', '?', '#']) {
        return fault(
            "contains a character that begins or ends parameters (& ? #): one ? begins them, and in a name they are escaped twice",
        );
    }
    if field.contains("user") && value.contains([':', '/', '\\']) {
        return fault(
            "contains a : / or \\, as a user with a password does; leave the password out, or give such a user by --user",
        );
    }
    if value.contains(':') {
        return fault(
            "contains a : as a name with a password does; leave the password out, or give such a database by --database",
        );
    }
    if ESCAPES.iter().any(|escape| lower.contains(escape)) {
        return fault("contains an escaped character such as %3A, which only a URL decodes, and only once");
    }
    if value.chars().any(char::is_control) {
        return fault("contains a control character");
    }
    let parts = || lower.split(|c: char| !c.is_ascii_alphanumeric());
    let announced = parts().any(|part| SECRET_WORDS.contains(&part)) && value.contains([' ', ':', '\t', ',']);
    if announced {
        return fault("seems to hold a password as well; leave the password out");
    }
    if value.len() > LONGEST_NAME {
        return fault("is longer than a name can be");
    }
    Ok(())
}

/// Refuses a path that ends in parameters: it is printed when it cannot be read.
fn check_path(value: &str) -> Result<(), TargetError> {
    let lower = value.to_ascii_lowercase();
    let is_parameter =
        SECRET_WORDS.iter().any(|word| lower.contains(&format!("{word}=")) || lower.contains(&format!("{word} =")));
    if is_parameter || lower.contains("://") {
        let fault = "contains a parameter: put a space or, in a URL, an & before it";
        return Err(TargetError::Secret { field: "sslrootcert", fault });
    }
    Ok(())
}
