//! How hosts are found and reached: the one seam below the prober.
//!
//! Everything above works on a [`Stream`] and does not know what is behind it. [`Network`] is the operating system's;
//! a simulated fleet hands out ends of streams in memory, so that ten thousand servers need no sockets and no DNS.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::future::{BoxFuture, FutureExt as _};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::srv;

/// Finds the addresses of hosts and opens connections to them. Time-outs are the caller's: both futures may be dropped
/// at any time.
pub trait Dial: fmt::Debug + Send + Sync {
    /// The host and port to connect to in place of those of a target; `None` for the target's own.
    fn instead_of(&self, _host: &str, _port: u16) -> Option<(String, u16)> {
        None
    }

    /// Whether names are resolved where connections come out, and not here. Then [`Dial::connect`] is given the
    /// unspecified address with the port, and goes by the name.
    fn resolves_at_far_end(&self) -> bool {
        false
    }

    /// The addresses of `host`, each with `port`.
    ///
    /// # Errors
    ///
    /// Whatever the resolver says; a name without an address is an error or an empty list.
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>>;

    /// The hosts and ports of a service, which is a name such as `_postgresql._tcp.example.com`.
    ///
    /// # Errors
    ///
    /// Whatever the resolver says; where nothing is said, that services cannot be looked up.
    fn services<'a>(&'a self, _service: &'a str) -> BoxFuture<'a, io::Result<Vec<(String, u16)>>> {
        futures::future::ready(Err(io::ErrorKind::Unsupported.into())).boxed()
    }

    /// Opens a connection to `address`, which belongs to `host`.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::ConnectionRefused`] when nothing listens there, and whatever else keeps a connection from being
    /// made.
    fn connect<'a>(&'a self, host: &'a str, address: SocketAddr) -> BoxFuture<'a, io::Result<Stream>>;

    /// The same for a caller that waits until `deadline`, and drops the future then. A dialer that depends on something between
    /// here and there says before that what did not answer.
    ///
    /// # Errors
    ///
    /// As [`Dial::connect`].
    fn connect_by<'a>(
        &'a self,
        host: &'a str,
        address: SocketAddr,
        _deadline: Instant,
    ) -> BoxFuture<'a, io::Result<Stream>> {
        self.connect(host, address)
    }
}

/// The system's resolver and TCP.
#[derive(Clone, Copy, Debug, Default)]
pub struct Network;

impl Dial for Network {
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        async move { Ok(tokio::net::lookup_host((host, port)).await?.collect()) }.boxed()
    }

    fn services<'a>(&'a self, service: &'a str) -> BoxFuture<'a, io::Result<Vec<(String, u16)>>> {
        srv::lookup(service).boxed()
    }

    fn connect<'a>(&'a self, _host: &'a str, address: SocketAddr) -> BoxFuture<'a, io::Result<Stream>> {
        async move {
            let stream = TcpStream::connect(address).await?;
            // Small messages, each of which is waited for. A failure costs time and nothing else.
            let _ = stream.set_nodelay(true);
            Ok(Stream::Tcp(stream))
        }
        .boxed()
    }
}

/// A connection in the clear.
#[derive(Debug)]
pub enum Stream {
    /// Over the network.
    Tcp(TcpStream),
    /// To a peer in this process.
    Memory(DuplexStream),
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(context, into),
            Self::Memory(stream) => Pin::new(stream).poll_read(context, into),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Memory(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(context),
            Self::Memory(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Memory(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write_vectored(context, pieces),
            Self::Memory(stream) => Pin::new(stream).poll_write_vectored(context, pieces),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Tcp(stream) => stream.is_write_vectored(),
            Self::Memory(stream) => stream.is_write_vectored(),
        }
    }
}
