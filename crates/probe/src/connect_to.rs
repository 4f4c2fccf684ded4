//! Connections to other hosts and ports than those of the targets, as `curl --connect-to` has it: for tunnels.
//!
//! The target keeps its name: the certificate is judged by it, and the ClientHello carries it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::future::BoxFuture;
use tokio::time::Instant;

use crate::dial::{Dial, Stream};

/// `NAME:PORT:HOST:PORT`: where to connect in place of a name and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    name: Option<String>,
    port: Option<u16>,
    to_host: Option<String>,
    to_port: Option<u16>,
}

/// Why a text is not a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected NAME:PORT:HOST:PORT, each of which may be empty; write an IPv6 address in brackets")]
pub struct RuleError;

impl Rule {
    /// Reads `NAME:PORT:HOST:PORT`. An empty name or port of the target stands for all; an empty host or port to
    /// connect to, for that of the target.
    ///
    /// # Errors
    ///
    /// [`RuleError`] when it is something else.
    pub fn parse(text: &str) -> Result<Self, RuleError> {
        let (name, rest) = host(text)?;
        let (port, rest) = rest.split_once(':').ok_or(RuleError)?;
        let (to_host, to_port) = host(rest)?;
        Ok(Self { name, port: number(port)?, to_host, to_port: number(to_port)? })
    }

    /// Whether the rule is for this host and port.
    #[must_use]
    pub fn matches(&self, host: &str, port: u16) -> bool {
        self.name.as_deref().is_none_or(|name| name.eq_ignore_ascii_case(host.trim_end_matches('.')))
            && self.port.is_none_or(|meant| meant == port)
    }

    /// The name and the port that it is for, with nothing in place of one that it leaves open.
    #[must_use]
    pub fn target(&self) -> String {
        let port = self.port.map(|port| port.to_string()).unwrap_or_default();
        format!("{}:{port}", self.name.as_deref().unwrap_or_default())
    }

    fn apply(&self, host: &str, port: u16) -> Option<(String, u16)> {
        self.matches(host, port)
            .then(|| (self.to_host.clone().unwrap_or_else(|| host.to_owned()), self.to_port.unwrap_or(port)))
    }
}

/// Takes a host up to the colon behind it.
fn host(text: &str) -> Result<(Option<String>, &str), RuleError> {
    let (host, rest) = match text.strip_prefix('[') {
        Some(bracketed) => {
            let (host, rest) = bracketed.split_once(']').ok_or(RuleError)?;
            (host, rest.strip_prefix(':').ok_or(RuleError)?)
        }
        None => text.split_once(':').ok_or(RuleError)?,
    };
    if host.contains(|c: char| c.is_whitespace() || c.is_control() || c == '/') {
        return Err(RuleError);
    }
    Ok(((!host.is_empty()).then(|| host.trim_end_matches('.').to_owned()), rest))
}

fn number(text: &str) -> Result<Option<u16>, RuleError> {
    match text {
        "" => Ok(None),
        digits => digits.parse().ok().filter(|port| *port != 0).map(Some).ok_or(RuleError),
    }
}

/// Connects by the first rule that fits, and otherwise as `inner` does.
#[derive(Debug)]
pub struct ConnectTo {
    /// Each with whether a target had it, be there an earlier one or not.
    rules: Vec<(Rule, AtomicBool)>,
    inner: Arc<dyn Dial>,
}

impl ConnectTo {
    /// Puts `rules` before `inner`.
    pub fn new(rules: Vec<Rule>, inner: Arc<dyn Dial>) -> Self {
        Self { rules: rules.into_iter().map(|rule| (rule, AtomicBool::new(false))).collect(), inner }
    }

    /// The positions of the rules that no target had up to now.
    pub fn unused(&self) -> impl Iterator<Item = usize> {
        let rules = self.rules.iter().enumerate();
        rules.filter(|(_, (_, used))| !used.load(Ordering::Relaxed)).map(|(index, _)| index)
    }
}

impl Dial for ConnectTo {
    fn instead_of(&self, host: &str, port: u16) -> Option<(String, u16)> {
        for (_, used) in self.rules.iter().filter(|(rule, _)| rule.matches(host, port)) {
            used.store(true, Ordering::Relaxed);
        }
        self.rules.iter().find_map(|(rule, _)| rule.apply(host, port))
    }

    fn resolves_at_far_end(&self) -> bool {
        self.inner.resolves_at_far_end()
    }

    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        self.inner.resolve(host, port)
    }

    fn services<'a>(&'a self, service: &'a str) -> BoxFuture<'a, io::Result<Vec<(String, u16)>>> {
        self.inner.services(service)
    }

    fn connect<'a>(&'a self, host: &'a str, address: SocketAddr) -> BoxFuture<'a, io::Result<Stream>> {
        self.inner.connect(host, address)
    }

    fn connect_by<'a>(
        &'a self,
        host: &'a str,
        address: SocketAddr,
        deadline: Instant,
    ) -> BoxFuture<'a, io::Result<Stream>> {
        self.inner.connect_by(host, address, deadline)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_as_curl_has_them() {
        let to = |rule: &str, host, port| Rule::parse(rule).unwrap().apply(host, port);
        let place = |host: &str, port| Some((host.to_owned(), port));
        assert_eq!(to("db.example:5432:127.0.0.1:15432", "DB.example.", 5432), place("127.0.0.1", 15432));
        assert_eq!(to("db.example:5432:127.0.0.1:15432", "db.example", 6432), None);
        assert_eq!(to("db.example:5432:127.0.0.1:15432", "other", 5432), None);
        assert_eq!(to("::bastion:", "any", 6432), place("bastion", 6432));
        assert_eq!(to(":6432::16432", "any", 6432), place("any", 16432));
        assert_eq!(to("[fd00::1]:1:[::1]:2", "fd00::1", 1), place("::1", 2));
    }

    #[test]
    fn what_is_no_rule() {
        for text in ["", "a", "a:1", "a:1:b", "a:x:b:1", "a:1:b:0", "a:1:b:2:3", "[::1:1:b:2", "a b:1:c:2"] {
            assert_eq!(Rule::parse(text), Err(RuleError), "{text}");
        }
    }
}
