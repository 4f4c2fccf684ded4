//! Which servers of the newest audit a plan could change: found out once, behind the pages.

use crate::readiness::{Readiness, view_of};
use hostssl_store::{AuditEntry, AuditStore};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;

/// How long a page waits for what takes longer in a large estate.
const READY: Duration = Duration::from_millis(25);

/// The readiness of one audit. Clones are the same.
#[derive(Clone)]
pub(crate) struct ReadinessCache(Arc<Inner>);

struct Inner {
    store: Arc<AuditStore>,
    known: Mutex<Option<Arc<Readiness>>>,
    /// The audit whose readiness is being found out, or was.
    asked: Mutex<Option<String>>,
}

impl ReadinessCache {
    pub(crate) fn new(store: Arc<AuditStore>) -> Self {
        Self(Arc::new(Inner { store, known: Mutex::default(), asked: Mutex::default() }))
    }

    /// What an audit saw does not change, so that this is found out once. In a large estate that takes longer than a page
    /// may, and goes on behind it: then there is no answer yet.
    pub(crate) fn of(&self, audit: &AuditEntry) -> Option<Arc<Readiness>> {
        let view = view_of(audit);
        if let Some(known) = self.known(&view) {
            return Some(known);
        }
        let (done, waiting) = mpsc::channel();
        let is_asked = lock(&self.0.asked).replace(view.clone()).is_some_and(|asked| asked == view);
        if !is_asked {
            let (cache, audit) = (self.clone(), audit.clone());
            let work = move || {
                cache.find_out(&audit);
                // The page may have gone on without it.
                let _ = done.send(());
            };
            if std::thread::Builder::new().name("hostssl-ready".into()).spawn(work).is_err() {
                lock(&self.0.asked).take();
            }
        }
        let _ = waiting.recv_timeout(READY);
        self.known(&view)
    }

    fn find_out(&self, audit: &AuditEntry) {
        match Readiness::of(&self.0.store, audit) {
            Ok(found) => *lock(&self.0.known) = Some(Arc::new(found)),
            Err(error) => {
                tracing::warn!(%error, "which servers are ready could not be found out");
                // The next page asks again.
                lock(&self.0.asked).take();
            }
        }
    }

    fn known(&self, audit: &str) -> Option<Arc<Readiness>> {
        lock(&self.0.known).as_ref().filter(|known| known.audit == audit).cloned()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
