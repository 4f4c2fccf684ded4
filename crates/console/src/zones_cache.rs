//! What the page of zones is made of, kept until it changes: thousands of servers and looks are read once.

use crate::trouble::Trouble;
use crate::zones::{ZoneFiles, ZoneSource};
use hostssl_model::{Server, ServerReport, Subscription, SubscriptionState, WireObservation};
use hostssl_ops::Vantages;
use hostssl_store::{AuditId, AuditStore, KnownFromZones, ServerFilter, StoreError};
use jiff::{SignedDuration, Timestamp};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Servers that are kept in memory at most; of a larger fleet they are read for each page.
const MAX_KEPT: usize = 20_000;

/// A server as it is known, and what its zones saw.
pub(crate) struct Audited {
    pub(crate) server: Server,
    pub(crate) subscription: Arc<Subscription>,
    pub(crate) wire: Vec<WireObservation>,
}

/// Every server, and what zones saw of it.
#[derive(Default)]
pub(crate) struct AuditedServers {
    pub(crate) servers: Vec<Audited>,
    pub(crate) known: Vec<KnownFromZones>,
    /// When the newest audit began, in milliseconds since 1970.
    pub(crate) began_ms: Option<i64>,
}

/// An audit, and the version of the present that began with it.
type View = (AuditId, Option<i64>);

/// What files say, and their looks by listener.
type Brought = (ZoneFiles, Vantages);

/// What was read last, under what it was read from.
#[derive(Default)]
pub(crate) struct ZonesCache {
    files: Mutex<Option<(u64, Arc<Brought>)>>,
    servers: Mutex<Option<(View, Arc<AuditedServers>)>>,
}

impl ZonesCache {
    /// What the files say, as they are now, and the same by listener.
    pub(crate) fn files(&self, source: &ZoneSource, store: &AuditStore) -> Result<Arc<Brought>, Trouble> {
        let stamp = source.stamp(store);
        if let Some((_, files)) = lock(&self.files).as_ref().filter(|(known, _)| Some(*known) == stamp) {
            return Ok(Arc::clone(files));
        }
        let files = source.files(store)?;
        let looks = files.looks.iter().map(|file| file.looks.clone()).collect();
        let brought = Vantages::new(files.rules.clone(), looks, Timestamp::now(), SignedDuration::MAX);
        let files = Arc::new((files, brought));
        *lock(&self.files) = stamp.map(|stamp| (stamp, Arc::clone(&files)));
        Ok(files)
    }

    /// The servers as they are known now.
    pub(crate) fn servers(&self, store: &AuditStore) -> Result<Arc<AuditedServers>, StoreError> {
        let Some(audit) = store.latest()? else { return Ok(Arc::default()) };
        let view = (audit.id.clone(), audit.present);
        if let Some((_, servers)) = lock(&self.servers).as_ref().filter(|(known, _)| *known == view) {
            return Ok(Arc::clone(servers));
        }
        let subscriptions = store.subscriptions(&audit)?;
        let mut servers = Vec::new();
        store.each_server(&audit, &ServerFilter::default(), &mut |report| {
            servers.push(Audited::of(report, &subscriptions));
        })?;
        let read = AuditedServers { servers, known: store.known_from_zones()?, began_ms: Some(audit.started_ms) };
        let read = Arc::new(read);
        *lock(&self.servers) = (read.servers.len() <= MAX_KEPT).then(|| (view, Arc::clone(&read)));
        Ok(read)
    }
}

impl Audited {
    fn of(report: ServerReport, subscriptions: &[Arc<Subscription>]) -> Self {
        let id = report.server.subscription();
        let known = subscriptions.iter().find(|one| one.id == id).cloned();
        let subscription = known.unwrap_or_else(|| {
            // The newest audit did not list it; its id is known.
            let (name, tenant) = (id.as_str().into(), "".into());
            Arc::new(Subscription { id, name, tenant, state: SubscriptionState::Enabled })
        });
        Self { server: report.server, subscription, wire: report.wire }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
