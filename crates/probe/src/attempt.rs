//! The result of one job of a probe.

use std::fmt;

/// What became of one job. An observation that was not made is not an observation of absence, so there is no default
/// and no way to read a failed attempt as a negative.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attempt<T> {
    /// The job ran to its end; what it saw may still be a refusal.
    Completed(T),
    /// The job was begun and had no result.
    Failed(AttemptFailure),
    /// The job was not begun.
    NotScheduled(AttemptFailure),
}

impl<T> Attempt<T> {
    /// What was seen, if the job completed.
    #[must_use]
    pub fn completed(&self) -> Option<&T> {
        match self {
            Self::Completed(value) => Some(value),
            Self::Failed(_) | Self::NotScheduled(_) => None,
        }
    }

    /// Why nothing was seen.
    #[must_use]
    pub fn reason(&self) -> Option<&AttemptFailure> {
        match self {
            Self::Completed(_) => None,
            Self::Failed(reason) | Self::NotScheduled(reason) => Some(reason),
        }
    }

    /// Applies `f` to what was seen.
    #[must_use]
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Attempt<U> {
        match self {
            Self::Completed(value) => Attempt::Completed(f(value)),
            Self::Failed(reason) => Attempt::Failed(reason),
            Self::NotScheduled(reason) => Attempt::NotScheduled(reason),
        }
    }
}

/// Why a job had no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AttemptFailure {
    /// The name has no address.
    #[error("the name does not resolve: {0}")]
    Resolve(String),
    /// Nothing listens there.
    #[error("no connection: connection refused")]
    ConnectionRefused,
    /// No connection could be made.
    #[error("no connection: {0}")]
    Connect(String),
    /// The deadline of the job passed.
    #[error("no answer before the deadline while {0}")]
    Timeout(&'static str),
    /// The peer closed the connection.
    #[error("the peer closed the connection while {0}")]
    Closed(&'static str),
    /// The peer began to answer, and the connection ended before the answer did. Not a silence.
    #[error("the connection was closed within a message while {0}")]
    ClosedWithin(&'static str),
    /// The peer, or something on the way, reset the connection.
    #[error("the connection was reset while {0}")]
    Reset(&'static str),
    /// Another error of the network.
    #[error("network error while {0}: {1}")]
    Network(&'static str, String),
    /// The peer does not keep to the protocol.
    #[error("the peer violates the protocol: {0}")]
    Protocol(String),
    /// No TLS handshake could be completed.
    #[error("the TLS handshake failed: {0}")]
    Handshake(String),
    /// The key of the certificate did not sign the handshake: no client continues.
    #[error("the TLS handshake failed: the server's signature is not valid")]
    FalseSignature,
    /// TLS went as far as to the server's demand for a certificate of ours.
    #[error("the server requires a client certificate")]
    ClientCertificate,
    /// The deadline of the endpoint passed before the job's turn.
    #[error("the endpoint's deadline was reached")]
    EndpointDeadline,
    /// The job is pointless after what was observed.
    #[error("not tried: {0}")]
    Pointless(&'static str),
    /// The caller did not ask for it.
    #[error("not requested")]
    NotAsked,
    /// A user or database name cannot be sent.
    #[error("cannot be sent: {0}")]
    Encode(String),
}

impl AttemptFailure {
    /// Whether no more came, in place of something that is no message.
    pub(crate) fn is_lost(&self) -> bool {
        matches!(self, Self::Closed(_) | Self::ClosedWithin(_) | Self::Reset(_) | Self::Timeout(_) | Self::Network(..))
    }

    /// The reason for an error of the network met while doing `what`.
    pub(crate) fn from_io(error: &std::io::Error, what: &'static str) -> Self {
        use std::io::ErrorKind as Kind;
        match error.kind() {
            Kind::UnexpectedEof => Self::Closed(what),
            Kind::ConnectionReset | Kind::ConnectionAborted | Kind::BrokenPipe => Self::Reset(what),
            Kind::TimedOut => Self::Timeout(what),
            kind => Self::Network(what, kind.to_string()),
        }
    }
}

impl<T: fmt::Display> fmt::Display for Attempt<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Completed(value) => value.fmt(f),
            Self::Failed(reason) | Self::NotScheduled(reason) => reason.fmt(f),
        }
    }
}
