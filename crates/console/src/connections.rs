//! Who is connected: a share for each network, and room for those who are signed in.

use crate::options::{ConsoleOptions, Proxies};
use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::task::AbortHandle;

/// How many connections may come from one network; further ones are turned away. This machine's own, and proxies that bring
/// everyone's, may have them all.
const MAX_OF_ONE: usize = 64;

/// Every connection there is. Clones are the same.
#[derive(Clone, Default)]
pub(crate) struct Connections(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    by_network: HashMap<IpAddr, usize>,
    /// Connections without a sign-in, the oldest first, with what ends each.
    strangers: BTreeMap<u64, Option<AbortHandle>>,
    next: u64,
}

/// One of them, until it is dropped.
pub(crate) struct CountedConnection {
    all: Connections,
    network: IpAddr,
    number: u64,
    /// Whether someone has signed in on it.
    known: AtomicBool,
}

impl Connections {
    /// Counts a connection, unless its network has its share.
    pub(crate) fn enter(&self, address: IpAddr, options: &ConsoleOptions) -> Option<Arc<CountedConnection>> {
        let address = address.to_canonical();
        let is_proxy = |proxies: &Proxies| proxies.addresses.iter().any(|one| one.to_canonical() == address);
        let free = address.is_loopback() || options.proxies.as_ref().is_some_and(is_proxy);
        let network = network_of(address);
        let mut state = self.lock();
        let count = state.by_network.entry(network).or_default();
        if *count >= MAX_OF_ONE && !free {
            return None;
        }
        *count += 1;
        let number = state.next;
        state.next += 1;
        state.strangers.insert(number, None);
        Some(Arc::new(CountedConnection { all: self.clone(), network, number, known: AtomicBool::new(false) }))
    }

    /// Says how a connection is ended, while it is a stranger's.
    pub(crate) fn ends_by(&self, number: u64, handle: AbortHandle) {
        if let Some(place) = self.lock().strangers.get_mut(&number) {
            *place = Some(handle);
        }
    }

    /// Ends the oldest connection without a sign-in. Opening connections and saying nothing on them keeps
    /// no one out.
    pub(crate) fn make_room(&self) -> bool {
        let mut state = self.lock();
        let oldest = state.strangers.iter().find(|(_, handle)| handle.is_some()).map(|(number, _)| *number);
        let handle = oldest.and_then(|number| state.strangers.remove(&number)).flatten();
        handle.is_some_and(|handle| {
            handle.abort();
            true
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CountedConnection {
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Notes that someone has signed in on it: from now on it is not ended for others.
    pub(crate) fn is_known(&self) {
        if !self.known.swap(true, Ordering::Relaxed) {
            self.all.lock().strangers.remove(&self.number);
        }
    }
}

impl Drop for CountedConnection {
    fn drop(&mut self) {
        let mut state = self.all.lock();
        state.strangers.remove(&self.number);
        if let Some(count) = state.by_network.get_mut(&self.network) {
            *count -= 1;
            if *count == 0 {
                state.by_network.remove(&self.network);
            }
        }
    }
}

/// Those who have one IPv6 address have the other addresses of its /64 too (RFC 4291, 2.5.4; RFC 6177).
fn network_of(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_network_has_its_share_and_gives_it_back() {
        let options = ConsoleOptions::for_tests();
        for (one, same, other) in
            [("192.0.2.7", "::ffff:192.0.2.7", "192.0.2.8"), ("2001:db8::1", "2001:db8::ffff:1", "2001:db8:0:1::1")]
        {
            let connections = Connections::default();
            let enter = |text: &str| connections.enter(text.parse().unwrap(), &options);
            let mut all: Vec<_> = (0..MAX_OF_ONE).filter_map(|_| enter(one)).collect();
            assert_eq!(all.len(), MAX_OF_ONE);
            assert!(enter(same).is_none() && enter(other).is_some(), "{one}");
            all.pop();
            assert!(enter(same).is_some());
            drop(all);
            let here: Vec<_> = (0..2 * MAX_OF_ONE).map(|_| enter("127.0.0.1")).collect();
            assert!(here.iter().all(Option::is_some));
            drop(here);
            assert!(connections.lock().by_network.is_empty() && connections.lock().strangers.is_empty());
        }
    }

    #[tokio::test]
    async fn room_is_made_by_the_oldest_stranger_and_by_nobody_who_is_known() {
        let (connections, options) = (Connections::default(), ConsoleOptions::for_tests());
        let start = || {
            let connection = connections.enter("192.0.2.7".parse().unwrap(), &options).unwrap();
            let kept = connection.clone();
            let task = tokio::spawn(async move {
                std::future::pending::<()>().await;
                drop(kept);
            });
            connections.ends_by(connection.number(), task.abort_handle());
            (connection, task)
        };
        let (known, first, second) = (start(), start(), start());
        known.0.is_known();
        assert!(connections.make_room());
        assert!(first.1.await.unwrap_err().is_cancelled());
        assert!(!second.1.is_finished() && !known.1.is_finished());
        assert!(connections.make_room() && !connections.make_room());
        assert!(second.1.await.unwrap_err().is_cancelled());
        assert!(!known.1.is_finished());
    }
}
