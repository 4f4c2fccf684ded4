//! One client's conversation with a listener, up to its login.

use std::io::{self, Cursor};
use std::net::IpAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::message::{MAX_STARTUP, Opening, Startup, fatal, opening, sasl};
use super::policy::{Policy, Server};
use super::{Peer, Wire, backend, legacy};
use crate::token;

/// `authentication_timeout` of PostgreSQL by default: a client that has not logged in by then is cut off.
const TIMEOUT: Duration = Duration::from_secs(60);
/// The most of a client's answer that is read.
const MAX_ANSWER: usize = 8 << 10;
/// The first byte of a TLS record that holds a handshake.
const HANDSHAKE: u8 = 0x16;
/// The major version of PostgreSQL from which a client may begin with TLS.
const DIRECT_TLS: u8 = 17;

/// Serves one connection to its end. What goes wrong concerns that connection alone.
pub(super) async fn serve<S>(wire: Wire, policy: Policy, peer: Peer, mut stream: S)
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let talk = async {
        let talked = in_clear(&wire, &policy, &peer, &mut stream).await;
        // A close without unread bytes is a close and no reset.
        let closed = stream.shutdown().await;
        talked.and(closed)
    };
    tokio::pin!(talk);
    let ended = match timeout(TIMEOUT, &mut talk).await {
        Err(_) if peer.is_logged_in() => Ok(talk.await),
        ended => ended,
    };
    match ended {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, host = policy.host, "a client went away early"),
        Err(_) => tracing::debug!(host = policy.host, "a client did not log in in time"),
    }
}

async fn in_clear<S>(wire: &Wire, policy: &Policy, peer: &Peer, stream: &mut S) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    loop {
        let mut head = [0; 1];
        if stream.read(&mut head).await? == 0 {
            return Ok(());
        }
        if head == [HANDSHAKE] {
            let direct = matches!(policy.server, Server::Postgres(version) if version >= DIRECT_TLS);
            return if direct { over_tls(wire, policy, peer, stream, &head, true).await } else { Ok(()) };
        }
        match read_opening(stream, &head).await? {
            Some(Opening::SslRequest) => {
                stream.write_all(b"S").await?;
                return over_tls(wire, policy, peer, stream, &[], false).await;
            }
            Some(Opening::GssRequest) => stream.write_all(b"N").await?,
            Some(Opening::Startup(startup)) => return answer(wire, policy, peer, stream, &startup, false).await,
            Some(Opening::Unsupported(version)) => return unsupported(stream, version).await,
            Some(Opening::Cancel) | None => return Ok(()),
        }
    }
}

/// Completes the handshake and continues over TLS. `direct`: the client began with TLS, and must have named the
/// protocol (ALPN).
async fn over_tls<S>(
    wire: &Wire,
    policy: &Policy,
    peer: &Peer,
    stream: &mut S,
    head: &[u8],
    direct: bool,
) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let hello = legacy::read_record(stream, head).await?;
    if let Some(version) = legacy::offered(&hello) {
        let chain = wire.pki().chain(policy).map_err(io::Error::other)?;
        stream.write_all(&legacy::answer(version, policy.floor, &chain)).await?;
        return drain(stream).await;
    }
    let config = wire.pki().config(policy).map_err(io::Error::other)?;
    let (reader, writer) = tokio::io::split(stream);
    let replayed = tokio::io::join(Cursor::new(hello).chain(reader), writer);
    let mut stream = TlsAcceptor::from(config).accept(replayed).await?;
    // PostgreSQL closes without a word when a direct client did not name the protocol.
    if !direct || stream.get_ref().1.alpn_protocol().is_some() {
        let mut head = [0; 1];
        stream.read_exact(&mut head).await?;
        match read_opening(&mut stream, &head).await? {
            Some(Opening::Startup(startup)) => answer(wire, policy, peer, &mut stream, &startup, true).await?,
            Some(Opening::SslRequest) => unsupported(&mut stream, 80_877_103).await?,
            Some(Opening::Unsupported(version)) => unsupported(&mut stream, version).await?,
            Some(Opening::GssRequest | Opening::Cancel) | None => {}
        }
    }
    stream.shutdown().await
}

/// Reads a startup packet of which `head` is known. `None` when it is none.
async fn read_opening<S: AsyncRead + Unpin>(stream: &mut S, head: &[u8]) -> io::Result<Option<Opening>> {
    let mut length = head.to_vec();
    length.resize(4, 0);
    if let Some(rest) = length.get_mut(head.len()..) {
        stream.read_exact(rest).await?;
    }
    let length = length.iter().fold(0, |length: usize, byte| length << 8 | usize::from(*byte));
    if !(8..=MAX_STARTUP).contains(&length) {
        return Ok(None);
    }
    let mut body = vec![0; length - 4];
    stream.read_exact(&mut body).await?;
    Ok(opening(&body))
}

/// Answers a startup: the refusal of one in plaintext, or the request for a password, which is then always wrong. The identity of
/// the directory logs in with a token.
async fn answer<S>(
    wire: &Wire,
    policy: &Policy,
    peer: &Peer,
    stream: &mut S,
    startup: &Startup,
    tls: bool,
) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let Some(user) = startup.user.as_deref().filter(|user| !user.is_empty()) else {
        let message = "no PostgreSQL user name specified in startup packet";
        return stream.write_all(&fatal("28000", message, Some("ProcessStartupPacket"))).await;
    };
    let open = policy.open_database.is_some() && startup.database.as_deref() == policy.open_database;
    if policy.enforced && !tls && !open {
        return stream.write_all(&refusal(policy.server, peer.address, user, startup)).await;
    }
    if let Server::Postgres(version) = policy.server
        && tls
        && user == token::APP_NAME
    {
        return backend::serve(wire, &policy.host, version, user, peer, stream).await;
    }
    let mechanisms: &[&str] = match policy.server {
        // The pooler ends TLS itself and binds nothing to it. What a single server's gateway asks for is not known
        // here.
        Server::Postgres(_) if tls => &["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"],
        _ => &["SCRAM-SHA-256"],
    };
    stream.write_all(&sasl(mechanisms)).await?;
    let mut answer = vec![0; MAX_ANSWER];
    if stream.read(&mut answer).await? > 0 && answer.first() == Some(&b'p') {
        let message = format!("password authentication failed for user \"{user}\"");
        let routine = (policy.server != Server::Pooler).then_some("auth_failed");
        stream.write_all(&fatal("28P01", &message, routine)).await?;
    }
    Ok(())
}

/// How a startup in plaintext is refused, in the words of who refuses.
fn refusal(server: Server, client: IpAddr, user: &str, startup: &Startup) -> Vec<u8> {
    match server {
        Server::Postgres(version) => {
            let tail = if version < 14 { "SSL off" } else { "no encryption" };
            let message = if startup.is_physical_replication() {
                format!(
                    "no pg_hba.conf entry for replication connection from host \"{client}\", user \"{user}\", {tail}"
                )
            } else {
                // The database is the user's namesake unless one is named.
                let database = startup.database.as_deref().unwrap_or(user);
                format!("no pg_hba.conf entry for host \"{client}\", user \"{user}\", database \"{database}\", {tail}")
            };
            fatal("28000", &message, Some("ClientAuthentication"))
        }
        Server::SingleGateway => {
            fatal("28000", "SSL connection is required. Please specify SSL options and retry.", None)
        }
        Server::Pooler => fatal("08P01", "SSL required", None),
    }
}

async fn unsupported<S: AsyncWrite + Unpin>(stream: &mut S, version: u32) -> io::Result<()> {
    let message = format!(
        "unsupported frontend protocol {}.{}: server supports 3.0 to 3.0",
        version >> 16,
        version & u32::from(u16::MAX)
    );
    stream.write_all(&fatal("0A000", &message, Some("ProcessStartupPacket"))).await
}

/// Waits for the client's close, so that ours is not a reset.
async fn drain<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<()> {
    let mut sink = [0; 512];
    while stream.read(&mut sink).await? > 0 {}
    Ok(())
}
