//! Keeps the number of connections to one server low, whatever number of probes run.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::Semaphore;

/// The size of the table at which entries without a user are dropped.
const SWEEP_AT: usize = 1024;

/// Hands out one semaphore for each server. Several names, or several targets of a list, may lead to the same one.
#[derive(Debug)]
pub(crate) struct Limiter {
    per_server: usize,
    servers: Mutex<Servers>,
}

#[derive(Debug, Default)]
struct Servers {
    by_address: HashMap<SocketAddr, Weak<Semaphore>>,
    sweep_at: usize,
}

impl Limiter {
    pub(crate) fn new(per_server: usize) -> Self {
        let servers = Servers { sweep_at: SWEEP_AT, ..Servers::default() };
        Self { per_server: per_server.max(1), servers: Mutex::new(servers) }
    }

    /// The semaphore of `address`. It lives as long as somebody holds it.
    pub(crate) fn server(&self, address: SocketAddr) -> Arc<Semaphore> {
        let mut servers = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(semaphore) = servers.by_address.get(&address).and_then(Weak::upgrade) {
            return semaphore;
        }
        if servers.by_address.len() >= servers.sweep_at {
            servers.by_address.retain(|_, semaphore| semaphore.strong_count() > 0);
            servers.sweep_at = SWEEP_AT.max(servers.by_address.len() * 2);
        }
        let semaphore = Arc::new(Semaphore::new(self.per_server));
        servers.by_address.insert(address, Arc::downgrade(&semaphore));
        semaphore
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    #[test]
    fn one_server_has_one_semaphore() {
        let limiter = Limiter::new(4);
        let (a, b, c) = (limiter.server(address(1)), limiter.server(address(1)), limiter.server(address(2)));
        assert!(Arc::ptr_eq(&a, &b) && !Arc::ptr_eq(&a, &c));
        assert_eq!(a.available_permits(), 4);
    }

    #[test]
    fn the_table_stays_small() {
        let limiter = Limiter::new(1);
        for port in 1..10_000 {
            limiter.server(address(port));
        }
        assert!(limiter.servers.lock().unwrap().by_address.len() <= SWEEP_AT);
    }
}
