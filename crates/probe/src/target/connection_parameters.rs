//! What a connection string says, whatever its form.

use std::net::IpAddr;

use super::{DEFAULT_PORT, MAX_HOSTS, Named, ProbeTarget, SslNegotiation, TargetError, checked_host, parse_port};

/// The longest name of a user or database, in bytes: twice what PostgreSQL keeps of one. A token is longer.
const LONGEST_NAME: usize = 128;

/// Words that announce a secret.
pub(super) const SECRET_WORDS: [&str; 7] = ["password", "passwd", "passphrase", "pwd", "secret", "token", "pass"];

/// Characters that no name may hold, as a URL escapes them.
const ESCAPES: [&str; 8] = ["%3a", "%2f", "%5c", "%3b", "%3d", "%26", "%3f", "%23"];

/// The keywords of a connection string that mean something here. There is no field for a password.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Parameters {
    pub(super) host: Option<String>,
    /// It stands in the query of a URL, in place of another one before the path.
    pub(super) is_host_of_query: bool,
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
            "host" => once("host", &mut self.host, &value)?,
            "hostaddr" => once("hostaddr", &mut self.hostaddr, &value)?,
            "port" => once("port", &mut self.port, &value)?,
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
            is_host_of_query: self.is_host_of_query,
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
        let is_host_of_query = self.is_host_of_query;
        let mut named = Named { targets: Vec::with_capacity(count), sockets: 0, is_host_of_query };
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

/// Refuses a second value that is another: one client connects to the first, another to the last, and only one of both would
/// be probed.
fn once<'a>(
    keyword: &'static str,
    slot: &'a mut Option<String>,
    value: &str,
) -> Result<&'a mut Option<String>, TargetError> {
    match slot.as_deref() {
        Some(before) if before != value => Err(TargetError::Repeated(keyword)),
        _ => Ok(slot),
    }
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
