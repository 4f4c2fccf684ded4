//! Connection strings of keywords and values (libpq, section "Keyword/Value Connection Strings"; conninfo_parse in
//! fe-connect.c).

use super::TargetError;
use super::connection_parameters::Parameters;
use super::keywords::check_libpq;

pub(super) fn parse(text: &str) -> Result<Parameters, TargetError> {
    let mut parameters = Parameters::default();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (keyword, after) = rest.split_once('=').ok_or(TargetError::Syntax("a keyword has no value"))?;
        let keyword = keyword.trim_end();
        if keyword.is_empty() || keyword.contains(char::is_whitespace) {
            return Err(TargetError::Syntax("a keyword has no value"));
        }
        let (value, after) = value(after.trim_start())?;
        check_libpq(keyword)?;
        parameters.set(keyword, value)?;
        rest = after.trim_start();
    }
    Ok(parameters)
}

/// Reads a value, quoted or not, in which a backslash takes the next character as it is.
fn value(text: &str) -> Result<(String, &str), TargetError> {
    let (quoted, text) = match text.strip_prefix('\'') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let mut out = String::new();
    let mut characters = text.chars();
    loop {
        let rest = characters.as_str();
        match characters.next() {
            None if quoted => return Err(TargetError::Syntax("a quote is not closed")),
            None => return Ok((out, rest)),
            Some('\'') if quoted => return Ok((out, characters.as_str())),
            Some(c) if !quoted && c.is_whitespace() => return Ok((out, rest)),
            Some('\\') => out.extend(characters.next()),
            Some(c) => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values() {
        assert_eq!(value("a b"), Ok(("a".into(), " b")));
        assert_eq!(value("'a b' c"), Ok(("a b".into(), " c")));
        assert_eq!(value(r"a\ b\\ c"), Ok((r"a b\".into(), " c")));
        assert_eq!(value("''"), Ok((String::new(), "")));
        assert!(value("'a").is_err());
    }

    #[test]
    fn faults() {
        assert!(parse("host").is_err());
        assert!(parse("host port=1").is_err());
        assert!(parse("=x").is_err());
    }
}
