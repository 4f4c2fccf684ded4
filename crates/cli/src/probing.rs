//! What the commands that probe share: which roots to trust, and how to reach the servers of a simulated Azure.

use crate::ca_files::roots_of_file;
use crate::connect::Connected;
use crate::error::CliError;
use crate::files::connects_at_once;
use crate::kept_transcripts::Transcripts;
use crate::route::RouteArgs;
use crate::simulated_azure::{Simulation, Wire, WireError};
use crate::system_roots::SystemRoots;
use futures::future::{BoxFuture, FutureExt};
use hostssl_azure::StopSignal;
use hostssl_console::{Exchange, TakeExchange, TranscriptMessage};
use hostssl_ops::{ListenerProbe, TakeReports};
use hostssl_probe::certificate::{RootStore, azure_roots};
use hostssl_probe::dial::{Dial, Stream};
use hostssl_probe::report::EndpointReport;
use hostssl_probe::target::ProbeTarget;
use hostssl_probe::transcript::{MessageDirection, TranscriptLine};
use hostssl_probe::{ProbeOptions, Prober};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

/// Endpoints that an audit talks to at once.
const CONVERSATIONS: usize = 128;
/// The same, with those that are being connected to: hosts that do not answer are waited for side by side.
const ENDPOINTS_AT_ONCE: usize = 512;

/// The probe of an audit. With a simulated Azure its listeners are asked, in this process.
pub(crate) fn probe_of_audit(
    connected: &Connected,
    ca_file: Option<&Path>,
    route: &RouteArgs,
    transcripts: Option<&Transcripts>,
) -> Result<ListenerProbe, CliError> {
    let (simulation, stop) = (connected.simulation.as_ref(), connected.stop.clone());
    let Some(transcripts) = transcripts else { return probe_of(simulation, stop, ca_file, route) };
    let options = ProbeOptions { transcript: true, ..options_of(simulation, ca_file, route)? };
    Ok(listener_probe(simulation, stop, options)?.with_reports(transcripts.taker()))
}

/// The probe that judges what a run has changed, and what it asks. `taker` takes its reports.
pub(crate) fn probe_of_run(
    simulation: Option<&Simulation>,
    stop: StopSignal,
    ca_file: Option<&Path>,
    route: &RouteArgs,
    taker: Arc<TakeReports>,
) -> Result<(ListenerProbe, ProbeOptions), CliError> {
    let options = options_of(simulation, ca_file, route)?;
    Ok((listener_probe(simulation, stop, options.clone())?.with_reports(taker), options))
}

/// The same until `stop` is given.
pub(crate) fn probe_of(
    simulation: Option<&Simulation>,
    stop: StopSignal,
    ca_file: Option<&Path>,
    route: &RouteArgs,
) -> Result<ListenerProbe, CliError> {
    listener_probe(simulation, stop, options_of(simulation, ca_file, route)?)
}

fn listener_probe(
    simulation: Option<&Simulation>,
    stop: StopSignal,
    options: ProbeOptions,
) -> Result<ListenerProbe, CliError> {
    let options = ProbeOptions { conversations: CONVERSATIONS, ..options };
    let at_once = match simulation {
        Some(_) => ENDPOINTS_AT_ONCE,
        None => {
            let connecting = ENDPOINTS_AT_ONCE - CONVERSATIONS;
            CONVERSATIONS + connects_at_once(CONVERSATIONS, options.connections_per_server, connecting)
        }
    };
    Ok(ListenerProbe::new(prober(options)?, at_once, stop, jiff::Timestamp::now))
}

/// What writes down the exchange with a listener, for the console.
pub(crate) fn exchange_of(
    simulation: Option<&Simulation>,
    ca_file: Option<&Path>,
    route: &RouteArgs,
) -> Result<TakeExchange, CliError> {
    let options = ProbeOptions { transcript: true, ..options_of(simulation, ca_file, route)? };
    let prober = Arc::new(prober(options)?);
    Ok(Arc::new(move |host: String, port: u16| {
        let prober = Arc::clone(&prober);
        async move {
            let Some(target) = ProbeTarget::parse(&host).ok().and_then(|mut targets| targets.pop()) else {
                return Vec::new();
            };
            let reports = prober.probe(&ProbeTarget { port, ..target }).await;
            reports.into_iter().map(exchange).collect()
        }
        .boxed()
    }))
}

fn exchange(report: EndpointReport) -> Exchange {
    let message = |line: TranscriptLine| TranscriptMessage {
        micros: line.micros,
        connection: line.connection,
        direction: match line.direction {
            MessageDirection::Sent => "sent",
            MessageDirection::Received => "received",
            MessageDirection::Event => "event",
        },
        name: line.message,
        text: line.text,
    };
    Exchange {
        port: report.port,
        address: report.address,
        verdict: report.reason,
        messages: report.transcript.into_iter().flatten().map(message).collect(),
    }
}

/// What is asked, and of whom. With a simulated Azure its listeners are asked, in this process.
fn options_of(
    simulation: Option<&Simulation>,
    ca_file: Option<&Path>,
    route: &RouteArgs,
) -> Result<ProbeOptions, CliError> {
    let mut roots = roots(ca_file)?;
    // Azure writes pg_hba.conf: it has no lines for the names of replication users.
    let mut options = ProbeOptions::quick();
    if let Some(dialer) = route.dialer_unless(simulation.is_some())? {
        options.dialer = dialer;
    }
    if let Some(simulation) = simulation {
        options.dialer = simulated_listeners(Wire::new(simulation), &mut roots)?;
    }
    options.roots = roots.into();
    Ok(options)
}

/// What dials the listeners of a simulated Azure, whose roots are trusted.
pub(crate) fn simulated_listeners(
    wire: Result<Wire, WireError>,
    roots: &mut Vec<RootStore>,
) -> Result<Arc<dyn Dial>, CliError> {
    let wire = wire.map_err(|error| CliError::defect(&error))?;
    for root in wire.roots() {
        roots.extend(RootStore::from_der(root.name, vec![root.der.clone()]));
    }
    Ok(Arc::new(Simulated(wire)))
}

/// Makes a prober.
pub(crate) fn prober(options: ProbeOptions) -> Result<Prober, CliError> {
    // Ignore the error: a provider is already installed.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Prober::new(options).map_err(|error| CliError::defect(&error))
}

/// The system's roots, those in which Azure's chains end, and those of `--ca-file`, each judged on its own too. None of the
/// system is not an error.
pub(crate) fn roots(ca_file: Option<&Path>) -> Result<Vec<RootStore>, CliError> {
    let mut roots: Vec<RootStore> = SystemRoots::read().store().into_iter().collect();
    roots.extend(azure_roots());
    if let Some(path) = ca_file {
        roots.push(roots_of_file(path).map_err(|message| CliError::usage(message, CA_HINT))?);
    }
    Ok(roots)
}

const CA_HINT: &str = "--ca-file takes a file of PEM certificates, which begin with `-----BEGIN CERTIFICATE-----`";

/// The listeners of a simulated Azure.
#[derive(Debug)]
struct Simulated(Wire);

impl Dial for Simulated {
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        let found = self.0.resolve(host).map(|ip| vec![SocketAddr::new(ip, port)]);
        let nowhere = || io::Error::new(io::ErrorKind::NotFound, "no such name in the simulated DNS");
        std::future::ready(found.ok_or_else(nowhere)).boxed()
    }

    fn connect<'a>(&'a self, _host: &'a str, address: SocketAddr) -> BoxFuture<'a, io::Result<Stream>> {
        let connected = self.0.connect(address, IpAddr::V4(Ipv4Addr::LOCALHOST));
        std::future::ready(connected.map(Stream::Memory)).boxed()
    }
}
