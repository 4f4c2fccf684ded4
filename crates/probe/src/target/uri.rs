//! Connection URLs (libpq, section "Connection URIs"; conninfo_uri_parse_options in fe-connect.c).

use super::connection_parameters::Parameters;
use super::keywords::{check_driver, check_url};
use super::{DEFAULT_PORT, TargetError};
use std::net::IpAddr;

/// Whose URL it is. They differ in the keywords that there are, and in what a repeated one means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// libpq's.
    Libpq,
    /// pgJDBC's, with `//` or, where it names a database alone, without.
    Jdbc {
        /// Whether it names a host.
        has_authority: bool,
    },
    /// SQLAlchemy's, which names a driver.
    SqlAlchemy,
}

/// What follows the scheme, if the text is such a URL: libpq's own, in any letter case, or as JDBC and SQLAlchemy write
/// it. JDBC's may be without an authority: `jdbc:postgresql:shop`.
pub(super) fn strip_scheme(text: &str) -> Option<(Dialect, &str)> {
    let jdbc = "jdbc:postgresql:";
    if let Some((scheme, rest)) = text.split_at_checked(jdbc.len())
        && scheme.eq_ignore_ascii_case(jdbc)
        && !rest.starts_with("//")
    {
        return Some((Dialect::Jdbc { has_authority: false }, rest));
    }
    let (scheme, rest) = text.split_once("://")?;
    let scheme = scheme.to_ascii_lowercase();
    let (dialect, scheme) = match (scheme.strip_prefix("jdbc:"), scheme.split_once('+')) {
        (Some(scheme), _) => (Dialect::Jdbc { has_authority: true }, scheme),
        // The driver: postgresql+psycopg2.
        (None, Some((scheme, _driver))) => (Dialect::SqlAlchemy, scheme),
        (None, None) => (Dialect::Libpq, scheme.as_str()),
    };
    ["postgresql", "postgres", "pgsql", "postgis"].contains(&scheme).then_some((dialect, rest))
}

pub(super) fn parse(dialect: Dialect, text: &str) -> Result<Parameters, TargetError> {
    let mut parameters = Parameters::default();
    let (text, query) = match text.split_once('?') {
        Some((text, query)) => (text, Some(query)),
        None => (text, None),
    };
    let (authority, path) = match text.split_once('/') {
        _ if dialect == (Dialect::Jdbc { has_authority: false }) => ("", Some(database_alone(text)?)),
        Some((authority, path)) => (authority, Some(path)),
        None => (text, None),
    };
    // A password that holds one of them must be escaped; otherwise a part of it would be taken for the host.
    if [path, query].into_iter().flatten().any(|rest| rest.contains('@')) {
        return Err(TargetError::Syntax("an @ after the first / or ?: percent-escape these characters in a password"));
    }
    let hosts = match authority.rsplit_once('@') {
        Some((credentials, hosts)) => {
            let user = credentials.split_once(':').map_or(credentials, |(user, _password)| user);
            parameters.set("user", decode(user)?)?;
            hosts
        }
        None => authority,
    };
    set_hosts(&mut parameters, hosts)?;
    if let Some(path) = path {
        parameters.set("dbname", decode(path)?)?;
    }
    set_query(dialect, &mut parameters, query.unwrap_or_default())?;
    // A list without ports is one of empty ports, which PGPORT does not fill.
    let list = if dialect == Dialect::SqlAlchemy { parameters.host.as_deref().unwrap_or_default() } else { hosts };
    let commas = list.matches(',').count();
    if commas > 0 {
        parameters.port.get_or_insert_with(|| ",".repeat(commas));
    }
    if matches!(dialect, Dialect::Jdbc { .. }) && parameters.service.is_none() {
        // pgJDBC reads no PGHOST and no PGPORT.
        parameters.host.get_or_insert_with(|| "localhost".to_owned());
        parameters.port.get_or_insert_with(|| DEFAULT_PORT.to_string());
    }
    Ok(parameters)
}

/// The database of `jdbc:postgresql:shop`.
fn database_alone(text: &str) -> Result<&str, TargetError> {
    let name = text.strip_prefix('/').unwrap_or(text);
    if name.contains(['/', ':']) {
        return Err(TargetError::Syntax("JDBC has // before a host: jdbc:postgresql://HOST:PORT/DATABASE"));
    }
    Ok(name)
}

/// libpq takes `host` and `port` of the query in place of those before the path (conninfo_uri_parse_params in fe-connect.c).
/// A second one in the query stays refused: it is more likely a mistake.
fn set_query(dialect: Dialect, parameters: &mut Parameters, query: &str) -> Result<(), TargetError> {
    let (mut hosts, mut ports) = (Vec::new(), Vec::new());
    let overrides = dialect == Dialect::Libpq;
    let (mut has_host, mut has_port) = (false, false);
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (keyword, value) = pair.split_once('=').ok_or(TargetError::Syntax("a parameter has no value"))?;
        let (mut keyword, value) = (decode(keyword)?, decode(value)?);
        match dialect {
            Dialect::Libpq => check_url(&keyword)?,
            Dialect::Jdbc { .. } => {
                let own = [("PGHOST", "host"), ("PGPORT", "port"), ("PGDBNAME", "dbname")];
                keyword = own.iter().find(|(own, _)| *own == keyword).map_or(keyword, |(_, of)| (*of).to_owned());
                check_driver(&keyword)?;
            }
            Dialect::SqlAlchemy => check_driver(&keyword)?,
        }
        match keyword.to_ascii_lowercase().as_str() {
            "host" if dialect == Dialect::SqlAlchemy => hosts.push(value),
            "port" if dialect == Dialect::SqlAlchemy => ports.push(value),
            "host" if overrides && !has_host => {
                has_host = true;
                parameters.is_host_of_query = parameters.host.take().is_some_and(|before| before != value);
                parameters.set(&keyword, value)?;
            }
            "port" if overrides && !has_port => {
                has_port = true;
                parameters.port = None;
                parameters.set(&keyword, value)?;
            }
            _ => parameters.set(&keyword, value)?,
        }
    }
    set_repeated(parameters, &hosts, ports)
}

/// SQLAlchemy collects a repeated host, each with or without its port, and a repeated port (section "Specifying multiple
/// fallback hosts" of its PostgreSQL dialect).
fn set_repeated(parameters: &mut Parameters, hosts: &[String], ports: Vec<String>) -> Result<(), TargetError> {
    let mut found = Parameters::default();
    split_hosts(&mut found, hosts.iter().flat_map(|host| host.split(',')), |host| Ok(host.to_owned()))?;
    if let Some(host) = found.host {
        // Which port each host of a list has is not that of the authority.
        if host.contains(',') && parameters.port.is_some() {
            return Err(TargetError::Repeated("port"));
        }
        parameters.set("host", host)?;
    }
    let given = (!ports.is_empty()).then(|| ports.join(","));
    for port in [found.port, given].into_iter().flatten() {
        parameters.set("port", port)?;
    }
    Ok(())
}

/// Splits `a:1,[::1]:2,c` into the lists that the keywords `host` and `port` hold.
pub(super) fn set_hosts(parameters: &mut Parameters, text: &str) -> Result<(), TargetError> {
    if text.is_empty() { Ok(()) } else { split_hosts(parameters, text.split(','), decode) }
}

fn split_hosts<'a>(
    parameters: &mut Parameters,
    items: impl Iterator<Item = &'a str>,
    decode: impl Fn(&str) -> Result<String, TargetError>,
) -> Result<(), TargetError> {
    let (mut hosts, mut ports) = (Vec::new(), Vec::new());
    for item in items {
        let (host, tail) = match item.strip_prefix('[') {
            Some(rest) => rest.split_once(']').ok_or(TargetError::Syntax("a bracket is not closed"))?,
            None if item.parse::<IpAddr>().is_ok() => (item, ""),
            None => item.find(':').map_or((item, ""), |at| item.split_at(at)),
        };
        let port = match tail.strip_prefix(':') {
            Some(port) => port,
            None if tail.is_empty() => "",
            None => return Err(TargetError::Syntax("text after the bracket")),
        };
        hosts.push(decode(host)?);
        ports.push(port);
    }
    parameters.set("host", hosts.join(","))?;
    if ports.iter().any(|port| !port.is_empty()) {
        parameters.set("port", ports.join(","))?;
    }
    Ok(())
}

/// Decodes `%xx`. A NUL, or bytes that are not UTF-8, cannot be part of any parameter.
fn decode(text: &str) -> Result<String, TargetError> {
    const FAULT: TargetError = TargetError::Syntax("a percent sign without two hexadecimal digits, or a bad character");
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let mut digit = || bytes.next().and_then(|byte| char::from(byte).to_digit(16));
        let (Some(high), Some(low)) = (digit(), digit()) else {
            return Err(FAULT);
        };
        match u8::try_from(high << 4 | low) {
            Ok(byte) if byte != 0 => out.push(byte),
            _ => return Err(FAULT),
        }
    }
    String::from_utf8(out).map_err(|_| FAULT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemes() {
        for text in
            ["postgresql://x", "POSTGRES://x", "jdbc:postgresql://x", "postgresql+asyncpg://x", "JDBC:PostgreSQL://x"]
        {
            assert_eq!(strip_scheme(text).map(|(_, rest)| rest), Some("x"), "{text}");
        }
        assert_eq!(strip_scheme("jdbc:postgresql:x"), Some((Dialect::Jdbc { has_authority: false }, "x")));
        for text in ["mysql://x", "x", "jdbc:mysql://x", "xpostgresql://x", "host=a://x"] {
            assert_eq!(strip_scheme(text), None, "{text}");
        }
    }

    #[test]
    fn percent_signs() {
        assert_eq!(decode("a%20b%2f"), Ok("a b/".into()));
        for text in ["%", "%4", "%zz", "%00", "%ff"] {
            assert!(decode(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_at_sign_may_stand_in_the_password() {
        let parameters = parse(Dialect::Libpq, "u:p@ss@db/x").unwrap();
        assert_eq!(parameters.host.as_deref(), Some("db"));
        assert_eq!(parameters.user.as_deref(), Some("u"));
    }
}
