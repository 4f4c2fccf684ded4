//! What the integration tests share: quick options, certificates, and peers that behave as told.

#![allow(dead_code, reason = "each test binary uses its own part of this module")]

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hostssl_pgwire::backend::Authentication;
use hostssl_pgwire::error_response::ErrorResponse;
use hostssl_pgwire::frontend::InitialPacket;
use hostssl_probe::report::EndpointReport;
use hostssl_probe::target::ProbeTarget;
use hostssl_probe::{ProbeOptions, Prober};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Options under which a peer that does not answer costs little.
pub(crate) fn quick() -> ProbeOptions {
    ProbeOptions {
        connect_timeout: Duration::from_millis(500),
        job_timeout: Duration::from_millis(500),
        endpoint_timeout: Duration::from_secs(4),
        retry_delay: Duration::from_millis(20),
        transcript: true,
        ..ProbeOptions::default()
    }
}

pub(crate) async fn probe(address: SocketAddr, options: ProbeOptions) -> EndpointReport {
    let target = ProbeTarget::new(address.ip().to_string(), address.port());
    Prober::new(options).unwrap().probe_address(&target, address).await
}

/// A listener that hands each connection to `behave`, and counts them.
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    pub(crate) connections: Arc<AtomicUsize>,
    pub(crate) at_once: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

impl Peer {
    pub(crate) async fn start<F, B>(behave: B) -> Self
    where
        B: Fn(TcpStream, usize) -> F + Send + Sync + 'static,
        F: Future<Output = std::io::Result<()>> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (connections, at_once) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (counter, most) = (connections.clone(), at_once.clone());
        let now = Arc::new(AtomicUsize::new(0));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let index = counter.fetch_add(1, Ordering::SeqCst);
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                let (future, now) = (behave(stream, index), now.clone());
                tokio::spawn(async move {
                    let _ = future.await;
                    now.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Self { address, connections, at_once, task }
    }

    /// A balancer that hands connections to `servers` in turn.
    pub(crate) async fn balancer(servers: Vec<SocketAddr>) -> Self {
        Self::start(move |mut stream, index| {
            let server = servers[index % servers.len()];
            async move {
                let mut behind = TcpStream::connect(server).await?;
                tokio::io::copy_bidirectional(&mut stream, &mut behind).await.map(|_| ())
            }
        })
        .await
    }

    pub(crate) fn count(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Reads the first packet of a client, without taking more than it.
pub(crate) async fn first_packet<S: AsyncRead + Unpin>(stream: &mut S) -> std::io::Result<InitialPacket> {
    let mut bytes = Vec::new();
    loop {
        match InitialPacket::decode(&bytes) {
            Ok(Some((packet, _))) => return Ok(packet),
            Ok(None) => bytes.push(stream.read_u8().await?),
            Err(error) => return Err(std::io::Error::other(error)),
        }
    }
}

pub(crate) fn refusal() -> Vec<u8> {
    let message =
        "no pg_hba.conf entry for host \"127.0.0.1\", user \"postgres\", database \"postgres\", no encryption";
    error("28000", Some("ClientAuthentication"), message)
}

pub(crate) fn error(code: &str, routine: Option<&str>, message: &str) -> Vec<u8> {
    ErrorResponse {
        severity: Some("FATAL".into()),
        code: Some(code.into()),
        message: Some(message.into()),
        routine: routine.map(Into::into),
        ..ErrorResponse::default()
    }
    .encode()
}

pub(crate) fn scram(plus: bool) -> Vec<u8> {
    let mut mechanisms = vec!["SCRAM-SHA-256".to_owned()];
    if plus {
        mechanisms.insert(0, "SCRAM-SHA-256-PLUS".to_owned());
    }
    Authentication::Sasl { mechanisms }.encode()
}

/// What a made-up server says.
#[derive(Clone)]
pub(crate) struct Script {
    /// In answer to `SSLRequest`; `S` begins TLS if there is a configuration for it.
    pub(crate) ssl: Vec<u8>,
    pub(crate) tls: Option<Arc<rustls::ServerConfig>>,
    /// Whether a ClientHello may come first.
    pub(crate) direct: bool,
    /// Whether direct TLS without ALPN is closed after the handshake, as PostgreSQL does.
    pub(crate) alpn_needed: bool,
    /// In answer to a startup in plaintext; nothing closes.
    pub(crate) plaintext: Vec<u8>,
    /// In answer to a startup over TLS; nothing closes.
    pub(crate) encrypted: Vec<u8>,
}

impl Script {
    /// A server that refuses plaintext and asks for SCRAM over TLS.
    pub(crate) fn enforcing(tls: Arc<rustls::ServerConfig>) -> Self {
        Self {
            ssl: b"S".to_vec(),
            tls: Some(tls),
            direct: false,
            alpn_needed: true,
            plaintext: refusal(),
            encrypted: scram(true),
        }
    }

    /// A server without TLS.
    pub(crate) fn without_tls(plaintext: Vec<u8>) -> Self {
        Self { ssl: b"N".to_vec(), tls: None, direct: false, alpn_needed: true, plaintext, encrypted: Vec::new() }
    }

    pub(crate) async fn peer(self) -> Peer {
        Peer::start(move |stream, _| self.clone().serve(stream)).await
    }

    pub(crate) async fn serve(self, mut stream: TcpStream) -> std::io::Result<()> {
        let mut first = [0];
        if stream.peek(&mut first).await? == 1 && first == [0x16] {
            return match self.tls.clone().filter(|_| self.direct) {
                Some(tls) => self.serve_tls(tls, stream, true).await,
                None => Ok(()),
            };
        }
        match first_packet(&mut stream).await? {
            InitialPacket::SslRequest => {
                stream.write_all(&self.ssl).await?;
                match self.tls.clone() {
                    Some(tls) if self.ssl == b"S" => self.serve_tls(tls, stream, false).await,
                    _ if self.ssl == b"N" => {
                        first_packet(&mut stream).await?;
                        finish(&mut stream, &self.plaintext).await
                    }
                    _ => wait_for_end(&mut stream).await,
                }
            }
            InitialPacket::Startup(_) => finish(&mut stream, &self.plaintext).await,
            InitialPacket::GssEncRequest => finish(&mut stream, b"N").await,
            InitialPacket::Cancel { .. } | InitialPacket::DirectTls => Ok(()),
        }
    }

    async fn serve_tls(&self, tls: Arc<rustls::ServerConfig>, stream: TcpStream, direct: bool) -> std::io::Result<()> {
        let mut stream = tokio_rustls::TlsAcceptor::from(tls).accept(stream).await?;
        if direct && self.alpn_needed && stream.get_ref().1.alpn_protocol() != Some(b"postgresql") {
            return stream.shutdown().await;
        }
        first_packet(&mut stream).await?;
        finish(&mut stream, &self.encrypted).await
    }
}

async fn finish<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, bytes: &[u8]) -> std::io::Result<()> {
    if bytes.is_empty() {
        return stream.shutdown().await;
    }
    stream.write_all(bytes).await?;
    stream.flush().await?;
    wait_for_end(stream).await
}

/// Reads until the client is gone, or wants to log in.
pub(crate) async fn wait_for_end<S: AsyncRead + Unpin>(stream: &mut S) -> std::io::Result<()> {
    let mut sink = [0; 1024];
    loop {
        let count = stream.read(&mut sink).await?;
        if count == 0 || sink[0] == b'p' {
            return Ok(());
        }
    }
}

/// How a made-up server wants client certificates.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClientCertificates {
    NotAsked,
    Required,
}

/// A TLS server for `localhost` with a fresh self-signed certificate.
pub(crate) fn tls_server(
    versions: &[&'static rustls::SupportedProtocolVersion],
    clients: ClientCertificates,
) -> Arc<rustls::ServerConfig> {
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let issued = rcgen::generate_simple_self_signed(names).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        rustls::ServerConfig::builder_with_provider(provider.clone()).with_protocol_versions(versions).unwrap();
    let builder = match clients {
        ClientCertificates::NotAsked => builder.with_no_client_auth(),
        ClientCertificates::Required => {
            let mut roots = rustls::RootCertStore::empty();
            roots.add(issued.cert.der().clone()).unwrap();
            let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    let key = issued.signing_key.serialize_der().try_into().unwrap();
    let mut config = builder.with_single_cert(vec![issued.cert.der().clone()], key).unwrap();
    config.alpn_protocols = vec![b"postgresql".to_vec()];
    Arc::new(config)
}

pub(crate) fn modern() -> Arc<rustls::ServerConfig> {
    tls_server(rustls::ALL_VERSIONS, ClientCertificates::NotAsked)
}
