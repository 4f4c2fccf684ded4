//! How many may be at the port for probers at once. A connection that has not shown yet that its prober is enrolled is pushed out by
//! those that come after it, and keeps none waiting; those who are enrolled have places of their own.

use hostssl_prober::KeyPin;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::AbortHandle;

/// Connections of those whose key is not known, or not yet. A handshake takes milliseconds, so as many others within
/// that time are a flood.
const ARRIVALS: usize = 256;
/// Connections of those who are enrolled: a zone has few probers.
const ENROLLED: usize = 128;
/// The same of one key: an honest prober needs one, and a second while the first ends.
const OF_KEY: usize = 4;

/// The places at the door.
pub(super) struct DoorPlaces {
    arrivals: Arc<Mutex<Arrivals>>,
    enrolled: Arc<Semaphore>,
    keys: Arc<Mutex<HashMap<String, usize>>>,
}

/// Those who have not shown that they are enrolled, the oldest first.
#[derive(Default)]
struct Arrivals {
    next: u64,
    visits: VecDeque<(u64, Option<AbortHandle>)>,
}

/// Someone among those who arrived, until this is dropped.
pub(super) struct Arrival {
    number: u64,
    arrivals: Arc<Mutex<Arrivals>>,
}

/// A place of someone who is enrolled, until this is dropped.
pub(super) struct EnrolledPlace {
    _permit: OwnedSemaphorePermit,
    key: String,
    keys: Arc<Mutex<HashMap<String, usize>>>,
}

impl DoorPlaces {
    pub(super) fn new() -> Self {
        Self { arrivals: Arc::default(), enrolled: Arc::new(Semaphore::new(ENROLLED)), keys: Arc::default() }
    }

    /// A place for someone who arrives. Where there is none, the one that has stood there longest goes.
    pub(super) fn arrival(&self) -> Arrival {
        let mut arrivals = lock(&self.arrivals);
        if arrivals.visits.len() >= ARRIVALS
            && let Some((_, Some(oldest))) = arrivals.visits.pop_front()
        {
            oldest.abort();
        }
        let number = arrivals.next;
        arrivals.next += 1;
        arrivals.visits.push_back((number, None));
        Arrival { number, arrivals: Arc::clone(&self.arrivals) }
    }

    /// Names the task of an arrival, which is aborted where it has to go.
    pub(super) fn is_visited_by(&self, number: u64, task: AbortHandle) {
        match lock(&self.arrivals).visits.iter_mut().find(|(known, _)| *known == number) {
            Some((_, visit)) => *visit = Some(task),
            // It has ended, is enrolled, or was pushed out before it had begun.
            None => drop(task),
        }
    }

    /// A place for a key that is enrolled; nothing where it has enough of them, or where there is none.
    pub(super) fn enrolled(&self, key: KeyPin) -> Option<EnrolledPlace> {
        let key = key.to_string();
        let mut keys = lock(&self.keys);
        if keys.get(&key).is_some_and(|count| *count >= OF_KEY) {
            return None;
        }
        let permit = Arc::clone(&self.enrolled).try_acquire_owned().ok()?;
        *keys.entry(key.clone()).or_default() += 1;
        Some(EnrolledPlace { _permit: permit, key, keys: Arc::clone(&self.keys) })
    }
}

impl Arrival {
    /// Its number.
    pub(super) fn number(&self) -> u64 {
        self.number
    }
}

impl Drop for Arrival {
    fn drop(&mut self) {
        lock(&self.arrivals).visits.retain(|(number, _)| *number != self.number);
    }
}

impl Drop for EnrolledPlace {
    fn drop(&mut self) {
        let mut keys = lock(&self.keys);
        if let Some(count) = keys.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                keys.remove(&self.key);
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn strangers_take_no_place_of_the_enrolled_and_push_out_each_other() {
        let places = DoorPlaces::new();
        let mut arrivals = VecDeque::new();
        let first = tokio::spawn(std::future::pending::<()>());
        for _ in 0..ARRIVALS {
            arrivals.push_back(places.arrival());
        }
        places.is_visited_by(arrivals[0].number(), first.abort_handle());
        arrivals.push_back(places.arrival());
        assert!(first.await.unwrap_err().is_cancelled(), "the oldest goes");
        assert_eq!(lock(&places.arrivals).visits.len(), ARRIVALS);

        let own: Vec<_> = (0..OF_KEY).map(|_| places.enrolled(KeyPin::of(b"a")).unwrap()).collect();
        assert!(places.enrolled(KeyPin::of(b"a")).is_none() && places.enrolled(KeyPin::of(b"b")).is_some());
        drop((arrivals, own));
        assert!(places.enrolled(KeyPin::of(b"a")).is_some());
        assert!(lock(&places.arrivals).visits.is_empty() && lock(&places.keys).is_empty(), "nothing is left behind");
    }
}
