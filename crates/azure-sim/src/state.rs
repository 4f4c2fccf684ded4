//! The state of the simulated Azure, and what can be done with it in one step. Nothing here knows a request's handler.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{Span, Timestamp};
use tokio::time::Instant;

use crate::activity_log::ActivityLog;
use crate::call::Call;
use crate::clock::Clock;
use crate::estate::Estate;
use crate::fault::Rules;
use crate::journal::Journal;
use crate::operations::Operations;
use crate::real_logs::RealLogs;
use crate::scenario::Scenario;
use crate::throttle::{Buckets, Verdict, Windows};
use crate::token;
use crate::world::World;

/// What all requests share.
#[derive(Debug)]
pub(crate) struct AzureState {
    pub(crate) scenario: Scenario,
    pub(crate) estate: Estate,
    pub(crate) clock: Clock,
    rules: Mutex<Rules>,
    buckets: Mutex<Buckets>,
    windows: Mutex<Windows>,
    operations: Mutex<Operations>,
    pub(crate) journal: Journal,
    pub(crate) activity: ActivityLog,
    /// The servers whose logs are those of real ones.
    pub(crate) real_logs: RealLogs,
    /// Where accepted writes are kept, if they outlive the process.
    pub(crate) world: Option<World>,
    sequence: AtomicU64,
    /// How long ago the logs are of, in seconds.
    log_age: AtomicI64,
}

impl AzureState {
    /// What a scenario begins with.
    pub(crate) fn new(scenario: Scenario, estate: Estate, world: Option<World>) -> Self {
        let clock = Clock::start();
        // The ids of requests follow from their numbers, and those of a world that lasts are in its log: no other process may give
        // the same ones. A process makes fewer than a million requests in a millisecond.
        let first = world.as_ref().map_or(0, |_| clock.now().as_millisecond().unsigned_abs() << 20);
        Self {
            scenario,
            estate,
            clock,
            rules: Mutex::default(),
            buckets: Mutex::default(),
            windows: Mutex::default(),
            operations: Mutex::default(),
            journal: Journal::default(),
            activity: ActivityLog::default(),
            real_logs: RealLogs::default(),
            world,
            sequence: AtomicU64::new(first),
            log_age: AtomicI64::new(0),
        }
    }

    /// The number of the next request.
    pub(crate) fn next_sequence(&self) -> u64 {
        self.sequence.fetch_add(1, Ordering::Relaxed)
    }

    /// Serves the logs as they were so many seconds ago.
    pub(crate) fn set_log_age(&self, seconds: i64) {
        self.log_age.store(seconds, Ordering::Relaxed);
    }

    /// The time of the logs, and the time.
    pub(crate) fn log_times(&self) -> (Timestamp, Timestamp) {
        let now = self.clock.now();
        let age = Span::new().seconds(self.log_age.load(Ordering::Relaxed));
        (now.checked_sub(age).unwrap_or(now), now)
    }

    /// Applies what other processes wrote to the world that is shared with them.
    pub(crate) fn follow_world(&self) -> std::io::Result<()> {
        self.world.as_ref().map_or(Ok(()), |world| world.follow(&self.estate, &self.activity, self.clock.now()))
    }

    /// A token for `tenant`, and its end in seconds since 1970.
    pub(crate) fn issue(&self, tenant: &str, client: &str, audience: &str) -> (String, i64) {
        let now = self.clock.unix();
        let lifetime = i64::try_from(self.scenario.token_lifetime.as_secs()).unwrap_or(i64::MAX);
        (token::issue(tenant, client, audience, now, lifetime), now.saturating_add(lifetime))
    }

    /// Takes a request out of its bucket; `None` when nothing is throttled.
    pub(crate) fn take(&self, call: &Call<'_>) -> Option<Verdict> {
        let throttle = self.scenario.throttle?;
        let write = call.operation.is_write();
        let rate = if write { throttle.writes } else { throttle.reads };
        let key = (call.place.subscription, call.principal.object.clone(), write);
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        Some(buckets.take(key, rate, Instant::now()))
    }

    /// Counts a Resource Graph query of `principal`; `None` when there is no quota.
    pub(crate) fn graph_window(&self, principal: &str) -> Option<(bool, u32, Duration)> {
        let quota = self.scenario.graph_quota?;
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        Some(windows.take(principal, quota, Instant::now()))
    }

    pub(crate) fn rules(&self) -> MutexGuard<'_, Rules> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn operations(&self) -> MutexGuard<'_, Operations> {
        self.operations.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
