//! One endpoint in the course of being probed: how it is reached, and how long that may take.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use crate::attempt::{Attempt, Reason};
use crate::connection::Connection;
use crate::dial::Stream;
use crate::options::Options;
use crate::report::SslRequestOutcome;
use crate::tls_client::TlsClient;
use crate::transcript::Recorder;

/// How TLS is begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opening {
    /// By `SSLRequest`.
    SslRequest,
    /// At once, with or without ALPN.
    Direct {
        /// Whether to name the protocol.
        alpn: bool,
    },
}

/// What all jobs of one endpoint share.
#[derive(Debug)]
pub(crate) struct Endpoint<'a> {
    pub(crate) options: &'a Options,
    pub(crate) tls: &'a TlsClient,
    pub(crate) address: SocketAddr,
    pub(crate) host: &'a str,
    pub(crate) permits: Arc<Semaphore>,
    pub(crate) deadline: Instant,
    pub(crate) recorder: Recorder,
}

impl Endpoint<'_> {
    /// Opens a connection, when its turn among those to the server has come. The name is for the transcript.
    ///
    /// Returns the time that the connection took with it: about one round trip.
    pub(crate) async fn connect(
        &self,
        name: impl FnOnce() -> String,
    ) -> Result<(Connection<Stream>, Duration), Reason> {
        let permit = match timeout_at(self.deadline, Arc::clone(&self.permits).acquire_owned()).await {
            Ok(Ok(permit)) if Instant::now() < self.deadline => permit,
            // The semaphore is never closed.
            _ => return Err(Reason::EndpointDeadline),
        };
        let pen = self.recorder.connection(name);
        let begin = Instant::now();
        let deadline = (begin + self.options.job_timeout).min(self.deadline);
        let connect_deadline = (begin + self.options.connect_timeout).min(deadline);
        match timeout_at(connect_deadline, self.options.dialer.connect(self.host, self.address)).await {
            Ok(Ok(stream)) => {
                let round_trip = begin.elapsed();
                pen.event("connected", || self.address.to_string());
                Ok((Connection::new(stream, deadline, pen, permit), round_trip))
            }
            Ok(Err(error)) => {
                pen.event("not connected", || error.kind().to_string());
                Err(match error.kind() {
                    ErrorKind::ConnectionRefused => Reason::ConnectionRefused,
                    kind => Reason::Connect(kind.to_string()),
                })
            }
            Err(_) => {
                pen.event("not connected", || "deadline passed".to_owned());
                Err(Reason::Timeout("connecting"))
            }
        }
    }

    /// Opens a connection on which a ClientHello may be sent next.
    pub(crate) async fn connect_for_tls(
        &self,
        opening: Opening,
        name: impl FnOnce() -> String,
    ) -> Result<Connection<Stream>, Reason> {
        let (mut wire, _) = self.connect(name).await?;
        if opening != Opening::SslRequest {
            return Ok(wire);
        }
        let negotiation = wire.negotiate().await;
        match negotiation.outcome {
            SslRequestOutcome::S if !negotiation.bytes_after => Ok(wire),
            SslRequestOutcome::S => Err(Reason::Protocol("bytes between S and the handshake".to_owned())),
            SslRequestOutcome::Closed => Err(Reason::Closed("waiting for the answer to SSLRequest")),
            SslRequestOutcome::Timeout => Err(Reason::Timeout("waiting for the answer to SSLRequest")),
            SslRequestOutcome::Reset => Err(Reason::Reset("waiting for the answer to SSLRequest")),
            SslRequestOutcome::N => Err(Reason::Pointless("the server offers no TLS")),
            SslRequestOutcome::E => Err(Reason::Pointless("the server answered SSLRequest by an error")),
            SslRequestOutcome::Garbage | SslRequestOutcome::NotSent => {
                Err(Reason::Protocol("the answer to SSLRequest is none".to_owned()))
            }
        }
    }

    /// The name to judge and to send: the host, or the address where the host cannot be a name in TLS.
    pub(crate) fn server_name(&self) -> ServerName<'static> {
        ServerName::try_from(self.host.to_owned()).unwrap_or_else(|_| ServerName::from(self.address.ip()))
    }

    /// The name for our own ClientHello: only host names are sent (RFC 6066 section 3; libpq does the same).
    pub(crate) fn sni(&self) -> Option<&str> {
        matches!(ServerName::try_from(self.host), Ok(ServerName::DnsName(_)))
            .then(|| self.host.strip_suffix('.').unwrap_or(self.host))
    }
}

/// The outcome of a job: one that its endpoint's deadline kept from beginning was not scheduled.
pub(crate) fn attempt<T>(result: Result<T, Reason>) -> Attempt<T> {
    match result {
        Ok(value) => Attempt::Completed(value),
        Err(reason @ (Reason::EndpointDeadline | Reason::Pointless(_) | Reason::NotAsked)) => {
            Attempt::NotScheduled(reason)
        }
        Err(reason) => Attempt::Failed(reason),
    }
}
