//! A prober that reaches the listeners of a simulated Azure and nothing else.

use futures::future::{BoxFuture, FutureExt};
use hostssl_azure_sim::Wire;
use hostssl_probe::certificate::RootStore;
use hostssl_probe::dial::{Dial, Stream};
use hostssl_probe::{ProbeOptions, Prober};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

#[derive(Debug)]
struct Listeners(Wire);

impl Dial for Listeners {
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        let found = self.0.resolve(host).map(|ip| vec![SocketAddr::new(ip, port)]);
        std::future::ready(found.ok_or_else(|| io::ErrorKind::NotFound.into())).boxed()
    }

    fn connect<'a>(&'a self, _: &'a str, address: SocketAddr) -> BoxFuture<'a, io::Result<Stream>> {
        let connected = self.0.connect(address, IpAddr::V4(Ipv4Addr::LOCALHOST));
        std::future::ready(connected.map(Stream::Memory)).boxed()
    }
}

/// The prober, which trusts the roots of the simulation.
pub fn prober_of(wire: Wire) -> Prober {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let roots: Vec<_> =
        wire.roots().iter().map(|root| RootStore::from_der(root.name, vec![root.der.clone()]).unwrap()).collect();
    let options = ProbeOptions { roots: roots.into(), dialer: Arc::new(Listeners(wire)), ..Default::default() };
    Prober::new(options).unwrap()
}
