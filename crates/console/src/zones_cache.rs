//! What the page of zones is made of, kept until it changes: thousands of servers and looks are read once.

use crate::trouble::Trouble;
use crate::zones::{LooksFile, ZoneFiles, ZoneSource, names, newest_ms};
use hostssl_model::{Server, ServerReport, Subscription, SubscriptionState, WireObservation, ZoneRule};
use hostssl_ops::Vantages;
use hostssl_store::{AuditId, AuditStore, KnownFromZones, ServerFilter, StoreError};
use jiff::{SignedDuration, Timestamp};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Servers that are kept in memory at most; of a larger fleet they are read for each page.
const MAX_KEPT: usize = 20_000;
/// Looks that are kept in memory at most; more are read for each page.
const MAX_LOOKS: usize = 100_000;

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

/// What files say: their looks by listener, and of each file no more than a page shows.
#[derive(Default)]
pub(crate) struct BroughtFiles {
    pub(crate) rules: Option<Vec<ZoneRule>>,
    pub(crate) files: Vec<BroughtFile>,
    pub(crate) vantages: Vantages,
}

/// One file of looks.
pub(crate) struct BroughtFile {
    pub(crate) name: String,
    pub(crate) zone: Arc<str>,
    pub(crate) looks: usize,
    pub(crate) newest_ms: i64,
    pub(crate) is_uploaded: bool,
    /// Whether a rule names its zone, or there are no rules: otherwise no audit counts it.
    pub(crate) is_named: bool,
}

/// What was read last, under what it was read from.
#[derive(Default)]
pub(crate) struct ZonesCache {
    files: Mutex<Option<(u64, Arc<BroughtFiles>)>>,
    servers: Mutex<Option<(View, Arc<AuditedServers>)>>,
}

impl ZonesCache {
    /// What the files say, as they are now. Pages that ask together wait for one that reads.
    pub(crate) fn files(&self, source: &ZoneSource, store: &AuditStore) -> Result<Arc<BroughtFiles>, Trouble> {
        let mut kept = lock(&self.files);
        let stamp = source.stamp(store);
        if let Some((_, files)) = kept.as_ref().filter(|(known, _)| Some(*known) == stamp) {
            return Ok(Arc::clone(files));
        }
        // The old ones go before the new ones are read.
        *kept = None;
        let files = Arc::new(BroughtFiles::of(source.files(store)?));
        let looks: usize = files.files.iter().map(|file| file.looks).sum();
        *kept = stamp.filter(|_| looks <= MAX_LOOKS).map(|stamp| (stamp, Arc::clone(&files)));
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

impl BroughtFiles {
    fn of(ZoneFiles { rules, looks }: ZoneFiles) -> Self {
        let file = |file: &LooksFile| BroughtFile {
            name: file.name.clone(),
            zone: Arc::clone(&file.looks.zone),
            looks: file.looks.looks.len(),
            newest_ms: newest_ms(&file.looks),
            is_uploaded: file.is_uploaded,
            is_named: names(rules.as_deref(), &file.looks.zone),
        };
        let files = looks.iter().map(file).collect();
        let looks = looks.into_iter().map(|file| file.looks).collect();
        let vantages = Vantages::new(rules.clone(), looks, Timestamp::now(), SignedDuration::MAX);
        Self { rules, files, vantages }
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
