//! Sends requests to Resource Manager: signed in, paced, bounded, and repeated where that is safe.

mod signed_download;

use crate::answer::{Answer, read_whole, transport_error};
use crate::departed::{Departed, MarkDeparted};
use crate::error::one_line;
use crate::limiter::{Permit, RequestLimiter};
use crate::resource_type::Versions;
use crate::stop::{StopSignal, stopped};
use crate::{ArmError, Cloud, Quota, Refusal};
use azure_core::credentials::TokenCredential;
use azure_core::http::headers::HeaderName;
use azure_core::http::policies::Policy;
use azure_core::http::policies::auth::BearerTokenAuthorizationPolicy;
use azure_core::http::{
    ClientOptions, Context, Method, Pipeline, PipelineStreamOptions, Request, RetryOptions, Transport, Url,
};
use serde::de::DeserializeOwned;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout};

/// What one client may use.
#[derive(Debug, Clone)]
pub struct RequestLimits {
    /// Requests in progress at once.
    pub concurrency: usize,
    /// Time for one request, its body included.
    pub request_timeout: Duration,
    /// Repetitions of a read that failed in a way that may pass (network, HTTP 5xx).
    pub retries: u32,
    /// Refusals (HTTP 429) of one request that are waited out. With none, a refusal that holds up other requests is not
    /// waited out by them either.
    pub refusals: u32,
    /// Bytes of one answer. A page of a list is about 2 KB a server.
    pub body_bytes: usize,
    /// Pages of one list.
    pub pages: usize,
}

impl Default for RequestLimits {
    fn default() -> Self {
        Self {
            concurrency: 256,
            request_timeout: Duration::from_secs(30),
            retries: 3,
            refusals: 20,
            body_bytes: 64 << 20,
            pages: 500,
        }
    }
}

/// A client of one cloud's Resource Manager under one identity.
#[derive(Debug, Clone)]
pub struct Arm {
    inner: Arc<Inner>,
    stop: StopSignal,
    only_reads: bool,
}

#[derive(Debug)]
struct Inner {
    cloud: Cloud,
    pipeline: Pipeline,
    /// Without a token: for storage, whose URLs are signed.
    plain: Pipeline,
    /// For tokens of other audiences.
    credential: Arc<dyn TokenCredential>,
    transport: Transport,
    limits: RequestLimits,
    limiter: RequestLimiter,
    under_way: Semaphore,
    versions: Versions,
}

/// Which failures are worth sending the same request again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// Refusals, and failures that may pass: for requests that change nothing.
    Transient,
    /// Only once more with a fresh token, which Azure asks for before it carries anything out: for writes. Whatever
    /// else was not carried out is for the caller to try again, who has written down that it was sent.
    Never,
}

/// The right to send one request at once.
#[derive(Debug)]
pub struct SendTurn(Permit);

/// What to do after an answer.
enum AfterAnswer {
    Done(Answer),
    Throttled(Duration),
    TokenRefused(Refusal),
    Transient(ArmError, Option<Duration>),
    /// Nothing came in the time for one request. Waiting for as long again is worth one more try, not many.
    Silence {
        /// Whether the request may have been sent.
        departed: bool,
    },
}

/// The target of the log that has a line for each request.
pub const REQUESTS: &str = "hostssl::requests";

/// Logs a request: the method, the path, the status and the time. The query is left out, as it may hold a signature,
/// and no header is there.
fn log_request<E>(method: Method, url: &Url, answer: Result<Result<&Answer, &ArmError>, &E>, took: Duration) {
    let path = one_line(url.path());
    let millis = took.as_millis();
    match answer {
        Ok(Ok(answer)) => tracing::debug!(target: REQUESTS, "{method} {path} {} {millis} ms", answer.status),
        Ok(Err(error)) => tracing::debug!(target: REQUESTS, "{method} {path} failed after {millis} ms: {error}"),
        Err(_) => tracing::debug!(target: REQUESTS, "{method} {path} unanswered after {millis} ms"),
    }
}

impl Arm {
    /// A client that signs in with `credential` and sends through `transport`.
    #[must_use]
    pub fn new(
        cloud: Cloud,
        credential: Arc<dyn TokenCredential>,
        transport: Transport,
        limits: RequestLimits,
        stop: StopSignal,
    ) -> Self {
        let bearer: Arc<dyn Policy> =
            Arc::new(BearerTokenAuthorizationPolicy::new(credential.clone(), [cloud.scope()]));
        // Repeating is decided here and not in the pipeline, because a refusal must hold the whole bucket.
        let plain_options = ClientOptions {
            transport: Some(transport.clone()),
            retry: RetryOptions::none(),
            ..ClientOptions::default()
        };
        let version = env!("CARGO_PKG_VERSION");
        let plain = Pipeline::new(Some("hostssl"), Some(version), plain_options, Vec::new(), Vec::new(), None);
        let options = ClientOptions {
            transport: Some(transport.clone()),
            retry: RetryOptions::none(),
            ..ClientOptions::default()
        };
        let pipeline = Pipeline::new(
            Some("hostssl"),
            Some(env!("CARGO_PKG_VERSION")),
            options,
            Vec::new(),
            vec![bearer, Arc::new(MarkDeparted)],
            None,
        );
        let inner = Arc::new(Inner {
            under_way: Semaphore::new(limits.concurrency.max(1)),
            cloud,
            pipeline,
            plain,
            credential,
            transport,
            limits,
            limiter: RequestLimiter::new(),
            versions: Versions::default(),
        });
        Self { inner, stop, only_reads: false }
    }

    /// The same client, with the same pacing, under another signal. A change of servers follows what is in progress to
    /// its end, also after a run that only reads would have stopped.
    #[must_use]
    pub fn with_stop(&self, stop: StopSignal) -> Self {
        Self { inner: self.inner.clone(), stop, only_reads: self.only_reads }
    }

    /// The same client, which sends no request that could change anything: its holder cannot write, whatever it calls.
    /// No client that writes can be made of it.
    #[must_use]
    pub fn only_reading(&self) -> Self {
        Self { only_reads: true, ..self.clone() }
    }

    /// The cloud.
    #[must_use]
    pub fn cloud(&self) -> &Cloud {
        &self.inner.cloud
    }

    /// What it may use.
    #[must_use]
    pub fn limits(&self) -> &RequestLimits {
        &self.inner.limits
    }

    /// A token for logging in to databases, which Entra ID issues for them alone: the caller sends it nowhere else.
    ///
    /// # Errors
    ///
    /// [`ArmError::SignIn`] when none is given, or when the cloud has no such audience.
    pub async fn database_token(&self) -> Result<azure_core::credentials::Secret, ArmError> {
        let scope = self.inner.cloud.database_scope();
        let scope = scope.ok_or_else(|| ArmError::SignIn("this cloud has no tokens for databases".to_owned()))?;
        let token = self.inner.credential.get_token(&[&scope], None).await;
        Ok(token.map_err(|error| ArmError::SignIn(one_line(&error.to_string())))?.token)
    }

    /// What gives tokens, those of other audiences too.
    pub(crate) fn credential(&self) -> Arc<dyn TokenCredential> {
        self.inner.credential.clone()
    }

    /// What requests are sent through.
    pub(crate) fn transport(&self) -> Transport {
        self.inner.transport.clone()
    }

    /// The signal that ends the run.
    pub(crate) fn stop(&self) -> StopSignal {
        self.stop.clone()
    }

    /// The api-versions that this Resource Manager turned out to know.
    pub(crate) fn versions(&self) -> &Versions {
        &self.inner.versions
    }

    /// Waits until a request may be sent at once. What Azure asks to wait is waited for here, before anyone says that
    /// the request was sent.
    pub async fn turn(&self, quota: &Quota) -> SendTurn {
        SendTurn(self.inner.limiter.permit(quota).await)
    }

    /// The URL of a path below Resource Manager. Each part of the path is escaped, so that a name cannot leave its
    /// place.
    #[must_use]
    pub fn url<'a>(&self, path: impl IntoIterator<Item = &'a str>, api_version: &str) -> Url {
        let mut url = self.inner.cloud.arm_endpoint.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        url.query_pairs_mut().append_pair("api-version", api_version);
        url
    }

    /// Reads a JSON document.
    ///
    /// # Errors
    ///
    /// [`ArmError`] when there is no usable answer, after everything that is worth repeating was repeated.
    pub async fn get<T: DeserializeOwned>(&self, url: Url, quota: &Quota) -> Result<T, ArmError> {
        self.answer(Method::Get, url, None, quota, Repeat::Transient, None).await?.document()
    }

    /// Sends a query that changes nothing, such as one to Resource Graph, and reads a JSON document.
    ///
    /// # Errors
    ///
    /// As for [`Arm::get`].
    pub async fn query<T: DeserializeOwned>(
        &self,
        url: Url,
        body: &serde_json::Value,
        quota: &Quota,
    ) -> Result<T, ArmError> {
        self.answer(Method::Post, url, Some(body.to_string()), quota, Repeat::Transient, None).await?.document()
    }

    /// Sends until there is an answer of any status, an error that a retry cannot fix, or no patience left.
    pub(crate) async fn answer(
        &self,
        method: Method,
        url: Url,
        body: Option<String>,
        quota: &Quota,
        repeat: Repeat,
        turn: Option<SendTurn>,
    ) -> Result<Answer, ArmError> {
        if !self.inner.cloud.owns(&url) {
            let host = url.host_str().unwrap_or("nowhere").to_owned();
            return Err(ArmError::Malformed(format!(
                "it points to {}, which is not Resource Manager",
                one_line(&host)
            )));
        }
        // A query is a POST that is repeated as any other read.
        let reads = method == Method::Get || (method == Method::Post && repeat == Repeat::Transient);
        if self.only_reads && !reads {
            return Err(ArmError::NotSent("this client only reads".to_owned()));
        }
        let mut stop = self.stop.clone();
        let start = Instant::now();
        let refused = AtomicU32::new(0);
        tokio::select! {
            biased;
            stop = stopped(&mut stop) => match refused.load(Ordering::Relaxed) {
                0 => Err(ArmError::Stopped(stop)),
                // It was Azure that kept the answer back until then.
                refusals => Err(ArmError::Throttled { refusals, waited: start.elapsed(), after: Duration::ZERO }),
            },
            answer = self.answer_until_settled(method, &url, body.as_deref(), quota, (repeat, turn), &refused) => answer,
        }
    }

    async fn answer_until_settled(
        &self,
        method: Method,
        url: &Url,
        body: Option<&str>,
        quota: &Quota,
        (repeat, mut turn): (Repeat, Option<SendTurn>),
        refused: &AtomicU32,
    ) -> Result<Answer, ArmError> {
        let limits = &self.inner.limits;
        let start = Instant::now();
        let (mut failures, mut token_refused) = (0, false);
        loop {
            if let Some(after) = self.inner.limiter.held_for(quota).filter(|_| limits.refusals == 0) {
                return Err(ArmError::Throttled { refusals: 1, waited: Duration::ZERO, after });
            }
            match self.attempt(method, url, body, quota, turn.take()).await? {
                AfterAnswer::Done(answer) => return Ok(answer),
                AfterAnswer::Throttled(hold) => {
                    let refusals = refused.fetch_add(1, Ordering::Relaxed) + 1;
                    if repeat == Repeat::Never || refusals > limits.refusals || hold > LONGEST_REFUSAL {
                        return Err(ArmError::Throttled { refusals, waited: start.elapsed(), after: hold });
                    }
                    // The bucket is held: the next attempt waits there, and no other bucket waits with it.
                }
                AfterAnswer::TokenRefused(refusal) if token_refused => {
                    return Err(ArmError::SignIn(format!("Azure refused a fresh token: {refusal}")));
                }
                // The pipeline drops a refused token, so the next attempt asks for a fresh one.
                AfterAnswer::TokenRefused(_) => token_refused = true,
                AfterAnswer::Silence { departed } => {
                    failures += 2;
                    if repeat == Repeat::Never || failures > limits.retries {
                        let text = format!("no data for {} s", limits.request_timeout.as_secs());
                        return Err(if departed { ArmError::Network(text) } else { ArmError::NotSent(text) });
                    }
                }
                AfterAnswer::Transient(error, after) => {
                    if repeat == Repeat::Never || failures >= limits.retries {
                        return Err(error);
                    }
                    tracing::debug!(%error, path = url.path(), "retrying after a transient failure");
                    sleep(after.unwrap_or(backoff(failures))).await;
                    failures += 1;
                }
            }
        }
    }

    async fn attempt(
        &self,
        method: Method,
        url: &Url,
        body: Option<&str>,
        quota: &Quota,
        turn: Option<SendTurn>,
    ) -> Result<AfterAnswer, ArmError> {
        let SendTurn(permit) = match turn {
            Some(turn) => turn,
            None => self.turn(quota).await,
        };
        let Ok(_under_way) = self.inner.under_way.acquire().await else {
            return Err(ArmError::NotSent("the client was closed".to_owned()));
        };
        // Boxed, so that a request that waits for its turn, and thousands may, holds nothing of what sending needs.
        Box::pin(self.attempt_at_once(method, url, body, quota, permit)).await
    }

    async fn attempt_at_once(
        &self,
        method: Method,
        url: &Url,
        body: Option<&str>,
        quota: &Quota,
        permit: Permit,
    ) -> Result<AfterAnswer, ArmError> {
        let mut request = Request::new(url.clone(), method);
        request.insert_header("accept", "application/json");
        if let Some(body) = body {
            request.insert_header("content-type", "application/json");
            request.set_body(body.to_owned());
        }
        let departed = Departed::default();
        let begun = Instant::now();
        let sent = self.send(&mut request, departed.clone());
        let answer = timeout(self.inner.limits.request_timeout, sent).await;
        log_request(method, url, answer.as_ref().map(Result::as_ref), begun.elapsed());
        let Ok(answer) = answer else {
            return Ok(AfterAnswer::Silence { departed: departed.is_set() });
        };
        match answer {
            Ok(answer) => Ok(self.judge(answer, permit, quota)),
            // A token that cannot be had, or an answer that is too large, will not be better the next time.
            Err(error @ (ArmError::SignIn(_) | ArmError::Malformed(_))) => Err(error),
            Err(error) => Ok(AfterAnswer::Transient(error, None)),
        }
    }

    async fn send(&self, request: &mut Request, departed: Departed) -> Result<Answer, ArmError> {
        let options = PipelineStreamOptions { skip_checks: true, ..PipelineStreamOptions::default() };
        let response = self
            .inner
            .pipeline
            .stream(&Context::new().with_value(departed), request, Some(options))
            .await
            .map_err(transport_error)?;
        read_whole(response, self.inner.limits.body_bytes).await
    }

    fn judge(&self, answer: Answer, permit: Permit, quota: &Quota) -> AfterAnswer {
        let retry_after = answer.retry_after();
        if answer.status == 429 {
            // Without Retry-After: the message of some providers names the seconds, but not in a form to rely on.
            let hold = retry_after.unwrap_or(Duration::from_secs(5));
            permit.refused(hold);
            return AfterAnswer::Throttled(hold);
        }
        let header = |name| answer.headers.get_optional_str(&HeaderName::from_static(name));
        let remaining = header(quota.header()).and_then(|text| text.trim().parse().ok());
        let resets_after = quota.reset_header().and_then(header).and_then(hours_minutes_seconds);
        match (remaining, resets_after) {
            (Some(0), Some(hold)) => permit.spent(hold),
            _ => permit.answered(remaining),
        }
        match answer.status {
            401 => AfterAnswer::TokenRefused(answer.refusal()),
            408 | 500 | 502 | 503 | 504 => AfterAnswer::Transient(
                ArmError::Refused(answer.refusal()),
                retry_after.map(|wait| wait.min(LONGEST_WAIT)),
            ),
            _ => AfterAnswer::Done(answer),
        }
    }
}

/// A refusal for longer than this is not waited out.
const LONGEST_REFUSAL: Duration = Duration::from_secs(900);
/// The longest wait before a transient failure is tried again.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Waits before repeating: 0.25 s, 0.5 s, 1 s, … up to the longest.
fn backoff(failures: u32) -> Duration {
    Duration::from_millis(250).saturating_mul(1 << failures.min(10)).min(LONGEST_WAIT)
}

/// Reads `00:00:05`, the form of Resource Graph's quota header.
fn hours_minutes_seconds(text: &str) -> Option<Duration> {
    let parts: Vec<u64> = text.trim().split(':').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    match parts.as_slice() {
        [hours @ 0..=99, minutes @ 0..=59, seconds @ 0..=59] => {
            Some(Duration::from_secs(hours * 3600 + minutes * 60 + seconds))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_of_the_quota_header_is_read() {
        assert_eq!(hours_minutes_seconds("00:00:05"), Some(Duration::from_secs(5)));
        assert_eq!(hours_minutes_seconds("01:02:03"), Some(Duration::from_secs(3723)));
        for odd in ["", "5", "00:00", "00:00:99", "a:b:c", "99999999999999999999:0:0"] {
            assert_eq!(hours_minutes_seconds(odd), None, "{odd}");
        }
    }

    #[test]
    fn waits_grow_and_end() {
        let waits: Vec<u128> = [0, 1, 2, 20].map(|failures| backoff(failures).as_millis()).to_vec();
        assert_eq!(waits, [250, 500, 1000, 30_000]);
    }
}
