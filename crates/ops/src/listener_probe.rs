//! Probes the listeners of a server, as a client without credentials.

use crate::{Vantages, rfc3339};
use futures::future::join_all;
use hostssl_azure::{
    Arm, ResourceType, StopSignal, list_databases, permissions::list_databases_action, read_pooler_enabled, stopped,
};
use hostssl_model::{
    Acceptance, POOLER_PORT, POSTGRES_PORT, Reading, Reason, Server, Stop, Subscription, TlsVersion, Unchecked,
    WireCertificate, WireListener, WireObservation, WireTransport, WireVersion,
};
use hostssl_probe::Prober;
use hostssl_probe::report::{
    self as probe, CertificateReport, EndpointReport, StartupOutcome, Support, Unreachable, WireVerdict,
};
use hostssl_probe::target::ProbeTarget;
use jiff::Timestamp;
use std::fmt;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Probes listeners within bounds: of endpoints at once, and of the prober's own for each server. One serves all
/// subscriptions of a run.
#[derive(Debug)]
pub struct ListenerProbe {
    prober: Arc<Prober>,
    places: Arc<Semaphore>,
    stop: StopSignal,
    clock: fn() -> Timestamp,
    vantages: Arc<Vantages>,
    reports: Option<ReportTaker>,
}

/// What takes the reports of a server's listeners, with their transcripts, as soon as it was probed.
#[derive(Clone)]
struct ReportTaker(Arc<TakeReports>);

/// Takes the reports of the listeners of a server.
pub type TakeReports = dyn Fn(&Server, &[EndpointReport]) + Send + Sync;

impl fmt::Debug for ReportTaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReportTaker")
    }
}

/// The result of probing the listeners of a server.
#[derive(Debug, Default)]
pub struct ServerProbe {
    /// One observation a listener and address.
    pub observations: Vec<WireObservation>,
    /// Why the databases are not known whose names were to be sent, if they are not: then fewer names were.
    pub databases: Option<Unchecked>,
}

/// Databases of a server that are named in startups, at most. Each is one connection more.
const MAX_DATABASES: usize = 8;

impl ListenerProbe {
    /// Probes with `prober`, at most `at_once` endpoints at a time, until `stop` is given.
    #[must_use]
    pub fn new(prober: Prober, at_once: usize, stop: StopSignal, clock: fn() -> Timestamp) -> Self {
        Self {
            prober: Arc::new(prober),
            places: Arc::new(Semaphore::new(at_once.max(1))),
            stop,
            clock,
            vantages: Arc::default(),
            reports: None,
        }
    }

    /// The same with zones: what was seen from there counts beside what is seen from here.
    #[must_use]
    pub fn with_vantages(self, vantages: Arc<Vantages>) -> Self {
        Self { vantages, ..self }
    }

    /// The same that hands over the reports of each server that is probed from here: once a look, when the last of its listeners
    /// is done. A server to which no connection was tried is not handed over.
    #[must_use]
    pub fn with_reports(self, take: Arc<TakeReports>) -> Self {
        Self { reports: Some(ReportTaker(take)), ..self }
    }

    /// Whether it is known which servers are probed from which zone.
    #[must_use]
    pub fn knows_zones(&self) -> bool {
        self.vantages.knows_rules()
    }

    /// Probes every listener of `server`. A missing pooler leaves no trace; everything else that could not be
    /// checked is an observation with its reason.
    ///
    /// A connection to the pooler's port that is refused or finds no answer does not say that there is none: a firewall
    /// does both. `arm` is asked whether the server has one, and for its databases, whose names are sent in startups.
    ///
    /// What was seen in zones counts too.
    pub async fn look(&self, arm: &Arm, server: &Server, subscription: &Subscription) -> ServerProbe {
        let combine = |here| self.vantages.combine(server, subscription, here);
        self.look_and(arm, server, self.reports.as_ref(), combine).await
    }

    /// The same from here alone, to judge by what is there now.
    pub async fn look_from_here(&self, arm: &Arm, server: &Server) -> ServerProbe {
        self.look_and(arm, server, self.reports.as_ref(), |here| here).await
    }

    async fn look_and(
        &self,
        arm: &Arm,
        server: &Server,
        taker: Option<&ReportTaker>,
        combine: impl FnOnce(Vec<WireObservation>) -> Vec<WireObservation>,
    ) -> ServerProbe {
        let alone =
            |unchecked| ServerProbe { observations: vec![self.unseen(POSTGRES_PORT, unchecked)], databases: None };
        if let Some(unchecked) = not_running(server) {
            return alone(unchecked);
        }
        let Some(host) = server.fqdn.as_deref() else {
            return alone(Unchecked::new(Reason::NotReturned, "Azure did not return its host name"));
        };
        let (databases, unchecked) = databases(arm, server).await;
        let looks = server.kind.offering().ports.iter().map(|port| self.look_at(server, host, *port, &databases));
        let (looks, reports): (Vec<_>, Vec<_>) = join_all(looks).await.into_iter().unzip();
        if let Some(ReportTaker(take)) = taker {
            let reports = reports.concat();
            if !reports.is_empty() {
                take(server, &reports);
            }
        }
        let mut looks = combine(looks.concat());
        let seen = looks.iter().any(|look| matches!(look.listener, Reading::Known(_)));
        if server.kind.offering().tells_pooler
            && seen
            && looks.iter().any(is_missing_pooler)
            && read_pooler_enabled(arm, &server.id).await == Ok(false)
        {
            looks.retain(|look| !is_missing_pooler(look));
        }
        // Where no listener was reached, the reason is theirs.
        ServerProbe { observations: looks, databases: unchecked.filter(|_| seen) }
    }

    /// What was observed of a listener, and the reports that say so where they are wanted.
    async fn look_at(
        &self,
        server: &Server,
        host: &str,
        port: u16,
        databases: &[String],
    ) -> (Vec<WireObservation>, Vec<EndpointReport>) {
        let unseen = |reason, detail| (vec![self.unseen(port, Unchecked::new(reason, detail))], Vec::new());
        let target = match ProbeTarget::parse(host).map(|mut targets| targets.pop()) {
            Ok(Some(target)) => ProbeTarget {
                port,
                user: server.administrator.as_deref().map(str::to_owned),
                databases: databases.to_vec(),
                ..target
            },
            _ => {
                return unseen(Reason::MalformedAnswer, "the name that Azure returned is not a host name");
            }
        };
        let mut stop = self.stop.clone();
        tokio::select! {
            stop = stopped(&mut stop) => {
                let reason = match stop {
                    Stop::Deadline => Reason::Deadline,
                    Stop::Interrupted => Reason::Interrupted,
                };
                unseen(reason, "the run ended before it was probed")
            }
            reports = self.probe(target) => {
                let Some((begun, mut reports)) = reports else {
                    return unseen(Reason::Inconclusive, "the probe ended early");
                };
                let now = (self.clock)();
                let observed = reports.iter().map(|report| observation(report, now)).collect();
                if self.reports.is_none() {
                    return (observed, Vec::new());
                }
                reports.iter_mut().for_each(|report| report.observed_ms = Some(begun.as_millisecond()));
                (observed, reports)
            }
        }
    }

    /// Probes in a task of its own, to use all cores; dropping this ends it. Says when the probe began. `None` when the task ended
    /// badly.
    async fn probe(&self, target: ProbeTarget) -> Option<(Timestamp, Vec<EndpointReport>)> {
        // The semaphore is never closed.
        let _place = self.places.acquire().await;
        let begun = (self.clock)();
        let prober = Arc::clone(&self.prober);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { prober.probe(&target).await });
        Some((begun, tasks.join_next().await?.ok()?))
    }

    fn unseen(&self, port: u16, unchecked: Unchecked) -> WireObservation {
        let observed_at = rfc3339((self.clock)()).into();
        WireObservation { port, address: None, observed_at, listener: Reading::Unknown(unchecked), vantage: None }
    }
}

/// The databases whose names are sent, those of the service last, and why there may be others.
pub(crate) async fn databases(arm: &Arm, server: &Server) -> (Vec<String>, Option<Unchecked>) {
    let Some(action) = list_databases_action(server.kind) else { return (Vec::new(), None) };
    let listing = list_databases(arm, &server.id, ResourceType::of(server.kind)).await;
    let mut names = listing.items;
    names.sort_by_key(|name| (name != "postgres", name.starts_with("azure_")));
    names.truncate(MAX_DATABASES);
    let unchecked = listing.error.map(|error| {
        let unchecked = error.unchecked(action);
        let detail = format!("its databases cannot be listed, so fewer were probed: {}", unchecked.detail);
        Unchecked { detail: detail.into(), ..unchecked }
    });
    (names, unchecked)
}

/// Whether no connection could be made to a pooler that may not be there, or its zone has no answer from there.
fn is_missing_pooler(look: &WireObservation) -> bool {
    let Reading::Unknown(unchecked) = &look.listener else { return false };
    look.port == POOLER_PORT && matches!(unchecked.reason, Reason::Unreachable | Reason::ProberSilent)
}

/// A server that does not run has no listeners, and a failed connection would say less.
fn not_running(server: &Server) -> Option<Unchecked> {
    let state = server.state.as_ref()?;
    if state.is_stopped() {
        return Some(Unchecked::new(Reason::Stopped, "the server is stopped; it has no listeners"));
    }
    let detail = "the server is being created; it has no listeners yet";
    state.is_being_created().then(|| Unchecked::new(Reason::Creating, detail))
}

/// What one report says that was taken at another time than it is judged: its look is as old as it is, and its certificate as
/// it is now.
#[must_use]
pub fn carried_observation(report: &EndpointReport, taken: Timestamp, now: Timestamp) -> WireObservation {
    with_certificate_at(WireObservation { observed_at: rfc3339(taken).into(), ..observation(report, now) }, now)
}

/// A look of another time with its certificate as old as it is now.
pub(crate) fn with_certificate_at(mut look: WireObservation, now: Timestamp) -> WireObservation {
    if let Reading::Known(WireListener { certificate: Some(certificate), .. }) = &mut look.listener
        && let Some(end) = certificate.not_after.as_deref().and_then(|end| end.parse::<Timestamp>().ok())
    {
        certificate.days_left = Some(end.as_second().saturating_sub(now.as_second()).div_euclid(86_400));
    }
    if let Reading::Known(WireListener { certificate: Some(certificate), .. }) = &mut look.listener
        && certificate.days_left.is_some_and(|left| left < 0)
        && certificate.verify_full == Some(true)
    {
        certificate.verify_full = Some(false);
        certificate.reason = Some("it has expired since it was seen".into());
    }
    look
}

/// What one report says.
#[must_use]
pub fn observation(report: &EndpointReport, now: Timestamp) -> WireObservation {
    let unchecked = |reason| Reading::Unknown(Unchecked::new(reason, report.reason.as_str()));
    let transport = match report.verdict {
        WireVerdict::Enforced => Some(WireTransport::Enforced),
        WireVerdict::Optional => Some(WireTransport::Optional),
        WireVerdict::PlaintextOnly => Some(WireTransport::PlaintextOnly),
        // No client gets usable TLS there, and plaintext clients are accepted.
        WireVerdict::BrokenTls if report.plaintext.outcome == StartupOutcome::Allowed => {
            Some(WireTransport::PlaintextOnly)
        }
        WireVerdict::BrokenTls => Some(WireTransport::BrokenTls),
        WireVerdict::Inconclusive | WireVerdict::NotPostgresql => Some(WireTransport::Inconclusive),
        WireVerdict::Unreachable => None,
    };
    let listener = match (transport, report.unreachable) {
        (None, Some(Unreachable::Unresolved)) => unchecked(Reason::Unresolved),
        (None, _) => unchecked(Reason::Unreachable),
        (Some(transport), _) => Reading::Known(WireListener {
            transport,
            why: report.reason.as_str().into(),
            versions: versions(report),
            certificate: report.certificate.as_ref().map(|certificate| certificate_of(certificate, now)),
        }),
    };
    WireObservation {
        port: report.port,
        address: report.address.as_deref().map(Into::into),
        observed_at: rfc3339(now).into(),
        listener,
        vantage: None,
    }
}

fn versions(report: &EndpointReport) -> Vec<(WireVersion, Acceptance)> {
    let asked = report.tls.iter().flat_map(|tls| &tls.versions);
    let mut versions: Vec<_> = asked
        .map(|asked| {
            let version = match asked.version {
                probe::ProtocolVersion::Ssl3 => WireVersion::Ssl3,
                probe::ProtocolVersion::Tls10 => WireVersion::Tls(TlsVersion::Tls1_0),
                probe::ProtocolVersion::Tls11 => WireVersion::Tls(TlsVersion::Tls1_1),
                probe::ProtocolVersion::Tls12 => WireVersion::Tls(TlsVersion::Tls1_2),
                probe::ProtocolVersion::Tls13 => WireVersion::Tls(TlsVersion::Tls1_3),
            };
            let seen = match asked.support {
                Support::Accepted => Acceptance::Accepted,
                Support::Refused => Acceptance::Refused,
                Support::Unknown => Acceptance::Unknown,
            };
            (version, seen)
        })
        .collect();
    versions.sort_unstable_by_key(|(version, _)| *version);
    versions
}

fn certificate_of(report: &CertificateReport, now: Timestamp) -> WireCertificate {
    WireCertificate {
        verify_full: report.verify_full.ok,
        reason: report.verify_full.reason.as_deref().map(Into::into),
        not_after: report.not_after.as_deref().map(Into::into),
        days_left: report.days_left(now.as_second()),
        root: report.root.as_deref().map(Into::into),
    }
}
