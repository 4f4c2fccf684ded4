//! The console on a port: bounded connections, bounded times, with or without TLS.

use crate::connections::{Connections, CountedConnection};
use crate::guard::SessionStoreError;
use crate::guard::{Peer, Session, SessionUser};
use crate::job::StopCause;
use crate::known_approvers::keep_known_approvers;
use crate::options::{Connect, ConsoleOptions, TlsFiles};
use crate::prober_port::{ProberDoor, prober_port_key};
use crate::routes::router;
use crate::shared::Shared;
use crate::shared_store;
use crate::user_role::Role;
use axum::extract::Request;
use axum::http::Request as HttpRequest;
use hostssl_model::{Advice, Hint};
use hostssl_prober::{KeyError, server_config};
use hostssl_store::{AuditStore, StateDirectory, StoreError};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use rustls_pki_types::pem::{self, PemObject as _};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, BufReader};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_io_timeout::TimeoutWriter;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt as _;

/// Connections at once. For a further one, the oldest without a sign-in is ended.
const MAX_CONNECTIONS: usize = 512;
/// A client that takes nothing of its answer for this long is dropped.
const UNREAD: Duration = Duration::from_secs(30);
/// Requests at once over one HTTP/2 connection.
const MAX_STREAMS: u32 = 32;
/// The largest head of a request, in bytes.
const MAX_HEAD: usize = 32 << 10;
/// A client that cannot finish a handshake in this time is dropped.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// The same for the head of a request, which over HTTP/1 includes the idle time before it.
const HEAD: Duration = Duration::from_secs(15);
/// How long a stop waits for answers in progress.
const GRACE: Duration = Duration::from_secs(2);
/// How long a stop waits for an audit in progress to be kept.
const KEEP: Duration = Duration::from_secs(10);
/// How long a stop waits for servers being changed; longer than the executor gives what is in progress.
const SETTLE: Duration = Duration::from_secs(45);

/// The console cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The state directory cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The address is taken or may not be used.
    #[error("cannot listen on {address}")]
    Bind {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// A file of the certificate cannot be used.
    #[error("{path} cannot be used as a PEM file")]
    Pem {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: pem::Error,
    },
    /// Certificate and key do not work together.
    #[error("the certificate and the key cannot be used")]
    Tls(#[source] rustls::Error),
    /// The key of the port for probers cannot be used.
    #[error(transparent)]
    ProberKey(#[from] KeyError),
    /// The operating system provides no random bytes, so that signing in would not be safe.
    #[error("the operating system provides no random bytes")]
    Random(#[source] getrandom::Error),
}

impl Advice for ServeError {
    fn advice(&self) -> Hint {
        Hint::from(match self {
            Self::Store(error) => return error.advice(),
            Self::ProberKey(error) => return error.advice(),
            Self::Bind { source, .. } if source.kind() == io::ErrorKind::AddrNotAvailable => {
                "this machine does not have that address: name one of its own"
            }
            Self::Bind { .. } => {
                "another program, or another hostssl serve, may have the port: choose one with --listen ADDR:PORT"
            }
            Self::Pem { .. } | Self::Tls(_) => {
                "give the certificate chain with --tls-cert and its private key with --tls-key, both in PEM"
            }
            Self::Random(_) => "start it on a machine whose operating system provides random bytes",
        })
    }
}

/// A console that has its port and waits to be run.
pub struct Console {
    shared: Shared,
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    links: Vec<SignInLink>,
    probers: Option<ProberDoor>,
}

/// A link that signs in one person, once.
#[derive(Debug, Clone)]
pub struct SignInLink {
    /// Who signs in.
    pub person: String,
    /// What they may do.
    pub role: Role,
    /// The address to open.
    pub address: String,
}

/// Makes sign-in links while the console runs.
#[derive(Clone)]
pub struct LinkMaker(Shared);

impl LinkMaker {
    /// New links for the people that the console was started for, each to be used once within an hour.
    ///
    /// # Errors
    ///
    /// [`ServeError::Random`] when the system gives no random bytes; [`ServeError::Store`] when the state cannot be written.
    pub fn links(&self) -> Result<Vec<SignInLink>, ServeError> {
        let people = &self.0.options.people;
        let mut identities: Vec<SessionUser> =
            people.iter().map(|(name, role)| SessionUser::named(name, *role)).collect();
        if identities.is_empty() {
            identities.push(SessionUser::local());
        }
        identities.into_iter().map(|identity| self.link(identity)).collect()
    }

    fn link(&self, identity: SessionUser) -> Result<SignInLink, ServeError> {
        let (person, role) = (identity.person().to_owned(), identity.role);
        let token = self.0.sessions.new_link(identity, None)?;
        Ok(SignInLink { person, role, address: format!("{}/sign-in?token={token}", base(&self.0)) })
    }
}

impl From<SessionStoreError> for ServeError {
    fn from(error: SessionStoreError) -> Self {
        match error {
            SessionStoreError::Random(error) => Self::Random(error),
            SessionStoreError::State(error) => Self::Store(error),
        }
    }
}

impl Console {
    /// Takes the port.
    ///
    /// # Errors
    ///
    /// [`ServeError::Bind`] when someone else has it, or it may not be used.
    pub async fn listen(address: SocketAddr) -> Result<TcpListener, ServeError> {
        TcpListener::bind(address).await.map_err(|source| ServeError::Bind { address, source })
    }

    /// Opens the state, and makes the first links for signing in.
    ///
    /// # Errors
    ///
    /// [`ServeError`] with what cannot be had.
    pub fn new(
        options: ConsoleOptions,
        listener: TcpListener,
        state: impl Into<StateDirectory>,
        connect: Connect,
    ) -> Result<Self, ServeError> {
        let tls = options.tls.as_ref().map(acceptor).transpose()?;
        let store = AuditStore::open(state)?;
        let address = options.listen;
        let port = listener.local_addr().map_err(|source| ServeError::Bind { address, source })?.port();
        keep_known_approvers(&store, &options)?;
        let shared = Shared::new(options, port, store, connect);
        // By the time someone has signed in, it is known.
        if let Some(latest) = shared.store.latest()? {
            shared.readiness(&latest);
        }
        let links = LinkMaker(shared.clone()).links()?;
        Ok(Self { shared, listener, tls, links, probers: None })
    }

    /// Serves probers too, on a port of their own, with the key of a file or with the one that is kept in the state.
    ///
    /// # Errors
    ///
    /// [`ServeError`] when that key cannot be used.
    pub fn with_probers(mut self, listener: TcpListener, key: Option<&Path>) -> Result<Self, ServeError> {
        let key = prober_port_key(self.shared.store.directory(), key)?;
        let config = server_config(&key).map_err(ServeError::Tls)?;
        self.probers = Some(ProberDoor { listener, tls: TlsAcceptor::from(Arc::new(config)) });
        Ok(self)
    }

    /// Where it listens for probers, if it does.
    #[must_use]
    pub fn prober_address(&self) -> Option<SocketAddr> {
        self.probers.as_ref()?.listener.local_addr().ok()
    }

    /// The address of the console.
    #[must_use]
    pub fn address(&self) -> String {
        base(&self.shared)
    }

    /// The first links, one for each person.
    #[must_use]
    pub fn links(&self) -> &[SignInLink] {
        &self.links
    }

    /// Makes further links while the console runs.
    #[must_use]
    pub fn link_maker(&self) -> LinkMaker {
        LinkMaker(self.shared.clone())
    }

    /// Serves until `stop` is done. An audit in progress is told to stop, and what it has seen is kept.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let app = router(self.shared.clone());
        // It ends with the pages: what probers did not send by then, they send again later.
        let mut probers = JoinSet::new();
        if let Some(door) = self.probers {
            probers.spawn(door.serve(self.shared.clone()));
        }
        // It ends with its set, and with that the pages.
        let mut follower = JoinSet::new();
        follower.spawn(shared_store::follow(self.shared.clone()));
        let graceful = GracefulShutdown::new();
        let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let connections = Connections::default();
        let mut stop = std::pin::pin!(stop);
        loop {
            if places.available_permits() == 0 {
                connections.make_room();
            }
            let place = tokio::select! {
                () = &mut stop => break,
                Ok(place) = places.clone().acquire_owned() => place,
            };
            let (stream, peer) = tokio::select! {
                () = &mut stop => break,
                accepted = self.listener.accept() => match accepted {
                    Ok(accepted) => accepted,
                    Err(error) => {
                        // Out of file descriptors, most likely: a pause lets connections end.
                        tracing::warn!(%error, "cannot accept a connection");
                        tokio::time::sleep(Duration::from_millis(50)).await;
                        continue;
                    }
                },
            };
            let Some(connection) = connections.enter(peer.ip(), &self.shared.options) else {
                tracing::debug!(%peer, "too many connections of one network");
                continue;
            };
            // Without it a small answer may wait for the client's acknowledgement of the one before.
            let _ = stream.set_nodelay(true);
            let (tls, app, watcher) = (self.tls.clone(), app.clone(), graceful.watcher());
            let number = connection.number();
            let task = tokio::spawn(async move {
                let visit = Visit { peer, connection };
                let ended = match tls {
                    Some(tls) => match tokio::time::timeout(HANDSHAKE, tls.accept(stream)).await {
                        Ok(Ok(stream)) => converse(stream, visit, app, watcher).await,
                        Ok(Err(error)) => Err(error.into()),
                        Err(late) => Err(late.into()),
                    },
                    None => converse(stream, visit, app, watcher).await,
                };
                if let Err(error) = ended {
                    tracing::debug!(error, "a connection ended early");
                }
                drop(place);
            });
            connections.ends_by(number, task.abort_handle());
        }
        end_in_order(&self.shared, self.listener, graceful).await;
    }
}

/// Tells what is in progress to stop, and gives it the time to keep what it has.
async fn end_in_order(shared: &Shared, listener: TcpListener, graceful: GracefulShutdown) {
    let audit = shared.audits.running();
    if let Some(audit) = &audit {
        audit.stop_for(StopCause::Shutdown);
    }
    let change = shared.changes.running();
    if let Some(change) = &change {
        change.stop_for(StopCause::Shutdown);
    }
    shared.plans.all().iter().for_each(|plan| plan.stop_for(StopCause::Shutdown));
    drop(listener);
    // Live pages end with their audit, and what that has seen is kept before the process goes.
    let _ = tokio::time::timeout(GRACE, graceful.shutdown()).await;
    if let Some(audit) = audit {
        let _ = tokio::time::timeout(KEEP, audit.follow().wait_for(|status| status.end.is_some())).await;
    }
    if let Some(change) = change {
        // What is not settled by then is resumed: the journal has it.
        let _ = tokio::time::timeout(SETTLE, change.follow().wait_for(|status| status.end.is_some())).await;
    }
}

/// A connection and where it comes from.
struct Visit {
    peer: SocketAddr,
    connection: Arc<CountedConnection>,
}

async fn converse<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    Visit { peer, connection }: Visit,
    app: axum::Router,
    watcher: hyper_util::server::graceful::Watcher,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let service = tower::service_fn(move |request: HttpRequest<hyper::body::Incoming>| {
        let mut request: Request = request.map(axum::body::Body::new);
        request.extensions_mut().insert(Peer(peer));
        let (answer, connection) = (app.clone().oneshot(request), connection.clone());
        async move {
            let answer = answer.await;
            if answer.as_ref().is_ok_and(|response| response.extensions().get::<Session>().is_some()) {
                connection.is_known();
            }
            answer
        }
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(MAX_HEAD)
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Some(HEAD))
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(u32::try_from(MAX_HEAD).unwrap_or(u32::MAX));
    // Who connects and says nothing is not waited for: before the first bytes, no other limit holds.
    let mut stream = BufReader::new(stream);
    tokio::time::timeout(HEAD, stream.fill_buf()).await??;
    let mut stream = Box::pin(TimeoutWriter::new(stream));
    stream.as_mut().set_timeout_pinned(Some(UNREAD));
    let connection = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service)).into_owned();
    watcher.watch(connection).await
}

fn base(shared: &Shared) -> String {
    let options = &shared.options;
    if let Some(public) = &options.public {
        return public.to_string();
    }
    let scheme = if options.tls.is_some() { "https" } else { "http" };
    let ip = options.listen.ip();
    let host = match options.hosts.first() {
        Some(host) => host.clone(),
        // Every address of this machine: the one that surely leads here.
        None if ip.is_unspecified() && ip.is_ipv6() => "[::1]".to_owned(),
        None if ip.is_unspecified() => "127.0.0.1".to_owned(),
        None if ip.is_ipv6() => format!("[{ip}]"),
        None => ip.to_string(),
    };
    // A name that brings its own port stands for another one, of a proxy in front.
    if host.starts_with('[') || !host.contains(':') {
        format!("{scheme}://{host}:{}", shared.port)
    } else {
        format!("{scheme}://{host}")
    }
}

fn acceptor(files: &TlsFiles) -> Result<TlsAcceptor, ServeError> {
    let pem = |path: &PathBuf| {
        let path = path.clone();
        move |source| ServeError::Pem { path, source }
    };
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect)
        .map_err(pem(&files.certificate))?;
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(pem(&files.key))?;
    let mut config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(ServeError::Tls)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
