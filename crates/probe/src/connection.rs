//! One connection: bounded reads, a deadline for all of it, and a transcript.

use std::future::Future;
use std::time::Duration;

use hostssl_pgwire::backend::{Authentication, BackendMessage};
use hostssl_pgwire::error_response::ErrorResponse;
use hostssl_pgwire::frontend::{Replication, SSL_REQUEST, TERMINATE};
use hostssl_pgwire::negotiation::SslReply;
use hostssl_pgwire::scram::{self, ScramChallenge};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout_at};

use crate::attempt::AttemptFailure;
use crate::offer::Startup;
use crate::report::SslRequestOutcome;
use crate::startup_answer::StartupReply;
use crate::transcript::Pen;

/// The most bytes that are taken from a peer over one connection. Above the longest message and the longest TLS flight.
const MAX_RECEIVED: usize = 80 * 1024;

/// The most reads of one connection: a peer that sends single bytes is cut off here or by the deadline.
const MAX_READS: usize = 4096;

/// The most notices and negotiations that may come before the answer to a startup.
const MAX_PRELUDE: usize = 16;

/// The type byte of an authentication request (protocol section "Message Formats").
const AUTHENTICATION: u8 = b'R';

/// How long a close may take: one that the peer does not take part in is not waited for.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(200);

/// How long a server may take to begin a SCRAM exchange, which no verdict waits for.
const SALT_TIMEOUT: Duration = Duration::from_secs(1);

/// A connection in use.
#[derive(Debug)]
pub(crate) struct Connection<S> {
    pub(crate) stream: S,
    buffer: Vec<u8>,
    received: usize,
    reads: usize,
    pub(crate) deadline: Instant,
    pub(crate) pen: Pen,
    /// Counts the connection among those open to the server, as long as it lives.
    permit: OwnedSemaphorePermit,
}

/// The answer to `SSLRequest`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Negotiation {
    pub(crate) outcome: SslRequestOutcome,
    pub(crate) note: Option<String>,
    pub(crate) bytes_after: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    pub(crate) fn new(stream: S, deadline: Instant, pen: Pen, permit: OwnedSemaphorePermit) -> Self {
        Self { stream, buffer: Vec::new(), received: 0, reads: 0, deadline, pen, permit }
    }

    /// Puts another layer over the connection: `over` makes it of the stream, with what is to be known of it. Nothing
    /// may have been received that was not used. The error is `None` when the deadline passed.
    pub(crate) async fn layer<T, X, E, F>(
        self,
        over: impl FnOnce(S) -> F,
    ) -> Result<(Connection<T>, X), (Option<E>, Pen)>
    where
        F: Future<Output = Result<(T, X), E>>,
    {
        let Self { stream, deadline, pen, permit, .. } = self;
        match timeout_at(deadline, over(stream)).await {
            Ok(Ok((stream, known))) => {
                let wire = Connection { stream, buffer: Vec::new(), received: 0, reads: 0, deadline, pen, permit };
                Ok((wire, known))
            }
            Ok(Err(error)) => Err((Some(error), pen)),
            Err(_) => Err((None, pen)),
        }
    }

    pub(crate) async fn send(&mut self, bytes: &[u8], what: &'static str) -> Result<(), AttemptFailure> {
        let write = async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        };
        match timeout_at(self.deadline, write).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(AttemptFailure::from_io(&error, what)),
            Err(_) => Err(AttemptFailure::Timeout(what)),
        }
    }

    /// Reads once more into the buffer. What was received and is not a whole message is written down when no more comes.
    pub(crate) async fn receive(&mut self, what: &'static str) -> Result<(), AttemptFailure> {
        let result = self.receive_more(what).await;
        if let Err(reason) = &result {
            if !self.buffer.is_empty() {
                self.pen.received("incomplete message", || hostssl_pgwire::text::safe(&self.buffer));
            }
            match reason {
                AttemptFailure::Closed(_) => self.pen.event("closed by the peer", String::new),
                AttemptFailure::Timeout(what) => self.pen.event("deadline reached", || (*what).to_owned()),
                AttemptFailure::Protocol(_) => {}
                reason => self.pen.event("read failed", || reason.to_string()),
            }
        }
        result
    }

    async fn receive_more(&mut self, what: &'static str) -> Result<(), AttemptFailure> {
        if self.received >= MAX_RECEIVED || self.reads >= MAX_READS {
            return Err(AttemptFailure::Protocol("too many bytes without an answer".to_owned()));
        }
        let mut chunk = [0; 8192];
        let count = match timeout_at(self.deadline, self.stream.read(&mut chunk)).await {
            Ok(Ok(0)) => return Err(AttemptFailure::Closed(what)),
            Ok(Ok(count)) => count,
            Ok(Err(error)) => return Err(reason_of_read(&error, what)),
            Err(_) => return Err(AttemptFailure::Timeout(what)),
        };
        self.reads += 1;
        self.received += count;
        self.buffer.extend_from_slice(chunk.get(..count).unwrap_or_default());
        Ok(())
    }

    /// What was received and not used.
    pub(crate) fn buffer(&self) -> &[u8] {
        &self.buffer
    }

    fn consume(&mut self, count: usize) {
        self.buffer.drain(..count.min(self.buffer.len()));
    }

    /// Waits for `time` whether the peer says something unasked.
    pub(crate) async fn talks_first(&mut self, time: Duration) -> bool {
        let mut chunk = [0; 256];
        let end = (Instant::now() + time).min(self.deadline);
        match timeout_at(end, self.stream.read(&mut chunk)).await {
            Ok(Ok(count)) if count > 0 => {
                let bytes = chunk.get(..count).unwrap_or_default();
                self.pen.received("unsolicited bytes", || hostssl_pgwire::text::safe(bytes));
                self.buffer.extend_from_slice(bytes);
                true
            }
            // An end or an error will be met again by the next read.
            _ => false,
        }
    }

    /// Sends `SSLRequest` and reads the answer.
    pub(crate) async fn negotiate(&mut self) -> Negotiation {
        const WHAT: &str = "waiting for the answer to SSLRequest";
        let plain = |outcome| Negotiation { outcome, note: None, bytes_after: false };
        self.pen.sent("SSLRequest", String::new);
        let mut sent = self.send(&SSL_REQUEST, WHAT).await;
        loop {
            match SslReply::decode(&self.buffer) {
                Ok(Some(SslReply::Error)) => return self.negotiation_error().await,
                Ok(Some(reply)) => {
                    self.consume(1);
                    let bytes_after = !self.buffer.is_empty();
                    let (name, outcome) = match reply {
                        SslReply::Accepted => ("S", SslRequestOutcome::S),
                        // A banner that begins with this letter, not the one byte of a PostgreSQL.
                        _ if bytes_after => ("N and further bytes", SslRequestOutcome::Garbage),
                        _ => ("N", SslRequestOutcome::N),
                    };
                    self.pen.received(name, String::new);
                    if bytes_after {
                        self.pen.received("bytes after it", || hostssl_pgwire::text::safe(&self.buffer));
                    }
                    return Negotiation { bytes_after, ..plain(outcome) };
                }
                Ok(None) => {}
                Err(error) => {
                    self.pen.received("other bytes", || hostssl_pgwire::text::safe(&self.buffer));
                    return Negotiation { note: Some(error.to_string()), ..plain(SslRequestOutcome::Garbage) };
                }
            }
            if let Err(reason) = std::mem::replace(&mut sent, Ok(())).and(self.receive(WHAT).await) {
                let outcome = match reason {
                    AttemptFailure::Closed(_) => SslRequestOutcome::Closed,
                    AttemptFailure::Timeout(_) => SslRequestOutcome::Timeout,
                    AttemptFailure::Protocol(_) => SslRequestOutcome::Garbage,
                    _ => SslRequestOutcome::Reset,
                };
                return Negotiation { note: Some(reason.to_string()), ..plain(outcome) };
            }
        }
    }

    /// Reads the rest of an error that came in place of `S` or `N`. It is unauthenticated, and escaped like all text.
    async fn negotiation_error(&mut self) -> Negotiation {
        let what = "reading an error in answer to SSLRequest";
        let (outcome, note) = match self.message(what).await {
            Ok(BackendMessage::Error(error)) => (SslRequestOutcome::E, describe_error(&error)),
            Ok(_) => (SslRequestOutcome::Garbage, "not an error message".to_owned()),
            Err(reason @ AttemptFailure::Protocol(_)) => (SslRequestOutcome::Garbage, reason.to_string()),
            Err(reason) => (SslRequestOutcome::E, reason.to_string()),
        };
        Negotiation { outcome, note: Some(note), bytes_after: false }
    }

    /// Sends a startup and reads the first message that decides something.
    pub(crate) async fn startup(&mut self, startup: &Startup) -> Result<StartupReply, AttemptFailure> {
        let bytes = startup.message().encode().map_err(|error| AttemptFailure::Encode(error.to_string()))?;
        self.pen.sent("StartupMessage", || startup.describe());
        // A peer may have answered, by an alert for one, and closed before the write: read in any case.
        let sent = self.send(&bytes, "sending the startup").await;
        match self.startup_reply().await {
            Err(AttemptFailure::Closed(_) | AttemptFailure::Reset(_)) if sent.is_err() => {
                Err(sent.err().unwrap_or(AttemptFailure::Closed("sending the startup")))
            }
            reply => reply,
        }
    }

    /// Reads the first message after a startup that decides something.
    pub(crate) async fn startup_reply(&mut self) -> Result<StartupReply, AttemptFailure> {
        for count in 0..MAX_PRELUDE {
            let message = match self.message("waiting for the answer to the startup").await {
                // No request for a password is withdrawn: its first byte says that the transport was accepted.
                Err(reason) if reason.is_lost() && self.buffer.first() == Some(&AUTHENTICATION) => {
                    return Ok(StartupReply::AuthenticationBegun);
                }
                // A notice came, so the peer was not silent.
                Err(AttemptFailure::Closed(what) | AttemptFailure::Reset(what)) if count > 0 => {
                    return Err(AttemptFailure::ClosedWithin(what));
                }
                message => message?,
            };
            match message {
                BackendMessage::Authentication(request) => {
                    if request == Authentication::Ok {
                        // We are in. Leave at once, and as the protocol has it.
                        self.pen.sent("Terminate", String::new);
                        let _ = self.send(&TERMINATE, "leaving").await;
                    }
                    return Ok(StartupReply::Authentication(request));
                }
                BackendMessage::Error(error) => return Ok(StartupReply::Error(error)),
                _ => {}
            }
        }
        Err(AttemptFailure::Protocol("no answer among the first messages".to_owned()))
    }

    /// Begins the SCRAM exchange that was asked for, to see the salt that the server has for the user. What it says does
    /// not get into a transcript.
    pub(crate) async fn salt(&mut self, nonce: [u8; 18]) -> Option<ScramChallenge> {
        const WHAT: &str = "waiting for the salt";
        self.deadline = self.deadline.min(Instant::now() + SALT_TIMEOUT);
        self.pen.sent("SASLInitialResponse", String::new);
        self.send(&scram::initial_response(nonce), WHAT).await.ok()?;
        match self.message(WHAT).await.ok()? {
            BackendMessage::Authentication(Authentication::SaslContinue { data }) => {
                ScramChallenge::decode(&data, nonce)
            }
            _ => None,
        }
    }

    async fn message(&mut self, what: &'static str) -> Result<BackendMessage, AttemptFailure> {
        loop {
            match BackendMessage::decode_startup_reply(&self.buffer) {
                Ok(Some((message, used))) => {
                    self.consume(used);
                    self.pen.received(message.name(), || describe_message(&message));
                    return Ok(message);
                }
                Ok(None) => self.receive(what).await.map_err(|reason| match reason {
                    AttemptFailure::Closed(what) | AttemptFailure::Reset(what) if !self.buffer.is_empty() => {
                        AttemptFailure::ClosedWithin(what)
                    }
                    reason => reason,
                })?,
                Err(error) => {
                    self.pen.received("other bytes", || hostssl_pgwire::text::safe(&self.buffer));
                    return Err(AttemptFailure::Protocol(error.to_string()));
                }
            }
        }
    }

    /// Closes the connection in both directions as its layers want it.
    pub(crate) async fn close(mut self) {
        self.pen.event("closed", String::new);
        let _ = timeout_at(Instant::now() + CLOSE_TIMEOUT, self.stream.shutdown()).await;
    }
}

/// The reason for a failed read, in which a TLS alert may be wrapped.
fn reason_of_read(error: &std::io::Error, what: &'static str) -> AttemptFailure {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match tls {
        // RFC 8446 section 4.4.2.4 and appendix E: in TLS 1.3 the server's demand comes after our side is done.
        Some(rustls::Error::AlertReceived(rustls::AlertDescription::CertificateRequired)) => {
            AttemptFailure::ClientCertificate
        }
        Some(error) => AttemptFailure::Handshake(error.to_string()),
        None => AttemptFailure::from_io(error, what),
    }
}

fn describe_message(message: &BackendMessage) -> String {
    match message {
        BackendMessage::Authentication(request) => request.name(),
        BackendMessage::Error(error) | BackendMessage::Notice(error) => describe_error(error),
        BackendMessage::NegotiateProtocolVersion { minor, .. } => format!("3.{minor}"),
        _ => String::new(),
    }
}

fn describe_error(error: &ErrorResponse) -> String {
    let parts = [&error.severity, &error.code, &error.message, &error.detail, &error.routine];
    let parts: Vec<_> = parts.into_iter().flatten().map(|part| hostssl_pgwire::text::safe_str(part)).collect();
    parts.join(" | ")
}

/// Whether a startup asks for replication, for the name of its connection.
pub(crate) fn connection_name(transport: &str, startup: &Startup) -> String {
    let mark = if startup.replication == Replication::None { "" } else { " replication" };
    let database = startup.database.as_deref().map(|name| format!("/{name}")).unwrap_or_default();
    format!("{transport}{mark} {}{database}", startup.user)
}
