//! Keeps the number of connections to one server low, whatever number of probes run.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::Semaphore;

/// The size of the table at which entries without a user are dropped.
const SWEEP_AT: usize = 1024;

/// What may be done at one server at once.
#[derive(Debug)]
pub(crate) struct ServerLimit {
    /// Connections.
    pub(crate) connections: Arc<Semaphore>,
    /// Endpoints that are probed. Each waits for its place among all conversations with one connection open, and continues with
    /// several: as there are as many of these turns as connections, one that has its place finds a connection for it.
    pub(crate) endpoints: Semaphore,
}

/// Hands out one limit for each server. Several names, or several targets of a list, may lead to the same one.
#[derive(Debug)]
pub(crate) struct Limiter {
    per_server: usize,
    servers: Mutex<Servers>,
}

#[derive(Debug, Default)]
struct Servers {
    by_place: HashMap<(String, SocketAddr), Weak<ServerLimit>>,
    sweep_at: usize,
}

impl Limiter {
    pub(crate) fn new(per_server: usize) -> Self {
        let servers = Servers { sweep_at: SWEEP_AT, ..Servers::default() };
        Self { per_server: per_server.max(1), servers: Mutex::new(servers) }
    }

    /// The limit of `address`, or of the name where the address is not known here. It lives as long as someone holds it.
    pub(crate) fn server(&self, name: &str, address: SocketAddr) -> Arc<ServerLimit> {
        let name = if address.ip().is_unspecified() { name.to_ascii_lowercase() } else { String::new() };
        let place = (name, address);
        let mut servers = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(limit) = servers.by_place.get(&place).and_then(Weak::upgrade) {
            return limit;
        }
        if servers.by_place.len() >= servers.sweep_at {
            servers.by_place.retain(|_, limit| limit.strong_count() > 0);
            servers.sweep_at = SWEEP_AT.max(servers.by_place.len() * 2);
        }
        let limit = Arc::new(ServerLimit {
            connections: Arc::new(Semaphore::new(self.per_server)),
            endpoints: Semaphore::new(self.per_server),
        });
        servers.by_place.insert(place, Arc::downgrade(&limit));
        limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    #[test]
    fn one_server_has_one_limit() {
        let limiter = Limiter::new(4);
        let (a, b, c) =
            (limiter.server("x", address(1)), limiter.server("y", address(1)), limiter.server("x", address(2)));
        assert!(Arc::ptr_eq(&a, &b) && !Arc::ptr_eq(&a, &c));
        let unknown = SocketAddr::from(([0, 0, 0, 0], 1));
        let (x, again, y) = (limiter.server("x", unknown), limiter.server("X", unknown), limiter.server("y", unknown));
        assert!(Arc::ptr_eq(&x, &again) && !Arc::ptr_eq(&x, &y));
        assert_eq!((a.connections.available_permits(), a.endpoints.available_permits()), (4, 4));
    }

    #[test]
    fn the_table_stays_small() {
        let limiter = Limiter::new(1);
        for port in 1..10_000 {
            limiter.server("", address(port));
        }
        assert!(limiter.servers.lock().unwrap().by_place.len() <= SWEEP_AT);
    }
}
