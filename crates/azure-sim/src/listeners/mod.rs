//! The PostgreSQL listeners of the simulated servers: what a client meets that connects to one of them.
//!
//! What a listener does is read from the server's parameters at each connection, so a write through Resource Manager
//! changes what the next client gets. Connections are made in this process ([`Wire::connect`], no socket and no DNS) or
//! on loopback ports ([`Wire::listen`]). The protocol is written out here on its own: the client under test must not
//! find its own mistakes on the other side.

mod backend;
mod legacy;
mod listen;
mod message;
mod pki;
mod policy;
mod session;

pub use listen::{ListenError, Listener, Listening};
pub use pki::Root;

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::DuplexStream;

use crate::estate::Record;
use crate::fleet::{GraphView, Kind};
use crate::simulation::Simulation;
use crate::state::AzureState;
use pki::Pki;
use policy::Policy;

/// The port of PostgreSQL.
pub(crate) const POSTGRES: u16 = 5432;
/// The port of the built-in PgBouncer.
pub(crate) const POOLER: u16 = 6432;

/// What a listener takes at once, in bytes.
const BUFFER: usize = 16 << 10;

/// How many addresses 198.18.0.0/15 has.
const IPV4_ADDRESSES: u32 = 1 << 17;

/// The listeners of a simulation. Clones share them.
#[derive(Debug, Clone)]
pub struct Wire(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    simulation: Simulation,
    pki: Pki,
    /// Indexes of servers by the name that clients connect to, in lower case.
    by_host: HashMap<Box<str>, u32>,
}

/// Why the listeners could not be set up: a fault of this program, or of the system's source of randomness.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// The certificates could not be made.
    #[error("cannot make the certificates of the simulated servers")]
    Certificate(#[from] rcgen::Error),
    /// The certificates could not be used.
    #[error("cannot set up TLS for the simulated servers")]
    Tls(#[from] rustls::Error),
}

impl Wire {
    /// The listeners of `simulation`, with certificates of their own.
    ///
    /// # Errors
    ///
    /// [`WireError`] when no certificates can be made.
    pub fn new(simulation: &Simulation) -> Result<Self, WireError> {
        Self::seen(simulation, Place::Outside)
    }

    /// The same as a machine in their virtual networks sees them: private names resolve too.
    ///
    /// # Errors
    ///
    /// As [`Wire::new`].
    pub fn inside(simulation: &Simulation) -> Result<Self, WireError> {
        Self::seen(simulation, Place::Inside)
    }

    fn seen(simulation: &Simulation, from: Place) -> Result<Self, WireError> {
        let pki = Pki::new(simulation.inner().clock.unix())?;
        let mut by_host = HashMap::new();
        for (index, record) in simulation.inner().estate.servers.iter().enumerate() {
            if let Some(host) = resolvable(record, from) {
                by_host.entry(host.to_ascii_lowercase().into()).or_insert(u32::try_from(index).unwrap_or(u32::MAX));
            }
        }
        Ok(Self(Arc::new(Inner { simulation: simulation.clone(), pki, by_host })))
    }

    /// The address of a server by its name, in any letter case. `None` for a name that does not resolve: one that no
    /// server has, or that of a server in a virtual network, whose zone is private.
    #[must_use]
    pub fn resolve(&self, host: &str) -> Option<IpAddr> {
        self.index_of(host).map(address)
    }

    /// The place of a server among all, by its name.
    fn index_of(&self, host: &str) -> Option<u32> {
        let known = self.0.by_host.get(host).or_else(|| self.0.by_host.get(host.to_ascii_lowercase().as_str()));
        known.copied()
    }

    fn simulation(&self) -> &AzureState {
        self.0.simulation.inner()
    }

    /// Connects to a listener as a client at `client` would.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::ConnectionRefused`] when nothing listens there: no such server, one that does not run, a port
    /// that it does not have.
    pub fn connect(&self, to: SocketAddr, client: IpAddr) -> io::Result<DuplexStream> {
        let refused = || io::Error::from(io::ErrorKind::ConnectionRefused);
        let index = index(to.ip()).ok_or_else(refused)?;
        let policy = self.policy(index as usize, to.port()).ok_or_else(refused)?;
        let (near, far) = tokio::io::duplex(BUFFER);
        tokio::spawn(session::serve(self.clone(), policy, Peer::new(client), far));
        Ok(near)
    }

    /// The authorities in which the chains of the servers end. They stand for the two roots of Azure.
    #[must_use]
    pub fn roots(&self) -> &[Root] {
        self.0.pki.roots()
    }

    /// How the listener on `port` of a server behaves now; `None` when there is none.
    fn policy(&self, index: usize, port: u16) -> Option<Policy> {
        let inner = self.0.simulation.inner();
        policy::read(&inner.estate, inner.estate.servers.get(index)?, port)
    }

    fn pki(&self) -> &Pki {
        &self.0.pki
    }
}

/// Who is at the other end.
#[derive(Debug)]
struct Peer {
    address: IpAddr,
    is_logged_in: AtomicBool,
}

impl Peer {
    fn new(address: IpAddr) -> Self {
        Self { address, is_logged_in: AtomicBool::new(false) }
    }

    /// It has logged in: it is not cut off any more.
    fn log_in(&self) {
        self.is_logged_in.store(true, Ordering::Relaxed);
    }

    fn is_logged_in(&self) -> bool {
        self.is_logged_in.load(Ordering::Relaxed)
    }
}

/// Where a client stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// On the Internet.
    Outside,
    /// In the virtual networks of the servers.
    Inside,
}

/// The name that leads to a server from a place.
fn resolvable(record: &Record, from: Place) -> Option<String> {
    let is_reached = !record.private || from == Place::Inside;
    let offered = record.kind != Kind::ParameterGroup && is_reached && record.graph != GraphView::Stale;
    offered.then(|| crate::render::host_name(record))
}

/// An address for each server out of reserved ranges: 198.18.0.0/15 (RFC 2544, for tests of devices), then
/// 2001:db8::/32 (RFC 3849, for documentation).
fn address(index: u32) -> IpAddr {
    if index < IPV4_ADDRESSES {
        return Ipv4Addr::from_bits(Ipv4Addr::new(198, 18, 0, 0).to_bits() + index).into();
    }
    Ipv6Addr::from_bits(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0).to_bits() + u128::from(index)).into()
}

fn index(address: IpAddr) -> Option<u32> {
    match address {
        IpAddr::V4(address) => {
            let index = address.to_bits().checked_sub(Ipv4Addr::new(198, 18, 0, 0).to_bits())?;
            (index < IPV4_ADDRESSES).then_some(index)
        }
        IpAddr::V6(address) => {
            let first = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0).to_bits();
            u32::try_from(address.to_bits().checked_sub(first)?).ok()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_leads_back_to_its_server() {
        for number in [0, 1, 255, 256, IPV4_ADDRESSES - 1, IPV4_ADDRESSES, 1_000_000] {
            assert_eq!(index(address(number)), Some(number));
        }
        assert_eq!(index("127.0.0.1".parse().unwrap()), None);
        assert_eq!(index("198.20.0.0".parse().unwrap()), None);
    }
}
