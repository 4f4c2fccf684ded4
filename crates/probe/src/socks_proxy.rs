//! Connections through a SOCKS5 proxy (RFC 1928, RFC 1929), such as that of `ssh -D`.
//!
//! Names are resolved by the proxy: those of a private DNS zone have addresses there and nowhere else.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use crate::dial::{Dial, Stream};

/// The port of SOCKS (RFC 1928 section 3).
const DEFAULT_PORT: u16 = 1080;

/// How long before the caller's deadline the proxy is given up, so that its silence can be told.
const BEFORE_THE_DEADLINE: Duration = Duration::from_millis(10);

/// A SOCKS5 proxy, and how to sign in to it. Its `Debug` does not show the password.
#[derive(Clone)]
pub struct Socks5 {
    host: String,
    port: u16,
    login: Option<Arc<Login>>,
}

struct Login {
    user: Vec<u8>,
    password: Vec<u8>,
}

impl fmt::Debug for Socks5 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let login = self.login.as_ref().map(|_| "…");
        f.debug_struct("Socks5").field("host", &self.host).field("port", &self.port).field("login", &login).finish()
    }
}

/// Why a text is not an address of a proxy. Holds nothing of the text, which may have a password in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProxyError {
    /// Another scheme, or none.
    #[error("a proxy is written as socks5h://HOST:PORT, with USER:PASSWORD@ before HOST if it requires them")]
    Scheme,
    /// `socks5://` would resolve names here, where those of a private network have no address.
    #[error("socks5:// resolves names here; use socks5h://, by which the proxy resolves them")]
    LocalNames,
    /// No host.
    #[error("the proxy has no host")]
    Host,
    /// No number.
    #[error("the port of the proxy is not a number from 1 to 65535")]
    Port,
    /// A user or password that cannot be sent (RFC 1929).
    #[error("the user and the password of the proxy have 1 to 255 bytes each, with % escapes in pairs of digits")]
    Login,
}

impl Socks5 {
    /// Reads `socks5h://[user:password@]host[:port]`.
    ///
    /// # Errors
    ///
    /// [`ProxyError`] when it is something else.
    pub fn parse(text: &str) -> Result<Self, ProxyError> {
        let (scheme, rest) = text.split_once("://").ok_or(ProxyError::Scheme)?;
        match scheme.to_ascii_lowercase().as_str() {
            "socks5h" => {}
            "socks5" => return Err(ProxyError::LocalNames),
            _ => return Err(ProxyError::Scheme),
        }
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (login, place) = match rest.rsplit_once('@') {
            Some((login, place)) => (Some(login), place),
            None => (None, rest),
        };
        let (host, port) = match place.strip_prefix('[') {
            Some(bracketed) => {
                let (host, tail) = bracketed.split_once(']').ok_or(ProxyError::Host)?;
                (host, tail.strip_prefix(':').or(tail.is_empty().then_some("")).ok_or(ProxyError::Port)?)
            }
            None => place.split_once(':').unwrap_or((place, "")),
        };
        if host.is_empty() || host.contains(['/', '?', '#']) {
            return Err(ProxyError::Host);
        }
        let port = match port {
            "" => DEFAULT_PORT,
            digits => digits.parse().ok().filter(|port| *port != 0).ok_or(ProxyError::Port)?,
        };
        let login = login.map(parse_login).transpose()?.map(Arc::new);
        Ok(Self { host: host.to_owned(), port, login })
    }

    /// Opens a connection to the proxy and asks it for one to `host`, or to its address where that is known. What the proxy does
    /// not say in time is its own silence; once it was asked, the silence may be that of the server.
    async fn dial(&self, host: &str, address: SocketAddr, deadline: Option<Instant>) -> io::Result<TcpStream> {
        let (mut stream, asked) = match deadline.and_then(|deadline| deadline.checked_sub(BEFORE_THE_DEADLINE)) {
            Some(deadline) => timeout_at(deadline, self.greeted()).await.unwrap_or_else(|_| {
                Err(io::Error::other(format!("the proxy {}:{} did not answer", self.host, self.port)))
            }),
            None => self.greeted().await,
        }
        .and_then(|stream| Ok((stream, request(host, address)?)))?;
        let conversation = async {
            stream.write_all(&asked).await?;
            answer(&mut stream).await
        };
        conversation.await.map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
                io::Error::other(
                    "the proxy closed the connection before it answered; ssh -D does so where nothing listens on that port, or \
                     the name does not resolve there",
                )
            }
            _ => error,
        })?;
        Ok(stream)
    }

    /// A connection to the proxy that has accepted us.
    async fn greeted(&self) -> io::Result<TcpStream> {
        let unreachable = |error: io::Error| {
            io::Error::other(format!("the proxy {}:{} cannot be reached: {error}", self.host, self.port))
        };
        let mut stream = TcpStream::connect((self.host.as_str(), self.port)).await.map_err(unreachable)?;
        let _ = stream.set_nodelay(true);
        self.greet(&mut stream).await.map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
                io::Error::other(format!(
                    "the proxy {}:{} closed the connection before it answered",
                    self.host, self.port
                ))
            }
            _ => error,
        })?;
        Ok(stream)
    }

    async fn greet(&self, stream: &mut TcpStream) -> io::Result<()> {
        let methods: &[u8] = if self.login.is_some() { &[5, 2, 0, 2] } else { &[5, 1, 0] };
        stream.write_all(methods).await?;
        let mut chosen = [0; 2];
        stream.read_exact(&mut chosen).await?;
        match (chosen, &self.login) {
            ([5, 0], _) => Ok(()),
            ([5, 2], Some(login)) => login.send(stream).await,
            ([5, _], _) => Err(io::Error::other("the proxy requires another authentication method")),
            _ => Err(io::Error::other("the proxy does not speak SOCKS5")),
        }
    }
}

impl Login {
    async fn send(&self, stream: &mut TcpStream) -> io::Result<()> {
        let length = |text: &[u8]| u8::try_from(text.len()).unwrap_or(u8::MAX);
        let head = |text: &[u8]| [&[length(text)][..], text].concat();
        stream.write_all(&[&[1][..], &head(&self.user), &head(&self.password)].concat()).await?;
        let mut status = [0; 2];
        stream.read_exact(&mut status).await?;
        match status {
            [_, 0] => Ok(()),
            _ => Err(io::Error::other("the proxy refused the user or the password")),
        }
    }
}

fn parse_login(text: &str) -> Result<Login, ProxyError> {
    let (user, password) = text.split_once(':').unwrap_or((text, ""));
    let login = Login { user: unescape(user)?, password: unescape(password)? };
    let fits = |text: &[u8]| (1..=255).contains(&text.len());
    if fits(&login.user) && fits(&login.password) { Ok(login) } else { Err(ProxyError::Login) }
}

fn unescape(text: &str) -> Result<Vec<u8>, ProxyError> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte == b'%' {
            let digits = rest.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
            let escaped = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()).ok_or(ProxyError::Login)?;
            bytes.push(escaped);
            rest = rest.get(2..).unwrap_or_default();
        } else {
            bytes.push(byte);
        }
    }
    Ok(bytes)
}

/// CONNECT (RFC 1928 section 4). An address that is unspecified was not looked up: the proxy is given the name.
fn request(host: &str, address: SocketAddr) -> io::Result<Vec<u8>> {
    let mut bytes = vec![5, 1, 0];
    match address.ip() {
        ip if ip.is_unspecified() => {
            let length = u8::try_from(host.len());
            let length = length.map_err(|_| io::Error::other("the name is too long for a SOCKS5 proxy"))?;
            bytes.extend([3, length]);
            bytes.extend(host.bytes());
        }
        IpAddr::V4(ip) => {
            bytes.push(1);
            bytes.extend(ip.octets());
        }
        IpAddr::V6(ip) => {
            bytes.push(4);
            bytes.extend(ip.octets());
        }
    }
    bytes.extend(address.port().to_be_bytes());
    Ok(bytes)
}

/// The reply (RFC 1928 section 6). What stands in it about the proxy's own end is not needed, and read all the same.
async fn answer(stream: &mut TcpStream) -> io::Result<()> {
    let mut head = [0; 4];
    stream.read_exact(&mut head).await?;
    let [version, code, _, kind] = head;
    if version != 5 {
        return Err(io::Error::other("the proxy does not speak SOCKS5"));
    }
    match code {
        0 => {}
        5 => return Err(io::ErrorKind::ConnectionRefused.into()),
        2 => return Err(io::Error::other("the rules of the proxy do not allow the connection")),
        3 => return Err(io::Error::other("network unreachable from the proxy")),
        4 => return Err(io::Error::other("host unreachable from the proxy, or its name does not resolve there")),
        6 => return Err(io::Error::other("no answer in time at the proxy")),
        code => return Err(io::Error::other(format!("the proxy reports failure {code}"))),
    }
    let length = match kind {
        1 => 4,
        4 => 16,
        3 => usize::from(stream.read_u8().await?),
        _ => return Err(io::Error::other("the proxy does not speak SOCKS5")),
    };
    let mut rest = [0; 257];
    stream.read_exact(rest.get_mut(..length + 2).unwrap_or_default()).await?;
    Ok(())
}

impl Dial for Socks5 {
    fn resolves_at_far_end(&self) -> bool {
        true
    }

    fn resolve<'a>(&'a self, _host: &'a str, _port: u16) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        futures::future::ready(Err(io::ErrorKind::Unsupported.into())).boxed()
    }

    fn connect<'a>(&'a self, host: &'a str, address: SocketAddr) -> BoxFuture<'a, io::Result<Stream>> {
        async move { Ok(Stream::Tcp(self.dial(host, address, None).await?)) }.boxed()
    }

    fn connect_by<'a>(
        &'a self,
        host: &'a str,
        address: SocketAddr,
        deadline: Instant,
    ) -> BoxFuture<'a, io::Result<Stream>> {
        async move { Ok(Stream::Tcp(self.dial(host, address, Some(deadline)).await?)) }.boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_proxies() {
        let read = |text: &str| {
            let proxy = Socks5::parse(text)?;
            let login = proxy.login.as_ref().map(|login| (login.user.clone(), login.password.clone()));
            Ok::<_, ProxyError>((proxy.host, proxy.port, login))
        };
        assert_eq!(read("socks5h://127.0.0.1:1081"), Ok(("127.0.0.1".into(), 1081, None)));
        assert_eq!(read("SOCKS5H://bastion/"), Ok(("bastion".into(), 1080, None)));
        assert_eq!(read("socks5h://[::1]:9"), Ok(("::1".into(), 9, None)));
        let login = Some((b"me".to_vec(), b"p@ss:w".to_vec()));
        assert_eq!(read("socks5h://me:p%40ss:w@h:1"), Ok(("h".into(), 1, login.clone())));
        assert_eq!(read("socks5h://me:p@ss:w@h:1"), Ok(("h".into(), 1, login)));
        for (text, expected) in [
            ("h:1080", ProxyError::Scheme),
            ("http://h", ProxyError::Scheme),
            ("socks5://h", ProxyError::LocalNames),
            ("socks5h://", ProxyError::Host),
            ("socks5h://:80", ProxyError::Host),
            ("socks5h://h:0", ProxyError::Port),
            ("socks5h://h:x", ProxyError::Port),
            ("socks5h://me@h", ProxyError::Login),
            ("socks5h://me:%4@h", ProxyError::Login),
        ] {
            assert_eq!(read(text), Err(expected), "{text}");
        }
    }

    #[test]
    fn a_password_is_not_shown() {
        let proxy = Socks5::parse("socks5h://me:hunter2@h").unwrap();
        let shown = format!("{proxy:?}");
        assert!(!shown.contains("hunter2") && !shown.contains("104, 117"), "{shown}");
    }

    #[test]
    fn names_go_to_the_proxy_and_addresses_as_they_are() {
        let name = request("db.internal", SocketAddr::from(([0, 0, 0, 0], 5432))).unwrap();
        assert_eq!(name, [&[5, 1, 0, 3, 11][..], b"db.internal", &[0x15, 0x38]].concat());
        let address = request("db.internal", SocketAddr::from(([10, 0, 0, 4], 1))).unwrap();
        assert_eq!(address, [5, 1, 0, 1, 10, 0, 0, 4, 0, 1]);
        assert!(request(&"x".repeat(256), SocketAddr::from(([0, 0, 0, 0], 1))).is_err());
    }
}
