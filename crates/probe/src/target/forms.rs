//! Which form a text has, and what of it is left to each form's own reader.

use std::net::Ipv6Addr;

use super::connection_parameters::Parameters;
use super::uri::Dialect;
use super::{TargetError, ado, keyword, parse_port, uri};

/// Reads a text of any form.
pub(super) fn parse(text: &str) -> Result<Parameters, TargetError> {
    if text.strip_prefix("psql").is_some_and(|rest| rest.starts_with(char::is_whitespace)) {
        return Err(TargetError::Syntax("it begins with the command psql: leave out psql, and the quotes behind it"));
    }
    if let Some((dialect, rest)) = uri::strip_scheme(text) {
        return uri::parse(dialect, rest);
    }
    if let Some(value) = assigned(text) {
        return parse_connection_string(value);
    }
    parse_connection_string(text)
}

fn parse_connection_string(text: &str) -> Result<Parameters, TargetError> {
    if let Some((dialect, rest)) = uri::strip_scheme(text) {
        return uri::parse(dialect, rest);
    }
    let head = text.split('=').next().unwrap_or_default();
    let has_values = head.len() < text.len();
    // What comes before the first = is a keyword, or a host and a path.
    let is_keyword = has_values && !head.contains(['/', '?', '@']);
    if is_keyword {
        return by_keywords(text);
    }
    if text.contains("://") {
        return Err(TargetError::Syntax("the scheme of the URL is not postgresql"));
    }
    let is_socket = text.starts_with(['/', '@']);
    if !is_socket && (text.contains(['/', '@']) || has_values) {
        return uri::parse(Dialect::Libpq, text);
    }
    if text.is_empty() {
        return Ok(Parameters::default());
    }
    let (host, port) = split_host_port(text)?;
    Ok(Parameters { host: Some(host.to_owned()), port, ..Parameters::default() })
}

/// Keywords and values of libpq, or those of ADO.NET, which have semicolons between them. A password may hold one in either form.
fn by_keywords(text: &str) -> Result<Parameters, TargetError> {
    let found = keyword::parse(text);
    // One keyword alone, which libpq does not have: nothing ends in a semicolon there.
    if matches!(found, Err(TargetError::Keyword(_))) && ado::is_alone(text) {
        return ado::parse(text);
    }
    let is_libpq = match &found {
        Ok(parameters) => {
            parameters.host.as_ref().or(parameters.hostaddr.as_ref()).is_some_and(|host| !host.contains(';'))
        }
        Err(_) => !ado::is_ado(text),
    };
    if is_libpq || !text.contains(';') { found } else { ado::parse(text) }
}

/// The value of a variable that holds a connection string, such as `DATABASE_URL=postgresql://..`, as shells, env files and
/// YAML write it.
fn assigned(text: &str) -> Option<&str> {
    let text =
        ["export ", "set ", "setx ", "ENV ", "$env:"].iter().find_map(|word| text.strip_prefix(word)).unwrap_or(text);
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-')))?;
    let (name, rest) = text.split_at_checked(end)?;
    let value = rest.trim_start().strip_prefix(['=', ':'])?.trim();
    let inner = unquoted(value);
    let holds_url = uri::strip_scheme(inner).is_some();
    let holds_one = holds_url || (inner.contains('=') && is_variable(name, inner != value));
    (holds_one && !name.is_empty()).then_some(inner)
}

/// Whether a name is that of a variable which holds a whole connection string, and no keyword of one.
fn is_variable(name: &str, quoted: bool) -> bool {
    let is_constant = name.contains('_') && !name.contains(|c: char| c.is_ascii_lowercase());
    let is_setting = name.contains("__") || name.to_ascii_lowercase().contains("connectionstring");
    is_constant || is_setting || (quoted && !ado::is_keyword(name))
}

/// Without the quotes around the whole.
fn unquoted(text: &str) -> &str {
    let inner = |quote: char| {
        let inner = text.strip_prefix(quote)?.strip_suffix(quote)?;
        (!inner.contains(quote)).then_some(inner.trim())
    };
    inner('"').or_else(|| inner('\'')).unwrap_or(text)
}

/// Splits `host`, `host:port`, `[v6]`, `[v6]:port` or a bare IPv6 address. Without a port, that of the environment holds.
fn split_host_port(text: &str) -> Result<(&str, Option<String>), TargetError> {
    let checked = |port: &str| parse_port(port).map(|port| Some(port.to_string()));
    if let Some(rest) = text.strip_prefix('[') {
        let (host, tail) = rest.split_once(']').ok_or(TargetError::Syntax("a bracket is not closed"))?;
        let port = match tail.strip_prefix(':') {
            Some(port) => checked(port)?,
            None if tail.is_empty() => None,
            None => return Err(TargetError::Syntax("text after the bracket")),
        };
        let address = host.split_once('%').map_or(host, |(address, _zone)| address);
        if address.parse::<Ipv6Addr>().is_err() {
            return Err(TargetError::Syntax("no IPv6 address in the brackets"));
        }
        return Ok((host, port));
    }
    if text.parse::<Ipv6Addr>().is_ok() {
        return Ok((text, None));
    }
    match text.split_once(':') {
        None => Ok((text, None)),
        Some((host, port)) => Ok((host, checked(port)?)),
    }
}
