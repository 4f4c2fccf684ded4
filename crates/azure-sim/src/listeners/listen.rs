//! The listeners on loopback, for real clients: psql, openssl, a prober in another process.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::{POOLER, POSTGRES, Peer, Place, Wire, resolvable, session};

/// The most servers that get a port: each costs a socket, and a thousand are of no use to a person.
const MAX_SERVERS: usize = 200;

/// Why no port could be had.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on 127.0.0.1 for {host}")]
pub struct ListenError {
    /// The server.
    pub host: String,
    /// What the operating system said.
    #[source]
    pub source: io::Error,
}

/// Listeners on loopback. Dropping it closes them and every connection.
#[derive(Debug)]
pub struct Listening {
    /// The listeners, by name and port of the server.
    pub listeners: Vec<Listener>,
    /// Servers that got no port because there are too many.
    pub left_out: usize,
    _tasks: JoinSet<()>,
}

/// One listener on loopback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// The name of the server.
    pub host: String,
    /// The port that it has in the simulated Azure.
    pub port: u16,
    /// Where it is on this machine.
    pub address: SocketAddr,
}

impl Listener {
    /// The listener as a connection string for libpq and for `hostssl probe`: the name for the certificate, the address
    /// to connect to.
    #[must_use]
    pub fn connection_string(&self) -> String {
        format!("host={} hostaddr={} port={}", self.host, self.address.ip(), self.address.port())
    }
}

impl Wire {
    /// Offers the listeners of the servers, 200 at most, on ports of 127.0.0.1. A server that does not run closes each
    /// connection at once.
    ///
    /// # Errors
    ///
    /// [`ListenError`] when a port cannot be had.
    pub async fn listen(&self) -> Result<Listening, ListenError> {
        let mut listeners = Vec::new();
        let mut left_out = 0;
        let mut tasks = JoinSet::new();
        let servers = &self.0.simulation.inner().estate.servers;
        for (index, record) in servers.iter().enumerate() {
            let Some(host) = resolvable(record, Place::Outside) else { continue };
            if listeners.len() >= MAX_SERVERS {
                left_out += 1;
                continue;
            }
            for port in [POSTGRES, POOLER] {
                // The pooler's port is there when the server has a pooler now; PostgreSQL's always is.
                if port == POOLER && self.policy(index, port).is_none() {
                    continue;
                }
                let unavailable = |source| ListenError { host: host.clone(), source };
                let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(unavailable)?;
                let address = listener.local_addr().map_err(unavailable)?;
                tasks.spawn(accept(self.clone(), index, port, listener));
                listeners.push(Listener { host: host.clone(), port, address });
            }
        }
        Ok(Listening { listeners, left_out, _tasks: tasks })
    }
}

async fn accept(wire: Wire, index: usize, port: u16, listener: TcpListener) {
    let mut sessions = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            // Collecting what has ended keeps the set small.
            Some(_) = sessions.join_next(), if !sessions.is_empty() => continue,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                if let Some(policy) = wire.policy(index, port) {
                    let _ = stream.set_nodelay(true);
                    sessions.spawn(session::serve(wire.clone(), policy, Peer::new(peer.ip()), stream));
                }
            }
            Err(error) => {
                // Out of file descriptors, most likely: a pause lets connections end.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}
