//! A peer that answers at once, so that what is measured is the prober.

use std::error::Error;
use std::io::Write as _;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use hostssl_pgwire::backend::Authentication;
use hostssl_pgwire::error_response::ErrorResponse;
use hostssl_pgwire::frontend::InitialPacket;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// A responder in a process of its own, so that its time is not the prober's.
pub struct Responder {
    child: Child,
    pub port: u16,
}

impl Responder {
    /// Starts this program as a responder, on all addresses of loopback.
    pub fn start(kind: &str) -> Result<Self> {
        let program = std::env::current_exe()?;
        let mut child =
            Command::new(program).args(["respond", kind]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        let stdout = child.stdout.take().ok_or("no standard output")?;
        std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut line)?;
        Ok(Self { child, port: line.trim().parse()? })
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The responder's side: says its port and answers until it is ended.
pub fn run(kind: &str) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(respond(kind == "tls"))
}

async fn respond(tls: bool) -> Result<()> {
    let listener = TcpListener::bind(("0.0.0.0", 0)).await?;
    writeln!(std::io::stdout(), "{}", listener.local_addr()?.port())?;
    let acceptor = if tls { Some(tokio_rustls::TlsAcceptor::from(tls_config()?)) } else { None };
    loop {
        let (stream, _) = listener.accept().await?;
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            let _ = answer(stream, acceptor).await;
        });
    }
}

async fn answer(mut stream: TcpStream, acceptor: Option<tokio_rustls::TlsAcceptor>) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut first = [0];
    if stream.peek(&mut first).await? == 0 || first == [0x16] {
        return Ok(());
    }
    if packet(&mut stream).await? == InitialPacket::SslRequest {
        if let Some(acceptor) = acceptor {
            stream.write_all(b"S").await?;
            let mut stream = acceptor.accept(stream).await?;
            packet(&mut stream).await?;
            let mechanisms = vec!["SCRAM-SHA-256-PLUS".to_owned(), "SCRAM-SHA-256".to_owned()];
            return finish(&mut stream, &Authentication::Sasl { mechanisms }.encode()).await;
        }
        stream.write_all(b"N").await?;
        packet(&mut stream).await?;
    }
    let refusal = ErrorResponse {
        severity: Some("FATAL".to_owned()),
        code: Some("28000".to_owned()),
        message: Some("no pg_hba.conf entry for host".to_owned()),
        routine: Some("ClientAuthentication".to_owned()),
        ..ErrorResponse::default()
    };
    finish(&mut stream, &refusal.encode()).await
}

async fn packet<S: AsyncRead + Unpin>(stream: &mut S) -> std::io::Result<InitialPacket> {
    let mut bytes = [0; 256];
    let count = stream.read(&mut bytes).await?;
    match InitialPacket::decode(bytes.get(..count).unwrap_or_default()) {
        Ok(Some((packet, _))) => Ok(packet),
        _ => Err(std::io::ErrorKind::InvalidData.into()),
    }
}

async fn finish<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, bytes: &[u8]) -> std::io::Result<()> {
    stream.write_all(bytes).await?;
    stream.flush().await?;
    let mut sink = [0; 64];
    while stream.read(&mut sink).await? > 0 {}
    Ok(())
}

fn tls_config() -> Result<Arc<rustls::ServerConfig>> {
    let issued = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()])?;
    let key = issued.signing_key.serialize_der().try_into()?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![issued.cert.der().clone()], key)?;
    // PostgreSQL sends no tickets.
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}
