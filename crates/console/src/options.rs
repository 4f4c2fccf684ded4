//! What `hostssl serve` may be told.

use crate::trouble::Trouble;
use crate::user_role::Role;
use crate::waivers::WaiverSource;
use crate::zones::ZoneSource;
use futures::future::{BoxFuture, LocalBoxFuture};
use hostssl_model::Scope;
use hostssl_ops::Profile;
use hostssl_ops::StopSignal;
use hostssl_ops::{ListenerProbe, Tenant};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Signs in, every time anew: a token that ran out in between is none of the pages' concern. Ends with its signal.
pub type Connect = Arc<dyn Fn(StopSignal) -> LocalBoxFuture<'static, Result<Vec<Tenant>, Trouble>> + Send + Sync>;

/// How to serve the console.
#[derive(Debug, Clone)]
pub struct ConsoleOptions {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Names, beside the address, under which browsers reach it; any other name in a request is refused.
    pub hosts: Vec<String>,
    /// The certificate and key of the console itself; without them it speaks http.
    pub tls: Option<TlsFiles>,
    /// The one address under which browsers reach it, when something in front of it has another than the console itself.
    pub public: Option<PublicUrl>,
    /// Who signs people in, when that is a proxy in front.
    pub proxies: Option<Proxies>,
    /// For whom to make sign-in links at the start: names and roles. Without any, there is one link, for someone who has no
    /// name and may do everything.
    pub people: Vec<(String, Role)>,
    /// Whether servers may be changed from here.
    pub allow_changes: bool,
    /// How many people have to approve a plan before it is applied. From two on, its author is none of them; with one, applying
    /// it approves it.
    pub approvals: u32,
    /// Whether `/metrics` answers, to whomever may connect.
    pub metrics: bool,
    /// Whether plans that make a server less strict are refused. Undoing a run stays possible.
    pub no_loosening: bool,
    /// Where audits that are started here look.
    pub scope: Scope,
    /// By which rules they judge.
    pub profile: Profile,
    /// How to probe, when audits may.
    pub wire: Option<WireLook>,
    /// From where servers are probed that are not reached from here, when that is known.
    pub zones: Option<ZoneSource>,
    /// The failures that were accepted for a time, when there is a file of them.
    pub waivers: Option<WaiverSource>,
    /// When an audit that is started here is ended, with a report of what was seen.
    pub deadline: Duration,
    /// The greatest age of what a plan rests on when it is applied.
    pub max_plan_age: Duration,
    /// How many audits to keep; all when `None`.
    pub retain: Option<u32>,
    /// The longest time from the beginning of one audit to that of the next, where someone relies on it.
    pub audit_every: Option<Duration>,
    /// What goes on before there is anything to show; `None` in it, or no signal at all, when that is done.
    pub preparation: Option<watch::Receiver<Option<Preparation>>>,
    /// What to say on every page when this is a simulation.
    pub simulated: Option<ShownSimulation>,
    /// The version of the program.
    pub version: String,
}

impl ConsoleOptions {
    #[cfg(test)]
    pub(crate) fn for_tests() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            hosts: Vec::new(),
            tls: None,
            public: None,
            proxies: None,
            people: Vec::new(),
            allow_changes: false,
            approvals: 1,
            metrics: false,
            no_loosening: false,
            scope: Scope::default(),
            wire: None,
            zones: None,
            waivers: None,
            profile: Profile::find("baseline").unwrap(),
            deadline: Duration::from_secs(1),
            max_plan_age: Duration::from_secs(3600),
            retain: None,
            audit_every: None,
            preparation: None,
            simulated: None,
            version: String::new(),
        }
    }

    /// Whether browsers speak TLS, with the console itself or with what is in front of it.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.public.as_ref().map_or(self.tls.is_some(), |public| public.tls)
    }
}

/// Scheme, name and port of the address in the browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl {
    /// Whether it is `https`.
    pub tls: bool,
    /// The name, and the port where it is not the scheme's own: what a browser says in `Host`.
    pub authority: String,
}

impl PublicUrl {
    fn default_port(&self) -> u16 {
        if self.tls { 443 } else { 80 }
    }

    /// Its port.
    pub(crate) fn port(&self) -> u16 {
        let named =
            self.authority.parse::<axum::http::uri::Authority>().ok().and_then(|authority| authority.port_u16());
        named.unwrap_or_else(|| self.default_port())
    }

    /// Whether this is its name and port; browsers leave the scheme's own port out, proxies may not.
    pub(crate) fn is(&self, other: &axum::http::uri::Authority) -> bool {
        let other = match other.port_u16() {
            Some(port) if port != self.default_port() => other.as_str(),
            _ => other.host(),
        };
        self.authority.eq_ignore_ascii_case(other)
    }
}

impl std::str::FromStr for PublicUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WRONG: &str = "a scheme, a name and perhaps a port, and no path, such as https://console.example";
        let url: axum::http::Uri = text.parse().map_err(|_| WRONG)?;
        let tls = match url.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(WRONG),
        };
        let authority = url.authority().filter(|authority| !authority.as_str().contains('@')).ok_or(WRONG)?;
        if !matches!(url.path(), "" | "/") || url.query().is_some() || authority.host().is_empty() {
            return Err(WRONG);
        }
        let default = if tls { 443 } else { 80 };
        let authority = match authority.port() {
            None => authority.host().to_ascii_lowercase(),
            Some(port) if port.as_u16() == default => authority.host().to_ascii_lowercase(),
            Some(port) => format!("{}:{}", authority.host().to_ascii_lowercase(), port.as_u16()),
        };
        Ok(Self { tls, authority })
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", if self.tls { "https" } else { "http" }, self.authority)
    }
}

/// The probe of audits that are started here.
#[derive(Clone)]
pub struct WireLook {
    /// By which rules audits judge that look.
    pub profile: Profile,
    /// Makes the probe of one audit, which ends with its signal.
    pub probe: Arc<dyn Fn(StopSignal) -> Result<ListenerProbe, Trouble> + Send + Sync>,
    /// Writes down the exchange with one listener, message by message; without it there is none to show.
    pub exchange: Option<TakeExchange>,
}

/// Asks one listener, by its host's name and port, and writes down what was said, one exchange for each address.
pub type TakeExchange = Arc<dyn Fn(String, u16) -> BoxFuture<'static, Vec<Exchange>> + Send + Sync>;

/// What was said to a listener and what it answered.
#[derive(Debug, Clone, Default)]
pub struct Exchange {
    /// The port.
    pub port: u16,
    /// The address, when one was found.
    pub address: Option<String>,
    /// The verdict's word, and why.
    pub verdict: String,
    /// The messages, in the order of time.
    pub messages: Vec<TranscriptMessage>,
}

/// One message, or something that happened to a connection.
#[derive(Debug, Clone)]
pub struct TranscriptMessage {
    /// Microseconds since the exchange began.
    pub micros: u64,
    /// The connection, by the question that it asks.
    pub connection: String,
    /// Whether it was `sent`, `received`, or is an `event`.
    pub direction: &'static str,
    /// The message by its name in the protocol.
    pub name: String,
    /// What it says, with whatever is not text escaped.
    pub text: String,
}

impl fmt::Debug for WireLook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WireLook").field("profile", &self.profile).finish_non_exhaustive()
    }
}

/// The files of the console's own certificate.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// The chain in PEM, the leaf first.
    pub certificate: PathBuf,
    /// The private key in PEM.
    pub key: PathBuf,
}

/// A proxy in front that signs people in and says who they are.
#[derive(Debug, Clone)]
pub struct Proxies {
    /// The header with the person's name, in lower case.
    pub header: String,
    /// The addresses that may say so. The header of anyone else is not looked at.
    pub addresses: Vec<IpAddr>,
    /// Where the proxy says what the person may do; without it, everything.
    pub roles: Option<RoleHeader>,
}

/// Where a proxy says what a person may do.
#[derive(Debug, Clone)]
pub struct RoleHeader {
    /// The header with the person's groups, separated by commas, in lower case.
    pub header: String,
    /// The groups that have a role. Without any, the words `viewer`, `planner` and `approver` are the groups.
    pub grants: Vec<(String, Role)>,
}

impl RoleHeader {
    /// The role of a group.
    pub(crate) fn role_of(&self, group: &str) -> Option<Role> {
        if self.grants.is_empty() {
            return group.parse().ok();
        }
        self.grants.iter().filter(|(name, _)| name == group).map(|(_, role)| *role).max()
    }
}

/// How far the work is that goes on before there is anything to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preparation {
    /// What is being done, such as `Making a past`.
    pub what: &'static str,
    /// Steps that are done.
    pub done: usize,
    /// Of how many.
    pub of: usize,
}

/// The simulation that is shown.
#[derive(Debug, Clone)]
pub struct ShownSimulation {
    /// The scenario.
    pub scenario: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_address_is_scheme_name_and_port() {
        for (text, told) in [
            ("https://Console.Example", "https://console.example"),
            ("https://console.example:443/", "https://console.example"),
            ("https://console.example:8443", "https://console.example:8443"),
            ("http://[2001:db8::1]:80", "http://[2001:db8::1]"),
        ] {
            assert_eq!(text.parse::<PublicUrl>().unwrap().to_string(), told);
        }
        for (text, port) in [("https://a", 443), ("http://a", 80), ("https://a:8443", 8443), ("http://[::1]:81", 81)] {
            assert_eq!(text.parse::<PublicUrl>().unwrap().port(), port);
        }
        for text in
            ["console.example", "ftp://console.example", "https://console.example/path", "https://a@b", "https://", ""]
        {
            assert!(text.parse::<PublicUrl>().is_err(), "{text}");
        }
    }
}
