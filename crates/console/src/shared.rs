//! What all requests share.

use crate::activity_cache::ActivityCache;
use crate::endings::EndingsCache;
use crate::exchanges::Exchanges;
use crate::followed_times::FollowedTimes;
use crate::guard::session_store::SessionStore;
use crate::guard::{ListedPeople, SessionStoreError};
use crate::heard_of::HeardOf;
use crate::job::JobContext;
use crate::jobs::audit::Audits;
use crate::jobs::change::Changes;
use crate::jobs::plan::Plans;
use crate::known_approvers::known_approvers;
use crate::options::{Connect, ConsoleOptions};
use crate::prober_port::ProberDesk;
use crate::readiness_cache::ReadinessCache;
use crate::reply::Failure;
use crate::waivers::{Waivers, WaiversCache};
use crate::zones_cache::ZonesCache;
use hostssl_ops::Readiness;
use hostssl_remediation::ApprovalRule;
use hostssl_store::{AuditEntry, AuditStore, StoreError};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Live pages at once. Each holds a connection; the others must still get in.
const LIVE_PAGES: usize = 200;
/// Whole reports being exported or judged again at once: each may hold an audit's servers in memory.
const REPORTS_AT_ONCE: usize = 1;

/// Questions to the store at once. Each has a connection to the database with its cache, and more at once than there are
/// processors makes no answer come sooner.
const QUESTIONS_AT_ONCE: usize = 4;

/// What all requests share. Clones are the same.
#[derive(Clone)]
pub(crate) struct Shared(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) options: Arc<ConsoleOptions>,
    /// The port that was had.
    pub(crate) port: u16,
    pub(crate) store: Arc<AuditStore>,
    pub(crate) sessions: Arc<SessionStore>,
    pub(crate) exchanges: Arc<Exchanges>,
    /// What jobs may use of this.
    pub(crate) context: Arc<JobContext>,
    pub(crate) audits: Audits,
    pub(crate) plans: Plans,
    pub(crate) changes: Changes,
    pub(crate) activity: ActivityCache,
    pub(crate) endings: EndingsCache,
    /// When other consoles were heard of.
    pub(crate) heard: HeardOf,
    pub(crate) followed: FollowedTimes,
    pub(crate) zones: ZonesCache,
    pub(crate) waivers: WaiversCache,
    pub(crate) live_pages: Arc<Semaphore>,
    pub(crate) reports: Arc<Semaphore>,
    questions: Semaphore,
}

impl std::ops::Deref for Shared {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl Shared {
    pub(crate) fn new(options: ConsoleOptions, port: u16, store: AuditStore, connect: Connect) -> Self {
        let (options, store, exchanges) = (Arc::new(options), Arc::new(store), Arc::<Exchanges>::default());
        let context = JobContext {
            options: options.clone(),
            store: store.clone(),
            connect,
            exchanges: exchanges.clone(),
            readiness: ReadinessCache::new(store.clone()),
            desk: ProberDesk::default(),
        };
        Self(Arc::new(Inner {
            sessions: Arc::new(SessionStore::new(store.clone(), ListedPeople::of(&options))),
            options,
            port,
            store,
            exchanges,
            context: Arc::new(context),
            audits: Audits::default(),
            plans: Plans::default(),
            changes: Changes::default(),
            activity: ActivityCache::default(),
            endings: EndingsCache::default(),
            heard: HeardOf::default(),
            followed: FollowedTimes::default(),
            zones: ZonesCache::default(),
            waivers: WaiversCache::default(),
            live_pages: Arc::new(Semaphore::new(LIVE_PAGES)),
            reports: Arc::new(Semaphore::new(REPORTS_AT_ONCE)),
            questions: Semaphore::new(QUESTIONS_AT_ONCE),
        }))
    }

    /// Asks the store where waiting for the disk does not hold up other requests.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&AuditStore) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Failure> {
        let store = self.store.clone();
        self.wait_for(move || question(&store)).await
    }

    /// The same of who is signed in.
    pub(crate) async fn ask_sessions<T: Send + 'static>(
        &self,
        question: impl FnOnce(&SessionStore) -> Result<T, SessionStoreError> + Send + 'static,
    ) -> Result<T, Failure> {
        let sessions = self.sessions.clone();
        self.wait_for(move || question(&sessions)).await
    }

    async fn wait_for<T: Send + 'static, E: Send + 'static>(
        &self,
        question: impl FnOnce() -> Result<T, E> + Send + 'static,
    ) -> Result<T, Failure>
    where
        Failure: From<E>,
    {
        let _turn = self.0.questions.acquire().await.map_err(|_| Failure::defect())?;
        match tokio::task::spawn_blocking(question).await {
            Ok(answer) => answer.map_err(Failure::from),
            Err(_) => Err(Failure::defect()),
        }
    }

    /// The waivers of an audit, out of the file as it is now. It may wait for the disk, so that it is asked where the store is.
    pub(crate) fn waivers(&self, store: &AuditStore, audit: &AuditEntry) -> Result<Waivers, StoreError> {
        self.waivers.of(self.options.waivers.as_ref(), store, audit)
    }

    /// What a plan takes that someone made where so many people had to approve it.
    pub(crate) fn approval_rule(&self, needed: u32, made_by: &str) -> ApprovalRule {
        let approvers = known_approvers(&ListedPeople::of(&self.options), self.options.proxies.is_some());
        ApprovalRule { needed: self.options.approvals.max(needed), made_by: vec![made_by.to_owned()], approvers }
    }

    /// Which servers of an audit a plan could change, once that is known.
    pub(crate) fn readiness(&self, audit: &AuditEntry) -> Option<Arc<Readiness>> {
        self.context.readiness.of(audit)
    }
}
