//! The probe of a target with all its addresses, and of many targets.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use futures::stream::{self, Stream, StreamExt as _};
use hostssl_pgwire::own_names::unknown_name;
use jiff::Timestamp;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::assemble::{Judging, assemble, unasked, unfinished, unresolved};
use crate::attempt::AttemptFailure;
use crate::connection_limiter::Limiter;
use crate::endpoint::{Endpoint, EndpointTurn, SharedFacts};
use crate::options::ProbeOptions;
use crate::report::EndpointReport;
use crate::rounds;
use crate::srv::is_service;
use crate::target::{ProbeTarget, SslNegotiation};
use crate::tls_client::TlsClient;
use crate::transcript::TranscriptRecorder;

/// The most addresses of one name that are probed. Those beyond are reported as not probed.
const MAX_ADDRESSES: usize = 16;

/// The most names that are looked up at once. Each takes a thread of the runtime, which has 512, for as long as the
/// system's resolver waits; with more of them, names would run out of time before they were looked up.
const LOOKUPS: usize = 200;

/// Probes endpoints. One prober serves any number of them, at once or in turn, and keeps the number of connections to
/// each server within bounds.
#[derive(Debug)]
pub struct Prober {
    options: ProbeOptions,
    tls: TlsClient,
    limiter: Limiter,
    places: Arc<Semaphore>,
    lookups: Semaphore,
    random_user: String,
}

/// Where a target is found.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    /// The name that is connected to.
    host: String,
    /// The address; unspecified where the name is resolved elsewhere.
    address: SocketAddr,
}

/// Why no prober can be made: a fault of this program, or of the system's source of randomness.
#[derive(Debug, thiserror::Error)]
#[error("the TLS client cannot be set up")]
pub struct ProberError(#[from] rustls::Error);

impl Prober {
    /// Makes a prober that asks what `options` say.
    ///
    /// # Errors
    ///
    /// [`ProberError`] when the TLS client cannot be set up.
    pub fn new(options: ProbeOptions) -> Result<Self, ProberError> {
        let tls = TlsClient::new()?;
        let random_user = unknown_name(tls.random());
        let limiter = Limiter::new(options.connections_per_server);
        let places = Arc::new(Semaphore::new(options.conversations.max(1)));
        Ok(Self { options, tls, limiter, places, lookups: Semaphore::new(LOOKUPS), random_user })
    }

    /// The name of the user that no server can know.
    #[must_use]
    pub fn random_user(&self) -> &str {
        &self.random_user
    }

    /// Probes every address of `target`, or of every host of the service that it names. A name without an address
    /// yields one report that says so.
    ///
    /// Cancel by dropping the future: it owns all that it opened.
    pub async fn probe(&self, target: &ProbeTarget) -> Vec<EndpointReport> {
        if target.address.is_some() || !is_service(&target.host) {
            return self.probe_host(target).await;
        }
        match self.hosts_of(&target.host).await {
            Ok(hosts) => {
                let mut reports = Vec::new();
                for (host, port) in hosts {
                    reports.extend(self.probe_host(&ProbeTarget { host, port, ..target.clone() }).await);
                }
                reports
            }
            Err(reason) => vec![unresolved(target, &reason)],
        }
    }

    async fn hosts_of(&self, service: &str) -> Result<Vec<(String, u16)>, AttemptFailure> {
        match timeout(self.options.connect_timeout, self.options.dialer.services(service)).await {
            Ok(Ok(hosts)) if hosts.is_empty() => Err(AttemptFailure::Resolve("it has no SRV record".to_owned())),
            Ok(Ok(hosts)) => Ok(hosts),
            Ok(Err(error)) => Err(AttemptFailure::Resolve(error.to_string())),
            Err(_) => Err(AttemptFailure::Timeout("resolving the name")),
        }
    }

    async fn probe_host(&self, target: &ProbeTarget) -> Vec<EndpointReport> {
        match self.places_of(target).await {
            Ok(places) => {
                let mut reports = Vec::with_capacity(places.len());
                let (probed, beyond) = places.split_at(places.len().min(MAX_ADDRESSES));
                for place in probed {
                    reports.push(self.probe_place(target, place).await);
                }
                reports.extend(beyond.iter().map(|place| unasked(target, place.address.ip(), MAX_ADDRESSES)));
                reports
            }
            Err(reason) => vec![unresolved(target, &reason)],
        }
    }

    /// Where `target` is found: each address once, in the order of the resolver.
    async fn places_of(&self, target: &ProbeTarget) -> Result<Vec<Place>, AttemptFailure> {
        let dialer = &self.options.dialer;
        let at = |host: &str, ip: IpAddr, port| Place { host: host.to_owned(), address: SocketAddr::new(ip, port) };
        let (host, port, ip) = match dialer.instead_of(&target.host, target.port) {
            Some((host, port)) => {
                let ip = host.parse().ok();
                (host, port, ip)
            }
            None => (target.host.clone(), target.port, target.address.or_else(|| target.host_ip())),
        };
        if let Some(ip) = ip {
            return Ok(vec![at(&host, ip, port)]);
        }
        if dialer.resolves_at_far_end() {
            return Ok(vec![at(&host, IpAddr::V4(Ipv4Addr::UNSPECIFIED), port)]);
        }
        // The semaphore is never closed.
        let _lookup = self.lookups.acquire().await;
        let found = match timeout(self.options.connect_timeout, dialer.resolve(&host, port)).await {
            Ok(Ok(found)) => found,
            Ok(Err(error)) => return Err(AttemptFailure::Resolve(error.to_string())),
            Err(_) => return Err(AttemptFailure::Timeout("resolving the name")),
        };
        let mut places = Vec::new();
        for address in found {
            let place = Place { host: host.clone(), address };
            if !places.contains(&place) {
                places.push(place);
            }
        }
        if places.is_empty() {
            return Err(AttemptFailure::Resolve("it has no address".to_owned()));
        }
        Ok(places)
    }

    /// Probes `target` at `address`.
    pub async fn probe_address(&self, target: &ProbeTarget, address: SocketAddr) -> EndpointReport {
        self.probe_place(target, &Place { host: target.host.clone(), address }).await
    }

    async fn probe_place(&self, target: &ProbeTarget, place: &Place) -> EndpointReport {
        let startups = self.options.startups(target, &self.random_user);
        let address = place.address;
        let limit = self.limiter.server(&place.host, address);
        // The clock starts when the server has a place free: to wait for our own other probes is not a delay of its. The
        // semaphores are never closed.
        let _turn = limit.endpoints.acquire().await;
        drop(limit.connections.acquire().await);
        let recorder = TranscriptRecorder::new(self.options.transcript);
        let endpoint = Endpoint {
            options: &self.options,
            tls: &self.tls,
            address,
            dialled: &place.host,
            host: &target.host,
            permits: Arc::clone(&limit.connections),
            turn: EndpointTurn::new(Arc::clone(&self.places), self.options.endpoint_timeout),
            recorder: recorder.clone(),
            told: SharedFacts::default(),
        };
        let facts = match target.negotiation {
            SslNegotiation::Postgres => rounds::by_request(&endpoint, &startups).await,
            SslNegotiation::Direct => rounds::by_direct_tls(&endpoint, &startups).await,
        };
        let now = self.options.now.unwrap_or_else(clock);
        let own = target.root_certificate.as_deref().and_then(|name| self.options.root_files.get(name));
        let judgement = Judging {
            roots: own.as_deref().unwrap_or(&self.options.roots),
            now,
            expiry_days: self.options.expiry_days,
        };
        let known = Some(address.ip()).filter(|ip| !ip.is_unspecified());
        assemble(target, known, &facts, &judgement, recorder.finish())
    }
}

fn clock() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// Probes many targets, at most `concurrency` at once, and yields reports as they come. Of these, as many are talked to
/// as the options of the prober allow; the others are being looked up, being connected to, or waiting.
///
/// `targets` is drawn from only as room appears, so the memory used does not grow with their number. Each target is
/// probed in a task of its own, to use all cores; dropping the stream ends them.
pub fn probe_many<I>(
    prober: Arc<Prober>,
    targets: I,
    concurrency: usize,
) -> impl Stream<Item = EndpointReport> + Send + Unpin
where
    I: IntoIterator<Item = ProbeTarget>,
    I::IntoIter: Send + 'static,
{
    probe_stream(prober, stream::iter(targets), concurrency)
}

/// As [`probe_many`], for targets that come one by one: reports are yielded while the next target is waited for.
pub fn probe_stream<S>(
    prober: Arc<Prober>,
    targets: S,
    concurrency: usize,
) -> impl Stream<Item = EndpointReport> + Send + Unpin
where
    S: Stream<Item = ProbeTarget> + Send + 'static,
{
    let concurrency = concurrency.max(1);
    let state = (Running::default(), Box::pin(targets.fuse()));
    let step = move |(mut running, mut targets): (Running, Pin<Box<stream::Fuse<S>>>)| {
        let prober = Arc::clone(&prober);
        async move {
            loop {
                let (busy, room) = (!running.tasks.is_empty(), running.tasks.len() < concurrency);
                tokio::select! {
                    biased;
                    target = targets.next(), if room && !targets.is_done() => {
                        if let Some(target) = target {
                            running.start(&prober, target);
                        }
                    }
                    reports = running.next(), if busy => {
                        return Some((stream::iter(reports.unwrap_or_default()), (running, targets)));
                    }
                    else => return None,
                }
            }
        }
    };
    Box::pin(stream::unfold(state, step).flatten())
}

/// The probes in progress, and what each is for: a target whose task ends badly is still reported.
#[derive(Default)]
struct Running {
    tasks: JoinSet<Vec<EndpointReport>>,
    targets: HashMap<tokio::task::Id, (ProbeTarget, i64)>,
}

impl Running {
    fn start(&mut self, prober: &Arc<Prober>, target: ProbeTarget) {
        let (prober, probed) = (Arc::clone(prober), target.clone());
        let begun_ms = Timestamp::now().as_millisecond();
        let task = self.tasks.spawn(async move { prober.probe(&probed).await });
        self.targets.insert(task.id(), (target, begun_ms));
    }

    async fn next(&mut self) -> Option<Vec<EndpointReport>> {
        let (of, reports) = match self.tasks.join_next_with_id().await? {
            Ok((id, reports)) => (self.targets.remove(&id), reports),
            Err(error) => {
                let of = self.targets.remove(&error.id());
                let reports = of.iter().map(|(target, _)| unfinished(target)).collect();
                (of, reports)
            }
        };
        // What changes while a probe runs may have changed behind its back: a look is as old as its beginning.
        let dated = |report| EndpointReport { observed_ms: of.as_ref().map(|(_, begun_ms)| *begun_ms), ..report };
        Some(reports.into_iter().map(dated).collect())
    }
}
