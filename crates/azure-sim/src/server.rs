//! The simulation on a loopback port, over TLS with a certificate authority of its own.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tower::Service;

use crate::reply::ConnectionReset;
use crate::simulation::Simulation;

/// The largest head of a request, in bytes.
const MAX_HEADERS: usize = 64 << 10;
/// A client that cannot finish a handshake in this time is dropped.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// The same for the head of a request, which over HTTP/1 includes the idle time before it: a client that polls every
/// half minute must find its connection open.
const HEAD: Duration = Duration::from_secs(120);
/// How long a shutdown waits for answers in progress.
const GRACE: Duration = Duration::from_secs(2);

/// How to serve a simulation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServeOptions {
    /// The port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// Streams that one HTTP/2 connection may have open.
    pub max_concurrent_streams: u32,
}

impl Default for ServeOptions {
    fn default() -> Self {
        Self { port: 0, max_concurrent_streams: 1_000 }
    }
}

/// Why a simulation could not be served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The port is taken or may not be used.
    #[error("cannot listen on 127.0.0.1 port {port}")]
    Bind {
        /// The port that was asked for.
        port: u16,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// The certificates could not be made.
    #[error("cannot make a certificate for localhost")]
    Certificate(#[source] rcgen::Error),
    /// The certificates could not be used.
    #[error("cannot set up TLS for localhost")]
    Tls(#[source] rustls::Error),
}

/// A simulation that is being served. Dropping it stops the service at once.
#[derive(Debug)]
pub struct RunningServer {
    /// Where it listens.
    pub addr: SocketAddr,
    /// The certificate authority to trust, in PEM.
    pub ca_pem: String,
    /// `https://localhost:PORT`.
    pub base_url: String,
    simulation: Simulation,
    stop: watch::Sender<bool>,
    task: Option<JoinHandle<()>>,
}

impl RunningServer {
    /// The simulation behind it.
    #[must_use]
    pub fn simulation(&self) -> &Simulation {
        &self.simulation
    }

    /// Stops listening and waits, for two seconds at most, for the answers in progress.
    pub async fn shutdown(mut self) {
        self.stop.send_replace(true);
        if let Some(task) = self.task.take() {
            // The task ends by itself; it can only fail by a panic, which it has then already reported.
            let _ = task.await;
        }
    }
}

impl Drop for RunningServer {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

/// Serves `simulation` over TLS on 127.0.0.1.
///
/// # Errors
///
/// [`ServeError`] when the port cannot be had or TLS cannot be set up.
pub async fn serve(simulation: Simulation, options: ServeOptions) -> Result<RunningServer, ServeError> {
    let (ca_pem, acceptor) = tls()?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port))
        .await
        .map_err(|source| ServeError::Bind { port: options.port, source })?;
    let addr = listener.local_addr().map_err(|source| ServeError::Bind { port: options.port, source })?;
    let (stop, stopped) = watch::channel(false);
    let router = simulation.router();
    let task = tokio::spawn(accept(listener, acceptor, router, options, stopped));
    Ok(RunningServer {
        base_url: format!("https://localhost:{}", addr.port()),
        addr,
        ca_pem,
        simulation,
        stop,
        task: Some(task),
    })
}

/// A new authority and a certificate from it for this machine.
fn tls() -> Result<(String, TlsAcceptor), ServeError> {
    let made = certificates().map_err(ServeError::Certificate)?;
    let mut config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(ServeError::Tls)?
        .with_no_client_auth()
        .with_single_cert(vec![made.leaf.der().clone()], made.key)
        .map_err(ServeError::Tls)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok((made.ca_pem, TlsAcceptor::from(Arc::new(config))))
}

struct Certificates {
    ca_pem: String,
    leaf: rcgen::Certificate,
    key: PrivateKeyDer<'static>,
}

fn certificates() -> Result<Certificates, rcgen::Error> {
    let mut authority = CertificateParams::default();
    authority.distinguished_name.push(DnType::CommonName, "hostssl simulated Azure authority");
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let issuer = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;
    let mut leaf = CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()])?;
    leaf.distinguished_name.push(DnType::CommonName, "localhost");
    leaf.use_authority_key_identifier_extension = true;
    leaf.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate()?;
    Ok(Certificates {
        leaf: leaf.signed_by(&key, &issuer)?,
        ca_pem: issuer.pem(),
        key: PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
    })
}

async fn accept(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    router: Router,
    options: ServeOptions,
    mut stopped: watch::Receiver<bool>,
) {
    let graceful = GracefulShutdown::new();
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let stream = tokio::select! {
            () = stop_requested(&mut stopped) => break,
            // Collecting what has ended keeps the set small.
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // Out of file descriptors, most likely: a pause lets connections end.
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
        };
        let (acceptor, service) = (acceptor.clone(), Gate(router.clone()));
        let (watcher, streams) = (graceful.watcher(), options.max_concurrent_streams);
        connections.spawn(async move {
            if let Err(error) = converse(stream, acceptor, service, streams, watcher).await {
                tracing::debug!(error, "a connection ended early");
            }
        });
    }
    drop(listener);
    if tokio::time::timeout(GRACE, graceful.shutdown()).await.is_err() {
        tracing::debug!("connections were cut off at shutdown");
    }
}

/// Waits for the word to stop; a sender that is gone means the same.
async fn stop_requested(stopped: &mut watch::Receiver<bool>) {
    let _ = stopped.wait_for(|stop| *stop).await;
}

/// Serves one connection to its end.
async fn converse(
    stream: TcpStream,
    acceptor: TlsAcceptor,
    service: Gate,
    streams: u32,
    watcher: hyper_util::server::graceful::Watcher,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    stream.set_nodelay(true)?;
    let stream = tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await??;
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(MAX_HEADERS)
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(streams)
        .max_header_list_size(u32::try_from(MAX_HEADERS).unwrap_or(u32::MAX));
    let connection = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service)).into_owned();
    watcher.watch(connection).await
}

/// The router, but for answers that must not arrive: they become errors, so hyper breaks the stream.
#[derive(Debug, Clone)]
struct Gate(Router);

impl<B> Service<Request<B>> for Gate
where
    Router: Service<Request<B>, Response = Response<Body>, Error = Infallible>,
    <Router as Service<Request<B>>>::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, io::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), io::Error>> {
        self.0.poll_ready(context).map_err(|never| match never {})
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let answer = self.0.call(request);
        Box::pin(async move {
            let Ok(response) = answer.await;
            if response.extensions().get::<ConnectionReset>().is_some() {
                return Err(io::Error::from(io::ErrorKind::ConnectionReset));
            }
            Ok(response)
        })
    }
}
