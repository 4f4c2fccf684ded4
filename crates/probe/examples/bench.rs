//! Measures how many endpoints a second the prober does, and what they cost in CPU time and memory.
//!
//! ```text
//! bench respond plain|tls PORT      a responder that answers at once, on all addresses of loopback
//! bench probe PORT COUNT CONCURRENCY [lean]
//!                                   default probes of COUNT targets 127.x.y.z:PORT; with `lean`, only what a verdict needs
//! ```
//!
//! Run the two in processes of their own, so that the CPU time of the client is its own. Against a real server, let it
//! listen on 0.0.0.0 and give its port.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Instant;

use futures::StreamExt as _;
use hostssl_pgwire::backend::Authentication;
use hostssl_pgwire::error_response::ErrorResponse;
use hostssl_pgwire::frontend::InitialPacket;
use hostssl_probe::target::Target;
use hostssl_probe::{Options, Prober, probe_many};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["respond", kind, port] => respond(*kind == "tls", port.parse()?).await,
        ["probe", port, count, concurrency, rest @ ..] => {
            let options = match rest {
                ["lean"] => Options::lean(),
                _ => Options::default(),
            };
            measure(port.parse()?, count.parse()?, concurrency.parse()?, options).await
        }
        _ => Err("usage: bench respond plain|tls PORT | bench probe PORT COUNT CONCURRENCY [lean]".into()),
    }
}

async fn measure(port: u16, count: u32, concurrency: usize, options: Options) -> Result<()> {
    let prober = Arc::new(Prober::new(options)?);
    let targets = (0..count).map(move |index| {
        // 250 addresses in each of 250 networks, so that no two probes at once share a server.
        let (high, low) = (index % 62_500 / 250, index % 250);
        Target::new(format!("127.1.{high}.{}", low + 1), port)
    });
    let (begin, cpu) = (Instant::now(), cpu_seconds()?);
    let mut verdicts: BTreeMap<String, u32> = BTreeMap::new();
    let mut stream = probe_many(prober, targets, concurrency);
    while let Some(report) = stream.next().await {
        *verdicts.entry(format!("{:?}", report.verdict)).or_default() += 1;
    }
    let (wall, cpu) = (begin.elapsed().as_secs_f64(), cpu_seconds()? - cpu);
    let each = f64::from(count);
    writeln!(
        std::io::stdout(),
        "{count} endpoints in {wall:.2} s: {:.0} endpoints/s, {:.3} ms of client CPU each, peak memory {} MB, {verdicts:?}",
        each / wall,
        cpu * 1000.0 / each,
        peak_megabytes()?
    )?;
    Ok(())
}

/// User and system time of this process (proc(5), /proc/pid/stat, fields 14 and 15, in ticks of a hundredth second).
fn cpu_seconds() -> Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let (_, fields) = stat.rsplit_once(')').ok_or("no such field")?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let field = |index: usize| -> Result<f64> { Ok(fields.get(index).ok_or("no such field")?.parse()?) };
    Ok((field(11)? + field(12)?) / 100.0)
}

/// The most memory that this process has had (proc(5), /proc/pid/status, VmHWM).
fn peak_megabytes() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmHWM")).ok_or("no such line")?;
    let kilobytes: u64 = line.split_whitespace().nth(1).ok_or("no such field")?.parse()?;
    Ok(kilobytes / 1024)
}

async fn respond(tls: bool, port: u16) -> Result<()> {
    let listener = TcpListener::bind(("0.0.0.0", port)).await?;
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
