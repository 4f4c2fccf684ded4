//! What the executor needs of the world: traits, implemented at the edge.

use crate::{RequestId, SafeText, Step};
use async_trait::async_trait;
use hostssl_model::{Kind, Origin, Parameter, ParameterName, ResourceId, Unchecked};
use std::fmt;
use std::time::Duration;

/// Where a value stands.
#[derive(Debug, Clone, Copy)]
pub struct ParameterRef<'a> {
    /// The server.
    pub server: &'a ResourceId,
    /// What kind of server it is.
    pub kind: Kind,
    /// The setting.
    pub parameter: ParameterName,
}

impl<'a> From<&'a Step> for ParameterRef<'a> {
    fn from(step: &'a Step) -> Self {
        Self { server: &step.server, kind: step.kind, parameter: step.parameter }
    }
}

/// Azure took a write.
pub struct Accepted<Operation> {
    /// The request's id.
    pub request_id: Option<RequestId>,
    /// The operation to wait for; `None` when the answer says that it is done.
    pub operation: Option<Operation>,
    /// How long Azure asks to wait before the first poll.
    pub retry_after: Option<Duration>,
}

/// Without the operation: what polls it is a signed URL.
impl<Operation> fmt::Debug for Accepted<Operation> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accepted")
            .field("request_id", &self.request_id)
            .field("retry_after", &self.retry_after)
            .finish_non_exhaustive()
    }
}

/// Azure did not accept a write, or whether it did is unknown.
///
/// Everything but [`WriteError::Lost`] says that the write certainly was not accepted. An implementation that is not
/// certain, after a reset connection, a timeout or an answer of 500 to 504, must say `Lost`. It waits out nothing
/// itself: the caller that wrote down that a write is sent must learn at once that it was not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// A ReadOnly lock (HTTP 409 `ScopeLocked`).
    #[error("locked by {by}: {detail}")]
    Locked {
        /// The lock, or the scope that it is on.
        by: SafeText,
        /// What Azure said.
        detail: SafeText,
    },
    /// A deny policy (HTTP 403 `RequestDisallowedByPolicy`).
    #[error("denied by policy {assignment}: {detail}")]
    Policy {
        /// The assignment.
        assignment: SafeText,
        /// What Azure said.
        detail: SafeText,
    },
    /// A missing permission (HTTP 403 `AuthorizationFailed`).
    #[error("action {action} is not permitted: {detail}")]
    Permission {
        /// The action.
        action: SafeText,
        /// What Azure said.
        detail: SafeText,
    },
    /// The server is busy with another operation (`ServerIsBusy`).
    #[error("the server is busy with another operation")]
    Busy,
    /// Too many requests (HTTP 429).
    #[error("Azure throttled the write")]
    Throttled {
        /// How long Azure asks to wait.
        after: Option<Duration>,
    },
    /// Nothing was sent: no connection, no token, or no time to get either.
    #[error("the write could not be sent: {detail}")]
    NotSent {
        /// What happened.
        detail: SafeText,
    },
    /// The server is stopped (`ServerStoppedError`).
    #[error("the server is stopped: {detail}")]
    Stopped {
        /// What Azure said.
        detail: SafeText,
    },
    /// Refused for another reason.
    #[error("{detail}")]
    Failed {
        /// What Azure said.
        detail: SafeText,
    },
    /// No answer came: the write may have been accepted.
    #[error("no answer: {detail}")]
    Lost {
        /// What happened.
        detail: SafeText,
    },
}

/// How an operation goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OperationProgress {
    /// It is in progress.
    Pending {
        /// How long Azure asks to wait.
        retry_after: Option<Duration>,
    },
    /// It ended well. The value is still to be read back.
    Succeeded,
    /// It failed, which Azure says with HTTP 200, or it was cancelled.
    Failed {
        /// Code and message.
        detail: SafeText,
    },
}

/// How an operation goes is not known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PollError {
    /// The identity may not ask (HTTP 403): the status stands at the subscription, the right may be on the server only.
    #[error("reading the status of the operation is not permitted")]
    Forbidden,
    /// Azure does not know the operation (any more) (HTTP 404).
    #[error("Azure does not know the operation")]
    Gone,
    /// No answer, or no sensible one; asking again may help.
    #[error("no answer about the operation: {detail}")]
    Lost {
        /// What happened.
        detail: SafeText,
        /// How long Azure asks to wait, for instance after HTTP 429.
        after: Option<Duration>,
    },
}

/// Reads and writes settings. The executor sends a server one write at a time.
#[async_trait]
pub trait ParameterWriter: Send + Sync {
    /// What to ask when waiting for an operation: in practice a signed URL. The executor keeps it in memory only, and
    /// can neither print nor keep nor compare it.
    type Operation: Send + Sync;

    /// Reads a setting as it is now.
    ///
    /// # Errors
    ///
    /// The [`Unchecked`] that says why nothing was seen.
    async fn read(&self, at: ParameterRef<'_>) -> Result<Parameter, Unchecked>;

    /// When Azure made the server, as Azure spells it; `None` where Azure does not say.
    ///
    /// # Errors
    ///
    /// The [`Unchecked`] that says why nothing was seen.
    async fn created_at(&self, at: ParameterRef<'_>) -> Result<Option<String>, Unchecked>;

    /// Where a server of this name is now that is not in its place any more, as far as can be seen.
    async fn whereabouts(&self, at: ParameterRef<'_>) -> Option<ResourceId>;

    /// Waits until a write may be sent at once, as far as pacing allows. May be dropped while it waits.
    async fn await_turn(&self, at: ParameterRef<'_>);

    /// Writes a setting as the value of `origin`, once: an implementation must not repeat a write that may have been
    /// accepted.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    async fn write(
        &self,
        at: ParameterRef<'_>,
        value: &str,
        origin: Origin,
    ) -> Result<Accepted<Self::Operation>, WriteError>;

    /// Whether the server says that it is ready for another operation, so that none is running; `Some(false)` when one
    /// is, after which it will be ready by itself. `None` when Azure does not say, when it is stopped, or when its kind
    /// has no state for being busy.
    async fn is_ready(&self, at: ParameterRef<'_>) -> Option<bool>;

    /// Asks how an operation goes.
    ///
    /// # Errors
    ///
    /// [`PollError`].
    async fn poll(&self, operation: &Self::Operation) -> Result<OperationProgress, PollError>;
}

/// What the wire says about a value that was just written and read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WireCheck {
    /// The server does on the wire what it declares.
    Confirmed,
    /// It does not (yet).
    Contradicted(SafeText),
    /// It could not be checked.
    NotChecked(SafeText),
    /// No client can observe what the setting does.
    NotShown(SafeText),
}

/// Probes listeners, the final judge of a change.
#[async_trait]
pub trait Judge: Send + Sync {
    /// Judges one value of one server.
    async fn judge(&self, at: ParameterRef<'_>, value: &str) -> WireCheck;
}

/// Gives the time and waits, so that tests need neither.
#[async_trait]
pub trait Clock: Send + Sync {
    /// Milliseconds since 1970-01-01T00:00:00Z, for records that another process will read.
    fn now_ms(&self) -> i64;
    /// Time since some fixed moment, which never jumps, for deadlines.
    fn elapsed(&self) -> Duration;
    /// Waits.
    async fn sleep(&self, duration: Duration);
}

/// The real time, by way of Tokio's timer.
#[derive(Debug, Clone)]
pub struct SystemClock(tokio::time::Instant);

impl SystemClock {
    /// A clock whose [`Clock::elapsed`] begins now.
    #[must_use]
    pub fn new() -> Self {
        Self(tokio::time::Instant::now())
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Clock for SystemClock {
    fn now_ms(&self) -> i64 {
        jiff::Timestamp::now().as_millisecond()
    }

    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}
