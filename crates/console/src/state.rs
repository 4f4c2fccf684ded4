//! What all requests share.

use crate::changing::Changes;
use crate::exchanges::Exchanges;
use crate::guard::Sessions;
use crate::live::{Connect, Live};
use crate::options::Options;
use crate::planning::Plans;
use crate::readiness::Readiness;
use crate::reply::Failure;
use hostssl_store::{AuditEntry, AuditStore, StoreError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;
use tokio::sync::Semaphore;

/// Live pages at once. Each holds a connection; the others must still get in.
const LIVE_PAGES: usize = 200;
/// Whole reports being exported or judged again at once: each may hold an audit's servers in memory.
const REPORTS_AT_ONCE: usize = 1;

/// How long a page waits for what takes longer in a large estate.
const READY: Duration = Duration::from_millis(25);

/// Questions to the store at once. Each has a connection to the database with its cache, and more at once than there are
/// processors makes nobody's answer come sooner.
const QUESTIONS_AT_ONCE: usize = 4;

/// What all requests share. Clones are the same.
#[derive(Clone)]
pub(crate) struct Shared(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) options: Options,
    /// The port that was had.
    pub(crate) port: u16,
    pub(crate) store: AuditStore,
    pub(crate) sessions: Sessions,
    pub(crate) connect: Connect,
    pub(crate) plans: Plans,
    pub(crate) changes: Changes,
    pub(crate) exchanges: Exchanges,
    pub(crate) live_pages: Arc<Semaphore>,
    pub(crate) reports: Arc<Semaphore>,
    questions: Semaphore,
    live: Mutex<Option<Arc<Live>>>,
    readiness: Mutex<Option<Arc<Readiness>>>,
    /// The audit whose readiness is being found out, or was.
    asked: Mutex<Option<String>>,
}

impl std::ops::Deref for Shared {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl Shared {
    pub(crate) fn new(options: Options, port: u16, store: AuditStore, connect: Connect) -> Self {
        Self(Arc::new(Inner {
            options,
            port,
            store,
            sessions: Sessions::default(),
            connect,
            plans: Plans::default(),
            changes: Changes::default(),
            exchanges: Exchanges::default(),
            live_pages: Arc::new(Semaphore::new(LIVE_PAGES)),
            reports: Arc::new(Semaphore::new(REPORTS_AT_ONCE)),
            questions: Semaphore::new(QUESTIONS_AT_ONCE),
            live: Mutex::default(),
            readiness: Mutex::default(),
            asked: Mutex::default(),
        }))
    }

    /// Asks the store where waiting for the disk holds nobody up.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&AuditStore) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Failure> {
        let _turn = self.0.questions.acquire().await.map_err(|_| Failure::defect())?;
        let shared = self.clone();
        let answer = tokio::task::spawn_blocking(move || question(&shared.store)).await;
        match answer {
            Ok(answer) => answer.map_err(Failure::from),
            Err(_) => Err(Failure::defect()),
        }
    }

    /// Which servers of an audit a plan could change. What an audit saw does not change, so that this is found out once; of a
    /// large estate that takes longer than a page may, and goes on behind it: then there is no answer yet.
    pub(crate) fn readiness(&self, audit: &AuditEntry) -> Option<Arc<Readiness>> {
        if let Some(known) = self.known_readiness(&audit.id) {
            return Some(known);
        }
        let (tell, told) = mpsc::channel();
        let is_asked = {
            let mut asked = self.0.asked.lock().unwrap_or_else(PoisonError::into_inner);
            asked.replace(audit.id.clone()).is_some_and(|id| id == audit.id)
        };
        if !is_asked {
            let (shared, audit) = (self.clone(), audit.clone());
            let work = move || {
                match Readiness::of(&shared.store, &audit) {
                    Ok(found) => shared.know(Arc::new(found)),
                    Err(error) => {
                        tracing::warn!(%error, "which servers are ready cannot be told");
                        // The next page asks again.
                        shared.0.asked.lock().unwrap_or_else(PoisonError::into_inner).take();
                    }
                }
                // Nobody may wait any more.
                let _ = tell.send(());
            };
            if std::thread::Builder::new().name("hostssl-ready".into()).spawn(work).is_err() {
                self.0.asked.lock().unwrap_or_else(PoisonError::into_inner).take();
            }
        }
        let _ = told.recv_timeout(READY);
        self.known_readiness(&audit.id)
    }

    fn known_readiness(&self, audit: &str) -> Option<Arc<Readiness>> {
        let known = self.0.readiness.lock().unwrap_or_else(PoisonError::into_inner);
        known.as_ref().filter(|known| known.audit == audit).cloned()
    }

    fn know(&self, found: Arc<Readiness>) {
        *self.0.readiness.lock().unwrap_or_else(PoisonError::into_inner) = Some(found);
    }

    /// The audit that was started here last, under way or ended.
    pub(crate) fn live(&self) -> Option<Arc<Live>> {
        self.lock().clone()
    }

    /// The audit under way.
    pub(crate) fn running(&self) -> Option<Arc<Live>> {
        self.live().filter(|live| live.is_running())
    }

    /// Puts a new audit in place unless one is under way; returns the one that is there then, and whether it is new.
    pub(crate) fn put_live(&self, new: Arc<Live>) -> (Arc<Live>, bool) {
        let mut slot = self.lock();
        match slot.as_ref().filter(|live| live.is_running()) {
            Some(running) => (running.clone(), false),
            None => (slot.insert(new).clone(), true),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<Live>>> {
        self.0.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
