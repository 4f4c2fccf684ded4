//! Connection strings of ADO.NET and ODBC: `Server=db.example;Port=5432;Database=shop;User Id=app` (DbConnectionStringBuilder;
//! the keywords of Npgsql and of psqlODBC).

use super::connection_parameters::Parameters;
use super::keywords::{check_ado, plain};
use super::{DEFAULT_PORT, TargetError, keywords, parse_port, uri};

const FAULT: TargetError = TargetError::Syntax("between semicolons a keyword has no value, or a quote is not closed");

/// Whether a text is of this form: it begins with a keyword of it, and its first value ends in a semicolon.
pub(super) fn is_ado(text: &str) -> bool {
    let Some((keyword, rest)) = text.split_once('=') else { return false };
    let value = rest.trim_start();
    let first = match value.chars().next() {
        Some(quote @ ('"' | '\'' | '{')) => {
            let close = if quote == '{' { '}' } else { quote };
            value.get(1..).and_then(|rest| rest.split_once(close)).map_or("", |(_, rest)| rest.trim_start())
        }
        _ => {
            let end = value.find(';').unwrap_or(value.len());
            let (value, rest) = value.split_at(end);
            let is_word = |part: &str| !part.trim().contains(char::is_whitespace);
            if value.split(',').all(is_word) { rest } else { "" }
        }
    };
    first.starts_with(';') && is_keyword(keyword)
}

/// Whether a text is one keyword of this form and its value.
pub(super) fn is_alone(text: &str) -> bool {
    let one = text.split_once('=').filter(|(_, value)| !value.contains(['=', ';']));
    one.is_some_and(|(keyword, _)| libpq_keyword(keyword).is_some())
}

/// Whether a text is a keyword of such connection strings, or of libpq's where they agree.
pub(super) fn is_keyword(text: &str) -> bool {
    libpq_keyword(text).is_some() || keywords::is_ado(text)
}

pub(super) fn parse(text: &str) -> Result<Parameters, TargetError> {
    let mut parameters = Parameters::default();
    let mut port: Option<String> = None;
    let mut rest = text.trim_start_matches([';', ' ']);
    while !rest.is_empty() {
        let (keyword, after) = rest.split_once('=').ok_or(FAULT)?;
        if keyword.contains(';') {
            return Err(FAULT);
        }
        let (value, after) = value(after.trim_start())?;
        match libpq_keyword(keyword) {
            Some("host") => set_hosts(&mut parameters, &value)?,
            Some("port") if port.as_ref().is_some_and(|before| *before != value) => {
                return Err(TargetError::Repeated("port"));
            }
            Some("port") => port = Some(value),
            // Npgsql reads the names of its enumerations in any case.
            Some("sslnegotiation") => parameters.set("sslnegotiation", value.to_ascii_lowercase())?,
            Some(keyword) => parameters.set(keyword, value)?,
            None => check_ado(keyword)?,
        }
        rest = after.trim_start_matches(|c: char| c == ';' || c.is_whitespace());
    }
    // That of the hosts which name none. PGPORT is nothing to these clients.
    let port =
        port.filter(|port| !port.is_empty()).or_else(|| parameters.host.as_ref().map(|_| DEFAULT_PORT.to_string()));
    let Some(port) = port else { return Ok(parameters) };
    let own = parameters.port.take().unwrap_or_default();
    let ports: Vec<_> = own.split(',').map(|own| if own.is_empty() { port.as_str() } else { own }).collect();
    parameters.port = Some(ports.join(","));
    Ok(parameters)
}

/// Takes hosts with or without their ports. SQL Server writes a protocol before the host and a comma before the port.
fn set_hosts(parameters: &mut Parameters, text: &str) -> Result<(), TargetError> {
    let plain = text.to_ascii_lowercase();
    let protocol = ["tcp:", "np:", "lpc:", "admin:"].iter().find_map(|protocol| plain.strip_prefix(protocol));
    match protocol {
        // A host of that name with its port.
        Some(port) if parse_port(port.trim()).is_ok() => uri::set_hosts(parameters, text),
        Some(rest) if rest.split(',').skip(1).any(|port| parse_port(port.trim()).is_ok()) => {
            Err(TargetError::PortBehindComma)
        }
        Some(_) => Err(TargetError::Syntax(
            "a protocol stands before the host, as SQL Server has it; write Server=HOST;Port=PORT",
        )),
        None => uri::set_hosts(parameters, text),
    }
}

/// The keyword of libpq that means the same.
fn libpq_keyword(keyword: &str) -> Option<&'static str> {
    Some(match plain(keyword).as_str() {
        "server" | "host" | "servername" | "datasource" | "addr" | "address" => "host",
        "port" => "port",
        "database" | "db" | "initialcatalog" | "dbname" => "dbname",
        "user" | "userid" | "username" | "uid" => "user",
        "rootcertificate" | "sslrootcert" => "sslrootcert",
        "sslnegotiation" => "sslnegotiation",
        _ => return None,
    })
}

/// Reads a value: to the semicolon, or in quotes, which are doubled to stand for themselves, or in ODBC's braces.
fn value(text: &str) -> Result<(String, &str), TargetError> {
    let close = match text.chars().next() {
        Some(quote @ ('"' | '\'')) => quote,
        Some('{') => '}',
        _ => {
            let (value, rest) = text.split_once(';').unwrap_or((text, ""));
            return Ok((value.trim().to_owned(), rest));
        }
    };
    let mut out = String::new();
    let mut rest = text.get(1..).unwrap_or_default();
    loop {
        let (part, after) = rest.split_once(close).ok_or(FAULT)?;
        out.push_str(part);
        match after.strip_prefix(close) {
            Some(more) => {
                out.push(close);
                rest = more;
            }
            None if after.trim_start().is_empty() || after.trim_start().starts_with(';') => return Ok((out, after)),
            None => return Err(FAULT),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values() {
        assert_eq!(value("a b ; c"), Ok(("a b".into(), " c")));
        assert_eq!(value("'a;b' ;c"), Ok(("a;b".into(), " ;c")));
        assert_eq!(value("\"a\"\"b\""), Ok(("a\"b".into(), "")));
        assert_eq!(value("{a;}}b};c"), Ok(("a;}b".into(), ";c")));
        assert!(value("'a").is_err() && value("'a'b").is_err());
    }

    #[test]
    fn npgsql_has_the_way_of_negotiation_in_any_case() {
        for value in ["Direct", "direct", "DIRECT"] {
            let parsed = parse(&format!("Host=a;SSL Negotiation={value}")).unwrap();
            assert_eq!(parsed.negotiation, Some(super::super::SslNegotiation::Direct), "{value}");
        }
        assert_eq!(parse("Host=a;SslNegotiation=none"), Err(TargetError::Negotiation));
    }

    #[test]
    fn which_texts_are_of_this_form() {
        for text in [
            "Server=a;Database=b",
            "User Id = u;Server=a",
            "Driver={PostgreSQL Unicode};Server=a",
            "host=a;port=1",
            "Pwd='a;b';Server=x",
        ] {
            assert!(is_ado(text), "{text}");
        }
        for text in ["host=a password=b;c", "host=a", "foo=a;b=c", "password='a;b' host=c"] {
            assert!(!is_ado(text), "{text}");
        }
    }
}
