//! Which servers of the newest audit a plan could change: found out once, behind the pages.

use hostssl_ops::Readiness;
use hostssl_store::{AuditEntry, AuditStore};
use jiff::Timestamp;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;

/// How long a page waits for what takes longer in a large fleet.
const READY: Duration = Duration::from_millis(25);

/// The readiness of one audit. Clones are the same.
#[derive(Clone)]
pub(crate) struct ReadinessCache(Arc<Inner>);

struct Inner {
    store: Arc<AuditStore>,
    /// The view that was asked about last and answered.
    known: Mutex<Option<(String, Arc<Readiness>)>>,
    /// The view whose readiness is being worked out, or was.
    asked: Mutex<Option<String>>,
}

impl ReadinessCache {
    pub(crate) fn new(store: Arc<AuditStore>) -> Self {
        Self(Arc::new(Inner { store, known: Mutex::default(), asked: Mutex::default() }))
    }

    /// What an audit saw does not change, so that this is found out once. In a large fleet that takes longer than a page
    /// may, and goes on behind it: then there is no answer yet.
    pub(crate) fn of(&self, audit: &AuditEntry) -> Option<Arc<Readiness>> {
        let now = Timestamp::now().as_millisecond();
        let view = self.view_of(audit, now);
        if let Some(known) = self.known(&view) {
            return Some(known);
        }
        let (done, waiting) = mpsc::channel();
        let is_asked = lock(&self.0.asked).replace(view.clone()).is_some_and(|asked| asked == view);
        if !is_asked {
            let (cache, audit, view) = (self.clone(), audit.clone(), view.clone());
            let work = move || {
                cache.find_out(&audit, view, now);
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

    fn find_out(&self, audit: &AuditEntry, view: String, now: i64) {
        match Readiness::of(&self.0.store, audit, now) {
            Ok(found) => {
                if let Some(error) = &found.refused {
                    tracing::warn!(%error, "the planner refuses the facts of a kept audit");
                }
                *lock(&self.0.known) = Some((view, Arc::new(found)));
            }
            Err(error) => {
                tracing::warn!(%error, "could not work out which servers are ready");
                // The next page asks again.
                lock(&self.0.asked).take();
            }
        }
    }

    /// What it is worked out of: the audit, the present that began with it as far as that has come, and the censuses, which grow old
    /// by the hour.
    fn view_of(&self, audit: &AuditEntry, now: i64) -> String {
        let newest = self.0.store.newest_census().unwrap_or_default().unwrap_or_default();
        format!("{} {} {newest} {}", audit.id, audit.present.unwrap_or_default(), now / 3_600_000)
    }

    fn known(&self, view: &str) -> Option<Arc<Readiness>> {
        lock(&self.0.known).as_ref().filter(|(known, _)| known == view).map(|(_, readiness)| readiness.clone())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
