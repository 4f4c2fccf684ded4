//! The join string: where the console is, what its key is, and the secret that lets one prober in.

use crate::prober_key::KeyPin;
use hostssl_model::hex;
use reqwest::Url;
use std::fmt;
use std::str::FromStr;

/// Where the console is, what its key is, and a secret that counts once: `https://console.example:8444#sha256:PIN:SECRET`.
#[derive(Clone, PartialEq, Eq)]
pub struct JoinString {
    /// The address of the console's port for probers, without anything behind the port.
    pub url: Url,
    /// The pin of the console's key.
    pub pin: KeyPin,
    /// The secret.
    pub secret: String,
}

/// A text is not a valid join string.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "this is not a valid join string: `hostssl zones enrol ZONE --url URL` prints one, such as https://console.example:8444#sha256:…"
)]
pub struct InvalidJoin;

/// The address of a console's port for probers: `https`, a host and perhaps a port, and nothing else.
pub(crate) fn console_url(text: &str) -> Result<Url, InvalidJoin> {
    let url = Url::parse(text).map_err(|_| InvalidJoin)?;
    let is_bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    let is_plain = url.username().is_empty() && url.password().is_none();
    if url.scheme() == "https" && url.has_host() && is_bare && is_plain { Ok(url) } else { Err(InvalidJoin) }
}

impl JoinString {
    /// A join string with a new secret, for the console at `url` whose key has this pin.
    ///
    /// # Errors
    ///
    /// [`InvalidJoin`] when the address is none of a console; or nothing, where the system has no random bytes.
    pub fn new(url: &str, pin: KeyPin) -> Result<Option<Self>, InvalidJoin> {
        let url = console_url(url)?;
        let mut bytes = [0; 32];
        if getrandom::fill(&mut bytes).is_err() {
            return Ok(None);
        }
        let secret = hex(&bytes);
        Ok(Some(Self { url, pin, secret }))
    }

    /// What the console keeps of the secret.
    #[must_use]
    pub fn secret_sha256(&self) -> String {
        hash_of_secret(&self.secret)
    }
}

/// What the console keeps of a secret: it has 256 random bits, so that no slower hash is needed.
#[must_use]
pub fn hash_of_secret(secret: &str) -> String {
    KeyPin::of(secret.as_bytes()).to_string()
}

impl fmt::Display for JoinString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#sha256:{}:{}", self.url.as_str().trim_end_matches('/'), self.pin, self.secret)
    }
}

/// Without the secret.
impl fmt::Debug for JoinString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinString").field("url", &self.url.as_str()).field("pin", &self.pin).finish_non_exhaustive()
    }
}

impl FromStr for JoinString {
    type Err = InvalidJoin;

    fn from_str(text: &str) -> Result<Self, InvalidJoin> {
        let (url, rest) = text.trim().split_once("#sha256:").ok_or(InvalidJoin)?;
        let (pin, secret) = rest.split_once(':').ok_or(InvalidJoin)?;
        if secret.len() != 64 || !secret.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(InvalidJoin);
        }
        Ok(Self { url: console_url(url)?, pin: pin.parse().map_err(|()| InvalidJoin)?, secret: secret.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_join_string_is_read_as_it_was_printed_and_shows_no_secret() {
        let join = JoinString::new("https://console.example:8444", KeyPin::of(b"key")).unwrap().unwrap();
        assert_eq!(join.to_string().parse(), Ok(join.clone()));
        assert!(!format!("{join:?}").contains(&join.secret));
        assert_ne!(join.secret_sha256(), join.secret);
    }

    #[test]
    fn what_is_no_join_string() {
        let (pin, secret) = ("a".repeat(64), "b".repeat(64));
        for text in [
            String::new(),
            format!("http://a#sha256:{pin}:{secret}"),
            format!("https://a/path#sha256:{pin}:{secret}"),
            format!("https://u:p@a#sha256:{pin}:{secret}"),
            format!("https://a?q#sha256:{pin}:{secret}"),
            format!("https://a#sha256:{pin}:short"),
            format!("https://a#sha256:short:{secret}"),
            format!("https://a#{pin}:{secret}"),
        ] {
            assert_eq!(text.parse::<JoinString>(), Err(InvalidJoin), "{text}");
        }
    }
}
