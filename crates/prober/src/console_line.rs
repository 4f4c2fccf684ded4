//! The prober's side of the talk with the console.

use crate::pinned_tls::{StrangerKey, client_config};
use crate::prober_key::{KeyPin, ProberKey};
use hostssl_formats::prober_json::{InvalidProberJson, MAX_BODY, ProberReply, ProberRequest};
use hostssl_model::{Advice, Fault, Hint};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, StatusCode, Url};
use std::error::Error;
use std::io;
use std::sync::PoisonError;
use std::time::Duration;

/// Where the console answers probers, whatever they say.
pub const PROBER_PATH: &str = "/prober/v1";

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(10);
/// How long a connection is kept for the next request: the console ends it soon after.
const IDLE: Duration = Duration::from_secs(5);
/// How long an answer may take: the console makes a list of targets in less, and ends a wait after 30 seconds.
const ANSWER: Duration = Duration::from_secs(90);

/// The console did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum ConsoleError {
    /// Another key answers in its place.
    #[error("what answers at {url} is not the console: its key has the SHA-256 {found}, and the console's is {pin}")]
    Stranger {
        /// The address.
        url: Box<str>,
        /// The key that answers.
        found: KeyPin,
        /// The console's.
        pin: KeyPin,
    },
    /// What answers speaks no TLS, or another TLS than the console.
    #[error("what answers at {0} is not the console: {1}")]
    OtherTls(Box<str>, String),
    /// It cannot be reached.
    #[error("the console at {0} cannot be reached: {1}")]
    Unreachable(Box<str>, String),
    /// The same, where a proxy may be in between.
    #[error("the console at {0} cannot be reached by way of the proxy of HTTPS_PROXY: {1}")]
    UnreachableByProxy(Box<str>, String),
    /// It refused.
    #[error("the console refused: {what}")]
    Refused {
        /// The status of its answer.
        status: u16,
        /// What is wrong.
        what: String,
        /// What to do.
        hint: String,
    },
    /// Its answer is none.
    #[error("the answer of the console cannot be understood: {0}")]
    Odd(String),
}

impl Advice for ConsoleError {
    fn advice(&self) -> Hint {
        Hint::from(match self {
            Self::Stranger { .. } => {
                "a device on the path terminates TLS, such as a proxy that inspects it or a balancer with its own certificate: exempt \
                 this connection; if the console's key was replaced, enrol again"
            }
            Self::OtherTls(..) => {
                "a device on the path terminates TLS, such as a proxy that inspects it, or the port is another one: exempt this \
                 connection, and name the port of --prober-listen"
            }
            Self::UnreachableByProxy(..) => {
                "check that this proxy is reached and lets connections to the console pass, or name the console in NO_PROXY; \
                 check that `hostssl serve --zones FILE --prober-listen 0.0.0.0:8444` runs"
            }
            Self::Unreachable(..) => {
                "check that `hostssl serve --zones FILE --prober-listen 0.0.0.0:8444` runs, and that its port is reached from here"
            }
            // It comes from outside: what looks like a command in it is none.
            Self::Refused { hint, .. } => return Hint::text(hint),
            Self::Odd(_) => "check that console and prober are of versions that understand each other",
        })
    }

    fn fault(&self) -> Fault {
        Fault::Environment
    }
}

impl ConsoleError {
    /// Whether no later try can do better: the console knows the prober, or will not.
    pub(crate) fn is_final(&self) -> bool {
        matches!(self, Self::Refused { status: 401 | 403, .. })
    }

    /// Whether what was sent is at fault, so that it would be refused again.
    pub(crate) fn is_of_message(&self) -> bool {
        matches!(self, Self::Refused { status: 400 | 413 | 422, .. })
    }
}

/// The console, as a prober reaches it.
pub(crate) struct ConsoleLine {
    client: Client,
    url: Url,
    pin: KeyPin,
    stranger: StrangerKey,
}

impl ConsoleLine {
    pub(crate) fn new(key: &ProberKey, url: Url, pin: KeyPin) -> Result<Self, ConsoleError> {
        let odd = |error: &dyn Error| ConsoleError::Odd(error.to_string());
        let (config, stranger) = client_config(key, pin).map_err(|error| odd(&error))?;
        let client = Client::builder()
            .tls_backend_preconfigured(config)
            .connect_timeout(CONNECT)
            .pool_idle_timeout(IDLE)
            .timeout(ANSWER)
            .redirect(reqwest::redirect::Policy::none())
            .https_only(true)
            .build()
            .map_err(|error| odd(&error))?;
        Ok(Self { client, url, pin, stranger })
    }

    /// Asks, and reads the answer.
    pub(crate) async fn ask(&self, request: &ProberRequest) -> Result<ProberReply, ConsoleError> {
        let value = request.value().map_err(|error| ConsoleError::Odd(error.to_string()))?;
        self.send(value.to_string().into_bytes()).await
    }

    /// Sends a request that was written before.
    pub(crate) async fn send(&self, body: Vec<u8>) -> Result<ProberReply, ConsoleError> {
        // What answered before is not what answers now.
        self.stranger.lock().unwrap_or_else(PoisonError::into_inner).take();
        let mut url = self.url.clone();
        url.set_path(PROBER_PATH);
        let request = self.client.post(url).header(CONTENT_TYPE, "application/json").body(body);
        let mut answer = request.send().await.map_err(|error| self.failed(&error))?;
        let status = answer.status();
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| self.failed(&error))? {
            if bytes.len() + chunk.len() > MAX_BODY {
                return Err(ConsoleError::Odd("it is larger than 8 MiB".to_owned()));
            }
            bytes.extend_from_slice(&chunk);
        }
        reply(status, &bytes)
    }

    fn failed(&self, error: &reqwest::Error) -> ConsoleError {
        let stranger = *self.stranger.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = stranger {
            return ConsoleError::Stranger { url: self.url.as_str().into(), found, pin: self.pin };
        }
        // The outermost says no more than that a request failed.
        let (mut cause, mut is_tls): (&dyn Error, bool) = (error, false);
        while let Some(source) = cause.source() {
            cause = source;
            is_tls |= is_of_tls(source);
        }
        let (url, cause) = (self.url.as_str().into(), cause.to_string());
        if is_tls {
            ConsoleError::OtherTls(url, cause)
        } else if has_proxy() {
            ConsoleError::UnreachableByProxy(url, cause)
        } else {
            ConsoleError::Unreachable(url, cause)
        }
    }
}

fn is_of_tls(error: &(dyn Error + 'static)) -> bool {
    // An error of the operating system's kind does not name what it holds as its source; it may hold another of these.
    let held = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    error.is::<rustls::Error>() || held.is_some_and(|held| is_of_tls(held))
}

/// Whether a proxy is named; for which hosts it is not used is not looked at.
fn has_proxy() -> bool {
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"].into_iter().any(is_set)
}

fn reply(status: StatusCode, bytes: &[u8]) -> Result<ProberReply, ConsoleError> {
    let odd = |error: InvalidProberJson| ConsoleError::Odd(format!("status {status}, {error}"));
    match ProberReply::read(bytes).map_err(odd)? {
        ProberReply::Refused { what, hint } => Err(ConsoleError::Refused { status: status.as_u16(), what, hint }),
        reply if status.is_success() => Ok(reply),
        _ => Err(ConsoleError::Odd(format!("status {status}"))),
    }
}
