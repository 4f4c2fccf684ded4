//! One endpoint in the course of being probed: how it is reached, and how long that may take.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use crate::attempt::{Attempt, AttemptFailure};
use crate::connection::Connection;
use crate::dial::Stream;
use crate::identity::Identity;
use crate::options::ProbeOptions;
use crate::report::SslRequestOutcome;
use crate::tls_client::TlsClient;
use crate::transcript::TranscriptRecorder;

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
    pub(crate) options: &'a ProbeOptions,
    pub(crate) tls: &'a TlsClient,
    /// Where to connect. Unspecified where the name is resolved elsewhere.
    pub(crate) address: SocketAddr,
    /// The name that belongs to it.
    pub(crate) dialled: &'a str,
    /// The name of the target, by which the server is judged.
    pub(crate) host: &'a str,
    pub(crate) permits: Arc<Semaphore>,
    pub(crate) turn: EndpointTurn,
    pub(crate) recorder: TranscriptRecorder,
    pub(crate) told: SharedFacts,
}

/// When the conversation with an endpoint may begin, and when it must be over.
///
/// To connect takes no place among the conversations: a thousand hosts that do not answer are waited for side by side.
/// The clock of the endpoint starts anew when the first connection has its place.
#[derive(Debug)]
pub(crate) struct EndpointTurn {
    places: Arc<Semaphore>,
    place: OnceCell<(OwnedSemaphorePermit, Instant)>,
    created: Instant,
    time: Duration,
}

impl EndpointTurn {
    /// A turn among `places`, for `time` from when it comes.
    pub(crate) fn new(places: Arc<Semaphore>, time: Duration) -> Self {
        Self { places, place: OnceCell::new(), created: Instant::now(), time }
    }

    /// Waits for the place. Later connections of the endpoint have it already.
    async fn take(&self) {
        let place = async {
            match Arc::clone(&self.places).acquire_owned().await {
                Ok(place) => Ok((place, Instant::now())),
                // The semaphore is never closed.
                Err(_) => Err(()),
            }
        };
        let _ = self.place.get_or_try_init(|| place).await;
    }

    /// When all questions to the endpoint must be answered.
    pub(crate) fn deadline(&self) -> Instant {
        self.place.get().map_or(self.created, |(_, since)| *since) + self.time
    }
}

/// What the jobs of one endpoint share.
#[derive(Debug, Default)]
pub(crate) struct SharedFacts {
    identity: Mutex<Identity>,
    no_alpn: AtomicBool,
}

impl Endpoint<'_> {
    /// Adds to what is known of the servers behind the address.
    pub(crate) fn note(&self, add: impl FnOnce(&mut Identity)) {
        add(&mut self.told.identity.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// What is known of the servers behind the address.
    pub(crate) fn identity(&self) -> Identity {
        self.told.identity.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether to offer the protocol `postgresql` in handshakes.
    pub(crate) fn offers_alpn(&self) -> bool {
        !self.told.no_alpn.load(Ordering::Relaxed)
    }

    /// Offers it no more.
    pub(crate) fn stop_offering_alpn(&self) {
        self.told.no_alpn.store(true, Ordering::Relaxed);
    }

    /// Opens a connection, when its turn among those to the server has come. The name is for the transcript.
    ///
    /// Returns the time that the connection took with it: about one round trip.
    pub(crate) async fn connect(
        &self,
        name: impl FnOnce() -> String,
    ) -> Result<(Connection<Stream>, Duration), AttemptFailure> {
        let permit = match timeout_at(self.turn.deadline(), Arc::clone(&self.permits).acquire_owned()).await {
            Ok(Ok(permit)) if Instant::now() < self.turn.deadline() => permit,
            // The semaphore is never closed.
            _ => return Err(AttemptFailure::EndpointDeadline),
        };
        let pen = self.recorder.connection(name);
        let begin = Instant::now();
        let connect_deadline = (begin + self.options.connect_timeout).min(self.turn.deadline());
        match timeout_at(connect_deadline, self.options.dialer.connect_by(self.dialled, self.address, connect_deadline))
            .await
        {
            Ok(Ok(stream)) => {
                let round_trip = begin.elapsed();
                pen.event("connected", || self.place());
                self.turn.take().await;
                let deadline = (Instant::now() + self.options.job_timeout).min(self.turn.deadline());
                Ok((Connection::new(stream, deadline, pen, permit), round_trip))
            }
            Ok(Err(error)) => {
                // An error of our own says more than its kind: what a proxy answered.
                let what = if error.get_ref().is_some() { error.to_string() } else { error.kind().to_string() };
                pen.event("not connected", || what.clone());
                Err(match error.kind() {
                    ErrorKind::ConnectionRefused => AttemptFailure::ConnectionRefused,
                    _ => AttemptFailure::Connect(what),
                })
            }
            Err(_) => {
                pen.event("not connected", || "deadline reached".to_owned());
                Err(AttemptFailure::Timeout("connecting"))
            }
        }
    }

    /// Opens a connection on which a ClientHello may be sent next.
    pub(crate) async fn connect_for_tls(
        &self,
        opening: Opening,
        name: impl FnOnce() -> String,
    ) -> Result<Connection<Stream>, AttemptFailure> {
        let (mut wire, _) = self.connect(name).await?;
        if opening != Opening::SslRequest {
            return Ok(wire);
        }
        let negotiation = wire.negotiate().await;
        self.note(|identity| identity.ssl_request(negotiation.outcome));
        match negotiation.outcome {
            SslRequestOutcome::S if !negotiation.bytes_after => Ok(wire),
            SslRequestOutcome::S => Err(AttemptFailure::Protocol("bytes between S and the handshake".to_owned())),
            SslRequestOutcome::Closed => Err(AttemptFailure::Closed("waiting for the answer to SSLRequest")),
            SslRequestOutcome::Timeout => Err(AttemptFailure::Timeout("waiting for the answer to SSLRequest")),
            SslRequestOutcome::Reset => Err(AttemptFailure::Reset("waiting for the answer to SSLRequest")),
            SslRequestOutcome::N => Err(AttemptFailure::Pointless("the server offers no TLS")),
            SslRequestOutcome::E => Err(AttemptFailure::Pointless("the server answered SSLRequest with an error")),
            SslRequestOutcome::Garbage | SslRequestOutcome::NotSent => {
                Err(AttemptFailure::Protocol("the answer to SSLRequest is neither S nor N".to_owned()))
            }
        }
    }

    /// Where connections go, for transcripts.
    fn place(&self) -> String {
        if self.address.ip().is_unspecified() {
            format!("{}:{}", self.dialled, self.address.port())
        } else {
            self.address.to_string()
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
pub(crate) fn attempt<T>(result: Result<T, AttemptFailure>) -> Attempt<T> {
    match result {
        Ok(value) => Attempt::Completed(value),
        Err(reason @ (AttemptFailure::EndpointDeadline | AttemptFailure::Pointless(_) | AttemptFailure::NotAsked)) => {
            Attempt::NotScheduled(reason)
        }
        Err(reason) => Attempt::Failed(reason),
    }
}
