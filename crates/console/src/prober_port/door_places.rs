//! How many may be at the port for probers at once: those who are enrolled have places of their own.

use hostssl_prober::KeyPin;
use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Connections of those whose key is not known, or not yet.
const STRANGERS: usize = 64;
/// The same of one address; more than one prober may be behind it.
const STRANGERS_OF_ADDRESS: usize = 32;
/// Connections of those who are enrolled: a zone has few probers.
const ENROLLED: usize = 128;
/// The same of one key: an honest prober needs one, and a second while the first ends.
const OF_KEY: usize = 4;

/// The places at the door.
pub(super) struct DoorPlaces {
    strangers: Arc<Semaphore>,
    addresses: Counts<IpAddr>,
    enrolled: Arc<Semaphore>,
    keys: Counts<String>,
}

/// A place that is kept until this is dropped.
pub(super) struct DoorPlace<K: Eq + Hash> {
    _permit: OwnedSemaphorePermit,
    _one: OneOf<K>,
}

impl DoorPlaces {
    pub(super) fn new() -> Self {
        Self {
            strangers: Arc::new(Semaphore::new(STRANGERS)),
            addresses: Counts::new(STRANGERS_OF_ADDRESS),
            enrolled: Arc::new(Semaphore::new(ENROLLED)),
            keys: Counts::new(OF_KEY),
        }
    }

    /// A place for someone who arrives, as soon as there is one.
    pub(super) async fn arrival(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.strangers).acquire_owned().await.ok()
    }

    /// The place of someone from this address; nothing where it has enough of them.
    pub(super) fn stranger(&self, permit: OwnedSemaphorePermit, address: IpAddr) -> Option<DoorPlace<IpAddr>> {
        Some(DoorPlace { _permit: permit, _one: self.addresses.one(address)? })
    }

    /// A place for a key that is enrolled; nothing where it has enough of them, or where there is none.
    pub(super) fn enrolled(&self, key: KeyPin) -> Option<DoorPlace<String>> {
        let one = self.keys.one(key.to_string())?;
        let permit = Arc::clone(&self.enrolled).try_acquire_owned().ok()?;
        Some(DoorPlace { _permit: permit, _one: one })
    }
}

/// How many of each there are, up to a bound.
struct Counts<K> {
    most: usize,
    counts: Arc<Mutex<HashMap<K, usize>>>,
}

impl<K: Eq + Hash + Clone> Counts<K> {
    fn new(most: usize) -> Self {
        Self { most, counts: Arc::default() }
    }

    fn one(&self, of: K) -> Option<OneOf<K>> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.get(&of).is_some_and(|count| *count >= self.most) {
            return None;
        }
        *counts.entry(of.clone()).or_default() += 1;
        Some(OneOf { of, counts: Arc::clone(&self.counts) })
    }
}

/// One that is counted until this is dropped.
struct OneOf<K: Eq + Hash> {
    of: K,
    counts: Arc<Mutex<HashMap<K, usize>>>,
}

impl<K: Eq + Hash> Drop for OneOf<K> {
    fn drop(&mut self) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.of) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.of);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn strangers_take_no_place_of_the_enrolled_and_no_one_has_many() {
        let places = DoorPlaces::new();
        let mut strangers = Vec::new();
        for number in 0..STRANGERS {
            let address = IpAddr::from([10, 0, 0, u8::from(number >= STRANGERS_OF_ADDRESS)]);
            let permit = places.arrival().await.unwrap();
            strangers.push(places.stranger(permit, address).unwrap());
        }
        assert!(places.strangers.try_acquire().is_err(), "there is no place left");
        let own: Vec<_> = (0..OF_KEY).map(|_| places.enrolled(KeyPin::of(b"a")).unwrap()).collect();
        assert!(places.enrolled(KeyPin::of(b"a")).is_none() && places.enrolled(KeyPin::of(b"b")).is_some());
        strangers.pop();
        let permit = places.arrival().await.unwrap();
        assert!(places.stranger(permit, IpAddr::from([10, 0, 0, 0])).is_none(), "this address has enough");
        drop((strangers, own));
        assert!(places.enrolled(KeyPin::of(b"a")).is_some());
        assert!(lock_of(&places.addresses).is_empty() && lock_of(&places.keys).is_empty(), "nothing is left behind");
    }

    fn lock_of<K: Clone>(counts: &Counts<K>) -> HashMap<K, usize> {
        counts.counts.lock().unwrap().clone()
    }
}
