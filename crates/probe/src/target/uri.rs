//! Connection URLs (libpq, section "Connection URIs"; conninfo_uri_parse_options in fe-connect.c).

use super::TargetError;
use super::connection_parameters::{Parameters, check_keyword};

/// What follows the scheme, if the text is such a URL: libpq's own, in any letter case, or as JDBC and SQLAlchemy write
/// it.
pub(super) fn strip_scheme(text: &str) -> Option<&str> {
    let (scheme, rest) = text.split_once("://")?;
    let scheme = scheme.to_ascii_lowercase();
    let scheme = scheme.strip_prefix("jdbc:").unwrap_or(&scheme);
    // The driver: postgresql+psycopg2.
    let scheme = scheme.split_once('+').map_or(scheme, |(scheme, _driver)| scheme);
    ["postgresql", "postgres", "pgsql", "postgis"].contains(&scheme).then_some(rest)
}

pub(super) fn parse(text: &str) -> Result<Parameters, TargetError> {
    let mut parameters = Parameters::default();
    let (text, query) = match text.split_once('?') {
        Some((text, query)) => (text, Some(query)),
        None => (text, None),
    };
    let (authority, path) = match text.split_once('/') {
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
    for pair in query.into_iter().flat_map(|query| query.split('&')).filter(|pair| !pair.is_empty()) {
        let (keyword, value) = pair.split_once('=').ok_or(TargetError::Syntax("a parameter has no value"))?;
        let keyword = decode(keyword)?;
        check_keyword(&keyword, false)?;
        parameters.set(&keyword, decode(value)?)?;
    }
    Ok(parameters)
}

/// Splits `a:1,[::1]:2,c` into the lists that the keywords `host` and `port` hold.
pub(super) fn set_hosts(parameters: &mut Parameters, text: &str) -> Result<(), TargetError> {
    if text.is_empty() {
        return Ok(());
    }
    let (mut hosts, mut ports) = (Vec::new(), Vec::new());
    for item in text.split(',') {
        let (host, tail) = match item.strip_prefix('[') {
            Some(rest) => rest.split_once(']').ok_or(TargetError::Syntax("a bracket is not closed"))?,
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
        parameters.port = Some(ports.join(","));
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
            assert_eq!(strip_scheme(text), Some("x"), "{text}");
        }
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
        let parameters = parse("u:p@ss@db/x").unwrap();
        assert_eq!(parameters.host.as_deref(), Some("db"));
        assert_eq!(parameters.user.as_deref(), Some("u"));
    }
}
